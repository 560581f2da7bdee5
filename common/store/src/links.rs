//! The table of links: whose link a join came by, found by the link's hash alone.
//!
//! Beside them lie the members that joined by one: Telegram names no link when somebody leaves.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::Update;

use super::item::{Item, Reader, link, n, s};
use super::{StoreError, Table};
use domain::id::{BotId, ChatId, InviteLink, LinkHash, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::link_pool::SlotId;
use domain::time::Timestamp;
use runtime::config::Env;

const REQUEST_ID: &str = "requestId";
const USER_ID: &str = "userId";
const TRANSACTION_ID: &str = "transactionId";
const CHAT_ID: &str = "chatId";
const INVITE_LINK: &str = "inviteLink";
const CREATED_AT: &str = "createdAt";
const EXPIRES_AT: &str = "expiresAt";
const BOT_ID: &str = "botId";
const LINK_HASH: &str = "linkHash";
const SLOT: &str = "slot";
const CANONICAL_CHAT_ID: &str = "canonicalChatId";

/// The table of links.
#[derive(Clone)]
pub struct Links(Table);

/// A link of ours.
pub struct LinkRecord {
    /// The link.
    pub invite_link: InviteLink,
    /// Whose it is; nobody's, as long as it was not sold.
    pub owner: Option<Owner>,
    /// The slot of the link pool that it was made for, if it was.
    pub slot: Option<SlotId>,
    /// The chat that it leads to.
    pub chat: ChatId,
    /// The chat by which its payments are known: that of its tasks.
    pub canonical_chat: ChatId,
    /// The bot that made it, and alone can revoke it. A record from before there were several has none.
    pub bot: Option<BotId>,
}

/// Whose link it is.
pub struct Owner {
    /// The request.
    pub request_id: RequestId,
    /// The shop's user.
    pub user_id: String,
    /// The shop's transaction; empty if it has none.
    pub transaction_id: String,
}

impl Links {
    /// The table `InviteLinks`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(
            client,
            env,
            "InviteLinks",
            "INVITE_LINKS_TABLE",
        ))
    }

    /// Writes whose link it is, to be forgotten at `expires_at`. Durable on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn put(
        &self,
        record: &LinkRecord,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        let mut call = match &record.owner {
            Some(owner) => call
                .item(REQUEST_ID, s(owner.request_id))
                .item(USER_ID, s(&owner.user_id))
                .item(TRANSACTION_ID, s(&owner.transaction_id)),
            // A try that was given up and arrives late must not take a link from who has bought it meanwhile.
            None => call.condition_expression("attribute_not_exists(requestId)"),
        };
        if let Some(bot) = record.bot {
            call = call.item(BOT_ID, n(bot));
        }
        if let Some(slot) = record.slot {
            call = call.item(SLOT, n(slot.number));
        }
        let answer = call
            .item(LINK_HASH, s(record.invite_link.hash().as_str()))
            .item(INVITE_LINK, link(&record.invite_link))
            .item(CHAT_ID, n(record.chat))
            .item(CANONICAL_CHAT_ID, n(record.canonical_chat))
            .item(CREATED_AT, s(now))
            .item(EXPIRES_AT, n(expires_at.seconds()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(PutItemError::ConditionalCheckFailedException(_))
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(self.0.fault("PutItem of a link")(error)),
        }
    }

    /// Writes by which request a person is in a chat, to be forgotten at `expires_at`. Durable on return; done twice it is as
    /// done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn put_member(
        &self,
        chat: ChatId,
        person: TelegramUserId,
        id: RequestId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = LinkHash::of_member(chat, person);
        let call = self.0.client.put_item().table_name(&self.0.name);
        let answer = call
            .item(LINK_HASH, s(key.as_str()))
            .item(REQUEST_ID, s(id))
            .item(CREATED_AT, s(now))
            .item(EXPIRES_AT, n(expires_at.seconds()))
            .send()
            .await;
        answer
            .map(|_| ())
            .map_err(self.0.fault("PutItem of a member"))
    }

    /// By which request a person came into a chat, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn of_member(
        &self,
        chat: ChatId,
        person: TelegramUserId,
    ) -> Result<Option<RequestId>, StoreError> {
        let item = self.item(&LinkHash::of_member(chat, person)).await?;
        let id = |item| {
            let table = &self.0;
            Reader { table, item }.parsed(REQUEST_ID)
        };
        item.as_ref().map(id).transpose()
    }

    async fn item(&self, hash: &LinkHash) -> Result<Option<Item>, StoreError> {
        let call = self
            .0
            .client
            .get_item()
            .table_name(&self.0.name)
            .key(LINK_HASH, s(hash.as_str()))
            .consistent_read(true);
        let answer = call
            .send()
            .await
            .map_err(self.0.fault("GetItem of a link"))?;
        Ok(answer.item)
    }

    /// Writes whose link it is that nobody had, to be forgotten at `expires_at`, as a part of a transaction.
    pub(super) fn hand_over(
        &self,
        invite_link: &InviteLink,
        to: &Invite,
        expires_at: Timestamp,
    ) -> Result<Update, BuildError> {
        Update::builder()
            .table_name(&self.0.name)
            .key(LINK_HASH, s(invite_link.hash().as_str()))
            .update_expression(
                "SET requestId = :request, userId = :user, transactionId = :transaction, expiresAt = :expires",
            )
            .condition_expression("attribute_exists(linkHash) AND attribute_not_exists(requestId)")
            .expression_attribute_values(":request", s(to.request_id))
            .expression_attribute_values(":user", s(&to.user_id))
            .expression_attribute_values(":transaction", s(&to.transaction_id))
            .expression_attribute_values(":expires", n(expires_at.seconds()))
            .build()
    }

    /// Reads whose link it is, as of now: the link may have been handed out a moment ago (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, hash: &LinkHash) -> Result<Option<LinkRecord>, StoreError> {
        // Members are kept in the same table.
        let link = |item: &Item| item.contains_key(INVITE_LINK);
        let Some(item) = self.item(hash).await?.filter(link) else {
            return Ok(None);
        };
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        let owner = match reader.optional_text(REQUEST_ID)? {
            None => None,
            Some(_) => Some(Owner {
                request_id: reader.parsed(REQUEST_ID)?,
                user_id: reader.text(USER_ID)?.to_owned(),
                transaction_id: reader.text(TRANSACTION_ID)?.to_owned(),
            }),
        };
        let chat = ChatId(reader.number(CHAT_ID)?);
        let canonical_chat = reader
            .optional_number(CANONICAL_CHAT_ID)?
            .map_or(chat, ChatId);
        let slot = reader.optional_number(SLOT)?;
        let slot = slot.map(|number| SlotId {
            pool: canonical_chat,
            number,
        });
        Ok(Some(LinkRecord {
            invite_link: InviteLink::new(reader.text(INVITE_LINK)?),
            owner,
            slot,
            chat,
            canonical_chat,
            bot: reader.optional_number(BOT_ID)?.map(BotId),
        }))
    }
}
