//! How a run ends: the lease is released, and a bell is sent for what is left.

use std::time::Duration;

use domain::lease::{BELL_DELAY_MAX, RunEnd};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::{Released, StoreError};
use tracing::{info, warn};

use super::OutboxRun;

/// How many waits that are over one run forgets.
const FORGOTTEN_MAX: usize = 10;

impl OutboxRun<'_> {
    /// Releases the lease, and rings for what is left; [`Released::Rung`] if there is more to look at.
    pub(super) async fn release(&mut self, over: RunEnd) -> Result<Released, StoreError> {
        self.forget_pauses().await?;
        let (app, now) = (self.app, self.app.clock.now());
        let (learned, sends, free_at) = {
            let shared = self.shared.lock();
            let free_at = shared.limiter.free_at(now);
            let learned = shared.learned(self.bot, self.outbox.turns(), now);
            (learned, shared.sends, free_at)
        };
        let how = self.lease.releasing(over, Some(free_at), sends, now);
        let bots = self.bot.to_string();
        let released = app
            .limits
            .release(self.bot, &self.owner, &learned, &bots, how);
        if released.await? == Released::Rung {
            return Ok(Released::Rung);
        }
        info!(bot.id = %self.bot, outcome = "released", sends, "a run of the dispatcher is over");
        if let Some(at) = how.bell_at {
            self.ring(at).await;
        }
        Ok(Released::Done)
    }

    /// Forgets the waits of chats that are over, so that the lease does not grow.
    async fn forget_pauses(&mut self) -> Result<(), StoreError> {
        let (app, now) = (self.app, self.app.clock.now());
        let over = self.lease.chat_pauses.iter();
        let over = over.filter(|(_, pause)| pause.until < now);
        let over: Vec<_> = over.take(FORGOTTEN_MAX).collect();
        for (chat, pause) in over {
            app.limits.forget_pause(self.bot, *chat, *pause).await?;
        }
        Ok(())
    }

    /// Sends a bell for `at`, or a little before.
    async fn ring(&mut self, at: Timestamp) {
        let delay = at
            .since(self.app.clock.now())
            .saturating_sub(Duration::from_millis(500));
        let delay = Duration::from_secs(delay.as_secs()).min(BELL_DELAY_MAX);
        if let Err(fault) = self.app.bells.send(self.bot, delay).await {
            warn!(bot.id = %self.bot, fault = "unavailable", "no bell could be sent, the tick goes on: {}", chain(&fault));
        }
    }
}
