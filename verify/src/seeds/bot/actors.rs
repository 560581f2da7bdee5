//! Programs that read along: one asks for updates again and again, one is sent them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::future::try_join_all;
use http::Request;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::super::super::wire::RECEIVER;
use super::super::super::world::World;
use super::super::bot_plan::{BotPlan, Reading};
use super::super::trace::Trace;

/// For so long `webhook` and `hooks` believe that nobody reads.
const BELIEVED: Duration = Duration::from_secs(61);
/// What one poll in eight asks to be held for, in seconds.
const HOLD: u64 = 25;
/// How seldom it is polled while there is nothing.
const SELDOM: Duration = Duration::from_secs(300);

/// A program with a key.
#[derive(Debug)]
struct Program {
    name: &'static str,
    reading: Reading,
    key: String,
    /// What it was answered, in order.
    polled: Mutex<Vec<Value>>,
}

/// What an actor got: the numbers of the updates, and their texts where people wrote some.
pub(crate) type Got = Vec<(i64, Option<String>)>;

/// All actors of a world.
pub(crate) struct ActorPrograms<'a> {
    world: &'a World,
    trace: &'a Trace,
    programs: Vec<Program>,
}

impl<'a> ActorPrograms<'a> {
    /// Makes them, before anything goes wrong, and waits until everybody knows.
    pub(crate) async fn start(
        world: &'a World,
        trace: &'a Trace,
        plan: &BotPlan,
    ) -> anyhow::Result<Self> {
        let mut programs = Vec::new();
        for actor in &plan.actors {
            let key = world.actor(actor.name, actor.role).await?;
            if actor.reading == Reading::Webhook {
                let body = json!({"url": format!("https://{RECEIVER}/")});
                let set = call(&key, "setWebhook", &body)?;
                let reply = world.call("botapi", set).await.context("botapi died")?;
                anyhow::ensure!(reply.status == 200, "setWebhook: {reply:?}");
            }
            programs.push(Program {
                name: actor.name,
                reading: actor.reading,
                key,
                polled: Mutex::default(),
            });
        }
        world.wait(BELIEVED).await;
        Ok(Self {
            world,
            trace,
            programs,
        })
    }

    /// Polls for ever.
    pub(crate) async fn poll(&self) -> anyhow::Result<()> {
        try_join_all(self.programs.iter().map(async |program| {
            let Reading::Polls(every) = program.reading else {
                return std::future::pending().await;
            };
            let (mut count, mut nap) = (0_u64, every);
            loop {
                sleep(nap).await;
                count += 1;
                let hold = if count.is_multiple_of(8) { HOLD } else { 0 };
                // While nobody writes it asks ever less.
                nap = match self.poll_once(program, hold).await? {
                    0 => (nap * 2).min(SELDOM),
                    _ => every,
                };
            }
        }))
        .await
        .map(|_: Vec<()>| ())
    }

    /// Answers how many updates there were.
    async fn poll_once(&self, program: &Program, hold: u64) -> anyhow::Result<usize> {
        let last = program.polled().last().map(number_of);
        let body = json!({"offset": last.map_or(0, |last| last + 1), "timeout": hold});
        let asked = call(&program.key, "getUpdates", &body)?;
        let Some(reply) = self.world.call("botapi", asked).await else {
            return Ok(0);
        };
        let updates = reply.body["result"].as_array();
        let updates = updates.map_or(&[][..], Vec::as_slice);
        let words = format_args!("{}: {} and {}", program.name, reply.status, updates.len());
        self.trace.tell(words);
        anyhow::ensure!(
            reply.status == 200 || reply.status >= 500,
            "I13: {} polls and is answered {reply:?}",
            program.name
        );
        program.polled().extend(updates.iter().cloned());
        Ok(updates.len())
    }

    /// What each got, in order.
    pub(crate) fn got(&self) -> Vec<(&'static str, Got)> {
        let told = |update: &Value| {
            let text = update["message"]["text"].as_str().map(str::to_owned);
            (number_of(update), text)
        };
        let programs = self.programs.iter();
        programs
            .map(|program| {
                let got = match program.reading {
                    Reading::Polls(_) => program.polled().iter().map(told).collect(),
                    Reading::Webhook => {
                        let heard = self.world.wire.heard();
                        heard.iter().map(|heard| told(&heard.body)).collect()
                    }
                };
                (program.name, got)
            })
            .collect()
    }
}

impl Program {
    fn polled(&self) -> MutexGuard<'_, Vec<Value>> {
        self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number_of(update: &Value) -> i64 {
    update["update_id"].as_i64().unwrap_or_default()
}

fn call(key: &str, method: &str, body: &Value) -> anyhow::Result<Request<Bytes>> {
    let request = Request::post(format!("/bot{key}/{method}"));
    let request = request.header("content-type", "application/json");
    Ok(request.body(Bytes::from(body.to_string()))?)
}
