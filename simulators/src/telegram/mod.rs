//! Telegram, as a bot sees it: a real HTTP server that behaves like `api.telegram.org` for invites,
//! membership, join requests and messages.
//!
//! Written from the Bot API's documentation and field list (`bot-api/methods.json`, version 10.1), never from a
//! client. Stricter than Telegram in one respect: what Telegram would ignore in silence (an unknown parameter, a
//! number that is none, an unknown update type) is refused with a description that says `simulator:`.
//!
//! Memory is bounded for a server that runs for weeks: logs are rings (`journal`), an inbox holds at most
//! [`inbox::MOST_PENDING`] updates, a chat the newest [`REMEMBERED_MESSAGES`], the world at most [`state::MOST_LINKS`]
//! links. People are kept for good.

mod chat;
mod checkout;
mod commands;
mod control;
mod conversation;
mod entities;
mod fault_rule;
mod faults;
mod forum;
pub mod inbox;
mod inspect;
mod join_request;
mod joining;
pub mod journal;
mod keyboard;
mod limit;
mod link;
mod media;
mod member;
mod methods;
mod params;
mod people;
mod person;
mod poll;
mod profile;
mod purchase;
mod queries;
mod refusal;
mod schema;
mod server;
mod shared;
pub mod state;
mod talk;
mod topic;
mod webhook;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

pub use crate::transport::Deliver;
pub use chat::{ChatKind, OWNER_ID};
pub use conversation::{Conversation, REMEMBERED_MESSAGES, SeenButton, SeenMessage};
pub use fault_rule::{Fault, FaultRule};
pub use forum::SeenTopic;
pub use joining::Tap;
pub use journal::{Call, Delivery, Violation};
pub use limit::{Limit, MessageLimits, VIOLATION_GRACE_MS};
pub use link::{Link, REMEMBERED_JOINERS};
pub use member::{MemberStatus, Rights, User};
pub use people::{ButtonTap, StartPayload, StartTap};
pub use purchase::Checkout;
pub use queries::CallbackAnswer;
pub use refusal::Refusal;

use crate::clock::Clock;
use crate::server::Server;
use crate::socket::Reset;
use crate::transport::WebhookTransport;
use shared::Shared;

/// A running Telegram. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Telegram {
    shared: Arc<Shared>,
    server: Arc<Server>,
}

impl Telegram {
    /// Starts the server; port 0 picks a free one. Webhooks may be plain HTTP to a loopback address.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub async fn start(listen: SocketAddr, clock: Clock) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(clock));
        let server = Server::start(listen, |stopped| {
            server::router(Arc::clone(&shared), stopped)
        })
        .await?;
        let transport = WebhookTransport::network();
        Ok(Self::running(shared, server, transport))
    }

    /// A Telegram that listens nowhere: [`Telegram::call`] is the only way to it, and updates leave by
    /// [`Telegram::deliver_to`]. Its URL is `http://telegram.invalid`. To be made within a tokio runtime.
    #[must_use]
    pub fn in_process(clock: Clock) -> Self {
        let shared = Arc::new(Shared::new(clock));
        let server = Server::in_process("http://telegram.invalid", |stopped| {
            server::router(Arc::clone(&shared), stopped)
        });
        Self::running(shared, server, WebhookTransport::default())
    }

    fn running(shared: Arc<Shared>, server: Server, transport: WebhookTransport) -> Self {
        *shared.transport() = transport;
        tokio::spawn(webhook::deliver_all(Arc::clone(&shared), server.stopped()));
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

    /// Waits until no update is pending for any bot: all were delivered, confirmed, or are too old.
    /// A bot with neither a webhook nor a poller keeps its updates, and this waits with it.
    pub async fn delivered(&self) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self
                .shared
                .lock()
                .world
                .bots
                .values()
                .all(|bot| bot.inbox.len() == 0)
            {
                return;
            }
            changed.await;
        }
    }

    /// Stops listening, ends what hangs, and delivers nothing more. The world stays readable.
    pub async fn stop(&self) {
        self.server.stop().await;
    }
}
