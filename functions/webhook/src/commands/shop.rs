//! `/shop`: what is for sale in Stars, a button each; and what the press of one makes: an order, which `settlement` gives an invoice
//! and shows to its buyer.

use std::time::Duration;

use domain::button::ButtonData;
use domain::id::OrderId;
use domain::message::{Button, ButtonAction, Class};
use domain::money::{AmountTable, PaymentProvider};
use domain::order::record::{Checkout, Effect, Order, OrderBuyer, OrderMessage};
use domain::ordering::Placing;
use domain::product::{Currency, OfferMark, Tier};
use domain::quote::{Offer, QuoteRequest, QuotedPrice};
use domain::stars::{CURRENCY, StarInvoice};
use domain::texts::{Label, LabelName, Name, Text};
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

pub(super) async fn run(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let now = conversation.app.clock.now();
    let products = products(conversation).await?;
    let mut buttons = Vec::new();
    for record in &products {
        for tier in &record.product.tiers {
            let Some(stars) = tier.stars_price.filter(|_| tier.is_sold_at(now)) else {
                continue;
            };
            let (product, price) = (&record.product.title, in_words(stars.get()));
            let offer = OfferMark::of(&record.product.id, record.version, &tier.id);
            buttons.push(vec![Button {
                text: format!("{product}, {}: {price}", tier.title),
                action: ButtonAction::Callback(ButtonData::Buy { offer }.to_string()),
            }]);
        }
    }
    buttons.truncate(SHOWN_MAX);
    let text = match buttons.is_empty() {
        true => Text::ShopEmpty,
        false => Text::Shop,
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
pub(crate) async fn buy(conversation: &Conversation<'_>, mark: OfferMark) -> Result<(), Failure> {
    let app = conversation.app;
    let products = products(conversation).await?;
    let Some((record, tier)) = offered(&products, mark) else {
        return conversation.answer(Text::ShopChanged).await;
    };
    let Some(price) = price(conversation, record, tier) else {
        return conversation.answer(Text::ShopChanged).await;
    };
    let offer = Offer::of(&record.product, record.version, tier, None);
    let wanted = order(conversation, &offer, &price);
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

/// The tier of a mark, if it is still offered as it was.
fn offered(products: &[ProductRecord], mark: OfferMark) -> Option<(&ProductRecord, &Tier)> {
    for record in products {
        for tier in &record.product.tiers {
            if OfferMark::of(&record.product.id, record.version, &tier.id) == mark {
                return Some((record, tier));
            }
        }
    }
    None
}

fn price(
    conversation: &Conversation<'_>,
    record: &ProductRecord,
    tier: &Tier,
) -> Option<QuotedPrice> {
    let currency = Currency::stars();
    let request = QuoteRequest {
        product: &record.product,
        tier,
        provider: PaymentProvider::Stars,
        currency: &currency,
        months: None,
        coupon: None,
        is_referred: false,
        unused: 0,
        with_trial: false,
    };
    let source = request.source().ok()?;
    let now = conversation.app.clock.now();
    request.price(&source, None, Duration::ZERO, now).ok()
}

/// The order, for which Telegram is still to be asked for an invoice, and which is to be shown then.
fn order(conversation: &Conversation<'_>, offer: &Offer, price: &QuotedPrice) -> Order {
    let app = conversation.app;
    let buyer = OrderBuyer {
        user_id: None,
        telegram_user_id: Some(conversation.person()),
    };
    let placing = Placing {
        offer,
        price,
        buyer: &buyer,
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

async fn ring(conversation: &Conversation<'_>, id: OrderId) {
    let bells = &conversation.app.payment_bells;
    if let Err(fault) = bells.ring(PaymentBell::Order { id }).await {
        warn!(order.id = %id, fault = "unavailable", "settlement was not rung, the sweeper will: {}", chain(&fault));
    }
}
