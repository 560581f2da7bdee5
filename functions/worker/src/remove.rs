//! Taking a person out of the chat whose seat moved to another account. Whoever is entitled is never taken out: the right is
//! read again by the very write that claims the call.
//!
//! ```text
//! wait for the slot
//! read the seat        no removal is planned any more, and nobody is left over: the task is done
//! getChatMember        die here: again; written: not inside as a member, no removal any more; inside without our knowing, one
//!                      is planned
//! read their link      in by one that was sold before the chat was claimed: its right is written into the seat
//! claim                one write: entitled by now, and there is no removal any more; else the call is ours for 60 s
//! unbanChatMember      die before or after it: the 60 s lapse, and then a look tells whether it was done
//! write what came of it
//! delete the task
//! ```
//!
//! `unbanChatMember` takes a member out and bans nobody for longer than a minute, so that a crash leaves nobody banned, and
//! whoever has a right again comes back.

use std::time::Duration;

use domain::fault::Fault;
use domain::id::TelegramUserId;
use domain::member::Seat;
use domain::member::command::{SeatChange, SeatCommand};
use domain::member::effect::SeatEffect;
use domain::member::presence::{LookFinding, PresenceEvent, PresenceState};
use domain::member::removal::{
    DisputeAction, REMOVAL_LEASE, Removal, RemovalOutcome, RemovalRules,
};
use domain::retry::AfterFailure;
use domain::task::Task;
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::StoreError;
use telegram::{CALL_TIMEOUT, TelegramError};
use tracing::{error, info, warn};

use crate::call::{Call, Failed, TaskEnd};
use crate::finish::done;
use crate::seat;

/// What a clock would end is nothing for this task: it does what a person ordered by name.
const RULES: RemovalRules = RemovalRules {
    dispute_action: DisputeAction::Keep,
    skew: Duration::from_secs(600),
};
/// What Telegram says of whom nobody takes out.
const EXEMPT: [&str; 3] = ["administrator", "chat owner", "restrict self"];

/// What Telegram says of whom a bot has never met.
const UNKNOWN: [&str; 2] = ["user not found", "member not found"];

/// Does one removal.
pub(crate) async fn run(
    call: &Call<'_>,
    task: &Task,
    person: TelegramUserId,
) -> Result<TaskEnd, StoreError> {
    let (app, chat) = (call.app, call.chat());
    if !call.reach_slot().await {
        return Ok(TaskEnd::NotCalled);
    }
    let seat = app.seats.get(person, call.canonical_chat).await?;
    if seat.removal.is_none() && !is_left_over(&seat, app.clock.now()) {
        return done(app, task).await;
    }
    if let Some(removal) = &seat.removal
        && let Some(claimed_at) = removal.claimed_at()
        && !removal.has_lapsed(app.clock.now())
    {
        return wait(call, task, claimed_at.plus(REMOVAL_LEASE)).await;
    }
    let finding = match call.bot.whereabouts(chat, person).await {
        Ok(finding) => finding,
        // Nothing says that they are inside, and nobody has to see to it.
        Err(failure) if seat.removal.is_none() && says(&failure, &UNKNOWN) => {
            warn!(chat.id = %chat, outcome = "dropped", "it can't be told whether a person whose seat moved is inside, since the bot does not know them: {}", chain(&failure));
            return done(app, task).await;
        }
        Err(failure) => return failed(call, task, &failure).await,
    };
    let look = SeatCommand::Presence {
        event: PresenceEvent::Look(finding),
        date: seat::date_of_answer(app),
    };
    let looked = seat::change(call, person, &look).await?;
    let seat = looked.map_or(seat, |change| change.seat);
    let (is_in, now) = (finding == LookFinding::In, app.clock.now());
    let is_behind = match &seat.removal {
        Some(removal) => !is_in || removal.claimed_at().is_some(),
        None => is_in && seat.presence == PresenceState::Out && is_left_over(&seat, now),
    };
    if is_behind {
        // An update of this second was newer than the look, which was not taken.
        return wait(call, task, now.plus(Duration::from_secs(2))).await;
    }
    if seat.removal.is_none() {
        info!(chat.id = %chat, outcome = "dropped", "a person whose seat moved is not taken out: they are not inside as a member");
        return done(app, task).await;
    }
    if let Some(bind) = paid_by_link(call, &seat).await? {
        seat::change(call, person, &bind).await?;
    }
    let claim = SeatCommand::ClaimRemoval {
        rules: RULES,
        failed_guard: None,
    };
    let claimed = seat::change(call, person, &claim).await?;
    let claimed = claimed.and_then(|change| change.seat.removal);
    let Some(claimed_at) = claimed.as_ref().and_then(Removal::claimed_at) else {
        info!(chat.id = %chat, outcome = "dropped", "a person whose seat moved is not taken out: they are entitled again, or gone");
        return done(app, task).await;
    };
    // A call that begins late could outlast the claim, and take out who has a right again.
    let lapses_at = claimed_at.plus(REMOVAL_LEASE);
    if lapses_at <= app.clock.now().plus(CALL_TIMEOUT) {
        return wait(call, task, lapses_at).await;
    }
    let called = call.bot.remove_member(chat, person).await;
    let outcome = outcome_of(&called);
    let report = SeatCommand::RemovalCalled {
        claimed_at,
        outcome: outcome.clone(),
        date: seat::date_of_answer(app).plus(Duration::from_secs(1)),
    };
    let change = seat::change(call, person, &report).await?;
    if change.is_some_and(|change| lifted_ban(&change)) {
        ban_again(call, person).await;
    }
    match (outcome, called) {
        (RemovalOutcome::Unknown, Err(failure)) => {
            warn!(chat.id = %chat, outcome = "unknown", "it is not known whether a person was taken out, a look will tell: {}", chain(&failure));
            wait(call, task, lapses_at).await
        }
        (RemovalOutcome::Refused { .. }, Err(failure)) => failed(call, task, &failure).await,
        (outcome, _) => {
            call.succeeded();
            let outcome = match outcome {
                RemovalOutcome::IsExempt => "exempt",
                _ => "removed",
            };
            info!(chat.id = %chat, outcome, "a person whose seat moved to another account was seen to");
            done(app, task).await
        }
    }
}

/// Whether the last right of a person moved away, who may be inside without our knowing.
fn is_left_over(seat: &Seat, now: Timestamp) -> bool {
    seat.moved_at.is_some() && !seat.is_admitted(now)
}

/// What binds the request by whose link a person came in before the chat was claimed, of which their seat does not know.
async fn paid_by_link(call: &Call<'_>, seat: &Seat) -> Result<Option<SeatCommand>, StoreError> {
    let app = call.app;
    let Some(request) = app.links.of_member(seat.chat, seat.person).await? else {
        return Ok(None);
    };
    let invite = app.invites.get(request).await?;
    let invite = invite.filter(|invite| {
        invite.telegram_user_id == Some(seat.person)
            && invite.joined_at.is_some()
            && invite.left_at.is_none()
            && invite.voided_at.is_none()
            && invite.has_invite_link()
            && invite.holder() == Some(seat.person)
    });
    Ok(invite.map(|invite| SeatCommand::Bind {
        request,
        entitlement: invite.entitlement(),
    }))
}

fn outcome_of(called: &Result<(), TelegramError>) -> RemovalOutcome {
    let Err(failure) = called else {
        return RemovalOutcome::Done;
    };
    if says(failure, &EXEMPT) && !says(failure, &["rights"]) {
        RemovalOutcome::IsExempt
    } else if failure.fault() == Fault::Unknown {
        RemovalOutcome::Unknown
    } else {
        RemovalOutcome::Refused {
            reason: chain(failure),
        }
    }
}

/// Whether Telegram refuses with one of these words.
fn says(failure: &TelegramError, words: &[&str]) -> bool {
    matches!(failure, TelegramError::Refused { status: 400, description, .. }
        if words.iter().any(|word| description.contains(word)))
}

fn lifted_ban(change: &SeatChange) -> bool {
    change.effects.contains(&SeatEffect::BanAgain)
}

/// A person was banned by hand between the look and the call, which has lifted that.
async fn ban_again(call: &Call<'_>, person: TelegramUserId) {
    let chat = call.chat();
    match call.bot.ban_member(chat, person).await {
        Ok(()) => warn!(chat.id = %chat, outcome = "banned_again", "a ban by hand was put back"),
        Err(failure) => {
            error!(chat.id = %chat, outcome = "ban_lifted", "a ban by hand was lifted and can't be put back: {}", chain(&failure));
        }
    }
}

async fn wait(call: &Call<'_>, task: &Task, at: Timestamp) -> Result<TaskEnd, StoreError> {
    let app = call.app;
    let reason = "a call may be under way";
    app.tasks.defer(task, at, task.attempts, reason).await?;
    Ok(TaskEnd::Deferred(at))
}

/// A call was refused, or surely had no effect: it is made again later. That a bot may not remove members says nothing of
/// what else it may, so it opens no circuit.
async fn failed(
    call: &Call<'_>,
    task: &Task,
    failure: &TelegramError,
) -> Result<TaskEnd, StoreError> {
    let (app, fault) = (call.app, failure.fault());
    let is_own = matches!(failure, TelegramError::Refused { status: 400, .. })
        && !matches!(fault, Fault::Migrated(_) | Fault::RateLimited { .. });
    let failed = match is_own {
        true => Failed::Own,
        false => call.failed(task, failure).await,
    };
    match failed {
        Failed::NotCounted => Ok(TaskEnd::NotCalled),
        Failed::NotCountedUntil(at) => call.defer(task, at, task.attempts, failure).await,
        Failed::Own => {
            let next = app
                .rules
                .of_revocation(task.attempts, fault, fastrand::f64());
            let sentence = chain(failure);
            if let AfterFailure::Wait(delay) = next {
                warn!(chat.id = %call.chat(), fault = fault.as_str(), outcome = "deferred", "a person whose seat moved is not taken out yet: {sentence}");
                let attempts = task.attempts.saturating_add(1);
                let at = app.clock.now().plus(delay);
                return call.defer(task, at, attempts, failure).await;
            }
            error!(chat.id = %call.chat(), fault = fault.as_str(), outcome = "given_up",
                "a person whose seat moved can't be taken out: {sentence}");
            app.tasks.fail(task, &sentence).await?;
            Ok(TaskEnd::Done)
        }
    }
}
