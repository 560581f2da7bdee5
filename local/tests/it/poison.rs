//! One poison message never blocks or fails its neighbours.

use std::time::Duration;

use tokio::time::Instant;

use local::harness::TestBundle;

#[tokio::test]
async fn a_poison_body_among_nine_good_ones_fails_alone_and_ends_as_a_dead_letter_after_five_receives()
 {
    let mut bundle = TestBundle::with(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    bundle.leaves_something();
    let mut ids = Vec::new();
    for n in 0..9 {
        ids.push(bundle.put_mint(n).await);
    }
    let mut batch = bundle.bells(9);
    let mut poison = batch.records[0].clone();
    poison.message_id = Some("poison".to_owned());
    poison.body = Some("{\"kind\": \"work\", \"chatId\": ".to_owned());
    batch.records.insert(4, poison);
    let answer = bundle
        .functions()
        .work(batch, Instant::now() + Duration::from_secs(90))
        .await;
    let failed: Vec<_> = answer
        .batch_item_failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    assert_eq!(failed, ["poison"]);
    bundle.settle().await;
    assert_eq!(bundle.telegram.link_count(), 9);

    bundle.send_raw("InviteQueue", "no JSON at all").await;
    let sent = bundle.clock.now_ms();
    bundle.settle().await;
    assert_eq!(
        (
            bundle.depth("InviteQueue"),
            bundle.depth("InviteDeadLetterQueue")
        ),
        (0, 1)
    );
    // Shown five times, each time hidden for six times the function's time-out.
    assert!(bundle.clock.now_ms() - sent >= 5 * 540 * 1000);
}

#[tokio::test]
async fn a_poison_event_ends_as_a_dead_letter_and_the_others_are_delivered() {
    let mut bundle = TestBundle::start().await;
    bundle.leaves_something();
    bundle.send_raw("EventQueue", "[]").await;
    let (id, _) = bundle.admitted("u1", "T1").await;
    assert_eq!(bundle.status(&id).await["linkEventFired"], true);
    assert_eq!(
        (
            bundle.depth("EventQueue"),
            bundle.depth("EventDeadLetterQueue")
        ),
        (0, 1)
    );
}
