//! `/shop`, `/coupon`, `/gift` and `/start p_<product>`: what is for sale in Stars, a button each; and what the press of one makes: an
//! order, which `settlement` gives an invoice and shows to its buyer.

use std::time::Duration;

use domain::button::ButtonData;
use domain::id::OrderId;
use domain::message::{Button, ButtonAction, Class};
use domain::money::{AmountTable, PaymentProvider};
use domain::order::record::{Checkout, Effect, Order, OrderBuyer, OrderMessage};
use domain::ordering::Placing;
use domain::product::{CouponCode, Currency, OfferMark, Tier};
use domain::quote::{Offer, QuoteRequest, QuotedPrice};
use domain::stars::{CURRENCY, StarInvoice};
use domain::texts::{Code, Label, LabelName, Name, Text};
use futures_util::future::try_join_all;
use runtime::telemetry::chain;
use store::queue::PaymentBell;
use store::{OrderKey, Ordered, ProductRecord};
use tracing::{info, warn};

use crate::Failure;
use crate::conversation::Conversation;

/// How many tiers are shown: more buttons than that nobody reads.
const SHOWN_MAX: usize = 40;
/// How many pages of products are looked through, at most.
const PAGES_MAX: usize = 4;
/// How many orders of a person are looked at, the newest first.
const LOOKED_AT: i32 = 50;

/// What is looked for among what is for sale.
#[derive(Clone, Copy, Default)]
struct Wanted<'a> {
    /// Of this product alone.
    product: Option<&'a str>,
    /// What this coupon makes cheaper.
    coupon: Option<&'a CouponCode>,
    /// For somebody else, so what is paid once.
    is_gift: bool,
}

/// `/shop`.
pub(super) async fn run(conversation: &Conversation<'_>) -> Result<(), Failure> {
    offer(
        conversation,
        Wanted::default(),
        (Text::Shop, Text::ShopEmpty),
    )
    .await
}

/// `/start p_<product>`: who comes by the page of a product, or by a link to it.
pub(super) async fn show_product(
    conversation: &Conversation<'_>,
    product: &str,
) -> Result<(), Failure> {
    let wanted = Wanted {
        product: Some(product),
        ..Wanted::default()
    };
    offer(conversation, wanted, (Text::Shop, Text::ShopEmpty)).await
}

/// `/gift`. Without a key there is no link to pass on.
pub(super) async fn gifts(conversation: &Conversation<'_>) -> Result<(), Failure> {
    if !conversation.app.claim_keys.can_sign() {
        return conversation.answer(Text::ShopEmpty).await;
    }
    let wanted = Wanted {
        is_gift: true,
        ..Wanted::default()
    };
    offer(conversation, wanted, (Text::Gift, Text::ShopEmpty)).await
}

/// `/coupon <code>`. It reserves nothing: the order does.
pub(super) async fn coupon(
    conversation: &Conversation<'_>,
    arguments: &str,
) -> Result<(), Failure> {
    if arguments.is_empty() {
        let example = Code("/coupon SPRING");
        return conversation.answer(Text::HowTo { example }).await;
    }
    let Ok(code) = CouponCode::typed(arguments) else {
        return conversation.answer(Text::CouponUnknown).await;
    };
    let wanted = Wanted {
        coupon: Some(&code),
        ..Wanted::default()
    };
    let head = Text::CouponShop {
        code: Name(code.as_str()),
    };
    offer(conversation, wanted, (head, Text::CouponUnknown)).await
}

/// Shows what is wanted and for sale, a button each; `none` if there is nothing.
async fn offer(
    conversation: &Conversation<'_>,
    wanted: Wanted<'_>,
    (head, none): (Text<'_>, Text<'_>),
) -> Result<(), Failure> {
    let products = products(conversation).await?;
    let mut buttons = Vec::new();
    for record in &products {
        let product = &record.product;
        if wanted.product.is_some_and(|id| id != product.id.as_str()) {
            continue;
        }
        for tier in &product.tiers {
            if wanted.is_gift && tier.recurring {
                continue;
            }
            let Some(price) = price(conversation, record, tier, wanted.coupon) else {
                continue;
            };
            let offer = OfferMark::of(&product.id, record.version, &tier.id, wanted.coupon);
            let data = match wanted.is_gift {
                true => ButtonData::Give { offer },
                false => ButtonData::Buy { offer },
            };
            let stars = in_words(price.due_now.get());
            buttons.push(vec![Button {
                text: format!("{}, {}: {stars}", product.title, tier.title),
                action: ButtonAction::Callback(data.to_string()),
            }]);
        }
    }
    buttons.truncate(SHOWN_MAX);
    let text = match buttons.is_empty() {
        true => none,
        false => head,
    };
    let html = text.html(conversation.language);
    conversation.say(Class::Reply, html, buttons).await
}

fn in_words(stars: i128) -> String {
    AmountTable::of_provider(PaymentProvider::Stars.as_str()).in_words(CURRENCY, stars)
}

async fn products(conversation: &Conversation<'_>) -> Result<Vec<ProductRecord>, Failure> {
    let mut found = Vec::new();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let page = conversation.app.products.page(after.as_ref()).await?;
        found.extend(page.products);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(found)
}

/// Orders what a button offered. The same update makes one order.
///
/// ```text
/// store the order, its invoice still to be made    die here: the update comes again, and finds it by its key
/// ring                                             die here: it is due within a minute
/// ```
pub(crate) async fn buy(
    conversation: &Conversation<'_>,
    mark: OfferMark,
    is_gift: bool,
) -> Result<(), Failure> {
    let app = conversation.app;
    let products = products(conversation).await?;
    let offered = offered(&products, mark);
    let Some((record, tier, coupon)) = offered.filter(|(_, tier, _)| !(is_gift && tier.recurring))
    else {
        return conversation.answer(Text::ShopChanged).await;
    };
    let Some(price) = price(conversation, record, tier, coupon) else {
        return conversation.answer(Text::ShopChanged).await;
    };
    let offer = Offer::of(&record.product, record.version, tier, None);
    let wanted = order(conversation, &offer, &price, is_gift);
    let id = match before(conversation, &wanted).await? {
        Before::Answered => return Ok(()),
        Before::Same(order) => return show(conversation, &order).await,
        Before::Nothing => {
            let cause = conversation.cause;
            let key = format!("update#{}#{}", cause.bot, cause.update);
            let key = OrderKey::new(&key, key.as_bytes());
            let (now, held) = (app.clock.now(), &app.reservations);
            match app.orders.create(&wanted, Some(&key), held, now).await? {
                Ordered::New => wanted.id,
                Ordered::Known(id) => id,
                Ordered::SoldOut(_) | Ordered::OtherContent => {
                    return conversation.answer(Text::ShopSoldOut).await;
                }
            }
        }
    };
    info!(order.id = %id, product.id = %record.product.id, outcome = "ordered", "an order was made in the bot");
    ring(conversation, id).await;
    Ok(())
}

/// The tier and the coupon of a mark, if they are still offered as they were.
fn offered(
    products: &[ProductRecord],
    mark: OfferMark,
) -> Option<(&ProductRecord, &Tier, Option<&CouponCode>)> {
    for record in products {
        let product = &record.product;
        let codes = product.coupons.iter().map(|coupon| Some(&coupon.code));
        for coupon in std::iter::once(None).chain(codes) {
            let is_it =
                |tier: &&Tier| OfferMark::of(&product.id, record.version, &tier.id, coupon) == mark;
            if let Some(tier) = product.tiers.iter().find(is_it) {
                return Some((record, tier, coupon));
            }
        }
    }
    None
}

/// What a tier costs in Stars; nothing if it is not sold for them, or not now, or if nothing would be left to pay.
fn price(
    conversation: &Conversation<'_>,
    record: &ProductRecord,
    tier: &Tier,
    coupon: Option<&CouponCode>,
) -> Option<QuotedPrice> {
    let now = conversation.app.clock.now();
    tier.stars_price.filter(|_| tier.is_sold_at(now))?;
    let currency = Currency::stars();
    let request = QuoteRequest {
        product: &record.product,
        tier,
        provider: PaymentProvider::Stars,
        currency: &currency,
        months: None,
        coupon,
        is_referred: false,
        unused: 0,
        with_trial: false,
    };
    let source = request.source().ok()?;
    let price = request.price(&source, None, Duration::ZERO, now).ok();
    price.filter(|price| price.due_now.get() > 0)
}

/// The order, for which Telegram is still to be asked for an invoice, and which is to be shown then.
fn order(
    conversation: &Conversation<'_>,
    offer: &Offer,
    price: &QuotedPrice,
    is_gift: bool,
) -> Order {
    let app = conversation.app;
    let buyer = OrderBuyer {
        user_id: None,
        telegram_user_id: Some(conversation.person()),
    };
    let placing = Placing {
        offer,
        price,
        buyer: &buyer,
        is_gift,
    };
    let id = OrderId::from_random(fastrand::u128(..).to_be_bytes());
    let mut order = placing.order(id, app.order_rules, app.clock.now());
    let of_order = id.to_string();
    let invoice = StarInvoice {
        order: &of_order,
        title: &order.sold.title,
        amount: order.terms.due,
        is_recurring: order.terms.recurring,
    };
    order.checkout = Checkout::Creating {
        request: invoice.body(),
        attempt: 0,
        off: None,
    };
    order.pending.push(Effect::Message {
        message: OrderMessage::ToPay,
    });
    order
}

/// What a person has ordered before.
enum Before {
    Nothing,
    /// This stands for what they want.
    Same(Box<Order>),
    /// They were told why they can't order it.
    Answered,
}

async fn before(conversation: &Conversation<'_>, wanted: &Order) -> Result<Before, Failure> {
    let app = conversation.app;
    let (Some(buyer), now) = (wanted.buyer.key(), app.clock.now()) else {
        return Ok(Before::Nothing);
    };
    let ids = app.orders.of_buyer(&buyer, LOOKED_AT).await?;
    let found = try_join_all(ids.into_iter().map(|id| app.orders.get(id))).await?;
    let mut known = found.into_iter().flatten();
    let mut same = None;
    let mut open = 0;
    for order in known.by_ref() {
        if wanted.is_lasting() && order.is_owned(now) && order.sells_same(wanted) {
            let text = Text::ShopOwned;
            conversation.answer(text).await?;
            return Ok(Before::Answered);
        }
        open += usize::from(order.is_open_at(now));
        if same.is_none() && order.stands_for(wanted, now) {
            same = Some(order);
        }
    }
    match same {
        Some(same) => Ok(Before::Same(Box::new(same))),
        None if open >= app.open_orders_max => {
            conversation.answer(Text::ShopTooMany).await?;
            Ok(Before::Answered)
        }
        None => Ok(Before::Nothing),
    }
}

/// Shows an order that was made before once more.
async fn show(conversation: &Conversation<'_>, order: &Order) -> Result<(), Failure> {
    let Some(url) = order.pay_url() else {
        ring(conversation, order.id).await;
        return Ok(());
    };
    let language = conversation.language;
    let title = Name(&order.sold.title);
    let price = order.amount_in_words(order.terms.due);
    let button = Button {
        text: Label::Pay {
            price: LabelName(&price),
        }
        .plain(language),
        action: ButtonAction::Url(url.clone()),
    };
    let html = Text::OrderToPay { title }.html(language);
    conversation
        .say(Class::Reply, html, vec![vec![button]])
        .await
}

pub(super) async fn ring(conversation: &Conversation<'_>, id: OrderId) {
    let bells = &conversation.app.payment_bells;
    if let Err(fault) = bells.ring(PaymentBell::Order { id }).await {
        warn!(order.id = %id, fault = "unavailable", "settlement was not rung, the sweeper will: {}", chain(&fault));
    }
}
