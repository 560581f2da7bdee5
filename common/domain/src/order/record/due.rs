//! When somebody has to look at an order, and what time alone changes of it.

use std::time::Duration;

use super::super::super::time::Timestamp;
use super::super::fact::{ChargeStatus, Closing, FactBody, OrderFact};
use super::super::fold::{OrderSeat, OrderState};
use super::{Effect, Order, Reservation};

/// After how long an open order is looked up at its provider, the first times; then every [`LOOK_EVERY`].
const LOOKS: [Duration; 3] = [
    Duration::from_secs(180),
    Duration::from_secs(600),
    LOOK_EVERY,
];
/// How often an open order is looked up later on.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// How long what is pending is left to whoever wrote it.
const LEFT_TO_WRITER: Duration = Duration::from_secs(60);
/// The longest time between two tries of what is pending.
const RETRY_MAX: Duration = Duration::from_secs(3600);
/// How often it is tried to close an order whose provider does not answer.
const CLOSE_EVERY: Duration = Duration::from_secs(600);

impl Order {
    /// The fact that nobody can pay it any more.
    #[must_use]
    pub fn expired() -> OrderFact {
        closed(Closing::Expired)
    }

    /// The fact that it was given up before anybody paid it.
    #[must_use]
    pub fn cancelled() -> OrderFact {
        closed(Closing::Cancelled)
    }

    /// The fact that its time is over, with why: an operator cancelled it, or nobody paid it in time.
    #[must_use]
    pub fn ending(&self) -> OrderFact {
        match &self.cancelled_by {
            Some(_) => Self::cancelled(),
            None => Self::expired(),
        }
    }

    /// An order of which something is pending is due before this time has passed since it was written.
    pub const DUE_WITHIN: Duration = RETRY_MAX;

    /// Since when a transaction of it waits to be booked.
    #[must_use]
    pub fn unbooked_since(&self) -> Option<Timestamp> {
        let pending = self.pending.iter();
        let decided = pending.filter_map(|effect| match effect {
            Effect::Transaction { at, .. } => Some(*at),
            _ => None,
        });
        decided.min()
    }

    /// How many payments of it came.
    #[must_use]
    pub fn paid(&self) -> usize {
        let charges = self.facts.iter().filter(|fact| match &fact.body {
            FactBody::Charge(charge) => charge.status == ChargeStatus::Paid,
            _ => false,
        });
        charges.count()
    }

    /// Whether its time to be paid was ended: what comes later still counts.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let mut facts = self.facts.iter();
        facts.any(|fact| matches!(fact.body, FactBody::Closed(_)))
    }

    /// Whether it is to be said that nobody can pay it any more, once its time is over. Of one that an operator cancelled the
    /// provider may have said that it expired.
    #[must_use]
    pub fn lacks_ending(&self) -> bool {
        let is_cancelled = self.cancelled_by.is_some() && self.state == OrderState::Expired;
        is_cancelled || (self.is_payable() && !self.is_closed())
    }

    /// Whether nothing was sold, and nothing is going to be: too little that came was given back, too.
    pub(super) fn is_unsold(&self) -> bool {
        match self.state {
            OrderState::Expired | OrderState::Cancelled | OrderState::Refused => true,
            OrderState::Refunded => self.seat == OrderSeat::None,
            _ => false,
        }
    }

    /// What of its reservations is given back: all if nothing was sold, and its seat alone once that is over, since a coupon stays
    /// used.
    pub fn released(&self) -> impl Iterator<Item = &Reservation> {
        let is_unsold = self.is_unsold();
        let reservations = self.sold.reservations.iter();
        reservations.filter(move |of| is_unsold || of.is_firm)
    }

    /// The order after it was looked at, and nothing new is known. A seat whose time is over is for sale again.
    #[must_use]
    pub fn looked(&self, now: Timestamp) -> Self {
        let mut next = Self {
            looks: self.looks.saturating_add(1),
            ..self.clone()
        };
        if next.seat_ends_at().is_some_and(|end| end <= now) {
            next.is_holding = false;
            next.pend(Effect::Release);
        }
        next.due_at = next.next_due(now);
        next
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let retry = (!self.pending.is_empty()).then(|| {
            let doubled = LEFT_TO_WRITER.saturating_mul(1 << self.tries.min(6));
            now.plus(doubled.min(RETRY_MAX))
        });
        let end = self.seat_ends_at().map(|end| end.max(now));
        let look = self.next_look(now);
        retry.into_iter().chain(look).chain(end).min()
    }

    /// When it is looked up at its provider whether money came.
    fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        match (self.state, self.is_closed()) {
            // A slow payment that was begun in time.
            (OrderState::Pending, true) => Some(now.plus(LOOK_EVERY)),
            (OrderState::Open | OrderState::Pending | OrderState::Underpaid, false) => {
                let looks = usize::try_from(self.looks).unwrap_or(usize::MAX);
                let next = match LOOKS.get(looks) {
                    Some(after) => self.created_at.plus(*after).max(now),
                    None => now.plus(LOOK_EVERY),
                };
                // Once its time is over, it is closed; its provider may not answer just then.
                Some(match (now < self.pay_until, self.looks) {
                    (true, _) => next.min(self.pay_until),
                    // Nobody has tried yet.
                    (false, 0) => now,
                    (false, _) => now.plus(CLOSE_EVERY),
                })
            }
            _ => self.renewal_look(now),
        }
    }

    /// When an order that was paid once, of a tier with few seats, has had its time.
    fn seat_ends_at(&self) -> Option<Timestamp> {
        let has_seat = self.is_holding && self.sold.reservations.iter().any(|of| of.is_firm);
        let entitlement = self
            .entitlement
            .filter(|_| has_seat && !self.terms.recurring);
        entitlement?.ends_at()
    }
}

fn closed(closing: Closing) -> OrderFact {
    OrderFact::new(closing.as_str(), FactBody::Closed(closing))
}
