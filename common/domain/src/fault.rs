//! What a failed call of Telegram means for the task, and for the tasks beside it.
//!
//! The texts are those of the Bot API server; error codes alone say little, since MTProto errors that it does not know
//! become a 400.

use std::time::Duration;

use super::id::ChatId;

/// The wait after a 429 that names none. A restarting Bot API server asks for 5 seconds.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// What is to be done about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Flood control: nothing of this bot and chat may be tried before the time is over. No try was spent.
    RateLimited {
        /// Telegram's `retry_after`.
        after: Duration,
    },
    /// The call surely had no effect: try again.
    Retry,
    /// The effect may have happened: try again, and let an orphaned link expire.
    Unknown,
    /// The chat or the bot itself is broken (rights lost, bot removed, chat gone, token refused): open the circuit.
    ChatFault,
    /// This request can never succeed as it is.
    Permanent,
    /// Refused with a text that is not known here: may be permanent, is believed so after a few tries.
    Refused,
    /// The group became a supergroup and has another id.
    Migrated(ChatId),
}

impl Fault {
    /// Whether Telegram refused the call itself: asking again may never help.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        match self {
            Self::Permanent | Self::Refused | Self::Migrated(_) => true,
            Self::RateLimited { .. } | Self::Retry | Self::Unknown | Self::ChatFault => false,
        }
    }

    /// The word for logs and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Retry => "retry",
            Self::Unknown => "unknown",
            Self::ChatFault => "chat_fault",
            Self::Permanent => "permanent",
            Self::Refused => "refused",
            Self::Migrated(_) => "migrated",
        }
    }
}

/// The parts of Telegram's refusal that decide: HTTP status, `description`, and the two `parameters`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusal<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `description`; empty if the body was no Bot API answer.
    pub description: &'a str,
    /// `parameters.retry_after`, or the `Retry-After` header, in seconds.
    pub retry_after: Option<u64>,
    /// `parameters.migrate_to_chat_id`.
    pub migrate_to_chat_id: Option<i64>,
}

/// What is wrong with the chat or the bot's place in it, until a person mends it.
const CHAT_FAULTS: [&str; 16] = [
    "chat not found",
    "chat_id_invalid",
    "peer_id_invalid",
    "channel_invalid",
    "channel_private",
    "chat_admin_required",
    "chat_write_forbidden",
    "chat_restricted",
    "not enough rights",
    "have no rights",
    "administrator rights",
    "not a member",
    "was kicked",
    "was deleted",
    "deactivated",
    "upgraded to a supergroup",
];

/// What is wrong with this one call: asking again can't help.
const PERMANENT: [&str; 5] = [
    "expire_date_invalid",
    "usage_limit_invalid",
    "member limit can't be specified",
    "invite_hash_expired",
    "invite_hash_invalid",
];

/// Tells what a refusal means.
#[must_use]
pub fn classify(refusal: Refusal<'_>) -> Fault {
    if let Some(chat) = refusal.migrate_to_chat_id {
        return Fault::Migrated(ChatId(chat));
    }
    let text = refusal.description.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    match refusal.status {
        429 => Fault::RateLimited {
            after: refusal
                .retry_after
                .map_or(DEFAULT_RETRY_AFTER, Duration::from_secs),
        },
        400 if says(&CHAT_FAULTS) => Fault::ChatFault,
        400 if says(&PERMANENT) => Fault::Permanent,
        // 401 and 404: the token is refused. 403: the bot was put out. 421: this server does not serve the token.
        401 | 403 | 404 | 421 => Fault::ChatFault,
        400..=499 => Fault::Refused,
        _ => Fault::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, description: &str) -> Fault {
        classify(Refusal {
            status,
            description,
            ..Refusal::default()
        })
    }

    #[test]
    fn every_text_of_the_bot_api_server_is_classified() {
        let chat_faults = [
            (400, "Bad Request: chat not found"),
            (400, "Bad Request: PEER_ID_INVALID"),
            (400, "Bad Request: CHAT_ID_INVALID"),
            (
                400,
                "Bad Request: not enough rights to manage chat invite link",
            ),
            (400, "Bad Request: CHAT_ADMIN_REQUIRED"),
            (
                400,
                "Bad Request: need administrator rights in the channel chat",
            ),
            (403, "Forbidden: bot was kicked from the supergroup chat"),
            (403, "Forbidden: bot is not a member of the channel chat"),
            (403, "Forbidden: the group chat was deleted"),
            (401, "Unauthorized"),
            (404, "Not Found"),
            (421, "Misdirected Request"),
        ];
        for (status, text) in chat_faults {
            assert_eq!(fault(status, text), Fault::ChatFault, "{status} {text}");
        }
        assert_eq!(
            fault(400, "Bad Request: EXPIRE_DATE_INVALID"),
            Fault::Permanent
        );
        assert_eq!(
            fault(400, "Bad Request: USAGE_LIMIT_INVALID"),
            Fault::Permanent
        );
        assert_eq!(fault(400, "Bad Request: SOMETHING_NEW"), Fault::Refused);
        assert_eq!(fault(409, "Conflict"), Fault::Refused);
        for status in [500, 502, 503, 504, 302, 200] {
            assert_eq!(fault(status, ""), Fault::Unknown, "{status}");
        }
    }

    #[test]
    fn a_rate_limit_keeps_its_time_and_a_migration_its_chat() {
        let limited = Refusal {
            status: 429,
            retry_after: Some(2000),
            ..Refusal::default()
        };
        assert_eq!(
            classify(limited),
            Fault::RateLimited {
                after: Duration::from_secs(2000)
            }
        );
        assert_eq!(
            fault(429, ""),
            Fault::RateLimited {
                after: DEFAULT_RETRY_AFTER
            }
        );
        let migrated = Refusal {
            status: 400,
            description: "Bad Request: group chat was upgraded to a supergroup chat",
            migrate_to_chat_id: Some(-1009),
            ..Refusal::default()
        };
        assert_eq!(classify(migrated), Fault::Migrated(ChatId(-1009)));
    }
}
