//! A method in an actor's answer to an update: Telegram carries one out, and so does this, as a message that `messenger` sends.
//!
//! ```text
//! read the answer: JSON or a form with `method`      nothing there: nothing to do
//! role × method, parameters, chats of the key        refused: a line, and the update is taken all the same
//! put the message, by an id of actor and update      die here: the update is sent again, and whatever is answered then, the
//!                                                    first answer is carried out once
//! note the update as taken
//! ```
//!
//! Who wrote to the bot, and which messages the key sent, is checked by `messenger` when the message is about to leave: this
//! function calls addresses that others name, so it reads nothing of people.

use std::time::Duration;

use domain::actor::passing::{PassedCall, pass};
use domain::actor::scope::{CallRefusal, check_role, scope};
use domain::actor::{Actor, MethodRule, method};
use domain::id::{BotId, ChatId, FeedSeq};
use domain::message::{Class, Content, Message, MessageId};
use domain::text::object;
use domain::time::Timestamp;
use runtime::outbound::{ANSWER_MAX_BYTES, AnswerBody};
use serde_json::{Map, Value};
use store::{Put, StoreError};
use tracing::{info, warn};

use crate::App;

/// How late an answer is still worth something that is no person's to a person.
const REPLY_AGE: Duration = Duration::from_secs(600);

/// An update that was taken.
pub(crate) struct TakenUpdate<'a> {
    pub(crate) bot: BotId,
    pub(crate) actor: &'a Actor,
    pub(crate) seq: FeedSeq,
    /// When it was written into the feed, which a repeat finds as well.
    pub(crate) written_at: Timestamp,
    /// Its queue: the chat or the person that it is of.
    pub(crate) queue: i64,
}

/// Has the method carried out that stands in the answer to an update, if one does. Durable on return; done twice it is as done
/// once.
///
/// # Errors
/// [`StoreError`] if it can't be told whether the message was put; the update then counts as not taken.
pub(crate) async fn carry_out(
    app: &App,
    update: &TakenUpdate<'_>,
    answer: &AnswerBody,
) -> Result<(), StoreError> {
    let (actor, seq) = (update.actor, update.seq);
    let fields = match fields(answer) {
        Ok(fields) => fields,
        Err(why) => {
            warn!(actor.name = %actor.name, feed.seq = %seq, outcome = "refused",
                "the answer of an actor's webhook can't be read, so no method in it is carried out: {why}");
            return Ok(());
        }
    };
    let Some(Value::String(name)) = fields.get("method") else {
        return Ok(());
    };
    let Some(rule) = method(name) else {
        info!(actor.name = %actor.name, feed.seq = %seq, outcome = "refused",
            "the method in the answer of an actor's webhook is not one of the Bot API");
        return Ok(());
    };
    let call = match check(actor, rule, fields) {
        Ok(call) if rule.is_done_unseen() => call,
        // As at Telegram: nobody would see what it answers.
        Ok(_) => return Ok(()),
        Err(refusal) => {
            info!(actor.name = %actor.name, actor.role = actor.role.as_str(), feed.seq = %seq, method = rule.name, outcome = "forbidden",
                "an actor called what is not its own to do, by the answer of its webhook: {}", refusal.description());
            return Ok(());
        }
    };
    // Some bytes are written as several; what is stored has the bound of what is read.
    if Value::Object(call.parameters.clone()).to_string().len() > ANSWER_MAX_BYTES {
        warn!(actor.name = %actor.name, feed.seq = %seq, method = rule.name, outcome = "refused",
            "the method in the answer of an actor's webhook is not carried out: it is too large");
        return Ok(());
    }
    let now = app.clock.now();
    let message = message(update, rule, call, now);
    if app.messages.put(&message, now).await? == Put::New {
        info!(actor.name = %actor.name, feed.seq = %seq, method = rule.name, message.id = %message.id, outcome = "put",
            "an actor called a method by the answer of its webhook");
    }
    app.message_bells.ring(update.bot).await;
    Ok(())
}

/// The parameters in an answer, `method` among them; none if it holds nothing that is read.
fn fields(answer: &AnswerBody) -> Result<Map<String, Value>, &'static str> {
    let Some(body) = &answer.whole else {
        return Err("it is larger than 64 KiB, or broke off");
    };
    let essence = answer.content_type.split(';').next().unwrap_or_default();
    match essence.trim().to_ascii_lowercase().as_str() {
        _ if body.is_empty() => Ok(Map::new()),
        "application/json" => object(body).ok_or("it is not a JSON object"),
        "application/x-www-form-urlencoded" => {
            let pairs = form_urlencoded::parse(body);
            Ok(pairs
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect())
        }
        // Of files none is taken: an answer is not the place for them.
        "multipart/form-data" => Err("a form in parts is not taken"),
        // Words that nobody reads.
        _ => Ok(Map::new()),
    }
}

/// What is passed on, if the call is the actor's to make as far as that is known here.
fn check(
    actor: &Actor,
    rule: &MethodRule,
    fields: Map<String, Value>,
) -> Result<PassedCall, CallRefusal> {
    check_role(actor.role, rule.right, rule.name)?;
    let call = pass(rule, fields)?;
    scope(actor, rule, &call)?;
    Ok(call)
}

fn message(
    update: &TakenUpdate<'_>,
    rule: &MethodRule,
    call: PassedCall,
    now: Timestamp,
) -> Message {
    let (actor, class) = (update.actor, Class::of_actor(update.actor.role));
    let mark = actor.mark();
    Message {
        id: MessageId::new(update.written_at, &format!("call#{mark}#{}", update.seq)),
        bot: update.bot,
        chat: call.chat.unwrap_or(ChatId(update.queue)),
        thread: None,
        class,
        content: Content::Call {
            actor: mark,
            method: rule.name.to_owned(),
            parameters: call.parameters,
        },
        not_before: None,
        not_after: (class != Class::Operator).then(|| now.plus(REPLY_AGE)),
    }
}
