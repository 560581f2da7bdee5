//! What a buyer and the owners are told of an order, if they are known in Telegram and the bot may write to them.

use domain::id::{ChatId, TelegramUserId};
use domain::message::{Button, ButtonAction, Class, Content, Message, MessageId};
use domain::order::record::{Effect, Order, OrderMessage, OwnerNews};
use domain::person::Reachable;
use domain::texts::{Address, Code, Label, LabelName, Language, Name, Text};
use domain::time::Timestamp;
use tracing::info;

use crate::{App, SettleError};

/// Has the buyer told. The message is known by the order and its kind, so that it is sent once, whoever asks for it again. Durable
/// on return.
pub(crate) async fn tell(
    app: &App,
    order: &Order,
    message: OrderMessage,
) -> Result<(), SettleError> {
    let title = Name(&order.sold.title);
    let missing = order
        .missing()
        .map(|missing| order.amount_in_words(missing));
    let text = match message {
        OrderMessage::ToPay => return ask_to_pay(app, order).await,
        OrderMessage::Paid if order.terms.gift => return give(app, order).await,
        OrderMessage::Paid => Text::OrderPaid { title },
        OrderMessage::Refunded => Text::OrderRefunded { title },
        OrderMessage::Underpaid => Text::OrderUnderpaid {
            title,
            missing: Name(missing.as_deref().unwrap_or_default()),
        },
    };
    tell_buyer(app, order, id_of(order, message), &text).await
}

fn id_of(order: &Order, message: OrderMessage) -> MessageId {
    let cause = format!("order#{}#{}", order.id, message.as_str());
    MessageId::new(order.created_at, &cause)
}

/// Gives the payer of a gift its claim link, to pass on.
async fn give(app: &App, order: &Order) -> Result<(), SettleError> {
    if order.buyer.telegram_user_id.is_none() {
        return Ok(());
    }
    let links = app.intake.claim_links();
    let link = links.link_of_order(order.id, app.clock.now()).await;
    let link = link.map_err(|rejection| SettleError::Refused(rejection.code()))?;
    let text = Text::GiftPaid {
        title: Name(&order.sold.title),
        link: Address(link.expose()),
    };
    tell_buyer(app, order, id_of(order, OrderMessage::Paid), &text).await
}

/// Shows the buyer where an order is paid, while it can be.
async fn ask_to_pay(app: &App, order: &Order) -> Result<(), SettleError> {
    let Some(person) = order.buyer.telegram_user_id else {
        return Ok(());
    };
    if !order.is_open_at(app.clock.now()) {
        return Ok(());
    }
    let Some(url) = order.pay_url() else {
        return Err(SettleError::Unclear("its invoice is not made yet"));
    };
    let text = Text::OrderToPay {
        title: Name(&order.sold.title),
    };
    let price = order.amount_in_words(order.terms.due);
    let label = Label::Pay {
        price: LabelName(&price),
    };
    let message = Effect::Message {
        message: OrderMessage::ToPay,
    };
    let id = MessageId::new(order.created_at, &cause(order, &message));
    let button = Some((label, url.as_str()));
    say_with(app, person, (id, Class::Transactional), &text, button).await
}

/// What the message of an effect is known by.
pub(crate) fn cause(order: &Order, effect: &Effect) -> String {
    format!("order#{}#{}", order.id, effect.id(order.id))
}

/// Has the buyer told that a renewal is not paid, and where they can see to it: once for each try of each invoice.
pub(crate) async fn notice(
    app: &App,
    order: &Order,
    id: MessageId,
    page: &str,
    needs_action: bool,
) -> Result<(), SettleError> {
    let (title, page) = (Name(&order.sold.title), Address(page));
    let text = match needs_action {
        true => Text::RenewalNeedsAction { title, page },
        false => Text::RenewalFailed { title, page },
    };
    tell_buyer(app, order, id, &text).await
}

async fn tell_buyer(
    app: &App,
    order: &Order,
    id: MessageId,
    text: &Text<'_>,
) -> Result<(), SettleError> {
    match order.buyer.telegram_user_id {
        Some(person) => say(app, person, id, Class::Transactional, text).await,
        None => Ok(()),
    }
}

/// Tells the owners of the deployment that something was sold, or that a person has to decide: each of them once.
pub(crate) async fn tell_owners(
    app: &App,
    order: &Order,
    news: &OwnerNews,
    at: Timestamp,
) -> Result<(), SettleError> {
    let (title, of_order) = (Name(&order.sold.title), order.id.to_string());
    let amount = order.amount_in_words(order.terms.due);
    let (text, class) = match news {
        OwnerNews::Sale if !app.tells_sales => return Ok(()),
        OwnerNews::Sale => {
            let amount = Name(&amount);
            // After whatever a buyer waits for.
            (Text::Sold { title, amount }, Class::Reply)
        }
        // Decided or over by then.
        OwnerNews::Case(case) if !order.cases.contains(case) => return Ok(()),
        OwnerNews::Case(case) => {
            let (case, order) = (Code(case), Code(&of_order));
            (
                Text::CaseOpened { title, case, order },
                Class::Transactional,
            )
        }
    };
    let effect = Effect::TellOwners {
        news: news.clone(),
        at,
    };
    let id = MessageId::new(at, &cause(order, &effect));
    for owner in &app.owners {
        say(app, *owner, id.clone(), class, &text).await?;
    }
    Ok(())
}

/// Has a person told something, if the bot may write to them.
async fn say(
    app: &App,
    person: TelegramUserId,
    id: MessageId,
    class: Class,
    text: &Text<'_>,
) -> Result<(), SettleError> {
    say_with(app, person, (id, class), text, None).await
}

/// The same, with a button that opens an address.
async fn say_with(
    app: &App,
    person: TelegramUserId,
    (id, class): (MessageId, Class),
    text: &Text<'_>,
    button: Option<(Label<'_>, &str)>,
) -> Result<(), SettleError> {
    let now = app.clock.now();
    let Some(front) = app.bots.front_lately(now).await? else {
        return Ok(());
    };
    let known = app.people.get(person).await?;
    let Some(known) = known.filter(|known| known.reachable == Reachable::Yes) else {
        info!(
            outcome = "not_started",
            "somebody is not told of an order in private, since the bot can't write to them"
        );
        return Ok(());
    };
    let language = Language::choose(known.language, None, app.default_language);
    let row = |(label, url): (Label<'_>, &str)| {
        vec![Button {
            text: label.plain(language),
            action: ButtonAction::Url(url.to_owned()),
        }]
    };
    let message = Message {
        id,
        bot: front.bot,
        // A private chat has the id of its person.
        chat: ChatId(person.0),
        thread: None,
        class,
        content: Content::Text {
            html: text.html(language),
            buttons: button.into_iter().map(row).collect(),
            protect: false,
            silent: false,
        },
        not_before: None,
        not_after: None,
    };
    app.messages.put(&message, now).await?;
    app.message_bells.ring(front.bot).await;
    Ok(())
}
