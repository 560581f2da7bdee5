//! Nobody waits behind the flood of one person, and no flood grows without end.

use local::harness::TestStack;
use serde_json::json;
use simulators::aws::WireCall;
use simulators::telegram::{Conversation, User};

use super::{
    DESK, answers, desk, desk_with, heard, idle, operator, private, reactions, shown, texts,
    topic_of, topics, writes,
};

/// A person sends photos, each of which is a message of its own in the operators' chat.
fn floods(stack: &TestStack, person: i64, count: usize) {
    let ann = User::new(person).named("Ann");
    for number in 0..count {
        let caption = format!("photo {number}");
        stack
            .telegram
            .sends_photo(private(stack, person), &ann, &caption);
    }
}

fn photos(stack: &TestStack, topic: i64) -> usize {
    let all = shown(stack, topic);
    let photos = all.iter().filter(|seen| seen.text.starts_with("photo"));
    photos.count()
}

#[tokio::test]
async fn a_flood_of_photos_delays_others_by_one_message_and_an_answer_shows_that_it_arrived() {
    let stack = desk().await;
    for person in [7, 8, 9] {
        writes(&stack, person, "Hello");
    }
    idle(&stack).await;
    let [flood, of_8, of_9] = [7, 8, 9].map(|person| topic_of(&stack, person));
    floods(&stack, 7, 18);
    stack.run_until(|| photos(&stack, flood) > 0).await;
    for person in [8, 9] {
        writes(&stack, person, "Am I next?");
    }
    let answer = answers(&stack, of_8, "You are.");
    let came = |topic| texts(&shown(&stack, topic)).contains(&"Am I next?");
    stack.run_until(|| came(of_8) && came(of_9)).await;
    let before = photos(&stack, flood);
    assert!(before <= 4, "{before} photos came before");
    stack
        .run_until(|| !reactions(&stack, answer).is_empty())
        .await;
    let before = photos(&stack, flood);
    assert!(before <= 9, "{before} photos came before the reaction");
    idle(&stack).await;
    assert_eq!(photos(&stack, flood), 18);
}

#[tokio::test]
async fn a_block_ends_the_flood_that_waits() {
    let stack = desk_with(&[("NEW_TOPICS_PER_HOUR", "1")]).await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    floods(&stack, 7, 15);
    stack.run_until(|| photos(&stack, topic) > 0).await;
    answers(&stack, topic, "/block");
    idle(&stack).await;
    let came = photos(&stack, topic);
    assert!(came < 6, "{came} photos came");
    // Where new people share a topic, neither their names come nor their words.
    writes(&stack, 8, "Hello");
    idle(&stack).await;
    let shared = topics(&stack)[1].thread_id;
    let hello = shown(&stack, shared).last().unwrap().message_id;
    floods(&stack, 8, 15);
    stack.run_until(|| photos(&stack, shared) > 0).await;
    stack
        .telegram
        .replies(Conversation::chat(DESK), &operator(), hello, "/block");
    idle(&stack).await;
    let all = shown(&stack, shared);
    assert!(all.len() < 12, "{:?}", texts(&all));
}

#[tokio::test]
async fn what_waits_of_one_person_is_bounded_and_they_are_told_once() {
    let stack = desk_with(&[("RELAY_PER_MINUTE", "1000")]).await;
    for person in [7, 8] {
        writes(&stack, person, "Hello");
    }
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    floods(&stack, 7, 60);
    idle(&stack).await;
    let came = photos(&stack, topic);
    assert!((20..=39).contains(&came), "{came} photos came");
    let told = heard(&stack, 7);
    let told = told.iter().filter(|text| text.contains("bit fast"));
    assert_eq!(told.count(), 1);
    // An edit is met with silence, and what is written once they have left is taken.
    writes(&stack, 7, "I am calm now");
    idle(&stack).await;
    let all = shown(&stack, topic);
    assert_eq!(all.last().unwrap().text, "I am calm now");
}

#[tokio::test]
async fn nothing_of_whom_an_operator_blocked_is_passed_on() {
    let stack = desk().await;
    writes(&stack, 7, "one");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    answers(&stack, topic, "/block");
    idle(&stack).await;
    writes(&stack, 7, "two");
    idle(&stack).await;
    answers(&stack, topic, "/unblock");
    idle(&stack).await;
    writes(&stack, 7, "three");
    idle(&stack).await;
    let all = shown(&stack, topic);
    let words = texts(&all);
    assert!(
        words.contains(&"one") && words.contains(&"three"),
        "{words:?}"
    );
    assert!(!words.contains(&"two"), "{words:?}");
}

/// The reads of the operators' chat's lane: those of its beginning, and the further ones.
fn reads(stack: &TestStack) -> (usize, usize) {
    let lane = format!("{}#g{DESK}", stack.bot_id);
    let calls = stack.aws().wire().take_calls().into_iter();
    let is_read = |call: &WireCall| {
        call.operation == "Query"
            && call.request["ExpressionAttributeValues"][":lane"]["S"] == json!(lane)
    };
    let of_lane = calls.filter(is_read);
    let (first, further): (Vec<_>, Vec<_>) =
        of_lane.partition(|call| call.request["ExclusiveStartKey"].is_null());
    (first.len(), further.len())
}

#[tokio::test]
async fn who_stands_behind_the_floods_of_several_waits_for_one_turn_of_each_and_the_lane_is_read_in_few_pages()
 {
    let stack = desk_with(&[("RELAY_PER_MINUTE", "1000")]).await;
    let flooders = [7, 8, 9];
    for person in flooders.into_iter().chain([10]) {
        writes(&stack, person, "Hello");
    }
    idle(&stack).await;
    let topics = flooders.map(|person| topic_of(&stack, person));
    let (of_10, came) = (topic_of(&stack, 10), || {
        topics
            .iter()
            .map(|topic| photos(&stack, *topic))
            .sum::<usize>()
    });
    for person in flooders {
        floods(&stack, person, 39);
    }
    stack.telegram.delivered().await;
    writes(&stack, 10, "Am I next?");
    stack.telegram.delivered().await;
    let before = came();
    stack.aws().wire().record_calls(true);
    let is_there = || texts(&shown(&stack, of_10)).contains(&"Am I next?");
    stack.run_until(is_there).await;
    let turns = came() - before;
    assert!(turns <= 5, "{turns} photos came before");
    stack.run_until(|| came() > before + 20).await;
    let (first, further) = reads(&stack);
    assert!(first > 0 && further > 0, "{first} {further}");
    // 118 messages: a page of 25, and one of 100.
    assert!(further <= first, "{first} {further}");
    idle(&stack).await;
    assert_eq!(came(), 3 * 39);
}

#[tokio::test]
async fn what_is_answered_in_private_lets_nobody_past_the_bound_of_what_waits() {
    let stack = desk_with(&[("RELAY_PER_MINUTE", "1000")]).await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let before = photos(&stack, topic);
    for round in 0..5 {
        floods(&stack, 7, 19);
        stack.telegram.delivered().await;
        // It can't be shown without its token, so it is answered in private.
        let token = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRST";
        let update = json!({"update_id": 900_000 + round, "message": {
            "message_id": 90_000 + round, "date": stack.clock.now_ms() / 1000,
            "contact": {"phone_number": "1", "first_name": format!("c_{token}")},
            "chat": {"id": 7, "type": "private", "first_name": "Ann"},
            "from": {"id": 7, "is_bot": false, "first_name": "Ann"},
        }});
        stack.telegram.sent(&update).await;
    }
    idle(&stack).await;
    let came = photos(&stack, topic) - before;
    assert!((20..=39).contains(&came), "{came} photos came");
}
