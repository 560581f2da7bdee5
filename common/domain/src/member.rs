//! The seat: one person in one chat, as the product of three small machines, *right x presence x removal*.
//!
//! - The **right** is a [`fold`](fold::fold) of entitlements, which are facts about money. Time alone moves it.
//! - The **presence** is Telegram's word ([`presence`]). Only a newer date counts.
//! - The **removal** is what we are about to do ([`removal`]). Nothing else takes a person out of a chat.
//!
//! No event of one machine changes another, but for what [`decide`](decide::decide) writes down. It is the one place that
//! changes a seat; all who write commit what it answers under the version that it was given.

pub mod command;
pub mod decide;
pub mod effect;
pub mod entitlement;
pub mod fold;
pub mod presence;
pub mod removal;
mod tasks;

use std::time::Duration;

use super::id::{ChatId, RequestId, TelegramUserId};
use super::time::Timestamp;
use entitlement::Cover;
use fold::{Entitlements, Floor, Right, Standing};
use presence::PresenceState;
use removal::Removal;

/// How many entries a seat's history keeps, the newest.
pub const SEAT_HISTORY_MAX: usize = 20;
/// How many entitlements of a seat may be live at once.
pub const LIVE_ENTITLEMENTS_MAX: usize = 40;
/// How long an entitlement that is over is kept.
pub const OVER_KEPT: Duration = Duration::from_secs(400 * 24 * 3600);
/// How long a seat without entitlements is kept after its last write.
pub const UNENTITLED_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// What is known of one person in one chat.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The person.
    pub person: TelegramUserId,
    /// The chat, by its canonical id.
    pub chat: ChatId,
    /// What was granted.
    pub entitlements: Entitlements,
    /// What stands for the entitlements that were dropped.
    pub floor: Option<Floor>,
    /// Where Telegram says that the person is.
    pub presence: PresenceState,
    /// The date of Telegram's newest word on it.
    pub presence_at: Option<Timestamp>,
    /// Whether the person is inside without a right because a person wants it so.
    pub guest: bool,
    /// Since when the person waits at the door, by a join request that nobody answered.
    pub requested_at: Option<Timestamp>,
    /// What we are about to do.
    pub removal: Option<Removal>,
    /// When a call of ours took the person out; absent once they are seen inside again.
    pub removed_at: Option<Timestamp>,
    /// When the last right of the person moved to another account; absent once they are admitted again.
    pub moved_at: Option<Timestamp>,
    /// When the person was last given a way in; absent once they are seen inside.
    pub offered_at: Option<Timestamp>,
    /// Since when operators have to decide: the person is admitted and banned by hand.
    pub review: Option<Timestamp>,
    /// The date of the last word of Telegram's that was taken, news or not.
    pub checked_at: Option<Timestamp>,
    /// How often the seat was written; a write asks for the one that it read.
    pub version: u64,
    /// What happened to it, the newest [`SEAT_HISTORY_MAX`], the oldest first.
    pub history: Vec<SeatEntry>,
    /// The right at the last write. For reading only, as the next two: a decision folds anew.
    pub right: Right,
    /// The end of the unbroken cover at the last write.
    pub until: Option<Timestamp>,
    /// The end of the grace that held at the last write.
    pub grace_until: Option<Timestamp>,
}

/// One line of a seat's history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeatEntry {
    /// When it was decided.
    pub at: Timestamp,
    /// What happened, for a person who reads it.
    pub what: String,
}

impl Seat {
    /// A seat of which nothing is known yet. It was never written: its version is 0.
    #[must_use]
    pub const fn new(person: TelegramUserId, chat: ChatId) -> Self {
        Self {
            person,
            chat,
            entitlements: Entitlements::new(),
            floor: None,
            presence: PresenceState::Out,
            presence_at: None,
            guest: false,
            requested_at: None,
            removal: None,
            removed_at: None,
            moved_at: None,
            offered_at: None,
            review: None,
            checked_at: None,
            version: 0,
            history: Vec::new(),
            right: Right::None,
            until: None,
            grace_until: None,
        }
    }

    /// What its entitlements add up to at `now`.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        fold::fold(&self.entitlements, self.floor.as_ref(), now)
    }

    /// Whether the door opens at `now`.
    #[must_use]
    pub fn is_admitted(&self, now: Timestamp) -> bool {
        self.standing(now).right.is_admitted()
    }

    /// The requests that give it a right for ever, each with its start, the oldest first.
    #[must_use]
    pub fn requests_for_ever(&self) -> Vec<(Timestamp, RequestId)> {
        self.requests_of(|cover| *cover == Cover::Forever)
    }

    /// The requests behind its rights that were not taken away, for ever or for a time, each with its start, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<(Timestamp, RequestId)> {
        self.requests_of(|_| true)
    }

    fn requests_of(&self, is_meant: fn(&Cover) -> bool) -> Vec<(Timestamp, RequestId)> {
        let live = self.entitlements.iter().filter(|(_, one)| {
            is_meant(&one.cover) && one.cut_at.is_none() && one.suspended_at.is_none()
        });
        let live = live.filter_map(|(id, one)| Some((one.start, id.request()?)));
        let mut requests: Vec<(Timestamp, RequestId)> = live.collect();
        requests.sort_unstable();
        requests
    }

    /// When the record may go, if it is written at `now`: never while it has an entitlement.
    #[must_use]
    pub fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.entitlements
            .is_empty()
            .then(|| now.plus(UNENTITLED_KEPT))
    }
}
