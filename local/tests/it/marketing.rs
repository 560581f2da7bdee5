//! WebEngage in trouble: links and joins go on, events arrive later, once, and the flags never lie.

use std::time::Duration;

use local::harness::TestStack;
use serde_json::json;
use simulators::telegram::Tap;
use simulators::webengage::{Failure, Mode};

/// A buyer gets in while WebEngage is in `mode`; both events arrive when it is up again.
async fn survives(mode: Mode, outage: Duration) {
    let stack = TestStack::start().await;
    stack.webengage.set_mode(mode);
    let id = stack.bought("u1", "T1").await;
    stack
        .run_until(|| stack.telegram.link_count() == 1 && stack.webengage.attempt_count() > 0)
        .await;
    let link = stack.link(&id).await;
    assert_eq!(stack.status(&id).await["linkEventFired"], false);
    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    let since = stack.clock.now_ms();
    stack
        .run_until(|| stack.clock.now_ms() - since > i64::try_from(outage.as_millis()).unwrap())
        .await;
    let status = stack.status(&id).await;
    assert_eq!(
        (
            &status["joined"],
            &status["linkEventFired"],
            &status["joinEventFired"]
        ),
        (&json!(true), &json!(false), &json!(false))
    );
    stack.webengage.set_mode(Mode::Up);
    stack.run_until_idle().await;
    let status = stack.status(&id).await;
    assert_eq!(
        (&status["linkEventFired"], &status["joinEventFired"]),
        (&json!(true), &json!(true))
    );
    let mut names: Vec<String> = stack
        .webengage
        .ingested()
        .iter()
        .map(|event| event.body["eventName"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "pass_paid_community_telegram_joined",
            "pass_paid_community_telegram_link_created"
        ]
    );
}

#[tokio::test]
async fn an_outage_of_a_day_delays_both_events_and_nothing_else() {
    survives(Mode::Down, Duration::from_secs(24 * 3600)).await;
}

#[tokio::test]
async fn errors_of_webengage_delay_both_events_and_nothing_else() {
    survives(Mode::InternalError, Duration::from_secs(3600)).await;
}

#[tokio::test]
async fn what_only_looks_like_a_success_delays_both_events_and_nothing_else() {
    for mode in [
        Mode::Page,
        Mode::Challenge,
        Mode::ErrorWithin200,
        Mode::Forbidden,
    ] {
        survives(mode, Duration::from_secs(600)).await;
    }
}

#[tokio::test]
async fn an_event_that_is_not_said_to_be_taken_is_told_again_under_the_same_id() {
    for mode in [
        Mode::Page,
        Mode::Challenge,
        Mode::ErrorWithin200,
        Mode::Forbidden,
    ] {
        let stack = TestStack::start().await;
        stack.webengage.fail(Failure::of(mode).times(1));
        let (id, _) = stack.admitted("u1", "T1").await;
        assert_eq!(stack.status(&id).await["linkEventFired"], true);
        let attempts = stack.webengage.attempts();
        assert_eq!(attempts.len(), 2);
        assert!(attempts[0].request_id.is_some());
        assert_eq!(attempts[0].request_id, attempts[1].request_id);
    }
}

#[tokio::test]
async fn a_wait_of_more_than_an_hour_is_not_believed() {
    let stack = TestStack::start().await;
    let limited = Mode::RateLimited {
        retry_after: Some(1_000_000),
    };
    stack.webengage.fail(Failure::of(limited).times(1));
    stack.admitted("u1", "T1").await;
    let attempts = stack.webengage.attempts();
    let waited = attempts[1].at_ms - attempts[0].at_ms;
    assert!((3_600_000..5_400_000).contains(&waited), "{waited} ms");
}

#[tokio::test]
async fn a_rate_limit_of_webengage_delays_both_events_and_nothing_else() {
    survives(
        Mode::RateLimited {
            retry_after: Some(60),
        },
        Duration::from_secs(3600),
    )
    .await;
}

#[tokio::test]
async fn resets_of_webengage_delay_both_events_and_nothing_else() {
    survives(Mode::ResetBefore, Duration::from_secs(600)).await;
}

#[tokio::test]
async fn an_event_that_was_ingested_without_an_answer_is_not_ingested_twice() {
    for mode in [Mode::ResetAfter, Mode::InternalErrorAfterIngesting] {
        let stack = TestStack::start().await;
        stack.webengage.fail(Failure::of(mode).times(2));
        let (id, _) = stack.admitted("u1", "T1").await;
        assert_eq!(stack.status(&id).await["linkEventFired"], true);
        assert_eq!(
            (
                stack.webengage.ingested().len(),
                stack.webengage.attempt_count()
            ),
            (1, 3)
        );
    }
}

#[tokio::test]
async fn a_wait_that_webengage_asks_for_is_kept_even_beyond_what_sqs_delays() {
    let stack = TestStack::start().await;
    let limited = Mode::RateLimited {
        retry_after: Some(2000),
    };
    stack.webengage.fail(Failure::of(limited).times(1));
    stack.admitted("u1", "T1").await;
    let attempts = stack.webengage.attempts();
    assert_eq!(attempts.len(), 2);
    assert!(attempts[1].at_ms - attempts[0].at_ms >= 2_000_000);
}

/// What a person must mend ends as a dead letter, with the flag still false, and is delivered once re-driven.
async fn ends_as_a_dead_letter(mode: Mode) {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    stack.webengage.set_mode(mode);
    let (id, _) = stack.admitted("u1", "T1").await;
    assert_eq!(
        (
            stack.depth("EventQueue"),
            stack.depth("EventDeadLetterQueue")
        ),
        (0, 1)
    );
    assert_eq!(stack.status(&id).await["linkEventFired"], false);
    stack.webengage.set_mode(Mode::Up);
    stack.redrive("EventDeadLetterQueue").await;
    stack
        .run_until(|| stack.webengage.ingested_count() == 1)
        .await;
    stack.run_until_idle().await;
    assert_eq!(stack.status(&id).await["linkEventFired"], true);
    assert_eq!(stack.depth("EventDeadLetterQueue"), 0);
}

#[tokio::test]
async fn a_refused_key_ends_as_a_dead_letter() {
    ends_as_a_dead_letter(Mode::Unauthorized).await;
}

#[tokio::test]
async fn a_wrong_data_centre_ends_as_a_dead_letter() {
    ends_as_a_dead_letter(Mode::NotFound).await;
}

#[tokio::test]
async fn a_refused_event_ends_as_a_dead_letter() {
    ends_as_a_dead_letter(Mode::BadRequest).await;
}

#[tokio::test]
async fn after_thirteen_days_without_webengage_an_event_is_a_dead_letter_not_lost() {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    stack.webengage.set_mode(Mode::Down);
    let id = stack.bought("u1", "T1").await;
    stack
        .run_until(|| stack.webengage.attempt_count() > 2)
        .await;
    // In thirteen days that pass, `events` moves the record on with each try. In a jump it can't, and the sweeper would take
    // the message for lost.
    stack.pause_schedule();
    stack
        .advance_when_idle(Duration::from_secs(13 * 24 * 3600))
        .await;
    stack.run_until_idle().await;
    assert_eq!(stack.depth("EventDeadLetterQueue"), 1);
    assert_eq!(stack.status(&id).await["linkEventFired"], false);
    // Redriven with many others it meets a rate limit, which ends no event, however old it is.
    stack.webengage.mend();
    stack.webengage.set_limit(0);
    let attempts = stack.webengage.attempt_count();
    let key = [("x-admin-key", stack.local.admin_key())];
    let queue = json!({"queue": "events"}).to_string();
    let answer = stack.post("/v1/admin/dead-letters/redrive", queue, &key);
    assert_eq!(answer.await.status, 200);
    stack
        .run_until(|| stack.webengage.attempt_count() > attempts + 6)
        .await;
    stack.webengage.set_limit(u32::MAX);
    stack.run_until_idle().await;
    assert_eq!(stack.depth("EventDeadLetterQueue"), 0);
    assert_eq!(stack.status(&id).await["linkEventFired"], true);
}
