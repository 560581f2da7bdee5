//! Links in stock: a sale is served from them at once, and no link is handed to two or lost, whoever dies where.

mod deaths;
mod sale;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::config::Env;
use common::domain::id::{ChatId, InviteLink};
use common::domain::stock::SHARDS;
use common::store::{Links, Stock, Unit};
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

fn dynamo(bundle: &TestBundle) -> aws_sdk_dynamodb::Client {
    common::aws::Shared::from_env(&mut env_of(bundle)).dynamodb()
}

/// A bundle with this target, whose stock is seen to only when the test says so.
async fn empty(target: &str) -> TestBundle {
    empty_with(&[("STOCK_TARGET", target)]).await
}

async fn empty_with(env: &[(&str, &str)]) -> TestBundle {
    let bundle = TestBundle::with(env).await;
    bundle.pause_schedule();
    bundle
}

/// Sees to the stock minute by minute until so many units are in it.
async fn fill(bundle: &TestBundle, units: u64) {
    for _ in 0..60 {
        let done = bundle.functions().restock().await;
        assert_eq!(done.failed, 0);
        bundle.settle().await;
        if shelf(bundle).await.len() as u64 == units {
            return;
        }
        bundle.turn(MINUTE);
    }
    panic!(
        "{} units after an hour, not {units}",
        shelf(bundle).await.len()
    );
}

/// A bundle with a full stock.
async fn stocked(units: u64) -> TestBundle {
    let bundle = empty(&units.to_string()).await;
    fill(&bundle, units).await;
    bundle
}

/// What lies in stock, by its link.
async fn shelf(bundle: &TestBundle) -> BTreeMap<String, Unit> {
    let stock = Stock::from_env(dynamo(bundle), &mut env_of(bundle));
    let mut units = BTreeMap::new();
    for shard in 0..SHARDS {
        let mut after = 0;
        loop {
            let page = stock.glance(ChatId(bundle.chat_id), shard, after).await;
            let page = page.unwrap();
            for unit in page.units {
                assert_eq!(unit.id.shard(), shard);
                after = unit.id.number;
                let link = unit.invite_link.expose().to_owned();
                assert!(units.insert(link, unit).is_none(), "one link in two units");
            }
            if !page.is_full {
                break;
            }
        }
    }
    units
}

/// Whose link it is by its lookup, if anybody's.
async fn owner(bundle: &TestBundle, link: &str) -> Option<String> {
    let links = Links::from_env(dynamo(bundle), &mut env_of(bundle));
    let record = links.get(&InviteLink::new(link).hash()).await.unwrap();
    let owner = record.expect("every link of ours has a lookup").owner?;
    Some(owner.request_id.to_string())
}

/// The link that a purchase was answered with, if it was served from stock.
fn link_in(answer: &Value) -> Option<String> {
    (answer["status"] == "done").then(|| answer["inviteLink"].as_str().unwrap().to_owned())
}

/// Checks that all requests are DONE with a link each, told of once, and that no link is anybody else's, in stock, or
/// loose: but for `orphans`, which died with their makers.
async fn all_is_well(bundle: &TestBundle, requests: &[String], orphans: usize) {
    let on_shelf = shelf(bundle).await;
    let mut sold = BTreeSet::new();
    for id in requests {
        let link = bundle.link(id).await;
        assert_eq!(owner(bundle, &link).await.as_ref(), Some(id));
        assert!(!on_shelf.contains_key(&link), "a sold link is in stock");
        assert!(sold.insert(link), "one link for two requests");
    }
    for link in on_shelf.keys() {
        assert_eq!(owner(bundle, link).await, None);
    }
    let links = bundle.telegram.links();
    let alive = links.iter().filter(|link| !link.revoked);
    let loose = alive
        .filter(|link| !sold.contains(&link.url) && !on_shelf.contains_key(&link.url))
        .count();
    assert!(loose <= orphans, "{loose} links are nobody's");
    for url in sold.iter().chain(on_shelf.keys()) {
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

#[tokio::test]
async fn a_stock_fills_to_its_target_at_the_pace_and_not_beyond() {
    let bundle = empty("50").await;
    bundle.telegram.set_limit(Some(Limit::per_minute(20, 5)));
    fill(&bundle, 50).await;
    for _ in 0..5 {
        bundle.turn(MINUTE);
        assert_eq!(bundle.functions().restock().await.ordered, 0);
        bundle.settle().await;
    }
    assert_eq!(shelf(&bundle).await.len(), 50);
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
async fn the_schedule_of_the_bundle_fills_the_stock_by_itself() {
    let mut bundle = TestBundle::with(&[("STOCK_TARGET", "5")]).await;
    for _ in 0..20 {
        bundle.turn_when_idle(MINUTE).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        bundle.settle().await;
        if shelf(&bundle).await.len() == 5 {
            bundle.leaves_something();
            return;
        }
    }
    panic!("not filled");
}

#[tokio::test]
async fn a_request_is_done_in_its_own_answer_without_a_word_to_telegram() {
    let bundle = stocked(3).await;
    let calls = bundle.telegram.calls().len();
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!(answer.status, 200);
    let link = link_in(&answer.body).expect("the link in the answer");
    let id = answer.request_id();
    assert_eq!(
        answer.body,
        json!({"ok": true, "status": "done", "requestId": id, "inviteLink": link})
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
async fn an_empty_stock_leaves_the_queue_to_serve_and_is_not_looked_at_each_time() {
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
async fn a_stock_that_cannot_be_reached_leaves_the_queue_to_serve() {
    for (operation, times) in [("Query", u64::MAX), ("TransactWriteItems", u64::MAX)] {
        for fault in [
            WireFault::InternalError,
            WireFault::ResetAfter,
            WireFault::Throttle,
        ] {
            let bundle = stocked(2).await;
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
    let bundle = stocked(3).await;
    bundle
        .aws()
        .wire()
        .fail(FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems"));
    let answer = bundle.buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some(), "{}", answer.body);
    assert_eq!(answer.body.get("duplicate"), None);
    bundle.settle().await;
    assert_eq!(shelf(&bundle).await.len(), 2);
    all_is_well(&bundle, &[answer.request_id()], 0).await;
}

#[tokio::test]
async fn a_promise_that_cannot_be_sent_takes_no_link() {
    let bundle = stocked(2).await;
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    bundle.aws().wire().fail(rule.named("EventQueue").times(3));
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!(answer.body["status"], "queued");
    bundle.settle().await;
    assert_eq!(shelf(&bundle).await.len(), 2);
    all_is_well(&bundle, &[answer.request_id()], 0).await;
}

#[tokio::test]
async fn what_is_too_old_is_never_sold_but_thrown_away_revoked_and_replaced() {
    let bundle = stocked(40).await;
    let old = shelf(&bundle).await;
    // 30 days less 2: what is left is a buyer's time and no more.
    bundle.turn(Duration::from_secs(28 * 86_400 - 60));
    let answer = bundle.buy("u1", "T1").await;
    assert!(link_in(&answer.body).is_some(), "still good");
    bundle.turn(MINUTE * 30);
    let late = bundle.buy("u2", "T2").await;
    assert_eq!(late.body["status"], "queued", "too old");
    bundle.settle().await;
    let mut thrown_away = 0;
    for _ in 0..20 {
        thrown_away += bundle.functions().restock().await.thrown_away;
        bundle.settle().await;
        bundle.turn(MINUTE);
    }
    assert_eq!(thrown_away, 39);
    let new = shelf(&bundle).await;
    assert_eq!(new.len(), 40);
    for (link, unit) in &old {
        assert!(!new.contains_key(link));
        let sold = answer.body["inviteLink"] == json!(link);
        let revoked = bundle.telegram.link(link).unwrap().revoked;
        assert_eq!(revoked, !sold, "unit {}", unit.id.number);
    }
    all_is_well(&bundle, &[answer.request_id(), late.request_id()], 0).await;
}

#[tokio::test]
async fn a_join_by_a_link_that_was_never_sold_takes_it_out_of_the_stock() {
    let bundle = stocked(3).await;
    let links: Vec<String> = shelf(&bundle).await.into_keys().collect();
    // The first notice dies after the link was taken off its shelf; Telegram sends it again.
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    let hits = bundle.aws().wire().fail(rule.named("InviteQueue").times(3));
    assert_eq!(bundle.tap(&links[0], 77), Tap::Joined);
    bundle.settle().await;
    assert_eq!(hits.count(), 3);
    assert!(bundle.telegram.link(&links[0]).unwrap().revoked);
    let left = shelf(&bundle).await;
    assert_eq!(left.len(), 2);
    assert!(!left.contains_key(&links[0]));
    assert_eq!(bundle.webengage.ingested_count(), 0);
    fill(&bundle, 3).await;
}

#[tokio::test]
async fn links_in_stock_yield_to_those_that_are_sold() {
    let bundle = empty("100").await;
    bundle.telegram.set_limit(Some(Limit::per_minute(60, 1)));
    bundle.functions().restock().await;
    let mut requests = Vec::new();
    for number in 0..10 {
        requests.push(bundle.bought("u", &format!("T{number}")).await);
    }
    bundle.settle().await;
    // Of the 20 that were ordered first, most were made after the 10 that were sold.
    let links = bundle.telegram.links();
    let stock_before_last_sold = links
        .iter()
        .rev()
        .skip_while(|link| {
            link.name
                .as_deref()
                .unwrap_or_default()
                .starts_with("stock")
        })
        .filter(|link| {
            link.name
                .as_deref()
                .unwrap_or_default()
                .starts_with("stock")
        })
        .count();
    assert!(stock_before_last_sold <= 6, "{stock_before_last_sold}");
    all_is_well(&bundle, &requests, 0).await;
}

#[tokio::test]
async fn a_held_chat_is_ordered_for_anew_each_hour_and_ends_with_its_target() {
    let bundle = empty("10").await;
    bundle
        .telegram
        .make_admin(bundle.bot_id, bundle.chat_id, Rights::none());
    let mut ordered = 0;
    for _ in 0..30 {
        ordered += bundle.functions().restock().await.ordered;
        bundle.turn_when_idle(MINUTE * 5).await;
    }
    assert!(
        (20..=30).contains(&ordered),
        "{ordered} in two hours and a half"
    );
    bundle
        .telegram
        .make_admin(bundle.bot_id, bundle.chat_id, Rights::all());
    bundle.settle().await;
    for _ in 0..10 {
        bundle.functions().restock().await;
        bundle.settle().await;
        bundle.turn(MINUTE);
    }
    assert_eq!(shelf(&bundle).await.len(), 10);
    assert_eq!(
        bundle.telegram.link_count(),
        10,
        "void orders were not made"
    );
}

#[tokio::test]
async fn a_group_that_moves_while_its_stock_fills_is_followed() {
    let bundle = empty("30").await;
    bundle.functions().restock().await;
    bundle.run_until(|| bundle.telegram.link_count() >= 3).await;
    let (old, new) = (bundle.chat_id, bundle.chat_id - 7);
    bundle.telegram.migrate_chat(old, new);
    for _ in 0..10 {
        bundle.settle().await;
        bundle.turn(MINUTE);
        bundle.functions().restock().await;
    }
    bundle.settle().await;
    let units = shelf(&bundle).await;
    assert_eq!(units.len(), 30);
    assert!(units.values().any(|unit| unit.chat == ChatId(new)));
    let mut requests = Vec::new();
    for number in 0..30 {
        let answer = bundle.buy("u", &format!("T{number}")).await;
        assert!(link_in(&answer.body).is_some());
        requests.push(answer.request_id());
    }
    bundle.settle().await;
    all_is_well(&bundle, &requests, 0).await;
    let link = bundle.link(&requests[0]).await;
    assert_eq!(bundle.tap(&link, 77), Tap::Joined);
    bundle.settle().await;
    assert_eq!(bundle.status(&requests[0]).await["joined"], true);
}

#[tokio::test]
async fn links_whose_answers_are_lost_are_ordered_anew_in_the_end() {
    let bundle = empty("5").await;
    let lost = simulators::telegram::FaultRule::on("createChatInviteLink", Fault::ResetAfter);
    bundle.telegram.fail(lost.times(2));
    fill(&bundle, 5).await;
    all_is_well(&bundle, &[], 2).await;
}
