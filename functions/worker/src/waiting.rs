//! Who waits long at the door is told their place, once, and that they need not do anything.
//!
//! Best effort, and cheap: a dispatcher reads nothing while no task waits so long, and no lane is read of a chat that is not claimed.
//! Else the tasks that came to wait so long of late are read, a part of each lane by age, and those before them are counted. The id
//! of the message is made of the task, so that the next look says nothing twice; what can't be said is left out, and holds up no
//! call.

use std::time::Duration;

use domain::id::{ChatId, TelegramUserId};
use domain::task::{Lane, Task, Work};
use domain::time::Timestamp;
use futures_util::future::{join_all, try_join_all};
use runtime::telemetry::chain;
use store::StoreError;
use tracing::{info, warn};

use crate::App;
use crate::seat::{self, Door, DoorNews};

/// How long a person waits who is told.
const LONG: Duration = Duration::from_secs(20);
/// Who waits longer than this beyond it was told before, or there is no use in it any more. Looks are a minute apart at most.
const TOLD_WITHIN: Duration = Duration::from_secs(120);
/// How many of a lane are told by one look.
const TOLD_MAX: i32 = 50;

/// Whether somebody waits long, whose task was put `at`.
pub(crate) fn is_long(at: Timestamp, now: Timestamp) -> bool {
    at.plus(LONG) <= now
}

/// Tells those who wait long for the chat, but for whom `is_served` names; answers up to when they had asked.
pub(crate) async fn tell(
    app: &App,
    chat: ChatId,
    told_until: Option<Timestamp>,
    is_served: impl Fn(&Task) -> bool,
) -> Option<Timestamp> {
    let now = app.clock.now();
    let to = now.minus(LONG);
    let from = to.minus(TOLD_WITHIN);
    let from = told_until.map_or(from, |told| told.max(from));
    let (door, waiting) = match waiting(app, chat, (from, to)).await {
        Ok(Some(found)) => found,
        Ok(None) => return told_until,
        Err(fault) => {
            warn!(chat.id = %chat, fault = "unavailable", "it can't be told who waits at the door: {}", chain(&fault));
            return told_until;
        }
    };
    let told = places((waiting.before, waiting.tasks), is_served);
    let number = told.len();
    join_all(told.into_iter().map(async |(person, place, task)| {
        let cause = format!("{}#waiting", task.key());
        let news = DoorNews::Waiting(place);
        seat::tell_at(app, &door, person, &cause, task.created_at, news).await;
    }))
    .await;
    if number > 0 {
        info!(chat.id = %chat, outcome = "waiting", people = number, "people who wait long at the door are told their place");
    }
    Some(waiting.read_until)
}

/// What was read of those who wait.
struct Waiting {
    /// How many tasks stand before them.
    before: u32,
    tasks: Vec<Task>,
    /// Up to which age all are read.
    read_until: Timestamp,
}

async fn waiting(
    app: &App,
    chat: ChatId,
    (from, to): (Timestamp, Timestamp),
) -> Result<Option<(Door, Waiting)>, StoreError> {
    let Some(door) = seat::door(app, chat).await? else {
        return Ok(None);
    };
    let pages = Lane::mints(chat).map(async |lane| {
        let page = app.tasks.put_between(lane, (from, to), TOLD_MAX).await?;
        Ok::<_, StoreError>(page.split().0)
    });
    let (mut tasks, mut read_until) = (Vec::new(), to);
    for page in try_join_all(pages).await? {
        if let (Some(_), Some(last)) = (&page.more_after, page.tasks.last()) {
            read_until = read_until.min(last.created_at);
        }
        tasks.extend(page.tasks);
    }
    let mut before = 0_u32;
    if tasks
        .iter()
        .any(|task| matches!(task.work, Work::Approve(_)))
    {
        let counts = Lane::mints(chat).map(|lane| app.tasks.count_before(lane, from));
        before = try_join_all(counts).await?.into_iter().sum();
    }
    let waiting = Waiting {
        before,
        tasks,
        read_until,
    };
    Ok(Some((door, waiting)))
}

/// The people among them, each with their place: all are served in the order of age.
fn places(
    (before, mut tasks): (u32, Vec<Task>),
    is_served: impl Fn(&Task) -> bool,
) -> Vec<(TelegramUserId, u32, Task)> {
    tasks.sort_by_key(|task| task.key().key);
    let numbered = (1_u32..).zip(tasks);
    let people = numbered.filter_map(|(number, task)| match task.work {
        Work::Approve(person) if !is_served(&task) => {
            Some((person, before.saturating_add(number), task))
        }
        _ => None,
    });
    people.collect()
}

#[cfg(test)]
mod tests {
    use domain::id::{IdentitySource, RequestId};
    use domain::task::Mint;

    use super::*;

    const CHAT: ChatId = ChatId(-1);
    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    #[test]
    fn places_count_all_that_is_served_before_and_name_people_alone() {
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let approval =
            |person, seconds| Task::new(CHAT, Work::Approve(TelegramUserId(person)), at(seconds));
        let mint = Mint {
            request_id: RequestId::derive(CHAT, IdentitySource::Transaction("T")),
            user_id: "u".to_owned(),
            transaction_id: "T".to_owned(),
            link_version: 0,
        };
        let mint = Task::new(CHAT, Work::Mint(mint), at(1));
        // As they lie in several lanes.
        let tasks = vec![approval(8, 2), approval(9, 0), approval(7, 3), mint];
        let told = places((10, tasks), |task| {
            matches!(task.work, Work::Approve(TelegramUserId(9)))
        });
        let told: Vec<(i64, u32)> = told.iter().map(|(who, place, _)| (who.0, *place)).collect();
        assert_eq!(told, [(8, 13), (7, 14)]);
    }

    #[test]
    fn twenty_seconds_are_long() {
        assert!(!is_long(NOW, NOW.plus(Duration::from_millis(19_999))));
        assert!(is_long(NOW, NOW.plus(Duration::from_secs(20))));
    }
}
