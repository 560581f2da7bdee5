//! The part of the report about the rate limit.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Context as _;

use super::Report;
use crate::plot::{Chart, Line};
use crate::rate_limit::{self, Case, Change, Found, Scope};

/// The limits to be found.
fn cases(small: bool) -> Vec<Case> {
    let limits = [
        Case::new("20/min", 1.0 / 3.0, 1, 120),
        Case::new("20/min", 1.0 / 3.0, 20, 120),
        Case::new("1/s", 1.0, 1, 60),
        Case::new("1/s", 1.0, 5, 60),
        Case::new("5/s", 5.0, 1, 30),
        Case::new("5/s", 5.0, 20, 30),
        Case::new("30/s", 30.0, 1, 10),
        Case::new("30/s", 30.0, 30, 10),
    ];
    if small {
        // Each limit once, and each kind of change once.
        let workers = |limit: Case, workers| Case { workers, ..limit };
        let halves = |limit: Case| Case {
            change: Change::Halves,
            ..limit
        };
        let few = [
            halves(limits[1]),
            halves(limits[3]),
            limits[4],
            halves(limits[4]),
            workers(limits[7], 5),
        ];
        return few
            .map(|case| Case {
                minutes: case.minutes / 2,
                ..case
            })
            .to_vec();
    }
    let mut all = Vec::new();
    for limit in limits {
        for workers in [1, 2, 5, 10] {
            all.push(Case { workers, ..limit });
        }
        for change in [Change::Halves, Change::Doubles] {
            // The rate limit learns no more than 30 calls a second.
            if !(limit.per_second > 20.0 && change == Change::Doubles) {
                all.push(Case { change, ..limit });
            }
        }
        all.push(Case {
            scope: Scope::Bot,
            chats: 3,
            ..limit
        });
    }
    all.push(Case {
        chats: 3,
        ..limits[2]
    });
    all
}

/// The same limit for one bot and for four.
fn bot_cases() -> [Case; 2] {
    let one = Case::new("20/min", 1.0 / 3.0, 5, 60);
    [one, Case { bots: 4, ..one }]
}

/// Runs every case, on all cores, and keeps their order.
fn find(cases: &[Case], threads: usize) -> anyhow::Result<Vec<Found>> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let found = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let runners: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<()> {
                    loop {
                        let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let Some(case) = cases.get(at) else {
                            return Ok(());
                        };
                        let of_case = case
                            .run(at as u64 + 1)
                            .with_context(|| format!("{case:?}"))?;
                        found
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .push((at, of_case));
                    }
                })
            })
            .collect();
        for runner in runners {
            runner.join().map_err(|_| anyhow::anyhow!("a panic"))??;
        }
        Ok(())
    })?;
    let mut found = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

fn row(found: &Found, who: &str) -> String {
    let case = &found.case;
    let change = match case.change {
        Change::Constant => "",
        Change::Halves => ", halves",
        Change::Doubles => ", doubles",
    };
    let scope = match case.scope {
        Scope::Chat => "",
        Scope::Bot => " a bot",
    };
    let after = found
        .found_after
        .map_or(String::new(), |seconds| format!("{seconds:.0} s"));
    format!(
        "| {}{scope}{change} | {} | {} | {} | {who} | {:.1} % | {after} | {:.2} % | {:.2} % | {} | {:.2} | {:.2} | {:.1} | {:.2} | {:.0} % |\n",
        case.limit,
        case.burst,
        case.chats,
        case.workers,
        found.used * 100.0,
        found.refused * 100.0,
        found.refused_late * 100.0,
        found.during_pause,
        found.longest_invocation,
        found.billed_per_link,
        found.sqs_per_link,
        found.lease_writes_per_link,
        found.fairness * 100.0,
    )
}

const HEAD: &str = "| limit | burst | chats | workers | rate | used | found after | 429s | 429s late | in a pause | longest | billed | SQS | writes | fair |\n\
    | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";

/// What must hold of limits that do not change.
fn constant(report: &mut Report, scope: Scope, steady: &[&Found]) {
    let of = match scope {
        Scope::Chat => "limit of a chat",
        Scope::Bot => "limit of a bot over its chats",
    };
    // 30 calls a second take the five workers of the template.
    let able = steady
        .iter()
        .filter(|found| found.case.per_second < 20.0 || found.case.workers >= 5);
    let least = able.map(|found| found.used).fold(f64::MAX, f64::min);
    let late = steady.iter().map(|found| found.refused_late);
    let most = late.fold(0.0, f64::max);
    let pauses: u64 = steady.iter().map(|found| found.during_pause).sum();
    report.aim(
        &format!("{of}: least part used"),
        format!("{:.1} %", least * 100.0),
        "at least 97 %",
        least >= 0.97,
    );
    report.aim(
        &format!("{of}: most 429s once settled"),
        format!("{:.2} %", most * 100.0),
        "at most 0.5 %",
        most <= 0.005,
    );
    let what = format!("{of}: calls in a pause");
    match scope {
        Scope::Chat => report.bound(&what, pauses.to_string(), "0", pauses == 0),
        // Limits are learned for each bot and chat (docs/design/dispatch.md, "Decisions").
        Scope::Bot => report.aim(&what, pauses.to_string(), "0", pauses == 0),
    }
}

pub(super) fn rate_limits(report: &mut Report, small: bool, threads: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    let cases = cases(small);
    let found = find(&cases, threads)?;
    let mut text = format!(
        "The real worker, its queue and its tables in simulated time, with a backlog larger than the limit can serve, at \
        limits that it does not know.\n\n{HEAD}"
    );
    for found in &found {
        text += &row(found, "learned");
    }
    let fixed: Vec<Case> = cases
        .iter()
        .filter(|case| {
            case.change == Change::Constant && case.scope == Scope::Chat && case.chats == 1
        })
        .copied()
        .collect();
    for case in &fixed {
        text += &row(&rate_limit::fixed_sleep(case, 1)?, "fixed 220 ms");
    }
    let _ = write!(
        text,
        "\n*used*: links made, of what the limit allowed after the first minute (and after the first minute of a changed limit). \
        *found after*: until 90 % of a changed limit was used. *429s*: of all calls, and of those in the last third. *in a pause*: \
        calls during a wait that the bot had been told of. *longest*: the longest invocation of the worker in seconds, calls included; \
        *billed*: seconds of all invocations, a link. *SQS*: requests a link, receives of pollers that found nothing included. *writes*: of the lease, a link. \
        *fair*: the chat that got fewest links, of the one that got most. {} cases in {:.0} s.\n\n\
        ![Links a minute against the limit](report/rate_limit.svg)\n\n![A limit that halves, and one that doubles](report/change.svg)\n",
        cases.len() + fixed.len(),
        began.elapsed().as_secs_f64()
    );
    report.section("Rate limits", &text);
    for scope in [Scope::Chat, Scope::Bot] {
        let steady: Vec<&Found> = found
            .iter()
            .filter(|found| found.case.change == Change::Constant && found.case.scope == scope)
            .collect();
        if !steady.is_empty() {
            constant(report, scope, &steady);
        }
    }
    let longest = found
        .iter()
        .map(|found| found.longest_invocation)
        .fold(0.0, f64::max);
    report.aim(
        "rate limits: longest invocation",
        format!("{longest:.1} s"),
        "10 s of calls, and the last answer: under 15 s",
        longest < 15.0,
    );

    let line = |found: &Found, name: &str, colour| Line {
        name: name.to_owned(),
        colour,
        dashed: false,
        points: found
            .by_minute
            .iter()
            .enumerate()
            .map(|(minute, links)| (minute as f64 + 0.5, *links as f64))
            .collect(),
    };
    let allowed = |case: &Case| Line {
        name: "allowed".to_owned(),
        colour: "#888",
        dashed: true,
        points: (0..case.minutes)
            .map(|minute| {
                (
                    minute as f64 + 0.5,
                    case.allowed_at(minute as f64 * 60.0 + 30.0) * 60.0,
                )
            })
            .collect(),
    };
    let five = Case::new("1/s", 1.0, 5, 60);
    let slow = five.run(1)?;
    let slow_fixed = rate_limit::fixed_sleep(&Case { workers: 1, ..five }, 1)?;
    report.plots.push((
        "rate_limit.svg",
        Chart {
            title: "Links a minute, limit of 60 a minute".to_owned(),
            x: "minutes",
            y: "links a minute",
            lines: vec![
                allowed(&five),
                line(&slow_fixed, "fixed 220 ms", "#c55"),
                line(&slow, "learned", "#2a7"),
            ],
        }
        .svg(),
    ));
    let halves = Case {
        change: Change::Halves,
        ..five
    };
    let doubles = Case {
        change: Change::Doubles,
        ..five
    };
    report.plots.push((
        "change.svg",
        Chart {
            title: "A limit of 60 a minute that halves, and one that doubles".to_owned(),
            x: "minutes",
            y: "links a minute",
            lines: vec![
                allowed(&halves),
                allowed(&doubles),
                line(&halves.run(1)?, "halves", "#26c"),
                line(&doubles.run(1)?, "doubles", "#2a7"),
            ],
        }
        .svg(),
    ));

    let bots = find(&bot_cases(), threads)?;
    let mut text = format!(
        "One chat, a limit for each bot in it.\n\n{}",
        HEAD.replace("| limit |", "| bots | limit |")
            .replacen("| --- |", "| --- | --- |", 1)
    );
    for found in &bots {
        let _ = write!(text, "| {} {}", found.case.bots, row(found, "learned"));
    }
    let times = match &bots[..] {
        [one, four] => four.links as f64 / one.links.max(1) as f64,
        _ => 0.0,
    };
    let _ = writeln!(text, "\nFour bots make {times:.2} times the links of one.");
    report.section("Several bots", &text);
    report.aim(
        "links of 4 bots, of one's",
        format!("{times:.2}"),
        "at least 3.8",
        times >= 3.8,
    );
    Ok(())
}
