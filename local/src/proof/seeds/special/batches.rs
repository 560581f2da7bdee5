//! A batch of which any part fails: that part is handed back, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_dynamodb::types::AttributeValue;
use common::clock::Clock;
use common::domain::event::Event;
use common::domain::id::{ChatId, IdentitySource, InviteLink, RequestId};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use tokio::time::Instant;

use super::super::super::world::{Plan, World, run};

/// Messages of a batch.
const BATCH: usize = 10;
/// Longer than any job takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// What came of the masks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masks {
    /// Batches of ten.
    pub batches: u64,
    /// Messages that were handed back, as they had to be.
    pub handed_back: u64,
    /// Messages that were done, once each.
    pub done: u64,
}

/// How a message of the batch fails, if it does.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Good,
    /// It can't be read.
    Poison,
    /// The record that it is about can't be read.
    Spoilt,
}

fn fate(mask: usize, position: usize) -> Fate {
    match mask >> position & 1 {
        0 => Fate::Good,
        _ if (mask + position).is_multiple_of(2) => Fate::Poison,
        _ => Fate::Spoilt,
    }
}

fn request_id(chat: i64, mask: usize, position: usize) -> RequestId {
    let transaction = format!("M{mask}-{position}");
    RequestId::derive(ChatId(chat), IdentitySource::Transaction(&transaction))
}

/// Writes a record over a request that no function can read.
async fn spoil(world: &World, id: RequestId) -> anyhow::Result<()> {
    let dynamo = world.admin.dynamodb();
    let put = dynamo.put_item().table_name("InviteRequests");
    let put = put.item("requestId", AttributeValue::S(id.to_string()));
    let put = put.item("status", AttributeValue::S("SPOILT".to_owned()));
    put.send().await?;
    Ok(())
}

/// The batch of a mask, whose messages are called by their positions.
async fn batch_of(
    world: &World,
    mask: usize,
    body: impl Fn(RequestId, usize) -> Value,
) -> anyhow::Result<SqsEvent> {
    let mut records = Vec::new();
    for position in 0..BATCH {
        let id = request_id(world.chats[0], mask, position);
        let fate = fate(mask, position);
        if fate == Fate::Spoilt {
            spoil(world, id).await?;
        }
        let body = match fate {
            Fate::Poison => "{\"kind\":".to_owned(),
            _ => body(id, position).to_string(),
        };
        records.push(json!({"messageId": position.to_string(), "body": body, "attributes": {}, "messageAttributes": {},
            "eventSource": "aws:sqs", "awsRegion": "us-east-1"}));
    }
    Ok(serde_json::from_value(json!({"Records": records}))?)
}

/// Checks that exactly the failures of the mask were handed back.
fn check(mask: usize, answer: SqsBatchResponse, masks: &mut Masks) -> anyhow::Result<()> {
    let failed: BTreeSet<String> = answer
        .batch_item_failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect();
    let wanted: BTreeSet<String> = (0..BATCH)
        .filter(|position| fate(mask, *position) != Fate::Good)
        .map(|position| position.to_string())
        .collect();
    anyhow::ensure!(
        failed == wanted,
        "mask {mask:010b}: {failed:?} were handed back instead of {wanted:?}"
    );
    masks.batches += 1;
    masks.handed_back += wanted.len() as u64;
    masks.done += (BATCH - wanted.len()) as u64;
    Ok(())
}

fn plan() -> Plan {
    Plan {
        idle_polls: false,
        // Ten turns at once, so that none is put back.
        env: vec![("SAFE_RPS_SLEEP_MS", "34".to_owned())],
        ..Plan::default()
    }
}

fn mint(world: &World, mask: usize, id: RequestId, position: usize, clock: &Clock) -> Value {
    json!({"kind": "mint", "requestId": id, "userId": format!("u{mask}-{position}"),
        "transactionId": format!("M{mask}-{position}"), "chatId": world.chats[0], "createdAt": clock.now().to_string()})
}

/// All masks of a batch of mints, or each `step`th.
///
/// # Errors
/// The mask that is broken.
pub fn worker_masks(step: usize) -> anyhow::Result<Masks> {
    run(1, async {
        let world = World::start(&plan()).await?;
        let mut masks = Masks::default();
        for mask in (0..1 << BATCH).step_by(step) {
            let clock = world.clock.clone();
            let batch = batch_of(&world, mask, |id, position| {
                mint(&world, mask, id, position, &clock)
            });
            let batch = batch.await?;
            let answer = worker::handle(&world.spare.0, batch, Instant::now() + DEADLINE).await;
            check(mask, answer, &mut masks)?;
        }
        world.settle().await?;
        let mut links: BTreeMap<String, u64> = BTreeMap::new();
        for link in world.telegram.links() {
            *links.entry(link.name.unwrap_or_default()).or_default() += 1;
        }
        let status: BTreeMap<String, Value> = world
            .items("InviteRequests")
            .await?
            .into_iter()
            .filter_map(|item| {
                Some((
                    item["requestId"].as_str()?.to_owned(),
                    item["status"].clone(),
                ))
            })
            .collect();
        for mask in (0..1 << BATCH).step_by(step) {
            for position in 0..BATCH {
                let id = request_id(world.chats[0], mask, position).to_string();
                let made = links.get(&id.replace('-', "")).copied().unwrap_or(0);
                let is_good = fate(mask, position) == Fate::Good;
                anyhow::ensure!(
                    made == u64::from(is_good)
                        && (status.get(&id).is_some_and(|status| status == "DONE")) == is_good,
                    "mask {mask:010b}, message {position}: {made} links, {:?}",
                    status.get(&id)
                );
            }
        }
        anyhow::ensure!(world.webengage.ingested_count() == masks.done);
        Ok(masks)
    })
}

/// All masks of a batch of events, or each `step`th.
///
/// # Errors
/// The mask that is broken.
pub fn events_masks(step: usize) -> anyhow::Result<Masks> {
    run(1, async {
        let world = World::start(&plan()).await?;
        let mut masks = Masks::default();
        for mask in (0..1 << BATCH).step_by(step) {
            let now = world.clock.now();
            let batch = batch_of(&world, mask, |id, position| {
                let (user, transaction) = (format!("u{mask}"), format!("M{mask}-{position}"));
                let link = InviteLink::new(format!("https://t.me/+{mask}-{position}"));
                let event = Event::link_created(id, &user, &transaction, &link, now);
                serde_json::to_value(event).unwrap_or_default()
            });
            let answer = events::handle(&world.spare.1, batch.await?).await;
            check(mask, answer, &mut masks)?;
        }
        world.settle().await?;
        // As many attempts as events: none was told twice, not even to be known again.
        anyhow::ensure!(
            world.webengage.ingested_count() == masks.done
                && world.webengage.attempt_count() == masks.done
        );
        Ok(masks)
    })
}

/// A batch for a chat whose pace can be read and not be stored: it is handed back whole, and nothing is lost.
///
/// # Errors
/// What was not handed back.
pub fn lost_pace() -> anyhow::Result<()> {
    run(1, async {
        let world = World::start(&plan()).await?;
        let down = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
        world.aws.wire().fail(down.named("Pace").always());
        let clock = world.clock.clone();
        let batch = batch_of(&world, 0, |id, position| {
            mint(&world, 0, id, position, &clock)
        });
        let batch = batch.await?;
        let answer = worker::handle(&world.spare.0, batch, Instant::now() + DEADLINE).await;
        let handed_back = answer.batch_item_failures.len();
        anyhow::ensure!(
            handed_back == BATCH && world.telegram.link_count() == 0,
            "{handed_back} of {BATCH} jobs were handed back, the others are lost"
        );
        Ok(())
    })
}
