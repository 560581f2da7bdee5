//! The Bot API methods that we call. Every failure tells what it means for the task; none holds the token.

mod error;
mod member;
mod message;
mod passing;
mod profile;
mod stars;

use std::time::Duration;

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use domain::fault::{Fault, Refusal, classify};
use domain::id::{BotId, ChatId, InviteLink};
use domain::text::list;
use domain::time::Timestamp;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::http::Http;
use runtime::redaction::of_others;
use runtime::transport::CallError;
use runtime::{secrets, trace};

use error::{cleared, is_wrong};

pub use error::TelegramError;
pub use message::{Acted, ChatCall, Outgoing, PASSED_ON};
pub use passing::{PassedAnswer, PassedBody};
pub use profile::AboutBot;

/// Longest wait for an answer. The Bot API server itself sleeps through short flood waits (8 s in all), and a call
/// that is given up too early makes a second link.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How many updates Telegram delivers at once: its own default, said aloud so that no earlier registration's number
/// stays. At 30 ms an update that is over 1,000 joins a second, and it leaves most of an account's concurrent
/// executions (1,000 as a rule) to the shop's calls.
const WEBHOOK_CONNECTIONS: u32 = 40;
/// The name of a chat's request link, which administrators see among its invite links.
const REQUEST_LINK_NAME: &str = "Admit One: join requests";

/// The kinds of update that the webhook needs of the bot at this place in the list of bots, if the bot talks with people or not.
/// `chat_member` is sent to nobody who does not ask for it. People talk with the first bot alone; where it is an
/// administrator as well, `message` brings every message of its chats, so nobody asks for it without need.
#[must_use]
pub const fn allowed_updates(talks: bool, place: usize) -> &'static [&'static str] {
    match (talks, place) {
        (false, _) => &["chat_member", "my_chat_member"],
        (true, 0) => &[
            "chat_member",
            "my_chat_member",
            "chat_join_request",
            "message",
            "edited_message",
            "callback_query",
            "pre_checkout_query",
        ],
        (true, _) => &["chat_member", "my_chat_member", "chat_join_request"],
    }
}

/// Where the updates of a bot go, `url` being the address of the webhook: the first bot's there, those of each other to an
/// address that names it, since each bot counts its updates by itself.
#[must_use]
pub fn webhook_address(url: &str, place: usize, bot: BotId) -> String {
    match place {
        0 => url.to_owned(),
        _ => format!("{url}/{bot}"),
    }
}

/// The answer of `getWebhookInfo`, as far as it is used.
#[derive(Debug, Deserialize)]
pub struct WebhookInfo {
    /// Where updates go; empty if no webhook is set.
    pub url: String,
    /// The updates that are sent; none means the default, which leaves out `chat_member`.
    #[serde(default)]
    pub allowed_updates: Vec<String>,
    /// Updates that wait to be delivered.
    pub pending_update_count: u64,
    /// When the last failed delivery was, in seconds since the Unix epoch. Later successes do not clear it.
    pub last_error_date: Option<i64>,
    /// Telegram's words about the last failed delivery.
    pub last_error_message: Option<String>,
}

impl WebhookInfo {
    /// What is wrong with it, in a sentence, if joins would not come to `url`, which needs `updates`.
    #[must_use]
    pub fn mismatch(&self, url: &str, updates: &[&str]) -> Option<String> {
        if self.url.is_empty() {
            return Some(format!(
                "Telegram sends updates to another URL than {url}: to none, no webhook is registered"
            ));
        }
        if !is_same_url(&self.url, url) {
            return Some(format!(
                "Telegram sends updates to another URL than {url}, on {}: is another deployment using the same bot?",
                self.host()
            ));
        }
        self.lacks(updates).then(|| {
            format!("Telegram does not send {updates:?} to the webhook, so no join would be seen")
        })
    }

    /// Whether some of `updates` are not sent.
    #[must_use]
    pub fn lacks(&self, updates: &[&str]) -> bool {
        let is_sent = |update| self.allowed_updates.iter().any(|allowed| allowed == update);
        !updates.iter().all(is_sent)
    }

    /// The host that updates go to; empty if no webhook is set. The rest of a URL that is not ours may be a secret.
    #[must_use]
    pub fn host(&self) -> String {
        let url = reqwest::Url::parse(&self.url).ok();
        let host = url.as_ref().and_then(reqwest::Url::host_str);
        host.unwrap_or_default().to_owned()
    }
}

/// Whether two spellings are the same URL: the case of the host and the port that goes without saying do not count.
#[must_use]
pub fn is_same_url(one: &str, other: &str) -> bool {
    let parsed = |url: &str| reqwest::Url::parse(url).ok();
    one == other || parsed(one).is_some_and(|url| parsed(other) == Some(url))
}

/// A bot, as `getMe` shows it.
#[derive(Debug, Deserialize)]
pub struct Me {
    /// Its name, without `@`.
    pub username: String,
    /// Whether its privacy mode is off: it then gets every message of its groups.
    #[serde(default)]
    pub can_read_all_group_messages: bool,
}

/// A chat, as `getChat` shows it.
#[derive(Debug, Deserialize)]
pub struct Chat {
    /// `private`, `group`, `supergroup` or `channel`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its title; a private chat has none.
    #[serde(default)]
    pub title: String,
    /// The name by which anybody can find and join it; a private one has none.
    #[serde(default)]
    pub username: String,
    /// Further such names.
    #[serde(default)]
    pub active_usernames: Vec<String>,
    /// Of a supergroup, the channel that it is the discussion group of.
    pub linked_chat_id: Option<i64>,
    /// Whether a supergroup has topics.
    #[serde(default)]
    pub is_forum: bool,
    /// The reactions that may be used there; all of them if nothing is said.
    pub available_reactions: Option<Vec<AllowedReaction>>,
}

/// A reaction that a chat allows.
#[derive(Debug, Deserialize)]
pub struct AllowedReaction {
    /// The emoji; one that somebody drew has none.
    #[serde(default)]
    pub emoji: String,
}

impl Chat {
    /// The name by which anybody can join, without a link of ours.
    #[must_use]
    pub fn public_name(&self) -> Option<&str> {
        let names = std::iter::once(&self.username).chain(&self.active_usernames);
        names.map(String::as_str).find(|name| !name.is_empty())
    }

    /// Whether messages there may be reacted to with this emoji.
    #[must_use]
    pub fn allows_reaction(&self, emoji: &str) -> bool {
        let all = self.available_reactions.as_ref();
        all.is_none_or(|all| all.iter().any(|allowed| allowed.emoji == emoji))
    }
}

/// What a bot is in a chat, as `getChatMember` shows it.
#[derive(Debug, Deserialize)]
pub struct Membership {
    /// `administrator` is what it should be.
    pub status: String,
    /// Whether it may make invite links.
    #[serde(default)]
    pub can_invite_users: bool,
    /// Whether it may remove members.
    #[serde(default)]
    pub can_restrict_members: bool,
    /// Whether it may make, close and open topics.
    #[serde(default)]
    pub can_manage_topics: bool,
    /// Whether it may pin messages.
    #[serde(default)]
    pub can_pin_messages: bool,
    /// Whether it may delete the messages of others.
    #[serde(default)]
    pub can_delete_messages: bool,
}

#[derive(Deserialize)]
struct ChatInviteLink {
    invite_link: String,
    member_limit: Option<i64>,
}

#[derive(Deserialize)]
struct MethodAnswer<T> {
    ok: bool,
    result: Option<T>,
    description: Option<String>,
    parameters: Option<ResponseParameters>,
}

#[derive(Deserialize)]
struct ResponseParameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

/// One bot.
#[derive(Clone)]
pub struct Telegram {
    http: Http,
    base: String,
    token: SecretString,
    bot: BotId,
    clock: Clock,
}

/// The bots that share the work. All are administrators of the same chats.
#[derive(Clone)]
pub struct Bots(Vec<Telegram>);

impl Bots {
    /// The bots of `TELEGRAM_BOT_TOKEN`, tokens separated by commas, at `TELEGRAM_API_BASE`.
    ///
    /// By `clock` Telegram's refusals of dates are understood.
    pub fn from_env(env: &mut Env, clock: &Clock) -> Self {
        let tokens = env.required("TELEGRAM_BOT_TOKEN");
        let base = env.base_url("TELEGRAM_API_BASE", "https://api.telegram.org");
        let http = Http::from_env(env);
        let mut bots: Vec<Telegram> = Vec::new();
        for token in list(&tokens) {
            let Some(bot) = BotId::of_token(token) else {
                env.problem(
                    "TELEGRAM_BOT_TOKEN is no bot token (digits, a colon, letters), nor several with commas between"
                        .to_owned(),
                );
                continue;
            };
            if bots.iter().any(|known| known.bot == bot) {
                env.problem("TELEGRAM_BOT_TOKEN names a bot twice".to_owned());
            }
            bots.push(Telegram {
                http: http.clone(),
                base: base.clone(),
                token: token.into(),
                bot,
                clock: clock.clone(),
            });
        }
        if bots.is_empty() && !tokens.is_empty() {
            env.problem("TELEGRAM_BOT_TOKEN holds no token".to_owned());
        }
        Self(bots)
    }

    /// All of them, in the order of their tokens.
    pub fn iter(&self) -> impl Iterator<Item = &Telegram> {
        self.0.iter()
    }

    /// The bot of this id.
    #[must_use]
    pub fn get(&self, bot: BotId) -> Option<&Telegram> {
        self.iter().find(|telegram| telegram.bot == bot)
    }
}

impl Telegram {
    /// Which bot it is.
    #[must_use]
    pub const fn bot(&self) -> BotId {
        self.bot
    }

    /// Makes a link for one member, that stops to work at `expires_at`. Not idempotent: each call makes another link,
    /// and Telegram lets no bot list them.
    ///
    /// # Errors
    /// [`TelegramError`]; by its [`Fault`] a link may have been made.
    pub async fn create_invite_link(
        &self,
        chat: ChatId,
        name: &str,
        expires_at: Timestamp,
    ) -> Result<InviteLink, TelegramError> {
        let parameters = json!({"chat_id": chat, "name": name, "expire_date": expires_at.seconds(), "member_limit": 1});
        let made: ChatInviteLink = self
            .call("createChatInviteLink", &parameters, CALL_TIMEOUT)
            .await?;
        if made.invite_link.is_empty() {
            return Err(TelegramError::Garbled {
                method: "createChatInviteLink",
                status: 200,
            });
        }
        let link = InviteLink::new(made.invite_link);
        match made.member_limit {
            Some(1) => Ok(link),
            limit => Err(TelegramError::NotSingleUse { limit, link }),
        }
    }

    /// Makes a link by which anybody may ask to be let into the chat, and nobody is let in by it alone. It does not end.
    /// Not idempotent: each call makes another link.
    ///
    /// # Errors
    /// [`TelegramError`]; by its [`Fault`] a link may have been made.
    pub async fn create_request_link(&self, chat: ChatId) -> Result<InviteLink, TelegramError> {
        let parameters =
            json!({"chat_id": chat, "name": REQUEST_LINK_NAME, "creates_join_request": true});
        let made: ChatInviteLink = self
            .call("createChatInviteLink", &parameters, CALL_TIMEOUT)
            .await?;
        if made.invite_link.is_empty() {
            return Err(TelegramError::Garbled {
                method: "createChatInviteLink",
                status: 200,
            });
        }
        Ok(InviteLink::new(made.invite_link))
    }

    /// Whether a link of [`Telegram::create_request_link`] works: an administrator may have revoked it. It is written anew as
    /// it is, which a revoked one refuses.
    ///
    /// # Errors
    /// [`TelegramError`], if that can't be told.
    pub async fn is_request_link_alive(
        &self,
        chat: ChatId,
        link: &InviteLink,
    ) -> Result<bool, TelegramError> {
        let parameters = json!({
            "chat_id": chat, "invite_link": link, "name": REQUEST_LINK_NAME, "creates_join_request": true,
        });
        let edited = self.call::<Value>("editChatInviteLink", &parameters, CALL_TIMEOUT);
        match edited.await {
            Ok(link) => Ok(link["is_revoked"] != true),
            Err(failure) if failure.fault() == Fault::Permanent => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Takes a link out of use. Idempotent.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn revoke_invite_link(
        &self,
        chat: ChatId,
        link: &InviteLink,
    ) -> Result<(), TelegramError> {
        let parameters = json!({"chat_id": chat, "invite_link": link});
        self.call::<Value>("revokeChatInviteLink", &parameters, CALL_TIMEOUT)
            .await
            .map(|_| ())
    }

    /// Which bot the token is of. Proves the token.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn me(&self) -> Result<Me, TelegramError> {
        self.call("getMe", &json!({}), CALL_TIMEOUT).await
    }

    /// A chat that the bot is in.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn chat(&self, chat: ChatId) -> Result<Chat, TelegramError> {
        self.call("getChat", &json!({"chat_id": chat}), CALL_TIMEOUT)
            .await
    }

    /// What the bot itself is in a chat.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn own_membership(&self, chat: ChatId) -> Result<Membership, TelegramError> {
        let parameters = json!({"chat_id": chat, "user_id": self.bot});
        self.call("getChatMember", &parameters, CALL_TIMEOUT).await
    }

    /// Leaves a chat.
    ///
    /// # Errors
    /// [`TelegramError`]. That the bot is not in the chat is refused as well.
    pub async fn leave(&self, chat: ChatId) -> Result<(), TelegramError> {
        self.call::<bool>("leaveChat", &json!({"chat_id": chat}), CALL_TIMEOUT)
            .await
            .map(|_| ())
    }

    /// Registers a webhook that gets `updates` and nothing else.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn set_webhook(
        &self,
        url: &str,
        secret: &SecretString,
        updates: &[&str],
    ) -> Result<(), TelegramError> {
        let parameters = json!({
            "url": url, "secret_token": secret.expose_secret(), "allowed_updates": updates,
            "max_connections": WEBHOOK_CONNECTIONS,
        });
        self.call::<bool>("setWebhook", &parameters, CALL_TIMEOUT)
            .await
            .map(|_| ())
    }

    /// Removes the webhook, so that `getUpdates` works; pending updates are kept.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn delete_webhook(&self) -> Result<(), TelegramError> {
        self.call::<bool>("deleteWebhook", &json!({}), CALL_TIMEOUT)
            .await
            .map(|_| ())
    }

    /// What is registered, and how deliveries go.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn webhook_info(&self) -> Result<WebhookInfo, TelegramError> {
        let info: WebhookInfo = self
            .call("getWebhookInfo", &json!({}), CALL_TIMEOUT)
            .await?;
        Ok(WebhookInfo {
            last_error_message: info.last_error_message.as_deref().map(of_others),
            ..info
        })
    }

    /// Waits up to `wait` for updates of the kinds `updates` from `offset` on; those before it are thereby confirmed
    /// and gone.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn updates(
        &self,
        offset: i64,
        wait: Duration,
        updates: &[&str],
    ) -> Result<Vec<Value>, TelegramError> {
        let parameters =
            json!({"offset": offset, "timeout": wait.as_secs(), "allowed_updates": updates});
        self.call("getUpdates", &parameters, wait + CALL_TIMEOUT)
            .await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        parameters_sent: &Value,
        timeout: Duration,
    ) -> Result<T, TelegramError> {
        let url = format!("{}/bot{}/{method}", self.base, self.token.expose_secret());
        let call = self.http.post_json(
            &url,
            HeaderMap::new(),
            parameters_sent.to_string().into_bytes(),
            timeout,
        );
        let call = trace::call("Telegram", method, call, |answer| answer.status);
        let answer = call.await.map_err(|error| match error {
            CallError::NotSent(source) => TelegramError::Unreachable { method, source },
            CallError::NoAnswer(source) => TelegramError::NoAnswer { method, source },
            CallError::TooLarge { status } => TelegramError::Garbled { method, status },
        })?;
        let (status, retry_after, theirs) = (answer.status, answer.retry_after(), answer.date());
        if matches!(status, 401 | 404) {
            secrets::refused();
        }
        match serde_json::from_slice::<MethodAnswer<T>>(&answer.body) {
            Ok(MethodAnswer {
                ok: true,
                result: Some(result),
                ..
            }) => Ok(result),
            Ok(MethodAnswer {
                ok: false,
                description,
                parameters,
                ..
            }) => {
                let parameters = parameters.unwrap_or(ResponseParameters {
                    retry_after: None,
                    migrate_to_chat_id: None,
                });
                // Cleared before it is cut: half a token at the end would not be known as one.
                let description = cleared(&description.unwrap_or_default(), parameters_sent);
                let ours = self.clock.now();
                if let Some(theirs) = theirs.filter(|theirs| is_wrong(ours, *theirs))
                    && description.to_uppercase().contains("EXPIRE_DATE_INVALID")
                {
                    return Err(TelegramError::WrongClock {
                        method,
                        ours,
                        theirs,
                    });
                }
                let fault = classify(Refusal {
                    status,
                    description: &description,
                    retry_after: parameters.retry_after.or(retry_after),
                    migrate_to_chat_id: parameters.migrate_to_chat_id,
                });
                Err(TelegramError::Refused {
                    method,
                    status,
                    description,
                    fault,
                })
            }
            // A proxy before Telegram speaks HTML; its 429 is a rate limit all the same.
            _ if status == 429 => {
                let fault = classify(Refusal {
                    status,
                    retry_after,
                    ..Refusal::default()
                });
                Err(TelegramError::Refused {
                    method,
                    status,
                    description: "Too Many Requests".to_owned(),
                    fault,
                })
            }
            _ => Err(TelegramError::Garbled { method, status }),
        }
    }
}
