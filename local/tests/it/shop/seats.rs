//! When a seat is taken: from the join until its person is outside again, in whatever order and how often it is told.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{ChatId, InviteLink, LinkHash, TelegramUserId};
use local::harness::{HOUR, JOINED, MINUTE, Shop, TestStack, dated};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};

/// Waits until the status says whether somebody left.
async fn is_left(shop: &Shop, id: &str, is_left: bool) -> Value {
    shop.until(id, "who is there", |status| {
        status["leftAt"].is_string() == is_left
    })
    .await
}

/// The seat can't be given anew, and is not given back.
async fn is_taken(shop: &Shop, id: &str) {
    let reissue = shop.reissue(id).await;
    assert_eq!(reissue.refusal(), (409, "already_joined"));
    let void = shop.void(id).await;
    assert_eq!(void.refusal(), (409, "already_joined"));
}

#[tokio::test]
async fn who_comes_back_by_the_used_link_before_it_is_revoked_has_the_seat_again() {
    let stack = TestStack::start().await;
    let (shop, buyer) = (stack.shop(), stack.customer(77));
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    // Nobody revokes the link.
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    stack.aws().wire().fail(rule.named("InviteQueue").always());
    buyer.join_by(&link);
    shop.until(&id, "the join", |status| status["joined"] == true)
        .await;
    stack.clock.advance(HOUR);
    let left_ms = stack.clock.now_ms();
    buyer.leave();
    is_left(&shop, &id, true).await;
    stack.clock.advance(HOUR);
    buyer.join_by(&link);
    is_left(&shop, &id, false).await;
    is_taken(&shop, &id).await;
    // Telegram reports the leave once more: it is of the stay before.
    let late = dated(stack.telegram.leave_report(77), left_ms);
    stack.telegram.sent(&late).await;
    is_taken(&shop, &id).await;
    // A stranger who got hold of the link has the seat when its buyer is gone.
    stack.clock.advance(HOUR);
    buyer.leave();
    is_left(&shop, &id, true).await;
    stack.clock.advance(HOUR);
    stack.customer(78).join_by(&link);
    let status = is_left(&shop, &id, false).await;
    assert_eq!(status["telegramUserId"], 78);
    is_taken(&shop, &id).await;
    stack.aws().wire().clear_faults();
    stack.functions().tick().await;
    stack.run_until_idle().await;
    assert!(stack.telegram.is_revoked(&link));
    assert_eq!(
        stack.webengage.delivered(JOINED).len(),
        1,
        "one join is told"
    );
    // In the second of the return it would count as before it.
    stack.clock.advance(MINUTE);
    stack.customer(78).leave();
    is_left(&shop, &id, true).await;
    shop.void(&id).await.done();
    stack.run_until_idle().await;
}

#[tokio::test]
async fn who_is_added_again_by_an_administrator_has_the_seat_again() {
    let stack = TestStack::start().await;
    let (shop, buyer) = (stack.shop(), stack.customer(77));
    let (id, link) = stack.admitted("u1", "T1").await;
    buyer.join_by(&link);
    stack.run_until_idle().await;
    stack.advance_when_idle(HOUR).await;
    buyer.leave();
    is_left(&shop, &id, true).await;
    stack.advance_when_idle(HOUR).await;
    buyer.is_added();
    is_left(&shop, &id, false).await;
    is_taken(&shop, &id).await;
    // Somebody else who is added has nothing to do with it.
    stack.customer(99).is_added();
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["telegramUserId"], 77);
}

#[tokio::test]
async fn a_ban_makes_good_a_leave_that_was_never_told() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    stack.advance_when_idle(HOUR).await;
    is_taken(&shop, &id).await;
    // Telegram kept the leave for a day, and nobody took it.
    let mut ban = stack.telegram.leave_report(77);
    ban["chat_member"]["old_chat_member"]["status"] = json!("left");
    ban["chat_member"]["new_chat_member"]["status"] = json!("kicked");
    stack.telegram.sent(&ban).await;
    is_left(&shop, &id, true).await;
    shop.void(&id).await.done();
    stack.run_until_idle().await;
}

#[tokio::test]
async fn members_of_a_group_that_moved_are_known_by_its_new_id_too() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, link) = stack.admitted("u1", "T1").await;
    // TELEGRAM_CHAT_ID still names the old id; the link was made for the new one.
    let moved = -1_009_999_999_999_i64;
    let hash = InviteLink::new(link.clone()).hash();
    let update = stack.dynamodb().update_item().table_name("InviteLinks");
    let update = update.key("linkHash", AttributeValue::S(hash.as_str().to_owned()));
    let update = update.update_expression("SET chatId = :moved");
    let update = update.expression_attribute_values(":moved", AttributeValue::N(moved.to_string()));
    update.send().await.unwrap();
    let mut join = stack.telegram.join_report(&link, 77);
    join["chat_member"]["chat"]["id"] = json!(moved);
    assert_eq!(stack.telegram.sent(&join).await, "joined");
    stack.run_until_idle().await;
    stack.advance_when_idle(HOUR).await;
    let mut leave = stack.telegram.leave_report(77);
    leave["chat_member"]["chat"]["id"] = json!(moved);
    stack.telegram.sent(&leave).await;
    is_left(&shop, &id, true).await;
}

#[tokio::test]
async fn a_join_whose_webhook_died_midway_is_finished_though_its_event_was_delivered_meanwhile() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, link) = stack.admitted("u1", "T1").await;
    let join = stack.telegram.join_report(&link, 77);
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    stack.aws().wire().fail(rule.named("ChatTasks").always());
    assert_eq!(stack.telegram.send(&join).await.status, 503);
    stack.aws().wire().clear_faults();
    // The sweeper finds the event first.
    stack.advance_when_idle(HOUR * 2).await;
    stack.functions().sweep().await;
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["joinEventFired"], true);
    assert!(!stack.telegram.is_revoked(&link));
    assert_eq!(stack.telegram.sent(&join).await, "duplicate");
    stack.run_until_idle().await;
    assert!(stack.telegram.is_revoked(&link));
    stack.advance_when_idle(HOUR).await;
    let leave = stack.telegram.leave_report(77);
    stack.telegram.sent(&leave).await;
    is_left(&shop, &id, true).await;
}

#[tokio::test]
async fn a_join_whose_request_is_forgotten_still_revokes_the_link() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    let delete = stack.dynamodb().delete_item().table_name("InviteRequests");
    let delete = delete.key("requestId", AttributeValue::S(id));
    delete.send().await.unwrap();
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    assert!(stack.telegram.is_revoked(&link));
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
    let leave = stack.telegram.leave_report(77);
    assert_eq!(stack.telegram.sent(&leave).await, "ignored");
    // An operator who asks for it by its hash finds no link, since it is none.
    let found = stack
        .operator()
        .find(&format!("link={}", key.as_str()))
        .await;
    assert_eq!(found.done()["invites"], json!([]));
}
