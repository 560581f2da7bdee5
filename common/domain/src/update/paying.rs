//! What Telegram reports of payments in Stars: somebody is about to pay, has paid, has it back.

use serde::Deserialize;
use serde_json::Value;

use super::{Sender, UpdateKind, User};
use crate::id::TelegramUserId;
use crate::stars::{StarsKind, StarsReport};
use crate::time::Timestamp;

/// A person is about to pay: <https://core.telegram.org/bots/api#precheckoutquery>. Nothing is paid unless we consent within ten
/// seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreCheckout {
    /// The id of the query.
    pub id: String,
    /// Who pays.
    pub person: TelegramUserId,
    /// The language of their app, as an IETF tag, if Telegram tells it.
    pub language_code: Option<String>,
    /// The currency.
    pub currency: String,
    /// How much.
    pub amount: i64,
    /// The payload of the invoice.
    pub payload: String,
}

/// A payment in Stars, or its return, as an update tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StarsTold {
    /// What it tells.
    pub report: StarsReport,
    /// Who is told of it in their private chat, if it is in their name.
    pub from: Option<Sender>,
    /// When, to the second, by Telegram's clock.
    pub at: Timestamp,
}

/// `PreCheckoutQuery`.
#[derive(Deserialize)]
pub(super) struct PreCheckoutQuery {
    id: String,
    from: User,
    currency: String,
    total_amount: i64,
    invoice_payload: String,
}

pub(super) fn asked(query: PreCheckoutQuery) -> UpdateKind {
    UpdateKind::PreCheckout(PreCheckout {
        id: query.id,
        person: TelegramUserId(query.from.id),
        language_code: query.from.language_code,
        currency: query.currency,
        amount: query.total_amount,
        payload: query.invoice_payload,
    })
}

/// `payment` is what a message has as payment, and as the return of one.
pub(super) fn told(
    payment: (Option<&Value>, Option<&Value>),
    from: Option<User>,
    at: i64,
) -> UpdateKind {
    let report = match payment {
        (Some(paid), _) => StarsReport::of_message(StarsKind::Paid, paid, at),
        (None, Some(returned)) => StarsReport::of_message(StarsKind::Refunded, returned, at),
        (None, None) => None,
    };
    match report {
        Some(report) => UpdateKind::Stars(StarsTold {
            report,
            from: from.map(Sender::from),
            at: Timestamp::from_seconds(at),
        }),
        None => UpdateKind::Ignored("a payment of another shape"),
    }
}
