//! What is told: joins and leaves, claims, moves and ends of seats, and requests that fail or are taken back.

use std::time::Duration;

use local::harness::{Receiver, TestStack};
use serde_json::{Value, json};
use simulators::telegram::{Conversation, Fault, Tap, User};

use super::{register, stack_for, tick};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn joins_leaves_voids_and_failures_are_told() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[("MAX_ATTEMPTS", "1")]).await;
    let types = [
        "invite.joined",
        "invite.left",
        "invite.voided",
        "invite.failed",
    ];
    register(&stack, json!({"url": receiver.url("/"), "types": types})).await;
    let (_, link) = stack.admitted("alice", "T1").await;
    let alice = stack.customer(7);
    alice.join_by(&link);
    stack.run_until_idle().await;
    tick(&stack).await;
    stack.clock.advance(Duration::from_secs(2));
    alice.leave();
    stack.run_until_idle().await;
    tick(&stack).await;
    let (bob, _) = stack.admitted("bob", "T2").await;
    for _ in 0..2 {
        stack.shop().void(&bob).await.done();
    }
    stack.run_until_idle().await;
    tick(&stack).await;
    stack.telegram.fail_all_mints(Fault::BadGateway);
    let carol = stack.shop().bought("carol", "T3").await;
    stack.run_until_idle().await;
    tick(&stack).await;
    let kinds = receiver.kinds();
    assert_eq!(
        kinds,
        [
            "invite.joined",
            "invite.left",
            "invite.voided",
            "invite.failed"
        ]
    );
    let calls = receiver.calls();
    assert_eq!(calls[0].json()["data"]["telegramUserId"], 7);
    assert_eq!(calls[3].json()["data"]["requestId"], json!(carol));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_leaves_and_comes_back_is_told_each_time() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[]).await;
    let types = ["invite.joined", "invite.left"];
    register(&stack, json!({"url": receiver.url("/"), "types": types})).await;
    let (_, link) = stack.admitted("alice", "T1").await;
    let alice = stack.customer(7);
    let settled = async || {
        stack.run_until_idle().await;
        tick(&stack).await;
        stack.clock.advance(Duration::from_secs(2));
    };
    alice.join_by(&link);
    settled().await;
    for _ in 0..2 {
        alice.leave();
        settled().await;
        // By another way than the link.
        alice.is_added();
        settled().await;
    }
    let expected = [
        "invite.joined",
        "invite.left",
        "invite.joined",
        "invite.left",
        "invite.joined",
    ];
    assert_eq!(receiver.kinds(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_a_conflict_a_move_and_the_end_of_a_seat_are_told() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[("CHAT_DELIVERY", "claim")]).await;
    let types = [
        "seat.claimed",
        "seat.conflict",
        "seat.moved",
        "seat.ended",
        "invite.joined",
    ];
    register(&stack, json!({"url": receiver.url("/"), "types": types})).await;
    let bought = stack.shop().buy("alice", "T1").await;
    let link = bought.body["inviteLink"].as_str().unwrap().to_owned();
    let (alice, mallory) = (stack.customer(7), stack.customer(8));
    for _ in 0..2 {
        alice.claim_by(&link);
        stack.run_until_idle().await;
        tick(&stack).await;
        stack.clock.advance(Duration::from_secs(2));
    }
    assert_eq!(
        receiver.kinds(),
        ["seat.claimed"],
        "a second tap is no second claim"
    );
    mallory.claim_by(&link);
    stack.run_until_idle().await;
    tick(&stack).await;
    assert_eq!(alice.tap(&alice.ways_in(stack.bot_id)[0]), Tap::Requested);
    stack.run_until_idle().await;
    tick(&stack).await;
    assert_eq!(
        receiver.kinds(),
        ["seat.claimed", "seat.conflict", "invite.joined"]
    );
    let calls = receiver.calls();
    assert_eq!(calls[0].json()["data"]["telegramUserId"], 7);
    assert_eq!(calls[1].json()["data"]["telegramUserId"], 8);
    assert_eq!(calls[1].json()["data"]["holderTelegramUserId"], 7);
    let other = stack.shop().buy("bob", "T2").await;
    stack
        .customer(9)
        .claim_by(other.body["inviteLink"].as_str().unwrap());
    stack.run_until_idle().await;
    tick(&stack).await;
    let moved = stack.shop().act(&other.request_id(), "rebind", "{}").await;
    for _ in 0..2 {
        mallory.claim_by(moved.body["inviteLink"].as_str().unwrap());
        stack.run_until_idle().await;
        tick(&stack).await;
    }
    stack.shop().void(&other.request_id()).await.done();
    stack.run_until_idle().await;
    tick(&stack).await;
    let kinds = ["seat.claimed", "seat.moved", "seat.ended"];
    assert_eq!(receiver.kinds()[3..], kinds);
    let moved = &receiver.calls()[4].json()["data"];
    assert_eq!(
        [&moved["fromTelegramUserId"], &moved["telegramUserId"]],
        [9, 8]
    );
    assert_eq!(receiver.calls()[5].json()["data"]["telegramUserId"], 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_claims_a_stolen_seat_back_is_told_once() {
    let receiver = Receiver::start().await;
    let stack = stack_for(&[&receiver], &[("CHAT_DELIVERY", "claim")]).await;
    let types = ["seat.claimed", "seat.moved", "seat.ended"];
    register(&stack, json!({"url": receiver.url("/"), "types": types})).await;
    let bought = stack.shop().buy("alice", "T1").await;
    let alice = stack.customer(7);
    let claim = async |link: &Value| {
        alice.claim_by(link.as_str().unwrap());
        stack.run_until_idle().await;
        tick(&stack).await;
        stack.clock.advance(Duration::from_secs(2));
    };
    claim(&bought.body["inviteLink"]).await;
    let stolen = r#"{"stolen": true}"#;
    let moved = stack
        .shop()
        .act(&bought.request_id(), "rebind", stolen)
        .await;
    stack.run_until_idle().await;
    for _ in 0..2 {
        claim(&moved.body["inviteLink"]).await;
    }
    assert_eq!(
        receiver.kinds(),
        ["seat.claimed", "seat.ended", "seat.claimed"]
    );
    let ids: Vec<String> = receiver.calls().into_iter().map(|call| call.id).collect();
    assert_ne!(ids[0], ids[2]);
}

/// Presses the button that the bot showed a person last.
async fn press_last(stack: &TestStack, person: i64) {
    let all = stack.customer(person).messages_of(stack.bot_id);
    let last = all.iter().rev().find(|message| !message.buttons.is_empty());
    let last = last.unwrap();
    let data = last.buttons[0][0].callback_data.clone().unwrap();
    let place = Conversation::private(stack.bot_id, person);
    let user = User::new(person);
    let pressed = stack
        .telegram
        .sends_callback(place, &user, last.message_id, &data);
    pressed.unwrap();
    stack.run_until_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_free_seat_and_what_an_operator_ends_or_takes_away_are_told() {
    let (receiver, owner) = (Receiver::start().await, 1);
    let stack = stack_for(
        &[&receiver],
        &[("CHAT_DELIVERY", "claim"), ("BOT_OWNERS", "1")],
    )
    .await;
    register(&stack, json!({"url": receiver.url("/")})).await;
    stack.customer(owner).say(stack.bot_id, "/grant forever");
    stack.run_until_idle().await;
    tick(&stack).await;
    let mut kinds = receiver.kinds();
    kinds.sort();
    assert_eq!(kinds, ["invite.created", "invite.done"]);
    let id = receiver.calls()[0].json()["data"]["requestId"].clone();
    let link = async || {
        let shown = stack.shop().status(id.as_str().unwrap()).await;
        shown["inviteLink"].as_str().unwrap().to_owned()
    };
    stack.customer(7).claim_by(&link().await);
    stack.run_until_idle().await;
    tick(&stack).await;
    let path = format!("invites/{}/rebind", id.as_str().unwrap());
    for _ in 0..2 {
        let stolen = json!({"stolen": true, "claimVersion": 0});
        stack.operator().post(&path, &stolen).await.done();
        stack.run_until_idle().await;
        tick(&stack).await;
    }
    stack.customer(8).claim_by(&link().await);
    stack.run_until_idle().await;
    tick(&stack).await;
    let end = format!("/end 8 {}", stack.chat_id);
    stack.customer(owner).say(stack.bot_id, &end);
    stack.run_until_idle().await;
    for _ in 0..2 {
        press_last(&stack, owner).await;
        tick(&stack).await;
    }
    // What has ended does not end again by its shop's taking it back.
    stack.shop().void(id.as_str().unwrap()).await;
    stack.run_until_idle().await;
    tick(&stack).await;
    let seats: Vec<(String, Value)> = receiver
        .calls()
        .iter()
        .filter(|call| call.kind().starts_with("seat."))
        .map(|call| (call.kind(), call.json()["data"]["telegramUserId"].clone()))
        .collect();
    let expected = [
        ("seat.claimed", 7),
        ("seat.ended", 7),
        ("seat.moved", 8),
        ("seat.ended", 8),
    ]
    .map(|(kind, person)| (kind.to_owned(), json!(person)));
    assert_eq!(seats, expected);
}
