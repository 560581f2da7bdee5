//! What a person was granted in a chat: the cover of one payment, gift, import, request or operator's act.

use std::fmt;
use std::time::Duration;

use super::super::id::RequestId;
use super::super::time::Timestamp;

/// The name of an entitlement within its seat: what granted it, so that a repeat of the grant meets itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntitlementId(String);

impl EntitlementId {
    /// The id as it stands in a record.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// `request#<requestId>`: a request without an order.
    #[must_use]
    pub fn of_request(request: RequestId) -> Self {
        Self(format!("request#{request}"))
    }

    /// The request of such an id.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        self.0.strip_prefix("request#")?.parse().ok()
    }

    /// `operator#<name>`: an act of an operator.
    #[must_use]
    pub fn of_operator(name: &str) -> Self {
        Self(format!("operator#{name}"))
    }

    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntitlementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long an entitlement covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cover {
    /// From its start to this instant, which it does not cover any more, whatever else covers meanwhile.
    Until(Timestamp),
    /// Banked: this many seconds, which run only while nothing of its level or above covers.
    Days {
        /// The length in seconds.
        seconds: u64,
    },
    /// From its start for ever.
    Forever,
}

/// One entitlement. It is a fact: nothing in it changes by the passing of time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entitlement {
    /// How long it covers.
    pub cover: Cover,
    /// From when: the provider's time of a payment; the claim of a gift or trial.
    pub start: Timestamp,
    /// How long the person stays admitted after the cover has run out; nothing for trials and for what an operator ends.
    pub grace: Duration,
    /// From when on it covers nothing: refunded in full, dispute lost, replaced, ended by an operator.
    pub cut_at: Option<Timestamp>,
    /// From when on an open dispute keeps it from covering; absent again once the dispute is won.
    pub suspended_at: Option<Timestamp>,
    /// The level of what was bought, from 0.
    pub level: u32,
    /// The version of the order that wrote it; absent if none did, or if an operator or a shop has ended it since: then no
    /// order has a say in it any more.
    pub order_version: Option<u64>,
}

impl Entitlement {
    /// One that covers from `start`, without grace, on level 0.
    #[must_use]
    pub const fn new(cover: Cover, start: Timestamp) -> Self {
        Self {
            cover,
            start,
            grace: Duration::ZERO,
            cut_at: None,
            suspended_at: None,
            level: 0,
            order_version: None,
        }
    }
}
