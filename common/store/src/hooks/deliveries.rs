//! The ledger of deliveries: one item for each announcement and endpoint that wants it.
//!
//! ```text
//! put      WAITING, in the index `Due`         an item that is there already stays as it is
//! claim    due again in a minute, one try more if nobody was faster
//! settle   DELIVERED or PARKED and out of the index, or due later; if the claim still is ours
//! ```

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValue, TransactWriteItem};

use super::super::item::{Item, Reader, n, s};
use super::super::{StoreError, Table};
use domain::hook::{
    Announcement, EndpointId, HOOK_LEASE, HOOK_SHARDS, HookEventId, HookKind, HookState, HookTry,
    ROW_KEPT, Subscription,
};
use domain::time::Timestamp;
use runtime::config::Env;

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
/// The index of those that are due.
const DUE: &str = "Due";

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
#[derive(Clone, Debug, PartialEq)]
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

/// What became of a claim.
#[derive(Debug)]
pub enum Claiming {
    /// The delivery is ours until this time.
    Ours(Box<DeliveryRecord>, Timestamp),
    /// Somebody else has it, or it is settled.
    NotOurs,
}

/// A part of the log of an endpoint, the latest first.
#[derive(Debug, Default)]
pub struct DeliveryPage {
    /// The deliveries.
    pub found: Vec<DeliveryRecord>,
    /// Whether there are more before them.
    pub is_more: bool,
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
                let reader = Reader {
                    table: &self.0,
                    item: &item,
                };
                let endpoint = reader.text(ENDPOINT_SHARD)?.split_once('#');
                let endpoint = endpoint.and_then(|(id, _)| id.parse().ok());
                due.push(DueDelivery {
                    endpoint: endpoint.ok_or_else(|| self.0.malformed(ENDPOINT_SHARD))?,
                    event: self.event(&reader)?,
                    due_at: reader.parsed(DUE_AT)?,
                });
            }
            after = answer.last_evaluated_key;
            if after.is_none() {
                return Ok(due);
            }
        }
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

    /// The deliveries of an endpoint from `from` on and before `before`, the latest first, at most `limit`; only those in `state`, if
    /// one is named.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn of(
        &self,
        endpoint: &EndpointId,
        (from, before): (Timestamp, &str),
        state: Option<HookState>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        let mut found = Vec::new();
        for shard in 0..HOOK_SHARDS {
            found.extend(
                self.of_shard(endpoint, shard, (from, before), state, limit + 1)
                    .await?,
            );
        }
        found.sort_by_key(|record| std::cmp::Reverse(record.event.sort_key()));
        let is_more = found.len() > limit;
        found.truncate(limit);
        Ok(DeliveryPage { found, is_more })
    }

    async fn of_shard(
        &self,
        endpoint: &EndpointId,
        shard: u8,
        (from, before): (Timestamp, &str),
        state: Option<HookState>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let mut call = self
                .0
                .client
                .query()
                .table_name(&self.0.name)
                .key_condition_expression(
                    "endpointShard = :of AND #event BETWEEN :from AND :before",
                )
                .expression_attribute_names("#event", EVENT)
                .expression_attribute_values(":of", s(partition(endpoint, shard)))
                .expression_attribute_values(":from", s(from))
                .expression_attribute_values(":before", s(before))
                .scan_index_forward(false)
                .set_exclusive_start_key(after);
            call = match state {
                Some(state) => call
                    .filter_expression("#state = :state")
                    .expression_attribute_names("#state", STATE)
                    .expression_attribute_values(":state", s(state.as_str())),
                None => call.limit(i32::try_from(limit + 1).unwrap_or(i32::MAX)),
            };
            let answer = call.send().await;
            let answer = answer.map_err(self.0.fault("Query of deliveries"))?;
            for item in answer.items.unwrap_or_default() {
                let record = self.read(&item)?;
                // BETWEEN takes the last one, too.
                if record.event.sort_key() != before {
                    found.push(record);
                }
            }
            after = answer.last_evaluated_key;
            if after.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
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
        Ok(DeliveryRecord {
            event: self.event(&reader)?,
            kind: kind.map_err(|()| self.0.malformed(KIND))?,
            body: reader.text(BODY)?.to_owned(),
            state: state.map_err(|()| self.0.malformed(STATE))?,
            begun: reader.optional_number(BEGUN)?.unwrap_or(0),
            tries,
            due_at: reader.optional_instant(DUE_AT)?,
        })
    }
}

fn partition(endpoint: &EndpointId, shard: u8) -> String {
    format!("{endpoint}#{shard}")
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
    // What comes while too much waits is kept, and made when somebody replays it.
    let state = match to.is_full {
        true => HookState::Parked,
        false => HookState::Waiting,
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
    if state == HookState::Waiting {
        item.insert(DUE_SHARD.to_owned(), s(event.shard()));
        item.insert(DUE_AT.to_owned(), s(now));
    }
    item
}
