//! The table of orders: each is one item, with what is known of it and what still has to be done; and what its public page
//! reads, in another.
//!
//! An order is written as a whole, under the revision that was read; who comes second reads again and decides anew.

use std::time::Duration;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::item::{Item, Reader, n, s};
use super::reservations::{Reservations, is_refused, refusals};
use super::{StoreError, Table};
use domain::id::{ORDER_SHARDS, OrderId};
use domain::order::fold::OrderState;
use domain::order::record::{Order, Reservation, UNPAID_KEPT};
use domain::time::Timestamp;
use runtime::config::Env;

const ORDER_ID: &str = "orderId";
const ITEM: &str = "item";
const ORDER: &str = "order";
const PAGE: &str = "page";
const KEY: &str = "key";
const MADE: &str = "made";
const CONTENT: &str = "content";
const REVISION: &str = "revision";
const RECORD: &str = "record";
const STATE: &str = "orderState";
const DUE_SHARD: &str = "dueShard";
const DUE_AT: &str = "dueAt";
const CASE_SHARD: &str = "caseShard";
const CASE_SINCE: &str = "caseSince";
const BUYER: &str = "buyer";
const CREATED_AT: &str = "createdAt";
const EXPIRES_AT: &str = "expiresAt";
const VERSION: &str = "version";
const DUE_INDEX: &str = "Due";
const CASES_INDEX: &str = "Cases";
const BUYER_INDEX: &str = "ByBuyer";
/// How long the key of a call is known.
const KEY_KEPT: Duration = Duration::from_secs(48 * 3600);
/// The one partition of the orders with cases: there are few.
const CASES: &str = "0";

/// The table of orders.
#[derive(Clone)]
pub struct Orders(Table);

/// What the public page of an order reads: small, and nothing in it that a stranger may not see who has the order's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPage {
    /// Where the order stands.
    pub state: OrderState,
    /// What was bought, for people.
    pub title: String,
    /// Who takes the money.
    pub provider: String,
    /// The currency of the price.
    pub currency: String,
    /// What is to be paid, in minor units as the provider counts them.
    pub due: i128,
    /// What of it is missing, once some came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missing: Option<i128>,
    /// The page to pay on, while it can be paid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pay_url: Option<String>,
    /// Until when it can be paid.
    pub pay_until: Timestamp,
    /// Whether its money is real.
    pub is_test: bool,
    /// Whether its buyer gives it to somebody else.
    #[serde(default)]
    pub is_gift: bool,
    /// The requests by which its buyer gets in, once it is paid, with their chats.
    #[serde(default)]
    pub requests: Vec<String>,
    /// The version of the order that it shows.
    pub version: u64,
    /// The revision of the order that it shows: a later one is newer.
    pub revision: u64,
}

/// The key by which a caller knows a call that makes an order, and a digest of what the call says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderKey {
    key: String,
    content: String,
}

impl OrderKey {
    /// The key of a call, whose content is `content`; both as digests.
    #[must_use]
    pub fn new(key: &str, content: &[u8]) -> Self {
        let hex = |bytes: &[u8]| {
            let digest: [u8; 32] = Sha256::digest(bytes).into();
            digest.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        Self {
            key: hex(key.as_bytes()),
            content: hex(content),
        }
    }

    fn id(&self) -> String {
        format!("key#{}", self.key)
    }

    fn item(&self, order: OrderId, now: Timestamp) -> Item {
        let values = [
            (ORDER_ID, s(self.id())),
            (ITEM, s(KEY)),
            (MADE, s(order)),
            (CONTENT, s(&self.content)),
            (EXPIRES_AT, n(now.plus(KEY_KEPT).seconds())),
        ];
        values
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }
}

/// How often an order is made anew because others write the same counter.
const TRIES: u32 = 12;

/// What became of making an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// It is stored.
    New,
    /// A call of the same key and content made this one before.
    Known(OrderId),
    /// A call of the same key and other content made one before; nothing is stored.
    OtherContent,
    /// There is none left of this pool; nothing is stored.
    SoldOut(String),
}

impl Orders {
    /// The table `Orders`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Orders", "ORDERS_TABLE"))
    }

    /// The order, as of now; nothing if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(ORDER_ID, s(id))
            .key(ITEM, s(ORDER))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of an order"))?;
        answer.item.map(|item| self.read(&item)).transpose()
    }

    /// What the public page of an order shows, as of a moment ago (half a read unit for 4 KB).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn page(&self, id: OrderId) -> Result<Option<OrderPage>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(ORDER_ID, s(id))
            .key(ITEM, s(PAGE))
            .send()
            .await
            .map_err(self.0.fault("GetItem of an order's page"))?;
        let Some(item) = answer.item else {
            return Ok(None);
        };
        let reader = self.reader(&item);
        let page = serde_json::from_str(reader.text(RECORD)?);
        page.map(Some).map_err(|_| self.0.malformed(RECORD))
    }

    /// Writes an order that is new, with the key of the call that made it, by one transaction: of all calls with one key one
    /// makes an order. Durable on [`Ordered::New`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn create(
        &self,
        order: &Order,
        key: Option<&OrderKey>,
        reservations: &Reservations,
        now: Timestamp,
    ) -> Result<Ordered, StoreError> {
        let operation = "TransactWriteItems of a new order";
        let item = self.item(order)?;
        let held = &order.sold.reservations;
        for _ in 0..TRIES {
            let writes = || -> Result<Vec<TransactWriteItem>, BuildError> {
                let order_put = Put::builder()
                    .table_name(&self.0.name)
                    .set_item(Some(item.clone()))
                    .condition_expression("attribute_not_exists(orderId)")
                    .build()?;
                let mut writes = vec![TransactWriteItem::builder().put(order_put).build()];
                for of in held {
                    writes.extend(reservations.taking(order.id, of)?);
                }
                if let Some(key) = key {
                    let key = Put::builder()
                        .table_name(&self.0.name)
                        .set_item(Some(key.item(order.id, now)))
                        .condition_expression("attribute_not_exists(orderId)")
                        .build()?;
                    writes.push(TransactWriteItem::builder().put(key).build());
                }
                Ok(writes)
            };
            let writes = writes()
                .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
                .map_err(self.0.fault(operation))?;
            let call = self.0.client.transact_write_items();
            let Err(error) = call.set_transact_items(Some(writes)).send().await else {
                return Ok(Ordered::New);
            };
            let Some(codes) = refusals(&error) else {
                return Err(self.0.fault(operation)(error));
            };
            // Who comes second under a key learns what the first has made; also if there is none left for them.
            if let Some(key) = key
                && let Some(made) = self.made(key).await?
            {
                return Ok(made);
            }
            // The answer to an earlier try was lost.
            if is_refused(&codes, 0) {
                return Ok(Ordered::New);
            }
            let sold_out = held
                .iter()
                .enumerate()
                .find(|(at, _)| is_refused(&codes, 2 * at + 2));
            if let Some((_, of)) = sold_out {
                return Ok(Ordered::SoldOut(of.pool.clone()));
            }
        }
        Err(StoreError::Contended {
            table: self.0.name.clone(),
        })
    }

    /// What a call of this key has made before; nothing if none did.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn made(&self, key: &OrderKey) -> Result<Option<Ordered>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(ORDER_ID, s(key.id()))
            .key(ITEM, s(KEY))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of the key of an order"))?;
        let Some(item) = answer.item else {
            return Ok(None);
        };
        let reader = self.reader(&item);
        Ok(Some(match reader.text(CONTENT)? == key.content {
            true => Ordered::Known(reader.parsed(MADE)?),
            false => Ordered::OtherContent,
        }))
    }

    /// Writes that a call of this key was answered by an order that was there already; answers what it is by then. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn know(
        &self,
        key: &OrderKey,
        order: OrderId,
        now: Timestamp,
    ) -> Result<Ordered, StoreError> {
        let put = self.0.client.put_item().table_name(&self.0.name);
        let written = put
            .set_item(Some(key.item(order, now)))
            .condition_expression("attribute_not_exists(orderId)")
            .send()
            .await;
        if self.is_written(written, "PutItem of the key of an order")? {
            return Ok(Ordered::Known(order));
        }
        let made = self.made(key).await?;
        Ok(made.unwrap_or(Ordered::Known(order)))
    }

    /// Writes an order in the place of the one that was read, which has the same revision; answers the order as it is stored,
    /// or nothing if somebody else wrote it meanwhile. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; reading it again tells.
    pub async fn write(&self, order: &Order) -> Result<Option<Order>, StoreError> {
        let read = order.revision;
        let next = Order {
            revision: read.saturating_add(1),
            ..order.clone()
        };
        let put = self.0.client.put_item().table_name(&self.0.name);
        let written = put
            .set_item(Some(self.item(&next)?))
            .condition_expression("revision = :read")
            .expression_attribute_values(":read", n(read))
            .send()
            .await;
        let is_written = self.is_written(written, "PutItem of an order")?;
        Ok(is_written.then_some(next))
    }

    /// Gives back what an order holds of a pool, if the order is stored as it is given: one that was written since may need it.
    /// Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told, or the order has changed; doing it again is harmless.
    pub async fn release(
        &self,
        reservations: &Reservations,
        order: &Order,
        of: &Reservation,
    ) -> Result<(), StoreError> {
        let operation = "building the check of an order";
        let check = ConditionCheck::builder()
            .table_name(&self.0.name)
            .key(ORDER_ID, s(order.id))
            .key(ITEM, s(ORDER))
            .condition_expression("revision = :read")
            .expression_attribute_values(":read", n(order.revision))
            .build()
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        reservations.release(order.id, of, check).await
    }

    /// Writes what the public page shows, unless it shows something newer. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn show(
        &self,
        id: OrderId,
        page: &OrderPage,
        is_kept: bool,
    ) -> Result<(), StoreError> {
        let record = serde_json::to_string(page).map_err(|_| self.0.malformed(RECORD))?;
        let mut item: Item = [
            (ORDER_ID, s(id)),
            (ITEM, s(PAGE)),
            (RECORD, s(record)),
            (REVISION, n(page.revision)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if !is_kept {
            let end = page.pay_until.plus(UNPAID_KEPT);
            item.insert(EXPIRES_AT.to_owned(), n(end.seconds()));
        }
        let put = self.0.client.put_item().table_name(&self.0.name);
        let written = put
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(orderId) OR revision < :revision")
            .expression_attribute_values(":revision", n(page.revision))
            .send()
            .await;
        self.is_written(written, "PutItem of an order's page")?;
        Ok(())
    }

    /// Orders of one of the [`ORDER_SHARDS`] parts that have to be looked at by `now`, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn due(
        &self,
        shard: u8,
        now: Timestamp,
        limit: i32,
    ) -> Result<Vec<OrderId>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .index_name(DUE_INDEX)
            .key_condition_expression("dueShard = :shard AND dueAt <= :now")
            .expression_attribute_values(":shard", s(shard % ORDER_SHARDS))
            .expression_attribute_values(":now", s(now))
            .limit(limit)
            .send()
            .await
            .map_err(self.0.fault("Query of due orders"))?;
        self.ids(answer.items)
    }

    /// All orders of a part that are due by then, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn all_due(&self, shard: u8, by: Timestamp) -> Result<Vec<OrderId>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let pages = call
            .index_name(DUE_INDEX)
            .key_condition_expression("dueShard = :shard AND dueAt <= :by")
            .expression_attribute_values(":shard", s(shard % ORDER_SHARDS))
            .expression_attribute_values(":by", s(by))
            .into_paginator()
            .items()
            .send();
        let items: Result<Vec<Item>, _> = pages.collect().await;
        self.ids(Some(
            items.map_err(self.0.fault("Query of all due orders"))?,
        ))
    }

    /// Orders that a person has to decide about, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn with_cases(&self, limit: i32) -> Result<Vec<(OrderId, Timestamp)>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .index_name(CASES_INDEX)
            .key_condition_expression("caseShard = :all")
            .expression_attribute_values(":all", s(CASES))
            .limit(limit)
            .send()
            .await
            .map_err(self.0.fault("Query of orders with cases"))?;
        let items = answer.items.unwrap_or_default();
        let found = items.iter().map(|item| {
            let reader = self.reader(item);
            Ok((reader.parsed(ORDER_ID)?, reader.parsed(CASE_SINCE)?))
        });
        found.collect()
    }

    /// The orders of a buyer, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn of_buyer(&self, buyer: &str, limit: i32) -> Result<Vec<OrderId>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .index_name(BUYER_INDEX)
            .key_condition_expression("buyer = :buyer")
            .expression_attribute_values(":buyer", s(buyer))
            .scan_index_forward(false)
            .limit(limit)
            .send()
            .await
            .map_err(self.0.fault("Query of a buyer's orders"))?;
        self.ids(answer.items)
    }

    fn ids(&self, items: Option<Vec<Item>>) -> Result<Vec<OrderId>, StoreError> {
        let items = items.unwrap_or_default();
        let ids = items.iter().map(|item| self.reader(item).parsed(ORDER_ID));
        ids.collect()
    }

    const fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.0,
            item,
        }
    }

    fn read(&self, item: &Item) -> Result<Order, StoreError> {
        let reader = self.reader(item);
        serde_json::from_str(reader.text(RECORD)?).map_err(|_| self.0.malformed(RECORD))
    }

    fn item(&self, order: &Order) -> Result<Item, StoreError> {
        let record = serde_json::to_string(order).map_err(|_| self.0.malformed(RECORD))?;
        let is_kept = order.has_money();
        let end = (!is_kept).then(|| order.pay_until.plus(UNPAID_KEPT));
        let values = [
            (ORDER_ID, Some(s(order.id))),
            (ITEM, Some(s(ORDER))),
            (REVISION, Some(n(order.revision))),
            (VERSION, Some(n(order.version))),
            (RECORD, Some(s(record))),
            (STATE, Some(s(order.state.as_str()))),
            (DUE_SHARD, order.due_at.map(|_| s(order.id.shard()))),
            (DUE_AT, order.due_at.map(s)),
            (CASE_SHARD, order.case_since.map(|_| s(CASES))),
            (CASE_SINCE, order.case_since.map(s)),
            (BUYER, order.buyer.key().map(s)),
            (CREATED_AT, Some(s(order.created_at))),
            (EXPIRES_AT, end.map(|end| n(end.seconds()))),
        ];
        let present = values.into_iter();
        Ok(present
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect())
    }

    fn is_written<O>(
        &self,
        written: Result<O, SdkError<PutItemError>>,
        operation: &'static str,
    ) -> Result<bool, StoreError> {
        match written {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(self.0.fault(operation)(error)),
            },
        }
    }
}
