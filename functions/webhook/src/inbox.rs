//! Updates that are handled once: claimed, handled, settled.
//!
//! ```text
//! claim      a lease of 15 s        die here: Telegram's next try finds it leased, or takes it over when the lease ends
//! handle     effects with ids made of the update      die here: as above; what is there already is not made again
//! settle     DONE                   die here: as above; handled again, it changes nothing
//! ```
//!
//! What our own trouble (a table, a queue) keeps from being handled is given back at once and not counted. What ends badly
//! five times, by a panic, a time-out or a record that can't be read, is parked with its body: Telegram is answered 200, so
//! that what comes after it is not held up, and an operator has it handled again when its reason is gone. Of a person whose
//! data are erased nothing is parked.

use std::time::Duration;

use bytes::Bytes;
use domain::time::Timestamp;
use domain::update::UpdateKind;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response};
use runtime::response::Rejection;
use runtime::telemetry::chain;
use serde::Serialize;
use store::{FrontBot, UpdateClaim, UpdateKey};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::unheard::{NotYet, is_of_unheard};
use crate::{
    App, Failure, Handled, Met, UpdateOutcome, chats, desk, door, is_lasting, not_yet, presses,
    relay, written,
};

/// How many parked updates one tick handles.
const REPLAYS: i32 = 20;
/// How long one of them may take; none is begun that has not so much time.
const REPLAY_TIME: Duration = Duration::from_secs(3);

/// Handles an update, unless it is handled or somebody else does it at this moment.
pub(crate) async fn once(
    app: &App,
    front: &FrontBot,
    key: UpdateKey,
    kind: &UpdateKind,
    body: &Bytes,
) -> Response<Bytes> {
    let now = app.clock.now();
    let owner = format!("{:016x}", fastrand::u64(..));
    let (met, attempts) = match app.updates.claim(key, &owner, now).await {
        Ok(UpdateClaim::Taken {
            since,
            attempts,
            is_first,
        }) => (
            Met {
                key,
                since,
                is_first,
            },
            attempts,
        ),
        Ok(UpdateClaim::Settled) => return settled(kind),
        Ok(UpdateClaim::Busy(until)) => return busy(until, now),
        Ok(UpdateClaim::Exhausted { attempts }) => {
            return park(app, key, kind, body, attempts).await;
        }
        Err(fault) => return failed(key, kind, &fault),
    };
    let handled = match route(app, front, met, kind).await {
        Ok(handled) => handled,
        Err(failure) => {
            let attempts = attempts + u32::from(is_lasting(failure.as_ref()));
            if let Err(fault) = app.updates.give_back(key, &owner, attempts).await {
                warn!(update.id = key.id, bot.id = %key.bot, "an update can't be given back, its lease ends by itself: {}", chain(&fault));
            }
            return match failure.is::<NotYet>() {
                true => not_yet(key.id),
                false => failed(key, kind, failure.as_ref()),
            };
        }
    };
    match app.updates.settle(key).await {
        Ok(()) => {
            let millis = app.clock.now().since(now).as_millis();
            info!(update.id = key.id, bot.id = %key.bot, kind = kind.as_str(), outcome = handled.outcome.as_str(), millis, "an update is handled");
            handled.answer()
        }
        Err(fault) => failed(key, kind, &fault),
    }
}

/// Who handles it.
async fn route(
    app: &App,
    front: &FrontBot,
    met: Met,
    kind: &UpdateKind,
) -> Result<Handled, Failure> {
    let key = met.key;
    match kind {
        UpdateKind::JoinRequest(request) => door::asked(app, front, key, request)
            .await
            .map(Handled::from),
        UpdateKind::Private(message) => written::private(app, front, met, message)
            .await
            .map(Handled::from),
        UpdateKind::PrivateEdit(edit) => relay::edited(app, front, met, edit)
            .await
            .map(Handled::from),
        UpdateKind::Desk(message) => desk::wrote(app, front, met, message)
            .await
            .map(Handled::from),
        UpdateKind::DeskEdit(message) => desk::edited(app, front, key.id, message)
            .await
            .map(Handled::from),
        UpdateKind::Group(message) => written::in_group(app, front, met, message)
            .await
            .map(Handled::from),
        UpdateKind::Press(press) => presses::pressed(app, front, met, press).await,
        UpdateKind::Member(_)
        | UpdateKind::Bot(_)
        | UpdateKind::PreCheckout(_)
        | UpdateKind::Stars(_)
        | UpdateKind::Moved(_)
        | UpdateKind::Ignored(_) => Ok(UpdateOutcome::Ignored.into()),
    }
}

/// What was handled before is answered as it was: a button that is pressed waits for its answer.
fn settled(kind: &UpdateKind) -> Response<Bytes> {
    let mut handled = Handled::from(UpdateOutcome::Duplicate);
    if let UpdateKind::Press(press) = kind {
        handled.reply = Some(presses::answered(press));
    }
    handled.answer()
}

/// Telegram sends it again when whoever handles it must be done.
fn busy(until: Timestamp, now: Timestamp) -> Response<Bytes> {
    let mut answer = Rejection::Unavailable.answer();
    let seconds = until.since(now).as_secs() + 1;
    if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
        answer.headers_mut().insert(RETRY_AFTER, seconds);
    }
    answer
}

fn failed(
    key: UpdateKey,
    kind: &UpdateKind,
    failure: &(dyn std::error::Error + Send + Sync + 'static),
) -> Response<Bytes> {
    let fault = match is_lasting(failure) {
        true => "malformed",
        false => "unavailable",
    };
    error!(update.id = key.id, bot.id = %key.bot, kind = kind.as_str(), fault, "an update could not be handled yet: {}", chain(failure));
    Rejection::Unavailable.answer()
}

async fn park(
    app: &App,
    key: UpdateKey,
    kind: &UpdateKind,
    body: &Bytes,
    attempts: u32,
) -> Response<Bytes> {
    match is_of_unheard(app, kind).await {
        Ok(false) => {}
        Ok(true) => {
            return match app.updates.settle(key).await {
                Ok(()) => Handled::from(UpdateOutcome::Ignored).answer(),
                Err(fault) => failed(key, kind, &fault),
            };
        }
        Err(failure) if failure.is::<NotYet>() => return not_yet(key.id),
        Err(failure) => return failed(key, kind, failure.as_ref()),
    }
    let text = String::from_utf8_lossy(body);
    let parked = app
        .updates
        .park(key, (kind.as_str(), &text), attempts, app.clock.now())
        .await;
    if let Err(fault) = parked {
        return failed(key, kind, &fault);
    }
    error!(update.id = key.id, bot.id = %key.bot, kind = kind.as_str(), fault = "update_parked",
        "an update ended badly five times and is parked, so that others are not held up; mend the reason, then have it handled again");
    Handled::from(UpdateOutcome::Ignored).answer()
}

/// What one tick did with the parked updates that an operator wants handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Handled.
    pub handled: u64,
    /// Parked again.
    pub failed: u64,
}

/// Handles the parked updates that an operator wants handled, until `deadline`. Each is handled as it would have been when
/// it came: what has happened since is seen by its date.
pub async fn replay(app: &App, deadline: Instant) -> Replayed {
    let mut replayed = Replayed::default();
    let keys = match app.updates.replays(REPLAYS).await {
        Ok(keys) => keys,
        Err(fault) => {
            error!(
                fault = "unavailable",
                "parked updates can't be read, the next tick tries again: {}",
                chain(&fault)
            );
            return replayed;
        }
    };
    for key in keys {
        if Instant::now() + REPLAY_TIME > deadline {
            break;
        }
        match replay_one(app, key).await {
            Ok(true) => replayed.handled += 1,
            Ok(false) => {}
            Err(fault) => {
                error!(update.id = key.id, bot.id = %key.bot, fault = "update_parked", "a parked update could not be handled, and stays parked: {}", chain(fault.as_ref()));
                replayed.failed += 1;
            }
        }
    }
    replayed
}

/// Answers whether it was this tick's to handle.
async fn replay_one(app: &App, key: UpdateKey) -> Result<bool, Failure> {
    let taken = app.updates.take_replay(key, app.clock.now()).await?;
    let Some((body, since, attempts)) = taken else {
        return Ok(false);
    };
    let update = app
        .read(body.as_bytes())
        .map_err(|_| "its body is not JSON")?;
    chats::learn(app, &update.kind).await?;
    let handled = match app.front().await? {
        Some(front) => {
            let is_first = false;
            let met = Met {
                key,
                since,
                is_first,
            };
            route(app, &front, met, &update.kind).await
        }
        None => Err(Failure::from("there is no front bot")),
    };
    match handled {
        Ok(_) => {
            app.updates.settle(key).await?;
            info!(update.id = key.id, bot.id = %key.bot, kind = update.kind.as_str(), outcome = "replayed", "a parked update is handled");
            Ok(true)
        }
        Err(failure) => {
            let (kind, now) = (update.kind.as_str(), app.clock.now());
            let attempts = attempts.saturating_add(1);
            app.updates.park(key, (kind, &body), attempts, now).await?;
            Err(failure)
        }
    }
}
