//! What a buyer has already, and what else they have ordered.

use std::time::Duration;

use super::super::super::id::{ChatId, IdentitySource, RequestId, TelegramUserId};
use super::super::super::time::Timestamp;
use super::super::super::{stars, stripe};
use super::super::fold::OrderState;
use super::{Checkout, Order};

/// How long after its end a subscription in Stars may still be renewed.
const RENEWAL_GRACE: Duration = Duration::from_secs(3 * 24 * 3600);
/// How long after the end of a period Stripe may take to make an invoice of the next one, and to be paid.
const INVOICED_WITHIN: Duration = Duration::from_secs(2 * 3600);
/// How long Stripe goes on trying a card.
const TRIED_FOR: Duration = Duration::from_secs(15 * 24 * 3600);
/// How often it is looked for a renewal by then.
const RENEWAL_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How much time is left at least of an order that is offered once more.
const TIME_TO_PAY: Duration = Duration::from_secs(600);

impl Order {
    /// Its request in one of its chats.
    #[must_use]
    pub fn request_in(&self, chat: ChatId) -> RequestId {
        RequestId::derive(chat, IdentitySource::Transaction(&self.id.to_string()))
    }

    /// The person for whom its ways in are made: its buyer, if they are known in Telegram; of a gift nobody.
    #[must_use]
    pub fn person(&self) -> Option<TelegramUserId> {
        self.buyer.telegram_user_id.filter(|_| !self.terms.gift)
    }

    /// Whether it sells the same tier of the same product as another one.
    #[must_use]
    pub fn sells_same(&self, other: &Self) -> bool {
        self.mode == other.mode
            && (&self.sold.product_id, &self.sold.tier_id)
                == (&other.sold.product_id, &other.sold.tier_id)
    }

    /// Whether its buyer would have to be asked whether they want the same twice: it is of a kind that is had for good, or that
    /// renews, and is for themselves.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        !self.terms.gift && (self.terms.recurring || self.terms.seconds.is_none())
    }

    /// Whether its buyer has what it sold at `now`, for good or as long as they pay.
    #[must_use]
    pub fn is_owned(&self, now: Timestamp) -> bool {
        let gives = self.entitlement.is_some_and(|of| of.cut_at.is_none());
        let renews = self.renews() && !self.has_lapsed(now);
        self.is_lasting() && gives && (!self.terms.recurring || renews)
    }

    /// Whether a subscription in Stars was not renewed: Telegram does not tell when a person ends it.
    fn has_lapsed(&self, now: Timestamp) -> bool {
        let end = self.entitlement.and_then(|of| of.ends_at());
        self.terms.provider == stars::PROVIDER
            && end.is_some_and(|end| now >= end.plus(RENEWAL_GRACE))
    }

    /// When it is looked for a renewal that nobody told of: once what is paid is over and the next payment was due, and daily for a
    /// while.
    pub(super) fn renewal_look(&self, now: Timestamp) -> Option<Timestamp> {
        let (late, given_up) = match self.terms.provider.as_str() {
            stars::PROVIDER => (Duration::ZERO, RENEWAL_GRACE),
            stripe::PROVIDER => (INVOICED_WITHIN, TRIED_FOR),
            _ => return None,
        };
        let entitlement = self.entitlement.filter(|of| of.cut_at.is_none())?;
        let end = entitlement.ends_at()?;
        if !self.terms.recurring || !self.renews() || now >= end.plus(given_up) {
            return None;
        }
        let due = end.plus(late);
        Some(if now < due {
            due
        } else {
            now.plus(RENEWAL_EVERY)
        })
    }

    /// Whether it waits for its money at `now`.
    #[must_use]
    pub fn is_open_at(&self, now: Timestamp) -> bool {
        self.is_payable() && !self.is_closed() && now < self.pay_until
    }

    /// Whether a buyer who orders `wanted` can as well pay this one: the same for the same price at the same provider.
    #[must_use]
    pub fn stands_for(&self, wanted: &Self, now: Timestamp) -> bool {
        let is_at_provider = !matches!(self.checkout, Checkout::Free);
        let of = |order: &Self| {
            let terms = &order.terms;
            let price = (terms.due, terms.price, terms.recurring, terms.gift);
            (price, terms.provider.clone(), terms.currency.clone())
        };
        is_at_provider
            && self.is_open_at(now.plus(TIME_TO_PAY))
            && self.sells_same(wanted)
            && self.buyer == wanted.buyer
            && of(self) == of(wanted)
            && self.sold.coupon == wanted.sold.coupon
            && self.sold.reservations == wanted.sold.reservations
    }

    /// What of its price counts towards what a buyer may pay: all, unless nothing came of it or it went back.
    #[must_use]
    pub fn counts_at(&self, now: Timestamp) -> bool {
        match self.state {
            OrderState::Paid
            | OrderState::PartlyRefunded
            | OrderState::Disputed
            | OrderState::Underpaid
            | OrderState::Pending => true,
            OrderState::Open => self.is_open_at(now),
            OrderState::Lost
            | OrderState::Refunded
            | OrderState::Refused
            | OrderState::Cancelled
            | OrderState::Expired => false,
        }
    }
}
