//! The table of bots: what `setup` found out about them, for functions that have no token.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::item::{Reader, s};
use super::{StoreError, Table};
use domain::id::BotId;
use domain::time::Timestamp;
use runtime::config::Env;

const BOT_ID: &str = "botId";
const ITEM: &str = "item";
const USERNAME: &str = "username";
const FRONT_BOT_ID: &str = "frontBotId";
const UPDATED_AT: &str = "updatedAt";
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

    /// The front bot, as it was a minute ago at most.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn front_lately(&self, now: Timestamp) -> Result<Option<FrontBot>, StoreError> {
        let known = self
            .1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((at, front)) = known
            && now.since(at) < REMEMBERED
        {
            return Ok(Some(front));
        }
        let front = self.front().await?;
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
