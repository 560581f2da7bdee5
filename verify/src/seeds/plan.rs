//! What a seed means: the world, the payments, the customers and the faults, all drawn before anything happens.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use simulators::telegram::Limit;

use super::super::world;
use super::bot_plan::BotPlan;
use super::draw::{chance, draw_duration};
use super::payment::Payment;

/// How much a seed draws.
#[derive(Clone, Debug)]
pub struct Size {
    /// Orders.
    pub payments: RangeInclusive<usize>,
    /// Minutes over which they come.
    pub minutes: RangeInclusive<u64>,
}

impl Size {
    /// What CI runs, built for release.
    #[must_use]
    pub fn full() -> Self {
        Self {
            payments: 15..=45,
            minutes: 5..=600,
        }
    }

    /// What a longer run may draw: hundreds of payments a seed.
    #[must_use]
    pub fn large() -> Self {
        Self {
            payments: 100..=400,
            minutes: 5..=600,
        }
    }

    /// What a debug build can do in seconds.
    #[must_use]
    pub fn small() -> Self {
        Self {
            payments: 5..=15,
            minutes: 5..=60,
        }
    }
}

/// What Telegram's limit counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    Pair,
    Bot,
    Chat,
}

/// What goes wrong for a while.
#[derive(Clone, Debug)]
pub(crate) enum WorldFault {
    /// Calls of AWS are throttled, fail, are reset, late or never answered: a burst of payments at most so long apart.
    Aws { apart: Duration },
    /// Invocations die, connections break, calls are made twice: one in so many calls.
    Calls { one_in: u32 },
    /// SQS delivers messages again, at most so much later.
    Copies { one_in: u32, later: Duration },
    /// Telegram answers 429 whatever the rate limit.
    Flood { retry_after: u32, html: bool },
    /// Telegram is ill: 5xx with and without effect, hangs, resets, garbage.
    Ill { apart: Duration },
    /// Telegram's limit is another one.
    Limit(Limit),
    /// A bot may not invite any more, but sees the chat.
    Rights { bot: usize, chat: usize },
    /// A bot is thrown out of a chat.
    Kicked { bot: usize, chat: usize },
    /// A bot's token is refused.
    Token { bot: usize },
    /// WebEngage is down in one of its ways.
    WebEngage { way: u8 },
    /// Updates are lost before or after they are handled, late, or delivered twice: one in so many.
    Updates { one_in: u32 },
    /// No update arrives at all.
    NoUpdates,
    /// A message that is none.
    Poison { events: bool },
    /// A dead letter from times when messages were work.
    DeadTask,
    /// All bells that wait are lost.
    Purge,
    /// An operator pauses a chat.
    Paused { chat: usize },
    /// An operator has a link replaced.
    Reissue,
    /// A refusal that is final, or that is not known, for one request.
    Refused { known: bool },
    /// Telegram makes a link for more than one member, once.
    WrongLimit,
}

/// A fault and when it is.
#[derive(Clone, Debug)]
pub(crate) struct FaultWindow {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) fault: WorldFault,
    /// What it draws its details from.
    pub(crate) seed: u64,
}

impl FaultWindow {
    /// Whether it can spend receives of messages, lose pauses and marks: our own faults, not the world's.
    pub(crate) fn is_hard(&self) -> bool {
        matches!(
            self.fault,
            WorldFault::Aws { .. } | WorldFault::Calls { .. }
        )
    }
}

/// All that a seed draws.
#[derive(Clone, Debug)]
pub(crate) struct SeedPlan {
    pub(crate) world: world::Plan,
    pub(crate) scope: Scope,
    pub(crate) limit: Limit,
    pub(crate) way: RangeInclusive<Duration>,
    pub(crate) sleeps_through: Duration,
    pub(crate) payments: Vec<Payment>,
    /// What there is of the bot, if people talk with it.
    pub(crate) bot: Option<BotPlan>,
    pub(crate) windows: Vec<FaultWindow>,
    pub(crate) faults_end: Duration,
}

/// The longest window of our own faults. A message is a dead letter after five receives, at least 180 s apart.
const HARD_MAX_SECONDS: u64 = 700;
/// The least time between two of them: what was received within one is received, and served, before the next.
const HARD_GAP_SECONDS: u64 = 1000;

/// How long around a window of our own faults its traces show: the longest call with all its tries.
const TRACE: Duration = Duration::from_secs(10);

fn seconds(rng: &mut Rng, range: RangeInclusive<u64>) -> Duration {
    Duration::from_secs(rng.u64(range))
}

impl SeedPlan {
    /// Whether our own faults may show at that time, to the end of the longest call with all its tries.
    pub(crate) fn is_hard(&self, at: Duration) -> bool {
        let mut hard = self.windows.iter().filter(|window| window.is_hard());
        hard.any(|window| (window.from.saturating_sub(TRACE)..=window.to + TRACE).contains(&at))
    }

    /// Whether Telegram may hang at that time.
    pub(crate) fn is_ill(&self, at: Duration) -> bool {
        let mut windows = self.windows.iter();
        windows.any(|window| {
            let is_ill = matches!(window.fault, WorldFault::Ill { .. });
            is_ill && (window.from..=window.to + TRACE + TRACE).contains(&at)
        })
    }

    pub(crate) fn draw(seed: u64, size: &Size) -> Self {
        // Of its own, so that a plan stays the same when a run draws differently.
        let mut rng = Rng::with_seed(seed ^ 0x5eed_0f1a_7e57_ab1e);
        let rng = &mut rng;
        let (bots, chats) = (rng.usize(1..=4), rng.usize(1..=5));
        let shop = draw_duration(rng, size.minutes.start() * 60..=size.minutes.end() * 60);
        let mut world = world::Plan {
            bots,
            chats,
            workers: rng.usize(1..=10),
            latency: Duration::from_millis([0, 2, 5, 15][rng.usize(0..4)]),
            events: true,
            event_workers: rng.usize(1..=5),
            schedules: true,
            bot_schedules: false,
            sells: false,
            skews_ms: vec![0],
            clocks_ms: Vec::new(),
            idle_polls: false,
            env: vec![
                ("MAX_ATTEMPTS", "1000".to_owned()),
                // A shop's own repeats must not outlast it.
                ("DUPLICATE_WINDOW_SEC", "86400".to_owned()),
                ("INVITE_TTL_SEC", (14 * 86_400).to_string()),
            ],
        };
        let limit = draw_limit(rng);
        let least = Duration::from_millis(rng.u64(0..=150));
        let way = least..=least + Duration::from_millis(rng.u64(0..=300));
        let sleeps_through = Duration::from_secs(if chance(rng, 30) { 8 } else { 0 });
        let count = rng.usize(size.payments.clone());
        let mut payments: Vec<Payment> = (0..count)
            .map(|number| draw_order(rng, number, chats, shop))
            .collect();
        payments.sort_by_key(|payment| payment.at);
        let bot = BotPlan::draw(rng, &mut world, &mut payments);
        let mut windows = draw_hard(rng, shop);
        for _ in 0..rng.usize(2..=9) {
            windows.extend(draw_soft(rng, shop, bots, chats));
        }
        windows.sort_by_key(|window| window.from);
        let faults_end = windows.iter().map(|window| window.to).max();
        Self {
            world,
            // A limit of all that a bot does would be one of messages, too, which Telegram limits otherwise.
            scope: match rng.usize(0..3) {
                0 => Scope::Pair,
                1 if bot.is_none() => Scope::Bot,
                _ => Scope::Chat,
            },
            bot,
            limit,
            way,
            sleeps_through,
            payments,
            faults_end: faults_end.unwrap_or_default(),
            windows,
        }
    }
}

fn draw_limit(rng: &mut Rng) -> Limit {
    let calls = [20, 30, 60, 120, 300, 1200][rng.usize(0..6)];
    Limit::per_minute(calls, [1, 2, 5, 20][rng.usize(0..4)])
}

fn draw_order(rng: &mut Rng, number: usize, chats: usize, shop: Duration) -> Payment {
    let transaction = !chance(rng, 15);
    let repeats = match rng.u32(0..100) {
        0..70 => 0,
        70..95 => rng.usize(1..=2),
        // The incident: nine calls over eight minutes.
        _ => 8,
    };
    Payment {
        at: shop.mul_f64(rng.f64()),
        number,
        chat: rng.usize(0..chats),
        transaction,
        key: !transaction && chance(rng, 50),
        at_once: if chance(rng, 5) { rng.usize(2..=8) } else { 1 },
        repeats: (0..repeats).map(|_| draw_duration(rng, 1..=600)).collect(),
        conflict: (transaction && chance(rng, 5)).then(|| draw_duration(rng, 1..=3600)),
        taps_after: match rng.u32(0..100) {
            0..40 => Some(seconds(rng, 0..=5)),
            40..85 => Some(draw_duration(rng, 10..=20_000)),
            _ => None,
        },
        strangers: if chance(rng, 10) { rng.u8(1..=3) } else { 0 },
        leaves_after: chance(rng, 10).then(|| draw_duration(rng, 1..=7200)),
        asks_after: (0..rng.usize(0..=8).saturating_sub(6))
            .map(|_| draw_duration(rng, 1..=3600))
            .collect(),
        claim: None,
        words: Vec::new(),
    }
}

/// Windows of our own faults, apart from each other.
fn draw_hard(rng: &mut Rng, shop: Duration) -> Vec<FaultWindow> {
    let mut windows = Vec::new();
    let mut from = seconds(rng, 0..=600);
    while from < shop && windows.len() < 12 {
        let to = from + seconds(rng, 20..=HARD_MAX_SECONDS);
        let aws = WorldFault::Aws {
            apart: Duration::from_millis(rng.u64(200..=20_000)),
        };
        let calls = WorldFault::Calls {
            one_in: [10, 30, 100, 300][rng.usize(0..4)],
        };
        let both = match rng.u32(0..3) {
            0 => vec![aws],
            1 => vec![calls],
            _ => vec![aws, calls],
        };
        windows.extend(both.into_iter().map(|fault| FaultWindow {
            from,
            to,
            fault,
            seed: rng.u64(..),
        }));
        from = to + draw_duration(rng, HARD_GAP_SECONDS..=4 * HARD_GAP_SECONDS);
    }
    windows
}

/// A fault of the world outside.
fn draw_soft(rng: &mut Rng, shop: Duration, bots: usize, chats: usize) -> Vec<FaultWindow> {
    let from = shop.mul_f64(rng.f64());
    let (bot, chat) = (rng.usize(0..bots), rng.usize(0..chats));
    let (lasts, fault) = match rng.u32(0..21) {
        0 => (
            draw_duration(rng, 10..=600),
            WorldFault::Flood {
                retry_after: draw_duration(rng, 1..=3600).as_secs() as u32,
                html: chance(rng, 10),
            },
        ),
        1 => (
            draw_duration(rng, 60..=3600),
            WorldFault::Flood {
                retry_after: rng.u32(1..=30),
                html: chance(rng, 20),
            },
        ),
        2 | 3 => (
            draw_duration(rng, 30..=7200),
            WorldFault::Ill {
                apart: Duration::from_millis(rng.u64(500..=30_000)),
            },
        ),
        4 => (
            draw_duration(rng, 60..=7200),
            WorldFault::Limit(draw_limit(rng)),
        ),
        5 => (
            draw_duration(rng, 60..=86_400),
            WorldFault::Rights { bot, chat },
        ),
        6 => (
            draw_duration(rng, 60..=86_400),
            WorldFault::Kicked { bot, chat },
        ),
        7 => (draw_duration(rng, 60..=14_400), WorldFault::Token { bot }),
        8..=10 => (
            draw_duration(rng, 60..=60_000),
            WorldFault::WebEngage {
                way: rng.u8(0..WEBENGAGE_WAYS),
            },
        ),
        11 => (
            draw_duration(rng, 60..=7200),
            WorldFault::Updates {
                one_in: rng.u32(2..=10),
            },
        ),
        12 => (draw_duration(rng, 60..=40_000), WorldFault::NoUpdates),
        13 => (
            draw_duration(rng, 60..=7200),
            WorldFault::Copies {
                one_in: rng.u32(2..=50),
                later: draw_duration(rng, 1..=20_000),
            },
        ),
        14 => (Duration::ZERO, WorldFault::Poison { events: rng.bool() }),
        15 => (Duration::ZERO, WorldFault::DeadTask),
        16 => (Duration::ZERO, WorldFault::Purge),
        17 => (draw_duration(rng, 10..=3600), WorldFault::Paused { chat }),
        18 | 19 => (Duration::ZERO, WorldFault::Reissue),
        _ if chance(rng, 70) => (draw_duration(rng, 60..=600), WorldFault::WrongLimit),
        _ => (
            draw_duration(rng, 60..=600),
            WorldFault::Refused { known: rng.bool() },
        ),
    };
    // All bots of a chat at once: nobody can work there.
    let bots = match fault {
        WorldFault::Rights { .. } | WorldFault::Kicked { .. } if chance(rng, 50) => {
            (0..bots).collect()
        }
        _ => vec![bot],
    };
    let of = |bot| match fault {
        WorldFault::Rights { chat, .. } => WorldFault::Rights { bot, chat },
        WorldFault::Kicked { chat, .. } => WorldFault::Kicked { bot, chat },
        _ => fault.clone(),
    };
    let (to, seed) = (from + lasts, rng.u64(..));
    bots.into_iter()
        .map(|bot| FaultWindow {
            from,
            to,
            fault: of(bot),
            seed,
        })
        .collect()
}

/// How many ways WebEngage has of being down.
pub(crate) const WEBENGAGE_WAYS: u8 = 8;
