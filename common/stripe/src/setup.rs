//! What a deployment looks at: the account, the webhook endpoint, the portal, and what the key may do.

use http::Method;
use secrecy::ExposeSecret;
use serde::Deserialize;

use domain::stripe::{API_VERSION, EVENT_TYPES};

use super::checkout::Form;
use super::{Call, Stripe, StripeError, segment};

/// How the ids of orders do not look: no object of ours has this one.
const NOBODY: &str = "adm_nobody";

/// The account.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Whether it may take money.
    #[serde(default)]
    pub charges_enabled: bool,
    /// In which currency it settles, in small letters.
    pub default_currency: Option<String>,
}

/// A webhook endpoint.
#[derive(Debug, Deserialize)]
pub struct WebhookEndpoint {
    /// Its id.
    pub id: String,
    /// Where events go.
    pub url: String,
    /// `enabled`, unless somebody or Stripe switched it off.
    pub status: String,
    /// The version of its events; absent: the account's.
    pub api_version: Option<String>,
    /// The types that it asks for; `*` is all.
    pub enabled_events: Vec<String>,
    /// Whether it is of live mode.
    pub livemode: bool,
}

/// What is wrong with a webhook endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointFault {
    /// Its events have another version, which can't be changed: another endpoint must take its place.
    Version,
    /// It is switched off; [`Stripe::repair_endpoint`] switches it on.
    Off,
    /// It does not ask for these types; [`Stripe::repair_endpoint`] has it do so.
    Missing(Vec<&'static str>),
    /// It asks for these types as well, which nobody reads; [`Stripe::repair_endpoint`] leaves them out.
    Needless(Vec<String>),
}

impl WebhookEndpoint {
    /// What is wrong with it, the worst alone.
    #[must_use]
    pub fn fault(&self) -> Option<EndpointFault> {
        if self.api_version.as_deref() != Some(API_VERSION) {
            return Some(EndpointFault::Version);
        }
        if self.status != "enabled" {
            return Some(EndpointFault::Off);
        }
        let all = self.enabled_events.iter().any(|own| own == "*");
        let asks = |kind: &&str| all || self.enabled_events.iter().any(|own| own == kind);
        let missing: Vec<&str> = EVENT_TYPES.into_iter().filter(|kind| !asks(kind)).collect();
        if !missing.is_empty() {
            return Some(EndpointFault::Missing(missing));
        }
        let is_needless = |own: &&String| !EVENT_TYPES.contains(&own.as_str());
        let needless: Vec<String> = self
            .enabled_events
            .iter()
            .filter(is_needless)
            .cloned()
            .collect();
        (!needless.is_empty()).then_some(EndpointFault::Needless(needless))
    }
}

/// A right that a restricted key needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To make and to end sessions.
    Sessions,
    /// To make the coupon of a first payment that is less.
    Coupons,
    /// To give money back.
    Refunds,
    /// To end subscriptions.
    Subscriptions,
    /// To read what was paid.
    Charges,
    /// Likewise.
    Intents,
    /// To read what renewals were paid.
    Invoices,
    /// To read what banks dispute.
    Disputes,
    /// To read events that no webhook brought whole.
    Events,
}

impl Right {
    /// All that the functions need.
    pub const ALL: [Self; 9] = [
        Self::Sessions,
        Self::Coupons,
        Self::Refunds,
        Self::Subscriptions,
        Self::Charges,
        Self::Intents,
        Self::Invoices,
        Self::Disputes,
        Self::Events,
    ];

    /// As the form of Stripe's dashboard names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "Checkout Sessions: Write",
            Self::Coupons => "Coupons: Write",
            Self::Refunds => "Charges and Refunds: Write",
            Self::Subscriptions => "Subscriptions: Write",
            Self::Charges => "Charges and Refunds: Read",
            Self::Intents => "PaymentIntents: Read",
            Self::Invoices => "Invoices: Read",
            Self::Disputes => "Disputes: Read",
            Self::Events => "Events: Read",
        }
    }

    /// A call that needs the right and changes nothing: it reads, or is about an object that is not there.
    fn harmless(self) -> (Method, String, Option<&'static str>) {
        let reads = |list: &str| (Method::GET, format!("/v1/{list}?limit=1"), None);
        match self {
            Self::Sessions => (
                Method::POST,
                format!("/v1/checkout/sessions/{NOBODY}/expire"),
                Some(""),
            ),
            Self::Coupons => (Method::DELETE, format!("/v1/coupons/{NOBODY}"), None),
            Self::Refunds => (Method::POST, format!("/v1/refunds/{NOBODY}"), Some("")),
            Self::Subscriptions => (Method::DELETE, format!("/v1/subscriptions/{NOBODY}"), None),
            Self::Charges => reads("charges"),
            Self::Intents => reads("payment_intents"),
            Self::Invoices => reads("invoice_payments"),
            Self::Disputes => reads("disputes"),
            Self::Events => reads("events"),
        }
    }
}

#[derive(Deserialize)]
struct Configuration {
    features: Features,
}

#[derive(Deserialize)]
struct Features {
    subscription_update: Feature,
}

#[derive(Deserialize)]
struct Feature {
    enabled: bool,
}

#[derive(Deserialize)]
struct Listed<T> {
    data: Vec<T>,
}

impl Stripe {
    /// The account that the key is of.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn account(&self) -> Result<Account, StripeError> {
        self.call(Call::get("read account", "/v1/account")).await
    }

    /// The webhook endpoints of the account in the key's mode; Stripe allows 16.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>, StripeError> {
        let path = "/v1/webhook_endpoints?limit=100";
        let listed: Listed<_> = self.call(Call::get("list webhook endpoints", path)).await?;
        Ok(listed.data)
    }

    /// Whether Stripe's portal lets customers switch what they subscribed to, which no order would hear of; absent without a
    /// saved portal.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn portal_switches_plans(&self) -> Result<Option<bool>, StripeError> {
        let path = "/v1/billing_portal/configurations?is_default=true&active=true&limit=1";
        let call = Call::get("list portal configurations", path);
        let listed: Listed<Configuration> = self.call(call).await?;
        let default = listed.data.first();
        Ok(default.map(|default| default.features.subscription_update.enabled))
    }

    /// Whether the key is one with rights of its own.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.key.expose_secret().strip_prefix("rk_").is_some()
    }

    /// Whether the key has a right. Nothing is changed by asking.
    ///
    /// # Errors
    /// [`StripeError`] if it can't be told.
    pub async fn has_right(&self, right: Right) -> Result<bool, StripeError> {
        let (method, path, form) = right.harmless();
        let call = Call {
            method,
            form,
            ..Call::get("ask for a right", &path)
        };
        match self.object(call).await {
            Ok(_) => Ok(true),
            Err(error) if error.lacks_right() => Ok(false),
            // The key has the right: only the object is not there.
            Err(StripeError::Refused {
                status: 400 | 404, ..
            }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Has an endpoint ask for our events, and switches it on. Its URL and its secret stay. Done again, it changes nothing.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn repair_endpoint(&self, id: &str) -> Result<WebhookEndpoint, StripeError> {
        let mut form = Form::default();
        for (place, kind) in EVENT_TYPES.iter().enumerate() {
            form.add(&format!("enabled_events[{place}]"), kind);
        }
        form.add("disabled", "false");
        let (path, form) = (
            format!("/v1/webhook_endpoints/{}", segment(id)),
            form.finish(),
        );
        self.call(Call::post("repair webhook endpoint", &path, &form))
            .await
    }
}
