//! Where a flow is played: the world, the shop that never gives up, and the customers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use simulators::Reset;
use simulators::telegram::{Deliver, Tap};

use super::case::{Case, What};
use super::point::Points;
use crate::proof::wire::Step;
use crate::proof::world::{Told, World};

/// How often the shop tries before something must be wrong.
const PATIENCE: u32 = 30;
/// How often a customer looks for the link.
const LOOKS: u32 = 600;

/// A payment as a shop reports it.
#[derive(Clone, Debug)]
pub(in crate::proof) struct Payment {
    pub(in crate::proof) body: Value,
    pub(super) key: Option<&'static str>,
}

impl Payment {
    /// Payment number `n` of a shop that tells more than it is asked for.
    pub(super) fn number(n: u32) -> Self {
        let body = json!({"userId": format!("u{n}"), "transactionId": format!("T{n}"),
            "email": format!("buyer{n}@example.invalid")});
        Self { body, key: None }
    }

    pub(super) fn without_transaction() -> Self {
        let body = json!({"userId": "u1"});
        Self { body, key: None }
    }

    pub(super) fn by_key() -> Self {
        let key = Some("K1");
        Self {
            key,
            ..Self::without_transaction()
        }
    }
}

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) points: Points,
    /// How often everything is delivered.
    pub(super) times: u32,
}

impl Stage {
    pub(super) fn new(world: World, points: Points, case: &Case) -> Self {
        world.wire.judge(points.judge());
        let logs = world.logs.clone();
        let mut known: Vec<(u64, String)> = Vec::new();
        world.wire.watch_calls(Box::new(move |step| match step {
            Step::Leaves {
                number,
                call,
                verdict,
                ..
            } if call.operation != "ReceiveMessage" => {
                known.push((*number, call.to_string()));
                logs.note(&format!("#{number} {call} ({verdict:?})"));
            }
            Step::Answered { number, status } => {
                if let Some(at) = known.iter().position(|(known, _)| known == number) {
                    let (_, call) = known.swap_remove(at);
                    match status {
                        Some(status) => logs.note(&format!("#{number} {call}: {status}")),
                        None => logs.note(&format!("#{number} {call}: no answer")),
                    }
                }
            }
            Step::Leaves { .. } => {}
        }));
        let times = match case.what {
            What::Delivered(times) => {
                world.wire.show_each_message(times);
                let road = several_times(world.road(), times);
                world.telegram.deliver_to(road);
                times
            }
            _ => 1,
        };
        Self {
            world,
            points,
            times,
        }
    }

    /// The shop reports a payment until it is told something for good.
    pub(super) async fn sell(&self, payment: &Payment) -> anyhow::Result<Told> {
        let mut told = None;
        // That it was told is lost on the way, but the last time.
        for _ in 0..self.times {
            told = self.report(payment).await;
        }
        told.ok_or_else(|| anyhow::anyhow!("the shop was never answered: {}", payment.body))
    }

    async fn report(&self, payment: &Payment) -> Option<Told> {
        for _ in 0..PATIENCE {
            match self.world.buy_as(&payment.body, payment.key).await {
                Some(told) if told.status < 500 => return Some(told),
                _ => self.world.wait(Duration::from_secs(2)).await,
            }
        }
        None
    }

    /// An operator has the first link of the first request replaced, and repeats the call until it is taken.
    pub(super) async fn reissue(&self) -> anyhow::Result<()> {
        let requests = self.requests().await?;
        let id = requests[0]["requestId"].as_str().unwrap_or_default();
        let path = format!("invites/{id}/reissue");
        let mut told = None;
        for _ in 0..PATIENCE {
            told = self.world.operate(&path, &json!({"linkVersion": 0})).await;
            // A repeat of a call whose answer was lost is refused: there is another link by now.
            if told
                .as_ref()
                .is_some_and(|told| matches!(told.status, 200 | 409))
            {
                return Ok(());
            }
            self.world.wait(Duration::from_secs(2)).await;
        }
        anyhow::bail!("the operator was told {told:?}")
    }

    /// Asks every second until the request has its link.
    pub(super) async fn link_of(&self, payment: &Payment) -> anyhow::Result<String> {
        for _ in 0..LOOKS {
            if let Some(told) = self.report(payment).await
                && let Some(link) = told.body["inviteLink"].as_str()
            {
                return Ok(link.to_owned());
            }
            self.world.wait(Duration::from_secs(1)).await;
        }
        anyhow::bail!("there is no link for {}", payment.body)
    }

    /// A customer joins by a link that works.
    pub(super) fn join(&self, link: &str, person: i64) -> anyhow::Result<()> {
        let tap = self.world.tap(link, person);
        anyhow::ensure!(tap == Tap::Joined, "{person} tapped and got {tap:?}");
        Ok(())
    }

    /// What the customer has, by the record.
    pub(super) async fn requests(&self) -> anyhow::Result<Vec<Value>> {
        let mut items = self.world.items("InviteRequests").await?;
        items.retain(|item| {
            let id = item["requestId"].as_str().unwrap_or_default();
            !id.starts_with("window:")
        });
        items.sort_by_key(|item| item["requestId"].to_string());
        Ok(items)
    }

    pub(super) async fn settle(&self) -> anyhow::Result<()> {
        self.world.settle().await
    }
}

/// A road on which the answer to each update is lost, but for the last time.
fn several_times(road: Deliver, times: u32) -> Deliver {
    let known: Arc<Mutex<BTreeMap<Bytes, u32>>> = Arc::default();
    Arc::new(move |request| {
        let count = {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let count = known.entry(request.body().clone()).or_default();
            *count += 1;
            *count
        };
        let road = Arc::clone(&road);
        async move {
            let answer = road(request).await;
            if count < times { Err(Reset) } else { answer }
        }
        .boxed()
    })
}
