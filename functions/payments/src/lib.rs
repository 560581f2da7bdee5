//! `POST /v1/payments/{provider}`: what Stripe and NOWPayments report. It is verified, kept and answered; what it means is found
//! out by `settlement`, which a bell wakes.
//!
//! ```text
//! verify the raw bytes --(not genuine)--> 401, and nothing is kept
//!       |
//! put the event, if it is not there    die here, or a table that is down: not answered, so it is sent again
//! ring                                 die here, or a queue that is down: the sweeper rings within a minute
//! ```
//!
//! It asks nobody anything, so that it answers within the 3 seconds that NOWPayments waits.

use bytes::Bytes;
use domain::nowpayments::{self, CoinReport, IpnSecrets};
use domain::stripe::{self, EventHead, StripeSecrets};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::response::{Rejection, json};
use runtime::settings;
use runtime::telemetry::chain;
use serde::Serialize;
use store::PaymentEvents;
use store::queue::{PaymentBell, Queue};
use tracing::{error, info, warn};

/// What the handler needs.
pub struct App {
    stripe: Option<StripeSecrets>,
    nowpayments: Option<IpnSecrets>,
    events: PaymentEvents,
    bells: Queue<PaymentBell>,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        Self {
            stripe: settings::stripe_webhook_secrets(env),
            nowpayments: settings::nowpayments_ipn_secrets(env),
            events: PaymentEvents::from_env(aws.dynamodb(), env),
            bells: Queue::of_payments(aws.sqs(), env),
            clock,
        }
    }
}

/// An event that is genuine.
struct Genuine {
    key: String,
    /// What is kept of it: the body, and nothing of one that is too large, whose id is enough to ask for it.
    body: String,
}

#[derive(Serialize)]
struct Kept {
    ok: bool,
    result: &'static str,
}

/// Answers one call. A 200 means that the event is durable.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    let answer = keep(app, &request).await;
    answer.unwrap_or_else(|rejection| {
        info!(outcome = rejection.code(), "payment event refused");
        rejection.answer()
    })
}

async fn keep(app: &App, request: &Request<Bytes>) -> Result<Response<Bytes>, Rejection> {
    if request.method() != Method::POST {
        return Err(Rejection::MethodNotAllowed("POST"));
    }
    let provider = request.uri().path().rsplit('/').next();
    let (headers, body) = (request.headers(), request.body());
    let genuine = match provider {
        Some(stripe::PROVIDER) => of_stripe(app, headers, body)?,
        Some(nowpayments::PROVIDER) => of_nowpayments(app, headers, body)?,
        _ => return Err(Rejection::NotFound),
    };
    let unavailable = |fault| {
        error!(
            fault = "unavailable",
            "a payment event could not be kept: {}",
            chain(&fault)
        );
        Rejection::Unavailable
    };
    let put = app.events.put(&genuine.key, &genuine.body, app.clock.now());
    let is_new = put.await.map_err(unavailable)?;
    let result = if is_new { "kept" } else { "duplicate" };
    if is_new {
        let bell = PaymentBell::Event { key: genuine.key };
        if let Err(fault) = app.bells.ring(bell).await {
            warn!(
                fault = "unavailable",
                "settlement was not rung, the sweeper will: {}",
                chain(&fault)
            );
        }
    }
    info!(
        outcome = result,
        payment.provider = provider,
        "a payment event was kept"
    );
    Ok(json(StatusCode::OK, &Kept { ok: true, result }))
}

fn of_stripe(app: &App, headers: &HeaderMap, body: &Bytes) -> Result<Genuine, Rejection> {
    let secrets = app.stripe.as_ref().ok_or(Rejection::NotFound)?;
    let now = app.clock.now().seconds();
    let signature = text(headers, stripe::SIGNATURE_HEADER);
    let verified = secrets.verify(body, signature, now);
    verified.map_err(|_| refused(stripe::PROVIDER))?;
    let head = EventHead::parse(body).ok_or(Rejection::InvalidJson)?;
    Ok(Genuine {
        key: format!("{}#{}", stripe::PROVIDER, head.id),
        body: match body.len() <= stripe::BODY_MAX {
            true => as_text(body)?,
            false => String::new(),
        },
    })
}

fn of_nowpayments(app: &App, headers: &HeaderMap, body: &Bytes) -> Result<Genuine, Rejection> {
    let secrets = app.nowpayments.as_ref().ok_or(Rejection::NotFound)?;
    if body.len() > nowpayments::BODY_MAX {
        return Err(Rejection::TooLarge);
    }
    let signature = text(headers, nowpayments::SIGNATURE_HEADER);
    let verified = secrets.verify(body, signature);
    let ipn = verified.map_err(|_| refused(nowpayments::PROVIDER))?;
    let report = CoinReport::read(&ipn).map_err(|field| {
        warn!(
            fault = "payment_event_unreadable",
            payment.field = field,
            "a genuine notification of NOWPayments lacks a field, or has one that can't be read"
        );
        Rejection::InvalidParameter
    })?;
    Ok(Genuine {
        key: format!("{}#{}", nowpayments::PROVIDER, report.event_key()),
        body: as_text(body)?,
    })
}

fn refused(provider: &'static str) -> Rejection {
    warn!(
        outcome = "bad_signature",
        payment.provider = provider,
        "a payment event has no signature of its provider's"
    );
    Rejection::Unauthorized
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn as_text(body: &Bytes) -> Result<String, Rejection> {
    std::str::from_utf8(body)
        .map(str::to_owned)
        .map_err(|_| Rejection::InvalidJson)
}
