//! What an actor called by the answer of its webhook: checked at its slot, as `botapi` checks a call, then done as it was called.
//!
//! ```text
//! read the actor, the people and messages that the call is about      refused: the record says so, and nobody is told
//!                                                                     nobody knows the person yet: it waits for that
//! the call              die here: as its class says, it is made again or reported as unknown
//! note who sent it      die here: the message can't be edited or deleted by the actor
//! the line in the topic of the person      die here: there is none
//! settle
//! ```
//!
//! It is checked when it is about to leave and not when it came: a key that was deleted meanwhile sends nothing more.

use std::time::Duration;

use domain::actor::passing::{PassedCall, pass};
use domain::actor::scope::{CallRefusal, check_person, check_role, check_sender, scope};
use domain::actor::{Actor, ActorMark, CallRight, MethodRule, method};
use domain::message::{Class, Content, Message};
use domain::texts::html::escape;
use domain::texts::{Name, Text};
use domain::time::Timestamp;
use futures_util::future::try_join_all;
use runtime::telemetry::chain;
use serde_json::{Map, Value};
use store::StoreError;
use telegram::{Acted, ChatCall};
use tracing::{info, warn};

use crate::{App, shown};

/// How long after an update, to which a call is the answer, it is waited for that its person is known.
const PERSON_WITHIN: Duration = Duration::from_secs(600);
/// How soon they are looked for again, at first.
const PERSON_WAIT: Duration = Duration::from_secs(1);

/// What becomes of a call that is not made.
pub(crate) enum Uncalled {
    /// It is not the actor's to make, for this reason.
    Refused(String),
    /// It may be then.
    WaitsUntil(Timestamp),
}

/// The call, if it is still the actor's to make; or else what becomes of it.
pub(crate) async fn next(
    app: &App,
    message: &Message,
    mark: &ActorMark,
    (name, parameters): (&str, &Map<String, Value>),
) -> Result<Result<ChatCall, Uncalled>, StoreError> {
    let Some((actor, rule)) = caller(app, mark).await?.zip(method(name)) else {
        return Ok(Err(Uncalled::Refused("Unauthorized".to_owned())));
    };
    let now = app.clock.now();
    let age = now.since(message.id.at());
    match check(app, &actor, rule, parameters).await? {
        Ok(call) => Ok(Ok(ChatCall::Passed {
            method: rule.name,
            parameters: call.parameters,
            sends: call.sends,
        })),
        // The actor may have read a first message before it was noted that somebody wrote.
        Err(CallRefusal::Unknown) if age < PERSON_WITHIN => {
            let wait = (age / 2).max(PERSON_WAIT);
            Ok(Err(Uncalled::WaitsUntil(now.plus(wait))))
        }
        Err(refusal) => {
            info!(message.id = %message.id, actor.name = %actor.name, actor.role = actor.role.as_str(), method = rule.name, outcome = "forbidden",
                "an actor called what is not its own to do, by the answer of its webhook: {}", refusal.description());
            Ok(Err(Uncalled::Refused(refusal.description())))
        }
    }
}

/// The actor, if it is the one that answered, and its key works.
async fn caller(app: &App, mark: &ActorMark) -> Result<Option<Actor>, StoreError> {
    let Some(name) = mark.name() else {
        return Ok(None);
    };
    let found = app.actors.get(&name).await?;
    Ok(found.filter(|actor| actor.mark() == *mark && actor.is_open(app.clock.now())))
}

async fn check(
    app: &App,
    actor: &Actor,
    rule: &MethodRule,
    parameters: &Map<String, Value>,
) -> Result<Result<PassedCall, CallRefusal>, StoreError> {
    let allowed = || {
        check_role(actor.role, rule.right, rule.name)?;
        let call = pass(rule, parameters.clone())?;
        let scope = scope(actor, rule, &call)?;
        Ok((call, scope))
    };
    let (call, scope) = match allowed() {
        Ok(allowed) => allowed,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let people = scope.people.iter().map(|person| app.people.get(*person));
    let senders = scope.messages.iter();
    let senders = senders.map(|(chat, message)| app.relay_map.sender(*chat, *message));
    let (people, senders) = (try_join_all(people).await?, try_join_all(senders).await?);
    let mark = actor.mark();
    let mut senders = senders.iter();
    let is_own = senders
        .try_for_each(|sender| check_sender(&mark, sender.as_ref()))
        .and_then(|()| {
            let mut people = people.iter();
            people.try_for_each(|known| check_person(actor.role, known.as_ref()))
        });
    Ok(is_own.map(|()| call))
}

/// Notes who sent what was sent, and has it shown in the topic of its person. None of it is worth a message that is sent twice,
/// so whatever goes wrong is logged and nothing else.
pub(crate) async fn done(app: &App, message: &Message, acted: &Acted) {
    let Content::Call {
        actor: mark,
        method: name,
        ..
    } = &message.content
    else {
        return;
    };
    let is_sent = method(name).is_some_and(|rule| rule.right == CallRight::Send);
    let Some(name) = mark.name().filter(|_| is_sent) else {
        return;
    };
    for id in &acted.ids {
        let now = app.clock.now();
        let put = app.relay_map.put_sender(message.chat, *id, mark, now);
        if let Err(fault) = put.await {
            warn!(actor.name = %name, fault = "unavailable",
                "it was not noted who sent a message, so its actor can't change it: {}", chain(&fault));
        }
    }
    // Offers are not shown.
    if !acted.ids.is_empty() && message.class != Class::Marketing {
        let head = Text::TopicSentBy {
            actor: Name(name.as_str()),
        };
        let said = escape(acted.words.as_deref().unwrap_or("…"));
        shown::show(app, message, head, &said).await;
    }
}
