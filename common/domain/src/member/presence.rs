//! Presence: where Telegram says that a person is.
//!
//! `By hand` means that a person who administers the chat did it, not a bot of ours.

use std::time::Duration;

use super::super::time::Timestamp;
use super::fold::Right;

/// How far the end of a ban may lie from a call of ours for the ban to be that of the call: Telegram's server bans for 60 s
/// when `unbanChatMember` takes a member out, and lifts that ban by itself.
const OWN_BAN: Duration = Duration::from_secs(90);

/// Where a person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresenceState {
    /// Outside, and free to come in.
    Out,
    /// Inside, as a member.
    In,
    /// Outside, banned by hand.
    Banned,
    /// Inside, and not to be removed: an administrator, the owner, a bot, or a member whom Telegram itself lets go at an
    /// `until_date`.
    Exempt,
}

impl PresenceState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Out, Self::In, Self::Banned, Self::Exempt];

    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "OUT",
            Self::In => "IN",
            Self::Banned => "BANNED",
            Self::Exempt => "EXEMPT",
        }
    }
}

/// What an update or a look at the membership says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceEvent {
    /// The person came in by a link of ours, or a request that we approved.
    JoinedByOurDoor,
    /// An administrator added the person, or approved their request.
    PutInByHand,
    /// The person left.
    Left,
    /// A bot of ours took the person out.
    RemovedByOurCall,
    /// An administrator banned the person.
    BannedByHand,
    /// An administrator lifted a ban.
    UnbannedByHand,
    /// The person became an administrator.
    Promoted,
    /// The person is an administrator no more, and stays inside.
    Demoted,
    /// `getChatMember` was asked.
    Look(LookFinding),
}

/// What a look at the membership finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookFinding {
    /// A member, restricted or not.
    In,
    /// Nobody: `left`, or `restricted` and outside.
    Out,
    /// An administrator or the owner, or a member with an `until_date` that has not come.
    Exempt,
    /// Status `kicked`.
    Kicked {
        /// When the ban ends; absent if never.
        until: Option<Timestamp>,
    },
}

impl PresenceEvent {
    /// The words in a seat's history.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JoinedByOurDoor => "joined by our door",
            Self::PutInByHand => "put in by hand",
            Self::Left => "left",
            Self::RemovedByOurCall => "removed by our call",
            Self::BannedByHand => "banned by hand",
            Self::UnbannedByHand => "unbanned by hand",
            Self::Promoted => "promoted",
            Self::Demoted => "demoted",
            Self::Look(LookFinding::In) => "a look found: inside",
            Self::Look(LookFinding::Out) => "a look found: outside",
            Self::Look(LookFinding::Exempt) => "a look found: exempt",
            Self::Look(LookFinding::Kicked { .. }) => "a look found: kicked",
        }
    }
}

/// What is known beside the presence, when an event of it comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresenceContext {
    /// The right at that moment.
    pub(super) right: Right,
    /// Whether the person is outside by a call of ours.
    pub(super) is_removed: bool,
    /// From when to when a call of ours may have been made.
    pub(super) call: Option<(Timestamp, Timestamp)>,
}

impl PresenceContext {
    /// Whether a ban that ends then is that of a call of ours.
    fn is_own_ban(&self, until: Option<Timestamp>) -> bool {
        let (Some(until), Some((first, last))) = (until, self.call) else {
            return false;
        };
        first.minus(OWN_BAN) <= until && until <= last.plus(OWN_BAN)
    }
}

/// What an event makes of a presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PresenceStep {
    /// The new state.
    pub(super) state: PresenceState,
    /// Whether the person became a guest by it.
    pub(super) is_guest: bool,
    /// Whether a call of ours lifted a ban by hand.
    pub(super) lifted_ban: bool,
}

/// What `event` makes of `state`: the table of the machine, cell by cell.
pub(super) fn step(
    state: PresenceState,
    event: PresenceEvent,
    context: PresenceContext,
) -> PresenceStep {
    use PresenceState::{Banned, Exempt, In, Out};
    let not_admitted = !context.right.is_admitted();
    let unknown = context.right == Right::None;
    let to = |state| PresenceStep {
        state,
        is_guest: false,
        lifted_ban: false,
    };
    let inside = |is_guest| PresenceStep { is_guest, ..to(In) };
    match (event, state) {
        // Telegram refuses who is banned, so the word contradicts itself; a look tells.
        (PresenceEvent::JoinedByOurDoor, Banned) => to(Banned),
        // A person whose right has ended since is not a guest: the clock takes the seat back.
        (PresenceEvent::JoinedByOurDoor, Out) => inside(unknown),
        (PresenceEvent::JoinedByOurDoor | PresenceEvent::PutInByHand, In | Exempt) => to(state),
        (PresenceEvent::PutInByHand, Out | Banned) => inside(not_admitted),
        (PresenceEvent::Left, Out | In | Exempt) => to(Out),
        (PresenceEvent::Left, Banned) => to(Banned),
        (PresenceEvent::RemovedByOurCall, Out | In) => to(Out),
        // The call has lifted the ban. It is put back, and the seat says what is meant.
        (PresenceEvent::RemovedByOurCall, Banned) => PresenceStep {
            lifted_ban: true,
            ..to(Banned)
        },
        // Telegram refuses to remove an administrator.
        (PresenceEvent::RemovedByOurCall, Exempt) => to(Exempt),
        (PresenceEvent::BannedByHand, _) => to(Banned),
        (PresenceEvent::UnbannedByHand, Banned) => to(Out),
        (PresenceEvent::UnbannedByHand, Out | In | Exempt) => to(state),
        (PresenceEvent::Promoted, _) => to(Exempt),
        (PresenceEvent::Demoted, Out | In | Banned) => to(state),
        (PresenceEvent::Demoted, Exempt) => inside(not_admitted),
        (PresenceEvent::Look(LookFinding::In), In) => to(In),
        // Somebody let in again whom we removed, or somebody whom we never knew.
        (PresenceEvent::Look(LookFinding::In), Out) => {
            inside(unknown || (not_admitted && context.is_removed))
        }
        (PresenceEvent::Look(LookFinding::In), Banned | Exempt) => inside(not_admitted),
        (PresenceEvent::Look(LookFinding::Out), _) => to(Out),
        (PresenceEvent::Look(LookFinding::Exempt), _) => to(Exempt),
        (PresenceEvent::Look(LookFinding::Kicked { until }), _) => {
            to(if context.is_own_ban(until) {
                Out
            } else {
                Banned
            })
        }
    }
}
