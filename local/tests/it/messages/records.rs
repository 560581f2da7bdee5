//! Records and entries that are gone, can't be read or are no longer of use: nobody else waits for that.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::ChatId;
use domain::message::{Class, Message, MessageKey, MessageLane, MessageState, MessageTask};
use domain::time::Timestamp;
use local::harness::{HOUR, MINUTE, TestStack};
use simulators::telegram::User;
use store::FoundMessage;

use super::{bot, put_all, ring, said, started, state, text};

fn now(stack: &TestStack) -> Timestamp {
    Timestamp::from_ms(stack.clock.now_ms())
}

fn key_of(message: &Message) -> [(&'static str, AttributeValue); 2] {
    [
        ("chatId", AttributeValue::S(message.chat.to_string())),
        ("messageId", AttributeValue::S(message.id.to_string())),
    ]
}

/// Takes the record of a message away.
async fn lose(stack: &TestStack, message: &Message) {
    let mut call = stack.dynamodb().delete_item().table_name("Messages");
    for (name, value) in key_of(message) {
        call = call.key(name, value);
    }
    call.send().await.unwrap();
}

/// Has the record of a message say what no version writes.
async fn spoil(stack: &TestStack, message: &Message) {
    let mut call = stack.dynamodb().update_item().table_name("Messages");
    for (name, value) in key_of(message) {
        call = call.key(name, value);
    }
    let call = call.update_expression("SET content = :none");
    let call = call.expression_attribute_values(":none", AttributeValue::S("{".to_owned()));
    call.send().await.unwrap();
}

/// The places of what was given up.
async fn parked(stack: &TestStack) -> Vec<String> {
    let lane = MessageLane::Parked(bot(stack));
    let page = stack.messages().page(lane, None, 10).await.unwrap();
    let found = page.found.into_iter();
    found
        .map(|found| match found {
            FoundMessage::Task(task) => task.key().place,
            // It has the form of a task of another lane.
            FoundMessage::Malformed(task) => task.key.place,
        })
        .collect()
}

async fn groups(stack: &TestStack) -> Vec<ChatId> {
    let groups = stack.messages().groups(bot(stack)).await.unwrap();
    groups.into_iter().map(|group| group.chat).collect()
}

#[tokio::test]
async fn a_task_whose_record_is_gone_is_dropped_and_others_go_on() {
    let stack = TestStack::start().await;
    started(&stack, [5, 6]);
    for class in Class::ALL {
        for not_after in [None, Some(now(&stack).minus(MINUTE))] {
            let lost = Message {
                not_after,
                ..text(&stack, 5, class, "lost")
            };
            let name = format!("{class:?} {not_after:?}");
            let other = text(&stack, 6, Class::Marketing, &name);
            put_all(&stack, &[lost.clone(), other]).await;
            lose(&stack, &lost).await;
            ring(&stack).await;
            stack.run_until_idle().await;
            assert_eq!(said(&stack, 6).last(), Some(&name));
            assert!(said(&stack, 5).is_empty(), "{name}");
            assert!(stack.message_tasks().await.is_empty(), "{name}");
            stack.clock.advance(MINUTE);
        }
    }
}

#[tokio::test]
async fn a_message_that_can_not_be_read_is_parked_before_and_after_its_time() {
    let stack = TestStack::start().await;
    started(&stack, [5, 6]);
    let mut all = Vec::new();
    for class in [Class::Reply, Class::Marketing] {
        for not_after in [None, Some(now(&stack).minus(MINUTE))] {
            let spoilt = Message {
                not_after,
                ..text(&stack, 5, class, "spoilt")
            };
            let name = format!("{class:?} {not_after:?}");
            let other = text(&stack, 6, Class::Marketing, &name);
            put_all(&stack, &[spoilt.clone(), other]).await;
            spoil(&stack, &spoilt).await;
            ring(&stack).await;
            stack.run_until_idle().await;
            assert_eq!(said(&stack, 6).last(), Some(&name));
            all.push(MessageTask::of(&spoilt).key().place);
            stack.clock.advance(MINUTE);
        }
    }
    assert_eq!(parked(&stack).await, all);
    assert!(said(&stack, 5).is_empty());
}

#[tokio::test]
async fn a_task_without_a_record_can_be_parked() {
    let stack = TestStack::start().await;
    stack.pause_schedule();
    let message = text(&stack, 5, Class::Transactional, "deadly");
    put_all(&stack, std::slice::from_ref(&message)).await;
    lose(&stack, &message).await;
    let task = MessageTask::of(&message);
    let tables = stack.messages();
    for _ in 0..2 {
        let parking = tables.park(&task, "the process died", now(&stack)).await;
        parking.unwrap();
    }
    let MessageKey { lane, place } = task.key();
    assert_eq!(parked(&stack).await, std::slice::from_ref(&place));
    assert!(
        !stack
            .message_tasks()
            .await
            .contains(&(lane.to_string(), place))
    );
    let record = tables.get(message.chat, &message.id).await.unwrap();
    assert_eq!(record, None, "none is made up");
}

#[tokio::test]
async fn a_group_is_listed_for_a_day_after_it_was_written_to_and_whenever_it_is() {
    let stack = TestStack::start().await;
    started(&stack, [5]);
    let group = stack.chat_id;
    // The tables of one process, which remembers what it has listed.
    let tables = stack.messages();
    let day = HOUR * 25;
    for (name, advance, is_listed) in [
        ("one", Duration::ZERO, true),
        ("two", HOUR * 2, true),
        ("three", day, true),
        ("four", day * 2, true),
        ("", day, false),
    ] {
        stack.clock.advance(advance);
        // A look, in which nothing is found there.
        let other = text(&stack, 5, Class::Transactional, &format!("hello {name}"));
        stack.say(&other).await;
        stack.run_until_idle().await;
        if !name.is_empty() {
            let message = text(&stack, group, Class::Operator, name);
            tables.put(&message, now(&stack)).await.unwrap();
            ring(&stack).await;
            stack.run_until_idle().await;
            assert_eq!(state(&stack, &message).await, MessageState::Sent, "{name}");
        }
        let expected = if is_listed {
            vec![ChatId(group)]
        } else {
            vec![]
        };
        assert_eq!(groups(&stack).await, expected, "{name}");
    }
    assert_eq!(said(&stack, group), ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn what_a_person_missed_is_said_again_while_it_is_worth_it_and_ends_when_it_did() {
    let stack = TestStack::with(&[("CHAT_DELIVERY", "claim")]).await;
    let ends = now(&stack).plus(HOUR);
    for (wait, is_said) in [(MINUTE * 2, true), (HOUR, false)] {
        started(&stack, [5]);
        stack.run_until_idle().await;
        stack.telegram.blocks(stack.bot_id, &User::new(5));
        let link = Message {
            not_after: Some(ends),
            ..text(&stack, 5, Class::Transactional, "your link")
        };
        stack.say(&link).await;
        stack.run_until_idle().await;
        assert_eq!(state(&stack, &link).await, MessageState::Unreachable);
        stack.clock.advance(wait);
        let before = said(&stack, 5).len();
        stack.customer(5).say(stack.bot_id, "/start");
        stack.run_until_idle().await;
        let all = said(&stack, 5);
        let heard = all[before..].contains(&"your link".to_owned());
        assert_eq!(heard, is_said, "{all:?}");
        let again = stack.messages().last(ChatId(5), 10).await.unwrap();
        let mut again = again.into_iter().map(|record| record.message);
        let again = again.find(|message| message.id.as_str().ends_with("#again"));
        let again = again.expect("it was said again the first time");
        assert_eq!(again.not_after, Some(ends));
    }
}
