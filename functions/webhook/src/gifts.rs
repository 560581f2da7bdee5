//! Orders that are claimed as a whole, by their own claim link; and gifts, which begin when somebody claims them.
//!
//! ```text
//! for each chat of the order: bind, as in the module `claims`
//!     of a gift: put that it was claimed, unless that is there, and ring     die here: Telegram sends the update again, and
//!                                                                            whoever has it claims it once more
//! one answer
//! ```
//!
//! A gift has its time from its claim on. Its order learns that from the inbox; until then its seat has it from the claim itself.

use domain::button::ButtonData;
use domain::claim::{Claim, ClaimRefusal};
use domain::id::OrderId;
use domain::invite::Invite;
use domain::member::entitlement::Entitlement;
use domain::message::Class;
use domain::order::record::{Effect, Order};
use domain::own::OwnReport;
use domain::texts::{Label, Name, Text};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::queue::PaymentBell;
use tracing::{info, warn};

use crate::claims::Claimed;
use crate::conversation::Conversation;
use crate::{App, Failure};

impl Conversation<'_> {
    /// Claims the seats of an order. Who bought it for somebody else is asked, unless they are `sure`.
    pub(crate) async fn claim_order(&self, id: OrderId, is_sure: bool) -> Result<(), Failure> {
        let Some(order) = self.app.orders.get(id).await? else {
            return self.refuse(None, ClaimRefusal::Unknown).await;
        };
        let Some(entitlement) = order.entitlement else {
            info!(order.id = %id, outcome = "unpaid", "a claim was refused, since its order is not paid");
            return match order.is_payable() {
                true => self.answer(Text::ClaimUnpaid).await,
                false => self.refuse(None, ClaimRefusal::Voided).await,
            };
        };
        if entitlement.cut_at.is_some() {
            return self.refuse(None, ClaimRefusal::Voided).await;
        }
        let makes_way = |effect: &Effect| matches!(effect, Effect::Invite { .. });
        if order.pending.iter().any(makes_way) {
            // Paid a moment ago: its requests are being made.
            return self.answer(Text::ClaimUnpaid).await;
        }
        let mut all = Vec::new();
        for chat in &order.sold.chats {
            let claim = Claim {
                request_id: order.request_in(*chat),
                version: 0,
            };
            let claimed = self.claim_request(claim, is_sure).await?;
            if let Claimed::Asks(order) = claimed {
                return self.ask_of_gift(&order).await;
            }
            all.push((claim.request_id, claimed));
        }
        let is_bundle = all.len() > 1;
        let bound = |(_, claimed): &(_, Claimed)| matches!(claimed, Claimed::Bound(..));
        if is_bundle && all.iter().any(bound) {
            return self.show_seats(Text::AccessNothing).await;
        }
        match all.into_iter().next() {
            Some((request, claimed)) => self.answer_claim(request, claimed).await,
            None => self.refuse(None, ClaimRefusal::Unknown).await,
        }
    }

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

    /// The payer of a gift wants it for themselves. The button can be made up: it is theirs to press alone.
    pub(crate) async fn use_gift(&self, id: OrderId) -> Result<(), Failure> {
        let order = self.app.orders.get(id).await?;
        let is_payer = order.is_some_and(|order| {
            order.terms.gift && order.buyer.telegram_user_id == Some(self.person())
        });
        match is_payer {
            true => self.claim_order(id, true).await,
            false => self.answer(Text::ClaimUnknown).await,
        }
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
