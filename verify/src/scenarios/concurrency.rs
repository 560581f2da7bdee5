//! The same again and again: requests, and updates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use http::{Request, Response};
use serde_json::{Value, json};

use super::super::invariants::{Allowed, broken};
use super::super::world::{Plan, World, run};

/// What came of identical requests.
#[derive(Clone, Copy, Debug)]
pub struct Identical {
    /// Requests.
    pub requests: usize,
    /// Bells that were sent.
    pub bells: u64,
    /// Links that were made.
    pub links: usize,
    /// Events that were ingested.
    pub events: u64,
}

/// One payment, reported `requests` times, `at_once` at a time: one link, one event, one call of Telegram, and all are
/// told the same.
///
/// # Errors
/// What is broken.
pub fn identical(requests: usize, at_once: usize) -> anyhow::Result<Identical> {
    run(1, async {
        let world = World::start(&Plan {
            latency: Duration::from_millis(5),
            ..Plan::default()
        })
        .await?;
        let body = json!({"userId": "alice", "transactionId": "T1"});
        let (mut left, mut ids, mut links) = (requests, BTreeSet::new(), BTreeSet::new());
        while left > 0 {
            let wave = left.min(at_once);
            left -= wave;
            for reply in join_all((0..wave).map(|_| world.buy(&body))).await {
                let reply = reply.filter(|reply| reply.status == 200);
                let reply = reply.ok_or_else(|| anyhow::anyhow!("a request was refused"))?;
                ids.insert(reply.body["requestId"].to_string());
                links.extend(reply.body["inviteLink"].as_str().map(str::to_owned));
            }
            // They are all the same: what was observed need not be kept a hundred thousand times.
            let mut observed = world.observed();
            for answers in observed.accepted.values_mut() {
                answers.truncate(1);
            }
            observed.asked.truncate(at_once);
        }
        world.run_until_idle().await?;
        let wrong = broken(&world, Allowed::default()).await?;
        anyhow::ensure!(wrong.is_empty(), "{wrong:?}");
        anyhow::ensure!(ids.len() == 1, "{} request ids", ids.len());
        let count = Identical {
            requests,
            bells: world.wire.count("SQS", "SendMessage", "InviteQueue"),
            links: world.telegram.link_count(),
            events: world.webengage.ingested_count(),
        };
        let calls = world.telegram.count("createChatInviteLink");
        anyhow::ensure!(
            (count.links, count.events, calls) == (1, 1, 1)
                && links.len() <= 1
                && count.bells <= at_once as u64,
            "{count:?}, {calls} calls, {} links told",
            links.len()
        );
        Ok(count)
    })
}

/// What came of resent updates.
#[derive(Clone, Copy, Debug)]
pub struct Resent {
    /// Orders, each with a join and some with a leaving.
    pub payments: usize,
    /// Updates that were delivered, in any order.
    pub deliveries: usize,
    /// Those that were answered `joined`.
    pub joined: usize,
}

/// Every update, `times` times, in no order: each join counts once.
///
/// # Errors
/// What is broken.
pub fn resent(payments: usize, times: usize) -> anyhow::Result<Resent> {
    run(1, async {
        let world = World::start(&Plan {
            latency: Duration::from_millis(5),
            ..Plan::default()
        })
        .await?;
        for n in 0..payments {
            let body = json!({"userId": format!("u{n}"), "transactionId": format!("T{n}")});
            let reply = world.buy(&body).await;
            anyhow::ensure!(reply.is_some_and(|reply| reply.status == 200), "refused");
        }
        world.run_until_idle().await?;
        let caught: Arc<Mutex<Vec<Request<Bytes>>>> = Arc::default();
        let net = Arc::clone(&caught);
        world.telegram.deliver_to(Arc::new(move |request| {
            let mut net = net.lock().unwrap_or_else(PoisonError::into_inner);
            net.push(request);
            async { Ok(Response::new(Bytes::new())) }.boxed()
        }));
        for (n, link) in world.telegram.links().iter().enumerate() {
            let person = 1000 + n as i64;
            world.tap(&link.url, person);
            if n % 3 == 0 {
                world.telegram.leave(link.chat_id, person);
            }
        }
        world.run_until_idle().await?;
        let updates = std::mem::take(&mut *caught.lock().unwrap_or_else(PoisonError::into_inner));
        let mut deliveries: Vec<Request<Bytes>> = Vec::new();
        for _ in 0..times {
            deliveries.extend(updates.iter().cloned());
        }
        fastrand::shuffle(&mut deliveries);
        let (count, transport) = (deliveries.len(), world.transport());
        let mut results: BTreeMap<String, usize> = BTreeMap::new();
        let mut deliveries = deliveries.into_iter();
        loop {
            let wave: Vec<_> = deliveries
                .by_ref()
                .take(8)
                .map(|update| transport(update))
                .collect();
            if wave.is_empty() {
                break;
            }
            for answer in join_all(wave).await {
                let answer: Value = serde_json::from_slice(answer?.body())?;
                let result = answer["result"].as_str().unwrap_or_default().to_owned();
                *results.entry(result).or_default() += 1;
            }
        }
        world.run_until_idle().await?;
        let wrong = broken(&world, Allowed::default()).await?;
        anyhow::ensure!(wrong.is_empty(), "{wrong:?}");
        let joined = results.get("joined").copied().unwrap_or_default();
        let again = results.get("duplicate").copied().unwrap_or_default();
        anyhow::ensure!(
            joined == payments && again == payments * (times - 1),
            "{results:?}"
        );
        anyhow::ensure!(world.webengage.ingested_count() == 2 * payments as u64);
        Ok(Resent {
            payments,
            deliveries: count,
            joined,
        })
    })
}
