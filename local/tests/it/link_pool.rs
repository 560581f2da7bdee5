//! The link pool: a sale is served from it at once, and no link is handed to two or lost, whoever dies where.

mod crashes;
mod sale;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::id::{ChatId, InviteLink};
use domain::link_pool::SHARDS;
use local::harness::{LINK_CREATED, MINUTE, TestStack};
use runtime::config::Env;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{Fault, Limit};
use store::{LinkPool, Links, PooledLink};

/// A local stack with this target, whose pool is seen to only when the test says so.
async fn empty(target: &str) -> TestStack {
    empty_with(&[("LINK_POOL_TARGET", target)]).await
}

async fn empty_with(env: &[(&str, &str)]) -> TestStack {
    let stack = TestStack::with(env).await;
    stack.pause_schedule();
    stack
}

/// Ticks minute by minute until so many links are in the pool.
async fn fill(stack: &TestStack, links: u64) {
    for _ in 0..60 {
        tick(stack).await;
        if pool(stack).await.len() as u64 == links && stack.tasks().await.is_empty() {
            return;
        }
    }
    panic!(
        "{} links after an hour, not {links}",
        pool(stack).await.len()
    );
}

/// One tick, and the minute after it.
async fn tick(stack: &TestStack) {
    assert_eq!(stack.functions().tick().await["failed"], 0);
    stack.advance_when_idle(MINUTE).await;
}

/// A local stack with a full pool.
async fn pooled(links: u64) -> TestStack {
    let stack = empty(&links.to_string()).await;
    fill(&stack, links).await;
    stack
}

/// What lies in the pool, by its link.
async fn pool(stack: &TestStack) -> BTreeMap<String, PooledLink> {
    let pool = LinkPool::from_env(stack.dynamodb(), &mut stack.config());
    let mut links = BTreeMap::new();
    for shard in 0..SHARDS {
        for link in pool.shard(ChatId(stack.chat_id), shard).await.unwrap() {
            assert_eq!(link.slot.shard(), shard);
            let url = link.invite_link.expose().to_owned();
            assert!(links.insert(url, link).is_none(), "one link in two slots");
        }
    }
    links
}

/// Whose link it is by its lookup, if anybody's.
async fn owner(stack: &TestStack, link: &str) -> Option<String> {
    let links = Links::from_env(stack.dynamodb(), &mut stack.config());
    let record = links.get(&InviteLink::new(link).hash()).await.unwrap();
    let owner = record.expect("every link of ours has a lookup").owner?;
    Some(owner.request_id.to_string())
}

/// The link that a purchase was answered with, if it was served from the pool.
fn link_in(answer: &Value) -> Option<String> {
    (answer["status"] == "done").then(|| answer["inviteLink"].as_str().unwrap().to_owned())
}

/// Checks that all requests are DONE with a link each, delivered once, and that no link is anybody else's, in the pool, or
/// loose: but for `orphans`, which died with their makers.
async fn all_is_well(stack: &TestStack, requests: &[String], orphans: usize) {
    let in_pool = pool(stack).await;
    let mut sold = BTreeSet::new();
    for id in requests {
        let link = stack.shop().link(id).await;
        assert_eq!(owner(stack, &link).await.as_ref(), Some(id));
        assert!(!in_pool.contains_key(&link), "a sold link is in the pool");
        assert!(sold.insert(link), "one link for two requests");
    }
    for link in in_pool.keys() {
        assert_eq!(owner(stack, link).await, None);
    }
    let links = stack.telegram.links();
    let alive = links.iter().filter(|link| !link.revoked);
    let loose = alive
        .filter(|link| !sold.contains(&link.url) && !in_pool.contains_key(&link.url))
        .count();
    assert!(loose <= orphans, "{loose} links are nobody's");
    for url in sold.iter().chain(in_pool.keys()) {
        assert!(!stack.telegram.is_revoked(url), "revoked");
    }
    let mut delivered = stack.webengage.delivered(LINK_CREATED);
    delivered.sort_unstable();
    assert_eq!(delivered, Vec::from_iter(sold), "one event for each");
}

/// Fault 4: whatever the order in which calls return, the pool ends at its target exactly.
#[tokio::test]
async fn a_pool_fills_to_its_target_at_the_pace_and_not_beyond() {
    let stack = empty("30").await;
    stack.telegram.limit(Limit::per_minute(20, 5));
    for call in 0..25 {
        let late = Fault::AnswerLate(Duration::from_millis(7 * (call % 5)));
        stack.telegram.fail_mints(1, late);
    }
    fill(&stack, 30).await;
    for _ in 0..5 {
        tick(&stack).await;
    }
    assert_eq!(pool(&stack).await.len(), 30);
    assert_eq!(stack.telegram.link_count(), 30);
    let now_s = stack.clock.now_ms() / 1000;
    for link in stack.telegram.links() {
        assert_eq!(link.member_limit, Some(1));
        let left = link.expire_date.unwrap() - now_s;
        assert!(left > 29 * 86_400, "{left} s");
    }
    all_is_well(&stack, &[], 0).await;
}

#[tokio::test]
async fn the_schedule_fills_the_pool_by_itself() {
    let stack = TestStack::with(&[("LINK_POOL_TARGET", "5")]).await;
    for _ in 0..20 {
        stack.advance_when_idle(MINUTE).await;
        stack.run_until_idle().await;
        if pool(&stack).await.len() == 5 {
            return;
        }
    }
    panic!("not filled");
}

#[tokio::test]
async fn a_request_is_done_in_its_own_answer_without_a_word_to_telegram() {
    let stack = pooled(3).await;
    let shop = stack.shop();
    let calls = stack.telegram.calls().len();
    let answer = shop.buy("u1", "T1").await;
    assert_eq!(answer.status, 200);
    let link = link_in(&answer.body).expect("the link in the answer");
    let id = answer.request_id();
    assert_eq!(
        answer.body,
        json!({"ok": true, "status": "done", "requestId": id, "inviteLink": link, "linkExpiresAt": answer.body["linkExpiresAt"]})
    );
    shop.stands(&id, "DONE", 0).await;
    // A repeat is what it always was, and another user gets nothing.
    let again = shop.buy("u1", "T1").await;
    assert_eq!(
        (&again.body["duplicate"], &again.body["inviteLink"]),
        (&json!(true), &json!(link))
    );
    assert_eq!(shop.buy("u2", "T1").await.code(), "transaction_conflict");
    stack.run_until_idle().await;
    assert_eq!(
        stack.telegram.calls().len(),
        calls,
        "Telegram was not asked"
    );
    all_is_well(&stack, std::slice::from_ref(&id), 0).await;

    // The join and all that follows are as ever.
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    let status = shop.status(&id).await;
    assert_eq!(
        (
            &status["joined"],
            &status["linkEventFired"],
            &status["joinEventFired"]
        ),
        (&json!(true), &json!(true), &json!(true))
    );
    assert!(stack.telegram.is_revoked(&link));
    assert_eq!(stack.webengage.ingested_count(), 2);
}

#[tokio::test]
async fn an_empty_pool_leaves_the_dispatcher_to_serve_and_is_not_looked_at_each_time() {
    let stack = empty("5").await;
    let shop = stack.shop();
    let mut requests = Vec::new();
    for number in 0..5 {
        let answer = shop.buy("u", &format!("T{number}")).await;
        assert_eq!(answer.body["status"], "queued");
        requests.push(answer.request_id());
    }
    let looks = stack.aws().wire().count(Service::DynamoDb, "Query");
    assert!(looks <= 64, "{looks} looks for 5 orders");
    stack.run_until_idle().await;
    all_is_well(&stack, &requests, 0).await;
    // Filled, it serves.
    fill(&stack, 5).await;
    let answer = shop.buy("u", "T9").await;
    assert!(link_in(&answer.body).is_some());
    requests.push(answer.request_id());
    stack.run_until_idle().await;
    all_is_well(&stack, &requests, 0).await;
}

#[tokio::test]
async fn a_pool_that_cannot_be_reached_leaves_the_dispatcher_to_serve() {
    for (operation, times) in [("Query", u64::MAX), ("TransactWriteItems", u64::MAX)] {
        for fault in [
            WireFault::InternalError,
            WireFault::ResetAfter,
            WireFault::Throttle,
        ] {
            let stack = pooled(2).await;
            let hits = stack.aws().wire().fail(
                FaultRule::new(fault)
                    .on(Service::DynamoDb, operation)
                    .times(times),
            );
            let answer = stack.shop().buy("u1", "T1").await;
            assert_eq!(answer.status, 200, "{operation} {fault:?}");
            assert!(hits.count() > 0);
            stack.aws().wire().clear_faults();
            // A run that its bell woke may still hold the lease, and ends early: then the next tick serves.
            stack.run_until_idle().await;
            tick(&stack).await;
            stack.run_until_idle().await;
            all_is_well(&stack, &[answer.request_id()], 0).await;
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_the_taking_is_no_duplicate_and_takes_one_link() {
    let stack = pooled(3).await;
    stack
        .aws()
        .wire()
        .fail(FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems"));
    let answer = stack.shop().buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some(), "{}", answer.body);
    assert_eq!(answer.body.get("duplicate"), None);
    stack.run_until_idle().await;
    assert_eq!(pool(&stack).await.len(), 2);
    all_is_well(&stack, &[answer.request_id()], 0).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_queued_is_pending_and_sent_by_the_sweeper() {
    let stack = pooled(2).await;
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    stack.aws().wire().fail(rule.named("EventQueue").times(3));
    let answer = stack.shop().buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some(), "the buyer has the link");
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.ingested_count(), 0);
    stack.clock.advance(MINUTE * 61);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
    all_is_well(&stack, &[answer.request_id()], 0).await;
}

#[tokio::test]
async fn what_is_too_old_is_never_sold_but_evicted_revoked_and_replaced() {
    let stack = pooled(40).await;
    let shop = stack.shop();
    let old = pool(&stack).await;
    // 30 days less 2: what is left is a buyer's time and no more.
    stack
        .clock
        .advance(Duration::from_secs(28 * 86_400) - MINUTE * 5);
    let answer = shop.buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some(), "still good");
    stack.clock.advance(MINUTE * 30);
    let late = shop.buy("u2", "T2").await;
    assert_eq!(late.body["status"], "queued", "too old");
    stack.run_until_idle().await;
    fill(&stack, 40).await;
    for _ in 0..3 {
        tick(&stack).await;
    }
    let new = pool(&stack).await;
    assert_eq!(new.len(), 40);
    for (link, pooled) in &old {
        assert!(!new.contains_key(link));
        let sold = answer.body["inviteLink"] == json!(link);
        let revoked = stack.telegram.is_revoked(link);
        assert_eq!(revoked, !sold, "slot {}", pooled.slot.number);
    }
    all_is_well(&stack, &[answer.request_id(), late.request_id()], 0).await;
}

#[tokio::test]
async fn a_link_that_was_sold_while_it_was_put_again_is_never_sold_twice() {
    let stack = pooled(1).await;
    let shop = stack.shop();
    let (_, pooled) = pool(&stack).await.into_iter().next().unwrap();
    let answer = shop.buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some());
    // A put whose answer was lost, repeated late: the sold link lies in its slot again.
    let store = LinkPool::from_env(stack.dynamodb(), &mut stack.config());
    store.add(&pooled).await.unwrap();
    let other = shop.buy("u2", "T2").await;
    assert_eq!(other.body["status"], "queued", "{}", other.body);
    stack.run_until_idle().await;
    fill(&stack, 1).await;
    all_is_well(&stack, &[answer.request_id(), other.request_id()], 0).await;
}

#[tokio::test]
async fn a_raised_target_is_new_slots_and_a_lowered_one_sells_out() {
    let stack = pooled(10).await;
    let worker = |target| {
        let env = stack.env().iter();
        let others = env.filter(|(name, _)| *name != "LINK_POOL_TARGET");
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        let mut env: Env = others.chain([("LINK_POOL_TARGET", target)]).collect();
        let clock = runtime::clock::Clock::advanced_by(stack.clock.offset_ms());
        worker::App::from_env(&mut env, clock)
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
    worker::tick(&worker("14"), deadline).await;
    stack.run_until_idle().await;
    assert_eq!(pool(&stack).await.len(), 14);
    for _ in 0..3 {
        worker::tick(&worker("4"), deadline).await;
        stack.advance_when_idle(MINUTE).await;
    }
    assert_eq!(pool(&stack).await.len(), 14, "nothing is thrown away");
    let mut ids = Vec::new();
    for n in 0..14 {
        let answer = stack.shop().buy("u", &format!("T{n}")).await;
        assert!(link_in(&answer.body).is_some());
        ids.push(answer.request_id());
    }
    // The functions of the local stack know a target of 10, that worker one of 4.
    stack.run_until_idle().await;
    let left = pool(&stack).await.len();
    assert!(left <= 10, "{left}");
    all_is_well(&stack, &ids, 0).await;
}

#[tokio::test]
async fn a_join_by_a_link_that_was_never_sold_evicts_it() {
    let stack = pooled(3).await;
    let links: Vec<String> = pool(&stack).await.into_keys().collect();
    // The first notice dies after the link was evicted; Telegram sends it again.
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    let hits = stack.aws().wire().fail(rule.named("ChatTasks").times(3));
    stack.customer(77).join_by(&links[0]);
    stack.run_until_idle().await;
    assert_eq!(hits.count(), 3);
    assert!(stack.telegram.is_revoked(&links[0]));
    let left = pool(&stack).await;
    assert_eq!(left.len(), 2);
    assert!(!left.contains_key(&links[0]));
    assert_eq!(stack.webengage.ingested_count(), 0);
    fill(&stack, 3).await;
}

#[tokio::test]
async fn fills_yield_to_links_that_are_sold() {
    let stack = empty("40").await;
    stack.telegram.limit(Limit::per_minute(60, 1));
    let filling = stack.functions().tick();
    let selling = async {
        stack.run_until(|| stack.telegram.link_count() > 2).await;
        let mut requests = Vec::new();
        for number in 0..10 {
            requests.push(stack.shop().bought("u", &format!("T{number}")).await);
        }
        requests
    };
    let (_, requests) = tokio::join!(filling, selling);
    stack.run_until_idle().await;
    let names: Vec<String> = stack
        .telegram
        .links()
        .into_iter()
        .filter_map(|link| link.name)
        .collect();
    let is_fill = |name: &&String| name.starts_with("pool");
    let first_sold = names.iter().position(|name| !is_fill(&name)).unwrap();
    let last_sold = names.iter().rposition(|name| !is_fill(&name)).unwrap();
    let between = names[first_sold..last_sold].iter().filter(is_fill).count();
    assert!(
        between <= 4,
        "{between} fills among the links that were sold"
    );
    all_is_well(&stack, &requests, 0).await;
}

#[tokio::test]
async fn a_pool_whose_chat_was_broken_ends_with_its_target() {
    let stack = empty("10").await;
    stack.telegram.take_rights();
    for _ in 0..30 {
        tick(&stack).await;
    }
    stack.telegram.give_rights();
    fill(&stack, 10).await;
    for _ in 0..5 {
        tick(&stack).await;
    }
    assert_eq!(pool(&stack).await.len(), 10);
    assert_eq!(stack.telegram.link_count(), 10, "none was made twice");
}

#[tokio::test]
async fn a_group_that_moves_while_its_pool_fills_is_followed() {
    let stack = empty("30").await;
    let shop = stack.shop();
    let (old, new) = (stack.chat_id, stack.chat_id - 7);
    let filling = stack.functions().tick();
    let moving = async {
        stack.run_until(|| stack.telegram.link_count() >= 3).await;
        stack.telegram.migrate_chat(old, new);
    };
    tokio::join!(filling, moving);
    fill(&stack, 30).await;
    let links = pool(&stack).await;
    assert_eq!(links.len(), 30);
    assert!(links.values().any(|link| link.chat == ChatId(new)));
    let answer = shop.buy("u1", "T1").await;
    let link = link_in(&answer.body).unwrap();
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    assert_eq!(shop.status(&answer.request_id()).await["joined"], true);
}

#[tokio::test]
async fn slots_whose_links_answers_are_lost_are_filled_in_the_end() {
    let stack = empty("5").await;
    stack.telegram.fail_mints(2, Fault::ResetAfter);
    fill(&stack, 5).await;
    all_is_well(&stack, &[], 2).await;
}
