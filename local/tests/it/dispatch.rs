//! The dispatcher: one of a chat at a time, and every settle is one conditional write: races, frozen holders, lost answers.

use std::time::Duration;

use tokio::time::Instant;

use futures_util::future::join_all;
use local::harness::TestBundle;
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Fault;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_workers_that_are_rung_at_once_hand_out_one_link() {
    let bundle = TestBundle::start().await;
    let deadline = Instant::now() + Duration::from_secs(90);
    let id = bundle.put_mint(10).await;
    let answers = join_all((0..50).map(|_| bundle.functions().work(bundle.bells(3), deadline)));
    for answer in answers.await {
        assert!(answer.batch_item_failures.is_empty());
    }
    bundle.settle().await;
    let handed_out = bundle.link(&id).await;
    let links = bundle.telegram.links();
    assert_eq!(links.len(), 1, "one holder of the lease at a time");
    assert_eq!(links[0].url, handed_out);
    assert!(!links[0].revoked);
    assert_eq!(bundle.webengage.ingested().len(), 1);
}

#[tokio::test]
async fn a_holder_whose_lease_lapsed_loses_and_revokes_the_link_it_made() {
    let bundle = TestBundle::start().await;
    bundle.pause_schedule();
    // Telegram takes longer over the first call than the lease holds; meanwhile another dispatcher takes over.
    bundle.telegram.fail(
        simulators::telegram::FaultRule::on(
            "createChatInviteLink",
            Fault::AnswerLate(Duration::from_secs(90)),
        )
        .times(1),
    );
    let id = bundle.put_mint(10).await;
    let deadline = Instant::now() + Duration::from_secs(90);
    let slow = bundle.functions().work(bundle.bells(1), deadline);
    let fast = async {
        while bundle.telegram.link_count() == 0 {
            tokio::task::yield_now().await;
        }
        bundle.turn(Duration::from_secs(70));
        bundle.functions().work(bundle.bells(1), deadline).await;
        let winner = bundle.link(&id).await;
        bundle.turn(Duration::from_secs(30));
        winner
    };
    let (_, winner) = tokio::join!(slow, fast);
    bundle.functions().tick().await;
    bundle.settle().await;
    assert_eq!(bundle.link(&id).await, winner);
    let links = bundle.telegram.links();
    assert_eq!(links.len(), 2);
    assert!(
        links
            .iter()
            .all(|link| link.revoked == (link.url != winner)),
        "the loser's link is revoked, the winner's is not"
    );
    assert_eq!(bundle.webengage.ingested().len(), 1);
}

/// A write whose effect happened and whose answer was lost: the SDK sends it again and must find its own.
async fn survives_a_lost_answer(operation: &str, table: &str, skip: u64) {
    let bundle = TestBundle::start().await;
    let hits = bundle.aws().wire().fail(
        FaultRule::new(WireFault::ResetAfter)
            .on(Service::DynamoDb, operation)
            .named(table)
            .skip(skip),
    );
    let (id, link) = bundle.admitted("u1", "T1").await;
    assert_eq!(hits.count(), 1, "the call that was to be hit was made");
    assert_eq!(bundle.status(&id).await["attempts"], 1);
    assert!(
        !bundle.telegram.link(&link).unwrap().revoked,
        "the link that was handed out works"
    );
    assert_eq!(bundle.telegram.link_count(), 1);
    assert_eq!(bundle.webengage.ingested().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_the_first_write_is_no_duplicate() {
    let bundle = TestBundle::start().await;
    bundle.aws().wire().fail(
        FaultRule::new(WireFault::ResetAfter)
            .on(Service::DynamoDb, "PutItem")
            .named("InviteRequests"),
    );
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!((answer.status, answer.body.get("duplicate")), (200, None));
    bundle.settle().await;
}

#[tokio::test]
async fn a_lost_answer_to_taking_the_lease_is_survived() {
    survives_a_lost_answer("UpdateItem", "RateLimits", 0).await;
}

#[tokio::test]
async fn a_lost_answer_to_settling_is_survived_and_the_link_is_not_revoked() {
    survives_a_lost_answer("UpdateItem", "InviteRequests", 0).await;
}

#[tokio::test]
async fn a_lost_answer_to_marking_the_event_is_survived() {
    survives_a_lost_answer("UpdateItem", "InviteRequests", 1).await;
}

#[tokio::test]
async fn a_lost_answer_to_the_lookup_is_survived() {
    survives_a_lost_answer("PutItem", "InviteLinks", 0).await;
}

#[tokio::test]
async fn a_lost_answer_to_releasing_the_lease_is_survived() {
    survives_a_lost_answer("UpdateItem", "RateLimits", 1).await;
}

#[tokio::test]
async fn a_lost_answer_to_putting_and_to_deleting_the_task_is_survived() {
    survives_a_lost_answer("PutItem", "ChatTasks", 0).await;
    survives_a_lost_answer("DeleteItem", "ChatTasks", 0).await;
}

#[tokio::test]
async fn a_worker_killed_in_mid_call_costs_one_invisible_link_and_nothing_else() {
    let bundle = TestBundle::start().await;
    bundle.telegram.fail(
        simulators::telegram::FaultRule::on(
            "createChatInviteLink",
            Fault::AnswerLate(Duration::from_secs(10)),
        )
        .times(1),
    );
    let id = bundle.bought("u1", "T1").await;
    bundle.run_until(|| bundle.telegram.link_count() == 1).await;
    assert_eq!(bundle.unplug_worker(), 1);
    bundle.settle().await;
    let link = bundle.link(&id).await;
    assert_eq!(bundle.telegram.link_count(), 2);
    assert!(!bundle.telegram.link(&link).unwrap().revoked);
    assert_eq!(bundle.webengage.ingested().len(), 1);
}

#[tokio::test]
async fn a_task_without_record_makes_the_record() {
    let bundle = TestBundle::start().await;
    let id = bundle.put_mint(10).await;
    bundle.ring().await;
    bundle.settle().await;
    let status = bundle.status(&id).await;
    assert_eq!(
        (status["status"].as_str(), status["userId"].as_str()),
        (Some("DONE"), Some("u10"))
    );
    assert_eq!(status["createdAt"], "2026-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn while_the_queue_is_down_payments_are_accepted_and_served_within_a_tick() {
    let bundle = TestBundle::start().await;
    bundle.pause_schedule();
    bundle.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::Sqs, "SendMessage")
            .always(),
    );
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!(
        (answer.status, &answer.body["status"]),
        (200, &json!("queued"))
    );
    bundle.functions().tick().await;
    let id = answer.request_id();
    let link = bundle.link(&id).await;
    assert_eq!(bundle.status(&id).await["linkEventFired"], false);
    // The event could not be queued: the sweeper finds it pending.
    bundle.aws().wire().clear_faults();
    bundle.turn(Duration::from_secs(3601));
    assert_eq!(bundle.functions().sweep().await.events, 1);
    bundle.settle().await;
    assert_eq!(bundle.status(&id).await["linkEventFired"], true);
    assert_eq!(
        bundle.webengage.ingested()[0].body["eventData"]["inviteLink"],
        link
    );
    assert_eq!(bundle.telegram.link_count(), 1);
}

#[tokio::test]
async fn a_request_whose_record_could_not_be_written_is_served_all_the_same() {
    let bundle = TestBundle::start().await;
    bundle.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::DynamoDb, "PutItem")
            .named("InviteRequests")
            .always(),
    );
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    bundle.aws().wire().clear_faults();
    bundle.settle().await;
    // The task was put, so the buyer has a link; the shop's retry finds it.
    let again = bundle.buy("u1", "T1").await;
    assert_eq!(
        (&again.body["status"], &again.body["duplicate"]),
        (&json!("done"), &json!(true))
    );
    assert_eq!(bundle.telegram.link_count(), 1);
}

#[tokio::test]
async fn a_request_whose_task_could_not_be_put_is_not_accepted_and_leaves_nothing() {
    let bundle = TestBundle::start().await;
    bundle.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::DynamoDb, "PutItem")
            .named("ChatTasks")
            .always(),
    );
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!(
        (answer.status, answer.code(), answer.retry_after.as_deref()),
        (503, "unavailable", Some("5"))
    );
    bundle.aws().wire().clear_faults();
    let (id, _) = bundle.admitted("u1", "T1").await;
    assert_eq!(bundle.status(&id).await["attempts"], 1);
    assert_eq!(bundle.telegram.link_count(), 1);
}

/// Fault 1: whatever else lies in the queues, a buyer whose message was lost is found.
#[tokio::test]
async fn a_lost_bell_costs_a_minute_at_most_whatever_else_lies_in_the_queues() {
    let mut bundle = TestBundle::start().await;
    bundle.leaves_something();
    bundle.pause_schedule();
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    bundle.aws().wire().fail(rule.named("InviteQueue").always());
    let id = bundle.bought("u1", "T1").await;
    bundle.aws().wire().clear_faults();
    bundle.send_raw("InviteDeadLetterQueue", "{}").await;
    bundle.send_raw("EventDeadLetterQueue", "{}").await;
    bundle.turn(MINUTE);
    assert_eq!(bundle.functions().tick().await.dispatched, 1);
    assert_eq!(bundle.status(&id).await["status"], "DONE");
}

/// Fault 3: nothing but the lane says that a link is to be revoked.
#[tokio::test]
async fn used_links_are_revoked_within_a_tick_whatever_bells_were_lost() {
    let bundle = TestBundle::start().await;
    let mut links = Vec::new();
    for n in 0..5 {
        links.push(bundle.admitted(&format!("u{n}"), &format!("T{n}")).await.1);
    }
    bundle.pause_schedule();
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    bundle.aws().wire().fail(rule.named("InviteQueue").always());
    for (person, link) in (7..).zip(&links) {
        assert_eq!(bundle.tap(link, person), simulators::telegram::Tap::Joined);
    }
    bundle
        .run_until(|| bundle.telegram.pending_updates(bundle.bot_id) == 0)
        .await;
    bundle.functions().tick().await;
    for link in &links {
        assert!(bundle.telegram.link(link).unwrap().revoked);
    }
    bundle.aws().wire().clear_faults();
    bundle.settle().await;
}

/// Fault 8: an outage of the tables makes no dead letter, of a payment or of an event.
#[tokio::test]
async fn the_tables_away_for_an_hour_make_no_dead_letter() {
    let bundle = TestBundle::start().await;
    let (id, _) = bundle.admitted("u0", "T0").await;
    bundle.webengage.set_mode(simulators::webengage::Mode::Down);
    let waiting = bundle.bought("u1", "T1").await;
    bundle
        .run_until(|| bundle.webengage.attempt_count() > 1)
        .await;
    let away = FaultRule {
        service: Some(Service::DynamoDb),
        ..FaultRule::new(WireFault::InternalError).always()
    };
    bundle.aws().wire().fail(away);
    bundle.ring().await;
    let began = bundle.clock.now_ms();
    bundle
        .run_until(|| bundle.clock.now_ms() - began > 3_600_000)
        .await;
    bundle.aws().wire().clear_faults();
    bundle.webengage.set_mode(simulators::webengage::Mode::Up);
    bundle.settle().await;
    for id in [&id, &waiting] {
        let status = bundle.status(id).await;
        assert_eq!(
            (&status["status"], &status["linkEventFired"]),
            (&json!("DONE"), &json!(true))
        );
    }
    assert_eq!(bundle.webengage.ingested_count(), 2);
}

/// Fault 9: what a clock stored that was ahead stops nothing once it is right.
#[tokio::test]
async fn a_clock_that_was_ahead_stops_no_sale_once_it_is_right() {
    let bundle = TestBundle::start().await;
    bundle.admitted("u0", "T0").await;
    let ahead = bundle.clock.now_ms() + 3_600_000;
    let n = |number: i64| aws_sdk_dynamodb::types::AttributeValue::N(number.to_string());
    let pause = [
        ("until", n(ahead + 40_000)),
        ("lengthMs", n(2_000)),
        ("storedAt", n(ahead)),
    ];
    let pause = pause.map(|(name, value)| (name.to_owned(), value));
    bundle
        .dynamodb()
        .update_item()
        .table_name("RateLimits")
        .key("limitKey", aws_sdk_dynamodb::types::AttributeValue::S(bundle.chat_id.to_string()))
        .update_expression("SET #pause = :pause, wakeAt = :ahead, takenAt = :ahead, #owner = :dead, #until = :until, limiters.#bot.nextSlotMs = :ahead")
        .expression_attribute_names("#pause", format!("pause#{}", bundle.bot_id))
        .expression_attribute_names("#owner", "owner")
        .expression_attribute_names("#until", "until")
        .expression_attribute_names("#bot", bundle.bot_id.to_string())
        .expression_attribute_values(":pause", aws_sdk_dynamodb::types::AttributeValue::M(pause.into()))
        .expression_attribute_values(":ahead", n(ahead))
        .expression_attribute_values(":until", n(ahead + 30_000))
        .expression_attribute_values(":dead", aws_sdk_dynamodb::types::AttributeValue::S("dead".to_owned()))
        .send()
        .await
        .unwrap();
    let before = bundle.clock.now_ms();
    let id = bundle.bought("u1", "T1").await;
    bundle.run_until(|| bundle.telegram.link_count() == 2).await;
    assert!(
        bundle.clock.now_ms() - before < 30_000,
        "{} ms",
        bundle.clock.now_ms() - before
    );
    bundle.settle().await;
    bundle.link(&id).await;
}

#[tokio::test]
async fn an_item_that_is_not_a_task_is_set_aside_and_hides_nobody() {
    let mut bundle = TestBundle::start().await;
    bundle.leaves_something();
    let s = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    for shard in 0..4 {
        bundle
            .dynamodb()
            .put_item()
            .table_name("ChatTasks")
            .item("lane", s(&format!("{}#mint#{shard}", bundle.chat_id)))
            .item("key", s("0000000000001#x"))
            .item("kind", s("dance"))
            .send()
            .await
            .unwrap();
    }
    let (id, _) = bundle.admitted("u1", "T1").await;
    bundle.link(&id).await;
    let failed = bundle
        .dynamodb()
        .query()
        .table_name("ChatTasks")
        .key_condition_expression("lane = :lane")
        .expression_attribute_values(":lane", s(&format!("{}#failed", bundle.chat_id)))
        .send()
        .await
        .unwrap();
    assert_eq!(failed.count, 1, "as it was; those of one key are one");
    assert!(bundle.tasks().await.is_empty());
}

#[tokio::test]
async fn a_write_beside_a_transaction_is_repeated_and_leaks_no_link() {
    let bundle = TestBundle::start().await;
    bundle.pause_schedule();
    let conflict = || FaultRule::new(WireFault::TransactionConflict);
    let settle = conflict().on(Service::DynamoDb, "UpdateItem");
    let settle = bundle.aws().wire().fail(settle.named("InviteRequests"));
    let delete = conflict().on(Service::DynamoDb, "DeleteItem");
    let delete = bundle.aws().wire().fail(delete.named("ChatTasks"));
    bundle.admitted("u1", "T1").await;
    assert_eq!((settle.count(), delete.count()), (1, 1));
    assert_eq!(bundle.telegram.link_count(), 1);
    assert!(bundle.tasks().await.is_empty());
}

#[tokio::test]
async fn a_slow_table_slows_the_calls_and_does_not_stop_them() {
    let bundle = TestBundle::start().await;
    bundle.pause_schedule();
    let slow = WireFault::Delay(Duration::from_millis(400));
    let rule = FaultRule::new(slow).on(Service::DynamoDb, "GetItem");
    bundle.aws().wire().fail(rule.named("RateLimits").always());
    let first = bundle.bought("u1", "T1").await;
    let second = bundle.bought("u2", "T2").await;
    bundle.run_until(|| bundle.telegram.link_count() == 2).await;
    bundle.aws().wire().clear_faults();
    bundle.settle().await;
    bundle.link(&first).await;
    bundle.link(&second).await;
}

#[tokio::test]
async fn a_bell_that_comes_within_a_wait_is_not_taken_for_the_one_at_its_end() {
    let bundle = TestBundle::with(&[("BASE_BACKOFF_SEC", "40")]).await;
    // Nobody looks each minute: who is not rung for waits for ever.
    bundle.pause_schedule();
    let rule = |fault| simulators::telegram::FaultRule::on("createChatInviteLink", fault).times(1);
    bundle.telegram.fail(rule(Fault::Internal));
    let first = bundle.bought("u1", "T1").await;
    bundle
        .run_until(|| bundle.telegram.count("createChatInviteLink") == 1)
        .await;
    bundle
        .telegram
        .fail(rule(Fault::TooManyRequests { retry_after: 60 }));
    let second = bundle.bought("u2", "T2").await;
    bundle.run_until(|| bundle.telegram.link_count() == 2).await;
    bundle.settle().await;
    bundle.link(&first).await;
    bundle.link(&second).await;
}

/// The table of rate limits, as a function reaches it.
fn limits(bundle: &TestBundle) -> common::store::RateLimits {
    let mut env: common::config::Env = bundle
        .env()
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    common::store::RateLimits::from_env(bundle.dynamodb(), &mut env)
}

#[tokio::test]
async fn a_resume_is_not_undone_by_a_holder_that_knows_nothing_of_it() {
    use common::domain::id::ChatId;
    use common::store::{Released, Releasing, Taking};
    let bundle = TestBundle::start().await;
    let (limits, chat) = (limits(&bundle), ChatId(-1_002_222));
    let now = common::domain::time::Timestamp::from_ms(bundle.clock.now_ms());
    let taken = limits.take(chat, "a", "1", now).await.unwrap();
    let Taking::Ours(lease) = taken else {
        panic!("the lease was not taken")
    };
    limits.resume(chat, None).await.unwrap();
    let hour = now.plus(MINUTE * 60);
    let how = Releasing {
        unless_rung: false,
        wake_at: Some(hour),
        bell_at: None,
        resumes: lease.resumes,
    };
    let released = limits.release(chat, "a", &lease.limiters, "1", how).await;
    assert_eq!(released.unwrap(), Released::Done);
    assert!(!limits.get(chat).await.unwrap().is_waiting("1", now));
    let taken = limits.take(chat, "b", "1", now).await.unwrap();
    let Taking::Ours(lease) = taken else {
        panic!("the lease was not taken")
    };
    // Who knows of it is believed.
    let how = Releasing {
        resumes: lease.resumes,
        ..how
    };
    limits
        .release(chat, "b", &lease.limiters, "1", how)
        .await
        .unwrap();
    assert!(matches!(
        limits.take(chat, "c", "1", now).await.unwrap(),
        Taking::Waiting
    ));
}

#[tokio::test]
async fn a_pause_that_is_made_shorter_ends_when_it_says() {
    let bundle = TestBundle::start().await;
    let key = [("x-admin-key", bundle.bundle.admin_key())];
    let path = format!("/v1/admin/chats/{}/pause", bundle.chat_id);
    let pause = async |minutes: u64| {
        let body = json!({"reason": "test", "untilMinutes": minutes}).to_string();
        let answer = bundle.post(&path, body, &key).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    pause(8 * 60).await;
    let id = bundle.bought("u1", "T1").await;
    bundle.functions().tick().await;
    pause(5).await;
    bundle.turn_when_idle(MINUTE * 5).await;
    bundle.functions().tick().await;
    bundle.settle().await;
    bundle.link(&id).await;
}

#[tokio::test]
async fn a_late_write_of_a_pooled_links_record_takes_it_from_nobody() {
    use common::domain::id::{BotId, ChatId, InviteLink, RequestId};
    use common::store::{LinkRecord, Links, Owner};
    let bundle = TestBundle::start().await;
    let mut env: common::config::Env = bundle
        .env()
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    let links = Links::from_env(bundle.dynamodb(), &mut env);
    let now = common::domain::time::Timestamp::from_ms(bundle.clock.now_ms());
    let link = InviteLink::new("https://t.me/+sold");
    let record = |owner| LinkRecord {
        invite_link: link.clone(),
        owner,
        slot: None,
        chat: ChatId(-1),
        pool: ChatId(-1),
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
