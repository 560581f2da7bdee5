//! The flows of the crash matrix, one operation of the product each.

use std::str::FromStr;

use anyhow::Context as _;
use local::resources::HOOKS;

use super::payment::Payment;
use crate::invariants::Allowed;
use crate::wire::WireCall;
use crate::world::Plan;

/// The operators' chat.
pub(super) const DESK: i64 = -1_003_000_000_000;
const DESK_ID: &str = "-1003000000000";

/// A flow of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained by its script")]
pub enum Flow {
    Request,
    RequestInWindow,
    RequestByKey,
    Copies,
    TwoUsers,
    Mint,
    MintLimited,
    MintTimedOut,
    MintNotSingleUse,
    GivenUp,
    Concurrent,
    Poison,
    TwoBots,
    Moved,
    ChatBroken,
    Careful,
    Revoke,
    Join,
    EarlyJoin,
    Events,
    Outage,
    PoolTaken,
    PoolFilled,
    PoolTooOld,
    Reissued,
    Restored,
    Tick,
    Sweeper,
    Claim,
    ClaimBeside,
    Move,
    Relay,
    Topic,
    Endpoint,
    Actor,
    Checkout,
    Paid,
    Nowpayments,
    Stars,
    Refund,
    Payout,
}

impl Flow {
    /// All of them.
    pub const ALL: [Self; 41] = [
        Self::Request,
        Self::RequestInWindow,
        Self::RequestByKey,
        Self::Copies,
        Self::TwoUsers,
        Self::Mint,
        Self::MintLimited,
        Self::MintTimedOut,
        Self::MintNotSingleUse,
        Self::GivenUp,
        Self::Concurrent,
        Self::Poison,
        Self::TwoBots,
        Self::Moved,
        Self::ChatBroken,
        Self::Careful,
        Self::Revoke,
        Self::Join,
        Self::EarlyJoin,
        Self::Events,
        Self::Outage,
        Self::PoolTaken,
        Self::PoolFilled,
        Self::PoolTooOld,
        Self::Reissued,
        Self::Restored,
        Self::Tick,
        Self::Sweeper,
        Self::Claim,
        Self::ClaimBeside,
        Self::Move,
        Self::Relay,
        Self::Topic,
        Self::Endpoint,
        Self::Actor,
        Self::Checkout,
        Self::Paid,
        Self::Nowpayments,
        Self::Stars,
        Self::Refund,
        Self::Payout,
    ];

    /// Its part of a case's name, such as `mint` in `mint/7-after`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::RequestInWindow => "request-in-window",
            Self::RequestByKey => "request-by-key",
            Self::Copies => "copies",
            Self::TwoUsers => "two-users",
            Self::Mint => "mint",
            Self::MintLimited => "mint-limited",
            Self::MintTimedOut => "mint-timed-out",
            Self::MintNotSingleUse => "mint-not-single-use",
            Self::GivenUp => "given-up",
            Self::Concurrent => "concurrent",
            Self::Poison => "poison",
            Self::TwoBots => "two-bots",
            Self::Moved => "moved",
            Self::ChatBroken => "chat-broken",
            Self::Careful => "careful",
            Self::Revoke => "revoke",
            Self::Join => "join",
            Self::EarlyJoin => "early-join",
            Self::Events => "events",
            Self::Outage => "outage",
            Self::PoolTaken => "pool-taken",
            Self::PoolFilled => "pool-filled",
            Self::PoolTooOld => "pool-too-old",
            Self::Reissued => "reissued",
            Self::Restored => "restored",
            Self::Tick => "tick",
            Self::Sweeper => "sweeper",
            Self::Claim => "claim",
            Self::ClaimBeside => "claim-beside",
            Self::Move => "move",
            Self::Relay => "relay",
            Self::Topic => "topic",
            Self::Endpoint => "endpoint",
            Self::Actor => "actor",
            Self::Checkout => "checkout",
            Self::Paid => "paid",
            Self::Nowpayments => "nowpayments",
            Self::Stars => "stars",
            Self::Refund => "refund",
            Self::Payout => "payout",
        }
    }

    /// Whether a second fault is injected on the way back from the first, too.
    #[must_use]
    pub const fn has_second_fault(self) -> bool {
        matches!(
            self,
            Self::Mint | Self::Join | Self::PoolTaken | Self::Reissued | Self::Paid | Self::Refund
        )
    }

    /// Whether a call is one of its call sites.
    pub(super) fn covers(self, call: &WireCall) -> bool {
        let callers: &[&str] = match self {
            Self::Request | Self::RequestInWindow | Self::RequestByKey => &["request"],
            Self::Copies | Self::TwoUsers => &["request", "worker"],
            Self::Mint
            | Self::MintLimited
            | Self::MintTimedOut
            | Self::MintNotSingleUse
            | Self::GivenUp
            | Self::Concurrent
            | Self::Poison
            | Self::Moved
            | Self::ChatBroken
            | Self::Careful
            | Self::Revoke => &["worker"],
            Self::TwoBots => &["worker", "webhook"],
            Self::Join | Self::EarlyJoin => &["webhook", "worker", "events"],
            Self::Events | Self::Outage => &["events"],
            Self::PoolTaken => &["request", "events", "worker"],
            Self::PoolFilled | Self::PoolTooOld | Self::Tick => &["worker"],
            Self::Reissued => &["admin", "worker"],
            Self::Restored => &["webhook", "worker"],
            Self::Sweeper => &["sweeper"],
            Self::Claim | Self::ClaimBeside => &["request", "webhook", "worker"],
            Self::Move => &["admin", "webhook", "worker"],
            Self::Relay => &["webhook", "messenger"],
            Self::Topic => &["messenger"],
            Self::Endpoint => &["request", "worker", "webhook", "hooks"],
            Self::Actor => &["webhook", "hooks"],
            Self::Checkout => &["shop"],
            Self::Paid => &["payments", "settlement"],
            Self::Nowpayments => &["shop", "payments", "settlement"],
            Self::Stars => &["webhook", "settlement"],
            Self::Refund => &["admin", "payments", "settlement"],
            Self::Payout => &["admin"],
        };
        // The looks at all lanes are many, and change nothing.
        let is_look = matches!(self, Self::Relay | Self::Topic) && call.operation == "Query";
        // In which part of what is due an order stands is drawn with its id.
        let is_look = is_look || call.caller == "settlement" && call.operation == "Query";
        // Of those who announce something, that alone; the rest of what they do has flows of its own.
        let is_aside = self == Self::Endpoint
            && call.caller != "hooks"
            && !["Endpoints", "Deliveries", HOOKS.queue].contains(&call.target.as_str());
        let is_aside = is_aside
            || self == Self::Actor
                && call.caller == "webhook"
                && !["UpdateFeed", "Bots", "Actors", "", HOOKS.queue]
                    .contains(&call.target.as_str());
        callers.contains(&call.caller) && !is_look && !is_aside
    }

    /// Whether orders are sold in it.
    pub(super) const fn sells(self) -> bool {
        matches!(
            self,
            Self::Checkout
                | Self::Paid
                | Self::Nowpayments
                | Self::Stars
                | Self::Refund
                | Self::Payout
        )
    }

    pub(crate) fn plan(self) -> Plan {
        let env: &[(&str, &str)] = match self {
            Self::GivenUp => &[("MAX_ATTEMPTS", "2")],
            Self::PoolTaken | Self::PoolFilled => &[("LINK_POOL_TARGET", "2")],
            Self::PoolTooOld => &[
                ("LINK_POOL_TARGET", "2"),
                ("INVITE_TTL_SEC", "86400"),
                ("LINK_POOL_TTL_SEC", "86700"),
            ],
            Self::Claim | Self::Move | Self::Actor => &[
                ("CHAT_DELIVERY", "claim"),
                ("JOIN_REQUEST_HOLD_SEC", "60"),
                ("CLAIM_KEY", "verify-claim-key-0123456789abcdef-01"),
            ],
            Self::ClaimBeside => &[("CLAIM_KEY", "verify-claim-key-0123456789abcdef-01")],
            Self::Relay | Self::Topic => &[("OPERATOR_CHAT_ID", DESK_ID)],
            Self::Checkout | Self::Nowpayments | Self::Payout => &[
                ("PUBLIC_URL", "https://verify.example"),
                ("CLAIM_KEY", "verify-claim-key-0123456789abcdef-01"),
            ],
            Self::Paid | Self::Stars | Self::Refund => &[
                ("PUBLIC_URL", "https://verify.example"),
                ("CHAT_DELIVERY", "claim"),
                ("CLAIM_KEY", "verify-claim-key-0123456789abcdef-01"),
            ],
            _ => &[],
        };
        let env = env.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Plan {
            bots: if self == Self::TwoBots { 2 } else { 1 },
            sells: self.sells(),
            env: env.collect(),
            ..Plan::default()
        }
    }

    pub(super) fn allowed(self) -> Allowed {
        Allowed {
            failed: self == Self::GivenUp,
            dead_letters: if self == Self::Poison { [1, 1] } else { [0, 0] },
            ..Allowed::default()
        }
    }

    /// What the shops report in it.
    pub(crate) fn payments(self) -> Vec<Payment> {
        match self {
            Self::RequestInWindow => vec![Payment::without_transaction()],
            Self::RequestByKey => vec![Payment::by_key()],
            Self::Copies => vec![Payment::number(1); 3],
            Self::TwoUsers => {
                let (one, mut other) = (Payment::number(1), Payment::number(2));
                other.body["transactionId"] = one.body["transactionId"].clone();
                vec![one, other]
            }
            Self::Concurrent => (1..=5).map(Payment::number).collect(),
            Self::TwoBots => (1..=3).map(Payment::number).collect(),
            Self::Actor => Vec::new(),
            _ if self.sells() => Vec::new(),
            _ => vec![Payment::number(1)],
        }
    }
}

impl FromStr for Flow {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.with_context(|| format!("there is no flow `{name}`"))
    }
}
