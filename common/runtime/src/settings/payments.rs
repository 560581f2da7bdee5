//! Settings of payments. A provider is on where its key or its secret is set; then the mode is required.

use std::time::Duration;

use secrecy::SecretString;

use domain::nowpayments::IpnSecrets;
use domain::order::record::{PaymentsMode, PayoutHold};
use domain::stripe::StripeSecrets;

use crate::config::Env;

/// `PAYMENTS_MODE`: whether money is real. It is required where a provider is on.
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
            PaymentsMode::Test
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
    let email = env.optional("NOWPAYMENTS_EMAIL");
    let password = env.optional("NOWPAYMENTS_PASSWORD");
    if email.is_some() != password.is_some() {
        env.problem("NOWPAYMENTS_EMAIL and NOWPAYMENTS_PASSWORD go together".to_owned());
    }
    Some((email?, password?.into()))
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

/// `PAYOUT_HOLD_DAYS`: for how long payees wait for what they are due.
pub fn payout_hold(env: &mut Env) -> PayoutHold {
    let days: u64 = env.number("PAYOUT_HOLD_DAYS", 7, 0..=365);
    PayoutHold(Duration::from_secs(days * 24 * 3600))
}
