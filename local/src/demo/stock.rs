//! What lies in stock, counted for the page: not at every look, since each count asks all shards.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use common::domain::stock::{SHARDS, Targets};
use common::domain::time::Timestamp;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

/// How long a count is shown.
const COUNTED_FOR: Duration = Duration::from_secs(5);

/// The stocks that the page shows.
pub(super) struct Shelves {
    targets: Targets,
    counted: Mutex<Option<(Timestamp, Vec<Value>)>>,
}

impl Shelves {
    pub(super) const fn new(targets: Targets) -> Self {
        Self {
            targets,
            counted: Mutex::new(None),
        }
    }

    /// How many links each chat has in stock, and should have.
    pub(super) async fn count(
        &self,
        dynamo: &aws_sdk_dynamodb::Client,
        now: Timestamp,
    ) -> anyhow::Result<Vec<Value>> {
        let known = self.counted().clone();
        if let Some((_, shelves)) = known.filter(|(at, _)| now.since(*at) < COUNTED_FOR) {
            return Ok(shelves);
        }
        let mut shelves = Vec::new();
        for stocked in self.targets.iter() {
            let shards =
                (0..SHARDS).map(|shard| units(dynamo, format!("{}#{shard}", stocked.shelf)));
            let available: i64 = try_join_all(shards).await?.into_iter().sum();
            shelves.push(
                json!({"chatId": stocked.chat, "available": available, "target": stocked.target}),
            );
        }
        *self.counted() = Some((now, shelves.clone()));
        Ok(shelves)
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, Vec<Value>)>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many units lie in a shard, as far as one page tells: some thousands.
async fn units(dynamo: &aws_sdk_dynamodb::Client, shard: String) -> anyhow::Result<i64> {
    let counted = dynamo
        .query()
        .table_name("Stock")
        .key_condition_expression("#shard = :shard")
        .expression_attribute_names("#shard", "shard")
        .expression_attribute_values(":shard", AttributeValue::S(shard))
        .select(Select::Count)
        .send()
        .await?;
    Ok(i64::from(counted.count))
}
