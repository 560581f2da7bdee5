//! Telegram in trouble: what is retried, what is held, and what ends FAILED with a reason.

use std::time::Duration;

use local::harness::TestStack;
use simulators::telegram::{Fault, FaultRule, Refusal, Rights};

fn mint(fault: Fault) -> FaultRule {
    FaultRule::on("createChatInviteLink", fault)
}

/// A fault that passes: the link is there in the end, by as many tries as were needed.
async fn passes(fault: Fault, times: u32) -> TestStack {
    let stack = TestStack::start().await;
    stack.telegram.fail(mint(fault).times(times));
    let (id, _) = stack.admitted("u1", "T1").await;
    let status = stack.status(&id).await;
    assert_eq!(status["attempts"], times + 1, "{status}");
    assert_eq!(stack.webengage.ingested().len(), 1);
    stack
}

#[tokio::test]
async fn a_500_is_tried_again() {
    passes(Fault::Internal, 3).await;
}

#[tokio::test]
async fn an_html_error_page_is_tried_again() {
    passes(Fault::BadGateway, 4).await;
}

#[tokio::test]
async fn a_connection_reset_before_the_effect_is_tried_again() {
    passes(Fault::ResetBefore, 2).await;
}

#[tokio::test]
async fn a_garbled_answer_is_tried_again_and_only_one_link_is_handed_out() {
    let stack = passes(Fault::Garbage, 1).await;
    // The lost link was made, is known to nobody, and expires by itself.
    assert_eq!(stack.telegram.link_count(), 2);
    assert!(
        stack
            .telegram
            .links()
            .iter()
            .all(|link| link.expire_date.is_some() && link.member_limit == Some(1))
    );
}

#[tokio::test]
async fn a_reset_after_the_effect_hands_out_one_link_only() {
    let stack = passes(Fault::ResetAfter, 1).await;
    let told = stack.webengage.ingested();
    assert_eq!(told.len(), 1);
    assert_eq!(stack.telegram.link_count(), 2);
}

#[tokio::test]
async fn telegrams_own_sleep_of_eight_seconds_is_waited_for() {
    let stack = TestStack::start().await;
    stack
        .telegram
        .fail(mint(Fault::HangThenSucceed(Duration::from_secs(8))).times(1));
    let id = stack.bought("u1", "T1").await;
    stack
        .run_until(|| stack.telegram.count("createChatInviteLink") > 0)
        .await;
    stack.advance(Duration::from_secs(8));
    stack.run_until_idle().await;
    assert_eq!(stack.status(&id).await["attempts"], 1);
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn after_max_attempts_a_request_is_failed_with_the_reason() {
    let stack = TestStack::with(&[("MAX_ATTEMPTS", "6")]).await;
    stack.telegram.fail(mint(Fault::BadGateway));
    let id = stack.bought("u1", "T1").await;
    stack.run_until_idle().await;
    let status = stack.status(&id).await;
    assert_eq!(
        (status["status"].as_str(), status["attempts"].as_u64()),
        (Some("FAILED"), Some(6))
    );
    assert_eq!(
        status["error"],
        "Telegram answered createChatInviteLink with HTTP 502 and no Bot API answer"
    );
    assert_eq!(stack.telegram.count("createChatInviteLink"), 6);
    let repeat = stack.buy("u1", "T1").await;
    assert_eq!(
        (repeat.status, &repeat.body["status"]),
        (200, &serde_json::json!("failed"))
    );
}

#[tokio::test]
async fn copies_of_one_task_do_not_defeat_the_backoff() {
    let stack = TestStack::start().await;
    stack.telegram.fail(mint(Fault::BadGateway));
    // Two hundred calls at once find no record and put a task each.
    let calls = (0..200).map(|_| stack.buy("u1", "T1"));
    let id = futures_util::future::join_all(calls).await[0].request_id();
    let began = stack.clock.now_ms();
    stack
        .run_until(|| stack.clock.now_ms() - began > 60_000)
        .await;
    // By 5 * 2^n seconds, jittered, a minute holds a handful of tries, whatever the number of copies.
    let tries = stack.status(&id).await["attempts"].as_u64().unwrap();
    assert!((1..=10).contains(&tries), "{tries} tries within a minute");
    stack.telegram.clear_faults();
    stack.run_until_idle().await;
    assert_eq!(stack.status(&id).await["status"], "DONE");
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn an_error_page_of_another_server_holds_the_chat_and_fails_nobody() {
    let stack = TestStack::with(&[("MAX_ATTEMPTS", "2")]).await;
    stack
        .telegram
        .fail(mint(Fault::Refuse(Refusal::new(404, "Not Found"))).times(6));
    let (id, _) = stack.admitted("u1", "T1").await;
    assert_eq!(stack.status(&id).await["attempts"], 1);
}

#[tokio::test]
async fn chats_that_point_at_each_other_are_not_hammered() {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    let other = stack.chat_id - 1;
    stack
        .telegram
        .fail(mint(Fault::Refuse(Refusal::migrated(other))).chat(stack.chat_id));
    stack
        .telegram
        .fail(mint(Fault::Refuse(Refusal::migrated(stack.chat_id))).chat(other));
    let id = stack.bought("u1", "T1").await;
    let began = stack.clock.now_ms();
    stack
        .run_until(|| stack.clock.now_ms() - began > 600_000)
        .await;
    let calls = stack.telegram.count("createChatInviteLink");
    assert!(calls <= 60, "{calls} calls in ten minutes");
    assert_ne!(stack.status(&id).await["status"], "FAILED");
}

#[tokio::test]
async fn one_link_that_can_not_be_revoked_holds_up_no_buyer() {
    let stack = TestStack::start().await;
    let (_, link) = stack.admitted("u1", "T1").await;
    let refusal = Refusal::new(400, "Bad Request: CHAT_ADMIN_REQUIRED");
    stack
        .telegram
        .fail(FaultRule::on("revokeChatInviteLink", Fault::Refuse(refusal)).times(4));
    assert_eq!(stack.tap(&link, 7), simulators::telegram::Tap::Joined);
    stack
        .run_until(|| stack.telegram.count("revokeChatInviteLink") > 0)
        .await;
    let before = stack.clock.now_ms();
    let other = stack.bought("u2", "T2").await;
    stack.run_until(|| stack.telegram.link_count() == 2).await;
    assert!(
        stack.clock.now_ms() - before < 20_000,
        "the next buyer was held up"
    );
    stack.run_until_idle().await;
    stack.link(&other).await;
    assert!(stack.telegram.link(&link).unwrap().revoked);
}

#[tokio::test]
async fn a_refusal_of_one_buyer_alone_is_believed_when_it_comes_for_the_fifth_time() {
    for (description, tries) in [
        ("Bad Request: USAGE_LIMIT_INVALID", 5),
        ("Bad Request: SOMETHING_NEW", 5),
    ] {
        let stack = TestStack::start().await;
        stack
            .telegram
            .fail(mint(Fault::Refuse(Refusal::new(400, description))));
        let id = stack.bought("u1", "T1").await;
        stack.run_until_idle().await;
        let status = stack.status(&id).await;
        assert_eq!(
            (status["status"].as_str(), status["attempts"].as_u64()),
            (Some("FAILED"), Some(tries)),
            "{status}"
        );
        assert!(
            status["error"].as_str().unwrap().ends_with(description),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_refusal_after_other_trouble_is_not_believed_before_it_came_five_times() {
    let stack = TestStack::start().await;
    stack.telegram.fail(mint(Fault::Internal).times(4));
    let refusal = Refusal::new(400, "Bad Request: SOMETHING_NEW");
    stack.telegram.fail(mint(Fault::Refuse(refusal)).times(4));
    let id = stack.bought("u1", "T1").await;
    stack.run_until_idle().await;
    let status = stack.status(&id).await;
    assert_eq!(
        (status["status"].as_str(), status["attempts"].as_u64()),
        (Some("DONE"), Some(9)),
        "{status}"
    );
}

/// Trouble with the chat or the bot: for 8 hours all tasks wait, then it is fixed, and everybody gets in. (A whole day, with
/// another chat and another bot beside it, is played in simulated time.)
async fn is_held(break_it: impl Fn(&TestStack), fix_it: impl Fn(&TestStack)) {
    let stack = TestStack::start().await;
    break_it(&stack);
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(stack.bought(&format!("u{n}"), &format!("T{n}")).await);
    }
    let broken_since = stack.clock.now_ms();
    stack
        .run_until(|| stack.clock.now_ms() - broken_since > 8 * 3600 * 1000)
        .await;
    let tries = stack.telegram.count("createChatInviteLink");
    assert!(
        (20..700).contains(&tries),
        "a broken chat is probed slowly, not hammered: {tries} calls in 8 hours"
    );
    for id in &ids {
        let status = stack.status(id).await;
        assert!(
            matches!(status["status"].as_str(), Some("QUEUED" | "PROCESSING")),
            "{status}"
        );
    }
    fix_it(&stack);
    stack.run_until_idle().await;
    for id in &ids {
        let status = stack.status(id).await;
        assert_eq!(
            (status["status"].as_str(), status["attempts"].as_u64()),
            (Some("DONE"), Some(1)),
            "{status}"
        );
    }
    assert_eq!(stack.depth("InviteDeadLetterQueue"), 0);
}

#[tokio::test]
async fn tasks_of_a_chat_whose_bot_lost_its_rights_are_held_and_finish_when_it_has_them_again() {
    is_held(
        |stack| {
            stack
                .telegram
                .make_admin(stack.bot_id, stack.chat_id, Rights::none())
        },
        |stack| {
            stack
                .telegram
                .make_admin(stack.bot_id, stack.chat_id, Rights::all())
        },
    )
    .await;
}

#[tokio::test]
async fn tasks_of_a_chat_whose_bot_was_kicked_are_held_and_finish_when_it_is_back() {
    is_held(
        |stack| stack.telegram.kick_bot(stack.bot_id, stack.chat_id),
        |stack| {
            stack
                .telegram
                .make_admin(stack.bot_id, stack.chat_id, Rights::all())
        },
    )
    .await;
}

#[tokio::test]
async fn tasks_are_held_while_the_bots_token_is_refused() {
    is_held(
        |stack| stack.telegram.revoke_token(stack.bot_id),
        |stack| {
            stack
                .telegram
                .restore_token(&stack.env()["TELEGRAM_BOT_TOKEN"])
        },
    )
    .await;
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_is_followed_and_its_joins_count() {
    let stack = TestStack::start().await;
    let (old_id, _) = stack.admitted("u0", "T0").await;
    let new_chat = -1_009_999_999_999;
    stack.telegram.migrate_chat(stack.chat_id, new_chat);
    for n in 1..4 {
        let (id, link) = stack.admitted(&format!("u{n}"), &format!("T{n}")).await;
        let status = stack.status(&id).await;
        assert_eq!(
            (status["chatId"].as_i64(), status["attempts"].as_u64()),
            (Some(new_chat), Some(1)),
            "{status}"
        );
        assert_eq!(stack.tap(&link, 100 + n), simulators::telegram::Tap::Joined);
        stack.run_until_idle().await;
        assert_eq!(stack.status(&id).await["joined"], true);
    }
    assert_eq!(stack.status(&old_id).await["status"], "DONE");
}

#[tokio::test]
async fn a_link_that_is_not_for_one_member_is_never_handed_out() {
    let stack = TestStack::start().await;
    stack
        .telegram
        .fail(mint(Fault::WrongMemberLimit(None)).times(1));
    let (id, link) = stack.admitted("u1", "T1").await;
    assert_eq!(stack.status(&id).await["attempts"], 2);
    let links = stack.telegram.links();
    assert_eq!(links.len(), 2);
    assert!(
        links.iter().all(|made| made.revoked == (made.url != link)),
        "the other one is revoked"
    );
}

#[tokio::test]
async fn a_link_is_named_after_its_request_and_dies_with_its_time() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    let made = stack.telegram.link(&link).unwrap();
    assert_eq!(made.name, Some(id.replace('-', "")));
    assert_eq!(made.member_limit, Some(1));
    stack.advance(Duration::from_secs(172_801));
    assert_eq!(stack.tap(&link, 7), simulators::telegram::Tap::Expired);
}

/// Fault 7: a refusal that every buyer of a chat meets alike, with no success between, is the chat's, whatever its words.
#[tokio::test]
async fn a_refusal_that_all_buyers_meet_gives_up_none_of_them() {
    for words in [
        "Bad Request: FROZEN_METHOD_INVALID",
        "Bad Request: can't access the chat",
        "Bad Request: CHANNEL_MONOFORUM_UNSUPPORTED",
        "Bad Request: EXPIRE_DATE_INVALID",
    ] {
        let stack = TestStack::start().await;
        stack
            .telegram
            .fail(mint(Fault::Refuse(Refusal::new(400, words))));
        let mut ids = Vec::new();
        for n in 0..8 {
            ids.push(stack.bought(&format!("u{n}"), &format!("T{n}")).await);
        }
        let began = stack.clock.now_ms();
        stack
            .run_until(|| stack.clock.now_ms() - began > 3 * 3_600_000)
            .await;
        let calls = stack.telegram.count("createChatInviteLink");
        assert!(
            (20..260).contains(&calls),
            "{words}: {calls} calls in 3 hours"
        );
        for id in &ids {
            let status = stack.status(id).await;
            assert_ne!(status["status"], "FAILED", "{words}: {status}");
        }
        stack.telegram.clear_faults();
        stack.run_until_idle().await;
        for id in &ids {
            stack.link(id).await;
        }
        assert_eq!(stack.telegram.link_count(), 8);
    }
}

/// Fault 5: a replacement waits with its bot, and costs nobody else's slots.
#[tokio::test]
async fn a_replacement_makes_no_call_in_its_bots_wait() {
    let stack = TestStack::start().await;
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.telegram.fail(
        FaultRule::on(
            "revokeChatInviteLink",
            Fault::TooManyRequests { retry_after: 2000 },
        )
        .times(1),
    );
    let key = stack.local.admin_key().to_owned();
    let path = format!("/v1/admin/invites/{id}/reissue");
    let answer = stack.post(&path, "{}", &[("x-admin-key", &key)]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    stack.run_until_idle().await;
    let new = stack.link(&id).await;
    assert_ne!(new, old);
    assert!(stack.telegram.link(&old).unwrap().revoked);
    assert_eq!(stack.telegram.count("revokeChatInviteLink"), 2);
    assert_eq!(stack.telegram.violation_count(), 0);
}
