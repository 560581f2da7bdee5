//! Replacing a link: the old one is dead before the new one is made, and nobody gets two seats, whoever dies or joins.

use std::time::Duration;

use local::harness::TestBundle;
use serde_json::{Value, json};
use simulators::telegram::{Fault, FaultRule, Limit, Refusal, Tap};
use simulators::webengage::Mode;

use super::{
    CREATED, HOUR, JOINED, act, acted, failed, history, join_update, pending, queues_are_down,
    quiet, story, told,
};

/// The calls about links that Telegram carried out, in order: the method, and whose link it was.
fn calls(bundle: &TestBundle) -> Vec<(String, Option<String>)> {
    let calls = bundle.telegram.calls().into_iter();
    let done = calls.filter(|call| call.status == 200 && call.method.contains("InviteLink"));
    done.map(|call| {
        let link = call.params["invite_link"].as_str().map(str::to_owned);
        (call.method, link)
    })
    .collect()
}

/// How many links work.
fn alive(bundle: &TestBundle) -> Vec<String> {
    let links = bundle.telegram.links().into_iter();
    links
        .filter(|link| !link.revoked)
        .map(|link| link.url)
        .collect()
}

async fn reissued(bundle: &TestBundle, id: &str) -> Value {
    acted(bundle, id, "reissue", json!({})).await
}

#[tokio::test]
async fn the_old_link_is_dead_before_the_new_one_is_made_and_the_new_one_is_told() {
    let bundle = quiet(&[]).await;
    let (id, old) = bundle.admitted("u1", "T1").await;
    let answer = reissued(&bundle, &id).await;
    assert_eq!(
        (&answer["repeated"], &answer["invite"]["linkVersion"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(answer["invite"]["replaced"]["inviteLink"], old);
    assert_eq!(answer["invite"]["replaced"]["botId"], bundle.bot_id);
    bundle.settle().await;
    let new = bundle.link(&id).await;
    assert_ne!(new, old);
    let of = |method: &str, link: Option<&String>| (method.to_owned(), link.cloned());
    assert_eq!(
        calls(&bundle),
        [
            of("createChatInviteLink", None),
            of("revokeChatInviteLink", Some(&old)),
            of("createChatInviteLink", None)
        ]
    );
    assert_eq!(told(&bundle, CREATED), [old.clone(), new.clone()]);
    let told_ids: Vec<_> = bundle
        .webengage
        .ingested()
        .into_iter()
        .map(|event| event.request_id)
        .collect();
    assert_ne!(told_ids[0], told_ids[1]);
    assert_eq!(bundle.tap(&old, 70), Tap::Revoked);
    assert_eq!(bundle.tap(&new, 77), Tap::Joined);
    bundle.settle().await;
    let story = story(&bundle, &id).await;
    assert_eq!(told(&bundle, JOINED), [new]);
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
    assert_eq!((story.get("replaced"), pending(&bundle).await), (None, 0));
    assert!(alive(&bundle).is_empty());
    let answer = act(&bundle, &id, "reissue", json!({})).await;
    assert_eq!((answer.status, answer.code()), (409, "already_joined"));
}

#[tokio::test]
async fn a_link_that_expired_unused_is_replaced_also_when_its_revocation_is_refused() {
    for refusal in [
        None,
        Some("Bad Request: not enough rights"),
        Some("Bad Request: NEW"),
    ] {
        let bundle = quiet(&[]).await;
        let (id, old) = bundle.admitted("u1", "T1").await;
        bundle.turn(HOUR * 49);
        assert_eq!(bundle.tap(&old, 70), Tap::Expired);
        if let Some(text) = refusal {
            let fault = Fault::Refuse(Refusal::new(400, text));
            bundle
                .telegram
                .fail(FaultRule::on("revokeChatInviteLink", fault).times(1));
        }
        reissued(&bundle, &id).await;
        bundle.settle().await;
        let new = bundle.link(&id).await;
        assert_eq!(told(&bundle, CREATED), [old, new.clone()]);
        assert_eq!(bundle.tap(&new, 77), Tap::Joined);
        bundle.settle().await;
        assert_eq!(bundle.status(&id).await["telegramUserId"], 77);
    }
}

#[tokio::test]
async fn what_has_no_link_is_not_reissued_and_a_named_link_is_replaced_once() {
    let bundle = quiet(&[]).await;
    let id = failed(&bundle, "u0", "T0").await;
    let answer = act(&bundle, &id, "reissue", json!({})).await;
    assert_eq!((answer.status, answer.code()), (409, "not_done"));

    let (id, _) = bundle.admitted("u1", "T1").await;
    let answer = act(&bundle, &id, "reissue", json!({"linkVersion": 7})).await;
    assert_eq!((answer.status, answer.code()), (409, "link_replaced"));
    let first = acted(&bundle, &id, "reissue", json!({"linkVersion": 0})).await;
    // At once, and when the new link is there: the same call replaces no other one.
    let second = acted(&bundle, &id, "reissue", json!({"linkVersion": 0})).await;
    bundle.settle().await;
    let new = bundle.link(&id).await;
    let third = acted(&bundle, &id, "reissue", json!({"linkVersion": 0})).await;
    bundle.settle().await;
    let repeated = [&first, &second, &third].map(|answer| answer["repeated"] == true);
    assert_eq!(repeated, [false, true, true]);
    assert_eq!(bundle.link(&id).await, new);
    assert_eq!(alive(&bundle), std::slice::from_ref(&new));
    acted(&bundle, &id, "reissue", json!({"linkVersion": 1})).await;
    let answer = act(&bundle, &id, "reissue", json!({"linkVersion": 0})).await;
    assert_eq!((answer.status, answer.code()), (409, "link_replaced"));
    bundle.settle().await;
    let newest = bundle.link(&id).await;
    assert_eq!(alive(&bundle), std::slice::from_ref(&newest));
    assert_ne!(newest, new);
    assert_eq!(told(&bundle, CREATED).len(), 3, "each link once");
}

#[tokio::test]
async fn a_replacement_without_a_bell_is_found_by_the_tick() {
    let bundle = quiet(&[]).await;
    let (id, old) = bundle.admitted("u1", "T1").await;
    bundle.pause_schedule();
    queues_are_down(&bundle);
    reissued(&bundle, &id).await;
    let buyer = bundle.buy("u1", "T1").await.body;
    assert_eq!(
        (&buyer["status"], buyer.get("inviteLink")),
        (&json!("queued"), None)
    );
    bundle.functions().tick().await;
    assert_eq!(alive(&bundle), [bundle.link(&id).await]);
    assert!(bundle.telegram.link(&old).unwrap().revoked);
    bundle.aws().wire().clear_faults();
    bundle.turn(HOUR * 2);
    assert_eq!(bundle.functions().sweep().await.events, 1);
    bundle.settle().await;
}

#[tokio::test]
async fn a_revocation_without_an_answer_is_repeated_and_one_link_comes_of_it() {
    for fault in [
        Fault::ResetAfter,
        Fault::ResetBefore,
        Fault::BadGateway,
        Fault::Garbage,
    ] {
        let bundle = quiet(&[]).await;
        let (id, old) = bundle.admitted("u1", "T1").await;
        bundle
            .telegram
            .fail(FaultRule::on("revokeChatInviteLink", fault.clone()).times(1));
        reissued(&bundle, &id).await;
        bundle.settle().await;
        let new = bundle.link(&id).await;
        assert_eq!(alive(&bundle), std::slice::from_ref(&new), "{fault:?}");
        assert_eq!(told(&bundle, CREATED), [old, new], "{fault:?}");
        assert_eq!(bundle.telegram.link_count(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_limit_of_one_call_at_a_time_is_kept_and_the_old_link_is_revoked_once() {
    let bundle = quiet(&[]).await;
    let (id, _) = bundle.admitted("u1", "T1").await;
    bundle.turn(Duration::from_secs(60));
    let limit = Limit {
        calls: 1,
        per: Duration::from_secs(10),
        burst: 1,
    };
    bundle.telegram.set_limit(Some(limit));
    reissued(&bundle, &id).await;
    bundle.settle().await;
    bundle.link(&id).await;
    let revocations = calls(&bundle)
        .iter()
        .filter(|(method, _)| method == "revokeChatInviteLink")
        .count();
    assert_eq!(revocations, 1);
    assert_eq!(
        bundle.status(&id).await["attempts"],
        1,
        "a rate limit is no try"
    );
}

#[tokio::test]
async fn who_joined_by_the_old_link_before_it_was_dead_keeps_the_seat() {
    let bundle = quiet(&[]).await;
    let (id, old) = bundle.admitted("u1", "T1").await;
    bundle.pause_schedule();
    queues_are_down(&bundle);
    reissued(&bundle, &id).await;
    // The join is recorded, and its event is not queued.
    let answer = bundle.update(&join_update(&bundle, &old, 77)).await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    bundle.functions().tick().await;
    bundle.aws().wire().clear_faults();
    bundle.turn(HOUR * 2);
    assert_eq!(bundle.functions().sweep().await.events, 1);
    bundle.settle().await;
    assert_eq!(bundle.link(&id).await, old, "the link that they came by");
    let story = story(&bundle, &id).await;
    assert_eq!(
        (&story["linkVersion"], &story["join"]["telegramUserId"]),
        (&json!(0), &json!(77))
    );
    assert_eq!(bundle.telegram.link_count(), 1, "no second link was made");
    assert_eq!(told(&bundle, CREATED), std::slice::from_ref(&old));
    assert_eq!(told(&bundle, JOINED), [old]);
    assert_eq!(pending(&bundle).await, 0);
    let answer = act(&bundle, &id, "reissue", json!({})).await;
    assert_eq!(answer.code(), "already_joined");
}

#[tokio::test]
async fn a_join_by_the_old_link_that_is_told_while_the_new_one_is_made_takes_the_seat() {
    let bundle = quiet(&[]).await;
    let (id, old) = bundle.admitted("u1", "T1").await;
    let late = Fault::AnswerLate(Duration::from_secs(10));
    bundle
        .telegram
        .fail(FaultRule::on("createChatInviteLink", late).times(1));
    reissued(&bundle, &id).await;
    bundle.run_until(|| bundle.telegram.link_count() == 2).await;
    let answer = bundle.update(&join_update(&bundle, &old, 77)).await;
    assert_eq!(answer.body["result"], "joined");
    bundle.settle().await;
    assert_eq!(bundle.link(&id).await, old);
    assert!(alive(&bundle).is_empty(), "nobody else gets in");
    assert_eq!(told(&bundle, CREATED), std::slice::from_ref(&old));
    assert_eq!(told(&bundle, JOINED), [old]);
    assert_eq!(pending(&bundle).await, 0);
}

#[tokio::test]
async fn a_join_by_the_old_link_that_is_told_too_late_closes_the_new_one() {
    let bundle = quiet(&[]).await;
    let (id, old) = bundle.admitted("u1", "T1").await;
    reissued(&bundle, &id).await;
    bundle.settle().await;
    let new = bundle.link(&id).await;
    let answer = bundle.update(&join_update(&bundle, &old, 77)).await;
    assert_eq!(answer.body["result"], "joined");
    bundle.settle().await;
    assert_eq!(bundle.tap(&new, 78), Tap::Revoked);
    assert_eq!(bundle.status(&id).await["telegramUserId"], 77);
    assert_eq!(told(&bundle, JOINED), [old]);
    assert_eq!(pending(&bundle).await, 0);
}

#[tokio::test]
async fn marketing_is_told_of_no_link_that_was_replaced_before_it_heard_of_it() {
    let bundle = quiet(&[]).await;
    bundle.webengage.set_mode(Mode::Down);
    let id = bundle.bought("u1", "T1").await;
    bundle
        .run_until(|| bundle.aws().queue_depth("EventQueue").unwrap().delayed == 1)
        .await;
    let old = bundle.link(&id).await;
    reissued(&bundle, &id).await;
    bundle.run_until(|| bundle.telegram.link_count() == 2).await;
    bundle.webengage.mend();
    bundle.settle().await;
    let new = bundle.link(&id).await;
    assert_ne!(new, old);
    assert_eq!(told(&bundle, CREATED), [new]);
    assert_eq!(pending(&bundle).await, 0);
}

#[tokio::test]
async fn a_replacement_that_was_given_up_is_retried_with_the_old_link_dead() {
    let bundle = quiet(&[]).await;
    let (id, old) = bundle.admitted("u1", "T1").await;
    super::refuse_for_good(&bundle);
    reissued(&bundle, &id).await;
    bundle.settle().await;
    assert_eq!(bundle.status(&id).await["status"], "FAILED");
    assert!(bundle.telegram.link(&old).unwrap().revoked);
    acted(&bundle, &id, "retry", json!({})).await;
    bundle.settle().await;
    let new = bundle.link(&id).await;
    assert_eq!(alive(&bundle), [new]);
    assert_eq!(history(&story(&bundle, &id).await), ["reissue", "retry"]);
}
