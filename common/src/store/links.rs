//! The table of links: whose link a join came by, found by the link's hash alone.

use super::attributes::*;
use super::item::{Reader, link, n, s};
use super::{StoreError, Table};
use crate::config::Env;
use crate::domain::id::{ChatId, InviteLink, LinkHash, RequestId};
use crate::domain::time::Timestamp;

/// The table of links.
#[derive(Clone)]
pub struct Links(Table);

/// Whose link it is.
pub struct LinkRecord {
    /// The link.
    pub invite_link: InviteLink,
    /// The request that it was made for.
    pub request_id: RequestId,
    /// The shop's user.
    pub user_id: String,
    /// The shop's transaction; empty if it has none.
    pub transaction_id: String,
    /// The chat that it leads to.
    pub chat: ChatId,
}

impl Links {
    /// The table that `INVITE_LINKS_TABLE` names.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table {
            client,
            name: env.required("INVITE_LINKS_TABLE"),
        })
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
        let answer = call
            .item(LINK_HASH, s(record.invite_link.hash().as_str()))
            .item(INVITE_LINK, link(&record.invite_link))
            .item(REQUEST_ID, s(record.request_id))
            .item(USER_ID, s(&record.user_id))
            .item(TRANSACTION_ID, s(&record.transaction_id))
            .item(CHAT_ID, n(record.chat))
            .item(CREATED_AT, s(now))
            .item(EXPIRES_AT, n(expires_at.seconds()))
            .send()
            .await;
        answer
            .map(|_| ())
            .map_err(self.0.fault("PutItem of a link"))
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
        Ok(Some(LinkRecord {
            invite_link: InviteLink::new(reader.text(INVITE_LINK)?),
            request_id: reader.parsed(REQUEST_ID)?,
            user_id: reader.text(USER_ID)?.to_owned(),
            transaction_id: reader.text(TRANSACTION_ID)?.to_owned(),
            chat: ChatId(reader.number(CHAT_ID)?),
        }))
    }
}
