//! How a run ends: the lease is released, and a bell is sent for what is left.

use std::time::Duration;

use domain::lease::{BELL_DELAY_MAX, RunEnd};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::{Released, StoreError};
use tracing::{info, warn};

use super::Run;

impl Run<'_> {
    /// Releases the lease, and rings for what is left; [`Released::Rung`] if there is more to look at.
    pub(super) async fn release(&mut self, over: RunEnd) -> Result<Released, StoreError> {
        let (app, now) = (self.app, self.app.clock.now());
        let (learned, calls, free_at) = {
            let board = self.board.lock();
            let bots = board.bots(self.bots(), now);
            let free_at = bots.iter().map(|state| state.free_at).min();
            (board.learned(), board.calls, free_at)
        };
        let how = self.lease.releasing(over, free_at, calls, now);
        let bots = app.bot_ids();
        let released = app
            .limits
            .release(self.chat, &self.owner, &learned, &bots, how);
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
