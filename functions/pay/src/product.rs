//! The public page of a product, which leads into the bot and starts nothing: what the bot sells of it at this time, for Stars.
//!
//! ```text
//! read the id --(none)--> 404, without a read
//!       |
//! the product, which is kept for ten seconds; --(none)--> 404
//!       |
//! the name of the front bot, which is kept for a minute; --(none hears people)--> 404
//! ```
//!
//! It is for everybody, so it shows nothing of who gets the money, of coupons or of the chats.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::money::{AmountTable, PaymentProvider};
use domain::product::{Product, ProductId};
use domain::stars::CURRENCY;
use domain::texts::html::escape;
use domain::texts::{Language, ProductPageWords};
use domain::time::Timestamp;
use http::{Request, Response, StatusCode};
use runtime::telemetry::chain;
use store::{FrontBot, ProductRecord, Products, StoreError};
use tracing::{error, info};

use crate::App;
use crate::recent::Recent;
use crate::shell::Shell;

/// How long a product is kept: however many look at its page, it is read once in that time.
const KEPT: Duration = Duration::from_secs(10);
/// How many are kept at most.
const PRODUCTS_MAX: usize = 200;

/// What was read, and when. Who reads holds the lock, so that all others wait for the same answer.
type Slot = tokio::sync::Mutex<Option<(Timestamp, Option<Arc<ProductRecord>>)>>;

/// The products whose pages were looked at.
pub(crate) struct KeptProducts {
    products: Products,
    kept: Mutex<Recent<ProductId, Arc<Slot>>>,
}

impl KeptProducts {
    pub(crate) fn new(products: Products) -> Self {
        let kept = Mutex::new(Recent::new(PRODUCTS_MAX));
        Self { products, kept }
    }

    async fn get(
        &self,
        id: &ProductId,
        now: Timestamp,
    ) -> Result<Option<Arc<ProductRecord>>, StoreError> {
        let slot = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kept.of(id.clone()))
        };
        let mut read = slot.lock().await;
        if let Some((at, record)) = read.as_ref()
            && *at <= now
            && now.since(*at) < KEPT
        {
            return Ok(record.clone());
        }
        let record = self.products.get(id).await?.map(Arc::new);
        *read = Some((now, record.clone()));
        Ok(record)
    }
}

/// The page of a product, whose id is a part of the path.
pub(crate) async fn answer(app: &App, request: &Request<Bytes>, id: &str) -> Response<Bytes> {
    let language = crate::language(app, request);
    let words = language.product_page();
    let (page, outcome) = match look(app, id).await {
        Ok(Some((record, front))) => {
            let view = ProductView {
                product: &record.product,
                link_base: &app.link_base,
                bot: &front.username,
                now: app.clock.now(),
            };
            (view.answer(language), "shown")
        }
        Ok(None) => {
            let shell = Shell::of_head(language, StatusCode::NOT_FOUND, words.unknown);
            (shell.answer(), "unknown")
        }
        Err(NotShown) => {
            let shell = Shell::of_head(language, StatusCode::SERVICE_UNAVAILABLE, words.later);
            (shell.answer(), "unavailable")
        }
    };
    info!(outcome, "the page of a product was asked for");
    page
}

/// The page can't be shown now; it is logged why.
struct NotShown;

async fn look(app: &App, id: &str) -> Result<Option<(Arc<ProductRecord>, FrontBot)>, NotShown> {
    let unavailable = |fault: StoreError| {
        error!(
            fault = "unavailable",
            "the page of a product could not be made: {}",
            chain(&fault)
        );
        NotShown
    };
    let Ok(id) = id.parse::<ProductId>() else {
        return Ok(None);
    };
    let now = app.clock.now();
    let Some(record) = app.products.get(&id, now).await.map_err(unavailable)? else {
        return Ok(None);
    };
    // Where no bot hears people, the page would lead nowhere.
    let front = app.bots.front_lately(now).await.map_err(unavailable)?;
    Ok(front.map(|front| (record, front)))
}

/// A product, as everybody sees it.
struct ProductView<'a> {
    product: &'a Product,
    /// What links of Telegram's web site begin with.
    link_base: &'a str,
    /// The name of the front bot, without `@`.
    bot: &'a str,
    now: Timestamp,
}

impl ProductView<'_> {
    fn answer(&self, language: Language) -> Response<Bytes> {
        let words = language.product_page();
        let body = [
            self.prices(words),
            self.ways(language),
            format!("<p class=\"soft\">{}</p>", escape(words.how)),
        ];
        let shell = Shell {
            language,
            status: StatusCode::OK,
            title: &self.product.title,
            lead: &self.product.description,
            body: body.concat(),
            script: None,
            query: "",
        };
        shell.answer()
    }

    /// What the bot sells of it at this time.
    fn prices(&self, words: &ProductPageWords) -> String {
        let table = AmountTable::of_provider(PaymentProvider::Stars.as_str());
        let mut list = String::new();
        for tier in &self.product.tiers {
            let Some(stars) = tier.stars_price.filter(|_| tier.is_sold_at(self.now)) else {
                continue;
            };
            let renews = match tier.recurring {
                true => format!(", {}", words.renews),
                false => String::new(),
            };
            // Writing to a text can't fail.
            let _ = write!(
                list,
                "<dt>{}</dt><dd>{}</dd>",
                escape(&tier.title),
                escape(&format!(
                    "{}{renews}",
                    table.in_words(CURRENCY, stars.get())
                )),
            );
        }
        match list.is_empty() {
            true => format!("<p id=\"nothing\">{}</p>", escape(words.nothing)),
            false => format!("<dl>{list}</dl>"),
        }
    }

    /// The links to the bot, which shows this product there.
    fn ways(&self, language: Language) -> String {
        let (bot, payload) = (self.bot, format!("p_{}", self.product.id));
        let in_app = format!("tg://resolve?domain={bot}&start={payload}");
        let link = format!("{}/{bot}?start={payload}", self.link_base);
        format!(
            "<p class=\"ways\"><a class=\"way\" id=\"app\" href=\"{}\">{}</a><a class=\"way\" id=\"web\" href=\"{}\">{}</a></p>",
            escape(&in_app),
            escape(language.product_page().buy),
            escape(&link),
            escape(language.claim_page().in_browser),
        )
    }
}
