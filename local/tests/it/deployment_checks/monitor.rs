//! `monitor`: what it measures, and that nothing hides anything else.

use std::collections::HashMap;
use std::time::Duration;

use local::harness::TestStack;
use monitor::Seen;
use runtime::clock::Clock;
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{self, Fault};

use super::{add_second_bot, env, read, webhook_url};

async fn measure(stack: &TestStack, env: &HashMap<String, String>) -> Seen {
    let mut env = read(env);
    let clock = Clock::advanced_by(stack.clock.offset_ms());
    let app = monitor::App::from_env(&mut env, clock);
    env.check().unwrap();
    monitor::handle(&app).await
}

/// What is seen when there is nothing to see.
const IDLE: Seen = Seen {
    invite_queue_depth: Some(0),
    event_queue_depth: Some(0),
    invite_dead_letters: Some(0),
    event_dead_letters: Some(0),
    oldest_unserved_seconds: Some(0),
    failed_invites: Some(0),
    oldest_case_seconds: Some(0),
    webhook_pending_updates: Some(0),
    webhook_errors: Some(0),
    failed: 0,
};

#[tokio::test]
async fn an_idle_deployment_has_nothing_waiting() {
    let stack = TestStack::start().await;
    stack.admitted("u1", "T1").await;
    assert_eq!(measure(&stack, &env(&stack)).await, IDLE);
    assert_eq!(
        serde_json::to_value(IDLE).unwrap(),
        json!({
            "inviteQueueDepth": 0, "eventQueueDepth": 0, "inviteDeadLetters": 0, "eventDeadLetters": 0,
            "oldestUnservedSeconds": 0, "failedInvites": 0, "oldestCaseSeconds": 0, "webhookPendingUpdates": 0, "webhookErrors": 0, "failed": 0,
        })
    );
}

#[tokio::test]
async fn who_was_given_up_is_counted_until_the_request_is_retried_or_voided() {
    let stack = TestStack::with(&[("MAX_ATTEMPTS", "1")]).await;
    let shop = stack.shop();
    stack.telegram.fail_mints(2, Fault::Internal);
    let first = shop.bought("u1", "T1").await;
    stack.run_until_idle().await;
    let second = shop.bought("u2", "T2").await;
    stack.run_until_idle().await;
    let failed = async || measure(&stack, &env(&stack)).await.failed_invites;
    assert_eq!(failed().await, Some(2));
    stack.operator().retry(&first).await.done();
    assert_eq!(failed().await, Some(1));
    shop.void(&second).await.done();
    assert_eq!(failed().await, Some(0));
    stack.run_until_idle().await;
}

#[tokio::test]
async fn what_waits_is_counted_whatever_its_state() {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    // A rate limit has the chat wait, with a bell for its end.
    let limit = Fault::TooManyRequests { retry_after: 600 };
    stack.telegram.fail_all_mints(limit);
    stack.shop().bought("u1", "T1").await;
    stack
        .run_until(|| {
            let depth = stack.aws().queue_depth("InviteQueue").unwrap_or_default();
            depth.delayed > 0 && depth.in_flight == 0
        })
        .await;
    for queue in ["InviteDeadLetterQueue", "EventDeadLetterQueue"] {
        stack.send_raw(queue, "{}").await;
    }
    stack.clock.advance(Duration::from_secs(100));
    let seen = measure(&stack, &env(&stack)).await;
    let waits = seen.oldest_unserved_seconds.unwrap();
    assert!((100..200).contains(&waits), "{waits}");
    assert_eq!(
        Seen {
            oldest_unserved_seconds: Some(0),
            ..seen
        },
        Seen {
            invite_queue_depth: Some(1),
            invite_dead_letters: Some(1),
            event_dead_letters: Some(1),
            ..IDLE
        }
    );
}

#[tokio::test]
async fn a_buyer_who_has_the_link_waits_for_none_while_webengage_is_down() {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    stack.webengage.outage();
    for n in 0..30 {
        stack
            .shop()
            .bought(&format!("u{n}"), &format!("T{n}"))
            .await;
    }
    stack
        .run_until(|| stack.telegram.link_count() == 30 && stack.depth("InviteQueue") == 0)
        .await;
    stack.clock.advance(Duration::from_secs(1000));
    let seen = measure(&stack, &env(&stack)).await;
    assert_eq!(seen.oldest_unserved_seconds, Some(0), "{seen:?}");
    assert!(seen.event_queue_depth >= Some(30), "{seen:?}");
}

#[tokio::test]
async fn one_source_that_fails_hides_no_other() {
    let stack = TestStack::start().await;
    let env = env(&stack);
    let on = |service, operation: &str, name: &str| {
        let rule = FaultRule::new(WireFault::InternalError).on(service, operation);
        rule.named(name).always()
    };
    let wire = stack.aws().wire();
    wire.fail(on(Service::Sqs, "GetQueueAttributes", "EventQueue"));
    let seen = measure(&stack, &env).await;
    let expected = Seen {
        event_queue_depth: None,
        failed: 1,
        ..IDLE
    };
    assert_eq!(seen, expected);
    wire.clear_faults();
    wire.fail(on(Service::DynamoDb, "Query", "Orders"));
    let seen = measure(&stack, &env).await;
    let expected = Seen {
        oldest_case_seconds: None,
        failed: 1,
        ..IDLE
    };
    assert_eq!(seen, expected);
    wire.clear_faults();
    wire.fail(on(Service::DynamoDb, "Query", "ChatTasks"));
    let seen = measure(&stack, &env).await;
    let expected = Seen {
        oldest_unserved_seconds: None,
        failed_invites: None,
        failed: 1,
        ..IDLE
    };
    assert_eq!(seen, expected);
    wire.clear_faults();
    let down = telegram::FaultRule::on("getWebhookInfo", Fault::BadGateway);
    stack.telegram.fail(down);
    let seen = measure(&stack, &env).await;
    let expected = Seen {
        webhook_pending_updates: None,
        webhook_errors: None,
        failed: 1,
        ..IDLE
    };
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_webhook_that_is_another_or_fails_or_a_token_that_is_refused_is_an_error() {
    let stack = TestStack::start().await;
    let mut env = env(&stack);
    // The second bot has no webhook.
    let second = add_second_bot(&stack, &mut env);
    assert_eq!(measure(&stack, &env).await.webhook_errors, Some(1));
    stack.telegram.revoke_token(second);
    assert_eq!(measure(&stack, &env).await.webhook_errors, Some(1));
    env.insert(
        "WEBHOOK_URL".to_owned(),
        "https://ours.example/v1/telegram/webhook".to_owned(),
    );
    assert_eq!(measure(&stack, &env).await.webhook_errors, Some(2));
    env.insert("WEBHOOK_URL".to_owned(), webhook_url(&stack));
    env.insert(
        "TELEGRAM_BOT_TOKEN".to_owned(),
        stack.env()["TELEGRAM_BOT_TOKEN"].clone(),
    );
    assert_eq!(measure(&stack, &env).await, IDLE);
    // A join that the webhook can't take.
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "GetItem");
    let (_, link) = stack.admitted("u1", "T1").await;
    stack.aws().wire().fail(rule.named("InviteLinks").always());
    stack.customer(77).join_by(&link);
    local::harness::until("a failed delivery", async || {
        let mut deliveries = stack.telegram.deliveries().into_iter();
        deliveries
            .any(|delivery| delivery.status == Some(503))
            .then_some(())
    })
    .await;
    let seen = measure(&stack, &env).await;
    assert_eq!(
        (seen.webhook_pending_updates, seen.webhook_errors),
        (Some(1), Some(1)),
        "{seen:?}"
    );
    stack.aws().wire().clear_faults();
    stack.run_until_idle().await;
    stack.clock.advance(Duration::from_secs(120));
    assert_eq!(measure(&stack, &env).await, IDLE);
}
