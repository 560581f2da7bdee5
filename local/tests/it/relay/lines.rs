//! What the bot says to a person stands in their topic, too.

use domain::id::{BotId, ChatId};
use domain::message::{Class, Content, Message, MessageId};
use domain::time::Timestamp;
use local::harness::{TestStack, until};
use simulators::telegram::{Fault, FaultRule, Refusal, User};

use super::{DESK, desk, desk_with, heard, idle, private, shown, texts, topic_of, topics, writes};

/// The bot says something to a person.
async fn says(stack: &TestStack, person: i64, class: Class, html: &str) {
    stack.say(&said_to(stack, person, class, html)).await;
    idle(stack).await;
}

fn said_to(stack: &TestStack, person: i64, class: Class, html: &str) -> Message {
    Message {
        id: MessageId::new(Timestamp::from_ms(stack.clock.now_ms()), class.as_str()),
        bot: BotId(u64::try_from(stack.bot_id).unwrap()),
        chat: ChatId(person),
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

#[tokio::test]
async fn what_concerns_access_and_payments_stands_in_the_topic_without_a_token() {
    for (shows, lines) in [("on", 1), ("off", 0)] {
        let stack = desk_with(&[("RELAY_SHOW_SENT", shows)]).await;
        for person in [7, 8] {
            let user = User::new(person).named("Ann");
            stack.telegram.presses_start(stack.bot_id, &user, "");
        }
        writes(&stack, 7, "Hello");
        idle(&stack).await;
        let token = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRST";
        let html = format!("Paid &amp; <b>done</b>: https://t.me/b?start=c_{token}");
        for person in [7, 8] {
            says(&stack, person, Class::Transactional, &html).await;
        }
        says(&stack, 7, Class::Reply, "An answer").await;
        says(&stack, 7, Class::Marketing, "An offer").await;
        let all = shown(&stack, topic_of(&stack, 7));
        let all = texts(&all);
        assert_eq!(all.len(), 1 + lines, "{all:?}");
        if lines > 0 {
            assert!(all[1].starts_with("Sent to the person:"), "{all:?}");
            assert!(all[1].contains("Paid & done"), "{all:?}");
            assert!(!all[1].contains(token), "{all:?}");
        }
        // Nobody has a topic made for that.
        assert_eq!(topics(&stack).len(), 1);
    }
}

#[tokio::test]
async fn what_an_actor_sends_stands_in_the_topic_but_for_offers() {
    let stack = desk().await;
    for person in [7, 8] {
        let user = User::new(person).named("Ann");
        stack.telegram.presses_start(stack.bot_id, &user, "");
    }
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    for (name, role) in [
        ("crm", "operator"),
        ("shop", "backend"),
        ("ads", "aggregator"),
    ] {
        let actor = stack.actor(name, role).await;
        for person in [7, 8] {
            let text = serde_json::json!({"chat_id": person, "text": format!("<from> {name}")});
            assert_eq!(actor.call("sendMessage", &text).await.status, 200);
        }
    }
    idle(&stack).await;
    let all = shown(&stack, topic_of(&stack, 7));
    let all = texts(&all).join("\n").replace(['\u{2068}', '\u{2069}'], "");
    for name in ["crm", "shop"] {
        assert!(
            all.contains(&format!("Sent by {name}:\n<from> {name}")),
            "{all}"
        );
    }
    assert!(!all.contains("ads"), "{all}");
    assert_eq!(topics(&stack).len(), 1);
}

#[tokio::test]
async fn a_line_opens_no_topic_that_was_closed_while_it_waited() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    // The chat has to wait, so that the line does.
    let wait = Fault::TooManyRequests { retry_after: 60 };
    let rule = FaultRule::on("sendMessage", wait).chat(DESK);
    stack.telegram.fail(rule.times(1));
    stack.pause_schedule();
    let message = said_to(&stack, 7, Class::Transactional, "Paid");
    stack.say(&message).await;
    until("the line waits", async || {
        (stack.telegram.too_many_requests() > 0 && !stack.message_tasks().await.is_empty())
            .then_some(())
    })
    .await;
    // By hand, and known; or meanwhile, which Telegram tells.
    assert!(stack.telegram.closes_topic(DESK, topic));
    stack.clock.advance(std::time::Duration::from_secs(61));
    idle(&stack).await;
    assert_eq!(stack.message_tasks().await, []);
    assert!(topics(&stack)[0].is_closed);
    assert_eq!(texts(&shown(&stack, topic)), ["Hello"]);
    assert_eq!(stack.telegram.count("reopenForumTopic"), 0);
    // The next word opens it, and the next line stands in it.
    writes(&stack, 7, "again");
    idle(&stack).await;
    says(&stack, 7, Class::Operator, "Done").await;
    let all = shown(&stack, topic);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all[2].text.contains("Done") && all[2].is_silent, "{all:?}");
}

#[tokio::test]
async fn a_line_that_fails_leaves_its_message_alone() {
    let mut stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let refused = Fault::Refuse(Refusal::new(400, "Bad Request: no"));
    stack
        .telegram
        .fail(FaultRule::on("sendMessage", refused).chat(DESK));
    says(&stack, 7, Class::Transactional, "Paid").await;
    let paid = heard(&stack, 7);
    assert_eq!(paid.iter().filter(|text| *text == "Paid").count(), 1);
    stack.leaves_something();
}

#[tokio::test]
async fn an_album_counts_as_one_message() {
    let stack = desk_with(&[("RELAY_PER_MINUTE", "2")]).await;
    let into_the_minute = stack.clock.now_ms().rem_euclid(60_000);
    let left = u64::try_from(60_000 - into_the_minute).unwrap();
    stack.clock.advance(std::time::Duration::from_millis(left));
    let ann = User::new(7).named("Ann");
    let parts = ["1", "2", "3", "4"];
    stack.telegram.sends_album(private(&stack, 7), &ann, &parts);
    for word in ["one", "too many"] {
        writes(&stack, 7, word);
    }
    idle(&stack).await;
    let all = shown(&stack, topic_of(&stack, 7));
    let mut all = texts(&all);
    all.sort_unstable();
    assert_eq!(all, ["1", "2", "3", "4", "one"]);
    let told = heard(&stack, 7);
    assert!(
        told.iter().any(|text| text.contains("bit fast")),
        "{told:?}"
    );
}
