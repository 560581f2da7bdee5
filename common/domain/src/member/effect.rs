//! What follows from a change of a seat, once each.

use super::super::time::Timestamp;
use super::Seat;
use super::entitlement::EntitlementId;
use super::removal::RemovalRow;

/// What the writer of a seat has to do beside the write, in one transaction with it or by ids that make a repeat
/// harmless: [`SeatEffect::key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatEffect {
    /// The person is admitted and outside: give them a working way in.
    WayIn {
        /// How it is said.
        tone: WayInTone,
        /// The entitlement that admits them.
        charge: Option<EntitlementId>,
    },
    /// Approve the join request of the person, who waits at the door.
    Approve {
        /// The date of the request.
        requested_at: Timestamp,
    },
    /// Tell the person at the door how to claim or buy, and decline after the hold.
    HowToClaim {
        /// The date of the request.
        requested_at: Timestamp,
    },
    /// Tell the person at the door that support decides: they are banned by hand.
    AskSupport {
        /// The date of the request.
        requested_at: Timestamp,
    },
    /// Tell the person that grace has begun, with its end and a button to renew.
    GraceBegins {
        /// Its end.
        until: Timestamp,
        /// The entitlement that ran out.
        charge: Option<EntitlementId>,
    },
    /// Tell the person, whom we removed, how to come back.
    HowToReturn,
    /// Ask operators: the person is admitted and banned by hand. Unban, or refund.
    Review,
    /// Ban the person again: a call of ours has lifted a ban by hand.
    BanAgain,
    /// Look at the membership: the removal that was claimed then may have been done.
    LookAtCall {
        /// The claim.
        claimed_at: Timestamp,
    },
    /// Look whether the person is inside after all: their last right moved to another account, and as far as we know they are
    /// outside.
    LookIfInside {
        /// When it moved.
        moved_at: Timestamp,
    },
    /// Write the row of a removal.
    Row {
        /// When the removal was planned, by which the row is found.
        planned_at: Timestamp,
        /// What the row says from now on.
        row: RemovalRow,
    },
    /// Tell those who listen.
    Event(SeatEvent),
}

/// How a way in is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayInTone {
    /// As it is.
    Plain,
    /// With an apology: a call of ours took the person out although they were admitted, or an operator took it back.
    Apology,
}

/// An event of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatEvent {
    /// Grace has begun.
    Grace,
    /// The right has ended.
    Ended,
    /// A call of ours took the person out.
    Removed,
    /// A right that was over, in grace or suspended covers again.
    Restored,
}

impl SeatEvent {
    /// The name of the event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grace => "seat.grace",
            Self::Ended => "seat.ended",
            Self::Removed => "seat.removed",
            Self::Restored => "seat.restored",
        }
    }
}

impl SeatEffect {
    /// What a repeat of this effect has in common with it, and no other effect: seat, charge or date, and kind.
    ///
    /// `seat` is the seat as the same change left it.
    #[must_use]
    pub fn key(&self, seat: &Seat) -> String {
        let (chat, person) = (seat.chat, seat.person);
        let charge = |charge: &Option<EntitlementId>| {
            charge
                .as_ref()
                .map_or_else(String::new, ToString::to_string)
        };
        let ms = |at: Option<Timestamp>| at.map_or(0, Timestamp::ms);
        let (kind, cause) = match self {
            // Once per leave, and once per charge.
            Self::WayIn { charge: id, .. } => {
                ("way_in", format!("{}@{}", charge(id), ms(seat.presence_at)))
            }
            Self::Approve { requested_at } => ("approve", requested_at.ms().to_string()),
            Self::HowToClaim { requested_at } => ("how_to_claim", requested_at.ms().to_string()),
            Self::AskSupport { requested_at } => ("ask_support", requested_at.ms().to_string()),
            Self::GraceBegins { until, charge: id } => {
                ("grace", format!("{}@{}", charge(id), until.ms()))
            }
            Self::HowToReturn => ("how_to_return", ms(seat.removed_at).to_string()),
            Self::Review => ("review", ms(seat.review).to_string()),
            Self::BanAgain => ("ban_again", ms(seat.presence_at).to_string()),
            Self::LookAtCall { claimed_at } => ("look_at_call", claimed_at.ms().to_string()),
            Self::LookIfInside { moved_at } => ("look_if_inside", moved_at.ms().to_string()),
            Self::Row { planned_at, .. } => ("row", planned_at.ms().to_string()),
            Self::Event(event) => (event.as_str(), seat.version.to_string()),
        };
        format!("{chat}#{person}#{cause}#{kind}")
    }
}
