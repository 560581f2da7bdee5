//! People who claim what they paid for and come in, many at once, and what each of them costs: in simulated time, so that
//! waits are those of Telegram's limits and of the product, and not of this machine.

use std::time::Duration;

use anyhow::Context as _;
use domain::button::ButtonData;
use domain::time::Timestamp;
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};
use simulators::telegram::{Conversation, Tap, User};

use super::figures::percentile;
use super::report::{BenchReport, Section};
use super::usage::{self, Usage};
use crate::taken::{TakenCall, TakenCalls};
use crate::world::{Plan, World, run};

/// How many people come at once.
const AT_ONCE: [usize; 3] = [1, 100, 10_000];
/// How many pay at once.
const BUYERS: usize = 50;
/// The first person; the others count on.
const FIRST_PERSON: i64 = 50_000_000;
/// What Telegram takes of one bot in a second, and how much at once after a rest.
const LIMIT: f64 = 30.0;
/// The longest way of a call of AWS, each direction.
const AWS_WAY: Duration = Duration::from_millis(5);
/// The operators' chat.
const OPERATORS: &str = "-1003000000001";
/// The longest wait beyond what the limit takes.
const SLACK: Duration = Duration::from_secs(900);
/// How long one rests between two steps, so that nothing of the first is left.
const REST: Duration = Duration::from_secs(120);

/// The budgets of the design, from the claim to the join of a lone person.
const WRITE_UNITS_MAX: f64 = 30.0;
const INVOCATIONS_MAX: f64 = 9.0;
const SQS_CALLS_MAX: f64 = 12.0;

/// What one step took of each person, and what they waited.
#[derive(Default)]
struct StepFigures {
    usage: Usage,
    /// Updates and batches.
    invocations: f64,
    telegram_calls: f64,
    refused: u64,
    waits_ms: Vec<f64>,
}

/// A world with a claimed chat and an operators' chat, at Telegram's published limits.
async fn world() -> anyhow::Result<(World, TakenCalls)> {
    let env = [
        ("CHAT_DELIVERY", "claim"),
        ("CLAIM_KEY", "verify-claim-key-0123456789abcdef-01"),
        ("OPERATOR_CHAT_ID", OPERATORS),
    ];
    let world = World::start(&Plan {
        latency: AWS_WAY,
        // Their reads would be counted as a person's.
        schedules: false,
        env: env.map(|(name, value)| (name, value.to_owned())).to_vec(),
        ..Plan::default()
    })
    .await?;
    world.open_operators_chat();
    world.limit_as_published();
    let taken = TakenCalls::of(&world);
    Ok((world, taken))
}

/// Has `act` done for `people` at once, waits until Telegram has taken as many calls of `method`, and counts.
async fn step(
    world: &World,
    taken: &TakenCalls,
    people: usize,
    method: &str,
    act: impl Fn(usize) -> anyhow::Result<()>,
) -> anyhow::Result<StepFigures> {
    let (wire, share) = (world.aws.wire(), 1.0 / people as f64);
    let (before, telegram) = (taken.count(method), &world.telegram);
    let calls_before = telegram.call_count();
    let (updates, refused) = (telegram.delivery_count(), telegram.too_many_requests());
    drop(wire.take_calls());
    wire.record_calls(true);
    let mut figures = StepFigures::default();
    let count = |usage: &mut Usage| {
        for call in wire.take_calls() {
            usage.add(&call, share);
        }
    };
    let (began, start): (Timestamp, _) = (world.clock.now(), tokio::time::Instant::now());
    for person in 0..people {
        act(person)?;
    }
    let most = Duration::from_secs_f64(people as f64 / LIMIT) + SLACK;
    while taken.count(method) < before + people {
        anyhow::ensure!(
            start.elapsed() < most,
            "{} of {people} {method} after {most:?}",
            taken.count(method) - before
        );
        world.wait(Duration::from_millis(100)).await;
        count(&mut figures.usage);
    }
    world.rest(REST).await?;
    wire.record_calls(false);
    count(&mut figures.usage);
    let new = taken.all(method).split_off(before);
    let waited = |call: &TakenCall| call.at.since(began).as_secs_f64() * 1000.0;
    figures.waits_ms = new.iter().map(waited).collect();
    figures.invocations =
        (telegram.delivery_count() - updates) as f64 * share + figures.usage.all_batches();
    figures.telegram_calls = (telegram.call_count() - calls_before) as f64 * share;
    figures.refused = telegram.too_many_requests() - refused;
    Ok(figures)
}

/// So many people pay; their claim links.
async fn paid(world: &World, people: usize) -> anyhow::Result<Vec<String>> {
    let numbers: Vec<usize> = (0..people).collect();
    let mut links = Vec::with_capacity(people);
    for some in numbers.chunks(BUYERS) {
        let bought = some.iter().map(async |number| {
            let body =
                json!({"userId": format!("u{number}"), "transactionId": format!("T{number}")});
            let reply = world.buy(&body).await.context("request died")?;
            let link = reply.body["inviteLink"].as_str();
            anyhow::Ok(link.with_context(|| format!("{reply:?}"))?.to_owned())
        });
        links.extend(try_join_all(bought).await?);
    }
    world.rest(REST).await?;
    Ok(links)
}

/// So many people claim at once, and then ask to be let in at once.
fn everybody(people: usize) -> anyhow::Result<[StepFigures; 2]> {
    run(1, async {
        let (world, taken) = world().await?;
        let links = paid(&world, people).await?;
        let person = |number: usize| FIRST_PERSON + number as i64;
        let claim = step(&world, &taken, people, "sendMessage", |number| {
            world.claim(&links[number], person(number))
        })
        .await?;
        let door = world.way_in(person(0)).context("no way in")?;
        let all_have_it = (0..people).all(|number| world.way_in(person(number)).is_some());
        anyhow::ensure!(all_have_it, "somebody was shown no way in");
        let approved = "approveChatJoinRequest";
        let join = step(&world, &taken, people, approved, |number| {
            let tap = world.tap(&door, person(number));
            anyhow::ensure!(tap == Tap::Requested, "{tap:?}");
            Ok(())
        })
        .await?;
        let chat = world.chats[0];
        let is_in = |number| world.telegram.status(chat, person(number)).is_present();
        anyhow::ensure!((0..people).all(is_in), "somebody is not in");
        let events = world.webengage.ingested_count();
        anyhow::ensure!(events == 2 * people as u64, "{events} events");
        Ok([claim, join])
    })
}

/// A lone person's command, press and word to the operators, who have heard of them before.
fn talk() -> anyhow::Result<[StepFigures; 3]> {
    run(1, async {
        let (world, taken) = world().await?;
        let (bot, user) = (world.bots[0], User::new(FIRST_PERSON));
        let place = Conversation::private(bot, user.id);
        let says = |text: &'static str| {
            let (world, user) = (&world, &user);
            move |_| {
                world.telegram.says(place, user, text);
                Ok(())
            }
        };
        // What is remembered of everybody is read once, and the limiter finds its rate.
        step(&world, &taken, 1, "sendMessage", says("/start")).await?;
        let command = step(&world, &taken, 1, "sendMessage", says("/help")).await?;
        let below = world.messages_to(user.id).pop().context("no answer")?;
        let press = step(&world, &taken, 1, "sendMessage", |_| {
            let data = ButtonData::LostLink.to_string();
            let pressed = &world.telegram;
            let query = pressed.sends_callback(place, &user, below.message_id, &data);
            query.context("no such message").map(drop)
        })
        .await?;
        // The first word makes the topic.
        step(&world, &taken, 1, "sendMessage", says("Is anybody there?")).await?;
        world.wait(REST).await;
        let word = step(
            &world,
            &taken,
            1,
            "sendMessage",
            says("I can't find my link"),
        )
        .await?;
        Ok([command, press, word])
    })
}

/// Measures in worlds of their own, of few people if it is to be `quick`.
///
/// # Errors
/// If somebody does not get in.
pub(crate) fn measure(report: &mut BenchReport, quick: bool) -> anyhow::Result<()> {
    let mut section = Section {
        name: "claims",
        title: "From the claim link to the chat, everybody at once, in simulated time".to_owned(),
        columns: vec![
            "at once", "p50 s", "p99 s", "longest s", "the limit alone s", "Telegram calls", "429s", "write units", "read units", "SQS calls", "invocations",
        ],
        notes: vec![
            "Claim: START is pressed until the message with the way in is taken by Telegram. Join: the request link is tapped until the request is approved. \
             Calls, units and invocations of each person, until all is at rest: the event *joined* delivered, the join recorded.".to_owned(),
            "Telegram takes 30 calls a second of the bot, 30 at once after a rest; a call of it takes 80 ms, one of AWS up to 10. All come within the same \
             millisecond: the wait of the last is the limit's, as the column beside it shows.".to_owned(),
        ],
        ..Section::default()
    };
    let (mut figures, mut lone) = (Map::new(), None);
    for people in AT_ONCE {
        if quick && people > 100 {
            continue;
        }
        let [mut claim, mut join] = everybody(people)?;
        for (name, step) in [("claim", &mut claim), ("join", &mut join)] {
            section
                .rows
                .push(row(&format!("{name}, {people}"), people, step));
            figures.insert(format!("{name}, {people}"), figures_of(step));
        }
        if people == 1 {
            lone = Some((claim, join));
        }
    }
    section.figures = figures.into();
    report.add(section);
    let Some((claim, join)) = lone else {
        return Ok(());
    };
    let both = |figure: &dyn Fn(&StepFigures) -> f64| figure(&claim) + figure(&join);
    for (what, measured, at_most) in [
        (
            "write units",
            both(&|of| of.usage.write_units()),
            WRITE_UNITS_MAX,
        ),
        ("invocations", both(&|of| of.invocations), INVOCATIONS_MAX),
        ("SQS calls", both(&|of| of.usage.sqs_calls()), SQS_CALLS_MAX),
    ] {
        let what = format!("{what} of a lone person from claim to join");
        report.target(what, measured, at_most, "");
    }
    let [command, press, word] = talk()?;
    report.add(units(&[
        ("command", &command),
        ("press", &press),
        ("word to operators", &word),
        ("claim", &claim),
        ("join", &join),
    ]));
    Ok(())
}

fn row(name: &str, people: usize, step: &mut StepFigures) -> Vec<String> {
    let waits = &mut step.waits_ms;
    let seconds = |ms: f64| format!("{:.2}", ms / 1000.0);
    vec![
        name.to_owned(),
        seconds(percentile(waits, 0.5)),
        seconds(percentile(waits, 0.99)),
        seconds(percentile(waits, 1.0)),
        format!("{:.2}", (people as f64 / LIMIT - 1.0).max(0.0)),
        format!("{:.2}", step.telegram_calls),
        step.refused.to_string(),
        format!("{:.2}", step.usage.write_units()),
        format!("{:.2}", step.usage.read_units()),
        format!("{:.2}", step.usage.sqs_calls()),
        format!("{:.2}", step.invocations),
    ]
}

fn figures_of(step: &mut StepFigures) -> Value {
    let mut all = usage::figures(&step.usage);
    let waits = &mut step.waits_ms;
    all["p50Ms"] = json!(percentile(waits, 0.5));
    all["p99Ms"] = json!(percentile(waits, 0.99));
    all["longestMs"] = json!(percentile(waits, 1.0));
    all["telegramCalls"] = json!(step.telegram_calls);
    all["refused"] = json!(step.refused);
    all["invocations"] = json!(step.invocations);
    all
}

/// What each step of a lone person uses, by table and operation.
fn units(steps: &[(&'static str, &StepFigures)]) -> Section {
    let usages: Vec<&Usage> = steps.iter().map(|(_, step)| &step.usage).collect();
    let mut rows = usage::rows(&usages);
    let mut invocations = vec!["all invocations".to_owned()];
    invocations.extend(
        steps
            .iter()
            .map(|(_, step)| format!("{:.2}", step.invocations)),
    );
    rows.push(invocations);
    let mut columns = vec![""];
    columns.extend(steps.iter().map(|(name, _)| *name));
    let figures: Map<String, Value> = steps
        .iter()
        .map(|(name, step)| ((*name).to_owned(), usage::figures(&step.usage)))
        .collect();
    Section {
        name: "talk",
        title: "What one person's command, press, word, claim and join use, counted at the wire".to_owned(),
        columns,
        rows,
        notes: vec![
            "Alone, nobody else does anything; until the answer is sent, the copy stands in the topic, the join is recorded and its event delivered. The \
             operators have a topic of the person already.".to_owned(),
        ],
        figures: figures.into(),
    }
}
