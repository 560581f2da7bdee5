//! A payment of a seed, and what its buyer does.

use std::time::Duration;

/// A payment and who made it.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) at: Duration,
    pub(crate) number: usize,
    pub(crate) chat: usize,
    /// Whether it has a transaction; if not, whether it has an `Idempotency-Key`.
    pub(crate) transaction: bool,
    pub(crate) key: bool,
    /// Calls at the same instant.
    pub(crate) at_once: usize,
    /// Further calls, each so long after the one before.
    pub(crate) repeats: Vec<Duration>,
    /// When another user reports the same transaction.
    pub(crate) conflict: Option<Duration>,
    /// How long after the link came it is tapped; never, if there is none.
    pub(crate) taps_after: Option<Duration>,
    /// Strangers who tap at the same time.
    pub(crate) strangers: u8,
    /// How long after joining the customer leaves, to come back.
    pub(crate) leaves_after: Option<Duration>,
    /// When the customer asks for the status.
    pub(crate) asks_after: Vec<Duration>,
    /// What is done with its claim link, instead of all that is done with the link of the letter.
    pub(crate) claim: Option<ClaimPlan>,
    /// What the customer writes to the bot, each so long after the one before.
    pub(crate) words: Vec<Duration>,
}

/// Who has a seat moved to another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mover {
    Shop,
    Operator,
    /// By the button of the bot.
    Holder,
}

/// When a shop voids a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voided {
    BeforeClaim,
    AfterClaim,
}

/// What is done with a claim link.
#[derive(Clone, Debug)]
pub(crate) struct ClaimPlan {
    /// How long after the link came it is tapped; never, if there is none.
    pub(crate) taps_after: Option<Duration>,
    /// How often its buyer taps it at once.
    pub(crate) taps: usize,
    /// Somebody else has the link and taps it at the same time.
    pub(crate) has_rival: bool,
    /// The buyer asks at the door before the claim.
    pub(crate) asks_first: bool,
    /// A stranger comes with both links when the seat is somebody's.
    pub(crate) has_stranger: bool,
    /// The buyer blocks the bot at once, for so long.
    pub(crate) blocks_for: Option<Duration>,
    /// How long after coming in the holder leaves, to come back.
    pub(crate) leaves_after: Option<Duration>,
    pub(crate) moved_by: Option<Mover>,
    pub(crate) voided: Option<Voided>,
}
