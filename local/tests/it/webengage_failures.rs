//! WebEngage in trouble: links and joins go on, events arrive later, once, and the flags never lie.

use local::harness::{Case, HOUR, JOINED, LINK_CREATED, MINUTE, TestStack};
use serde_json::Value;
use simulators::webengage::{Failure, Mode};

/// Whether the buyer came in, and which of the two events the status calls delivered.
fn flags(status: &Value) -> [&Value; 3] {
    ["joined", "linkEventFired", "joinEventFired"].map(|flag| &status[flag])
}

#[tokio::test]
async fn an_outage_delays_both_events_and_nothing_else() {
    let limited = Mode::RateLimited {
        retry_after: Some(60),
    };
    for (name, mode, outage) in [
        ("a day without an answer", Mode::Down, HOUR * 24),
        ("errors", Mode::InternalError, HOUR),
        ("a rate limit", limited, HOUR),
        ("resets", Mode::ResetBefore, MINUTE * 10),
        ("a page that looks like a success", Mode::Page, MINUTE * 10),
        ("a challenge of a firewall", Mode::Challenge, MINUTE * 10),
        ("an error within a 200", Mode::ErrorWithin200, MINUTE * 10),
        ("a 403 of a firewall", Mode::Forbidden, MINUTE * 10),
    ] {
        let _case = Case::named(name);
        let stack = TestStack::start().await;
        let (shop, webengage) = (stack.shop(), &stack.webengage);
        webengage.set_mode(mode);
        let id = shop.bought("u1", "T1").await;
        let is_asked = || stack.telegram.link_count() == 1 && webengage.attempt_count() > 0;
        stack.run_until(is_asked).await;
        let link = shop.link(&id).await;
        assert_eq!(shop.status(&id).await["linkEventFired"], false);
        stack.customer(77).join_by(&link);
        stack.run_for(outage).await;
        assert_eq!(flags(&shop.status(&id).await), [true, false, false]);
        webengage.recover();
        stack.run_until_idle().await;
        assert_eq!(flags(&shop.status(&id).await), [true, true, true]);
        assert_eq!(webengage.ingested_count(), 2);
        assert_eq!(webengage.delivered(LINK_CREATED), [link.as_str()]);
        assert_eq!(webengage.delivered(JOINED), [link]);
    }
}

#[tokio::test]
async fn an_event_that_is_not_said_to_be_taken_is_told_again_under_the_same_id() {
    for (name, mode) in [
        ("a page that looks like a success", Mode::Page),
        ("a challenge of a firewall", Mode::Challenge),
        ("an error within a 200", Mode::ErrorWithin200),
        ("a 403 of a firewall", Mode::Forbidden),
    ] {
        let _case = Case::named(name);
        let stack = TestStack::start().await;
        stack.webengage.fail(Failure::of(mode).times(1));
        let (id, _) = stack.admitted("u1", "T1").await;
        assert_eq!(stack.shop().status(&id).await["linkEventFired"], true);
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
async fn an_event_that_was_ingested_without_an_answer_is_not_ingested_twice() {
    for (name, mode) in [
        ("a reset", Mode::ResetAfter),
        ("an error", Mode::InternalErrorAfterIngesting),
    ] {
        let _case = Case::named(name);
        let stack = TestStack::start().await;
        stack.webengage.fail(Failure::of(mode).times(2));
        let (id, _) = stack.admitted("u1", "T1").await;
        assert_eq!(stack.shop().status(&id).await["linkEventFired"], true);
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

/// What a person must fix ends as a dead letter, with the flag still false, and is delivered once re-driven.
#[tokio::test]
async fn what_a_person_must_mend_ends_as_a_dead_letter_and_is_delivered_once_redriven() {
    for (name, mode) in [
        ("a refused key", Mode::Unauthorized),
        ("a wrong data centre", Mode::NotFound),
        ("a refused event", Mode::BadRequest),
    ] {
        let _case = Case::named(name);
        let stack = TestStack::start().await;
        let (shop, webengage) = (stack.shop(), &stack.webengage);
        webengage.set_mode(mode);
        let (id, _) = stack.admitted("u1", "T1").await;
        let depths = ["EventQueue", "EventDeadLetterQueue"].map(|queue| stack.depth(queue));
        assert_eq!(depths, [0, 1]);
        assert_eq!(shop.status(&id).await["linkEventFired"], false);
        webengage.recover();
        stack.redrive("EventDeadLetterQueue").await;
        stack.run_until(|| webengage.ingested_count() == 1).await;
        stack.run_until_idle().await;
        assert_eq!(shop.status(&id).await["linkEventFired"], true);
    }
}

#[tokio::test]
async fn after_thirteen_days_without_webengage_an_event_is_a_dead_letter_not_lost() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.webengage.outage();
    let id = shop.bought("u1", "T1").await;
    stack
        .run_until(|| stack.webengage.attempt_count() > 2)
        .await;
    // In thirteen days that pass, `events` moves the record on with each try. In a jump it can't, and the sweeper would take
    // the message for lost.
    stack.pause_schedule();
    stack.advance_when_idle(HOUR * 24 * 13).await;
    stack.run_until_idle().await;
    assert_eq!(stack.depth("EventDeadLetterQueue"), 1);
    assert_eq!(shop.status(&id).await["linkEventFired"], false);
    // Redriven with many others it meets a rate limit, which ends no event, however old it is.
    stack.webengage.recover();
    stack.webengage.set_limit(0);
    let attempts = stack.webengage.attempt_count();
    stack.operator().redrive("events").await.done();
    stack
        .run_until(|| stack.webengage.attempt_count() > attempts + 6)
        .await;
    stack.webengage.set_limit(u32::MAX);
    stack.run_until_idle().await;
    assert_eq!(stack.depth("EventDeadLetterQueue"), 0);
    assert_eq!(shop.status(&id).await["linkEventFired"], true);
}
