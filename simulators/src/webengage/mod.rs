//! WebEngage's REST API for events: a real HTTP server that validates, deduplicates, limits and remembers.
//!
//! Stricter than documented in three respects, so that a slip can't pass: an event with both ids is refused though
//! the documentation lets `userId` win, an attribute that is null is refused, and so is a request id that is not
//! hexadecimal. Memory is bounded: logs are rings of [`store::REMEMBERED`].

mod fault;
mod rules;
mod server;
pub mod store;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::{Request, Response};

pub use fault::{Failure, Mode};
pub use rules::{DataType, StoppedAttribute};
pub use store::{Attempt, IngestOutcome, Ingested};

use crate::clock::Clock;
use crate::server::Server;
use crate::socket::Reset;
use server::Shared;

/// The documented limit of `/events`, per minute.
pub const LIMIT_PER_MINUTE: u32 = 5000;

/// A running WebEngage with one account. Clones are the same one.
#[derive(Clone, Debug)]
pub struct WebEngage {
    shared: Arc<Shared>,
    server: Arc<Server>,
}

impl WebEngage {
    /// Starts the server; port 0 picks a free one.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub async fn start(
        listen: SocketAddr,
        clock: Clock,
        license: &str,
        api_key: &str,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(clock, license, api_key, LIMIT_PER_MINUTE));
        let server = Server::start(listen, |stopped| {
            server::router(Arc::clone(&shared), stopped)
        })
        .await?;
        Ok(Self {
            shared,
            server: Arc::new(server),
        })
    }

    /// A WebEngage that listens nowhere: [`WebEngage::call`] is the only way to it. Its URL is
    /// `http://webengage.invalid`.
    #[must_use]
    pub fn in_process(clock: Clock, license: &str, api_key: &str) -> Self {
        let shared = Arc::new(Shared::new(clock, license, api_key, LIMIT_PER_MINUTE));
        let server = Server::in_process("http://webengage.invalid", |stopped| {
            server::router(Arc::clone(&shared), stopped)
        });
        Self {
            shared,
            server: Arc::new(server),
        }
    }

    /// Does what the server does for one HTTP request, whatever its host: the same checks, faults and records. What was
    /// accepted goes on when the future is dropped, as it does when a client leaves.
    ///
    /// # Errors
    /// [`Reset`] if a fault cut the connection, or the server was stopped.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Reset> {
        self.server.call(request).await
    }

    /// The base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// How every event is treated from now on that no [`Failure`] catches.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.lock().mode = mode;
        self.shared.changed.notify_waiters();
    }

    /// The present mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared.lock().mode.clone()
    }

    /// Adds a rule after those that there are; the first that catches an event decides.
    pub fn fail(&self, failure: Failure) {
        self.shared.lock().failures.push(failure);
    }

    /// Drops all rules and goes back to [`Mode::Up`].
    pub fn recover(&self) {
        let mut store = self.shared.lock();
        store.failures.clear();
        store.mode = Mode::Up;
    }

    /// Accepts only this key from now on.
    pub fn set_api_key(&self, api_key: &str) {
        api_key.clone_into(
            &mut self
                .shared
                .api_key
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// How many requests a minute are admitted.
    pub fn set_limit(&self, per_minute: u32) {
        self.shared.lock().limit_per_minute = per_minute;
    }

    /// The newest events that were ingested, oldest first.
    #[must_use]
    pub fn ingested(&self) -> Vec<Ingested> {
        self.shared.lock().ingested.iter().cloned().collect()
    }

    /// How many events were ever ingested.
    #[must_use]
    pub fn ingested_count(&self) -> u64 {
        self.shared.lock().ingested_count
    }

    /// The newest attempts, oldest first, with those that were refused, repeated or cut off.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        self.shared.lock().attempts.iter().cloned().collect()
    }

    /// How many attempts ever came.
    #[must_use]
    pub fn attempt_count(&self) -> u64 {
        self.shared.lock().attempt_count
    }

    /// The attributes that changed their type.
    #[must_use]
    pub fn stopped(&self) -> Vec<StoppedAttribute> {
        self.shared.lock().stopped.iter().cloned().collect()
    }

    /// Waits until that many events were ever ingested.
    pub async fn ingested_at_least(&self, events: u64) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.ingested_count() >= events {
                return;
            }
            changed.await;
        }
    }

    /// Stops listening and ends what hangs. What was ingested stays readable.
    pub async fn stop(&self) {
        self.server.stop().await;
    }
}
