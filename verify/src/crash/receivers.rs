//! What servers of others are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::Request;
use local::resources::{HOOKS, HOOKS_TICK_TIMEOUT};
use serde_json::json;
use simulators::aws::sqs::Depth;
use simulators::telegram::{Conversation, User};
use tokio::time::Instant;

use super::flow_runner::FlowRunner;
use super::payment::Payment;
use crate::wire::RECEIVER;

/// Longer than a delivery is claimed, and than it is believed which endpoints there are.
const A_MINUTE: Duration = Duration::from_secs(61);
/// After so many minutes something must be wrong: a bell that is shown five times lies in its queue for half an hour.
const MINUTES_MAX: u32 = 40;
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
            if waiting.is_empty() && delivered.len() == ANNOUNCED.len() && self.bells_left() == 0 {
                return Ok(());
            }
            left = waiting;
            self.world.wait(A_MINUTE).await;
        }
        anyhow::bail!("after {MINUTES_MAX} minutes these are not delivered: {left:?}")
    }

    /// Two people write, twice each: an actor is sent each word, in the order of its chat.
    pub(super) async fn run_actor(&self) -> anyhow::Result<()> {
        let body = json!({"name": "crm", "role": "operator"});
        let made = self.world.operate("actors", &body).await;
        let made = made.context("the operator was not answered")?;
        let key = made.body["key"].as_str().context("no key")?;
        let set = Request::post(format!("/bot{key}/setWebhook"))
            .header("content-type", "application/json")
            .body(Bytes::from(
                json!({"url": format!("https://{RECEIVER}/")}).to_string(),
            ))?;
        let answer = self.world.function("botapi").call(set).await;
        anyhow::ensure!(answer.status() == 200, "setWebhook: {answer:?}");
        self.world.wait(A_MINUTE).await;
        self.call_sites.open();
        let people = [700, 701];
        for word in ["one", "two"] {
            for person in people {
                let place = Conversation::private(self.world.bots[0], person);
                let words = format!("{person} {word}");
                self.world.telegram.says(place, &User::new(person), &words);
            }
        }
        self.run_until_heard(people.len() * 2).await?;
        self.quiet().await?;

        let heard = self.world.wire.heard();
        let said = heard.iter().map(|of| of.body["message"]["text"].as_str());
        let said: Vec<&str> = said.map(Option::unwrap_or_default).collect();
        for person in people {
            let [first, second] = ["one", "two"].map(|word| format!("{person} {word}"));
            let times = |words: &str| said.iter().filter(|of| **of == words).count();
            let is_right = self.is_disturbed() || (times(&first), times(&second)) == (1, 1);
            let at = |words: &str| said.iter().position(|of| *of == words);
            anyhow::ensure!(
                is_right && at(&first) < at(&second),
                "the actor was sent {said:?}"
            );
        }
        let numbers: BTreeSet<(i64, &str)> = heard
            .iter()
            .zip(&said)
            .map(|(of, said)| (of.body["update_id"].as_i64().unwrap_or_default(), *said))
            .collect();
        anyhow::ensure!(
            numbers.len() == 4,
            "these numbers are of four updates: {numbers:?}"
        );
        Ok(())
    }

    /// Waits until an actor was sent so many different updates, its cursor stands at the end of the feed, and nobody sends.
    async fn run_until_heard(&self, updates: usize) -> anyhow::Result<()> {
        let mut left = Vec::new();
        for _ in 0..MINUTES_MAX {
            self.run_until_told().await?;
            self.tick_hooks().await;
            let heard = self.world.wire.heard();
            let different: BTreeSet<String> = heard
                .iter()
                .map(|of| of.body["update_id"].to_string())
                .collect();
            let bots = self.world.items("Bots").await?;
            let head = bots.iter().filter_map(|of| of["seq"].as_i64()).max();
            let actors = self.world.items("Actors").await?;
            left = actors
                .into_iter()
                .filter(|of| of["cursor"].is_i64())
                .filter(|of| of["cursor"].as_i64() != head || !of["webhookHolder"].is_null())
                .collect();
            if left.is_empty() && different.len() == updates && self.bells_left() == 0 {
                return Ok(());
            }
            self.world.wait(A_MINUTE).await;
        }
        anyhow::bail!("after {MINUTES_MAX} minutes this actor was not sent all: {left:?}")
    }

    /// The messages in the queue of `hooks`, and the dead ones.
    fn bells_left(&self) -> u64 {
        let queues = [HOOKS.queue, HOOKS.dead_letters];
        let depths = queues.map(|queue| self.world.aws.queue_depth(queue));
        depths.into_iter().flatten().map(Depth::total).sum()
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
