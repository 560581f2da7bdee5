//! A look at what happened: calls, violations, links, deliveries.

use super::Telegram;
use super::journal::{Call, Delivery, Violation};
use super::link::Link;

impl Telegram {
    /// The newest calls, oldest first, at most [`REMEMBERED_CALLS`](super::journal::REMEMBERED_CALLS).
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.lock().journal.calls.iter().cloned().collect()
    }

    /// How many calls of the method ever came, answered or not.
    #[must_use]
    pub fn count(&self, method: &str) -> u64 {
        self.shared
            .lock()
            .journal
            .counts
            .get(method)
            .copied()
            .unwrap_or_default()
    }

    /// How many calls ever came, answered or not.
    #[must_use]
    pub fn call_count(&self) -> u64 {
        self.shared.lock().journal.counts.values().sum()
    }

    /// How many calls were ever answered 429.
    #[must_use]
    pub fn too_many_requests(&self) -> u64 {
        self.shared.lock().journal.too_many_requests
    }

    /// When the newest calls came that were answered 429, in milliseconds, oldest first.
    #[must_use]
    pub fn refused_at_ms(&self) -> Vec<i64> {
        let state = self.shared.lock();
        state.journal.refused_at_ms.iter().copied().collect()
    }

    /// The newest calls made during a flood wait.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.shared
            .lock()
            .journal
            .violations
            .iter()
            .cloned()
            .collect()
    }

    /// How many calls were ever made during a flood wait.
    #[must_use]
    pub fn violation_count(&self) -> u64 {
        self.shared.lock().journal.violation_count
    }

    /// All links that are kept, oldest first.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        self.shared.lock().world.links_in_order().cloned().collect()
    }

    /// One link by its whole URL.
    #[must_use]
    pub fn link(&self, url: &str) -> Option<Link> {
        self.shared.lock().world.links.get(url).cloned()
    }

    /// How many links are kept.
    #[must_use]
    pub fn link_count(&self) -> usize {
        self.shared.lock().world.links.len()
    }

    /// The newest webhook deliveries, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared
            .lock()
            .journal
            .deliveries
            .iter()
            .cloned()
            .collect()
    }

    /// How many webhook deliveries were ever attempted.
    #[must_use]
    pub fn delivery_count(&self) -> u64 {
        self.shared.lock().journal.delivery_count
    }

    /// How many updates wait for the bot.
    #[must_use]
    pub fn pending_updates(&self, bot_id: i64) -> usize {
        self.shared
            .lock()
            .world
            .bots
            .get(&bot_id)
            .map_or(0, |bot| bot.inbox.len())
    }
}
