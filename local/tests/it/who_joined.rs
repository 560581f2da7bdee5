//! Who joined: the payer once, by the link, and nobody by forgery.

use futures_util::future::join_all;
use local::harness::{JOINED, TestStack};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{Fault, Rights, Tap, User};

#[tokio::test]
async fn a_join_is_seen_told_once_and_its_link_revoked() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    let status = stack.shop().status(&id).await;
    assert_eq!(
        (
            &status["joined"],
            &status["telegramUserId"],
            &status["joinEventFired"]
        ),
        (&json!(true), &json!(77), &json!(true))
    );
    assert!(stack.telegram.is_revoked(&link));
    let events = stack.webengage.ingested();
    assert_eq!(events.len(), 2);
    let joined = &events[1].body;
    assert_eq!(joined["eventName"], JOINED);
    assert_eq!(joined["userId"], "u1");
    assert_eq!(
        joined["eventData"],
        json!({"transactionId": "T1", "inviteLink": link, "telegramUserId": "77"})
    );
}

#[tokio::test]
async fn a_used_link_lets_nobody_in_even_after_its_buyer_left() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.customer(77).join_by(&link);
    assert_eq!(stack.customer(78).tap(&link), Tap::Full);
    stack.run_until_idle().await;
    stack.customer(77).leave();
    assert_eq!(stack.customer(78).tap(&link), Tap::Revoked);
    stack.run_until_idle().await;
    let status = stack.shop().status(&id).await;
    assert_eq!(status["telegramUserId"], 77);
    assert_eq!(stack.webengage.ingested().len(), 2);
}

#[tokio::test]
async fn a_join_told_fifty_times_at_once_counts_once() {
    let stack = TestStack::start().await;
    let (_, link) = stack.admitted("u1", "T1").await;
    let update = stack.telegram.join_report(&link, 77);
    let results = join_all((0..50).map(|_| stack.telegram.sent(&update))).await;
    assert_eq!(
        results.iter().filter(|result| *result == "joined").count(),
        1
    );
    assert_eq!(
        results
            .iter()
            .filter(|result| *result == "duplicate")
            .count(),
        49
    );
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.sent(&update).await, "duplicate");
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.ingested().len(), 2);
}

#[tokio::test]
async fn changes_that_are_no_join_by_our_link_are_ignored() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, link) = stack.admitted("u1", "T1").await;
    let join = stack.telegram.join_report(&link, 77);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut update = join.clone();
        change(&mut update["chat_member"]);
        update
    };
    let member = |status: &str, is_member: Option<bool>| {
        let mut member =
            json!({"status": status, "user": {"id": 77, "is_bot": false, "first_name": "A"}});
        if let Some(is_member) = is_member {
            member["is_member"] = json!(is_member);
        }
        member
    };
    let ignored = [
        (
            "promotion",
            changed(&|change| {
                change["old_chat_member"] = member("member", None);
                change["new_chat_member"] = member("administrator", None);
            }),
        ),
        (
            "leaving",
            changed(&|change| {
                change["old_chat_member"] = member("member", None);
                change["new_chat_member"] = member("left", None);
            }),
        ),
        (
            "unrestricted while a member",
            changed(&|change| {
                change["old_chat_member"] = member("restricted", Some(true));
                change["new_chat_member"] = member("member", None);
            }),
        ),
        (
            "restricted and not a member",
            changed(&|change| change["new_chat_member"] = member("restricted", Some(false))),
        ),
        (
            "banned",
            changed(&|change| change["new_chat_member"] = member("kicked", None)),
        ),
        (
            "added by an administrator",
            changed(&|change| {
                change.as_object_mut().unwrap().remove("invite_link");
            }),
        ),
        (
            "another chat",
            changed(&|change| change["chat"]["id"] = json!(-42)),
        ),
        (
            "a foreign link",
            changed(&|change| {
                change["invite_link"]["invite_link"] = json!("https://t.me/+AbCdEf...")
            }),
        ),
        (
            "a bot",
            changed(&|change| change["new_chat_member"]["user"]["is_bot"] = json!(true)),
        ),
        (
            "the bot's own status in a chat of others",
            json!({"update_id": 2, "my_chat_member": changed(&|change| {
                change["chat"]["id"] = json!(-1_009_999_999_999_i64);
            })["chat_member"]}),
        ),
        (
            "a message",
            json!({"update_id": 3, "message": {"message_id": 1, "new_chat_members": [{"id": 77}]}}),
        ),
    ];
    for (case, update) in ignored {
        assert_eq!(stack.telegram.sent(&update).await, "ignored", "{case}");
    }
    assert_eq!(shop.status(&id).await["joined"], false);
    // A link that looks like ours and is in no record: a join that nobody paid for here.
    let orphan = changed(&|change| {
        change["invite_link"]["invite_link"] = json!("https://t.me/+NobodyKnowsThis")
    });
    assert_eq!(stack.telegram.sent(&orphan).await, "orphan");
    // Restricted and in the chat is in; and who joined is the new member, whoever `from` is.
    let restricted = changed(&|change| {
        change["new_chat_member"] = member("restricted", Some(true));
        change["from"]["id"] = json!(5);
    });
    assert_eq!(stack.telegram.sent(&restricted).await, "joined");
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["telegramUserId"], 77);
    assert_eq!(stack.webengage.ingested().len(), 2);
}

#[tokio::test]
async fn the_simulated_worlds_own_changes_count_as_they_should() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.customer(50).is_added();
    stack.telegram.promote(stack.chat_id, 50, Rights::all());
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["joined"], false);
    // Put under restrictions outside the chat, then joining by the link: a join all the same.
    stack.telegram.restrict(stack.chat_id, User::new(77), false);
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["telegramUserId"], 77);
    // Leaving and coming back by an administrator's hand is no second join.
    stack.customer(77).leave();
    stack.customer(77).is_added();
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.ingested().len(), 2);
}

#[tokio::test]
async fn while_the_store_is_down_telegram_is_asked_to_send_the_join_again() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::DynamoDb, "GetItem")
            .named("InviteLinks")
            .always(),
    );
    let join = stack.telegram.join_report(&link, 77);
    let answer = stack.telegram.send(&join).await;
    assert_eq!(
        (answer.status, answer.code(), answer.retry_after.is_some()),
        (503, "unavailable", true)
    );
    stack.customer(77).join_by(&link);
    stack
        .run_until(|| stack.telegram.delivery_count() > 2)
        .await;
    stack.aws().wire().clear_faults();
    stack.run_until_idle().await;
    assert_eq!(stack.shop().status(&id).await["joinEventFired"], true);
    assert_eq!(stack.webengage.ingested().len(), 2);
}

#[tokio::test]
async fn a_join_recorded_whose_event_could_not_be_queued_is_told_when_telegram_sends_it_again() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    for queue in ["InviteQueue", "EventQueue"] {
        // Three tries of the SDK.
        stack.aws().wire().fail(
            FaultRule::new(WireFault::InternalError)
                .on(Service::Sqs, "SendMessage")
                .named(queue)
                .times(3),
        );
    }
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    let status = stack.shop().status(&id).await;
    assert_eq!(
        (&status["joined"], &status["joinEventFired"]),
        (&json!(true), &json!(true))
    );
    assert!(stack.telegram.is_revoked(&link));
    assert_eq!(stack.webengage.ingested().len(), 2);
}

#[tokio::test]
async fn a_second_person_by_the_same_link_changes_no_record_and_the_link_is_revoked_again() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    let first = stack.telegram.join_report(&link, 77);
    let mut second = stack.telegram.join_report(&link, 78);
    // Within the same second, which is all that Telegram tells.
    second["chat_member"]["date"] = first["chat_member"]["date"].clone();
    assert_eq!(stack.telegram.sent(&first).await, "joined");
    assert_eq!(stack.telegram.sent(&second).await, "duplicate");
    stack.run_until_idle().await;
    assert_eq!(stack.shop().status(&id).await["telegramUserId"], 77);
    assert_eq!(stack.webengage.ingested().len(), 2);
    assert!(stack.telegram.is_revoked(&link));
    let revocations = stack.telegram.revocations();
    // Once more, should the link have been used after it was revoked.
    let mut later = stack.telegram.join_report(&link, 79);
    let date = &mut later["chat_member"]["date"];
    *date = json!(date.as_i64().unwrap() + 60);
    assert_eq!(stack.telegram.sent(&later).await, "duplicate");
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.revocations(), revocations + 1);
}

#[tokio::test]
async fn ids_with_characters_that_sqs_refuses_are_served_like_any_other() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u\u{ffff}\u{0}", "T\u{fffe}").await;
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    let status = stack.shop().status(&id).await;
    assert_eq!(status["userId"], "u\u{ffff}\u{0}");
    assert_eq!(stack.webengage.ingested().len(), 2);
}

#[tokio::test]
async fn revocations_survive_a_storm_of_429s_and_outages() {
    let stack = TestStack::start().await;
    let (_, link) = stack.admitted("u1", "T1").await;
    for fault in [
        Fault::TooManyRequests { retry_after: 30 },
        Fault::BadGateway,
        Fault::ResetAfter,
    ] {
        stack.telegram.fail_revocations(1, fault);
    }
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    assert!(stack.telegram.is_revoked(&link));
}
