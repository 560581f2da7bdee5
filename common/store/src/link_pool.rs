//! The table of pooled links: made ahead, spread over shards, each taken by one transaction.
//!
//! ```text
//! in its slot --take--> its request is DONE and its lookup names the request, all in one write
//!      |
//!      +--evict--> too old, or used by somebody it was never sold to: out of its slot, then revoked
//! ```

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};

use super::item::{Item, Reader, link, n, s};
use super::{Invites, Links, StoreError, Table};
use domain::id::{BotId, ChatId, InviteLink};
use domain::invite::Invite;
use domain::link_pool::SlotId;
use domain::time::Timestamp;
use runtime::config::Env;

const CHAT_ID: &str = "chatId";
const INVITE_LINK: &str = "inviteLink";
const LINK_EXPIRES_AT: &str = "linkExpiresAt";
const BOT_ID: &str = "botId";
const SHARD: &str = "shard";
const SLOT: &str = "slot";

/// How many links one look shows. They fit into one read unit.
pub const PAGE: usize = 16;

/// The table of pooled links.
#[derive(Clone)]
pub struct LinkPool(Table);

/// A pooled link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PooledLink {
    /// Where it lies.
    pub slot: SlotId,
    /// The link.
    pub invite_link: InviteLink,
    /// The chat that it leads to.
    pub chat: ChatId,
    /// The bot that made it, and alone can revoke it.
    pub bot: BotId,
    /// When the link stops to work.
    pub link_expires_at: Timestamp,
}

/// What became of a link that was to be put into its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooled {
    /// It lies there.
    There,
    /// Another link lies there: this one must never be seen.
    Occupied,
}

/// What became of a try to take a pooled link.
pub enum Taken {
    /// It is ours: the request is DONE with its link.
    Ours,
    /// There is a record of the request already; nothing changed.
    Known(Box<Invite>),
    /// Another call writes the record of this very request at this moment; nothing changed.
    Busy,
    /// Somebody else has the link, or is about to; nothing changed.
    Gone,
    /// The lookup of its link is not that of an unsold link; nothing changed. It can never be sold.
    Spoiled,
}

impl LinkPool {
    /// The table `LinkPool`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "LinkPool", "LINK_POOL_TABLE"))
    }

    /// The links in the lowest slots of a shard, as of now, up to [`PAGE`]. Costs 1 read unit.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn look(&self, pool: ChatId, shard: u64) -> Result<Vec<PooledLink>, StoreError> {
        let call = self
            .0
            .client
            .query()
            .table_name(&self.0.name)
            .key_condition_expression("#shard = :shard")
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_values(":shard", s(shard_key(pool, shard)))
            .consistent_read(true)
            .limit(i32::try_from(PAGE).unwrap_or(i32::MAX));
        let answer = call
            .send()
            .await
            .map_err(self.0.fault("Query of a shard"))?;
        let items = answer.items.unwrap_or_default();
        items.iter().map(|item| self.read(pool, item)).collect()
    }

    /// All links of a shard, as of a moment ago. Costs half a read unit for some 16 of them.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn shard(&self, pool: ChatId, shard: u64) -> Result<Vec<PooledLink>, StoreError> {
        let (mut links, mut after) = (Vec::new(), None);
        loop {
            let call = self
                .0
                .client
                .query()
                .table_name(&self.0.name)
                .key_condition_expression("#shard = :shard")
                .expression_attribute_names("#shard", SHARD)
                .expression_attribute_values(":shard", s(shard_key(pool, shard)))
                .set_exclusive_start_key(after);
            let answer = call
                .send()
                .await
                .map_err(self.0.fault("Query of a shard"))?;
            for item in answer.items.unwrap_or_default() {
                links.push(self.read(pool, &item)?);
            }
            after = answer.last_evaluated_key;
            if after.is_none() {
                return Ok(links);
            }
        }
    }

    /// Whether a slot holds a link, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn is_occupied(&self, slot: SlotId) -> Result<bool, StoreError> {
        let call = self
            .0
            .client
            .get_item()
            .table_name(&self.0.name)
            .key(SHARD, s(shard_key(slot.pool, slot.shard())))
            .key(SLOT, n(slot.number))
            .consistent_read(true);
        let answer = call
            .send()
            .await
            .map_err(self.0.fault("GetItem of a slot"))?;
        Ok(answer.item.is_some())
    }

    /// Puts a link into its slot, if that is vacant. On [`Pooled::There`] that is durable, and it may be sold at any
    /// moment.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told: it may lie there, so its link must not be revoked.
    pub async fn add(&self, pooled: &PooledLink) -> Result<Pooled, StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        let answer = call
            .item(SHARD, s(shard_key(pooled.slot.pool, pooled.slot.shard())))
            .item(SLOT, n(pooled.slot.number))
            .item(INVITE_LINK, link(&pooled.invite_link))
            .item(CHAT_ID, n(pooled.chat))
            .item(BOT_ID, n(pooled.bot))
            .item(LINK_EXPIRES_AT, s(pooled.link_expires_at))
            .condition_expression("attribute_not_exists(#shard)")
            .expression_attribute_names("#shard", SHARD)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Pooled::There);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                let item = refusal.item.as_ref();
                let there = item.and_then(|item| item.get(INVITE_LINK));
                // The SDK repeats a write whose answer was lost, and then finds its own.
                Ok(if there == Some(&link(&pooled.invite_link)) {
                    Pooled::There
                } else {
                    Pooled::Occupied
                })
            }
            _ => Err(self.0.fault("PutItem")(error)),
        }
    }

    /// Takes a link out of its slot for good, unless it was sold; answers whether it did. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn evict(&self, slot: SlotId, invite_link: &InviteLink) -> Result<bool, StoreError> {
        let call = self
            .0
            .client
            .delete_item()
            .table_name(&self.0.name)
            .key(SHARD, s(shard_key(slot.pool, slot.shard())))
            .key(SLOT, n(slot.number))
            .condition_expression("inviteLink = :link")
            .expression_attribute_values(":link", link(invite_link));
        let Err(error) = call.send().await else {
            return Ok(true);
        };
        let is_gone = error
            .as_service_error()
            .is_some_and(|error| error.is_conditional_check_failed_exception());
        if is_gone {
            return Ok(false);
        }
        Err(self.0.fault("DeleteItem")(error))
    }

    /// Takes `pooled` for the request `done`, which is DONE with its link, to be forgotten at `expires_at`: out of its slot,
    /// on record, and found by its link, all by one transaction. On [`Taken::Ours`] that is durable. Costs 6 write
    /// units, whether it comes to anything or not.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; then the record tells.
    pub async fn take(
        &self,
        pooled: &PooledLink,
        done: &Invite,
        invites: &Invites,
        links: &Links,
        expires_at: Timestamp,
    ) -> Result<Taken, StoreError> {
        let operation = "TransactWriteItems to take a pooled link";
        let out_of_its_slot = Delete::builder()
            .table_name(&self.0.name)
            .key(SHARD, s(shard_key(pooled.slot.pool, pooled.slot.shard())))
            .key(SLOT, n(pooled.slot.number))
            .condition_expression("inviteLink = :link")
            .expression_attribute_values(":link", link(&pooled.invite_link))
            .build()
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        let on_record = invites
            .put_new(done, expires_at)
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        let found_by_link = links
            .hand_over(&pooled.invite_link, done, expires_at)
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        // The SDK makes up a token, the same for all its tries, so that one whose answer was lost is not refused by
        // its own effect.
        let call = self
            .0
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().delete(out_of_its_slot).build())
            .transact_items(TransactWriteItem::builder().put(on_record).build())
            .transact_items(TransactWriteItem::builder().update(found_by_link).build());
        let Err(error) = call.send().await else {
            return Ok(Taken::Ours);
        };
        let cancelled = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(exception)) => {
                Cancelled::of(exception.cancellation_reasons())
            }
            _ => Cancelled::Untold,
        };
        Ok(match cancelled {
            Cancelled::Known(item) => Taken::Known(Box::new(invites.read(&item)?)),
            Cancelled::Busy => Taken::Busy,
            Cancelled::Gone => Taken::Gone,
            Cancelled::Spoiled => Taken::Spoiled,
            Cancelled::Untold => return Err(self.0.fault(operation)(error)),
        })
    }

    fn read(&self, pool: ChatId, item: &Item) -> Result<PooledLink, StoreError> {
        let reader = Reader {
            table: &self.0,
            item,
        };
        Ok(PooledLink {
            slot: SlotId {
                pool,
                number: reader.number(SLOT)?,
            },
            invite_link: InviteLink::new(reader.text(INVITE_LINK)?),
            chat: ChatId(reader.number(CHAT_ID)?),
            bot: BotId(reader.number(BOT_ID)?),
            link_expires_at: reader.parsed(LINK_EXPIRES_AT)?,
        })
    }
}

fn shard_key(pool: ChatId, shard: u64) -> String {
    format!("{pool}#{shard}")
}

/// Why a taking was cancelled.
#[derive(Debug, PartialEq)]
enum Cancelled {
    Known(Item),
    Busy,
    Gone,
    Spoiled,
    Untold,
}

impl Cancelled {
    /// Reads the reasons, one for each part of the taking, in order: out of its slot, on record, found by its link.
    fn of(reasons: &[CancellationReason]) -> Self {
        let [slot, record, lookup] = reasons else {
            return Self::Untold;
        };
        let refused = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
        let contended = |reason: &CancellationReason| reason.code() == Some("TransactionConflict");
        // What the record says counts most: a request that is there is answered by what it is.
        match (record.item(), slot, record, lookup) {
            (Some(item), _, record, _) if refused(record) => Self::Known(item.clone()),
            (_, _, record, _) if contended(record) => Self::Busy,
            (_, slot, _, _) if refused(slot) || contended(slot) => Self::Gone,
            (_, _, _, lookup) if contended(lookup) => Self::Gone,
            (_, _, _, lookup) if refused(lookup) => Self::Spoiled,
            _ => Self::Untold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: [&str; 3]) -> Vec<CancellationReason> {
        let reason = |(position, code): (usize, &str)| {
            let item = (position == 1 && code == "ConditionalCheckFailed").then(Item::new);
            CancellationReason::builder()
                .code(code)
                .set_item(item)
                .build()
        };
        codes.into_iter().enumerate().map(reason).collect()
    }

    #[test]
    fn a_cancelled_taking_tells_what_to_do_next() {
        const REFUSED: &str = "ConditionalCheckFailed";
        const CONFLICT: &str = "TransactionConflict";
        let cases = [
            (["None", REFUSED, "None"], Cancelled::Known(Item::new())),
            ([REFUSED, REFUSED, REFUSED], Cancelled::Known(Item::new())),
            ([CONFLICT, CONFLICT, CONFLICT], Cancelled::Busy),
            (["None", CONFLICT, "None"], Cancelled::Busy),
            ([REFUSED, "None", REFUSED], Cancelled::Gone),
            ([CONFLICT, "None", "None"], Cancelled::Gone),
            (["None", "None", CONFLICT], Cancelled::Gone),
            (["None", "None", REFUSED], Cancelled::Spoiled),
            (["ThrottlingError", "None", "None"], Cancelled::Untold),
        ];
        for (codes, cancelled) in cases {
            assert_eq!(Cancelled::of(&reasons(codes)), cancelled, "{codes:?}");
        }
        assert_eq!(Cancelled::of(&[]), Cancelled::Untold);
    }
}
