//! Telegram: it limits, fails and refuses, and reports who came and went.

use std::ops::Deref;

use serde_json::{Value, json};
use simulators::clock::Clock;
use simulators::telegram::{Fault, FaultRule, Limit, Rights, Telegram};

use super::answer::{ApiAnswer, Wire};

const MINT: &str = "createChatInviteLink";
const REVOCATION: &str = "revokeChatInviteLink";

/// Telegram as the bot and the chat of a stack meet it. All that the simulator can do beyond this is reached as well.
pub struct TelegramActor {
    pub(super) server: Telegram,
    pub(super) wire: Wire,
    pub(super) webhook_secret: String,
    pub(super) clock: Clock,
    pub(super) bot_id: i64,
    pub(super) chat_id: i64,
}

impl Deref for TelegramActor {
    type Target = Telegram;

    fn deref(&self) -> &Telegram {
        &self.server
    }
}

/// Trouble.
impl TelegramActor {
    /// Limits each bot in each chat.
    pub fn limit(&self, limit: Limit) {
        self.server.set_limit(Some(limit));
    }

    /// Fails the next calls that make a link, so many of them.
    pub fn fail_mints(&self, times: u32, fault: Fault) {
        self.server.fail(FaultRule::on(MINT, fault).times(times));
    }

    /// Fails all calls that make a link.
    pub fn fail_all_mints(&self, fault: Fault) {
        self.server.fail(FaultRule::on(MINT, fault));
    }

    /// Fails the next calls that revoke a link, so many of them.
    pub fn fail_revocations(&self, times: u32, fault: Fault) {
        let rule = FaultRule::on(REVOCATION, fault);
        self.server.fail(rule.times(times));
    }

    /// Takes the bot's rights in the chat away.
    pub fn take_rights(&self) {
        self.server
            .make_admin(self.bot_id, self.chat_id, Rights::none());
    }

    /// Gives the bot all rights in the chat.
    pub fn give_rights(&self) {
        self.server
            .make_admin(self.bot_id, self.chat_id, Rights::all());
    }
}

/// Links.
impl TelegramActor {
    /// How often it was asked to make a link.
    #[must_use]
    pub fn mints(&self) -> u64 {
        self.server.count(MINT)
    }

    /// How often it was asked to revoke a link.
    #[must_use]
    pub fn revocations(&self) -> u64 {
        self.server.count(REVOCATION)
    }

    /// Whether a link was revoked.
    ///
    /// # Panics
    /// If no link of this URL was made.
    #[must_use]
    pub fn is_revoked(&self, link: &str) -> bool {
        self.server
            .link(link)
            .expect("a link that was made")
            .revoked
    }

    /// The links that are not revoked.
    #[must_use]
    pub fn links_alive(&self) -> Vec<String> {
        let links = self.server.links().into_iter();
        let alive = links.filter(|link| !link.revoked);
        alive.map(|link| link.url).collect()
    }
}

/// Reports of who came and went, which a test holds in its hands to change, delay or repeat them.
impl TelegramActor {
    /// The report that a person came in by a link, now.
    #[must_use]
    pub fn join_report(&self, link: &str, person: i64) -> Value {
        let mut report = self.report(person, "left", "member");
        report["chat_member"]["invite_link"] = json!({"invite_link": link,
            "creator": {"id": self.bot_id, "is_bot": true, "first_name": "B"},
            "creates_join_request": false, "is_primary": false, "is_revoked": false});
        report
    }

    /// The report that a person left, now.
    #[must_use]
    pub fn leave_report(&self, person: i64) -> Value {
        self.report(person, "member", "left")
    }

    fn report(&self, person: i64, before: &str, after: &str) -> Value {
        let user = json!({"id": person, "is_bot": false, "first_name": "A"});
        json!({"update_id": 1, "chat_member": {
            "chat": {"id": self.chat_id, "type": "supergroup", "title": "Premium Club"},
            "from": user, "date": self.clock.now_ms() / 1000,
            "old_chat_member": {"status": before, "user": user},
            "new_chat_member": {"status": after, "user": user},
        }})
    }

    /// Sends an update to the webhook, with its secret.
    pub async fn send(&self, update: &Value) -> ApiAnswer {
        let secret = self.webhook_secret.as_str();
        let secret = [("x-telegram-bot-api-secret-token", secret)];
        let path = "/v1/telegram/webhook";
        self.wire.post(path, update.to_string(), &secret).await
    }

    /// Sends an update to the webhook, which must take it; answers what became of it.
    ///
    /// # Panics
    /// If it does not take it.
    pub async fn sent(&self, update: &Value) -> String {
        let taken = self.send(update).await.done();
        taken["result"].as_str().unwrap_or_default().to_owned()
    }
}

/// A report as of another time.
#[must_use]
pub fn dated(mut report: Value, at_ms: i64) -> Value {
    report["chat_member"]["date"] = json!(at_ms / 1000);
    report
}
