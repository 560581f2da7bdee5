//! What objects say, as facts. A sentence instead of facts says why they can't be told.

use super::super::order::fact::{
    ChargeFact, ChargeFlag, ChargeStatus, Closing, DisputeFact, DisputeStatus, FactBody, OrderFact,
    RefundFact, RefundStatus, RenewalStatus,
};
use super::super::report::{OrderSeen, PaymentNotice, PaymentRef, Said};
use super::object::StripeObject;

type Told = Result<Said, &'static str>;

const AMOUNT: &str = "it has no amount";
const CURRENCY: &str = "it has no currency";

/// A session with its payment: the charge of an order paid once, the first of a subscription, or the end of checkout.
pub(super) fn session(session: &StripeObject, id: &str, order: &OrderSeen<'_>) -> Told {
    let mut said = match session.text("mode") {
        Some("payment") => once(session, id, order)?,
        Some("subscription") => first_invoice(session, order)?,
        _ => return Ok(Said::default()),
    };
    said.refs.push(reference(id, None));
    // Another session of the order may still be open: one that nobody was told of ends by itself, too.
    if session.text("status") == Some("expired") && order.checkout == Some(id) {
        said.facts.push(OrderFact::new(
            Closing::Expired.as_str(),
            FactBody::Closed(Closing::Expired),
        ));
    }
    Ok(said)
}

fn once(session: &StripeObject, id: &str, order: &OrderSeen<'_>) -> Told {
    let intent = session.expanded("payment_intent");
    let intent_status = intent.as_ref().and_then(|intent| intent.text("status"));
    let charge = intent
        .as_ref()
        .and_then(|intent| intent.expanded("latest_charge"));
    let is_complete = session.text("status") == Some("complete");
    let status = match (session.text("payment_status"), intent_status) {
        (Some("paid"), _) => Some(ChargeStatus::Paid),
        (Some("no_payment_required"), _) if is_complete => Some(ChargeStatus::Paid),
        (Some("unpaid"), Some("processing")) => Some(ChargeStatus::Pending),
        // A slow payment that failed: the session takes no other one.
        (Some("unpaid"), Some("requires_payment_method" | "canceled")) if is_complete => {
            Some(ChargeStatus::Void)
        }
        (Some("unpaid" | "no_payment_required"), _) => None,
        _ => return Err("the session's payment status is not a known one"),
    };
    let intent_id = session.other("payment_intent");
    let key = intent_id.unwrap_or(id);
    let mut said = Said::default();
    if let Some(status) = status {
        let at = charge.as_ref().and_then(|charge| charge.integer("created"));
        let tax = session.value()["total_details"]["amount_tax"].as_u64();
        let fact = ChargeFact {
            status,
            amount: session.amount("amount_total").ok_or(AMOUNT)?,
            currency: session.text("currency").ok_or(CURRENCY)?.to_owned(),
            at: at.unwrap_or(order.stored_at),
            end: None,
            tax: tax.map(i128::from).filter(|tax| *tax > 0),
            flag: None,
            outcome: None,
        };
        said.facts.push(paid(key, fact, order));
    }
    let charge = charge.as_ref().and_then(StripeObject::id);
    let ids = [intent_id, charge].into_iter().flatten();
    said.refs.extend(ids.map(|id| reference(id, Some(key))));
    Ok(said)
}

/// What a session that began a subscription says of its first invoice.
fn first_invoice(session: &StripeObject, order: &OrderSeen<'_>) -> Told {
    let mut said = match session.expanded("invoice") {
        Some(object) => match object.id() {
            Some(id) => invoice(&object, id, order)?,
            None => Said::default(),
        },
        None => Said::default(),
    };
    if let Some(subscription) = session.other("subscription") {
        said.refs.push(reference(subscription, None));
    }
    let is_waiting = session.text("status") == Some("complete")
        && session.text("payment_status") == Some("unpaid");
    if let (true, Some(id)) = (is_waiting, session.other("invoice"))
        && said.facts.is_empty()
    {
        said.facts
            .push(of_session(session, id, ChargeStatus::Pending, order)?);
    }
    Ok(said)
}

/// A session whose slow first payment failed: its invoice is void, unless it is paid all the same.
pub(super) fn failed_first_invoice(session: &StripeObject, order: &OrderSeen<'_>) -> Told {
    let mut said = Said::default();
    if let Some(id) = session.other("invoice") {
        said.facts
            .push(of_session(session, id, ChargeStatus::Void, order)?);
    }
    Ok(said)
}

fn of_session(
    session: &StripeObject,
    invoice: &str,
    status: ChargeStatus,
    order: &OrderSeen<'_>,
) -> Result<OrderFact, &'static str> {
    let fact = ChargeFact {
        status,
        amount: session.amount("amount_total").ok_or(AMOUNT)?,
        currency: session.text("currency").ok_or(CURRENCY)?.to_owned(),
        at: order.stored_at,
        end: None,
        tax: None,
        flag: None,
        outcome: None,
    };
    Ok(paid(invoice, fact, order))
}

/// An invoice: the charge of one period. One that waits or failed says nothing, since it may be tried again.
pub(super) fn invoice(invoice: &StripeObject, id: &str, order: &OrderSeen<'_>) -> Told {
    let mut said = Said::default();
    said.refs.push(reference(id, Some(id)));
    if let Some(subscription) = invoice.subscription() {
        said.refs.push(reference(subscription, None));
    }
    let paid_by = invoice.intents().chain(invoice.other("charge"));
    said.refs
        .extend(paid_by.map(|other| reference(other, Some(id))));
    let (status, amount) = match invoice.text("status") {
        Some("paid") => (ChargeStatus::Paid, "amount_paid"),
        Some("void" | "uncollectible") => (ChargeStatus::Void, "amount_due"),
        Some("draft" | "open") => return Ok(said),
        _ => return Err("the invoice's status is not a known one"),
    };
    let paid_at = invoice.value()["status_transitions"]["paid_at"].as_i64();
    let fact = ChargeFact {
        status,
        amount: invoice.amount(amount).ok_or(AMOUNT)?,
        currency: invoice.text("currency").ok_or(CURRENCY)?.to_owned(),
        at: paid_at.unwrap_or(order.stored_at),
        end: invoice.paid_until(),
        tax: invoice.tax(),
        flag: None,
        outcome: None,
    };
    said.facts.push(paid(id, fact, order));
    Ok(said)
}

/// What the buyer has to see to, if an event says so.
pub(super) fn notice(
    invoice: &StripeObject,
    id: &str,
    event: Option<&str>,
) -> Option<PaymentNotice> {
    let needs_action = match event? {
        "invoice.payment_action_required" => true,
        "invoice.payment_failed" => false,
        _ => return None,
    };
    let attempt = invoice.integer("attempt_count").unwrap_or_default();
    Some(PaymentNotice {
        invoice: id.to_owned(),
        attempt: attempt.unsigned_abs(),
        page: invoice.text("hosted_invoice_url").map(str::to_owned),
        needs_action,
        next_at: invoice.integer("next_payment_attempt"),
    })
}

/// Whether a subscription renews. A word that isn't known says nothing: it is only a hint.
pub(super) fn subscription(subscription: &StripeObject, id: &str, order: &OrderSeen<'_>) -> Said {
    let is_ending =
        subscription.is("cancel_at_period_end") || subscription.integer("cancel_at").is_some();
    let status = match subscription.text("status") {
        Some("active" | "trialing") if is_ending => Some(RenewalStatus::Ending),
        Some("active" | "trialing") => Some(RenewalStatus::Active),
        Some("past_due" | "unpaid" | "incomplete") => Some(RenewalStatus::Failing),
        // It makes no invoices, until somebody resumes it.
        Some("paused") => Some(RenewalStatus::Ending),
        Some("canceled" | "incomplete_expired") => Some(RenewalStatus::Ended),
        _ => None,
    };
    let fact = status.map(|status| {
        OrderFact::new(
            id,
            FactBody::Subscription {
                status,
                seq: order.version,
            },
        )
    });
    Said {
        facts: fact.into_iter().collect(),
        refs: vec![reference(id, None)],
        notice: None,
    }
}

/// A dispute as it was read.
pub(super) fn dispute(dispute: &StripeObject, id: &str, order: &OrderSeen<'_>) -> Told {
    let charge = about(order)?;
    let status = match dispute.text("status") {
        Some("warning_needs_response" | "warning_under_review") => DisputeStatus::Inquiry,
        Some("warning_closed" | "prevented" | "charge_refunded") => DisputeStatus::Closed,
        // One that is appealed holds the money as it did.
        Some(
            "needs_response" | "under_review" | "appeal_needs_response" | "appeal_under_review",
        ) => DisputeStatus::Open,
        Some("lost") => DisputeStatus::Lost,
        Some("won") => DisputeStatus::Won,
        _ => return Err("the dispute's status is not a known one"),
    };
    let amount = dispute.amount("amount").ok_or(AMOUNT)?;
    // In the currency of the cardholder's bank it says nothing of ours: then it is of all of the charge.
    let amount = match dispute.text("currency") == Some(&order.terms.currency) {
        true => amount,
        false => whole(charge, order).ok_or("its charge is not known yet")?,
    };
    Ok(one(
        id,
        FactBody::Dispute(DisputeFact {
            charge: charge.to_owned(),
            status,
            amount,
            seq: order.version,
        }),
    ))
}

fn whole(key: &str, order: &OrderSeen<'_>) -> Option<i128> {
    order.facts.iter().find_map(|fact| match &fact.body {
        FactBody::Charge(charge) if fact.key == key => Some(charge.amount),
        _ => None,
    })
}

/// A refund.
pub(super) fn refund(refund: &StripeObject, id: &str, order: &OrderSeen<'_>) -> Told {
    let status = match refund.text("status") {
        Some("pending" | "requires_action") => RefundStatus::Pending,
        Some("succeeded") => RefundStatus::Done,
        Some("failed" | "canceled") => RefundStatus::Failed,
        _ => return Err("the refund's status is not a known one"),
    };
    Ok(one(
        id,
        FactBody::Refund(RefundFact {
            charge: about(order)?.to_owned(),
            status,
            amount: refund.amount("amount").ok_or(AMOUNT)?,
            outcome: None,
        }),
    ))
}

/// A warning of fraud.
pub(super) fn warning(id: &str, order: &OrderSeen<'_>) -> Told {
    let charge = about(order)?.to_owned();
    Ok(one(id, FactBody::Warning { charge }))
}

fn about<'a>(order: &OrderSeen<'a>) -> Result<&'a str, &'static str> {
    order.charge.ok_or("it is not known of which charge it is")
}

fn one(key: &str, body: FactBody) -> Said {
    let fact = OrderFact::new(key, body);
    Said {
        facts: vec![fact],
        ..Said::default()
    }
}

/// A charge, flagged if it is of another currency than the order's.
fn paid(key: &str, mut charge: ChargeFact, order: &OrderSeen<'_>) -> OrderFact {
    let is_ours = charge.currency == order.terms.currency;
    charge.flag = (!is_ours).then_some(ChargeFlag::WrongCurrency);
    OrderFact::new(key, FactBody::Charge(charge))
}

fn reference(id: &str, charge: Option<&str>) -> PaymentRef {
    PaymentRef {
        id: id.to_owned(),
        charge: charge.map(str::to_owned),
    }
}
