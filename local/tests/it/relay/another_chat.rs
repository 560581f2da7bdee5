//! The operators' chat is another one than it was: the numbers of the former one's topics are other people's here.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::TestStack;
use serde_json::json;
use simulators::telegram::User;

use super::{answers, desk, heard, idle, shown, texts, topic_of, topics, writes};

/// The operators' chat before.
const FORMER: i64 = -1_001_777_000_999;

/// What is known of a person's topic says that it is this one of the former chat.
async fn had_a_topic_there(stack: &TestStack, person: i64, thread: i64) {
    let ann = User::new(person).named("Ann");
    stack.telegram.presses_start(stack.bot_id, &ann, "");
    idle(stack).await;
    let text = AttributeValue::S;
    let number = |number: i64| AttributeValue::N(number.to_string());
    let people = stack.dynamodb().update_item().table_name("People");
    let people = people.key("telegramUserId", text(person.to_string()));
    let set = "SET topicState = :open, topicChat = :chat, topicThread = :thread";
    let people = people.update_expression(set);
    let people = people.expression_attribute_values(":open", text("OPEN".to_owned()));
    let people = people.expression_attribute_values(":chat", number(FORMER));
    let people = people.expression_attribute_values(":thread", number(thread));
    people.send().await.unwrap();
    let key = text(format!("{FORMER}#topic#{thread}"));
    let map = stack.dynamodb().put_item().table_name("RelayMap");
    let map = map.item("message", key);
    let map = map.item("owner", text(person.to_string()));
    let map = map.item("telegramUserId", text(person.to_string()));
    map.send().await.unwrap();
}

#[tokio::test]
async fn a_topic_of_the_former_chat_is_none_here() {
    let stack = desk().await;
    writes(&stack, 8, "Hello");
    idle(&stack).await;
    let of_8 = topic_of(&stack, 8);
    had_a_topic_there(&stack, 7, of_8).await;
    writes(&stack, 7, "It is me");
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, of_8)), ["Hello"]);
    let of_7 = topic_of(&stack, 7);
    assert_eq!(texts(&shown(&stack, of_7)), ["It is me"]);
    for (topic, person) in [(of_7, 7), (of_8, 8)] {
        answers(&stack, topic, &format!("To {person}"));
        idle(&stack).await;
        assert_eq!(
            heard(&stack, person).last().unwrap(),
            &format!("To {person}")
        );
    }
    // From then on it stays.
    writes(&stack, 7, "And again");
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, of_7))[1..], ["And again"]);
}

#[tokio::test]
async fn an_edit_of_what_stands_in_the_former_chat_changes_nobody_elses_message() {
    let stack = desk().await;
    for person in [7, 8] {
        writes(&stack, person, "Hello");
    }
    idle(&stack).await;
    let word = writes(&stack, 7, "a word");
    idle(&stack).await;
    let (of_7, of_8) = (topic_of(&stack, 7), topic_of(&stack, 8));
    let others = shown(&stack, of_8)[0].message_id;
    let map = stack.dynamodb().update_item().table_name("RelayMap");
    let map = map.key("message", AttributeValue::S(format!("7#{word}")));
    let map = map.update_expression("SET copyChatId = :chat, copyMessageId = :message");
    let map = map.expression_attribute_values(":chat", AttributeValue::N(FORMER.to_string()));
    let map = map.expression_attribute_values(":message", AttributeValue::N(others.to_string()));
    map.send().await.unwrap();
    let place = super::private(&stack, 7);
    assert!(stack.telegram.edits(place, word, "another word"));
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, of_8)), ["Hello"]);
    assert_eq!(texts(&shown(&stack, of_7)).last(), Some(&"another word"));
}

#[tokio::test]
async fn an_erasure_deletes_a_topic_where_it_stands_and_nobody_elses() {
    let mut stack = desk().await;
    writes(&stack, 8, "Hello");
    idle(&stack).await;
    let of_8 = topic_of(&stack, 8);
    had_a_topic_there(&stack, 7, of_8).await;
    let asked = stack.operator().post("people/7/erase", &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    for _ in 0..4 {
        stack.functions().work_off_jobs().await;
        idle(&stack).await;
        stack.advance_when_idle(Duration::from_secs(40)).await;
    }
    assert_eq!(topics(&stack).len(), 1);
    assert_eq!(texts(&shown(&stack, of_8)), ["Hello"]);
    let calls = stack.telegram.calls();
    let mut deleted = calls
        .iter()
        .filter(|call| call.method == "deleteForumTopic");
    assert!(deleted.all(|call| call.chat_id == Some(FORMER)));
    assert!(stack.telegram.count("deleteForumTopic") > 0);
    stack.leaves_something();
}
