//! A sale: as many payments as this machine takes, against a link pool that holds a link for each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use domain::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bench::figures::{ms, percentile};
use local::harness::TestStack;
use local::seed_pool::{Seed, seed};

/// Callers at once that are tried, the most first. The rate hardly depends on them, since they share the machine with all
/// else; how long each waits for the others does.
const CALLERS: [usize; 5] = [64, 32, 16, 8, 4];
/// Orders of a trial.
const TRIAL: u64 = 1000;
/// What 99 of 100 payments of a trial may take: what the sale may, with room for a busy minute.
const TRIAL_P99_MS: f64 = 75.0;
/// Orders whose units are counted.
const COUNTED: u64 = 200;
/// Longest call.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long the links live.
const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a sale came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sale {
    /// Orders made, each of another buyer.
    pub payments: u64,
    /// Callers at once.
    pub callers: usize,
    /// How long it took.
    pub seconds: f64,
    /// Orders with a link in their answer.
    pub linked: u64,
    /// Links that two buyers got.
    pub duplicates: u64,
    /// Milliseconds that half of the payments took at most.
    pub p50_ms: f64,
    /// Milliseconds that 99 of 100 payments took at most.
    pub p99_ms: f64,
    /// Milliseconds of the longest payment.
    pub longest_ms: f64,
    /// DynamoDB write units a payment, until its event is delivered.
    pub write_units: f64,
    /// DynamoDB read units a payment.
    pub read_units: f64,
    /// SQS requests a payment.
    pub sqs: f64,
    /// Orders answered in each second.
    pub by_second: Vec<u64>,
    /// Calls of Telegram for a link: none, if all came from the pool.
    pub telegram_calls: u64,
}

/// One payment, answered.
struct Answered {
    at: Duration,
    took_ms: f64,
    link: Option<String>,
}

/// Fills a link pool with `payments` links and sells them all, from as many callers at once as get their answers in time.
///
/// # Errors
/// If a payment is not answered 200.
pub async fn run(payments: u64) -> anyhow::Result<Sale> {
    // The pool is filled here, past Telegram, in slots behind the target, which nobody fills again.
    let mut stack = TestStack::with(&[("LINK_POOL_TARGET", "1")]).await;
    stack.leaves_something();
    let dynamo = runtime::aws::Shared::from_env(&mut local::env::env_of(stack.env())).dynamodb();
    let now = runtime::clock::Clock::real().now();
    seed(
        &dynamo,
        Seed {
            chat: stack.chat_id,
            bot: stack.bot_id,
            first: 1000,
            slots: payments + COUNTED + TRIAL * CALLERS.len() as u64,
            link_expires_at: Timestamp::from_ms(now.ms()).plus(LIFE),
        },
    )
    .await?;

    let (write_units, read_units, sqs) = count(&stack).await?;
    let callers = callers(&stack).await?;
    let calls_before = stack.telegram.count("createChatInviteLink");
    let began = Instant::now();
    let mut answered = sell(&stack, callers, "sale", payments).await?;
    let seconds = began.elapsed().as_secs_f64();

    let links: Vec<&String> = answered
        .iter()
        .filter_map(|payment| payment.link.as_ref())
        .collect();
    let different: BTreeSet<&String> = links.iter().copied().collect();
    let (linked, duplicates) = (links.len() as u64, (links.len() - different.len()) as u64);
    let mut by_second = vec![0; seconds.ceil() as usize];
    for payment in &answered {
        if let Some(second) = by_second.get_mut(payment.at.as_secs() as usize) {
            *second += 1;
        }
    }
    let mut took: Vec<f64> = answered.drain(..).map(|payment| payment.took_ms).collect();
    Ok(Sale {
        payments,
        callers,
        seconds,
        linked,
        duplicates,
        p50_ms: percentile(&mut took, 0.5),
        p99_ms: percentile(&mut took, 0.99),
        longest_ms: percentile(&mut took, 1.0),
        write_units,
        read_units,
        sqs,
        by_second,
        telegram_calls: stack.telegram.count("createChatInviteLink") - calls_before,
    })
}

/// What a sale without a pool came to: payments are accepted, and their links are made later.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// Orders made, each of another buyer, all of them accepted.
    pub payments: u64,
    /// Callers at once.
    pub callers: usize,
    /// How long it took.
    pub seconds: f64,
    /// Milliseconds that half of the payments took at most.
    pub p50_ms: f64,
    /// Milliseconds that 99 of 100 payments took at most.
    pub p99_ms: f64,
}

/// Sells `payments` seats without a link pool, from as many callers at once as get their answers in time.
///
/// # Errors
/// If a payment is not answered 200.
pub async fn without_pool(payments: u64) -> anyhow::Result<Accepted> {
    let mut stack = TestStack::with(&[]).await;
    stack.leaves_something();
    let callers = callers(&stack).await?;
    let began = Instant::now();
    let answered = sell(&stack, callers, "sale", payments).await?;
    let seconds = began.elapsed().as_secs_f64();
    let mut took: Vec<f64> = answered.iter().map(|payment| payment.took_ms).collect();
    Ok(Accepted {
        payments,
        callers,
        seconds,
        p50_ms: percentile(&mut took, 0.5),
        p99_ms: percentile(&mut took, 0.99),
    })
}

/// How many callers at once this machine serves in time.
async fn callers(stack: &TestStack) -> anyhow::Result<usize> {
    let mut fewest = 0;
    for callers in CALLERS {
        let trial = sell(stack, callers, &format!("trial-{callers}"), TRIAL).await?;
        let mut took: Vec<f64> = trial.iter().map(|payment| payment.took_ms).collect();
        if percentile(&mut took, 0.99) < TRIAL_P99_MS {
            return Ok(callers);
        }
        fewest = callers;
    }
    Ok(fewest)
}

/// Sells so many payments, whose buyers are called after `name`.
async fn sell(
    stack: &TestStack,
    callers_at_once: usize,
    name: &str,
    payments: u64,
) -> anyhow::Result<Vec<Answered>> {
    let began = Instant::now();
    let http = runtime::http::client(TIMEOUT).map_err(anyhow::Error::msg)?;
    let url = format!("{}/v1/invite/request", stack.local.url);
    let key = stack.local.api_key().to_owned();
    let next = Arc::new(AtomicU64::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..callers_at_once {
        let (http, url, key, next) = (http.clone(), url.clone(), key.clone(), Arc::clone(&next));
        let name = name.to_owned();
        callers.spawn(async move {
            let mut answered = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= payments {
                    return anyhow::Ok(answered);
                }
                let body = json!({"userId": format!("{name}-buyer-{number}"), "transactionId": format!("{name}-{number}")});
                let call = http
                    .post(&url)
                    .header("x-api-key", &key)
                    .body(body.to_string());
                let sent = Instant::now();
                let answer = call.send().await.context("a payment was not answered")?;
                let status = answer.status().as_u16();
                let body: Value = serde_json::from_slice(&answer.bytes().await?)?;
                anyhow::ensure!(status == 200, "a payment was answered {status} {body}");
                answered.push(Answered {
                    at: began.elapsed(),
                    took_ms: ms(sent.elapsed()),
                    link: body["inviteLink"].as_str().map(str::to_owned),
                });
            }
        });
    }
    let mut all = Vec::new();
    while let Some(caller) = callers.join_next().await {
        all.extend(caller??);
    }
    Ok(all)
}

/// What a payment costs, from the first call to the delivered event: write units, read units, SQS requests.
async fn count(stack: &TestStack) -> anyhow::Result<(f64, f64, f64)> {
    stack.run_until_idle().await;
    let wire = stack.aws().wire();
    wire.record_calls(true);
    for number in 0..COUNTED {
        let name = format!("counted-{number}");
        let answer = stack.shop().buy(&name, &name).await;
        anyhow::ensure!(
            answer.status == 200,
            "a payment was refused: {}",
            answer.body
        );
    }
    stack.run_until_idle().await;
    wire.record_calls(false);
    let calls = wire.take_calls();
    let each = |sum: f64| sum / COUNTED as f64;
    let sqs = calls
        .iter()
        .filter(|call| call.service == simulators::aws::Service::Sqs)
        // A poller that waits asks all the time, whether anybody buys or not.
        .filter(|call| call.operation != "ReceiveMessage")
        .count();
    Ok((
        each(calls.iter().map(|call| call.write_units).sum()),
        each(calls.iter().map(|call| call.read_units).sum()),
        each(sqs as f64),
    ))
}
