//! What people and operators write to the bot and press in it, by their roles: answered once, and within bounds.

mod added;
mod desk;
mod handled_once;
mod operators;

use local::harness::TestStack;
use serde_json::{Value, json};
use simulators::telegram::{Conversation, SeenMessage, User};

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");
const OWNER: i64 = 1;
/// The ids of people with roles, whom [`staffed`] appoints.
const ADMIN: i64 = 2;
const OPERATOR: i64 = 3;

/// A stack with a claimed chat, an owner, an admin and an operator.
async fn staffed() -> TestStack {
    let stack = TestStack::with(&[CLAIMED, ("BOT_OWNERS", "1")]).await;
    for (person, role) in [(ADMIN, "admin"), (OPERATOR, "operator")] {
        let said = said(&stack, OWNER, &format!("/role {person} {role}")).await;
        assert!(said.contains(role), "{said}");
    }
    stack
}

/// What the bot answers last to what a person writes.
async fn said(stack: &TestStack, person: i64, text: &str) -> String {
    stack.customer(person).say(stack.bot_id, text);
    stack.run_until_idle().await;
    last(stack, person)
        .text
        .replace(['\u{2068}', '\u{2069}'], "")
}

fn last(stack: &TestStack, person: i64) -> SeenMessage {
    let mut all = stack.customer(person).messages_of(stack.bot_id);
    all.pop().expect("the bot has written to them")
}

fn answers(stack: &TestStack, person: i64) -> usize {
    stack.customer(person).messages_of(stack.bot_id).len()
}

/// Presses a button below the bot's last message, or makes one up.
async fn pressed(stack: &TestStack, person: i64, data: &str) -> usize {
    let place = Conversation::private(stack.bot_id, person);
    let user = User::new(person);
    let message = last(stack, person).message_id;
    let before = answers(stack, person);
    let query = stack.telegram.sends_callback(place, &user, message, data);
    stack.run_until_idle().await;
    let query = query.expect("the message is there");
    assert!(
        stack.telegram.callback_answer(&query).is_some(),
        "the app goes on waiting: {data}"
    );
    answers(stack, person) - before
}

/// The data of the buttons below the bot's last message.
fn buttons(stack: &TestStack, person: i64) -> Vec<String> {
    let rows = last(stack, person).buttons.into_iter().flatten();
    rows.filter_map(|button| button.callback_data).collect()
}

/// A message that a person writes to the bot, as an update.
fn written(stack: &TestStack, update: i64, person: i64, text: &str) -> Value {
    let user = json!({"id": person, "is_bot": false, "first_name": "A"});
    json!({"update_id": update, "message": {
        "message_id": update, "date": stack.clock.now_ms() / 1000, "text": text,
        "chat": {"id": person, "type": "private", "first_name": "A"}, "from": user,
    }})
}

#[tokio::test]
async fn each_command_answers_who_may_use_it_and_tells_the_others_which_role_it_takes() {
    let stack = staffed().await;
    let guest = 9;
    for (command, role) in [
        ("/help", ""),
        ("/access", ""),
        ("/support", ""),
        ("/language", ""),
        ("/paysupport", ""),
        ("/terms", ""),
        ("/privacy", ""),
        ("/stop", ""),
        ("/start", ""),
        ("/buyer", "operator"),
        ("/grant", "admin"),
        ("/extend", "admin"),
        ("/end", "admin"),
        ("/allow", "admin"),
        ("/doctor", "admin"),
        ("/pause", "admin"),
        ("/resume x", "admin"),
        ("/role", "admin"),
    ] {
        stack.clock.advance(std::time::Duration::from_secs(61));
        for (person, may) in [
            (guest, role.is_empty()),
            (OPERATOR, role != "admin"),
            (ADMIN, true),
            (OWNER, true),
        ] {
            let answer = said(&stack, person, command).await;
            let is_refused = answer.contains("takes the role");
            assert_eq!(!is_refused, may, "{person} {command}: {answer}");
            if is_refused {
                assert!(answer.contains(&format!("“{role}”")), "{answer}");
            }
        }
    }
    // What an operator does in the operators' chat is not taken in private.
    let answer = said(&stack, OWNER, "/block").await;
    assert!(answer.contains("I don't take /block here"), "{answer}");
}

#[tokio::test]
async fn help_shows_what_a_person_may_do_and_nothing_else() {
    let stack = staffed().await;
    for (person, shown, hidden) in [
        (9, "/access", "/buyer"),
        (OPERATOR, "/buyer", "/grant"),
        (ADMIN, "/grant", "/block"),
    ] {
        let help = said(&stack, person, "/help").await;
        assert!(help.contains(shown) && !help.contains(hidden), "{help}");
    }
}

#[tokio::test]
async fn ten_commands_a_minute_then_one_sentence_then_silence_and_stop_always() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let person = stack.customer(9);
    // At the beginning of a minute, so that none of them falls into the next.
    let into_the_minute = stack.clock.now_ms().rem_euclid(60_000);
    let left = u64::try_from(60_000 - into_the_minute).unwrap();
    stack.clock.advance(std::time::Duration::from_millis(left));
    for _ in 0..15 {
        person.say(stack.bot_id, "/terms");
    }
    stack.run_until_idle().await;
    let all = person.messages_of(stack.bot_id);
    assert_eq!(all.len(), 11, "{all:?}");
    let refused = all
        .iter()
        .filter(|message| message.text.contains("a bit fast"));
    assert_eq!(refused.count(), 1);
    let answer = said(&stack, 9, "/stop").await;
    assert!(answer.contains("no more news"), "{answer}");
    stack.clock.advance(std::time::Duration::from_secs(61));
    let before = answers(&stack, 9);
    said(&stack, 9, "/terms").await;
    assert_eq!(answers(&stack, 9), before + 1);
}

#[tokio::test]
async fn an_unknown_command_gets_the_nearest_and_that_of_another_bot_nothing() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let answer = said(&stack, 9, "/acess").await;
    assert!(answer.contains("Did you mean /access?"), "{answer}");
    let answer = said(&stack, 9, "/weather").await;
    assert!(answer.contains("I don't know this command"), "{answer}");
    // What is beyond a person's rights is not suggested to them.
    let answer = said(&stack, 9, "/grnat").await;
    assert!(!answer.contains("/grant"), "{answer}");
}

#[tokio::test]
async fn in_a_group_the_answer_is_a_button_and_all_else_is_left_alone() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let place = Conversation::Chat {
        chat_id: stack.chat_id,
    };
    stack.customer(9).is_added();
    let user = User::new(9);
    let of_bot = || {
        let mut all = stack.telegram.messages(place);
        all.retain(|message| message.from_id == Some(stack.bot_id));
        all
    };
    for text in ["hello", "/buyer 7", "/access@OtherBot", "/nothing"] {
        stack.telegram.says(place, &user, text);
    }
    stack.run_until_idle().await;
    assert!(of_bot().is_empty(), "{:?}", of_bot());
    stack.telegram.says(place, &user, "/access");
    stack.run_until_idle().await;
    let [answer] = &of_bot()[..] else {
        panic!("{:?}", of_bot());
    };
    assert!(answer.text.contains("in our private chat"), "{answer:?}");
    assert!(answer.buttons[0][0].url.is_some(), "{answer:?}");
}

#[tokio::test]
async fn a_language_is_the_apps_until_one_is_chosen_by_word_or_button() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let place = Conversation::private(stack.bot_id, 9);
    let user = User::new(9).speaking("pt-BR");
    stack.telegram.says(place, &user, "/terms");
    stack.run_until_idle().await;
    assert!(last(&stack, 9).text.contains("vendedor"));
    stack.telegram.says(place, &user, "/language русский");
    stack.run_until_idle().await;
    stack.telegram.says(place, &user, "/language");
    stack.run_until_idle().await;
    let russian = last(&stack, 9).text;
    assert!(russian.contains("по-русски"), "{russian}");
    assert_eq!(buttons(&stack, 9).len(), 5);
    assert_eq!(pressed(&stack, 9, "~lang:es").await, 1);
    assert!(last(&stack, 9).text.contains("español"));
}

#[tokio::test]
async fn stop_and_again_by_its_button() {
    let stack = TestStack::with(&[CLAIMED]).await;
    said(&stack, 9, "/stop").await;
    assert_eq!(buttons(&stack, 9), ["~news:"]);
    assert_eq!(pressed(&stack, 9, "~news:").await, 1);
    let again = last(&stack, 9).text;
    assert!(again.contains("news and offers again"), "{again}");
}
