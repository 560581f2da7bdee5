//! What the server, the delivery of webhooks and what tests do share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::fault_rule::Faults;
use super::journal::Journal;
use super::limit::Limits;
use super::state::TelegramState;
use crate::clock::Clock;
use crate::transport::WebhookTransport;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    state: Mutex<SharedState>,
    transport: Mutex<WebhookTransport>,
    /// Woken after every change of the state.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct SharedState {
    pub(crate) world: TelegramState,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) only_https: bool,
    /// The least and the most that a call takes.
    pub(crate) latency_ms: (i64, i64),
}

impl Shared {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            transport: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Reads the state.
    pub(crate) fn lock(&self) -> MutexGuard<'_, SharedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way of updates to webhooks.
    pub(crate) fn transport(&self) -> MutexGuard<'_, WebhookTransport> {
        self.transport
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes all who wait for a change.
    pub(crate) fn change<T>(&self, how: impl FnOnce(&mut SharedState, i64) -> T) -> T {
        let result = how(&mut self.lock(), self.clock.now_ms());
        self.changed.notify_waiters();
        result
    }
}
