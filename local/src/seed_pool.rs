//! Filling a link pool for measurements and tests: many links written at once, as the dispatcher would have made them one
//! by one. No Telegram knows them.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use domain::id::{ChatId, InviteLink};
use domain::link_pool::SlotId;
use domain::time::Timestamp;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// The most items of one BatchWriteItem: a pooled link is two of them.
const BATCH: usize = 24;
/// How many batches are under way at once.
const AT_ONCE: usize = 16;

/// What is to be put into a pool.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// The chat that the links lead to, and whose pool it is.
    pub chat: i64,
    /// The bot that made them.
    pub bot: i64,
    /// The first slot; it and those after it must be vacant.
    pub first: u64,
    /// How many there are.
    pub slots: u64,
    /// When the links stop to work.
    pub link_expires_at: Timestamp,
}

/// Puts links into their slots, with their lookups; answers them, in the order of the slots. Durable on return.
///
/// # Errors
/// What DynamoDB says; some may be there.
pub async fn seed(dynamo: &aws_sdk_dynamodb::Client, seed: Seed) -> anyhow::Result<Vec<String>> {
    let numbers = seed.first..seed.first + seed.slots;
    let link = |number: u64| {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        (number, format!("https://t.me/+pool{number}-{unique}"))
    };
    let all: Vec<(u64, String)> = numbers.map(link).collect();
    stream::iter(all.chunks(BATCH / 2).map(|some| batch(&seed, some)))
        .map(|requests| async move { write(dynamo, requests?).await })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(all.into_iter().map(|(_, link)| link).collect())
}

type Batch = HashMap<String, Vec<WriteRequest>>;

fn batch(seed: &Seed, links: &[(u64, String)]) -> anyhow::Result<Batch> {
    let s = |text: &str| AttributeValue::S(text.to_owned());
    let n = |number: i64| AttributeValue::N(number.to_string());
    let mut requests = Batch::new();
    for (number, link) in links {
        let slot = SlotId {
            pool: ChatId(seed.chat),
            number: *number,
        };
        let of_number = AttributeValue::N(number.to_string());
        let expires_at = seed.link_expires_at;
        let pooled = PutRequest::builder()
            .item("shard", s(&format!("{}#{}", slot.pool, slot.shard())))
            .item("slot", of_number.clone())
            .item("inviteLink", s(link))
            .item("chatId", n(seed.chat))
            .item("botId", n(seed.bot))
            .item("linkExpiresAt", s(&expires_at.to_string()));
        let lookup = PutRequest::builder()
            .item("linkHash", s(InviteLink::new(link).hash().as_str()))
            .item("inviteLink", s(link))
            .item("canonicalChatId", n(seed.chat))
            .item("slot", of_number)
            .item("chatId", n(seed.chat))
            .item("botId", n(seed.bot))
            .item("createdAt", s(&expires_at.to_string()))
            .item("expiresAt", n(expires_at.seconds()));
        for (table, put) in [("LinkPool", pooled), ("InviteLinks", lookup)] {
            let request = WriteRequest::builder().put_request(put.build()?).build();
            requests.entry(table.to_owned()).or_default().push(request);
        }
    }
    Ok(requests)
}

async fn write(dynamo: &aws_sdk_dynamodb::Client, requests: Batch) -> anyhow::Result<()> {
    let answer = dynamo
        .batch_write_item()
        .set_request_items(Some(requests))
        .send()
        .await
        .context("writing pooled links")?;
    let left = answer.unprocessed_items.unwrap_or_default();
    anyhow::ensure!(left.is_empty(), "DynamoDB left pooled links unwritten");
    Ok(())
}
