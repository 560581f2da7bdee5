//! The holder moves a seat by the buttons of `/access`.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use local::harness::{LINK_CREATED, TestStack, until};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{Conversation, SeenMessage, Tap, User};

use super::{CLAIMED, SECONDS, bought, is_let_in, moved, taken_out};

const OWNER: (&str, &str) = ("BOT_OWNERS", "1");
const DESK: i64 = -1_001_777_000_111;
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// A stack in which Alice has a seat and is in; its request, her claim link, and the chat's door.
async fn seated(env: &[(&str, &str)]) -> (TestStack, String, [String; 2]) {
    let all: Vec<_> = [CLAIMED].into_iter().chain(env.iter().copied()).collect();
    let stack = TestStack::with(&all).await;
    let (id, link) = bought(&stack, "alice").await;
    let door = is_let_in(&stack, 7, &link).await;
    (stack, id, [link, door])
}

fn last(stack: &TestStack, person: i64) -> SeenMessage {
    let all = stack.customer(person).messages_of(stack.bot_id);
    all.into_iter().next_back().unwrap()
}

fn said(message: &SeenMessage) -> String {
    message.text.replace(['\u{2068}', '\u{2069}'], "")
}

/// Presses a button below the bot's last message by what stands on it, or one that is made up.
async fn presses(stack: &TestStack, person: i64, button: &str) {
    let below = last(stack, person);
    let known = below.buttons.iter().flatten();
    let known = known.into_iter().find(|known| known.text == button);
    let data = known.and_then(|known| known.callback_data.clone());
    let place = Conversation::private(stack.bot_id, person);
    let data = data.unwrap_or_else(|| button.to_owned());
    assert!(data.starts_with('~'), "no button {button}: {below:?}");
    let user = User::new(person);
    let query = stack
        .telegram
        .sends_callback(place, &user, below.message_id, &data);
    stack.run_until_idle().await;
    assert!(stack.telegram.callback_answer(&query.unwrap()).is_some());
    stack.clock.advance(SECONDS);
}

async fn asks_for_access(stack: &TestStack, person: i64) {
    stack.customer(person).say(stack.bot_id, "/access");
    stack.run_until_idle().await;
    stack.clock.advance(SECONDS);
}

/// The link in a message.
fn link_in(message: &SeenMessage) -> String {
    let mut words = message.text.split_whitespace();
    let link = words.find(|word| word.starts_with("https://"));
    link.expect("a link").to_owned()
}

/// A press, as an update.
fn pressed(stack: &TestStack, update: i64, person: i64, data: &str) -> Value {
    let user = json!({"id": person, "is_bot": false, "first_name": "A"});
    let chat = json!({"id": person, "type": "private", "first_name": "A"});
    let bot = json!({"id": stack.bot_id, "is_bot": true, "first_name": "B"});
    json!({"update_id": update, "callback_query": {"id": update.to_string(), "from": user, "chat_instance": "1", "data": data,
        "message": {"message_id": 1, "date": stack.clock.now_ms() / 1000, "chat": chat, "from": bot, "text": "?"}}})
}

async fn claim_of(stack: &TestStack, id: &str) -> Value {
    let found = stack.operator().find(&format!("requestId={id}")).await;
    found.body["invites"][0]["claim"].clone()
}

#[tokio::test]
async fn she_moves_her_seat_to_her_other_account_by_two_buttons() {
    let (stack, id, [old, door]) = seated(&[]).await;
    let (alice, other) = (stack.customer(7), stack.customer(8));
    let shown = stack.shop().status(&id).await;
    let stands = |shown: &Value| [shown["claimed"].clone(), shown["isMoving"].clone()];
    assert_eq!(stands(&shown), [json!(true), json!(false)]);

    asks_for_access(&stack, 7).await;
    presses(&stack, 7, "I have another account").await;
    let question = said(&last(&stack, 7));
    for says in ["the link that you had is dead", "has to leave the chat"] {
        assert!(question.contains(says), "{question}");
    }
    // Nothing is done by the question, nor by "no".
    presses(&stack, 7, "Leave it here").await;
    assert!(said(&last(&stack, 7)).contains("Your access"));
    let unmoved = json!({"version": 0, "boundTo": 7, "isMoving": false});
    assert_eq!(claim_of(&stack, &id).await, unmoved);

    presses(&stack, 7, "I have another account").await;
    presses(&stack, 7, "Make the new link").await;
    let ready = last(&stack, 7);
    let new = link_in(&ready);
    assert!(ready.is_protected);
    assert_eq!(ready.buttons[0][0].text, "Copy the link");
    assert_ne!(new, old);
    let shown = stack.shop().status(&id).await;
    assert_eq!(shown["inviteLink"], json!(new));
    assert_eq!(stands(&shown), [json!(true), json!(true)]);
    assert!(alice.is_in(), "nobody has claimed it yet");

    other.claim_by(&old);
    stack.run_until_idle().await;
    assert!(other.ways_in(stack.bot_id).is_empty());
    other.claim_by(&new);
    stack.run_until_idle().await;
    assert!(!alice.is_in());
    stack.clock.advance(SECONDS);
    assert_eq!(other.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(other.is_in());
    let moved = json!({"version": 1, "boundTo": 8, "isMoving": false});
    assert_eq!(claim_of(&stack, &id).await, moved);
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 2);
    assert_eq!(taken_out(&stack), 1);
    // The seat is not hers any more, and neither are its buttons.
    presses(&stack, 7, &format!("~move:{id}:1")).await;
    assert!(said(&last(&stack, 7)).contains("changed meanwhile"));
    presses(&stack, 7, &format!("~account:{id}")).await;
    assert!(said(&last(&stack, 7)).contains("changed meanwhile"));
    assert_eq!(claim_of(&stack, &id).await, moved);
}

#[tokio::test]
async fn who_lost_a_stolen_seat_gets_no_link_of_it_by_the_buttons_of_before() {
    let (stack, id, _) = seated(&[]).await;
    let new = moved(&stack, &id, json!({"stolen": true})).await;
    stack.run_until_idle().await;
    let claim = claim_of(&stack, &id).await;
    assert_eq!(claim["version"], 1);
    // As they stood there before the shop's call, and made up for the version of now.
    for data in ["account", "move:0", "move:1"] {
        let data = match data.split_once(':') {
            Some((name, version)) => format!("~{name}:{id}:{version}"),
            None => format!("~{data}:{id}"),
        };
        presses(&stack, 7, &data).await;
        assert!(
            said(&last(&stack, 7)).contains("changed meanwhile"),
            "{data}"
        );
    }
    assert_eq!(claim_of(&stack, &id).await, claim);
    let heard = stack.customer(7).messages_of(stack.bot_id);
    assert!(heard.iter().all(|message| !message.text.contains(&new)));
    stack.customer(8).claim_by(&new);
    stack.run_until_idle().await;
    assert!(!stack.customer(8).ways_in(stack.bot_id).is_empty());
}

#[tokio::test]
async fn one_link_is_made_however_often_the_button_is_pressed_and_its_updates_come() {
    let (stack, id, _) = seated(&[]).await;
    let data = format!("~move:{id}:0");
    // Twice by hand, and twice more at the same moment; each of them five times, and once after a table was down.
    let presses: Vec<Value> = (0..4)
        .map(|press| pressed(&stack, 700 + press, 7, &data))
        .collect();
    let down = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "TransactWriteItems");
    stack.aws().wire().fail(down.always());
    // The link is made, the message is not put.
    assert_eq!(stack.telegram.send(&presses[0]).await.status, 503);
    stack.aws().wire().clear_faults();
    let repeated = presses.iter().cycle().take(4 * 5);
    join_all(repeated.map(|press| stack.telegram.send(press))).await;
    for press in &presses {
        assert_eq!(stack.telegram.send(press).await.status, 200);
    }
    stack.run_until_idle().await;
    let claim = claim_of(&stack, &id).await;
    assert_eq!(
        (&claim["version"], &claim["isMoving"]),
        (&json!(1), &json!(true))
    );
    let all = stack.customer(7).messages_of(stack.bot_id);
    let links: Vec<String> = all
        .iter()
        .filter(|message| message.text.contains("Your new link"))
        .map(link_in)
        .collect();
    assert_eq!(links.len(), 4, "one answer to each press");
    assert!(links.iter().all(|link| *link == links[0]), "{links:?}");
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 2);
}

#[tokio::test]
async fn who_made_the_button_up_moves_nothing() {
    let (stack, id, _) = seated(&[]).await;
    let (unclaimed, _) = bought(&stack, "bob").await;
    stack.customer(8).say(stack.bot_id, "/start");
    stack.run_until_idle().await;
    for data in [
        format!("~account:{id}"),
        format!("~move:{id}:0"),
        format!("~move:{unclaimed}:0"),
        format!("~account:{unclaimed}"),
    ] {
        presses(&stack, 8, &data).await;
        assert!(
            said(&last(&stack, 8)).contains("changed meanwhile"),
            "{data}"
        );
    }
    for id in [id, unclaimed] {
        let claim = claim_of(&stack, &id).await;
        assert_eq!(
            (&claim["version"], &claim["isMoving"]),
            (&json!(0), &json!(false))
        );
    }
}

#[tokio::test]
async fn shop_and_holder_have_three_moves_together() {
    let (stack, id, _) = seated(&[]).await;
    moved(&stack, &id, json!({"claimVersion": 0})).await;
    for version in [1, 2] {
        presses(&stack, 7, &format!("~move:{id}:{version}")).await;
        assert!(said(&last(&stack, 7)).contains("Your new link"));
    }
    presses(&stack, 7, &format!("~move:{id}:3")).await;
    assert!(said(&last(&stack, 7)).contains("several times lately"));
    let refused = stack.shop().act(&id, "rebind", "{}").await;
    assert_eq!(refused.refusal(), (409, "moved_too_often"));
}

#[tokio::test]
async fn each_of_several_chats_has_its_button_by_name() {
    let (stack, _, _) = seated(&[]).await;
    let (_, second) = bought(&stack, "alice-again").await;
    stack.customer(7).claim_by(&second);
    stack.run_until_idle().await;
    asks_for_access(&stack, 7).await;
    let labels: Vec<String> = last(&stack, 7)
        .buttons
        .into_iter()
        .flatten()
        .map(|button| button.text)
        .collect();
    // Two purchases of one chat move one by one.
    let moves = labels
        .iter()
        .filter(|label| *label == "I have another account");
    assert_eq!(moves.count(), 2, "{labels:?}");
    assert_eq!(labels.last().map(String::as_str), Some("I lost my link"));
}

#[tokio::test]
async fn what_an_operator_ended_moves_nowhere() {
    let (stack, id, [old, _]) = seated(&[OWNER]).await;
    // The new link is out before the seat is ended.
    presses(&stack, 7, &format!("~move:{id}:0")).await;
    let new = link_in(&last(&stack, 7));
    stack.customer(1).say(stack.bot_id, "/end 7");
    stack.run_until_idle().await;
    presses(&stack, 1, "Yes, end the seat").await;
    for (person, link) in [(8, &new), (7, &new)] {
        stack.customer(person).claim_by(link);
        stack.run_until_idle().await;
        stack.clock.advance(SECONDS);
        assert!(said(&last(&stack, person)).contains("ended"), "{person}");
        assert!(stack.customer(person).ways_in(stack.bot_id).is_empty());
        asks_for_access(&stack, person).await;
        assert!(stack.customer(person).ways_in(stack.bot_id).is_empty());
    }
    // She holds it by its new link, so it moves no more; what is left of it can't move anew.
    presses(&stack, 7, &format!("~account:{id}")).await;
    assert!(said(&last(&stack, 7)).contains("ended"));
    let refused = stack.shop().act(&id, "rebind", "{}").await;
    assert_eq!(refused.refusal(), (409, "seat_ended"));
    let refused = stack.operator().act(&id, "rebind", json!({})).await;
    assert_eq!(refused.refusal(), (409, "seat_ended"));
    stack.customer(8).claim_by(&old);
    stack.run_until_idle().await;
    assert!(stack.customer(8).ways_in(stack.bot_id).is_empty());
}

#[tokio::test]
async fn operators_read_in_a_topic_that_somebody_else_has_a_seat_that_was_paid_for() {
    let desk = DESK.to_string();
    let (stack, id, [link, _]) = seated(&[("OPERATOR_CHAT_ID", &desk)]).await;
    stack.customer(8).claim_by(&link);
    stack.run_until_idle().await;
    assert!(said(&last(&stack, 8)).contains("Somebody has used this link already"));
    presses(&stack, 8, "It was not me").await;
    // It is noted, so that the next one within a day rings.
    let request = stack.dynamodb().get_item().table_name("InviteRequests");
    let request = request.key("requestId", AttributeValue::S(id.clone()));
    let request = request.send().await.unwrap().item.unwrap();
    assert_eq!(request["disputes"].as_l().unwrap().len(), 1);
    let shown = stack.telegram.messages(Conversation::chat(DESK));
    let told: Vec<&SeenMessage> = shown
        .iter()
        .filter(|message| message.text.contains(&id))
        .collect();
    assert_eq!(told.len(), 1, "{shown:?}");
    let topic = told[0].thread_id.unwrap();
    let topics = stack.telegram.topics(DESK);
    let theirs = topics.iter().find(|known| known.thread_id == topic);
    assert!(theirs.unwrap().name.ends_with("· 8"));
    // Nobody ever says a word there: it is closed as another one is.
    let is_closed = || {
        let topics = stack.telegram.topics(DESK);
        let theirs = topics.iter().find(|known| known.thread_id == topic);
        theirs.unwrap().is_closed
    };
    stack.clock.advance(13 * DAY);
    stack.run_until_idle().await;
    assert!(!is_closed());
    stack.clock.advance(2 * DAY);
    until("it is closed", async || is_closed().then_some(())).await;
    stack.run_until_idle().await;
}
