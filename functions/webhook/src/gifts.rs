//! Gifts, which begin when somebody claims them, as in the modules `claims` and `whole`.
//!
//! ```text
//! bind the request                                                        die here: Telegram sends the update again, and
//!                                                                         the same person claims it once more
//! put that it was claimed, unless that is there, and ring                 die here: the sweeper rings
//! ```
//!
//! A gift has its time from its claim on. Its order learns that from the inbox; until then its seat has it from the claim itself.

use domain::button::ButtonData;
use domain::invite::Invite;
use domain::member::entitlement::Entitlement;
use domain::message::Class;
use domain::order::record::Order;
use domain::own::OwnReport;
use domain::texts::{Label, Name, Text};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::queue::PaymentBell;
use tracing::{info, warn};

use crate::conversation::Conversation;
use crate::{App, Failure};

impl Conversation<'_> {
    /// Whether the person bought this for somebody else, and nobody has claimed it yet.
    pub(crate) fn gives(&self, order: &Order, invite: &Invite) -> bool {
        order.buyer.telegram_user_id == Some(self.person()) && invite.holder().is_none()
    }

    /// Asks the payer of a gift whether they want it for themselves.
    pub(crate) async fn ask_of_gift(&self, order: &Order) -> Result<(), Failure> {
        let chat = Name(&order.sold.title);
        let html = Text::ClaimAskGift { chat }.html(self.language);
        let buttons = vec![
            self.button(&Label::UseLink, ButtonData::UseGift(order.id)),
            self.button(&Label::KeepLink, ButtonData::KeepGift),
        ];
        self.say(Class::Reply, html, buttons).await
    }
}

/// The order of a request, if it is a gift.
pub(crate) async fn of(app: &App, invite: &Invite) -> Result<Option<Box<Order>>, Failure> {
    let Some(seat) = invite.order else {
        return Ok(None);
    };
    let order = app.orders.get(seat.order).await?;
    Ok(order.filter(|order| order.terms.gift).map(Box::new))
}

/// What a gift grants that is claimed `now`: what was not begun begins.
pub(crate) fn begun(entitlement: Entitlement, now: Timestamp) -> Entitlement {
    let start = Timestamp::from_seconds(now.seconds());
    Entitlement {
        start: entitlement.start.min(start),
        ..entitlement
    }
}

/// Has the order of a gift learn that somebody claimed it. Durable on return; the first time that was told is the one that counts.
pub(crate) async fn started(app: &App, order: &Order, now: Timestamp) -> Result<(), Failure> {
    let report = OwnReport::Claim {
        order: order.id,
        at: now.seconds(),
    };
    let key = report.event_key();
    if !app.payment_events.put(&key, &report.body(), now).await? {
        return Ok(());
    }
    info!(order.id = %order.id, outcome = "claimed", "a gift was claimed");
    if let Err(fault) = app.payment_bells.ring(PaymentBell::Event { key }).await {
        warn!(order.id = %order.id, fault = "unavailable", "settlement was not rung, the sweeper will: {}", chain(&fault));
    }
    Ok(())
}
