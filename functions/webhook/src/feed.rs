//! What actors may read: an update is written into the feed of the front bot before it is handled, once, and only if an actor
//! may read it.
//!
//! ```text
//! append    die here: Telegram sends the update again, and it is found to be in the feed
//! ring      if an actor has a webhook; die here: as above, and the tick of `hooks` looks within a minute
//! handle    die here: as above
//! ```
//!
//! Of joins and join requests every administrator bot of a chat is told; they stand in the feed once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::feed::FeedUpdate;
use domain::feed::subject::{self, FeedSubject, FeedTopic};
use domain::id::BotId;
use domain::text::without_mark;
use domain::time::Timestamp;
use runtime::aws;
use runtime::config::Env;
use serde_json::Value;
use store::{Actors, FeedWriter, Readership, RelayMap, StoreError};
use tracing::error;

/// The longest update that is written, in bytes: an item of DynamoDB has 400 KB.
const BODY_MAX: usize = 380_000;
/// How long is believed who reads the feed.
const REMEMBERED: Duration = Duration::from_secs(5);

/// The feed, and who reads it.
pub(crate) struct ActorFeed {
    writer: FeedWriter,
    actors: Actors,
    relay_map: RelayMap,
    readership: Mutex<Option<(Timestamp, Readership)>>,
}

impl ActorFeed {
    /// The tables.
    pub(crate) fn from_env(aws: &aws::Shared, env: &mut Env) -> Self {
        Self {
            writer: FeedWriter::from_env(aws.dynamodb(), env),
            actors: Actors::from_env(aws.dynamodb(), env),
            relay_map: RelayMap::from_env(aws.dynamodb(), env),
            readership: Mutex::new(None),
        }
    }

    /// Whether anybody reads what people write; as it was a few seconds ago.
    pub(crate) async fn has_readers(&self, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.readership(now).await?.has_readers)
    }

    /// Whether somebody takes commands that are not ours; as it was a few seconds ago.
    pub(crate) async fn has_backend(&self, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.readership(now).await?.has_backend)
    }

    /// Writes an update of `bot` into the feed of `front`, if an actor may read it; answers whether it is to be sent to one.
    /// Durable on return.
    pub(crate) async fn append(
        &self,
        front: BotId,
        bot: BotId,
        update: i64,
        body: &Bytes,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Ok(read) = serde_json::from_slice::<Value>(without_mark(body)) else {
            return Ok(false);
        };
        let Some(FeedSubject {
            kind,
            topic,
            pressed,
            same,
        }) = subject::read(&read)
        else {
            return Ok(false);
        };
        // What another bot alone is told is no talk with the front bot.
        let is_of_front = bot == front || same.is_some();
        let readership = self.readership(now).await?;
        let is_read = match topic {
            FeedTopic::Group(chat) => readership.chats.contains(&chat),
            FeedTopic::Backend => readership.has_backend,
            FeedTopic::Talk | FeedTopic::Press => readership.has_readers,
        };
        if !is_of_front || !is_read {
            return Ok(false);
        }
        let body = subject::shown(read).to_string();
        if body.len() > BODY_MAX {
            error!(
                update.id = update,
                bot.id = %bot,
                kind,
                fault = "malformed",
                bytes = body.len(),
                "an update is too large for the feed, so no actor reads it"
            );
            return Ok(false);
        }
        let sent_by = match pressed {
            Some((chat, message)) => self.relay_map.sender(chat, message).await?,
            None => None,
        };
        let entry = FeedUpdate {
            kind: kind.to_owned(),
            topic,
            sent_by,
            body,
        };
        let mark = same.unwrap_or_else(|| update.to_string());
        let appended = self.writer.append(front, &mark, &entry, now).await;
        appended.map(|_| readership.has_webhooks)
    }

    async fn readership(&self, now: Timestamp) -> Result<Readership, StoreError> {
        let known = self.readership.lock();
        let known = known.unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, readership)) = known
            && now.since(at) < REMEMBERED
        {
            return Ok(readership);
        }
        let readership = self.actors.readership().await?;
        let known = self.readership.lock();
        *known.unwrap_or_else(PoisonError::into_inner) = Some((now, readership.clone()));
        Ok(readership)
    }
}
