//! What a shop does to a request of its own: another link for one that expired or whose buyer left, and the seat taken
//! back. The real functions at the wire.

mod presence;
mod void;

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use local::harness::{Answer, TestStack, until};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Tap;
use simulators::webengage::Mode;

const HOUR: Duration = Duration::from_secs(3600);
const CREATED: &str = "pass_paid_community_telegram_link_created";
const JOINED: &str = "pass_paid_community_telegram_joined";

async fn act(stack: &TestStack, id: &str, action: &str, body: &str) -> Answer {
    let key = [("x-api-key", stack.local.api_key())];
    let path = format!("/v1/invite/{id}/{action}");
    stack.post(&path, body.to_owned(), &key).await
}

/// An action that must be done; it is answered as the status is.
async fn acted(stack: &TestStack, id: &str, action: &str) -> Value {
    let answer = act(stack, id, action, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["requestId"], id);
    answer.body
}

/// All that operators see of a request.
async fn story(stack: &TestStack, id: &str) -> Value {
    let key = [("x-admin-key", stack.local.admin_key())];
    let path = format!("/v1/admin/invites?requestId={id}");
    stack.get(&path, &key).await.body["invites"][0].clone()
}

/// The actions in a request's history, all of which a shop did.
async fn history(stack: &TestStack, id: &str) -> Vec<String> {
    let story = story(stack, id).await;
    let entries = story["history"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            assert_eq!(entry["who"], "shop");
            entry["action"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// The links that WebEngage was told of by an event, in order, and the ids of these calls.
fn told(stack: &TestStack, event: &str) -> Vec<(String, Option<String>)> {
    let events = stack.webengage.ingested().into_iter();
    let of = events.filter(|told| told.body["eventName"] == event);
    of.map(|told| {
        let link = told.body["eventData"]["inviteLink"].as_str().unwrap();
        (link.to_owned(), told.request_id)
    })
    .collect()
}

fn links_told(stack: &TestStack, event: &str) -> Vec<String> {
    told(stack, event).into_iter().map(|told| told.0).collect()
}

fn alive(stack: &TestStack) -> Vec<String> {
    let links = stack.telegram.links().into_iter();
    links
        .filter(|link| !link.revoked)
        .map(|link| link.url)
        .collect()
}

/// The update by which Telegram reports that `person` came in by `link`, or left.
fn member_update(stack: &TestStack, person: i64, at_ms: i64, link: Option<&str>) -> Value {
    let user = json!({"id": person, "is_bot": false, "first_name": "A"});
    let (old, new) = match link {
        Some(_) => ("left", "member"),
        None => ("member", "left"),
    };
    let mut update = json!({"update_id": 1, "chat_member": {"chat": {"id": stack.chat_id, "type": "supergroup"},
        "from": user, "date": at_ms / 1000,
        "old_chat_member": {"status": old, "user": user}, "new_chat_member": {"status": new, "user": user}}});
    if let Some(link) = link {
        update["chat_member"]["invite_link"] = json!({"invite_link": link});
    }
    update
}

/// The end of a record, in seconds since the Unix epoch.
async fn expires_at(stack: &TestStack, table: &str, key: &str, value: &str) -> i64 {
    let get = stack.dynamodb().get_item().table_name(table);
    let got = get.key(key, AttributeValue::S(value.to_owned())).send();
    let item = got.await.unwrap().item.unwrap();
    item["expiresAt"].as_n().unwrap().parse().unwrap()
}

/// No message gets into a queue from now on.
fn queues_are_down(stack: &TestStack) {
    for operation in ["SendMessage", "SendMessageBatch"] {
        let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, operation);
        stack.aws().wire().fail(rule.always());
    }
}

#[tokio::test]
async fn the_end_of_a_link_is_told_beside_it_everywhere() {
    for pool in ["0", "2"] {
        let stack = TestStack::with(&[("LINK_POOL_TARGET", pool)]).await;
        if pool != "0" {
            stack.functions().tick().await;
            stack.run_until_idle().await;
            stack.functions().tick().await;
            stack.run_until_idle().await;
            assert_eq!(stack.telegram.link_count(), 2);
        }
        let first = stack.buy("u1", "T1").await.body;
        assert_eq!(first["status"], if pool == "0" { "queued" } else { "done" });
        assert_eq!(
            first.get("linkExpiresAt").is_some(),
            first.get("inviteLink").is_some()
        );
        stack.run_until_idle().await;
        let id = first["requestId"].as_str().unwrap();
        let status = stack.status(id).await;
        let ends = stack
            .telegram
            .link(status["inviteLink"].as_str().unwrap())
            .unwrap()
            .expire_date
            .unwrap();
        let told = status["linkExpiresAt"].as_str().unwrap();
        let told: domain::time::Timestamp = told.parse().unwrap();
        assert_eq!(told.seconds(), ends);
        let repeat = stack.buy("u1", "T1").await.body;
        assert_eq!(repeat["linkExpiresAt"], status["linkExpiresAt"]);
        assert_eq!(repeat.get("reissued"), None);
    }
}

#[tokio::test]
async fn a_repeat_after_the_link_expired_unused_makes_a_new_one_once() {
    let stack = TestStack::start().await;
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.advance_when_idle(HOUR * 47).await;
    let early = stack.buy("u1", "T1").await.body;
    assert_eq!(
        (
            &early["status"],
            &early["inviteLink"],
            early.get("reissued")
        ),
        (&json!("done"), &json!(old), None)
    );
    stack.advance_when_idle(HOUR * 2).await;
    assert_eq!(stack.tap(&old, 70), Tap::Expired);
    // Twenty at once, and the answer of the write is lost on the way.
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = stack.aws().wire().fail(rule);
    let answers = join_all((0..20).map(|_| stack.buy("u1", "T1"))).await;
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
    let new = stack.link(&id).await;
    assert_ne!(new, old);
    assert_eq!(stack.telegram.link_count(), 2);
    assert!(stack.telegram.link(&old).unwrap().revoked, "dead first");
    assert_eq!(links_told(&stack, CREATED), [old, new.clone()]);
    assert_eq!(history(&stack, &id).await, ["reissue"]);
    let repeat = stack.buy("u1", "T1").await.body;
    assert_eq!(
        (&repeat["inviteLink"], repeat.get("reissued")),
        (&json!(new), None)
    );
    assert_eq!(stack.tap(&new, 77), Tap::Joined);
    stack.run_until_idle().await;
    // Once it was used nothing ends any more.
    stack.advance_when_idle(HOUR * 100).await;
    let repeat = stack.buy("u1", "T1").await.body;
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
    let answer = stack.buy("u2", "T1").await;
    assert_eq!(
        (answer.status, answer.code()),
        (409, "transaction_conflict")
    );
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn a_shop_replaces_a_link_and_a_repeat_that_names_it_replaces_no_other() {
    let stack = TestStack::start().await;
    let (id, old) = stack.admitted("u1", "T1").await;
    let named = format!(
        r#"{{"linkVersion": {}}}"#,
        stack.status(&id).await["linkVersion"]
    );
    let first = act(&stack, &id, "reissue", &named).await;
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
    let second = act(&stack, &id, "reissue", &named).await;
    assert_eq!(
        (second.status, &second.body["status"]),
        (200, &json!("DONE"))
    );
    stack.run_until_idle().await;
    let new = stack.link(&id).await;
    assert_ne!(new, old);
    assert_eq!(alive(&stack), [new]);
    assert_eq!(stack.telegram.link_count(), 2);
    let stale = act(&stack, &id, "reissue", r#"{"linkVersion": 7}"#).await;
    assert_eq!((stale.status, stale.code()), (409, "link_replaced"));
}

#[tokio::test]
async fn calls_that_are_none_are_refused_by_what_is_wrong() {
    let stack = TestStack::start().await;
    let id = stack.bought("u1", "T1").await;
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
        let answer = act(&stack, id, action, body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{action} {body}"
        );
    }
    // A mark at its front is no part of a body: it is read, and what it names is looked for.
    let marked = "\u{feff}{\"linkVersion\": 7}";
    let answer = act(&stack, &id, "reissue", marked).await;
    assert_eq!((answer.status, answer.code()), (409, "link_replaced"));
    let big = "x".repeat(70_000);
    let answer = act(&stack, &id, "void", &big).await;
    assert_eq!((answer.status, answer.code()), (413, "too_large"));
    let path = format!("/v1/invite/{id}/void");
    let key = [("x-api-key", stack.local.api_key())];
    let answer = stack.get(&path, &key).await;
    assert_eq!((answer.status, answer.code()), (405, "method_not_allowed"));
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
            assert_eq!((answer.status, answer.code()), (401, "unauthorized"));
        }
    }
    stack.run_until_idle().await;
    stack.link(&id).await;
    assert!(
        history(&stack, &id).await.is_empty(),
        "a refusal is no action"
    );
}

#[tokio::test]
async fn a_reissue_that_is_asked_for_again_and_again_is_one_task() {
    let stack = TestStack::start().await;
    let (id, first) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    queues_are_down(&stack);
    for _ in 0..5 {
        acted(&stack, &id, "reissue").await;
        stack.advance(Duration::from_secs(10));
    }
    assert_eq!(stack.tasks().await.len(), 1);
    stack.aws().wire().clear_faults();
    stack.functions().tick().await;
    stack.run_until_idle().await;
    assert!(stack.telegram.link(&first).unwrap().revoked);
    assert_eq!(stack.telegram.link_count(), 2);
    assert_eq!(alive(&stack), [stack.link(&id).await]);
}

#[tokio::test]
async fn who_left_comes_back_by_a_new_link_and_each_join_is_an_event_of_its_own() {
    let stack = TestStack::start().await;
    let (id, first) = stack.admitted("u1", "T1").await;
    assert_eq!(stack.tap(&first, 77), Tap::Joined);
    stack.run_until_idle().await;
    let joined_at = stack.clock.now_ms();
    stack.advance_when_idle(HOUR).await;
    // Somebody else leaves, who came in otherwise.
    let stranger = member_update(&stack, 99, stack.clock.now_ms(), None);
    assert_eq!(stack.update(&stranger).await.body["result"], "ignored");
    assert_eq!(stack.status(&id).await.get("leftAt"), None);
    // A leave from before the join is of another stay.
    let before = member_update(&stack, 77, joined_at - 60_000, None);
    assert_eq!(stack.update(&before).await.body["result"], "ignored");
    assert_eq!(stack.status(&id).await.get("leftAt"), None);
    stack.telegram.leave(stack.chat_id, 77);
    let left = until("the leave is recorded", async || {
        let status = stack.status(&id).await;
        status["leftAt"].is_string().then_some(status)
    })
    .await;
    assert_eq!(
        (&left["joined"], &left["status"]),
        (&json!(true), &json!("DONE"))
    );
    assert_eq!(stack.tap(&first, 77), Tap::Revoked);
    stack.advance_when_idle(HOUR).await;
    acted(&stack, &id, "reissue").await;
    stack.run_until_idle().await;
    let status = stack.status(&id).await;
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
    let second = stack.link(&id).await;
    assert_ne!(second, first);
    let detail = story(&stack, &id).await["history"][0]["detail"].clone();
    assert!(
        detail.as_str().unwrap().contains("by which 77 joined at"),
        "{detail}"
    );
    // The first join is reported once more: it is over, and takes no seat.
    let late = member_update(&stack, 77, joined_at, Some(&first));
    assert_eq!(stack.update(&late).await.body["result"], "duplicate");
    assert_eq!(stack.status(&id).await["joined"], false);
    assert_eq!(stack.tap(&second, 77), Tap::Joined);
    stack.run_until_idle().await;
    let status = stack.status(&id).await;
    assert_eq!(
        (&status["joined"], status.get("leftAt")),
        (&json!(true), None)
    );
    assert_eq!(status["joinEventFired"], true);
    let told = told(&stack, JOINED);
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0].0, &told[1].0), (&first, &second));
    assert_ne!(told[0].1, told[1].1, "WebEngage takes an id once");
    let answer = act(&stack, &id, "reissue", "").await;
    assert_eq!(answer.code(), "already_joined");
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_join_that_webengage_was_not_told_of_is_told_though_its_person_left_and_came_back() {
    let stack = TestStack::start().await;
    let (id, first) = stack.admitted("u1", "T1").await;
    stack.webengage.set_mode(Mode::Down);
    let attempts = stack.webengage.attempt_count();
    assert_eq!(stack.tap(&first, 77), Tap::Joined);
    stack
        .run_until(|| stack.webengage.attempt_count() > attempts)
        .await;
    stack.telegram.leave(stack.chat_id, 77);
    until("the leave is recorded", async || {
        (stack.status(&id).await["leftAt"].is_string()).then_some(())
    })
    .await;
    stack.advance_when_idle(Duration::from_secs(5)).await;
    acted(&stack, &id, "reissue").await;
    let made = || stack.telegram.link_count() == 2;
    stack.run_until(made).await;
    let second = until("the link is there", async || {
        let status = stack.status(&id).await;
        Some(status["inviteLink"].as_str()?.to_owned())
    })
    .await;
    assert_eq!(stack.tap(&second, 78), Tap::Joined);
    stack.webengage.mend();
    stack.run_until_idle().await;
    let mut told = links_told(&stack, JOINED);
    told.sort();
    let mut both = vec![first, second];
    both.sort();
    assert_eq!(told, both);
    let status = stack.status(&id).await;
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
    let join = member_update(&stack, 77, at, Some(&link));
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    stack.aws().wire().fail(rule.named("InviteLinks").always());
    assert_eq!(stack.update(&join).await.status, 503);
    stack.aws().wire().clear_faults();
    assert_eq!(stack.update(&join).await.body["result"], "duplicate");
    stack.run_until_idle().await;
    let leave = member_update(&stack, 77, at + 60_000, None);
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "UpdateItem");
    let hits = stack.aws().wire().fail(rule.named("InviteRequests"));
    assert_eq!(stack.update(&leave).await.status, 200);
    assert_eq!(hits.count(), 1);
    assert!(stack.status(&id).await["leftAt"].is_string());
    assert_eq!(links_told(&stack, JOINED), [link]);
}

#[tokio::test]
async fn a_late_reissue_keeps_the_record_as_long_as_its_link_and_longer() {
    let stack = TestStack::with(&[("RETENTION_DAYS", "28"), ("INVITE_TTL_SEC", "864000")]).await;
    let (id, _) = stack.admitted("u1", "T1").await;
    let first = expires_at(&stack, "InviteRequests", "requestId", &id).await;
    stack.advance_when_idle(HOUR * 24 * 27).await;
    assert_eq!(stack.buy("u1", "T1").await.body["reissued"], true);
    let queued = expires_at(&stack, "InviteRequests", "requestId", &id).await;
    assert!(queued > first + 19 * 24 * 3600, "while it waits too");
    stack.run_until_idle().await;
    let link = stack.link(&id).await;
    let ends = stack.telegram.link(&link).unwrap().expire_date.unwrap();
    let kept = expires_at(&stack, "InviteRequests", "requestId", &id).await;
    assert!(
        kept >= ends + 7 * 24 * 3600 && kept >= queued,
        "{kept} {ends}"
    );
    let hash = domain::id::InviteLink::new(link).hash();
    let lookup = expires_at(&stack, "InviteLinks", "linkHash", hash.as_str()).await;
    assert!(lookup >= ends, "{lookup} {ends}");
}
