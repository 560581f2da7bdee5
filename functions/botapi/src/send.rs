//! Calls that reach Telegram: checked, at the actors' pace, and answered as Telegram answers.
//!
//! ```text
//! take a token of the actors' bucket      die here: a token is spent
//! read the waits again if it was waited   die here: as above
//! call Telegram                           die here: the caller does not know either; it is as with Telegram itself
//! 429: the pause of chat or bot           die here: messenger meets the same limit
//! note who sent it                        die here: the message can't be edited or deleted by the actor
//! ```
//!
//! Whoever calls gets the real answer, so nothing waits in a queue; nothing is tried twice either.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use domain::actor::bucket::SendTurn;
use domain::actor::passing::{PassRefusal, PassedCall, pass};
use domain::actor::scope::{CallRefusal, check_person, check_sender, scope};
use domain::actor::{CallRight, MethodRule};
use domain::id::{ChatId, TelegramUserId};
use domain::lease::{ChatLease, Paused};
use domain::limiter::{Pacing, Pause};
use domain::message::{PauseScope, Scopes};
use domain::person::Person;
use domain::time::Timestamp;
use futures_util::future::try_join_all;
use runtime::telemetry::chain;
use serde_json::Value;
use store::StoreError;
use telegram::{PassedAnswer, PassedBody};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::answer::{BotApiAnswer, BotApiRefusal};
use crate::parts::{self, FormPart};
use crate::shown::shown;
use crate::{ActorCall, unavailable};

/// How old what is known of Telegram's waits may be when a call is made.
const CHECK_AFTER: Duration = Duration::from_millis(250);
/// How long is waited before somebody is asked for again who is not known.
const PERSON_WAIT: Duration = Duration::from_millis(300);

impl From<PassRefusal> for BotApiRefusal {
    fn from(refusal: PassRefusal) -> Self {
        CallRefusal::from(refusal).into()
    }
}

impl From<CallRefusal> for BotApiRefusal {
    fn from(refusal: CallRefusal) -> Self {
        Self::new(refusal.code(), refusal.description())
    }
}

impl ActorCall<'_> {
    /// Checks a call, and passes it on.
    pub(crate) async fn send(
        mut self,
        rule: &'static MethodRule,
    ) -> Result<BotApiAnswer, BotApiRefusal> {
        let fields = std::mem::take(&mut self.parameters.fields);
        let call = pass(rule, fields)?;
        self.check_scope(rule, &call).await?;
        let answer = self.pass_on(rule, &call).await?;
        let Some(result) = &answer.result else {
            return Err(refused(&answer));
        };
        let result: Value = serde_json::from_str(result.get()).unwrap_or_default();
        if rule.right == CallRight::Send {
            self.note_sent(&call, &result).await;
            self.show_sent(&call, &result).await;
        }
        Ok(BotApiAnswer::Result(shown(result)))
    }

    /// Passes a call on at the actors' pace. A refusal of Telegram's is an answer.
    pub(crate) async fn pass_on(
        &self,
        rule: &'static MethodRule,
        call: &PassedCall,
    ) -> Result<PassedAnswer, BotApiRefusal> {
        let body = self.body(rule, call)?;
        self.wait_for_turn(call).await?;
        let passed = self.telegram.pass_on(rule.name, body).await;
        let answer = passed.map_err(|failure| {
            error!(actor.name = %self.actor.name, method = rule.name, fault = failure.fault().as_str(),
                "an actor's call has no answer of Telegram's: {}", chain(&failure));
            BotApiRefusal::new(502, "Bad Gateway: Telegram did not answer; it may have been done")
        })?;
        match (answer.retry_after, call.chat) {
            (Some(after), Some(chat)) => self.pause(chat, after).await,
            // What names no chat has a limit of its own: nobody but its caller waits.
            (Some(_), None) => {}
            (None, _) if answer.result.is_some() => self.scopes().succeeded(),
            (None, _) => {}
        }
        info!(actor.name = %self.actor.name, method = rule.name, status = answer.status, "an actor's call was passed on");
        Ok(answer)
    }

    fn scopes(&self) -> MutexGuard<'_, Scopes> {
        let scopes = self.app.scopes.lock();
        scopes.unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a wait that Telegram asked for, for the chat or for all that the bot sends, as `messenger` does.
    async fn pause(&self, chat: ChatId, after: Duration) {
        let pause = Pause::new(after, self.app.clock.now());
        let bot = self.telegram.bot();
        let paused = match self.scopes().rate_limited(chat, Pacing::Alone) {
            PauseScope::Chat => Paused::Chat(chat),
            PauseScope::Bot => Paused::Bot(bot),
        };
        if let Err(fault) = self.app.limits.pause(bot, paused, pause).await {
            warn!(
                fault = "unavailable",
                "a wait that Telegram asked for was not stored: {}",
                chain(&fault)
            );
        }
    }

    /// Waits until the call may leave.
    async fn wait_for_turn(&self, call: &PassedCall) -> Result<(), BotApiRefusal> {
        let (app, bot, actor) = (self.app, self.telegram.bot(), &self.actor);
        let failed = |fault: StoreError| unavailable(&fault);
        let read_at = app.clock.monotonic();
        let lease = app.limits.get(bot).await.map_err(failed)?;
        let now = app.clock.now();
        let not_before = paused_until(&lease, call.chat, now);
        let own = (&actor.name, actor.rate);
        let turn = app.limits.take_send(bot, own, call.sends, not_before, now);
        match turn.await.map_err(failed)? {
            SendTurn::Takes { at, .. } => app.clock.sleep_until(at).await,
            SendTurn::Later(at) => return Err(BotApiRefusal::too_many(at.since(now))),
        }
        let monotonic = app.clock.monotonic();
        if monotonic.saturating_duration_since(read_at) <= CHECK_AFTER {
            return Ok(());
        }
        // Another one may have been told to wait meanwhile.
        let lease = app.limits.get(bot).await.map_err(failed)?;
        let now = app.clock.now();
        match paused_until(&lease, call.chat, now) {
            until if until > now => Err(BotApiRefusal::too_many(until.since(now))),
            _ => Ok(()),
        }
    }

    /// The parameters as they are passed on, with the files that they are about.
    fn body(&self, rule: &MethodRule, call: &PassedCall) -> Result<PassedBody, BotApiRefusal> {
        let is_file = |part: &FormPart| parts::is_name(&part.name) && rule.may_be_file(&part.name);
        if !self.parameters.files.iter().all(is_file) {
            let description = "Bad Request: wrong name of a file's part specified";
            return Err(BotApiRefusal::new(400, description));
        }
        let parameters = &call.parameters;
        let written = Value::Object(parameters.clone()).to_string();
        let is_named = |part: &&FormPart| {
            rule.parameters.contains(&part.name.as_str())
                || written.contains(&format!("attach://{}", part.name))
        };
        let files: Vec<&FormPart> = self.parameters.files.iter().filter(is_named).collect();
        if files.is_empty() {
            return Ok(PassedBody::Json(written.into_bytes()));
        }
        let fields = parameters.iter().map(|(name, value)| FormPart {
            name: name.clone(),
            file_name: None,
            content_type: None,
            content: match value {
                Value::String(text) => text.clone().into(),
                other => other.to_string().into(),
            },
        });
        let all: Vec<FormPart> = fields.chain(files.into_iter().cloned()).collect();
        let boundary = format!("part-{}", Uuid::new_v4().simple());
        Ok(PassedBody::Parts {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            body: parts::write(&all, &boundary),
        })
    }

    /// Whether the call is about people, chats and messages that are the actor's.
    async fn check_scope(&self, rule: &MethodRule, call: &PassedCall) -> Result<(), BotApiRefusal> {
        let scope =
            scope(&self.actor, rule, call).map_err(|refusal| self.not_own(rule, refusal))?;
        for person in scope.people {
            let known = self.person(person).await?;
            check_person(self.actor.role, known.as_ref())
                .map_err(|refusal| self.not_own(rule, refusal))?;
        }
        let senders = scope
            .messages
            .iter()
            .map(|(chat, message)| self.app.relay_map.sender(*chat, *message));
        let senders = try_join_all(senders).await;
        let mark = self.actor.mark();
        for sender in senders.map_err(|fault| unavailable(&fault))? {
            check_sender(&mark, sender.as_ref()).map_err(|refusal| self.not_own(rule, refusal))?;
        }
        Ok(())
    }

    /// What is about others is on record.
    fn not_own(&self, rule: &MethodRule, refusal: CallRefusal) -> BotApiRefusal {
        if let CallRefusal::Chat | CallRefusal::Unknown | CallRefusal::Message = refusal {
            info!(actor.name = %self.actor.name, method = rule.name, outcome = "forbidden",
                "an actor named a chat or a message that is not its own");
        }
        refusal.into()
    }

    /// A person, if they ever wrote to the bot. An actor may read a first message a moment before it is noted that somebody
    /// wrote.
    async fn person(&self, person: TelegramUserId) -> Result<Option<Person>, BotApiRefusal> {
        for wait in [Some(PERSON_WAIT), Some(PERSON_WAIT), None] {
            let known = self.app.people.get(person).await;
            match (known.map_err(|fault| unavailable(&fault))?, wait) {
                (None, Some(wait)) => {
                    let at = self.app.clock.now().plus(wait);
                    self.app.clock.sleep_until(at).await;
                }
                (known, _) => return Ok(known),
            }
        }
        Ok(None)
    }

    /// Notes who sent what was sent.
    async fn note_sent(&self, call: &PassedCall, sent: &Value) {
        let Some(chat) = call.chat else { return };
        let all = match sent {
            Value::Array(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let (now, mark) = (self.app.clock.now(), self.actor.mark());
        for id in all
            .iter()
            .filter_map(|message| message["message_id"].as_i64())
        {
            let put = self.app.relay_map.put_sender(chat, id, &mark, now).await;
            if let Err(fault) = put {
                // It was sent, which is what the caller must hear.
                warn!(actor.name = %self.actor.name, fault = "unavailable",
                    "it was not noted who sent a message, so its actor can't change it: {}", chain(&fault));
            }
        }
    }
}

/// Until when Telegram wants nothing for this chat, or of this bot.
fn paused_until(lease: &ChatLease, chat: Option<ChatId>, now: Timestamp) -> Timestamp {
    let of_bot = lease.pauses.values();
    let of_chat = chat.and_then(|chat| lease.chat_pauses.get(&chat));
    let pauses = of_bot.chain(of_chat);
    // One that was stored by a clock that was ahead is not believed longer than it was asked for.
    let ends = pauses.map(|pause| {
        pause
            .corrected(now)
            .map_or(pause.until, |pause| pause.until)
    });
    ends.max().unwrap_or(now)
}

/// A refusal of Telegram's, passed on.
pub(crate) fn refused(answer: &PassedAnswer) -> BotApiRefusal {
    let description = answer.description.clone().unwrap_or_default();
    BotApiRefusal {
        retry_after: answer.retry_after,
        migrated_to: answer.migrated_to,
        ..BotApiRefusal::new(answer.status, description)
    }
}
