//! The people whose phone the page shows, and what each of them sees in simulated Telegram: the private chat with the bot,
//! and beside it the operators' forum.
//!
//! Texts of messages reach the page with their entities, never as markup.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use simulators::telegram::{Conversation, MemberStatus, SeenMessage, User};

use crate::externals::SimulatedTelegram;

/// Who is there from the start.
const NAMES: [&str; 3] = ["Ann", "Bob", "Stranger"];
/// How many people have the phone; who was added first makes room for one more.
const PEOPLE_MAX: usize = 10;
/// How many messages of a chat are shown, the newest.
const MESSAGES: usize = 40;
/// How many topics are shown, the newest.
const TOPICS: usize = 50;
/// The first of the ids of people.
const FIRST_ID: i64 = 5_000_000_000;
/// How many ids there are for them.
const IDS: i64 = 1_000_000_000;

/// The people whose phone it is.
pub(super) struct Cast {
    people: Mutex<VecDeque<User>>,
}

impl Cast {
    pub(super) fn new() -> Self {
        let cast = Self {
            people: Mutex::default(),
        };
        for name in NAMES {
            cast.named(name);
        }
        cast
    }

    fn people(&self) -> MutexGuard<'_, VecDeque<User>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The person of that name, who is added if need be. The id is made of the name: after a restart it is the same
    /// person to what the tables have kept.
    pub(super) fn named(&self, name: &str) -> User {
        let mut people = self.people();
        if let Some(known) = people.iter().find(|user| user.first_name == name) {
            return known.clone();
        }
        let number = name
            .bytes()
            .fold(0_i64, |number, byte| (number * 31 + i64::from(byte)) % IDS);
        let mut id = FIRST_ID + number;
        while people.iter().any(|user| user.id == id) {
            id += 1;
        }
        let user = User::new(id).named(name);
        if people.len() >= PEOPLE_MAX {
            people.remove(NAMES.len());
        }
        people.push_back(user.clone());
        user
    }

    /// All of them, as the pages show them.
    pub(super) fn list(&self) -> Vec<Value> {
        let people = self.people();
        let shown = people.iter();
        shown
            .map(|user| json!({"id": user.id, "name": user.first_name}))
            .collect()
    }

    pub(super) fn find(&self, id: i64) -> Option<User> {
        let people = self.people();
        people.iter().find(|user| user.id == id).cloned()
    }

    /// What the phone of a person shows, of the first if there is no such person, and beside it a topic of the
    /// operators' forum.
    pub(super) fn show(
        &self,
        telegram: &SimulatedTelegram,
        person: i64,
        topic: Option<i64>,
    ) -> Value {
        let people: Vec<User> = self.people().iter().cloned().collect();
        let chosen = people.iter().find(|user| user.id == person);
        let Some(user) = chosen.or_else(|| people.first()) else {
            return Value::Null;
        };
        let SimulatedTelegram {
            server,
            bot_id,
            chat_id,
        } = telegram;
        let conversation = Conversation::private(*bot_id, user.id);
        let mut messages = server.messages(conversation);
        messages.retain(is_shown);
        let presence = match server.status(*chat_id, user.id) {
            MemberStatus::Kicked { .. } => "banned",
            status if status.is_present() => "in",
            _ if server.is_requesting(*chat_id, user.id) => "asking",
            _ => "out",
        };
        json!({
            "person": user.id,
            "people": self.list(),
            "presence": presence,
            "blocked": server.has_blocked(*bot_id, user.id),
            "messages": newest(&messages).iter().map(|message| view(message, *bot_id)).collect::<Vec<_>>(),
            "forum": view_of_forum(telegram, topic),
        })
    }
}

/// The operators' forum, with the messages of a topic; null if there is none.
fn view_of_forum(telegram: &SimulatedTelegram, topic: Option<i64>) -> Value {
    let server = &telegram.server;
    let Some((chat_id, title)) = server.forums().into_iter().next() else {
        return Value::Null;
    };
    let topics = server.topics(chat_id);
    let shown = topics.iter().rev().take(TOPICS);
    let chosen = topics.iter().find(|seen| Some(seen.thread_id) == topic);
    let messages = chosen.map(|topic| {
        let mut messages = server.messages(Conversation::chat(chat_id));
        messages.retain(|message| message.thread_id == Some(topic.thread_id) && is_shown(message));
        let newest = newest(&messages).iter();
        newest
            .map(|message| view(message, telegram.bot_id))
            .collect::<Vec<_>>()
    });
    json!({
        "title": title,
        "topics": shown
            .map(|seen| json!({"id": seen.thread_id, "name": seen.name, "isClosed": seen.is_closed}))
            .collect::<Vec<_>>(),
        "topic": chosen.map(|seen| seen.thread_id),
        "messages": messages.unwrap_or_default(),
    })
}

/// Whether a person sees it. What tells of an event has no text.
fn is_shown(message: &SeenMessage) -> bool {
    !message.is_deleted && !message.text.is_empty()
}

fn newest(messages: &[SeenMessage]) -> &[SeenMessage] {
    let from = messages.len().saturating_sub(MESSAGES);
    messages.get(from..).unwrap_or_default()
}

/// A message as the page shows it. What a button sends to the bot is hidden from people.
fn view(message: &SeenMessage, bot_id: i64) -> Value {
    let buttons = message.buttons.iter().map(|row| {
        let row = row.iter();
        row.map(|button| json!({"text": button.text, "url": button.url}))
            .collect::<Vec<_>>()
    });
    json!({
        "id": message.message_id,
        "ofBot": message.from_id == Some(bot_id),
        "text": message.text,
        "entities": message.entities,
        "buttons": buttons.collect::<Vec<_>>(),
        "isEdited": !message.former_texts.is_empty(),
        "reactions": message.reactions,
        "date": message.date,
    })
}
