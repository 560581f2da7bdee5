//! What a call wants a price for, read field by field.

use domain::money::PaymentProvider;
use domain::product::{CouponCode, Currency};
use domain::quote::QuoteRejection;
use domain::quote::QuoteRejectionKind::{CouponNotValid, NotPossibleWithProvider};
use runtime::response::{Refusal, Rejection};
use serde::{Deserialize, Deserializer};

use crate::App;

/// The fields of a call, as they were written. One that is not known is refused: a misspelt coupon would be a higher price.
#[derive(Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Asked {
    #[serde(default, deserialize_with = "text_or_number")]
    pub(crate) product_id: Option<String>,
    #[serde(default, deserialize_with = "text_or_number")]
    pub(crate) tier_id: Option<String>,
    pub(crate) currency: Option<String>,
    pub(crate) provider: Option<PaymentProvider>,
    pub(crate) coupon: Option<String>,
    #[serde(default, deserialize_with = "text_or_number")]
    pub(crate) months: Option<String>,
    pub(crate) trial: Option<bool>,
}

/// Ids and numbers are taken as strings and as integers.
pub(crate) fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be a string or a whole number")]
    enum TextOrNumber {
        Text(String),
        Number(u64),
    }
    Ok(
        Option::deserialize(deserializer)?.map(|one: TextOrNumber| match one {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }),
    )
}

/// What is wished for of whichever tier.
pub(crate) struct Wish {
    pub(crate) provider: PaymentProvider,
    pub(crate) currency: Currency,
    pub(crate) coupon: Option<CouponCode>,
    pub(crate) months: Option<u32>,
    pub(crate) with_trial: bool,
}

pub(crate) fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::saying(Rejection::InvalidParameter, why)
}

impl Wish {
    /// Reads what is asked, and chooses a provider if none is named: of those that are on, the first that takes the currency.
    ///
    /// # Errors
    /// The field that is wrong, or that the provider is off.
    pub(crate) fn read(app: &App, asked: &Asked) -> Result<Self, Refusal> {
        let currency = match (asked.currency.as_deref(), asked.provider) {
            (None, Some(PaymentProvider::Stars)) => Currency::stars(),
            (None, _) => return Err(invalid("currency: is missing: name one, such as usd.")),
            (Some(text), _) => {
                Currency::named(text).map_err(|error| invalid(format!("currency: {error}.")))?
            }
        };
        let coupon = asked.coupon.as_deref().map(CouponCode::typed).transpose();
        // A code that can't be one is none of ours, as any other that we do not know.
        let coupon = coupon.map_err(|_| Refusal::from(QuoteRejection::from(CouponNotValid)))?;
        let months = asked.months.as_deref().map(str::parse).transpose();
        Ok(Self {
            provider: provider(app, asked.provider, &currency)?,
            currency,
            coupon,
            months: months.map_err(|_| invalid("months: must be a whole number."))?,
            with_trial: asked.trial.unwrap_or(true),
        })
    }
}

fn provider(
    app: &App,
    named: Option<PaymentProvider>,
    currency: &Currency,
) -> Result<PaymentProvider, Refusal> {
    let takes =
        |provider: PaymentProvider| (provider == PaymentProvider::Stars) == currency.is_stars();
    let on = || app.providers.iter().copied();
    let chosen = match named {
        Some(named) => on().find(|provider| *provider == named),
        None => on().find(|provider| takes(*provider)),
    };
    chosen.ok_or_else(|| {
        let on: Vec<&str> = on().map(PaymentProvider::as_str).collect();
        let why = format!(
            "The provider is off, or none takes {currency}: take one of {}.",
            on.join(", ")
        );
        QuoteRejection {
            kind: NotPossibleWithProvider,
            why,
        }
        .into()
    })
}
