//! What the local stack says when it serves.

use std::fmt::Write as _;

use crate::stack::Stack;

/// The names that a function needs to run against the local stack.
const FUNCTION_ENV: [&str; 76] = [
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "API_KEYS",
    "ADMIN_KEYS",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_WEBHOOK_SECRET",
    "TELEGRAM_CHAT_ID",
    "TELEGRAM_API_BASE",
    "WEBENGAGE_LICENSE_CODE",
    "WEBENGAGE_API_KEY",
    "WEBENGAGE_API_BASE",
    "INVITE_QUEUE_URL",
    "EVENT_QUEUE_URL",
    "MESSAGE_QUEUE_URL",
    "HOOK_QUEUE_URL",
    "HOOK_EXEMPT_HOSTS",
    "INVITE_DEAD_LETTER_QUEUE_URL",
    "EVENT_DEAD_LETTER_QUEUE_URL",
    "WEBHOOK_URL",
    "MAX_ATTEMPTS",
    "BASE_BACKOFF_SEC",
    "SAFE_RPS_SLEEP_MS",
    "INVITE_TTL_SEC",
    "RETENTION_DAYS",
    "MESSAGE_RETENTION_DAYS",
    "UPDATES_RETENTION_HOURS",
    "POLL_HOLD_SEC",
    "DUPLICATE_WINDOW_SEC",
    "LINK_POOL_TARGET",
    "LINK_POOL_TTL_SEC",
    "CHAT_DELIVERY",
    "CLAIM_KEY",
    "CLAIM_RETENTION_DAYS",
    "REBINDS_MAX",
    "JOIN_REQUEST_HOLD_SEC",
    "TELEGRAM_LINK_BASE",
    "PUBLIC_URL",
    "OPERATOR_CHAT_ID",
    "RELAY_SHOW_SENT",
    "SUPPORT_HOURS",
    "SUPPORT_URL",
    "NEW_TOPICS_PER_HOUR",
    "BOT_OWNERS",
    "DEFAULT_LANGUAGE",
    "COMMANDS_PER_MINUTE",
    "RELAY_PER_MINUTE",
    "PEOPLE_TTL_DAYS",
    "TERMS_URL",
    "PRIVACY_URL",
    "STRIPE_SECRET_KEY",
    "NOWPAYMENTS_API_KEY",
    "PAYMENT_QUEUE_URL",
    "PAYMENTS_MODE",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE",
    "STRIPE_TAX",
    "NOWPAYMENTS_IPN_SECRET",
    "NOWPAYMENTS_EMAIL",
    "NOWPAYMENTS_PASSWORD",
    "NOWPAYMENTS_API_BASE",
    "RETURN_URL_ORIGINS",
    "UNDERPAID_BPS",
    "OVERPAID_BPS",
    "PAYOUT_HOLD_DAYS",
    "AUTO_REFUND_MAX_PER_HOUR",
    "OPEN_ORDERS_MAX",
    "SALE_MESSAGES",
    "CRYPTO_MAX_PER_ORDER",
    "CRYPTO_MAX_PER_PERSON_30D",
    "PRODUCT_FEE_BPS",
    "QUOTE_TTL_SEC",
    "RATE_MAX_AGE_SEC",
    "EXPORTS_URL",
    "TELEGRAM_CHANNEL_ID",
    "AWS_ENDPOINT_URL",
];

/// For a person: what to open and what to type.
#[must_use]
pub fn words(stack: &Stack) -> String {
    let url = &stack.url;
    // A key that was given is a secret of its owner's: what is printed may be kept.
    let (key, quote, with_key) = match stack.is_key_made_up() {
        true => (stack.api_key(), '\'', ""),
        false => (
            "$API_KEY",
            '"',
            ", with API_KEY set to one of the keys of API_KEYS",
        ),
    };
    let outside = match (stack.is_simulated, stack.externals.webengage.is_some()) {
        (true, true) => {
            "Telegram and WebEngage are simulated; TELEGRAM_BOT_TOKEN and WEBENGAGE_API_KEY make them real."
        }
        (false, false) => "Telegram and WebEngage are the real ones.",
        (false, true) => {
            "Telegram is the real one, but WebEngage is SIMULATED: set WEBENGAGE_API_KEY, or events reach nobody."
        }
        (true, false) => {
            "WebEngage is the real one, but Telegram is SIMULATED: set TELEGRAM_BOT_TOKEN, or links lead nowhere."
        }
    };
    format!(
        "Admit One serves {url} (the page: {url}/). {outside}\n\
         AWS wire: {aws}\n\
         \n\
         Buy a seat{with_key}:\n\
         \n\
         curl -s -X POST {url}/v1/invite/request -H {quote}x-api-key: {key}{quote} -d '{{\"userId\": \"alice\", \"transactionId\": \"T-1\"}}'\n\
         \n\
         and see it DONE, with its link:\n\
         \n\
         curl -s -H {quote}x-api-key: {key}{quote} {url}/v1/invite/{example}\n\
         \n",
        aws = stack.aws.url(),
        example = example(stack),
    ) + &selling(stack)
}

/// Where payments are simulated and all keys are made up: how something is sold.
fn selling(stack: &Stack) -> String {
    let is_simulated = stack.is_simulated && stack.externals.providers.is_some();
    if !is_simulated || !stack.is_key_made_up() || !stack.is_admin_key_made_up() {
        return String::new();
    }
    let chat = stack.env.get("TELEGRAM_CHAT_ID").map_or("", String::as_str);
    format!(
        "Stripe and NOWPayments are simulated, too: {url}/local/till sells, and breaks payments. Or describe a product, order it, and\n\
         open the payUrl of the answer in a browser:\n\
         \n\
         curl -s -X PUT {url}/v1/admin/products/club -H 'x-admin-key: {admin}' -d '{{\"title\": \"Premium Club\", \"chats\": [{chat}], \"owner\": \"me\", \"tiers\": [{{\"id\": \"month\", \"title\": \"30 days\", \"length\": {{\"days\": 30}}, \"prices\": {{\"usd\": 1900}}}}]}}'\n\
         \n\
         curl -s -X POST {url}/v1/checkout -H 'x-api-key: {key}' -d '{{\"productId\": \"club\", \"tierId\": \"month\", \"currency\": \"usd\", \"userId\": \"bob\"}}'\n\
         \n",
        url = stack.url,
        admin = stack.admin_key(),
        key = stack.api_key(),
    )
}

/// The id of the request that the printed `curl` makes: a payment has the same one each time.
fn example(stack: &Stack) -> String {
    use domain::purchase::{Chats, Identity, Purchase};
    let chats = stack
        .env
        .get("TELEGRAM_CHAT_ID")
        .and_then(|list| Chats::parse(list))
        .unwrap_or_else(Chats::none);
    let purchase = Purchase::parse(
        &domain::text::object(br#"{"userId": "alice", "transactionId": "T-1"}"#)
            .unwrap_or_default(),
        None,
        &chats,
    );
    match purchase.map(|purchase| purchase.identity()) {
        Ok(Identity::Payment(id)) => id.to_string(),
        _ => "<requestId>".to_owned(),
    }
}

/// For a program: one line of addresses, then the environment of the functions as shell lines.
#[must_use]
pub fn env(stack: &Stack) -> String {
    let value = |name| stack.env.get(name).map(String::as_str).unwrap_or_default();
    let mut lines = format!(
        "ADMIT_ONE_READY http={} aws={} telegram={} webengage={}\n",
        stack.url,
        stack.aws.url(),
        value("TELEGRAM_API_BASE"),
        value("WEBENGAGE_API_BASE")
    );
    for name in FUNCTION_ENV {
        if let Some(value) = stack.env.get(name).filter(|value| !value.is_empty()) {
            let _ = writeln!(lines, "export {name}='{}'", value.replace('\'', r"'\''"));
        }
    }
    lines
}
