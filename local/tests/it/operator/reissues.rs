//! Replacing a link: the old one is dead before the new one is made, and nobody gets two seats, whoever dies or joins.

use std::time::Duration;

use local::harness::{Case, HOUR, JOINED, LINK_CREATED, MINUTE, TestStack};
use serde_json::json;
use simulators::telegram::{Fault, Limit, Refusal, Tap};

use super::{failed, pending, quiet, refuse_for_good};

/// The calls about links that Telegram carried out, in order: the method, and whose link it was.
fn calls(stack: &TestStack) -> Vec<(String, Option<String>)> {
    let calls = stack.telegram.calls().into_iter();
    let done = calls.filter(|call| call.status == 200 && call.method.contains("InviteLink"));
    done.map(|call| {
        let link = call.params["invite_link"].as_str().map(str::to_owned);
        (call.method, link)
    })
    .collect()
}

#[tokio::test]
async fn the_old_link_is_dead_before_the_new_one_is_made_and_the_new_one_is_told() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let (id, old) = stack.admitted("u1", "T1").await;
    let answer = operator.reissue(&id).await.done();
    assert_eq!(
        (&answer["repeated"], &answer["invite"]["linkVersion"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(answer["invite"]["replaced"]["inviteLink"], old);
    assert_eq!(answer["invite"]["replaced"]["botId"], stack.bot_id);
    stack.run_until_idle().await;
    let new = stack.shop().link(&id).await;
    assert_ne!(new, old);
    let of = |method: &str, link: Option<&String>| (method.to_owned(), link.cloned());
    assert_eq!(
        calls(&stack),
        [
            of("createChatInviteLink", None),
            of("revokeChatInviteLink", Some(&old)),
            of("createChatInviteLink", None)
        ]
    );
    assert_eq!(
        stack.webengage.delivered(LINK_CREATED),
        [old.clone(), new.clone()]
    );
    let event_ids: Vec<_> = stack
        .webengage
        .ingested()
        .into_iter()
        .map(|event| event.request_id)
        .collect();
    assert_ne!(event_ids[0], event_ids[1]);
    assert_eq!(stack.customer(70).tap(&old), Tap::Revoked);
    stack.customer(77).join_by(&new);
    stack.run_until_idle().await;
    let view = operator.invite(&id).await;
    assert_eq!(stack.webengage.delivered(JOINED), [new]);
    assert_eq!(operator.history(&id).await, ["operator: reissue"]);
    assert!(
        view["history"][0]["detail"]
            .as_str()
            .unwrap()
            .starts_with("link 0, which works until")
    );
    assert_eq!(
        (&view["attempts"], view.get("pendingSince")),
        (&json!(1), None)
    );
    assert_eq!((view.get("replaced"), pending(&stack).await), (None, 0));
    assert!(stack.telegram.links_alive().is_empty());
    let answer = operator.reissue(&id).await;
    assert_eq!(answer.refusal(), (409, "already_joined"));
}

#[tokio::test]
async fn a_link_that_expired_unused_is_replaced_also_when_its_revocation_is_refused() {
    for (name, refusal) in [
        ("no refusal", None),
        ("missing rights", Some("Bad Request: not enough rights")),
        ("an unknown refusal", Some("Bad Request: NEW")),
    ] {
        let _case = Case::named(name);
        let stack = quiet(&[]).await;
        let shop = stack.shop();
        let (id, old) = stack.admitted("u1", "T1").await;
        stack.clock.advance(HOUR * 49);
        assert_eq!(stack.customer(70).tap(&old), Tap::Expired);
        if let Some(text) = refusal {
            let fault = Fault::Refuse(Refusal::new(400, text));
            stack.telegram.fail_revocations(1, fault);
        }
        stack.operator().reissue(&id).await.done();
        stack.run_until_idle().await;
        let new = shop.link(&id).await;
        assert_eq!(stack.webengage.delivered(LINK_CREATED), [old, new.clone()]);
        stack.customer(77).join_by(&new);
        stack.run_until_idle().await;
        assert_eq!(shop.status(&id).await["telegramUserId"], 77);
    }
}

#[tokio::test]
async fn what_has_no_link_is_not_reissued_and_a_named_link_is_replaced_once() {
    let stack = quiet(&[]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    let id = failed(&stack, "u0", "T0").await;
    let answer = operator.reissue(&id).await;
    assert_eq!(answer.refusal(), (409, "not_done"));

    let (id, _) = stack.admitted("u1", "T1").await;
    let answer = operator.reissue_version(&id, 7).await;
    assert_eq!(answer.refusal(), (409, "link_replaced"));
    let first = operator.reissue_version(&id, 0).await.done();
    // At once, and when the new link is there: the same call replaces no other one.
    let second = operator.reissue_version(&id, 0).await.done();
    stack.run_until_idle().await;
    let new = shop.link(&id).await;
    let third = operator.reissue_version(&id, 0).await.done();
    stack.run_until_idle().await;
    let repeated = [&first, &second, &third].map(|answer| answer["repeated"] == true);
    assert_eq!(repeated, [false, true, true]);
    assert_eq!(shop.link(&id).await, new);
    assert_eq!(stack.telegram.links_alive(), [new.as_str()]);
    operator.reissue_version(&id, 1).await.done();
    let answer = operator.reissue_version(&id, 0).await;
    assert_eq!(answer.refusal(), (409, "link_replaced"));
    stack.run_until_idle().await;
    let newest = shop.link(&id).await;
    assert_eq!(stack.telegram.links_alive(), [newest.as_str()]);
    assert_ne!(newest, new);
    assert_eq!(
        stack.webengage.delivered(LINK_CREATED).len(),
        3,
        "each link once"
    );
}

#[tokio::test]
async fn a_replacement_without_a_bell_is_found_by_the_tick() {
    let stack = quiet(&[]).await;
    let shop = stack.shop();
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    stack.queues_are_down();
    stack.operator().reissue(&id).await.done();
    let buyer = shop.buy("u1", "T1").await.body;
    assert_eq!(
        (&buyer["status"], buyer.get("inviteLink")),
        (&json!("queued"), None)
    );
    stack.functions().tick().await;
    assert_eq!(stack.telegram.links_alive(), [shop.link(&id).await]);
    assert!(stack.telegram.is_revoked(&old));
    stack.aws().wire().clear_faults();
    stack.clock.advance(HOUR * 2);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_revocation_without_an_answer_is_repeated_and_one_link_comes_of_it() {
    for (name, fault) in [
        ("a reset after the effect", Fault::ResetAfter),
        ("a reset before the effect", Fault::ResetBefore),
        ("a page of a proxy", Fault::BadGateway),
        ("a garbled answer", Fault::Garbage),
    ] {
        let _case = Case::named(name);
        let stack = quiet(&[]).await;
        let (id, old) = stack.admitted("u1", "T1").await;
        stack.telegram.fail_revocations(1, fault);
        stack.operator().reissue(&id).await.done();
        stack.run_until_idle().await;
        let new = stack.shop().link(&id).await;
        assert_eq!(stack.telegram.links_alive(), [new.as_str()]);
        assert_eq!(stack.webengage.delivered(LINK_CREATED), [old, new]);
        assert_eq!(stack.telegram.link_count(), 2);
    }
}

#[tokio::test]
async fn a_limit_of_one_call_at_a_time_is_kept_and_the_old_link_is_revoked_once() {
    let stack = quiet(&[]).await;
    let shop = stack.shop();
    let (id, _) = stack.admitted("u1", "T1").await;
    stack.clock.advance(MINUTE);
    let limit = Limit {
        calls: 1,
        per: Duration::from_secs(10),
        burst: 1,
    };
    stack.telegram.limit(limit);
    stack.operator().reissue(&id).await.done();
    stack.run_until_idle().await;
    shop.link(&id).await;
    let revocations = calls(&stack)
        .iter()
        .filter(|(method, _)| method == "revokeChatInviteLink")
        .count();
    assert_eq!(revocations, 1);
    assert_eq!(
        shop.status(&id).await["attempts"],
        1,
        "a rate limit is no try"
    );
}

#[tokio::test]
async fn who_joined_by_the_old_link_before_it_was_dead_keeps_the_seat() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    stack.queues_are_down();
    operator.reissue(&id).await.done();
    // The join is recorded, and its event is not queued.
    let join = stack.telegram.join_report(&old, 77);
    let answer = stack.telegram.send(&join).await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    stack.functions().tick().await;
    stack.aws().wire().clear_faults();
    stack.clock.advance(HOUR * 2);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
    assert_eq!(
        stack.shop().link(&id).await,
        old,
        "the link that they came by"
    );
    let view = operator.invite(&id).await;
    assert_eq!(
        (&view["linkVersion"], &view["join"]["telegramUserId"]),
        (&json!(0), &json!(77))
    );
    assert_eq!(stack.telegram.link_count(), 1, "no second link was made");
    assert_eq!(stack.webengage.delivered(LINK_CREATED), [old.as_str()]);
    assert_eq!(stack.webengage.delivered(JOINED), [old]);
    assert_eq!(pending(&stack).await, 0);
    let answer = operator.reissue(&id).await;
    assert_eq!(answer.code(), "already_joined");
}

#[tokio::test]
async fn a_join_by_the_old_link_that_is_told_while_the_new_one_is_made_takes_the_seat() {
    let stack = quiet(&[]).await;
    let (id, old) = stack.admitted("u1", "T1").await;
    let late = Fault::AnswerLate(Duration::from_secs(10));
    stack.telegram.fail_mints(1, late);
    stack.operator().reissue(&id).await.done();
    stack.run_until(|| stack.telegram.link_count() == 2).await;
    let join = stack.telegram.join_report(&old, 77);
    assert_eq!(stack.telegram.sent(&join).await, "joined");
    stack.run_until_idle().await;
    assert_eq!(stack.shop().link(&id).await, old);
    assert!(
        stack.telegram.links_alive().is_empty(),
        "nobody else gets in"
    );
    assert_eq!(stack.webengage.delivered(LINK_CREATED), [old.as_str()]);
    assert_eq!(stack.webengage.delivered(JOINED), [old]);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn a_join_by_the_old_link_that_is_told_too_late_closes_the_new_one() {
    let stack = quiet(&[]).await;
    let shop = stack.shop();
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.operator().reissue(&id).await.done();
    stack.run_until_idle().await;
    let new = shop.link(&id).await;
    let join = stack.telegram.join_report(&old, 77);
    assert_eq!(stack.telegram.sent(&join).await, "joined");
    stack.run_until_idle().await;
    assert_eq!(stack.customer(78).tap(&new), Tap::Revoked);
    assert_eq!(shop.status(&id).await["telegramUserId"], 77);
    assert_eq!(stack.webengage.delivered(JOINED), [old]);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn marketing_is_told_of_no_link_that_was_replaced_before_it_heard_of_it() {
    let stack = quiet(&[]).await;
    let shop = stack.shop();
    stack.webengage.outage();
    let id = shop.bought("u1", "T1").await;
    stack
        .run_until(|| stack.aws().queue_depth("EventQueue").unwrap().delayed == 1)
        .await;
    let old = shop.link(&id).await;
    stack.operator().reissue(&id).await.done();
    stack.run_until(|| stack.telegram.link_count() == 2).await;
    stack.webengage.recover();
    stack.run_until_idle().await;
    let new = shop.link(&id).await;
    assert_ne!(new, old);
    assert_eq!(stack.webengage.delivered(LINK_CREATED), [new]);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn a_replacement_that_was_given_up_is_retried_with_the_old_link_dead() {
    let stack = quiet(&[]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    let (id, old) = stack.admitted("u1", "T1").await;
    refuse_for_good(&stack);
    operator.reissue(&id).await.done();
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["status"], "FAILED");
    assert!(stack.telegram.is_revoked(&old));
    operator.retry(&id).await.done();
    stack.run_until_idle().await;
    let new = shop.link(&id).await;
    assert_eq!(stack.telegram.links_alive(), [new]);
    assert_eq!(
        operator.history(&id).await,
        ["operator: reissue", "operator: retry"]
    );
}
