//! Messages of the bot to people and groups: each arrives, in its turn, and no more often than it may.

mod records;

use std::time::Duration;

use domain::id::{BotId, ChatId};
use domain::message::{Button, ButtonAction, Class, Content, Message, MessageId, MessageState};
use domain::time::Timestamp;
use futures_util::future::join_all;
use local::harness::{HOUR, MINUTE, TestStack, until};
use local::resources::MESSAGES;
use serde_json::json;
use simulators::telegram::{
    Conversation, Fault, FaultRule, Limit, MessageLimits, Refusal, SeenMessage, User,
};
use store::Put;
use tokio::time::Instant;

const SEND: &str = "sendMessage";

/// A text for a chat; its cause is the text, now.
fn text(stack: &TestStack, chat: i64, class: Class, html: &str) -> Message {
    Message {
        id: MessageId::new(Timestamp::from_ms(stack.clock.now_ms()), html),
        bot: bot(stack),
        chat: ChatId(chat),
        thread: None,
        class,
        content: Content::Text {
            html: html.to_owned(),
            buttons: vec![],
            protect: false,
            silent: false,
        },
        not_before: None,
        not_after: None,
    }
}

fn bot(stack: &TestStack) -> BotId {
    BotId(u64::try_from(stack.bot_id).unwrap())
}

/// These people have started the bot.
fn started(stack: &TestStack, people: impl IntoIterator<Item = i64>) {
    for person in people {
        let user = User::new(person);
        stack.telegram.presses_start(stack.bot_id, &user, "");
    }
}

fn conversation(stack: &TestStack, chat: i64) -> Conversation {
    match chat > 0 {
        true => Conversation::private(stack.bot_id, chat),
        false => Conversation::chat(chat),
    }
}

/// What the bot said in a chat.
fn seen(stack: &TestStack, chat: i64) -> Vec<SeenMessage> {
    let mut all = stack.telegram.messages(conversation(stack, chat));
    all.retain(|message| message.from_id == Some(stack.bot_id));
    all
}

fn said(stack: &TestStack, chat: i64) -> Vec<String> {
    let all = seen(stack, chat).into_iter();
    all.map(|message| message.text).collect()
}

/// The chats that were written to, in order, by calls that were answered 200.
fn order(stack: &TestStack) -> Vec<i64> {
    let calls = stack.telegram.calls().into_iter();
    calls
        .filter(|call| call.method == SEND && call.status == 200)
        .filter_map(|call| call.chat_id)
        .collect()
}

/// Puts messages, without a bell.
async fn put_all(stack: &TestStack, messages: &[Message]) {
    let (tables, now) = (stack.messages(), stack.clock.now_ms());
    for some in messages.chunks(20) {
        let puts = some
            .iter()
            .map(|message| tables.put(message, Timestamp::from_ms(now)));
        for put in join_all(puts).await {
            assert_eq!(put.unwrap(), Put::New);
        }
    }
}

/// Rings once for the bot.
async fn ring(stack: &TestStack) {
    let bell = json!({"kind": "work", "botId": stack.bot_id});
    stack.send_raw(MESSAGES.queue, &bell.to_string()).await;
}

async fn state(stack: &TestStack, message: &Message) -> MessageState {
    stack.message(message).await.state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_is_sent_once_as_it_was_put_whatever_is_put_again_and_rung() {
    let stack = TestStack::start().await;
    started(&stack, [5]);
    let button = |text: &str, action| Button {
        text: text.to_owned(),
        action,
    };
    let message = Message {
        content: Content::Text {
            html: "<b>Paid</b>: thank you".to_owned(),
            buttons: vec![vec![
                button("Get in", ButtonAction::Url("https://t.me/+abc".to_owned())),
                button("End", ButtonAction::Callback("~end:1:1".to_owned())),
            ]],
            protect: true,
            silent: true,
        },
        ..text(&stack, 5, Class::Transactional, "update#7")
    };
    assert_eq!(stack.say(&message).await, Put::New);
    let again = join_all((0..10).map(|_| stack.say(&message))).await;
    assert!(again.iter().all(|put| *put == Put::Known), "{again:?}");
    join_all((0..20).map(|_| ring(&stack))).await;
    stack.run_until_idle().await;
    let all = seen(&stack, 5);
    let [only] = &all[..] else {
        panic!("sent once: {all:?}")
    };
    assert_eq!(only.text, "Paid: thank you");
    assert!(only.is_protected && only.is_silent);
    let buttons: Vec<&str> = only.buttons[0]
        .iter()
        .map(|button| button.text.as_str())
        .collect();
    assert_eq!(buttons, ["Get in", "End"]);
    let record = stack.message(&message).await;
    assert_eq!(record.state, MessageState::Sent);
    assert_eq!(record.telegram_message_id, Some(only.message_id));
    // Long after it, too.
    assert_eq!(stack.say(&message).await, Put::Known);
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.count(SEND), 1);
}

#[tokio::test]
async fn a_crash_after_the_send_repeats_a_receipt_and_no_offer() {
    let stack = TestStack::start().await;
    for (person, class, times, ends) in [
        (5, Class::Transactional, 2, MessageState::Sent),
        (6, Class::Operator, 2, MessageState::Sent),
        (7, Class::Reply, 1, MessageState::Unknown),
        (8, Class::Marketing, 1, MessageState::Unknown),
    ] {
        started(&stack, [person]);
        let late = Fault::AnswerLate(Duration::from_secs(3600));
        stack.telegram.fail(FaultRule::on(SEND, late).times(1));
        let message = text(&stack, person, class, "hello");
        stack.say(&message).await;
        stack.run_until(|| said(&stack, person).len() == 1).await;
        assert_eq!(stack.kill_messenger(), 1);
        stack.run_until_idle().await;
        assert_eq!(said(&stack, person).len(), times, "{class:?}");
        assert_eq!(state(&stack, &message).await, ends, "{class:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_repeats_a_receipt_and_no_offer_and_a_broken_way_repeats_both() {
    let stack = TestStack::start().await;
    started(&stack, [5]);
    for (class, fault, times, ends) in [
        (
            Class::Transactional,
            Fault::ResetAfter,
            2,
            MessageState::Sent,
        ),
        (
            Class::Marketing,
            Fault::ResetAfter,
            1,
            MessageState::Unknown,
        ),
        (
            Class::Marketing,
            Fault::BadGatewayAfterEffect,
            1,
            MessageState::Unknown,
        ),
        (
            Class::Marketing,
            Fault::TooManyRequests { retry_after: 9 },
            1,
            MessageState::Sent,
        ),
    ] {
        let before = said(&stack, 5).len();
        let rule = FaultRule::on(SEND, fault.clone());
        stack.telegram.fail(rule.times(1));
        let message = text(&stack, 5, class, "hello");
        stack.say(&message).await;
        stack.run_until_idle().await;
        assert_eq!(said(&stack, 5).len() - before, times, "{class:?} {fault:?}");
        assert_eq!(state(&stack, &message).await, ends, "{class:?} {fault:?}");
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_marked_and_others_go_on() {
    let stack = TestStack::start().await;
    started(&stack, [5, 6, 7]);
    stack.telegram.blocks(stack.bot_id, &User::new(5));
    stack.telegram.deactivates(&User::new(6));
    let cannot = Refusal::forbidden("bot can't initiate conversation with a user");
    let rule = FaultRule::on(SEND, Fault::Refuse(cannot)).chat(99);
    stack.telegram.fail(rule);
    let to = |person, html: &str| text(&stack, person, Class::Transactional, html);
    let messages = [
        to(5, "blocked"),
        to(6, "gone"),
        to(99, "not started"),
        to(1234, "never met"),
        to(7, "<b>half a tag"),
        to(7, "well"),
    ];
    put_all(&stack, &messages).await;
    ring(&stack).await;
    stack.run_until_idle().await;
    let mut states = Vec::new();
    for message in &messages {
        states.push(state(&stack, message).await);
    }
    let (unreachable, parked) = (MessageState::Unreachable, MessageState::Parked);
    let expected = [
        unreachable,
        unreachable,
        unreachable,
        parked,
        parked,
        MessageState::Sent,
    ];
    assert_eq!(states, expected);
    let error = stack.message(&messages[3]).await.error.unwrap();
    assert!(error.contains("chat not found"), "{error}");
    assert_eq!(said(&stack, 7), ["well"]);
    assert_eq!(stack.telegram.count(SEND), 6, "each was tried once");
}

#[tokio::test]
async fn a_limited_group_waits_alone_and_in_order() {
    let stack = TestStack::start().await;
    let group = stack.chat_id;
    started(&stack, [5]);
    let wait = Fault::TooManyRequests { retry_after: 40 };
    let rule = FaultRule::on(SEND, wait).chat(group).times(1);
    stack.telegram.fail(rule);
    let names: Vec<String> = (0..5).map(|n| n.to_string()).collect();
    let mut messages: Vec<Message> = names
        .iter()
        .map(|name| text(&stack, group, Class::Operator, name))
        .collect();
    messages.push(text(&stack, 5, Class::Operator, "to a person"));
    put_all(&stack, &messages).await;
    ring(&stack).await;
    stack.run_until(|| said(&stack, 5).len() == 1).await;
    assert!(said(&stack, group).is_empty());
    stack.run_until_idle().await;
    assert_eq!(said(&stack, group), names);
    // The next holder keeps the group's interval, and forgets the wait that is over.
    stack.say(&text(&stack, group, Class::Operator, "5")).await;
    stack.run_until_idle().await;
    let times: Vec<i64> = stack
        .telegram
        .calls()
        .iter()
        .filter(|call| call.method == SEND && call.chat_id == Some(group) && call.status == 200)
        .map(|call| call.at_ms)
        .collect();
    assert!(
        times.windows(2).all(|two| two[1] - two[0] >= 3000),
        "{times:?}"
    );
    let limits = store::RateLimits::of_messages(stack.dynamodb(), &mut stack.config());
    let lease = limits.get(bot(&stack)).await.unwrap();
    assert!(
        lease.chat_pauses.is_empty() && lease.owner.is_none(),
        "{lease:?}"
    );
}

#[tokio::test]
async fn a_limit_of_the_whole_bot_is_learned_and_nothing_is_lost() {
    let stack = TestStack::start().await;
    let second = Duration::from_secs(1);
    stack.telegram.set_message_limits(MessageLimits {
        bot: Some(Limit {
            calls: 2,
            per: second,
            burst: 2,
        }),
        ..MessageLimits::published()
    });
    let people: Vec<i64> = (1..=40).collect();
    started(&stack, people.clone());
    let messages: Vec<Message> = people
        .iter()
        .map(|person| text(&stack, *person, Class::Marketing, "offer"))
        .collect();
    put_all(&stack, &messages).await;
    ring(&stack).await;
    // Before the clock is advanced, which would leave room for every message.
    until("the limit is met", async || {
        (stack.telegram.too_many_requests() > 0).then_some(())
    })
    .await;
    stack.run_until_idle().await;
    for person in people {
        assert_eq!(said(&stack, person), ["offer"], "{person}");
    }
    let limits = store::RateLimits::of_messages(stack.dynamodb(), &mut stack.config());
    let lease = limits.get(bot(&stack)).await.unwrap();
    let ceiling = lease.limiters[&bot(&stack)].ceiling_ms;
    assert!(ceiling.is_some(), "the limiter knows of it: {lease:?}");
}

#[tokio::test]
async fn a_broadcast_delays_no_receipt() {
    let stack = TestStack::start().await;
    let crowd: Vec<i64> = (1000..1400).collect();
    started(&stack, crowd.iter().copied().chain([5]));
    let offers: Vec<Message> = crowd
        .iter()
        .map(|person| text(&stack, *person, Class::Marketing, "offer"))
        .collect();
    put_all(&stack, &offers).await;
    ring(&stack).await;
    stack.run_until(|| stack.telegram.count(SEND) >= 40).await;
    stack
        .say(&text(&stack, 5, Class::Transactional, "paid"))
        .await;
    let before = order(&stack).len();
    stack.run_until_idle().await;
    let order = order(&stack);
    assert_eq!(order.len(), 401, "each once");
    let place = order.iter().position(|chat| *chat == 5).unwrap();
    // Two seconds of offers: the bell is heard within one.
    assert!(place < before + 80, "{place}, {before} before it");
}

#[tokio::test]
async fn a_flood_of_one_person_keeps_its_order_and_delays_nobody() {
    let stack = TestStack::start().await;
    // Of one shard.
    started(&stack, [8, 16]);
    let mut messages: Vec<Message> = (0..60)
        .map(|n| text(&stack, 8, Class::Operator, &format!("{n:02}")))
        .collect();
    messages.push(text(&stack, 16, Class::Operator, "zzz, the youngest"));
    put_all(&stack, &messages).await;
    let refused = Fault::ResetBefore;
    stack
        .telegram
        .fail(FaultRule::on(SEND, refused).skip(9).times(1));
    ring(&stack).await;
    stack.run_until_idle().await;
    let order = order(&stack);
    let place = order.iter().position(|chat| *chat == 16).unwrap();
    assert!(place <= 2, "{order:?}");
    let names: Vec<String> = (0..60).map(|n| format!("{n:02}")).collect();
    assert_eq!(said(&stack, 8), names);
    let calls = stack.telegram.calls().into_iter();
    let times: Vec<i64> = calls
        .filter(|call| call.method == SEND && call.chat_id == Some(8) && call.status == 200)
        .map(|call| call.at_ms)
        .collect();
    assert!(
        times.windows(2).all(|two| two[1] - two[0] >= 990),
        "{times:?}"
    );
}

#[tokio::test]
async fn what_has_its_time_keeps_it() {
    let stack = TestStack::start().await;
    started(&stack, [5]);
    let now = Timestamp::from_ms(stack.clock.now_ms());
    let later = Message {
        not_before: Some(now.plus(HOUR)),
        ..text(&stack, 5, Class::Transactional, "in an hour")
    };
    let late = Message {
        not_after: Some(now.minus(MINUTE)),
        ..text(&stack, 5, Class::Reply, "too late")
    };
    let soon = text(&stack, 5, Class::Transactional, "now");
    put_all(&stack, &[later.clone(), late.clone(), soon]).await;
    ring(&stack).await;
    stack.run_for(MINUTE * 5).await;
    assert_eq!(
        said(&stack, 5),
        ["now"],
        "younger, and not behind what has its time"
    );
    assert_eq!(state(&stack, &late).await, MessageState::Expired);
    stack.run_until_idle().await;
    assert_eq!(said(&stack, 5), ["now", "in an hour"]);
    let calls = stack.telegram.calls();
    let sent = calls.iter().rfind(|call| call.method == SEND).unwrap();
    assert!(sent.at_ms >= later.not_before.unwrap().ms());
}

#[tokio::test]
async fn a_message_whose_bell_was_lost_is_sent_by_the_tick() {
    let stack = TestStack::start().await;
    started(&stack, [5]);
    stack.pause_schedule();
    put_all(&stack, &[text(&stack, 5, Class::Transactional, "paid")]).await;
    let messenger = stack.functions().get("messenger");
    let deadline = Instant::now() + Duration::from_secs(90);
    let ticked = messenger.tick(deadline).await;
    assert_eq!(ticked, json!({"dispatched": 1, "failed": 0}));
    assert_eq!(said(&stack, 5), ["paid"]);
    let ticked = messenger.tick(deadline).await;
    assert_eq!(ticked, json!({"dispatched": 0, "failed": 0}));
}

#[tokio::test]
async fn a_refused_token_parks_nothing_and_its_messages_go_when_it_is_back() {
    let stack = TestStack::start().await;
    started(&stack, [5, 6]);
    stack.telegram.revoke_token(stack.bot_id);
    let messages = [5, 6].map(|person| text(&stack, person, Class::Marketing, "offer"));
    put_all(&stack, &messages).await;
    ring(&stack).await;
    stack.run_for(MINUTE * 10).await;
    for message in &messages {
        assert_eq!(state(&stack, message).await, MessageState::Queued);
    }
    let token = stack.env()["TELEGRAM_BOT_TOKEN"].clone();
    stack.telegram.restore_token(&token);
    stack.run_until_idle().await;
    for message in &messages {
        assert_eq!(said(&stack, message.chat.0), ["offer"]);
    }
}

#[tokio::test]
async fn an_item_that_is_not_a_task_is_set_aside_and_hides_nobody() {
    let stack = TestStack::start().await;
    started(&stack, [5]);
    let lane = format!("{}#transactional#5", stack.bot_id);
    let s = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let put = stack.dynamodb().put_item().table_name("MessageTasks");
    put.item("lane", s(&lane))
        .item("messageId", s("0000000000000#x#5"))
        .send()
        .await
        .unwrap();
    stack
        .say(&text(&stack, 5, Class::Transactional, "paid"))
        .await;
    stack.run_until_idle().await;
    assert_eq!(said(&stack, 5), ["paid"]);
    let key = domain::message::MessageKey {
        lane: domain::message::MessageLane::Parked(bot(&stack)),
        place: "0000000000000#x#5".to_owned(),
    };
    assert!(stack.messages().task(&key).await.unwrap().is_some());
}

#[tokio::test]
async fn messages_follow_a_group_that_became_a_supergroup() {
    let stack = TestStack::start().await;
    let (old, new) = (stack.chat_id, stack.chat_id - 1);
    stack.telegram.migrate_chat(old, new);
    let messages = ["one", "two"].map(|html| text(&stack, old, Class::Operator, html));
    put_all(&stack, &messages).await;
    ring(&stack).await;
    stack.run_until_idle().await;
    assert_eq!(said(&stack, new), ["one", "two"]);
    assert_eq!(
        stack.telegram.count(SEND),
        3,
        "the old id is asked once a run"
    );
}

#[tokio::test]
async fn a_message_that_kills_the_process_is_parked_and_its_neighbours_are_sent() {
    let mut stack = TestStack::start().await;
    // Bells that the process died of five times are dead letters.
    stack.leaves_something();
    stack.pause_schedule();
    started(&stack, [5, 6]);
    let poison = text(&stack, 5, Class::Transactional, "deadly");
    put_all(&stack, std::slice::from_ref(&poison)).await;
    let hang = FaultRule::on(SEND, Fault::HangForever).chat(5);
    stack.telegram.fail(hang);
    let mut rounds = 0;
    loop {
        let before = stack.telegram.count(SEND);
        ring(&stack).await;
        let tries = || stack.telegram.count(SEND);
        stack.run_until(|| tries() > before).await;
        if tries() == before {
            break;
        }
        // A run that sent the offer may be over.
        let _ = stack.kill_messenger();
        rounds += 1;
        assert!(rounds < 20, "it is parked in the end");
        if rounds == 1 {
            put_all(&stack, &[text(&stack, 6, Class::Marketing, "offer")]).await;
        }
        stack.clock.advance(MINUTE * 10);
    }
    assert_eq!(state(&stack, &poison).await, MessageState::Parked);
    assert_eq!(said(&stack, 6), ["offer"]);
}
