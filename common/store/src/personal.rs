//! Where each table holds something of a person, and how all of it is found and erased, without a scan.
//!
//! [`PERSONAL_TABLES`] has a line for each table, in the order in which they are erased: what leads to other items goes
//! after them, so that an erasure that died is taken up again at its start, and finds what is left. Each deletion and each
//! replacement may be done twice.
//!
//! A new table gets a line: [`Holding::Nobody`] with the reason, [`Holding::Partition`] if the person's id is its partition
//! key, or a way of its own in `find` and `forget`.

mod find;
mod forget;
mod orders;
mod registry;
mod shown;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value};

use super::item::Item;
use super::{Orders, StoreError, Table, Updates, table_name};
use domain::id::{BotId, ChatId, RequestId, TelegramUserId};
use domain::job::{Pseudonym, TableCounts};
use domain::purchase::Chats;
use domain::time::Timestamp;
use runtime::config::Env;
use std::time::Duration;

pub use registry::{Fate, Holding, PERSONAL_TABLES, PersonalTable};

/// All tables, as far as they hold something of persons.
#[derive(Clone)]
pub struct Personal {
    client: aws_sdk_dynamodb::Client,
    /// The names of the tables, in the order of [`PERSONAL_TABLES`].
    names: Vec<String>,
    updates: Updates,
    orders: Orders,
    /// The ids of the chats, present and earlier ones.
    chats: Vec<ChatId>,
    /// The operators' chat.
    desk: Option<ChatId>,
    retention: Duration,
    claim_retention: Duration,
}

/// A person, and what leads to their items.
#[derive(Clone, Debug)]
pub struct PersonKeys {
    /// Who.
    pub person: TelegramUserId,
    /// The bot that people talk with.
    pub bot: Option<BotId>,
    /// The requests that they claimed or joined by.
    requests: Vec<RequestId>,
    /// The chats of their seats.
    chats: Vec<ChatId>,
}

impl PersonKeys {
    /// The requests that they claimed or joined by.
    #[must_use]
    pub fn requests(&self) -> &[RequestId] {
        &self.requests
    }
}

/// An item, or the part of one, that holds something of a person.
#[derive(Clone, Debug)]
pub struct PersonItem(Item);

impl PersonItem {
    /// It as JSON: numbers as DynamoDB has them, sets as lists.
    #[must_use]
    pub fn json(&self) -> Value {
        object(&self.0)
    }
}

fn object(item: &Item) -> Value {
    let fields = item.iter();
    let fields: Map<String, Value> = fields
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect();
    Value::Object(fields)
}

fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.as_str().into(),
        AttributeValue::N(number) => number
            .parse::<serde_json::Number>()
            .map_or_else(|_| number.as_str().into(), Value::Number),
        AttributeValue::Bool(flag) => (*flag).into(),
        AttributeValue::M(item) => object(item),
        AttributeValue::L(values) => values.iter().map(plain).collect(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => {
            texts.iter().map(String::as_str).collect()
        }
        _ => Value::Null,
    }
}

impl Personal {
    /// All tables; `chats` are those of the deployment, `desk` the operators'; the books keep a request for the first of
    /// `kept`, and one that nobody has claimed for the second.
    pub fn from_env(
        client: aws_sdk_dynamodb::Client,
        env: &mut Env,
        chats: &Chats,
        desk: Option<ChatId>,
        kept: (Duration, Duration),
    ) -> Self {
        let names = PERSONAL_TABLES.iter();
        let mut chats: Vec<ChatId> = chats.all().flat_map(|(id, known)| [id, known]).collect();
        chats.sort_unstable();
        chats.dedup();
        Self {
            names: names
                .map(|table| match table.holding {
                    // It is never asked.
                    Holding::Nobody(_) | Holding::Passing(_) => String::new(),
                    _ => table_name(env, table.name, table.variable),
                })
                .collect(),
            updates: Updates::from_env(client.clone(), env),
            orders: Orders::from_env(client.clone(), env),
            client,
            chats,
            desk,
            retention: kept.0,
            claim_retention: kept.1,
        }
    }

    /// How many items of each table hold something of a person; tables without one are left out.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn count(&self, keys: &PersonKeys) -> Result<TableCounts, StoreError> {
        let mut counts = TableCounts::new();
        for table in &PERSONAL_TABLES {
            let items = self.items(table, keys).await?.len();
            if items > 0 {
                counts.insert(table.name.to_owned(), items as u64);
            }
        }
        Ok(counts)
    }

    /// Erases a person in every table: items are deleted, or name `pseudonym` in their place. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if something is left; doing it again is harmless.
    pub async fn erase(
        &self,
        keys: &PersonKeys,
        pseudonym: &Pseudonym,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for table in &PERSONAL_TABLES {
            self.forget(table, keys, pseudonym, now).await?;
        }
        Ok(())
    }

    /// A table of the registry, as it is called here.
    fn table(&self, name: &'static str) -> Table {
        let at = PERSONAL_TABLES.iter().position(|table| table.name == name);
        let found = at.and_then(|at| self.names.get(at)).cloned();
        Table {
            client: self.client.clone(),
            // Every name in this module is one of the registry; a test reads each table.
            name: found.unwrap_or_default(),
        }
    }
}
