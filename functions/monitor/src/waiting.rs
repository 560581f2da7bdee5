//! Who has paid and waits for a link, for how long.

use domain::id::{BotId, ChatId};
use domain::task::{KeyRange, Lane};
use domain::time::Timestamp;
use futures_util::future::{try_join, try_join_all};
use store::{Found, RateLimits, StoreError, Tasks};

/// Since when somebody of this chat waits for a link who waits longest: the first key of each lane tells. Replacements
/// stand before revocations in the lane of their bot.
///
/// # Errors
/// [`StoreError`] if a lane can't be read.
pub(crate) async fn longest(
    tasks: &Tasks,
    limits: &RateLimits,
    chat: ChatId,
) -> Result<Option<Timestamp>, StoreError> {
    let mints = try_join_all(Lane::mints(chat).map(|lane| oldest(tasks, lane)));
    let of_bots = async {
        let bots: Vec<BotId> = limits.get(chat).await?.limiters.into_keys().collect();
        try_join_all(
            bots.into_iter()
                .map(|bot| oldest(tasks, Lane::Bot(chat, bot))),
        )
        .await
    };
    let (mints, of_bots) = try_join(mints, of_bots).await?;
    Ok(mints.into_iter().chain(of_bots).flatten().min())
}

/// How many failed requests of a chat are counted of each kind.
const FAILED_MAX: i32 = 25;

/// How many requests of this chat were given up and are neither retried nor voided.
///
/// # Errors
/// [`StoreError`] if their lane can't be read.
pub(crate) async fn failed(tasks: &Tasks, chat: ChatId) -> Result<u64, StoreError> {
    let lane = Lane::Failed(chat);
    let part = |range| tasks.part(lane, range, None, FAILED_MAX);
    let (replacements, mints) =
        try_join(part(KeyRange::REPLACEMENTS), part(KeyRange::MINTS)).await?;
    Ok((replacements.found.len() + mints.found.len()) as u64)
}

/// Since when the buyer of the first task of a lane waits; nothing if it is not somebody's.
async fn oldest(tasks: &Tasks, lane: Lane) -> Result<Option<Timestamp>, StoreError> {
    let page = tasks.page(lane, None, 1).await?;
    Ok(page.found.into_iter().find_map(|found| match found {
        Found::Task(task) if task.work.is_awaited() => Some(task.created_at),
        // It hides who stands behind it until the dispatcher sets it aside.
        Found::Malformed(_) => Some(Timestamp::from_ms(0)),
        Found::Task(_) => None,
    }))
}
