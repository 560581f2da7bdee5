//! The requests that wait and those that were given up, from the lanes of their tasks; and retrying all that were.
//!
//! Within a lane, tasks of a kind stand by age, so a list is merged of the parts of lanes that hold them.

use std::collections::VecDeque;

use domain::action;
use domain::history::Action;
use domain::id::ChatId;
use domain::invite::Invite;
use domain::purchase;
use domain::task::{KeyRange, Lane, Task, TaskKey, Work};
use domain::time::Timestamp;
use futures_util::future::{join_all, try_join_all};
use runtime::response::Rejection;
use serde::Deserialize;
use serde_json::{Value, json};
use store::acting::Acting;
use store::{Found, StoreError};
use tracing::info;

use crate::actions::state_in_words;
use crate::{App, chat_id, unavailable};

/// How many tasks of a chat one answer shows.
const PAGE: usize = 50;
/// How many tasks one call retries at most: a call ends after 25 seconds.
const RETRIED_MAX: usize = 200;
/// How many of them side by side.
const TOGETHER: usize = 8;
/// After how many failures a call ends.
const FAILED_MAX: usize = 2 * TOGETHER;
/// The longest cursor that is read.
const CURSOR_MAX_CHARS: usize = 8_192;

/// Which requests are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Waiting,
    Failed,
}

/// What a query asks to be listed.
#[derive(Debug)]
pub(crate) struct Listing {
    kind: Kind,
    chat: Option<String>,
    after: Option<LaneCursor>,
}

/// Where a page ended: the last key that was shown of each part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LaneCursor(Vec<Option<String>>);

impl LaneCursor {
    /// Hexadecimal, so that it needs no encoding in a query.
    fn write(&self) -> String {
        let keys: Vec<&str> = self
            .0
            .iter()
            .map(|key| key.as_deref().unwrap_or_default())
            .collect();
        let digits = keys.join("\n").into_bytes().into_iter();
        digits.map(|byte| format!("{byte:02x}")).collect()
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > CURSOR_MAX_CHARS || !text.len().is_multiple_of(2) || !text.is_ascii() {
            return None;
        }
        let digits: Vec<char> = text.chars().collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok();
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        let text = String::from_utf8(bytes?).ok()?;
        let keys = text.split('\n');
        Some(Self(
            keys.map(|key| (!key.is_empty()).then(|| key.to_owned()))
                .collect(),
        ))
    }
}

impl Listing {
    /// Reads a query; nothing if it does not ask for a status.
    ///
    /// # Errors
    /// What of it is wrong.
    pub(crate) fn read(query: &str) -> Result<Option<Self>, Rejection> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let (mut status, mut chat, mut cursor, mut is_other) = (None, None, None, false);
        for (name, value) in pairs {
            let value = value.trim().to_owned();
            let of = match &*name {
                "status" => &mut status,
                "chatId" => &mut chat,
                "cursor" => &mut cursor,
                "requestId" | "transactionId" | "userId" | "link" => {
                    is_other = true;
                    continue;
                }
                _ => continue,
            };
            if of.replace(value).is_some() {
                return Err(Rejection::InvalidQuery);
            }
        }
        let Some(status) = status else {
            return Ok(None);
        };
        if is_other {
            return Err(Rejection::InvalidQuery);
        }
        let kind = match status.to_ascii_lowercase().as_str() {
            "waiting" => Kind::Waiting,
            "failed" => Kind::Failed,
            _ => return Err(Rejection::InvalidParameter),
        };
        let after = match cursor {
            None => None,
            Some(text) => Some(LaneCursor::read(&text).ok_or(Rejection::InvalidParameter)?),
        };
        // A page belongs to one chat.
        if after.is_some() && chat.is_none() {
            return Err(Rejection::InvalidParameter);
        }
        Ok(Some(Self { kind, chat, after }))
    }
}

/// Lists the requests of each chat that wait, or that were given up, the oldest first.
pub(crate) async fn list(app: &App, listing: &Listing) -> Result<Value, Rejection> {
    let chats = chats(app, listing.chat.as_deref())?;
    let pages = chats
        .into_iter()
        .map(|(chat, pool)| page(app, listing, chat, pool));
    let pages = try_join_all(pages).await.map_err(unavailable)?;
    let status = match listing.kind {
        Kind::Waiting => "waiting",
        Kind::Failed => "failed",
    };
    Ok(json!({"status": status, "chats": pages}))
}

/// The chat that is named, or all of them: the id of each, and the one that its payments are known by.
fn chats(app: &App, named: Option<&str>) -> Result<Vec<(ChatId, ChatId)>, purchase::Rejection> {
    match named {
        None => Ok(app.chats.all().collect()),
        Some(text) => Ok(vec![app.chats.known(chat_id(text)?)?]),
    }
}

/// The parts of lanes that requests of this kind stand in.
fn parts(app: &App, kind: Kind, pool: ChatId) -> Vec<(Lane, KeyRange)> {
    match kind {
        Kind::Failed => [KeyRange::REPLACEMENTS, KeyRange::MINTS]
            .map(|range| (Lane::Failed(pool), range))
            .into(),
        Kind::Waiting => {
            let mints = Lane::mints(pool).map(|lane| (lane, KeyRange::MINTS));
            let bots = app
                .bots
                .iter()
                .map(|bot| (Lane::Bot(pool, *bot), KeyRange::REPLACEMENTS));
            mints.chain(bots).collect()
        }
    }
}

/// One chat's page.
async fn page(
    app: &App,
    listing: &Listing,
    chat: ChatId,
    pool: ChatId,
) -> Result<Value, StoreError> {
    let parts = parts(app, listing.kind, pool);
    let mut after = listing.after.clone().unwrap_or_default();
    after.0.resize(parts.len(), None);
    let limit = i32::try_from(PAGE + 1).unwrap_or(i32::MAX);
    let read = parts
        .iter()
        .zip(&after.0)
        .map(|((lane, range), after)| app.tasks.part(*lane, *range, after.as_deref(), limit));
    let pages = try_join_all(read).await?;
    let mut parts: Vec<VecDeque<Found>> = pages.into_iter().map(|page| page.found.into()).collect();
    let mut shown = Vec::new();
    while shown.len() < PAGE {
        let heads = parts.iter().enumerate();
        let oldest = heads
            .filter_map(|(at, part)| Some((age_of(part.front()?), at)))
            .min();
        let Some(found) = oldest.and_then(|(_, at)| parts[at].pop_front().map(|found| (at, found)))
        else {
            break;
        };
        after.0[found.0] = Some(key_of(&found.1));
        shown.push(found.1);
    }
    let rows = try_join_all(shown.iter().map(|found| row(app, listing.kind, found))).await?;
    let rows: Vec<Value> = rows.into_iter().flatten().collect();
    let mut view = json!({"chatId": chat, "invites": rows});
    if parts.iter().any(|part| !part.is_empty()) {
        view["cursor"] = after.write().into();
    }
    if listing.kind == Kind::Failed && listing.after.is_none() {
        let range = KeyRange::FILLS_AND_REVOCATIONS;
        let others = app
            .tasks
            .part(Lane::Failed(pool), range, None, limit)
            .await?;
        view["others"] = others.found.iter().take(PAGE).map(other).collect();
        view["isMoreOthers"] = (others.found.len() > PAGE).into();
    }
    Ok(view)
}

/// What is malformed has no age: it comes first of its part.
fn age_of(found: &Found) -> Option<Timestamp> {
    match found {
        Found::Task(task) => Some(task.created_at),
        Found::Malformed(_) => None,
    }
}

/// A task's key is the same in its own lane and in that of failed ones.
fn key_of(found: &Found) -> String {
    match found {
        Found::Task(task) => task.key().key,
        Found::Malformed(malformed) => malformed.key.key.clone(),
    }
}

/// The request of a task as its record has it; nothing if it waits for nothing of this task any more.
async fn row(app: &App, kind: Kind, found: &Found) -> Result<Option<Value>, StoreError> {
    let task = match found {
        Found::Malformed(_) => return Ok(Some(other(found))),
        Found::Task(task) => task,
    };
    let Some(id) = task.request_id() else {
        return Ok(Some(other(found)));
    };
    let record = match app.invites.get(id).await {
        Ok(record) => record,
        // It must not hide the others.
        Err(StoreError::Malformed { attribute, .. }) => {
            let mut view = other(found);
            view["lastError"] = format!("malformed record: {attribute}").into();
            return Ok(Some(view));
        }
        Err(fault) => return Err(fault),
    };
    let is_of_kind = |invite: &Invite| {
        task.link_version().is_some_and(|version| match kind {
            Kind::Waiting => invite.waits_for(version),
            Kind::Failed => invite.has_failed(version),
        })
    };
    if record.as_ref().is_some_and(|invite| !is_of_kind(invite)) {
        return Ok(None);
    }
    let mut view = other(found);
    view["requestId"] = json!(id);
    view["attempts"] = record.as_ref().map_or(0, |invite| invite.attempts).into();
    if let Some(invite) = record {
        view["userId"] = invite.user_id.into();
        view["transactionId"] = invite.transaction_id.into();
        view["status"] = invite.status.as_str().into();
        if let Some(error) = invite.error {
            view["lastError"] = error.into();
        }
    }
    Ok(Some(view))
}

/// A task as it lies in its lane.
fn other(found: &Found) -> Value {
    let task = match found {
        Found::Malformed(malformed) => {
            let error = format!("malformed: {}", malformed.attribute);
            return json!({"kind": "malformed", "key": malformed.key.key, "lastError": error});
        }
        Found::Task(task) => task,
    };
    let kind = match &task.work {
        Work::Mint(_) => "mint",
        Work::Replace(_) => "replace",
        Work::Revoke(_) => "revoke",
        Work::Fill(_) => "fill",
        Work::Approve(_) => "approve",
        Work::Decline(_) => "decline",
        Work::Remove(_) => "remove",
    };
    let mut view =
        json!({"kind": kind, "waitingSince": task.created_at, "attempts": task.attempts});
    let optional = [
        ("requestId", task.request_id().map(|id| json!(id))),
        ("notBefore", task.not_before.map(|at| json!(at))),
        (
            "lastError",
            task.last_error.as_ref().map(|error| json!(error)),
        ),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            view[name] = value;
        }
    }
    view
}

/// The body of `retry-all`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryAll {
    chat_id: Option<Value>,
}

/// What became of the failed tasks that one call met.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    retried: usize,
    /// Tasks whose request wanted nothing of them any more.
    dropped: usize,
    malformed: usize,
    /// Tasks that could not be seen to; the next call tries again.
    failed: usize,
}

impl Met {
    /// How many of these may be met still, if `room` may be in all.
    const fn room(&self, room: usize) -> usize {
        // One whose record is broken must not hide the others; a table that is away must not be asked for all.
        if self.failed >= FAILED_MAX {
            0
        } else {
            room.saturating_sub(self.retried + self.dropped)
        }
    }
}

/// Retries what was given up, up to a bound for each call; told is what is left.
pub(crate) async fn retry_all(app: &App, who: &str, asked: RetryAll) -> Result<Value, Rejection> {
    let named = match asked.chat_id {
        None | Some(Value::Null) => None,
        Some(chat) => Some(
            purchase::chat_id(&chat)
                .ok_or(Rejection::InvalidParameter)?
                .to_string(),
        ),
    };
    let mut all = Met::default();
    let mut left = 0;
    for (chat, pool) in chats(app, named.as_deref())? {
        let met = retry_lane(app, who, pool, all.room(RETRIED_MAX)).await?;
        if met.retried > 0 {
            app.bells.ring(pool).await;
        }
        info!(chat.id = %chat, operator.name = who, outcome = "retried_all", tasks.retried = met.retried, tasks.malformed = met.malformed,
            "an operator retried what was given up");
        all.retried += met.retried;
        all.dropped += met.dropped;
        all.malformed += met.malformed;
        all.failed += met.failed;
        left += count(app, pool).await.map_err(unavailable)?;
    }
    Ok(
        json!({"retried": all.retried, "dropped": all.dropped, "malformed": all.malformed, "failed": all.failed, "left": left}),
    )
}

/// Retries up to `room` tasks of the lane of failed ones, those that buyers wait for first.
async fn retry_lane(app: &App, who: &str, pool: ChatId, room: usize) -> Result<Met, Rejection> {
    let lane = Lane::Failed(pool);
    let mut met = Met::default();
    for range in [
        KeyRange::REPLACEMENTS,
        KeyRange::MINTS,
        KeyRange::FILLS_AND_REVOCATIONS,
    ] {
        let mut after = None;
        while met.room(room) > 0 {
            let limit = i32::try_from(met.room(room).min(TOGETHER)).unwrap_or(1);
            let page = app.tasks.part(lane, range, after.as_deref(), limit).await;
            let page = page.map_err(unavailable)?;
            let tasks = page.found.iter().filter_map(|found| match found {
                Found::Task(task) => Some(task),
                Found::Malformed(_) => None,
            });
            let retried = join_all(tasks.map(|task| retry(app, who, task))).await;
            met.malformed += page.found.len() - retried.len();
            for is_retried in retried {
                match is_retried {
                    Ok(true) => met.retried += 1,
                    Ok(false) => met.dropped += 1,
                    Err(_) => met.failed += 1,
                }
            }
            after = page.more_after;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(met)
}

/// Retries one failed task; answers whether its work is wanted still. In either case it is out of the lane.
async fn retry(app: &App, who: &str, failed: &Task) -> Result<bool, Rejection> {
    let Some(id) = failed.request_id().filter(|_| failed.work.is_awaited()) else {
        app.tasks.retry(failed).await.map_err(unavailable)?;
        return Ok(true);
    };
    let acting: Acting<'_> = app.acting();
    let acted = acting
        .act(who, id, Action::Retry, Invite::retry, state_in_words)
        .await;
    let is_retried = match acted {
        Ok(_) => true,
        // It has its link, or is voided.
        Err(Rejection::Action(action::Rejection::AlreadyDone | action::Rejection::Voided)) => false,
        // Its record is forgotten, or was never written: the task of a mint has all that is needed.
        Err(Rejection::NotFound) if matches!(failed.work, Work::Mint(_)) => {
            app.tasks.retry(failed).await.map_err(unavailable)?;
            return Ok(true);
        }
        Err(Rejection::NotFound) => false,
        Err(rejection) => return Err(rejection),
    };
    // Most often it is out of the lane by the same transaction; if the request did not know it, it is now.
    let key = TaskKey {
        lane: Lane::Failed(failed.chat),
        key: failed.key().key,
    };
    app.tasks.delete(&key).await.map_err(unavailable)?;
    Ok(is_retried)
}

/// How many tasks are in the lane of failed ones.
async fn count(app: &App, pool: ChatId) -> Result<usize, StoreError> {
    let (mut count, mut after) = (0, None::<String>);
    loop {
        let (keys, more) = app.tasks.keys(Lane::Failed(pool), after.as_deref()).await?;
        count += keys.len();
        if more.is_none() {
            return Ok(count);
        }
        after = more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_for_a_status_is_read_in_any_case_and_refused_by_what_is_wrong() {
        let read = |query: &str| Listing::read(query).map(|listing| listing.map(|l| l.kind));
        assert_eq!(read("userId=u"), Ok(None));
        assert_eq!(read("status=failed"), Ok(Some(Kind::Failed)));
        assert_eq!(
            read("status=%20WaitinG&chatId=-1&x=1"),
            Ok(Some(Kind::Waiting))
        );
        for (query, refusal) in [
            ("status=done", Rejection::InvalidParameter),
            ("status=", Rejection::InvalidParameter),
            ("status=failed&cursor=61", Rejection::InvalidParameter),
            (
                "status=failed&chatId=-1&cursor=x",
                Rejection::InvalidParameter,
            ),
            (
                "status=failed&chatId=-1&cursor=6",
                Rejection::InvalidParameter,
            ),
            ("status=failed&status=failed", Rejection::InvalidQuery),
            ("status=failed&userId=u", Rejection::InvalidQuery),
        ] {
            assert_eq!(read(query).err(), Some(refusal), "{query}");
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        for cursor in [
            LaneCursor(vec![None, None]),
            LaneCursor(vec![
                Some("0#1763640000000#a".to_owned()),
                None,
                Some("\u{e9}".to_owned()),
            ]),
        ] {
            let text = cursor.write();
            assert!(text.bytes().all(|c| c.is_ascii_hexdigit()));
            assert_eq!(LaneCursor::read(&text), Some(cursor));
        }
        assert_eq!(LaneCursor::read(&"61".repeat(CURSOR_MAX_CHARS)), None);
    }
}
