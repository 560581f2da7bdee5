//! What lies in the link pools, counted for the page: not at every look, since each count asks all shards.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use domain::link_pool::{SHARDS, Targets};
use domain::time::Timestamp;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

/// How long a count is shown.
const COUNTED_FOR: Duration = Duration::from_secs(5);

/// The link pools that the page shows.
pub(super) struct Pools {
    targets: Targets,
    counted: Mutex<Option<(Timestamp, Vec<Value>)>>,
}

impl Pools {
    pub(super) const fn new(targets: Targets) -> Self {
        Self {
            targets,
            counted: Mutex::new(None),
        }
    }

    /// How many links each pool has, and should have.
    pub(super) async fn count(
        &self,
        dynamo: &aws_sdk_dynamodb::Client,
        now: Timestamp,
    ) -> anyhow::Result<Vec<Value>> {
        let known = self.counted().clone();
        if let Some((_, pools)) = known.filter(|(at, _)| now.since(*at) < COUNTED_FOR) {
            return Ok(pools);
        }
        let mut pools = Vec::new();
        for target in self.targets.iter() {
            let shards = (0..SHARDS).map(|shard| links(dynamo, format!("{}#{shard}", target.pool)));
            let available: i64 = try_join_all(shards).await?.into_iter().sum();
            pools.push(
                json!({"chatId": target.pool, "available": available, "target": target.slots}),
            );
        }
        *self.counted() = Some((now, pools.clone()));
        Ok(pools)
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, Vec<Value>)>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many links lie in a shard, as far as one page tells: some thousands.
async fn links(dynamo: &aws_sdk_dynamodb::Client, shard: String) -> anyhow::Result<i64> {
    let counted = dynamo
        .query()
        .table_name("LinkPool")
        .key_condition_expression("#shard = :shard")
        .expression_attribute_names("#shard", "shard")
        .expression_attribute_values(":shard", AttributeValue::S(shard))
        .select(Select::Count)
        .send()
        .await?;
    Ok(i64::from(counted.count))
}
