//! Orders that are claimed as a whole, by their own claim link: each of their requests, one after the other, as in the module `claims`,
//! and one answer.

use domain::claim::{Claim, ClaimRefusal};
use domain::id::OrderId;
use domain::order::record::{Effect, Order};
use domain::texts::Text;
use tracing::info;

use crate::Failure;
use crate::claims::Claimed;
use crate::conversation::Conversation;

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
            self.end_own(&order).await?;
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

    /// Has the seats that the person claimed of an order learn what became of it: a claim may have died between binding a request
    /// and reading its order again, while the order's money went back.
    async fn end_own(&self, order: &Order) -> Result<(), Failure> {
        let (app, person) = (self.app, self.person());
        for chat in &order.sold.chats {
            let invite = app.invites.get(order.request_in(*chat)).await?;
            if let Some(own) = invite.filter(|invite| invite.bound_to == Some(person)) {
                let now = app.clock.now();
                app.seats.write_order(person, &own, &app.tasks, now).await?;
            }
        }
        Ok(())
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
