//! The table of links in stock: made ahead, spread over shards, each taken by one transaction.
//!
//! ```text
//! on the shelf --take--> its request is DONE and its lookup names the request, all in one write
//!      |
//!      +--discard--> too old, or used by somebody it was never sold to: off the shelf, then revoked
//! ```

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, ReturnValuesOnConditionCheckFailure, Select, TransactWriteItem,
};

use super::attributes::*;
use super::item::{Item, Reader, link, n, s};
use super::{Invites, Links, StoreError, Table};
use crate::config::Env;
use crate::domain::id::{BotId, ChatId, InviteLink};
use crate::domain::invite::Invite;
use crate::domain::stock::{Ledger, UnitId};
use crate::domain::time::Timestamp;

/// How many units one look shows. They fit into one read unit.
pub const PAGE: usize = 16;

/// The table of links in stock.
#[derive(Clone)]
pub struct Stock(Table);

/// A link in stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where it lies.
    pub id: UnitId,
    /// The link.
    pub invite_link: InviteLink,
    /// The chat that it leads to.
    pub chat: ChatId,
    /// The bot that made it, and alone can revoke it.
    pub bot: BotId,
    /// When the link stops to work.
    pub link_expires_at: Timestamp,
}

/// What became of a unit that was to be put on its shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelved {
    /// It lies there.
    There,
    /// Another link lies there under this number: this one must never be seen.
    Twice,
}

/// What became of a try to take a unit.
pub enum Taken {
    /// It is ours: the request is DONE with its link.
    Ours,
    /// There is a record of the request already; nothing changed.
    Known(Box<Invite>),
    /// Another call writes the record of this very request at this moment; nothing changed.
    Busy,
    /// Somebody else has the unit, or is about to; nothing changed.
    Gone,
    /// The lookup of its link is not that of an unsold link; nothing changed. It can never be sold.
    Spoiled,
}

/// The lowest units of a shard.
pub struct Page {
    /// The units, the oldest first.
    pub units: Vec<Unit>,
    /// Whether there are more.
    pub is_full: bool,
}

/// A chat's ledger as it was read.
#[derive(Clone, Debug)]
pub struct LedgerRecord {
    /// Whose it is.
    pub shelf: ChatId,
    /// Its state.
    pub ledger: Ledger,
    version: u64,
}

impl Stock {
    /// The table that `STOCK_TABLE` names.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table {
            client,
            name: env.required("STOCK_TABLE"),
        })
    }

    /// The lowest units of a shard, as of now, up to [`PAGE`]. Costs 1 read unit.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn look(&self, shelf: ChatId, shard: u64) -> Result<Page, StoreError> {
        self.page(shelf, shard, None).await
    }

    /// The lowest units of a shard behind the number `after`, as of a moment ago, up to [`PAGE`]. Costs half a read unit.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn glance(&self, shelf: ChatId, shard: u64, after: u64) -> Result<Page, StoreError> {
        self.page(shelf, shard, Some(after)).await
    }

    async fn page(
        &self,
        shelf: ChatId,
        shard: u64,
        after: Option<u64>,
    ) -> Result<Page, StoreError> {
        let call = self
            .0
            .client
            .query()
            .table_name(&self.0.name)
            .key_condition_expression("#shard = :shard")
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_values(":shard", s(shard_key(shelf, shard)))
            .consistent_read(after.is_none())
            .limit(i32::try_from(PAGE).unwrap_or(i32::MAX));
        let call = match after {
            None => call,
            Some(after) => call
                .key_condition_expression("#shard = :shard AND #unit > :after")
                .expression_attribute_names("#unit", UNIT)
                .expression_attribute_values(":after", n(after)),
        };
        let answer = call
            .send()
            .await
            .map_err(self.0.fault("Query of a shard of the stock"))?;
        let is_full = answer.last_evaluated_key.is_some();
        let items = answer.items.unwrap_or_default();
        let units = items.iter().map(|item| self.read(shelf, item));
        Ok(Page {
            units: units.collect::<Result<_, _>>()?,
            is_full,
        })
    }

    /// The highest number in a shard, as of a moment ago. Costs half a read unit.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn last_number(&self, shelf: ChatId, shard: u64) -> Result<Option<u64>, StoreError> {
        let call = self
            .0
            .client
            .query()
            .table_name(&self.0.name)
            .key_condition_expression("#shard = :shard")
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_names("#unit", UNIT)
            .expression_attribute_values(":shard", s(shard_key(shelf, shard)))
            .projection_expression("#unit")
            .select(Select::SpecificAttributes)
            .scan_index_forward(false)
            .limit(1);
        let answer = call
            .send()
            .await
            .map_err(self.0.fault("Query of the end of a shard"))?;
        let items = answer.items.unwrap_or_default();
        let last = items.first().map(|item| {
            let table = &self.0;
            Reader { table, item }.number(UNIT)
        });
        last.transpose()
    }

    /// Puts a unit on its shelf, unless another link lies there under its number. On [`Shelved::There`] that is durable,
    /// and it may be sold at any moment.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told: it may lie there, so its link must not be revoked.
    pub async fn shelve(&self, unit: &Unit) -> Result<Shelved, StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        let answer = call
            .item(SHARD, s(shard_key(unit.id.shelf, unit.id.shard())))
            .item(UNIT, n(unit.id.number))
            .item(INVITE_LINK, link(&unit.invite_link))
            .item(CHAT_ID, n(unit.chat))
            .item(BOT_ID, n(unit.bot))
            .item(LINK_EXPIRES_AT, s(unit.link_expires_at))
            .item(EXPIRES_AT, n(unit.link_expires_at.seconds()))
            .condition_expression("attribute_not_exists(#shard)")
            .expression_attribute_names("#shard", SHARD)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Shelved::There);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                let item = refusal.item.as_ref();
                let there = item.and_then(|item| item.get(INVITE_LINK));
                // The SDK repeats a write whose answer was lost, and then finds its own.
                Ok(if there == Some(&link(&unit.invite_link)) {
                    Shelved::There
                } else {
                    Shelved::Twice
                })
            }
            _ => Err(self.0.fault("PutItem of a unit")(error)),
        }
    }

    /// Takes a unit off its shelf for good, unless it was sold; answers whether it did. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn discard(&self, id: UnitId, invite_link: &InviteLink) -> Result<bool, StoreError> {
        let call = self
            .0
            .client
            .delete_item()
            .table_name(&self.0.name)
            .key(SHARD, s(shard_key(id.shelf, id.shard())))
            .key(UNIT, n(id.number))
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
        Err(self.0.fault("DeleteItem of a unit")(error))
    }

    /// Takes `unit` for the request `done`, which is DONE with its link, to be forgotten at `expires_at`: off the shelf,
    /// on record, and found by its link, all by one transaction. On [`Taken::Ours`] that is durable. Costs 6 write
    /// units, whether it comes to anything or not.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; then the record tells.
    pub async fn take(
        &self,
        unit: &Unit,
        done: &Invite,
        invites: &Invites,
        links: &Links,
        expires_at: Timestamp,
    ) -> Result<Taken, StoreError> {
        let operation = "TransactWriteItems to take a unit";
        let off_the_shelf = Delete::builder()
            .table_name(&self.0.name)
            .key(SHARD, s(shard_key(unit.id.shelf, unit.id.shard())))
            .key(UNIT, n(unit.id.number))
            .condition_expression("inviteLink = :link")
            .expression_attribute_values(":link", link(&unit.invite_link))
            .build()
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        let on_record = invites
            .put_new(done, expires_at)
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        let found_by_link = links
            .hand_over(&unit.invite_link, done, expires_at)
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        // The SDK makes up a token, the same for all its tries, so that one whose answer was lost is not refused by
        // its own effect.
        let call = self
            .0
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().delete(off_the_shelf).build())
            .transact_items(TransactWriteItem::builder().put(on_record).build())
            .transact_items(TransactWriteItem::builder().update(found_by_link).build());
        let Err(error) = call.send().await else {
            return Ok(Taken::Ours);
        };
        let verdict = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                Verdict::of(cancelled.cancellation_reasons())
            }
            _ => Verdict::Untold,
        };
        Ok(match verdict {
            Verdict::Known(item) => Taken::Known(Box::new(invites.read(&item)?)),
            Verdict::Busy => Taken::Busy,
            Verdict::Gone => Taken::Gone,
            Verdict::Spoiled => Taken::Spoiled,
            Verdict::Untold => return Err(self.0.fault(operation)(error)),
        })
    }

    /// A chat's ledger, as of now. Costs 1 read unit.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn ledger(&self, shelf: ChatId) -> Result<LedgerRecord, StoreError> {
        let call = self
            .0
            .client
            .get_item()
            .table_name(&self.0.name)
            .key(SHARD, s(control_key(shelf)))
            .key(UNIT, n(0))
            .consistent_read(true);
        let answer = call
            .send()
            .await
            .map_err(self.0.fault("GetItem of a ledger"))?;
        let Some(item) = answer.item else {
            return Ok(LedgerRecord {
                shelf,
                ledger: Ledger::default(),
                version: 0,
            });
        };
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        let new = Ledger::default();
        let instant = |attribute| {
            let ms: Option<i64> = reader.optional_number(attribute)?;
            Ok::<_, StoreError>(Timestamp::from_ms(ms.unwrap_or_default()))
        };
        Ok(LedgerRecord {
            shelf,
            ledger: Ledger {
                ordered: reader.optional_number(ORDERED)?.unwrap_or_default(),
                made: reader.optional_number(MADE)?.unwrap_or_default(),
                given_up: reader.optional_number(GIVEN_UP)?.unwrap_or_default(),
                seen: reader.optional_number(SEEN)?.unwrap_or_default(),
                order_max: reader.optional_number(ORDER_MAX)?.unwrap_or(new.order_max),
                last_order: reader.optional_number(LAST_ORDER)?.unwrap_or_default(),
                progress_at: instant(PROGRESS_AT)?,
                ordering_until: instant(ORDERING_UNTIL)?,
            },
            version: reader.optional_number(VERSION)?.unwrap_or_default(),
        })
    }

    /// Stores the ledger, but for what was made, unless another run has stored one since it was read; answers the record
    /// as it is then, or nothing if another run came first. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was stored.
    pub async fn store_ledger(
        &self,
        read: &LedgerRecord,
        ledger: &Ledger,
    ) -> Result<Option<LedgerRecord>, StoreError> {
        let version = read.version + 1;
        let call = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key(SHARD, s(control_key(read.shelf)))
            .key(UNIT, n(0))
            .update_expression(
                "SET ordered = :ordered, givenUp = :givenUp, seen = :seen, orderMax = :orderMax, \
                 lastOrder = :lastOrder, progressAt = :progressAt, orderingUntil = :orderingUntil, version = :version",
            )
            .expression_attribute_values(":ordered", n(ledger.ordered))
            .expression_attribute_values(":givenUp", n(ledger.given_up))
            .expression_attribute_values(":seen", n(ledger.seen))
            .expression_attribute_values(":orderMax", n(ledger.order_max))
            .expression_attribute_values(":lastOrder", n(ledger.last_order))
            .expression_attribute_values(":progressAt", n(ledger.progress_at.ms()))
            .expression_attribute_values(":orderingUntil", n(ledger.ordering_until.ms()))
            .expression_attribute_values(":version", n(version));
        let call = match read.version {
            0 => call.condition_expression("attribute_not_exists(version)"),
            before => call
                .condition_expression("version = :before")
                .expression_attribute_values(":before", n(before)),
        };
        let Err(error) = call.send().await else {
            return Ok(Some(LedgerRecord {
                shelf: read.shelf,
                ledger: ledger.clone(),
                version,
            }));
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
            _ => Err(self.0.fault("UpdateItem of a ledger")(error)),
        }
    }

    /// Notes that a unit was made, unless a later one was. Done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the next unit makes up for it.
    pub async fn note_made(&self, id: UnitId) -> Result<(), StoreError> {
        let call = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key(SHARD, s(control_key(id.shelf)))
            .key(UNIT, n(0))
            .update_expression("SET made = :unit")
            .condition_expression("attribute_not_exists(made) OR made < :unit")
            .expression_attribute_values(":unit", n(id.number));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(self.0.fault("UpdateItem of what was made")(error)),
        }
    }

    fn read(&self, shelf: ChatId, item: &Item) -> Result<Unit, StoreError> {
        let reader = Reader {
            table: &self.0,
            item,
        };
        Ok(Unit {
            id: UnitId {
                shelf,
                number: reader.number(UNIT)?,
            },
            invite_link: InviteLink::new(reader.text(INVITE_LINK)?),
            chat: ChatId(reader.number(CHAT_ID)?),
            bot: BotId(reader.number(BOT_ID)?),
            link_expires_at: reader.parsed(LINK_EXPIRES_AT)?,
        })
    }
}

fn shard_key(shelf: ChatId, shard: u64) -> String {
    format!("{shelf}#{shard}")
}

fn control_key(shelf: ChatId) -> String {
    format!("{shelf}#control")
}

/// Why a taking was cancelled.
#[derive(Debug, PartialEq)]
enum Verdict {
    Known(Item),
    Busy,
    Gone,
    Spoiled,
    Untold,
}

impl Verdict {
    /// Reads the reasons, one for each part of the taking, in order: off the shelf, on record, found by its link.
    fn of(reasons: &[CancellationReason]) -> Self {
        let [shelf, record, lookup] = reasons else {
            return Self::Untold;
        };
        let refused = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
        let contended = |reason: &CancellationReason| reason.code() == Some("TransactionConflict");
        // What the record says counts most: a request that is there is answered by what it is.
        match (record.item(), shelf, record, lookup) {
            (Some(item), _, record, _) if refused(record) => Self::Known(item.clone()),
            (_, _, record, _) if contended(record) => Self::Busy,
            (_, shelf, _, _) if refused(shelf) || contended(shelf) => Self::Gone,
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
            (["None", REFUSED, "None"], Verdict::Known(Item::new())),
            ([REFUSED, REFUSED, REFUSED], Verdict::Known(Item::new())),
            ([CONFLICT, CONFLICT, CONFLICT], Verdict::Busy),
            (["None", CONFLICT, "None"], Verdict::Busy),
            ([REFUSED, "None", REFUSED], Verdict::Gone),
            ([CONFLICT, "None", "None"], Verdict::Gone),
            (["None", "None", CONFLICT], Verdict::Gone),
            (["None", "None", REFUSED], Verdict::Spoiled),
            (["ThrottlingError", "None", "None"], Verdict::Untold),
        ];
        for (codes, verdict) in cases {
            assert_eq!(Verdict::of(&reasons(codes)), verdict, "{codes:?}");
        }
        assert_eq!(Verdict::of(&[]), Verdict::Untold);
    }
}
