//! The inbox of what providers report, `PaymentEvents`, and the objects of theirs that are an order's, `PaymentRefs`.
//!
//! ```text
//! (none) --> RECEIVED --> DONE       its order knows what it says
//!               |    +--> IGNORED    nobody's order, or of the other mode
//!               v
//!            WAITING --> DONE, IGNORED
//!               +------> PARKED      for three days nobody could tell what it says: an operator has it replayed
//! ```

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use sha2::{Digest, Sha256};

use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::id::{ORDER_SHARDS, OrderId};
use domain::time::Timestamp;
use runtime::config::Env;

const EVENT_KEY: &str = "eventKey";
const STATE: &str = "eventState";
const BODY: &str = "body";
const RECEIVED_AT: &str = "receivedAt";
const ATTEMPTS: &str = "attempts";
const WHY: &str = "why";
const OPEN_SHARD: &str = "openShard";
const NEXT_AT: &str = "nextAt";
const EXPIRES_AT: &str = "expiresAt";
const READ_UP_TO: &str = "readUpTo";
const OPEN_INDEX: &str = "OpenEvents";
const REF_KEY: &str = "refKey";
const ORDER_ID: &str = "orderId";
const CHARGE: &str = "charge";

/// How long an event is known. One that comes again later is harmless.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long an event is left to its bell before the sweeper rings for it.
const LEFT_TO_BELL: Duration = Duration::from_secs(60);

/// The inbox.
#[derive(Clone)]
pub struct PaymentEvents(Table);

/// An event in the inbox.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentEvent {
    /// `<provider>#<the provider's key>`.
    pub key: String,
    /// Where it stands.
    pub state: EventState,
    /// The body, as it came.
    pub body: String,
    /// When it first came.
    pub received_at: Timestamp,
    /// How often it could not be settled.
    pub attempts: u32,
    /// Why it could not, the last time.
    pub why: Option<String>,
}

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// It came.
    Received,
    /// It can't be settled yet.
    Waiting,
    /// Its order knows it.
    Done,
    /// It is nobody's.
    Ignored,
    /// It can't be settled; an operator must act.
    Parked,
}

impl EventState {
    const ALL: [Self; 5] = [
        Self::Received,
        Self::Waiting,
        Self::Done,
        Self::Ignored,
        Self::Parked,
    ];

    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "RECEIVED",
            Self::Waiting => "WAITING",
            Self::Done => "DONE",
            Self::Ignored => "IGNORED",
            Self::Parked => "PARKED",
        }
    }

    /// Whether somebody still has to settle it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::Waiting)
    }
}

impl PaymentEvents {
    /// The table `PaymentEvents`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        let (name, variable) = ("PaymentEvents", "PAYMENT_EVENTS_TABLE");
        Self(Table::from_env(client, env, name, variable))
    }

    /// Puts an event that nobody put before; answers whether that was so. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn put(&self, key: &str, body: &str, now: Timestamp) -> Result<bool, StoreError> {
        let put = self.0.client.put_item().table_name(&self.0.name);
        let written = put
            .item(EVENT_KEY, s(key))
            .item(STATE, s(EventState::Received.as_str()))
            .item(BODY, s(body))
            .item(RECEIVED_AT, s(now))
            .item(ATTEMPTS, n(0))
            .item(OPEN_SHARD, s(shard(key)))
            .item(NEXT_AT, s(now.plus(LEFT_TO_BELL)))
            .item(EXPIRES_AT, n(now.plus(KEPT).seconds()))
            .condition_expression("attribute_not_exists(eventKey)")
            .send()
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(self.0.fault("PutItem of a payment event")(error)),
            },
        }
    }

    /// The event, as of now.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, key: &str) -> Result<Option<PaymentEvent>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(EVENT_KEY, s(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of a payment event"))?;
        answer.item.map(|item| self.read(&item)).transpose()
    }

    /// Up to where a provider's own list of payments was read; 0 if it never was.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn read_up_to(&self, provider: &str) -> Result<u64, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(EVENT_KEY, s(list_key(provider)))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of where a list was read up to"))?;
        match &answer.item {
            Some(item) => self.reader(item).number(READ_UP_TO),
            None => Ok(0),
        }
    }

    /// Writes that it was read up to there; never back. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn note_read_up_to(&self, provider: &str, up_to: u64) -> Result<(), StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let call = call
            .key(EVENT_KEY, s(list_key(provider)))
            .update_expression("SET readUpTo = :to")
            .condition_expression("attribute_not_exists(readUpTo) OR readUpTo < :to")
            .expression_attribute_values(":to", n(up_to));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(self.0.fault("UpdateItem of where a list was read up to")(
                    error,
                )),
            },
        }
    }

    /// Open events of one of the [`ORDER_SHARDS`] parts that are due by `now`, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn open(
        &self,
        shard: u8,
        now: Timestamp,
        limit: i32,
    ) -> Result<Vec<String>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .index_name(OPEN_INDEX)
            .key_condition_expression("openShard = :shard AND nextAt <= :now")
            .expression_attribute_values(":shard", s(shard % ORDER_SHARDS))
            .expression_attribute_values(":now", s(now))
            .limit(limit)
            .send()
            .await
            .map_err(self.0.fault("Query of open payment events"))?;
        let items = answer.items.unwrap_or_default();
        let keys = items.iter().map(|item| {
            let reader = self.reader(item);
            Ok(reader.text(EVENT_KEY)?.to_owned())
        });
        keys.collect()
    }

    /// Writes that an event needs nothing more. Durable on return. One that is settled already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn settle(&self, key: &str, state: EventState) -> Result<(), StoreError> {
        let update = match state {
            EventState::Parked => "SET eventState = :state REMOVE openShard, nextAt, expiresAt",
            // What it said stands in its order.
            _ => "SET eventState = :state REMOVE openShard, nextAt, body",
        };
        let call = self.0.client.update_item().table_name(&self.0.name);
        let call = call
            .key(EVENT_KEY, s(key))
            .update_expression(update)
            .condition_expression("eventState IN (:received, :waiting, :parked)")
            .expression_attribute_values(":state", s(state.as_str()))
            .expression_attribute_values(":received", s(EventState::Received.as_str()))
            .expression_attribute_values(":waiting", s(EventState::Waiting.as_str()))
            .expression_attribute_values(":parked", s(EventState::Parked.as_str()));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(self.0.fault("UpdateItem to settle a payment event")(error)),
            },
        }
    }

    /// Writes that an open event is to be settled at `at`, and why it could not be before. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn put_off(
        &self,
        event: &PaymentEvent,
        at: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let call = call
            .key(EVENT_KEY, s(&event.key))
            .update_expression(
                "SET eventState = :waiting, nextAt = :at, attempts = :tries, why = :why",
            )
            .condition_expression("eventState IN (:received, :waiting)")
            .expression_attribute_values(":received", s(EventState::Received.as_str()))
            .expression_attribute_values(":waiting", s(EventState::Waiting.as_str()))
            .expression_attribute_values(":at", s(at))
            .expression_attribute_values(":tries", n(event.attempts.saturating_add(1)))
            .expression_attribute_values(":why", s(why));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(self.0.fault("UpdateItem to put a payment event off")(error)),
            },
        }
    }

    /// Has a parked event settled once more; answers whether there was one. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn replay(&self, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let call = call
            .key(EVENT_KEY, s(key))
            .update_expression(
                "SET eventState = :waiting, openShard = :shard, nextAt = :now, receivedAt = :now, attempts = :none, expiresAt = :end",
            )
            .condition_expression("eventState = :parked")
            .expression_attribute_values(":waiting", s(EventState::Waiting.as_str()))
            .expression_attribute_values(":parked", s(EventState::Parked.as_str()))
            .expression_attribute_values(":shard", s(shard(key)))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":none", n(0))
            .expression_attribute_values(":end", n(now.plus(KEPT).seconds()));
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(self.0.fault("UpdateItem to replay a payment event")(error)),
            },
        }
    }

    const fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.0,
            item,
        }
    }

    fn read(&self, item: &Item) -> Result<PaymentEvent, StoreError> {
        let reader = self.reader(item);
        let word = reader.text(STATE)?;
        let state = EventState::ALL
            .into_iter()
            .find(|state| state.as_str() == word);
        Ok(PaymentEvent {
            key: reader.text(EVENT_KEY)?.to_owned(),
            state: state.ok_or_else(|| self.0.malformed(STATE))?,
            body: reader.optional_text(BODY)?.unwrap_or_default().to_owned(),
            received_at: reader.parsed(RECEIVED_AT)?,
            attempts: reader.number(ATTEMPTS)?,
            why: reader.optional_text(WHY)?.map(str::to_owned),
        })
    }
}

/// By what it is known where a provider's list was read up to: no event has such a key.
fn list_key(provider: &str) -> String {
    format!("list#{provider}")
}

/// The part of the index of open events that an event stands in.
fn shard(key: &str) -> u8 {
    let digest: [u8; 32] = Sha256::digest(key).into();
    digest[0] % ORDER_SHARDS
}

/// The objects of providers that are an order's.
#[derive(Clone)]
pub struct PaymentRefs(Table);

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefOwner {
    /// The order.
    pub order: OrderId,
    /// The key of the charge that the object is of.
    pub charge: Option<String>,
}

impl PaymentRefs {
    /// The table `PaymentRefs`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        let (name, variable) = ("PaymentRefs", "PAYMENT_REFS_TABLE");
        Self(Table::from_env(client, env, name, variable))
    }

    /// Whose the object of a provider is, as of now.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, provider: &str, object: &str) -> Result<Option<RefOwner>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(REF_KEY, s(format!("{provider}#{object}")))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of a payment reference"))?;
        answer.item.map(|item| self.read(&item)).transpose()
    }

    /// Writes whose the object of a provider is, unless it is somebody's; answers whose it is then. A charge that was not known
    /// is added. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn put(
        &self,
        provider: &str,
        object: &str,
        owner: &RefOwner,
    ) -> Result<OrderId, StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let call = call
            .key(REF_KEY, s(format!("{provider}#{object}")))
            .condition_expression("attribute_not_exists(orderId) OR orderId = :order")
            .expression_attribute_values(":order", s(owner.order))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let call = match &owner.charge {
            Some(charge) => call
                .update_expression("SET orderId = :order, charge = if_not_exists(charge, :charge)")
                .expression_attribute_values(":charge", s(charge)),
            None => call.update_expression("SET orderId = :order"),
        };
        match call.send().await {
            Ok(_) => Ok(owner.order),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    let item = refused.item.as_ref();
                    let item = item.ok_or_else(|| self.0.malformed(ORDER_ID))?;
                    Ok(self.read(item)?.order)
                }
                _ => Err(self.0.fault("UpdateItem of a payment reference")(error)),
            },
        }
    }

    fn read(&self, item: &Item) -> Result<RefOwner, StoreError> {
        let reader = Reader {
            table: &self.0,
            item,
        };
        Ok(RefOwner {
            order: reader.parsed(ORDER_ID)?,
            charge: reader.optional_text(CHARGE)?.map(str::to_owned),
        })
    }
}
