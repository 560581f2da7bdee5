//! Stripe, as a seller sees it: a real HTTP server that behaves like `api.stripe.com` for hosted Checkout, payments,
//! refunds, disputes, subscriptions and webhooks, with the pages that a buyer's browser opens.
//!
//! Written from Stripe's documentation and its OpenAPI document (`stripe-api/`, version 2026-10-28.endive), never from a
//! client. Stricter than Stripe in one respect: a documented parameter that is not simulated is refused with a message
//! that begins with `simulator:`.
//!
//! What happens by itself happens by the clock: sessions expire, slow payments settle, subscriptions renew, invoices are
//! tried again, each at its own time, however far the clock is turned at once. Of what Stripe does not document with
//! figures, the gaps between tries of an invoice (3, 5, 7 days) and of a delivery are ours.
//!
//! One account, with its test mode and its live mode apart. Memory is bounded for a server that runs for weeks: logs are
//! rings ([`journal::REMEMBERED`]), and of each kind of object the newest [`MOST_OBJECTS`] are kept.

mod ask;
mod billing;
mod catalog;
mod checkout;
mod control;
mod coupon;
mod customer;
mod dispute;
mod endpoint;
mod event;
mod expand;
mod fault;
mod form;
mod idempotency;
pub mod journal;
mod keys;
mod kind;
mod limit;
mod list;
mod money;
mod outbox;
mod page;
mod payment;
mod portal;
mod refund;
mod refusal;
mod routes;
mod schema;
mod server;
mod session;
mod shared;
mod subscription;
mod terms;
mod values;
mod webhook;
mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

pub use crate::transport::Deliver;
pub use checkout::BuyerAction;
pub use dispute::DisputeStep;
pub use fault::{StripeFault, StripeFaultRule};
pub use journal::{StripeCall, StripeDelivery};
pub use limit::StripeLimits;
pub use outbox::{EventFault, EventRule, ReleaseOrder};
pub use refusal::StripeRefusal;
pub use schema::document;
pub use terms::{RefundPlan, RenewalOutcome};
pub use webhook::signature;
pub use world::{API_VERSION, MOST_OBJECTS};

use crate::clock::Clock;
use crate::server::Server;
use crate::socket::Reset;
use crate::transport::WebhookTransport;
use shared::StripeShared;

/// A running Stripe. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Stripe {
    shared: Arc<StripeShared>,
    server: Arc<Server>,
}

impl Stripe {
    /// Starts the server; port 0 picks a free one. Endpoints of loopback addresses may be plain HTTP.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub async fn start(listen: SocketAddr, clock: Clock) -> io::Result<Self> {
        let shared = Arc::new(StripeShared::new(clock));
        let server = Server::start(listen, |stopped| {
            server::router(Arc::clone(&shared), stopped)
        })
        .await?;
        Ok(Self::running(shared, server, WebhookTransport::network()))
    }

    /// A Stripe that listens nowhere: [`Stripe::call`] is the only way to it, and events leave by
    /// [`Stripe::deliver_to`]. Its URL is `http://stripe.invalid`. To be made within a tokio runtime.
    #[must_use]
    pub fn in_process(clock: Clock) -> Self {
        let shared = Arc::new(StripeShared::new(clock));
        let server = Server::in_process("http://stripe.invalid", |stopped| {
            server::router(Arc::clone(&shared), stopped)
        });
        Self::running(shared, server, WebhookTransport::default())
    }

    fn running(shared: Arc<StripeShared>, server: Server, transport: WebhookTransport) -> Self {
        *shared.transport() = transport;
        shared.url.get_or_init(|| server.url().to_owned());
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

    /// The base URL, without a slash at its end: of the API and of the pages.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// Waits until no event is on its way or due: all were delivered, or wait for a later try or a release.
    pub async fn delivered(&self) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let is_quiet = {
                let mut state = self.shared.lock();
                let now_ms = self.shared.clock.now_ms();
                state
                    .worlds()
                    .into_iter()
                    .all(|world| world.outbox.is_quiet(now_ms))
            };
            if is_quiet {
                return;
            }
            changed.await;
        }
    }

    /// Stops listening, ends what hangs, and delivers nothing more. The account stays readable.
    pub async fn stop(&self) {
        self.server.stop().await;
    }
}
