//! An album comes whole or not at all, however its parts come.

use bytes::Bytes;
use futures_util::future::join_all;
use local::harness::{MINUTE, TestStack};
use serde_json::{Value, json};
use simulators::telegram::{SeenMessage, User};

use super::{desk_with, heard, idle, private, shown, topic_of, writes};

/// A call of the bot's by another hand.
async fn by_its_bot(stack: &TestStack, method: &str, parameters: Value) -> Value {
    let token = &stack.env()["TELEGRAM_BOT_TOKEN"];
    let uri = format!("{}/bot{token}/{method}", stack.telegram.url());
    let call = http::Request::post(uri).header("content-type", "application/json");
    let call = call.body(Bytes::from(parameters.to_string())).unwrap();
    let answer = stack.telegram.call(call).await.unwrap();
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(answer["ok"], true, "{answer}");
    answer["result"].clone()
}

/// A person sends an album of so many parts, which the webhook is not told of; the updates by which it may be.
async fn album(stack: &TestStack, person: i64, parts: usize) -> Vec<Value> {
    let known = by_its_bot(stack, "getWebhookInfo", json!({})).await;
    by_its_bot(stack, "deleteWebhook", json!({})).await;
    let captions: Vec<String> = (0..parts).map(|part| format!("part {part}")).collect();
    let captions: Vec<&str> = captions.iter().map(String::as_str).collect();
    let ann = User::new(person).named("Ann");
    let ids = stack
        .telegram
        .sends_album(private(stack, person), &ann, &captions);
    let webhook = json!({"url": known["url"], "allowed_updates": known["allowed_updates"],
        "drop_pending_updates": true, "secret_token": stack.env()["TELEGRAM_WEBHOOK_SECRET"]});
    by_its_bot(stack, "setWebhook", webhook).await;
    let size = json!([{"file_id": "a", "file_unique_id": "a", "width": 1, "height": 1}]);
    let updates = ids.iter().zip(captions).map(|(id, caption)| {
        json!({"update_id": 900_000 + id, "message": {
            "message_id": id, "date": stack.clock.now_ms() / 1000, "media_group_id": "the album",
            "photo": size, "caption": caption,
            "chat": {"id": person, "type": "private", "first_name": "Ann"},
            "from": {"id": person, "is_bot": false, "first_name": "Ann"},
        }})
    });
    updates.collect()
}

/// The parts of albums that stand in a person's topic.
fn parts(stack: &TestStack, person: i64) -> Vec<SeenMessage> {
    let mut all = shown(stack, topic_of(stack, person));
    all.retain(|message| message.text.starts_with("part"));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parts_that_come_beside_one_another_count_as_one_message_and_are_copied_together_and_once()
{
    let stack = desk_with(&[("RELAY_PER_MINUTE", "2")]).await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let updates = album(&stack, 7, 10).await;
    // Each of them twice, as if the answers were lost.
    let twice = updates.iter().chain(&updates);
    let sent = join_all(twice.map(|update| stack.telegram.send(update))).await;
    assert!(sent.iter().any(|answer| answer.status == 200));
    for update in &updates {
        stack.telegram.send(update).await;
    }
    idle(&stack).await;
    let copies = parts(&stack, 7);
    let texts: Vec<&str> = copies.iter().map(|copy| copy.text.as_str()).collect();
    let expected: Vec<String> = (0..10).map(|part| format!("part {part}")).collect();
    assert_eq!(texts, expected);
    assert!(copies.iter().all(|copy| copy.album == copies[0].album));
    assert_eq!(stack.telegram.count("copyMessages"), 1);
    let told = heard(&stack, 7);
    assert!(
        told.iter().all(|text| !text.contains("bit fast")),
        "{told:?}"
    );
}

#[tokio::test]
async fn an_album_whose_first_part_was_not_taken_is_not_passed_on_without_it() {
    // Too many in a minute: of the first two parts one is answered, and the other met with silence.
    let stack = desk_with(&[("RELAY_PER_MINUTE", "2")]).await;
    for words in ["Hello", "again"] {
        writes(&stack, 7, words);
    }
    stack.telegram.delivered().await;
    let updates = album(&stack, 7, 4).await;
    for (number, update) in updates.iter().enumerate() {
        if number == 2 {
            stack.clock.advance(MINUTE);
        }
        stack.telegram.sent(update).await;
    }
    idle(&stack).await;
    assert!(parts(&stack, 7).is_empty());
    assert_eq!(stack.telegram.count("copyMessages"), 0);
    let told = heard(&stack, 7);
    let told = told.iter().filter(|text| text.contains("bit fast"));
    assert_eq!(told.count(), 1);

    // Too much that waits.
    let stack = desk_with(&[("RELAY_PER_MINUTE", "1000")]).await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let ann = User::new(7).named("Ann");
    for number in 0..39 {
        let photo = format!("photo {number}");
        stack.telegram.sends_photo(private(&stack, 7), &ann, &photo);
    }
    stack.telegram.delivered().await;
    let updates = album(&stack, 7, 3).await;
    stack.telegram.sent(&updates[0]).await;
    idle(&stack).await;
    for update in &updates[1..] {
        stack.telegram.sent(update).await;
    }
    idle(&stack).await;
    assert!(parts(&stack, 7).is_empty(), "{:?}", parts(&stack, 7));
    assert_eq!(stack.telegram.count("copyMessages"), 0);
    // The next one comes.
    let ids = stack
        .telegram
        .sends_album(private(&stack, 7), &ann, &["part a", "part b"]);
    assert_eq!(ids.len(), 2);
    idle(&stack).await;
    assert_eq!(parts(&stack, 7).len(), 2);
}
