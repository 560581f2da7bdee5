//! The commands of operators and administrators, and the buttons below their answers.

use std::time::Duration;

use local::harness::{JOINED, LINK_CREATED, TestStack};
use serde_json::json;
use simulators::telegram::{Conversation, Tap, User};

use super::{ADMIN, OPERATOR, answers, buttons, last, pressed, said, staffed};

/// The link in the bot's last message to a person.
fn link(stack: &TestStack, person: i64) -> String {
    let text = last(stack, person).text;
    let mut words = text.split_whitespace();
    let link = words.find(|word| word.starts_with("https://"));
    link.expect("a link").to_owned()
}

/// Claims by a link and asks to be let in.
async fn comes_in(stack: &TestStack, person: i64, link: &str) {
    let customer = stack.customer(person);
    customer.claim_by(link);
    stack.run_until_idle().await;
    let door = customer.ways_in(stack.bot_id).remove(0);
    assert_eq!(customer.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_granted_seat_is_claimed_by_its_link_and_no_shop_is_told() {
    let stack = staffed().await;
    let answer = said(&stack, ADMIN, "/grant forever").await;
    assert!(answer.contains("for good"), "{answer}");
    comes_in(&stack, 7, &link(&stack, ADMIN)).await;
    assert!(stack.customer(7).is_in());
    let access = said(&stack, 7, "/access").await;
    assert!(access.contains("for good"), "{access}");
    // Of some days: it says until when.
    let answer = said(&stack, ADMIN, &format!("/grant {} 30", stack.chat_id)).await;
    assert!(answer.contains("until"), "{answer}");
    comes_in(&stack, 8, &link(&stack, ADMIN)).await;
    let access = said(&stack, 8, "/access").await;
    assert!(access.contains("until"), "{access}");
    // Nor when it moves, and somebody else comes in by it.
    let found = stack.operator().find("userId=granted-by-2").await;
    let id = found.body["invites"][0]["requestId"].as_str().unwrap();
    stack.clock.advance(Duration::from_secs(2));
    let moved = stack.operator().act(id, "rebind", json!({})).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    let shown = stack.shop().status(id).await;
    comes_in(&stack, 9, shown["inviteLink"].as_str().unwrap()).await;
    assert!(stack.customer(9).is_in());
    assert!(stack.webengage.delivered(LINK_CREATED).is_empty());
    assert!(stack.webengage.delivered(JOINED).is_empty());
    // The seat ends by itself.
    stack.customer(8).leave();
    stack.run_until_idle().await;
    stack.clock.advance(Duration::from_secs(31 * 86_400));
    let access = said(&stack, 8, "/access").await;
    assert!(access.contains("no access"), "{access}");
}

#[tokio::test]
async fn what_is_written_wrong_is_explained_and_changes_nothing() {
    let stack = staffed().await;
    for (text, says) in [
        ("/grant", "like this"),
        ("/grant 0", "like this"),
        ("/grant -5 forever", "one of our chats"),
        ("/grant -x 30", "one of our chats"),
        ("/extend", "like this"),
        ("/extend nobody 3", "I find nobody"),
        ("/extend @nobody 3", "I find nobody"),
        ("/extend 7 3", "no seat"),
        ("/allow", "like this"),
        ("/allow 7 -5", "one of our chats"),
        ("/end 7", "no seat"),
        ("/end 7 30", "like this"),
        ("/pause", "like this"),
        ("/pause 5", "like this"),
        ("/resume now", "like this"),
        ("/buyer", "like this"),
        ("/buyer nothing-like-it", "I find nobody"),
        ("/buyer @", "I find nobody"),
        ("/buyer @никто", "I find nobody"),
        ("/role -100 operator", "the person's id"),
        // Nobody is made known by losing a role.
        ("/role 12 public", "everybody"),
        ("/buyer 12", "I find nobody"),
    ] {
        stack.clock.advance(Duration::from_secs(61));
        let answer = said(&stack, ADMIN, text).await;
        assert!(answer.contains(says), "{text}: {answer}");
    }
    assert!(said(&stack, 7, "/access").await.contains("no access"));
}

#[tokio::test]
async fn a_seat_is_made_longer_and_ended_after_a_question() {
    let stack = staffed().await;
    said(&stack, ADMIN, "/grant 1").await;
    comes_in(&stack, 7, &link(&stack, ADMIN)).await;
    let day = Duration::from_secs(86_400);
    let answer = said(&stack, ADMIN, "/extend 7 2").await;
    assert!(answer.contains("until"), "{answer}");
    stack.clock.advance(day * 2);
    let access = said(&stack, 7, "/access").await;
    assert!(access.contains("until"), "{access}");

    let asks = said(&stack, ADMIN, "/end 7").await;
    assert!(asks.contains("End the seat of 7"), "{asks}");
    let [end] = &buttons(&stack, ADMIN)[..] else {
        panic!("{:?}", last(&stack, ADMIN));
    };
    let end = end.clone();
    // Nothing before it is pressed, and nothing when somebody else makes it up.
    stack.customer(66).say(stack.bot_id, "/help");
    stack.run_until_idle().await;
    assert_eq!(pressed(&stack, 66, &end).await, 0);
    assert_eq!(pressed(&stack, ADMIN, &format!("{end}9")).await, 1);
    assert!(last(&stack, ADMIN).text.contains("has changed meanwhile"));
    assert!(said(&stack, 7, "/access").await.contains("until"));
    assert_eq!(pressed(&stack, ADMIN, &end).await, 1);
    assert!(last(&stack, ADMIN).text.contains("ended"));
    assert!(said(&stack, 7, "/access").await.contains("no access"));
    // Twice is as once.
    assert_eq!(pressed(&stack, ADMIN, &end).await, 1);
    assert!(last(&stack, ADMIN).text.contains("ended"));
}

#[tokio::test]
async fn whoever_waits_at_the_door_is_let_in_when_they_are_allowed() {
    let stack = staffed().await;
    said(&stack, ADMIN, "/grant forever").await;
    let customer = stack.customer(7);
    customer.claim_by(&link(&stack, ADMIN));
    stack.run_until_idle().await;
    let door = customer.ways_in(stack.bot_id).remove(0);
    let other = stack.customer(8);
    assert_eq!(other.tap(&door), Tap::Requested);
    // Until nothing is left to do, they would be declined.
    stack.run_for(Duration::from_secs(10)).await;
    assert!(!other.is_in());
    stack.customer(ADMIN).say(stack.bot_id, "/allow 8");
    let is_in = || other.is_in() && last(&stack, ADMIN).text.contains("for good");
    stack.run_until(is_in).await;
    assert!(is_in());
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_buyer_is_found_by_each_of_their_names_and_gets_the_way_in_again() {
    let stack = staffed().await;
    let bought = stack.shop().buy("alice", "T-77").await;
    let id = bought.request_id();
    let answer = said(&stack, OPERATOR, "/buyer T-77").await;
    assert!(answer.contains("Nobody has claimed it"), "{answer}");
    let place = Conversation::private(stack.bot_id, 7);
    let alice = User::new(7).named("Alice").with_username("alice_a");
    stack.telegram.says(place, &alice, "/help");
    stack.run_until_idle().await;
    comes_in(&stack, 7, bought.body["inviteLink"].as_str().unwrap()).await;
    stack.telegram.says(place, &alice, "/help");
    stack.run_until_idle().await;
    for sought in ["T-77", id.as_str(), "7", "@alice_a", "@Alice_A"] {
        let answer = said(&stack, OPERATOR, &format!("/buyer {sought}")).await;
        for part in [
            "Alice",
            "7",
            &id,
            "T-77",
            "DONE",
            "Joined on",
            "Is in the chat",
            "SENT",
        ] {
            assert!(answer.contains(part), "{sought}, {part}: {answer}");
        }
    }
    assert_eq!(buttons(&stack, OPERATOR), ["~way:7"]);
    let before = answers(&stack, 7);
    assert_eq!(pressed(&stack, OPERATOR, "~way:7").await, 1);
    assert_eq!(answers(&stack, 7), before + 1);
    assert!(!stack.customer(7).ways_in(stack.bot_id).is_empty());
    // Whoever has no right to it sends nothing, and to strangers nothing is sent.
    assert_eq!(pressed(&stack, 7, "~way:7").await, 0);
    assert_eq!(answers(&stack, 7), before + 1);
    assert_eq!(pressed(&stack, OPERATOR, "~way:12345").await, 1);
    assert!(last(&stack, OPERATOR).text.contains("I sent nothing"));
    // Two people who last had one name.
    stack.telegram.says(place, &alice, "/help");
    let bob = User::new(8).named("Bob").with_username("alice_a");
    let place = Conversation::private(stack.bot_id, 8);
    stack.telegram.says(place, &bob, "/help");
    stack.run_until_idle().await;
    let answer = said(&stack, OPERATOR, "/buyer @alice_a").await;
    assert!(
        answer.contains("Alice") && answer.contains("Bob"),
        "{answer}"
    );
    assert!(answer.contains("several people"), "{answer}");
}

#[tokio::test]
async fn a_chat_is_paused_and_resumed_and_the_doctor_says_so() {
    let stack = staffed().await;
    let answer = said(&stack, ADMIN, "/doctor").await;
    assert!(answer.contains("all is well"), "{answer}");
    let answer = said(&stack, ADMIN, "/pause 60 we move").await;
    assert!(
        answer.contains("we move") && answer.contains("by itself"),
        "{answer}"
    );
    let shown = stack.operator().chat().await;
    assert_eq!(shown["pause"]["reason"], "we move");
    assert_eq!(shown["pause"]["who"], "telegram:2");
    let answer = said(&stack, ADMIN, "/doctor").await;
    assert!(answer.contains("is paused: we move"), "{answer}");
    // Whoever asks to be let in waits.
    said(&stack, ADMIN, "/grant forever").await;
    stack.customer(7).claim_by(&link(&stack, ADMIN));
    stack.run_until_idle().await;
    let door = stack.customer(7).ways_in(stack.bot_id).remove(0);
    assert_eq!(stack.customer(7).tap(&door), Tap::Requested);
    let moment = Duration::from_secs(10);
    stack.run_for(moment).await;
    assert!(!stack.customer(7).is_in());
    stack.customer(ADMIN).say(stack.bot_id, "/doctor");
    let is_said = || last(&stack, ADMIN).text.contains("waiting to be done: 1");
    stack.run_until(is_said).await;
    assert!(is_said());
    said(&stack, ADMIN, "/resume").await;
    assert!(stack.customer(7).is_in());
    let answer = said(&stack, ADMIN, "/doctor").await;
    assert!(answer.contains("all is well"), "{answer}");
}

#[tokio::test]
async fn nobody_gives_a_role_that_is_not_below_their_own() {
    let stack = staffed().await;
    let answer = said(&stack, ADMIN, "/role 5 admin").await;
    assert!(answer.contains("only roles below your own"), "{answer}");
    let answer = said(&stack, ADMIN, "/role 1 operator").await;
    assert!(answer.contains("only roles below your own"), "{answer}");
    said(&stack, ADMIN, "/role 3 public").await;
    let answer = said(&stack, OPERATOR, "/buyer 7").await;
    assert!(answer.contains("takes the role"), "{answer}");
}
