//! What a shop does to a request of its own: another link for one that expired or whose buyer left, and the seat taken
//! back. The real functions at the wire.

mod seats;
mod voids;

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::InviteLink;
use domain::time::Timestamp;
use futures_util::future::join_all;
use local::harness::{Case, HOUR, JOINED, LINK_CREATED, TestStack, dated};
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Tap;

/// The end of a record, in seconds since the Unix epoch.
async fn expires_at(stack: &TestStack, table: &str, key: &str, value: &str) -> i64 {
    let get = stack.dynamodb().get_item().table_name(table);
    let got = get.key(key, AttributeValue::S(value.to_owned())).send();
    let item = got.await.unwrap().item.unwrap();
    item["expiresAt"].as_n().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_end_of_a_link_is_told_beside_it_everywhere() {
    for (name, pool) in [("no pool", "0"), ("a pool of two", "2")] {
        let _case = Case::named(name);
        let stack = TestStack::with(&[("LINK_POOL_TARGET", pool)]).await;
        let shop = stack.shop();
        if pool != "0" {
            stack.functions().tick().await;
            stack.run_until_idle().await;
            stack.functions().tick().await;
            stack.run_until_idle().await;
            assert_eq!(stack.telegram.link_count(), 2);
        }
        let first = shop.buy("u1", "T1").await.body;
        assert_eq!(first["status"], if pool == "0" { "queued" } else { "done" });
        assert_eq!(
            first.get("linkExpiresAt").is_some(),
            first.get("inviteLink").is_some()
        );
        stack.run_until_idle().await;
        let id = first["requestId"].as_str().unwrap();
        let status = shop.status(id).await;
        let ends = stack
            .telegram
            .link(status["inviteLink"].as_str().unwrap())
            .unwrap()
            .expire_date
            .unwrap();
        let delivered = status["linkExpiresAt"].as_str().unwrap();
        let delivered: Timestamp = delivered.parse().unwrap();
        assert_eq!(delivered.seconds(), ends);
        let repeat = shop.buy("u1", "T1").await.body;
        assert_eq!(repeat["linkExpiresAt"], status["linkExpiresAt"]);
        assert_eq!(repeat.get("reissued"), None);
    }
}

#[tokio::test]
async fn a_repeat_after_the_link_expired_unused_makes_a_new_one_once() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.advance_when_idle(HOUR * 47).await;
    let early = shop.buy("u1", "T1").await.body;
    assert_eq!(
        (
            &early["status"],
            &early["inviteLink"],
            early.get("reissued")
        ),
        (&json!("done"), &json!(old), None)
    );
    stack.advance_when_idle(HOUR * 2).await;
    assert_eq!(stack.customer(70).tap(&old), Tap::Expired);
    // Twenty at once, and the answer of the write is lost on the way.
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = stack.aws().wire().fail(rule);
    let answers = join_all((0..20).map(|_| shop.buy("u1", "T1"))).await;
    assert_eq!(hits.count(), 1);
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            (&answer.body["duplicate"], &answer.body["requestId"]),
            (&json!(true), &json!(id))
        );
    }
    let reissued: Vec<_> = answers
        .iter()
        .filter(|answer| answer.body.get("reissued").is_some())
        .collect();
    assert_eq!(reissued.len(), 1);
    assert_eq!(
        (
            &reissued[0].body["reissued"],
            &reissued[0].body["status"],
            reissued[0].body.get("inviteLink"),
            reissued[0].body.get("linkExpiresAt"),
        ),
        (&json!(true), &json!("queued"), None, None)
    );
    stack.run_until_idle().await;
    let new = shop.link(&id).await;
    assert_ne!(new, old);
    assert_eq!(stack.telegram.link_count(), 2);
    assert!(stack.telegram.is_revoked(&old), "dead first");
    assert_eq!(stack.webengage.delivered(LINK_CREATED), [old, new.clone()]);
    assert_eq!(stack.operator().history(&id).await, ["shop: reissue"]);
    let repeat = shop.buy("u1", "T1").await.body;
    assert_eq!(
        (&repeat["inviteLink"], repeat.get("reissued")),
        (&json!(new), None)
    );
    stack.customer(77).join_by(&new);
    stack.run_until_idle().await;
    // Once it was used nothing ends any more.
    stack.advance_when_idle(HOUR * 100).await;
    let repeat = shop.buy("u1", "T1").await.body;
    assert_eq!(
        (&repeat["status"], repeat.get("reissued")),
        (&json!("done"), None)
    );
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 2);
}

#[tokio::test]
async fn a_repeat_of_another_user_makes_no_new_link() {
    let stack = TestStack::start().await;
    stack.admitted("u1", "T1").await;
    stack.advance_when_idle(HOUR * 49).await;
    let answer = stack.shop().buy("u2", "T1").await;
    assert_eq!(answer.refusal(), (409, "transaction_conflict"));
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn a_shop_replaces_a_link_and_a_repeat_that_names_it_replaces_no_other() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, old) = stack.admitted("u1", "T1").await;
    let named = shop.status(&id).await["linkVersion"].as_u64().unwrap();
    let first = shop.reissue_version(&id, named).await;
    assert_eq!(
        (
            first.status,
            &first.body["status"],
            &first.body["linkVersion"]
        ),
        (200, &json!("QUEUED"), &json!(1))
    );
    assert_eq!(first.body.get("inviteLink"), None);
    stack.run_until_idle().await;
    let second = shop.reissue_version(&id, named).await;
    assert_eq!(
        (second.status, &second.body["status"]),
        (200, &json!("DONE"))
    );
    stack.run_until_idle().await;
    let new = shop.link(&id).await;
    assert_ne!(new, old);
    assert_eq!(stack.telegram.links_alive(), [new]);
    assert_eq!(stack.telegram.link_count(), 2);
    let stale = shop.reissue_version(&id, 7).await;
    assert_eq!(stale.refusal(), (409, "link_replaced"));
}

#[tokio::test]
async fn calls_that_are_none_are_refused_by_what_is_wrong() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let id = shop.bought("u1", "T1").await;
    let unknown = "00000000-0000-8000-8000-00000000000a";
    for (id, action, body, status, code) in [
        (id.as_str(), "vanish", "", 404, "not_found"),
        (&id, "void/x", "", 404, "not_found"),
        (unknown, "void", "", 404, "not_found"),
        (unknown, "reissue", "{}", 404, "not_found"),
        ("x", "void", "", 400, "invalid_request_id"),
        (&id, "reissue", "[]", 400, "invalid_json"),
        (&id, "reissue", "{", 400, "invalid_json"),
        (
            &id,
            "reissue",
            r#"{"linkVersion": -1}"#,
            400,
            "invalid_parameter",
        ),
    ] {
        let answer = shop.act(id, action, body).await;
        assert_eq!(answer.refusal(), (status, code), "{action} {body}");
    }
    // A mark at its front is no part of a body: it is read, and what it names is looked for.
    let marked = "\u{feff}{\"linkVersion\": 7}";
    let answer = shop.act(&id, "reissue", marked).await;
    assert_eq!(answer.refusal(), (409, "link_replaced"));
    let big = "x".repeat(70_000);
    let answer = shop.act(&id, "void", &big).await;
    assert_eq!(answer.refusal(), (413, "too_large"));
    let path = format!("/v1/invite/{id}/void");
    let key = [("x-api-key", stack.local.api_key())];
    let answer = stack.get(&path, &key).await;
    assert_eq!(answer.refusal(), (405, "method_not_allowed"));
    let client = runtime::http::client(HOUR).unwrap();
    let url = format!("{}{path}", stack.local.url);
    let put = client.put(url).header("x-api-key", stack.local.api_key());
    let answer = put.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 405);
    assert_eq!(answer.headers()["allow"], "POST");
    for action in ["void", "reissue", "vanish"] {
        for key in [
            ("x-api-key", "wrong"),
            ("x-admin-key", stack.local.admin_key()),
        ] {
            let path = format!("/v1/invite/{id}/{action}");
            let answer = stack.post(&path, "", &[key]).await;
            assert_eq!(answer.refusal(), (401, "unauthorized"));
        }
    }
    stack.run_until_idle().await;
    shop.link(&id).await;
    assert!(
        stack.operator().history(&id).await.is_empty(),
        "a refusal is no action"
    );
}

#[tokio::test]
async fn a_reissue_that_is_asked_for_again_and_again_is_one_task() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, first) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    stack.queues_are_down();
    for _ in 0..5 {
        shop.reissue(&id).await.done();
        stack.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(stack.tasks().await.len(), 1);
    stack.aws().wire().clear_faults();
    stack.functions().tick().await;
    stack.run_until_idle().await;
    assert!(stack.telegram.is_revoked(&first));
    assert_eq!(stack.telegram.link_count(), 2);
    assert_eq!(stack.telegram.links_alive(), [shop.link(&id).await]);
}

#[tokio::test]
async fn who_left_comes_back_by_a_new_link_and_each_join_is_an_event_of_its_own() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let buyer = stack.customer(77);
    let (id, first) = stack.admitted("u1", "T1").await;
    buyer.join_by(&first);
    stack.run_until_idle().await;
    let joined_at = stack.clock.now_ms();
    stack.advance_when_idle(HOUR).await;
    // Somebody else leaves, who came in otherwise.
    let stranger = stack.telegram.leave_report(99);
    assert_eq!(stack.telegram.sent(&stranger).await, "ignored");
    assert_eq!(shop.status(&id).await.get("leftAt"), None);
    // A leave from before the join is of another stay.
    let before = dated(stack.telegram.leave_report(77), joined_at - 60_000);
    assert_eq!(stack.telegram.sent(&before).await, "ignored");
    assert_eq!(shop.status(&id).await.get("leftAt"), None);
    buyer.leave();
    let left = shop
        .until(&id, "the leave is recorded", |status| {
            status["leftAt"].is_string()
        })
        .await;
    assert_eq!(
        (&left["joined"], &left["status"]),
        (&json!(true), &json!("DONE"))
    );
    assert_eq!(buyer.tap(&first), Tap::Revoked);
    stack.advance_when_idle(HOUR).await;
    shop.reissue(&id).await.done();
    stack.run_until_idle().await;
    let status = shop.status(&id).await;
    assert_eq!(
        (
            &status["joined"],
            status.get("joinedAt"),
            status.get("telegramUserId")
        ),
        (&json!(false), None, None)
    );
    assert_eq!(
        (&status["joinEventFired"], &status["leftAt"]),
        (&json!(false), &left["leftAt"])
    );
    let second = shop.link(&id).await;
    assert_ne!(second, first);
    let detail = stack.operator().invite(&id).await["history"][0]["detail"].clone();
    assert!(
        detail.as_str().unwrap().contains("by which 77 joined at"),
        "{detail}"
    );
    // The first join is reported once more: it is over, and takes no seat.
    let late = dated(stack.telegram.join_report(&first, 77), joined_at);
    assert_eq!(stack.telegram.sent(&late).await, "duplicate");
    assert_eq!(shop.status(&id).await["joined"], false);
    buyer.join_by(&second);
    stack.run_until_idle().await;
    let status = shop.status(&id).await;
    assert_eq!(
        (&status["joined"], status.get("leftAt")),
        (&json!(true), None)
    );
    assert_eq!(status["joinEventFired"], true);
    assert_eq!(stack.webengage.delivered(JOINED), [first, second]);
    let joins = stack.webengage.ingested().into_iter();
    let joins = joins.filter(|event| event.body["eventName"] == JOINED);
    let ids: Vec<_> = joins.map(|event| event.request_id).collect();
    assert_ne!(ids[0], ids[1], "WebEngage takes an id once");
    let answer = shop.reissue(&id).await;
    assert_eq!(answer.code(), "already_joined");
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_join_that_webengage_was_not_told_of_is_told_though_its_person_left_and_came_back() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, first) = stack.admitted("u1", "T1").await;
    stack.webengage.outage();
    let attempts = stack.webengage.attempt_count();
    stack.customer(77).join_by(&first);
    stack
        .run_until(|| stack.webengage.attempt_count() > attempts)
        .await;
    stack.customer(77).leave();
    shop.until(&id, "the leave is recorded", |status| {
        status["leftAt"].is_string()
    })
    .await;
    stack.advance_when_idle(Duration::from_secs(5)).await;
    shop.reissue(&id).await.done();
    let made = || stack.telegram.link_count() == 2;
    stack.run_until(made).await;
    shop.until(&id, "the link is there", |status| {
        status["inviteLink"].is_string()
    })
    .await;
    let second = shop.link(&id).await;
    stack.customer(78).join_by(&second);
    stack.webengage.recover();
    stack.run_until_idle().await;
    let mut delivered = stack.webengage.delivered(JOINED);
    delivered.sort();
    let mut both = vec![first, second];
    both.sort();
    assert_eq!(delivered, both);
    let status = shop.status(&id).await;
    assert_eq!(
        (&status["joinEventFired"], &status["telegramUserId"]),
        (&json!(true), &json!(78))
    );
}

#[tokio::test]
async fn the_lookup_of_a_leave_is_put_again_if_its_answer_or_its_table_was_lost() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    let at = stack.clock.now_ms();
    let join = dated(stack.telegram.join_report(&link, 77), at);
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    stack.aws().wire().fail(rule.named("InviteLinks").always());
    assert_eq!(stack.telegram.send(&join).await.status, 503);
    stack.aws().wire().clear_faults();
    assert_eq!(stack.telegram.sent(&join).await, "duplicate");
    stack.run_until_idle().await;
    let leave = dated(stack.telegram.leave_report(77), at + 60_000);
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "UpdateItem");
    let hits = stack.aws().wire().fail(rule.named("InviteRequests"));
    stack.telegram.sent(&leave).await;
    assert_eq!(hits.count(), 1);
    assert!(stack.shop().status(&id).await["leftAt"].is_string());
    assert_eq!(stack.webengage.delivered(JOINED), [link]);
}

#[tokio::test]
async fn a_late_reissue_keeps_the_record_as_long_as_its_link_and_longer() {
    let stack = TestStack::with(&[("RETENTION_DAYS", "28"), ("INVITE_TTL_SEC", "864000")]).await;
    let shop = stack.shop();
    let (id, _) = stack.admitted("u1", "T1").await;
    let first = expires_at(&stack, "InviteRequests", "requestId", &id).await;
    stack.advance_when_idle(HOUR * 24 * 27).await;
    assert_eq!(shop.buy("u1", "T1").await.body["reissued"], true);
    let queued = expires_at(&stack, "InviteRequests", "requestId", &id).await;
    assert!(queued > first + 19 * 24 * 3600, "while it waits too");
    stack.run_until_idle().await;
    let link = shop.link(&id).await;
    let ends = stack.telegram.link(&link).unwrap().expire_date.unwrap();
    let kept = expires_at(&stack, "InviteRequests", "requestId", &id).await;
    assert!(
        kept >= ends + 7 * 24 * 3600 && kept >= queued,
        "{kept} {ends}"
    );
    let hash = InviteLink::new(link).hash();
    let lookup = expires_at(&stack, "InviteLinks", "linkHash", hash.as_str()).await;
    assert!(lookup >= ends, "{lookup} {ends}");
}
