//! Whether a call is an actor's to make: what its role says of the method, and whether the people, chats and messages that
//! it is about are its own.
//!
//! ```text
//! role × method --> parameters (`passing`) --> chats of the key                 decided here
//!                                              people who wrote to the bot      read first: `CallScope` names them
//!                                              messages that the key sent       the same
//! ```

use super::super::id::{ChatId, TelegramUserId};
use super::super::person::Person;
use super::passing::{PassRefusal, PassedCall};
use super::{Actor, ActorMark, ActorRole, CallRight, MethodRule};

/// Why an actor's call is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallRefusal {
    /// The method is not one of its role.
    Role(ActorRole, &'static str),
    /// A parameter.
    Pass(PassRefusal),
    /// It is about a chat that is not its own.
    Chat,
    /// It is about a person of whom nothing is known: they never wrote to the bot, or did so a moment ago.
    Unknown,
    /// It copies, and its role reads nothing.
    Copies,
    /// It is about a message that it did not send.
    Message,
    /// It is marketing, for a person who wants none.
    OptedOut,
}

impl From<PassRefusal> for CallRefusal {
    fn from(refusal: PassRefusal) -> Self {
        Self::Pass(refusal)
    }
}

impl CallRefusal {
    /// The error code of the answer, which is its HTTP status as well.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Pass(refusal) => refusal.code(),
            Self::Role(..)
            | Self::Chat
            | Self::Unknown
            | Self::Copies
            | Self::Message
            | Self::OptedOut => 403,
        }
    }

    /// The description of the answer, worded as Telegram's are.
    #[must_use]
    pub fn description(&self) -> String {
        let words = match self {
            Self::Role(role, method) => {
                let role = role.as_str();
                return format!("Forbidden: the role {role} may not call {method}");
            }
            Self::Pass(refusal) => return refusal.description(),
            Self::Chat | Self::Unknown => {
                "Forbidden: this key may write to people who wrote to the bot, and to its own chats"
            }
            Self::Copies => "Forbidden: this key reads no messages, and copies none",
            Self::Message => "Forbidden: the message was not sent with this key",
            Self::OptedOut => "Forbidden: the person wants no marketing",
        };
        words.to_owned()
    }
}

/// What must be read to know whether a call is its actor's to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallScope {
    /// Each must have written to the bot: see [`check_person`].
    pub people: Vec<TelegramUserId>,
    /// Each must have been sent with the key: see [`check_sender`].
    pub messages: Vec<(ChatId, i64)>,
}

/// Whether `role` may call `method`, which needs `right`.
///
/// # Errors
/// [`CallRefusal::Role`].
pub fn check_role(
    role: ActorRole,
    right: CallRight,
    method: &'static str,
) -> Result<(), CallRefusal> {
    match role.may(right) {
        true => Ok(()),
        false => Err(CallRefusal::Role(role, method)),
    }
}

/// What a call of a method that the actor's role may call is about, beside the chats of its key.
///
/// # Errors
/// [`CallRefusal`], if the actor may not make it, regardless of who has written to the bot.
pub fn scope(
    actor: &Actor,
    rule: &MethodRule,
    call: &PassedCall,
) -> Result<CallScope, CallRefusal> {
    let mut scope = CallScope::default();
    if rule.right == CallRight::Send || rule.parameters.contains(&"chat_id") {
        scope.people.extend(person(actor, call.named_chat()?)?);
    }
    if rule.parameters.contains(&"from_chat_id") {
        let from = call.from_chat.ok_or(PassRefusal::NoChat)?;
        scope.people.extend(person(actor, from)?);
        // A copy shows what stands there, so it is as reading it.
        if !actor.role.reads() {
            return Err(CallRefusal::Copies);
        }
        if !actor.chats.contains(&from) {
            let messages = call.named_messages()?.iter();
            scope.messages.extend(messages.map(|id| (from, *id)));
        }
    }
    if rule.right == CallRight::Change {
        let chat = call.named_chat()?;
        let messages = call.named_messages()?.iter();
        scope.messages.extend(messages.map(|id| (chat, *id)));
    }
    scope.people.dedup();
    Ok(scope)
}

/// The person whose private chat it is; nobody if it is a chat of the key.
fn person(actor: &Actor, chat: ChatId) -> Result<Option<TelegramUserId>, CallRefusal> {
    match chat {
        chat if actor.chats.contains(&chat) => Ok(None),
        ChatId(id) if id > 0 => Ok(Some(TelegramUserId(id))),
        _ => Err(CallRefusal::Chat),
    }
}

/// Whether an actor of `role` may write to this person, of whom this is known.
///
/// # Errors
/// [`CallRefusal::Unknown`] or [`CallRefusal::OptedOut`].
pub fn check_person(role: ActorRole, known: Option<&Person>) -> Result<(), CallRefusal> {
    match known {
        None => Err(CallRefusal::Unknown),
        // What an aggregator sends is marketing.
        Some(person) if person.opted_out && role == ActorRole::Aggregator => {
            Err(CallRefusal::OptedOut)
        }
        Some(_) => Ok(()),
    }
}

/// Whether a message is the actor's that has this sender.
///
/// # Errors
/// [`CallRefusal::Message`].
pub fn check_sender(actor: &ActorMark, sender: Option<&ActorMark>) -> Result<(), CallRefusal> {
    match sender == Some(actor) {
        true => Ok(()),
        false => Err(CallRefusal::Message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::id::FeedSeq;
    use super::super::super::person::Reachable;
    use super::super::super::time::Timestamp;
    use super::super::passing::pass;
    use super::super::webhook::WebhookProgress;
    use super::super::{ActorName, method};
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    fn actor(role: ActorRole) -> Actor {
        Actor {
            name: "crm".parse::<ActorName>().unwrap(),
            role,
            chats: [ChatId(-5)].into(),
            rate: 5,
            expires_at: None,
            created_at: NOW,
            cursor: FeedSeq(0),
            allowed_updates: None,
            webhook: None,
            progress: WebhookProgress::default(),
            poll: None,
            asked_offset: None,
        }
    }

    fn scope_of(role: ActorRole, name: &str, given: Value) -> Result<CallScope, CallRefusal> {
        let rule = method(name).unwrap();
        check_role(role, rule.right, rule.name)?;
        let Value::Object(given) = given else {
            panic!("{given}")
        };
        scope(&actor(role), rule, &pass(rule, given)?)
    }

    #[test]
    fn a_call_is_about_people_chats_of_the_key_and_messages_that_it_sent() {
        use ActorRole::{Aggregator, Backend, Operator};
        let of = |people: &[i64], messages: &[(i64, i64)]| {
            Ok(CallScope {
                people: people.iter().copied().map(TelegramUserId).collect(),
                messages: messages.iter().map(|(c, m)| (ChatId(*c), *m)).collect(),
            })
        };
        let copy = |from: i64| json!({"chat_id": 7, "from_chat_id": from, "message_id": 3});
        let to = |chat: i64| json!({"chat_id": chat, "text": "Hi"});
        for (role, name, given, expected) in [
            (Operator, "sendMessage", to(7), of(&[7], &[])),
            (Aggregator, "sendMessage", to(7), of(&[7], &[])),
            (Operator, "sendMessage", to(-5), of(&[], &[])),
            (Operator, "sendMessage", to(-6), Err(CallRefusal::Chat)),
            (
                Operator,
                "sendMessage",
                json!({"text": "Hi"}),
                Err(PassRefusal::NoChat.into()),
            ),
            (Operator, "copyMessage", copy(7), of(&[7], &[(7, 3)])),
            (Operator, "copyMessage", copy(8), of(&[7, 8], &[(8, 3)])),
            (Operator, "copyMessage", copy(-5), of(&[7], &[])),
            (Operator, "copyMessage", copy(-6), Err(CallRefusal::Chat)),
            (Aggregator, "copyMessage", copy(7), Err(CallRefusal::Copies)),
            (
                Operator,
                "deleteMessages",
                json!({"chat_id": -5, "message_ids": [3, 4]}),
                of(&[], &[(-5, 3), (-5, 4)]),
            ),
            (
                Operator,
                "deleteMessage",
                json!({"chat_id": 7}),
                Err(PassRefusal::MessageIds.into()),
            ),
            (
                Backend,
                "answerCallbackQuery",
                json!({"callback_query_id": "1"}),
                of(&[], &[]),
            ),
            (
                Operator,
                "answerCallbackQuery",
                json!({"callback_query_id": "1"}),
                Err(CallRefusal::Role(Operator, "answerCallbackQuery")),
            ),
            (
                Backend,
                "sendInvoice",
                to(7),
                Err(CallRefusal::Role(Backend, "sendInvoice")),
            ),
        ] {
            let words = format!("{role:?} {name} {given}");
            assert_eq!(scope_of(role, name, given), expected, "{words}");
        }
    }

    #[test]
    fn who_never_wrote_is_left_alone_and_who_opted_out_gets_no_marketing() {
        let mut ann = Person {
            id: TelegramUserId(7),
            language: None,
            role: None,
            name: "Ann".to_owned(),
            username: None,
            reachable: Reachable::Yes,
            opted_out: false,
            blocked: false,
            created_at: NOW,
            last_seen_at: NOW,
        };
        for role in ActorRole::ALL {
            assert_eq!(check_person(role, None), Err(CallRefusal::Unknown));
            assert_eq!(check_person(role, Some(&ann)), Ok(()));
        }
        ann.opted_out = true;
        for role in ActorRole::ALL {
            let expected = match role {
                ActorRole::Aggregator => Err(CallRefusal::OptedOut),
                ActorRole::Backend | ActorRole::Operator => Ok(()),
            };
            assert_eq!(check_person(role, Some(&ann)), expected);
        }
    }

    #[test]
    fn a_message_is_of_the_actor_that_sent_it_and_of_no_other_one_of_its_name() {
        let (own, other) = (actor(ActorRole::Operator).mark(), "crm@1".parse().unwrap());
        assert_eq!(check_sender(&own, Some(&own)), Ok(()));
        for sender in [Some(&other), None] {
            assert_eq!(check_sender(&own, sender), Err(CallRefusal::Message));
        }
        assert_eq!(own.name(), Some("crm".parse().unwrap()));
    }

    #[test]
    fn each_refusal_has_a_code_and_a_sentence() {
        for (refusal, code, says) in [
            (
                CallRefusal::Role(ActorRole::Operator, "getChat"),
                403,
                "the role operator may not call getChat",
            ),
            (CallRefusal::Chat, 403, "own chats"),
            (CallRefusal::Unknown, 403, "wrote to the bot"),
            (CallRefusal::Copies, 403, "copies none"),
            (CallRefusal::Message, 403, "not sent with this key"),
            (CallRefusal::OptedOut, 403, "no marketing"),
            (PassRefusal::ChatId.into(), 400, "numeric ids"),
            (PassRefusal::OwnButton.into(), 403, "callback_data"),
        ] {
            assert_eq!(refusal.code(), code);
            assert!(refusal.description().contains(says), "{refusal:?}");
        }
    }
}
