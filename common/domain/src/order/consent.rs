//! Whether an order may be paid, asked just before Telegram takes the Stars.

use std::time::Duration;

use super::super::id::TelegramUserId;
use super::super::product::Currency;
use super::super::stars;
use super::super::time::Timestamp;
use super::fold::OrderState;
use super::record::{Consent, Order, OrderBuyer};

/// How long a payment that was taken may need until we hear that it was made.
const UNDER_WAY: Duration = Duration::from_secs(5 * 60);
/// How soon a payment that was consented to is looked for.
const LOOKED_FOR: Duration = Duration::from_secs(2 * 60);

/// Why a payment is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayRefusal {
    /// It is another person's order.
    NotYours,
    /// It can't be paid any more, or was paid.
    Over,
    /// Another payment of it was taken a moment ago.
    UnderWay,
    /// There is none left.
    SoldOut,
    /// It costs something else.
    Changed,
}

/// A payment that somebody is about to make.
#[derive(Clone, Copy, Debug)]
pub struct AboutToPay<'a> {
    /// The id of Telegram's query, which is the same when it is told again.
    pub query: &'a str,
    /// Who.
    pub person: TelegramUserId,
    /// The currency.
    pub currency: &'a str,
    /// How much.
    pub amount: i64,
}

impl Order {
    /// Whether a payment of Stars may be made at `now`; whether the payer has the same already is another question.
    ///
    /// # Errors
    /// Why not.
    pub fn may_be_paid(&self, by: AboutToPay<'_>, now: Timestamp) -> Result<(), PayRefusal> {
        let payer = self.buyer.telegram_user_id;
        let is_gone = !self.is_holding && !self.sold.reservations.is_empty();
        if self.terms.provider != stars::PROVIDER {
            Err(PayRefusal::Over)
        } else if payer.is_some_and(|payer| payer != by.person) {
            Err(PayRefusal::NotYours)
        } else if self.state == OrderState::Refused {
            Err(PayRefusal::SoldOut)
        } else if !self.is_payable() || self.is_closed() || now >= self.pay_until {
            Err(PayRefusal::Over)
        } else if is_gone {
            Err(PayRefusal::SoldOut)
        } else if self.is_being_paid(by, now) {
            Err(PayRefusal::UnderWay)
        } else if by.currency != Currency::stars().as_str()
            || i128::from(by.amount) != self.terms.due
        {
            Err(PayRefusal::Changed)
        } else {
            Ok(())
        }
    }

    /// The order once a payment of this person's is consented to: from now on it is theirs, and no other payment is taken for
    /// five minutes. It is looked for soon: whose update is lost is known before another payment is taken. Nothing if this very
    /// one was consented to before.
    #[must_use]
    pub fn consented(&self, by: AboutToPay<'_>, now: Timestamp) -> Option<Self> {
        let is_known = self.consent.as_ref().is_some_and(|of| of.query == by.query);
        let consent = Consent {
            query: by.query.to_owned(),
            at: now,
        };
        let soon = now.plus(LOOKED_FOR);
        (!is_known).then(|| Self {
            buyer: OrderBuyer {
                telegram_user_id: Some(by.person),
                ..self.buyer.clone()
            },
            consent: Some(consent),
            due_at: Some(self.due_at.map_or(soon, |due| due.min(soon))),
            ..self.clone()
        })
    }

    /// Whether another payment was taken a moment ago: an invoice may be open on two devices, and each payment of one for a
    /// subscription begins a subscription.
    fn is_being_paid(&self, by: AboutToPay<'_>, now: Timestamp) -> bool {
        let other = self.consent.as_ref().filter(|of| of.query != by.query);
        other.is_some_and(|of| now < of.at.plus(UNDER_WAY))
    }
}
