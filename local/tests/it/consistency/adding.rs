//! A function is added by its folder and an entry in the registry: routes, pollers and schedules follow.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::Response;
use local::functions::{FUNCTIONS, Function, Method, Starting, Trigger};
use local::harness::{TestStack, until};
use local::resources::{MINUTE, Source};
use serde_json::json;

/// The queue of the added function.
static ECHOES: Source = Source {
    queue: "EchoQueue",
    url_variable: "ECHO_QUEUE_URL",
    dead_letters: "EchoDeadLetterQueue",
    dead_letters_variable: "ECHO_DEAD_LETTER_QUEUE_URL",
    timeout_seconds: 30,
    batch_size: 10,
    maximum_concurrency: 2,
};

/// How often the added function was invoked by its queue, and by the clock.
static BATCHES: AtomicU32 = AtomicU32::new(0);
static TICKS: AtomicU32 = AtomicU32::new(0);

/// What the added function needs.
struct App {
    banner: String,
}

/// The entry of the added function.
const ECHO: Function = Function {
    name: "echo",
    triggers: &[
        Trigger::Route(Method::Post, "/v1/echo/{word}"),
        Trigger::Queue(&ECHOES),
        Trigger::Schedule {
            every: MINUTE,
            timeout: Duration::from_secs(10),
        },
    ],
    start: |env, _| {
        Starting::new(App {
            banner: env.required("ECHO_GREETING"),
        })
        .on_call(|app, call| {
            let said = format!("{} {}", app.banner, call.uri().path());
            async move { Response::new(Bytes::from(json!({"said": said}).to_string())) }.boxed()
        })
        .on_batch(|_, batch, _| {
            let count = u32::try_from(batch.records.len()).unwrap_or(u32::MAX);
            BATCHES.fetch_add(count, Ordering::SeqCst);
            async { SqsBatchResponse::default() }.boxed()
        })
        .on_tick(|_, _| {
            TICKS.fetch_add(1, Ordering::SeqCst);
            async { json!({}) }.boxed()
        })
        .started
    },
};

static WITH_ECHO: LazyLock<Vec<Function>> =
    LazyLock::new(|| FUNCTIONS.iter().copied().chain([ECHO]).collect());

#[tokio::test]
async fn a_function_of_the_registry_is_served_fed_and_run_by_the_clock() {
    let stack = TestStack::with_functions(&WITH_ECHO, &[("ECHO_GREETING", "heard")]).await;

    let answer = stack.post("/v1/echo/hello", "{}", &[]).await;
    assert_eq!(answer.body, json!({"said": "heard /v1/echo/hello"}));
    let refused = stack.get("/v1/echo/hello", &[]).await;
    assert_eq!(refused.status, 405, "{}", refused.body);

    stack.send_raw("EchoQueue", "{}").await;
    until("the queue to feed it", async || {
        (BATCHES.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;

    stack.clock.advance(MINUTE);
    until("the clock to run it", async || {
        (TICKS.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;

    // The others are as they were.
    let (_, link) = stack.admitted("42", "T1").await;
    assert!(!link.is_empty());
    stack.run_until_idle().await;
}
