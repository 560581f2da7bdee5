//! `POST /v1/checkout`: an order for a price that was promised, or for a tier at its price of now, and the page of the provider on which it is paid.
//!
//! ```text
//! store the order, with the request that the provider will get    die here: the call is made again, under the same key
//! ask the provider                                                 die here: as above; a session that nobody was told of
//!                                                                  can't be paid, and ends by itself
//! store its answer, show the page                                  die here: as above; the same request gives the same session
//! answer
//! ```
//!
//! Called again under the same `Idempotency-Key`, it answers the same order, and goes on where the first call ended.

use ::nowpayments::InvoiceRequest;
use ::stripe::{Period, Recurring, SessionRequest, session_key};
use domain::claim::PublicUrl;
use domain::id::{OrderId, TelegramUserId};
use domain::money::PaymentProvider;
use domain::order::fact::{ChargeFact, ChargeStatus, FactBody, OrderFact};
use domain::order::record::{Checkout, Order, OrderBuyer};
use domain::ordering::{Placing, TRIAL};
use domain::product::TierLength;
use domain::purchase::USER_ID_MAX_CHARS;
use domain::quote::{Quote, QuoteId, QuoteRejection, QuoteRejectionKind, QuotedPrice};
use domain::report::PaymentFault;
use domain::stars::{self, StarInvoice};
use domain::text;
use http::HeaderMap;
use runtime::body;
use runtime::response::{Refusal, Rejection};
use runtime::telemetry::chain;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::queue::PaymentBell;
use store::{OrderKey, Ordered};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::elsewhere::{elsewhere, provider_of, told};
use crate::wish::{Asked as Wished, invalid, text_or_number};
use crate::{App, buyer, quotes, unavailable};

/// How often an order is read anew because somebody else wrote it, or its provider failed under a key.
const TRIES: u32 = 4;
const URL_MAX: usize = 2_000;
const EMAIL_MAX: usize = 254;
const KEY_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    quote_id: Option<String>,
    #[serde(default, deserialize_with = "text_or_number")]
    user_id: Option<String>,
    #[serde(default, deserialize_with = "text_or_number")]
    telegram_user_id: Option<String>,
    email: Option<String>,
    success_url: Option<String>,
    cancel_url: Option<String>,
    gift: Option<bool>,
}

/// What the provider is asked for, read and checked.
struct Ordering {
    quote: Quote,
    buyer: OrderBuyer,
    email: Option<String>,
    success_url: Option<String>,
    cancel_url: Option<String>,
    is_gift: bool,
}

/// Makes an order, or finds the one that a call of the same key made. On a 200 it can be paid.
pub(crate) async fn make(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    body::check_size(body)?;
    let key = idempotency_key(headers, body)?;
    let id = match &key {
        Some(key) => known(app.orders.made(key).await.map_err(unavailable)?)?,
        None => None,
    };
    let order = match id {
        Some(id) => id,
        None => {
            let asked = read(app, body).await?;
            let order = new_order(app, asked)?;
            if let Some(same) = buyer::check(app, &order).await? {
                let known_as = match &key {
                    Some(key) => app.orders.know(key, same, app.clock.now()).await,
                    None => Ok(Ordered::Known(same)),
                };
                let id = known(Some(known_as.map_err(unavailable)?))?.unwrap_or(same);
                return open(app, id).await;
            }
            // While its provider is left alone, nothing is ordered either: a seat would wait for nobody.
            if matches!(order.checkout, Checkout::Creating { .. })
                && let Some(left) = provider_of(&order)
                    .and_then(|provider| app.breakers.pause(provider, app.clock.now()))
            {
                return Err(elsewhere(app, &order, Some(left)).await);
            }
            let made = app
                .orders
                .create(&order, key.as_ref(), &app.reservations, app.clock.now())
                .await;
            let made = made.map_err(unavailable)?;
            info!(order.id = %order.id, product.id = %order.sold.product_id, outcome = "ordered", "an order was made");
            known(Some(made))?.unwrap_or(order.id)
        }
    };
    open(app, order).await
}

/// The order of an earlier call, if there was one.
fn known(made: Option<Ordered>) -> Result<Option<OrderId>, Refusal> {
    match made {
        None | Some(Ordered::New) => Ok(None),
        Some(Ordered::Known(id)) => Ok(Some(id)),
        Some(Ordered::OtherContent) => Err(Rejection::IdempotencyConflict.into()),
        Some(Ordered::SoldOut(pool)) if pool.starts_with(TRIAL) => Err(Rejection::TrialUsed.into()),
        Some(Ordered::SoldOut(pool)) => {
            let what = match pool.split_once('#') {
                Some(("coupon", _)) => {
                    "The coupon was used as often as it may be: ask for a quote without it."
                }
                _ => {
                    "All seats of the tier are sold or ordered: offer another tier, or try again later."
                }
            };
            Err(Refusal::saying(Rejection::SoldOut, what))
        }
    }
}

fn idempotency_key(headers: &HeaderMap, body: &[u8]) -> Result<Option<OrderKey>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().ok().map(str::trim);
    let key = key.filter(|key| (1..=KEY_MAX).contains(&key.len()));
    let key = key.ok_or_else(|| {
        invalid(format!(
            "Idempotency-Key: must be 1 to {KEY_MAX} characters of ASCII."
        ))
    })?;
    // The fields, not their order or spaces: a client that writes its maps anew says the same.
    let fields = Value::Object(body::fields(body)?);
    Ok(Some(OrderKey::new(key, fields.to_string().as_bytes())))
}

/// The fields that say what is bought, as for a quote; the others are of the order.
const WISH: [&str; 7] = [
    "productId",
    "tierId",
    "currency",
    "provider",
    "coupon",
    "months",
    "trial",
];

async fn read(app: &App, body: &[u8]) -> Result<Ordering, Refusal> {
    let (wish, fields): (Map<_, _>, Map<_, _>) = body::fields(body)?
        .into_iter()
        .partition(|(name, _)| WISH.contains(&name.as_str()));
    let asked: Asked = serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| invalid(format!("{error}.")))?;
    let wish: Wished = serde_path_to_error::deserialize(Value::Object(wish))
        .map_err(|error| invalid(format!("{error}.")))?;
    let quote = match &asked.quote_id {
        Some(id) => promised(app, id, &wish).await?,
        None if wish.product_id.is_none() => {
            return Err(invalid(
                "quoteId: is missing: name a quote, or productId, tierId and currency.",
            ));
        }
        None => quotes::of(app, &wish).await?,
    };
    let user_id = asked.user_id.as_deref().map(|user| {
        let user = text::filled_in(user)
            .filter(|user| (1..=USER_ID_MAX_CHARS).contains(&user.chars().count()));
        user.ok_or_else(|| {
            invalid(format!(
                "userId: must be 1 to {USER_ID_MAX_CHARS} characters."
            ))
        })
    });
    let person = asked.telegram_user_id.as_deref().map(|id| {
        let id: Option<i64> = id.parse().ok().filter(|id| (1..1_i64 << 52).contains(id));
        id.map(TelegramUserId)
            .ok_or_else(|| invalid("telegramUserId: must be the id of a person in Telegram."))
    });
    let email = asked.email.map(|email| {
        let is_email =
            email.len() <= EMAIL_MAX && email.contains('@') && !email.contains(char::is_whitespace);
        is_email
            .then_some(email)
            .ok_or_else(|| invalid("email: is no address."))
    });
    let buyer = OrderBuyer {
        user_id: user_id.transpose()?,
        telegram_user_id: person.transpose()?,
    };
    let is_once = quote
        .price
        .coupon
        .as_ref()
        .is_some_and(|coupon| coupon.once_per_person);
    if is_once && buyer.key().is_none() {
        return Err(invalid(
            "userId: must name the buyer, since the coupon is for one use a person.",
        ));
    }
    if quote.price.trial_days.is_some() && buyer.key().is_none() {
        return Err(invalid(
            "userId: must name the buyer, since the trial is for one use a person: or ask for a quote with trial false.",
        ));
    }
    let is_gift = asked.gift.unwrap_or(false);
    if is_gift && quote.price.recurring.is_some() {
        let why = "A gift is paid once: choose a tier that does not renew, or another provider.";
        let rejection = QuoteRejection {
            kind: QuoteRejectionKind::NotPossibleWithProvider,
            why: why.to_owned(),
        };
        return Err(rejection.into());
    }
    Ok(Ordering {
        is_gift,
        quote,
        buyer,
        email: email.transpose()?,
        success_url: return_url(app, "successUrl", asked.success_url)?,
        cancel_url: return_url(app, "cancelUrl", asked.cancel_url)?,
    })
}

/// The quote that a call names, which says all that is bought; the provider may be named again.
async fn promised(app: &App, id: &str, wish: &Wished) -> Result<Quote, Refusal> {
    let ended = || {
        let why = "There is no such quote, or it does not hold any more: ask for another one.";
        Refusal::saying(Rejection::QuoteExpired, why)
    };
    let id: QuoteId = id.parse().map_err(|_| ended())?;
    let quote = app.quotes.get(id).await.map_err(unavailable)?;
    let quote = quote.filter(|quote| quote.holds_at(app.clock.now()));
    let quote = quote.ok_or_else(ended)?;
    let of_quote = quote.price.provider;
    let only_provider = Wished {
        provider: wish.provider,
        ..Wished::default()
    };
    if *wish != only_provider || wish.provider.is_some_and(|named| named != of_quote) {
        return Err(invalid(format!(
            "quoteId: says what is bought, by {}: leave the fields of a quote out, or ask for another quote.",
            of_quote.as_str()
        )));
    }
    Ok(quote)
}

/// An address to which the provider leads the buyer back: of a site that the owner listed.
fn return_url(app: &App, field: &str, url: Option<String>) -> Result<Option<String>, Refusal> {
    let Some(url) = url else {
        return Ok(None);
    };
    let origin: String = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let is_plain = url.len() <= URL_MAX && url.bytes().all(|byte| byte.is_ascii_graphic());
    match is_plain && app.return_origins.contains(&origin) {
        true => Ok(Some(url)),
        false => Err(invalid(format!(
            "{field}: must begin with one of the addresses of RETURN_URL_ORIGINS."
        ))),
    }
}

fn new_order(app: &App, asked: Ordering) -> Result<Order, Refusal> {
    let price = &asked.quote.price;
    let now = app.clock.now();
    let id = OrderId::from_random(Uuid::new_v4().into_bytes());
    let placing = Placing {
        offer: &asked.quote.offer,
        price,
        buyer: &asked.buyer,
        is_gift: asked.is_gift,
    };
    let order = placing.order(id, app.rules, now);
    // Before anything is given: a buyer is led back to a page of ours.
    page_of(app, id)?;
    let is_free = price.due_now.get() == 0 && price.recurring.is_none();
    if is_free {
        let charge = ChargeFact {
            status: ChargeStatus::Paid,
            amount: 0,
            currency: order.terms.currency.clone(),
            at: now.seconds(),
            end: None,
            tax: None,
            flag: None,
            outcome: None,
        };
        let fact = OrderFact::new(format!("free_{id}"), FactBody::Charge(charge));
        let paid = order.learn([fact], now, app.hold).map_err(|fault| {
            error!(order.id = %id, fault = "order_unfit", "an order does not fit: {}", chain(&fault));
            Rejection::Unavailable
        })?;
        return Ok(paid.unwrap_or(order));
    }
    let request = request(app, &order, &asked)?;
    let checkout = Checkout::Creating {
        request,
        attempt: 0,
        off: taken_off(&asked.quote.price),
    };
    Ok(Order { checkout, ..order })
}

/// What the provider gets, byte for byte.
fn request(app: &App, order: &Order, asked: &Ordering) -> Result<String, Refusal> {
    let id = order.id.to_string();
    let page = page_of(app, order.id)?;
    let success_url = asked.success_url.clone().unwrap_or_else(|| page.clone());
    let cancel_url = asked.cancel_url.clone().unwrap_or(page);
    let price = &asked.quote.price;
    Ok(match price.provider {
        PaymentProvider::Stripe => {
            let recurring = price.recurring.map(|_| Recurring {
                every: period(asked.quote.offer.length()),
                trial_days: price.trial_days,
            });
            let full = price.recurring.unwrap_or(price.due_now).get();
            let request = SessionRequest {
                order: &id,
                title: &order.sold.title,
                amount: full,
                currency: &order.terms.currency,
                recurring,
                has_coupon: taken_off(price).is_some(),
                email: asked.email.as_deref(),
                success_url: &success_url,
                cancel_url: Some(&cancel_url),
                expires_at: order.pay_until.seconds(),
                is_taxed: app.is_taxed,
            };
            request.form()
        }
        PaymentProvider::NowPayments => {
            let callback_url = public_url(app)?.payments(PaymentProvider::NowPayments.as_str());
            let request = InvoiceRequest {
                order: &id,
                title: &order.sold.title,
                amount: order.terms.due,
                currency: &order.terms.currency,
                callback_url: &callback_url,
                success_url: &success_url,
                cancel_url: Some(&cancel_url),
            };
            request.body().ok_or(Rejection::Unavailable)?
        }
        PaymentProvider::Stars => {
            let invoice = StarInvoice {
                order: &id,
                title: &order.sold.title,
                amount: order.terms.due,
                is_recurring: order.terms.recurring,
            };
            invoice.body()
        }
    })
}

/// What the first payment of a subscription is less than later ones, in minor units; nothing of a trial, whose time is free.
fn taken_off(price: &QuotedPrice) -> Option<i64> {
    let later = price.recurring.filter(|_| price.trial_days.is_none())?;
    let off = later.get().checked_sub(price.due_now.get())?;
    i64::try_from(off).ok().filter(|off| *off > 0)
}

/// How often a tier renews.
const fn period(length: TierLength) -> Period {
    match length {
        TierLength::Days(days) => Period::Days(days),
        TierLength::Months(months) => Period::Months(months),
        // A tier for ever does not recur.
        TierLength::ForEver => Period::Years(3),
    }
}

/// Sees to it that an order can be paid, and answers where.
async fn open(app: &App, id: OrderId) -> Result<Value, Refusal> {
    for _ in 0..TRIES {
        let order = app.orders.get(id).await.map_err(unavailable)?;
        let order = order.ok_or(Rejection::NotFound)?;
        let asked = match &order.checkout {
            Checkout::Open { pay_url, .. } => return view(app, &order, Some(pay_url)),
            Checkout::Free => {
                ring(app, id).await;
                return view(app, &order, None);
            }
            Checkout::Creating {
                request,
                attempt,
                off,
            } => ask(app, &order, request, *attempt, *off),
        };
        if app.clock.now() >= order.pay_until || !order.is_payable() {
            let why = "The order can't be paid any more: ask for another quote, under another Idempotency-Key.";
            return Err(Refusal::saying(Rejection::QuoteExpired, why));
        }
        let provider = provider_of(&order);
        if let Some(provider) = provider
            && let Err(left) = app.breakers.admit(provider, app.clock.now())
        {
            return Err(elsewhere(app, &order, Some(left)).await);
        }
        let answer = asked.await;
        let left = provider.and_then(|provider| told(app, provider, id, &answer));
        match answer {
            Ok((object, pay_url)) => {
                let opened = order.opened(object, pay_url, app.clock.now());
                if let Some(stored) = app.orders.write(&opened).await.map_err(unavailable)? {
                    ring(app, id).await;
                    return view(app, &stored, stored.pay_url());
                }
            }
            // Its failure is kept under the key: the next one is asked under another.
            Err(PaymentFault::Failed) => {
                let next = order.attempted();
                app.orders.write(&next).await.map_err(unavailable)?;
            }
            // It will never take this one: what the order holds is for others.
            Err(PaymentFault::Refused) => {
                let given_up = order.learn([Order::cancelled()], app.clock.now(), app.hold);
                if let Ok(Some(given_up)) = given_up
                    && app
                        .orders
                        .write(&given_up)
                        .await
                        .map_err(unavailable)?
                        .is_some()
                {
                    ring(app, id).await;
                }
                return Err(elsewhere(app, &order, None).await);
            }
            Err(_) => return Err(elsewhere(app, &order, left).await),
        }
    }
    Err(Rejection::ProviderUnavailable.into())
}

/// Has the provider make the page; answers its object and the address.
async fn ask(
    app: &App,
    order: &Order,
    request: &str,
    attempt: u32,
    off: Option<i64>,
) -> Result<(String, String), PaymentFault> {
    let id = order.id.to_string();
    let failed = |fault: PaymentFault, sentence: String| {
        match fault {
            PaymentFault::Refused | PaymentFault::Key => {
                error!(order.id = %order.id, fault = "provider_refused", "a provider does not take an order: {sentence}");
            }
            _ => {
                warn!(order.id = %order.id, outcome = "provider_down", "a provider can't take an order now: {sentence}")
            }
        }
        fault
    };
    match order.terms.provider.as_str() {
        "stripe" => {
            let stripe = app.stripe.as_ref().ok_or(PaymentFault::Key)?;
            if let Some(off) = off {
                let made = stripe
                    .create_coupon(
                        &id,
                        i128::from(off),
                        &order.terms.currency,
                        &order.sold.title,
                    )
                    .await;
                made.map_err(|error| failed(error.fault(), chain(&error)))?;
            }
            let made = stripe
                .create_session(request, &session_key(&id, attempt))
                .await;
            let session = made.map_err(|error| failed(error.fault(), chain(&error)))?;
            let url = session.url.ok_or(PaymentFault::Failed)?;
            Ok((session.id, url))
        }
        "nowpayments" => {
            let nowpayments = app.nowpayments.as_ref().ok_or(PaymentFault::Key)?;
            let made = nowpayments.create_invoice(request).await;
            let invoice = made.map_err(|error| failed(error.fault(), chain(&error)))?;
            Ok((invoice.id, invoice.url))
        }
        stars::PROVIDER => {
            let bot = app.bot.as_ref().ok_or(PaymentFault::Key)?;
            let made = bot.create_invoice_link(request).await;
            let link = made.map_err(|error| failed(error.payment_fault(), chain(&error)))?;
            Ok((link.clone(), link))
        }
        _ => Err(PaymentFault::Refused),
    }
}

/// Has settlement show the page of the order, and do what a free one asks for. The order is due within a minute without it.
async fn ring(app: &App, id: OrderId) {
    if let Err(fault) = app.payment_bells.ring(PaymentBell::Order { id }).await {
        warn!(order.id = %id, fault = "unavailable", "settlement was not rung, the sweeper will: {}", chain(&fault));
    }
}

/// The address of our pages. Without one no provider is on, by the check of the environment.
fn public_url(app: &App) -> Result<&PublicUrl, Refusal> {
    app.public_url.as_ref().ok_or_else(|| {
        let why = "No provider is on: set its key, PUBLIC_URL and CLAIM_KEY.";
        QuoteRejection {
            kind: QuoteRejectionKind::NotPossibleWithProvider,
            why: why.to_owned(),
        }
        .into()
    })
}

/// The token of an order's page.
fn token_of(app: &App, id: OrderId) -> Result<String, Refusal> {
    let token = app.claim_keys.sign_page(id);
    token.ok_or_else(|| Rejection::Unavailable.into())
}

/// The page of an order, for its buyer.
fn page_of(app: &App, id: OrderId) -> Result<String, Refusal> {
    let page = public_url(app)?.order_page(id, &token_of(app, id)?);
    Ok(page.expose().to_owned())
}

fn view(app: &App, order: &Order, pay_url: Option<&String>) -> Result<Value, Refusal> {
    let url = public_url(app)?;
    let status_url = url.order_status(order.id, &token_of(app, order.id)?);
    let claim = app.claim_keys.sign_order(order.id);
    let claim = claim.ok_or(Rejection::Unavailable)?;
    let mut view = json!({
        "orderId": order.id,
        "status": order.state,
        "statusUrl": status_url,
        "pageUrl": page_of(app, order.id)?,
        "claimUrl": url.page_of_claim(&claim),
        "expiresAt": order.pay_until,
    });
    if let Some(url) = pay_url {
        view["payUrl"] = json!(url);
    }
    Ok(view)
}
