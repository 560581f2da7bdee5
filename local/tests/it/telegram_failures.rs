//! Telegram in trouble: what is retried, what is held, and what ends FAILED with a reason.

use std::time::Duration;

use futures_util::future::join_all;
use local::harness::{Case, ExternalServices, HOUR, MINUTE, TestStack, any_port, until};
use local::stack::Data;
use simulators::clock::Clock;
use simulators::telegram::{ChatKind, Fault, FaultRule, Refusal, Rights, Tap, Telegram};

const TOKEN: &str = "987654321:AAF-clock-bot-token-0123456789";

fn refused(words: &str) -> Fault {
    Fault::Refuse(Refusal::new(400, words))
}

#[tokio::test]
async fn a_fault_that_passes_is_tried_again_and_one_link_is_handed_out() {
    // A link whose answer was lost was made, is known to nobody, and expires by itself.
    for (name, fault, times, links) in [
        ("a 500", Fault::Internal, 3, 1),
        ("an HTML error page", Fault::BadGateway, 4, 1),
        ("a reset before the effect", Fault::ResetBefore, 2, 1),
        ("a reset after the effect", Fault::ResetAfter, 1, 2),
        ("a garbled answer", Fault::Garbage, 1, 2),
    ] {
        let _case = Case::named(name);
        let stack = TestStack::start().await;
        stack.telegram.fail_mints(times, fault);
        let (id, _) = stack.admitted("u1", "T1").await;
        stack.shop().stands(&id, "DONE", u64::from(times) + 1).await;
        assert_eq!(stack.webengage.ingested_count(), 1);
        let made = stack.telegram.links();
        assert_eq!(made.len(), links);
        for link in made {
            assert!(link.expire_date.is_some() && link.member_limit == Some(1));
        }
    }
}

#[tokio::test]
async fn telegrams_own_sleep_of_eight_seconds_is_waited_for() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack
        .telegram
        .fail_mints(1, Fault::HangThenSucceed(Duration::from_secs(8)));
    let id = shop.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.mints() > 0).await;
    stack.clock.advance(Duration::from_secs(8));
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["attempts"], 1);
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn after_max_attempts_a_request_is_failed_with_the_reason() {
    let stack = TestStack::with(&[("MAX_ATTEMPTS", "6")]).await;
    let shop = stack.shop();
    stack.telegram.fail_all_mints(Fault::BadGateway);
    let id = shop.bought("u1", "T1").await;
    stack.run_until_idle().await;
    let status = shop.stands(&id, "FAILED", 6).await;
    assert_eq!(
        status["error"],
        "Telegram answered createChatInviteLink with HTTP 502 and no Bot API answer"
    );
    assert_eq!(stack.telegram.mints(), 6);
    let repeat = shop.buy("u1", "T1").await;
    assert_eq!(
        (repeat.status, &repeat.body["status"]),
        (200, &serde_json::json!("failed"))
    );
}

#[tokio::test]
async fn copies_of_one_task_do_not_defeat_the_backoff() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.telegram.fail_all_mints(Fault::BadGateway);
    // Two hundred calls at once find no record and put a task each.
    let calls = (0..200).map(|_| shop.buy("u1", "T1"));
    let id = join_all(calls).await[0].request_id();
    stack.run_for(MINUTE).await;
    // By 5 * 2^n seconds, jittered, a minute holds a handful of tries, whatever the number of copies.
    let tries = shop.status(&id).await["attempts"].as_u64().unwrap();
    assert!((1..=10).contains(&tries), "{tries} tries within a minute");
    stack.telegram.clear_faults();
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["status"], "DONE");
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn an_error_page_of_another_server_holds_the_chat_and_fails_nobody() {
    let stack = TestStack::with(&[("MAX_ATTEMPTS", "2")]).await;
    stack
        .telegram
        .fail_mints(6, Fault::Refuse(Refusal::new(404, "Not Found")));
    let (id, _) = stack.admitted("u1", "T1").await;
    assert_eq!(stack.shop().status(&id).await["attempts"], 1);
}

#[tokio::test]
async fn chats_that_point_at_each_other_are_not_hammered() {
    let mut stack = TestStack::start().await;
    let shop = stack.shop();
    stack.leaves_something();
    let other = stack.chat_id - 1;
    for (from, to) in [(stack.chat_id, other), (other, stack.chat_id)] {
        let moved = Fault::Refuse(Refusal::migrated(to));
        let rule = FaultRule::on("createChatInviteLink", moved);
        stack.telegram.fail(rule.chat(from));
    }
    let id = shop.bought("u1", "T1").await;
    stack.run_for(MINUTE * 10).await;
    let calls = stack.telegram.mints();
    assert!(calls <= 60, "{calls} calls in ten minutes");
    assert_ne!(shop.status(&id).await["status"], "FAILED");
}

#[tokio::test]
async fn one_link_that_can_not_be_revoked_holds_up_no_buyer() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (_, link) = stack.admitted("u1", "T1").await;
    let refusal = refused("Bad Request: CHAT_ADMIN_REQUIRED");
    stack.telegram.fail_revocations(4, refusal);
    stack.customer(7).join_by(&link);
    stack.run_until(|| stack.telegram.revocations() > 0).await;
    let before = stack.clock.now_ms();
    let other = shop.bought("u2", "T2").await;
    stack.run_until(|| stack.telegram.link_count() == 2).await;
    assert!(
        stack.clock.now_ms() - before < 20_000,
        "the next buyer was held up"
    );
    stack.run_until_idle().await;
    shop.link(&other).await;
    assert!(stack.telegram.is_revoked(&link));
}

#[tokio::test]
async fn a_refusal_of_one_buyer_alone_is_believed_when_it_comes_for_the_fifth_time() {
    for description in [
        "Bad Request: USAGE_LIMIT_INVALID",
        "Bad Request: SOMETHING_NEW",
    ] {
        let _case = Case::named(description);
        let stack = TestStack::start().await;
        let shop = stack.shop();
        stack.telegram.fail_all_mints(refused(description));
        let id = shop.bought("u1", "T1").await;
        stack.run_until_idle().await;
        let status = shop.stands(&id, "FAILED", 5).await;
        assert!(
            status["error"].as_str().unwrap().ends_with(description),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_refusal_after_other_trouble_is_not_believed_before_it_came_five_times() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.telegram.fail_mints(4, Fault::Internal);
    let refusal = refused("Bad Request: SOMETHING_NEW");
    stack.telegram.fail_mints(4, refusal);
    let id = shop.bought("u1", "T1").await;
    stack.run_until_idle().await;
    shop.stands(&id, "DONE", 9).await;
}

/// For 8 hours all tasks wait, then the trouble is over, and everybody gets in. (A whole day, with another chat and another
/// bot beside it, is played in simulated time.)
#[tokio::test]
async fn tasks_are_held_in_trouble_with_the_chat_or_the_bot_and_finish_when_it_is_over() {
    type Change = fn(&TestStack);
    let cases: [(&str, Change, Change); 3] = [
        (
            "a bot without rights",
            |stack| stack.telegram.take_rights(),
            |stack| stack.telegram.give_rights(),
        ),
        (
            "a bot that was kicked",
            |stack| stack.telegram.kick_bot(stack.bot_id, stack.chat_id),
            |stack| stack.telegram.give_rights(),
        ),
        (
            "a token that is refused",
            |stack| stack.telegram.revoke_token(stack.bot_id),
            |stack| {
                let token = &stack.env()["TELEGRAM_BOT_TOKEN"];
                stack.telegram.restore_token(token);
            },
        ),
    ];
    for (name, begins, ends) in cases {
        let _case = Case::named(name);
        let stack = TestStack::start().await;
        let shop = stack.shop();
        begins(&stack);
        let ids = shop.bought_by_each_of(12).await;
        stack.run_for(HOUR * 8).await;
        let tries = stack.telegram.mints();
        assert!(
            (20..700).contains(&tries),
            "a broken chat is probed slowly, not hammered: {tries} calls in 8 hours"
        );
        for id in &ids {
            let status = shop.status(id).await;
            let is_held = ["QUEUED", "PROCESSING"].map(|held| status["status"] == held);
            assert!(is_held.contains(&true), "{status}");
        }
        ends(&stack);
        stack.run_until_idle().await;
        for id in &ids {
            shop.stands(id, "DONE", 1).await;
        }
        assert_eq!(stack.depth("InviteDeadLetterQueue"), 0);
    }
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_is_followed_and_its_joins_count() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (old_id, _) = stack.admitted("u0", "T0").await;
    let new_chat = -1_009_999_999_999;
    stack.telegram.migrate_chat(stack.chat_id, new_chat);
    for n in 1..4 {
        let (id, link) = stack.admitted(&format!("u{n}"), &format!("T{n}")).await;
        let status = shop.status(&id).await;
        assert_eq!(
            (status["chatId"].as_i64(), status["attempts"].as_u64()),
            (Some(new_chat), Some(1)),
            "{status}"
        );
        stack.customer(100 + n).join_by(&link);
        stack.run_until_idle().await;
        assert_eq!(shop.status(&id).await["joined"], true);
    }
    assert_eq!(shop.status(&old_id).await["status"], "DONE");
}

#[tokio::test]
async fn a_link_that_is_not_for_one_member_is_never_handed_out() {
    let stack = TestStack::start().await;
    stack.telegram.fail_mints(1, Fault::WrongMemberLimit(None));
    let (id, link) = stack.admitted("u1", "T1").await;
    assert_eq!(stack.shop().status(&id).await["attempts"], 2);
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
    stack.clock.advance(Duration::from_secs(172_801));
    assert_eq!(stack.customer(7).tap(&link), Tap::Expired);
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
        let _case = Case::named(words);
        let stack = TestStack::start().await;
        let shop = stack.shop();
        stack.telegram.fail_all_mints(refused(words));
        let ids = shop.bought_by_each_of(8).await;
        stack.run_for(HOUR * 3).await;
        let calls = stack.telegram.mints();
        assert!((20..260).contains(&calls), "{calls} calls in 3 hours");
        for id in &ids {
            let status = shop.status(id).await;
            assert_ne!(status["status"], "FAILED", "{status}");
        }
        stack.telegram.clear_faults();
        stack.run_until_idle().await;
        for id in &ids {
            shop.link(id).await;
        }
        assert_eq!(stack.telegram.link_count(), 8);
    }
}

/// Fault 5: a replacement waits with its bot, and costs nobody else's slots.
#[tokio::test]
async fn a_replacement_makes_no_call_in_its_bots_wait() {
    let stack = TestStack::start().await;
    let (id, old) = stack.admitted("u1", "T1").await;
    stack
        .telegram
        .fail_revocations(1, Fault::TooManyRequests { retry_after: 2000 });
    stack.operator().reissue(&id).await.done();
    stack.run_until_idle().await;
    let new = stack.shop().link(&id).await;
    assert_ne!(new, old);
    assert!(stack.telegram.is_revoked(&old));
    assert_eq!(stack.telegram.revocations(), 2);
    assert_eq!(stack.telegram.violation_count(), 0);
}

#[tokio::test]
async fn a_clock_that_telegram_contradicts_holds_the_chat_and_is_named() {
    let externals = ExternalServices::start(TOKEN, "clock-webengage-key").await;
    // Telegram's own clock is three days ahead of the local stack's: links of two days are over when they are asked for.
    let clock = Clock::new();
    clock.advance(HOUR * 24 * 3);
    let telegram = Telegram::start(any_port(), clock).await.unwrap();
    let bot = telegram.add_bot(TOKEN);
    telegram.add_chat(externals.chat_id, "Outside", ChatKind::Supergroup);
    telegram.make_admin(bot, externals.chat_id, Rights::all());
    let env = [("TELEGRAM_API_BASE", telegram.url())];
    let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
    let stack = externals
        .stack(any_port(), Data::Ephemeral, &env)
        .await
        .unwrap();
    let shop = stack.shop();
    let id = shop.bought("u1", "T1").await;
    let error = until("a reason", async || {
        shop.status(&id).await["error"].as_str().map(str::to_owned)
    })
    .await;
    // To the minute, or one less.
    assert!(
        error
            .contains("the clock of this machine is 3 d 0 h 0 min behind Telegram's: set it right")
            || error.contains("the clock of this machine is 2 d 23 h 59 min behind Telegram's"),
        "{error}"
    );
    shop.stands(&id, "QUEUED", 0).await;
    // The clock is set right, which ends the hold as well.
    stack.clock.advance(HOUR * 24 * 3);
    shop.until(&id, "the link", |status| status["status"] == "DONE")
        .await;
    shop.stands(&id, "DONE", 1).await;
    until("empty queues", async || {
        let left = stack.depth("InviteQueue") + stack.depth("EventQueue");
        (left == 0).then_some(())
    })
    .await;
}
