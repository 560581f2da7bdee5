//! Seeds and scenarios, as far as a debug build has time. The gate runs more, optimised, and all scenarios:
//! `cargo run --release -p verify -- simulate --seeds 300`, and `simulate --special`.

use verify::scenarios;
use verify::seeds::{Size, many_as, simulate_as};

/// Runs these seeds and answers the hash of each, and how many invocations died.
fn run(seeds: std::ops::Range<u64>) -> (Vec<(u64, u64)>, u64) {
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
    assert!(summary.faults > 0, "nothing went wrong");
    let mut hashes = hashes.into_inner().unwrap();
    hashes.sort_unstable();
    (hashes, summary.deaths)
}

#[test]
fn seeds_break_nothing_and_replay_exactly() {
    // Which of them die is drawn, and changes with each call that the functions make.
    let both = (11..31).step_by(2).map(|first| first..first + 2);
    let found = both
        .map(|seeds| (seeds.clone(), run(seeds)))
        .find(|(_, (_, deaths))| *deaths > 0);
    let (seeds, seen) = found.expect("nobody died");
    assert_eq!(run(seeds), seen);
}

#[test]
fn a_trace_shows_payments_calls_faults_and_log_lines() {
    let plain = |seed| simulate_as(seed, &Size::small(), false).unwrap();
    let plain = (11..20).map(plain).find(|report| report.deaths > 0);
    let plain = plain.unwrap();
    let report = simulate_as(plain.seed, &Size::small(), true).unwrap();
    let trace = report.trace.unwrap();
    for part in [
        "fault: ",
        "shop: {",
        "worker: Telegram createChatInviteLink",
        "** ",
        "log  INFO request: request accepted",
        "at rest: true",
    ] {
        assert!(trace.contains(part), "{part:?} is not in the trace");
    }
    // A trace changes nothing.
    assert_eq!(report.hash, plain.hash);
}

#[test]
fn poison_breaks_nothing() {
    none_breaks("poison-", 3);
}

#[test]
fn whoever_asks_first_at_a_door_is_let_in_first() {
    none_breaks("at-the-door", 1);
}

/// Runs the scenarios whose name holds this.
fn none_breaks(only: &str, number: usize) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results = scenarios::all(scenarios::Size::Small, threads, only);
    assert_eq!(results.len(), number);
    let mut broken = Vec::new();
    for (name, result) in results {
        if let Err(error) = result {
            broken.push(format!("{name}: {error:#}"));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
