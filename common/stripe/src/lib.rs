//! The calls of Stripe's API that we make. Every failure tells what it means; none holds the key or a buyer's words.
//!
//! What changes something has an idempotency key or can be repeated by its nature, so each call may be made again after any
//! failure that [`PaymentFault`](domain::report::PaymentFault) does not say otherwise of.

mod checkout;
mod error;
mod reading;
mod setup;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use domain::report::Lookup;
use domain::stripe::{API_VERSION, CHARGE, ORDER_ID, REFUND_ID, StripeObject, StripeReport};
use runtime::http::{Http, Outgoing};
use runtime::trace;

use checkout::Form;

pub use checkout::{Period, Recurring, SessionRequest, coupon_id, session_key};
pub use error::{StripeError, Why};
pub use reading::{EventBody, EventPage};
pub use setup::{Account, EndpointFault, Right, WebhookEndpoint};

/// Where Stripe's API is.
pub const API_BASE: &str = "https://api.stripe.com";
/// Longest wait for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest answer, in bytes: a page of events.
const ANSWER_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The longest name of a coupon, in signs.
const COUPON_NAME_MAX: usize = 40;
const VERSION: HeaderName = HeaderName::from_static("stripe-version");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// One Stripe account.
#[derive(Clone)]
pub struct Stripe {
    http: Http,
    base: String,
    key: SecretString,
}

/// A Checkout Session, as its creation and its end answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Where the buyer pays, while it is open.
    pub url: Option<String>,
    /// When it ends, in seconds since the Unix epoch.
    pub expires_at: i64,
    /// Whether it is of live mode.
    pub is_live: bool,
}

/// When a subscription is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelAt {
    /// At once; nothing is given back by that.
    Now,
    /// With the period that is paid.
    PeriodEnd,
}

/// A refund to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundRequest<'a> {
    /// By what it is known: unique in its order.
    pub id: &'a str,
    /// The order.
    pub order: &'a str,
    /// The charge's key: an intent or an invoice.
    pub charge: &'a str,
    /// How much, in minor units; absent: all that is left.
    pub amount: Option<i128>,
}

pub(crate) struct Call<'a> {
    name: &'static str,
    method: Method,
    path: &'a str,
    form: Option<&'a str>,
    key: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub(crate) const fn get(name: &'static str, path: &'a str) -> Self {
        Self {
            name,
            method: Method::GET,
            path,
            form: None,
            key: None,
        }
    }

    const fn post(name: &'static str, path: &'a str, form: &'a str) -> Self {
        Self {
            name,
            method: Method::POST,
            path,
            form: Some(form),
            key: None,
        }
    }

    const fn known_by(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }
}

impl Stripe {
    /// The account of a secret or restricted key, at a base URL without a slash at its end.
    #[must_use]
    pub const fn new(http: Http, base: String, key: SecretString) -> Self {
        Self { http, base, key }
    }

    /// Whether a key is of live mode; nothing if it is none that calls can be made with.
    #[must_use]
    pub fn is_live_key(key: &str) -> Option<bool> {
        let (kind, rest) = key.split_once('_')?;
        let (mode, _) = rest.split_once('_')?;
        match (kind, mode) {
            _ if HeaderValue::from_str(key).is_err() => None,
            ("sk" | "rk", "live") => Some(true),
            ("sk" | "rk", "test") => Some(false),
            _ => None,
        }
    }

    /// Makes the session of an order by [`SessionRequest::form`], as it was stored. The same under the same key
    /// ([`session_key`]) gives the same session.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn create_session(&self, form: &str, key: &str) -> Result<Session, StripeError> {
        let path = "/v1/checkout/sessions";
        let call = Call::post("create session", path, form).known_by(key);
        self.session(call).await
    }

    /// Ends an open session. A refusal means that it is not open: look at it again.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn expire_session(&self, id: &str) -> Result<Session, StripeError> {
        let path = format!("/v1/checkout/sessions/{}/expire", segment(id));
        self.session(Call::post("expire session", &path, "")).await
    }

    async fn session(&self, call: Call<'_>) -> Result<Session, StripeError> {
        let name = call.name;
        let object = self.object(call).await?;
        let id = object.id().map(str::to_owned);
        let (Some(id), Some(expires_at)) = (id, object.integer("expires_at")) else {
            return Err(garbled(name));
        };
        Ok(Session {
            id,
            url: object.text("url").map(str::to_owned),
            expires_at,
            is_live: object.is("livemode"),
        })
    }

    /// Makes the coupon that takes `amount` off an order's first payment, by a name that the buyer reads, of which 40 signs
    /// are kept. One that exists already is that one.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn create_coupon(
        &self,
        order: &str,
        amount: i128,
        currency: &str,
        name: &str,
    ) -> Result<(), StripeError> {
        let name: String = name.chars().take(COUPON_NAME_MAX).collect();
        let mut form = Form::default();
        form.add("id", &coupon_id(order));
        form.add("name", &name);
        form.add("amount_off", &amount.to_string());
        form.add("currency", currency);
        form.add("duration", "once");
        form.add("max_redemptions", "1");
        form.add(&format!("metadata[{ORDER_ID}]"), order);
        let form = form.finish();
        let made = self.object(Call::post("create coupon", "/v1/coupons", &form));
        match made.await {
            Err(error) if error.code() == Some("resource_already_exists") => Ok(()),
            made => made.map(|_| ()),
        }
    }

    /// Makes a refund, known by its order and id for a day; later, look among [`Stripe::refunds`] first, by `refund_id` of
    /// their metadata.
    ///
    /// # Errors
    /// [`StripeError`]. With the code `charge_already_refunded` nothing is left, with `charge_disputed` a dispute has it.
    pub async fn create_refund(
        &self,
        request: RefundRequest<'_>,
    ) -> Result<StripeReport, StripeError> {
        let call = "create refund";
        let intents = self.intents(request.charge).await?;
        // Nothing to return by a card, if no intent paid the invoice.
        let intent = intents.first().ok_or_else(|| StripeError::unpaid(call))?;
        let mut form = Form::default();
        form.add("payment_intent", intent);
        if let Some(amount) = request.amount {
            form.add("amount", &amount.to_string());
        }
        form.add(&format!("metadata[{ORDER_ID}]"), request.order);
        form.add(&format!("metadata[{CHARGE}]"), request.charge);
        form.add(&format!("metadata[{REFUND_ID}]"), request.id);
        let (form, key) = (form.finish(), format!("{}#{}", request.order, request.id));
        let made = self.object(Call::post(call, "/v1/refunds", &form).known_by(&key));
        made.await.map(StripeReport::read)
    }

    /// Ends a subscription, or its renewals. One that has ended already is left as it is.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn cancel_subscription(&self, id: &str, at: CancelAt) -> Result<(), StripeError> {
        let path = format!("/v1/subscriptions/{}", segment(id));
        let call = match at {
            CancelAt::Now => Call {
                method: Method::DELETE,
                ..Call::get("cancel subscription", &path)
            },
            CancelAt::PeriodEnd => Call::post("end renewals", &path, "cancel_at_period_end=true"),
        };
        match self.object(call).await {
            Err(error) if error.is_missing() => Ok(()),
            Err(StripeError::Refused { .. }) if self.has_ended(id).await? => Ok(()),
            done => done.map(|_| ()),
        }
    }

    async fn has_ended(&self, subscription: &str) -> Result<bool, StripeError> {
        let lookup = Lookup::Subscription(subscription.to_owned());
        let found = self.fetch(&lookup).await?;
        let status = |report: &StripeReport| report.object().text("status") == Some("canceled");
        Ok(found.as_ref().is_none_or(status))
    }

    async fn object(&self, call: Call<'_>) -> Result<StripeObject, StripeError> {
        let name = call.name;
        let value: Value = self.call(call).await?;
        match value.is_object() {
            true => Ok(StripeObject::new(value)),
            false => Err(garbled(name)),
        }
    }

    pub(crate) async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, StripeError> {
        let name = call.name;
        let unfit = |error: http::header::InvalidHeaderValue| StripeError::NotSent {
            call: name,
            source: Box::new(error),
        };
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", self.key.expose_secret())).map_err(unfit)?;
        authorization.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, authorization),
            (VERSION, HeaderValue::from_static(API_VERSION)),
        ]);
        if let Some(key) = call.key {
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(key).map_err(unfit)?);
        }
        if call.form.is_some() {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(header::CONTENT_TYPE, form);
        }
        let url = format!("{}{}", self.base, call.path);
        let sent = self.http.send(Outgoing {
            method: call.method,
            url: &url,
            headers,
            body: call.form.unwrap_or_default().as_bytes().to_vec(),
            timeout: CALL_TIMEOUT,
            answer_max_bytes: ANSWER_MAX_BYTES,
        });
        let answer = trace::call("Stripe", name, sent, |answer| answer.status).await;
        let answer = answer.map_err(|error| StripeError::of_transport(name, error))?;
        if let Some(error) = StripeError::of_answer(name, &answer) {
            return Err(error);
        }
        serde_json::from_slice(&answer.body).map_err(|_| garbled(name))
    }
}

/// A success whose body is none of Stripe's.
pub(crate) const fn garbled(call: &'static str) -> StripeError {
    StripeError::Garbled { call, status: 200 }
}

/// An id as a part of a path.
pub(crate) fn segment(id: &str) -> String {
    form_urlencoded::byte_serialize(id.as_bytes()).collect()
}
