//! What servers of others are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use local::resources::{HOOKS, HOOKS_TICK_TIMEOUT};
use serde_json::json;
use simulators::aws::sqs::Depth;
use tokio::time::Instant;

use super::flow_runner::FlowRunner;
use super::payment::Payment;
use crate::wire::RECEIVER;

/// Longer than a delivery is claimed, and than it is believed which endpoints there are.
const A_MINUTE: Duration = Duration::from_secs(61);
/// After so many minutes something must be wrong.
const MINUTES_MAX: u32 = 20;
/// What an endpoint is told of a payment whose buyer joins.
const ANNOUNCED: [&str; 3] = ["invite.created", "invite.done", "invite.joined"];

impl FlowRunner {
    /// A payment is reported, its link made, and its buyer joins: an endpoint is told each.
    pub(super) async fn run_endpoint(&self, payment: &Payment) -> anyhow::Result<()> {
        let body = json!({"url": format!("https://{RECEIVER}/"), "types": ANNOUNCED});
        let registered = self.world.operate("endpoints", &body).await;
        let is_registered = registered.as_ref().is_some_and(|reply| reply.status < 300);
        anyhow::ensure!(is_registered, "the operator was told {registered:?}");
        self.world.wait(A_MINUTE).await;
        self.call_sites.open();
        self.sell(payment).await?;
        let link = self.link_of(payment).await?;
        self.join(&link, 1000)?;
        self.run_until_delivered().await?;
        self.quiet().await?;

        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for call in self.world.wire.heard() {
            let kind = call.body["type"].as_str().unwrap_or_default();
            told.entry(kind.to_owned()).or_default().push(call.id);
        }
        let kinds: Vec<&str> = told.keys().map(String::as_str).collect();
        anyhow::ensure!(kinds == ANNOUNCED, "the endpoint was told {kinds:?}");
        for (kind, ids) in &told {
            let different: BTreeSet<&String> = ids.iter().collect();
            anyhow::ensure!(different.len() == 1, "{kind} has the ids {ids:?}");
            let is_right = ids.len() == 1 || self.is_disturbed();
            anyhow::ensure!(is_right, "{kind} was told {} times", ids.len());
        }
        let endpoints = self.world.items("Endpoints").await?;
        let is_failing = |of: &serde_json::Value| of["failingSince"].is_string();
        anyhow::ensure!(
            !endpoints.iter().any(is_failing),
            "the endpoint counts as failing"
        );
        Ok(())
    }

    /// Waits until all that was announced is delivered, and no bell is left.
    async fn run_until_delivered(&self) -> anyhow::Result<()> {
        let mut left = Vec::new();
        for _ in 0..MINUTES_MAX {
            self.run_until_idle().await?;
            self.tick_hooks().await;
            let all = self.world.items("Deliveries").await?;
            let (delivered, waiting): (Vec<_>, Vec<_>) = all.into_iter().partition(|of| {
                of["state"] == "DELIVERED" && of["dueAt"].is_null() && of["dueShard"].is_null()
            });
            let bells = [HOOKS.queue, HOOKS.dead_letters]
                .map(|queue| self.world.aws.queue_depth(queue).map_or(0, Depth::total));
            if waiting.is_empty() && delivered.len() == ANNOUNCED.len() && bells == [0, 0] {
                return Ok(());
            }
            left = waiting;
            self.world.wait(A_MINUTE).await;
        }
        anyhow::bail!("after {MINUTES_MAX} minutes these are not delivered: {left:?}")
    }

    /// A minute is over for `hooks`; what a run dies over is left to the next one.
    async fn tick_hooks(&self) {
        let hooks = self.world.function("hooks").clone();
        let run =
            tokio::spawn(async move { hooks.tick(Instant::now() + HOOKS_TICK_TIMEOUT).await });
        self.world.wire.watch(run.abort_handle());
        let _ = run.await;
    }
}
