//! Whether an order may be paid, asked just before Telegram takes the Stars.

use super::super::id::TelegramUserId;
use super::super::product::Currency;
use super::super::stars;
use super::super::time::Timestamp;
use super::fold::OrderState;
use super::record::{Order, OrderBuyer};

/// Why a payment is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayRefusal {
    /// It is another person's order.
    NotYours,
    /// It can't be paid any more, or was paid.
    Over,
    /// There is none left.
    SoldOut,
    /// It costs something else.
    Changed,
}

/// A payment that somebody is about to make.
#[derive(Clone, Copy, Debug)]
pub struct AboutToPay<'a> {
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
        } else if by.currency != Currency::stars().as_str()
            || i128::from(by.amount) != self.terms.due
        {
            Err(PayRefusal::Changed)
        } else {
            Ok(())
        }
    }

    /// The order once it is this person's, if it was nobody's in Telegram before: from now on nobody else can pay it.
    #[must_use]
    pub fn bound_to(&self, person: TelegramUserId) -> Option<Self> {
        self.buyer.telegram_user_id.is_none().then(|| Self {
            buyer: OrderBuyer {
                telegram_user_id: Some(person),
                ..self.buyer.clone()
            },
            ..self.clone()
        })
    }
}
