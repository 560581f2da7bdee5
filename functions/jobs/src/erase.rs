//! The erasure of a person.
//!
//! ```text
//! COUNTING   count what there is of them            die here: counted again; nothing is erased yet
//!            write the counts and a pseudonym       die here: they stand, and are not counted again
//! LEAVING    end the seats, and wait until the person is out of the chats (`leave`)
//!            write that they are out                die here: looked at again
//! ERASING    mark them as not heard                 die here: marked again
//!            have their topic deleted               die here: the same message is not put again
//!            erase, table by table                  die here: erased again; what leads to an item goes after it
//!            put the receipt                        die here: erased again, and the receipt with it; then put again
//!            write that they are erased             die here: the same receipt is not put again
//! TELLING    wait until the receipt is sent, or can't be, and all is over that began before
//!            if they have a seat again, as LEAVING
//!            erase what came about meanwhile, a topic too        die here: erased again
//!            mark them as heard again               die here: as above
//!            write that the job is done             from here on no record names them
//! ```
//!
//! While they are erased nothing is heard that they do, and for good nothing that they did before: Telegram may send it
//! again for a day. What they do from ERASING on Telegram keeps until that is over. A seat is not forgotten before its person is out of the chat: its record is what takes them out.

use domain::id::{ChatId, TelegramUserId};
use domain::job::{
    ERASE_SETTLES, JobStage, Pseudonym, RECEIPT_AGE, RolledOver, TableCounts, UNHEARD,
};
use domain::message::{Class, Content, Message, MessageId, MessageState};
use domain::texts::{Date, Language, Text};
use domain::time::Timestamp;
use store::{JobRecord, PersonKeys, StoreError, Unheard, UnheardSpan};
use tracing::info;

use crate::{App, leave, tell};

/// Does the stage of a job; answers whether it goes on at once.
pub(crate) async fn go_on(
    app: &App,
    job: &JobRecord,
    person: TelegramUserId,
) -> Result<bool, StoreError> {
    let front = app.front().await?;
    let bot = front.map(|front| front.bot);
    let keys = app.personal.keys(person, bot).await?;
    match job.stage {
        JobStage::Counting => count(app, job, &keys).await.map(|()| true),
        JobStage::Leaving => {
            let is_out = leave::go_on(app, job, &keys).await?;
            if is_out {
                app.jobs.out(&job.id, app.clock.now()).await?;
            }
            Ok(is_out)
        }
        JobStage::Erasing => erase(app, job, &keys).await.map(|()| true),
        JobStage::Telling => end(app, job, &keys).await,
        JobStage::Collecting | JobStage::Done => Ok(false),
    }
}

async fn count(app: &App, job: &JobRecord, keys: &PersonKeys) -> Result<(), StoreError> {
    let known = app.people.get(keys.person).await?;
    let chosen = known.and_then(|known| known.language).or(job.language);
    let language = Language::choose(chosen, None, app.default_language);
    let counts = app.personal.count(keys).await?;
    let pseudonym = drawn();
    let noted = (&counts, &pseudonym, language);
    app.jobs.counted(&job.id, noted, app.clock.now()).await
}

/// A pseudonym that nobody can derive from anything.
fn drawn() -> Pseudonym {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    Pseudonym::drawn(random)
}

async fn erase(app: &App, job: &JobRecord, keys: &PersonKeys) -> Result<(), StoreError> {
    let now = app.clock.now();
    sweep(app, job, keys, now).await?;
    let language = job.language.unwrap_or(app.default_language);
    let receipt = MessageId::new(job.created_at, &format!("job#{}", job.id));
    let html = receipt_html(language, &job.counts, RolledOver::of(now));
    let until = Some(now.plus(RECEIPT_AGE));
    let is_put = tell(app, keys.person, receipt.clone(), html, until).await?;
    let receipt = is_put.then_some(&receipt);
    app.jobs.erased(&job.id, receipt, now).await
}

/// Erases all that is there, and has nothing be heard of the person until that is over: what they do after `since` is to come
/// again.
async fn sweep(
    app: &App,
    job: &JobRecord,
    keys: &PersonKeys,
    since: Timestamp,
) -> Result<(), StoreError> {
    let now = app.clock.now();
    let until = now.plus(UNHEARD);
    let all = (Unheard::All, UnheardSpan { since, until });
    app.erasures.mark(keys.person, all, now).await?;
    delete_topics(app, job, keys).await?;
    // It is written with the counts; a record without one was cut by hand.
    let pseudonym = job.pseudonym.clone();
    let pseudonym = pseudonym.unwrap_or_else(drawn);
    app.personal.erase(keys, &pseudonym, now).await
}

/// Has the person's topics deleted, with all that stands there, also in operators' chats before the present one.
async fn delete_topics(app: &App, job: &JobRecord, keys: &PersonKeys) -> Result<(), StoreError> {
    let Some(bot) = keys.bot else {
        return Ok(());
    };
    for (chat, topic) in app.personal.topics(keys).await? {
        let message = Message {
            id: MessageId::new(job.created_at, &format!("job#{}#topic#{topic}", job.id)),
            bot,
            chat,
            thread: Some(topic),
            class: Class::Operator,
            content: Content::DeleteTopic,
            not_before: None,
            not_after: None,
        };
        app.messages.put(&message, app.clock.now()).await?;
        app.bells.ring(bot).await;
    }
    Ok(())
}

async fn end(app: &App, job: &JobRecord, keys: &PersonKeys) -> Result<bool, StoreError> {
    let now = app.clock.now();
    let erased_at = job.erased_at.unwrap_or(job.updated_at);
    if now.since(erased_at) < ERASE_SETTLES {
        return Ok(false);
    }
    if let Some(receipt) = &job.receipt {
        let chat = ChatId(keys.person.0);
        let record = app.messages.get(chat, receipt).await?;
        let state = record.map(|record| record.state);
        let is_over = state.is_none_or(|state| state.is_settled() || state == MessageState::Parked);
        if !is_over && now.since(erased_at) < RECEIPT_AGE.saturating_mul(2) {
            return Ok(false);
        }
    }
    // Paid for again meanwhile, by a shop that knows them: that ends as well.
    if !leave::is_out(app, keys).await? && !leave::go_on(app, job, keys).await? {
        return Ok(false);
    }
    sweep(app, job, keys, erased_at).await?;
    let now = app.clock.now();
    let over = UnheardSpan {
        since: erased_at,
        until: erased_at,
    };
    let all = (Unheard::All, over);
    app.erasures.mark(keys.person, all, now).await?;
    app.jobs.end_erasure(&job.id, now).await?;
    info!(job.id = %job.id, outcome = "erased", "a person is erased");
    Ok(true)
}

/// What the person is told: how much there was, table by table, and when the rest goes by itself.
fn receipt_html(language: Language, counts: &TableCounts, rolled_over: RolledOver) -> String {
    let items: u64 = counts.values().sum();
    let receipt = Text::EraseReceipt {
        items: u32::try_from(items).unwrap_or(u32::MAX),
        logs: Date(rolled_over.logs),
        queues: Date(rolled_over.queues),
        backups: Date(rolled_over.backups),
    };
    let lines = counts
        .iter()
        .map(|(table, count)| format!("{table}: {count}"));
    let lines: Vec<String> = lines.collect();
    format!(
        "{}\n\n{}\n\n<code>{}</code>",
        Text::EraseDone.html(language),
        receipt.html(language),
        lines.join("\n")
    )
}
