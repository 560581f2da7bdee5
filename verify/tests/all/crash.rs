//! Four flows of the crash matrix, as far as a debug build has time; `cargo run --release -p verify -- crash` runs all
//! flows, and the gate a sample of each.

use verify::crash::{Flow, Size, matrix};

#[test]
fn a_death_at_any_call_breaks_no_invariant() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let named = ["mint", "join", "reissued", "paid"];
    let flows: Vec<Flow> = Flow::ALL
        .into_iter()
        .filter(|flow| named.contains(&flow.name()))
        .collect();
    assert_eq!(flows.len(), named.len());
    let outcomes = matrix(threads, Size::Few, &flows);
    let mut violations = Vec::new();
    for outcome in &outcomes {
        println!(
            "{:<20} {:>3} call_sites {:>5} cases {:>6.1} s",
            outcome.flow, outcome.call_sites, outcome.cases, outcome.seconds
        );
        violations.extend(outcome.violations.iter().map(ToString::to_string));
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}
