//! What buyers open in a browser: the page of a claim link, `GET /c/{token}`, which leads to the bot, and the page of an order,
//! `GET /pay/{orderId}?t=`, which says where its payment stands; `GET /v1/payment-status`, where programs ask the same; and the
//! public page of a product, `GET /p/{productId}`, which leads to the bot as well.
//!
//! None of them writes, calls or starts anything, however often it is asked: what a payment does is done by who hears of it.
//! They need no key: whoever has the token of a page has the page. The address of a page is a secret of its payer, so no line of
//! a log holds it.

mod claim;
mod code;
mod order;
mod product;
mod recent;
mod shell;
mod status;

use bytes::Bytes;
use domain::claim::{ClaimKeys, PublicUrl};
use domain::texts::Language;
use http::header::ACCEPT_LANGUAGE;
use http::{Method, Request, Response};
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::response::Rejection;
use runtime::settings;
use store::{BotInfos, Invites, Orders, Products};

use order::KeptPages;
use product::KeptProducts;
use status::Polls;

/// What the handler needs.
pub struct App {
    keys: ClaimKeys,
    invites: Invites,
    bots: BotInfos,
    pages: KeptPages,
    products: KeptProducts,
    polls: Polls,
    link_base: String,
    public_url: Option<PublicUrl>,
    origins: Vec<String>,
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
            pages: KeptPages::new(Orders::from_env(aws.dynamodb(), env)),
            products: KeptProducts::new(Products::from_env(aws.dynamodb(), env)),
            polls: Polls::default(),
            link_base: settings::telegram_link_base(env),
            public_url: settings::public_url(env),
            origins: settings::return_origins(env),
            default_language: settings::default_language(env),
            clock,
        }
    }
}

/// Answers one call.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    let is_head = request.method() == Method::HEAD;
    if !is_head && request.method() != Method::GET {
        return Rejection::MethodNotAllowed("GET, HEAD").answer();
    }
    let mut parts = request.uri().path().rsplit('/');
    let last = parts.next().unwrap_or_default();
    let mut answer = match (parts.next(), last) {
        (Some("v1"), "payment-status") => status::answer(app, &request).await,
        (Some("p"), id) => product::answer(app, &request, id).await,
        (Some("pay"), id) => order::answer(app, &request, id).await,
        (_, token) => claim::answer(app, &request, token).await,
    };
    if is_head {
        *answer.body_mut() = Bytes::new();
    }
    answer
}

/// What the query says of `name`, as it is written there.
fn parameter<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    let mut pairs = request.uri().query().unwrap_or_default().split('&');
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The language to show: the one that was chosen on the page, else the one that the browser wants.
fn language(app: &App, request: &Request<Bytes>) -> Language {
    let wanted = request.headers().get(ACCEPT_LANGUAGE);
    parameter(request, "lang")
        .and_then(Language::of_tag)
        .or_else(|| wanted?.to_str().ok().and_then(Language::of_browser))
        .unwrap_or(app.default_language)
}
