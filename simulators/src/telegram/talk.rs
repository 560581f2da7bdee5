//! Where a bot may write, what is said there, and which bots are told.

use serde_json::{Value, json};

use super::chat::{Chat, ChatKind};
use super::conversation::{ChatMessage, Conversation, Draft, MessageLog};
use super::member::{MemberStatus, User};
use super::person::{Reach, private_chat};
use super::refusal::Refusal;
use super::state::TelegramState;

/// Whether a message was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edited {
    No,
    Yes,
}

impl TelegramState {
    /// Where the bot writes to, or the refusal that Telegram gives.
    pub(crate) fn writable(
        &self,
        bot_id: i64,
        chat_id: &Value,
        now_ms: i64,
    ) -> Result<Conversation, Refusal> {
        if let Some(user_id) = chat_id.as_i64().filter(|id| *id > 0) {
            return self.reachable(bot_id, user_id, now_ms);
        }
        let chat = self.chat_for(bot_id, chat_id, now_ms)?;
        let is_admin = chat.rights(bot_id).is_some();
        if chat.kind == ChatKind::Channel && !is_admin {
            return Err(Refusal::bad_request(
                "need administrator rights in the channel chat",
            ));
        }
        if matches!(chat.status(bot_id, now_ms), MemberStatus::Restricted { .. }) {
            return Err(Refusal::bad_request(
                "not enough rights to send text messages to the chat",
            ));
        }
        Ok(Conversation::chat(chat.id))
    }

    fn reachable(&self, bot_id: i64, user_id: i64, now_ms: i64) -> Result<Conversation, Refusal> {
        if self.bots.contains_key(&user_id) {
            return Err(Refusal::forbidden("bot can't send messages to bots"));
        }
        // Somebody whom the bot never met does not exist for it.
        if !self.seen.contains(&(bot_id, user_id)) {
            return Err(Refusal::bad_request("chat not found"));
        }
        let person = self.people.get(&user_id);
        if person.is_some_and(|person| person.is_deactivated) {
            return Err(Refusal::forbidden("user is deactivated"));
        }
        let reach = person
            .and_then(|person| person.private.get(&bot_id))
            .map_or(Reach::NotStarted, |private| private.reach);
        match reach {
            Reach::Open => Ok(Conversation::private(bot_id, user_id)),
            Reach::NotStarted if self.may_contact(bot_id, user_id, now_ms) => {
                Ok(Conversation::private(bot_id, user_id))
            }
            Reach::Blocked => Err(Refusal::forbidden("bot was blocked by the user")),
            Reach::NotStarted => Err(Refusal::forbidden(
                "bot can't initiate conversation with a user",
            )),
        }
    }

    pub(crate) fn log(&self, conversation: Conversation) -> Option<&MessageLog> {
        match conversation {
            Conversation::Private { bot_id, user_id } => {
                let person = self.people.get(&user_id)?;
                person.private.get(&bot_id).map(|private| &private.log)
            }
            Conversation::Chat { chat_id } => self.chats.get(&chat_id).map(|chat| &chat.log),
        }
    }

    pub(crate) fn log_mut(&mut self, conversation: Conversation) -> Option<&mut MessageLog> {
        match conversation {
            Conversation::Private { bot_id, user_id } => {
                let user = self.user(user_id)?.clone();
                let private = self.person(&user).private.entry(bot_id).or_default();
                Some(&mut private.log)
            }
            Conversation::Chat { chat_id } => {
                self.chats.get_mut(&chat_id).map(|chat| &mut chat.log)
            }
        }
    }

    pub(crate) fn chat_json(&self, conversation: Conversation) -> Value {
        match conversation {
            Conversation::Private { user_id, .. } => {
                self.user(user_id).map_or(Value::Null, private_chat)
            }
            Conversation::Chat { chat_id } => {
                self.chats.get(&chat_id).map_or(Value::Null, Chat::json)
            }
        }
    }

    /// Keeps a message. Nobody is told of it.
    pub(crate) fn post(
        &mut self,
        conversation: Conversation,
        mut draft: Draft,
        now_ms: i64,
    ) -> Option<ChatMessage> {
        let log = self.log_mut(conversation)?;
        // An answer goes where that is which it answers.
        let answered = draft.reply_to.and_then(|id| log.get(id));
        draft.thread_id = draft
            .thread_id
            .or_else(|| answered.and_then(|answered| answered.draft.thread_id));
        Some(log.put(draft, now_ms))
    }

    /// The `Message` as the Bot API shows it.
    pub(crate) fn message_json(&self, conversation: Conversation, message: &ChatMessage) -> Value {
        let chat = self.chat_json(conversation);
        let mut shown = message.json(&chat);
        // In a topic, what answers nothing else answers the message by which the topic began.
        let draft = &message.draft;
        let answered = draft.reply_to.or(draft.thread_id);
        let answered = answered
            .filter(|id| *id != message.id)
            .and_then(|id| self.log(conversation)?.get(id));
        if let Some(answered) = answered {
            shown["reply_to_message"] = answered.json(&chat);
        }
        shown
    }

    /// The bots that are told of a message in a conversation: in private the bot itself; in a chat its administrators,
    /// and by privacy mode the others if it is a command for them, a reply to them or a service message.
    pub(crate) fn listeners(&self, conversation: Conversation, message: &ChatMessage) -> Vec<i64> {
        let chat = match conversation {
            Conversation::Private { bot_id, .. } => return vec![bot_id],
            Conversation::Chat { chat_id } => self.chats.get(&chat_id),
        };
        let Some(chat) = chat else {
            return Vec::new();
        };
        let answered = message.draft.reply_to.and_then(|id| chat.log.get(id));
        let hears = |bot_id: &&i64| {
            let is_answered = answered.is_some_and(|answered| answered.is_from(**bot_id));
            // A bot is told of what it did itself in a forum, but not of what it said.
            (message.is_service() || !message.is_from(**bot_id))
                && (chat.rights(**bot_id).is_some()
                    || message.is_service()
                    || is_answered
                    || self.is_command_for(**bot_id, &message.draft.said.text))
        };
        chat.bots.iter().filter(hears).copied().collect()
    }

    fn is_command_for(&self, bot_id: i64, text: &str) -> bool {
        let Some(command) = text.strip_prefix('/') else {
            return false;
        };
        let word = command.split_whitespace().next().unwrap_or_default();
        let own = self
            .bots
            .get(&bot_id)
            .and_then(|bot| bot.user.username.as_deref());
        match word.split_once('@') {
            None => true,
            Some((_, name)) => own.is_some_and(|own| own.eq_ignore_ascii_case(name)),
        }
    }

    /// Tells the bots that may know of a message. `edited` is whether it was there before.
    pub(crate) fn spread(
        &mut self,
        conversation: Conversation,
        message: &ChatMessage,
        edited: Edited,
        now_ms: i64,
    ) {
        let is_channel = matches!(conversation, Conversation::Chat { chat_id }
            if self.chats.get(&chat_id).is_some_and(|chat| chat.kind == ChatKind::Channel));
        let kind = match (edited, is_channel) {
            (Edited::No, false) => "message",
            (Edited::Yes, false) => "edited_message",
            (Edited::No, true) => "channel_post",
            (Edited::Yes, true) => "edited_channel_post",
        };
        let shown = self.message_json(conversation, message);
        for bot_id in self.listeners(conversation, message) {
            if let Some(user) = &message.draft.sender.user {
                self.seen.insert((bot_id, user.id));
            }
            if let Some(bot) = self.bots.get_mut(&bot_id) {
                bot.inbox.put(json!({kind: shown.clone()}), now_ms, now_ms);
            }
        }
    }

    /// Says something in a person's name, and tells the bots; gives the id of the message.
    pub(crate) fn say(
        &mut self,
        conversation: Conversation,
        draft: Draft,
        now_ms: i64,
    ) -> Option<i64> {
        let message = self.post(conversation, draft, now_ms)?;
        self.spread(conversation, &message, Edited::No, now_ms);
        Some(message.id)
    }

    /// Opens, blocks or opens again the private chat; the bot is told of a block and of its end.
    pub(crate) fn set_reach(&mut self, bot_id: i64, user: &User, reach: Reach, now_ms: i64) {
        let private = self.person(user).private.entry(bot_id).or_default();
        let former = std::mem::replace(&mut private.reach, reach);
        self.seen.insert((bot_id, user.id));
        let is_change = matches!(
            (former, reach),
            (Reach::Open, Reach::Blocked) | (Reach::Blocked, Reach::Open)
        );
        let Some(bot) = self.bots.get_mut(&bot_id).filter(|_| is_change) else {
            return;
        };
        let kicked = MemberStatus::Kicked { until_date: 0 };
        let (old, new) = match reach {
            Reach::Blocked => (MemberStatus::Member, kicked),
            Reach::Open | Reach::NotStarted => (kicked, MemberStatus::Member),
        };
        let changed = json!({
            "chat": private_chat(user), "from": user.json(), "date": now_ms / 1000,
            "old_chat_member": old.json(&bot.user, false), "new_chat_member": new.json(&bot.user, false),
        });
        bot.inbox
            .put(json!({"my_chat_member": changed}), now_ms, now_ms);
    }
}
