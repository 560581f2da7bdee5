//! Prices: for a wish, promised for a while; and of all tiers of a product, to choose from.

use domain::product::Tier;
use domain::quote::QuoteRejectionKind::UnknownTier;
use domain::quote::{
    Offer, Quote, QuoteId, QuoteRejection, QuoteRequest, QuotedPrice, ReferenceRate,
};
use runtime::body;
use runtime::response::{Refusal, Rejection};
use serde_json::{Value, json};
use store::ProductRecord;
use tracing::info;
use uuid::Uuid;

use crate::wish::{Asked, Wish, invalid};
use crate::{App, products, unavailable};

/// Promises a price. On a 200 it is durable.
pub(crate) async fn make(app: &App, body: &[u8]) -> Result<Value, Refusal> {
    body::check_size(body)?;
    let fields = Value::Object(body::fields(body)?);
    let asked: Asked =
        serde_path_to_error::deserialize(&fields).map_err(|error| invalid(format!("{error}.")))?;
    let quote = of(app, &asked).await?;
    app.quotes.put(&quote).await.map_err(unavailable)?;
    info!(quote.id = %quote.id, product.id = %quote.offer.product_id, tier.id = %quote.offer.tier.id,
        provider = quote.price.provider.as_str(), outcome = "quoted", "a price was promised");
    Ok(view(&quote))
}

/// What a call wants, at its price as of now. Nothing is stored.
pub(crate) async fn of(app: &App, asked: &Asked) -> Result<Quote, Refusal> {
    let named = |name: &str, id: &Option<String>| {
        id.clone()
            .ok_or_else(|| invalid(format!("{name}: is missing.")))
    };
    let product_id = named("productId", &asked.product_id)?;
    let tier_id = named("tierId", &asked.tier_id)?;
    let wish = Wish::read(app, asked)?;
    let unknown = || Refusal::from(QuoteRejection::from(UnknownTier));
    let record = products::get(app, &product_id).await;
    let record = record.map_err(|refusal| match refusal.rejection {
        Rejection::NotFound => unknown(),
        _ => refusal,
    })?;
    let tier = tier_id.parse().ok().and_then(|id| record.product.tier(&id));
    let tier = tier.ok_or_else(unknown)?;
    let price = price(app, &record, tier, &wish).await?;
    let offer = Offer::of(&record.product, record.version, tier, wish.months);
    let (id, now) = (QuoteId::of(Uuid::new_v4()), app.clock.now());
    Ok(Quote::new(id, offer, price, now, app.quote_ttl))
}

/// A quote, as it was promised; it may have ended.
pub(crate) async fn show(app: &App, id: &str) -> Result<Value, Refusal> {
    let none = || {
        let why = "There is no such quote, or it ended more than a day ago: ask for another one.";
        Refusal::saying(Rejection::NotFound, why)
    };
    let id: QuoteId = id.parse().map_err(|_| none())?;
    let quote = app.quotes.get(id).await.map_err(unavailable)?;
    Ok(view(&quote.ok_or_else(none)?))
}

/// What each tier of a product costs, and why one has no price. Nothing is promised.
pub(crate) async fn compare(app: &App, id: &str, query: &str) -> Result<Value, Refusal> {
    let mut fields = serde_json::Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if ["currency", "provider", "months"].contains(&&*name) {
            fields.insert(name.into_owned(), value.into_owned().into());
        } else {
            return Err(invalid(
                "The query takes currency, provider and months alone.",
            ));
        }
    }
    let asked: Asked = serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| invalid(format!("{error}.")))?;
    let wish = Wish::read(app, &asked)?;
    let record = products::get(app, id).await?;
    let mut quotes = Vec::new();
    for tier in &record.product.tiers {
        let mut view = match price(app, &record, tier, &wish).await {
            Ok(price) => price_view(&price),
            Err(refusal) => match refusal.rejection {
                Rejection::Quote(kind) => json!({"unavailable": kind.code()}),
                _ => return Err(refusal),
            },
        };
        view["tierId"] = tier.id.as_str().into();
        view["title"] = tier.title.as_str().into();
        view["level"] = tier.level.into();
        quotes.push(view);
    }
    let id = record.product.id.as_str();
    Ok(json!({"productId": id, "quotes": quotes}))
}

/// The price of a tier, as of now.
async fn price(
    app: &App,
    record: &ProductRecord,
    tier: &Tier,
    wish: &Wish,
) -> Result<QuotedPrice, Refusal> {
    let request = QuoteRequest {
        product: &record.product,
        tier,
        provider: wish.provider,
        currency: &wish.currency,
        months: wish.months,
        coupon: wish.coupon.as_ref(),
        is_referred: false,
        unused: 0,
        with_trial: wish.with_trial,
    };
    let source = request.source()?;
    let rate: Option<ReferenceRate> = match source.currency == wish.currency {
        true => None,
        false => app
            .quotes
            .rate(&source.currency, &wish.currency)
            .await
            .map_err(unavailable)?,
    };
    let price = request.price(&source, rate.as_ref(), app.rate_max_age, app.clock.now());
    Ok(price?)
}

fn price_view(price: &QuotedPrice) -> Value {
    let mut view = json!({
        "provider": price.provider, "currency": price.currency, "dueNow": price.due_now, "display": price.display,
        "lines": price.lines,
    });
    if let Some(recurring) = price.recurring {
        view["recurring"] = json!(recurring);
    }
    if let Some(days) = price.trial_days {
        view["trialDays"] = days.into();
    }
    if let Some(coupon) = &price.coupon {
        view["coupon"] = coupon.code.as_str().into();
    }
    view
}

fn view(quote: &Quote) -> Value {
    let mut view = price_view(&quote.price);
    view["quoteId"] = json!(quote.id);
    view["productId"] = json!(quote.offer.product_id);
    view["tierId"] = json!(quote.offer.tier.id);
    view["length"] = json!(quote.offer.length());
    view["createdAt"] = json!(quote.created_at);
    view["expiresAt"] = json!(quote.expires_at);
    view
}
