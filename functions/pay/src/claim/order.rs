//! The page of an order's claim link: it leads to the bot once the order is paid, and says so before.
//!
//! ```text
//! the page item of the order, which is kept for two seconds
//!       |--(not paid)--> says so; the payer's own page has another address, which this link does not show
//! its requests: claimable, claimed, replaced, voided
//!       |
//! the name of the front bot, which is kept for a minute
//! ```

use bytes::Bytes;
use domain::claim::{Claim, ClaimRefusal, ClaimToken};
use domain::id::OrderId;
use domain::order::payment_status::PaymentStatus;
use futures_util::future::try_join_all;
use http::{Request, Response};
use runtime::telemetry::chain;
use store::{FrontBot, OrderPage, StoreError};
use tracing::{error, info};

use super::page::{ClaimPage, Door};
use crate::App;
use crate::order::NotShown;

/// The page of an order's claim link, which was signed.
pub(super) async fn answer(app: &App, request: &Request<Bytes>, id: OrderId) -> Response<Bytes> {
    let shown = app.pages.get(id, &app.clock).await;
    let looked = match &shown {
        // One that failed is not paid any more.
        Ok(Some(order))
            if !order.requests.is_empty()
                || order.state.payment_status() == PaymentStatus::Failed =>
        {
            look(app, id, order).await.map(Some)
        }
        // It is shown once settlement has seen to the order, a moment after it was made.
        Ok(_) => Ok(None),
        Err(NotShown) => Err(NotShown),
    };
    let page = match &looked {
        Err(NotShown) => ClaimPage::Later,
        Ok(None) => ClaimPage::Unpaid,
        Ok(Some(found)) => {
            let door = Door {
                link_base: &app.link_base,
                bot: &found.front.username,
            };
            let token = found.token.clone();
            match found.refusal {
                None if found.is_gift => ClaimPage::Gift(door, token),
                None => ClaimPage::Open(door, token),
                Some(ClaimRefusal::Taken) => ClaimPage::Taken(door, token),
                Some(ClaimRefusal::Replaced) => ClaimPage::Replaced(door),
                Some(ClaimRefusal::Voided | ClaimRefusal::Unknown) => ClaimPage::Voided(door),
            }
        }
    };
    info!(order.id = %id, outcome = page.as_str(), "the page of an order's claim link was shown");
    page.answer(crate::language(app, request))
}

/// What the claim link of an order that was paid is worth.
struct Found {
    token: ClaimToken,
    is_gift: bool,
    refusal: Option<ClaimRefusal>,
    front: FrontBot,
}

async fn look(app: &App, id: OrderId, order: &OrderPage) -> Result<Found, NotShown> {
    let unavailable = |fault: StoreError| {
        error!(order.id = %id, fault = "unavailable", "the page of an order's claim link could not be made: {}", chain(&fault));
        NotShown
    };
    let refusal = match order.state.payment_status() {
        PaymentStatus::Failed => Some(ClaimRefusal::Voided),
        PaymentStatus::Confirmed | PaymentStatus::Pending => {
            refusal(app, order).await.map_err(unavailable)?
        }
    };
    let front = app.bots.front_lately(app.clock.now()).await;
    let made = front.map_err(unavailable)?.zip(app.keys.sign_order(id));
    let Some((front, token)) = made else {
        error!(order.id = %id, fault = "configuration",
            "the page of an order's claim link leads nowhere, since setup has not yet written the name of the front bot: run it again");
        return Err(NotShown);
    };
    Ok(Found {
        token,
        is_gift: order.is_gift,
        refusal,
        front,
    })
}

/// Why none of its seats can be claimed; nothing if one can.
async fn refusal(app: &App, order: &OrderPage) -> Result<Option<ClaimRefusal>, StoreError> {
    let ids = order.requests.iter().filter_map(|id| id.parse().ok());
    let invites = try_join_all(ids.map(|id| app.invites.get(id))).await?;
    let mut why = None;
    for invite in invites.into_iter().flatten() {
        let claim = Claim {
            request_id: invite.request_id,
            version: 0,
        };
        match invite.check_claim_link(claim) {
            Ok(()) => return Ok(None),
            Err(refusal) => why = why.or(Some(refusal)),
        }
    }
    // One whose requests are not to be found can't be claimed.
    Ok(Some(why.unwrap_or(ClaimRefusal::Unknown)))
}
