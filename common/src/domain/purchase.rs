//! What a shop asks for: who paid for what, and which calls mean the same payment.

use serde_json::Value;

use super::id::{ChatId, IdentitySource, RequestId};

/// The longest `userId`, in characters: WebEngage refuses longer ones.
pub const USER_ID_MAX_CHARS: usize = 100;
/// The longest `transactionId` and `Idempotency-Key`, in characters.
pub const TRANSACTION_ID_MAX_CHARS: usize = 256;

/// The chats that links are made for. The first is the one meant when a request names none.
///
/// A group that became a supergroup has another id. Written as `new=old` it keeps the identity of its payments, so
/// that a payment repeated after the move is still the same one.
#[derive(Clone, Debug)]
pub struct Chats(Vec<Chat>);

#[derive(Clone, Copy, Debug)]
struct Chat {
    id: ChatId,
    /// The id that its payments are known by.
    known_as: ChatId,
}

impl Chats {
    /// Reads a comma-separated list of chat ids; `None` if it is empty or a part is no chat id.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        let parts = list
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let chat = |part: &str| {
            let (id, known_as) = part.split_once('=').unwrap_or((part, part));
            Some(Chat {
                id: ChatId(id.trim().parse().ok()?),
                known_as: ChatId(known_as.trim().parse().ok()?),
            })
        };
        let all: Vec<Chat> = parts.map(chat).collect::<Option<_>>()?;
        (!all.is_empty()).then_some(Self(all))
    }

    /// No chat at all: what a configuration with a problem has.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether the chat is one of ours.
    #[must_use]
    pub fn contains(&self, chat: ChatId) -> bool {
        self.find(chat).is_some()
    }

    /// All chats: the id of each, and the one that its payments are known by.
    pub fn all(&self) -> impl Iterator<Item = (ChatId, ChatId)> {
        self.0.iter().map(|chat| (chat.id, chat.known_as))
    }

    /// The same of the chat of this id, by its present or its earlier one.
    #[must_use]
    pub fn named(&self, chat: ChatId) -> Option<(ChatId, ChatId)> {
        self.find(chat).map(|chat| (chat.id, chat.known_as))
    }

    /// The chat of this id, by its present or its earlier one.
    fn find(&self, chat: ChatId) -> Option<Chat> {
        let by_id = self.0.iter().find(|known| known.id == chat);
        by_id
            .or_else(|| self.0.iter().find(|known| known.known_as == chat))
            .copied()
    }
}

/// A request that the rules refuse, by the part that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The body is no JSON object.
    Json,
    /// `userId` is missing, no string or integer, or not 1 to 100 characters.
    UserId,
    /// `transactionId` or `Idempotency-Key` is no string or integer, or longer than 256 characters.
    TransactionId,
    /// `chatId` is none of our chats.
    Chat,
}

/// One payment for one seat, as the shop reports it.
#[derive(Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The shop's user, trimmed.
    pub user_id: String,
    /// The shop's transaction, trimmed; empty if it has none.
    pub transaction_id: String,
    /// The chat that was paid for.
    pub chat: ChatId,
    /// The id that the chat's payments are known by.
    chat_known_as: ChatId,
    /// The caller's `Idempotency-Key`, trimmed; empty if it sent none.
    pub idempotency_key: String,
}

/// What makes two calls the same payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The payment names itself: by its transaction or its idempotency key.
    Payment(RequestId),
    /// Nothing names it: calls of the same user within the duplicate window are one. The window is known by this id.
    Window(RequestId),
}

impl Purchase {
    /// Reads the body of a request and its `Idempotency-Key` header. Unknown fields are ignored.
    ///
    /// # Errors
    /// The first part that is wrong.
    pub fn parse(
        body: &[u8],
        idempotency_key: Option<&str>,
        chats: &Chats,
    ) -> Result<Self, Invalid> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return Err(Invalid::Json);
        };
        let user_id = fields.get("userId").and_then(text).ok_or(Invalid::UserId)?;
        if !(1..=USER_ID_MAX_CHARS).contains(&user_id.chars().count()) {
            return Err(Invalid::UserId);
        }
        let transaction_id = match fields.get("transactionId") {
            None | Some(Value::Null) => String::new(),
            Some(value) => text(value).ok_or(Invalid::TransactionId)?,
        };
        let idempotency_key = idempotency_key.unwrap_or_default().trim().to_owned();
        if [&transaction_id, &idempotency_key]
            .iter()
            .any(|id| id.chars().count() > TRANSACTION_ID_MAX_CHARS)
        {
            return Err(Invalid::TransactionId);
        }
        let chat = match fields.get("chatId") {
            None | Some(Value::Null) => chats.0.first().copied(),
            Some(value) => value.as_i64().and_then(|id| chats.find(ChatId(id))),
        };
        let Chat { id: chat, known_as } = chat.ok_or(Invalid::Chat)?;
        Ok(Self {
            user_id,
            transaction_id,
            chat,
            chat_known_as: known_as,
            idempotency_key,
        })
    }

    /// The chat by which the payment is known: that of its tasks and of its link pool.
    #[must_use]
    pub const fn pool(&self) -> ChatId {
        self.chat_known_as
    }

    /// What makes this call the same payment as another.
    #[must_use]
    pub fn identity(&self) -> Identity {
        if !self.transaction_id.is_empty() {
            Identity::Payment(RequestId::derive(
                self.chat_known_as,
                IdentitySource::Transaction(&self.transaction_id),
            ))
        } else if !self.idempotency_key.is_empty() {
            Identity::Payment(RequestId::derive(
                self.chat_known_as,
                IdentitySource::IdempotencyKey(&self.idempotency_key),
            ))
        } else {
            Identity::Window(self.window_opened_at(0))
        }
    }

    /// The id of the request that the duplicate window opened at `opened_ms` (Unix epoch) stands for.
    #[must_use]
    pub fn window_opened_at(&self, opened_ms: i64) -> RequestId {
        RequestId::derive(
            self.chat_known_as,
            IdentitySource::Window {
                user_id: &self.user_id,
                opened_ms,
            },
        )
    }
}

/// A string or an integer, as trimmed text. A fraction, or an integer beyond 64 bits, is no id: JSON writers disagree
/// on its digits.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Purchase, Invalid> {
        Purchase::parse(body.as_bytes(), None, &Chats::parse("-1, -2").unwrap())
    }

    fn id(body: &str) -> Identity {
        parse(body).unwrap().identity()
    }

    #[test]
    fn integers_and_padded_strings_are_the_same_payment() {
        let plain = id(r#"{"userId": "7", "transactionId": "42"}"#);
        assert_eq!(plain, id(r#"{"userId": 7, "transactionId": 42}"#));
        assert_eq!(
            plain,
            id(r#"{"userId": " 7 ", "transactionId": "\t42\n", "extra": [1]}"#)
        );
        assert_eq!(
            plain,
            id(r#"{"userId": "7", "transactionId": "42", "chatId": -1}"#)
        );
        assert_ne!(
            plain,
            id(r#"{"userId": "7", "transactionId": "42", "chatId": -2}"#)
        );
    }

    #[test]
    fn a_chat_that_moved_keeps_the_identity_of_its_payments() {
        let of = |chats: &str, body: &str| {
            Purchase::parse(body.as_bytes(), None, &Chats::parse(chats).unwrap()).unwrap()
        };
        let body = r#"{"userId": "u", "transactionId": "1"}"#;
        let (before, after) = (of("-5", body), of("-1005 = -5", body));
        assert_eq!(before.identity(), after.identity());
        assert_eq!(after.chat, ChatId(-1005));
        let by_old_id = of(
            "-1005=-5",
            r#"{"userId": "u", "transactionId": "1", "chatId": -5}"#,
        );
        assert_eq!(
            (by_old_id.chat, by_old_id.identity()),
            (ChatId(-1005), before.identity())
        );
        assert_ne!(of("-1005", body).identity(), before.identity());
        for wrong in ["-1=", "=-1", "-1=-2=-3", "a=b"] {
            assert!(Chats::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_user_is_no_part_of_a_payments_identity() {
        assert_eq!(
            id(r#"{"userId": "a", "transactionId": "1"}"#),
            id(r#"{"userId": "b", "transactionId": "1"}"#)
        );
    }

    #[test]
    fn without_a_transaction_the_header_and_then_the_window_identify() {
        let chats = Chats::parse("-1").unwrap();
        let keyed = |key| {
            Purchase::parse(
                br#"{"userId": "a", "transactionId": " "}"#,
                Some(key),
                &chats,
            )
            .unwrap()
            .identity()
        };
        assert!(matches!(keyed("k"), Identity::Payment(_)));
        assert_eq!(keyed("k"), keyed(" k "));
        assert!(matches!(keyed("  "), Identity::Window(_)));
        assert_ne!(id(r#"{"userId": "a"}"#), id(r#"{"userId": "b"}"#));
    }

    #[test]
    fn each_wrong_part_is_named() {
        let long_user = format!(r#"{{"userId": "{}"}}"#, "x".repeat(101));
        let long_payment = format!(r#"{{"userId": 1, "transactionId": "{}"}}"#, "x".repeat(257));
        let cases = [
            ("", Invalid::Json),
            ("[]", Invalid::Json),
            ("{", Invalid::Json),
            (r#"{"userId": "\ud800"}"#, Invalid::Json),
            ("{}", Invalid::UserId),
            (r#"{"userId": null}"#, Invalid::UserId),
            (r#"{"userId": "  "}"#, Invalid::UserId),
            (r#"{"userId": 1.5}"#, Invalid::UserId),
            (r#"{"userId": 1e3}"#, Invalid::UserId),
            (r#"{"userId": 99999999999999999999}"#, Invalid::UserId),
            (&long_user, Invalid::UserId),
            (
                r#"{"userId": 1, "transactionId": {}}"#,
                Invalid::TransactionId,
            ),
            (
                r#"{"userId": 1, "transactionId": true}"#,
                Invalid::TransactionId,
            ),
            (&long_payment, Invalid::TransactionId),
            (r#"{"userId": 1, "chatId": -3}"#, Invalid::Chat),
            (r#"{"userId": 1, "chatId": "-1"}"#, Invalid::Chat),
        ];
        for (body, wrong) in cases {
            assert_eq!(parse(body).err(), Some(wrong), "{body}");
        }
    }

    #[test]
    fn limits_are_counted_in_characters() {
        assert!(parse(&format!(r#"{{"userId": "{}"}}"#, "\u{1F3AB}".repeat(100))).is_ok());
        assert!(
            parse(&format!(
                r#"{{"userId": 1, "transactionId": "{}"}}"#,
                "\u{e9}".repeat(256)
            ))
            .is_ok()
        );
    }
}
