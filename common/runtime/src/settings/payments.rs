//! Settings of payments. A provider is on where its key or its secret is set; then the mode is required.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use domain::claim::{ClaimKeys, KEY_MIN, PublicUrl};
use domain::nowpayments::IpnSecrets;
use domain::order::record::{PaymentsMode, PayoutHold};
use domain::ordering::OrderRules;
use domain::product::Currency;
use domain::stripe::StripeSecrets;
use domain::text::list;

use crate::config::Env;

/// `PAYMENTS_MODE`: whether money is real. It is required where a provider is on; Stars alone are real.
pub fn payments_mode(env: &mut Env) -> PaymentsMode {
    match env.optional("PAYMENTS_MODE").as_deref() {
        Some("live") => PaymentsMode::Live,
        Some("test") => PaymentsMode::Test,
        Some(_) => {
            env.problem("PAYMENTS_MODE must be live or test".to_owned());
            PaymentsMode::Test
        }
        None => {
            let keys = ["STRIPE_SECRET_KEY", "NOWPAYMENTS_API_KEY"];
            if keys.iter().any(|key| env.optional(key).is_some()) {
                env.problem("PAYMENTS_MODE is missing: live or test".to_owned());
            }
            PaymentsMode::Live
        }
    }
}

/// `STRIPE_SECRET_KEY`, of `mode`; Stripe is off without it.
pub fn stripe_key(env: &mut Env, mode: PaymentsMode) -> Option<SecretString> {
    let key = env.optional("STRIPE_SECRET_KEY")?;
    let word = match mode {
        PaymentsMode::Live => "live",
        PaymentsMode::Test => "test",
    };
    let is_of_mode = ["sk", "rk"]
        .iter()
        .any(|kind| key.starts_with(&format!("{kind}_{word}_")));
    if !is_of_mode {
        env.problem(format!(
            "STRIPE_SECRET_KEY is no key of the mode of PAYMENTS_MODE: it must begin with sk_{word}_ or rk_{word}_"
        ));
    }
    Some(key.into())
}

/// `STRIPE_WEBHOOK_SECRET`: the signing secrets of the endpoint, separated by commas.
pub fn stripe_webhook_secrets(env: &mut Env) -> Option<StripeSecrets> {
    let text = env.optional("STRIPE_WEBHOOK_SECRET")?;
    let secrets = StripeSecrets::parse(&text);
    if secrets.is_none() {
        env.problem(
            "STRIPE_WEBHOOK_SECRET must be signing secrets, separated by commas".to_owned(),
        );
    }
    secrets
}

/// `NOWPAYMENTS_API_KEY`; NOWPayments is off without it.
pub fn nowpayments_key(env: &Env) -> Option<SecretString> {
    env.optional("NOWPAYMENTS_API_KEY").map(SecretString::from)
}

/// `NOWPAYMENTS_EMAIL` and `NOWPAYMENTS_PASSWORD`: the login by which the payments of an invoice are listed.
pub fn nowpayments_login(env: &mut Env) -> Option<(String, SecretString)> {
    let login = (
        env.optional("NOWPAYMENTS_EMAIL"),
        env.optional("NOWPAYMENTS_PASSWORD"),
    );
    match login {
        (Some(email), Some(password)) => Some((email, password.into())),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            env.problem("NOWPAYMENTS_EMAIL and NOWPAYMENTS_PASSWORD go together".to_owned());
            None
        }
    }
}

/// `NOWPAYMENTS_IPN_SECRET`: the secrets of its notifications, separated by commas.
pub fn nowpayments_ipn_secrets(env: &mut Env) -> Option<IpnSecrets> {
    let text = env.optional("NOWPAYMENTS_IPN_SECRET")?;
    let secrets = IpnSecrets::parse(&text);
    if secrets.is_none() {
        env.problem("NOWPAYMENTS_IPN_SECRET must be secrets, separated by commas".to_owned());
    }
    secrets
}

/// `CLAIM_KEY`: the keys by which the pages of orders are known; none without it.
pub fn page_keys(env: &mut Env) -> ClaimKeys {
    let Some(text) = env.optional("CLAIM_KEY") else {
        return ClaimKeys::none();
    };
    ClaimKeys::parse(&text).unwrap_or_else(|| {
        env.problem(format!(
            "CLAIM_KEY must be keys of at least {KEY_MIN} characters, separated by commas"
        ));
        ClaimKeys::none()
    })
}

/// `RETURN_URL_ORIGINS`: the origins, such as `https://shop.example`, separated by commas, to which buyers may be sent back and
/// whose pages may ask where a payment stands; unset, our own alone.
pub fn return_origins(env: &mut Env) -> Vec<String> {
    let text = env.optional("RETURN_URL_ORIGINS").unwrap_or_default();
    // A browser writes its origin in lower case and without a slash at the end.
    let origins: Vec<String> = list(&text).map(str::to_lowercase).collect();
    let is_origin = |origin: &String| {
        let host = origin.split_once("://").map(|(_, host)| host);
        PublicUrl::parse(origin).is_some() && host.is_some_and(|host| !host.contains('/'))
    };
    if !origins.iter().all(is_origin) {
        env.problem(
            "RETURN_URL_ORIGINS must be origins such as https://shop.example, without a path, separated by commas"
                .to_owned(),
        );
        return Vec::new();
    }
    origins
}

/// What the deployment says of all orders.
pub fn order_rules(env: &mut Env, mode: PaymentsMode) -> OrderRules {
    OrderRules {
        mode,
        underpaid_bps: underpaid_bps(env),
        overpaid_bps: overpaid_bps(env),
    }
}

/// `UNDERPAID_BPS`: how much less than is due in coins is paid in full, in basis points.
pub fn underpaid_bps(env: &mut Env) -> i128 {
    env.number("UNDERPAID_BPS", 0, 0..=1_000)
}

/// `OVERPAID_BPS`: how much more than is due in coins is rounding, in basis points.
pub fn overpaid_bps(env: &mut Env) -> i128 {
    env.number("OVERPAID_BPS", 100, 0..=1_000)
}

/// `STRIPE_TAX`: whether Stripe takes the tax out of prices.
pub fn stripe_tax(env: &mut Env) -> bool {
    match env.optional("STRIPE_TAX").as_deref() {
        None | Some("off") => false,
        Some("on") => true,
        Some(_) => {
            env.problem("STRIPE_TAX must be on or off".to_owned());
            false
        }
    }
}

/// `PAYOUT_HOLD_DAYS`: for how long payees wait for what they are due.
pub fn payout_hold(env: &mut Env) -> PayoutHold {
    let days: u64 = env.number("PAYOUT_HOLD_DAYS", 7, 0..=365);
    PayoutHold(Duration::from_secs(days * 24 * 3600))
}

/// The most that payouts have, in minor units by currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayoutBounds {
    of_one: BTreeMap<String, i128>,
    of_day: BTreeMap<String, i128>,
}

impl PayoutBounds {
    /// The most that one payout has. One that is more than a day's could never be approved.
    #[must_use]
    pub fn of_one(&self, currency: &str) -> Option<i128> {
        let bounds = [self.of_one.get(currency), self.of_day.get(currency)];
        bounds.into_iter().flatten().min().copied()
    }

    /// The most that is approved on a day.
    #[must_use]
    pub fn of_day(&self, currency: &str) -> Option<i128> {
        self.of_day.get(currency).copied()
    }
}

/// `PAYOUT_MAX_PER_BATCH` and `PAYOUT_MAX_PER_DAY`: the most that one payout has, and the most that is approved on a day, by
/// currency; unset, as much as is due.
pub fn payout_bounds(env: &mut Env) -> PayoutBounds {
    let of_one = env.optional("PAYOUT_MAX_PER_BATCH");
    let of_day = env.optional("PAYOUT_MAX_PER_DAY");
    let mut read = |name, text: Option<String>| {
        let read = text.and_then(|text| amounts(env, name, &text));
        read.unwrap_or_default()
    };
    PayoutBounds {
        of_one: read("PAYOUT_MAX_PER_BATCH", of_one),
        of_day: read("PAYOUT_MAX_PER_DAY", of_day),
    }
}

/// `AUTO_REFUND_MAX_PER_HOUR`: how many refunds an hour are made without a person; what is beyond waits for one.
pub fn auto_refunds_per_hour(env: &mut Env) -> u32 {
    env.number("AUTO_REFUND_MAX_PER_HOUR", 20, 0..=1_000)
}

/// `SALE_MESSAGES`: whether owners are told of each sale.
pub fn tells_sales(env: &mut Env) -> bool {
    match env.optional("SALE_MESSAGES").as_deref() {
        None | Some("each") => true,
        Some("off") => false,
        Some(_) => {
            env.problem("SALE_MESSAGES must be each or off".to_owned());
            false
        }
    }
}

/// `OPEN_ORDERS_MAX`: how many orders of one buyer may wait for their money.
pub fn open_orders_max(env: &mut Env) -> usize {
    env.number("OPEN_ORDERS_MAX", 3, 1..=20)
}

/// `CRYPTO_MAX_PER_ORDER`: the most that one order in coins may cost, by currency; unset, whatever it costs.
pub fn crypto_max_per_order(env: &mut Env) -> Option<BTreeMap<String, i128>> {
    let text = env.optional("CRYPTO_MAX_PER_ORDER")?;
    amounts(env, "CRYPTO_MAX_PER_ORDER", &text)
}

/// `CRYPTO_MAX_PER_PERSON_30D`: the most that one buyer may pay in coins within thirty days, by currency; unset, as much as they like.
pub fn crypto_max_per_person(env: &mut Env) -> Option<BTreeMap<String, i128>> {
    let text = env.optional("CRYPTO_MAX_PER_PERSON_30D")?;
    amounts(env, "CRYPTO_MAX_PER_PERSON_30D", &text)
}

/// Amounts such as `usd=100000,eur=90000`, in hundredths.
fn amounts(env: &mut Env, name: &str, text: &str) -> Option<BTreeMap<String, i128>> {
    let amount = |one: &str| {
        let (currency, amount) = one.split_once('=')?;
        let currency = Currency::named(currency.trim()).ok()?;
        let amount: u64 = amount.trim().parse().ok()?;
        Some((currency.to_string(), i128::from(amount)))
    };
    let amounts: Option<BTreeMap<String, i128>> = list(text).map(amount).collect();
    let amounts = amounts.filter(|amounts| !amounts.is_empty());
    if amounts.is_none() {
        env.problem(format!(
            "{name} must be amounts in hundredths such as usd=100000,eur=90000"
        ));
    }
    amounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_and_is_secure_but_on_the_machine_itself() {
        let of = |text: &str| {
            let mut env = Env::from_iter([("RETURN_URL_ORIGINS", text)]);
            let origins = return_origins(&mut env);
            env.check().is_ok().then_some(origins)
        };
        let expected = ["https://shop.example", "http://localhost:3000"].map(str::to_owned);
        let read = of("https://Shop.example, http://localhost:3000");
        assert_eq!(read, Some(expected.to_vec()));
        assert_eq!(of(""), Some(Vec::new()));
        for wrong in [
            "https://shop.example/",
            "https://shop.example/back",
            "http://shop.example",
            "shop.example",
            "*",
            "null",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
