//! What a deployment needs of Telegram and WebEngage, asked of them: each check is one line that says what was found and,
//! if that is not right, what to do. Nothing here changes anything.

use std::time::Duration;

use domain::delivery::DeliveryFault;
use domain::fault::Fault;
use domain::id::ChatId;
use domain::purchase::Chats;
use domain::time::Timestamp;
use futures_util::future::join_all;
use runtime::redaction::of_others;
use runtime::telemetry::chain;
use serde::Serialize;
use telegram::{Chat, Membership, Telegram, TelegramError, WebhookInfo};
use tokio::time::sleep;
use webengage::WebEngage;

use crate::registration::Bot;

/// The pauses between tries at Telegram, where trying again may help.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// The longest `retry_after` that is waited for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// The longest part of a name, or of Telegram's words, that is shown.
const WORDS_MAX_CHARS: usize = 80;
/// How long ago a delivery may have failed to count as failing now. Later successes do not clear it.
const FAILING: Duration = Duration::from_secs(600);
/// How many updates may wait before that is worth a line.
const PENDING_MAX: u64 = 1000;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// It works, but a person should know.
    Warning,
    /// It does not work until a person acts.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// How it came out.
    pub status: CheckStatus,
    /// What was found, and what to do about it. One line without a secret.
    pub says: String,
}

impl Check {
    /// As it should be.
    pub fn ok(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self::of(CheckStatus::Ok, what.into(), says.into())
    }

    /// It works, but a person should know.
    pub fn warning(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self::of(CheckStatus::Warning, what.into(), says.into())
    }

    /// It does not work until a person acts.
    pub fn failed(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self::of(CheckStatus::Failed, what.into(), says.into())
    }

    fn of(status: CheckStatus, what: String, says: String) -> Self {
        Self { what, status, says }
    }
}

/// The tokens of `bots`, and what each bot may do in `chats`.
pub async fn bots(bots: &[Bot], chats: &Chats) -> Vec<Check> {
    let all = bots.iter().map(|bot| of_bot(&bot.telegram, chats));
    join_all(all).await.concat()
}

async fn of_bot(telegram: &Telegram, chats: &Chats) -> Vec<Check> {
    let what = format!("bot {}", telegram.bot());
    let mut checks = vec![match patiently(async || telegram.me().await).await {
        Ok(me) => Check::ok(what, format!("@{} answers", clean(&me.username))),
        Err(failure) => {
            let todo = match &failure {
                TelegramError::Refused {
                    status: 401 | 404, ..
                } => "put the bot's present token, from @BotFather, into TELEGRAM_BOT_TOKEN",
                _ => todo_or(&failure, "check TELEGRAM_API_BASE"),
            };
            // A token that opens nothing has no rights to be looked at.
            return vec![Check::failed(what, format!("{}: {todo}", chain(&failure)))];
        }
    }];
    for (chat, _) in chats.all() {
        checks.extend(in_chat(telegram, chat).await);
    }
    checks
}

/// What the bot may do in a chat.
async fn in_chat(telegram: &Telegram, id: ChatId) -> Vec<Check> {
    let what = format!("bot {} in chat {id}", telegram.bot());
    let failed = |failure: TelegramError| {
        let sentence = chain(&failure);
        let todo = match failure.fault() {
            Fault::Migrated(new) => {
                format!("the group became a supergroup: put {new}={id} into TELEGRAM_CHAT_ID")
            }
            Fault::ChatFault if sentence.contains("chat not found") => {
                "add the bot to the chat as an administrator, and check TELEGRAM_CHAT_ID: supergroups and channels begin with -100"
                    .to_owned()
            }
            _ => todo_or(
                &failure,
                "add the bot to the chat as an administrator who may invite users",
            )
            .to_owned(),
        };
        vec![Check::failed(what.clone(), format!("{sentence}: {todo}"))]
    };
    let chat = match patiently(async || telegram.chat(id).await).await {
        Ok(chat) => chat,
        Err(failure) => return failed(failure),
    };
    let name = format!("“{}”, a {}", clean(&chat.title), clean(&chat.kind));
    if !["group", "supergroup", "channel"].contains(&chat.kind.as_str()) {
        let says = format!(
            "{name} chat, has no invite links: put the id of a group or channel into TELEGRAM_CHAT_ID"
        );
        return vec![Check::failed(what, says)];
    }
    let found = match patiently(async || telegram.own_membership(id).await).await {
        Ok(membership) => membership,
        Err(failure) => return failed(failure),
    };
    let mut checks = of_rights(&what, &name, found);
    checks.extend(ways_past_the_links(&what, &name, &chat));
    checks
}

/// How people come into a chat without one of our links: they need none, and their join shows none.
fn ways_past_the_links(what: &str, name: &str, chat: &Chat) -> Option<Check> {
    let says = if let Some(public) = chat.public_name() {
        format!(
            "{name}, is public as @{}: anybody can join it without a link, and such a join is nobody's; make the chat private",
            clean(public)
        )
    } else if chat.kind == "supergroup" && chat.linked_chat_id.is_some() {
        format!(
            "{name}, is the discussion group of a channel: who reads the channel can join it without a link, and such a join is nobody's; sell the channel, or unlink the group"
        )
    } else {
        return None;
    };
    Some(Check::warning(what, says))
}

/// What is to be said of the bot's rights in a chat.
fn of_rights(what: &str, name: &str, found: Membership) -> Vec<Check> {
    match found {
        Membership {
            status,
            can_invite_users: true,
            can_restrict_members,
            ..
        } if status == "administrator" => {
            let says = format!("{name}: an administrator who may invite users");
            let mut checks = vec![Check::ok(what, says)];
            // No failure: links are made without it, and channels have no switch for it in every app. A seat that moves and an
            // erasure wait for it.
            if !can_restrict_members {
                let says = format!(
                    "{name}: the bot may not ban users; give it that right, or it will never be able to remove a member"
                );
                checks.push(Check::warning(what, says));
            }
            checks
        }
        Membership { status, .. } if status == "administrator" => {
            let says = format!(
                "{name}: the bot may not invite users; give it the right to invite users by link in the chat's administrators"
            );
            vec![Check::failed(what, says)]
        }
        Membership { status, .. } => {
            let says = format!(
                "{name}: the bot is no administrator (it is “{}”); make it one who may invite users",
                clean(&status)
            );
            vec![Check::failed(what, says)]
        }
    }
}

/// Where the updates of `bots` go, and how that goes. Without `expected` it can't be told whether that is the right
/// place.
pub async fn webhooks(bots: &[Bot], expected: Option<&str>, now: Timestamp) -> Vec<Check> {
    let all = bots.iter().map(|bot| async move {
        let what = format!("webhook of bot {}", bot.telegram.bot());
        match patiently(async || bot.telegram.webhook_info().await).await {
            Ok(info) => {
                let expected = expected.map(|url| bot.address(url));
                webhook(what, &info, bot.updates, expected.as_deref(), now)
            }
            Err(failure) => {
                let todo = todo_or(&failure, "check TELEGRAM_BOT_TOKEN");
                Check::failed(what, format!("{}: {todo}", chain(&failure)))
            }
        }
    });
    join_all(all).await
}

/// What is to be said of a bot's webhook.
fn webhook(
    what: String,
    info: &WebhookInfo,
    updates: &[&str],
    expected: Option<&str>,
    now: Timestamp,
) -> Check {
    let pending = info.pending_update_count;
    let mismatch = match expected {
        Some(url) => info.mismatch(url, updates),
        None if info.url.is_empty() => {
            let says = "none is registered, which is right for a local stack that asks for updates itself and wrong for any other";
            return Check::warning(what, says);
        }
        // The same URL: what remains is whether the updates are the right ones.
        None => info.mismatch(&info.url, updates),
    };
    if let Some(sentence) = mismatch {
        let says = format!(
            "{sentence}; register it with the setup function, or start the local stack with PUBLIC_URL"
        );
        return Check::failed(what, says);
    }
    if let Some(words) = failing(info, now) {
        let todo = if words.contains("401") {
            "TELEGRAM_WEBHOOK_SECRET is another one than was registered: run the setup function again"
        } else {
            "look at the logs of the webhook function"
        };
        let says = format!("Telegram can't deliver, {pending} updates wait: “{words}”: {todo}");
        return Check::failed(what, says);
    }
    if pending > PENDING_MAX {
        let says = format!("{pending} updates wait: see whether they become fewer");
        return Check::warning(what, says);
    }
    match expected {
        Some(_) => Check::ok(what, format!("registered; {pending} updates wait")),
        None => Check::ok(
            what,
            format!("registered on {}; {pending} updates wait", info.host()),
        ),
    }
}

/// Telegram's words about deliveries that fail now, if they do.
#[must_use]
pub fn failing(info: &WebhookInfo, now: Timestamp) -> Option<String> {
    let at = Timestamp::from_seconds(info.last_error_date?);
    let is_now = info.pending_update_count > 0 && now.since(at) < FAILING;
    is_now.then(|| clean(info.last_error_message.as_deref().unwrap_or_default()))
}

/// WebEngage's host, licence and key. That WebEngage is down is no failure: events wait for it.
pub async fn webengage(account: &WebEngage) -> Check {
    let what = "WebEngage";
    match account.check().await {
        Ok(()) => Check::ok(
            what,
            "knows the licence and the key (asked with an event that it must refuse: none was ingested)",
        ),
        Err(failure) => match failure.fault() {
            DeliveryFault::Person => Check::failed(what, chain(&failure)),
            DeliveryFault::RateLimited(_) | DeliveryFault::Again(_) => Check::warning(
                what,
                format!("{}: licence and key are not checked", chain(&failure)),
            ),
        },
    }
}

/// What to do about a failure: what its kind asks for, to try again if that may help, else `todo`.
pub(crate) fn todo_or(failure: &TelegramError, todo: &'static str) -> &'static str {
    if failure.is_frozen() {
        return "the bot's account is frozen by Telegram: appeal, as Telegram's notice to the bot's owner says, or by @BotSupport; no link can be made until it is thawed";
    }
    if let TelegramError::Unreachable { .. } = failure {
        return "try again in a minute; where Telegram is reached by a proxy only, put the address of a reverse proxy into TELEGRAM_API_BASE, since HTTPS_PROXY and its kind are not used";
    }
    match failure.fault() {
        Fault::RateLimited { .. } | Fault::Retry | Fault::Unknown => "try again in a minute",
        Fault::ChatFault | Fault::Permanent | Fault::Refused | Fault::Migrated(_) => todo,
    }
}

/// Calls Telegram, again where that may help soon. Only for calls that can be made twice.
///
/// # Errors
/// The last failure.
pub(crate) async fn patiently<T>(
    call: impl AsyncFn() -> Result<T, TelegramError>,
) -> Result<T, TelegramError> {
    for pause in PAUSES {
        let failure = match call().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        match failure.fault() {
            Fault::RateLimited { after } if after <= RETRY_AFTER_MAX => sleep(after).await,
            Fault::Retry | Fault::Unknown => sleep(pause).await,
            _ => return Err(failure),
        }
    }
    call().await
}

/// What somebody else wrote, on one line, without our secrets and not too long.
fn clean(words: &str) -> String {
    of_others(words).chars().take(WORDS_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const URL: &str = "https://ours.example/v1/telegram/webhook";

    fn info() -> WebhookInfo {
        WebhookInfo {
            url: URL.to_owned(),
            allowed_updates: vec!["chat_member".to_owned(), "my_chat_member".to_owned()],
            pending_update_count: 0,
            last_error_date: None,
            last_error_message: None,
        }
    }

    fn failed_ago(seconds: i64, pending: u64) -> WebhookInfo {
        WebhookInfo {
            last_error_date: Some(NOW.seconds() - seconds),
            last_error_message: Some(
                "Wrong response from the webhook: 401 Unauthorized".to_owned(),
            ),
            pending_update_count: pending,
            ..info()
        }
    }

    fn chat(of_it: serde_json::Value) -> Option<Check> {
        let chat: Chat = serde_json::from_value(of_it).unwrap();
        ways_past_the_links("chat", "“Club”, a supergroup", &chat)
    }

    #[test]
    fn a_chat_that_people_can_join_without_a_link_is_warned_of() {
        use serde_json::json;
        for (of_it, words) in [
            (
                json!({"type": "channel", "username": "club"}),
                "public as @club",
            ),
            (
                json!({"type": "supergroup", "active_usernames": ["club2"]}),
                "public as @club2",
            ),
            (
                json!({"type": "supergroup", "linked_chat_id": -1001}),
                "the discussion group of a channel",
            ),
        ] {
            let check = chat(of_it).unwrap();
            assert_eq!(check.status, CheckStatus::Warning);
            assert!(check.says.contains(words), "{check:?}");
        }
        assert_eq!(chat(json!({"type": "supergroup", "title": "Club"})), None);
        // The channel itself is what is sold.
        assert_eq!(
            chat(json!({"type": "channel", "linked_chat_id": -1002})),
            None
        );
    }

    #[test]
    fn a_webhook_is_judged_by_where_it_leads_what_it_gets_and_how_that_goes_now() {
        let none = WebhookInfo {
            url: String::new(),
            ..info()
        };
        let other = WebhookInfo {
            url: "https://other.example/hook?token=s3cret".to_owned(),
            ..info()
        };
        let same = WebhookInfo {
            url: "https://OURS.example:443/v1/telegram/webhook".to_owned(),
            ..info()
        };
        let deaf = WebhookInfo {
            allowed_updates: Vec::new(),
            ..info()
        };
        let many = WebhookInfo {
            pending_update_count: 1001,
            ..info()
        };
        for (info, expected, status, words) in [
            (
                info(),
                Some(URL),
                CheckStatus::Ok,
                "registered; 0 updates wait",
            ),
            (same, Some(URL), CheckStatus::Ok, "registered"),
            (info(), None, CheckStatus::Ok, "registered on ours.example"),
            (
                none,
                Some(URL),
                CheckStatus::Failed,
                "no webhook is registered",
            ),
            (
                WebhookInfo {
                    url: String::new(),
                    ..info()
                },
                None,
                CheckStatus::Warning,
                "none is registered",
            ),
            (
                other,
                Some(URL),
                CheckStatus::Failed,
                "on other.example: is another deployment",
            ),
            (deaf, None, CheckStatus::Failed, "no join would be seen"),
            (many, Some(URL), CheckStatus::Warning, "1001 updates wait"),
            (
                failed_ago(599, 1),
                Some(URL),
                CheckStatus::Failed,
                "run the setup function again",
            ),
            (
                failed_ago(601, 1),
                Some(URL),
                CheckStatus::Ok,
                "1 updates wait",
            ),
            // It has recovered.
            (failed_ago(1, 0), Some(URL), CheckStatus::Ok, "registered"),
        ] {
            let check = webhook(
                "webhook".to_owned(),
                &info,
                telegram::allowed_updates(false, 0),
                expected,
                NOW,
            );
            assert_eq!(check.status, status, "{check:?}");
            assert!(check.says.contains(words), "{words}: {check:?}");
            assert!(!check.says.contains("s3cret"), "{check:?}");
        }
    }
}
