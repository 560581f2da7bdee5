//! How a test waits: until nothing is left to do, for so much time of the stack's clock, or until something is seen.

use std::time::{Duration, Instant};

use simulators::aws::Service;

use super::{TIMEOUT, TestStack};
use crate::resources::{EVENTS, HOOKS, INVITES, MESSAGES, PAYMENTS};

/// How often the harness looks.
const POLL_INTERVAL: Duration = Duration::from_millis(3);
/// By how much the clock is turned while a dispatcher waits.
const STEP: Duration = Duration::from_secs(1);
/// How many polls in a row must find everything idle before the clock is turned.
const IDLE_POLLS: u32 = 4;
/// The same while somebody may be about to begin: a message is in flight, or an update under way.
const IDLE_POLLS_IN_FLIGHT: u32 = 20;

impl TestStack {
    /// How many invocations run now, of the functions that no caller waits for.
    fn running(&self) -> usize {
        self.local.running()
    }

    /// How much was done so far: calls to the tables, to Telegram and to WebEngage.
    fn activity(&self) -> u64 {
        let counts = self.aws().wire().counts();
        let tables = counts
            .iter()
            .filter(|((service, _), _)| *service == Service::DynamoDb);
        let tables: u64 = tables.map(|(_, count)| count).sum();
        tables + self.telegram.call_count() + self.webengage.attempt_count()
    }

    /// Turns the clock forward once nobody works: a jump in mid-work would only show that such a jump is a fault.
    pub async fn advance_when_idle(&self, by: Duration) {
        self.run_until(|| {
            let running = self.running();
            let in_flight: u64 = [
                INVITES.queue,
                EVENTS.queue,
                MESSAGES.queue,
                HOOKS.queue,
                PAYMENTS.queue,
            ]
            .iter()
            .map(|queue| self.aws().queue_depth(queue).unwrap_or_default().in_flight)
            .sum();
            running == 0 && in_flight == 0
        })
        .await;
        self.clock.advance(by);
    }

    /// Lets so much time of the clock pass, with all that happens in it; fewer steps if nothing is left to do.
    ///
    /// # Panics
    /// If that takes more than three minutes of real time.
    pub async fn run_for(&self, time: Duration) {
        let time_ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let began = self.clock.now_ms();
        self.run_until(|| self.clock.now_ms() - began > time_ms)
            .await;
    }

    /// Waits until nothing is left to do, turning the clock over every delay.
    ///
    /// # Panics
    /// If that takes more than three minutes of real time.
    pub async fn run_until_idle(&self) {
        self.run_until(|| false).await;
    }

    /// As [`TestStack::run_until_idle`], but stops early once `reached`.
    ///
    /// # Panics
    /// If neither comes within three minutes of real time.
    pub async fn run_until(&self, reached: impl Fn() -> bool) {
        let give_up = Instant::now() + TIMEOUT;
        let (mut idle, mut turns) = (0, 0_u32);
        let (mut activity, mut still) = (0, 0_u32);
        while !reached() {
            let depths = [
                INVITES.queue,
                EVENTS.queue,
                MESSAGES.queue,
                HOOKS.queue,
                PAYMENTS.queue,
            ]
            .map(|queue| self.aws().queue_depth(queue).unwrap_or_default());
            let running = self.running();
            let waiting = depths
                .iter()
                .map(|depth| depth.delayed + depth.in_flight)
                .sum::<u64>();
            let ready = depths.iter().map(|depth| depth.visible).sum::<u64>();
            let pending = self.telegram.pending_updates(self.bot_id);
            idle = if running == 0 && ready == 0 {
                idle + 1
            } else {
                0
            };
            // A dispatcher that waits for its next slot does nothing meanwhile: that time need not pass by itself.
            let active = self.activity();
            still = if active == activity { still + 1 } else { 0 };
            activity = active;
            if running > 0 && ready == 0 && still > IDLE_POLLS {
                self.clock.advance(STEP);
                still = 0;
            }
            let is_in_flight = pending > 0 || depths.iter().any(|depth| depth.in_flight > 0);
            let enough = if is_in_flight {
                IDLE_POLLS_IN_FLIGHT
            } else {
                IDLE_POLLS
            };
            if idle > enough {
                // Without the tick, a task whose bell is over waits for the test.
                let is_ticking = !self.local.schedules["worker"].is_paused();
                let is_done = || async {
                    self.tasks().await.is_empty() && self.message_tasks().await.is_empty()
                };
                if waiting == 0 && pending == 0 && (!is_ticking || is_done().await) {
                    return;
                }
                self.clock.advance(step_after(turns));
                turns += 1;
                idle = 0;
            }
            let tasks = if Instant::now() < give_up {
                Vec::new()
            } else {
                self.tasks().await
            };
            assert!(
                Instant::now() < give_up,
                "not settled within {TIMEOUT:?}: queues {depths:?}, running {running}, pending updates {pending}, tasks {tasks:?}"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// By how much the clock is turned when nobody works, after so many turns: by little for a minute, then by what the ticker
/// needs for an hour, then by what leaves no event untried for an hour.
const fn step_after(turns: u32) -> Duration {
    Duration::from_secs(match turns {
        0..12 => 5,
        12..72 => 60,
        72..120 => 300,
        _ => 900,
    })
}

/// Looks until there is something to see, for what no clock and no queue tells of: other processes, and loops that
/// never end.
///
/// # Panics
/// If that takes more than three minutes.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + TIMEOUT;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < give_up, "{what}: not within {TIMEOUT:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
