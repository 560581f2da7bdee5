//! What an actor sends to a person stands in their topic, too, as a line.
//!
//! Telegram's answer tells what was sent, so the line is put after it: if we die before, there is none. It is put once, since
//! its id is of the message; `messenger` sends it within a minute. What goes wrong with it is logged, and the caller hears that
//! the message was sent.

use domain::actor::ActorRole;
use domain::actor::passing::PassedCall;
use domain::message::{Class, Message, MessageId, TopicOwner, TopicState};
use domain::relay::{LINE_AGE, person_of, shown_line};
use domain::texts::html::escape;
use domain::texts::{Name, Text};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use serde_json::Value;
use store::StoreError;
use tracing::warn;

use crate::ActorCall;

impl ActorCall<'_> {
    /// Has what was sent shown in the topic of its person, if it is open. Offers are not shown.
    pub(crate) async fn show_sent(&self, call: &PassedCall, sent: &Value) {
        // Of several at once the first.
        let first = sent.get(0).unwrap_or(sent);
        if self.actor.role == ActorRole::Aggregator {
            return;
        }
        if let Err(fault) = self.put_line(call, first).await {
            warn!(actor.name = %self.actor.name, fault = "unavailable",
                "what an actor sent is not shown in the topic of its person: {}", chain(&fault));
        }
    }

    async fn put_line(&self, call: &PassedCall, sent: &Value) -> Result<(), StoreError> {
        let app = self.app;
        let person = call.chat.and_then(person_of);
        let (Some(desk), Some(person)) = (app.shows_sent_in, person) else {
            return Ok(());
        };
        let Some(message) = sent["message_id"].as_i64() else {
            return Ok(());
        };
        let owner = TopicOwner::Person(person);
        let Some(TopicState::Open(_)) = app.topics.get(owner, desk).await?.state else {
            return Ok(());
        };
        let now = app.clock.now();
        let at = sent["date"].as_i64().map(Timestamp::from_seconds);
        let words = sent["text"].as_str().or(sent["caption"].as_str());
        let head = Text::TopicSentBy {
            actor: Name(self.actor.name.as_str()),
        };
        let said = escape(words.unwrap_or("…"));
        let line = Message {
            id: MessageId::new(at.unwrap_or(now), &format!("actor#{person}#{message}")),
            bot: self.telegram.bot(),
            chat: desk,
            thread: None,
            class: Class::Reply,
            content: shown_line(head, &said, owner, app.default_language),
            not_before: None,
            not_after: Some(now.plus(LINE_AGE)),
        };
        app.messages.put(&line, now).await.map(|_| ())
    }
}
