//! `/orders`: a person's newest orders, with the page of each and the end of a renewal, which asks once more.
//!
//! ```text
//! write the order, whose renewal is to end, under the revision that was read    die here: the update comes again
//! ring                                                                          die here: it is due within a minute
//! ```
//!
//! A button names an order and nothing else; whose it is and whether it renews is read when it is pressed.

use domain::button::ButtonData;
use domain::id::OrderId;
use domain::message::{Button, ButtonAction, Class};
use domain::order::record::{Order, OrderBuyer};
use domain::texts::html::{MESSAGE_UNITS, cut, escape};
use domain::texts::{Date, Label, LabelName, Name, Text};
use futures_util::future::try_join_all;
use tracing::info;

use super::shop;
use crate::Failure;
use crate::conversation::Conversation;

/// How many orders are shown, the newest.
const SHOWN: i32 = 8;
/// How often an order is read anew because somebody else wrote it.
const TRIES: u32 = 4;
/// Who cancelled an order, if its buyer did.
const BUYER: &str = "buyer";

pub(super) async fn run(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let (app, language) = (conversation.app, conversation.language);
    let buyer = OrderBuyer {
        user_id: None,
        telegram_user_id: Some(conversation.person()),
    };
    let Some(buyer) = buyer.key() else {
        return Ok(());
    };
    let ids = app.orders.of_buyer(&buyer, SHOWN).await?;
    let found = try_join_all(ids.into_iter().map(|id| app.orders.get(id))).await?;
    let orders: Vec<Order> = found.into_iter().flatten().collect();
    if orders.is_empty() {
        return conversation.answer(Text::OrdersNone).await;
    }
    let words = language.order_page();
    let mut parts = vec![Text::Orders.html(language)];
    let mut buttons = Vec::new();
    for order in &orders {
        let title = &order.sold.title;
        parts.push(format!(
            "<b>{}</b>: {}\n{}\n{}",
            Name(title),
            escape(&order.amount_in_words(order.terms.due)),
            escape(&language.date(Date(order.created_at))),
            escape(words.title_of(order.state)),
        ));
        let title = LabelName(title);
        buttons.extend(page_of(conversation, order).map(|url| {
            vec![Button {
                text: Label::OrderPage { title }.plain(language),
                action: ButtonAction::Url(url),
            }]
        }));
        if may_end(conversation, order) {
            let data = ButtonData::EndRenewal(order.id);
            buttons.push(conversation.button(&Label::EndRenewal { title }, data));
        }
    }
    let html = cut(&parts.join("\n\n"), MESSAGE_UNITS);
    conversation.say(Class::Reply, html, buttons).await
}

/// The address of the order's page, where there is one.
fn page_of(conversation: &Conversation<'_>, order: &Order) -> Option<String> {
    let app = conversation.app;
    let token = app.claim_keys.sign_page(order.id)?;
    let page = app.public_url.as_ref()?.order_page(order.id, &token);
    Some(page.expose().to_owned())
}

/// Whether it is this person's, and renews.
fn may_end(conversation: &Conversation<'_>, order: &Order) -> bool {
    let is_theirs = order.buyer.telegram_user_id == Some(conversation.person());
    let gives = order.entitlement.is_some_and(|of| of.cut_at.is_none());
    is_theirs && order.terms.recurring && gives && order.renews()
}

/// "End the renewal": asks first.
pub(crate) async fn ask(conversation: &Conversation<'_>, id: OrderId) -> Result<(), Failure> {
    let order = conversation.app.orders.get(id).await?;
    let Some(order) = order.filter(|order| may_end(conversation, order)) else {
        return conversation.answer(Text::RenewalOver).await;
    };
    let title = Name(&order.sold.title);
    let html = Text::RenewalEndAsk { title }.html(conversation.language);
    let buttons = vec![
        conversation.button(&Label::EndRenewalYes, ButtonData::EndRenewalYes(id)),
        conversation.button(&Label::EndRenewalNot, ButtonData::EndRenewalNot),
    ];
    conversation.say(Class::Reply, html, buttons).await
}

/// Yes to that question: has the provider renew it no more. What is paid is kept.
pub(crate) async fn end_renewal(
    conversation: &Conversation<'_>,
    id: OrderId,
) -> Result<(), Failure> {
    let app = conversation.app;
    for _ in 0..TRIES {
        let order = app.orders.get(id).await?;
        let Some(order) = order.filter(|order| may_end(conversation, order)) else {
            return conversation.answer(Text::RenewalOver).await;
        };
        let Ok(cancelled) = order.cancel(BUYER, app.clock.now()) else {
            return conversation.answer(Text::RenewalOver).await;
        };
        if app.orders.write(&cancelled).await?.is_some() {
            info!(order.id = %id, outcome = "renewal_ended", "a person ended the renewal of a subscription of theirs");
            shop::ring(conversation, id).await;
            let title = Name(&order.sold.title);
            return conversation.answer(Text::RenewalEnding { title }).await;
        }
    }
    Err(Failure::from("an order changes all the time"))
}
