//! Replacing a link: the old one is dead before the new one is made, and nobody gets two seats, whoever dies or joins.

use std::time::Duration;

use local::harness::TestStack;
use serde_json::{Value, json};
use simulators::telegram::{Fault, FaultRule, Limit, Refusal, Tap};
use simulators::webengage::Mode;

use super::{
    CREATED, HOUR, JOINED, act, acted, failed, history, join_update, pending, queues_are_down,
    quiet, story, told,
};

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

/// How many links work.
fn alive(stack: &TestStack) -> Vec<String> {
    let links = stack.telegram.links().into_iter();
    links
        .filter(|link| !link.revoked)
        .map(|link| link.url)
        .collect()
}

async fn reissued(stack: &TestStack, id: &str) -> Value {
    acted(stack, id, "reissue", json!({})).await
}

#[tokio::test]
async fn the_old_link_is_dead_before_the_new_one_is_made_and_the_new_one_is_told() {
    let stack = quiet(&[]).await;
    let (id, old) = stack.admitted("u1", "T1").await;
    let answer = reissued(&stack, &id).await;
    assert_eq!(
        (&answer["repeated"], &answer["invite"]["linkVersion"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(answer["invite"]["replaced"]["inviteLink"], old);
    assert_eq!(answer["invite"]["replaced"]["botId"], stack.bot_id);
    stack.run_until_idle().await;
    let new = stack.link(&id).await;
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
    assert_eq!(told(&stack, CREATED), [old.clone(), new.clone()]);
    let told_ids: Vec<_> = stack
        .webengage
        .ingested()
        .into_iter()
        .map(|event| event.request_id)
        .collect();
    assert_ne!(told_ids[0], told_ids[1]);
    assert_eq!(stack.tap(&old, 70), Tap::Revoked);
    assert_eq!(stack.tap(&new, 77), Tap::Joined);
    stack.run_until_idle().await;
    let story = story(&stack, &id).await;
    assert_eq!(told(&stack, JOINED), [new]);
    assert_eq!(history(&story), ["reissue"]);
    assert!(
        story["history"][0]["detail"]
            .as_str()
            .unwrap()
            .starts_with("link 0, which works until")
    );
    assert_eq!(
        (&story["attempts"], story.get("pendingSince")),
        (&json!(1), None)
    );
    assert_eq!((story.get("replaced"), pending(&stack).await), (None, 0));
    assert!(alive(&stack).is_empty());
    let answer = act(&stack, &id, "reissue", json!({})).await;
    assert_eq!((answer.status, answer.code()), (409, "already_joined"));
}

#[tokio::test]
async fn a_link_that_expired_unused_is_replaced_also_when_its_revocation_is_refused() {
    for refusal in [
        None,
        Some("Bad Request: not enough rights"),
        Some("Bad Request: NEW"),
    ] {
        let stack = quiet(&[]).await;
        let (id, old) = stack.admitted("u1", "T1").await;
        stack.advance(HOUR * 49);
        assert_eq!(stack.tap(&old, 70), Tap::Expired);
        if let Some(text) = refusal {
            let fault = Fault::Refuse(Refusal::new(400, text));
            stack
                .telegram
                .fail(FaultRule::on("revokeChatInviteLink", fault).times(1));
        }
        reissued(&stack, &id).await;
        stack.run_until_idle().await;
        let new = stack.link(&id).await;
        assert_eq!(told(&stack, CREATED), [old, new.clone()]);
        assert_eq!(stack.tap(&new, 77), Tap::Joined);
        stack.run_until_idle().await;
        assert_eq!(stack.status(&id).await["telegramUserId"], 77);
    }
}

#[tokio::test]
async fn what_has_no_link_is_not_reissued_and_a_named_link_is_replaced_once() {
    let stack = quiet(&[]).await;
    let id = failed(&stack, "u0", "T0").await;
    let answer = act(&stack, &id, "reissue", json!({})).await;
    assert_eq!((answer.status, answer.code()), (409, "not_done"));

    let (id, _) = stack.admitted("u1", "T1").await;
    let answer = act(&stack, &id, "reissue", json!({"linkVersion": 7})).await;
    assert_eq!((answer.status, answer.code()), (409, "link_replaced"));
    let first = acted(&stack, &id, "reissue", json!({"linkVersion": 0})).await;
    // At once, and when the new link is there: the same call replaces no other one.
    let second = acted(&stack, &id, "reissue", json!({"linkVersion": 0})).await;
    stack.run_until_idle().await;
    let new = stack.link(&id).await;
    let third = acted(&stack, &id, "reissue", json!({"linkVersion": 0})).await;
    stack.run_until_idle().await;
    let repeated = [&first, &second, &third].map(|answer| answer["repeated"] == true);
    assert_eq!(repeated, [false, true, true]);
    assert_eq!(stack.link(&id).await, new);
    assert_eq!(alive(&stack), std::slice::from_ref(&new));
    acted(&stack, &id, "reissue", json!({"linkVersion": 1})).await;
    let answer = act(&stack, &id, "reissue", json!({"linkVersion": 0})).await;
    assert_eq!((answer.status, answer.code()), (409, "link_replaced"));
    stack.run_until_idle().await;
    let newest = stack.link(&id).await;
    assert_eq!(alive(&stack), std::slice::from_ref(&newest));
    assert_ne!(newest, new);
    assert_eq!(told(&stack, CREATED).len(), 3, "each link once");
}

#[tokio::test]
async fn a_replacement_without_a_bell_is_found_by_the_tick() {
    let stack = quiet(&[]).await;
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    queues_are_down(&stack);
    reissued(&stack, &id).await;
    let buyer = stack.buy("u1", "T1").await.body;
    assert_eq!(
        (&buyer["status"], buyer.get("inviteLink")),
        (&json!("queued"), None)
    );
    stack.functions().tick().await;
    assert_eq!(alive(&stack), [stack.link(&id).await]);
    assert!(stack.telegram.link(&old).unwrap().revoked);
    stack.aws().wire().clear_faults();
    stack.advance(HOUR * 2);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_revocation_without_an_answer_is_repeated_and_one_link_comes_of_it() {
    for fault in [
        Fault::ResetAfter,
        Fault::ResetBefore,
        Fault::BadGateway,
        Fault::Garbage,
    ] {
        let stack = quiet(&[]).await;
        let (id, old) = stack.admitted("u1", "T1").await;
        stack
            .telegram
            .fail(FaultRule::on("revokeChatInviteLink", fault.clone()).times(1));
        reissued(&stack, &id).await;
        stack.run_until_idle().await;
        let new = stack.link(&id).await;
        assert_eq!(alive(&stack), std::slice::from_ref(&new), "{fault:?}");
        assert_eq!(told(&stack, CREATED), [old, new], "{fault:?}");
        assert_eq!(stack.telegram.link_count(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_limit_of_one_call_at_a_time_is_kept_and_the_old_link_is_revoked_once() {
    let stack = quiet(&[]).await;
    let (id, _) = stack.admitted("u1", "T1").await;
    stack.advance(Duration::from_secs(60));
    let limit = Limit {
        calls: 1,
        per: Duration::from_secs(10),
        burst: 1,
    };
    stack.telegram.set_limit(Some(limit));
    reissued(&stack, &id).await;
    stack.run_until_idle().await;
    stack.link(&id).await;
    let revocations = calls(&stack)
        .iter()
        .filter(|(method, _)| method == "revokeChatInviteLink")
        .count();
    assert_eq!(revocations, 1);
    assert_eq!(
        stack.status(&id).await["attempts"],
        1,
        "a rate limit is no try"
    );
}

#[tokio::test]
async fn who_joined_by_the_old_link_before_it_was_dead_keeps_the_seat() {
    let stack = quiet(&[]).await;
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    queues_are_down(&stack);
    reissued(&stack, &id).await;
    // The join is recorded, and its event is not queued.
    let answer = stack.update(&join_update(&stack, &old, 77)).await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    stack.functions().tick().await;
    stack.aws().wire().clear_faults();
    stack.advance(HOUR * 2);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
    assert_eq!(stack.link(&id).await, old, "the link that they came by");
    let story = story(&stack, &id).await;
    assert_eq!(
        (&story["linkVersion"], &story["join"]["telegramUserId"]),
        (&json!(0), &json!(77))
    );
    assert_eq!(stack.telegram.link_count(), 1, "no second link was made");
    assert_eq!(told(&stack, CREATED), std::slice::from_ref(&old));
    assert_eq!(told(&stack, JOINED), [old]);
    assert_eq!(pending(&stack).await, 0);
    let answer = act(&stack, &id, "reissue", json!({})).await;
    assert_eq!(answer.code(), "already_joined");
}

#[tokio::test]
async fn a_join_by_the_old_link_that_is_told_while_the_new_one_is_made_takes_the_seat() {
    let stack = quiet(&[]).await;
    let (id, old) = stack.admitted("u1", "T1").await;
    let late = Fault::AnswerLate(Duration::from_secs(10));
    stack
        .telegram
        .fail(FaultRule::on("createChatInviteLink", late).times(1));
    reissued(&stack, &id).await;
    stack.run_until(|| stack.telegram.link_count() == 2).await;
    let answer = stack.update(&join_update(&stack, &old, 77)).await;
    assert_eq!(answer.body["result"], "joined");
    stack.run_until_idle().await;
    assert_eq!(stack.link(&id).await, old);
    assert!(alive(&stack).is_empty(), "nobody else gets in");
    assert_eq!(told(&stack, CREATED), std::slice::from_ref(&old));
    assert_eq!(told(&stack, JOINED), [old]);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn a_join_by_the_old_link_that_is_told_too_late_closes_the_new_one() {
    let stack = quiet(&[]).await;
    let (id, old) = stack.admitted("u1", "T1").await;
    reissued(&stack, &id).await;
    stack.run_until_idle().await;
    let new = stack.link(&id).await;
    let answer = stack.update(&join_update(&stack, &old, 77)).await;
    assert_eq!(answer.body["result"], "joined");
    stack.run_until_idle().await;
    assert_eq!(stack.tap(&new, 78), Tap::Revoked);
    assert_eq!(stack.status(&id).await["telegramUserId"], 77);
    assert_eq!(told(&stack, JOINED), [old]);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn marketing_is_told_of_no_link_that_was_replaced_before_it_heard_of_it() {
    let stack = quiet(&[]).await;
    stack.webengage.set_mode(Mode::Down);
    let id = stack.bought("u1", "T1").await;
    stack
        .run_until(|| stack.aws().queue_depth("EventQueue").unwrap().delayed == 1)
        .await;
    let old = stack.link(&id).await;
    reissued(&stack, &id).await;
    stack.run_until(|| stack.telegram.link_count() == 2).await;
    stack.webengage.mend();
    stack.run_until_idle().await;
    let new = stack.link(&id).await;
    assert_ne!(new, old);
    assert_eq!(told(&stack, CREATED), [new]);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn a_replacement_that_was_given_up_is_retried_with_the_old_link_dead() {
    let stack = quiet(&[]).await;
    let (id, old) = stack.admitted("u1", "T1").await;
    super::refuse_for_good(&stack);
    reissued(&stack, &id).await;
    stack.run_until_idle().await;
    assert_eq!(stack.status(&id).await["status"], "FAILED");
    assert!(stack.telegram.link(&old).unwrap().revoked);
    acted(&stack, &id, "retry", json!({})).await;
    stack.run_until_idle().await;
    let new = stack.link(&id).await;
    assert_eq!(alive(&stack), [new]);
    assert_eq!(history(&story(&stack, &id).await), ["reissue", "retry"]);
}
