//! Signed calls out: what happens is told to the endpoints that an owner registered, once each by its id, whatever fails.

mod announced;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use domain::hook::{Endpoint, HookSecret};
use local::harness::{HOUR, MINUTE, ReceivedCall, Receiver, Reply, TestStack, until};
use local::resources::HOOKS_TICK_TIMEOUT;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A stack whose endpoints may lie on these receivers, and these variables.
async fn stack_for(receivers: &[&Receiver], env: &[(&str, &str)]) -> TestStack {
    let hosts: Vec<&str> = receivers.iter().map(|of| of.host.as_str()).collect();
    let hosts = hosts.join(",");
    let env = [&[("HOOK_EXEMPT_HOSTS", hosts.as_str())], env].concat();
    TestStack::with(&env).await
}

/// Registers an endpoint; its id and its secret.
async fn register(stack: &TestStack, body: Value) -> (String, HookSecret) {
    let answer = stack.operator().post("endpoints", &body).await.done();
    let id = answer["endpoint"]["endpointId"]
        .as_str()
        .unwrap()
        .to_owned();
    let secret = HookSecret::parse(answer["secret"].as_str().unwrap()).unwrap();
    (id, secret)
}

async fn endpoint(stack: &TestStack, id: &str) -> Value {
    let all = stack.operator().get("endpoints").await.done();
    let all = all["endpoints"].as_array().unwrap().clone();
    all.into_iter().find(|of| of["endpointId"] == id).unwrap()
}

async fn deliveries(stack: &TestStack, id: &str, query: &str) -> Vec<Value> {
    let path = format!("endpoints/{id}/deliveries{query}");
    let answer = stack.operator().get(&path).await.done();
    answer["deliveries"].as_array().unwrap().clone()
}

/// A minute is over for `hooks`.
async fn tick(stack: &TestStack) {
    let deadline = tokio::time::Instant::now() + HOOKS_TICK_TIMEOUT;
    stack.functions().get("hooks").tick(deadline).await;
}

fn is_signed(call: &ReceivedCall, secret: &HookSecret) -> bool {
    let signature = secret.sign(&call.id, call.seconds, &call.body);
    call.signatures.split(' ').any(|of| of == signature)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_is_told_to_each_endpoint_signed_and_once_however_often_it_is_reported() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[]).await;
    let (_, secret) = register(&stack, json!({"url": receiver.url("/all")})).await;
    let wanted = json!({"url": receiver.url("/done"), "types": ["invite.done"], "links": true});
    let (_, other) = register(&stack, wanted).await;
    let (request_id, link) = stack.admitted("alice", "T1").await;
    for _ in 0..3 {
        assert_eq!(
            stack.shop().buy("alice", "T1").await.body["duplicate"],
            true
        );
    }
    stack.run_until_idle().await;

    let calls = receiver.calls();
    let of = |path: &str| {
        calls
            .iter()
            .filter(|call| call.path == path)
            .collect::<Vec<_>>()
    };
    let kinds: BTreeSet<String> = of("/all").iter().map(|call| call.kind()).collect();
    assert_eq!(
        kinds,
        ["invite.created", "invite.done"].map(str::to_owned).into()
    );
    assert_eq!(calls.len(), 3, "{calls:?}");
    let ids: BTreeSet<&str> = calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids.len(), 2, "one id for each of what happened: {ids:?}");
    for call in of("/all") {
        assert!(
            is_signed(call, &secret) && !is_signed(call, &other),
            "{call:?}"
        );
        let body = call.json();
        assert_eq!(body["data"]["requestId"], json!(request_id));
        assert_eq!(body["data"]["userId"], "alice");
        assert!(!call.body.contains(&link), "no link unasked");
        let skew = stack.clock.now_ms() / 1000 - call.seconds;
        assert!((0..600).contains(&skew), "{skew}");
    }
    let [done] = of("/done")[..] else { panic!() };
    assert!(is_signed(done, &other));
    assert_eq!(done.json()["data"]["inviteLink"], json!(link));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_not_taken_is_tried_ten_times_in_76_hours_parked_and_replayed_with_its_id() {
    let receiver = Receiver::start().await;
    receiver.answers(Reply::status(500));
    let stack = stack_for(&[&receiver], &[]).await;
    stack.pause_schedule();
    let (id, secret) = register(&stack, json!({"url": receiver.url("/")})).await;
    let path = format!("endpoints/{id}/test");
    let event = stack.operator().post(&path, &json!({})).await.done()["eventId"].clone();
    stack.run_until_idle().await;
    for wait in [300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400] {
        let before = receiver.calls().len();
        stack.clock.advance(Duration::from_secs(wait - 30));
        tick(&stack).await;
        assert_eq!(receiver.calls().len(), before, "not before {wait} s");
        stack.clock.advance(MINUTE);
        tick(&stack).await;
        assert_eq!(receiver.calls().len(), before + 1, "after {wait} s");
    }
    stack.clock.advance(DAY * 3);
    tick(&stack).await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 10);
    assert!(
        calls
            .iter()
            .all(|call| json!(call.id) == event && is_signed(call, &secret))
    );
    let stamps: BTreeSet<i64> = calls.iter().map(|call| call.seconds).collect();
    assert_eq!(stamps.len(), 10, "each try has a time of its own");

    let parked = deliveries(&stack, &id, "?state=parked").await;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0]["eventId"], event);
    let statuses: Vec<&Value> = parked[0]["tries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tried| &tried["status"])
        .collect();
    assert_eq!(statuses, vec![&json!(500); 10]);
    assert!(parked[0]["body"].is_null(), "the log has no bodies");

    receiver.answers(Reply::status(200));
    let path = format!("endpoints/{id}/replay");
    let replay = json!({"eventId": event});
    let answer = stack.operator().post(&path, &replay).await.done();
    assert_eq!(answer["replayed"], 1);
    stack.run_until_idle().await;
    let last = receiver.calls().pop().unwrap();
    assert_eq!((receiver.calls().len(), json!(last.id)), (11, event));
    assert_eq!(deliveries(&stack, &id, "?state=delivered").await.len(), 1);
    assert!(endpoint(&stack, &id).await["failingSince"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_time_is_replayed_with_what_was_delivered_too_if_that_is_asked_for() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[]).await;
    let (id, _) = register(
        &stack,
        json!({"url": receiver.url("/"), "types": ["invite.created"]}),
    )
    .await;
    let start = domain::time::Timestamp::from_ms(stack.clock.now_ms());
    stack.shop().bought_by_each_of(5).await;
    stack.run_until_idle().await;
    assert_eq!(receiver.calls().len(), 5);
    let path = format!("endpoints/{id}/replay");
    let replay = async |body: Value| stack.operator().post(&path, &body).await;
    assert_eq!(
        replay(json!({"from": start})).await.done()["replayed"],
        0,
        "nothing was given up"
    );
    let all = json!({"from": start, "delivered": true});
    assert_eq!(replay(all).await.done()["replayed"], 5);
    stack.run_until_idle().await;
    let calls = receiver.calls();
    let ids: BTreeSet<&str> = calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!((calls.len(), ids.len()), (10, 5));
    let later = domain::time::Timestamp::from_ms(stack.clock.now_ms() + 1000);
    let none = json!({"from": later, "to": later, "delivered": true});
    assert_eq!(replay(none).await.done()["replayed"], 0);
    for wrong in [
        json!({}),
        json!({"eventId": "x"}),
        json!({"from": "today"}),
        json!({"eventId": "x", "from": start}),
        json!({"from": start, "to": "2020-01-01T00:00:00.000Z"}),
    ] {
        assert_eq!(
            replay(wrong.clone()).await.refusal(),
            (400, "invalid_parameter"),
            "{wrong}"
        );
    }
    let unknown = json!({"eventId": format!("evt_{:015}_{}", 1, "a".repeat(32))});
    assert_eq!(replay(unknown).await.refusal(), (404, "not_found"));
    stack.run_until_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_happens_while_an_endpoint_is_gone_is_replayed_once_somebody_enables_it() {
    let receiver = Receiver::start().await;
    receiver.answers(Reply::status(410));
    let stack = stack_for(&[&receiver], &[]).await;
    let (id, _) = register(
        &stack,
        json!({"url": receiver.url("/"), "types": ["invite.created"]}),
    )
    .await;
    stack.shop().bought("u1", "T1").await;
    stack.run_until_idle().await;
    assert_eq!(endpoint(&stack, &id).await["disabledBy"], "gone");
    assert_eq!(receiver.calls().len(), 1);
    for action in ["test", "replay"] {
        let path = format!("endpoints/{id}/{action}");
        let body = json!({"from": "2026-01-01T00:00:00.000Z"});
        let refused = stack.operator().post(&path, &body).await;
        assert_eq!(refused.refusal(), (409, "endpoint_disabled"), "{action}");
    }
    stack.clock.advance(MINUTE * 2);
    stack.shop().bought("u2", "T2").await;
    stack.run_until_idle().await;
    assert_eq!(receiver.calls().len(), 1);
    receiver.answers(Reply::status(200));
    let enable = format!("endpoints/{id}/enable");
    stack.operator().post(&enable, &json!({})).await.done();
    stack.clock.advance(MINUTE * 2);
    stack.shop().bought("u3", "T3").await;
    stack.run_until_idle().await;
    assert_eq!(receiver.calls().len(), 2);
    let replay = format!("endpoints/{id}/replay");
    let body = json!({"from": "2026-01-01T00:00:00.000Z"});
    let replayed = stack.operator().post(&replay, &body).await.done();
    assert_eq!(
        replayed["replayed"], 2,
        "the one that met 410, and the one meanwhile"
    );
    stack.run_until_idle().await;
    let calls = receiver.calls();
    let told: BTreeSet<&str> = calls[1..].iter().map(|call| call.id.as_str()).collect();
    assert_eq!((calls.len(), told.len()), (4, 3));
    // What an operator does not want to be told is not kept.
    let disable = format!("endpoints/{id}/disable");
    stack.operator().post(&disable, &json!({})).await.done();
    stack.clock.advance(MINUTE * 2);
    stack.shop().bought("u4", "T4").await;
    stack.run_until_idle().await;
    stack.operator().post(&enable, &json!({})).await.done();
    assert_eq!(deliveries(&stack, &id, "").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_endpoint_that_fails_for_120_hours_is_disabled_and_not_before() {
    let receiver = Receiver::start().await;
    receiver.answers(Reply::status(503));
    let stack = stack_for(&[&receiver], &[]).await;
    stack.pause_schedule();
    let (id, _) = register(&stack, json!({"url": receiver.url("/")})).await;
    let test = format!("endpoints/{id}/test");
    for hours in [0, 60, 119, 120] {
        stack.operator().post(&test, &json!({})).await.done();
        tick(&stack).await;
        stack.run_until_idle().await;
        let since = endpoint(&stack, &id).await;
        assert_eq!(
            since["isEnabled"] == json!(false),
            hours == 120,
            "after {hours} h: {since}"
        );
        let next = match hours {
            0 => HOUR * 60,
            60 => HOUR * 59,
            _ => HOUR,
        };
        stack.clock.advance(next);
    }
    assert_eq!(endpoint(&stack, &id).await["disabledBy"], "failing");
    // What waits for it is parked, not kept for ever.
    stack.clock.advance(DAY * 2);
    tick(&stack).await;
    assert!(deliveries(&stack, &id, "?state=waiting").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_held_back_while_too_much_waits_is_told_by_itself_once_less_does() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[]).await;
    stack.pause_schedule();
    let wanted = json!({"url": receiver.url("/"), "types": ["invite.created"]});
    let (id, _) = register(&stack, wanted).await;
    let endpoints = store::Endpoints::from_env(stack.dynamodb(), &mut stack.config());
    let full = |endpoint| Endpoint {
        is_full: true,
        ..endpoint
    };
    endpoints.change(&id.parse().unwrap(), full).await.unwrap();
    stack.shop().bought_by_each_of(3).await;
    stack.run_until_idle().await;
    assert!(receiver.calls().is_empty());
    let parked = deliveries(&stack, &id, "?state=parked").await;
    assert_eq!(parked.len(), 3);
    assert!(parked[0]["nextAt"].is_null());
    // One is replayed before that by somebody's hand.
    let replay = format!("endpoints/{id}/replay");
    let one = json!({"eventId": parked[0]["eventId"]});
    stack.operator().post(&replay, &one).await.done();
    stack.run_until_idle().await;
    assert_eq!(receiver.calls().len(), 1);
    for _ in 0..2 {
        tick(&stack).await;
        stack.run_until_idle().await;
        assert_eq!(receiver.calls().len(), 3);
    }
    assert_eq!(endpoint(&stack, &id).await["isFull"], false);
    assert_eq!(deliveries(&stack, &id, "?state=delivered").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_retry_after_is_kept_for_all_of_the_endpoint() {
    let receiver = Receiver::start().await;
    receiver.answers_next(Reply::Answer(
        429,
        vec![("retry-after", "600".to_owned())],
        0,
    ));
    let stack = stack_for(&[&receiver], &[]).await;
    stack.pause_schedule();
    let (id, _) = register(&stack, json!({"url": receiver.url("/")})).await;
    let test = format!("endpoints/{id}/test");
    stack.operator().post(&test, &json!({})).await.done();
    stack.run_until_idle().await;
    stack.clock.advance(Duration::from_secs(10));
    stack.operator().post(&test, &json!({})).await.done();
    stack.run_until_idle().await;
    stack.clock.advance(Duration::from_secs(500));
    tick(&stack).await;
    assert_eq!(receiver.calls().len(), 1, "nothing while it asked to wait");
    stack.clock.advance(Duration::from_secs(120));
    tick(&stack).await;
    assert_eq!(receiver.calls().len(), 3);
    assert!(deliveries(&stack, &id, "?state=waiting").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_slow_endpoint_delays_no_other() {
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.answers(Reply::Hang);
    let stack = stack_for(&[&slow, &quick], &[]).await;
    stack.pause_schedule();
    let (hanging, _) = register(
        &stack,
        json!({"url": slow.url("/"), "types": ["invite.created"]}),
    )
    .await;
    register(
        &stack,
        json!({"url": quick.url("/"), "types": ["invite.created"]}),
    )
    .await;
    let began = Instant::now();
    stack.shop().bought_by_each_of(30).await;
    until("the quick one has all", async || {
        (quick.calls().len() == 30).then_some(())
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(12),
        "{:?}",
        began.elapsed()
    );
    // A slow answer is none after 15 s, and is tried again.
    until("a call is given up", async || {
        let all = deliveries(&stack, &hanging, "").await;
        all.iter()
            .any(|of| of["tries"][0]["fault"] == "no_answer")
            .then_some(())
    })
    .await;
    slow.answers(Reply::status(200));
    let mut stack = stack;
    stack.leaves_something();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redirects_are_not_followed_and_large_answers_are_not_read() {
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    receiver.answers_next(Reply::Answer(
        307,
        vec![("location", other.url("/secret"))],
        0,
    ));
    receiver.answers_next(Reply::Answer(200, vec![], 50 * 1024 * 1024));
    let stack = stack_for(&[&receiver, &other], &[]).await;
    let (id, _) = register(&stack, json!({"url": receiver.url("/")})).await;
    stack
        .operator()
        .post(&format!("endpoints/{id}/test"), &json!({}))
        .await
        .done();
    stack.run_until_idle().await;
    assert!(other.calls().is_empty(), "{:?}", other.calls());
    let all = deliveries(&stack, &id, "").await;
    let statuses: Vec<&Value> = all[0]["tries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tried| &tried["status"])
        .collect();
    assert_eq!(statuses, [&json!(307), &json!(200)]);
    assert_eq!(all[0]["state"], "DELIVERED");
}

#[tokio::test]
async fn what_may_not_be_called_is_not_registered() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[]).await;
    let operator = stack.operator();
    for url in [
        "http://shop.example/",
        "https://shop.example:8080/",
        "https://127.0.0.1/",
        "https://0x7f000001/",
        "https://[::ffff:169.254.169.254]/",
        "https://user:password@shop.example/",
        "not a url",
    ] {
        let refused = operator.post("endpoints", &json!({"url": url})).await;
        assert_eq!(refused.refusal(), (400, "invalid_target"), "{url}");
    }
    for body in [
        json!({}),
        json!({"url": "https://shop.example/", "types": []}),
        json!({"url": "https://shop.example/", "types": ["invite.bought"]}),
        json!({"url": "https://shop.example/", "types": ["endpoint.test"]}),
        json!({"url": 7}),
    ] {
        let refused = operator.post("endpoints", &body).await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter"), "{body}");
    }
    for n in 0..20 {
        register(&stack, json!({"url": format!("https://shop{n}.example/")})).await;
    }
    let more = operator
        .post("endpoints", &json!({"url": "https://shop.example/"}))
        .await;
    assert_eq!(more.refusal(), (409, "too_many_endpoints"));
    let all = operator.get("endpoints").await.done();
    let id = all["endpoints"][0]["endpointId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        all.to_string().find("whsec_").is_none(),
        "secrets are shown once"
    );
    operator.delete(&format!("endpoints/{id}")).await.done();
    let gone = operator.delete(&format!("endpoints/{id}")).await;
    assert_eq!(gone.refusal(), (404, "not_found"));
    register(&stack, json!({"url": "https://shop.example/"})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotated_secret_signs_beside_the_one_before_for_a_day() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[]).await;
    let (id, old) = register(&stack, json!({"url": receiver.url("/")})).await;
    let rotated = stack
        .operator()
        .post(&format!("endpoints/{id}/rotate-secret"), &json!({}))
        .await
        .done();
    let new = HookSecret::parse(rotated["secret"].as_str().unwrap()).unwrap();
    let test = format!("endpoints/{id}/test");
    for (wait, old_signs) in [(Duration::ZERO, true), (DAY, false)] {
        stack.clock.advance(wait);
        stack.operator().post(&test, &json!({})).await.done();
        stack.run_until_idle().await;
        let call = receiver.calls().pop().unwrap();
        assert!(is_signed(&call, &new));
        assert_eq!(is_signed(&call, &old), old_signs);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_happened_before_an_endpoint_was_there_is_not_told_to_it_by_a_repeat() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[]).await;
    stack.admitted("alice", "T1").await;
    stack.clock.advance(MINUTE * 2);
    register(&stack, json!({"url": receiver.url("/")})).await;
    stack.shop().buy("alice", "T1").await;
    stack.shop().bought("bob", "T2").await;
    stack.run_until_idle().await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(
        calls
            .iter()
            .all(|call| call.json()["data"]["userId"] == "bob")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_dies_between_an_effect_and_its_announcement_is_repeated_and_announces_once() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[]).await;
    register(
        &stack,
        json!({"url": receiver.url("/"), "types": ["invite.created"]}),
    )
    .await;
    // The payment is accepted, and its announcement can't be put: the shop is told to come again.
    let fault = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    stack.aws().wire().fail(fault.named("Deliveries").always());
    assert_eq!(
        stack.shop().buy("alice", "T1").await.refusal(),
        (503, "unavailable")
    );
    stack.aws().wire().clear_faults();
    let again = stack.shop().buy("alice", "T1").await;
    assert_eq!(
        (again.status, &again.body["duplicate"]),
        (200, &json!(true))
    );
    stack.run_until_idle().await;
    assert_eq!(receiver.kinds(), ["invite.created"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_whose_shop_does_not_come_again_is_told_with_its_link() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[]).await;
    let wanted = json!({"url": receiver.url("/"), "types": ["invite.created"]});
    register(&stack, wanted).await;
    let fault = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    stack.aws().wire().fail(fault.named("Deliveries").always());
    let refused = stack.shop().buy("alice", "T1").await;
    assert_eq!(refused.refusal(), (503, "unavailable"));
    stack.aws().wire().clear_faults();
    stack.run_until_idle().await;
    tick(&stack).await;
    assert_eq!(receiver.kinds(), ["invite.created"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_that_dies_over_a_call_makes_it_again_with_the_same_id() {
    let receiver = Receiver::start().await;
    receiver.answers_next(Reply::Hang);
    let stack = stack_for(&[&receiver], &[]).await;
    stack.pause_schedule();
    let (id, _) = register(&stack, json!({"url": receiver.url("/")})).await;
    stack
        .operator()
        .post(&format!("endpoints/{id}/test"), &json!({}))
        .await
        .done();
    until("it is called", async || {
        (receiver.calls().len() == 1).then_some(())
    })
    .await;
    assert_eq!(stack.kill_hooks(), 1);
    tick(&stack).await;
    assert_eq!(receiver.calls().len(), 1, "it is still somebody's");
    stack.clock.advance(Duration::from_secs(61));
    tick(&stack).await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].id, calls[1].id);
    assert_eq!(deliveries(&stack, &id, "?state=delivered").await.len(), 1);
    stack.clock.advance(HOUR);
    stack.run_until_idle().await;
}
