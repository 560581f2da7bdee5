//! What an order gives to a seat.

use serde::{Deserialize, Serialize};

use super::super::super::id::OrderId;
use super::super::super::member::entitlement::{Cover, Entitlement};
use super::super::super::time::Timestamp;

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

    pub(super) fn is_same_but_version(self, other: Self) -> bool {
        Self {
            version: other.version,
            ..self
        } == other
    }
}
