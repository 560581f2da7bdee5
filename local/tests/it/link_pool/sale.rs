//! Many at once: each gets a link of its own, nobody is turned away, and those who come too late are few.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::time::Timestamp;
use futures_util::future::join_all;
use local::harness::{ApiAnswer, TestStack};
use local::seed_pool::{self, Seed};
use simulators::aws::Service;

use super::{all_is_well, empty, fill, link_in, pool, pooled};

const TAKING: &str = "TransactWriteItems";

async fn buy_at_once(stack: &TestStack, buyers: usize) -> Vec<ApiAnswer> {
    let calls =
        (0..buyers).map(async |n| stack.shop().buy(&format!("u{n}"), &format!("T{n}")).await);
    let answers = join_all(calls).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    answers
}

fn links(answers: &[ApiAnswer]) -> BTreeSet<String> {
    let links: Vec<String> = answers
        .iter()
        .filter_map(|answer| link_in(&answer.body))
        .collect();
    let different: BTreeSet<String> = links.iter().cloned().collect();
    assert_eq!(links.len(), different.len(), "no link twice");
    different
}

fn ids(answers: &[ApiAnswer]) -> Vec<String> {
    answers.iter().map(ApiAnswer::request_id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_takers_of_sixty_four_links_take_one_each() {
    let stack = pooled(64).await;
    let before = stack.aws().wire().count(Service::DynamoDb, TAKING);
    let answers = buy_at_once(&stack, 64).await;
    let takings = stack.aws().wire().count(Service::DynamoDb, TAKING) - before;
    let served = links(&answers).len();
    println!("64 takers of 64 links: {served} served at once, {takings} takings");
    assert_eq!(served, 64);
    // Those who came too late for a unit, on average less than one time each.
    assert!(takings < 128, "{takings}");
    stack.run_until_idle().await;
    all_is_well(&stack, &ids(&answers), 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn takers_of_a_full_pool_hardly_meet() {
    let stack = empty("2000").await;
    seed(&stack, 2000).await;
    let before = stack.aws().wire().count(Service::DynamoDb, TAKING);
    let looks = stack.aws().wire().count(Service::DynamoDb, "Query");
    let answers = buy_at_once(&stack, 96).await;
    let takings = stack.aws().wire().count(Service::DynamoDb, TAKING) - before;
    let looks = stack.aws().wire().count(Service::DynamoDb, "Query") - looks;
    assert_eq!(links(&answers).len(), 96);
    println!("96 takers of 2000 links: {takings} takings, {looks} looks");
    assert!(takings < 96 + 48, "{takings}");
    assert!(looks < 96 + 48, "{looks}");
    stack.run_until_idle().await;
    assert_eq!(pool(&stack).await.len(), 2000 - 96);
}

/// Fills the pool at once, with links that no Telegram knows.
async fn seed(stack: &TestStack, slots: u64) -> Vec<String> {
    let seed = Seed {
        chat: stack.chat_id,
        bot: stack.bot_id,
        first: 0,
        slots,
        link_expires_at: Timestamp::from_ms(stack.clock.now_ms())
            .plus(Duration::from_secs(30 * 86_400)),
    };
    seed_pool::seed(&stack.dynamodb(), seed).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_orders_of_a_thousand_links_all_have_their_link_in_their_answer() {
    let stack = &empty("1000").await;
    let seeded: BTreeSet<String> = seed(stack, 1000).await.into_iter().collect();
    let began = std::time::Instant::now();
    let caller = |caller: usize| async move {
        let mut answers = Vec::new();
        for n in (caller..1000).step_by(32) {
            answers.push(stack.shop().buy(&format!("u{n}"), &format!("T{n}")).await);
        }
        answers
    };
    let answers: Vec<ApiAnswer> = join_all((0..32).map(caller)).await.concat();
    println!("1000 orders of 1000 links: {:?}", began.elapsed());
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(links(&answers), seeded);
    assert!(pool(stack).await.is_empty());
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.ingested_count(), 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_link_goes_to_one_of_sixty_four_and_the_dispatcher_serves_the_others() {
    let stack = pooled(1).await;
    let answers = buy_at_once(&stack, 64).await;
    assert_eq!(links(&answers).len(), 1);
    stack.run_until_idle().await;
    all_is_well(&stack, &ids(&answers), 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_payment_sixty_four_times_at_once_takes_one_link() {
    let stack = pooled(64).await;
    let shop = stack.shop();
    let answers = join_all((0..64).map(|_| shop.buy("u1", "T1"))).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["inviteLink"], answers[0].body["inviteLink"]);
    }
    stack.run_until_idle().await;
    assert_eq!(pool(&stack).await.len(), 63);
    all_is_well(&stack, &[answers[0].request_id()], 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sale_beyond_its_pool_is_served_by_both_ways() {
    let stack = pooled(40).await;
    let answers = buy_at_once(&stack, 100).await;
    // More of them, if the dispatcher was faster than an answer.
    assert!(links(&answers).len() >= 40);
    stack.run_until_idle().await;
    all_is_well(&stack, &ids(&answers), 0).await;
    fill(&stack, 40).await;
}

#[tokio::test]
async fn an_order_from_the_pool_costs_eleven_write_units_and_three_read_units() {
    let stack = empty("500").await;
    seed(&stack, 500).await;
    let wire = stack.aws().wire();
    wire.record_calls(true);
    for number in 0..20 {
        let answer = stack.shop().buy("user-1", &format!("order-{number}")).await;
        assert!(link_in(&answer.body).is_some());
    }
    stack.run_until_idle().await;
    wire.record_calls(false);
    let calls = wire.take_calls();
    let units = |read: bool| -> f64 {
        let of = |call: &simulators::aws::WireCall| {
            if read {
                call.read_units
            } else {
                call.write_units
            }
        };
        calls.iter().map(of).sum::<f64>() / 20.0
    };
    println!(
        "an order from the pool: {} write units, {} read units",
        units(false),
        units(true)
    );
    assert!((units(false) - 11.0).abs() < 0.01, "{}", units(false));
    assert!((units(true) - 3.0).abs() < 0.06, "{}", units(true));
}
