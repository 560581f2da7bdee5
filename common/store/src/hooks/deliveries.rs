//! The ledger of deliveries: one item for each announcement and endpoint that wants it.
//!
//! ```text
//! put      WAITING, in the index `Due`         an item that is there already stays as it is
//! hold     PARKED in the index under `held#…`, put while too much waits; WAITING once there is room
//! claim    due again in a minute, one try more if nobody was faster
//! settle   DELIVERED or PARKED and out of the index, or due later; if the claim still is ours
//! park     PARKED and out of the index, unmade, if nobody claimed it meanwhile
//! ```

mod log;

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValue, TransactWriteItem};

use super::super::item::{Item, Reader, n, s};
use super::super::{StoreError, Table};
use domain::hook::{
    Announcement, EndpointId, HOOK_LEASE, HookEventId, HookKind, HookState, HookTry, ROW_KEPT,
    Subscription,
};
use domain::time::Timestamp;
use runtime::config::Env;

pub use log::DeliveryPage;

const ENDPOINT_SHARD: &str = "endpointShard";
const EVENT: &str = "event";
const KIND: &str = "type";
const BODY: &str = "body";
const STATE: &str = "state";
const BEGUN: &str = "begun";
const TRIED: &str = "tries";
const AT: &str = "at";
const ANSWER: &str = "answer";
const MS: &str = "ms";
const DUE_SHARD: &str = "dueShard";
const DUE_AT: &str = "dueAt";
const EXPIRES_AT: &str = "expiresAt";
const REQUEST_ID: &str = "requestId";
const PERSON: &str = "telegramUserId";
/// The index of those that are due, and of those that are held back.
const DUE: &str = "Due";
/// What begins the key in the index of deliveries that are held back because too much waits for their endpoint.
const HELD: &str = "held#";

/// The ledger of deliveries.
#[derive(Clone)]
pub struct Deliveries(Table);

/// A delivery that is due, as the index shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDelivery {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The announcement.
    pub event: HookEventId,
    /// Since when it is due, or until when it is somebody's.
    pub due_at: Timestamp,
}

/// A delivery, as its record has it.
#[derive(Clone, PartialEq)]
pub struct DeliveryRecord {
    /// The announcement.
    pub event: HookEventId,
    /// Its kind.
    pub kind: HookKind,
    /// The body of its calls.
    pub body: String,
    /// Where it stands.
    pub state: HookState,
    /// How many tries have begun since it was put, or replayed.
    pub begun: u32,
    /// The tries that have ended.
    pub tries: Vec<HookTry>,
    /// When the next try is.
    pub due_at: Option<Timestamp>,
}

impl fmt::Debug for DeliveryRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the body, which may hold a link.
        f.debug_struct("DeliveryRecord")
            .field("event", &self.event)
            .field("state", &self.state)
            .field("begun", &self.begun)
            .field("due_at", &self.due_at)
            .finish_non_exhaustive()
    }
}

/// What became of a claim.
#[derive(Debug)]
pub enum Claiming {
    /// The delivery is ours until this time.
    Ours(Box<DeliveryRecord>, Timestamp),
    /// Somebody else has it, or it is settled.
    NotOurs,
}

/// What a replay did to one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryReplayed {
    /// It is to be made again.
    Done,
    /// It waits to be made anyway.
    Waiting,
    /// There is none.
    Missing,
}

impl Deliveries {
    /// The table `Deliveries`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(
            client,
            env,
            "Deliveries",
            "DELIVERIES_TABLE",
        ))
    }

    /// Puts the delivery of an announcement to an endpoint, unless it is there. Durable on return. Costs 2 write units, one
    /// more each if it is about a request and about a person, and 1 if it was there.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; putting it again is harmless.
    pub async fn put(
        &self,
        announcement: &Announcement,
        to: &Subscription,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        let call = call
            .set_item(Some(new_item(announcement, to, now)))
            .condition_expression("attribute_not_exists(endpointShard)");
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(self.0.fault("PutItem of a delivery")(error)),
            },
        }
    }

    /// The same as a part of a transaction that can happen once.
    pub(super) fn insertion(
        &self,
        announcement: &Announcement,
        to: &Subscription,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.0.name)
            .set_item(Some(new_item(announcement, to, now)))
            .build()
            .map_err(SdkError::<PutItemError>::construction_failure)
            .map_err(self.0.fault("PutItem of a delivery"))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// The deliveries of a part that are due by `until`, the longest waiting first: all of them, by the index, which holds a
    /// bounded number. Half a read unit for 20 of them.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn due(&self, shard: u8, until: Timestamp) -> Result<Vec<DueDelivery>, StoreError> {
        let (mut due, mut after) = (Vec::new(), None);
        loop {
            let call = self
                .0
                .client
                .query()
                .table_name(&self.0.name)
                .index_name(DUE)
                .key_condition_expression("dueShard = :shard AND dueAt <= :until")
                .expression_attribute_values(":shard", s(shard))
                .expression_attribute_values(":until", s(until))
                .set_exclusive_start_key(after);
            let answer = call.send().await;
            let answer = answer.map_err(self.0.fault("Query of deliveries that are due"))?;
            for item in answer.items.unwrap_or_default() {
                due.push(self.indexed(&item)?);
            }
            after = answer.last_evaluated_key;
            if after.is_none() {
                return Ok(due);
            }
        }
    }

    /// The deliveries to an endpoint of a part that are held back, at most `limit`, those first that were put first. Half a read
    /// unit without any.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn held(
        &self,
        endpoint: &EndpointId,
        shard: u8,
        limit: usize,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let call = self
            .0
            .client
            .query()
            .table_name(&self.0.name)
            .index_name(DUE)
            .key_condition_expression("dueShard = :held")
            .expression_attribute_values(":held", s(held(endpoint, shard)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let answer = call.send().await;
        let answer = answer.map_err(self.0.fault("Query of deliveries that are held back"))?;
        let items = answer.items.unwrap_or_default();
        items.iter().map(|item| self.indexed(item)).collect()
    }

    /// Lets a delivery go that was held back: it is due. One that was replayed meanwhile stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn let_go(&self, delivery: &DueDelivery, now: Timestamp) -> Result<(), StoreError> {
        let (endpoint, shard) = (&delivery.endpoint, delivery.event.shard());
        let call = self
            .change(endpoint, &delivery.event)
            .update_expression(
                "SET #state = :waiting, dueShard = :shard, dueAt = :now, expiresAt = :expires",
            )
            .condition_expression("dueShard = :held")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":waiting", s(HookState::Waiting.as_str()))
            .expression_attribute_values(":shard", s(shard))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":expires", n(now.plus(ROW_KEPT).seconds()))
            .expression_attribute_values(":held", s(held(endpoint, shard)));
        self.send(call, "UpdateItem to let a delivery go").await?;
        Ok(())
    }

    /// What the index has of a delivery.
    fn indexed(&self, item: &Item) -> Result<DueDelivery, StoreError> {
        let reader = Reader {
            table: &self.0,
            item,
        };
        let endpoint = reader.text(ENDPOINT_SHARD)?.split_once('#');
        let endpoint = endpoint.and_then(|(id, _)| id.parse().ok());
        Ok(DueDelivery {
            endpoint: endpoint.ok_or_else(|| self.0.malformed(ENDPOINT_SHARD))?,
            event: self.event(&reader)?,
            due_at: reader.parsed(DUE_AT)?,
        })
    }

    /// Has the caller make a due delivery, and nobody else for [`HOOK_LEASE`]; the try counts from then on.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is then not to be made.
    pub async fn claim(&self, due: &DueDelivery, now: Timestamp) -> Result<Claiming, StoreError> {
        let until = now.plus(HOOK_LEASE);
        let call = self
            .change(&due.endpoint, &due.event)
            .update_expression("SET dueAt = :until ADD begun :one")
            .condition_expression("dueAt = :seen")
            .expression_attribute_values(":until", s(until))
            .expression_attribute_values(":seen", s(due.due_at))
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::AllNew);
        match self.send(call, "UpdateItem to claim a delivery").await? {
            Some(item) => Ok(Claiming::Ours(Box::new(self.read(&item)?), until)),
            None => Ok(Claiming::NotOurs),
        }
    }

    /// Settles a try of a delivery that was claimed until `claimed`: with `state`, and due again at `next` if it waits. One
    /// that is somebody else's by now stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the delivery is then made again.
    pub async fn settle(
        &self,
        due: &DueDelivery,
        claimed: Timestamp,
        tried: Option<&HookTry>,
        state: HookState,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let tried = tried.map(|tried| {
            AttributeValue::M(Item::from([
                (AT.to_owned(), s(tried.at)),
                (ANSWER.to_owned(), s(&tried.answer)),
                (MS.to_owned(), n(tried.ms)),
            ]))
        });
        let mut call = self
            .change(&due.endpoint, &due.event)
            .condition_expression("dueAt = :claimed")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":claimed", s(claimed))
            .expression_attribute_values(":state", s(state.as_str()))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":tried", AttributeValue::L(tried.into_iter().collect()));
        let set = "SET #state = :state, tries = list_append(if_not_exists(tries, :none), :tried)";
        call = match next {
            Some(next) => call
                .update_expression(format!("{set}, dueAt = :next"))
                .expression_attribute_values(":next", s(next)),
            None => call.update_expression(format!("{set} REMOVE dueShard, dueAt")),
        };
        self.send(call, "UpdateItem to settle a delivery").await?;
        Ok(())
    }

    /// Parks a delivery that is due and is not to be made. One that somebody has or settled meanwhile stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; parking it again is harmless.
    pub async fn park(&self, due: &DueDelivery) -> Result<(), StoreError> {
        let call = self
            .change(&due.endpoint, &due.event)
            .update_expression("SET #state = :parked REMOVE dueShard, dueAt")
            .condition_expression("dueAt = :seen")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":parked", s(HookState::Parked.as_str()))
            .expression_attribute_values(":seen", s(due.due_at));
        self.send(call, "UpdateItem to park a delivery").await?;
        Ok(())
    }

    /// Has a delivery made again that was made or given up, with all its tries before it. Durable on return; done twice it is as
    /// done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn replay(
        &self,
        endpoint: &EndpointId,
        event: &HookEventId,
        now: Timestamp,
    ) -> Result<DeliveryReplayed, StoreError> {
        let call = self
            .change(endpoint, event)
            .update_expression(
                "SET #state = :waiting, begun = :zero, tries = :none, dueShard = :shard, dueAt = :now, expiresAt = :expires",
            )
            .condition_expression("attribute_exists(endpointShard) AND #state <> :waiting")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":waiting", s(HookState::Waiting.as_str()))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":shard", s(event.shard()))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":expires", n(now.plus(ROW_KEPT).seconds()));
        if self
            .send(call, "UpdateItem to replay a delivery")
            .await?
            .is_some()
        {
            return Ok(DeliveryReplayed::Done);
        }
        Ok(match self.get(endpoint, event).await? {
            Some(_) => DeliveryReplayed::Waiting,
            None => DeliveryReplayed::Missing,
        })
    }

    /// A delivery, as of now.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(
        &self,
        endpoint: &EndpointId,
        event: &HookEventId,
    ) -> Result<Option<DeliveryRecord>, StoreError> {
        let call = self
            .0
            .client
            .get_item()
            .table_name(&self.0.name)
            .set_key(Some(key(endpoint, event)))
            .consistent_read(true);
        let answer = call.send().await;
        let answer = answer.map_err(self.0.fault("GetItem of a delivery"))?;
        answer.item.map(|item| self.read(&item)).transpose()
    }

    fn change(&self, endpoint: &EndpointId, event: &HookEventId) -> UpdateItemFluentBuilder {
        self.0
            .client
            .update_item()
            .table_name(&self.0.name)
            .set_key(Some(key(endpoint, event)))
    }

    /// Sends an update; nothing if its condition fails.
    async fn send(
        &self,
        call: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<Option<Item>, StoreError> {
        match call.send().await {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(self.0.fault(operation)(error)),
            },
        }
    }

    fn event(&self, reader: &Reader<'_>) -> Result<HookEventId, StoreError> {
        let event = reader.text(EVENT)?.split_once('#');
        let event = event.and_then(|(_, id)| id.parse().ok());
        event.ok_or_else(|| self.0.malformed(EVENT))
    }

    fn read(&self, item: &Item) -> Result<DeliveryRecord, StoreError> {
        let reader = Reader {
            table: &self.0,
            item,
        };
        let tries = reader
            .maps(TRIED)?
            .into_iter()
            .map(|tried| {
                Ok(HookTry {
                    at: tried.parsed(AT)?,
                    answer: tried.text(ANSWER)?.to_owned(),
                    ms: tried.number(MS)?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        let (kind, state) = (reader.text(KIND)?.parse(), reader.text(STATE)?.parse());
        let state = state.map_err(|()| self.0.malformed(STATE))?;
        let due_at = reader.optional_instant(DUE_AT)?;
        Ok(DeliveryRecord {
            event: self.event(&reader)?,
            kind: kind.map_err(|()| self.0.malformed(KIND))?,
            body: reader.text(BODY)?.to_owned(),
            state,
            begun: reader.optional_number(BEGUN)?.unwrap_or(0),
            tries,
            due_at: due_at.filter(|_| state == HookState::Waiting),
        })
    }
}

fn partition(endpoint: &EndpointId, shard: u8) -> String {
    format!("{endpoint}#{shard}")
}

/// The key in the index of what is held back.
fn held(endpoint: &EndpointId, shard: u8) -> String {
    format!("{HELD}{}", partition(endpoint, shard))
}

fn key(endpoint: &EndpointId, event: &HookEventId) -> HashMap<String, AttributeValue> {
    Item::from([
        (
            ENDPOINT_SHARD.to_owned(),
            s(partition(endpoint, event.shard())),
        ),
        (EVENT.to_owned(), s(event.sort_key())),
    ])
}

fn new_item(announcement: &Announcement, to: &Subscription, now: Timestamp) -> Item {
    let event = announcement.id();
    let mut item = key(&to.endpoint, &event);
    // What comes while too much waits is held back until there is room; while the endpoint is gone or failed for too long, until
    // somebody replays it.
    let (state, indexed) = match (to.is_failed, to.is_full) {
        (true, _) => (HookState::Parked, None),
        (false, true) => (
            HookState::Parked,
            Some(s(held(&to.endpoint, event.shard()))),
        ),
        (false, false) => (HookState::Waiting, Some(s(event.shard()))),
    };
    let expires = now.plus(ROW_KEPT).seconds();
    item.extend([
        (KIND.to_owned(), s(announcement.kind)),
        (BODY.to_owned(), s(announcement.body(to.wants_links))),
        (STATE.to_owned(), s(state.as_str())),
        (EXPIRES_AT.to_owned(), n(expires)),
    ]);
    // By these it is found when a person is erased.
    if let Some(request) = announcement.request() {
        item.insert(REQUEST_ID.to_owned(), s(request));
    }
    if let Some(person) = announcement.person() {
        item.insert(PERSON.to_owned(), s(person));
    }
    if let Some(indexed) = indexed {
        item.insert(DUE_SHARD.to_owned(), indexed);
        item.insert(DUE_AT.to_owned(), s(now));
    }
    item
}
