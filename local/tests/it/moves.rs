//! Moving a seat to another account, and what the shop, the door and the dispatcher do for it.

mod by_holder;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{ChatId, InviteLink, TelegramUserId};
use domain::join::Join;
use domain::task::{Task, Work};
use domain::time::Timestamp;
use futures_util::future::join_all;
use local::harness::{JOINED, LINK_CREATED, TestStack};
use serde_json::{Value, json};
use simulators::telegram::{Fault, FaultRule, MemberStatus, Tap, User};
use store::{Invites, Joined, SeatWritten, Seats, Tasks};

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");
const SECONDS: Duration = Duration::from_secs(2);

async fn bought(stack: &TestStack, user: &str) -> (String, String) {
    let answer = stack.shop().buy(user, &format!("T-{user}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let link = answer.body["inviteLink"].as_str().unwrap().to_owned();
    (answer.request_id(), link)
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
    stack.clock.advance(SECONDS);
    door
}

/// The claim link that a move answers.
async fn moved(stack: &TestStack, id: &str, body: Value) -> String {
    let answer = stack.shop().act(id, "rebind", &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["inviteLink"].as_str().unwrap().to_owned()
}

fn taken_out(stack: &TestStack) -> usize {
    let calls = stack.telegram.calls();
    let takes_out = calls.iter().filter(|call| call.method == "unbanChatMember");
    takes_out.count()
}

#[tokio::test]
async fn a_seat_moves_once_it_is_claimed_and_then_its_former_holder_is_taken_out() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, old) = bought(&stack, "alice").await;
    let door = is_let_in(&stack, 7, &old).await;
    let (alice, other) = (stack.customer(7), stack.customer(8));

    let new = moved(&stack, &id, json!({"claimVersion": 0})).await;
    assert_ne!(new, old);
    // Again it is the same, and the status has it, too.
    assert_eq!(moved(&stack, &id, json!({"claimVersion": 0})).await, new);
    let shown = stack.shop().status(&id).await;
    assert_eq!(
        (&shown["inviteLink"], &shown["claimVersion"]),
        (&json!(new), &json!(1))
    );
    stack.run_until_idle().await;
    assert!(alice.is_in(), "nobody has claimed it yet");
    // The old link is dead, for whoever has it.
    other.claim_by(&old);
    stack.run_until_idle().await;
    assert!(other.ways_in(stack.bot_id).is_empty());

    other.claim_by(&new);
    stack.run_until_idle().await;
    assert!(!alice.is_in());
    assert_eq!(other.ways_in(stack.bot_id), std::slice::from_ref(&door));
    stack.clock.advance(SECONDS);
    assert_eq!(other.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(other.is_in());
    let shown = stack.shop().status(&id).await;
    assert_eq!(
        (&shown["joined"], &shown["telegramUserId"]),
        (&json!(true), &json!(8))
    );
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 2);
    assert_eq!(stack.webengage.delivered(JOINED).len(), 2);
    // She is not banned: she may ask, and is let in once she has a right again.
    stack.clock.advance(SECONDS);
    assert_eq!(alice.tap(&door), Tap::Requested);
    stack.run_for(Duration::from_secs(5)).await;
    assert!(!alice.is_in());
    let (_, again) = bought(&stack, "alice-again").await;
    alice.claim_by(&again);
    stack.run_until_idle().await;
    assert!(alice.is_in());
    assert_eq!(taken_out(&stack), 1);
}

#[tokio::test]
async fn whoever_is_entitled_by_another_purchase_stays_when_one_of_them_moves() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, first) = bought(&stack, "alice").await;
    let (_, second) = bought(&stack, "alice-again").await;
    is_let_in(&stack, 7, &first).await;
    stack.customer(7).claim_by(&second);
    stack.run_until_idle().await;
    let new = moved(&stack, &id, json!({})).await;
    stack.customer(8).claim_by(&new);
    stack.run_until_idle().await;
    assert!(stack.customer(7).is_in());
    assert_eq!(taken_out(&stack), 0);
}

#[tokio::test]
async fn whoever_pays_again_between_the_plan_and_the_call_is_not_taken_out() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, first) = bought(&stack, "alice").await;
    is_let_in(&stack, 7, &first).await;
    // The look before the call has to wait, and meanwhile she buys another seat.
    let busy = Fault::TooManyRequests { retry_after: 30 };
    stack
        .telegram
        .fail(FaultRule::on("getChatMember", busy).times(1));
    let new = moved(&stack, &id, json!({"stolen": true})).await;
    stack.run_for(Duration::from_secs(5)).await;
    let (_, second) = bought(&stack, "alice-again").await;
    stack.customer(7).claim_by(&second);
    stack.run_until_idle().await;
    stack.run_for(Duration::from_secs(120)).await;
    stack.run_until_idle().await;
    assert!(stack.customer(7).is_in());
    assert_eq!(taken_out(&stack), 0);
    // The stolen seat is still to be had.
    stack.customer(8).claim_by(&new);
    stack.run_until_idle().await;
    assert_eq!(stack.customer(8).ways_in(stack.bot_id).len(), 1);
}

#[tokio::test]
async fn a_stolen_seat_is_taken_at_once_and_whoever_stole_it_does_not_come_back() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link) = bought(&stack, "alice").await;
    let door = is_let_in(&stack, 666, &link).await;
    let thief = stack.customer(666);
    let new = moved(&stack, &id, json!({"stolen": true})).await;
    stack.run_until_idle().await;
    assert!(!thief.is_in());
    stack.clock.advance(SECONDS);
    thief.claim_by(&link);
    assert_eq!(thief.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(!thief.is_in());
    is_let_in(&stack, 7, &new).await;
}

#[tokio::test]
async fn two_people_who_race_for_a_moving_seat_get_one_and_so_does_its_holder_among_them() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link) = bought(&stack, "alice").await;
    is_let_in(&stack, 7, &link).await;
    let new = moved(&stack, &id, json!({})).await;
    for person in 1..=20 {
        stack.customer(person).claim_by(&new);
    }
    stack.run_until_idle().await;
    let with_a_way_in: Vec<i64> = (1..=20)
        .filter(|person| {
            let ways_in = stack.customer(*person).ways_in(stack.bot_id);
            !ways_in.is_empty()
        })
        .collect();
    assert_eq!(with_a_way_in.len(), 1, "{with_a_way_in:?}");
    assert_eq!(stack.customer(7).is_in(), with_a_way_in == [7]);
}

#[tokio::test]
async fn five_claims_of_a_moving_seat_by_one_person_are_as_one() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link) = bought(&stack, "alice").await;
    let door = is_let_in(&stack, 7, &link).await;
    let new = moved(&stack, &id, json!({})).await;
    for _ in 0..5 {
        stack.customer(8).claim_by(&new);
    }
    stack.run_until_idle().await;
    assert!(!stack.customer(7).is_in());
    stack.clock.advance(SECONDS);
    assert_eq!(stack.customer(8).tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(stack.customer(8).is_in());
    assert_eq!(taken_out(&stack), 1);
}

#[tokio::test]
async fn a_shop_moves_a_seat_three_times_in_thirty_days_and_an_operator_once_more() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, _) = bought(&stack, "alice").await;
    for version in 0..3 {
        moved(&stack, &id, json!({"claimVersion": version})).await;
    }
    let shop = stack.shop();
    let refused = shop.act(&id, "rebind", "{}").await;
    assert_eq!(refused.refusal(), (409, "moved_too_often"));
    let stale = shop.act(&id, "rebind", r#"{"claimVersion": 0}"#).await;
    assert_eq!(stale.refusal(), (409, "link_replaced"));
    let operator = stack.operator();
    let done = operator.act(&id, "rebind", json!({})).await.done();
    assert_eq!(done["repeated"], false);
    let again = operator
        .act(&id, "rebind", json!({"claimVersion": 3}))
        .await;
    assert_eq!(again.done()["repeated"], true);
    stack.clock.advance(Duration::from_secs(30 * 24 * 3600));
    moved(&stack, &id, json!({})).await;

    assert_eq!(shop.void(&id).await.status, 200);
    let voided = shop.act(&id, "rebind", "{}").await;
    assert_eq!(voided.refusal(), (409, "voided"));
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_request_without_a_claim_link_does_not_move() {
    let stack = TestStack::start().await;
    let id = stack.shop().bought("alice", "T1").await;
    let refused = stack.shop().act(&id, "rebind", "{}").await;
    assert_eq!(refused.refusal(), (409, "no_claim_link"));
    let refused = stack.operator().act(&id, "rebind", json!({})).await;
    assert_eq!(refused.refusal(), (409, "no_claim_link"));
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_buyer_whom_the_shop_knows_has_the_seat_at_once_and_nobody_else_gets_it() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, link) = bought(&stack, "alice").await;
    let door = is_let_in(&stack, 7, &link).await;
    let (bob, mallory) = (stack.customer(8), stack.customer(666));
    // He stands at the door already, and is let in without a claim.
    assert_eq!(bob.tap(&door), Tap::Requested);
    stack.run_for(Duration::from_secs(5)).await;
    assert!(!bob.is_in());
    let body = json!({"userId": "bob", "transactionId": "T-bob", "telegramUserId": "8"});
    let shop = stack.shop();
    let answers = join_all((0..20).map(|_| shop.request(&body, &[]))).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["inviteLink"], answers[0].body["inviteLink"]);
    }
    stack.run_until_idle().await;
    assert!(bob.is_in());
    let id = answers[0].request_id();
    assert_eq!(shop.status(&id).await["joined"], true);
    mallory.claim_by(answers[0].body["inviteLink"].as_str().unwrap());
    stack.run_until_idle().await;
    assert!(mallory.ways_in(stack.bot_id).is_empty());
    // For somebody else the same payment is a conflict, and nothing changes.
    let other = json!({"userId": "bob", "transactionId": "T-bob", "telegramUserId": 666});
    let refused = shop.request(&other, &[]).await;
    assert_eq!(refused.refusal(), (409, "telegram_user_conflict"));
    // One that nobody has claimed becomes theirs by a repeat; who is inside has joined.
    let (carol, _) = bought(&stack, "carol").await;
    let body = json!({"userId": "carol", "transactionId": "T-carol", "telegramUserId": 7});
    assert_eq!(shop.request(&body, &[]).await.status, 200);
    assert_eq!(shop.status(&carol).await["joined"], true);
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_join_request_waits_a_quarter_of_an_hour_for_a_claim_and_is_declined_then() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, link) = bought(&stack, "alice").await;
    let door = is_let_in(&stack, 7, &link).await;
    let declined = || {
        let calls = stack.telegram.calls();
        let declined = calls
            .iter()
            .filter(|call| call.method == "declineChatJoinRequest");
        declined.count()
    };
    let (bob, carol) = (stack.customer(8), stack.customer(9));
    let (_, bobs) = bought(&stack, "bob").await;
    assert_eq!(bob.tap(&door), Tap::Requested);
    assert_eq!(carol.tap(&door), Tap::Requested);
    stack.run_for(Duration::from_secs(700)).await;
    assert_eq!(declined(), 0);
    bob.claim_by(&bobs);
    stack.run_until_idle().await;
    assert!(bob.is_in());
    assert_eq!(declined(), 1);
    // She may ask again, and is let in once she has claimed.
    let (_, carols) = bought(&stack, "carol").await;
    stack.clock.advance(SECONDS);
    assert_eq!(carol.tap(&door), Tap::Requested);
    stack.run_for(Duration::from_secs(5)).await;
    carol.claim_by(&carols);
    stack.run_until_idle().await;
    assert!(carol.is_in());
    stack.run_for(Duration::from_secs(1000)).await;
    assert!(carol.is_in());
    assert_eq!(declined(), 1);
}

#[tokio::test]
async fn a_link_that_is_forwarded_a_thousand_times_gives_one_seat_and_that_is_the_payers() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let body = json!({"userId": "alice", "transactionId": "T1", "telegramUserId": 7});
    let answer = stack.shop().request(&body, &[]).await;
    let link = answer.body["inviteLink"].as_str().unwrap();
    for person in 1001..=2000 {
        stack.customer(person).claim_by(link);
    }
    stack.run_until_idle().await;
    is_let_in(&stack, 7, link).await;
    let others = (1001..=2000).filter(|person| {
        let ways_in = stack.customer(*person).ways_in(stack.bot_id);
        !ways_in.is_empty()
    });
    assert_eq!(others.count(), 0);
}

/// The key of a person's seat.
fn seat_key(stack: &TestStack, person: i64) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (
            "telegramUserId".to_owned(),
            AttributeValue::S(person.to_string()),
        ),
        (
            "chatId".to_owned(),
            AttributeValue::S(stack.chat_id.to_string()),
        ),
    ])
}

/// Nothing is known of a person any more who is inside, as if they had come in before the chat was claimed.
async fn is_unknown(stack: &TestStack, person: i64) {
    let client = stack.dynamodb();
    let delete = client.delete_item().table_name("Members");
    let key = seat_key(stack, person);
    delete.set_key(Some(key)).send().await.unwrap();
}

/// Somebody is in by a link that was sold before the chat was claimed.
async fn joined_by_link(stack: &TestStack, person: i64) -> String {
    let id = stack.put_mint(1).await;
    stack.ring().await;
    stack.run_until_idle().await;
    let shown = stack.shop().status(&id).await;
    let link = shown["inviteLink"].as_str().unwrap();
    stack.customer(person).join_by(link);
    stack.run_until_idle().await;
    stack.clock.advance(SECONDS);
    id
}

/// They buy once more, and that seat moves.
async fn another_seat_moves(stack: &TestStack, person: i64, to: i64) {
    let (id, link) = bought(stack, "again").await;
    stack.customer(person).claim_by(&link);
    stack.run_until_idle().await;
    let new = moved(stack, &id, json!({})).await;
    stack.clock.advance(SECONDS);
    stack.customer(to).claim_by(&new);
    stack.run_for(Duration::from_secs(10)).await;
    stack.run_until_idle().await;
}

#[tokio::test]
async fn whoever_is_in_by_a_link_that_was_sold_before_stays_when_another_seat_of_theirs_moves() {
    for is_known in [true, false] {
        let stack = TestStack::with(&[CLAIMED]).await;
        joined_by_link(&stack, 7).await;
        if !is_known {
            is_unknown(&stack, 7).await;
        }
        another_seat_moves(&stack, 7, 8).await;
        assert!(stack.customer(7).is_in(), "{is_known}");
        assert_eq!(taken_out(&stack), 0, "{is_known}");
    }
}

#[tokio::test]
async fn whoever_leaves_who_came_by_such_a_link_does_not_come_back_by_the_door() {
    let stack = TestStack::with(&[CLAIMED]).await;
    joined_by_link(&stack, 7).await;
    let (_, link) = bought(&stack, "bob").await;
    let door = is_let_in(&stack, 8, &link).await;
    stack.customer(7).leave();
    stack.run_until_idle().await;
    stack.clock.advance(SECONDS);
    assert_eq!(stack.customer(7).tap(&door), Tap::Requested);
    stack.run_for(Duration::from_secs(5)).await;
    assert!(!stack.customer(7).is_in());
    stack.run_until_idle().await;
}

#[tokio::test]
async fn whoever_is_inside_without_our_knowing_is_taken_out_when_their_seat_moves() {
    let stack = TestStack::with(&[CLAIMED]).await;
    stack.customer(7).is_added();
    stack.run_until_idle().await;
    is_unknown(&stack, 7).await;
    stack.clock.advance(SECONDS);
    another_seat_moves(&stack, 7, 8).await;
    assert!(!stack.customer(7).is_in());
    assert_eq!(taken_out(&stack), 1);
}

#[tokio::test]
async fn a_ban_by_hand_that_is_seen_in_the_second_of_another_update_is_not_lifted() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link) = bought(&stack, "alice").await;
    is_let_in(&stack, 7, &link).await;
    // Word of a time that no look is newer than, for some seconds.
    let at = Timestamp::from_ms(stack.clock.now_ms() + 6_000);
    let client = stack.dynamodb();
    let update = client.update_item().table_name("Members");
    let key = seat_key(&stack, 7);
    let update = update
        .set_key(Some(key))
        .update_expression("SET presenceAt = :at");
    let at = AttributeValue::S(at.to_string());
    update
        .expression_attribute_values(":at", at)
        .send()
        .await
        .unwrap();
    stack.telegram.ban(stack.chat_id, User::new(7), 0);
    stack.run_until_idle().await;
    moved(&stack, &id, json!({"stolen": true})).await;
    stack.run_for(Duration::from_secs(30)).await;
    stack.run_until_idle().await;
    assert_eq!(taken_out(&stack), 0);
    let status = stack.telegram.status(stack.chat_id, 7);
    assert!(matches!(status, MemberStatus::Kicked { .. }), "{status:?}");
}

#[tokio::test]
async fn what_is_done_late_to_a_seat_that_was_claimed_meanwhile_changes_nothing() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link) = bought(&stack, "alice").await;
    is_let_in(&stack, 7, &link).await;
    let new = moved(&stack, &id, json!({})).await;
    let mut env = stack.config();
    let invites = Invites::from_env(stack.dynamodb(), &mut env);
    let seats = Seats::from_env(stack.dynamodb(), &mut env);
    let tasks = Tasks::from_env(stack.dynamodb(), &mut env);
    let now = Timestamp::from_ms(stack.clock.now_ms());
    let moving = invites.get(id.parse().unwrap()).await.unwrap().unwrap();
    // Its holder claims it back, between the two writes of a move that says that it was stolen.
    stack.customer(7).claim_by(&new);
    stack.run_until_idle().await;
    let late = seats.take_away(&moving, TelegramUserId(7), (&invites, &tasks), now);
    assert!(matches!(late.await, Ok(SeatWritten::NotClaimable)));
    let seat = seats
        .get(TelegramUserId(7), ChatId(stack.chat_id))
        .await
        .unwrap();
    assert!(seat.is_admitted(now));

    let newer = moved(&stack, &id, json!({})).await;
    stack.customer(8).claim_by(&newer);
    stack.run_until_idle().await;
    // The join of the former holder is not that of the new one.
    let join = Join {
        chat: ChatId(stack.chat_id),
        person: TelegramUserId(7),
        link: InviteLink::new(&new),
        at: now,
    };
    let late = invites.record_join(id.parse().unwrap(), &join, now).await;
    assert!(matches!(late, Ok(Joined::Past(_))));
    assert_eq!(stack.shop().status(&id).await["joined"], false);
}

#[tokio::test]
async fn a_payment_whose_link_was_made_anew_becomes_its_buyers_by_a_repeat() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, first) = bought(&stack, "bob").await;
    let door = is_let_in(&stack, 8, &first).await;
    let (id, _) = bought(&stack, "alice").await;
    moved(&stack, &id, json!({})).await;
    let body = json!({"userId": "alice", "transactionId": "T-alice", "telegramUserId": 7});
    for _ in 0..2 {
        assert_eq!(stack.shop().request(&body, &[]).await.status, 200);
    }
    assert_eq!(stack.customer(7).tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(stack.customer(7).is_in());
}

#[tokio::test]
async fn what_is_due_behind_removals_that_were_put_off_is_seen_by_the_tick() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, link) = bought(&stack, "alice").await;
    let door = is_let_in(&stack, 7, &link).await;
    let (chat, now) = (ChatId(stack.chat_id), stack.clock.now_ms());
    for person in 1001..=1020 {
        let work = Work::Remove(TelegramUserId(person));
        let put_off = Task {
            not_before: Some(Timestamp::from_ms(now + 7_200_000)),
            ..Task::new(chat, work, Timestamp::from_ms(now))
        };
        stack.put(&put_off).await;
    }
    assert_eq!(stack.customer(8).tap(&door), Tap::Requested);
    stack.run_for(Duration::from_secs(1200)).await;
    assert_eq!(stack.telegram.count("declineChatJoinRequest"), 1);
    stack.run_until_idle().await;
}
