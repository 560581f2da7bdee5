//! What a deployment looks at: the account, the webhook endpoint, the portal.

use serde::Deserialize;

use domain::stripe::{API_VERSION, EVENT_TYPES};

use super::{Call, Stripe, StripeError};

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

impl WebhookEndpoint {
    /// What is wrong with it, in a sentence, if payments would not be heard of, or not in our words.
    #[must_use]
    pub fn mismatch(&self) -> Option<String> {
        let id = &self.id;
        if self.status != "enabled" {
            return Some(format!("Stripe's webhook endpoint {id} is {}", self.status));
        }
        if self.api_version.as_deref() != Some(API_VERSION) {
            return Some(format!(
                "Stripe's webhook endpoint {id} has not the API version {API_VERSION}"
            ));
        }
        let asks = |kind: &&str| {
            self.enabled_events
                .iter()
                .any(|own| own == "*" || own == kind)
        };
        let missing: Vec<&str> = EVENT_TYPES.into_iter().filter(|kind| !asks(kind)).collect();
        (!missing.is_empty()).then(|| {
            let missing = missing.join(", ");
            format!("Stripe's webhook endpoint {id} does not ask for {missing}")
        })
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
}
