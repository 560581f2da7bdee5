//! What people do with a bot: they start it, write, press buttons, block it. And what they see.

use serde_json::{Value, json};

use super::Telegram;
use super::conversation::{Conversation, Draft, SeenMessage, Sender};
use super::entities::{Formatted, marked};
use super::member::User;
use super::person::Reach;
use super::queries::{Asked, CallbackAnswer};
use super::state::TelegramState;
use super::talk::Edited;

const LONGEST_PAYLOAD: usize = 64;

/// What becomes of the payload of a `?start=` link on its way through the person's apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartPayload {
    /// It arrives.
    Kept,
    /// The app drops it: `/start` comes bare.
    Lost,
}

/// What happens to someone who taps a link to a bot and then START.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTap {
    /// The bot was sent `/start`, in this message.
    Started(i64),
    /// The link leads to no bot.
    NoSuchBot,
    /// The payload is longer than 64 characters or has others than `A-Za-z0-9_-`: the app refuses the link.
    BadPayload,
}

/// What happens to someone who taps a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ButtonTap {
    /// The bot was sent a query of this id.
    Asked(String),
    /// This link was opened.
    Opened(String),
    /// Something that concerns no bot, such as copied text.
    Done,
    /// No such message, or no such button on it.
    NoSuchButton,
}

/// People in private chats.
impl Telegram {
    /// The person taps a link `https://t.me/<bot>?start=<payload>`, then START.
    pub fn taps_start_link(&self, link: &str, user: &User, payload: StartPayload) -> StartTap {
        let (address, query) = link.split_once('?').unwrap_or((link, ""));
        let name = address.rsplit('/').next().unwrap_or_default();
        let bot_id = self.shared.lock().world.bot_named(name);
        let Some(bot_id) = bot_id else {
            return StartTap::NoSuchBot;
        };
        let given = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("start="));
        let given = given.unwrap_or_default();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if given.len() > LONGEST_PAYLOAD || !given.bytes().all(is_allowed) {
            return StartTap::BadPayload;
        }
        let given = match payload {
            StartPayload::Kept => given,
            StartPayload::Lost => "",
        };
        StartTap::Started(self.presses_start(bot_id, user, given))
    }

    /// The person presses START, with this payload or an empty one; who had blocked the bot unblocks it so. Gives the
    /// id of the message `/start`.
    pub fn presses_start(&self, bot_id: i64, user: &User, payload: &str) -> i64 {
        let text = format!("/start {payload}");
        self.says(
            Conversation::private(bot_id, user.id),
            user,
            text.trim_end(),
        )
    }

    /// The person says something, in private (which opens the chat) or in a group. Gives the id of the message; 0 if
    /// there is no such conversation.
    pub fn says(&self, conversation: Conversation, user: &User, text: &str) -> i64 {
        let draft = Draft::new(user.clone(), Formatted::plain(text));
        self.says_draft(conversation, user, draft)
    }

    /// The same of words that the person marks, as HTML.
    ///
    /// # Panics
    /// If it is not the HTML of the Bot API.
    pub fn says_html(&self, conversation: Conversation, user: &User, html: &str) -> i64 {
        self.says_draft(conversation, user, Draft::new(user.clone(), marked(html)))
    }

    /// The same, in answer to a message.
    pub fn replies(
        &self,
        conversation: Conversation,
        user: &User,
        message_id: i64,
        text: &str,
    ) -> i64 {
        let mut draft = Draft::new(user.clone(), Formatted::plain(text));
        draft.reply_to = Some(message_id);
        self.says_draft(conversation, user, draft)
    }

    fn says_draft(&self, conversation: Conversation, user: &User, draft: Draft) -> i64 {
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            if let Conversation::Private { bot_id, .. } = conversation {
                world.set_reach(bot_id, user, Reach::Open, now_ms);
            }
            world.say(conversation, draft, now_ms).unwrap_or_default()
        })
    }

    /// An administrator says something in the name of the group.
    pub fn says_anonymously(&self, chat_id: i64, text: &str) -> i64 {
        let stand_in = User::new(1_087_968_824)
            .named("Group")
            .with_username("GroupAnonymousBot");
        self.says_for((chat_id, None), chat_id, stand_in, text, &[])
    }

    /// An administrator answers a message in the name of the group.
    pub fn answers_anonymously(&self, chat_id: i64, message_id: i64, text: &str) -> i64 {
        let stand_in = User::new(1_087_968_824)
            .named("Group")
            .with_username("GroupAnonymousBot");
        self.says_for((chat_id, Some(message_id)), chat_id, stand_in, text, &[])
    }

    /// Somebody says something in a group in the name of a channel.
    pub fn says_as_channel(&self, chat_id: i64, channel_id: i64, text: &str) -> i64 {
        let stand_in = User::new(136_817_688)
            .named("Channel")
            .with_username("Channel_Bot");
        self.says_for((chat_id, None), channel_id, stand_in, text, &[])
    }

    /// Telegram copies a post of the linked channel into its discussion group.
    pub fn forwards_channel_post(&self, chat_id: i64, channel_id: i64, text: &str) -> i64 {
        let service = User::new(777_000).named("Telegram");
        let automatic = [("is_automatic_forward", json!(true))];
        self.says_for((chat_id, None), channel_id, service, text, &automatic)
    }

    fn says_for(
        &self,
        (chat_id, reply_to): (i64, Option<i64>),
        sender_id: i64,
        mut stand_in: User,
        text: &str,
        more: &[(&str, Value)],
    ) -> i64 {
        stand_in.is_bot = stand_in.id != 777_000;
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            let sender = Sender {
                user: Some(stand_in),
                chat: Some(world.chat_json(Conversation::chat(sender_id))),
            };
            let mut draft = Draft::new(sender, Formatted::plain(text));
            draft.reply_to = reply_to;
            for (name, value) in more {
                draft.more.insert((*name).to_owned(), value.clone());
            }
            let said = world.say(Conversation::chat(chat_id), draft, now_ms);
            said.unwrap_or_default()
        })
    }

    /// A post in a channel.
    pub fn posts(&self, channel_id: i64, text: &str) -> i64 {
        self.shared.change(|state, now_ms| {
            let conversation = Conversation::chat(channel_id);
            let sender = Sender {
                user: None,
                chat: Some(state.world.chat_json(conversation)),
            };
            let draft = Draft::new(sender, Formatted::plain(text));
            let posted = state.world.say(conversation, draft, now_ms);
            posted.unwrap_or_default()
        })
    }

    /// Somebody edits a message of theirs. False if it is gone.
    pub fn edits(&self, conversation: Conversation, message_id: i64, text: &str) -> bool {
        self.edits_to(conversation, message_id, Formatted::plain(text))
    }

    /// The same, to words that they mark, as HTML.
    ///
    /// # Panics
    /// If it is not the HTML of the Bot API.
    pub fn edits_html(&self, conversation: Conversation, message_id: i64, html: &str) -> bool {
        self.edits_to(conversation, message_id, marked(html))
    }

    fn edits_to(&self, conversation: Conversation, message_id: i64, said: Formatted) -> bool {
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            let message = world.log_mut(conversation).and_then(|log| {
                let message = log.get_mut(message_id)?;
                message.edit(said, now_ms);
                Some(message.clone())
            });
            if let Some(message) = &message {
                world.spread(conversation, message, Edited::Yes, now_ms);
            }
            message.is_some()
        })
    }

    /// Somebody deletes a message. Bots are not told. False if it is gone already.
    pub fn deletes(&self, conversation: Conversation, message_id: i64) -> bool {
        self.shared.change(|state, _| {
            let log = state.world.log_mut(conversation);
            let message = log.and_then(|log| log.get_mut(message_id));
            message.map(|message| message.is_deleted = true).is_some()
        })
    }

    /// The person taps the button of that text below a message of a bot.
    pub fn taps_button(
        &self,
        conversation: Conversation,
        user: &User,
        message_id: i64,
        text: &str,
    ) -> ButtonTap {
        let seen = self.message(conversation, message_id);
        let buttons = seen.into_iter().filter(|seen| !seen.is_deleted);
        let button = buttons
            .flat_map(|seen| seen.buttons.into_iter().flatten())
            .find(|button| button.text == text);
        let Some(button) = button else {
            return ButtonTap::NoSuchButton;
        };
        match (button.callback_data, button.url) {
            (Some(data), _) => self
                .sends_callback(conversation, user, message_id, &data)
                .map_or(ButtonTap::NoSuchButton, ButtonTap::Asked),
            (None, Some(url)) => ButtonTap::Opened(url),
            (None, None) => ButtonTap::Done,
        }
    }

    /// What a changed app can do: it sends any data as if a button had been tapped, also below a message that is gone.
    /// Gives the id of the query; none if there never was such a message of a bot.
    pub fn sends_callback(
        &self,
        conversation: Conversation,
        user: &User,
        message_id: i64,
        data: &str,
    ) -> Option<String> {
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            world.press(conversation, user, message_id, data, now_ms)
        })
    }

    /// What the bot answered to a tapped button, once it did.
    #[must_use]
    pub fn callback_answer(&self, query_id: &str) -> Option<CallbackAnswer> {
        match self.shared.lock().world.queries.get(query_id)? {
            Asked::Button(answer) => answer.clone(),
            Asked::ToJoin { .. } | Asked::ToPay(_) => None,
        }
    }

    /// The person blocks the bot.
    pub fn blocks(&self, bot_id: i64, user: &User) {
        self.shared.change(|state, now_ms| {
            state.world.set_reach(bot_id, user, Reach::Blocked, now_ms);
        });
    }

    /// The person unblocks the bot.
    pub fn unblocks(&self, bot_id: i64, user: &User) {
        self.shared.change(|state, now_ms| {
            state.world.set_reach(bot_id, user, Reach::Open, now_ms);
        });
    }

    /// Whether the person has blocked the bot.
    #[must_use]
    pub fn has_blocked(&self, bot_id: i64, user_id: i64) -> bool {
        let state = self.shared.lock();
        let person = state.world.people.get(&user_id);
        let private = person.and_then(|person| person.private.get(&bot_id));
        private.is_some_and(|private| private.reach == Reach::Blocked)
    }

    /// The person deletes their account. Bots are not told.
    pub fn deactivates(&self, user: &User) {
        self.shared
            .change(|state, _| state.world.person(user).is_deactivated = true);
    }

    /// All messages of a conversation that are kept, oldest first, deleted ones too.
    #[must_use]
    pub fn messages(&self, conversation: Conversation) -> Vec<SeenMessage> {
        let state = self.shared.lock();
        let log = state.world.log(conversation).into_iter();
        log.flat_map(|log| log.all().map(|message| message.seen()))
            .collect()
    }

    /// The ids of the messages that are pinned in a conversation.
    #[must_use]
    pub fn pinned(&self, conversation: Conversation) -> Vec<i64> {
        let state = self.shared.lock();
        let log = state.world.log(conversation).into_iter();
        log.flat_map(|log| {
            let pinned = log.pinned.iter().copied();
            pinned.filter(|id| log.get(*id).is_some())
        })
        .collect()
    }

    /// One message of a conversation, deleted or not.
    #[must_use]
    pub fn message(&self, conversation: Conversation, message_id: i64) -> Option<SeenMessage> {
        let messages = self.messages(conversation).into_iter();
        messages
            .rev()
            .find(|message| message.message_id == message_id)
    }
}

impl TelegramState {
    fn bot_named(&self, username: &str) -> Option<i64> {
        let is_named = |name: &Option<String>| {
            name.as_ref()
                .is_some_and(|name| name.eq_ignore_ascii_case(username))
        };
        let mut bots = self.bots.iter();
        bots.find_map(|(id, bot)| is_named(&bot.user.username).then_some(*id))
    }

    fn press(
        &mut self,
        conversation: Conversation,
        user: &User,
        message_id: i64,
        data: &str,
        now_ms: i64,
    ) -> Option<String> {
        let log = self.log(conversation)?;
        let message = log.all().find(|message| message.id == message_id)?.clone();
        let sender = message.draft.sender.user.as_ref()?;
        let bot_id = self.bots.contains_key(&sender.id).then_some(sender.id)?;
        let shown = if message.is_deleted {
            json!({"chat": self.chat_json(conversation), "message_id": message_id, "date": 0})
        } else {
            self.message_json(conversation, &message)
        };
        let query_id = self.queries.put(bot_id, Asked::Button(None), now_ms);
        self.seen.insert((bot_id, user.id));
        let query = json!({
            "id": query_id, "from": user.json(), "message": shown, "data": data,
            "chat_instance": conversation.chat_id().to_string(),
        });
        let bot = self.bots.get_mut(&bot_id)?;
        bot.inbox
            .put(json!({"callback_query": query}), now_ms, now_ms);
        Some(query_id)
    }
}
