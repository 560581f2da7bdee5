//! Events whose message was lost are sent again; what waits in the queue or lies in the dead letters is left alone.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::TestBundle;
use simulators::telegram::Tap;
use simulators::webengage::Mode;

use super::{CREATED, HOUR, JOINED, lose, pending, queues_are_down, quiet, told};

const MINUTE: Duration = Duration::from_secs(60);

/// Waits until the event queue holds so many messages, all of them delayed.
async fn all_wait(bundle: &TestBundle, count: u64) {
    let all_delayed = || {
        let depth = bundle.aws().queue_depth("EventQueue").unwrap();
        depth.delayed == count && depth.total() == count
    };
    bundle.run_until(all_delayed).await;
}

/// Requests that have their links, and whose events WebEngage does not take.
async fn untold(bundle: &TestBundle, count: u64) -> Vec<String> {
    bundle.webengage.set_mode(Mode::Down);
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(bundle.bought("u", &format!("T{number}")).await);
    }
    all_wait(bundle, count).await;
    ids
}

#[tokio::test]
async fn events_whose_queue_was_purged_are_told_within_an_hour_and_two_runs() {
    let bundle = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    let ids = untold(&bundle, 40).await;
    let link = bundle.link(&ids[0]).await;
    assert_eq!(bundle.tap(&link, 77), Tap::Joined);
    all_wait(&bundle, 41).await;
    lose(&bundle, "EventQueue").await;
    assert_eq!(pending(&bundle).await, 40);
    bundle.webengage.mend();
    assert_eq!(bundle.functions().sweep().await, sweeper::Done::default());
    bundle.turn(HOUR);
    bundle.functions().sweep().await;
    bundle.turn(MINUTE);
    let done = bundle.functions().sweep().await;
    assert_eq!(done.failed, 0);
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED).len(), 40);
    assert_eq!(told(&bundle, JOINED), [link]);
    assert_eq!(pending(&bundle).await, 0);
    assert_eq!(bundle.functions().sweep().await, sweeper::Done::default());
}

#[tokio::test]
async fn the_schedule_runs_it_by_itself() {
    let bundle = TestBundle::start().await;
    untold(&bundle, 1).await;
    lose(&bundle, "EventQueue").await;
    bundle.webengage.mend();
    for _ in 0..65 {
        bundle.turn_when_idle(MINUTE).await;
    }
    bundle
        .run_until(|| !bundle.webengage.ingested().is_empty())
        .await;
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED).len(), 1);
    assert_eq!(pending(&bundle).await, 0);
}

#[tokio::test]
async fn while_webengage_is_away_for_a_day_no_event_has_two_messages() {
    const WAITING: u64 = 150;
    let bundle = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    untold(&bundle, WAITING).await;
    // A jump over a whole hour at once would be an hour without a try.
    for _ in 0..27 {
        bundle.turn_when_idle(MINUTE * 55).await;
        let done = bundle.functions().sweep().await;
        assert_eq!(done, sweeper::Done::default());
        // One more would be waited for in vain.
        all_wait(&bundle, WAITING).await;
    }
    bundle.webengage.mend();
    bundle.settle().await;
    assert_eq!(
        told(&bundle, CREATED).len(),
        usize::try_from(WAITING).unwrap()
    );
    assert_eq!(pending(&bundle).await, 0);
}

#[tokio::test]
async fn dead_letters_are_not_sent_again_by_themselves_and_a_redrive_delivers_them() {
    let bundle = quiet(&[]).await;
    bundle.webengage.set_mode(Mode::Unauthorized);
    for number in 0..3 {
        bundle.bought("u", &format!("T{number}")).await;
    }
    bundle.settle().await;
    assert_eq!(bundle.depth("EventDeadLetterQueue"), 3);
    assert_eq!(pending(&bundle).await, 0);
    for _ in 0..3 {
        bundle.turn_when_idle(HOUR * 24).await;
        assert_eq!(bundle.functions().sweep().await, sweeper::Done::default());
        bundle.settle().await;
    }
    assert_eq!(bundle.depth("EventDeadLetterQueue"), 3, "none was added");
    bundle.webengage.mend();
    bundle.redrive("EventDeadLetterQueue").await;
    bundle
        .run_until(|| bundle.depth("EventDeadLetterQueue") == 0)
        .await;
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED).len(), 3);
    assert_eq!(pending(&bundle).await, 0);
}

#[tokio::test]
async fn what_is_delivered_and_still_stands_as_pending_leaves_the_index() {
    let bundle = quiet(&[]).await;
    let (id, _) = bundle.admitted("u1", "T1").await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = bundle
        .dynamodb()
        .update_item()
        .table_name("InviteRequests")
        .key("requestId", text(&id))
        .update_expression("SET pendingShard = :shard, pendingSince = :since")
        .expression_attribute_values(":shard", text("3"))
        .expression_attribute_values(":since", text("2026-01-01T00:00:00.000Z"));
    update.send().await.unwrap();
    assert_eq!(pending(&bundle).await, 1);
    bundle.turn(HOUR);
    assert_eq!(bundle.functions().sweep().await, sweeper::Done::default());
    assert_eq!(pending(&bundle).await, 0);
    assert_eq!(bundle.status(&id).await["status"], "DONE");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_nobody_else_waiting() {
    let bundle = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    let ids = untold(&bundle, 40).await;
    lose(&bundle, "EventQueue").await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let spoil = bundle
        .dynamodb()
        .update_item()
        .table_name("InviteRequests")
        .key("requestId", text(&ids[0]))
        .update_expression("SET #status = :bad")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":bad", text("?"));
    spoil.send().await.unwrap();
    bundle.webengage.mend();
    bundle.turn(HOUR + MINUTE);
    let done = bundle.functions().sweep().await;
    assert_eq!((done.events, done.failed), (39, 0));
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED).len(), 39);
}

#[tokio::test]
async fn while_the_queue_is_down_nothing_is_lost_and_a_later_run_goes_on() {
    let bundle = quiet(&[]).await;
    untold(&bundle, 1).await;
    lose(&bundle, "EventQueue").await;
    bundle.webengage.mend();
    bundle.turn(HOUR + MINUTE);
    queues_are_down(&bundle);
    let done = bundle.functions().sweep().await;
    assert_eq!((done.events, done.failed), (0, 1));
    bundle.aws().wire().clear_faults();
    bundle.turn(HOUR + MINUTE);
    assert_eq!(bundle.functions().sweep().await.events, 1);
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED).len(), 1);
    assert_eq!(pending(&bundle).await, 0);
}
