//! Topics in which nobody says anything are closed.

use std::time::Duration;

use local::harness::{MINUTE, TestStack, until};

use super::{DESK, answers, desk, idle, shown, texts, topic_of, topics, writes};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn is_closed(stack: &TestStack, thread: i64) -> bool {
    let all = topics(stack);
    let topic = all.iter().find(|topic| topic.thread_id == thread);
    topic.expect("the topic").is_closed
}

async fn closes(stack: &TestStack, thread: i64) {
    let closed = async || {
        if is_closed(stack, thread) {
            return Some(());
        }
        // A tick that read the clock before it was turned sees to it a minute later.
        idle(stack).await;
        stack.clock.advance(MINUTE);
        None
    };
    until("a silent topic is closed", closed).await;
    idle(stack).await;
}

#[tokio::test]
async fn a_topic_that_is_silent_for_14_days_is_closed_and_the_next_word_opens_it() {
    let stack = desk().await;
    for person in [7, 8] {
        writes(&stack, person, "Hello");
    }
    idle(&stack).await;
    let (of_7, of_8) = (topic_of(&stack, 7), topic_of(&stack, 8));
    stack.clock.advance(10 * DAY);
    answers(&stack, of_8, "Are you there?");
    idle(&stack).await;
    assert!(!is_closed(&stack, of_7));
    stack.clock.advance(4 * DAY);
    closes(&stack, of_7).await;
    // In that one an operator spoke since.
    assert!(!is_closed(&stack, of_8));

    writes(&stack, 7, "Hello again");
    idle(&stack).await;
    assert_eq!(topic_of(&stack, 7), of_7);
    assert_eq!(texts(&shown(&stack, of_7)), ["Hello", "Hello again"]);
    stack.clock.advance(10 * DAY);
    closes(&stack, of_8).await;
    assert!(!is_closed(&stack, of_7));
    stack.clock.advance(4 * DAY);
    closes(&stack, of_7).await;
}

#[tokio::test]
async fn one_reminder_stands_for_a_topic_however_much_is_said() {
    let stack = desk().await;
    for word in 0..3 {
        writes(&stack, 7, &format!("{word}"));
        idle(&stack).await;
        stack.clock.advance(DAY);
    }
    assert_eq!(stack.reminders().await.len(), 1);
    // Closed by hand, it is forgotten with its time.
    answers(&stack, topic_of(&stack, 7), "/close");
    idle(&stack).await;
    stack.clock.advance(14 * DAY);
    let gone = async || {
        if stack.reminders().await.is_empty() {
            return Some(());
        }
        idle(&stack).await;
        stack.clock.advance(MINUTE);
        None
    };
    until("the reminder is gone", gone).await;
    idle(&stack).await;
    writes(&stack, 7, "once more");
    idle(&stack).await;
    assert_eq!(stack.reminders().await.len(), 1);
}

#[tokio::test]
async fn a_topic_that_somebody_opened_again_after_a_silence_is_closed_after_the_next_one() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    stack.clock.advance(14 * DAY);
    closes(&stack, topic).await;
    assert!(stack.reminders().await.is_empty());
    // By hand, and nothing is said there.
    assert!(stack.telegram.reopens_topic(DESK, topic));
    idle(&stack).await;
    assert_eq!(stack.reminders().await.len(), 1);
    stack.clock.advance(10 * DAY);
    idle(&stack).await;
    assert!(!is_closed(&stack, topic));
    stack.clock.advance(4 * DAY);
    closes(&stack, topic).await;
    // Then an operator answers, whose word counts as any other.
    assert!(stack.telegram.reopens_topic(DESK, topic));
    idle(&stack).await;
    stack.clock.advance(7 * DAY);
    answers(&stack, topic, "Are you there?");
    idle(&stack).await;
    stack.clock.advance(7 * DAY);
    let seen_to = async || {
        idle(&stack).await;
        let is_one = stack.reminders().await.len() == 1;
        stack.clock.advance(MINUTE);
        is_one.then_some(())
    };
    until("the reminder of before is over", seen_to).await;
    assert!(!is_closed(&stack, topic));
    stack.clock.advance(7 * DAY);
    closes(&stack, topic).await;
}
