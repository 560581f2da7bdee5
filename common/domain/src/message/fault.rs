//! What a failed sending means, and what follows for the message.
//!
//! By the HTTP status where that tells; the texts are those of the Bot API server.

use std::time::Duration;

use super::super::fault::Fault;
use super::super::id::ChatId;
use super::super::retry::{AfterFailure, RetryRules, Tries};
use super::{Class, Content, MessageState};

/// What a failed sending means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFault {
    /// 429: nothing may be tried before the time is over. No try was spent.
    RateLimited {
        /// Telegram's `retry_after`.
        after: Duration,
    },
    /// It surely was not sent.
    Retry,
    /// It may have been sent.
    Unknown,
    /// The token is refused, or what answers is not the Bot API: nothing of this bot can be sent.
    BotFault,
    /// 403: the person has blocked the bot or is gone, or the bot was put out of the group.
    Unreachable,
    /// 403: the person has not started the bot yet. That is nobody's fault.
    NotStarted,
    /// 400: all is already as it is to be, or what it was about is gone.
    NotModified,
    /// 400: the topic is gone.
    ThreadGone,
    /// 400: the topic is closed.
    TopicClosed,
    /// 400: the message that was to be edited is gone, or can't be edited any more.
    EditTargetGone,
    /// 400: Telegram does not copy this message, or does not delete it any more.
    NotCopyable,
    /// 400: the chat does not allow the reaction.
    NotReactable,
    /// The group became a supergroup and has another id.
    Migrated(ChatId),
    /// Refused as it is: chat not found, bad HTML, and all that is not known here.
    Refused,
}

/// Words of a 403 that says that the person never wrote to the bot.
const NOT_STARTED: &str = "can't initiate conversation";
/// Words of a 400 that says that a call would change nothing.
const NOT_MODIFIED: [&str; 7] = [
    "message is not modified",
    "topic_not_modified",
    "chat_not_modified",
    "message to delete not found",
    "message to react not found",
    "message to pin not found",
    "message to be replied not found",
];
/// Words of a 400 that says that a topic is gone.
const THREAD_GONE: [&str; 3] = [
    "message thread not found",
    "topic_id_invalid",
    "topic_deleted",
];
/// Words of a 400 that says that a topic is closed.
const TOPIC_CLOSED: [&str; 1] = ["topic_closed"];
/// Words of a 400 that says that there is nothing to be edited.
const EDIT_TARGET_GONE: [&str; 2] = ["message to edit not found", "message can't be edited"];
/// Words of a 400 that says that a message is of a kind, or an age, with which this can't be done.
const NOT_COPYABLE: [&str; 5] = [
    "message can't be copied",
    "message to copy not found",
    "there are no messages to copy",
    "message can't be deleted",
    // The person wants no voice messages and no video messages.
    "voice_messages_forbidden",
];

impl SendFault {
    /// What Telegram's refusal with this status and these words means, if neither a wait nor a new id came with it.
    #[must_use]
    pub fn of_refusal(status: u16, description: &str) -> Self {
        let text = description.to_lowercase();
        let says = |words: &str| text.contains(words);
        match status {
            403 if says(NOT_STARTED) => Self::NotStarted,
            403 => Self::Unreachable,
            400 if NOT_MODIFIED.into_iter().any(says) => Self::NotModified,
            400 if THREAD_GONE.into_iter().any(says) => Self::ThreadGone,
            400 if TOPIC_CLOSED.into_iter().any(says) => Self::TopicClosed,
            400 if EDIT_TARGET_GONE.into_iter().any(says) => Self::EditTargetGone,
            400 if NOT_COPYABLE.into_iter().any(says) => Self::NotCopyable,
            // The token is refused, or this server does not serve it.
            401 | 404 | 421 => Self::BotFault,
            400..=499 => Self::Refused,
            _ => Self::Unknown,
        }
    }

    /// What it means for a message with this content. Which reactions a chat allows is its administrators' to say, and
    /// Telegram words a refusal in several ways.
    #[must_use]
    pub const fn about(self, content: &Content) -> Self {
        match (self, content) {
            (Self::Refused, Content::React { .. }) => Self::NotReactable,
            (fault, _) => fault,
        }
    }

    /// The word for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Retry => "retry",
            Self::Unknown => "unknown",
            Self::BotFault => "bot_fault",
            Self::Unreachable => "unreachable",
            Self::NotStarted => "not_started",
            Self::NotModified => "not_modified",
            Self::ThreadGone => "thread_gone",
            Self::TopicClosed => "topic_closed",
            Self::EditTargetGone => "edit_target_gone",
            Self::NotCopyable => "not_copyable",
            Self::NotReactable => "not_reactable",
            Self::Migrated(_) => "migrated",
            Self::Refused => "refused",
        }
    }
}

/// What follows for a message whose sending failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is due as before, and no try is counted: what failed is the bot's, or the limit's.
    NotCounted,
    /// It is tried again after this long.
    Again(Duration),
    /// It is over.
    Over(Ending),
}

/// How a message is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is as it is to be.
    Sent,
    /// Whoever it is for can't be reached.
    Unreachable,
    /// The person has not started the bot yet.
    NotStarted,
    /// It may have been sent, and is not sent again.
    Unknown,
    /// Telegram does not do that with such a message, which its sender is told. Of a reaction nobody is told.
    Refused,
    /// It is given up: a person must act.
    Parked,
}

impl Ending {
    /// What the record says then.
    #[must_use]
    pub const fn state(self) -> MessageState {
        match self {
            Self::Sent => MessageState::Sent,
            Self::Unreachable | Self::NotStarted => MessageState::Unreachable,
            Self::Unknown => MessageState::Unknown,
            Self::Refused => MessageState::Refused,
            Self::Parked => MessageState::Parked,
        }
    }
}

impl SendFault {
    /// What follows for a message of `class` that failed by this, which `earlier` other tries came before. `jitter` is
    /// drawn from [0, 1).
    #[must_use]
    pub fn verdict(self, class: Class, earlier: u32, rules: RetryRules, jitter: f64) -> Verdict {
        match self {
            Self::RateLimited { .. } | Self::BotFault => Verdict::NotCounted,
            Self::Unknown if !class.is_sent_again() => Verdict::Over(Ending::Unknown),
            Self::Retry => again(Fault::Retry, earlier, rules, jitter),
            Self::Unknown => again(Fault::Unknown, earlier, rules, jitter),
            Self::Unreachable => Verdict::Over(Ending::Unreachable),
            Self::NotStarted => Verdict::Over(Ending::NotStarted),
            Self::NotModified => Verdict::Over(Ending::Sent),
            Self::NotCopyable | Self::NotReactable => Verdict::Over(Ending::Refused),
            // A group that moves again and again: its new id was tried. A topic, or a message to edit, is made anew by who
            // may.
            Self::Migrated(_)
            | Self::ThreadGone
            | Self::TopicClosed
            | Self::EditTargetGone
            | Self::Refused => Verdict::Over(Ending::Parked),
        }
    }
}

fn again(fault: Fault, earlier: u32, rules: RetryRules, jitter: f64) -> Verdict {
    let tries = Tries {
        attempts: earlier,
        refusals: 0,
    };
    match rules.of_request(tries, fault, jitter) {
        AfterFailure::Wait(wait) => Verdict::Again(wait),
        AfterFailure::GiveUp => Verdict::Over(Ending::Parked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: RetryRules = RetryRules {
        max_attempts: 3,
        base_backoff: Duration::from_secs(5),
    };

    #[test]
    fn every_text_of_the_bot_api_server_is_classified() {
        let cases = [
            (
                403,
                "Forbidden: bot was blocked by the user",
                SendFault::Unreachable,
            ),
            (
                403,
                "Forbidden: user is deactivated",
                SendFault::Unreachable,
            ),
            (
                403,
                "Forbidden: bot was kicked from the supergroup chat",
                SendFault::Unreachable,
            ),
            (
                403,
                "Forbidden: bot can't initiate conversation with a user",
                SendFault::NotStarted,
            ),
            (
                400,
                "Bad Request: message is not modified: specified new message content",
                SendFault::NotModified,
            ),
            (400, "Bad Request: chat not found", SendFault::Refused),
            (
                400,
                "Bad Request: TOPIC_NOT_MODIFIED",
                SendFault::NotModified,
            ),
            (
                400,
                "Bad Request: message to delete not found",
                SendFault::NotModified,
            ),
            (
                400,
                "Bad Request: message thread not found",
                SendFault::ThreadGone,
            ),
            (400, "Bad Request: TOPIC_ID_INVALID", SendFault::ThreadGone),
            (400, "Bad Request: TOPIC_CLOSED", SendFault::TopicClosed),
            (
                400,
                "Bad Request: message to edit not found",
                SendFault::EditTargetGone,
            ),
            (
                400,
                "Bad Request: message can't be edited",
                SendFault::EditTargetGone,
            ),
            (
                400,
                "Bad Request: message can't be copied",
                SendFault::NotCopyable,
            ),
            (
                400,
                "Bad Request: VOICE_MESSAGES_FORBIDDEN",
                SendFault::NotCopyable,
            ),
            (
                400,
                "Bad Request: can't parse entities: Unsupported start tag",
                SendFault::Refused,
            ),
            (400, "Bad Request: SOMETHING_NEW", SendFault::Refused),
            (401, "Unauthorized", SendFault::BotFault),
            (404, "Not Found", SendFault::BotFault),
            (500, "Internal Server Error", SendFault::Unknown),
            (502, "Bad Gateway", SendFault::Unknown),
        ];
        for (status, words, fault) in cases {
            assert_eq!(
                SendFault::of_refusal(status, words),
                fault,
                "{status} {words}"
            );
        }
    }

    #[test]
    fn what_may_have_been_sent_is_sent_again_only_where_twice_is_better_than_never() {
        for class in Class::ALL {
            let verdict = SendFault::Unknown.verdict(class, 0, RULES, 1.0);
            let expected = match class {
                Class::Transactional | Class::Operator => Verdict::Again(Duration::from_secs(5)),
                Class::Reply | Class::Marketing => Verdict::Over(Ending::Unknown),
            };
            assert_eq!(verdict, expected, "{class:?}");
            // What surely was not sent is tried again, whatever it is for.
            let verdict = SendFault::Retry.verdict(class, 0, RULES, 1.0);
            assert_eq!(verdict, Verdict::Again(Duration::from_secs(5)), "{class:?}");
        }
    }

    #[test]
    fn tries_are_spent_by_failures_of_their_own_alone_and_then_it_is_parked() {
        let verdict =
            |fault: SendFault, earlier| fault.verdict(Class::Operator, earlier, RULES, 1.0);
        let parked = Verdict::Over(Ending::Parked);
        for fault in [SendFault::Retry, SendFault::Unknown] {
            assert_eq!(verdict(fault, 1), Verdict::Again(Duration::from_secs(10)));
            assert_eq!(verdict(fault, 2), parked);
        }
        let limited = SendFault::RateLimited {
            after: Duration::from_secs(9),
        };
        for fault in [limited, SendFault::BotFault] {
            assert_eq!(verdict(fault, 99), Verdict::NotCounted);
        }
        assert_eq!(verdict(SendFault::Refused, 0), parked);
    }

    #[test]
    fn a_reaction_that_a_chat_does_not_allow_is_no_matter_for_a_person() {
        let refused = SendFault::of_refusal(400, "Bad Request: REACTION_INVALID");
        let ending = |content: &Content| {
            let fault = refused.about(content);
            fault.verdict(Class::Reply, 0, RULES, 0.0)
        };
        let over = |ending| Verdict::Over(ending);
        assert_eq!(
            ending(&Content::React { message: 3 }),
            over(Ending::Refused)
        );
        assert_eq!(ending(&Content::Pin { message: 3 }), over(Ending::Parked));
    }

    #[test]
    fn who_cannot_be_reached_is_told_apart_from_who_has_not_started() {
        let over = |fault: SendFault| match fault.verdict(Class::Transactional, 0, RULES, 0.0) {
            Verdict::Over(ending) => (ending, ending.state()),
            other => panic!("{other:?}"),
        };
        let unreachable = MessageState::Unreachable;
        assert_eq!(
            over(SendFault::Unreachable),
            (Ending::Unreachable, unreachable)
        );
        assert_eq!(
            over(SendFault::NotStarted),
            (Ending::NotStarted, unreachable)
        );
        assert_eq!(
            over(SendFault::NotModified),
            (Ending::Sent, MessageState::Sent)
        );
    }
}
