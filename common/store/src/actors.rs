//! The table of actors: whose a key is, what each actor is and has read, and a list of them all.
//!
//! ```text
//! <sha256 of a key>   whose it is, and when it ends to work
//! actor#<name>        role, chats, rate, cursor, webhook and its progress
//! list                each name with its role and chats, and whether it has a webhook: whether anybody reads the feed is one read
//! ```
//!
//! What touches several of them is one transaction, so a key is never of nobody and no actor is missing in the list. A
//! cursor only grows, whoever writes it.

mod attributes;
mod values;
mod webhooks;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};

use self::attributes::*;
use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::actor::{ACTORS_MAX, Actor, ActorKeyHash, ActorName};
use domain::id::FeedSeq;
use domain::time::Timestamp;
use runtime::config::Env;

pub use values::Readership;

/// How long a key works beside the one that took its place.
const FORMER_KEY_LASTS: Duration = Duration::from_secs(3600);
/// How often a change is tried again because another was faster.
const TRIES: u32 = 4;

/// The table of actors.
#[derive(Clone)]
pub struct Actors(Table);

/// What became of the making of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorMade {
    /// It is there, with its key.
    Done,
    /// There is one of this name.
    Exists,
    /// There are as many as may be.
    TooMany,
}

/// What became of the beginning of a poll.
#[derive(Debug)]
pub enum PollBegun {
    /// It is the one that is under way; this is its actor.
    Ours(Box<Actor>),
    /// The actor has changed meanwhile: this is it.
    Changed(Box<Actor>),
    /// The actor is gone.
    Gone,
}

impl Actors {
    /// The table `Actors`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Actors", "ACTORS_TABLE"))
    }

    /// Whose key this is, as of now (2 read units); nothing if it is nobody's, or has ended.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn of_key(
        &self,
        hash: &ActorKeyHash,
        now: Timestamp,
    ) -> Result<Option<Actor>, StoreError> {
        let Some(item) = self.item(&hash.to_string()).await? else {
            return Ok(None);
        };
        let reader = self.reader(&item);
        let until: Option<i64> = reader.optional_number(UNTIL)?;
        let has_ended = until.is_some_and(|until| Timestamp::from_ms(until) <= now);
        let name: ActorName = self.name_of(&reader, NAME)?;
        if has_ended {
            return Ok(None);
        }
        Ok(self.get(&name).await?.filter(|actor| actor.is_open(now)))
    }

    /// The actor of this name, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, name: &ActorName) -> Result<Option<Actor>, StoreError> {
        let item = self.item(&record_key(name)).await?;
        item.map(|item| self.actor(&item)).transpose()
    }

    /// All actors, by name (1 read unit each).
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn all(&self) -> Result<Vec<Actor>, StoreError> {
        let mut all = Vec::new();
        let list = self.list().await?;
        let mut names: Vec<&String> = list.keys().collect();
        names.sort();
        for name in names {
            let name = name.parse().map_err(|()| self.0.malformed(ACTORS))?;
            // One that was deleted meanwhile is not there.
            all.extend(self.get(&name).await?);
        }
        Ok(all)
    }

    /// Who reads the feed, as of now (1 read unit). What can't be read of the list counts as an actor that reads all.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn readership(&self) -> Result<Readership, StoreError> {
        let item = self.item(LIST).await?.unwrap_or_default();
        Ok(match item.get(ACTORS) {
            None => Readership::default(),
            Some(AttributeValue::M(all)) => values::readership(all),
            Some(odd) => values::readership(&HashMap::from([(ACTORS.to_owned(), odd.clone())])),
        })
    }

    /// Makes an actor with this key. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it may be there then, with a key that nobody has seen.
    pub async fn create(&self, actor: &Actor, key: &ActorKeyHash) -> Result<ActorMade, StoreError> {
        self.begin_list().await?;
        let writes = || -> Result<_, BuildError> {
            let listing = self
                .change_of_list()
                .update_expression("SET #actors.#name = :entry")
                .condition_expression(
                    "attribute_not_exists(#actors.#name) AND size(#actors) < :most",
                )
                .expression_attribute_names("#actors", ACTORS)
                .expression_attribute_names("#name", actor.name.as_str())
                .expression_attribute_values(":entry", values::entry(actor))
                .expression_attribute_values(":most", n(ACTORS_MAX))
                .build()?;
            Ok(vec![
                TransactWriteItem::builder().update(listing).build(),
                put(self.insertion(key_item(key, &actor.name))?),
                put(self.insertion(values::record(actor, key))?),
            ])
        };
        let operation = "TransactWriteItems to make an actor";
        if self.transact(writes(), operation).await? {
            return Ok(ActorMade::Done);
        }
        Ok(match self.list().await?.contains_key(actor.name.as_str()) {
            true => ActorMade::Exists,
            false => ActorMade::TooMany,
        })
    }

    /// Gives an actor another key; the one before works for an hour more, an older one ends. Durable on return; answers
    /// the actor, or nothing if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the former key works in any case.
    pub async fn rotate(
        &self,
        name: &ActorName,
        key: &ActorKeyHash,
        now: Timestamp,
    ) -> Result<Option<Actor>, StoreError> {
        for _ in 0..TRIES {
            let Some(item) = self.item(&record_key(name)).await? else {
                return Ok(None);
            };
            let reader = self.reader(&item);
            let present = reader.text(PRESENT_KEY)?.to_owned();
            let former = reader.optional_text(FORMER_KEY)?.map(str::to_owned);
            let until = now.plus(FORMER_KEY_LASTS);
            let writes = || -> Result<_, BuildError> {
                let record = self
                    .change(record_key(name))
                    .update_expression("SET presentKey = :key, formerKey = :present")
                    .condition_expression("presentKey = :present")
                    .expression_attribute_values(":key", s(key))
                    .expression_attribute_values(":present", s(&present))
                    .build()?;
                let ending = self
                    .change(present.clone())
                    .update_expression("SET #until = :until, expiresAt = :expires")
                    .condition_expression("attribute_exists(keyHash)")
                    .expression_attribute_names("#until", UNTIL)
                    .expression_attribute_values(":until", n(until.ms()))
                    .expression_attribute_values(":expires", n(until.seconds()))
                    .build()?;
                let mut writes = vec![
                    TransactWriteItem::builder().update(record).build(),
                    TransactWriteItem::builder().update(ending).build(),
                    put(self.insertion(key_item(key, name))?),
                ];
                writes.extend(
                    former
                        .iter()
                        .map(|key| self.deletion(key))
                        .collect::<Result<Vec<_>, _>>()?,
                );
                Ok(writes)
            };
            let operation = "TransactWriteItems to rotate a key";
            if self.transact(writes(), operation).await? {
                return self.get(name).await;
            }
        }
        Err(self.contended())
    }

    /// Deletes an actor and its keys; answers whether it was there. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn delete(&self, name: &ActorName) -> Result<bool, StoreError> {
        for _ in 0..TRIES {
            let Some(item) = self.item(&record_key(name)).await? else {
                return Ok(false);
            };
            let reader = self.reader(&item);
            let present = reader.text(PRESENT_KEY)?.to_owned();
            let former = reader.optional_text(FORMER_KEY)?.map(str::to_owned);
            let writes = || -> Result<_, BuildError> {
                let listing = self
                    .change_of_list()
                    .update_expression("REMOVE #actors.#name")
                    .expression_attribute_names("#actors", ACTORS)
                    .expression_attribute_names("#name", name.as_str())
                    .build()?;
                let record = Delete::builder()
                    .table_name(&self.0.name)
                    .key(KEY_HASH, s(record_key(name)))
                    .condition_expression("presentKey = :present")
                    .expression_attribute_values(":present", s(&present))
                    .build()?;
                let mut writes = vec![
                    TransactWriteItem::builder().update(listing).build(),
                    TransactWriteItem::builder().delete(record).build(),
                ];
                for key in former.iter().chain([&present]) {
                    writes.push(self.deletion(key)?);
                }
                Ok(writes)
            };
            let operation = "TransactWriteItems to delete an actor";
            if self.transact(writes(), operation).await? {
                return Ok(true);
            }
        }
        Err(self.contended())
    }

    /// Makes `poll` the poll of an actor that is under way, which ends the one before, and confirms all up to `cursor`.
    /// `kinds` are those that are asked for from now on, if any are named. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; beginning again is harmless.
    pub async fn begin_poll(
        &self,
        name: &ActorName,
        poll: &str,
        cursor: FeedSeq,
        offset: i64,
        kinds: Option<&BTreeSet<String>>,
    ) -> Result<PollBegun, StoreError> {
        let mut set = "SET poll = :poll, #cursor = :cursor, askedOffset = :offset".to_owned();
        let mut call = self
            .update(record_key(name))
            .condition_expression(
                "attribute_exists(keyHash) AND attribute_not_exists(webhookUrl) AND #cursor <= :cursor",
            )
            .expression_attribute_names("#cursor", CURSOR)
            .expression_attribute_values(":poll", s(poll))
            .expression_attribute_values(":cursor", n(cursor))
            .expression_attribute_values(":offset", n(offset));
        if let Some(kinds) = kinds {
            set.push_str(", allowedUpdates = :kinds");
            call = call.expression_attribute_values(":kinds", values::kinds(kinds));
        }
        let call = call.update_expression(set);
        Ok(
            match self.conditional(call, "UpdateItem to begin a poll").await? {
                (true, item) => PollBegun::Ours(Box::new(self.actor(&item)?)),
                (false, item) if item.is_empty() => PollBegun::Gone,
                (false, item) => PollBegun::Changed(Box::new(self.actor(&item)?)),
            },
        )
    }

    /// Confirms all up to `cursor`, unless more is confirmed already. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; confirming again is harmless.
    pub async fn advance(&self, name: &ActorName, cursor: FeedSeq) -> Result<(), StoreError> {
        let call = self
            .update(record_key(name))
            .update_expression("SET #cursor = :cursor")
            .condition_expression("attribute_exists(keyHash) AND #cursor < :cursor")
            .expression_attribute_names("#cursor", CURSOR)
            .expression_attribute_values(":cursor", n(cursor));
        let advanced = self.conditional(call, "UpdateItem to advance a cursor");
        advanced.await.map(|_| ())
    }

    fn contended(&self) -> StoreError {
        StoreError::Contended {
            table: self.0.name.clone(),
        }
    }

    fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.0,
            item,
        }
    }

    fn name_of(
        &self,
        reader: &Reader<'_>,
        attribute: &'static str,
    ) -> Result<ActorName, StoreError> {
        let name = reader.text(attribute)?.parse();
        name.map_err(|()| self.0.malformed(attribute))
    }

    fn actor(&self, item: &Item) -> Result<Actor, StoreError> {
        values::actor(&self.reader(item), |attribute| self.0.malformed(attribute))
    }

    async fn item(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(KEY_HASH, s(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of an actor"))?;
        Ok(answer.item)
    }

    async fn list(&self) -> Result<HashMap<String, AttributeValue>, StoreError> {
        let item = self.item(LIST).await?.unwrap_or_default();
        match item.get(ACTORS) {
            None => Ok(HashMap::new()),
            Some(AttributeValue::M(all)) => Ok(all.clone()),
            Some(_) => Err(self.0.malformed(ACTORS)),
        }
    }

    /// The list, empty, unless it is there: an entry can be put into a list alone.
    async fn begin_list(&self) -> Result<(), StoreError> {
        let call = self
            .update(LIST.to_owned())
            .update_expression("SET #actors = :none")
            .condition_expression("attribute_not_exists(#actors)")
            .expression_attribute_names("#actors", ACTORS)
            .expression_attribute_values(":none", AttributeValue::M(HashMap::new()));
        let begun = self.conditional(call, "UpdateItem to begin the list of actors");
        begun.await.map(|_| ())
    }

    fn insertion(&self, item: Item) -> Result<Put, BuildError> {
        Put::builder()
            .table_name(&self.0.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(keyHash)")
            .build()
    }

    fn deletion(&self, key: &str) -> Result<TransactWriteItem, BuildError> {
        let deletion = Delete::builder()
            .table_name(&self.0.name)
            .key(KEY_HASH, s(key))
            .build()?;
        Ok(TransactWriteItem::builder().delete(deletion).build())
    }

    fn change(&self, key: String) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.0.name)
            .key(KEY_HASH, s(key))
    }

    fn change_of_list(&self) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        self.change(LIST.to_owned())
    }

    fn update(&self, key: String) -> UpdateItemFluentBuilder {
        self.update_unseen(key)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// An update that has nothing of the item returned.
    fn update_unseen(&self, key: String) -> UpdateItemFluentBuilder {
        let call = self.0.client.update_item().table_name(&self.0.name);
        call.key(KEY_HASH, s(key))
    }

    /// Whether the condition of an update held, and the item then, if it is returned: as it was, if it did not.
    async fn conditional(
        &self,
        call: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<(bool, Item), StoreError> {
        let error: SdkError<UpdateItemError> = match call.send().await {
            Ok(answer) => return Ok((true, answer.attributes.unwrap_or_default())),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                Ok((false, refusal.item.clone().unwrap_or_default()))
            }
            _ => Err(self.0.fault(operation)(error)),
        }
    }

    /// Whether all of it was written; nothing was if a condition did not hold or another write came between.
    async fn transact(
        &self,
        writes: Result<Vec<TransactWriteItem>, BuildError>,
        operation: &'static str,
    ) -> Result<bool, StoreError> {
        let writes = writes
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        let call = self.0.client.transact_write_items();
        let Err(error) = call.set_transact_items(Some(writes)).send().await else {
            return Ok(true);
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let mut reasons = cancelled.cancellation_reasons().iter();
                let is_ours = reasons.all(|reason| {
                    matches!(
                        reason.code(),
                        None | Some("None" | "ConditionalCheckFailed" | "TransactionConflict")
                    )
                });
                match is_ours {
                    true => Ok(false),
                    false => Err(self.0.fault(operation)(error)),
                }
            }
            _ => Err(self.0.fault(operation)(error)),
        }
    }
}

fn put(put: Put) -> TransactWriteItem {
    TransactWriteItem::builder().put(put).build()
}

fn key_item(key: &ActorKeyHash, name: &ActorName) -> Item {
    Item::from([(KEY_HASH.to_owned(), s(key)), (NAME.to_owned(), s(name))])
}
