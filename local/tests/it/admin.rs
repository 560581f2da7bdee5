//! What operators see and do, and the sweeper that mends what stopped on its way: the real functions at the wire.

mod actions;
mod chats;
mod find;
mod lanes;
mod letters;
mod reissue;
mod sweeper;

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use common::config::Env;
use local::harness::{Answer, TestBundle};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Refusal;

const HOUR: Duration = Duration::from_secs(3600);
const CREATED: &str = "pass_paid_community_telegram_link_created";
const JOINED: &str = "pass_paid_community_telegram_joined";
/// What the bundle calls the one operator that it makes up.
const OPERATOR: &str = "operator";

fn shared(bundle: &TestBundle) -> common::aws::Shared {
    let env = bundle.env().iter();
    let mut env: Env = env
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    common::aws::Shared::from_env(&mut env)
}

/// A bundle whose sweeper runs only when the test says so.
async fn quiet(env: &[(&str, &str)]) -> TestBundle {
    let bundle = TestBundle::with(env).await;
    bundle.pause_sweeper();
    bundle
}

async fn get(bundle: &TestBundle, path: &str) -> Answer {
    let key = [("x-admin-key", bundle.bundle.admin_key())];
    bundle.get(&format!("/v1/admin/{path}"), &key).await
}

async fn post(bundle: &TestBundle, path: &str, body: &Value) -> Answer {
    let key = [("x-admin-key", bundle.bundle.admin_key())];
    let path = format!("/v1/admin/{path}");
    bundle.post(&path, body.to_string(), &key).await
}

/// An action on a request.
async fn act(bundle: &TestBundle, id: &str, action: &str, body: Value) -> Answer {
    post(bundle, &format!("invites/{id}/{action}"), &body).await
}

/// An action that must be done.
async fn acted(bundle: &TestBundle, id: &str, action: &str, body: Value) -> Value {
    let answer = act(bundle, id, action, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["ok"], true);
    answer.body
}

/// All that is told of a request.
async fn story(bundle: &TestBundle, id: &str) -> Value {
    let answer = get(bundle, &format!("invites?requestId={id}")).await;
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
fn refuse_for_good(bundle: &TestBundle) {
    let refusal = Refusal::new(400, "Bad Request: USER_ODD_INVALID");
    let fault = simulators::telegram::Fault::Refuse(refusal);
    let rule = simulators::telegram::FaultRule::on("createChatInviteLink", fault);
    bundle.telegram.fail(rule.times(REFUSALS));
}

/// A request that was given up.
async fn failed(bundle: &TestBundle, user: &str, transaction: &str) -> String {
    refuse_for_good(bundle);
    let id = bundle.bought(user, transaction).await;
    bundle.settle().await;
    assert_eq!(bundle.status(&id).await["status"], "FAILED");
    id
}

/// No message gets into a queue from now on.
fn queues_are_down(bundle: &TestBundle) {
    for operation in ["SendMessage", "SendMessageBatch"] {
        let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, operation);
        bundle.aws().wire().fail(rule.always());
    }
}

/// All messages of a queue are lost.
async fn lose(bundle: &TestBundle, queue: &str) {
    let url = bundle.aws().queue_url(queue);
    let sqs = shared(bundle).sqs();
    sqs.purge_queue().queue_url(url).send().await.unwrap();
    assert_eq!(bundle.depth(queue), 0);
}

/// How many requests the index of pending events holds.
async fn pending(bundle: &TestBundle) -> usize {
    let mut pending = 0;
    for shard in 0..16 {
        let page = bundle
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
fn told(bundle: &TestBundle, event: &str) -> Vec<String> {
    let events = bundle.webengage.ingested();
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
fn join_update(bundle: &TestBundle, link: &str, person: i64) -> Value {
    let user = json!({"id": person, "is_bot": false, "first_name": "A"});
    json!({"update_id": 1, "chat_member": {"chat": {"id": bundle.chat_id, "type": "supergroup"}, "from": user,
        "date": bundle.clock.now_ms() / 1000,
        "old_chat_member": {"status": "left", "user": user}, "new_chat_member": {"status": "member", "user": user},
        "invite_link": {"invite_link": link}}})
}
