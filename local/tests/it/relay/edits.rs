//! Edits, and what is written while an album is collected.

use std::time::Duration;

use local::harness::HOUR;
use simulators::telegram::{Conversation, User};

use super::{DESK, answers, desk, heard, idle, operator, private, shown, texts, topic_of, writes};

fn forum() -> Conversation {
    Conversation::chat(DESK)
}

#[tokio::test]
async fn what_an_operator_took_back_is_not_sent_by_an_edit() {
    for is_gone_already in [false, true] {
        let stack = desk().await;
        writes(&stack, 7, "Hello");
        idle(&stack).await;
        let topic = topic_of(&stack, 7);
        let wrong = answers(&stack, topic, "This is for somebody else");
        idle(&stack).await;
        let sent = stack.customer(7).messages_of(stack.bot_id);
        let sent = sent.last().unwrap().message_id;
        if is_gone_already {
            assert!(stack.telegram.deletes(private(&stack, 7), sent));
        }
        stack
            .telegram
            .replies(forum(), &operator(), wrong, "/delete");
        idle(&stack).await;
        let before = heard(&stack, 7);
        let edit = "And more of it";
        assert!(stack.telegram.edits(forum(), wrong, edit));
        idle(&stack).await;
        assert_eq!(heard(&stack, 7), before, "{is_gone_already}");
        assert!(!before.contains(&edit.to_owned()));
    }
}

#[tokio::test]
async fn an_edit_is_the_first_that_is_sent_of_young_words_and_of_what_was_deleted() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let [young, old] = ["// soon", "// late"].map(|words| answers(&stack, topic, words));
    idle(&stack).await;
    let before = heard(&stack, 7).len();
    assert!(stack.telegram.edits(forum(), young, "soon"));
    idle(&stack).await;
    assert_eq!(heard(&stack, 7)[before..], ["soon"]);
    stack.clock.advance(2 * HOUR);
    assert!(stack.telegram.edits(forum(), old, "late"));
    idle(&stack).await;
    assert_eq!(heard(&stack, 7).len(), before + 1);

    // The person has deleted it.
    let sent = stack.customer(7).messages_of(stack.bot_id);
    let sent = sent.last().unwrap().message_id;
    assert!(stack.telegram.deletes(private(&stack, 7), sent));
    for edit in ["sooner", "soonest"] {
        assert!(stack.telegram.edits(forum(), young, edit));
        idle(&stack).await;
        assert_eq!(heard(&stack, 7).last().unwrap(), edit);
    }
}

#[tokio::test]
async fn what_is_written_after_an_album_comes_after_it() {
    let stack = desk().await;
    let (ann, place) = (User::new(7).named("Ann"), private(&stack, 7));
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let parts = stack.telegram.sends_album(place, &ann, &["one", "two"]);
    writes(&stack, 7, "three");
    assert!(stack.telegram.edits(place, parts[0], "first"));
    idle(&stack).await;
    let all = shown(&stack, topic);
    assert_eq!(texts(&all), ["Hello", "first", "two", "three"]);

    let before = heard(&stack, 7).len();
    let captions = ["four", "five"];
    stack
        .telegram
        .sends_album_in_topic(DESK, topic, &operator(), &captions);
    answers(&stack, topic, "six");
    idle(&stack).await;
    assert_eq!(heard(&stack, 7)[before..], ["four", "five", "six"]);
}

#[tokio::test]
async fn a_new_persons_album_stands_below_what_is_pinned_and_before_their_words() {
    let stack = desk().await;
    let (ann, place) = (User::new(7).named("Ann"), private(&stack, 7));
    writes(&stack, 7, "one");
    stack.telegram.sends_album(place, &ann, &["two", "three"]);
    stack.clock.advance(Duration::from_millis(500));
    writes(&stack, 7, "four");
    idle(&stack).await;
    let all = shown(&stack, topic_of(&stack, 7));
    assert_eq!(texts(&all), ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn a_long_caption_is_cut_in_an_edit_too() {
    let stack = desk().await;
    let (ann, place) = (User::new(7).named("Ann"), private(&stack, 7));
    let photo = stack.telegram.sends_photo(place, &ann, "short");
    idle(&stack).await;
    assert!(stack.telegram.edits(place, photo, &"x".repeat(1500)));
    idle(&stack).await;
    let all = shown(&stack, topic_of(&stack, 7));
    let [seen] = &all[..] else {
        panic!("one photo: {:?}", texts(&all))
    };
    assert_eq!(seen.text.chars().count(), 1024);
    assert!(seen.text.ends_with('…'));
}
