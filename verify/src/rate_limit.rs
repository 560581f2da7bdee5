//! How much of Telegram's limit is used, and what finding it costs: a backlog in a simulated world, served by the real
//! worker at limits that it does not know.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{Request, StatusCode};
use serde::Serialize;
use serde_json::json;
use simulators::telegram::{Limit, Telegram};

use super::world::{Plan, World, run};

/// What a limit does in mid-run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Nothing.
    Constant,
    /// It is half as high from the middle on.
    Halves,
    /// It is twice as high from the middle on.
    Doubles,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The calls of a bot for one chat.
    Chat,
    /// The calls of a bot for all its chats.
    Bot,
}

/// One limit to be found.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// Its name in the table.
    pub limit: &'static str,
    /// Calls a second in the long run.
    pub per_second: f64,
    /// How many at once after a rest.
    pub burst: u32,
    /// What it does in mid-run.
    pub change: Change,
    /// What it counts.
    pub scope: Scope,
    /// Workers at once.
    pub workers: usize,
    /// Bots in the chat, each with this limit.
    pub bots: usize,
    /// Chats with a backlog each.
    pub chats: usize,
    /// How long it runs, of the world's time.
    pub minutes: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The case.
    pub case: Case,
    /// Links made after the first minute.
    pub links: u64,
    /// What the limit allowed after the first minute.
    pub allowed: f64,
    /// The part of the limit that was used after the first minute, and after the first minute of a changed limit.
    pub used: f64,
    /// The part of the calls that met a 429 in the last third of the run.
    pub refused_late: f64,
    /// The part of all calls that met a 429.
    pub refused: f64,
    /// Calls made during a wait that the bot had been told of.
    pub during_pause: u64,
    /// The longest invocation of the worker, in seconds.
    pub longest_invocation: f64,
    /// What the worker ran in all, in seconds a link.
    pub billed_per_link: f64,
    /// SQS requests of the worker and its poller, a link.
    pub sqs_per_link: f64,
    /// Writes of the lease, a link.
    pub lease_writes_per_link: f64,
    /// Links of the chat that got fewest, of each hundred of the one that got most.
    pub fairness: f64,
    /// Seconds after the change until the new limit was used to 90 %.
    pub found_after: Option<f64>,
    /// Links made in each minute.
    pub by_minute: Vec<u64>,
}

/// The seconds that count for nothing: the search for the limit.
const SEARCH: f64 = 60.0;
/// How many buy at once.
const BUYERS: usize = 200;

impl Case {
    /// A limit of `per_second` calls with this name, constant, for one bot and chat and the five workers of the template.
    #[must_use]
    pub const fn new(limit: &'static str, per_second: f64, burst: u32, minutes: u64) -> Self {
        Self {
            limit,
            per_second,
            burst,
            change: Change::Constant,
            scope: Scope::Chat,
            workers: 5,
            bots: 1,
            chats: 1,
            minutes,
        }
    }

    fn seconds(&self) -> f64 {
        self.minutes as f64 * 60.0
    }

    fn factor(&self, second: f64) -> f64 {
        match self.change {
            _ if second < self.seconds() / 2.0 => 1.0,
            Change::Constant => 1.0,
            Change::Halves => 0.5,
            Change::Doubles => 2.0,
        }
    }

    /// What all limits together allow in that second.
    pub(crate) fn allowed_at(&self, second: f64) -> f64 {
        let buckets = match self.scope {
            Scope::Chat => self.bots * self.chats,
            Scope::Bot => self.bots,
        };
        self.per_second * self.factor(second) * buckets as f64
    }

    fn telegram_limit(&self, factor: f64) -> Limit {
        // In thousandths, so that halves are exact.
        let calls = (self.per_second * factor * 60_000.0).round() as u32;
        Limit {
            calls,
            per: Duration::from_secs(60_000),
            burst: self.burst,
        }
    }

    fn set_limit(&self, telegram: &Telegram, factor: f64) {
        let limit = Some(self.telegram_limit(factor));
        match self.scope {
            Scope::Chat => telegram.set_limit(limit),
            Scope::Bot => telegram.set_bot_limit(limit),
        }
    }

    /// The links that are wanted of each chat: more than the limits can allow.
    fn backlog(&self) -> usize {
        let seconds = self.minutes * 60;
        let all: f64 = (0..seconds)
            .map(|second| self.allowed_at(second as f64))
            .sum();
        let of_one = (all * 1.15).ceil() as usize + 20 + self.burst as usize;
        match self.scope {
            Scope::Chat => of_one / self.chats,
            // One of them may get all.
            Scope::Bot => of_one,
        }
    }

    /// Runs the case.
    ///
    /// # Errors
    /// If the world breaks.
    pub fn run(&self, seed: u64) -> anyhow::Result<Found> {
        run(seed, self.find())
    }

    async fn find(&self) -> anyhow::Result<Found> {
        let world = World::start(&Plan {
            bots: self.bots,
            chats: self.chats,
            workers: self.workers,
            latency: Duration::from_millis(4),
            events: false,
            idle_polls: true,
            ..Plan::default()
        })
        .await?;
        self.set_limit(&world.telegram, 1.0);
        let way = match self.burst {
            // A limit without bursts is strict to the millisecond: calls must arrive as evenly as they leave.
            1 => Duration::from_millis(80)..=Duration::from_millis(80),
            _ => Duration::from_millis(60)..=Duration::from_millis(140),
        };
        world.telegram.set_latency(way);
        let payments: Vec<usize> = (0..self.backlog()).collect();
        // Many at once: what is served meanwhile is missing from the backlog.
        for payments in payments.chunks(BUYERS) {
            let buys = payments.iter().map(async |n| {
                for chat in &world.chats {
                    let body = json!({"userId": format!("u{n}"), "transactionId": format!("T{n}"), "chatId": chat});
                    world.buy(&body).await.context("the request died")?;
                }
                anyhow::Ok(())
            });
            try_join_all(buys).await?;
        }
        let (start, start_ms) = (tokio::time::Instant::now(), world.clock.now().ms());
        let before = Counts::of(&world);
        let half = Duration::from_secs(self.minutes * 30);
        world.wait(half).await;
        if self.change != Change::Constant {
            self.set_limit(&world.telegram, self.factor(self.seconds()));
        }
        world.wait(half).await;
        let end_ms = world.clock.now().ms();
        anyhow::ensure!(start.elapsed() >= 2 * half, "time stood still");

        let second = |at_ms: i64| (at_ms - start_ms) as f64 / 1000.0;
        let made: Vec<(f64, i64)> = world
            .telegram
            .links()
            .iter()
            .filter(|link| (start_ms..end_ms).contains(&link.created_at_ms))
            .map(|link| (second(link.created_at_ms), link.chat_id))
            .collect();
        let refusals: Vec<f64> = world
            .telegram
            .refused_at_ms()
            .into_iter()
            .filter(|at_ms| (start_ms..end_ms).contains(at_ms))
            .map(second)
            .collect();
        Ok(self.found(&world, &made, &refusals, &(Counts::of(&world) - before)))
    }

    fn found(
        &self,
        world: &World,
        made: &[(f64, i64)],
        refusals: &[f64],
        counts: &Counts,
    ) -> Found {
        let half = self.seconds() / 2.0;
        let counts_at = |second: f64| {
            second >= SEARCH
                && (self.change == Change::Constant || !(half..half + SEARCH).contains(&second))
        };
        let links = made.iter().filter(|(at, _)| counts_at(*at)).count() as f64;
        let allowed: f64 = (0..self.minutes * 60)
            .map(|second| second as f64)
            .filter(|second| counts_at(*second))
            .map(|second| self.allowed_at(second))
            .sum();
        let late = self.seconds() * 2.0 / 3.0;
        let part = |refused: usize, made: usize| refused as f64 / (refused + made).max(1) as f64;
        let of_chat = |chat: i64| made.iter().filter(|(_, of)| *of == chat).count();
        let by_chat: Vec<usize> = world.chats.iter().map(|chat| of_chat(*chat)).collect();
        let all = made.len().max(1) as f64;
        let spans = world.workers.spans();
        let mut by_minute = vec![0; usize::try_from(self.minutes).unwrap_or_default()];
        for (at, _) in made {
            if let Some(minute) = by_minute.get_mut((*at / 60.0) as usize) {
                *minute += 1;
            }
        }
        Found {
            case: *self,
            links: links as u64,
            allowed,
            used: links / allowed,
            refused_late: part(
                refusals.iter().filter(|at| **at >= late).count(),
                made.iter().filter(|(at, _)| *at >= late).count(),
            ),
            refused: part(refusals.len(), made.len()),
            during_pause: world.telegram.violation_count(),
            longest_invocation: spans.iter().max().map_or(0.0, Duration::as_secs_f64),
            billed_per_link: spans.iter().map(Duration::as_secs_f64).sum::<f64>() / all,
            sqs_per_link: counts.sqs as f64 / all,
            lease_writes_per_link: counts.lease_writes as f64 / all,
            fairness: by_chat.iter().min().copied().unwrap_or_default() as f64
                / by_chat.iter().max().copied().unwrap_or_default().max(1) as f64,
            found_after: self.found_after(made),
            by_minute,
        }
    }

    /// When after the change 90 % of the new limit were first used for 30 calls' time.
    fn found_after(&self, made: &[(f64, i64)]) -> Option<f64> {
        let half = self.seconds() / 2.0;
        let window = 30.0 / self.allowed_at(half);
        (self.change != Change::Constant)
            .then(|| {
                let mut second = half;
                while second + window <= self.seconds() {
                    let range = second..second + window;
                    let used = made.iter().filter(|(at, _)| range.contains(at)).count();
                    if used as f64 >= 0.9 * 30.0 {
                        return Some(second - half);
                    }
                    second += window / 10.0;
                }
                None
            })
            .flatten()
    }
}

/// What it took.
struct Counts {
    sqs: u64,
    lease_writes: u64,
}

impl Counts {
    fn of(world: &World) -> Self {
        Self {
            sqs: world.bell_calls(),
            lease_writes: world.lease_writes(),
        }
    }
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            sqs: self.sqs - before.sqs,
            lease_writes: self.lease_writes - before.lease_writes,
        }
    }
}

/// A fixed sleep of 220 ms between two calls, as the service that this one replaces had it, in the same table: each
/// worker calls, sleeps, and sits out the wait of its own 429.
///
/// # Errors
/// If the world breaks.
pub fn fixed_sleep(case: &Case, seed: u64) -> anyhow::Result<Found> {
    run(seed, async {
        let world = World::start(&Plan {
            bots: case.bots,
            chats: case.chats,
            workers: 0,
            events: false,
            idle_polls: true,
            ..Plan::default()
        })
        .await?;
        case.set_limit(&world.telegram, 1.0);
        let (start_ms, start) = (world.clock.now().ms(), tokio::time::Instant::now());
        let end = start + Duration::from_secs(case.minutes * 60);
        let mut loops = tokio::task::JoinSet::new();
        for worker in 0..case.workers {
            let telegram = world.telegram.clone();
            let (bot, chat) = (
                world.bots[worker % world.bots.len()],
                world.chats[worker % world.chats.len()],
            );
            loops.spawn(async move {
                while tokio::time::Instant::now() < end {
                    let wait = call_once(&telegram, bot, chat).await?;
                    tokio::time::sleep(wait.unwrap_or(Duration::from_millis(220))).await;
                }
                anyhow::Ok(())
            });
        }
        let half = Duration::from_secs(case.minutes * 30);
        world.wait(half).await;
        if case.change != Change::Constant {
            case.set_limit(&world.telegram, case.factor(case.seconds()));
        }
        while let Some(done) = loops.join_next().await {
            done??;
        }
        let second = |at_ms: i64| (at_ms - start_ms) as f64 / 1000.0;
        let links = world.telegram.links();
        let made: Vec<(f64, i64)> = links
            .iter()
            .map(|link| (second(link.created_at_ms), link.chat_id))
            .collect();
        let refusals: Vec<f64> = world
            .telegram
            .refused_at_ms()
            .into_iter()
            .map(second)
            .collect();
        let none = Counts {
            sqs: 0,
            lease_writes: 0,
        };
        Ok(case.found(&world, &made, &refusals, &none))
    })
}

/// One call past the product; the wait that a 429 asks for.
async fn call_once(telegram: &Telegram, bot: i64, chat: i64) -> anyhow::Result<Option<Duration>> {
    let uri = format!(
        "{}/bot{bot}:verify-token-of-bot-{bot}/createChatInviteLink",
        telegram.url()
    );
    let body = json!({"chat_id": chat, "member_limit": 1});
    let request = Request::post(uri).header("content-type", "application/json");
    let answer = telegram
        .call(request.body(Bytes::from(body.to_string()))?)
        .await?;
    if answer.status() == StatusCode::OK {
        return Ok(None);
    }
    let after = answer.headers().get("retry-after");
    let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
    Ok(Some(Duration::from_secs(after.unwrap_or(1))))
}
