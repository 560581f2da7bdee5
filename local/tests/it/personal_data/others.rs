//! A person is erased, or reads what is known of them: what is others' stays theirs, and what was not asked is not done.

use super::*;

/// Asks what is kept.
async fn privacy(stack: &TestStack) {
    stack.customer(ALICE).say(stack.bot_id, "/privacy");
    stack.run_until_idle().await;
}

/// How many jobs were asked for, and stand.
async fn jobs(stack: &TestStack) -> usize {
    let jobs = stack.operator().get("jobs").await.done();
    jobs["jobs"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_seat_that_moves_is_neither_shown_to_its_former_holder_nor_lost_with_them() {
    let receiver = Receiver::start().await;
    let exempt = ("HOOK_EXEMPT_HOSTS", receiver.host.as_str());
    let stack = TestStack::with(&[CLAIMED, exempt]).await;
    let endpoint = json!({"url": receiver.url("/down"), "links": true});
    stack.operator().post("endpoints", &endpoint).await.done();
    lives(&stack).await;
    let (alice, bob) = (stack.customer(ALICE), stack.customer(BOB));
    let mut links = Vec::new();
    for transaction in ["T-moving", "T-moved"] {
        let bought = stack.shop().buy("bob-of-the-shop", transaction).await;
        alice.claim_by(bought.body["inviteLink"].as_str().unwrap());
        stack.run_until_idle().await;
        let rebound = stack.shop().act(&bought.request_id(), "rebind", "{}").await;
        let link = rebound.body["inviteLink"].as_str().unwrap().to_owned();
        links.push((bought.request_id(), link));
    }
    bob.claim_by(&links[1].1);
    stack.run_until_idle().await;

    privacy(&stack).await;
    taps(&stack, &Label::Export).await;
    work_off(&stack).await;
    let text = said(&stack);
    let address = text
        .split_whitespace()
        .find(|word| word.starts_with("http"));
    let (_, lines) = fetched(address.unwrap()).await;
    let file = json!(lines).to_string();
    for (request, link) in &links {
        let token = link.rsplit('=').next().unwrap();
        assert!(!file.contains(token), "{request}: {file}");
        assert!(file.contains(request.as_str()), "she had it: {request}");
    }
    assert!(
        !names_person(&file, BOB) && !file.contains("bob-of"),
        "{file}"
    );

    asked_to_erase(&stack).await;
    work_off(&stack).await;
    assert_eq!(
        tables_that_name(&stack, ALICE, USER).await,
        Vec::<String>::new()
    );
    // Bob comes with the link of the one that moved on, and nobody had it before him.
    bob.claim_by(&links[0].1);
    stack.run_until_idle().await;
    for (request, _) in &links {
        let shown = stack.shop().status(request).await;
        assert_eq!(shown["userId"], "bob-of-the-shop", "{shown}");
        assert!(shown["voidedAt"].is_null(), "{shown}");
    }
    let door = bob.ways_in(stack.bot_id).remove(0);
    assert_eq!(bob.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(bob.is_in());
    // What an endpoint is still to be told of him is told.
    let told = tables_that_name(&stack, BOB, "bob-of-the-shop").await;
    let is_told = |kind: &str| told.iter().any(|item| item.contains(kind));
    assert!(is_told("seat.moved"), "{told:?}");
}

#[tokio::test]
async fn whoever_came_in_by_an_invite_link_is_told_that_their_access_ends() {
    let stack = TestStack::with(&[WITH_DESK[1]]).await;
    let (_, link) = stack.admitted(USER, "T-alice").await;
    stack.customer(ALICE).join_by(&link);
    stack.run_until_idle().await;
    privacy(&stack).await;
    taps(&stack, &Label::Erase).await;
    assert!(said(&stack).contains("access ends"), "{}", said(&stack));
}

#[tokio::test]
async fn an_old_button_asks_again_and_erases_nothing() {
    let stack = TestStack::with(&[CLAIMED]).await;
    lives(&stack).await;
    let late = Duration::from_secs(660);
    privacy(&stack).await;
    taps(&stack, &Label::Erase).await;
    stack.advance_when_idle(late).await;
    taps(&stack, &Label::EraseYes).await;
    assert!(said(&stack).contains("access ends"), "{}", said(&stack));
    taps(&stack, &Label::EraseYes).await;
    assert!(said(&stack).contains("To be sure"), "{}", said(&stack));
    stack.advance_when_idle(late).await;
    taps(&stack, &Label::EraseNow).await;
    assert!(said(&stack).contains("access ends"), "{}", said(&stack));
    assert_eq!(jobs(&stack).await, 0);
    for label in [Label::EraseYes, Label::EraseNow] {
        taps(&stack, &label).await;
    }
    assert_eq!(jobs(&stack).await, 1, "{}", said(&stack));
}

#[tokio::test]
async fn whoever_waits_at_the_door_is_turned_away_and_may_ask_again() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let bob = stack.customer(BOB);
    let bought = stack.shop().buy("bob-of-the-shop", "T-bob").await;
    bob.claim_by(bought.body["inviteLink"].as_str().unwrap());
    stack.run_until_idle().await;
    let door = bob.ways_in(stack.bot_id).remove(0);
    let alice = stack.customer(ALICE);
    // The tick would wait for the end of her hold.
    stack.pause_schedule();
    assert_eq!(alice.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(stack.telegram.is_requesting(stack.chat_id, ALICE));
    let id = asked_to_erase(&stack).await;
    work_off(&stack).await;
    assert_eq!(stage_of(&stack, &id).await, "DONE");
    assert!(!stack.telegram.is_requesting(stack.chat_id, ALICE));
    assert_eq!(alice.tap(&door), Tap::Requested, "she may ask again");
}

#[tokio::test]
async fn what_a_person_says_while_they_are_erased_is_heard_afterwards() {
    let stack = TestStack::with(&[CLAIMED]).await;
    lives(&stack).await;
    let id = asked_to_erase(&stack).await;
    stack.pause_schedule();
    for _ in 0..20 {
        if stage_of(&stack, &id).await == "TELLING" {
            break;
        }
        stack.functions().work_off_jobs().await;
        stack.advance_when_idle(Duration::from_secs(10)).await;
    }
    assert_eq!(stage_of(&stack, &id).await, "TELLING");
    let says = |number: i64, at_ms: i64| {
        json!({"update_id": 900_000 + number, "message": {
            "message_id": 9000 + number, "date": at_ms / 1000, "text": "/privacy",
            "chat": {"id": ALICE, "type": "private", "first_name": "A"},
            "from": {"id": ALICE, "is_bot": false, "first_name": "A"},
        }})
    };
    let now = stack.clock.now_ms();
    let (before, later) = (says(1, now - 600_000), says(2, now));
    assert_eq!(stack.telegram.send(&before).await.status, 200, "not heard");
    assert_eq!(stack.telegram.send(&later).await.status, 503);
    let messages = stack.customer(ALICE).messages_of(stack.bot_id).len();
    for _ in 0..4 {
        stack.functions().work_off_jobs().await;
        stack.advance_when_idle(Duration::from_secs(40)).await;
    }
    assert_eq!(stage_of(&stack, &id).await, "DONE");
    assert_eq!(
        tables_that_name(&stack, ALICE, USER).await,
        Vec::<String>::new()
    );
    assert_eq!(stack.telegram.send(&later).await.status, 200);
    stack.run_until_idle().await;
    let all = stack.customer(ALICE).messages_of(stack.bot_id);
    assert!(all.len() > messages, "she is answered");
}

#[tokio::test]
async fn an_operators_export_does_not_take_the_place_of_the_persons_own() {
    let stack = TestStack::with(&[CLAIMED]).await;
    lives(&stack).await;
    let path = format!("people/{ALICE}/export");
    for _ in 0..2 {
        let asked = stack.operator().post(&path, &json!({})).await;
        assert_eq!(asked.status, 202, "{}", asked.body);
    }
    privacy(&stack).await;
    taps(&stack, &Label::Export).await;
    assert_eq!(jobs(&stack).await, 2);
    work_off(&stack).await;
    assert!(said(&stack).contains("http"), "{}", said(&stack));
}
