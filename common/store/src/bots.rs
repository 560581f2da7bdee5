//! The table of bots: what `setup` found out about them, for functions that have no token.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnValue;

use super::item::{Reader, n, s};
use super::{StoreError, Table};
use domain::id::{BotId, FeedSeq};
use domain::time::Timestamp;
use runtime::config::Env;
use runtime::telemetry::chain;
use tracing::warn;

const BOT_ID: &str = "botId";
const ITEM: &str = "item";
const USERNAME: &str = "username";
const FRONT_BOT_ID: &str = "frontBotId";
const UPDATED_AT: &str = "updatedAt";
const ME: &str = "me";
/// The counter of a bot's feed, and the sort key of its item.
const SEQ: &str = "seq";
/// The key of the item that names the front bot.
const FRONT: &str = "front";
/// The sort key of what is known of a bot.
const INFO: &str = "info";

/// How long the front bot is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The table of bots.
#[derive(Clone)]
pub struct BotInfos(Table, Arc<Mutex<Option<(Timestamp, FrontBot)>>>);

/// The bot that people talk with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontBot {
    /// Its id.
    pub bot: BotId,
    /// Its name without `@`, as `getMe` answers it.
    pub username: String,
}

impl BotInfos {
    /// The table `Bots`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        let table = Table::from_env(client, env, "Bots", "BOTS_TABLE");
        Self(table, Arc::default())
    }

    /// Writes which bot is the front bot. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn put_front(&self, front: &FrontBot, now: Timestamp) -> Result<(), StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        call.item(BOT_ID, s(FRONT))
            .item(ITEM, s(INFO))
            .item(FRONT_BOT_ID, s(front.bot))
            .item(USERNAME, s(&front.username))
            .item(UPDATED_AT, s(now))
            .send()
            .await
            .map_err(self.0.fault("PutItem of the front bot"))?;
        Ok(())
    }

    /// Writes what Telegram says of a bot: its `User`, as JSON. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn put_me(&self, bot: BotId, me: &str, now: Timestamp) -> Result<(), StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        call.item(BOT_ID, s(bot))
            .item(ITEM, s(INFO))
            .item(ME, s(me))
            .item(UPDATED_AT, s(now))
            .send()
            .await
            .map_err(self.0.fault("PutItem of a bot"))?;
        Ok(())
    }

    /// What Telegram said of a bot, its `User` as JSON, and when; nothing if it was never written.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn me(&self, bot: BotId) -> Result<Option<(String, Timestamp)>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(BOT_ID, s(bot))
            .key(ITEM, s(INFO))
            .send()
            .await
            .map_err(self.0.fault("GetItem of a bot"))?;
        let item = answer.item.unwrap_or_default();
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        let me = reader.optional_text(ME)?.map(str::to_owned);
        Ok(me.zip(reader.optional_instant(UPDATED_AT)?))
    }

    /// The last number of a bot's feed that was taken, as of now (1 read unit); 0 before the first.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn feed_head(&self, bot: BotId) -> Result<FeedSeq, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(BOT_ID, s(bot))
            .key(ITEM, s(SEQ))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of the head of the feed"))?;
        let item = answer.item.unwrap_or_default();
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        let seq = reader.optional_number(SEQ)?;
        Ok(FeedSeq(seq.unwrap_or_default()))
    }

    /// Takes the next number of a bot's feed.
    pub(super) async fn take_feed_number(&self, bot: BotId) -> Result<FeedSeq, StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let answer = call
            .key(BOT_ID, s(bot))
            .key(ITEM, s(SEQ))
            .update_expression("ADD seq :one")
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(self.0.fault("UpdateItem to take a number"))?;
        let item = answer.attributes.unwrap_or_default();
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        Ok(FeedSeq(reader.number(SEQ)?))
    }

    /// The front bot, as it was a minute ago at most; while it can't be read, as it was before.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read and is not known.
    pub async fn front_lately(&self, now: Timestamp) -> Result<Option<FrontBot>, StoreError> {
        let known = self
            .1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((at, front)) = &known
            && now.since(*at) < REMEMBERED
        {
            return Ok(Some(front.clone()));
        }
        let front = match (self.front().await, known) {
            (Ok(front), _) => front,
            (Err(fault), None) => return Err(fault),
            (Err(fault), Some((_, front))) => {
                warn!(bot.id = %front.bot, fault = "unavailable", "the front bot can't be read, that of before is believed: {}", chain(&fault));
                Some(front)
            }
        };
        let known = front.clone().map(|front| (now, front));
        *self.1.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(front)
    }

    /// The front bot; nothing before `setup` has seen it.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn front(&self) -> Result<Option<FrontBot>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(BOT_ID, s(FRONT))
            .key(ITEM, s(INFO))
            .send()
            .await
            .map_err(self.0.fault("GetItem of the front bot"))?;
        let Some(item) = &answer.item else {
            return Ok(None);
        };
        let reader = Reader {
            table: &self.0,
            item,
        };
        let bot = reader.parsed::<u64>(FRONT_BOT_ID)?;
        Ok(Some(FrontBot {
            bot: BotId(bot),
            username: reader.text(USERNAME)?.to_owned(),
        }))
    }
}
