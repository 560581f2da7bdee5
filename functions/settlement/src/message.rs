//! What a buyer is told of an order, if they are known in Telegram and the bot may write to them.

use domain::id::ChatId;
use domain::message::{Class, Content, Message, MessageId};
use domain::order::record::{Order, OrderMessage};
use domain::person::Reachable;
use domain::texts::{Language, Name, Text};
use tracing::info;

use crate::{App, SettleError};

/// Has the buyer told. The message is known by the order and its kind, so that it is sent once, whoever asks for it again. Durable
/// on return.
pub(crate) async fn tell(
    app: &App,
    order: &Order,
    message: OrderMessage,
) -> Result<(), SettleError> {
    let now = app.clock.now();
    let Some(person) = order.buyer.telegram_user_id else {
        return Ok(());
    };
    let Some(front) = app.bots.front_lately(now).await? else {
        return Ok(());
    };
    let known = app.people.get(person).await?;
    let Some(known) = known.filter(|known| known.reachable == Reachable::Yes) else {
        info!(order.id = %order.id, outcome = "not_started", "a buyer is not told in private, since the bot can't write to them");
        return Ok(());
    };
    let language = Language::choose(known.language, None, app.default_language);
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
    let message = Message {
        id: MessageId::new(order.created_at, &cause),
        bot: front.bot,
        // A private chat has the id of its person.
        chat: ChatId(person.0),
        thread: None,
        class: Class::Transactional,
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
