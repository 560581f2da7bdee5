//! Filling a stock for measurements and tests: many units written at once, as the worker would have made them one by
//! one. No Telegram knows their links.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use common::domain::id::{ChatId, InviteLink};
use common::domain::stock::UnitId;
use common::domain::time::Timestamp;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// The most items of one BatchWriteItem: a unit is two of them.
const BATCH: usize = 24;
/// How many batches are under way at once.
const AT_ONCE: usize = 16;

/// What is to be put on a shelf.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// The chat that the links lead to, and whose shelf it is.
    pub chat: i64,
    /// The bot that made them.
    pub bot: i64,
    /// The number of the first unit; the shelf must have none from there on.
    pub first: u64,
    /// How many there are.
    pub units: u64,
    /// When the links stop to work.
    pub link_expires_at: Timestamp,
}

/// Puts units on a shelf, with their lookups, and notes them as ordered and made; answers their links, in the order of
/// their numbers. Durable on return.
///
/// # Errors
/// What DynamoDB says; some units may be there.
pub async fn deliver(
    dynamo: &aws_sdk_dynamodb::Client,
    delivery: Delivery,
) -> anyhow::Result<Vec<String>> {
    let Delivery {
        chat, first, units, ..
    } = delivery;
    let numbers: Vec<u64> = (first..first + units).collect();
    let link = |number: &u64| {
        format!(
            "https://t.me/+stock{number}-{}",
            uuid::Uuid::new_v4().simple()
        )
    };
    let all: Vec<(u64, String)> = numbers
        .iter()
        .map(|number| (*number, link(number)))
        .collect();
    stream::iter(all.chunks(BATCH / 2).map(|some| batch(&delivery, some)))
        .map(|requests| async move { write(dynamo, requests?).await })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    let last = first + units - 1;
    dynamo
        .update_item()
        .table_name("Stock")
        .key("shard", AttributeValue::S(format!("{chat}#control")))
        .key("unit", AttributeValue::N("0".to_owned()))
        .update_expression("SET ordered = :last, made = :last, seen = :last")
        .expression_attribute_values(":last", AttributeValue::N(last.to_string()))
        .send()
        .await?;
    Ok(all.into_iter().map(|(_, link)| link).collect())
}

type Batch = HashMap<String, Vec<WriteRequest>>;

fn batch(delivery: &Delivery, units: &[(u64, String)]) -> anyhow::Result<Batch> {
    let s = |text: &str| AttributeValue::S(text.to_owned());
    let n = |number: i64| AttributeValue::N(number.to_string());
    let mut requests = Batch::new();
    for (number, link) in units {
        let id = UnitId {
            shelf: ChatId(delivery.chat),
            number: *number,
        };
        let of_number = AttributeValue::N(number.to_string());
        let expires_at = delivery.link_expires_at;
        let unit = PutRequest::builder()
            .item("shard", s(&format!("{}#{}", id.shelf, id.shard())))
            .item("unit", of_number.clone())
            .item("inviteLink", s(link))
            .item("chatId", n(delivery.chat))
            .item("botId", n(delivery.bot))
            .item("linkExpiresAt", s(&expires_at.to_string()))
            .item("expiresAt", n(expires_at.seconds()));
        let lookup = PutRequest::builder()
            .item("linkHash", s(InviteLink::new(link).hash().as_str()))
            .item("inviteLink", s(link))
            .item("shelf", n(delivery.chat))
            .item("unit", of_number)
            .item("chatId", n(delivery.chat))
            .item("botId", n(delivery.bot))
            .item("createdAt", s(&expires_at.to_string()))
            .item("expiresAt", n(expires_at.seconds()));
        for (table, put) in [("Stock", unit), ("InviteLinks", lookup)] {
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
        .context("writing units")?;
    let left = answer.unprocessed_items.unwrap_or_default();
    anyhow::ensure!(left.is_empty(), "DynamoDB left units unwritten");
    Ok(())
}
