//! Where a flow runs: the world, the shop that never gives up, and the customers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use simulators::Reset;
use simulators::telegram::{Deliver, Tap};

use super::call_site::CallSites;
use super::case::{Case, What};
use super::payment::Payment;
use crate::wire::Step;
use crate::world::{Reply, World};

/// How often the shop tries before something must be wrong.
const TIMEOUT: u32 = 30;
/// How often a customer looks for the link.
const LOOKS: u32 = 600;

pub(super) struct FlowRunner {
    pub(super) world: World,
    pub(super) call_sites: CallSites,
    /// How often everything is delivered.
    pub(super) times: u32,
}

impl FlowRunner {
    pub(super) fn new(world: World, call_sites: CallSites, case: &Case) -> Self {
        world.wire.fault_policy(call_sites.fault_policy());
        let logs = world.logs.clone();
        let mut known: Vec<(u64, String)> = Vec::new();
        world.wire.watch_calls(Box::new(move |step| match step {
            Step::Leaves {
                number,
                call,
                outcome,
                ..
            } if call.operation != "ReceiveMessage" => {
                known.push((*number, call.to_string()));
                logs.note(&format!("#{number} {call} ({outcome:?})"));
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
                let transport = several_times(world.transport(), times);
                world.telegram.deliver_to(transport);
                if let Ok(providers) = world.providers() {
                    let transport = several_times(world.transport_to("payments"), times);
                    providers.deliver_to(&transport);
                }
                times
            }
            _ => 1,
        };
        Self {
            world,
            call_sites,
            times,
        }
    }

    /// The shop reports a payment until it is told something for good.
    pub(super) async fn sell(&self, payment: &Payment) -> anyhow::Result<Reply> {
        let mut reply = None;
        // That it was told is lost on the way, but the last time.
        for _ in 0..self.times {
            reply = self.report(payment).await;
        }
        reply.ok_or_else(|| anyhow::anyhow!("the shop was never answered: {}", payment.body))
    }

    async fn report(&self, payment: &Payment) -> Option<Reply> {
        for _ in 0..TIMEOUT {
            match self.world.buy_as(&payment.body, payment.key).await {
                Some(reply) if reply.status < 500 => return Some(reply),
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
        let mut reply = None;
        for _ in 0..TIMEOUT {
            reply = self.world.operate(&path, &json!({"linkVersion": 0})).await;
            // A repeat of a call whose answer was lost is refused: there is another link by now.
            if reply
                .as_ref()
                .is_some_and(|reply| matches!(reply.status, 200 | 409))
            {
                return Ok(());
            }
            self.world.wait(Duration::from_secs(2)).await;
        }
        anyhow::bail!("the operator was told {reply:?}")
    }

    /// An operator has the seat moved, and asks again until that is answered.
    pub(super) async fn rebind(&self) -> anyhow::Result<()> {
        let requests = self.requests().await?;
        let id = requests[0]["requestId"].as_str().unwrap_or_default();
        let path = format!("invites/{id}/rebind");
        let mut reply = None;
        for _ in 0..TIMEOUT {
            reply = self.world.operate(&path, &json!({"claimVersion": 0})).await;
            if reply.as_ref().is_some_and(|reply| reply.status == 200) {
                return Ok(());
            }
            self.world.wait(Duration::from_secs(2)).await;
        }
        anyhow::bail!("the operator was told {reply:?}")
    }

    /// Asks every second until the request has its link.
    pub(super) async fn link_of(&self, payment: &Payment) -> anyhow::Result<String> {
        self.answered(payment, "inviteLink").await
    }

    /// A link that the shop is answered when it reports a payment again, sooner or later.
    pub(super) async fn answered(&self, payment: &Payment, name: &str) -> anyhow::Result<String> {
        for _ in 0..LOOKS {
            if let Some(reply) = self.report(payment).await
                && let Some(link) = reply.body[name].as_str()
            {
                return Ok(link.to_owned());
            }
            self.world.wait(Duration::from_secs(1)).await;
        }
        anyhow::bail!("there is no {name} for {}", payment.body)
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

    pub(super) async fn run_until_idle(&self) -> anyhow::Result<()> {
        self.world.run_until_idle().await
    }
}

/// What is asked before a payment in Stars, which waits ten seconds for the answer: it comes again at once.
const ASKS: &[u8] = b"\"pre_checkout_query\"";

/// A transport on which the answer to each update is lost, but for the last time.
fn several_times(transport: Deliver, times: u32) -> Deliver {
    let known: Arc<Mutex<BTreeMap<Bytes, u32>>> = Arc::default();
    Arc::new(move |request| {
        let count = {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let count = known.entry(request.body().clone()).or_default();
            *count += 1;
            *count
        };
        let transport = Arc::clone(&transport);
        let is_asked = request.body().windows(ASKS.len()).any(|part| part == ASKS);
        async move {
            let mut answer = transport(request.clone()).await;
            if is_asked {
                for _ in 1..times {
                    answer = transport(request.clone()).await;
                }
                return answer;
            }
            if count < times { Err(Reset) } else { answer }
        }
        .boxed()
    })
}
