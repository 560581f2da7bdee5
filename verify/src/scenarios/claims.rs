//! Buyers of claimed chats: updates that overtake each other and come up to five times, invocations that die at any call,
//! seats that move, and strangers who have every link.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use fastrand::Rng;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulators::telegram::{Conversation, Deliver, Fault, FaultRule, Limit, Tap, User};
use tokio::time::sleep;

use super::super::invariants::Allowed;
use super::super::wire::CallOutcome;
use super::super::world::{Plan, World, run};
use super::{Size, check, payment_body, world};

/// How late a copy of an update comes at most.
const LATE_MS: u64 = 20_000;
/// How often people look what became of what they did.
const POLL: Duration = Duration::from_secs(5);
/// After how many looks in vain they do it again.
const PATIENCE: u32 = 30;
/// And how often that is enough.
const TRIES: u32 = 20;

/// Worlds in which all of this happens at once, by seeds: everybody who paid is in, nobody else is, each seat is one person's.
pub(super) fn claimed(size: Size) -> anyhow::Result<String> {
    let (seeds, buyers) = (size.pick(3, 60), size.pick(8, 40));
    let (mut deaths, mut moved, mut copies) = (0, 0, 0);
    for seed in 1..=seeds {
        let told = run(seed, rough(seed, buyers)).with_context(|| format!("seed {seed}"))?;
        deaths += told.deaths;
        moved += told.moved;
        copies += told.copies;
    }
    let waited = run(1, in_order(size.pick(8, 100)))?;
    Ok(format!(
        "{seeds} worlds of {buyers} buyers, {copies} updates too many, {deaths} deaths, {moved} seats moved: each payer is in and nobody \
         else; whoever asks first is let in first, the last of a rush after {:.0} s",
        waited.as_secs_f64()
    ))
}

fn plan() -> Plan {
    let env = [
        ("CHAT_DELIVERY", "claim"),
        ("JOIN_REQUEST_HOLD_SEC", "60"),
        ("CLAIM_KEY", "verify-claim-key-0123456789abcdef-01"),
    ];
    Plan {
        chats: 2,
        env: env.map(|(name, value)| (name, value.to_owned())).into(),
        ..Plan::default()
    }
}

/// What was done in one world.
#[derive(Clone, Copy, Debug)]
struct Rough {
    deaths: u64,
    moved: usize,
    copies: u64,
}

/// A buyer, and what they do.
struct Buyer {
    number: usize,
    chat: usize,
    buys_at: Duration,
    /// Asks at the door before they claim.
    asks_first: bool,
    /// How often they tap their link.
    claims: usize,
    leaves: bool,
    moves: bool,
    has_stranger: bool,
}

impl Buyer {
    fn draw(rng: &mut Rng, number: usize) -> Self {
        let mut one_in = |n: u32| rng.u32(0..n) == 0;
        let (asks_first, leaves, moves) = (one_in(4), one_in(4), one_in(3));
        let has_stranger = one_in(3);
        Self {
            number,
            chat: rng.usize(0..2),
            buys_at: Duration::from_millis(rng.u64(0..120_000)),
            asks_first,
            claims: rng.usize(1..=3),
            leaves,
            moves,
            has_stranger,
        }
    }

    fn person(&self) -> i64 {
        10_000 + i64::try_from(self.number).unwrap_or_default()
    }

    /// The same human, by another account.
    fn other_account(&self) -> i64 {
        500_000 + self.person()
    }

    fn stranger(&self) -> i64 {
        1_000_000 + self.person()
    }
}

async fn rough(seed: u64, buyers: usize) -> anyhow::Result<Rough> {
    let world = world(plan()).await?;
    world.telegram.set_limit(Some(Limit::per_minute(60, 5)));
    let is_rough = Arc::new(AtomicBool::new(true));
    let copies = Arc::new(Mutex::new(0_u64));
    let transport = copying(world.transport(), seed, &is_rough, &copies);
    world.telegram.deliver_to(transport);
    let (dying, mut rng) = (Arc::clone(&is_rough), Rng::with_seed(seed ^ 0x00c1_a135));
    world.wire.fault_policy(Box::new(move |call, _| {
        if call.caller == "status" || !dying.load(Ordering::SeqCst) {
            return CallOutcome::Pass;
        }
        match rng.u32(0..120) {
            0 => CallOutcome::DieBefore,
            1 => CallOutcome::DieAfter,
            2 => CallOutcome::Twice,
            _ => CallOutcome::Pass,
        }
    }));
    let doors = doors(&world).await?;
    let mut rng = Rng::with_seed(seed);
    let buyers: Vec<Buyer> = (0..buyers).map(|n| Buyer::draw(&mut rng, n)).collect();
    let lives = join_all(buyers.iter().map(|buyer| live(&world, buyer, &doors)));
    let calms = async {
        world.wait(Duration::from_secs(600)).await;
        is_rough.store(false, Ordering::SeqCst);
    };
    let (lived, ()) = tokio::join!(lives, calms);
    lived.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
    // The declines of those who have no seat, and the last copies.
    world.wait(Duration::from_secs(300)).await;
    for buyer in &buyers {
        let chat = world.chats[buyer.chat];
        let is_in = |person| world.telegram.status(chat, person).is_present();
        let all = [buyer.person(), buyer.other_account(), buyer.stranger()];
        anyhow::ensure!(
            all.map(is_in) == [!buyer.moves, buyer.moves, false],
            "{} moves: {}, and {all:?} are in: {:?}",
            buyer.number,
            buyer.moves,
            all.map(is_in)
        );
    }
    let allowed = Allowed {
        dead_bells: true,
        out_of_order: true,
        ..Allowed::default()
    };
    check(&world, allowed).await?;
    let copies = *copies.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Rough {
        deaths: world.wire.deaths(),
        moved: buyers.iter().filter(|buyer| buyer.moves).count(),
        copies,
    })
}

/// Updates that come up to five times, each as late as it likes.
fn copying(
    transport: Deliver,
    seed: u64,
    is_rough: &Arc<AtomicBool>,
    copies: &Arc<Mutex<u64>>,
) -> Deliver {
    let rng = Arc::new(Mutex::new(Rng::with_seed(seed ^ 0x00c0_91e5)));
    let (is_rough, copies) = (Arc::clone(is_rough), Arc::clone(copies));
    Arc::new(move |request| {
        let transport = Arc::clone(&transport);
        let delays: Vec<Duration> = {
            let mut rng = rng.lock().unwrap_or_else(PoisonError::into_inner);
            let more = match is_rough.load(Ordering::SeqCst) {
                true => rng.usize(0..=4),
                false => 0,
            };
            *copies.lock().unwrap_or_else(PoisonError::into_inner) += more as u64;
            let late = |_| Duration::from_millis(rng.u64(0..LATE_MS));
            (0..more).map(late).collect()
        };
        async move {
            for delay in delays {
                let (transport, copy) = (Arc::clone(&transport), request.clone());
                tokio::spawn(async move {
                    sleep(delay).await;
                    transport(copy).await
                });
            }
            transport(request).await
        }
        .boxed()
    })
}

/// The request link of each chat, which everybody knows.
async fn doors(world: &World) -> anyhow::Result<Vec<String>> {
    let infos = world.items("Chats").await?;
    let of = |chat: &i64| {
        let id = chat.to_string();
        let info = infos
            .iter()
            .find(|info| info["chatId"].as_str() == Some(&id));
        let link = info.and_then(|info| info["requestLink"].as_str());
        link.map(str::to_owned).context("a chat without a door")
    };
    world.chats.iter().map(of).collect()
}

/// Does something again and again, as people do, until `is_done`.
async fn until(
    world: &World,
    what: &str,
    mut act: impl FnMut() -> anyhow::Result<()>,
    is_done: impl Fn() -> bool,
) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        act()?;
        for _ in 0..PATIENCE {
            if is_done() {
                return Ok(());
            }
            world.wait(POLL).await;
        }
    }
    anyhow::bail!("never: {what}")
}

/// Asks at the door and is let in.
async fn comes_in(world: &World, person: i64, chat: i64, door: &str) -> anyhow::Result<()> {
    let ask = || {
        world.telegram.tap(door, User::new(person));
        Ok(())
    };
    let is_in = || world.telegram.status(chat, person).is_present();
    until(world, &format!("{person} is in {chat}"), ask, is_in).await
}

async fn claims(world: &World, person: i64, link: &str) -> anyhow::Result<()> {
    let claim = || world.claim(link, person);
    let is_told = || world.way_in(person).is_some();
    until(world, &format!("{person} has a way in"), claim, is_told).await
}

async fn live(world: &World, buyer: &Buyer, doors: &[String]) -> anyhow::Result<()> {
    let (chat, door) = (world.chats[buyer.chat], &doors[buyer.chat]);
    let person = buyer.person();
    world.wait(buyer.buys_at).await;
    let body = payment_body(world, buyer.number, buyer.chat);
    let reply = world.buy_until_accepted(&body, 200).await;
    let reply = reply.filter(|reply| reply.status == 200);
    let reply = reply.with_context(|| format!("payment {} was refused", buyer.number))?;
    let text = |name: &str| reply.body[name].as_str().map(str::to_owned);
    let (id, link) = text("requestId")
        .zip(text("inviteLink"))
        .context("no link")?;
    if buyer.asks_first {
        world.telegram.tap(door, User::new(person));
    }
    for _ in 1..buyer.claims {
        world.claim(&link, person)?;
    }
    claims(world, person, &link).await?;
    if buyer.has_stranger {
        // With both links, which are of no use to them.
        world.claim(&link, buyer.stranger())?;
        let tap = world.telegram.tap(door, User::new(buyer.stranger()));
        anyhow::ensure!(tap == Tap::Requested, "a stranger got {tap:?}");
    }
    comes_in(world, person, chat, door).await?;
    if buyer.leaves {
        world.wait(POLL).await;
        world.telegram.leave(chat, person);
        world.wait(POLL).await;
        comes_in(world, person, chat, door).await?;
    }
    if !buyer.moves {
        return Ok(());
    }
    world.wait(POLL).await;
    let new = moves(world, person, &id).await?;
    claims(world, buyer.other_account(), &new).await?;
    comes_in(world, buyer.other_account(), chat, door).await?;
    let is_out = || !world.telegram.status(chat, person).is_present();
    until(world, &format!("{person} is out"), || Ok(()), is_out).await
}

/// Presses the button that moves a seat, and reads the link for the other account.
async fn moves(world: &World, person: i64, id: &str) -> anyhow::Result<String> {
    let place = Conversation::private(world.bots[0], person);
    let told = || {
        let messages = world.messages_to(person).into_iter();
        let mut words = messages.flat_map(|message| {
            let words: Vec<String> = message.text.split_whitespace().map(str::to_owned).collect();
            words
        });
        words.find(|word| word.contains("?start=c_"))
    };
    let press = || {
        let below = world.messages_to(person).pop().context("no message")?;
        let data = format!("~move:{id}:0");
        let user = User::new(person);
        let asked = world
            .telegram
            .sends_callback(place, &user, below.message_id, &data);
        asked.map(|_| ()).context("a message without buttons")
    };
    until(world, &format!("{person} has another link"), press, || {
        told().is_some()
    })
    .await?;
    told().context("no link")
}

/// A rush at one door: everybody is let in, in the order in which they asked; answers how long the last one waited.
async fn in_order(people: usize) -> anyhow::Result<Duration> {
    let world = world(plan()).await?;
    world.telegram.set_limit(Some(Limit::per_minute(20, 1)));
    let doors = doors(&world).await?;
    for number in 0..people {
        let body = payment_body(&world, number, 0);
        let reply = world.buy(&body).await.context("no answer")?;
        let link = reply.body["inviteLink"].as_str().context("no link")?;
        claims(&world, 10_000 + i64::try_from(number)?, link).await?;
    }
    world.run_until_idle().await?;
    // So that they all stand there before the first is let in.
    let busy = Fault::TooManyRequests { retry_after: 240 };
    let rule = FaultRule::on("approveChatJoinRequest", busy);
    world.telegram.fail(rule.times(1));
    let mut asked = Vec::new();
    // Not in the order of their ids, and each in a second of their own.
    for number in (0..people).rev() {
        let person = 10_000 + i64::try_from(number)?;
        let tap = world.telegram.tap(&doors[0], User::new(person));
        anyhow::ensure!(tap == Tap::Requested, "{person} got {tap:?}");
        asked.push((person, world.clock.now()));
        world.wait(Duration::from_millis(1100)).await;
    }
    world.run_until_idle().await?;
    let calls = world.telegram.calls();
    let let_in = calls
        .iter()
        .filter(|call| call.method == "approveChatJoinRequest" && call.status == 200);
    let let_in: Vec<(Value, i64)> = let_in
        .map(|call| (call.params["user_id"].clone(), call.at_ms))
        .collect();
    let order: Vec<&Value> = let_in.iter().map(|(person, _)| person).collect();
    let expected: Vec<Value> = asked.iter().map(|(person, _)| json!(person)).collect();
    anyhow::ensure!(
        order == expected.iter().collect::<Vec<_>>(),
        "asked {expected:?}, let in {order:?}"
    );
    let last = asked.last().context("nobody")?.1.ms();
    let waited = let_in.last().context("nobody")?.1 - last;
    check(&world, Allowed::default()).await?;
    Ok(Duration::from_millis(u64::try_from(waited)?))
}
