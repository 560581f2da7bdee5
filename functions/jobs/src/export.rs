//! The file of all that is known of a person, and its address.
//!
//! ```text
//! read all items, table by table
//! write the file's lines, under a key of this run       die here: the next run writes others, and these end by themselves
//! write that there is a file, and where it lies         die here: it is found there
//! put the message with the address, if the person asked die here: the same message is not put again
//! write that the job is done
//! ```

use domain::id::TelegramUserId;
use domain::job::{EXPORT_KEPT, JobStage, export_address};
use domain::message::MessageId;
use domain::texts::{Address, Date, Language, Text};
use serde_json::json;
use store::{ExportFile, JobRecord, PERSONAL_TABLES, StoreError};
use tracing::info;

use crate::{App, tell};

/// The longest line of the table, in bytes: an item holds 400 KB at most.
const LINE_MAX_BYTES: usize = 250_000;

/// Does the stage of a job; answers whether it goes on at once.
pub(crate) async fn go_on(
    app: &App,
    job: &JobRecord,
    person: TelegramUserId,
) -> Result<bool, StoreError> {
    if job.stage == JobStage::Collecting {
        write(app, job, person).await?;
        return Ok(true);
    }
    // An operator finds the address beside the job.
    if let Some(file) = job.file.as_ref().filter(|_| job.operator.is_none()) {
        tell_address(app, job, file, person).await?;
    }
    app.jobs.end_export(&job.id, app.clock.now()).await?;
    Ok(true)
}

async fn tell_address(
    app: &App,
    job: &JobRecord,
    file: &ExportFile,
    person: TelegramUserId,
) -> Result<(), StoreError> {
    let known = app.people.get(person).await?;
    let chosen = known.and_then(|known| known.language).or(job.language);
    let language = Language::choose(chosen, None, app.default_language);
    for page in 1..=file.pages() {
        let link = export_address(&file.public_url, &job.id, &file.secret, page);
        let text = Text::ExportReady {
            link: Address(&link),
            until: Date(file.until),
        };
        let message = MessageId::new(job.created_at, &format!("job#{}#{page}", job.id));
        tell(app, person, message, text.html(language), None).await?;
    }
    Ok(())
}

/// Makes the file.
async fn write(app: &App, job: &JobRecord, person: TelegramUserId) -> Result<(), StoreError> {
    let front = app.front().await?;
    let keys = app
        .personal
        .keys(person, front.map(|front| front.bot))
        .await?;
    let now = app.clock.now();
    let header = json!({"person": person, "madeAt": now, "format": "one JSON object a line"});
    let mut text = format!("{header}\n");
    for table in &PERSONAL_TABLES {
        for item in app.personal.items(table, &keys).await? {
            let line = json!({"table": table.name, "item": item.json()});
            text.push_str(&format!("{line}\n"));
        }
    }
    let run = format!("{:016x}", fastrand::u64(..));
    let end = now.plus(EXPORT_KEPT);
    let mut lines = 0;
    for part in parts(&text) {
        app.jobs.put_line(&job.id, (&run, lines), part, end).await?;
        lines += 1;
    }
    // It is the key to the file: of the system's own randomness.
    let secret = uuid::Uuid::new_v4().simple().to_string();
    let file = ExportFile {
        run,
        secret,
        public_url: app.exports_url.clone(),
        lines,
        until: end,
    };
    app.jobs.written(&job.id, &file, now).await?;
    info!(job.id = %job.id, lines, outcome = "exported", "what is known of a person is in a file");
    Ok(())
}

/// The parts of a text, none longer than a line of the table.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut at = rest.len().min(LINE_MAX_BYTES);
        while !rest.is_char_boundary(at) {
            at -= 1;
        }
        let (part, left) = rest.split_at(at);
        rest = left;
        (!part.is_empty()).then_some(part)
    })
}
