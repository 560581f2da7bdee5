//! The simulators without sockets, in the time of a paused runtime: hours take no time, and a seed decides everything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

mod trace;
mod world;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use simulators::Reset;
use simulators::aws::{self, Service, WireFault};
use simulators::telegram::{self, Fault, Limit, Tap, Telegram, User};
use simulators::webengage::{Failure, Mode};
use world::*;

#[tokio::test(start_paused = true)]
async fn a_simulated_clock_follows_the_runtime_and_wakes_at_once_when_turned() {
    let watch = Watch::new();
    let clock = watch.clock.clone();
    assert_eq!(clock.now_ms(), START_MS);
    clock.sleep_until(START_MS + 3_600_000).await;
    assert_eq!(watch.passed_ms(), 3_600_000);
    let turning = async {
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(60));
    };
    let before = tokio::time::Instant::now();
    tokio::join!(clock.sleep_until(START_MS + 3_660_000), turning);
    assert_eq!(
        before.elapsed(),
        Duration::ZERO,
        "the turn is not slept again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_of_an_empty_queue_takes_its_time_and_no_real_time() {
    let watch = Watch::new();
    let aws = aws(&watch.clock);
    let url = queue(&aws, "Orders").await;
    assert!(poll(&aws, &url).await.unwrap().is_empty());
    assert_eq!(watch.passed_ms(), 20_000);
    for _ in 0..4_320 {
        assert!(poll(&aws, &url).await.unwrap().is_empty());
    }
    assert_eq!(watch.passed_ms(), 86_420_000, "a day of polls");
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_comes_at_its_time_and_a_sent_one_ends_a_poll() {
    let watch = Watch::new();
    let aws = aws(&watch.clock);
    let url = queue(&aws, "Orders").await;
    send(&aws, &url, "delayed", 7).await.unwrap();
    assert_eq!(poll(&aws, &url).await.unwrap(), ["delayed"]);
    assert_eq!(watch.passed_ms(), 7_000);
    let sending = async {
        watch.clock.sleep_until(START_MS + 12_500).await;
        send(&aws, &url, "sent", 0).await.unwrap();
    };
    let (bodies, ()) = tokio::join!(poll(&aws, &url), sending);
    assert_eq!(
        (bodies.unwrap(), watch.passed_ms()),
        (vec!["sent".into()], 12_500)
    );
    let again = poll(&aws, &url).await.unwrap();
    assert!(again.is_empty());
    assert_eq!(poll(&aws, &url).await.unwrap(), ["delayed"]);
    assert_eq!(
        watch.passed_ms(),
        37_000,
        "the visibility time-out of 30 s is over"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stopped_server_resets_what_waits_and_what_comes() {
    let watch = Watch::new();
    let (aws, telegram) = (aws(&watch.clock), telegram(&watch.clock));
    let marketing = webengage(&watch.clock);
    let url = queue(&aws, "Orders").await;
    telegram.fail(telegram::FaultRule::on(CREATE, Fault::HangForever).times(1));
    marketing.fail(Failure::of(Mode::HangForever).times(1));
    let stopping = async {
        watch.clock.sleep_until(START_MS + 4_000).await;
        aws.stop().await;
        telegram.stop().await;
        marketing.stop().await;
    };
    let (polled, created, answered, ()) = tokio::join!(
        poll(&aws, &url),
        create(&telegram, TOKEN),
        tell_marketing(&marketing, 1),
        stopping
    );
    assert_eq!(polled, Err(Reset));
    assert_eq!(created.unwrap_err(), Reset);
    assert_eq!(answered, Err(Reset));
    assert_eq!(watch.passed_ms(), 4_000);
    assert_eq!(poll(&aws, &url).await, Err(Reset));
    assert_eq!(create(&telegram, TOKEN).await.unwrap_err(), Reset);
    assert_eq!(telegram.link_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_is_tried_again_by_the_rules() {
    let watch = Watch::new();
    let telegram = telegram(&watch.clock);
    let answers = vec![
        Respond::MemberStatus(500),
        Respond::Reset,
        Respond::Hang,
        Respond::RetryAfter(600),
        Respond::MemberStatus(503),
    ];
    let (deliver, deliveries) = webhook(&watch.clock, answers);
    telegram.deliver_to(deliver);
    set_webhook(&telegram).await;
    let url = link(&create(&telegram, TOKEN).await.unwrap());
    assert_eq!(telegram.tap(&url, User::new(1)), Tap::Joined);
    telegram.delivered().await;
    let seen = deliveries.lock().unwrap().clone();
    let times: Vec<i64> = seen.iter().map(|(at_ms, ..)| *at_ms).collect();
    // At once; 2 s later; the 60 s of the time-out and 4 s later; as asked; 8 s later.
    assert_eq!(times, [0, 0, 2_000, 66_000, 666_000, 674_000]);
    assert!(seen.iter().all(|(_, secret, _)| secret == "s-1"));
    assert!(seen.windows(2).all(|pair| pair[0].2 == pair[1].2));
    let journal: Vec<_> = telegram
        .deliveries()
        .into_iter()
        .map(|delivery| (delivery.attempt, delivery.status, delivery.error))
        .collect();
    let wrong = |status: &str| Some(format!("Wrong response from the webhook: {status}"));
    assert_eq!(
        journal,
        [
            (1, Some(500), wrong("500 Internal Server Error")),
            (2, None, Some("Webhook connection closed".into())),
            (3, None, Some("Read timeout expired".into())),
            (4, Some(503), wrong("503 Service Unavailable")),
            (5, Some(503), wrong("503 Service Unavailable")),
            (6, Some(200), None),
        ]
    );
    watch.passed_ms();
}

#[tokio::test(start_paused = true)]
async fn without_a_way_deliveries_are_refused_and_wait() {
    let watch = Watch::new();
    let telegram = telegram(&watch.clock);
    set_webhook(&telegram).await;
    let url = link(&create(&telegram, TOKEN).await.unwrap());
    telegram.tap(&url, User::new(1));
    watch.clock.sleep_until(START_MS + 100_000).await;
    let refused = telegram.deliveries();
    assert!(refused.len() > 3);
    assert_eq!(refused[0].error.as_deref(), Some("Connection refused"));
    let (deliver, deliveries) = webhook(&watch.clock, Vec::new());
    telegram.deliver_to(deliver);
    telegram.delivered().await;
    assert_eq!(deliveries.lock().unwrap().len(), 1);
    watch.passed_ms();
}

#[tokio::test(start_paused = true)]
async fn a_reset_before_the_effect_leaves_none_and_one_after_it_leaves_it() {
    let watch = Watch::new();
    let aws = aws(&watch.clock);
    let url = queue(&aws, "Orders").await;
    let mut hits = Vec::new();
    for (fault, left) in [(WireFault::ResetBefore, 0), (WireFault::ResetAfter, 1)] {
        let rule = aws::FaultRule::new(fault).on(Service::Sqs, "SendMessage");
        hits.push(aws.wire().fail(rule));
        assert_eq!(send(&aws, &url, "x", 0).await, Err(Reset));
        assert_eq!(aws.queue_depth("Orders").unwrap().total(), left);
    }
    assert!(hits.iter().all(|hits| hits.count() == 1));

    let telegram = telegram(&watch.clock);
    for (fault, left) in [(Fault::ResetBefore, 0), (Fault::ResetAfter, 1)] {
        telegram.fail(telegram::FaultRule::on(CREATE, fault).times(1));
        assert_eq!(create(&telegram, TOKEN).await.unwrap_err(), Reset);
        assert_eq!(telegram.link_count(), left);
        assert_eq!(telegram.calls().last().unwrap().status, 0);
    }
    assert_eq!(create(&telegram, TOKEN).await.unwrap().status(), 200);

    let marketing = webengage(&watch.clock);
    for (mode, left) in [(Mode::ResetBefore, 0), (Mode::ResetAfter, 1)] {
        marketing.fail(Failure::of(mode).times(1));
        assert_eq!(tell_marketing(&marketing, 1).await, Err(Reset));
        assert_eq!(marketing.ingested_count(), left);
    }
    assert_eq!(tell_marketing(&marketing, 2).await.unwrap(), 201);
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_when_its_client_has_left() {
    let watch = Watch::new();
    let telegram = telegram(&watch.clock);
    let hang = Fault::HangThenSucceed(Duration::from_secs(8));
    telegram.fail(telegram::FaultRule::on(CREATE, hang).times(1));
    let left = tokio::time::timeout(Duration::from_secs(3), create(&telegram, TOKEN));
    assert!(left.await.is_err());
    assert_eq!((watch.passed_ms(), telegram.link_count()), (3_000, 0));
    watch.clock.sleep_until(START_MS + 8_001).await;
    assert_eq!(telegram.link_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_are_judged_as_on_a_socket() {
    let watch = Watch::new();
    let aws = aws(&watch.clock);
    let unsigned = Request::post(aws.url()).header("x-amz-target", "AmazonSQS.ListQueues");
    let answer = aws.call(unsigned.body(Bytes::from("{}")).unwrap()).await;
    assert_eq!(answer.unwrap().status(), 400);
    let long = Request::post(aws.url()).header("x-amz-target", "AmazonSQS.SendMessage");
    let long = long.body(Bytes::from(vec![b' '; 7 * 1024 * 1024])).unwrap();
    assert_eq!(aws.call(long).await.unwrap().status(), 413);
    let telegram = telegram(&watch.clock);
    let unknown = Request::get("http://telegram.invalid/nothing").body(Bytes::new());
    assert_eq!(telegram.call(unknown.unwrap()).await.unwrap().status(), 404);
    let listening = Telegram::start(([127, 0, 0, 1], 0).into(), watch.clock.clone())
        .await
        .unwrap();
    listening.add_bot(TOKEN);
    let answer = ask_bot(&listening, TOKEN, "getMe", json!({})).await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(listening.count("getMe"), 1);
}

#[tokio::test(start_paused = true)]
async fn items_expire_by_the_virtual_clock_when_told_to() {
    let watch = Watch::new();
    let aws = aws(&watch.clock);
    let table = |operation: &str, body: Value| {
        let target = format!("DynamoDB_20120810.{operation}");
        let aws = aws.clone();
        async move { ask_aws(&aws, &target, body).await.unwrap() }
    };
    table(
        "CreateTable",
        json!({"TableName": "Orders", "BillingMode": "PAY_PER_REQUEST",
               "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
               "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}]}),
    )
    .await;
    table(
        "UpdateTimeToLive",
        json!({"TableName": "Orders", "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": true}}),
    )
    .await;
    let dies = (START_MS / 1000 + 3600).to_string();
    table(
        "PutItem",
        json!({"TableName": "Orders", "Item": {"k": {"S": "a"}, "ttl": {"N": dies}}}),
    )
    .await;
    assert_eq!(aws.expire_items().unwrap(), 0);
    watch.clock.sleep_until(START_MS + 2 * 3_600_000).await;
    assert_eq!(aws.expire_items().unwrap(), 1);
    watch.passed_ms();
}

#[tokio::test(start_paused = true)]
async fn a_chat_s_limit_is_shared_by_its_bots_and_can_change_at_any_time() {
    let watch = Watch::new();
    let telegram = telegram(&watch.clock);
    add_admin(&telegram, OTHER_TOKEN);
    telegram.set_chat_limit(Some(Limit::per_minute(6, 1)));
    assert_eq!(create(&telegram, TOKEN).await.unwrap().status(), 200);
    assert_eq!(create(&telegram, OTHER_TOKEN).await.unwrap().status(), 429);
    watch.clock.sleep_until(START_MS + 5_000).await;
    let refused = create(&telegram, TOKEN).await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(
        telegram.violation_count(),
        0,
        "this bot had not been told of the wait"
    );
    assert_eq!(create(&telegram, OTHER_TOKEN).await.unwrap().status(), 429);
    assert_eq!(telegram.violation_count(), 1);
    telegram.set_chat_limit_for(CHAT, Some(Limit::per_minute(60, 5)));
    watch.clock.sleep_until(START_MS + 6_000).await;
    assert_eq!(create(&telegram, OTHER_TOKEN).await.unwrap().status(), 200);
    telegram.set_limit(Some(Limit::per_minute(1, 1)));
    telegram.set_chat_limit_for(CHAT, None);
    for token in [TOKEN, OTHER_TOKEN] {
        assert_eq!(create(&telegram, token).await.unwrap().status(), 200);
        assert_eq!(create(&telegram, token).await.unwrap().status(), 429);
    }
    watch.passed_ms();
}

#[tokio::test(start_paused = true)]
async fn the_server_sleeps_through_short_waits_if_it_is_told_to() {
    let watch = Watch::new();
    let telegram = telegram(&watch.clock);
    telegram.set_limit(Some(Limit::per_minute(12, 1)));
    telegram.sleep_through(Duration::from_secs(8));
    assert_eq!(create(&telegram, TOKEN).await.unwrap().status(), 200);
    assert_eq!(create(&telegram, TOKEN).await.unwrap().status(), 200);
    assert_eq!(watch.passed_ms(), 5_000, "answered late");
    // Of two at once, one waits 5 s for its turn; the other would have to wait 10 s in all.
    let (first, second) = tokio::join!(create(&telegram, TOKEN), create(&telegram, TOKEN));
    assert_eq!(
        (first.unwrap().status(), second.unwrap().status().as_u16()),
        (StatusCode::OK, 429)
    );
    assert_eq!(watch.passed_ms(), 10_000);
    assert_eq!((telegram.link_count(), telegram.violation_count()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn every_call_takes_its_latency() {
    let watch = Watch::new();
    let telegram = telegram(&watch.clock);
    let fixed = Duration::from_millis(250);
    telegram.set_latency(fixed..=fixed);
    assert_eq!(create(&telegram, TOKEN).await.unwrap().status(), 200);
    assert_eq!(watch.passed_ms(), 250);
    assert_eq!(telegram.calls()[0].at_ms - START_MS, 125);
    telegram.set_latency(Duration::from_millis(40)..=Duration::from_millis(900));
    let mut took = Vec::new();
    for _ in 0..50 {
        let before_ms = watch.passed_ms();
        assert_eq!(create(&telegram, TOKEN).await.unwrap().status(), 200);
        took.push(watch.passed_ms() - before_ms);
    }
    assert!(
        took.iter().all(|took| (40..=900).contains(took)),
        "{took:?}"
    );
    assert!(took.iter().any(|other| *other != took[0]));
    telegram.set_latency(Duration::ZERO..=Duration::ZERO);
    let before_ms = watch.passed_ms();
    create(&telegram, TOKEN).await.unwrap();
    assert_eq!(watch.passed_ms(), before_ms);
}
