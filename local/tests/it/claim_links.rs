//! Claim links: a payment of a claimed chat is answered with one, at once, without a call of Telegram and without a task.

mod queue;

use local::harness::{JOINED, LINK_CREATED, TestStack};
use serde_json::json;
use simulators::telegram::Tap;

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");

#[tokio::test]
async fn a_payment_of_a_claimed_chat_is_answered_with_its_claim_link_and_calls_telegram_not_once() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let shop = stack.shop();
    let calls = stack.telegram.calls().len();
    let bought = shop.buy("alice", "T1").await;
    assert_eq!(bought.status, 200, "{}", bought.body);
    assert_eq!(bought.body["status"], "done");
    let link = bought.body["inviteLink"].as_str().unwrap().to_owned();
    let (bot, token) = link
        .strip_prefix("https://t.me/")
        .and_then(|rest| rest.split_once("?start=c_"))
        .unwrap();
    assert!(!bot.is_empty() && token.len() == 46, "{link}");

    // Again and by GET, it is the same link.
    let again = shop.buy("alice", "T1").await;
    assert_eq!(again.body["duplicate"], true);
    assert_eq!(again.body["inviteLink"], json!(link));
    let shown = shop.status(&bought.request_id()).await;
    assert_eq!(shown["status"], "DONE");
    assert_eq!(shown["inviteLink"], json!(link));
    // It does not end, so there is nothing to be replaced.
    let replaced = shop.reissue(&bought.request_id()).await;
    assert_eq!(replaced.refusal(), (409, "claim_link"));

    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 1);
    assert_eq!(stack.telegram.calls().len(), calls);
    assert!(stack.tasks().await.is_empty());
}

#[tokio::test]
async fn two_hundred_calls_at_once_for_one_payment_give_one_claim_link_and_one_event() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let shop = stack.shop();
    let calls = (0..200).map(|_| shop.buy("alice", "T1"));
    let answers = futures_util::future::join_all(calls).await;
    let links: std::collections::BTreeSet<String> = answers
        .iter()
        .map(|answer| answer.body["inviteLink"].to_string())
        .collect();
    assert_eq!(links.len(), 1, "{links:?}");
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 1);
}

/// A payment of `user` and its claim link.
async fn bought(stack: &TestStack, user: &str) -> (String, String) {
    let answer = stack.shop().buy(user, &format!("T-{user}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let link = answer.body["inviteLink"].as_str().unwrap().to_owned();
    (answer.request_id(), link)
}

#[tokio::test]
async fn who_paid_claims_taps_and_is_in_and_both_events_are_told() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link) = bought(&stack, "alice").await;
    let alice = stack.customer(7);
    alice.claim_by(&link);
    stack.run_until_idle().await;
    let [door] = &alice.ways_in(stack.bot_id)[..] else {
        panic!("{:?}", alice.messages_of(stack.bot_id));
    };
    assert_eq!(alice.tap(door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(alice.is_in());
    let shown = stack.shop().status(&id).await;
    assert_eq!(
        (&shown["joined"], &shown["telegramUserId"]),
        (&json!(true), &json!(7))
    );
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 1);
    assert_eq!(stack.webengage.delivered(JOINED).len(), 1);
    // One message, however often Telegram or she repeats herself.
    alice.claim_by(&link);
    stack.run_until_idle().await;
    assert_eq!(alice.messages_of(stack.bot_id).len(), 2);
    assert_eq!(stack.webengage.delivered(JOINED).len(), 1);
}

#[tokio::test]
async fn a_stranger_with_a_forwarded_link_gets_nothing_and_the_payer_stays() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, link) = bought(&stack, "alice").await;
    let (alice, mallory) = (stack.customer(7), stack.customer(666));
    alice.claim_by(&link);
    stack.run_until_idle().await;
    let door = alice.ways_in(stack.bot_id).remove(0);
    mallory.claim_by(&link);
    stack.run_until_idle().await;
    assert!(mallory.ways_in(stack.bot_id).is_empty());
    assert_eq!(mallory.messages_of(stack.bot_id).len(), 1);
    // Nor does the door open for whoever has its link.
    assert_eq!(mallory.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(!mallory.is_in());
    assert_eq!(alice.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(alice.is_in());
}

#[tokio::test]
async fn two_people_who_race_for_one_claim_link_get_one_seat() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, link) = bought(&stack, "alice").await;
    let people: Vec<_> = (1..=20).map(|id| stack.customer(id)).collect();
    for person in &people {
        person.claim_by(&link);
    }
    stack.run_until_idle().await;
    let with_a_way_in = people
        .iter()
        .filter(|person| !person.ways_in(stack.bot_id).is_empty());
    assert_eq!(with_a_way_in.count(), 1);
    assert!(
        people
            .iter()
            .all(|person| person.messages_of(stack.bot_id).len() == 1)
    );
}

#[tokio::test]
async fn who_asks_at_the_door_first_and_claims_then_is_let_in_without_another_tap() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, first) = bought(&stack, "alice").await;
    let alice = stack.customer(7);
    alice.claim_by(&first);
    stack.run_until_idle().await;
    let door = alice.ways_in(stack.bot_id).remove(0);

    let (_, second) = bought(&stack, "bob").await;
    let bob = stack.customer(8);
    assert_eq!(bob.tap(&door), Tap::Requested);
    // His request waits a quarter of an hour.
    stack.run_for(std::time::Duration::from_secs(5)).await;
    assert!(!bob.is_in());
    bob.claim_by(&second);
    stack.run_until_idle().await;
    assert!(bob.is_in());
}

#[tokio::test]
async fn a_way_in_is_found_again_by_who_left_lost_it_or_pasted_the_link() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, link) = bought(&stack, "alice").await;
    let alice = stack.customer(7);
    // The app lost the payload: she pastes the link.
    alice.say(stack.bot_id, "/start");
    stack.run_until_idle().await;
    assert!(alice.ways_in(stack.bot_id).is_empty());
    alice.say(stack.bot_id, &format!("here it is: {link}"));
    stack.run_until_idle().await;
    let door = alice.ways_in(stack.bot_id).remove(0);
    for _ in 0..2 {
        assert_eq!(alice.tap(&door), Tap::Requested);
        stack.run_until_idle().await;
        assert!(alice.is_in());
        alice.leave();
        stack.run_until_idle().await;
        stack.clock.advance(std::time::Duration::from_secs(2));
        alice.say(stack.bot_id, "/access");
        stack.run_until_idle().await;
        assert_eq!(alice.ways_in(stack.bot_id), std::slice::from_ref(&door));
    }
}

#[tokio::test]
async fn a_voided_claim_link_lets_nobody_in() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link) = bought(&stack, "alice").await;
    assert_eq!(stack.shop().void(&id).await.status, 200);
    let alice = stack.customer(7);
    alice.claim_by(&link);
    stack.run_until_idle().await;
    assert!(alice.ways_in(stack.bot_id).is_empty());
    assert_eq!(alice.messages_of(stack.bot_id).len(), 1);

    // Claimed, and then voided, before the join: the door stays shut.
    let (id, link) = bought(&stack, "bob").await;
    let bob = stack.customer(8);
    bob.claim_by(&link);
    stack.run_until_idle().await;
    let door = bob.ways_in(stack.bot_id).remove(0);
    assert_eq!(stack.shop().void(&id).await.status, 200);
    assert_eq!(bob.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(!bob.is_in());
}

/// Claims, asks, and is in; answers the chat's door.
async fn is_let_in(stack: &TestStack, person: i64, link: &str) -> String {
    let customer = stack.customer(person);
    customer.claim_by(link);
    stack.run_until_idle().await;
    let door = customer.ways_in(stack.bot_id).remove(0);
    assert_eq!(customer.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(customer.is_in());
    door
}

#[tokio::test]
async fn whoever_left_may_be_refunded_and_then_stays_out() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (shop, alice) = (stack.shop(), stack.customer(7));
    let (id, link) = bought(&stack, "alice").await;
    let door = is_let_in(&stack, 7, &link).await;
    assert_eq!(shop.void(&id).await.refusal(), (409, "already_joined"));
    // A month later: nothing of the way by which the leave finds its request has ended.
    stack
        .clock
        .advance(std::time::Duration::from_secs(30 * 24 * 3600));
    alice.leave();
    stack.run_until_idle().await;
    assert!(shop.status(&id).await["leftAt"].is_string());
    assert_eq!(shop.void(&id).await.status, 200);
    assert_eq!(alice.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(!alice.is_in());
}

#[tokio::test]
async fn who_was_banned_by_hand_and_unbanned_comes_in_again() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let alice = stack.customer(7);
    let (_, link) = bought(&stack, "alice").await;
    let door = is_let_in(&stack, 7, &link).await;
    let second = std::time::Duration::from_secs(2);
    stack.clock.advance(second);
    let user = simulators::telegram::User::new(7);
    stack.telegram.ban(stack.chat_id, user, 0);
    stack.run_until_idle().await;
    assert_eq!(alice.tap(&door), Tap::Banned);
    stack.clock.advance(second);
    stack.telegram.unban(stack.chat_id, 7);
    stack.run_until_idle().await;
    stack.clock.advance(second);
    assert_eq!(alice.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(alice.is_in());
}

#[tokio::test]
async fn who_is_in_already_has_joined_once_they_claim() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (first, link) = bought(&stack, "alice").await;
    is_let_in(&stack, 7, &link).await;
    let (second, link) = bought(&stack, "alice-again").await;
    stack.customer(7).claim_by(&link);
    stack.run_until_idle().await;
    for id in [first, second] {
        assert_eq!(stack.shop().status(&id).await["joined"], true, "{id}");
    }
    assert_eq!(stack.webengage.delivered(JOINED).len(), 2);
}

#[tokio::test]
async fn a_voided_payment_has_no_join_although_its_buyer_came_in_by_another() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (refunded, link) = bought(&stack, "alice").await;
    stack.customer(7).claim_by(&link);
    stack.run_until_idle().await;
    assert_eq!(stack.shop().void(&refunded).await.status, 200);
    let (paid, link) = bought(&stack, "alice-again").await;
    is_let_in(&stack, 7, &link).await;
    assert_eq!(stack.shop().status(&refunded).await["joined"], false);
    assert_eq!(stack.shop().status(&paid).await["joined"], true);
    assert_eq!(stack.webengage.delivered(JOINED).len(), 1);
}
