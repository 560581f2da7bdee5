//! What an actor sees and does of others' messages and limits: nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use local::harness::{TestStack, until};
use serde_json::{Value, json};
use simulators::aws::WireCall;
use simulators::telegram::{Fault, FaultRule};

use super::{CLAIMED, news};

/// The description of a refusal.
fn words(body: &Value) -> &str {
    body["description"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn an_answer_shows_nothing_that_others_wrote_and_a_copy_is_of_what_the_key_sent() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    let ads = stack.actor("ads", "aggregator").await;
    let named = json!({"name": "group", "role": "operator", "chats": [stack.chat_id]});
    let group = stack.actor_as(&named).await;
    stack.customer(7).say(stack.bot_id, "nobody may read this");
    let theirs = news(&crm, 0).await[0]["message"]["message_id"].clone();
    stack.run_until_idle().await;
    let reply = json!({"chat_id": 7, "text": "x", "reply_parameters": {"message_id": theirs}});
    for actor in [&crm, &ads] {
        let sent = actor.call("sendMessage", &reply).await.done();
        assert!(sent["result"]["message_id"].is_i64(), "{sent}");
        assert!(!sent.to_string().contains("nobody may read"), "{sent}");
    }
    let own = |sent: &Value| sent["result"]["message_id"].clone();
    let of_crm = own(&crm.writes(7, "an offer").await.done());
    let of_ads = own(&ads.writes(7, "an offer").await.done());
    let copy =
        |from: i64, id: &Value| json!({"chat_id": 7, "from_chat_id": from, "message_id": id});
    for (actor, from, id, expected) in [
        (&crm, 7, &of_crm, 200),
        (&crm, 7, &theirs, 403),
        (&crm, 7, &of_ads, 403),
        (&ads, 7, &of_ads, 403),
        (&crm, stack.chat_id, &json!(1), 403),
        // It reads what stands there: that there is no such message is Telegram's word.
        (&group, stack.chat_id, &json!(987_654), 400),
    ] {
        let answer = actor.call("copyMessage", &copy(from, id)).await;
        assert_eq!(answer.status, expected, "{from} {id}: {}", answer.body);
    }
    let both = json!({"chat_id": 7, "from_chat_id": 7, "message_ids": [of_crm, theirs]});
    assert_eq!(crm.call("copyMessages", &both).await.status, 403);
    assert_eq!(stack.telegram.count("copyMessages"), 0);
}

#[tokio::test]
async fn whose_name_is_taken_again_leaves_nothing_to_its_successor() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let first = stack.actor("crm", "operator").await;
    stack.customer(7).say(stack.bot_id, "hello");
    news(&first, 0).await;
    stack.run_until_idle().await;
    let sent = first.writes(7, "an offer").await.done();
    let edit = json!({"chat_id": 7, "message_id": sent["result"]["message_id"], "text": "x"});
    assert_eq!(first.call("editMessageText", &edit).await.status, 200);
    assert_eq!(stack.operator().delete("actors/crm").await.status, 200);
    stack.clock.advance(std::time::Duration::from_secs(1));
    let second = stack.actor("crm", "operator").await;
    assert_eq!(second.call("editMessageText", &edit).await.status, 403);
    let unread = second.get("getUpdates").await.done();
    assert_eq!(unread["result"], json!([]));
}

#[tokio::test]
async fn a_form_smuggles_no_parameter() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    stack.customer(7).say(stack.bot_id, "hello");
    news(&crm, 0).await;
    stack.run_until_idle().await;
    let sends = stack.telegram.count("sendDocument");
    for name in ["d;name=reply_markup;x", "reply_markup", "chat_id"] {
        let field = |name: &str, value: &str| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = [
            field("chat_id", "7"),
            field("document", &format!("attach://{name}")),
            format!(
                "--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n{{}}\r\n--x--\r\n"
            ),
        ];
        let kind = "multipart/form-data; boundary=x";
        let refused = crm.send("sendDocument", kind, body.concat().into_bytes());
        let refused = refused.await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.body);
        assert!(words(&refused.body).contains("file's part"), "{name}");
    }
    assert_eq!(stack.telegram.count("sendDocument"), sends);
}

#[tokio::test]
async fn a_wait_that_telegram_asks_for_stops_the_chat_or_the_caller_alone() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let shop = stack.actor("shop", "backend").await;
    for person in [7, 8] {
        stack.customer(person).say(stack.bot_id, "hello");
        stack.run_until_idle().await;
    }
    let wait = |method: &str| {
        let limit = Fault::TooManyRequests { retry_after: 30 };
        stack.telegram.fail(FaultRule::on(method, limit).times(1));
    };
    wait("getMyCommands");
    let limited = shop.call("getMyCommands", &json!({})).await;
    assert_eq!(limited.status, 429, "{}", limited.body);
    assert_eq!(limited.body["parameters"]["retry_after"], 30);
    assert_eq!(shop.writes(7, "one").await.status, 200);
    wait("sendMessage");
    assert_eq!(shop.writes(7, "two").await.status, 429);
    let sends = stack.telegram.count("sendMessage");
    assert_eq!(shop.writes(7, "three").await.status, 429);
    assert_eq!(
        stack.telegram.count("sendMessage"),
        sends,
        "it is not asked"
    );
    assert_eq!(shop.writes(8, "four").await.status, 200);
}

#[tokio::test]
async fn who_waits_for_a_turn_calls_nobody_once_telegram_has_asked_for_a_wait() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let shop = stack.actor("shop", "backend").await;
    stack.customer(7).say(stack.bot_id, "hello");
    stack.run_until_idle().await;
    // As many as leave at once.
    for number in 0..5 {
        let sent = shop.writes(7, &number.to_string()).await;
        assert_eq!(sent.status, 200, "{}", sent.body);
    }
    let limit = Fault::TooManyRequests { retry_after: 30 };
    let rule = FaultRule::on("sendMessage", limit);
    stack.telegram.fail(rule.chat(7).times(99));
    let before = stack.telegram.count("sendMessage");
    let (answered, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    stack.aws().wire().record_calls(true);
    let calls = join_all((0..15).map(async |_| {
        let answer = shop.writes(7, "more").await;
        answered.fetch_add(1, Ordering::SeqCst);
        answer
    }));
    // A turn is one write that was not refused.
    let is_turn = |call: &WireCall| {
        let table = call.table_or_queue.as_deref() == Some("RateLimits");
        table && call.operation == "UpdateItem" && call.status == 200
    };
    let turns = async {
        until("each has its turn", async || {
            let calls = stack.aws().wire().take_calls();
            let new = calls.iter().filter(|call| is_turn(call)).count();
            (taken.fetch_add(new, Ordering::SeqCst) + new >= 15).then_some(())
        })
        .await;
        // By a clock that stood still meanwhile they are a fifth of a second apart.
        for turn in 1..=15 {
            stack.clock.advance(Duration::from_millis(200));
            until("whoever's turn it is has an answer", async || {
                (answered.load(Ordering::SeqCst) >= turn).then_some(())
            })
            .await;
        }
    };
    let (answers, ()) = join(calls, turns).await;
    for answer in answers {
        assert_eq!(answer.status, 429, "{}", answer.body);
        let after = answer.body["parameters"]["retry_after"].as_u64().unwrap();
        assert!((25..=31).contains(&after), "{after}");
    }
    let asked = stack.telegram.count("sendMessage") - before;
    assert!(asked <= 5, "{asked} of 15 met the limit");
}
