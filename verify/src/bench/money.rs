//! What money costs: a checkout, a provider's event, a poll; and what follows from a payment, counted at the wire.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use domain::order::fold::OrderState;
use http::Method;
use serde_json::{Map, Value, json};

use super::fixture::Fixture;
use super::load::{self, Bodies, LoadTarget};
use super::report::{BenchReport, Section};
use super::usage::{self, Usage};
use super::{order_seed, payload, prices};
use crate::world::{Plan, World, run};

/// One address may ask so often a minute where an order stands.
const POLLS_OF_ORDER: u64 = 5;
/// Pages that are made ready for each second of load: more than are asked for in one.
const PAGES_PER_SECOND: f64 = 4000.0;
/// The longest way of a call of AWS, each direction.
const AWS_WAY: Duration = Duration::from_millis(5);
/// The longest that purchases may take until all that follows is done.
const SETTLE_MAX: Duration = Duration::from_secs(3600);
/// How many polls of one order are counted.
const POLLS: u32 = 10_000;
const EVENT: &str = "payments, event of Stripe";
const AGAIN: &str = "payments, the same event again";
const CHECKOUT: &str = "shop, checkout by card";
const POLL: &str = "pay, where an order stands";

/// Measures the routes of money, each for `length` at each number of callers.
///
/// # Errors
/// A call that did not succeed.
pub(crate) async fn load(report: &mut BenchReport, length: Duration) -> anyhow::Result<()> {
    let mut section = Section {
        name: "money",
        title: "The HTTP routes of money over loopback, in the local stack's process".to_owned(),
        columns: vec!["call", "callers", "accepted/s", "p50 ms", "p99 ms"],
        notes: vec![
            "The callers (HTTP keep-alive), the API, the handlers, the simulated Stripe and the embedded AWS (in memory) share this process and this \
             machine's processors; the queues are not worked off meanwhile. So this is a floor for the handlers, not their limit on Lambda.".to_owned(),
            "An event is signed, new each time, about 1.3 KB, and is in its table with a bell in the queue when it is answered. A checkout is of a new buyer \
             each time, and has its page at Stripe when it is answered. A look is one of five of its order.".to_owned(),
        ],
        ..Section::default()
    };
    let mut figures = Map::new();
    for kind in [EVENT, AGAIN, CHECKOUT, POLL] {
        let fixture = Fixture::that_sells().await?;
        let target = async |prefix: &str, length| target(&fixture, kind, prefix, length).await;
        load::measure((&mut section, &mut figures), kind, length, target).await?;
    }
    section.figures = figures.into();
    report.add(section);
    Ok(())
}

/// One kind of call, with bodies of its own.
async fn target(
    fixture: &Fixture,
    kind: &str,
    prefix: &str,
    length: Duration,
) -> anyhow::Result<LoadTarget> {
    let prefix = prefix.to_owned();
    let secret = fixture.value("STRIPE_WEBHOOK_SECRET").to_owned();
    let key = fixture.value("API_KEYS").to_owned();
    let of = |path: &str| format!("{}{path}", fixture.url);
    Ok(match kind {
        EVENT | AGAIN => {
            let is_new = kind == EVENT;
            let bodies: Bodies = Arc::new(move |number| {
                let number = if is_new { number } else { 0 };
                Some(payload::payment(&format!("{prefix}_{number}")))
            });
            LoadTarget {
                url: of("/v1/payments/stripe"),
                key: (
                    "stripe-signature",
                    Arc::new(move |body| payload::payment_signature(&secret, body)),
                ),
                method: Method::POST,
                bodies,
                // The first of the same is kept.
                answer: if is_new {
                    r#""result":"kept""#
                } else {
                    r#""result":""#
                },
            }
        }
        CHECKOUT => LoadTarget {
            url: of("/v1/checkout"),
            key: ("x-api-key", Arc::new(move |_| key.clone())),
            method: Method::POST,
            bodies: Arc::new(move |number| Some(payload::checkout(&format!("{prefix}-{number}")))),
            answer: r#""payUrl""#,
        },
        _ => {
            let count = (PAGES_PER_SECOND * length.as_secs_f64()) as usize;
            let pages = order_seed::pages(fixture, count).await?;
            let look = move |number: u64| {
                let order = pages.get(usize::try_from(number / POLLS_OF_ORDER).ok()?)?;
                Some(format!("/v1/payment-status?order_id={order}"))
            };
            LoadTarget {
                url: fixture.url.clone(),
                key: ("accept", Arc::new(|_| "application/json".to_owned())),
                method: Method::GET,
                bodies: Arc::new(look),
                answer: r#""payment_status""#,
            }
        }
    })
}

/// What purchases by card use of AWS, counted in simulated time, and how many a second one thread settles.
struct Purchases {
    checkout: Usage,
    payment: Usage,
    polls: Usage,
    settled_per_second: f64,
}

/// Counts what a purchase uses, and adds what a million cost.
///
/// # Errors
/// If a purchase is not settled.
pub(crate) fn purchases(report: &mut BenchReport, quick: bool) -> anyhow::Result<()> {
    let count = if quick { 20 } else { 200 };
    let used = purchase(count)?;
    let phases = [&used.checkout, &used.payment, &used.polls];
    let cost = phases.map(prices::of_purchase);
    let mut rows = usage::rows(&phases);
    let mut row = vec!["USD a million".to_owned()];
    row.extend(cost.iter().map(|dollars| format!("{dollars:.2}")));
    rows.push(row);
    report.add(Section {
        name: "purchases",
        title: "What one purchase by card uses, counted at the wire".to_owned(),
        columns: vec!["", "checkout", "payment", "poll"],
        rows,
        notes: vec![
            format!(
                "{count} purchases, in simulated time. Checkout: the order, its page at Stripe, its public page. Payment: Stripe's event to the books, what \
                 the owner is due, the request and claim link of a buyer in a claimed chat, the page, and the event to WebEngage. In parentheses DynamoDB's \
                 units (W write, R read; a transaction's count twice)."
            ),
            format!(
                "Poll: {POLLS} of one order's page at once. {:.0} payments a second are settled by one thread in which Stripe, the tables and the queues are \
                 simulated, too.",
                used.settled_per_second
            ),
            "USD: DynamoDB, SQS, the HTTP API and Lambda's invocations at list prices (us-east-1, on demand); Lambda's time is not in it.".to_owned(),
        ],
        figures: json!({"checkout": usage::figures(&used.checkout), "payment": usage::figures(&used.payment), "poll": usage::figures(&used.polls),
            "dollarsAMillion": cost, "settledPerSecond": used.settled_per_second}),
    });
    report.target(
        "a purchase: DynamoDB write units",
        used.checkout.write_units() + used.payment.write_units(),
        50.0,
        "",
    );
    report.target(
        "a poll: DynamoDB write units",
        used.polls.write_units(),
        0.0,
        "",
    );
    Ok(())
}

fn purchase(count: usize) -> anyhow::Result<Purchases> {
    run(1, async {
        let env = [
            ("PUBLIC_URL", "https://verify.example"),
            ("CHAT_DELIVERY", "claim"),
            ("CLAIM_KEY", "verify-claim-key-0123456789abcdef-01"),
        ];
        let world = World::start(&Plan {
            latency: AWS_WAY,
            schedules: false,
            sells: true,
            env: env.map(|(name, value)| (name, value.to_owned())).to_vec(),
            ..Plan::default()
        })
        .await?;
        let product = json!({
            "title": "Premium Club", "chats": [world.chats[0]], "owner": "o1", "feeBps": 300,
            "tiers": [{"id": "month", "title": "One month", "length": {"days": 30}, "prices": {"usd": 3000}}],
        });
        let offered = world.write("products/club", &product).await;
        anyhow::ensure!(
            offered.is_some_and(|reply| reply.status == 200),
            "no product"
        );
        let share = 1.0 / count as f64;
        world.aws.wire().record_calls(true);
        let (mut pages, mut status) = (Vec::new(), String::new());
        for number in 0..count {
            let body: Value = serde_json::from_str(&payload::checkout(&number.to_string()))?;
            let made = world.shop("checkout", &body, &format!("K{number}")).await;
            let made = made.context("no answer")?.body;
            let text = |name: &str| made[name].as_str().map(str::to_owned);
            pages.push(text("payUrl").context("no page")?);
            status = text("statusUrl").context("no status")?;
        }
        settle(&world).await?;
        let checkout = counted(&world, share);
        let began = Instant::now();
        for page in &pages {
            world.providers()?.pays(page)?;
        }
        settle(&world).await?;
        let took = began.elapsed();
        let payment = counted(&world, share);
        let orders = world.orders().await?;
        let paid = orders
            .iter()
            .filter(|order| order.state == OrderState::Paid);
        anyhow::ensure!(paid.count() == count, "not all are paid");
        for _ in 0..POLLS {
            let told = world.poll(&status).await;
            let is_told = told
                .as_ref()
                .is_some_and(|told| [200, 429].contains(&told.status));
            anyhow::ensure!(is_told, "a poll was told {told:?}");
        }
        let polls = counted(&world, 1.0 / f64::from(POLLS));
        Ok(Purchases {
            checkout,
            payment,
            polls,
            settled_per_second: count as f64 / took.as_secs_f64(),
        })
    })
}

/// Waits until all that was told is taken in, without a call that would be counted.
async fn settle(world: &World) -> anyhow::Result<()> {
    world.providers()?.stripe.delivered().await;
    world.rest(SETTLE_MAX).await
}

/// What was used since the last time.
fn counted(world: &World, share: f64) -> Usage {
    let mut usage = Usage::default();
    for call in world.aws.wire().take_calls() {
        usage.add(&call, share);
    }
    usage
}
