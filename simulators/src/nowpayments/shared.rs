//! What the server, the passing of time and what tests do share.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::Notify;

use super::account::Account;
use super::fault::TroubleRule;
use super::ipn::{Ipn, Ipns};
use super::world::World;
use crate::clock::Clock;
use crate::transport::WebhookTransport;

/// How many calls are remembered, the newest.
pub const REMEMBERED_API_CALLS: usize = 10_000;

/// One call of the API, right or wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiCall {
    /// Method and path, ids as `{id}`: `GET /payment/{id}`; `?` if there is no such endpoint.
    pub endpoint: &'static str,
    /// The id in the path, or nothing.
    pub id: String,
    /// The body; null if there was none, or no JSON.
    pub body: Value,
    /// The HTTP status; 0 if the connection was cut or the call isn't answered yet.
    pub status: u16,
    /// When it came, in milliseconds.
    pub at_ms: i64,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    state: Mutex<State>,
    transport: Mutex<WebhookTransport>,
    /// Woken after every change of the state.
    pub(super) changed: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    /// The URL of the server, for the links of invoices.
    pub(super) base: String,
    pub(super) account: Account,
    pub(super) world: World,
    pub(super) ipns: Ipns,
    pub(super) troubles: Vec<TroubleRule>,
    pub(super) calls: VecDeque<ApiCall>,
    pub(super) call_count: u64,
}

impl Shared {
    pub(super) fn new(clock: Clock, account: Account) -> Self {
        Self {
            clock,
            state: Mutex::new(State {
                base: String::new(),
                account,
                world: World::default(),
                ipns: Ipns::new(),
                troubles: Vec::new(),
                calls: VecDeque::new(),
                call_count: 0,
            }),
            transport: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// The state as it is now: what was due has happened.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let now_ms = self.clock.now_ms();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { world, ipns, .. } = &mut *state;
        if world.pass(ipns, now_ms) {
            self.changed.notify_waiters();
        }
        state
    }

    /// The way of notifications.
    pub(super) fn transport(&self) -> MutexGuard<'_, WebhookTransport> {
        self.transport
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes all who wait for a change.
    pub(super) fn change<T>(&self, how: impl FnOnce(&mut State, i64) -> T) -> T {
        let result = how(&mut self.lock(), self.clock.now_ms());
        self.changed.notify_waiters();
        result
    }

    /// The notifications that set out now, and when there is something to do again.
    pub(super) fn ready(&self) -> (Vec<Ipn>, Option<i64>) {
        let mut state = self.lock();
        let now_ms = self.clock.now_ms();
        let ready: Vec<Ipn> = std::iter::from_fn(|| state.ipns.take(now_ms)).collect();
        let wakes = [state.ipns.wakes_at_ms(now_ms), state.world.wakes_at_ms()];
        (ready, wakes.into_iter().flatten().min())
    }
}

impl State {
    /// Notes a call as it comes, and gives its number.
    pub(super) fn arrived(&mut self, call: ApiCall) -> u64 {
        if self.calls.len() >= REMEMBERED_API_CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
        self.call_count += 1;
        self.call_count
    }

    pub(super) fn answered(&mut self, number: u64, status: u16) {
        let behind = usize::try_from(self.call_count - number).unwrap_or(usize::MAX);
        let index = self.calls.len().checked_sub(behind.saturating_add(1));
        if let Some(call) = index.and_then(|index| self.calls.get_mut(index)) {
            call.status = status;
        }
    }
}
