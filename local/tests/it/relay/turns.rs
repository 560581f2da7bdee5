//! Nobody waits behind the flood of one person, and no flood grows without end.

use local::harness::TestStack;
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
