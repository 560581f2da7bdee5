//! How a call of the Bot API fails, what that means for the task, and which of Telegram's words about it may be kept.

use std::time::Duration;

use serde_json::Value;

use domain::fault::Fault;
use domain::id::InviteLink;
use domain::time::Timestamp;
use runtime::redaction::of_others;

/// How far our clock may be from Telegram's before it is called wrong.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
/// The shortest part of a link that is looked for in Telegram's words; today's have 16 characters.
const LINK_PART_MIN: usize = 8;
/// The longest part of a description that is kept.
const DESCRIPTION_MAX_CHARS: usize = 200;

/// A call that failed. What it says is fit for logs and for the status of a request.
#[derive(Debug, thiserror::Error)]
pub enum TelegramError {
    /// No connection: Telegram never saw the call.
    #[error("Telegram can't be reached for {method}")]
    Unreachable {
        /// The Bot API method.
        method: &'static str,
        /// The transport's error, without the URL, since that holds the token.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection broke or the time was over: the effect may have happened.
    #[error("Telegram did not answer {method}")]
    NoAnswer {
        /// The Bot API method.
        method: &'static str,
        /// The transport's error, without the URL.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is none of the Bot API's: the effect may have happened.
    #[error("Telegram answered {method} with HTTP {status} and no Bot API answer")]
    Garbled {
        /// The Bot API method.
        method: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// Telegram refused.
    #[error("Telegram refused {method}: {status} {description}")]
    Refused {
        /// The Bot API method.
        method: &'static str,
        /// The HTTP status.
        status: u16,
        /// Telegram's words.
        description: String,
        /// What they mean.
        fault: Fault,
    },
    /// Telegram refused a date that is right by our clock, which is wrong by its own.
    #[error("Telegram refused {method}: the clock of this machine is {}: set it right", lag(*.ours, *.theirs))]
    WrongClock {
        /// The Bot API method.
        method: &'static str,
        /// What time it was here.
        ours: Timestamp,
        /// What time it was at Telegram.
        theirs: Timestamp,
    },
    /// The link is not limited to one member: it must not be handed out.
    #[error("Telegram made a link for {limit:?} members instead of one")]
    NotSingleUse {
        /// The limit of the link that was made.
        limit: Option<i64>,
        /// The link, to be revoked.
        link: InviteLink,
    },
}

impl TelegramError {
    /// What the failure means for the task.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Unreachable { .. } => Fault::Retry,
            // Not the Bot API: TELEGRAM_API_BASE leads elsewhere, which is no buyer's fault.
            Self::Garbled {
                status: 300..=399 | 401 | 403 | 404 | 421,
                ..
            } => Fault::ChatFault,
            Self::NoAnswer { .. } | Self::Garbled { .. } => Fault::Unknown,
            Self::Refused { fault, .. } => *fault,
            // No buyer's fault, and over once the clock is right.
            Self::WrongClock { .. } => Fault::ChatFault,
            Self::NotSingleUse { .. } => Fault::Refused,
        }
    }

    /// Whether Telegram has frozen the bot's account (`FROZEN_METHOD_INVALID` and its kind).
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        matches!(self, Self::Refused { description, .. } if description.to_uppercase().contains("FROZEN_"))
    }

    /// What kind of failure it is, by its structure: the method, and the status that Telegram gave.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Unreachable { method, .. } | Self::NoAnswer { method, .. } => {
                format!("{method}:none")
            }
            Self::Garbled { method, status } | Self::Refused { method, status, .. } => {
                format!("{method}:{status}")
            }
            Self::WrongClock { method, .. } => format!("{method}:400"),
            Self::NotSingleUse { .. } => "createChatInviteLink:200".to_owned(),
        }
    }
}

/// How wrong our clock is, in words.
fn lag(ours: Timestamp, theirs: Timestamp) -> String {
    let (by, word) = match ours < theirs {
        true => (theirs.since(ours), "behind"),
        false => (ours.since(theirs), "ahead of"),
    };
    let minutes = by.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    format!("{days} d {hours} h {minutes} min {word} Telegram's")
}

/// Whether a clock contradicts Telegram's by more than an answer takes.
pub(crate) fn is_wrong(ours: Timestamp, theirs: Timestamp) -> bool {
    ours.since(theirs).max(theirs.since(ours)) > CLOCK_TOLERANCE
}

/// Telegram's words as they may be kept: without secrets, and without the link that the call was about, of which an answer
/// may repeat a part.
pub(crate) fn cleared(description: &str, parameters_sent: &Value) -> String {
    let link = parameters_sent["invite_link"].as_str().map(InviteLink::new);
    let part = link.as_ref().and_then(InviteLink::part);
    let description = match part.filter(|part| part.len() >= LINK_PART_MIN) {
        Some(part) => description.replace(part, "[link]"),
        None => description.to_owned(),
    };
    of_others(&description)
        .chars()
        .take(DESCRIPTION_MAX_CHARS)
        .collect()
}
