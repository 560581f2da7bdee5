//! What operators see and do, and the sweeper that mends what stopped on its way: the real functions at the wire.

mod actions;
mod chats;
mod dead_letters;
mod find;
mod lanes;
mod reissue;
mod sweeper;

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::{Answer, TestStack};
use runtime::config::Env;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Refusal;

const HOUR: Duration = Duration::from_secs(3600);
const CREATED: &str = "pass_paid_community_telegram_link_created";
const JOINED: &str = "pass_paid_community_telegram_joined";
/// What the local stack calls the one operator that it makes up.
const OPERATOR: &str = "operator";

fn shared(stack: &TestStack) -> runtime::aws::Shared {
    let env = stack.env().iter();
    let mut env: Env = env
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    runtime::aws::Shared::from_env(&mut env)
}

/// A local stack whose sweeper runs only when the test says so.
async fn quiet(env: &[(&str, &str)]) -> TestStack {
    let stack = TestStack::with(env).await;
    stack.pause_sweeper();
    stack
}

async fn get(stack: &TestStack, path: &str) -> Answer {
    let key = [("x-admin-key", stack.local.admin_key())];
    stack.get(&format!("/v1/admin/{path}"), &key).await
}

async fn post(stack: &TestStack, path: &str, body: &Value) -> Answer {
    let key = [("x-admin-key", stack.local.admin_key())];
    let path = format!("/v1/admin/{path}");
    stack.post(&path, body.to_string(), &key).await
}

/// An action on a request.
async fn act(stack: &TestStack, id: &str, action: &str, body: Value) -> Answer {
    post(stack, &format!("invites/{id}/{action}"), &body).await
}

/// An action that must be done.
async fn acted(stack: &TestStack, id: &str, action: &str, body: Value) -> Value {
    let answer = act(stack, id, action, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["ok"], true);
    answer.body
}

/// All that is told of a request.
async fn story(stack: &TestStack, id: &str) -> Value {
    let answer = get(stack, &format!("invites?requestId={id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["invites"][0].clone()
}

/// The actions in a request's history.
fn history(story: &Value) -> Vec<&str> {
    let lines = story["history"].as_array().unwrap().iter();
    lines
        .map(|line| {
            assert_eq!(line["who"], OPERATOR);
            line["action"].as_str().unwrap()
        })
        .collect()
}

/// How often a refusal must come before it is believed.
const REFUSALS: u32 = 5;

/// Telegram refuses a link for good.
fn refuse_for_good(stack: &TestStack) {
    let refusal = Refusal::new(400, "Bad Request: USER_ODD_INVALID");
    let fault = simulators::telegram::Fault::Refuse(refusal);
    let rule = simulators::telegram::FaultRule::on("createChatInviteLink", fault);
    stack.telegram.fail(rule.times(REFUSALS));
}

/// A request that was given up.
async fn failed(stack: &TestStack, user: &str, transaction: &str) -> String {
    refuse_for_good(stack);
    let id = stack.bought(user, transaction).await;
    stack.run_until_idle().await;
    assert_eq!(stack.status(&id).await["status"], "FAILED");
    id
}

/// No message gets into a queue from now on.
fn queues_are_down(stack: &TestStack) {
    for operation in ["SendMessage", "SendMessageBatch"] {
        let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, operation);
        stack.aws().wire().fail(rule.always());
    }
}

/// All messages of a queue are lost.
async fn lose(stack: &TestStack, queue: &str) {
    let url = stack.aws().queue_url(queue);
    let sqs = shared(stack).sqs();
    sqs.purge_queue().queue_url(url).send().await.unwrap();
    assert_eq!(stack.depth(queue), 0);
}

/// How many requests the index of pending events holds.
async fn pending(stack: &TestStack) -> usize {
    let mut pending = 0;
    for shard in 0..16 {
        let page = stack
            .dynamodb()
            .query()
            .table_name("InviteRequests")
            .index_name("Pending")
            .key_condition_expression("pendingShard = :shard")
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
            .send()
            .await
            .unwrap();
        pending += page.items().len();
    }
    pending
}

/// The links that WebEngage was told of by an event, in order.
fn told(stack: &TestStack, event: &str) -> Vec<String> {
    let events = stack.webengage.ingested();
    let of = events.iter().filter(|told| told.body["eventName"] == event);
    of.map(|told| {
        told.body["eventData"]["inviteLink"]
            .as_str()
            .unwrap()
            .to_owned()
    })
    .collect()
}

/// The update by which Telegram reports that `person` joined by `link`.
fn join_update(stack: &TestStack, link: &str, person: i64) -> Value {
    let user = json!({"id": person, "is_bot": false, "first_name": "A"});
    json!({"update_id": 1, "chat_member": {"chat": {"id": stack.chat_id, "type": "supergroup"}, "from": user,
        "date": stack.clock.now_ms() / 1000,
        "old_chat_member": {"status": "left", "user": user}, "new_chat_member": {"status": "member", "user": user},
        "invite_link": {"invite_link": link}}})
}
