//! What was agreed at checkout. Nothing changes it later.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::json::{JsonFault, JsonFields};

/// What the fold asks of an order. Amounts are in minor units of `currency`, rates in basis points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderTerms {
    /// Who takes the money: `stripe`, `nowpayments`, `stars`.
    pub provider: String,
    /// Whether each charge pays a period of its own.
    pub recurring: bool,
    /// The currency of the price, as the provider writes it.
    pub currency: String,
    /// What was owed at checkout.
    pub due: i128,
    /// What a renewal costs; absent if nothing renews.
    pub price: Option<i128>,
    /// The length of what is sold; absent: for ever.
    pub seconds: Option<i64>,
    /// How much less than due is paid in full.
    pub underpaid_bps: i128,
    /// How much more than due is rounding.
    pub overpaid_bps: i128,
    /// The platform's share of what is earned.
    pub fee_bps: i128,
    /// The affiliate's share of the first sale.
    pub commission_bps: i128,
    /// The affiliate's share of renewals.
    pub renewal_commission_bps: i128,
    /// The last second, since the Unix epoch, at which a charge bears a commission; absent: no end.
    pub commission_until: Option<i64>,
    /// The owner, who gets what is left and bears the provider's fees and losses.
    pub owner: String,
    /// Who brought the buyer.
    pub affiliate: Option<String>,
    /// Whether the provider refunds whole charges by call.
    pub auto_refund: bool,
    /// Whether it was bought for somebody else, whose time begins when they claim it.
    pub gift: bool,
}

impl<'de> Deserialize<'de> for OrderTerms {
    /// Reads an object in camelCase. Fields that the fold does not ask are ignored.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = JsonFields::deserialize(deserializer)?;
        Self::read(fields).map_err(|fault| D::Error::custom(fault.within("order")))
    }
}

impl OrderTerms {
    fn read(mut fields: JsonFields) -> Result<Self, JsonFault> {
        let seconds = fields.if_present::<i64>("seconds")?;
        if seconds.is_some_and(i64::is_negative) {
            return Err(JsonFault::new("seconds", "is negative"));
        }
        Ok(Self {
            provider: fields.present("provider")?,
            recurring: fields.if_present("recurring")?.unwrap_or(false),
            currency: fields.present("currency")?,
            due: fields.amount("due")?,
            price: fields.optional_amount("price")?,
            seconds,
            underpaid_bps: fields.bps("underpaidBps")?,
            overpaid_bps: fields.bps("overpaidBps")?,
            fee_bps: fields.bps("feeBps")?,
            commission_bps: fields.bps("commissionBps")?,
            renewal_commission_bps: fields.bps("renewalCommissionBps")?,
            commission_until: fields.if_present("commissionUntil")?,
            owner: fields.present("owner")?,
            affiliate: fields.if_present("affiliate")?,
            auto_refund: fields.if_present("autoRefund")?.unwrap_or(false),
            gift: fields.if_present("gift")?.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_terms_are_refused_with_the_field() {
        let with = |more: &str| {
            let order = r#""provider": "stripe", "currency": "usd", "due": 3000, "owner": "o1""#;
            serde_json::from_str::<OrderTerms>(&format!("{{{order}{more}}}"))
        };
        assert_eq!(with("").unwrap().seconds, None);
        for (more, words) in [
            (
                r#", "feeBps": 10001"#,
                "order: `feeBps`: is more than 10000",
            ),
            (r#", "feeBps": -1"#, "order: `feeBps`: is negative"),
            (r#", "seconds": -1"#, "order: `seconds`: is negative"),
            (
                r#", "price": "30""#,
                "order: `price`: is not an integer of up to 128 bits",
            ),
            (r#", "recurring": 1"#, "order: `recurring`: invalid type"),
        ] {
            let found = with(more).unwrap_err().to_string();
            assert!(found.contains(words), "{found}");
        }
        let found = serde_json::from_str::<OrderTerms>(r#"{"provider": "stripe"}"#);
        let found = found.unwrap_err().to_string();
        assert!(found.contains("order: `currency`: is missing"), "{found}");
    }
}
