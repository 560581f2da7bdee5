//! The table of chats: what `setup` made in them, and which of them have become others.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

use super::item::{Item, Reader, link, n, s};
use super::{StoreError, Table};
use domain::id::{BotId, ChatId, InviteLink};
use domain::time::Timestamp;
use runtime::config::Env;

const CHAT_ID: &str = "chatId";
const PRESENT_ID: &str = "presentId";
const TITLE: &str = "title";
const REQUEST_LINK: &str = "requestLink";
const DOOR_BOT_ID: &str = "doorBotId";
const UPDATED_AT: &str = "updatedAt";
/// Of the item of an id that a chat got later: the one by which its payments are known.
const CANONICAL_ID: &str = "canonicalId";

/// The table of chats.
#[derive(Clone)]
pub struct ChatInfos(Table);

/// What `setup` made in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatInfo {
    /// The id by which its payments are known.
    pub canonical_chat: ChatId,
    /// The id by which it is called.
    pub chat: ChatId,
    /// Its title, as `setup` saw it.
    pub title: String,
    /// The link by which people ask to be let in; whoever is in opens the chat by it.
    pub request_link: InviteLink,
    /// The bot that made it, and gets the join requests.
    pub door_bot: BotId,
}

impl ChatInfos {
    /// The table `Chats`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Chats", "CHATS_TABLE"))
    }

    /// Writes what was made in a chat. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn put(&self, info: &ChatInfo, now: Timestamp) -> Result<(), StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        call.item(CHAT_ID, s(info.canonical_chat))
            .item(PRESENT_ID, n(info.chat))
            .item(TITLE, s(&info.title))
            .item(REQUEST_LINK, link(&info.request_link))
            .item(DOOR_BOT_ID, n(info.door_bot))
            .item(UPDATED_AT, s(now))
            .send()
            .await
            .map_err(self.0.fault("PutItem of a chat"))?;
        Ok(())
    }

    /// Notes the title of a chat, whose buyers get invite links, say. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was noted; noting it again is harmless.
    pub async fn note_title(
        &self,
        canonical_chat: ChatId,
        title: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        call.key(CHAT_ID, s(canonical_chat))
            .update_expression("SET title = :title, updatedAt = :now")
            .expression_attribute_values(":title", s(title))
            .expression_attribute_values(":now", s(now))
            .send()
            .await
            .map_err(self.0.fault("UpdateItem of the title of a chat"))?;
        Ok(())
    }

    /// The title of a chat, as `setup` saw it (1 read unit); nothing before that.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn title(&self, canonical_chat: ChatId) -> Result<Option<String>, StoreError> {
        let item = self.item(canonical_chat).await?.unwrap_or_default();
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        Ok(reader.optional_text(TITLE)?.map(str::to_owned))
    }

    /// What was made in a chat, as of now (1 read unit); nothing if it was never set up for claims.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, canonical_chat: ChatId) -> Result<Option<ChatInfo>, StoreError> {
        let Some(item) = &self.item(canonical_chat).await? else {
            return Ok(None);
        };
        let reader = Reader {
            table: &self.0,
            item,
        };
        if item.contains_key(CANONICAL_ID) || !item.contains_key(REQUEST_LINK) {
            return Ok(None);
        }
        Ok(Some(ChatInfo {
            canonical_chat,
            chat: ChatId(reader.number(PRESENT_ID)?),
            title: reader.text(TITLE)?.to_owned(),
            request_link: InviteLink::new(reader.text(REQUEST_LINK)?),
            door_bot: BotId(reader.number(DOOR_BOT_ID)?),
        }))
    }

    /// Notes that a chat has become another one: a group that is made a supergroup gets another id. Durable on return; noted
    /// again, it changes nothing. One that is set up as a chat of its own stays so.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was noted.
    pub async fn moved(
        &self,
        canonical_chat: ChatId,
        to: ChatId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if canonical_chat == to {
            return Ok(());
        }
        // By this one alone updates of the chat are understood, so it comes first.
        let call = self.0.client.put_item().table_name(&self.0.name);
        let noted = call
            .item(CHAT_ID, s(to))
            .item(CANONICAL_ID, s(canonical_chat))
            .item(UPDATED_AT, s(now))
            .condition_expression("attribute_not_exists(requestLink)")
            .send()
            .await;
        match noted {
            Ok(_) => {}
            // It is set up as a chat of its own.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                return Ok(());
            }
            Err(error) => return Err(self.0.fault("PutItem of another id of a chat")(error)),
        }
        let call = self.0.client.update_item().table_name(&self.0.name);
        let noted = call
            .key(CHAT_ID, s(canonical_chat))
            .update_expression("SET presentId = :to, updatedAt = :now")
            .condition_expression("attribute_exists(chatId)")
            .expression_attribute_values(":to", n(to))
            .expression_attribute_values(":now", s(now))
            .send()
            .await;
        match noted {
            Ok(_) => Ok(()),
            // Of a chat that is not claimed there may be no record.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(self.0.fault("UpdateItem of the present id of a chat")(
                error,
            )),
        }
    }

    /// The id by which the payments of the chat are known that has become `chat` (1 read unit); nothing if none has.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn canonical_of(&self, chat: ChatId) -> Result<Option<ChatId>, StoreError> {
        let item = self.item(chat).await?.unwrap_or_default();
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        let canonical = reader.optional_text(CANONICAL_ID)?;
        let canonical = canonical.map(|id| id.parse().map(ChatId));
        canonical
            .transpose()
            .map_err(|_| self.0.malformed(CANONICAL_ID))
    }

    /// Whether anything is known of a chat by this id, which may be one that it got later (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn knows(&self, chat: ChatId) -> Result<bool, StoreError> {
        Ok(self.item(chat).await?.is_some())
    }

    async fn item(&self, chat: ChatId) -> Result<Option<Item>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(CHAT_ID, s(chat))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of a chat"))?;
        Ok(answer.item)
    }
}
