//! Seeds of orders: shops sell at three providers while those are away, lose, delay, repeat and reorder what they tell, and
//! functions die; buyers pay, pay too little, twice or never; money goes back. The same number draws the same plan.
//!
//! `plan` draws, `faults` carries out what goes wrong, `buyers` order and pay, and `outcome` says what is broken when all is over.

mod buyers;
mod faults;
mod outcome;
mod plan;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use domain::id::OrderId;
use domain::order::fold::OrderState;
use domain::order::record::Checkout;
use futures_util::future::join_all;
use serde_json::json;
use simulators::telegram::{Conversation, User};
use tokio::time::{Instant, sleep};

use super::world::{World, run};
use buyers::Bought;
pub use plan::Size;
use plan::{Provider, SalePlan};

/// How often it is looked where orders stand.
const LOOK: Duration = Duration::from_secs(60);
/// The longest that a world may take to come to rest after all faults and payments: an order that nobody pays is open for a day.
const SETTLE_MAX: Duration = Duration::from_secs(4 * 24 * 3600);

/// What came of one seed.
#[derive(Clone, Debug, Default)]
pub struct OrderReport {
    /// Orders.
    pub orders: usize,
    /// Those for which money came.
    pub paid: usize,
    /// What providers reported, each time that they did.
    pub events: usize,
    /// Invocations that died.
    pub deaths: u64,
    /// The longest from the money, or from the end of the faults if that is later, until its order knew it.
    pub longest_wait: Duration,
    /// The same of orders that no fault met.
    pub longest_undisturbed: Duration,
    /// What is not as it must be.
    pub broken: Vec<String>,
    /// What the functions logged, of the last seed that was run.
    pub trace: Vec<String>,
}

/// A world in which orders are sold, while it runs.
struct Sale<'a> {
    world: &'a World,
    plan: &'a SalePlan,
    start: Instant,
    /// When each order was first seen with its money.
    seen: Mutex<BTreeMap<OrderId, Duration>>,
}

/// Runs a seed.
///
/// # Errors
/// If the world can't be built or read.
pub fn simulate(seed: u64, size: Size) -> anyhow::Result<OrderReport> {
    run(seed, live(seed, size))
}

/// Runs so many seeds, so many at once; answers what they came to, and what is broken of each.
///
/// # Errors
/// If a world can't be built or read.
pub fn many(
    seeds: std::ops::Range<u64>,
    threads: usize,
    size: Size,
) -> anyhow::Result<OrderReport> {
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let all = Mutex::new(OrderReport::default());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1))
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if seed >= seeds.end {
                            return anyhow::Ok(());
                        }
                        let report = simulate(seed, size)?;
                        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                        all.add(seed, report);
                    }
                })
            })
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(worked) => worked?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        anyhow::Ok(())
    })?;
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl OrderReport {
    /// What all came to, in a sentence.
    ///
    /// # Errors
    /// What is broken.
    pub fn sentence(&self) -> anyhow::Result<String> {
        let figures = format!(
            "{} orders, {} of them with money, {} events, {} deaths: the longest until money was known, {:.0} s after it came or the faults were \
             over; {:.0} s where no fault was",
            self.orders,
            self.paid,
            self.events,
            self.deaths,
            self.longest_wait.as_secs_f64(),
            self.longest_undisturbed.as_secs_f64()
        );
        let again = "replay: cargo run --release -p verify -- simulate --orders --seed";
        anyhow::ensure!(
            self.broken.is_empty(),
            "{figures}\n  {}\n  {again} N",
            self.broken.join("\n  ")
        );
        Ok(figures)
    }

    fn add(&mut self, seed: u64, report: Self) {
        self.orders += report.orders;
        self.paid += report.paid;
        self.events += report.events;
        self.deaths += report.deaths;
        self.longest_wait = self.longest_wait.max(report.longest_wait);
        self.longest_undisturbed = self.longest_undisturbed.max(report.longest_undisturbed);
        self.trace = report.trace;
        let broken = report.broken.into_iter();
        self.broken
            .extend(broken.map(|broken| format!("seed {seed}: {broken}")));
    }
}

async fn live(seed: u64, size: Size) -> anyhow::Result<OrderReport> {
    let plan = SalePlan::draw(seed, size);
    let world = World::start(&plan.world).await?;
    let sale = Sale {
        world: &world,
        plan: &plan,
        start: Instant::now(),
        seen: Mutex::default(),
    };
    sale.open().await?;
    faults::set_up(&sale, seed);
    let lives = async {
        let lives = plan.orders.iter().map(|order| sale.buys(order));
        let (bought, faults) = tokio::join!(join_all(lives), faults::perform(&sale));
        faults?;
        world.wire.pass_all();
        let bought: anyhow::Result<Vec<Bought>> = bought.into_iter().collect();
        anyhow::Ok((bought?, sale.rests().await?))
    };
    let (bought, is_at_rest) = tokio::select! {
        biased;
        lived = lives => lived?,
        looked = sale.looks() => match looked {
            Ok(never) => match never {},
            Err(error) => return Err(error),
        },
    };
    let mut report = outcome::check(&sale, &bought).await?;
    report.trace = world.logs.lines();
    if !is_at_rest {
        let left = sale.left().await?;
        let wrong = format!("not at rest {SETTLE_MAX:?} after the faults: {left:?}");
        report.broken.insert(0, wrong);
    }
    Ok(report)
}

impl Sale<'_> {
    /// The operator offers what is sold, and buyers in Telegram start the bot.
    async fn open(&self) -> anyhow::Result<()> {
        let product = json!({
            "title": "Premium Club", "chats": self.world.chats, "owner": "o1", "feeBps": 300,
            "tiers": [
                {"id": "month", "title": "One month", "length": {"days": 30}, "prices": {"usd": plan::PRICE}, "starsPrice": 500},
                {"id": "few", "title": "For few", "length": {"days": 30}, "prices": {"usd": plan::PRICE}, "starsPrice": 500,
                    "seats": plan::SEATS},
            ],
        });
        let offered = self.world.write("products/club", &product).await;
        let is_offered = offered.as_ref().is_some_and(|reply| reply.status == 200);
        anyhow::ensure!(is_offered, "the operator was told {offered:?}");
        for order in &self.plan.orders {
            if order.provider == Provider::Stars {
                let place = Conversation::private(self.world.bots[0], order.person());
                let user = User::new(order.person());
                self.world.telegram.says(place, &user, "/start");
            }
        }
        sleep(LOOK).await;
        self.world.run_until_idle().await
    }

    /// The time since the sale began.
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<OrderId, Duration>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes all the time which orders know of their money, until nobody pays any more and all is known.
    async fn looks(&self) -> anyhow::Result<std::convert::Infallible> {
        loop {
            sleep(LOOK).await;
            let is_late = self.now() > self.plan.end() + 3 * outcome::KNOWN_WITHIN;
            if is_late {
                std::future::pending::<()>().await;
            }
            for order in self.world.orders().await? {
                let is_known = !matches!(
                    order.state,
                    OrderState::Open | OrderState::Pending | OrderState::Underpaid
                ) && order.has_money();
                if is_known && order.pending.is_empty() {
                    self.seen().entry(order.id).or_insert(self.now());
                }
            }
        }
    }

    /// Waits until nothing is left to be done for anybody; answers whether that came.
    async fn rests(&self) -> anyhow::Result<bool> {
        let began = Instant::now();
        while began.elapsed() < SETTLE_MAX {
            let is_quiet = self.world.is_quiet().await? && self.world.is_settled().await?;
            if is_quiet && self.left().await?.is_empty() && self.world.is_bot_quiet().await? {
                // What was known last is seen, too.
                sleep(2 * LOOK).await;
                return Ok(true);
            }
            sleep(10 * LOOK).await;
        }
        Ok(false)
    }

    /// The orders that still wait for something.
    async fn left(&self) -> anyhow::Result<Vec<(OrderId, OrderState)>> {
        let mut orders = self.world.orders().await?;
        let is_left = |order: &domain::order::record::Order| {
            let is_open = order.is_payable() && !order.is_closed();
            is_open && !matches!(order.checkout, Checkout::Free) || !order.pending.is_empty()
        };
        orders.retain(is_left);
        Ok(orders.iter().map(|order| (order.id, order.state)).collect())
    }

    /// An order by its id.
    async fn order(&self, id: &str) -> anyhow::Result<domain::order::record::Order> {
        let orders = self.world.orders().await?;
        let mut found = orders.into_iter();
        let order = found.find(|order| order.id.to_string() == id);
        order.with_context(|| format!("the order {id} is not there"))
    }
}
