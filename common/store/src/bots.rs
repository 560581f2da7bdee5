//! The table of bots: what `setup` found out about them, for functions that have no token.

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
const ME: &str = "me";
/// The key of the item that names the front bot.
const FRONT: &str = "front";
/// The sort key of what is known of a bot.
const INFO: &str = "info";

/// The table of bots.
#[derive(Clone)]
pub struct BotInfos(Table);

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
        Self(Table::from_env(client, env, "Bots", "BOTS_TABLE"))
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
