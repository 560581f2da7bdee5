//! What is sold, and for how much, for shops with a key.
//!
//! ```text
//! GET  /v1/products                        what is sold
//! GET  /v1/products/{productId}
//! GET  /v1/products/{productId}/quotes     what its tiers cost, side by side; nothing is promised
//! POST /v1/quotes                          a price that is promised for a while
//! GET  /v1/quotes/{quoteId}
//! POST /v1/checkout                        an order for a quote, and where it is paid
//! ```
//!
//! Quoting twice makes two quotes, and neither reserves anything.

mod breaker;
mod buyer;
mod checkout;
mod elsewhere;
mod products;
mod quotes;
mod wish;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ::nowpayments::NowPayments;
use ::stripe::Stripe;
use bytes::Bytes;
use domain::claim::{ClaimKeys, PublicUrl};
use domain::money::PaymentProvider;
use domain::order::record::PayoutHold;
use domain::ordering::OrderRules;
use http::{Method, Request, Response, StatusCode};
use runtime::auth::Verifier;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::http::Http;
use runtime::response::{Refusal, Rejection, json};
use runtime::settings;
use runtime::telemetry::chain;
use serde_json::Value;
use store::queue::{PaymentBell, Queue};
use store::{Orders, Products, Quotes, Reservations, StoreError};
use telegram::Telegram;
use tracing::{error, info};

/// What the handler needs.
pub struct App {
    keys: Verifier,
    products: Products,
    quotes: Quotes,
    providers: BTreeSet<PaymentProvider>,
    quote_ttl: Duration,
    rate_max_age: Duration,
    stripe: Option<Stripe>,
    nowpayments: Option<NowPayments>,
    bot: Option<Telegram>,
    orders: Orders,
    reservations: Reservations,
    payment_bells: Queue<PaymentBell>,
    claim_keys: ClaimKeys,
    public_url: Option<PublicUrl>,
    return_origins: Vec<String>,
    rules: OrderRules,
    is_taxed: bool,
    hold: PayoutHold,
    open_orders_max: usize,
    coins_per_order: Option<BTreeMap<String, i128>>,
    coins_per_person: Option<BTreeMap<String, i128>>,
    breakers: breaker::Breakers,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let mode = settings::payments_mode(env);
        let public_url = settings::public_url(env);
        let stripe = settings::stripe_key(env, mode).map(|key| {
            let base = env.base_url("STRIPE_API_BASE", ::stripe::API_BASE);
            Stripe::new(Http::from_env(env), base, key)
        });
        let nowpayments = settings::nowpayments_key(env).map(|key| {
            let base = env.base_url("NOWPAYMENTS_API_BASE", ::nowpayments::API_BASE);
            NowPayments::new(Http::from_env(env), base, key, None)
        });
        let claim_keys = settings::page_keys(env);
        if (stripe.is_some() || nowpayments.is_some())
            && (public_url.is_none() || !claim_keys.can_sign())
        {
            env.problem(
                "PUBLIC_URL and CLAIM_KEY are needed where payments are taken: buyers come back to a page there"
                    .to_owned(),
            );
        }
        Self {
            stripe,
            nowpayments,
            bot: Telegram::front_from_env(env, &clock),
            orders: Orders::from_env(aws.dynamodb(), env),
            reservations: Reservations::from_env(aws.dynamodb(), env),
            payment_bells: Queue::of_payments(aws.sqs(), env),
            claim_keys,
            public_url,
            return_origins: settings::return_origins(env),
            rules: settings::order_rules(env, mode),
            is_taxed: settings::stripe_tax(env),
            hold: settings::payout_hold(env),
            open_orders_max: settings::open_orders_max(env),
            coins_per_order: settings::crypto_max_per_order(env),
            coins_per_person: settings::crypto_max_per_person(env),
            breakers: breaker::Breakers::default(),
            keys: Verifier::api_keys(env),
            products: Products::from_env(aws.dynamodb(), env),
            quotes: Quotes::from_env(aws.dynamodb(), env),
            providers: settings::payment_providers(env),
            quote_ttl: settings::quote_ttl(env),
            rate_max_age: settings::rate_max_age(env),
            clock,
        }
    }
}

/// What a shop asks for.
#[derive(Clone, Copy)]
enum ShopCall<'a> {
    Products,
    Product(&'a str),
    Compare(&'a str),
    MakeQuote,
    Quote(&'a str),
    Checkout,
}

impl<'a> ShopCall<'a> {
    /// Reads a method and a path.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], or [`Rejection::MethodNotAllowed`] if the route takes another method.
    fn read(method: &Method, path: &'a str) -> Result<Self, Rejection> {
        let (_, rest) = path.split_once("/v1/").ok_or(Rejection::NotFound)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (takes, call) = match parts[..] {
            ["products"] => ("GET", Self::Products),
            ["products", id] => ("GET", Self::Product(id)),
            ["products", id, "quotes"] => ("GET", Self::Compare(id)),
            ["quotes"] => ("POST", Self::MakeQuote),
            ["quotes", id] => ("GET", Self::Quote(id)),
            ["checkout"] => ("POST", Self::Checkout),
            _ => return Err(Rejection::NotFound),
        };
        match method.as_str() == takes {
            true => Ok(call),
            false => Err(Rejection::MethodNotAllowed(takes)),
        }
    }
}

/// Answers one call.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    match answer(app, &request).await {
        Ok(mut body) => {
            body["ok"] = true.into();
            json(StatusCode::OK, &body)
        }
        Err(refusal) => {
            info!(
                outcome = refusal.rejection.code(),
                "a call of a shop refused"
            );
            refusal.answer()
        }
    }
}

async fn answer(app: &App, request: &Request<Bytes>) -> Result<Value, Refusal> {
    if !app.keys.knows_api_key(request.headers()) {
        return Err(Rejection::Unauthorized.into());
    }
    let query = request.uri().query().unwrap_or_default();
    match ShopCall::read(request.method(), request.uri().path())? {
        ShopCall::Products => products::list(app, query).await,
        ShopCall::Product(id) => products::show(app, id).await,
        ShopCall::Compare(id) => quotes::compare(app, id, query).await,
        ShopCall::MakeQuote => quotes::make(app, request.body()).await,
        ShopCall::Quote(id) => quotes::show(app, id).await,
        ShopCall::Checkout => checkout::make(app, request.headers(), request.body()).await,
    }
}

fn unavailable(fault: StoreError) -> Rejection {
    error!(
        fault = "unavailable",
        "a call of a shop could not be served: {}",
        chain(&fault)
    );
    Rejection::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_takes_one_method_and_nothing_after_it() {
        for (right, path) in [
            ("GET", "/v1/products"),
            ("GET", "/v1/products/room"),
            ("GET", "/v1/products/room/quotes"),
            ("POST", "/v1/quotes"),
            ("POST", "/v1/checkout"),
            ("GET", "/v1/quotes/ac51f4db-4bc1-4c75-b824-613c155f6d40"),
        ] {
            for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
                let refused = ShopCall::read(&method, path).err();
                let expected =
                    (method.as_str() != right).then_some(Rejection::MethodNotAllowed(right));
                assert_eq!(refused, expected, "{method} {path}");
            }
        }
        for path in [
            "/v1/",
            "/v1/products/a/b",
            "/v1/products/a/quotes/b",
            "/v1/quotes/a/b",
            "/",
        ] {
            let refused = ShopCall::read(&Method::GET, path).err();
            assert_eq!(refused, Some(Rejection::NotFound), "{path}");
        }
    }
}
