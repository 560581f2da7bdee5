//! What the server, the delivery of events and what tests do share.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::fault::StripeFaults;
use super::idempotency::IdempotencyKeys;
use super::journal::StripeJournal;
use super::keys::ApiKeys;
use super::limit::RequestCounts;
use super::world::StripeWorld;
use crate::clock::Clock;
use crate::transport::WebhookTransport;

#[derive(Debug)]
pub(super) struct StripeShared {
    pub(super) clock: Clock,
    /// The base of the pages' URLs, once the server listens.
    pub(super) url: OnceLock<String>,
    state: Mutex<StripeState>,
    transport: Mutex<WebhookTransport>,
    /// Woken after every change of the state.
    pub(super) changed: Notify,
}

#[derive(Debug)]
pub(super) struct StripeState {
    pub(super) test: StripeWorld,
    pub(super) live: StripeWorld,
    pub(super) keys: ApiKeys,
    pub(super) kept: IdempotencyKeys,
    pub(super) counts: RequestCounts,
    pub(super) faults: StripeFaults,
    pub(super) journal: StripeJournal,
}

impl StripeState {
    pub(super) fn world(&mut self, livemode: bool) -> &mut StripeWorld {
        if livemode {
            &mut self.live
        } else {
            &mut self.test
        }
    }

    pub(super) fn worlds(&mut self) -> [&mut StripeWorld; 2] {
        [&mut self.test, &mut self.live]
    }
}

impl StripeShared {
    pub(super) fn new(clock: Clock) -> Self {
        let state = StripeState {
            test: StripeWorld::new(false),
            live: StripeWorld::new(true),
            keys: ApiKeys::default(),
            kept: IdempotencyKeys::default(),
            counts: RequestCounts::default(),
            faults: StripeFaults::default(),
            journal: StripeJournal::default(),
        };
        Self {
            clock,
            url: OnceLock::new(),
            state: Mutex::new(state),
            transport: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// The state as it is now: what was due has happened.
    pub(super) fn lock(&self) -> MutexGuard<'_, StripeState> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now_ms().div_euclid(1000);
        for world in state.worlds() {
            if world.url.is_empty()
                && let Some(url) = self.url.get()
            {
                world.url.clone_from(url);
            }
            world.advance(now);
        }
        state
    }

    /// The way of events to endpoints.
    pub(super) fn transport(&self) -> MutexGuard<'_, WebhookTransport> {
        self.transport
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes all who wait for a change.
    pub(super) fn change<T>(&self, how: impl FnOnce(&mut StripeState) -> T) -> T {
        let result = how(&mut self.lock());
        self.changed.notify_waiters();
        result
    }
}
