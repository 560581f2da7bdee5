//! What no provider reports of an order, since we know it ourselves: it comes through the same inbox, under a key of its own, so that
//! it is settled once, in any order with the rest.

use serde::{Deserialize, Serialize};

use super::id::OrderId;
use super::order::fact::{FactBody, OrderFact};
use super::report::{Named, OrderSeen, PaymentReport, Reading, Said};

/// What stands in place of a provider's word.
pub const PROVIDER: &str = "own";

/// A report of our own. Its JSON is kept in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OwnReport {
    /// Somebody claimed a gift.
    Claim {
        /// Which.
        order: OrderId,
        /// When, in seconds since the Unix epoch.
        at: i64,
    },
}

impl OwnReport {
    /// Its key in the inbox: a gift is claimed once.
    #[must_use]
    pub fn event_key(&self) -> String {
        match self {
            Self::Claim { order, .. } => format!("{PROVIDER}#claim#{order}"),
        }
    }

    /// What the inbox keeps.
    #[must_use]
    pub fn body(&self) -> String {
        // Ids and integers: writing them can't fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what the inbox kept; nothing if it is none of ours.
    #[must_use]
    pub fn of_body(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

impl PaymentReport for OwnReport {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn named(&self) -> Named {
        match self {
            Self::Claim { order, .. } => Named {
                order: Some(order.to_string()),
                ..Named::default()
            },
        }
    }

    fn reading(&self, _: &OrderSeen<'_>) -> Reading {
        let facts = match self {
            Self::Claim { at, .. } => vec![OrderFact::new("claim", FactBody::Started { at: *at })],
        };
        Reading::Says(Said {
            facts,
            ..Said::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_kept_under_its_order_and_read_back() {
        let order = OrderId::from_random([7; 16]);
        let report = OwnReport::Claim {
            order,
            at: 1_800_000_000,
        };
        assert_eq!(report.event_key(), format!("own#claim#{order}"));
        assert_eq!(
            OwnReport::of_body(report.body().as_bytes()),
            Some(report.clone())
        );
        assert_eq!(report.named().order, Some(order.to_string()));
        for body in ["", "{}", "{\"claim\": {}}"] {
            assert_eq!(OwnReport::of_body(body.as_bytes()), None, "{body}");
        }
    }
}
