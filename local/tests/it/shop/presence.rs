//! When a seat is taken: from the join until its person is outside again, in whatever order and how often it is told.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{ChatId, LinkHash, TelegramUserId};
use local::harness::{TestStack, until};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{Tap, User};

use super::{HOUR, JOINED, act, acted, links_told, member_update};

/// Waits until the status says whether somebody left.
async fn is_left(stack: &TestStack, id: &str, is_left: bool) -> Value {
    until("who is there", async || {
        let status = stack.status(id).await;
        (status["leftAt"].is_string() == is_left).then_some(status)
    })
    .await
}

/// The seat can't be given anew, and is not given back.
async fn is_taken(stack: &TestStack, id: &str) {
    for action in ["reissue", "void"] {
        let answer = act(stack, id, action, "").await;
        assert_eq!((answer.status, answer.code()), (409, "already_joined"));
    }
}

#[tokio::test]
async fn who_comes_back_by_the_used_link_before_it_is_revoked_has_the_seat_again() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    // Nobody revokes the link.
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    stack.aws().wire().fail(rule.named("InviteQueue").always());
    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    until("the join", async || {
        (stack.status(&id).await["joined"] == true).then_some(())
    })
    .await;
    stack.advance(HOUR);
    let left_ms = stack.clock.now_ms();
    stack.telegram.leave(stack.chat_id, 77);
    is_left(&stack, &id, true).await;
    stack.advance(HOUR);
    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    is_left(&stack, &id, false).await;
    is_taken(&stack, &id).await;
    // Telegram reports the leave once more: it is of the stay before.
    let late = member_update(&stack, 77, left_ms, None);
    assert_eq!(stack.update(&late).await.status, 200);
    is_taken(&stack, &id).await;
    // A stranger who got hold of the link has the seat when its buyer is gone.
    stack.advance(HOUR);
    stack.telegram.leave(stack.chat_id, 77);
    is_left(&stack, &id, true).await;
    stack.advance(HOUR);
    assert_eq!(stack.tap(&link, 78), Tap::Joined);
    let status = is_left(&stack, &id, false).await;
    assert_eq!(status["telegramUserId"], 78);
    is_taken(&stack, &id).await;
    stack.aws().wire().clear_faults();
    stack.functions().tick().await;
    stack.run_until_idle().await;
    assert!(stack.telegram.link(&link).unwrap().revoked);
    assert_eq!(links_told(&stack, JOINED).len(), 1, "one join is told");
    stack.telegram.leave(stack.chat_id, 78);
    is_left(&stack, &id, true).await;
    acted(&stack, &id, "void").await;
    stack.run_until_idle().await;
}

#[tokio::test]
async fn who_is_added_again_by_an_administrator_has_the_seat_again() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    stack.run_until_idle().await;
    stack.advance_when_idle(HOUR).await;
    stack.telegram.leave(stack.chat_id, 77);
    is_left(&stack, &id, true).await;
    stack.advance_when_idle(HOUR).await;
    stack.telegram.add_by_admin(stack.chat_id, User::new(77));
    is_left(&stack, &id, false).await;
    is_taken(&stack, &id).await;
    // Somebody else who is added has nothing to do with it.
    stack.telegram.add_by_admin(stack.chat_id, User::new(99));
    stack.run_until_idle().await;
    assert_eq!(stack.status(&id).await["telegramUserId"], 77);
}

#[tokio::test]
async fn a_ban_makes_good_a_leave_that_was_never_told() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    stack.run_until_idle().await;
    stack.advance_when_idle(HOUR).await;
    is_taken(&stack, &id).await;
    // Telegram kept the leave for a day, and nobody took it.
    let mut ban = member_update(&stack, 77, stack.clock.now_ms(), None);
    ban["chat_member"]["old_chat_member"]["status"] = json!("left");
    ban["chat_member"]["new_chat_member"]["status"] = json!("kicked");
    assert_eq!(stack.update(&ban).await.status, 200);
    is_left(&stack, &id, true).await;
    acted(&stack, &id, "void").await;
    stack.run_until_idle().await;
}

#[tokio::test]
async fn members_of_a_group_that_moved_are_known_by_its_new_id_too() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    // TELEGRAM_CHAT_ID still names the old id; the link was made for the new one.
    let moved = -1_009_999_999_999_i64;
    let hash = domain::id::InviteLink::new(link.clone()).hash();
    let update = stack.dynamodb().update_item().table_name("InviteLinks");
    let update = update.key("linkHash", AttributeValue::S(hash.as_str().to_owned()));
    let update = update.update_expression("SET chatId = :moved");
    let update = update.expression_attribute_values(":moved", AttributeValue::N(moved.to_string()));
    update.send().await.unwrap();
    let mut join = member_update(&stack, 77, stack.clock.now_ms(), Some(&link));
    join["chat_member"]["chat"]["id"] = json!(moved);
    assert_eq!(stack.update(&join).await.body["result"], "joined");
    stack.run_until_idle().await;
    stack.advance_when_idle(HOUR).await;
    let mut leave = member_update(&stack, 77, stack.clock.now_ms(), None);
    leave["chat_member"]["chat"]["id"] = json!(moved);
    assert_eq!(stack.update(&leave).await.status, 200);
    is_left(&stack, &id, true).await;
}

#[tokio::test]
async fn a_join_whose_webhook_died_midway_is_finished_though_its_event_was_delivered_meanwhile() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    let join = member_update(&stack, 77, stack.clock.now_ms(), Some(&link));
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    stack.aws().wire().fail(rule.named("ChatTasks").always());
    assert_eq!(stack.update(&join).await.status, 503);
    stack.aws().wire().clear_faults();
    // The sweeper finds the event first.
    stack.advance_when_idle(HOUR * 2).await;
    stack.functions().sweep().await;
    stack.run_until_idle().await;
    assert_eq!(stack.status(&id).await["joinEventFired"], true);
    assert!(!stack.telegram.link(&link).unwrap().revoked);
    assert_eq!(stack.update(&join).await.body["result"], "duplicate");
    stack.run_until_idle().await;
    assert!(stack.telegram.link(&link).unwrap().revoked);
    stack.advance_when_idle(HOUR).await;
    stack
        .update(&member_update(&stack, 77, stack.clock.now_ms(), None))
        .await;
    is_left(&stack, &id, true).await;
}

#[tokio::test]
async fn a_join_whose_request_is_forgotten_still_revokes_the_link() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    let delete = stack.dynamodb().delete_item().table_name("InviteRequests");
    let delete = delete.key("requestId", AttributeValue::S(id));
    delete.send().await.unwrap();
    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    stack.run_until_idle().await;
    assert!(stack.telegram.link(&link).unwrap().revoked);
}

#[tokio::test]
async fn an_update_whose_record_cannot_be_read_is_told_and_holds_up_no_other() {
    let stack = TestStack::start().await;
    let chat = ChatId(stack.chat_id);
    let key = LinkHash::of_member(chat, TelegramUserId(77));
    let put = stack.dynamodb().put_item().table_name("InviteLinks");
    let put = put.item("linkHash", AttributeValue::S(key.as_str().to_owned()));
    let put = put.item("requestId", AttributeValue::S("no id".to_owned()));
    put.send().await.unwrap();
    let leave = member_update(&stack, 77, stack.clock.now_ms(), None);
    let answer = stack.update(&leave).await;
    assert_eq!(
        (answer.status, &answer.body["result"]),
        (200, &json!("ignored"))
    );
    // An operator who asks for it by its hash finds no link, since it is none.
    let admin = [("x-admin-key", stack.local.admin_key())];
    let path = format!("/v1/admin/invites?link={}", key.as_str());
    assert_eq!(stack.get(&path, &admin).await.body["invites"], json!([]));
}
