//! What a shop asks for: who paid for what, and which calls mean the same payment.

use serde_json::{Map, Value};

use super::id::{ChatId, IdentitySource, RequestId, TelegramUserId};
use super::order::record::{Order, OrderedSeat};
use super::text;

/// The longest `userId`, in characters: WebEngage refuses longer ones.
pub const USER_ID_MAX_CHARS: usize = 100;
/// The longest `transactionId` and `Idempotency-Key`, in characters.
pub const TRANSACTION_ID_MAX_CHARS: usize = 256;
/// The first integer that a double may stand for together with its neighbour.
const SAFE_INTEGERS_END: u64 = 1 << 53;

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
    canonical_id: ChatId,
}

impl Chats {
    /// Reads a comma-separated list of chat ids; `None` if it is empty or a part is no chat id.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        let chat = |part: &str| {
            let (id, canonical_id) = part.split_once('=').unwrap_or((part, part));
            Some(Chat {
                id: ChatId(id.trim().parse().ok()?),
                canonical_id: ChatId(canonical_id.trim().parse().ok()?),
            })
        };
        let all: Vec<Chat> = text::list(list).map(chat).collect::<Option<_>>()?;
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
        self.0.iter().map(|chat| (chat.id, chat.canonical_id))
    }

    /// The same of the chat of this id, by its present or its earlier one.
    #[must_use]
    pub fn named(&self, chat: ChatId) -> Option<(ChatId, ChatId)> {
        self.find(chat).map(|chat| (chat.id, chat.canonical_id))
    }

    /// The same of a chat that a caller names.
    ///
    /// # Errors
    /// [`Rejection::UnknownChat`] if it is none of ours.
    pub fn known(&self, chat: ChatId) -> Result<(ChatId, ChatId), Rejection> {
        self.named(chat).ok_or(Rejection::UnknownChat)
    }

    /// The chat of this id, by its present or its earlier one.
    fn find(&self, chat: ChatId) -> Option<Chat> {
        let by_id = self.0.iter().find(|known| known.id == chat);
        by_id
            .or_else(|| self.0.iter().find(|known| known.canonical_id == chat))
            .copied()
    }
}

/// Why a purchase is refused; nothing is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// `userId` is missing, no string or safe integer, an unfilled template, or not 1 to 100 characters.
    InvalidUserId,
    /// `transactionId` or `Idempotency-Key` is no string or safe integer, an unfilled template (blanks alone are one), or
    /// longer than 256 characters.
    InvalidTransactionId,
    /// `chatId` is none of our chats.
    UnknownChat,
    /// The transaction belongs to another user.
    TransactionConflict,
    /// `telegramUserId` is no id of a person.
    InvalidTelegramUserId,
    /// The seat belongs to another person of Telegram.
    TelegramUserConflict,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::InvalidUserId,
        Self::InvalidTransactionId,
        Self::UnknownChat,
        Self::TransactionConflict,
        Self::InvalidTelegramUserId,
        Self::TelegramUserConflict,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidUserId => "invalid_user_id",
            Self::InvalidTransactionId => "invalid_transaction_id",
            Self::UnknownChat => "unknown_chat",
            Self::TransactionConflict => "transaction_conflict",
            Self::InvalidTelegramUserId => "invalid_telegram_user_id",
            Self::TelegramUserConflict => "telegram_user_conflict",
        }
    }

    /// What its caller is told.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::InvalidUserId => {
                "userId must be a string that is filled in, or an integer below 2^53, of 1 to 100 characters."
            }
            Self::InvalidTransactionId => {
                "transactionId and Idempotency-Key must be a string that is filled in, or an integer below 2^53, of at most 256 characters."
            }
            Self::UnknownChat => "chatId must be one of the chats of TELEGRAM_CHAT_ID.",
            Self::TransactionConflict => {
                "This transaction was already used for another userId; nothing was changed."
            }
            Self::InvalidTelegramUserId => "telegramUserId must be the id of a person in Telegram.",
            Self::TelegramUserConflict => {
                "The seat of this transaction belongs to another telegramUserId; nothing was changed. To move it, call rebind."
            }
        }
    }
}

/// One payment for one seat, as the shop reports it.
#[derive(Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The shop's user, trimmed and without invisible characters.
    pub user_id: String,
    /// The shop's transaction, trimmed and without invisible characters; empty if it has none.
    pub transaction_id: String,
    /// The chat that was paid for.
    pub chat: ChatId,
    /// The id that the chat's payments are known by.
    canonical_chat_id: ChatId,
    /// The caller's `Idempotency-Key`, trimmed; empty if it sent none.
    pub idempotency_key: String,
    /// Who the buyer is in Telegram, if the shop knows: nobody else gets the seat.
    pub telegram_user_id: Option<TelegramUserId>,
    /// The order that was paid, if it is one of ours.
    pub order: Option<OrderedSeat>,
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
    /// Reads the fields of a request's body and its `Idempotency-Key` header. Unknown fields are ignored.
    ///
    /// # Errors
    /// The first part that is wrong.
    pub fn parse(
        fields: &Map<String, Value>,
        idempotency_key: Option<&str>,
        chats: &Chats,
    ) -> Result<Self, Rejection> {
        let user_id = fields
            .get("userId")
            .and_then(id)
            .ok_or(Rejection::InvalidUserId)?;
        if !(1..=USER_ID_MAX_CHARS).contains(&user_id.chars().count()) {
            return Err(Rejection::InvalidUserId);
        }
        let transaction_id = match fields.get("transactionId") {
            None | Some(Value::Null) => String::new(),
            Some(value) => id(value).ok_or(Rejection::InvalidTransactionId)?,
        };
        // Without the blanks around it, which are no part of a header's value.
        let idempotency_key = idempotency_key.unwrap_or_default().trim_ascii();
        let idempotency_key =
            text::filled_in(idempotency_key).ok_or(Rejection::InvalidTransactionId)?;
        if [&transaction_id, &idempotency_key]
            .iter()
            .any(|id| id.chars().count() > TRANSACTION_ID_MAX_CHARS)
        {
            return Err(Rejection::InvalidTransactionId);
        }
        let chat = match fields.get("chatId") {
            None | Some(Value::Null) => chats.0.first().copied(),
            Some(value) => chat_id(value).and_then(|id| chats.find(id)),
        };
        let Chat {
            id: chat,
            canonical_id,
        } = chat.ok_or(Rejection::UnknownChat)?;
        let telegram_user_id = match fields.get("telegramUserId") {
            None | Some(Value::Null) => None,
            Some(value) => Some(person(value).ok_or(Rejection::InvalidTelegramUserId)?),
        };
        Ok(Self {
            user_id,
            transaction_id,
            chat,
            canonical_chat_id: canonical_id,
            idempotency_key,
            telegram_user_id,
            order: None,
        })
    }

    /// The seat in one of its chats that an order of ours has paid for: it is known by the order. The buyer is whom the order
    /// names, and `order:<orderId>` if it names nobody, or is a gift.
    ///
    /// # Errors
    /// [`Rejection::UnknownChat`] if the chat is none of ours any more.
    pub fn of_order(
        order: &Order,
        seat: OrderedSeat,
        chat: ChatId,
        chats: &Chats,
    ) -> Result<Self, Rejection> {
        let Chat { id, canonical_id } = chats.find(chat).ok_or(Rejection::UnknownChat)?;
        // A gift is nobody's until it is claimed: its payer is told of no link of their own.
        let buyer = &order.buyer;
        let user_id = match (&buyer.user_id, buyer.telegram_user_id) {
            _ if order.terms.gift => format!("order:{}", order.id),
            (Some(user), _) => user.clone(),
            (None, Some(person)) => format!("telegram:{person}"),
            (None, None) => format!("order:{}", order.id),
        };
        Ok(Self {
            user_id,
            transaction_id: order.id.to_string(),
            chat: id,
            canonical_chat_id: canonical_id,
            idempotency_key: String::new(),
            telegram_user_id: order.person(),
            order: Some(seat),
        })
    }

    /// The chat by which the payment is known: that of its tasks and of its link pool.
    #[must_use]
    pub const fn canonical_chat(&self) -> ChatId {
        self.canonical_chat_id
    }

    /// What makes this call the same payment as another.
    #[must_use]
    pub fn identity(&self) -> Identity {
        if !self.transaction_id.is_empty() {
            Identity::Payment(RequestId::derive(
                self.canonical_chat_id,
                IdentitySource::Transaction(&self.transaction_id),
            ))
        } else if !self.idempotency_key.is_empty() {
            Identity::Payment(RequestId::derive(
                self.canonical_chat_id,
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
            self.canonical_chat_id,
            IdentitySource::Window {
                user_id: &self.user_id,
                opened_ms,
            },
        )
    }
}

/// A string or an integer, as an id. A fraction is none, and neither is an integer from 2^53 on: JavaScript, and all that
/// reads numbers as it does, has rounded it by then, so that two payments would be one. As a string it is taken.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text::filled_in(text),
        Value::Number(number) => number
            .as_i64()
            .filter(|integer| integer.unsigned_abs() < SAFE_INTEGERS_END)
            .map(|integer| integer.to_string()),
        _ => None,
    }
}

/// A person's id, as an integer or in quotes: positive, of at most 52 bits (<https://core.telegram.org/bots/api#user>).
fn person(value: &Value) -> Option<TelegramUserId> {
    let id = match value {
        Value::String(text) => text::clean(text).parse().ok()?,
        _ => value.as_i64()?,
    };
    (1..1_i64 << 52).contains(&id).then_some(TelegramUserId(id))
}

/// A chat's id, as an integer or, since some tools send every value as text, as one in quotes.
#[must_use]
pub fn chat_id(value: &Value) -> Option<ChatId> {
    match value {
        Value::String(text) => text::clean(text).parse().ok().map(ChatId),
        _ => value.as_i64().map(ChatId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Map<String, Value> {
        text::object(body.as_bytes()).unwrap()
    }

    fn parse(body: &str) -> Result<Purchase, Rejection> {
        Purchase::parse(&fields(body), None, &Chats::parse("-1, -2").unwrap())
    }

    fn identity(body: &str) -> Identity {
        parse(body).unwrap().identity()
    }

    #[test]
    fn integers_and_padded_strings_are_the_same_payment() {
        let plain = identity(r#"{"userId": "7", "transactionId": "42"}"#);
        assert_eq!(plain, identity(r#"{"userId": 7, "transactionId": 42}"#));
        assert_eq!(
            plain,
            identity(r#"{"userId": " 7 ", "transactionId": "\t42\n", "extra": [1]}"#)
        );
        assert_eq!(
            plain,
            identity(r#"{"userId": "7", "transactionId": "42", "chatId": -1}"#)
        );
        assert_ne!(
            plain,
            identity(r#"{"userId": "7", "transactionId": "42", "chatId": -2}"#)
        );
    }

    #[test]
    fn a_buyer_is_known_by_a_positive_id_or_not_at_all() {
        let of = |id: Value| {
            let body =
                serde_json::json!({"userId": "u", "transactionId": "1", "telegramUserId": id});
            parse(&body.to_string()).map(|purchase| purchase.telegram_user_id)
        };
        for id in [Value::from(7), "7".into(), " 7 ".into()] {
            assert_eq!(of(id.clone()), Ok(Some(TelegramUserId(7))), "{id}");
        }
        assert_eq!(of(Value::Null), Ok(None));
        for id in [
            Value::from(0),
            (-7).into(),
            1.5.into(),
            (1_i64 << 52).into(),
            true.into(),
            "".into(),
            "@ann".into(),
        ] {
            assert_eq!(
                of(id.clone()),
                Err(Rejection::InvalidTelegramUserId),
                "{id}"
            );
        }
    }

    #[test]
    fn a_chat_that_moved_keeps_the_identity_of_its_payments() {
        let of = |chats: &str, body: &str| {
            Purchase::parse(&fields(body), None, &Chats::parse(chats).unwrap()).unwrap()
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
            identity(r#"{"userId": "a", "transactionId": "1"}"#),
            identity(r#"{"userId": "b", "transactionId": "1"}"#)
        );
    }

    #[test]
    fn without_a_transaction_the_header_and_then_the_window_identify() {
        let chats = Chats::parse("-1").unwrap();
        let keyed = |key| {
            Purchase::parse(
                &fields(r#"{"userId": "a", "transactionId": ""}"#),
                Some(key),
                &chats,
            )
            .unwrap()
            .identity()
        };
        assert!(matches!(keyed("k"), Identity::Payment(_)));
        assert_eq!(keyed("k"), keyed(" k "));
        assert!(matches!(keyed("  "), Identity::Window(_)));
        assert_ne!(
            identity(r#"{"userId": "a"}"#),
            identity(r#"{"userId": "b"}"#)
        );
    }

    #[test]
    fn each_wrong_part_is_named() {
        let long_user = format!(r#"{{"userId": "{}"}}"#, "x".repeat(101));
        let long_payment = format!(r#"{{"userId": 1, "transactionId": "{}"}}"#, "x".repeat(257));
        let cases = [
            ("{}", Rejection::InvalidUserId),
            (r#"{"userId": null}"#, Rejection::InvalidUserId),
            (r#"{"userId": "  "}"#, Rejection::InvalidUserId),
            (r#"{"userId": 1.5}"#, Rejection::InvalidUserId),
            (r#"{"userId": 1e3}"#, Rejection::InvalidUserId),
            (
                r#"{"userId": 99999999999999999999}"#,
                Rejection::InvalidUserId,
            ),
            (&long_user, Rejection::InvalidUserId),
            (
                r#"{"userId": 1, "transactionId": {}}"#,
                Rejection::InvalidTransactionId,
            ),
            (
                r#"{"userId": 1, "transactionId": true}"#,
                Rejection::InvalidTransactionId,
            ),
            (&long_payment, Rejection::InvalidTransactionId),
            (r#"{"userId": 1, "chatId": -3}"#, Rejection::UnknownChat),
            (r#"{"userId": 1, "chatId": "-3"}"#, Rejection::UnknownChat),
            (r#"{"userId": 1, "chatId": ""}"#, Rejection::UnknownChat),
            (r#"{"userId": 1, "chatId": "-1.0"}"#, Rejection::UnknownChat),
            (
                r#"{"userId": 1, "transactionId": " "}"#,
                Rejection::InvalidTransactionId,
            ),
            (
                r#"{"userId": 1, "transactionId": "\u200b"}"#,
                Rejection::InvalidTransactionId,
            ),
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

    #[test]
    fn a_template_that_was_not_filled_in_is_no_id_in_any_place() {
        for unfilled in ["undefined", "NULL", "{{ order.id }}", "${userId}", "%s"] {
            let as_user = format!(r#"{{"userId": "{unfilled}"}}"#);
            assert_eq!(
                parse(&as_user).err(),
                Some(Rejection::InvalidUserId),
                "{unfilled}"
            );
            let as_payment = format!(r#"{{"userId": "u", "transactionId": "{unfilled}"}}"#);
            let refused = parse(&as_payment).err();
            assert_eq!(refused, Some(Rejection::InvalidTransactionId), "{unfilled}");
            let chats = Chats::parse("-1").unwrap();
            let refused =
                Purchase::parse(&fields(r#"{"userId": "u"}"#), Some(unfilled), &chats).err();
            assert_eq!(refused, Some(Rejection::InvalidTransactionId), "{unfilled}");
        }
    }

    #[test]
    fn invisible_characters_make_no_second_payment() {
        let plain = identity(r#"{"userId": "u", "transactionId": "T-1"}"#);
        for copied in [
            r"T-1\u200b",
            r"\ufeffT-1",
            r"T\u2060-1",
            r"T-\u200e1",
            r"\u200f T-1",
            r"T-1\u200d",
        ] {
            let body = format!(r#"{{"userId": "u", "transactionId": "{copied}"}}"#);
            assert_eq!(identity(&body), plain, "{copied}");
        }
        assert_eq!(parse(r#"{"userId": "u\u200b"}"#).unwrap().user_id, "u");
    }

    #[test]
    fn an_integer_is_taken_up_to_where_javascript_rounds() {
        for (number, is_safe) in [
            ("9007199254740991", true),
            ("-9007199254740991", true),
            ("9007199254740992", false),
            ("-9007199254740992", false),
            ("9007199254740993", false),
            ("18446744073709551615", false),
        ] {
            let body = format!(r#"{{"userId": {number}, "transactionId": {number}}}"#);
            assert_eq!(parse(&body).is_ok(), is_safe, "{number}");
            let text = format!(r#"{{"userId": "{number}", "transactionId": "{number}"}}"#);
            assert_eq!(parse(&text).unwrap().transaction_id, number);
        }
    }

    #[test]
    fn a_byte_order_mark_and_a_chat_in_quotes_change_nothing() {
        let plain = identity(r#"{"userId": "u", "transactionId": "1", "chatId": -2}"#);
        let with_mark =
            "\u{feff}{\"userId\": \"u\", \"transactionId\": \"1\", \"chatId\": \" -2 \"}";
        assert_eq!(identity(with_mark), plain);
    }
}
