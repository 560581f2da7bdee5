//! What a shop does to a request of its own: another link for one that expired or whose buyer left, and the seat taken
//! back. The real functions at the wire.

mod presence;
mod void;

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use local::harness::{Answer, TestBundle, until};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Tap;
use simulators::webengage::Mode;

const HOUR: Duration = Duration::from_secs(3600);
const CREATED: &str = "pass_paid_community_telegram_link_created";
const JOINED: &str = "pass_paid_community_telegram_joined";

async fn act(bundle: &TestBundle, id: &str, action: &str, body: &str) -> Answer {
    let key = [("x-api-key", bundle.bundle.api_key())];
    let path = format!("/v1/invite/{id}/{action}");
    bundle.post(&path, body.to_owned(), &key).await
}

/// An action that must be done; it is answered as the status is.
async fn acted(bundle: &TestBundle, id: &str, action: &str) -> Value {
    let answer = act(bundle, id, action, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["requestId"], id);
    answer.body
}

/// All that operators see of a request.
async fn story(bundle: &TestBundle, id: &str) -> Value {
    let key = [("x-admin-key", bundle.bundle.admin_key())];
    let path = format!("/v1/admin/invites?requestId={id}");
    bundle.get(&path, &key).await.body["invites"][0].clone()
}

/// The actions in a request's history, all of which a shop did.
async fn history(bundle: &TestBundle, id: &str) -> Vec<String> {
    let story = story(bundle, id).await;
    let entries = story["history"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            assert_eq!(entry["who"], "shop");
            entry["action"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// The links that WebEngage was told of by an event, in order, and the ids of these calls.
fn told(bundle: &TestBundle, event: &str) -> Vec<(String, Option<String>)> {
    let events = bundle.webengage.ingested().into_iter();
    let of = events.filter(|told| told.body["eventName"] == event);
    of.map(|told| {
        let link = told.body["eventData"]["inviteLink"].as_str().unwrap();
        (link.to_owned(), told.request_id)
    })
    .collect()
}

fn links_told(bundle: &TestBundle, event: &str) -> Vec<String> {
    told(bundle, event).into_iter().map(|told| told.0).collect()
}

fn alive(bundle: &TestBundle) -> Vec<String> {
    let links = bundle.telegram.links().into_iter();
    links
        .filter(|link| !link.revoked)
        .map(|link| link.url)
        .collect()
}

/// The update by which Telegram reports that `person` came in by `link`, or left.
fn member_update(bundle: &TestBundle, person: i64, at_ms: i64, link: Option<&str>) -> Value {
    let user = json!({"id": person, "is_bot": false, "first_name": "A"});
    let (old, new) = match link {
        Some(_) => ("left", "member"),
        None => ("member", "left"),
    };
    let mut update = json!({"update_id": 1, "chat_member": {"chat": {"id": bundle.chat_id, "type": "supergroup"},
        "from": user, "date": at_ms / 1000,
        "old_chat_member": {"status": old, "user": user}, "new_chat_member": {"status": new, "user": user}}});
    if let Some(link) = link {
        update["chat_member"]["invite_link"] = json!({"invite_link": link});
    }
    update
}

/// The end of a record, in seconds since the Unix epoch.
async fn expires_at(bundle: &TestBundle, table: &str, key: &str, value: &str) -> i64 {
    let get = bundle.dynamodb().get_item().table_name(table);
    let got = get.key(key, AttributeValue::S(value.to_owned())).send();
    let item = got.await.unwrap().item.unwrap();
    item["expiresAt"].as_n().unwrap().parse().unwrap()
}

/// No message gets into a queue from now on.
fn queues_are_down(bundle: &TestBundle) {
    for operation in ["SendMessage", "SendMessageBatch"] {
        let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, operation);
        bundle.aws().wire().fail(rule.always());
    }
}

#[tokio::test]
async fn the_end_of_a_link_is_told_beside_it_everywhere() {
    for pool in ["0", "2"] {
        let bundle = TestBundle::with(&[("LINK_POOL_TARGET", pool)]).await;
        if pool != "0" {
            bundle.functions().tick().await;
            bundle.settle().await;
            bundle.functions().tick().await;
            bundle.settle().await;
            assert_eq!(bundle.telegram.link_count(), 2);
        }
        let first = bundle.buy("u1", "T1").await.body;
        assert_eq!(first["status"], if pool == "0" { "queued" } else { "done" });
        assert_eq!(
            first.get("linkExpiresAt").is_some(),
            first.get("inviteLink").is_some()
        );
        bundle.settle().await;
        let id = first["requestId"].as_str().unwrap();
        let status = bundle.status(id).await;
        let ends = bundle
            .telegram
            .link(status["inviteLink"].as_str().unwrap())
            .unwrap()
            .expire_date
            .unwrap();
        let told = status["linkExpiresAt"].as_str().unwrap();
        let told: common::domain::time::Timestamp = told.parse().unwrap();
        assert_eq!(told.seconds(), ends);
        let repeat = bundle.buy("u1", "T1").await.body;
        assert_eq!(repeat["linkExpiresAt"], status["linkExpiresAt"]);
        assert_eq!(repeat.get("reissued"), None);
    }
}

#[tokio::test]
async fn a_repeat_after_the_link_expired_unused_makes_a_new_one_once() {
    let bundle = TestBundle::start().await;
    let (id, old) = bundle.admitted("u1", "T1").await;
    bundle.turn_when_idle(HOUR * 47).await;
    let early = bundle.buy("u1", "T1").await.body;
    assert_eq!(
        (
            &early["status"],
            &early["inviteLink"],
            early.get("reissued")
        ),
        (&json!("done"), &json!(old), None)
    );
    bundle.turn_when_idle(HOUR * 2).await;
    assert_eq!(bundle.tap(&old, 70), Tap::Expired);
    // Twenty at once, and the answer of the write is lost on the way.
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = bundle.aws().wire().fail(rule);
    let answers = join_all((0..20).map(|_| bundle.buy("u1", "T1"))).await;
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
    bundle.settle().await;
    let new = bundle.link(&id).await;
    assert_ne!(new, old);
    assert_eq!(bundle.telegram.link_count(), 2);
    assert!(bundle.telegram.link(&old).unwrap().revoked, "dead first");
    assert_eq!(links_told(&bundle, CREATED), [old, new.clone()]);
    assert_eq!(history(&bundle, &id).await, ["reissue"]);
    let repeat = bundle.buy("u1", "T1").await.body;
    assert_eq!(
        (&repeat["inviteLink"], repeat.get("reissued")),
        (&json!(new), None)
    );
    assert_eq!(bundle.tap(&new, 77), Tap::Joined);
    bundle.settle().await;
    // Once it was used nothing ends any more.
    bundle.turn_when_idle(HOUR * 100).await;
    let repeat = bundle.buy("u1", "T1").await.body;
    assert_eq!(
        (&repeat["status"], repeat.get("reissued")),
        (&json!("done"), None)
    );
    bundle.settle().await;
    assert_eq!(bundle.telegram.link_count(), 2);
}

#[tokio::test]
async fn a_repeat_of_another_user_makes_no_new_link() {
    let bundle = TestBundle::start().await;
    bundle.admitted("u1", "T1").await;
    bundle.turn_when_idle(HOUR * 49).await;
    let answer = bundle.buy("u2", "T1").await;
    assert_eq!(
        (answer.status, answer.code()),
        (409, "transaction_conflict")
    );
    bundle.settle().await;
    assert_eq!(bundle.telegram.link_count(), 1);
}

#[tokio::test]
async fn a_shop_replaces_a_link_and_a_repeat_that_names_it_replaces_no_other() {
    let bundle = TestBundle::start().await;
    let (id, old) = bundle.admitted("u1", "T1").await;
    let named = format!(
        r#"{{"linkVersion": {}}}"#,
        bundle.status(&id).await["linkVersion"]
    );
    let first = act(&bundle, &id, "reissue", &named).await;
    assert_eq!(
        (
            first.status,
            &first.body["status"],
            &first.body["linkVersion"]
        ),
        (200, &json!("QUEUED"), &json!(1))
    );
    assert_eq!(first.body.get("inviteLink"), None);
    bundle.settle().await;
    let second = act(&bundle, &id, "reissue", &named).await;
    assert_eq!(
        (second.status, &second.body["status"]),
        (200, &json!("DONE"))
    );
    bundle.settle().await;
    let new = bundle.link(&id).await;
    assert_ne!(new, old);
    assert_eq!(alive(&bundle), [new]);
    assert_eq!(bundle.telegram.link_count(), 2);
    let stale = act(&bundle, &id, "reissue", r#"{"linkVersion": 7}"#).await;
    assert_eq!((stale.status, stale.code()), (409, "link_replaced"));
}

#[tokio::test]
async fn calls_that_are_none_are_refused_by_what_is_wrong() {
    let bundle = TestBundle::start().await;
    let id = bundle.bought("u1", "T1").await;
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
        let answer = act(&bundle, id, action, body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{action} {body}"
        );
    }
    // A mark at its front is no part of a body: it is read, and what it names is looked for.
    let marked = "\u{feff}{\"linkVersion\": 7}";
    let answer = act(&bundle, &id, "reissue", marked).await;
    assert_eq!((answer.status, answer.code()), (409, "link_replaced"));
    let big = "x".repeat(70_000);
    let answer = act(&bundle, &id, "void", &big).await;
    assert_eq!((answer.status, answer.code()), (413, "too_large"));
    let path = format!("/v1/invite/{id}/void");
    let key = [("x-api-key", bundle.bundle.api_key())];
    let answer = bundle.get(&path, &key).await;
    assert_eq!((answer.status, answer.code()), (405, "method_not_allowed"));
    let client = common::http::client(HOUR).unwrap();
    let url = format!("{}{path}", bundle.bundle.url);
    let put = client.put(url).header("x-api-key", bundle.bundle.api_key());
    let answer = put.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 405);
    assert_eq!(answer.headers()["allow"], "POST");
    for action in ["void", "reissue", "vanish"] {
        for key in [
            ("x-api-key", "wrong"),
            ("x-admin-key", bundle.bundle.admin_key()),
        ] {
            let path = format!("/v1/invite/{id}/{action}");
            let answer = bundle.post(&path, "", &[key]).await;
            assert_eq!((answer.status, answer.code()), (401, "unauthorized"));
        }
    }
    bundle.settle().await;
    bundle.link(&id).await;
    assert!(
        history(&bundle, &id).await.is_empty(),
        "a refusal is no action"
    );
}

#[tokio::test]
async fn a_reissue_that_is_asked_for_again_and_again_is_one_task() {
    let bundle = TestBundle::start().await;
    let (id, first) = bundle.admitted("u1", "T1").await;
    bundle.pause_schedule();
    queues_are_down(&bundle);
    for _ in 0..5 {
        acted(&bundle, &id, "reissue").await;
        bundle.turn(Duration::from_secs(10));
    }
    assert_eq!(bundle.tasks().await.len(), 1);
    bundle.aws().wire().clear_faults();
    bundle.functions().tick().await;
    bundle.settle().await;
    assert!(bundle.telegram.link(&first).unwrap().revoked);
    assert_eq!(bundle.telegram.link_count(), 2);
    assert_eq!(alive(&bundle), [bundle.link(&id).await]);
}

#[tokio::test]
async fn who_left_comes_back_by_a_new_link_and_each_join_is_an_event_of_its_own() {
    let bundle = TestBundle::start().await;
    let (id, first) = bundle.admitted("u1", "T1").await;
    assert_eq!(bundle.tap(&first, 77), Tap::Joined);
    bundle.settle().await;
    let joined_at = bundle.clock.now_ms();
    bundle.turn_when_idle(HOUR).await;
    // Somebody else leaves, who came in otherwise.
    let stranger = member_update(&bundle, 99, bundle.clock.now_ms(), None);
    assert_eq!(bundle.update(&stranger).await.body["result"], "ignored");
    assert_eq!(bundle.status(&id).await.get("leftAt"), None);
    // A leave from before the join is of another stay.
    let before = member_update(&bundle, 77, joined_at - 60_000, None);
    assert_eq!(bundle.update(&before).await.body["result"], "ignored");
    assert_eq!(bundle.status(&id).await.get("leftAt"), None);
    bundle.telegram.leave(bundle.chat_id, 77);
    let left = until("the leave is recorded", async || {
        let status = bundle.status(&id).await;
        status["leftAt"].is_string().then_some(status)
    })
    .await;
    assert_eq!(
        (&left["joined"], &left["status"]),
        (&json!(true), &json!("DONE"))
    );
    assert_eq!(bundle.tap(&first, 77), Tap::Revoked);
    bundle.turn_when_idle(HOUR).await;
    acted(&bundle, &id, "reissue").await;
    bundle.settle().await;
    let status = bundle.status(&id).await;
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
    let second = bundle.link(&id).await;
    assert_ne!(second, first);
    let detail = story(&bundle, &id).await["history"][0]["detail"].clone();
    assert!(
        detail.as_str().unwrap().contains("by which 77 joined at"),
        "{detail}"
    );
    // The first join is reported once more: it is over, and takes no seat.
    let late = member_update(&bundle, 77, joined_at, Some(&first));
    assert_eq!(bundle.update(&late).await.body["result"], "duplicate");
    assert_eq!(bundle.status(&id).await["joined"], false);
    assert_eq!(bundle.tap(&second, 77), Tap::Joined);
    bundle.settle().await;
    let status = bundle.status(&id).await;
    assert_eq!(
        (&status["joined"], status.get("leftAt")),
        (&json!(true), None)
    );
    assert_eq!(status["joinEventFired"], true);
    let told = told(&bundle, JOINED);
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0].0, &told[1].0), (&first, &second));
    assert_ne!(told[0].1, told[1].1, "WebEngage takes an id once");
    let answer = act(&bundle, &id, "reissue", "").await;
    assert_eq!(answer.code(), "already_joined");
    bundle.settle().await;
}

#[tokio::test]
async fn a_join_that_webengage_was_not_told_of_is_told_though_its_person_left_and_came_back() {
    let bundle = TestBundle::start().await;
    let (id, first) = bundle.admitted("u1", "T1").await;
    bundle.webengage.set_mode(Mode::Down);
    let attempts = bundle.webengage.attempt_count();
    assert_eq!(bundle.tap(&first, 77), Tap::Joined);
    bundle
        .run_until(|| bundle.webengage.attempt_count() > attempts)
        .await;
    bundle.telegram.leave(bundle.chat_id, 77);
    until("the leave is recorded", async || {
        (bundle.status(&id).await["leftAt"].is_string()).then_some(())
    })
    .await;
    bundle.turn_when_idle(Duration::from_secs(5)).await;
    acted(&bundle, &id, "reissue").await;
    let made = || bundle.telegram.link_count() == 2;
    bundle.run_until(made).await;
    let second = until("the link is there", async || {
        let status = bundle.status(&id).await;
        Some(status["inviteLink"].as_str()?.to_owned())
    })
    .await;
    assert_eq!(bundle.tap(&second, 78), Tap::Joined);
    bundle.webengage.mend();
    bundle.settle().await;
    let mut told = links_told(&bundle, JOINED);
    told.sort();
    let mut both = vec![first, second];
    both.sort();
    assert_eq!(told, both);
    let status = bundle.status(&id).await;
    assert_eq!(
        (&status["joinEventFired"], &status["telegramUserId"]),
        (&json!(true), &json!(78))
    );
}

#[tokio::test]
async fn the_lookup_of_a_leave_is_put_again_if_its_answer_or_its_table_was_lost() {
    let bundle = TestBundle::start().await;
    let (id, link) = bundle.admitted("u1", "T1").await;
    let at = bundle.clock.now_ms();
    let join = member_update(&bundle, 77, at, Some(&link));
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    bundle.aws().wire().fail(rule.named("InviteLinks").always());
    assert_eq!(bundle.update(&join).await.status, 503);
    bundle.aws().wire().clear_faults();
    assert_eq!(bundle.update(&join).await.body["result"], "duplicate");
    bundle.settle().await;
    let leave = member_update(&bundle, 77, at + 60_000, None);
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "UpdateItem");
    let hits = bundle.aws().wire().fail(rule.named("InviteRequests"));
    assert_eq!(bundle.update(&leave).await.status, 200);
    assert_eq!(hits.count(), 1);
    assert!(bundle.status(&id).await["leftAt"].is_string());
    assert_eq!(links_told(&bundle, JOINED), [link]);
}

#[tokio::test]
async fn a_late_reissue_keeps_the_record_as_long_as_its_link_and_longer() {
    let bundle = TestBundle::with(&[("RETENTION_DAYS", "28"), ("INVITE_TTL_SEC", "864000")]).await;
    let (id, _) = bundle.admitted("u1", "T1").await;
    let first = expires_at(&bundle, "InviteRequests", "requestId", &id).await;
    bundle.turn_when_idle(HOUR * 24 * 27).await;
    assert_eq!(bundle.buy("u1", "T1").await.body["reissued"], true);
    let queued = expires_at(&bundle, "InviteRequests", "requestId", &id).await;
    assert!(queued > first + 19 * 24 * 3600, "while it waits too");
    bundle.settle().await;
    let link = bundle.link(&id).await;
    let ends = bundle.telegram.link(&link).unwrap().expire_date.unwrap();
    let kept = expires_at(&bundle, "InviteRequests", "requestId", &id).await;
    assert!(
        kept >= ends + 7 * 24 * 3600 && kept >= queued,
        "{kept} {ends}"
    );
    let hash = common::domain::id::InviteLink::new(link).hash();
    let lookup = expires_at(&bundle, "InviteLinks", "linkHash", hash.as_str()).await;
    assert!(lookup >= ends, "{lookup} {ends}");
}
