//! What an operator asks for about one person, and the jobs that do it.
//!
//! Asking twice is asking once, while the job is not done.

use domain::id::TelegramUserId;
use domain::job::{JobId, JobKind, RolledOver, export_address};
use runtime::response::Rejection;
use serde_json::{Value, json};
use store::{JobRecord, JobState, NewJob};
use tracing::info;

use crate::{App, unavailable};

/// How many jobs are listed that are done; those that are open are listed all, up to as many again.
const LISTED: i32 = 50;

/// Asks for a job for a person.
pub(crate) async fn ask(
    app: &App,
    who: &str,
    person: TelegramUserId,
    kind: JobKind,
) -> Result<Value, Rejection> {
    let job = NewJob {
        id: JobId::drawn(kind, uuid::Uuid::new_v4().as_u128()),
        kind,
        person,
        operator: Some(who.to_owned()),
        language: None,
    };
    let id = app.jobs.ask(&job, app.clock.now()).await;
    let id = id.map_err(unavailable)?;
    info!(job.id = %id, kind = kind.as_str(), operator.name = who, outcome = "asked", "an operator asked for what is known of a person");
    Ok(json!({"jobId": id.to_string()}))
}

/// The open jobs, the oldest first, and the last ones that are done.
pub(crate) async fn list(app: &App) -> Result<Value, Rejection> {
    let mut jobs = Vec::new();
    for state in [JobState::Open, JobState::Done] {
        for id in app.jobs.listed(state, LISTED).await.map_err(unavailable)? {
            let job = app.jobs.get(&id).await.map_err(unavailable)?;
            jobs.extend(job.as_ref().map(view));
        }
    }
    Ok(json!({ "jobs": jobs }))
}

/// One job.
pub(crate) async fn show(app: &App, id: &str) -> Result<Value, Rejection> {
    let id: JobId = id.parse().map_err(|_| Rejection::NotFound)?;
    let job = app.jobs.get(&id).await.map_err(unavailable)?;
    let job = job.ok_or(Rejection::NotFound)?;
    Ok(json!({"job": view(&job)}))
}

fn view(job: &JobRecord) -> Value {
    let mut view = json!({
        "jobId": job.id.to_string(),
        "kind": job.kind.as_str(),
        "stage": job.stage.as_str(),
        "askedBy": job.operator,
        "createdAt": job.created_at,
    });
    if let Some(person) = job.person {
        view["telegramUserId"] = json!(person);
    }
    if let Some(at) = job.ended_at {
        view["endedAt"] = json!(at);
    }
    if !job.counts.is_empty() || job.erased_at.is_some() {
        view["items"] = json!(job.counts);
    }
    if let Some(at) = job.erased_at {
        let rolled_over = RolledOver::of(at);
        view["rolledOver"] = json!({
            "logs": rolled_over.logs,
            "queues": rolled_over.queues,
            "backups": rolled_over.backups,
        });
    }
    // What a person asked for themselves is theirs to open.
    if let Some(file) = job.file.as_ref().filter(|_| job.operator.is_some()) {
        let pages = 1..=file.pages();
        let links = pages.map(|page| export_address(&file.public_url, &job.id, &file.secret, page));
        view["links"] = links.collect();
        view["linksUntil"] = json!(file.until);
    }
    view
}
