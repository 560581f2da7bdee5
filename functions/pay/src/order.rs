//! The page of an order, where its buyer sees where the payment stands and, once it is paid, the way in.
//!
//! ```text
//! check the token of the address --(nobody signed it)--> 404, without a read
//!       |
//! the page item of the order, which is kept for two seconds
//!       |
//! the name of the front bot, which is kept for a minute; without it the page lacks the help and the codes
//! ```

mod kept;
mod page;

use bytes::Bytes;
use domain::claim::{Claim, ClaimToken};
use domain::id::OrderId;
use domain::order::payment_status::PaymentStatus;
use domain::texts::Language;
use http::{Request, Response, StatusCode};
use runtime::telemetry::chain;
use store::{FrontBot, OrderPage};
use tracing::{info, warn};

use crate::App;
use crate::shell::Shell;
use page::OrderView;

pub(crate) use kept::{KeptPages, NotShown};

/// The page of an order, whose id is a part of the path.
pub(crate) async fn answer(app: &App, request: &Request<Bytes>, id: &str) -> Response<Bytes> {
    let language = crate::language(app, request);
    let token = crate::parameter(request, "t").unwrap_or_default();
    let order: Option<OrderId> = id.parse().ok();
    let Some(order) = order.filter(|order| app.keys.opens_page(*order, token)) else {
        info!(outcome = "unknown", "the page of an order was refused");
        return without_order(language, StatusCode::NOT_FOUND);
    };
    let now = app.clock.now();
    let (page, outcome) = match app.pages.get(order, &app.clock).await {
        Ok(None) => (without_order(language, StatusCode::NOT_FOUND), "unknown"),
        Err(NotShown) => (
            without_order(language, StatusCode::SERVICE_UNAVAILABLE),
            "unavailable",
        ),
        Ok(Some(page)) => {
            let front = front(app, order).await;
            let view = OrderView {
                order,
                token,
                page: &page,
                ways_in: ways_in(app, order, &page),
                public_url: app.public_url.as_ref(),
                bot: front.as_ref().map(|front| front.username.as_str()),
                link_base: &app.link_base,
                now,
            };
            (view.answer(language), page.state.as_str())
        }
    };
    info!(order.id = %order, outcome, "the page of an order was shown");
    page
}

/// A page that says what to do where no order is shown.
fn without_order(language: Language, status: StatusCode) -> Response<Bytes> {
    let words = language.claim_page();
    let head = match status {
        StatusCode::NOT_FOUND => words.unknown,
        _ => words.later,
    };
    Shell::of_head(language, status, head).answer()
}

async fn front(app: &App, order: OrderId) -> Option<FrontBot> {
    match app.bots.front_lately(app.clock.now()).await {
        Ok(front) => front,
        Err(fault) => {
            warn!(order.id = %order, outcome = "without_bot", "the page of an order does not name the bot: {}", chain(&fault));
            None
        }
    }
}

/// The claim links of an order that is paid, one per chat; of a gift the one to give away. Their requests may have moved on by now:
/// then their pages say so.
pub(crate) fn ways_in(app: &App, order: OrderId, page: &OrderPage) -> Vec<ClaimToken> {
    if page.state.payment_status() != PaymentStatus::Confirmed {
        return Vec::new();
    }
    if page.is_gift {
        let is_made = !page.requests.is_empty();
        return app
            .keys
            .sign_order(order)
            .filter(|_| is_made)
            .into_iter()
            .collect();
    }
    let tokens = page.requests.iter().filter_map(|request| {
        app.keys.sign(Claim {
            request_id: request.parse().ok()?,
            version: 0,
        })
    });
    tokens.collect()
}
