//! How a run ends: the lease is released, and a bell is sent for what is left.

use std::time::Duration;

use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::queue::BELL_DELAY_MAX;
use store::{Released, Releasing, StoreError};
use tracing::{info, warn};

use super::{BELL_EARLY, Over, Run, WAIT_MAX};

impl Run<'_> {
    /// Releases the lease, and rings for what is left; [`Released::Rung`] if there is more to look at.
    pub(super) async fn release(&mut self, over: Over) -> Result<Released, StoreError> {
        let (app, now) = (self.app, self.app.clock.now());
        let ((limiters, resumes), calls, all_wait) = {
            let board = self.board.lock();
            let bots = board.bots(self.bots(), now);
            let first = bots.iter().map(|state| state.free_at).min();
            let all_wait = first.filter(|at| *at > now.plus(WAIT_MAX));
            (board.stored(), board.calls, all_wait)
        };
        let stopped = self.lease.stopped_until(now);
        let wake_at = all_wait.max(stopped);
        let at = match over {
            Over::Idle => None,
            // Who comes while all wait finds the lease not to be had: the bell is for them too, whatever is due later.
            Over::Later(at) => Some(wake_at.unwrap_or(at)),
            Over::Budget | Over::Broken => Some(wake_at.unwrap_or(now)),
        };
        // A run that made no call and waits for nothing does not ring: the tick does not need it.
        let at = at.filter(|at| calls > 0 || *at > now);
        // A bell that comes before the lease can be had wakes nobody.
        let from = wake_at.map_or(now, |wake| wake.minus(BELL_EARLY));
        let is_covered = |at: &Timestamp| {
            let bell = self.lease.bell_at;
            bell.is_some_and(|bell| bell > now && bell >= from && bell <= *at)
        };
        let bell_at = at.filter(|at| *at <= now.plus(BELL_DELAY_MAX) && !is_covered(at));
        let how = Releasing {
            unless_rung: matches!(over, Over::Idle | Over::Later(_)) && wake_at.is_none(),
            wake_at: wake_at
                .filter(|_| over != Over::Idle)
                .map(|at| at.minus(BELL_EARLY)),
            bell_at: bell_at.filter(|_| over != Over::Broken),
            resumes,
        };
        let bots = app.bot_ids();
        let released = app
            .limits
            .release(self.chat, &self.owner, &limiters, &bots, how);
        if released.await? == Released::Rung {
            return Ok(Released::Rung);
        }
        info!(chat.id = %self.chat, outcome = "released", calls, "a run of the dispatcher is over");
        if let Some(at) = how.bell_at {
            self.ring(at).await;
        }
        Ok(Released::Done)
    }

    /// Sends a bell for `at`, or a little before.
    async fn ring(&mut self, at: Timestamp) {
        let delay = at
            .since(self.app.clock.now())
            .saturating_sub(Duration::from_millis(500));
        let delay = Duration::from_secs(delay.as_secs()).min(BELL_DELAY_MAX);
        if let Err(fault) = self.app.bells.send(self.chat, delay).await {
            warn!(chat.id = %self.chat, fault = "unavailable", "no bell could be sent, the tick goes on: {}", chain(&fault));
        }
    }
}
