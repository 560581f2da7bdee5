//! `GET /v1/payment-status`: where programs and pages ask whether an order is paid. It needs no key, reads what the page of the
//! order reads, and does nothing.
//!
//! How often one address asks for one order is counted in memory, so exactly on one machine and roughly on many. Nothing depends
//! on it: who asks more often is only answered less.

mod polls;

use bytes::Bytes;
use domain::id::OrderId;
use domain::order::fold::OrderState;
use domain::order::payment_status::PaymentStatus;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, ORIGIN,
    REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Request, Response, StatusCode};
use runtime::gateway::CallerAddress;
use runtime::response::{Rejection, json};
use serde::Serialize;
use store::OrderPage;
use tracing::info;

use crate::App;
use crate::order::{NotShown, ways_in};

pub(crate) use polls::Polls;

/// An answer: in snake case, as such answers are elsewhere, unlike all others of ours.
#[derive(Serialize)]
struct Told<'a> {
    status: &'static str,
    message: &'static str,
    data: ToldOrder<'a>,
}

#[derive(Serialize)]
struct ToldOrder<'a> {
    order_id: OrderId,
    payment_status: &'static str,
    confirmed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_url: Option<&'a str>,
}

/// Answers one call, also to the pages of shops.
pub(crate) async fn answer(app: &App, request: &Request<Bytes>) -> Response<Bytes> {
    let told = tell(app, request).await;
    let mut answer = told.unwrap_or_else(Rejection::answer);
    let headers = answer.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("origin"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let origin = request.headers().get(ORIGIN);
    let known = origin.filter(|origin| app.origins.iter().any(|known| known == *origin));
    if let Some(origin) = known {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let exposed = HeaderValue::from_static("retry-after");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    answer
}

async fn tell(app: &App, request: &Request<Bytes>) -> Result<Response<Bytes>, Rejection> {
    let id = crate::parameter(request, "order_id");
    let order: Option<OrderId> = id.and_then(|id| id.parse().ok());
    let order = order.ok_or(Rejection::InvalidParameter)?;
    let address = request.extensions().get::<CallerAddress>().copied();
    let polled = app.polls.count(order, address, app.clock.now());
    let next = polled.map_err(Rejection::TooManyRequests)?;
    let token = crate::parameter(request, "t");
    let is_buyer = token.is_some_and(|token| app.keys.opens_page(order, token));
    let page = match app.pages.get(order, &app.clock).await {
        Ok(Some(page)) => Some(page),
        // It was ordered a moment ago, since its address is known: its page follows.
        Ok(None) if is_buyer => None,
        Ok(None) => return Err(Rejection::NotFound),
        Err(NotShown) => return Err(Rejection::Unavailable),
    };
    let now = page.as_ref().map_or(OrderState::Open, |page| page.state);
    let state = now.as_str();
    info!(order.id = %order, outcome = state, "the state of an order was asked for");
    let shown = page.as_ref().filter(|_| is_buyer);
    let claim_url = shown.and_then(|page| claim_url(app, order, page));
    let status = now.payment_status();
    let told = Told {
        status: status.as_str(),
        message: now.sentence(),
        data: ToldOrder {
            order_id: order,
            payment_status: state,
            confirmed: status == PaymentStatus::Confirmed,
            claim_url: claim_url.as_deref(),
        },
    };
    let mut answer = json(StatusCode::OK, &told);
    let headers = answer.headers_mut();
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=2"),
    );
    headers.insert(RETRY_AFTER, HeaderValue::from(next));
    Ok(answer)
}

/// The page of the claim link of the first chat; of a gift that of the order.
fn claim_url(app: &App, order: OrderId, page: &OrderPage) -> Option<String> {
    let first = ways_in(app, order, page).into_iter().next()?;
    let link = app.public_url.as_ref()?.page_of_claim(&first);
    Some(link.expose().to_owned())
}
