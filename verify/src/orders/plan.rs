//! What a seed of orders draws: who buys what, how it is paid, what becomes of the money, and what goes wrong.

use std::time::Duration;

use fastrand::Rng;

use crate::world;

/// What is sold costs so much, in cents.
pub(super) const PRICE: i64 = 3000;
/// How many seats the tier for few has.
pub(super) const SEATS: usize = 3;

/// How much a seed draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What a test has time for.
    Small,
    /// What the report tells of.
    Full,
}

/// Who takes the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Stripe,
    Coins,
    Stars,
}

impl Provider {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Coins => "nowpayments",
            Self::Stars => "stars",
        }
    }
}

/// How much of the price comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pays {
    Nothing,
    Whole,
    /// In two parts, coins only.
    Halves,
    /// Half of it, coins only.
    Half,
    /// The whole twice, coins only.
    Twice,
}

/// What becomes of the money once the order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Afterwards {
    Stays,
    /// An operator returns a part.
    PartBack,
    /// An operator returns all.
    AllBack,
    /// The owner returns all at the provider, Stripe only.
    AllBackThere,
    /// The bank takes it, and gives it back or not, Stripe only.
    Disputed {
        is_won: bool,
    },
}

/// One order.
#[derive(Clone, Debug)]
pub(super) struct OrderPlan {
    pub(super) number: usize,
    pub(super) at: Duration,
    pub(super) provider: Provider,
    /// Whether it is for the tier with few seats.
    pub(super) is_limited: bool,
    /// Calls at the same instant, under the same key.
    pub(super) copies: usize,
    pub(super) pays: Pays,
    /// How long after the page was shown, and between two parts.
    pub(super) pays_after: Duration,
    pub(super) afterwards: Afterwards,
    /// How often its page asks where it stands, every few seconds.
    pub(super) polls: u32,
}

impl OrderPlan {
    /// The buyer in Telegram.
    pub(super) fn person(&self) -> i64 {
        50_000 + i64::try_from(self.number).unwrap_or_default()
    }
}

/// What goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaleFault {
    /// Invocations die, connections break, calls are made twice: one in so many.
    Calls { one_in: u32 },
    /// Calls to Stripe fail in one of its ways.
    StripeAway { way: u8 },
    /// Calls to NOWPayments fail in one of its ways.
    CoinsAway { way: u8 },
    /// Stripe's events are lost.
    EventsLost,
    /// They are late.
    EventsLate { by: Duration },
    /// They come several times.
    EventsRepeated { times: u32 },
    /// They are kept back, and come in another order.
    EventsReordered { is_reversed: bool },
    /// Notifications of NOWPayments are lost.
    IpnsLost,
    /// They are late.
    IpnsLate { by: Duration },
    /// They come several times.
    IpnsRepeated { times: u32 },
    /// They are kept back, and come the last first.
    IpnsReversed,
    /// Telegram tells of no payment.
    StarsLost,
    /// All bells that wait are lost, again and again.
    BellsLost,
}

impl SaleFault {
    /// Whether it may hold up an order at this provider.
    pub(super) const fn meets(self, provider: Provider) -> bool {
        match self {
            Self::Calls { .. } | Self::BellsLost => true,
            Self::StripeAway { .. }
            | Self::EventsLost
            | Self::EventsLate { .. }
            | Self::EventsReordered { .. }
            | Self::EventsRepeated { .. } => matches!(provider, Provider::Stripe),
            Self::CoinsAway { .. }
            | Self::IpnsLost
            | Self::IpnsLate { .. }
            | Self::IpnsRepeated { .. }
            | Self::IpnsReversed => matches!(provider, Provider::Coins),
            Self::StarsLost => matches!(provider, Provider::Stars),
        }
    }
}

/// A fault and when it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct SaleWindow {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) fault: SaleFault,
}

/// All that a seed draws.
#[derive(Clone, Debug)]
pub(super) struct SalePlan {
    pub(super) world: world::Plan,
    pub(super) orders: Vec<OrderPlan>,
    pub(super) windows: Vec<SaleWindow>,
}

fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(0..100) < percent
}

fn seconds(rng: &mut Rng, range: std::ops::RangeInclusive<u64>) -> Duration {
    Duration::from_secs(rng.u64(range))
}

impl SalePlan {
    /// When the last fault is over and the last part is paid, if nothing is held up.
    pub(super) fn end(&self) -> Duration {
        let faults = self.windows.iter().map(|window| window.to);
        let orders = self
            .orders
            .iter()
            .map(|order| order.at + 3 * order.pays_after);
        faults.chain(orders).max().unwrap_or_default()
    }

    pub(super) fn draw(seed: u64, size: Size) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x0b0e_5e11_7e57_ab1e);
        let rng = &mut rng;
        let (orders, minutes, windows) = match size {
            Size::Small => (4..=8, 30, 1..=4),
            Size::Full => (15..=60, 240, 2..=10),
        };
        let lasts = Duration::from_secs(rng.u64(5..=minutes) * 60);
        let count = rng.usize(orders);
        let orders = (0..count).map(|number| draw_order(rng, number, lasts));
        let orders: Vec<OrderPlan> = orders.collect();
        let count = rng.usize(windows);
        let windows = (0..count).map(|_| draw_window(rng, lasts)).collect();
        // Stripe's signatures count for five minutes.
        let mut skew = |name| (name, rng.i64(-120_000..=120_000));
        let skews = vec![skew("payments"), skew("settlement"), skew("sweeper")];
        let env = [
            ("PUBLIC_URL", "https://verify.example".to_owned()),
            ("CHAT_DELIVERY", "claim".to_owned()),
            (
                "CLAIM_KEY",
                "verify-claim-key-0123456789abcdef-01".to_owned(),
            ),
            ("AUTO_REFUND_MAX_PER_HOUR", "1000".to_owned()),
        ];
        Self {
            world: world::Plan {
                latency: Duration::from_millis([0, 2, 15][rng.usize(0..3)]),
                bot_schedules: true,
                sells: true,
                clocks_ms: skews,
                env: env.to_vec(),
                ..world::Plan::default()
            },
            orders,
            windows,
        }
    }
}

fn draw_order(rng: &mut Rng, number: usize, lasts: Duration) -> OrderPlan {
    let provider = [Provider::Stripe, Provider::Coins, Provider::Stars][rng.usize(0..3)];
    let pays = match (rng.u32(0..100), provider) {
        (0..12, _) => Pays::Nothing,
        (12..30, Provider::Coins) => Pays::Halves,
        (30..45, Provider::Coins) => Pays::Half,
        (45..60, Provider::Coins) => Pays::Twice,
        _ => Pays::Whole,
    };
    let afterwards = match (rng.u32(0..100), provider) {
        _ if pays != Pays::Whole => Afterwards::Stays,
        (0..12, Provider::Stripe) => Afterwards::PartBack,
        (12..25, _) => Afterwards::AllBack,
        (25..40, Provider::Stripe) => Afterwards::AllBackThere,
        (40..55, Provider::Stripe) => Afterwards::Disputed { is_won: rng.bool() },
        _ => Afterwards::Stays,
    };
    OrderPlan {
        number,
        at: lasts.mul_f64(rng.f64()),
        provider,
        is_limited: chance(rng, 20),
        copies: if chance(rng, 25) { rng.usize(2..=9) } else { 1 },
        pays,
        pays_after: seconds(rng, 1..=1200),
        afterwards,
        polls: if chance(rng, 40) { rng.u32(1..=100) } else { 0 },
    }
}

fn draw_window(rng: &mut Rng, lasts: Duration) -> SaleWindow {
    let from = lasts.mul_f64(rng.f64());
    let by = seconds(rng, 5..=7200);
    let times = rng.u32(2..=9);
    let (most, fault) = match rng.u32(0..14) {
        0 | 1 => (
            600,
            SaleFault::Calls {
                one_in: [5, 10, 30, 100][rng.usize(0..4)],
            },
        ),
        2 => (7200, SaleFault::StripeAway { way: rng.u8(..) }),
        3 => (7200, SaleFault::CoinsAway { way: rng.u8(..) }),
        4 => (7200, SaleFault::EventsLost),
        5 => (7200, SaleFault::EventsLate { by }),
        6 => (7200, SaleFault::EventsRepeated { times }),
        7 => {
            let is_reversed = rng.bool();
            (3600, SaleFault::EventsReordered { is_reversed })
        }
        8 => (7200, SaleFault::IpnsLost),
        9 => (7200, SaleFault::IpnsLate { by }),
        10 => (7200, SaleFault::IpnsRepeated { times }),
        11 => (3600, SaleFault::IpnsReversed),
        12 => (7200, SaleFault::StarsLost),
        _ => (1200, SaleFault::BellsLost),
    };
    SaleWindow {
        from,
        to: from + seconds(rng, 30..=most),
        fault,
    }
}
