//! The table of links: whose link a join came by, found by the link's hash alone.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::Update;

use super::attributes::*;
use super::item::{Reader, link, n, s};
use super::{StoreError, Table};
use crate::config::Env;
use crate::domain::id::{BotId, ChatId, InviteLink, LinkHash, RequestId};
use crate::domain::invite::Invite;
use crate::domain::link_pool::SlotId;
use crate::domain::time::Timestamp;

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
    /// The chat by which its payments are known, in whose lanes its tasks lie. A record of an earlier version has none.
    pub pool: Option<ChatId>,
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
        let mut call = self.0.client.put_item().table_name(&self.0.name);
        if let Some(owner) = &record.owner {
            call = call
                .item(REQUEST_ID, s(owner.request_id))
                .item(USER_ID, s(&owner.user_id))
                .item(TRANSACTION_ID, s(&owner.transaction_id));
        }
        if let Some(bot) = record.bot {
            call = call.item(BOT_ID, n(bot));
        }
        if let Some(pool) = record.pool {
            call = call.item(POOL, n(pool));
        }
        if let Some(slot) = record.slot {
            call = call.item(SLOT, n(slot.number));
        }
        let answer = call
            .item(LINK_HASH, s(record.invite_link.hash().as_str()))
            .item(INVITE_LINK, link(&record.invite_link))
            .item(CHAT_ID, n(record.chat))
            .item(CREATED_AT, s(now))
            .item(EXPIRES_AT, n(expires_at.seconds()))
            .send()
            .await;
        answer
            .map(|_| ())
            .map_err(self.0.fault("PutItem of a link"))
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
        let Some(item) = answer.item else {
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
        let slot = match reader.optional_number(SLOT)? {
            None => None,
            Some(number) => Some(SlotId {
                pool: ChatId(reader.number(POOL)?),
                number,
            }),
        };
        Ok(Some(LinkRecord {
            invite_link: InviteLink::new(reader.text(INVITE_LINK)?),
            owner,
            slot,
            chat: ChatId(reader.number(CHAT_ID)?),
            pool: reader.optional_number(POOL)?.map(ChatId),
            bot: reader.optional_number(BOT_ID)?.map(BotId),
        }))
    }
}
