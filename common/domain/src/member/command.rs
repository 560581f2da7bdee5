//! What is done to a seat, and what comes of it.

use std::time::Duration;

use super::super::id::RequestId;
use super::super::time::Timestamp;
use super::Seat;
use super::effect::SeatEffect;
use super::entitlement::{Entitlement, EntitlementId};
use super::presence::PresenceEvent;
use super::removal::{RemovalOutcome, RemovalRules};

/// What is to be done to a seat.
#[derive(Clone, Debug)]
pub enum SeatCommand {
    /// Bind a request without an order: the same request again changes nothing, even if it was closed since.
    Bind {
        /// The request.
        request: RequestId,
        /// What it grants.
        entitlement: Entitlement,
    },
    /// Write an entitlement without an order, in the place of one of the same id.
    Write {
        /// Its id.
        id: EntitlementId,
        /// What it grants from now on.
        entitlement: Entitlement,
    },
    /// What the order of a request grants by now, under the order's version: an older one never takes the place of a newer,
    /// and what an operator or a shop ended stays so.
    Order {
        /// The request.
        request: RequestId,
        /// What the order grants.
        entitlement: Entitlement,
    },
    /// Close an entitlement: it covers nothing from `at` on. One that was cut earlier stays so.
    Close {
        /// Its id.
        id: EntitlementId,
        /// From when on.
        at: Timestamp,
    },
    /// An entitlement moves to another account: it is closed here, and if the person has no other right, they are taken out
    /// of the chat, now or as soon as they are seen inside. A seat without it stays as it is.
    MoveAway {
        /// Its id.
        id: EntitlementId,
        /// From when on.
        at: Timestamp,
    },
    /// Telegram's word on the person's presence.
    Presence {
        /// What it says.
        event: PresenceEvent,
        /// Its date: of the update, or of the look.
        date: Timestamp,
    },
    /// The person asks at the door, by a join request.
    AskAtDoor {
        /// By which link.
        path: DoorPath,
        /// The date of the request.
        date: Timestamp,
    },
    /// The join request of that date is declined, withdrawn, or unknown to Telegram.
    LeaveDoor {
        /// The date of the request.
        date: Timestamp,
    },
    /// Time has passed: plan a removal that is due, and notice what the right has become.
    Tick {
        /// The settings.
        rules: RemovalRules,
    },
    /// The dispatcher claims the planned removal; it calls Telegram only if the answer is CALLING, and only within
    /// [`REMOVAL_LEASE`](super::removal::REMOVAL_LEASE).
    ClaimRemoval {
        /// The settings.
        rules: RemovalRules,
        /// The guard that fails, for operators; absent if all hold.
        failed_guard: Option<String>,
    },
    /// The dispatcher reports its call.
    RemovalCalled {
        /// Which claim it was.
        claimed_at: Timestamp,
        /// What it learnt.
        outcome: RemovalOutcome,
        /// The date of Telegram's answer.
        date: Timestamp,
    },
    /// An operator dismisses a guest.
    DismissGuest,
    /// An operator takes a removal back that was done: its row is DONE, which the writer asks for in the same transaction.
    UndoRemoval {
        /// When the removal was planned.
        planned_at: Timestamp,
        /// `UNDO_DAYS`: for how long the person is entitled while the facts are mended.
        courtesy: Duration,
    },
}

/// By which way a person asks to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorPath {
    /// By our request link.
    OwnLink,
    /// Any other: the link of another administrator, or a public chat.
    Other,
}

/// What a command comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatChange {
    /// The seat as it is to be written. If its version is the one that was given, there is nothing to write.
    pub seat: Seat,
    /// What follows.
    pub effects: Vec<SeatEffect>,
}

/// Why a command is refused; nothing is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatRejection {
    /// The seat has [`LIVE_ENTITLEMENTS_MAX`](super::LIVE_ENTITLEMENTS_MAX) live entitlements.
    TooManyEntitlements,
    /// The seat has no such entitlement.
    UnknownEntitlement,
    /// An operator ended the entitlement, which was to move.
    EntitlementEnded,
    /// No removal is planned.
    NoRemoval,
    /// A removal is claimed and may be under way.
    RemovalClaimed,
    /// A claim has run out: look at the membership first.
    LookFirst,
    /// A removal is planned: there is none to take back.
    RemovalPlanned,
    /// The person is not a guest.
    NotAGuest,
}

impl SeatRejection {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::TooManyEntitlements,
        Self::UnknownEntitlement,
        Self::EntitlementEnded,
        Self::NoRemoval,
        Self::RemovalClaimed,
        Self::LookFirst,
        Self::RemovalPlanned,
        Self::NotAGuest,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooManyEntitlements => "too_many_entitlements",
            Self::UnknownEntitlement => "unknown_entitlement",
            Self::EntitlementEnded => "entitlement_ended",
            Self::NoRemoval => "no_removal",
            Self::RemovalClaimed => "removal_claimed",
            Self::LookFirst => "look_first",
            Self::RemovalPlanned => "removal_planned",
            Self::NotAGuest => "not_a_guest",
        }
    }
}
