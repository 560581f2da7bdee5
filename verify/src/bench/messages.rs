//! How much of Telegram's limit the messages of a bot use while a broadcast waits, and what that does to whoever is written
//! to meanwhile: in simulated time.

use std::time::Duration;

use domain::message::Class;
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};
use simulators::telegram::{Conversation, Limit, User};

use super::figures::percentile;
use super::report::{BenchReport, Section};
use crate::taken::TakenCalls;
use crate::world::{Plan, World, run};

/// How many messages are put at once.
const AT_ONCE: usize = 50;
/// The first person of a broadcast.
const FIRST_OF_MANY: i64 = 10_000_000;
/// The first person of those who get a receipt or an answer.
const FIRST_OTHER: i64 = 90_000_000;
/// Who floods, or is flooded.
const FLOODED: i64 = 80_000_000;
/// How many messages a flood has.
const FLOOD: usize = 1000;
/// What Telegram takes of one bot in a second.
const LIMIT: f64 = 30.0;
/// The longest way of a call of AWS, each direction.
const AWS_WAY: Duration = Duration::from_millis(5);
/// How long a receipt may take while a broadcast waits, in milliseconds.
const RECEIPT_MAX_MS: f64 = 1000.0;
/// The least part of the limit that is to be used.
const USED_MIN: f64 = 0.97;
/// The operators' chat.
const OPERATORS: &str = "-1003000000001";

/// How large it is.
struct Scale {
    broadcast: usize,
    others: usize,
}

/// Measures in worlds of their own, with less if it is to be `quick`.
///
/// # Errors
/// If something is not sent.
pub(crate) fn measure(report: &mut BenchReport, quick: bool) -> anyhow::Result<()> {
    let scale = match quick {
        true => Scale {
            broadcast: 3000,
            others: 60,
        },
        false => Scale {
            broadcast: 100_000,
            others: 300,
        },
    };
    broadcasts(report, &scale)?;
    floods(report, &scale)
}

/// What was waited for by those who were written to, one after the other.
fn waits(mut waits_ms: Vec<f64>) -> [f64; 3] {
    [0.5, 0.99, 1.0].map(|part| percentile(&mut waits_ms, part))
}

fn ms(value: f64) -> String {
    format!("{value:.0}")
}

/// What a broadcast came to.
struct Broadcast {
    receipts: usize,
    seconds: f64,
    used: f64,
    refused: u64,
    receipts_ms: [f64; 3],
}

fn broadcasts(report: &mut BenchReport, scale: &Scale) -> anyhow::Result<()> {
    let mut section = Section {
        name: "broadcast",
        title: "Messages at Telegram's limit, and receipts between them, in simulated time".to_owned(),
        columns: vec![
            "limit and receipts", "messages", "receipts", "seconds", "messages/s", "used", "429s", "receipt p50 ms", "p99 ms", "longest ms",
        ],
        notes: vec![
            "A broadcast (marketing, each message to another person) waits from the beginning; receipts (transactional) come one after the other until it is \
             nearly over. Used: of 30 a second, from the first message to the last. A receipt: put until Telegram has taken it, which alone takes 80 ms; a call of AWS up to 10.".to_owned(),
            "All: 30 a second. Even: no call may come earlier than 1/30 s after the one before. 30 at once: a burst after a rest, as Telegram publishes it.".to_owned(),
        ],
        ..Section::default()
    };
    let mut figures = Map::new();
    // The first is the aim; a fifth of it will do for the others.
    for (name, burst, part, per_second) in [
        ("30 at once, one a second", 30, 1, 1),
        ("30 at once, five a second", 30, 5, 5),
        ("even, one a second", 1, 5, 1),
    ] {
        let messages = scale.broadcast / part;
        let found = broadcast(burst, messages, per_second)?;
        let receipts = found.receipts;
        let [p50, p99, longest] = found.receipts_ms;
        let sent = messages + receipts;
        section.rows.push(vec![
            name.to_owned(),
            messages.to_string(),
            receipts.to_string(),
            format!("{:.0}", found.seconds),
            format!("{:.2}", sent as f64 / found.seconds),
            format!("{:.1} %", found.used * 100.0),
            found.refused.to_string(),
            ms(p50),
            ms(p99),
            ms(longest),
        ]);
        figures.insert(name.to_owned(), json!({"messages": messages, "receipts": receipts, "seconds": found.seconds, "used": found.used,
            "refused": found.refused, "receiptP50Ms": p50, "receiptP99Ms": p99, "receiptLongestMs": longest}));
        if part > 1 {
            continue;
        }
        report.target(
            "messages: part of the limit unused in a broadcast",
            100.0 * (1.0 - found.used),
            100.0 * (1.0 - USED_MIN),
            " %",
        );
        report.target(
            "messages: receipt p99 in a broadcast",
            p99,
            RECEIPT_MAX_MS,
            " ms",
        );
    }
    section.figures = figures.into();
    report.add(section);
    Ok(())
}

async fn plain_world() -> anyhow::Result<(World, TakenCalls)> {
    let world = World::start(&Plan {
        latency: AWS_WAY,
        schedules: false,
        ..Plan::default()
    })
    .await?;
    world.limit_as_published();
    let taken = TakenCalls::of(&world);
    Ok((world, taken))
}

/// These people can be written to.
fn started(world: &World, people: impl Iterator<Item = i64>) {
    for person in people {
        let user = User::new(person);
        world.telegram.presses_start(world.bots[0], &user, "");
    }
}

fn ids(first: i64, count: usize) -> impl Iterator<Item = i64> + Clone {
    (first..).take(count)
}

/// Waits until Telegram has taken so many messages.
async fn sent(taken: &TakenCalls, count: usize, most: Duration) -> anyhow::Result<()> {
    let start = tokio::time::Instant::now();
    while taken.count("sendMessage") < count {
        anyhow::ensure!(
            start.elapsed() < most,
            "{} of {count} messages after {most:?}",
            taken.count("sendMessage")
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn broadcast(burst: u32, messages: usize, per_second: u32) -> anyhow::Result<Broadcast> {
    run(1, async {
        let (world, taken) = plain_world().await?;
        world.telegram.set_bot_limit(Some(Limit {
            calls: LIMIT as u32,
            per: Duration::from_secs(1),
            burst,
        }));
        let expected = Duration::from_secs_f64(messages as f64 / LIMIT);
        let receipts = (expected.as_secs_f64() * f64::from(per_second)) as usize;
        started(
            &world,
            ids(FIRST_OF_MANY, messages).chain(ids(FIRST_OTHER, receipts)),
        );
        let speaker = world.speaker()?;
        let people: Vec<i64> = ids(FIRST_OF_MANY, messages).collect();
        for some in people.chunks(AT_ONCE) {
            try_join_all(
                some.iter()
                    .map(|person| speaker.put(*person, Class::Marketing, "News")),
            )
            .await?;
        }
        speaker.ring().await;
        // A little uneven to the second, so that they meet all moments of a run.
        let every = Duration::from_millis(970) / per_second;
        let mut put_at = Vec::with_capacity(receipts);
        for person in ids(FIRST_OTHER, receipts) {
            world.wait(every).await;
            put_at.push(world.clock.now());
            speaker.put(person, Class::Transactional, "Paid").await?;
            speaker.ring().await;
        }
        sent(
            &taken,
            messages + receipts,
            expected + Duration::from_secs(600),
        )
        .await?;
        let all = taken.all("sendMessage");
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            anyhow::bail!("nothing was sent");
        };
        let seconds = last.at.since(first.at).as_secs_f64();
        let of_receipts = all.iter().filter(|call| call.chat >= FIRST_OTHER);
        let waits_ms = of_receipts.map(|call| {
            let number = usize::try_from(call.chat - FIRST_OTHER).unwrap_or_default();
            call.at.since(put_at[number]).as_secs_f64() * 1000.0
        });
        Ok(Broadcast {
            receipts,
            seconds,
            used: (all.len() - 1) as f64 / (LIMIT * seconds),
            refused: world.telegram.too_many_requests(),
            receipts_ms: waits(waits_ms.collect()),
        })
    })
}

/// Who is written to a thousand times, or writes as often, and what others wait meanwhile, beside the same without a flood.
fn floods(report: &mut BenchReport, scale: &Scale) -> anyhow::Result<()> {
    let mut section = Section {
        name: "floods",
        title: format!("{FLOOD} messages of one person, and what others wait meanwhile, in simulated time"),
        columns: vec!["others wait for", "flood", "p50 ms", "p99 ms", "longest ms"],
        notes: vec![
            "To one person: as many answers wait for one chat, which takes one a second; an answer to another person is put each second. Without a flood that \
             chat gets an answer a second, so that a run is under way all the same, which looks again within a second of a bell.".to_owned(),
            "By one person: they write as many messages to the operators at once; each second another person asks `/help`, and each ten seconds one writes to \
             the operators, whose chat takes 20 messages a minute.".to_owned(),
        ],
        ..Section::default()
    };
    let mut figures = Map::new();
    for flood in [0, FLOOD] {
        let to = to_one(flood, scale.others)?;
        let [help, copies] = by_one(flood, scale.others)?;
        for (what, found) in [
            ("an answer, flood to one person", to),
            ("`/help`, flood by one person", help),
            ("a copy at the operators, flood by one person", copies),
        ] {
            let mut row = vec![what.to_owned(), flood.to_string()];
            row.extend(found.map(ms));
            section.rows.push(row);
            let [p50, p99, longest] = found;
            let value: Value = json!({"p50Ms": p50, "p99Ms": p99, "longestMs": longest});
            figures.insert(format!("{what}, {flood}"), value);
        }
    }
    section.figures = figures.into();
    report.add(section);
    Ok(())
}

/// A person whom `flood` answers wait for; `others` are answered one a second.
fn to_one(flood: usize, others: usize) -> anyhow::Result<[f64; 3]> {
    run(1, async {
        let (world, taken) = plain_world().await?;
        started(&world, ids(FLOODED, 1).chain(ids(FIRST_OTHER, others)));
        let speaker = world.speaker()?;
        for number in 0..flood {
            let text = format!("Answer {number}");
            speaker.put(FLOODED, Class::Reply, &text).await?;
        }
        speaker.ring().await;
        let mut put_at = Vec::with_capacity(others);
        for person in ids(FIRST_OTHER, others) {
            if flood == 0 {
                // As many to that person, but no more than they may get: the dispatcher is as busy.
                let text = format!("Answer of {}", world.clock.now().ms());
                speaker.put(FLOODED, Class::Reply, &text).await?;
                speaker.ring().await;
            }
            world.wait(Duration::from_millis(970)).await;
            put_at.push(world.clock.now());
            speaker.put(person, Class::Reply, "Answer").await?;
            speaker.ring().await;
        }
        world.wait(Duration::from_secs(60)).await;
        let all = taken.all("sendMessage");
        let of_others = all.iter().filter(|call| call.chat >= FIRST_OTHER);
        let waits_ms: Vec<f64> = of_others
            .zip(&put_at)
            .map(|(call, put_at)| call.at.since(*put_at).as_secs_f64() * 1000.0)
            .collect();
        anyhow::ensure!(waits_ms.len() == others, "{} of {others}", waits_ms.len());
        Ok(waits(waits_ms))
    })
}

/// A person who writes `flood` messages at once; others ask for help, one a second, or write to the operators.
fn by_one(flood: usize, others: usize) -> anyhow::Result<[[f64; 3]; 2]> {
    run(1, async {
        let world = World::start(&Plan {
            latency: AWS_WAY,
            schedules: false,
            env: vec![("OPERATOR_CHAT_ID", OPERATORS.to_owned())],
            ..Plan::default()
        })
        .await?;
        world.open_operators_chat();
        world.limit_as_published();
        let taken = TakenCalls::of(&world);
        let says = |person: i64, text: &str| {
            let place = Conversation::private(world.bots[0], person);
            world.telegram.says(place, &User::new(person), text);
        };
        for number in 0..flood {
            says(FLOODED, &format!("Hello {number}"));
        }
        let (mut asked, mut wrote) = (Vec::new(), Vec::new());
        for (number, person) in ids(FIRST_OTHER, others).enumerate() {
            world.wait(Duration::from_secs(1)).await;
            if number % 10 == 5 {
                wrote.push((person, world.clock.now()));
                says(person, &word_of(person));
            } else {
                asked.push((person, world.clock.now()));
                says(person, "/help");
            }
        }
        world.wait(Duration::from_secs(900)).await;
        let answers = taken.all("sendMessage");
        let mut helped = Vec::new();
        for (person, at) in &asked {
            let answer = answers.iter().find(|call| call.chat == *person);
            let answer = answer.map(|call| call.at.since(*at).as_secs_f64() * 1000.0);
            helped.extend(answer);
        }
        anyhow::ensure!(
            helped.len() == asked.len(),
            "{} of {}",
            helped.len(),
            asked.len()
        );
        let mut copied = Vec::new();
        for (person, at) in &wrote {
            let word = word_of(*person);
            let copy = answers.iter().find(|call| call.text.contains(&word));
            copied.extend(copy.map(|call| call.at.since(*at).as_secs_f64() * 1000.0));
        }
        anyhow::ensure!(
            copied.len() == wrote.len(),
            "{} of {}",
            copied.len(),
            wrote.len()
        );
        Ok([waits(helped), waits(copied)])
    })
}

/// What somebody writes to the operators, told apart in their topic.
fn word_of(person: i64) -> String {
    format!("Where is the link of {person}?")
}
