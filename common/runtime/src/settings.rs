//! Settings that more than one function reads, or one and `setup`: a value that would stop a function stops the deployment.

mod payments;

use std::collections::BTreeSet;
use std::time::Duration;

use domain::claim::{ChatDeliveries, ClaimKeys, KEY_MIN, PublicUrl};
use domain::id::{ChatId, TelegramUserId};
use domain::link_pool::{TARGET_MAX, Targets};
use domain::money::PaymentProvider;
use domain::person::PersonLimits;
use domain::purchase::Chats;
use domain::relay::SupportHours;
use domain::text::list;
use domain::texts::Language;

use crate::config::Env;

pub use payments::{
    PayoutBounds, auto_refunds_per_hour, crypto_max_per_order, crypto_max_per_person,
    nowpayments_ipn_secrets, nowpayments_key, nowpayments_login, open_orders_max, order_rules,
    overpaid_bps, page_keys, payments_mode, payout_bounds, payout_hold, return_origins, stripe_key,
    stripe_tax, stripe_webhook_secrets, tells_sales, underpaid_bps,
};

/// The chats of `TELEGRAM_CHAT_ID`, or of `TELEGRAM_CHANNEL_ID`, its older name.
pub fn chats(env: &mut Env) -> Chats {
    let list = env
        .optional("TELEGRAM_CHAT_ID")
        .or_else(|| env.optional("TELEGRAM_CHANNEL_ID"));
    let list = list.unwrap_or_else(|| env.required("TELEGRAM_CHAT_ID"));
    Chats::parse(&list).unwrap_or_else(|| {
        if !list.is_empty() {
            env.problem(
                "TELEGRAM_CHAT_ID must be chat ids such as -1001234567890, or new=old ids, separated by commas"
                    .to_owned(),
            );
        }
        Chats::none()
    })
}

/// `DUPLICATE_WINDOW_SEC`: how long unnamed payments of one user are one request.
pub fn duplicate_window(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("DUPLICATE_WINDOW_SEC", 600, 1..=86_400))
}

/// How long a link works that a buyer was given, and how long what is known of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// `INVITE_TTL_SEC`.
    pub invite: Duration,
    /// `RETENTION_DAYS`, not shorter.
    pub retention: Duration,
}

impl Lifetimes {
    /// `INVITE_TTL_SEC` and `RETENTION_DAYS`, which must fit each other.
    pub fn from_env(env: &mut Env) -> Self {
        let (invite, retention) = (invite_ttl(env), retention(env));
        if invite > retention {
            env.problem(
                "INVITE_TTL_SEC is longer than RETENTION_DAYS: a link would outlive the record of who bought it"
                    .to_owned(),
            );
        }
        Self { invite, retention }
    }
}

/// `RETENTION_DAYS`: how long records are kept. A message may live for 14 days and as a dead letter for 14 more; a
/// payment forgotten before its message would be a new one.
pub fn retention(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("RETENTION_DAYS", 90, 28..=3650) * 24 * 3600)
}

/// `MESSAGE_RETENTION_DAYS`: how long the record of a message is kept once it is settled.
pub fn message_retention(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("MESSAGE_RETENTION_DAYS", 30, 1..=3650) * 24 * 3600)
}

/// `UPDATES_RETENTION_HOURS`: how long an actor may read an update.
pub fn updates_retention(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("UPDATES_RETENTION_HOURS", 48, 1..=720) * 3600)
}

/// `POLL_HOLD_SEC`: how long a `getUpdates` of an actor is held at most while there is nothing for it.
pub fn poll_hold(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("POLL_HOLD_SEC", 25, 0..=50))
}

/// `INVITE_TTL_SEC`: how long a link works that a buyer was given, at least.
pub fn invite_ttl(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("INVITE_TTL_SEC", 172_800, 60..=31_536_000))
}

/// `LINK_POOL_TARGET`: how many links made ahead the chats of `chats` are to have; unset, none.
pub fn link_pool_targets(env: &mut Env, chats: &Chats) -> Targets {
    let Some(text) = env.optional("LINK_POOL_TARGET") else {
        return Targets::default();
    };
    Targets::parse(&text, chats).unwrap_or_else(|| {
        env.problem(format!(
            "LINK_POOL_TARGET must be a number of links up to {TARGET_MAX}, or chatId=number pairs separated by commas, of chats that TELEGRAM_CHAT_ID names"
        ));
        Targets::default()
    })
}

/// `CHAT_DELIVERY`: whether the buyers of each of `chats` get an invite link, as they do unset, or a claim link.
pub fn chat_deliveries(env: &mut Env, chats: &Chats) -> ChatDeliveries {
    let Some(text) = env.optional("CHAT_DELIVERY") else {
        return ChatDeliveries::default();
    };
    ChatDeliveries::parse(&text, chats).unwrap_or_else(|| {
        env.problem(
            "CHAT_DELIVERY must be link or claim, or chatId=kind pairs separated by commas, of chats that TELEGRAM_CHAT_ID names"
                .to_owned(),
        );
        ChatDeliveries::default()
    })
}

/// `CLAIM_KEY`: what claim links are signed with; required if a chat is claimed. Where none is, claim links stand beside invite
/// links if it is there.
pub fn claim_keys(env: &mut Env, deliveries: &ChatDeliveries) -> ClaimKeys {
    let text = match deliveries.has_claims() {
        true => env.required("CLAIM_KEY"),
        false => env.optional("CLAIM_KEY").unwrap_or_default(),
    };
    ClaimKeys::parse(&text).unwrap_or_else(|| {
        if !text.is_empty() {
            env.problem(format!(
                "CLAIM_KEY must be one key of at least {KEY_MIN} characters, or several separated by commas, the newest first"
            ));
        }
        ClaimKeys::none()
    })
}

/// `CLAIM_RETENTION_DAYS`: how long the record of a request is kept that nobody has claimed.
pub fn claim_retention(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("CLAIM_RETENTION_DAYS", 400, 28..=3650) * 24 * 3600)
}

/// `REBINDS_MAX`: how often a shop and the holder may have a seat moved within 30 days, together.
pub fn rebinds_max(env: &mut Env) -> u32 {
    env.number("REBINDS_MAX", 3, 0..=50)
}

/// `JOIN_REQUEST_HOLD_SEC`: how long a join request waits for a claim before it is declined. Telegram keeps it for a day.
pub fn join_request_hold(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("JOIN_REQUEST_HOLD_SEC", 900, 60..=43_200))
}

/// `TELEGRAM_LINK_BASE`: what a claim link begins with.
pub fn telegram_link_base(env: &mut Env) -> String {
    let base = env.optional("TELEGRAM_LINK_BASE");
    let base = base.unwrap_or_else(|| "https://t.me".to_owned());
    base.trim_end_matches('/').to_owned()
}

/// `PUBLIC_URL`: the address at which people reach us; unset, claim links have no page.
pub fn public_url(env: &mut Env) -> Option<PublicUrl> {
    let text = env.optional("PUBLIC_URL")?;
    let url = PublicUrl::parse(&text);
    if url.is_none() {
        env.problem("PUBLIC_URL must be an address that begins with https://".to_owned());
    }
    url
}

/// `OPERATOR_CHAT_ID`: the forum in which operators answer people, which is none of `chats`; unset, people are told that nobody
/// reads what they write.
pub fn operator_chat(env: &mut Env, chats: &Chats) -> Option<ChatId> {
    let text = env.optional("OPERATOR_CHAT_ID")?;
    let Some(chat) = text.parse().ok().filter(|id: &i64| *id < 0).map(ChatId) else {
        env.problem(
            "OPERATOR_CHAT_ID must be the id of a supergroup, such as -1001234567890".to_owned(),
        );
        return None;
    };
    if chats.contains(chat) {
        env.problem(
            "OPERATOR_CHAT_ID is one of TELEGRAM_CHAT_ID: buyers would read what people write to the operators"
                .to_owned(),
        );
        return None;
    }
    Some(chat)
}

/// `RELAY_SHOW_SENT`: whether what the bot says to a person stands in their topic, too.
pub fn relay_shows_sent(env: &mut Env) -> bool {
    match env.optional("RELAY_SHOW_SENT").as_deref() {
        None | Some("on") => true,
        Some("off") => false,
        Some(_) => {
            env.problem("RELAY_SHOW_SENT must be on or off".to_owned());
            true
        }
    }
}

/// Whether the front bot talks with people: some chat is claimed, claim links stand beside invite links, or there is an
/// operators' chat.
pub fn talks(env: &mut Env, chats: &Chats) -> bool {
    chat_deliveries(env, chats).has_claims()
        || env.optional("CLAIM_KEY").is_some()
        || operator_chat(env, chats).is_some()
}

/// `SUPPORT_HOURS`: when operators are there, as `09:00-18:00` in UTC; unset, always.
pub fn support_hours(env: &mut Env) -> Option<SupportHours> {
    let text = env.optional("SUPPORT_HOURS")?;
    let hours = SupportHours::parse(&text);
    if hours.is_none() {
        env.problem(
            "SUPPORT_HOURS must be two different times of the day in UTC, such as 09:00-18:00"
                .to_owned(),
        );
    }
    hours
}

/// `SUPPORT_URL`: where people reach somebody where there is no operators' chat.
pub fn support_url(env: &mut Env) -> Option<String> {
    let url = env.optional("SUPPORT_URL")?;
    if !url.starts_with("https://") {
        env.problem("SUPPORT_URL must begin with https://".to_owned());
    }
    Some(url)
}

/// `NEW_TOPICS_PER_HOUR`: how many topics are made in an hour for people without a seat.
pub fn new_topics_per_hour(env: &mut Env) -> u32 {
    env.number("NEW_TOPICS_PER_HOUR", 60, 1..=1000)
}

/// `BOT_OWNERS`: the people who own the deployment, by their Telegram ids.
pub fn bot_owners(env: &mut Env) -> Vec<TelegramUserId> {
    let text = env.optional("BOT_OWNERS").unwrap_or_default();
    let ids: Result<Vec<i64>, _> = list(&text).map(str::parse).collect();
    match ids {
        Ok(ids) if ids.iter().all(|id| *id > 0) => ids.into_iter().map(TelegramUserId).collect(),
        _ => {
            env.problem(
                "BOT_OWNERS must be ids of Telegram users, numbers above 0, separated by commas"
                    .to_owned(),
            );
            Vec::new()
        }
    }
}

/// `COMMANDS_PER_MINUTE` and `RELAY_PER_MINUTE`: how much of what one person sends is taken.
pub fn person_limits(env: &mut Env) -> PersonLimits {
    PersonLimits {
        commands: env.number("COMMANDS_PER_MINUTE", 10, 1..=1000),
        messages: env.number("RELAY_PER_MINUTE", 30, 1..=1000),
    }
}

/// `DEFAULT_LANGUAGE`: what the bot speaks with people whose own language it does not know.
pub fn default_language(env: &mut Env) -> Language {
    let Some(tag) = env.optional("DEFAULT_LANGUAGE") else {
        return Language::English;
    };
    Language::of_tag(&tag).unwrap_or_else(|| {
        let codes = Language::ALL.map(Language::code).join(", ");
        env.problem(format!("DEFAULT_LANGUAGE must be one of {codes}"));
        Language::English
    })
}

/// `TERMS_URL`: the seller's own terms.
pub fn terms_url(env: &mut Env) -> Option<String> {
    let url = env.optional("TERMS_URL");
    page("TERMS_URL", url, env)
}

/// `PRIVACY_URL`: the seller's own policy.
pub fn privacy_url(env: &mut Env) -> Option<String> {
    let url = env.optional("PRIVACY_URL");
    page("PRIVACY_URL", url, env)
}

fn page(name: &str, url: Option<String>, env: &mut Env) -> Option<String> {
    if url
        .as_deref()
        .is_some_and(|url| !url.starts_with("https://"))
    {
        env.problem(format!("{name} must begin with https://"));
    }
    url
}

/// `EXPORTS_URL`: where people fetch the files of exports, without a slash at the end.
pub fn exports_url(env: &mut Env) -> String {
    let url = env.required("EXPORTS_URL");
    url.trim_end_matches('/').to_owned()
}

/// `LINK_POOL_TTL_SEC`: how long a link works that is made ahead. `targets`, the invite's and the record's times must
/// leave room for it, else that is a problem to report.
pub fn link_pool_ttl(env: &mut Env, targets: &Targets) -> Duration {
    let ttl = Duration::from_secs(env.number("LINK_POOL_TTL_SEC", 2_592_000, 3600..=31_536_000));
    if !targets.is_empty() && ttl <= invite_ttl(env) {
        env.problem(
            "LINK_POOL_TTL_SEC must be longer than INVITE_TTL_SEC: no pooled link could ever be sold".to_owned(),
        );
    }
    if !targets.is_empty() && ttl > retention(env) {
        env.problem(
            "LINK_POOL_TTL_SEC is longer than RETENTION_DAYS: the record of a link would be gone before the link"
                .to_owned(),
        );
    }
    ttl
}

/// Who takes payments here: Stripe and NOWPayments if their keys are there, Telegram always; what is sold for Stars has a price
/// in them.
pub fn payment_providers(env: &mut Env) -> BTreeSet<PaymentProvider> {
    let keyed = [
        (PaymentProvider::Stripe, env.optional("STRIPE_SECRET_KEY")),
        (
            PaymentProvider::NowPayments,
            env.optional("NOWPAYMENTS_API_KEY"),
        ),
    ];
    let keyed = keyed
        .into_iter()
        .filter_map(|(provider, key)| key.map(|_| provider));
    keyed.chain([PaymentProvider::Stars]).collect()
}

/// `PRODUCT_FEE_BPS`: the platform's share of what a product earns that names none, in basis points.
pub fn product_fee_bps(env: &mut Env) -> u32 {
    env.number("PRODUCT_FEE_BPS", 300, 0..=10_000)
}

/// `QUOTE_TTL_SEC`: how long a quote holds.
pub fn quote_ttl(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("QUOTE_TTL_SEC", 900, 60..=86_400))
}

/// `RATE_MAX_AGE_SEC`: how old a reference rate may be that a price is converted with. The European Central Bank publishes none
/// at weekends and on holidays.
pub fn rate_max_age(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("RATE_MAX_AGE_SEC", 432_000, 60..=2_592_000))
}

/// `MAX_ATTEMPTS`: tries at Telegram before a request is FAILED.
pub fn max_attempts(env: &mut Env) -> u32 {
    env.number("MAX_ATTEMPTS", 50, 1..=1000)
}

/// `BASE_BACKOFF_SEC`: the base of the exponential backoff.
pub fn base_backoff(env: &mut Env) -> Duration {
    Duration::from_secs(env.number("BASE_BACKOFF_SEC", 5, 1..=3600))
}

/// `SAFE_RPS_SLEEP_MS`: the interval between two calls for one bot and chat that a rate limiter starts with.
pub fn starting_interval(env: &mut Env) -> Duration {
    Duration::from_millis(env.number("SAFE_RPS_SLEEP_MS", 220, 34..=60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_not_outlive_its_record() {
        let days = |days: u64| (days * 24 * 3600).to_string();
        for (ttl, is_right) in [(days(28), true), (days(29), false)] {
            let mut env =
                Env::from_iter([("INVITE_TTL_SEC", ttl.as_str()), ("RETENTION_DAYS", "28")]);
            Lifetimes::from_env(&mut env);
            assert_eq!(env.check().is_ok(), is_right, "{ttl}");
        }
    }

    #[test]
    fn operators_have_a_chat_of_their_own() {
        let chats = Chats::parse("-1001,-1002").unwrap();
        for (id, is_right) in [
            ("-1003", true),
            ("-1002", false),
            ("7", false),
            ("x", false),
        ] {
            let mut env = Env::from_iter([("OPERATOR_CHAT_ID", id)]);
            assert_eq!(operator_chat(&mut env, &chats).is_some(), is_right, "{id}");
            assert_eq!(env.check().is_ok(), is_right, "{id}");
        }
    }
}
