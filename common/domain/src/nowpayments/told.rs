//! Where a payment of NOWPayments belongs, and what it says of the order.

use uuid::Uuid;

use super::super::order::fact::{
    Asset, ChargeFact, ChargeFlag, ChargeStatus, FactBody, OrderFact, RefundFact, RefundStatus,
};
use super::super::report::{Lookup, Named, OrderSeen, PaymentRef, PaymentReport, Reading, Said};
use super::amount::CoinAmount;
use super::body::IpnBody;
use super::payment::{CoinCharge, CoinPayment, CoinTerms, DepositTime, OrderPrice, Unjudged};
use super::{PROVIDER, coin};

/// The decimals of a price at NOWPayments.
const PRICE_EXPONENT: u32 = 2;
/// The field of a charge's fact that has the coin in which the payment was asked for, as it was first told. Should another
/// one come, NOWPayments may write that into the payment.
const COIN: &str = "coin";
/// The longest id or status in bytes; theirs have less than 25.
const WORD_MAX: usize = 64;

/// A payment as a notification or an answer of the API has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoinReport {
    payment: CoinPayment,
    status: String,
    /// The payment to whose address it came, once that was read.
    parent: Option<CoinPayment>,
}

impl CoinReport {
    /// Reads a payment; gives the name of the first field that is missing or isn't what it should be.
    ///
    /// # Errors
    /// That name.
    pub fn read(body: &IpnBody) -> Result<Self, &'static str> {
        let payment = CoinPayment::read(body)?;
        let is_word = |word: &str| {
            word.len() <= WORD_MAX
                && word
                    .bytes()
                    .all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        };
        let status = "payment_status";
        let word = body.scalar(status).ok_or(status)?.to_ascii_lowercase();
        let words = [
            ("payment_id", Some(&payment.payment_id)),
            ("parent_payment_id", payment.parent_payment_id.as_ref()),
            ("invoice_id", payment.invoice_id.as_ref()),
            (status, Some(&word)),
        ];
        for (name, text) in words {
            if text.is_some_and(|text| !is_word(text)) {
                return Err(name);
            }
        }
        Ok(Self {
            payment,
            status: word,
            parent: None,
        })
    }

    /// The same of the body of a notification that is stored: it was verified when it came.
    ///
    /// # Errors
    /// As [`CoinReport::read`]; `body` if it is no object.
    pub fn of_body(body: &[u8]) -> Result<Self, &'static str> {
        Self::read(&IpnBody::parse(body).ok_or("body")?)
    }

    /// With the payment to whose address it came.
    #[must_use]
    pub fn of_parent(self, parent: Self) -> Self {
        Self {
            parent: Some(parent.payment),
            ..self
        }
    }

    /// By what a notification is known, since it has no id of its own: what it says of its payment.
    #[must_use]
    pub fn event_key(&self) -> String {
        let CoinPayment {
            payment_id, paid, ..
        } = &self.payment;
        format!("{payment_id}#{}#{paid}", self.status)
    }

    /// The payment.
    #[must_use]
    pub const fn payment(&self) -> &CoinPayment {
        &self.payment
    }

    /// What the address was made for: the parent's terms; else the coin as it was first told.
    fn terms(&self, order: &OrderSeen<'_>) -> Option<CoinTerms> {
        if let Some(parent) = &self.parent {
            return Some(parent.asked.clone());
        }
        let own = |fact: &&OrderFact| {
            matches!(fact.body, FactBody::Charge(_)) && fact.key == self.payment.payment_id
        };
        let first = order.facts.iter().find(own)?.further.get(COIN)?.as_str()?;
        Some(CoinTerms {
            coin: first.to_owned(),
            amount: self.payment.asked.amount,
        })
    }

    fn said(&self, order: &OrderSeen<'_>) -> Result<Said, &'static str> {
        let payment = &self.payment;
        let price = OrderPrice {
            currency: &order.terms.currency,
            amount: u64::try_from(order.terms.due).map_err(|_| "the price is too large")?,
            exponent: PRICE_EXPONENT,
        };
        let time = DepositTime {
            came_at: order.stored_at,
            order_expires_at: order.expires_at,
        };
        let terms = self.terms(order);
        let charge = payment.charge(price, terms.as_ref(), time);
        let charge = charge.map_err(|why| match why {
            Unjudged::Status => "the payment's status is not a known one",
            Unjudged::Parent => "the terms of the payment's address are not known",
            Unjudged::Amounts => "the payment's amounts make no price",
        })?;
        let (status, amount, flag, is_refunded) = match charge {
            CoinCharge::Pending => (ChargeStatus::Pending, order.terms.due, None, false),
            CoinCharge::Void => (ChargeStatus::Void, 0, None, false),
            CoinCharge::Paid {
                amount,
                flag,
                is_refunded,
            } => (ChargeStatus::Paid, i128::from(amount), flag, is_refunded),
        };
        let currency = match flag {
            Some(ChargeFlag::WrongCurrency) => &payment.price_currency,
            _ => &order.terms.currency,
        };
        let key = &payment.payment_id;
        let mut fact = OrderFact::new(
            key,
            FactBody::Charge(ChargeFact {
                status,
                amount,
                currency: currency.clone(),
                at: order.stored_at,
                end: None,
                tax: None,
                flag,
                outcome: match status {
                    ChargeStatus::Paid => self.outcome()?,
                    ChargeStatus::Pending | ChargeStatus::Void => None,
                },
            }),
        );
        if self.parent.is_none() {
            let coin = terms.map_or_else(|| payment.asked.coin.clone(), |terms| terms.coin);
            fact.further.insert(COIN.to_owned(), coin.into());
        }
        let mut facts = vec![fact];
        if is_refunded {
            let refund = RefundFact {
                charge: key.clone(),
                status: RefundStatus::Done,
                amount,
                outcome: None,
            };
            facts.push(OrderFact::new(key, FactBody::Refund(refund)));
        }
        let invoice = payment.invoice_id.clone();
        let invoice = invoice.map(|id| PaymentRef { id, charge: None });
        let own = PaymentRef {
            id: key.clone(),
            charge: Some(key.clone()),
        };
        Ok(Said {
            facts,
            refs: [own].into_iter().chain(invoice).collect(),
            notice: None,
        })
    }

    /// What came of it; what was paid, if that isn't told.
    fn outcome(&self) -> Result<Option<Asset>, &'static str> {
        let payment = &self.payment;
        let paid = (payment.paid, payment.asked.coin.clone());
        let told = payment.outcome.clone();
        let (amount, coin) = told
            .filter(|(amount, _)| *amount > CoinAmount::ZERO)
            .unwrap_or(paid);
        if amount == CoinAmount::ZERO {
            return Ok(None);
        }
        let units = amount.units(coin::exponent(&coin));
        let units = units.and_then(|units| i128::try_from(units).ok());
        Ok(Some(Asset {
            amount: units.ok_or("the payment's outcome is too large")?,
            currency: coin,
        }))
    }
}

impl PaymentReport for CoinReport {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn named(&self) -> Named {
        let (payment, parent) = (&self.payment, self.parent.as_ref());
        let own = |payment: &CoinPayment| {
            let id = Uuid::try_parse(payment.order_id.as_deref()?).ok()?;
            Some(id.to_string())
        };
        let invoices = [Some(payment), parent].into_iter().flatten();
        let invoices = invoices.filter_map(|payment| payment.invoice_id.clone());
        let upwards = payment
            .parent_payment_id
            .clone()
            .filter(|_| parent.is_none());
        Named {
            is_live: None,
            order: own(payment).or_else(|| parent.and_then(own)),
            refs: [
                Some(payment.payment_id.clone()),
                payment.parent_payment_id.clone(),
            ]
            .into_iter()
            .flatten()
            .chain(invoices)
            .collect(),
            charge: Some(payment.payment_id.clone()),
            upwards: upwards.map(|parent| Lookup::Deposit {
                payment: payment.payment_id.clone(),
                parent,
            }),
        }
    }

    fn reading(&self, order: &OrderSeen<'_>) -> Reading {
        match (&self.payment.parent_payment_id, &self.parent) {
            (Some(parent), None) => Reading::Fetch(Lookup::Deposit {
                payment: self.payment.payment_id.clone(),
                parent: parent.clone(),
            }),
            _ => self
                .said(order)
                .map_or_else(Reading::Unclear, Reading::Says),
        }
    }
}

#[cfg(test)]
mod tests;
