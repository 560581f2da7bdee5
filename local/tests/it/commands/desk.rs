//! Commands in the operators' chat: by the role of their author, about the person of the topic, answered where they
//! stand.

use local::harness::TestStack;
use simulators::telegram::{Conversation, SeenMessage, Tap, User};

use super::{ADMIN, CLAIMED, OPERATOR, OWNER, said};

const DESK: i64 = -1_001_777_000_111;
/// In the operators' chat, and without a role.
const HELPER: i64 = 4;
/// Who wrote to the bot.
const ANN: i64 = 7;

/// A stack with an operators' chat, in which there are people of each role, and with the topic of [`ANN`].
async fn desk() -> (TestStack, i64) {
    let env = [
        CLAIMED,
        ("BOT_OWNERS", "1"),
        ("OPERATOR_CHAT_ID", "-1001777000111"),
        ("RELAY_SHOW_SENT", "off"),
    ];
    let stack = TestStack::with(&env).await;
    for (person, role) in [(ADMIN, "admin"), (OPERATOR, "operator")] {
        said(&stack, OWNER, &format!("/role {person} {role}")).await;
    }
    for person in [OWNER, ADMIN, OPERATOR, HELPER] {
        stack.telegram.add_by_admin(DESK, User::new(person));
    }
    stack.customer(ANN).say(stack.bot_id, "Hello");
    stack.run_until_idle().await;
    let topics = stack.telegram.topics(DESK);
    let topic = topics.iter().find(|topic| topic.name.ends_with("· 7"));
    let topic = topic.expect("the topic").thread_id;
    (stack, topic)
}

/// What the bot has said in the operators' chat.
fn shown(stack: &TestStack) -> Vec<SeenMessage> {
    let mut all = stack.telegram.messages(Conversation::chat(DESK));
    all.retain(|message| message.from_id == Some(stack.bot_id) && !message.text.is_empty());
    all
}

/// What the bot says to a command, in a topic or outside of topics: nothing or one message, which stands where it was asked.
async fn told(stack: &TestStack, person: i64, thread: Option<i64>, text: &str) -> Option<String> {
    let before = shown(stack).len();
    let user = User::new(person);
    match thread {
        Some(thread) => stack.telegram.says_in_topic(DESK, thread, &user, text),
        None => stack.telegram.says(Conversation::chat(DESK), &user, text),
    };
    stack.run_until_idle().await;
    let all = shown(stack);
    let [answer] = &all[before..] else {
        assert_eq!(all.len(), before, "{all:?}");
        return None;
    };
    assert_eq!(answer.thread_id, thread, "{answer:?}");
    Some(answer.text.replace(['\u{2068}', '\u{2069}'], ""))
}

#[tokio::test]
async fn a_command_asks_for_its_role_and_an_answer_to_a_person_for_none() {
    let (stack, topic) = desk().await;
    let heard = || stack.customer(ANN).messages_of(stack.bot_id).len();
    let before = heard();
    for (command, role) in [
        ("/help", ""),
        ("/buyer", "operator"),
        ("/close", "operator"),
        ("/delete", "operator"),
        ("/reply hours", "operator"),
        ("/doctor", "admin"),
        ("/extend 30", "admin"),
        ("/end", "admin"),
        ("/pause", "admin"),
        ("/resume x", "admin"),
        ("/role 9 member", "admin"),
    ] {
        stack.clock.advance(std::time::Duration::from_secs(61));
        for (person, may) in [
            (HELPER, role.is_empty()),
            (OPERATOR, role != "admin"),
            (ADMIN, true),
        ] {
            // What is closed takes no further word.
            if may && command == "/close" {
                continue;
            }
            let answer = told(&stack, person, Some(topic), command).await;
            let answer = answer.unwrap_or_else(|| panic!("no answer to {command}"));
            let is_refused = answer.contains("takes the role");
            assert_eq!(!is_refused, may, "{person} {command}: {answer}");
            assert!(!is_refused || answer.contains(&format!("“{role}”")));
        }
    }
    assert_eq!(heard(), before);
    stack
        .telegram
        .says_in_topic(DESK, topic, &User::new(HELPER), "On its way");
    stack.run_until_idle().await;
    assert_eq!(heard(), before + 1);
}

#[tokio::test]
async fn help_and_buyer_know_where_they_are_asked() {
    let (stack, topic) = desk().await;
    let help = told(&stack, OPERATOR, None, "/help").await.unwrap();
    assert!(help.contains("/buyer") && help.contains("/block"), "{help}");
    assert!(
        !help.contains("/grant") && !help.contains("/terms"),
        "{help}"
    );
    let timeline = told(&stack, OPERATOR, Some(topic), "/buyer").await.unwrap();
    assert!(timeline.contains("no seat"), "{timeline}");
    let named = told(&stack, OPERATOR, Some(topic), "/buyer 999").await;
    assert!(named.unwrap().contains("I find nobody"));
    let nobody = told(&stack, OPERATOR, None, "/buyer").await.unwrap();
    assert!(nobody.contains("like this"), "{nobody}");
    // What is for a topic alone.
    let block = told(&stack, OPERATOR, None, "/block").await.unwrap();
    assert!(block.contains("I don't take /block here"), "{block}");
    // Talk, and what is meant for others.
    for text in ["Lunch?", "/nonsense", "// no", "/help@OtherBot"] {
        assert_eq!(told(&stack, OPERATOR, None, text).await, None, "{text}");
    }
    let refused = told(&stack, OPERATOR, Some(topic), "/nonsense").await;
    assert!(refused.unwrap().contains("Nothing was sent"));
}

#[tokio::test]
async fn an_anonymous_administrator_is_an_operator_and_channels_are_nobody() {
    let (stack, topic) = desk().await;
    let before = shown(&stack).len();
    stack.telegram.answers_anonymously(DESK, topic, "/buyer");
    stack.run_until_idle().await;
    stack.telegram.answers_anonymously(DESK, topic, "/grant 30");
    stack.run_until_idle().await;
    let all = shown(&stack);
    let [timeline, refused] = &all[before..] else {
        panic!("{all:?}")
    };
    assert!(timeline.text.contains("no seat"), "{timeline:?}");
    assert!(refused.text.contains("takes the role"), "{refused:?}");
    stack.telegram.says_as_channel(DESK, -1_009, "/buyer 7");
    stack
        .telegram
        .forwards_channel_post(DESK, -1_009, "/buyer 7");
    stack.run_until_idle().await;
    assert_eq!(shown(&stack).len(), all.len());
}

#[tokio::test]
async fn in_a_topic_a_seat_is_given_at_once_lasts_longer_and_ends_after_a_question() {
    let (stack, topic) = desk().await;
    let given = told(&stack, ADMIN, Some(topic), "/grant 30").await.unwrap();
    assert!(given.contains("until"), "{given}");
    let ann = stack.customer(ANN);
    let door = ann.ways_in(stack.bot_id).remove(0);
    assert_eq!(ann.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(ann.is_in());
    let longer = told(&stack, ADMIN, Some(topic), "/extend forever").await;
    assert!(longer.unwrap().contains("for good"));

    let asked = told(&stack, ADMIN, Some(topic), "/end").await.unwrap();
    assert!(asked.contains('7'), "{asked}");
    let question = shown(&stack).pop().unwrap();
    let data = question.buttons[0][0].callback_data.clone().unwrap();
    let press = async |person| {
        let desk = Conversation::chat(DESK);
        let user = User::new(person);
        let message = question.message_id;
        let query = stack.telegram.sends_callback(desk, &user, message, &data);
        stack.run_until_idle().await;
        assert!(stack.telegram.callback_answer(&query.unwrap()).is_some());
    };
    let before = shown(&stack).len();
    press(OPERATOR).await;
    assert_eq!(shown(&stack).len(), before);
    let access = said(&stack, ANN, "/access").await;
    assert!(access.contains("for good"), "{access}");
    press(ADMIN).await;
    let all = shown(&stack);
    assert_eq!(all.len(), before + 1);
    assert_eq!(all[before].thread_id, Some(topic));
    let access = said(&stack, ANN, "/access").await;
    assert!(access.contains("no access"), "{access}");
}

#[tokio::test]
async fn outside_of_topics_a_free_seat_is_a_link_that_its_administrator_alone_sees() {
    let (stack, _) = desk().await;
    let links = |stack: &TestStack| -> Vec<String> {
        let seen = stack.customer(ADMIN).messages_of(stack.bot_id).into_iter();
        let texts = seen.map(|message| message.text);
        texts.filter(|text| text.contains("?start=")).collect()
    };
    // Whom the bot can't write to is given nothing.
    let refused = told(&stack, ADMIN, None, "/grant forever").await.unwrap();
    assert!(refused.contains("Start me there"), "{refused}");
    assert_eq!(links(&stack), Vec::<String>::new());
    said(&stack, ADMIN, "/start").await;
    assert_eq!(links(&stack), Vec::<String>::new());
    let answer = told(&stack, ADMIN, None, "/grant forever").await.unwrap();
    assert!(answer.contains("in private"), "{answer}");
    let [text] = &links(&stack)[..] else {
        panic!("{:?}", links(&stack))
    };
    assert!(text.contains("free seat"), "{text}");
    let all = stack.telegram.messages(Conversation::chat(DESK));
    let shows = |message: &SeenMessage| message.text.contains("?start=");
    assert!(!all.iter().any(shows), "{all:?}");
    // It is one to pass on, and works.
    let link = text
        .split_whitespace()
        .find(|word| word.contains("?start="));
    let guest = stack.customer(9);
    guest.claim_by(link.unwrap());
    stack.run_until_idle().await;
    assert_eq!(guest.ways_in(stack.bot_id).len(), 1);
}

#[tokio::test]
async fn what_is_asked_in_a_topic_of_another_forum_is_answered_there() {
    let (stack, _) = desk().await;
    let chat = stack.chat_id;
    stack.telegram.make_forum(chat);
    let bought = stack.customer(9);
    bought.is_added();
    let topic = stack.telegram.opens_topic(chat, &User::new(9), "Talk");
    stack
        .telegram
        .says_in_topic(chat, topic, &User::new(9), "/access");
    stack.run_until_idle().await;
    let mut all = stack.telegram.messages(Conversation::chat(chat));
    all.retain(|message| message.from_id == Some(stack.bot_id));
    let [answer] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!(answer.thread_id, Some(topic));
    // Nothing of theirs: a button to the private chat.
    assert!(answer.text.contains("private"), "{answer:?}");
}
