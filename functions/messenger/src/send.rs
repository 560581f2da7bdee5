//! Sending one message.
//!
//! ```text
//! at least once                           at most once
//! read the record                         wait for the slot
//! wait for the slot                       record: SENDING, by this run
//! sendMessage   die here: sent again      sendMessage   die here: reported as unknown, not sent again
//! settle        die here: found settled   settle        die here: found settled
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::lease::Paused;
use domain::limiter::{Cause, Charged, Pacing, Pause};
use domain::message::{Content, Ending, Message, MessageTask, PauseScope, SendFault, Verdict};
use domain::person::Reachable;
use domain::relay::{RelayEnd, person_of};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::{Begun, StoreError};
use telegram::{Acted, ChatCall, Telegram, TelegramError};
use tracing::{error, info, warn};

use crate::post::{self, CallPurpose, NextCall, NextStep};
use crate::shared::Shared;
use crate::{App, called, settle, shown};

/// How often a group is followed that has moved. Two that point at each other would be followed for ever.
const MOVES_MAX: u32 = 2;
/// After so many tries a message is given up whose topic is gone, or closed, each time.
const TOPICS_GONE_MAX: u32 = 5;

/// A message at its slot.
pub(crate) struct Sending<'a> {
    pub(crate) app: &'a App,
    pub(crate) telegram: &'a Telegram,
    /// The name of the run.
    pub(crate) run: String,
    pub(crate) slot: Timestamp,
    pub(crate) pacing: Pacing,
    pub(crate) shared: Arc<Shared>,
}

impl Sending<'_> {
    /// No call is made at the slot: whatever waits for the chat may have it.
    fn spare_slot(&self, task: &MessageTask) {
        self.shared.lock().pace.give_back(task.chat, self.slot);
    }
}

/// How a message ended for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendEnd {
    /// It was called for, and is out of its lane.
    Done,
    /// It is out of its lane without a call: nobody's turn is over by that.
    Over,
    /// It waits until then, after so many tries that failed for its own sake.
    Deferred(Timestamp, u32),
    /// It is due as before: it was not sent, and that was not its own failure.
    NotSent,
}

/// What may be sent, or how that ended before it began.
enum Opened {
    Message(Box<Message>),
    End(SendEnd),
}

/// Sends a message. One whose record can't be read is parked: met again it would end in the same way, before its neighbours.
pub(crate) async fn run(sending: &Sending<'_>, task: &MessageTask) -> Result<SendEnd, StoreError> {
    let opened = match open(sending, task).await {
        Err(fault @ StoreError::Malformed { .. }) => {
            settle::park(sending.app, task, "malformed", &chain(&fault)).await?;
            return Ok(SendEnd::Over);
        }
        opened => opened?,
    };
    match opened {
        Opened::End(end) => Ok(end),
        Opened::Message(message) => call(sending, task, &message).await,
    }
}

/// Drops a message whose time is over.
pub(crate) async fn drop_expired(
    app: &App,
    run: &str,
    task: &MessageTask,
) -> Result<SendEnd, StoreError> {
    if task.class.is_sent_again() {
        settle::expired(app, task).await?;
        return Ok(SendEnd::Over);
    }
    // Its sender may have died over it.
    match app.messages.begin(task, run).await {
        Ok(Begun::Ours(_)) => settle::expired(app, task).await?,
        Ok(Begun::Unknown) => settle::unknown(app, task).await?,
        Ok(Begun::Settled) => app.messages.delete(&task.key()).await?,
        Ok(Begun::Gone) => return without_record(app, task).await,
        Err(fault @ StoreError::Malformed { .. }) => {
            settle::park(app, task, "malformed", &chain(&fault)).await?;
        }
        Err(fault) => return Err(fault),
    }
    Ok(SendEnd::Over)
}

/// A task has no message: nobody knows what it was to say, and met again it would end in the same way.
async fn without_record(app: &App, task: &MessageTask) -> Result<SendEnd, StoreError> {
    app.messages.delete(&task.key()).await?;
    error!(message.id = %task.message, chat.id = %task.chat, fault = "poison", "a task has no message, it is deleted");
    Ok(SendEnd::Over)
}

/// Reads the record at the slot, and of what is sent at most once notes that it is being sent.
async fn open(sending: &Sending<'_>, task: &MessageTask) -> Result<Opened, StoreError> {
    let app = sending.app;
    if task.class.is_sent_again() {
        let Some(record) = app.messages.get(task.chat, &task.message).await? else {
            return without_record(app, task).await.map(Opened::End);
        };
        if record.state.is_settled() {
            return settled(app, task).await;
        }
        return Ok(match reach_slot(sending, task).await {
            true => Opened::Message(Box::new(record.message)),
            false => Opened::End(SendEnd::NotSent),
        });
    }
    if !reach_slot(sending, task).await {
        return Ok(Opened::End(SendEnd::NotSent));
    }
    match app.messages.begin(task, &sending.run).await? {
        // The write may have taken long.
        Begun::Ours(_) if !may_leave(sending, task) => {
            app.messages.unbegin(task, &sending.run).await?;
            Ok(Opened::End(SendEnd::NotSent))
        }
        Begun::Ours(record) => Ok(Opened::Message(Box::new(record.message))),
        Begun::Unknown => {
            settle::unknown(app, task).await?;
            Ok(Opened::End(SendEnd::Over))
        }
        Begun::Settled => settled(app, task).await,
        Begun::Gone => without_record(app, task).await.map(Opened::End),
    }
}

/// It was settled by a process that died before it deleted the task.
async fn settled(app: &App, task: &MessageTask) -> Result<Opened, StoreError> {
    app.messages.delete(&task.key()).await?;
    info!(message.id = %task.message, chat.id = %task.chat, outcome = "duplicate", "the message was settled before");
    Ok(Opened::End(SendEnd::Over))
}

/// Waits for the slot; answers whether the message may leave then.
async fn reach_slot(sending: &Sending<'_>, task: &MessageTask) -> bool {
    sending.app.clock.sleep_until(sending.slot).await;
    may_leave(sending, task)
}

fn may_leave(sending: &Sending<'_>, task: &MessageTask) -> bool {
    let clock = &sending.app.clock;
    let (now, monotonic) = (clock.now(), clock.monotonic());
    let may = sending.shared.lock().may_leave(task.chat, now, monotonic);
    may && !sending.app.is_stopping.load(Ordering::SeqCst)
}

/// Makes the next call that a message asks for.
async fn call(
    sending: &Sending<'_>,
    task: &MessageTask,
    message: &Message,
) -> Result<SendEnd, StoreError> {
    let next = match post::next(sending.app, task, message).await {
        Ok(NextStep::Call(next)) => next,
        Ok(NextStep::WaitUntil(at)) => {
            sending.spare_slot(task);
            return wait(sending, task, at).await;
        }
        Err(fault @ StoreError::Malformed { .. }) => {
            settle::park(sending.app, task, "malformed", &chain(&fault)).await?;
            return Ok(SendEnd::Over);
        }
        Err(fault) => return Err(fault),
        Ok(NextStep::Nothing) => {
            sending.spare_slot(task);
            settle::sent(sending.app, task, None).await?;
            return Ok(SendEnd::Over);
        }
        Ok(NextStep::Refused(why)) => {
            sending.spare_slot(task);
            settle::forbidden(sending.app, task, why).await?;
            return Ok(SendEnd::Over);
        }
    };
    let mut chat = {
        let mut shared = sending.shared.lock();
        shared.take_more(task.chat, next.call.sends().saturating_sub(1));
        shared.current_id(task.chat)
    };
    let mut moves = 0;
    let failure = loop {
        let answer = sending.telegram.act(chat, next.thread, &next.call).await;
        let failure = match answer {
            Ok(acted) => {
                {
                    let mut shared = sending.shared.lock();
                    shared.limiter.succeeded(sending.pacing);
                    shared.scopes.succeeded();
                }
                return succeeded(sending, task, message, next, &acted).await;
            }
            Err(failure) => failure,
        };
        let SendFault::Migrated(to) = fault_of(message, &failure) else {
            break failure;
        };
        moves += 1;
        if moves > MOVES_MAX {
            break failure;
        }
        error!(chat.id = %chat, chat.moved_to = %to, bot.id = %task.bot, fault = "migrated", "the group became a supergroup: name it in TELEGRAM_CHAT_ID as new=old");
        sending.shared.lock().moved(task.chat, to);
        chat = to;
    };
    let fault = fault_of(message, &failure);
    if post::refused(sending.app, message, &next, fault).await? {
        if matches!(fault, SendFault::ThreadGone | SendFault::TopicClosed) {
            return gone(sending, task, message, &failure).await;
        }
        put_back(sending, task).await?;
        return Ok(SendEnd::NotSent);
    }
    // What is to be closed, renamed or deleted is gone.
    if fault == SendFault::ThreadGone
        && matches!(
            next.call,
            ChatCall::CloseTopic | ChatCall::DeleteTopic | ChatCall::RenameTopic { .. }
        )
    {
        settle::sent(sending.app, task, None).await?;
        return Ok(SendEnd::Done);
    }
    let end = failed(sending, task, message, &failure).await?;
    post::not_made(sending.app, &next, fault).await?;
    Ok(end)
}

/// The topic of a message is gone, or closed: it is tried again at once, and given up if that never helps.
async fn gone(
    sending: &Sending<'_>,
    task: &MessageTask,
    message: &Message,
    failure: &TelegramError,
) -> Result<SendEnd, StoreError> {
    let attempts = task.attempts.saturating_add(1);
    if attempts < TOPICS_GONE_MAX {
        let now = sending.app.clock.now();
        return defer(sending, task, message, (now, attempts), failure).await;
    }
    let end = RelayEnd::Failed(failure.send_fault());
    post::ended(sending.app, message, end).await?;
    settle::failed(sending.app, task, Ending::Parked, failure).await?;
    Ok(SendEnd::Done)
}

/// Telegram did it: a step towards the message, or the message itself.
async fn succeeded(
    sending: &Sending<'_>,
    task: &MessageTask,
    message: &Message,
    next: NextCall,
    acted: &Acted,
) -> Result<SendEnd, StoreError> {
    let (app, ids) = (sending.app, acted.ids.as_slice());
    let CallPurpose::Message(joined) = &next.purpose else {
        post::prepared(app, message, &next.purpose, ids).await?;
        put_back(sending, task).await?;
        return Ok(SendEnd::NotSent);
    };
    post::done(app, message, &next, ids).await?;
    shown::show_sent(app, message).await;
    called::done(app, message, acted).await;
    settle::sent(app, task, ids.first().copied()).await?;
    for other in joined {
        settle::sent(app, &other.task, ids.first().copied()).await?;
    }
    let keys = joined.iter().map(|other| other.task.key());
    sending.shared.lock().settled_beside.extend(keys);
    Ok(SendEnd::Done)
}

/// Has a message wait that can't go on before `at`. No try is spent.
async fn wait(
    sending: &Sending<'_>,
    task: &MessageTask,
    at: Timestamp,
) -> Result<SendEnd, StoreError> {
    put_back(sending, task).await?;
    let words = "waits for a topic, for the parts of an album, or for word of a person";
    let messages = &sending.app.messages;
    messages.defer(task, at, task.attempts, words).await?;
    Ok(SendEnd::Deferred(at, task.attempts))
}

/// What a failure means for a message.
fn fault_of(message: &Message, failure: &TelegramError) -> SendFault {
    match message.content {
        Content::Call { .. } => failure.send_fault_of_actor(),
        _ => failure.send_fault().about(&message.content),
    }
}

/// A message failed: what the bot and all who send for it must know of it is noted before anything else.
async fn failed(
    sending: &Sending<'_>,
    task: &MessageTask,
    message: &Message,
    failure: &TelegramError,
) -> Result<SendEnd, StoreError> {
    let (app, fault, now) = (
        sending.app,
        fault_of(message, failure),
        sending.app.clock.now(),
    );
    let is_of_actor = matches!(message.content, Content::Call { .. });
    match fault {
        SendFault::RateLimited { after } => {
            let (paused, pause) = pause(sending, task, after, now);
            if let Err(fault) = app.limits.pause(task.bot, paused, pause).await {
                error!(chat.id = %task.chat, bot.id = %task.bot, fault = "unavailable", "a wait could not be stored: {}", chain(&fault));
                sending.shared.lock().is_broken = true;
            }
            let of = match paused {
                Paused::Bot(_) => "bot",
                Paused::Chat(_) => "chat",
            };
            warn!(chat.id = %task.chat, bot.id = %task.bot, fault = "rate_limited", retry_after_s = after.as_secs(), pause.of = of, "Telegram limits the rate of a bot's messages");
        }
        SendFault::BotFault => {
            let mut shared = sending.shared.lock();
            shared.is_dirty = true;
            shared.limiter.circuit.chat_fault(now);
            drop(shared);
            error!(bot.id = %task.bot, fault = "bot_fault", "nothing of the bot can be sent, its messages wait until that is fixed: {}", chain(failure));
        }
        SendFault::Retry | SendFault::Unknown => {
            // An actor's call says nothing of the bot: Telegram may have waited for a file that the actor named.
            if !is_of_actor && let Some(due) = charge(sending, task, now) {
                warn!(bot.id = %task.bot, fault = fault.as_str(), "the messages of a bot fail one after another, they are sent slowly: {}", chain(failure));
                if fault == SendFault::Retry || task.class.is_sent_again() {
                    return defer(sending, task, message, (due, task.attempts), failure).await;
                }
            }
        }
        SendFault::Unreachable => {
            if let Some(person) = person_of(task.chat) {
                app.people.reach(person, Reachable::No, now).await?;
            }
        }
        SendFault::NotStarted
        | SendFault::NotModified
        | SendFault::ThreadGone
        | SendFault::TopicClosed
        | SendFault::EditTargetGone
        | SendFault::NotCopyable
        | SendFault::NotReactable
        | SendFault::Migrated(_)
        | SendFault::Refused => {}
    }
    let verdict = fault.verdict(task.class, task.attempts, app.rules, fastrand::f64());
    match verdict {
        Verdict::NotCounted => {
            put_back(sending, task).await?;
            Ok(SendEnd::NotSent)
        }
        Verdict::Again(wait) => {
            warn!(message.id = %task.message, message.class = task.class.as_str(), chat.id = %task.chat, bot.id = %task.bot, fault = fault.as_str(), outcome = "deferred",
                delay_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), "a message is not sent yet: {}", chain(failure));
            let attempts = task.attempts.saturating_add(1);
            defer(sending, task, message, (now.plus(wait), attempts), failure).await
        }
        Verdict::Over(ending) => {
            // What an actor called is no person's to mend.
            let is_refusal = !matches!(fault, SendFault::Retry | SendFault::Unknown);
            let ending = match ending {
                Ending::Parked if is_of_actor && is_refusal => Ending::Refused,
                ending => ending,
            };
            let end = match ending {
                Ending::Sent => RelayEnd::Done(None),
                _ => RelayEnd::Failed(fault),
            };
            post::ended(app, message, end).await?;
            settle::failed(app, task, ending, failure).await?;
            Ok(SendEnd::Done)
        }
    }
}

/// Notes Telegram's wait, for the chat or for all that the bot sends.
fn pause(
    sending: &Sending<'_>,
    task: &MessageTask,
    after: std::time::Duration,
    now: Timestamp,
) -> (Paused, Pause) {
    let mut shared = sending.shared.lock();
    match shared.scopes.rate_limited(task.chat, sending.pacing) {
        PauseScope::Bot => {
            let pause = shared.limiter.rate_limited(after, now);
            (Paused::Bot(task.bot), pause)
        }
        PauseScope::Chat => {
            let pause = Pause::new(after, now);
            shared.pace.pause(task.chat, pause.until);
            (Paused::Chat(task.chat), pause)
        }
    }
}

/// Lays a failure to the message's account, unless different ones in a row have failed alike; then answers when it is due.
fn charge(sending: &Sending<'_>, task: &MessageTask, now: Timestamp) -> Option<Timestamp> {
    let mut shared = sending.shared.lock();
    let place = task.key().place;
    let charged = shared.limiter.circuit.failed(&place, Cause::Failure, now);
    if charged == Charged::Own {
        return None;
    }
    shared.is_dirty = true;
    Some(shared.limiter.circuit.due_after_probe())
}

/// Has a message wait until `at`, after so many tries.
async fn defer(
    sending: &Sending<'_>,
    task: &MessageTask,
    message: &Message,
    (at, attempts): (Timestamp, u32),
    failure: &TelegramError,
) -> Result<SendEnd, StoreError> {
    put_back(sending, task).await?;
    post::put_off(sending.app, message, at).await?;
    let sentence = chain(failure);
    let messages = &sending.app.messages;
    messages.defer(task, at, attempts, &sentence).await?;
    Ok(SendEnd::Deferred(at, attempts))
}

/// A message surely was not sent, or may be sent twice: it is no longer under way.
async fn put_back(sending: &Sending<'_>, task: &MessageTask) -> Result<(), StoreError> {
    if task.class.is_sent_again() {
        return Ok(());
    }
    let messages = &sending.app.messages;
    messages.unbegin(task, &sending.run).await
}
