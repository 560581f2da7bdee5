//! What a buyer and the owners are told of an order, if they are known in Telegram and the bot may write to them.

use domain::id::{ChatId, TelegramUserId};
use domain::message::{Class, Content, Message, MessageId};
use domain::order::record::{Effect, Order, OrderMessage, OwnerNews};
use domain::person::Reachable;
use domain::texts::{Address, Code, Language, Name, Text};
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
        OrderMessage::Paid => Text::OrderPaid { title },
        OrderMessage::Refunded => Text::OrderRefunded { title },
        OrderMessage::Underpaid => Text::OrderUnderpaid {
            title,
            missing: Name(missing.as_deref().unwrap_or_default()),
        },
    };
    let cause = format!("order#{}#{}", order.id, message.as_str());
    let id = MessageId::new(order.created_at, &cause);
    tell_buyer(app, order, id, &text).await
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
    let message = Message {
        id,
        bot: front.bot,
        // A private chat has the id of its person.
        chat: ChatId(person.0),
        thread: None,
        class,
        content: Content::Text {
            html: text.html(language),
            buttons: Vec::new(),
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
