//! The dispatcher: one of a chat at a time, and every settle is one conditional write: races, frozen holders, lost answers.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{BotId, ChatId, InviteLink, RequestId};
use domain::lease::{ChatLease, Learned};
use domain::time::Timestamp;
use futures_util::future::join_all;
use local::harness::{Case, HOUR, MINUTE, TestStack};
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Fault;
use store::{LinkRecord, Links, Owner, RateLimits, Released, Taking};
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_workers_that_are_rung_at_once_hand_out_one_link() {
    let stack = TestStack::start().await;
    let deadline = Instant::now() + Duration::from_secs(90);
    let id = stack.put_mint(10).await;
    let answers = join_all((0..50).map(|_| stack.functions().work(stack.bells(3), deadline)));
    for answer in answers.await {
        assert!(answer.batch_item_failures.is_empty());
    }
    stack.run_until_idle().await;
    let handed_out = stack.shop().link(&id).await;
    let links = stack.telegram.links();
    assert_eq!(links.len(), 1, "one holder of the lease at a time");
    assert_eq!(links[0].url, handed_out);
    assert!(!links[0].revoked);
    assert_eq!(stack.webengage.ingested().len(), 1);
}

#[tokio::test]
async fn a_holder_whose_lease_lapsed_loses_and_revokes_the_link_it_made() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.pause_schedule();
    // Telegram takes longer over the first call than the lease holds; meanwhile another dispatcher takes over.
    stack
        .telegram
        .fail_mints(1, Fault::AnswerLate(Duration::from_secs(90)));
    let id = stack.put_mint(10).await;
    let deadline = Instant::now() + Duration::from_secs(90);
    let slow = stack.functions().work(stack.bells(1), deadline);
    let fast = async {
        while stack.telegram.link_count() == 0 {
            tokio::task::yield_now().await;
        }
        stack.clock.advance(Duration::from_secs(70));
        stack.functions().work(stack.bells(1), deadline).await;
        let winner = shop.link(&id).await;
        stack.clock.advance(Duration::from_secs(30));
        winner
    };
    let (_, winner) = tokio::join!(slow, fast);
    stack.functions().tick().await;
    stack.run_until_idle().await;
    assert_eq!(shop.link(&id).await, winner);
    let links = stack.telegram.links();
    assert_eq!(links.len(), 2);
    assert!(
        links
            .iter()
            .all(|link| link.revoked == (link.url != winner)),
        "the loser's link is revoked, the winner's is not"
    );
    assert_eq!(stack.webengage.ingested().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_the_first_write_is_no_duplicate() {
    let stack = TestStack::start().await;
    stack.aws().wire().fail(
        FaultRule::new(WireFault::ResetAfter)
            .on(Service::DynamoDb, "PutItem")
            .named("InviteRequests"),
    );
    let answer = stack.shop().buy("u1", "T1").await;
    assert_eq!((answer.status, answer.body.get("duplicate")), (200, None));
    stack.run_until_idle().await;
}

/// A write whose effect happened and whose answer was lost: the SDK sends it again and must find its own.
#[tokio::test]
async fn a_lost_answer_to_a_write_is_survived_and_the_link_is_not_revoked() {
    for (name, operation, table, skip) in [
        ("taking the lease", "UpdateItem", "RateLimits", 0),
        ("releasing the lease", "UpdateItem", "RateLimits", 1),
        ("settling", "UpdateItem", "InviteRequests", 0),
        ("marking the event", "UpdateItem", "InviteRequests", 1),
        ("putting the lookup", "PutItem", "InviteLinks", 0),
        ("putting the task", "PutItem", "ChatTasks", 0),
        ("deleting the task", "DeleteItem", "ChatTasks", 0),
    ] {
        let _case = Case::named(name);
        let stack = TestStack::start().await;
        let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, operation);
        let hits = stack.aws().wire().fail(rule.named(table).skip(skip));
        let (id, link) = stack.admitted("u1", "T1").await;
        assert_eq!(hits.count(), 1, "the call that was to be hit was made");
        stack.shop().stands(&id, "DONE", 1).await;
        let is_revoked = stack.telegram.is_revoked(&link);
        assert!(!is_revoked, "the link that was handed out works");
        assert_eq!(stack.telegram.link_count(), 1);
        assert_eq!(stack.webengage.ingested_count(), 1);
    }
}

#[tokio::test]
async fn a_worker_killed_in_mid_call_costs_one_invisible_link_and_nothing_else() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack
        .telegram
        .fail_mints(1, Fault::AnswerLate(Duration::from_secs(10)));
    let id = shop.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.link_count() == 1).await;
    assert_eq!(stack.kill_worker(), 1);
    stack.run_until_idle().await;
    let link = shop.link(&id).await;
    assert_eq!(stack.telegram.link_count(), 2);
    assert!(!stack.telegram.is_revoked(&link));
    assert_eq!(stack.webengage.ingested().len(), 1);
}

#[tokio::test]
async fn a_task_without_record_makes_the_record() {
    let stack = TestStack::start().await;
    let id = stack.put_mint(10).await;
    stack.ring().await;
    stack.run_until_idle().await;
    let status = stack.shop().status(&id).await;
    assert_eq!(
        (status["status"].as_str(), status["userId"].as_str()),
        (Some("DONE"), Some("u10"))
    );
    assert_eq!(status["createdAt"], "2026-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn while_the_queue_is_down_payments_are_accepted_and_served_within_a_tick() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.pause_schedule();
    stack.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::Sqs, "SendMessage")
            .always(),
    );
    let answer = shop.buy("u1", "T1").await;
    assert_eq!(
        (answer.status, &answer.body["status"]),
        (200, &json!("queued"))
    );
    stack.functions().tick().await;
    let id = answer.request_id();
    let link = shop.link(&id).await;
    assert_eq!(shop.status(&id).await["linkEventFired"], false);
    // The event could not be queued: the sweeper finds it pending.
    stack.aws().wire().clear_faults();
    stack.clock.advance(HOUR + Duration::from_secs(1));
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["linkEventFired"], true);
    assert_eq!(
        stack.webengage.ingested()[0].body["eventData"]["inviteLink"],
        link
    );
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn a_request_whose_record_could_not_be_written_is_served_all_the_same() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::DynamoDb, "PutItem")
            .named("InviteRequests")
            .always(),
    );
    let answer = shop.buy("u1", "T1").await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    stack.aws().wire().clear_faults();
    stack.run_until_idle().await;
    // The task was put, so the buyer has a link; the shop's retry finds it.
    let again = shop.buy("u1", "T1").await;
    assert_eq!(
        (&again.body["status"], &again.body["duplicate"]),
        (&json!("done"), &json!(true))
    );
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn a_request_whose_task_could_not_be_put_is_not_accepted_and_leaves_nothing() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::DynamoDb, "PutItem")
            .named("ChatTasks")
            .always(),
    );
    let answer = shop.buy("u1", "T1").await;
    assert_eq!(
        (answer.status, answer.code(), answer.retry_after.as_deref()),
        (503, "unavailable", Some("5"))
    );
    stack.aws().wire().clear_faults();
    let (id, _) = stack.admitted("u1", "T1").await;
    assert_eq!(shop.status(&id).await["attempts"], 1);
    assert_eq!(stack.telegram.link_count(), 1);
}

/// Fault 1: whatever else lies in the queues, a buyer whose message was lost is found.
#[tokio::test]
async fn a_lost_bell_costs_a_minute_at_most_whatever_else_lies_in_the_queues() {
    let mut stack = TestStack::start().await;
    let shop = stack.shop();
    stack.leaves_something();
    stack.pause_schedule();
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    stack.aws().wire().fail(rule.named("InviteQueue").always());
    let id = shop.bought("u1", "T1").await;
    stack.aws().wire().clear_faults();
    stack.send_raw("InviteDeadLetterQueue", "{}").await;
    stack.send_raw("EventDeadLetterQueue", "{}").await;
    stack.clock.advance(MINUTE);
    assert_eq!(stack.functions().tick().await["dispatched"], 1);
    assert_eq!(shop.status(&id).await["status"], "DONE");
}

/// Fault 3: nothing but the lane says that a link is to be revoked.
#[tokio::test]
async fn used_links_are_revoked_within_a_tick_whatever_bells_were_lost() {
    let stack = TestStack::start().await;
    let mut links = Vec::new();
    for n in 0..5 {
        links.push(stack.admitted(&format!("u{n}"), &format!("T{n}")).await.1);
    }
    stack.pause_schedule();
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    stack.aws().wire().fail(rule.named("InviteQueue").always());
    for (person, link) in (7..).zip(&links) {
        stack.customer(person).join_by(link);
    }
    stack
        .run_until(|| stack.telegram.pending_updates(stack.bot_id) == 0)
        .await;
    stack.functions().tick().await;
    for link in &links {
        assert!(stack.telegram.is_revoked(link));
    }
    stack.aws().wire().clear_faults();
    stack.run_until_idle().await;
}

/// Fault 8: an outage of the tables makes no dead letter, of a payment or of an event.
#[tokio::test]
async fn the_tables_away_for_an_hour_make_no_dead_letter() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, _) = stack.admitted("u0", "T0").await;
    stack.webengage.outage();
    let waiting = shop.bought("u1", "T1").await;
    stack
        .run_until(|| stack.webengage.attempt_count() > 1)
        .await;
    let away = FaultRule {
        service: Some(Service::DynamoDb),
        ..FaultRule::new(WireFault::InternalError).always()
    };
    stack.aws().wire().fail(away);
    stack.ring().await;
    stack.run_for(HOUR).await;
    stack.aws().wire().clear_faults();
    stack.webengage.recover();
    stack.run_until_idle().await;
    for id in [&id, &waiting] {
        let status = shop.status(id).await;
        assert_eq!(
            (&status["status"], &status["linkEventFired"]),
            (&json!("DONE"), &json!(true))
        );
    }
    assert_eq!(stack.webengage.ingested_count(), 2);
}

/// Fault 9: what a clock stored that was ahead stops nothing once it is right.
#[tokio::test]
async fn a_clock_that_was_ahead_stops_no_sale_once_it_is_right() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.admitted("u0", "T0").await;
    let ahead = stack.clock.now_ms() + 3_600_000;
    let n = |number: i64| AttributeValue::N(number.to_string());
    let pause = [
        ("until", n(ahead + 40_000)),
        ("lengthMs", n(2_000)),
        ("storedAt", n(ahead)),
    ];
    let pause = pause.map(|(name, value)| (name.to_owned(), value));
    stack
        .dynamodb()
        .update_item()
        .table_name("RateLimits")
        .key("limitKey", AttributeValue::S(stack.chat_id.to_string()))
        .update_expression("SET #pause = :pause, wakeAt = :ahead, takenAt = :ahead, #owner = :dead, #until = :until, limiters.#bot.nextSlotMs = :ahead")
        .expression_attribute_names("#pause", format!("pause#{}", stack.bot_id))
        .expression_attribute_names("#owner", "owner")
        .expression_attribute_names("#until", "until")
        .expression_attribute_names("#bot", stack.bot_id.to_string())
        .expression_attribute_values(":pause", AttributeValue::M(pause.into()))
        .expression_attribute_values(":ahead", n(ahead))
        .expression_attribute_values(":until", n(ahead + 30_000))
        .expression_attribute_values(":dead", AttributeValue::S("dead".to_owned()))
        .send()
        .await
        .unwrap();
    let before = stack.clock.now_ms();
    let id = shop.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.link_count() == 2).await;
    assert!(
        stack.clock.now_ms() - before < 30_000,
        "{} ms",
        stack.clock.now_ms() - before
    );
    stack.run_until_idle().await;
    shop.link(&id).await;
}

#[tokio::test]
async fn an_item_that_is_not_a_task_is_set_aside_and_hides_nobody() {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    let s = |text: &str| AttributeValue::S(text.to_owned());
    for shard in 0..4 {
        stack
            .dynamodb()
            .put_item()
            .table_name("ChatTasks")
            .item("lane", s(&format!("{}#mint#{shard}", stack.chat_id)))
            .item("key", s("0000000000001#x"))
            .item("kind", s("dance"))
            .send()
            .await
            .unwrap();
    }
    let (id, _) = stack.admitted("u1", "T1").await;
    stack.shop().link(&id).await;
    let failed = stack
        .dynamodb()
        .query()
        .table_name("ChatTasks")
        .key_condition_expression("lane = :lane")
        .expression_attribute_values(":lane", s(&format!("{}#failed", stack.chat_id)))
        .send()
        .await
        .unwrap();
    assert_eq!(failed.count, 1, "as it was; those of one key are one");
    assert!(stack.tasks().await.is_empty());
}

#[tokio::test]
async fn a_write_beside_a_transaction_is_repeated_and_leaks_no_link() {
    let stack = TestStack::start().await;
    stack.pause_schedule();
    let conflict = || FaultRule::new(WireFault::TransactionConflict);
    let settle = conflict().on(Service::DynamoDb, "UpdateItem");
    let settle = stack.aws().wire().fail(settle.named("InviteRequests"));
    let delete = conflict().on(Service::DynamoDb, "DeleteItem");
    let delete = stack.aws().wire().fail(delete.named("ChatTasks"));
    stack.admitted("u1", "T1").await;
    assert_eq!((settle.count(), delete.count()), (1, 1));
    assert_eq!(stack.telegram.link_count(), 1);
    assert!(stack.tasks().await.is_empty());
}

#[tokio::test]
async fn a_slow_table_slows_the_calls_and_does_not_stop_them() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.pause_schedule();
    let slow = WireFault::Delay(Duration::from_millis(400));
    let rule = FaultRule::new(slow).on(Service::DynamoDb, "GetItem");
    stack.aws().wire().fail(rule.named("RateLimits").always());
    let first = shop.bought("u1", "T1").await;
    let second = shop.bought("u2", "T2").await;
    stack.run_until(|| stack.telegram.link_count() == 2).await;
    stack.aws().wire().clear_faults();
    stack.run_until_idle().await;
    shop.link(&first).await;
    shop.link(&second).await;
}

#[tokio::test]
async fn a_bell_that_comes_within_a_wait_is_not_taken_for_the_one_at_its_end() {
    let stack = TestStack::with(&[("BASE_BACKOFF_SEC", "40")]).await;
    let shop = stack.shop();
    // Nobody looks each minute: who is not rung for waits for ever.
    stack.pause_schedule();
    stack.telegram.fail_mints(1, Fault::Internal);
    let first = shop.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.mints() == 1).await;
    stack
        .telegram
        .fail_mints(1, Fault::TooManyRequests { retry_after: 60 });
    let second = shop.bought("u2", "T2").await;
    stack.run_until(|| stack.telegram.link_count() == 2).await;
    stack.run_until_idle().await;
    shop.link(&first).await;
    shop.link(&second).await;
}

#[tokio::test]
async fn a_resume_is_not_undone_by_a_holder_that_knows_nothing_of_it() {
    let stack = TestStack::start().await;
    let limits = RateLimits::from_env(stack.dynamodb(), &mut stack.config());
    let chat = ChatId(-1_002_222);
    let now = Timestamp::from_ms(stack.clock.now_ms());
    let taken = limits.take(chat, "a", "1", now).await.unwrap();
    let Taking::Ours(lease) = taken else {
        panic!("the lease was not taken")
    };
    limits.resume(chat, None).await.unwrap();
    let hour = now.plus(MINUTE * 60);
    let how = domain::lease::Releasing {
        unless_rung: false,
        wake_at: Some(hour),
        bell_at: None,
    };
    let learned = |lease: &ChatLease| Learned {
        limiters: lease.limiters.clone(),
        resumes: lease.resumes,
        ..Learned::default()
    };
    let released = limits.release(chat, "a", &learned(&lease), "1", how).await;
    assert_eq!(released.unwrap(), Released::Done);
    assert!(!limits.get(chat).await.unwrap().is_waiting("1", now));
    let taken = limits.take(chat, "b", "1", now).await.unwrap();
    let Taking::Ours(lease) = taken else {
        panic!("the lease was not taken")
    };
    // Who knows of it is believed.
    limits
        .release(chat, "b", &learned(&lease), "1", how)
        .await
        .unwrap();
    assert!(matches!(
        limits.take(chat, "c", "1", now).await.unwrap(),
        Taking::Waiting
    ));
}

#[tokio::test]
async fn a_pause_that_is_made_shorter_ends_when_it_says() {
    let stack = TestStack::start().await;
    let (shop, operator) = (stack.shop(), stack.operator());
    operator.pause_for(8 * 60, "test").await.done();
    let id = shop.bought("u1", "T1").await;
    stack.functions().tick().await;
    operator.pause_for(5, "test").await.done();
    stack.advance_when_idle(MINUTE * 5).await;
    stack.functions().tick().await;
    stack.run_until_idle().await;
    shop.link(&id).await;
}

#[tokio::test]
async fn a_late_write_of_a_pooled_links_record_takes_it_from_nobody() {
    let stack = TestStack::start().await;
    let links = Links::from_env(stack.dynamodb(), &mut stack.config());
    let now = Timestamp::from_ms(stack.clock.now_ms());
    let link = InviteLink::new("https://t.me/+sold");
    let record = |owner| LinkRecord {
        invite_link: link.clone(),
        owner,
        slot: None,
        chat: ChatId(-1),
        canonical_chat: ChatId(-1),
        bot: Some(BotId(7)),
    };
    let owner = Owner {
        request_id: "3327a749-7b4b-8899-993b-f9a5bd0d3171"
            .parse::<RequestId>()
            .unwrap(),
        user_id: "u1".to_owned(),
        transaction_id: "T1".to_owned(),
    };
    links
        .put(&record(None), now, now.plus(MINUTE))
        .await
        .unwrap();
    links
        .put(&record(Some(owner)), now, now.plus(MINUTE))
        .await
        .unwrap();
    // The SDK's first try, given up long ago, arrives.
    links
        .put(&record(None), now, now.plus(MINUTE))
        .await
        .unwrap();
    let found = links.get(&link.hash()).await.unwrap().unwrap();
    assert_eq!(found.owner.unwrap().user_id, "u1");
}
