//! The live state that the page asks for twice a second.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use axum::extract::{Request, State};
use axum::response::Response;
use common::answer::{Rejection, json};
use common::clock::Clock;
use common::telemetry::chain;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Demo, SHOWN};
use crate::resources::{EVENTS, INVITES};
use crate::routes::{Served, answer};

/// The most keys of one BatchGetItem.
const BATCH: usize = 100;
/// How many lines of the timeline the page gets.
const LINES: usize = 200;

type Item = HashMap<String, AttributeValue>;

pub(super) async fn state(State(served): State<Served>, request: Request) -> Response {
    let demo = &served.demo;
    if !demo.admits(request.headers()) {
        return Demo::refusal();
    }
    let shown = request
        .uri()
        .query()
        .and_then(|query| query.strip_prefix("invite="))
        .map(str::to_owned);
    match demo.state(shown.as_deref()).await {
        Ok(state) => answer(json(StatusCode::OK, &state)),
        Err(error) => {
            tracing::error!(
                fault = "unavailable",
                "the page's state can't be read: {}",
                chain(error.as_ref())
            );
            answer(Rejection::Unavailable.answer())
        }
    }
}

impl Demo {
    /// Everything, and the lines about the request `shown`.
    async fn state(&self, shown: Option<&str>) -> anyhow::Result<Value> {
        let invites = self.invites().await?;
        let count = |name: &str, value: &Value| {
            invites
                .iter()
                .filter(|invite| invite[name] == *value)
                .count()
        };
        let now = Clock::turned_by(self.stage.clock.offset_ms()).now();
        Ok(json!({
            "mode": if self.stage.world.telegram.is_some() { "simulated" } else { "real" },
            "now": now,
            "stock": self.pools.count(&self.stage.dynamo, now).await?,
            "telegram": self.telegram(),
            "webengage": self.webengage(),
            "queues": self.queues(),
            "pace": self.pace().await?,
            "totals": {
                "requests": invites.len(),
                "done": count("status", &json!("DONE")),
                "failed": count("status", &json!("FAILED")),
                "joined": count("joined", &json!(true)),
            },
            "invites": invites,
            "timeline": self.stage.timeline.newest(LINES),
            "inviteTimeline": shown.map(|request_id| self.stage.timeline.of_request(request_id)),
        }))
    }

    fn telegram(&self) -> Value {
        let Some(telegram) = &self.stage.world.telegram else {
            return json!({"simulated": false});
        };
        let server = &telegram.server;
        let limit = self.limit();
        json!({
            "simulated": true,
            "limit": limit.map(|limit| json!({"calls": limit.calls, "perSeconds": limit.per.as_secs()})),
            "links": server.link_count(),
            "tooManyRequests": server.too_many_requests(),
            "calls": server.count("createChatInviteLink") + server.count("revokeChatInviteLink"),
            "canInvite": self.can_invite(),
        })
    }

    fn webengage(&self) -> Value {
        let Some(webengage) = &self.stage.world.webengage else {
            return json!({"simulated": false});
        };
        json!({
            "simulated": true,
            "mode": super::acts::mode_name(&webengage.mode()),
            "delivered": webengage.ingested_count(),
            "attempts": webengage.attempt_count(),
        })
    }

    fn queues(&self) -> Vec<Value> {
        let names = [
            INVITES.queue,
            EVENTS.queue,
            INVITES.dead_letters,
            EVENTS.dead_letters,
        ];
        let depth = |name| self.stage.aws.queue_depth(name).unwrap_or_default();
        names
            .into_iter()
            .map(|name| (name, depth(name)))
            .map(|(name, depth)| json!({"name": name, "visible": depth.visible, "inFlight": depth.in_flight, "delayed": depth.delayed}))
            .collect()
    }

    /// How each bot calls for each chat.
    async fn pace(&self) -> anyhow::Result<Vec<Value>> {
        let mut limiters = Vec::new();
        let now = Clock::turned_by(self.stage.clock.offset_ms()).now();
        for chat in &self.chats {
            let lease = self.limits.get(*chat).await?;
            let lasting = lease.operator_pause.filter(|pause| pause.lasts(now));
            let reason = lasting.map(|pause| pause.reason);
            for (bot, limiter) in &lease.limiters {
                let paused_until = Some(limiter.waits_until()).filter(|until| *until > now);
                limiters.push(json!({
                    "key": format!("{bot}#{chat}"),
                    "intervalMs": limiter.interval_ms,
                    "pausedUntil": paused_until,
                    "held": paused_until.is_some() && limiter.circuit.is_open(),
                    "stopped": reason,
                }));
            }
        }
        Ok(limiters)
    }

    /// The newest requests, newest first.
    async fn invites(&self) -> anyhow::Result<Vec<Value>> {
        let newest: Vec<String> = self
            .newest
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .iter()
            .cloned()
            .collect();
        let mut found: HashMap<String, Value> = HashMap::with_capacity(newest.len());
        for ids in newest.chunks(BATCH) {
            let keys = ids
                .iter()
                .map(|id| Item::from([("requestId".to_owned(), AttributeValue::S(id.clone()))]));
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys.collect()))
                .build()?;
            let read = self
                .stage
                .dynamo
                .batch_get_item()
                .request_items("InviteRequests", wanted)
                .send()
                .await?;
            for item in read
                .responses
                .into_iter()
                .flatten()
                .flat_map(|(_, items)| items)
            {
                let invite = view(&item);
                if let Some(id) = invite["requestId"].as_str() {
                    found.insert(id.to_owned(), invite);
                }
            }
        }
        Ok(newest.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// The ids of the newest requests of an earlier run.
    #[expect(
        clippy::disallowed_methods,
        reason = "once per start, on this machine's own table: there is no other way to find them"
    )]
    pub(super) async fn stored_requests(&self) -> anyhow::Result<Vec<String>> {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut from = None;
        loop {
            let page = self
                .stage
                .dynamo
                .scan()
                .table_name("InviteRequests")
                .set_exclusive_start_key(from)
                .send()
                .await?;
            for item in page.items.unwrap_or_default() {
                let view = object(&item);
                if let (Some(id), Some(at)) =
                    (view["requestId"].as_str(), view["createdAt"].as_str())
                {
                    found.push((at.to_owned(), id.to_owned()));
                }
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found.into_iter().take(SHOWN).map(|(_, id)| id).collect())
    }
}

/// A record as JSON, by its attributes' own names.
fn object(item: &Item) -> Value {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => number
            .parse::<serde_json::Number>()
            .map_or(Value::Null, Value::Number),
        AttributeValue::Bool(flag) => json!(flag),
        _ => Value::Null,
    };
    Value::Object(
        item.iter()
            .map(|(name, attribute)| (name.clone(), value(attribute)))
            .collect::<Map<_, _>>(),
    )
}

/// A record of a request as the page shows it.
fn view(item: &Item) -> Value {
    let mut view = object(item);
    view["joined"] = json!(item.contains_key("joinedAt"));
    view["linkEventFired"] = view["weLinkEventFired"].take();
    for hidden in [
        "weLinkEventFired",
        "expiresAt",
        "pendingShard",
        "pendingSince",
        "pendingSends",
        "replaced",
        "joinedLink",
        "history",
        "actions",
    ] {
        view.as_object_mut().map(|fields| fields.remove(hidden));
    }
    view
}
