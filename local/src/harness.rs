//! The local stack for tests: port 0, data of its own, a clock that can be turned, and words of the product's own trade.
//!
//! Dropped, it checks that nothing is left undone: no message in a queue, no dead letter, no call that Telegram had
//! asked not to make. A test that leaves something says so by [`TestStack::leaves_something`].

#![expect(clippy::expect_used, reason = "the harness fails the test")]

mod outside;
pub mod process;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lambda_events::sqs::SqsEvent;
use domain::id::ChatId;
use domain::task::{Mint, Task, Work};
use domain::time::Timestamp;
use serde_json::{Value, json};
use simulators::aws::{Aws, Service};
use simulators::clock::Clock;
use simulators::telegram::{Tap, Telegram, User};
use simulators::webengage::WebEngage;
use store::Tasks;

use crate::functions::{FUNCTIONS, Function, Functions};
use crate::resources::{EVENTS, INVITES};
use crate::stack::{Data, Options, Stack};
use crate::supervision::Supervision;
use crate::timeline::Timeline;

pub use outside::Outside;

/// How long, by the real clock, a test waits for the local stack before it fails.
const TIMEOUT: Duration = Duration::from_secs(180);
/// How often the harness looks.
const POLL_INTERVAL: Duration = Duration::from_millis(3);
/// By how much the clock is turned while a dispatcher waits.
const STEP: Duration = Duration::from_secs(1);
/// How many polls in a row must find everything idle before the clock is turned.
const IDLE_POLLS: u32 = 4;

/// A running local stack in simulation.
pub struct TestStack {
    /// The local stack.
    pub local: Stack,
    /// Telegram.
    pub telegram: Telegram,
    /// WebEngage.
    pub webengage: WebEngage,
    /// The one clock of all of them.
    pub clock: Clock,
    /// The bot.
    pub bot_id: i64,
    /// The chat.
    pub chat_id: i64,
    http: reqwest::Client,
    must_be_clean: bool,
}

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; `null` if it was no JSON.
    pub body: Value,
    /// `Retry-After`, if it was sent.
    pub retry_after: Option<String>,
}

impl Answer {
    /// The error code, or an empty text.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The request's id.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn request_id(&self) -> String {
        self.body["requestId"]
            .as_str()
            .expect("an answer with a requestId")
            .to_owned()
    }
}

impl TestStack {
    /// A local stack in memory.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A local stack in memory, with these variables.
    pub async fn with(env: &[(&str, &str)]) -> Self {
        Self::with_data(Data::Ephemeral, env).await
    }

    /// A local stack whose data lies in a folder.
    pub async fn in_folder(folder: PathBuf) -> Self {
        Self::with_data(Data::Folder(folder), &[]).await
    }

    /// A local stack in memory that runs these functions, with these variables.
    pub async fn with_functions(functions: &'static [Function], env: &[(&str, &str)]) -> Self {
        let options = options(any_port(), Data::Ephemeral, env, &Clock::new());
        Self::of(Options {
            functions,
            ..options
        })
        .await
    }

    async fn with_data(data: Data, env: &[(&str, &str)]) -> Self {
        Self::of(options(any_port(), data, env, &Clock::new())).await
    }

    async fn of(options: Options) -> Self {
        let clock = options.clock.clone();
        let stack = Stack::start(options).await.expect("the local stack starts");
        let telegram = stack
            .externals
            .telegram
            .clone()
            .expect("Telegram is simulated");
        let webengage = stack
            .externals
            .webengage
            .clone()
            .expect("WebEngage is simulated");
        Self {
            local: stack,
            telegram: telegram.server,
            webengage,
            clock,
            bot_id: telegram.bot_id,
            chat_id: telegram.chat_id,
            http: runtime::http::client(TIMEOUT).expect("an HTTP client"),
            must_be_clean: true,
        }
    }

    /// The embedded AWS.
    #[must_use]
    pub fn aws(&self) -> &Aws {
        &self.local.aws
    }

    /// The functions, for calls past the wire of the API.
    #[must_use]
    pub fn functions(&self) -> &Arc<Functions> {
        &self.local.functions
    }

    /// The environment of the functions.
    #[must_use]
    pub fn env(&self) -> &HashMap<String, String> {
        &self.local.env
    }

    /// Says that this test leaves messages behind on purpose.
    pub fn leaves_something(&mut self) {
        self.must_be_clean = false;
    }

    /// One purchase.
    pub async fn buy(&self, user_id: &str, transaction_id: &str) -> Answer {
        self.request(
            &json!({"userId": user_id, "transactionId": transaction_id}),
            &[],
        )
        .await
    }

    /// One purchase that must be accepted, and its request's id.
    ///
    /// # Panics
    /// If it is not accepted.
    pub async fn bought(&self, user_id: &str, transaction_id: &str) -> String {
        let answer = self.buy(user_id, transaction_id).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.request_id()
    }

    /// One purchase, waited for until its link is there; the request's id and the link.
    ///
    /// # Panics
    /// If there is no link in the end.
    pub async fn admitted(&self, user_id: &str, transaction_id: &str) -> (String, String) {
        let id = self.bought(user_id, transaction_id).await;
        self.run_until_idle().await;
        let link = self.link(&id).await;
        (id, link)
    }

    /// The link of a request that must be DONE.
    ///
    /// # Panics
    /// If it is not.
    pub async fn link(&self, request_id: &str) -> String {
        let status = self.status(request_id).await;
        assert_eq!(status["status"], "DONE", "{status}");
        status["inviteLink"].as_str().unwrap_or_default().to_owned()
    }

    /// `POST /v1/invite/request` with a shop's key.
    pub async fn request(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("x-api-key", self.local.api_key())];
        all.extend(headers);
        self.post("/v1/invite/request", body.to_string(), &all)
            .await
    }

    /// Any `POST`.
    pub async fn post(
        &self,
        path: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let call = self
            .http
            .post(format!("{}{path}", self.local.url))
            .body(body);
        Self::answer(
            headers
                .iter()
                .fold(call, |call, (name, value)| call.header(*name, *value)),
        )
        .await
    }

    /// Any `GET`.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let call = self.http.get(format!("{}{path}", self.local.url));
        Self::answer(
            headers
                .iter()
                .fold(call, |call, (name, value)| call.header(*name, *value)),
        )
        .await
    }

    async fn answer(call: reqwest::RequestBuilder) -> Answer {
        let response = call.send().await.expect("the local stack answers");
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let body = serde_json::from_slice(&response.bytes().await.expect("a whole answer"))
            .unwrap_or_default();
        Answer {
            status,
            body,
            retry_after,
        }
    }

    /// Where a request stands.
    pub async fn status(&self, request_id: &str) -> Value {
        self.get(
            &format!("/v1/invite/{request_id}"),
            &[("x-api-key", self.local.api_key())],
        )
        .await
        .body
    }

    /// An update as Telegram would send it, with the webhook's secret.
    pub async fn update(&self, update: &Value) -> Answer {
        let secret = self
            .env()
            .get("TELEGRAM_WEBHOOK_SECRET")
            .map(String::as_str)
            .unwrap_or_default();
        self.post(
            "/v1/telegram/webhook",
            update.to_string(),
            &[("x-telegram-bot-api-secret-token", secret)],
        )
        .await
    }

    /// A person taps a link.
    #[must_use]
    pub fn tap(&self, link: &str, person: i64) -> Tap {
        self.telegram.tap(link, User::new(person))
    }

    /// Turns the clock of everything forward.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Stops the schedules, so that what runs by the clock runs only when a test says so.
    pub fn pause_schedule(&self) {
        for schedule in self.local.schedules.values() {
            schedule.pause();
        }
    }

    /// Stops the sweeper alone, so that it runs only when a test says so.
    pub fn pause_sweeper(&self) {
        self.local.schedules["sweeper"].pause();
    }

    /// How many invocations run now, of the functions that no caller waits for.
    fn running(&self) -> usize {
        self.local.running()
    }

    /// Kills the worker in the middle of what it does; answers how many invocations that were.
    #[must_use]
    pub fn kill_worker(&self) -> usize {
        self.local.mappings["worker"].kill()
    }

    /// Sends a message to a queue.
    pub async fn send_raw(&self, queue: &str, body: &str) {
        self.sqs()
            .send_message()
            .queue_url(self.aws().queue_url(queue))
            .message_body(body)
            .send()
            .await
            .expect("SQS takes it");
    }

    /// Puts the task of a payment that has no record yet, as a request that died after it; answers the request's id.
    ///
    /// # Panics
    /// If the table does not take it.
    pub async fn put_mint(&self, number: u32) -> String {
        self.put_mint_in(self.chat_id, number).await
    }

    /// The same in another chat.
    ///
    /// # Panics
    /// If the table does not take it.
    pub async fn put_mint_in(&self, chat: i64, number: u32) -> String {
        let id = format!("00000000-0000-8000-8000-{number:012}");
        let mint = Mint {
            request_id: id.parse().expect("a request's id"),
            user_id: format!("u{number}"),
            transaction_id: format!("T{number}"),
            link_version: 0,
        };
        let at = Timestamp::from_ms(1_767_225_600_000);
        let task = Task::new(ChatId(chat), Work::Mint(mint), at);
        self.put(&task).await;
        id
    }

    /// Puts a task into its lane.
    ///
    /// # Panics
    /// If the table does not take it.
    pub async fn put(&self, task: &Task) {
        let mut env = crate::env::env_of(self.env());
        let tasks = Tasks::from_env(self.dynamodb(), &mut env);
        tasks.put(task).await.expect("DynamoDB takes it");
    }

    /// A batch of bells of the chat, as Lambda hands it to the worker.
    ///
    /// # Panics
    /// Never: it is JSON.
    #[must_use]
    pub fn bells(&self, count: usize) -> SqsEvent {
        let body = json!({"kind": "work", "chatId": self.chat_id}).to_string();
        let records: Vec<Value> = (0..count)
            .map(|n| json!({"messageId": format!("m{n}"), "body": body}))
            .collect();
        serde_json::from_value(json!({"Records": records})).expect("a batch")
    }

    /// Wakes the dispatcher of the chat.
    pub async fn ring(&self) {
        let bell = json!({"kind": "work", "chatId": self.chat_id});
        self.send_raw(INVITES.queue, &bell.to_string()).await;
    }

    /// The tables, by the real client.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        runtime::aws::Shared::from_env(&mut crate::env::env_of(self.env())).dynamodb()
    }

    /// The lane and key of every task that is not given up.
    #[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
    pub async fn tasks(&self) -> Vec<(String, String)> {
        let call = self.dynamodb().scan().table_name("ChatTasks");
        let mut pages = call.into_paginator().items().send();
        let mut tasks = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.expect("DynamoDB answers");
            let text = |name: &str| item[name].as_s().expect("a text").clone();
            if !text("lane").ends_with("#failed") {
                tasks.push((text("lane"), text("key")));
            }
        }
        tasks
    }

    /// Moves all dead letters back to where they came from.
    pub async fn redrive(&self, dead_letters: &str) {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{dead_letters}");
        self.sqs()
            .start_message_move_task()
            .source_arn(arn)
            .send()
            .await
            .expect("SQS moves them");
    }

    fn sqs(&self) -> aws_sdk_sqs::Client {
        runtime::aws::Shared::from_env(&mut crate::env::env_of(self.env())).sqs()
    }

    /// Turns the clock forward once nobody works: a jump in mid-work would only show that such a jump is a fault.
    pub async fn advance_when_idle(&self, by: Duration) {
        self.run_until(|| {
            let running = self.running();
            let in_flight: u64 = [INVITES.queue, EVENTS.queue]
                .iter()
                .map(|queue| self.aws().queue_depth(queue).unwrap_or_default().in_flight)
                .sum();
            running == 0 && in_flight == 0
        })
        .await;
        self.advance(by);
    }

    /// How many messages a queue holds, whatever their state.
    #[must_use]
    pub fn depth(&self, queue: &str) -> u64 {
        self.aws()
            .queue_depth(queue)
            .map(simulators::aws::sqs::Depth::total)
            .unwrap_or_default()
    }

    /// How much was done so far: calls to the tables, to Telegram and to WebEngage.
    fn activity(&self) -> u64 {
        let counts = self.aws().wire().counts();
        let tables = counts
            .iter()
            .filter(|((service, _), _)| *service == Service::DynamoDb);
        let tables: u64 = tables.map(|(_, count)| count).sum();
        tables + self.telegram.calls().len() as u64 + self.webengage.attempt_count()
    }

    /// Waits until nothing is left to do, turning the clock over every delay.
    ///
    /// # Panics
    /// If that takes more than three minutes of real time.
    pub async fn run_until_idle(&self) {
        self.run_until(|| false).await;
    }

    /// As [`TestStack::run_until_idle`], but stops early once `reached`.
    ///
    /// # Panics
    /// If neither comes within three minutes of real time.
    pub async fn run_until(&self, reached: impl Fn() -> bool) {
        let give_up = Instant::now() + TIMEOUT;
        let (mut idle, mut turns) = (0, 0_u32);
        let (mut activity, mut still) = (0, 0_u32);
        while !reached() {
            let depths = [INVITES.queue, EVENTS.queue]
                .map(|queue| self.aws().queue_depth(queue).unwrap_or_default());
            let running = self.running();
            let waiting = depths
                .iter()
                .map(|depth| depth.delayed + depth.in_flight)
                .sum::<u64>();
            let ready = depths.iter().map(|depth| depth.visible).sum::<u64>();
            let pending = self.telegram.pending_updates(self.bot_id);
            idle = if running == 0 && ready == 0 {
                idle + 1
            } else {
                0
            };
            // A dispatcher that waits for its next slot does nothing meanwhile: that time need not pass by itself.
            let active = self.activity();
            still = if active == activity { still + 1 } else { 0 };
            activity = active;
            if running > 0 && ready == 0 && still > IDLE_POLLS {
                self.advance(STEP);
                still = 0;
            }
            if idle > IDLE_POLLS {
                // Without the tick, a task whose bell is over waits for the test.
                let is_ticking = !self.local.schedules["worker"].is_paused();
                if waiting == 0 && pending == 0 && (!is_ticking || self.tasks().await.is_empty()) {
                    return;
                }
                turns += 1;
                self.advance(Duration::from_secs(match turns {
                    0..100 => 5,
                    100..300 => 60,
                    _ => 300,
                }));
                idle = 0;
            }
            let tasks = if Instant::now() < give_up {
                Vec::new()
            } else {
                self.tasks().await
            };
            assert!(
                Instant::now() < give_up,
                "not settled within {TIMEOUT:?}: queues {depths:?}, running {running}, pending updates {pending}, tasks {tasks:?}"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// A loopback address with a port that is free.
#[must_use]
pub fn any_port() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

fn options(listen: SocketAddr, data: Data, env: &[(&str, &str)], clock: &Clock) -> Options {
    Options {
        functions: &FUNCTIONS,
        listen,
        aws_listen: any_port(),
        data,
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        clock: clock.clone(),
        timeline: Timeline::default(),
        supervision: Supervision::Off,
    }
}

/// Looks until there is something to see, for what no clock and no queue tells of: other processes, and loops that
/// never end.
///
/// # Panics
/// If that takes more than three minutes.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + TIMEOUT;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < give_up, "{what}: not within {TIMEOUT:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

impl Drop for TestStack {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.must_be_clean {
            return;
        }
        for queue in [
            INVITES.queue,
            EVENTS.queue,
            INVITES.dead_letters,
            EVENTS.dead_letters,
        ] {
            assert_eq!(self.depth(queue), 0, "the test leaves messages in {queue}");
        }
        assert_eq!(
            self.telegram.violation_count(),
            0,
            "Telegram was called while it had asked to wait"
        );
    }
}
