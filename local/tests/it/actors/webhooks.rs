//! Actors' webhooks: what an actor would read is sent to it, in order by chat, whatever fails or dies.

use std::time::Duration;

use local::harness::{BotApiActor, MINUTE, Receiver, Reply, TestStack, until};
use local::resources::HOOKS_TICK_TIMEOUT;
use serde_json::{Value, json};

use super::CLAIMED;

const SECRET: &str = "a-secret_1";

/// A stack, and an actor whose updates are sent to the receiver.
pub(super) async fn sent_to(receiver: &Receiver) -> (TestStack, BotApiActor) {
    sent_to_role(receiver, "operator").await
}

/// The same, of an actor of another role.
pub(super) async fn sent_to_role(receiver: &Receiver, role: &str) -> (TestStack, BotApiActor) {
    let env = [CLAIMED, ("HOOK_EXEMPT_HOSTS", receiver.host.as_str())];
    let stack = TestStack::with(&env).await;
    let crm = stack.actor("crm", role).await;
    let set = json!({"url": receiver.url("/bot"), "secret_token": SECRET});
    let answer = crm.call("setWebhook", &set).await.done();
    assert_eq!(answer["description"], "Webhook was set");
    // Until then `webhook` may believe that nobody is sent anything.
    stack.clock.advance(Duration::from_secs(5));
    (stack, crm)
}

/// A person writes; `hooks` looks whether it was rung or not, since bells are as far apart by another clock.
pub(super) async fn says(stack: &TestStack, person: i64, text: &str) {
    stack.customer(person).say(stack.bot_id, text);
    stack.run_until_idle().await;
    look(stack).await;
}

/// A minute is over for `hooks`.
pub(super) async fn tick(stack: &TestStack) {
    stack.clock.advance(MINUTE);
    look(stack).await;
}

pub(super) async fn look(stack: &TestStack) {
    let deadline = tokio::time::Instant::now() + HOOKS_TICK_TIMEOUT;
    stack.functions().get("hooks").tick(deadline).await;
    stack.run_until_idle().await;
}

/// What the receiver was sent, with the numbers.
fn heard(receiver: &Receiver) -> Vec<(i64, String)> {
    let calls = receiver.calls();
    let updates = calls.iter().map(local::harness::ReceivedCall::json);
    updates
        .map(|update| (super::number(&update), super::text(&update).to_owned()))
        .collect()
}

fn texts(receiver: &Receiver) -> Vec<String> {
    heard(receiver).into_iter().map(|(_, text)| text).collect()
}

pub(super) async fn info(actor: &BotApiActor) -> Value {
    let info = actor.call("getWebhookInfo", &json!({})).await.done();
    info["result"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_actor_is_sent_what_it_would_read_with_its_secret_and_does_not_poll_meanwhile() {
    let receiver = Receiver::start().await;
    let (stack, crm) = sent_to(&receiver).await;
    says(&stack, 7, "one").await;
    says(&stack, 8, "two").await;
    assert_eq!(texts(&receiver), ["one", "two"]);
    let calls = receiver.calls();
    let is_ours =
        |call: &local::harness::ReceivedCall| call.secret_token == SECRET && call.path == "/bot";
    assert!(calls.iter().all(is_ours), "{calls:?}");
    let shown = info(&crm).await;
    assert_eq!(shown["url"], json!(receiver.url("/bot")));
    assert_eq!(
        [&shown["pending_update_count"], &shown["max_connections"]],
        [0, 40]
    );
    assert!(shown["last_error_date"].is_null());
    let refused = crm.call("getUpdates", &json!({})).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    // The bot goes on as before, and another actor reads for itself.
    assert_eq!(stack.telegram.count("setWebhook"), 1);
    let deleted = crm.call("deleteWebhook", &json!({})).await.done();
    assert_eq!(deleted["description"], "Webhook was deleted");
    says(&stack, 7, "three").await;
    let updates = crm.updates(0).await;
    let read: Vec<&str> = updates.iter().map(super::text).collect();
    assert_eq!(read, ["three"], "what was sent is confirmed");
    assert_eq!(receiver.calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poll_that_is_held_ends_by_a_webhook_and_what_is_pending_is_dropped_if_it_is_to_be() {
    let receiver = Receiver::start().await;
    let env = [CLAIMED, ("HOOK_EXEMPT_HOSTS", receiver.host.as_str())];
    let stack = TestStack::with(&env).await;
    let crm = stack.actor("crm", "operator").await;
    says(&stack, 7, "old").await;
    let first = crm.updates(0).await;
    let offset = super::number(&first[0]) + 1;
    let poll = {
        let crm = crm.clone();
        let asked = json!({"offset": offset, "timeout": 20});
        tokio::spawn(async move { crm.call("getUpdates", &asked).await })
    };
    let set = json!({"url": receiver.url("/"), "drop_pending_updates": true});
    until("the poll is held", async || {
        stack.clock.advance(Duration::from_secs(1));
        crm.call("setWebhook", &set).await.done();
        poll.is_finished().then_some(())
    })
    .await;
    assert_eq!(poll.await.unwrap().status, 409);
    stack.clock.advance(Duration::from_secs(5));
    says(&stack, 7, "new").await;
    assert_eq!(texts(&receiver), ["new"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_chat_whose_update_is_refused_waits_for_it_and_the_others_go_on() {
    let receiver = Receiver::start().await;
    receiver.refuses("ann 1");
    let (stack, crm) = sent_to(&receiver).await;
    stack.pause_schedule();
    for text in ["1", "2"] {
        says(&stack, 7, &format!("ann {text}")).await;
        says(&stack, 8, &format!("bob {text}")).await;
    }
    let mut said = texts(&receiver);
    let tries = said.iter().filter(|text| *text == "ann 1").count();
    assert!((2..8).contains(&tries), "{said:?}");
    said.retain(|text| text != "ann 1");
    assert_eq!(said, ["bob 1", "bob 2"], "and ann 2 waits");
    let shown = info(&crm).await;
    assert_eq!(shown["pending_update_count"], 2, "{shown}");
    let why = shown["last_error_message"].as_str().unwrap();
    assert_eq!(
        why,
        "Wrong response from the webhook: 500 Internal Server Error"
    );
    assert!(shown["last_error_date"].is_i64());
    receiver.refuses("nothing");
    tick(&stack).await;
    let said = texts(&receiver);
    assert_eq!(said[said.len() - 2..], ["ann 1", "ann 2"]);
    let bobs = said.iter().filter(|text| text.starts_with("bob"));
    assert_eq!(
        bobs.count(),
        2,
        "what was taken does not come again: {said:?}"
    );
    assert_eq!(info(&crm).await["pending_update_count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_actor_misses_nothing_when_whoever_sends_dies_before_the_cursor_is_written() {
    let receiver = Receiver::start().await;
    receiver.answers_next(Reply::Hang);
    let (stack, crm) = sent_to(&receiver).await;
    stack.pause_schedule();
    stack.customer(7).say(stack.bot_id, "one");
    stack.customer(8).say(stack.bot_id, "two");
    until("both are sent", async || {
        (receiver.calls().len() == 2).then_some(())
    })
    .await;
    assert!(stack.kill_hooks() > 0);
    says(&stack, 7, "three").await;
    tick(&stack).await;
    tick(&stack).await;
    let mut said = heard(&receiver);
    said.sort();
    said.dedup();
    let texts: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
    let mut sorted = texts.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        ["one", "three", "two"],
        "each has one number: {said:?}"
    );
    let at = |text: &str| heard(&receiver).iter().rposition(|(_, of)| of == text);
    assert!(at("one") < at("three"), "in the order of the chat");
    assert_eq!(info(&crm).await["pending_update_count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_nobody_takes_for_a_day_is_passed_over_and_a_wait_that_is_asked_for_is_kept() {
    let receiver = Receiver::start().await;
    let (stack, crm) = sent_to(&receiver).await;
    stack.pause_schedule();
    receiver.answers(Reply::Answer(
        503,
        vec![("retry-after", "600".to_owned())],
        0,
    ));
    says(&stack, 7, "one").await;
    for _ in 0..9 {
        tick(&stack).await;
    }
    assert_eq!(receiver.calls().len(), 1, "nothing while it asked to wait");
    tick(&stack).await;
    assert_eq!(receiver.calls().len(), 2);
    stack.clock.advance(Duration::from_secs(24 * 3600));
    tick(&stack).await;
    assert_eq!(receiver.calls().len(), 3);
    assert_eq!(info(&crm).await["pending_update_count"], 0);
    receiver.answers(Reply::status(200));
    says(&stack, 7, "two").await;
    assert_eq!(texts(&receiver).last().unwrap(), "two");
    tick(&stack).await;
    assert_eq!(receiver.calls().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_may_not_be_called_is_refused_and_a_name_that_leads_within_is_not_called() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    for (parameters, says) in [
        (json!({"url": "crm.example"}), "invalid webhook URL"),
        (json!({"url": "http://crm.example/"}), "HTTPS URL"),
        (
            json!({"url": "https://crm.example:22/"}),
            "ports 443 and 8443",
        ),
        (json!({"url": "https://10.0.0.1/"}), "reserved"),
        (
            json!({"url": "https://[::ffff:169.254.169.254]/"}),
            "reserved",
        ),
        (
            json!({"url": "https://a.example/", "secret_token": "é"}),
            "unallowed characters",
        ),
        (
            json!({"url": "https://a.example/", "max_connections": 101}),
            "max_connections",
        ),
        (
            json!({"url": "https://a.example/", "ip_address": "1.1.1.1"}),
            "ip_address",
        ),
        (
            json!({"url": "https://a.example/", "certificate": "x"}),
            "certificates",
        ),
    ] {
        let refused = crm.call("setWebhook", &parameters).await;
        let words = refused.body["description"].as_str().unwrap();
        assert_eq!(refused.status, 400, "{parameters}: {words}");
        assert!(words.contains(says), "{parameters}: {words}");
    }
    assert_eq!(info(&crm).await["url"], "");
    let set = json!({"url": "https://localhost/"});
    crm.call("setWebhook", &set).await.done();
    stack.clock.advance(Duration::from_secs(5));
    says(&stack, 7, "one").await;
    let shown = info(&crm).await;
    assert_eq!(shown["pending_update_count"], 1);
    assert_eq!(
        shown["last_error_message"],
        "The address of the webhook is reserved"
    );
    crm.call("deleteWebhook", &json!({"drop_pending_updates": true}))
        .await
        .done();
}
