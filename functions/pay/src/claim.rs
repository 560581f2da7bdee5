//! The page of a claim link, which leads its buyer to the bot. It outlives a bot, whose name it looks up, and a web site of
//! Telegram's that is blocked, since it also opens the app and shows the text to send.
//!
//! ```text
//! open the token --(nobody signed it)--> 404, without a read
//!       |
//! read the request: claimable, claimed, replaced, voided, or gone
//!       |
//! the name of the front bot, which is kept for a minute
//! ```
//!
//! It binds nobody, and names nobody who claimed.

mod order;
mod page;

use bytes::Bytes;
use domain::claim::{Claim, ClaimRefusal, ClaimToken};
use http::{Request, Response};
use runtime::telemetry::chain;
use store::{FrontBot, StoreError};
use tracing::{error, info};

use crate::App;
use page::{ClaimPage, Door};

/// What a token is worth.
struct Shown {
    /// The claim, in the newest key's hand.
    token: ClaimToken,
    /// Why it can't be made, if it can't.
    refusal: Option<ClaimRefusal>,
    front: FrontBot,
}

/// The page of a token.
pub(crate) async fn answer(app: &App, request: &Request<Bytes>, token: &str) -> Response<Bytes> {
    if let Some(id) = app.keys.open_order(token) {
        return order::answer(app, request, id).await;
    }
    let claim = app.keys.open(token);
    let shown = match claim {
        Some(claim) => look(app, claim).await,
        None => Ok(None),
    };
    let page = match &shown {
        Ok(None) => ClaimPage::Unknown,
        Err(NotShown) => ClaimPage::Later,
        Ok(Some(shown)) => {
            let door = Door {
                link_base: &app.link_base,
                bot: &shown.front.username,
            };
            match shown.refusal {
                None => ClaimPage::Open(door, shown.token.clone()),
                Some(ClaimRefusal::Taken) => ClaimPage::Taken(door, shown.token.clone()),
                Some(ClaimRefusal::Replaced) => ClaimPage::Replaced(door),
                Some(ClaimRefusal::Voided) => ClaimPage::Voided(door),
                Some(ClaimRefusal::Unknown) => ClaimPage::Unknown,
            }
        }
    };
    let id = claim.map(|claim| tracing::field::display(claim.request_id));
    info!(
        invite.id = id,
        outcome = page.as_str(),
        "the page of a claim link was shown"
    );
    page.answer(crate::language(app, request))
}

/// The page can't be shown now; it is logged why.
struct NotShown;

/// What a claim is worth now; nothing if its request is gone.
async fn look(app: &App, claim: Claim) -> Result<Option<Shown>, NotShown> {
    let id = claim.request_id;
    let unavailable = |fault: StoreError| {
        error!(invite.id = %id, fault = "unavailable", "the page of a claim link could not be made: {}", chain(&fault));
        NotShown
    };
    let Some(invite) = app.invites.get(id).await.map_err(unavailable)? else {
        return Ok(None);
    };
    let front = app.bots.front_lately(app.clock.now()).await;
    let made = front.map_err(unavailable)?.zip(app.keys.sign(claim));
    let Some((front, token)) = made else {
        error!(invite.id = %id, fault = "configuration",
            "the page of a claim link leads nowhere, since setup has not yet written the name of the front bot: run it again");
        return Err(NotShown);
    };
    Ok(Some(Shown {
        token,
        refusal: invite.check_claim_link(claim).err(),
        front,
    }))
}
