//! When a provider can't take an order: for how long it is left alone, and who can be paid instead.

use std::time::Duration;

use domain::id::OrderId;
use domain::money::PaymentProvider;
use domain::order::record::Order;
use domain::report::PaymentFault;
use runtime::response::Refusal;
use tracing::warn;

use crate::{App, products};

/// Who takes the payment of an order.
pub(crate) fn provider_of(order: &Order) -> Option<PaymentProvider> {
    PaymentProvider::named(&order.terms.provider)
}

/// Has the breaker of a provider know how a call went; answers for how long it is left alone from now on.
pub(crate) fn told(
    app: &App,
    provider: PaymentProvider,
    order: OrderId,
    answer: &Result<(String, String), PaymentFault>,
) -> Option<Duration> {
    let fault = match answer {
        Ok(_) => {
            app.breakers.answered(provider);
            return None;
        }
        Err(fault) => *fault,
    };
    let pause = app
        .breakers
        .failed(provider, order, fault, app.clock.now())?;
    warn!(
        provider = provider.as_str(),
        outcome = "provider_paused",
        "a provider fails, and is asked again in {} s",
        pause.as_secs()
    );
    Some(pause)
}

/// The order's provider can't take it now; the providers that can, by another quote.
pub(crate) async fn elsewhere(app: &App, order: &Order, left: Option<Duration>) -> Refusal {
    let (own, now) = (provider_of(order), app.clock.now());
    let record = products::get(app, &order.sold.product_id).await.ok();
    let tier = order.sold.tier_id.parse().ok();
    let tier = tier.and_then(|id| record.as_ref()?.product.tier(&id));
    let is_sold_by = |provider: PaymentProvider| {
        tier.is_some_and(|tier| match provider {
            PaymentProvider::Stars => tier.stars_price.is_some(),
            PaymentProvider::Stripe | PaymentProvider::NowPayments => !tier.prices.is_empty(),
        })
    };
    let others = app.providers.iter().copied().filter(|provider| {
        Some(*provider) != own
            && app.breakers.pause(*provider, now).is_none()
            && is_sold_by(*provider)
    });
    Refusal::elsewhere(others.map(PaymentProvider::as_str).collect(), left)
}
