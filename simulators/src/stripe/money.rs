//! Amounts that a card can be charged, fees, and the account's balance.

use serde_json::{Value, json};

use super::kind::ObjectKind;
use super::refusal::StripeRefusal;
use super::values::{integer, text};
use super::world::StripeWorld;

/// Seconds until money of a charge is available.
const AVAILABLE_AFTER: i64 = 2 * 86_400;
/// Per ten thousand, and minor units on top.
const FEE_BPS: i64 = 290;
const FEE_FIXED: i64 = 30;
/// What a dispute costs, in minor units.
pub(super) const DISPUTE_FEE: i64 = 1_500;
const MOST: i64 = 99_999_999;
/// The least of a charge, in minor units, by currency; 50 for others.
const LEAST: [(&str, i64); 15] = [
    ("gbp", 30),
    ("aed", 200),
    ("bgn", 100),
    ("czk", 1500),
    ("dkk", 250),
    ("hkd", 400),
    ("huf", 17_500),
    ("mxn", 1000),
    ("myr", 200),
    ("nok", 300),
    ("pln", 200),
    ("ron", 200),
    ("sek", 300),
    ("thb", 1000),
    ("jpy", 50),
];
/// The currencies that are simulated.
const CURRENCIES: [&str; 59] = [
    "usd", "eur", "gbp", "aed", "aud", "bgn", "brl", "cad", "chf", "czk", "dkk", "hkd", "huf",
    "idr", "ils", "inr", "isk", "jpy", "krw", "mxn", "myr", "nok", "nzd", "php", "pln", "ron",
    "sar", "sek", "sgd", "thb", "try", "twd", "uah", "ugx", "vnd", "zar", "bhd", "jod", "kwd",
    "omr", "tnd", "bif", "clp", "djf", "gnf", "kmf", "mga", "pyg", "rwf", "vuv", "xaf", "xof",
    "xpf", "ars", "cop", "pen", "egp", "ngn", "kes",
];
const THREE_DECIMALS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// If the currency is one: its lower-case code.
pub(super) fn currency(given: &Value, param: &str) -> Result<String, StripeRefusal> {
    let code = text(given).to_lowercase();
    if CURRENCIES.contains(&code.as_str()) {
        return Ok(code);
    }
    let message = format!(
        "Invalid currency: {code}. Stripe currently supports these currencies: {}",
        CURRENCIES.join(", ")
    );
    Err(StripeRefusal::invalid(message).param(param))
}

/// If the amount can be charged. 0 can, where a coupon or a trial made it.
pub(super) fn chargeable(amount: i64, currency: &str) -> Result<(), StripeRefusal> {
    let least = LEAST
        .iter()
        .find(|(code, _)| *code == currency)
        .map_or(50, |(_, least)| *least);
    if amount != 0 && amount < least {
        let message = format!(
            "The Checkout Session's total amount due must add up to at least {least} of the smallest unit of {currency}"
        );
        return Err(StripeRefusal::invalid(message).code("amount_too_small"));
    }
    if amount > MOST {
        let message = "The Checkout Session's total amount due must be no more than 999,999.99";
        return Err(StripeRefusal::invalid(message).code("amount_too_large"));
    }
    let is_whole = match currency {
        "isk" | "ugx" => amount % 100 == 0,
        code if THREE_DECIMALS.contains(&code) => amount % 10 == 0,
        _ => true,
    };
    if is_whole {
        return Ok(());
    }
    let message = format!("Invalid amount: {amount} can't be charged in {currency}");
    Err(StripeRefusal::invalid(message))
}

/// What a balance transaction is of.
pub(super) struct TransactionOf<'a> {
    pub(super) source: &'a str,
    /// Its type: `charge`, `refund`, `adjustment`, ..
    pub(super) kind: &'a str,
    pub(super) amount: i64,
    pub(super) fee: i64,
    pub(super) currency: &'a str,
    pub(super) description: Value,
}

/// The fee of a charge.
pub(super) fn fee(amount: i64) -> i64 {
    if amount == 0 {
        0
    } else {
        (amount * FEE_BPS + 5_000) / 10_000 + FEE_FIXED
    }
}

impl StripeWorld {
    /// Books a balance transaction, and gives its id.
    pub(super) fn book(&mut self, of: &TransactionOf<'_>) -> String {
        let id = self.new_id(ObjectKind::Transaction);
        let details = if of.fee == 0 {
            json!([])
        } else {
            let description = if of.kind == "adjustment" {
                "Dispute fee"
            } else {
                "Stripe processing fees"
            };
            json!([{
                "amount": of.fee, "application": null, "currency": of.currency, "description": description,
                "type": "stripe_fee",
            }])
        };
        let category = match of.kind {
            "payment" => "charge",
            "payment_refund" => "refund",
            "adjustment" if of.amount > 0 => "dispute_reversal",
            "adjustment" => "dispute",
            kind => kind,
        };
        let available_on = match of.kind {
            "charge" | "payment" => self.now + AVAILABLE_AFTER,
            _ => self.now,
        };
        let transaction = json!({
            "id": id, "object": "balance_transaction", "amount": of.amount, "available_on": available_on,
            "balance_type": "payments", "created": self.now, "currency": of.currency, "description": of.description,
            "exchange_rate": null, "fee": of.fee, "fee_details": details, "net": of.amount - of.fee,
            "reporting_category": category, "source": of.source, "status": "pending", "type": of.kind,
        });
        self.put(ObjectKind::Transaction, transaction);
        id
    }

    /// The object as it is shown now: what depends on the time alone is filled in.
    pub(super) fn shown(&self, kind: ObjectKind, mut object: Value) -> Value {
        if kind == ObjectKind::Transaction {
            let is_available = integer(&object["available_on"]) <= self.now;
            object["status"] = json!(if is_available { "available" } else { "pending" });
        }
        object
    }

    /// `GET /v1/balance`.
    pub(super) fn balance(&self) -> Value {
        let mut sums = std::collections::BTreeMap::<String, [i64; 2]>::new();
        for transaction in self.all(ObjectKind::Transaction) {
            let is_pending = integer(&transaction["available_on"]) > self.now;
            let currency = text(&transaction["currency"]).to_owned();
            let sum = sums.entry(currency).or_default();
            if let Some(sum) = sum.get_mut(usize::from(is_pending)) {
                *sum += integer(&transaction["net"]);
            }
        }
        if sums.is_empty() {
            sums.insert("usd".into(), [0, 0]);
        }
        let amounts = |place: usize| -> Value {
            sums.iter()
                .map(|(currency, sums)| {
                    let amount = sums.get(place).copied().unwrap_or_default();
                    json!({"amount": amount, "currency": currency, "source_types": {"card": amount}})
                })
                .collect()
        };
        json!({
            "object": "balance", "available": amounts(0), "livemode": self.livemode, "pending": amounts(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_chargeable_by_their_currency() {
        for (amount, currency, is_chargeable) in [
            (0, "usd", true),
            (49, "usd", false),
            (50, "usd", true),
            (30, "gbp", true),
            (99_999_999, "usd", true),
            (100_000_000, "usd", false),
            (1_000, "isk", true),
            (1_010, "isk", false),
            (1_005, "kwd", false),
        ] {
            assert_eq!(
                chargeable(amount, currency).is_ok(),
                is_chargeable,
                "{amount} {currency}"
            );
        }
        assert_eq!(fee(3_000), 117);
    }
}
