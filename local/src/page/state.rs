//! The live state that the page asks for: all of it once, then what has changed since, which it waits for.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::pin;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use runtime::clock::Clock;
use runtime::response::{Rejection, json};
use runtime::telemetry::chain;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::context::{Page, Served};
use crate::body::answer;
use crate::resources::{EVENTS, INVITES};
use crate::serve;

/// How many lines of the timeline the page gets.
const LINES: usize = 200;
/// How long an answer waits for something to tell.
const HOLD: Duration = Duration::from_secs(10);
/// How often it looks meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// What a page knows already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PageCursor {
    /// Of which process.
    boot: u32,
    /// The version of the rows.
    rows: u64,
    /// The last line of the timeline.
    line: u64,
    /// A hash of what the phone shows.
    phone: u64,
    /// A hash of all the rest.
    frame: u64,
}

impl PageCursor {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let cursor = Self {
            boot: parts.next()?.parse().ok()?,
            rows: parts.next()?.parse().ok()?,
            line: parts.next()?.parse().ok()?,
            phone: parts.next()?.parse().ok()?,
            frame: parts.next()?.parse().ok()?,
        };
        Some(cursor)
    }
}

impl std::fmt::Display for PageCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            boot,
            rows,
            line,
            phone,
            frame,
        } = self;
        write!(f, "{boot}.{rows}.{line}.{phone}.{frame}")
    }
}

/// What a page asks for.
#[derive(Default)]
struct Asked {
    since: Option<PageCursor>,
    /// The request that it shows in full.
    invite: Option<String>,
    /// Whether it has not been told of that one yet.
    is_fresh: bool,
    /// Whose phone it shows, if it shows one.
    phone: Option<i64>,
    /// The topic of the operators' forum that it shows.
    topic: Option<i64>,
}

impl Asked {
    fn read(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "since" => asked.since = PageCursor::parse(value),
                "invite" => asked.invite = Some(value.to_owned()),
                "fresh" => asked.is_fresh = true,
                "phone" => asked.phone = value.parse().ok(),
                "topic" => asked.topic = value.parse().ok(),
                _ => {}
            }
        }
        asked
    }
}

pub(super) async fn state(State(served): State<Served>, request: Request) -> Response {
    let page = &served.page;
    if !page.admits(request.headers()) {
        return Page::refusal();
    }
    let asked = Asked::read(request.uri().query().unwrap_or_default());
    match page.news(&asked).await {
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

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

impl Page {
    /// What the page does not know yet; waits for it, if there is nothing.
    async fn news(&self, asked: &Asked) -> anyhow::Result<Value> {
        let give_up = Instant::now() + HOLD;
        let mut stop = pin!(serve::stopped(self.handles.stopping.clone()));
        let known = asked.since.filter(|known| known.boot == self.boot);
        loop {
            self.board.refresh()?;
            let frame = self.frame().await?;
            let phone = self.phone(asked);
            let now = PageCursor {
                boot: self.boot,
                rows: self.board.version(),
                line: self.handles.timeline.last(),
                phone: hash(&phone),
                frame: hash(&frame),
            };
            if known != Some(now) || asked.is_fresh || Instant::now() >= give_up {
                return self.answer(asked, known, now, (frame, phone));
            }
            tokio::select! {
                () = &mut stop => return self.answer(asked, known, now, (frame, phone)),
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// What is in `now` and not in `known`.
    fn answer(
        &self,
        asked: &Asked,
        known: Option<PageCursor>,
        now: PageCursor,
        (frame, phone): (Value, Value),
    ) -> anyhow::Result<Value> {
        let is_news =
            |part: fn(&PageCursor) -> u64| known.is_none_or(|known| part(&known) != part(&now));
        let has_lines = is_news(|cursor| cursor.line);
        let mut answer = match is_news(|cursor| cursor.frame) {
            true => frame,
            false => json!({}),
        };
        if !phone.is_null() && is_news(|cursor| cursor.phone) {
            answer["phone"] = phone;
        }
        answer["cursor"] = json!(now.to_string());
        answer["whole"] = json!(known.is_none());
        answer["now"] = json!(Clock::advanced_by(self.handles.clock.offset_ms()).now());
        answer["invites"] = json!(self.board.rows_after(known.map_or(0, |known| known.rows)));
        let line = known.map_or(0, |known| known.line);
        answer["timeline"] = json!(self.handles.timeline.after(line, LINES));
        if let Some(id) = &asked.invite {
            if asked.is_fresh || has_lines {
                answer["inviteTimeline"] = json!(self.handles.timeline.of_request(id));
            }
            if asked.is_fresh || is_news(|cursor| cursor.rows) {
                answer["invite"] = json!(self.board.find(id)?);
            }
        }
        Ok(answer)
    }

    /// How everything stands but for the requests and the timeline.
    async fn frame(&self) -> anyhow::Result<Value> {
        let now = Clock::advanced_by(self.handles.clock.offset_ms()).now();
        Ok(json!({
            "claimed": self.is_claimed,
            "mode": if self.handles.externals.telegram.is_some() { "simulated" } else { "real" },
            "pools": self.pools.count(&self.handles.dynamo, now).await?,
            "telegram": self.telegram(),
            "webengage": self.webengage(),
            "queues": self.queues(),
            "limiters": self.limiters().await?,
            "totals": self.board.totals(),
            "sells": self.handles.externals.providers.is_some(),
            "alarms": self.handles.watch.alarms.ringing(),
            "checks": self.handles.watch.checks(),
        }))
    }

    /// The phone that the page shows; null without one.
    fn phone(&self, asked: &Asked) -> Value {
        let telegram = self.handles.externals.telegram.as_ref();
        match telegram.zip(asked.phone) {
            Some((telegram, person)) => self.cast.show(telegram, person, asked.topic),
            None => Value::Null,
        }
    }

    fn telegram(&self) -> Value {
        let Some(telegram) = &self.handles.externals.telegram else {
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
        let Some(webengage) = &self.handles.externals.webengage else {
            return json!({"simulated": false});
        };
        json!({
            "simulated": true,
            "mode": super::actions::mode_name(&webengage.mode()),
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
        let depth = |name| self.handles.aws.queue_depth(name).unwrap_or_default();
        names
            .into_iter()
            .map(|name| (name, depth(name)))
            .map(|(name, depth)| json!({"name": name, "visible": depth.visible, "inFlight": depth.in_flight, "delayed": depth.delayed}))
            .collect()
    }

    /// How each bot calls for each chat.
    async fn limiters(&self) -> anyhow::Result<Vec<Value>> {
        let mut limiters = Vec::new();
        let now = Clock::advanced_by(self.handles.clock.offset_ms()).now();
        for chat in &self.chats {
            let lease = self.limits.get(*chat).await?;
            let lasting = lease.operator_pause.filter(|pause| pause.lasts(now));
            let reason = lasting.map(|pause| pause.reason);
            for (bot, limiter) in &lease.limiters {
                let paused_until = Some(limiter.waits_until(now)).filter(|until| *until > now);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_anything_else_is_none() {
        let cursor = PageCursor {
            boot: 7,
            rows: 300,
            line: 12,
            phone: 5,
            frame: u64::MAX,
        };
        assert_eq!(PageCursor::parse(&cursor.to_string()), Some(cursor));
        for text in ["", "1.2.3.4", "x.1.2.3.4", "-1.1.1.1.1"] {
            assert_eq!(PageCursor::parse(text), None, "{text}");
        }
    }
}
