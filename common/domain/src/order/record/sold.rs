//! What was sold to whom, and what it grants.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::super::id::{ChatId, OrderId, TelegramUserId};
use super::super::super::member::entitlement::{Cover, Entitlement};
use super::super::super::time::Timestamp;

/// What was sold: a copy of the tier as it was, which no change of the product touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SoldTier {
    /// The product.
    pub product_id: String,
    /// The tier.
    pub tier_id: String,
    /// What both are called, for people.
    pub title: String,
    /// The level of the tier, from 0.
    pub level: u32,
    /// The chats, by their canonical ids.
    pub chats: Vec<ChatId>,
    /// The coupon that was used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub coupon: Option<String>,
    /// What it takes one of, that is limited.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reservations: Vec<Reservation>,
}

/// Something limited, of which an order holds one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Of what: `seats#<product>#<tier>`, `coupon#<product>#<code>`, or `trial#<product>#<digest of the buyer>`.
    pub pool: String,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u32>,
    /// Whether an order that is paid late is refused if there is none left; else it counts beyond the limit.
    pub is_firm: bool,
}

/// Who buys, as far as the shop said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderBuyer {
    /// The shop's user.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_id: Option<String>,
    /// The person in Telegram.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub telegram_user_id: Option<TelegramUserId>,
}

impl OrderBuyer {
    /// What orders of one buyer are found by; nobody, if the shop said nothing.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        match (&self.user_id, self.telegram_user_id) {
            (Some(user), _) => Some(format!("user#{user}")),
            (None, Some(person)) => Some(format!("telegram#{person}")),
            (None, None) => None,
        }
    }
}

/// What an order grants in each of its chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEntitlement {
    /// When it begins.
    pub start: Timestamp,
    /// When it ends, if an end was said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<Timestamp>,
    /// Its length in seconds, if no end was said; absent: for ever.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds: Option<u64>,
    /// From when on it gives nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cut_at: Option<Timestamp>,
    /// From when on an open dispute keeps it from giving anything.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub suspended_at: Option<Timestamp>,
    /// The level of what was bought.
    pub level: u32,
    /// The version of the order that said so: a later one is newer.
    pub version: u64,
}

/// The seat that an order pays for in one of its chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderedSeat {
    /// The order.
    pub order: OrderId,
    /// What it grants by now.
    pub entitlement: OrderEntitlement,
}

impl OrderEntitlement {
    /// What stands in a seat.
    #[must_use]
    pub fn of_seat(self) -> Entitlement {
        let cover = match (self.end, self.seconds) {
            (Some(end), _) => Cover::Until(end),
            (None, Some(seconds)) => Cover::Days { seconds },
            (None, None) => Cover::Forever,
        };
        Entitlement {
            cut_at: self.cut_at,
            suspended_at: self.suspended_at,
            level: self.level,
            order_version: Some(self.version),
            ..Entitlement::new(cover, self.start)
        }
    }

    /// When it ends by time, if it does.
    pub(super) fn ends_at(self) -> Option<Timestamp> {
        let by_length = || Some(self.start.plus(Duration::from_secs(self.seconds?)));
        self.end.or_else(by_length)
    }

    pub(super) fn is_same_but_version(self, other: Self) -> bool {
        Self {
            version: other.version,
            ..self
        } == other
    }
}
