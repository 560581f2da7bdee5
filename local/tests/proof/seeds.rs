//! Seeds and the special scenarios, at the size that a debug build can do. CI runs more, built for release:
//! `cargo run --release -p local -- simulate --seeds 300`, and `simulate --special`.

use local::proof::seeds::{Size, many_as, simulate_as, special};

/// Runs these seeds and answers the hash of each.
fn run(seeds: std::ops::Range<u64>) -> Vec<(u64, u64)> {
    let hashes = std::sync::Mutex::new(Vec::new());
    let summary = many_as(seeds, 2, &Size::small(), |report| {
        hashes.lock().unwrap().push((report.seed, report.hash));
    })
    .unwrap();
    let broken = summary.failures.iter();
    let broken: Vec<String> = broken
        .map(|report| format!("seed {}: {:#?}", report.seed, report.broken))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(
        summary.faults > 0 && summary.deaths > 0,
        "nothing went wrong"
    );
    let mut hashes = hashes.into_inner().unwrap();
    hashes.sort_unstable();
    hashes
}

#[test]
fn seeds_break_nothing_and_replay_exactly() {
    assert_eq!(run(1..6), run(1..6));
}

#[test]
fn a_story_tells_of_orders_calls_verdicts_and_log_lines() {
    let plain = |seed| simulate_as(seed, &Size::small(), false).unwrap();
    let plain = (1..20).map(plain).find(|report| report.deaths > 0);
    let plain = plain.unwrap();
    let report = simulate_as(plain.seed, &Size::small(), true).unwrap();
    let story = report.story.unwrap();
    for part in [
        "trouble: ",
        "shop: {",
        "worker: Telegram createChatInviteLink",
        "** ",
        "log  INFO request: request accepted",
        "at rest: true",
    ] {
        assert!(story.contains(part), "{part:?} is not told");
    }
    // To be told changes nothing.
    assert_eq!(report.hash, plain.hash);
}

#[test]
fn identical_requests_give_one_link_and_one_event() {
    let count = special::identical(300, 64).unwrap();
    assert!(count.bells <= 64, "{count:?}");
}

#[test]
fn updates_that_are_resent_and_shuffled_count_once() {
    special::resent(10, 5).unwrap();
}

#[test]
fn a_chat_that_is_broken_for_a_day_harms_no_other() {
    special::broken_day(240).unwrap();
}

#[test]
fn a_backlog_is_served_at_the_pace_and_in_order() {
    let backlog = special::backlog(60, 3).unwrap();
    assert!(backlog.minutes > 15.0 && backlog.used > 0.7, "{backlog:?}");
    assert!(backlog.overtaken == 0 && backlog.sqs_per_link <= 1.0, "{backlog:?}");
}
