//! `GET /c/{token}`: the page of a claim link, which leads its buyer to the bot. It outlives a bot, whose name it looks up,
//! and a web site of Telegram's that is blocked, since it also opens the app and shows the text to send.
//!
//! ```text
//! open the token --(nobody signed it)--> 404, without a read
//!       |
//! read the request: claimable, claimed, replaced, voided, or gone
//!       |
//! the name of the front bot, which is kept for a minute
//! ```
//!
//! It binds nothing, calls nobody, writes nothing, and needs no key: whoever has the token has the link. It names nobody who
//! claimed. The address of the page is a secret of the payer, so no line of a log holds it.

mod code;
mod page;

use bytes::Bytes;
use domain::claim::{Claim, ClaimKeys, ClaimRefusal, ClaimToken};
use domain::texts::Language;
use http::header::ACCEPT_LANGUAGE;
use http::{Method, Request, Response};
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::response::Rejection;
use runtime::settings;
use runtime::telemetry::chain;
use store::{BotInfos, FrontBot, Invites, StoreError};
use tracing::{error, info};

use page::{ClaimPage, Door};

/// What the handler needs.
pub struct App {
    keys: ClaimKeys,
    invites: Invites,
    bots: BotInfos,
    link_base: String,
    default_language: Language,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let chats = settings::chats(env);
        let deliveries = settings::chat_deliveries(env, &chats);
        Self {
            keys: settings::claim_keys(env, &deliveries),
            invites: Invites::from_env(aws.dynamodb(), env),
            bots: BotInfos::from_env(aws.dynamodb(), env),
            link_base: settings::telegram_link_base(env),
            default_language: settings::default_language(env),
            clock,
        }
    }
}

/// What a token is worth.
struct Shown {
    /// The claim, in the newest key's hand.
    token: ClaimToken,
    /// Why it can't be made, if it can't.
    refusal: Option<ClaimRefusal>,
    front: FrontBot,
}

/// Answers one call.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    let is_head = request.method() == Method::HEAD;
    if !is_head && request.method() != Method::GET {
        return Rejection::MethodNotAllowed("GET, HEAD").answer();
    }
    let language = language(app, &request);
    let token = request.uri().path().rsplit('/').next().unwrap_or_default();
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
    let mut answer = page.answer(language);
    if is_head {
        *answer.body_mut() = Bytes::new();
    }
    answer
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

/// The language to show: the one that was chosen on the page, else the one that the browser wants.
fn language(app: &App, request: &Request<Bytes>) -> Language {
    let query = request.uri().query().unwrap_or_default();
    let chosen = query.split('&').find_map(|pair| pair.strip_prefix("lang="));
    let wanted = request.headers().get(ACCEPT_LANGUAGE);
    chosen
        .and_then(Language::of_tag)
        .or_else(|| wanted?.to_str().ok().and_then(Language::of_browser))
        .unwrap_or(app.default_language)
}
