//! Removal: the one hand that takes a seat away.
//!
//! ```text
//!            the right is over, or a guest is dismissed        claimed
//! no removal -----------------------------------------> PLANNED ------> CALLING (lease of 60 s)
//!     ^                                                  |   ^             |
//!     +---- admitted, not inside any more: SKIPPED ------+   +-- refused --+
//!     +---- done, exempt, a newer word of Telegram's ----------------------+
//! ```
//!
//! A lease that lapsed leaves CALLING only by a look: the call may have been made.

use std::time::Duration;

use super::super::time::Timestamp;
use super::fold::Right;
use super::presence::PresenceState;

/// For how long a claim holds: its call is made within it, or not at all.
pub const REMOVAL_LEASE: Duration = Duration::from_secs(60);

/// A removal that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Removal {
    /// Why.
    pub cause: RemovalCause,
    /// When it was planned: its row in `Removals` is that of this day.
    pub planned_at: Timestamp,
    /// How far it is.
    pub stage: RemovalStage,
}

/// Why a person is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemovalCause {
    /// The right has ended.
    Ended,
    /// The right is suspended by a dispute.
    Disputed,
    /// An operator dismissed a guest.
    Dismissed,
    /// The seat moved to another account.
    Moved,
}

impl RemovalCause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ended, Self::Disputed, Self::Dismissed, Self::Moved];

    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Disputed => "disputed",
            Self::Dismissed => "dismissed",
            Self::Moved => "moved",
        }
    }

    /// Whether a person ordered it by name: then no clock has to agree, but the right still decides.
    #[must_use]
    pub const fn is_ordered(self) -> bool {
        match self {
            Self::Ended | Self::Disputed => false,
            Self::Dismissed | Self::Moved => true,
        }
    }
}

/// How far a removal is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RemovalStage {
    /// It waits for the dispatcher.
    Planned {
        /// Why the dispatcher could not do it when it last tried, for operators.
        held: Option<String>,
    },
    /// The dispatcher has claimed it and may have called Telegram.
    Calling {
        /// When; it names the claim, too.
        claimed_at: Timestamp,
    },
}

impl Removal {
    /// When it was claimed, if it is.
    #[must_use]
    pub const fn claimed_at(&self) -> Option<Timestamp> {
        match self.stage {
            RemovalStage::Planned { .. } => None,
            RemovalStage::Calling { claimed_at } => Some(claimed_at),
        }
    }

    /// Whether it was claimed, and the claim has run out.
    #[must_use]
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.claimed_at()
            .is_some_and(|at| at.plus(REMOVAL_LEASE) <= now)
    }
}

/// What becomes of the seat of a person whose payment is disputed (`DISPUTE_ACTION`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeAction {
    /// It is taken away while the dispute is open.
    Remove,
    /// It stays until the dispute is lost.
    Keep,
}

/// What the settings say on removals.
#[derive(Clone, Copy, Debug)]
pub struct RemovalRules {
    /// `DISPUTE_ACTION`.
    pub dispute_action: DisputeAction,
    /// `CLOCK_SKEW_SEC`: a right has to be over for as long, so that no clock that is wrong by less ends it early.
    pub skew: Duration,
}

impl RemovalRules {
    /// Why a person with this right is to be removed, if they are.
    #[must_use]
    pub const fn cause(&self, right: Right) -> Option<RemovalCause> {
        match (right, self.dispute_action) {
            (Right::Ended, _) => Some(RemovalCause::Ended),
            (Right::Suspended, DisputeAction::Remove) => Some(RemovalCause::Disputed),
            (Right::Suspended, DisputeAction::Keep)
            | (Right::Entitled | Right::Grace | Right::None, _) => None,
        }
    }
}

/// What the dispatcher learnt of its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalOutcome {
    /// Telegram did it, or says that the person was not a member.
    Done,
    /// Telegram refuses: an administrator or the owner.
    IsExempt,
    /// Rights lost, a rate limit, refused for the chat: surely not done.
    Refused {
        /// Why, for operators.
        reason: String,
    },
    /// A time-out, or a connection that broke: it may have been done.
    Unknown,
}

/// Why a planned removal was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The person is admitted again.
    Admitted,
    /// The person is not inside as a member any more.
    NotIn(PresenceState),
    /// The person is a guest.
    Guest,
    /// The dispute is no reason any more: the setting has changed.
    DisputeKept,
    /// Telegram told of the person while the call was under way.
    NewerUpdate,
}

/// The state of a row in `Removals`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalRow {
    /// It is to be done.
    Planned {
        /// Why.
        cause: RemovalCause,
        /// Why it has to wait, if it has.
        held: Option<String>,
    },
    /// It is not done.
    Skipped(SkipReason),
    /// It is done.
    Done,
    /// It was done, and an operator took it back.
    Undone,
}
