//! What an actor reads: everything, once, in one order, whatever happens beside it.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::feed::FeedUpdate;
use domain::feed::subject::FeedTopic;
use domain::id::{BotId, FeedSeq};
use domain::time::Timestamp;
use local::harness::{BotApiActor, TestStack, until};
use serde_json::{Value, json};
use simulators::telegram::{Conversation, User};
use store::FeedWriter;

use super::{CLAIMED, news, number, text};

/// The bot whose feed it is.
fn bot(stack: &TestStack) -> BotId {
    BotId(u64::try_from(stack.bot_id).unwrap())
}

/// Writes into the feed as `webhook` does; answers the number.
async fn append(stack: &TestStack, writer: &FeedWriter, id: i64) -> i32 {
    let body = json!({"update_id": id, "message": {"message_id": id, "date": 1, "text": format!("m{id}"),
        "chat": {"id": 7, "type": "private"}, "from": {"id": 7, "is_bot": false, "first_name": "A"}}});
    let update = FeedUpdate {
        kind: "message".to_owned(),
        topic: FeedTopic::Talk,
        sent_by: None,
        body: body.to_string(),
    };
    let now = Timestamp::from_ms(stack.clock.now_ms());
    let appended = writer
        .append(bot(stack), &id.to_string(), &update, now)
        .await;
    appended.unwrap().0
}

fn writer(stack: &TestStack) -> FeedWriter {
    FeedWriter::from_env(stack.dynamodb(), &mut stack.config())
}

/// Takes a number and writes nothing under it, as a function that dies there.
async fn take_number(stack: &TestStack) -> i32 {
    let call = stack.dynamodb().update_item().table_name("Bots");
    let taken = call
        .key("botId", AttributeValue::S(stack.bot_id.to_string()))
        .key("item", AttributeValue::S("seq".to_owned()))
        .update_expression("ADD seq :one")
        .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
        .return_values(ReturnValue::AllNew)
        .send()
        .await;
    let taken = taken.unwrap().attributes.unwrap();
    taken["seq"].as_n().unwrap().parse().unwrap()
}

fn texts(updates: &[Value]) -> Vec<&str> {
    updates.iter().map(text).collect()
}

#[tokio::test]
async fn an_offset_confirms_a_negative_one_drops_and_a_foreign_one_counts_as_none() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let writer = writer(&stack);
    for id in 101..=106 {
        append(&stack, &writer, id).await;
    }
    let all = crm.updates(0).await;
    assert_eq!(
        texts(&all),
        ["m101", "m102", "m103", "m104", "m105", "m106"]
    );
    assert_eq!(
        all.iter().map(number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(
        texts(&crm.updates(3).await),
        ["m103", "m104", "m105", "m106"]
    );
    // Confirmed stays confirmed.
    assert_eq!(crm.updates(1).await.len(), 4);
    // Telegram's own numbers, which a library brings along.
    assert_eq!(crm.updates(874_000_001).await.len(), 4);
    let two = crm.call("getUpdates", &json!({"limit": 2})).await.done();
    assert_eq!(two["result"].as_array().unwrap().len(), 2);
    assert_eq!(texts(&crm.updates(-1).await), ["m106"]);
    assert_eq!(texts(&crm.updates(0).await), ["m106"]);
    assert!(crm.updates(7).await.is_empty());
    append(&stack, &writer, 107).await;
    let dropped = crm
        .call("deleteWebhook", &json!({"drop_pending_updates": true}))
        .await;
    assert_eq!(dropped.body["result"], true);
    assert!(crm.updates(0).await.is_empty());
}

#[tokio::test]
async fn an_update_that_comes_again_stands_in_the_feed_once() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let writer = writer(&stack);
    let first = append(&stack, &writer, 5).await;
    assert_eq!(append(&stack, &writer, 5).await, first);
    let second = append(&stack, &writer, 6).await;
    assert_eq!(
        texts(&crm.updates(0).await),
        ["m5", "m6"],
        "{first} {second}"
    );
}

#[tokio::test]
async fn two_actors_read_without_regard_to_each_other() {
    let stack = TestStack::start().await;
    let (crm, desk) = (
        stack.actor("crm", "operator").await,
        stack.actor("desk", "backend").await,
    );
    let writer = writer(&stack);
    append(&stack, &writer, 1).await;
    append(&stack, &writer, 2).await;
    assert!(crm.updates(3).await.is_empty());
    assert_eq!(desk.updates(0).await.len(), 2);
    append(&stack, &writer, 3).await;
    assert_eq!(texts(&crm.updates(0).await), ["m3"]);
    assert_eq!(texts(&desk.updates(2).await), ["m2", "m3"]);
    // Whoever comes later begins with what comes later.
    let late = stack.actor("late", "operator").await;
    append(&stack, &writer, 4).await;
    assert_eq!(texts(&late.updates(0).await), ["m4"]);
}

#[tokio::test]
async fn a_number_that_nobody_writes_holds_readers_up_for_fifteen_seconds() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let writer = writer(&stack);
    append(&stack, &writer, 1).await;
    let lost = take_number(&stack).await;
    append(&stack, &writer, 2).await;
    assert_eq!(texts(&crm.updates(0).await), ["m1"]);
    stack.clock.advance(Duration::from_secs(14));
    assert_eq!(texts(&crm.updates(0).await), ["m1"]);
    stack.clock.advance(Duration::from_secs(2));
    // The first look buries what is missing.
    crm.updates(0).await;
    assert_eq!(texts(&crm.updates(0).await), ["m1", "m2"]);
    // Whoever comes late with the number finds a tombstone.
    let feed = store::UpdateFeed::from_env(stack.dynamodb(), &mut stack.config());
    let page = feed
        .page(bot(&stack), FeedSeq(0), FeedSeq(10))
        .await
        .unwrap();
    let buried = page.iter().find(|item| item.seq.0 == lost).unwrap();
    assert_eq!(buried.update, None);
}

#[tokio::test]
async fn a_late_writer_takes_the_next_number_and_nobody_misses_its_update() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let writer = writer(&stack);
    let feed = store::UpdateFeed::from_env(stack.dynamodb(), &mut stack.config());
    let now = Timestamp::from_ms(stack.clock.now_ms());
    // The number that it will take has a tombstone already.
    feed.put_tombstone(bot(&stack), FeedSeq(1), now)
        .await
        .unwrap();
    assert_eq!(append(&stack, &writer, 9).await, 2);
    assert_eq!(texts(&crm.updates(0).await), ["m9"]);
}

/// Many write at once, each so often as Telegram likes, some die with a number; the actor reads meanwhile.
#[tokio::test]
async fn an_actor_misses_nothing_and_sees_nothing_twice_whatever_commits_out_of_order() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let writer = writer(&stack);
    let (mut seen, mut offset) = (Vec::new(), 0);
    for round in 0..6 {
        let writes = (0..25).map(|n| {
            let (stack, writer) = (&stack, &writer);
            async move {
                if n % 8 == 7 {
                    take_number(stack).await;
                }
                let id = 1000 + round * 25 + n;
                append(stack, writer, id).await;
                if n % 5 == 0 {
                    append(stack, writer, id).await;
                }
            }
        });
        let reads = async {
            for _ in 0..4 {
                read_on(&crm, &mut offset, &mut seen, 7).await;
            }
        };
        futures_util::join!(futures_util::future::join_all(writes), reads);
        stack.clock.advance(Duration::from_secs(16));
    }
    let mut rounds = 0;
    while seen.len() < 150 && rounds < 60 {
        read_on(&crm, &mut offset, &mut seen, 100).await;
        stack.clock.advance(Duration::from_secs(1));
        rounds += 1;
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((sorted.len(), seen.len()), (150, 150));
}

async fn read_on(crm: &BotApiActor, offset: &mut i64, seen: &mut Vec<String>, limit: u32) {
    // A fresh kind of question each time: who asks for the same is held for three seconds.
    let asked = json!({"offset": *offset, "limit": limit});
    let answer = crm.call("getUpdates", &asked).await.done();
    for update in answer["result"].as_array().unwrap() {
        assert!(number(update) >= *offset, "{update}");
        *offset = number(update) + 1;
        seen.push(text(update).to_owned());
    }
}

#[tokio::test]
async fn a_block_of_numbers_goes_over_into_the_next() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let writer = writer(&stack);
    let call = stack.dynamodb().put_item().table_name("Bots");
    let at = |seq: i32| AttributeValue::N(seq.to_string());
    call.item("botId", AttributeValue::S(stack.bot_id.to_string()))
        .item("item", AttributeValue::S("seq".to_owned()))
        .item("seq", at(7998))
        .send()
        .await
        .unwrap();
    for id in 1..=4 {
        append(&stack, &writer, id).await;
    }
    // From the beginning, of which nothing is left: what ended long ago holds nobody up.
    stack.clock.advance(Duration::from_secs(3601));
    let mut all = crm.updates(0).await;
    all.extend(crm.updates(number(&all[0]) + 1).await);
    let numbers: Vec<i64> = all.iter().map(number).collect();
    assert_eq!(numbers, [7999, 8000, 8001, 8002]);
    assert_eq!(texts(&crm.updates(-2).await), ["m3", "m4"]);
    stack.clock.advance(Duration::from_secs(48 * 3600));
    assert!(crm.updates(0).await.is_empty(), "they have ended");
}

/// The poll that is under way of an actor, as soon as there is another one than `before`.
async fn noted_poll(stack: &TestStack, before: Option<&str>) -> String {
    let actors = store::Actors::from_env(stack.dynamodb(), &mut stack.config());
    let name = "crm".parse().unwrap();
    until("a poll of the actor", async || {
        let poll = actors.get(&name).await.unwrap().unwrap().poll;
        poll.filter(|poll| Some(poll.as_str()) != before)
    })
    .await
}

#[tokio::test]
async fn a_second_poll_ends_the_first() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let held = || {
        let crm = crm.clone();
        tokio::spawn(async move {
            crm.call("getUpdates", &json!({"timeout": 20, "offset": 0}))
                .await
        })
    };
    let first = held();
    let before = noted_poll(&stack, None).await;
    let second = held();
    noted_poll(&stack, Some(&before)).await;
    let ended = first.await.unwrap();
    assert_eq!(ended.status, 409, "{}", ended.body);
    let words = ended.body["description"].as_str().unwrap();
    assert!(
        words.starts_with("Conflict: terminated by other getUpdates"),
        "{words}"
    );
    append(&stack, &writer(&stack), 1).await;
    let answered = second.await.unwrap().done();
    assert_eq!(text(&answered["result"][0]), "m1");
}

#[tokio::test]
async fn without_a_webhook_there_is_none_to_delete() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    append(&stack, &writer(&stack), 1).await;
    let info = crm.call("getWebhookInfo", &json!({})).await.done();
    let expected = json!({"url": "", "has_custom_certificate": false, "pending_update_count": 1});
    assert_eq!(info["result"], expected);
    for (method, parameters) in [
        ("deleteWebhook", json!({})),
        ("setWebhook", json!({"url": ""})),
    ] {
        let deleted = crm.call(method, &parameters).await.done();
        assert_eq!(deleted["result"], true, "{method}");
    }
    assert_eq!(crm.updates(0).await.len(), 1);
    // The bot's own is as it was: nothing of it reached Telegram.
    assert_eq!(stack.telegram.count("deleteWebhook"), 0);
    assert_eq!(stack.telegram.count("getUpdates"), 0);
    assert_eq!(stack.telegram.count("setWebhook"), 1);
}

#[tokio::test]
async fn a_poll_is_held_until_something_comes() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    let held = {
        let crm = crm.clone();
        tokio::spawn(async move { crm.call("getUpdates", &json!({"timeout": 25})).await })
    };
    noted_poll(&stack, None).await;
    stack.customer(7).say(stack.bot_id, "hello");
    let answer = held.await.unwrap().done();
    assert_eq!(text(&answer["result"][0]), "hello");
}

#[tokio::test]
async fn a_poll_that_passes_over_much_keeps_its_time_and_goes_on_where_it_was() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let text_of = |text: &str| AttributeValue::S(text.to_owned());
    let number_of = |number: i64| AttributeValue::N(number.to_string());
    // What an operator does not see, and behind it what it does.
    let mut puts = (1..=2501).map(|seq: i64| {
        let topic = if seq == 2501 { "talk" } else { "backend" };
        let block = format!("{}#{}", stack.bot_id, seq / 1000);
        let call = stack.dynamodb().put_item().table_name("UpdateFeed");
        call.item("block", text_of(&block))
            .item("seq", number_of(seq))
            .item("at", number_of(stack.clock.now_ms()))
            .item("kind", text_of("message"))
            .item("topic", text_of(topic))
            .item("body", text_of(r#"{"message": {"text": "far behind"}}"#))
            .send()
    });
    for _ in 0..=2501 / 50 {
        let some = futures_util::future::join_all(puts.by_ref().take(50)).await;
        assert!(some.iter().all(Result::is_ok));
    }
    let head = stack.dynamodb().put_item().table_name("Bots");
    head.item("botId", text_of(&stack.bot_id.to_string()))
        .item("item", text_of("seq"))
        .item("seq", number_of(2501))
        .send()
        .await
        .unwrap();
    let asked = json!({"timeout": 0});
    let first = crm.call("getUpdates", &asked).await.done();
    assert_eq!(first["result"], json!([]), "its time was over");
    let second = crm.call("getUpdates", &asked).await.done();
    assert_eq!(text(&second["result"][0]), "far behind");
}

/// Writes an attribute of an item that no function would write.
async fn spoil(stack: &TestStack, table: &str, key: &[(&str, AttributeValue)], attribute: &str) {
    let mut call = stack.dynamodb().update_item().table_name(table);
    for (name, value) in key {
        call = call.key(*name, value.clone());
    }
    let spoilt = call
        .update_expression("SET #name = :odd")
        .expression_attribute_names("#name", attribute)
        .expression_attribute_values(":odd", AttributeValue::S("?".to_owned()))
        .send()
        .await;
    spoilt.unwrap();
}

#[tokio::test]
async fn a_record_of_actors_that_can_not_be_read_holds_nobody_up() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    let writer = writer(&stack);
    for id in 101..=103 {
        append(&stack, &writer, id).await;
    }
    let block = AttributeValue::S(format!("{}#0", stack.bot_id));
    let second = [("block", block), ("seq", AttributeValue::N("2".to_owned()))];
    spoil(&stack, "UpdateFeed", &second, "topic").await;
    assert_eq!(texts(&crm.updates(0).await), ["m101", "m103"]);
    let ann = stack.customer(7);
    ann.say(stack.bot_id, "hello");
    stack.run_until_idle().await;
    // Who sent the message whose button is pressed: Telegram is not asked to send the press again.
    let sent = crm.writes(7, "press").await.done()["result"]["message_id"].clone();
    let key = AttributeValue::S(format!("7#{sent}"));
    spoil(&stack, "RelayMap", &[("message", key)], "sentBy").await;
    let (place, user) = (Conversation::private(stack.bot_id, 7), User::new(7));
    let sent = sent.as_i64().unwrap();
    let pressed = stack.telegram.sends_callback(place, &user, sent, "mine");
    assert!(pressed.is_some());
    stack.run_until_idle().await;
    // The list of them all.
    let list = [("keyHash", AttributeValue::S("list".to_owned()))];
    spoil(&stack, "Actors", &list, "actors").await;
    stack.clock.advance(Duration::from_secs(10));
    let before = ann.messages_of(stack.bot_id).len();
    ann.say(stack.bot_id, "/help");
    stack.run_until_idle().await;
    let after = ann.messages_of(stack.bot_id).len();
    assert!(after > before, "the bot answers its own");
}

#[tokio::test]
async fn nobody_reads_a_claim_link_that_somebody_answers() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let shop = stack.actor("shop", "backend").await;
    let bought = stack.shop().buy("ann", "T-1").await;
    let link = bought.body["inviteLink"].as_str().unwrap().to_owned();
    let (place, ann) = (Conversation::private(stack.bot_id, 7), User::new(7));
    let sent = stack.telegram.says(place, &ann, &format!("is it {link}"));
    stack
        .telegram
        .replies(place, &ann, sent, "did you get this?");
    stack.telegram.says(place, &ann, "hello?");
    stack.run_until_idle().await;
    assert_eq!(texts(&news(&shop, 0).await), ["hello?"]);
}

#[tokio::test]
async fn each_sees_what_is_its_own_and_nobody_sees_our_buttons_or_a_claim() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let shop = stack.actor("shop", "backend").await;
    let desk = stack.actor("desk", "operator").await;
    let bought = stack.shop().buy("ann", "T-1").await;
    let link = bought.body["inviteLink"].as_str().unwrap().to_owned();
    let ann = stack.customer(7);
    ann.claim_by(&link);
    stack.run_until_idle().await;
    let door = ann.ways_in(stack.bot_id).remove(0);
    let _ = ann.tap(&door);
    stack.run_until_idle().await;
    assert!(ann.is_in());
    // One of our own buttons.
    let below = ann.messages_of(stack.bot_id).pop().unwrap().message_id;
    let (place, user) = (Conversation::private(stack.bot_id, 7), User::new(7));
    let pressed = stack
        .telegram
        .sends_callback(place, &user, below, "~lang:en");
    assert!(pressed.is_some());
    stack.run_until_idle().await;
    ann.say(stack.bot_id, "thanks");
    let kinds = json!({"timeout": 0,
        "allowed_updates": ["message", "callback_query", "chat_join_request", "chat_member"]});
    stack.run_until_idle().await;
    let of = |answer: Value| -> Vec<String> {
        let updates = answer["result"].as_array().unwrap().clone();
        let kind = |update: Value| {
            let fields = update.as_object().unwrap().keys().cloned();
            fields
                .filter(|name| name != "update_id")
                .collect::<String>()
        };
        updates.into_iter().map(kind).collect()
    };
    let answer = shop.call("getUpdates", &kinds).await.done();
    // The link by which they came in would let others ask for entry, too.
    assert!(!answer.to_string().contains("https://t.me/+"), "{answer}");
    let seen = of(answer);
    assert_eq!(seen, ["chat_join_request", "chat_member", "message"]);
    let seen = of(desk.call("getUpdates", &kinds).await.done());
    assert_eq!(seen, ["message"]);
}

#[tokio::test]
async fn while_nobody_reads_nothing_is_written() {
    let stack = TestStack::with(&[CLAIMED]).await;
    stack.actor("ads", "aggregator").await;
    stack.customer(7).say(stack.bot_id, "hello");
    stack.run_until_idle().await;
    let bots = store::BotInfos::from_env(stack.dynamodb(), &mut stack.config());
    assert_eq!(bots.feed_head(bot(&stack)).await.unwrap(), FeedSeq(0));
    let crm = stack.actor("crm", "operator").await;
    // What only a backend reads is not written for an operator.
    stack.clock.advance(Duration::from_secs(10));
    stack.customer(8).is_added();
    stack.run_until_idle().await;
    assert_eq!(bots.feed_head(bot(&stack)).await.unwrap(), FeedSeq(0));
    stack.customer(7).say(stack.bot_id, "again");
    assert_eq!(text(&news(&crm, 0).await[0]), "again");
}
