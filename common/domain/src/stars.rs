//! Telegram Stars: the invoice of an order, and what Telegram tells of its payments.
//!
//! A payment is told twice over: by an update as it happens, and by the list of all that came and went, which is read when an order
//! is due. Both make one [`StarsReport`] with one key, so that it is settled once, by whichever comes first. Stars are whole numbers
//! everywhere.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::order::fact::{
    ChargeFact, ChargeFlag, ChargeStatus, FactBody, OrderFact, RefundFact, RefundStatus,
    RenewalStatus,
};
use super::product::STARS_PERIOD_DAYS;
use super::report::{Named, OrderSeen, PaymentRef, PaymentReport, Reading, Said};

/// The provider's word.
pub const PROVIDER: &str = "stars";
/// The currency's code at Telegram.
pub const CURRENCY: &str = "XTR";

/// The longest title of an invoice, in characters (Bot API, `createInvoiceLink`).
const TITLE_MAX: usize = 32;
/// The longest description of one, in characters.
const DESCRIPTION_MAX: usize = 255;
/// The longest id of a charge, in bytes; Telegram's have less than 150.
const CHARGE_MAX: usize = 256;
/// The longest payload, in bytes.
const PAYLOAD_MAX: usize = 128;
/// The largest amount of one payment that is believed.
const AMOUNT_MAX: i64 = 1_000_000_000;

/// What Telegram is asked for, for an order.
#[derive(Clone, Copy, Debug)]
pub struct StarInvoice<'a> {
    /// The order's id, which each payment names.
    pub order: &'a str,
    /// What is bought, for people.
    pub title: &'a str,
    /// How many Stars.
    pub amount: i128,
    /// Whether it renews every 30 days.
    pub is_recurring: bool,
}

impl StarInvoice<'_> {
    /// The parameters of `createInvoiceLink`.
    #[must_use]
    pub fn body(&self) -> String {
        let cut = |most: usize| self.title.chars().take(most).collect::<String>();
        let mut body = json!({
            "title": cut(TITLE_MAX), "description": cut(DESCRIPTION_MAX), "payload": self.order,
            "provider_token": "", "currency": CURRENCY,
            "prices": [{"label": cut(TITLE_MAX), "amount": self.amount}],
        });
        if self.is_recurring {
            body["subscription_period"] = json!(i64::from(STARS_PERIOD_DAYS) * 86_400);
        }
        body.to_string()
    }
}

/// What became of Stars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StarsKind {
    /// They came.
    Paid,
    /// They went back.
    Refunded,
}

/// What a subscription's payment says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StarsTurn {
    /// It is the first: the subscription is known by its charge.
    First,
    /// It is a renewal.
    Renewal,
    /// It is one of the two.
    Either,
}

/// A payment of Stars, or its return. Its JSON is kept in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StarsReport {
    /// Which.
    pub kind: StarsKind,
    /// Telegram's id of the charge.
    pub charge: String,
    /// The payload of the invoice: the order's id, if it is ours.
    pub payload: String,
    /// The currency.
    pub currency: String,
    /// How many.
    pub amount: i64,
    /// When, in seconds since the Unix epoch, by Telegram's clock.
    pub at: i64,
    /// Up to when it pays, of a subscription, in seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ends_at: Option<i64>,
    /// Which of a subscription's payments it is; absent of what is paid once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turn: Option<StarsTurn>,
}

/// `SuccessfulPayment` and `RefundedPayment`: <https://core.telegram.org/bots/api#successfulpayment>.
#[derive(Deserialize)]
struct Payment {
    currency: String,
    total_amount: i64,
    invoice_payload: String,
    telegram_payment_charge_id: String,
    subscription_expiration_date: Option<i64>,
    #[serde(default)]
    is_recurring: bool,
    #[serde(default)]
    is_first_recurring: bool,
}

/// `StarTransaction`: <https://core.telegram.org/bots/api#startransaction>.
#[derive(Deserialize)]
struct Transaction {
    id: String,
    amount: i64,
    date: i64,
    source: Option<Partner>,
    receiver: Option<Partner>,
}

/// `TransactionPartnerUser`; others have no payload.
#[derive(Deserialize)]
struct Partner {
    invoice_payload: Option<String>,
    subscription_period: Option<i64>,
}

impl StarsReport {
    /// The payment, or its return, that a service message of `at` tells of; nothing of what is none.
    #[must_use]
    pub fn of_message(kind: StarsKind, payment: &Value, at: i64) -> Option<Self> {
        let payment = Payment::deserialize(payment).ok()?;
        let turn = match (payment.is_recurring, payment.is_first_recurring) {
            (_, true) => Some(StarsTurn::First),
            (true, false) => Some(StarsTurn::Renewal),
            (false, false) => None,
        };
        Self {
            kind,
            charge: payment.telegram_payment_charge_id,
            payload: payment.invoice_payload,
            currency: payment.currency,
            amount: payment.total_amount,
            at,
            ends_at: payment.subscription_expiration_date,
            turn,
        }
        .checked()
    }

    /// The same of an entry of the list of all that came and went; nothing of what no invoice is behind.
    #[must_use]
    pub fn of_transaction(transaction: &Value) -> Option<Self> {
        let transaction = Transaction::deserialize(transaction).ok()?;
        let (kind, partner) = match (transaction.source, transaction.receiver) {
            (Some(source), _) => (StarsKind::Paid, source),
            (None, Some(receiver)) => (StarsKind::Refunded, receiver),
            (None, None) => return None,
        };
        let period = partner.subscription_period;
        Self {
            kind,
            charge: transaction.id,
            payload: partner.invoice_payload?,
            currency: CURRENCY.to_owned(),
            amount: transaction.amount,
            at: transaction.date,
            ends_at: period.and_then(|period| transaction.date.checked_add(period)),
            turn: period.map(|_| StarsTurn::Either),
        }
        .checked()
    }

    fn checked(self) -> Option<Self> {
        let is_word = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let is_sound = is_word(&self.charge, CHARGE_MAX)
            && is_word(&self.payload, PAYLOAD_MAX)
            && (1..=AMOUNT_MAX).contains(&self.amount);
        is_sound.then_some(self)
    }

    /// By what it is known in the inbox, however it was told.
    #[must_use]
    pub fn event_key(&self) -> String {
        match self.kind {
            StarsKind::Paid => format!("{PROVIDER}#{}", self.charge),
            StarsKind::Refunded => format!("{PROVIDER}#{}#refund", self.charge),
        }
    }

    /// What is kept of it in the inbox.
    #[must_use]
    pub fn body(&self) -> String {
        json!(self).to_string()
    }

    /// What is kept in the inbox, read back.
    #[must_use]
    pub fn of_body(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    fn facts(&self, order: &OrderSeen<'_>) -> Vec<OrderFact> {
        let (key, amount) = (self.charge.as_str(), i128::from(self.amount));
        if self.kind == StarsKind::Refunded {
            return vec![returned(key, amount)];
        }
        let is_ours = self.currency == order.terms.currency;
        let charge = ChargeFact {
            status: ChargeStatus::Paid,
            amount,
            currency: self.currency.clone(),
            at: self.at,
            end: self.ends_at.filter(|_| order.terms.recurring),
            tax: None,
            flag: (!is_ours).then_some(ChargeFlag::WrongCurrency),
            outcome: None,
        };
        let mut facts = vec![OrderFact::new(key, FactBody::Charge(charge))];
        // Telegram knows the subscription by its first charge. One invoice that is paid twice begins two.
        let is_known = order.facts.iter().any(|fact| {
            let is_this = self.turn == Some(StarsTurn::Either) || fact.key == key;
            is_this && matches!(fact.body, FactBody::Subscription { .. })
        });
        let begins = matches!(self.turn, Some(StarsTurn::First | StarsTurn::Either));
        if order.terms.recurring && begins && !is_known {
            let status = RenewalStatus::Active;
            let seq = order.version;
            let fact = OrderFact::new(key, FactBody::Subscription { status, seq });
            facts.push(fact);
        }
        facts
    }
}

/// The fact that a charge was given back, all of it: Stars go back no other way.
#[must_use]
pub fn returned(charge: &str, amount: i128) -> OrderFact {
    let refund = RefundFact {
        charge: charge.to_owned(),
        status: RefundStatus::Done,
        amount,
        outcome: None,
    };
    OrderFact::new(charge, FactBody::Refund(refund))
}

impl PaymentReport for StarsReport {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn named(&self) -> Named {
        Named {
            is_live: None,
            order: Some(self.payload.clone()),
            refs: vec![self.charge.clone()],
            charge: Some(self.charge.clone()),
            upwards: None,
        }
    }

    fn reading(&self, order: &OrderSeen<'_>) -> Reading {
        Reading::Says(Said {
            facts: self.facts(order),
            refs: vec![PaymentRef {
                id: self.charge.clone(),
                charge: Some(self.charge.clone()),
            }],
            notice: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "0b1f6a53-6f0e-4a6e-8a52-3d6e2d6f2a11";

    fn payment() -> Value {
        json!({
            "currency": "XTR", "total_amount": 500, "invoice_payload": ORDER,
            "telegram_payment_charge_id": "stx1", "provider_payment_charge_id": "",
        })
    }

    fn paid(payment: &Value) -> Option<StarsReport> {
        StarsReport::of_message(StarsKind::Paid, payment, 1_800_000_000)
    }

    #[test]
    fn an_update_and_the_list_tell_the_same_payment() {
        let told = paid(&payment()).unwrap();
        let partner = json!({
            "type": "user", "transaction_type": "invoice_payment", "user": {"id": 7}, "invoice_payload": ORDER,
        });
        let mut listed =
            json!({"id": "stx1", "amount": 500, "date": 1_800_000_000, "source": partner});
        assert_eq!(StarsReport::of_transaction(&listed).as_ref(), Some(&told));
        assert_eq!(StarsReport::of_body(told.body().as_bytes()), Some(told));
        listed["receiver"] = listed.as_object_mut().unwrap().remove("source").unwrap();
        let refund = StarsReport::of_transaction(&listed).unwrap();
        assert_eq!(
            (refund.kind, refund.event_key().as_str()),
            (StarsKind::Refunded, "stars#stx1#refund")
        );
    }

    #[test]
    fn a_subscription_is_known_by_its_first_payment() {
        let mut first = payment();
        first["is_recurring"] = json!(true);
        first["is_first_recurring"] = json!(true);
        first["subscription_expiration_date"] = json!(1_802_592_000);
        let told = paid(&first).unwrap();
        assert_eq!(
            (told.turn, told.ends_at),
            (Some(StarsTurn::First), Some(1_802_592_000))
        );
        first.as_object_mut().unwrap().remove("is_first_recurring");
        assert_eq!(paid(&first).unwrap().turn, Some(StarsTurn::Renewal));
    }

    #[test]
    fn each_first_payment_is_a_subscription_also_a_second_one() {
        let terms = r#"{"provider": "stars", "currency": "XTR", "due": 500, "owner": "o1", "recurring": true}"#;
        let terms = serde_json::from_str(terms).unwrap();
        let mut payment = payment();
        payment["is_recurring"] = json!(true);
        payment["is_first_recurring"] = json!(true);
        let mut facts = crate::order::fact::Facts::default();
        let mut begun = |charge: &str, turn| {
            payment["telegram_payment_charge_id"] = json!(charge);
            let seen = OrderSeen {
                terms: &terms,
                facts: &facts,
                version: 3,
                checkout: None,
                expires_at: 0,
                charge: None,
                stored_at: 0,
            };
            let told = StarsReport {
                turn: Some(turn),
                ..paid(&payment).unwrap()
            };
            let said = told.facts(&seen);
            let is_begun = said
                .iter()
                .any(|fact| matches!(fact.body, FactBody::Subscription { .. }));
            facts.extend(said);
            is_begun
        };
        assert!(begun("stx1", StarsTurn::First));
        assert!(!begun("stx1", StarsTurn::First), "told again");
        assert!(!begun("stx2", StarsTurn::Either));
        assert!(begun("stx3", StarsTurn::First));
        assert!(!begun("stx4", StarsTurn::Renewal));
    }

    #[test]
    fn what_is_no_payment_is_none() {
        let changes: [fn(&mut Value); 6] = [
            |payment| payment["total_amount"] = json!(0),
            |payment| payment["total_amount"] = json!(1.5),
            |payment| payment["total_amount"] = json!("500"),
            |payment| payment["telegram_payment_charge_id"] = json!(""),
            |payment| payment["telegram_payment_charge_id"] = json!("x".repeat(257)),
            |payment| payment["invoice_payload"] = json!("a b"),
        ];
        for change in changes {
            let mut wrong = payment();
            change(&mut wrong);
            assert_eq!(paid(&wrong), None, "{wrong}");
        }
        for other in [json!(7), json!({"id": "x", "amount": 5, "date": 1})] {
            assert_eq!(StarsReport::of_transaction(&other), None, "{other}");
        }
    }

    #[test]
    fn an_invoice_fits_what_telegram_takes() {
        let title = "ü".repeat(300);
        let invoice = StarInvoice {
            order: ORDER,
            title: &title,
            amount: 500,
            is_recurring: true,
        };
        let body: Value = serde_json::from_str(&invoice.body()).unwrap();
        assert_eq!(body["title"].as_str().unwrap().chars().count(), 32);
        assert_eq!(body["description"].as_str().unwrap().chars().count(), 255);
        assert_eq!(body["subscription_period"], 2_592_000);
        assert_eq!(body["prices"][0]["amount"], 500);
    }
}
