//! The link pool: a sale is served from it at once, and no link is handed to two or lost, whoever dies where.

mod deaths;
mod sale;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::config::Env;
use common::domain::id::{ChatId, InviteLink};
use common::domain::link_pool::SHARDS;
use common::store::{LinkPool, Links, PooledLink};
use local::harness::TestBundle;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{Fault, Limit, Rights, Tap};

const MINUTE: Duration = Duration::from_secs(60);
const CREATED: &str = "pass_paid_community_telegram_link_created";

fn env_of(bundle: &TestBundle) -> Env {
    let env = bundle.env().iter();
    env.map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// A bundle with this target, whose pool is seen to only when the test says so.
async fn empty(target: &str) -> TestBundle {
    empty_with(&[("LINK_POOL_TARGET", target)]).await
}

async fn empty_with(env: &[(&str, &str)]) -> TestBundle {
    let bundle = TestBundle::with(env).await;
    bundle.pause_schedule();
    bundle
}

/// Ticks minute by minute until so many links are in the pool.
async fn fill(bundle: &TestBundle, links: u64) {
    for _ in 0..60 {
        tick(bundle).await;
        if pool(bundle).await.len() as u64 == links && bundle.tasks().await.is_empty() {
            return;
        }
    }
    panic!(
        "{} links after an hour, not {links}",
        pool(bundle).await.len()
    );
}

/// One tick, and the minute after it.
async fn tick(bundle: &TestBundle) {
    assert_eq!(bundle.functions().tick().await.failed, 0);
    bundle.turn_when_idle(MINUTE).await;
}

/// A bundle with a full pool.
async fn pooled(links: u64) -> TestBundle {
    let bundle = empty(&links.to_string()).await;
    fill(&bundle, links).await;
    bundle
}

/// What lies in the pool, by its link.
async fn pool(bundle: &TestBundle) -> BTreeMap<String, PooledLink> {
    let pool = LinkPool::from_env(bundle.dynamodb(), &mut env_of(bundle));
    let mut links = BTreeMap::new();
    for shard in 0..SHARDS {
        for link in pool.shard(ChatId(bundle.chat_id), shard).await.unwrap() {
            assert_eq!(link.slot.shard(), shard);
            let url = link.invite_link.expose().to_owned();
            assert!(links.insert(url, link).is_none(), "one link in two slots");
        }
    }
    links
}

/// Whose link it is by its lookup, if anybody's.
async fn owner(bundle: &TestBundle, link: &str) -> Option<String> {
    let links = Links::from_env(bundle.dynamodb(), &mut env_of(bundle));
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
async fn all_is_well(bundle: &TestBundle, requests: &[String], orphans: usize) {
    let in_pool = pool(bundle).await;
    let mut sold = BTreeSet::new();
    for id in requests {
        let link = bundle.link(id).await;
        assert_eq!(owner(bundle, &link).await.as_ref(), Some(id));
        assert!(!in_pool.contains_key(&link), "a sold link is in the pool");
        assert!(sold.insert(link), "one link for two requests");
    }
    for link in in_pool.keys() {
        assert_eq!(owner(bundle, link).await, None);
    }
    let links = bundle.telegram.links();
    let alive = links.iter().filter(|link| !link.revoked);
    let loose = alive
        .filter(|link| !sold.contains(&link.url) && !in_pool.contains_key(&link.url))
        .count();
    assert!(loose <= orphans, "{loose} links are nobody's");
    for url in sold.iter().chain(in_pool.keys()) {
        assert!(!bundle.telegram.link(url).unwrap().revoked, "revoked");
    }
    let told = bundle.webengage.ingested();
    let mut told: Vec<&str> = told
        .iter()
        .filter(|event| event.body["eventName"] == CREATED)
        .map(|event| event.body["eventData"]["inviteLink"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    assert_eq!(told, sold.iter().collect::<Vec<_>>(), "one event for each");
}

/// Fault 4: whatever the order in which calls return, the pool ends at its target exactly.
#[tokio::test]
async fn a_pool_fills_to_its_target_at_the_pace_and_not_beyond() {
    let bundle = empty("50").await;
    bundle.telegram.set_limit(Some(Limit::per_minute(20, 5)));
    for call in 0..25 {
        let late = Fault::AnswerLate(Duration::from_millis(7 * (call % 5)));
        bundle
            .telegram
            .fail(simulators::telegram::FaultRule::on("createChatInviteLink", late).times(1));
    }
    fill(&bundle, 50).await;
    for _ in 0..5 {
        tick(&bundle).await;
    }
    assert_eq!(pool(&bundle).await.len(), 50);
    assert_eq!(bundle.telegram.link_count(), 50);
    let now_s = bundle.clock.now_ms() / 1000;
    for link in bundle.telegram.links() {
        assert_eq!(link.member_limit, Some(1));
        let left = link.expire_date.unwrap() - now_s;
        assert!(left > 29 * 86_400, "{left} s");
    }
    all_is_well(&bundle, &[], 0).await;
}

#[tokio::test]
async fn the_schedule_fills_the_pool_by_itself() {
    let bundle = TestBundle::with(&[("LINK_POOL_TARGET", "5")]).await;
    for _ in 0..20 {
        bundle.turn_when_idle(MINUTE).await;
        bundle.settle().await;
        if pool(&bundle).await.len() == 5 {
            return;
        }
    }
    panic!("not filled");
}

#[tokio::test]
async fn a_request_is_done_in_its_own_answer_without_a_word_to_telegram() {
    let bundle = pooled(3).await;
    let calls = bundle.telegram.calls().len();
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!(answer.status, 200);
    let link = link_in(&answer.body).expect("the link in the answer");
    let id = answer.request_id();
    assert_eq!(
        answer.body,
        json!({"ok": true, "status": "done", "requestId": id, "inviteLink": link, "linkExpiresAt": answer.body["linkExpiresAt"]})
    );
    let status = bundle.status(&id).await;
    assert_eq!(
        (&status["status"], &status["attempts"]),
        (&json!("DONE"), &json!(0))
    );
    // A repeat is what it always was, and another user gets nothing.
    let again = bundle.buy("u1", "T1").await;
    assert_eq!(
        (&again.body["duplicate"], &again.body["inviteLink"]),
        (&json!(true), &json!(link))
    );
    assert_eq!(bundle.buy("u2", "T1").await.code(), "transaction_conflict");
    bundle.settle().await;
    assert_eq!(
        bundle.telegram.calls().len(),
        calls,
        "Telegram was not asked"
    );
    all_is_well(&bundle, std::slice::from_ref(&id), 0).await;

    // The join and all that follows are as ever.
    assert_eq!(bundle.tap(&link, 77), Tap::Joined);
    bundle.settle().await;
    let status = bundle.status(&id).await;
    assert_eq!(
        (
            &status["joined"],
            &status["linkEventFired"],
            &status["joinEventFired"]
        ),
        (&json!(true), &json!(true), &json!(true))
    );
    assert!(bundle.telegram.link(&link).unwrap().revoked);
    assert_eq!(bundle.webengage.ingested_count(), 2);
}

#[tokio::test]
async fn an_empty_pool_leaves_the_dispatcher_to_serve_and_is_not_looked_at_each_time() {
    let bundle = empty("5").await;
    let mut requests = Vec::new();
    for number in 0..5 {
        let answer = bundle.buy("u", &format!("T{number}")).await;
        assert_eq!(answer.body["status"], "queued");
        requests.push(answer.request_id());
    }
    let looks = bundle.aws().wire().count(Service::DynamoDb, "Query");
    assert!(looks <= 64, "{looks} looks for 5 orders");
    bundle.settle().await;
    all_is_well(&bundle, &requests, 0).await;
    // Filled, it serves.
    fill(&bundle, 5).await;
    let answer = bundle.buy("u", "T9").await;
    assert!(link_in(&answer.body).is_some());
    requests.push(answer.request_id());
    bundle.settle().await;
    all_is_well(&bundle, &requests, 0).await;
}

#[tokio::test]
async fn a_pool_that_cannot_be_reached_leaves_the_dispatcher_to_serve() {
    for (operation, times) in [("Query", u64::MAX), ("TransactWriteItems", u64::MAX)] {
        for fault in [
            WireFault::InternalError,
            WireFault::ResetAfter,
            WireFault::Throttle,
        ] {
            let bundle = pooled(2).await;
            let hits = bundle.aws().wire().fail(
                FaultRule::new(fault)
                    .on(Service::DynamoDb, operation)
                    .times(times),
            );
            let answer = bundle.buy("u1", "T1").await;
            assert_eq!(answer.status, 200, "{operation} {fault:?}");
            assert!(hits.count() > 0);
            bundle.aws().wire().clear_faults();
            bundle.settle().await;
            all_is_well(&bundle, &[answer.request_id()], 0).await;
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_the_taking_is_no_duplicate_and_takes_one_link() {
    let bundle = pooled(3).await;
    bundle
        .aws()
        .wire()
        .fail(FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems"));
    let answer = bundle.buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some(), "{}", answer.body);
    assert_eq!(answer.body.get("duplicate"), None);
    bundle.settle().await;
    assert_eq!(pool(&bundle).await.len(), 2);
    all_is_well(&bundle, &[answer.request_id()], 0).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_queued_is_pending_and_sent_by_the_sweeper() {
    let bundle = pooled(2).await;
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    bundle.aws().wire().fail(rule.named("EventQueue").times(3));
    let answer = bundle.buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some(), "the buyer has the link");
    bundle.settle().await;
    assert_eq!(bundle.webengage.ingested_count(), 0);
    bundle.turn(MINUTE * 61);
    assert_eq!(bundle.functions().sweep().await.events, 1);
    bundle.settle().await;
    all_is_well(&bundle, &[answer.request_id()], 0).await;
}

#[tokio::test]
async fn what_is_too_old_is_never_sold_but_evicted_revoked_and_replaced() {
    let bundle = pooled(40).await;
    let old = pool(&bundle).await;
    // 30 days less 2: what is left is a buyer's time and no more.
    bundle.turn(Duration::from_secs(28 * 86_400) - MINUTE * 5);
    let answer = bundle.buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some(), "still good");
    bundle.turn(MINUTE * 30);
    let late = bundle.buy("u2", "T2").await;
    assert_eq!(late.body["status"], "queued", "too old");
    bundle.settle().await;
    fill(&bundle, 40).await;
    for _ in 0..3 {
        tick(&bundle).await;
    }
    let new = pool(&bundle).await;
    assert_eq!(new.len(), 40);
    for (link, pooled) in &old {
        assert!(!new.contains_key(link));
        let sold = answer.body["inviteLink"] == json!(link);
        let revoked = bundle.telegram.link(link).unwrap().revoked;
        assert_eq!(revoked, !sold, "slot {}", pooled.slot.number);
    }
    all_is_well(&bundle, &[answer.request_id(), late.request_id()], 0).await;
}

#[tokio::test]
async fn a_link_that_was_sold_while_it_was_put_again_is_never_sold_twice() {
    let bundle = pooled(1).await;
    let (_, pooled) = pool(&bundle).await.into_iter().next().unwrap();
    let answer = bundle.buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some());
    // A put whose answer was lost, repeated late: the sold link lies in its slot again.
    let store = LinkPool::from_env(bundle.dynamodb(), &mut env_of(&bundle));
    store.add(&pooled).await.unwrap();
    let other = bundle.buy("u2", "T2").await;
    assert_eq!(other.body["status"], "queued", "{}", other.body);
    bundle.settle().await;
    fill(&bundle, 1).await;
    all_is_well(&bundle, &[answer.request_id(), other.request_id()], 0).await;
}

#[tokio::test]
async fn a_raised_target_is_new_slots_and_a_lowered_one_sells_out() {
    let bundle = pooled(10).await;
    let worker = |target| {
        let env = bundle.env().iter();
        let others = env.filter(|(name, _)| *name != "LINK_POOL_TARGET");
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        let mut env: Env = others.chain([("LINK_POOL_TARGET", target)]).collect();
        let clock = common::clock::Clock::turned_by(bundle.clock.offset_ms());
        worker::App::from_env(&mut env, clock)
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
    worker::tick(&worker("14"), deadline).await;
    bundle.settle().await;
    assert_eq!(pool(&bundle).await.len(), 14);
    for _ in 0..3 {
        worker::tick(&worker("4"), deadline).await;
        bundle.turn_when_idle(MINUTE).await;
    }
    assert_eq!(pool(&bundle).await.len(), 14, "nothing is thrown away");
    let mut ids = Vec::new();
    for n in 0..14 {
        let answer = bundle.buy("u", &format!("T{n}")).await;
        assert!(link_in(&answer.body).is_some());
        ids.push(answer.request_id());
    }
    // The functions of the bundle know a target of 10, that worker one of 4.
    bundle.settle().await;
    let left = pool(&bundle).await.len();
    assert!(left <= 10, "{left}");
    all_is_well(&bundle, &ids, 0).await;
}

#[tokio::test]
async fn a_join_by_a_link_that_was_never_sold_evicts_it() {
    let bundle = pooled(3).await;
    let links: Vec<String> = pool(&bundle).await.into_keys().collect();
    // The first notice dies after the link was evicted; Telegram sends it again.
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    let hits = bundle.aws().wire().fail(rule.named("ChatTasks").times(3));
    assert_eq!(bundle.tap(&links[0], 77), Tap::Joined);
    bundle.settle().await;
    assert_eq!(hits.count(), 3);
    assert!(bundle.telegram.link(&links[0]).unwrap().revoked);
    let left = pool(&bundle).await;
    assert_eq!(left.len(), 2);
    assert!(!left.contains_key(&links[0]));
    assert_eq!(bundle.webengage.ingested_count(), 0);
    fill(&bundle, 3).await;
}

#[tokio::test]
async fn fills_yield_to_links_that_are_sold() {
    let bundle = empty("100").await;
    bundle.telegram.set_limit(Some(Limit::per_minute(60, 1)));
    let filling = bundle.functions().tick();
    let selling = async {
        bundle.run_until(|| bundle.telegram.link_count() > 2).await;
        let mut requests = Vec::new();
        for number in 0..10 {
            requests.push(bundle.bought("u", &format!("T{number}")).await);
        }
        requests
    };
    let (_, requests) = tokio::join!(filling, selling);
    bundle.settle().await;
    let names: Vec<String> = bundle
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
    all_is_well(&bundle, &requests, 0).await;
}

#[tokio::test]
async fn a_pool_whose_chat_was_broken_ends_with_its_target() {
    let bundle = empty("10").await;
    bundle
        .telegram
        .make_admin(bundle.bot_id, bundle.chat_id, Rights::none());
    for _ in 0..30 {
        tick(&bundle).await;
    }
    bundle
        .telegram
        .make_admin(bundle.bot_id, bundle.chat_id, Rights::all());
    fill(&bundle, 10).await;
    for _ in 0..5 {
        tick(&bundle).await;
    }
    assert_eq!(pool(&bundle).await.len(), 10);
    assert_eq!(bundle.telegram.link_count(), 10, "none was made twice");
}

#[tokio::test]
async fn a_group_that_moves_while_its_pool_fills_is_followed() {
    let bundle = empty("30").await;
    let (old, new) = (bundle.chat_id, bundle.chat_id - 7);
    let filling = bundle.functions().tick();
    let moving = async {
        bundle.run_until(|| bundle.telegram.link_count() >= 3).await;
        bundle.telegram.migrate_chat(old, new);
    };
    tokio::join!(filling, moving);
    fill(&bundle, 30).await;
    let links = pool(&bundle).await;
    assert_eq!(links.len(), 30);
    assert!(links.values().any(|link| link.chat == ChatId(new)));
    let answer = bundle.buy("u1", "T1").await;
    let link = link_in(&answer.body).unwrap();
    assert_eq!(bundle.tap(&link, 77), Tap::Joined);
    bundle.settle().await;
    assert_eq!(bundle.status(&answer.request_id()).await["joined"], true);
}

#[tokio::test]
async fn slots_whose_links_answers_are_lost_are_filled_in_the_end() {
    let bundle = empty("5").await;
    let lost = simulators::telegram::FaultRule::on("createChatInviteLink", Fault::ResetAfter);
    bundle.telegram.fail(lost.times(2));
    fill(&bundle, 5).await;
    all_is_well(&bundle, &[], 2).await;
}
