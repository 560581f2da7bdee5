//! Updates that come again, at once, or end badly.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use local::harness::{MINUTE, TestStack, until};
use serde_json::json;

use super::{CLAIMED, answers, last, written};

#[tokio::test]
async fn an_update_that_comes_five_times_and_twenty_times_at_once_gives_one_answer() {
    let stack = started(&[9, 10]).await;
    let update = written(&stack, 501, 9, "/terms");
    for _ in 0..5 {
        assert_eq!(stack.telegram.send(&update).await.status, 200);
    }
    stack.run_until_idle().await;
    assert_eq!(answers(&stack, 9), 2);

    let update = written(&stack, 502, 10, "/terms");
    let calls = join_all((0..20).map(|_| stack.telegram.send(&update))).await;
    // While one handles it, the others are told to come again.
    let statuses: Vec<u16> = calls.iter().map(|answer| answer.status).collect();
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    stack.run_until_idle().await;
    assert_eq!(answers(&stack, 10), 2);
}

/// A stack in which these people have started the bot, which has answered each once.
async fn started(people: &[i64]) -> TestStack {
    let stack = TestStack::with(&[CLAIMED]).await;
    for person in people {
        stack.customer(*person).say(stack.bot_id, "/start");
    }
    stack.run_until_idle().await;
    stack
}

/// A seat of a person that nobody can read.
async fn unreadable_seat(stack: &TestStack, person: i64) {
    let put = stack.dynamodb().put_item().table_name("Members");
    put.item("telegramUserId", AttributeValue::S(person.to_string()))
        .item("chatId", AttributeValue::S(stack.chat_id.to_string()))
        .item("version", AttributeValue::S("none".to_owned()))
        .send()
        .await
        .unwrap();
}

/// How often an update was begun, and ended badly.
async fn attempts(stack: &TestStack, update: i64) -> String {
    let key = AttributeValue::S(format!("{}#{update}", stack.bot_id));
    let get = stack.dynamodb().get_item().table_name("Updates");
    let item = get.key("updateKey", key).send().await.unwrap();
    item.item.unwrap()["attempts"].as_n().unwrap().clone()
}

#[tokio::test]
async fn what_ends_badly_five_times_is_parked_and_handled_when_an_operator_says_so() {
    let stack = started(&[9]).await;
    unreadable_seat(&stack, 9).await;
    let update = written(&stack, 503, 9, "/access");
    for _ in 0..5 {
        assert_eq!(stack.telegram.send(&update).await.status, 503);
    }
    // Telegram is not held up any more.
    assert_eq!(stack.telegram.send(&update).await.status, 200);
    stack.run_until_idle().await;
    assert_eq!(answers(&stack, 9), 1);
    let operator = stack.operator();
    let parked = operator.get("updates/parked").await.done();
    let [update] = &parked["updates"].as_array().unwrap()[..] else {
        panic!("{parked}");
    };
    assert_eq!(
        (&update["updateId"], &update["kind"]),
        (&json!(503), &json!("message"))
    );
    assert_eq!(attempts(&stack, 503).await, "5");
    // Handled once more in vain, it has ended badly once more.
    let path = format!("updates/{}/503/replay", stack.bot_id);
    assert_eq!(operator.post(&path, &json!({})).await.status, 200);
    // A tick that read the table before sees to it a minute later.
    let tried = async || {
        stack.clock.advance(MINUTE);
        stack.run_until_idle().await;
        (attempts(&stack, 503).await == "6").then_some(())
    };
    until("it is handled once more", tried).await;

    let delete = stack.dynamodb().delete_item().table_name("Members");
    delete
        .key("telegramUserId", AttributeValue::S("9".to_owned()))
        .key("chatId", AttributeValue::S(stack.chat_id.to_string()))
        .send()
        .await
        .unwrap();
    assert_eq!(operator.post(&path, &json!({})).await.status, 200);
    let handled = async || {
        stack.clock.advance(MINUTE);
        stack.run_until_idle().await;
        let parked = operator.get("updates/parked").await.done();
        (parked["updates"] == json!([])).then_some(())
    };
    until("it is parked no more", handled).await;
    assert_eq!(answers(&stack, 9), 2);
    assert!(last(&stack, 9).text.contains("no access"));
}

#[tokio::test]
async fn a_table_that_is_down_is_our_own_trouble_and_is_not_counted() {
    use simulators::aws::{FaultRule, Service, WireFault};
    let stack = started(&[9]).await;
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "TransactWriteItems");
    stack.aws().wire().fail(rule.always());
    let update = written(&stack, 504, 9, "/terms");
    // More than ten commands are not taken in a minute; this is one, however often it comes.
    for _ in 0..15 {
        assert_eq!(stack.telegram.send(&update).await.status, 503);
    }
    stack.aws().wire().clear_faults();
    assert_eq!(stack.telegram.send(&update).await.status, 200);
    stack.run_until_idle().await;
    assert_eq!(answers(&stack, 9), 2);
    assert!(last(&stack, 9).text.contains("terms"));
}

#[tokio::test]
async fn what_was_written_slowly_and_comes_all_at_once_is_taken() {
    let stack = started(&[9]).await;
    stack.clock.advance(Duration::from_secs(3600));
    let now = stack.clock.now_ms() / 1000;
    for minute in 0..20_i64 {
        let mut update = written(&stack, 600 + minute, 9, "/terms");
        update["message"]["date"] = json!(now - (20 - minute) * 60);
        assert_eq!(stack.telegram.send(&update).await.status, 200);
    }
    stack.run_until_idle().await;
    // An answer is worth something for ten minutes.
    let shown = stack.customer(9).messages_of(stack.bot_id);
    assert!(shown.len() >= 9, "{}", shown.len());
    assert!(
        shown
            .iter()
            .all(|message| !message.text.contains("bit fast"))
    );
}
