//! NOWPayments, as a merchant and its customers see it: the API under `/v1`, the page of an invoice, the notifications
//! (IPNs), and payouts.
//!
//! Written from the service's documentation (<https://documenter.getpostman.com/view/7907941/2s93JusNJt>). What it doesn't
//! say is marked where it stands: the codes of most refusals, and whether a repeated deposit names its order. Left out, and
//! refused as unknown: customers' balances (`sub-partner`), subscriptions, conversions, fiat payments, a payout's date, and
//! wallets of the merchant's own. Stricter in one respect: what the service would ignore, such as an unknown field, is
//! refused with a message that says `simulator:`.
//!
//! Memory is bounded: logs are rings, and of invoices, payments and payouts the newest 50,000 are kept.

mod account;
mod api;
mod coin;
mod control;
mod decimal;
mod deliver;
mod deposit;
mod fault;
mod fields;
mod ipn;
mod js;
mod page;
mod payin;
mod payout;
mod payout_api;
mod refusal;
mod request;
mod server;
mod shared;
mod time;
mod withdraw;
mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

pub use crate::transport::Deliver;
pub use account::WrongAssets;
pub use control::SeenPayin;
pub use decimal::Decimal;
pub use deposit::Deposited;
pub use fault::{Trouble, TroubleRule};
pub use ipn::{IpnAttempt, IpnFate, IpnRule, REMEMBERED_IPNS};
pub use js::IpnForm;
pub use payin::PayinStatus;
pub use payout::WithdrawalStatus;
pub use shared::{ApiCall, REMEMBERED_API_CALLS};

use crate::clock::Clock;
use crate::server::Server;
use crate::socket::Reset;
use crate::transport::WebhookTransport;
use account::Account;
use shared::Shared;

/// A running NOWPayments with one account. Clones are the same one.
#[derive(Clone, Debug)]
pub struct NowPayments {
    shared: Arc<Shared>,
    server: Arc<Server>,
}

impl NowPayments {
    /// Starts the server; port 0 picks a free one. The account has this key and this login, and no IPN secret yet.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub async fn start(
        listen: SocketAddr,
        clock: Clock,
        api_key: &str,
        (email, password): (&str, &str),
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(clock, Account::new(api_key, email, password)));
        let server = Server::start(listen, |stopped| {
            server::router(Arc::clone(&shared), stopped)
        })
        .await?;
        Ok(Self::running(shared, server, WebhookTransport::network()))
    }

    /// A NOWPayments that listens nowhere: [`NowPayments::call`] is the only way to it, and notifications leave by
    /// [`NowPayments::deliver_to`]. Its URL is `http://nowpayments.invalid`. To be made within a tokio runtime.
    #[must_use]
    pub fn in_process(clock: Clock, api_key: &str, (email, password): (&str, &str)) -> Self {
        let shared = Arc::new(Shared::new(clock, Account::new(api_key, email, password)));
        let server = Server::in_process("http://nowpayments.invalid", |stopped| {
            server::router(Arc::clone(&shared), stopped)
        });
        Self::running(shared, server, WebhookTransport::default())
    }

    fn running(shared: Arc<Shared>, server: Server, transport: WebhookTransport) -> Self {
        *shared.transport() = transport;
        server.url().clone_into(&mut shared.lock().base);
        tokio::spawn(deliver::run(Arc::clone(&shared), server.stopped()));
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

    /// The base URL, without a slash at its end. The API is under `/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// Stops listening, ends what hangs, and delivers nothing more. The world stays readable.
    pub async fn stop(&self) {
        self.server.stop().await;
    }
}
