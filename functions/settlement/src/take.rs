//! Takes an event, or what was read at a provider, into its order.

use std::time::Duration;

use domain::id::OrderId;
use domain::order::fact::{FactBody, OrderFact};
use domain::order::record::{Checkout, Order, PaymentsMode};
use domain::own::PROVIDER as OWN;
use domain::report::{Named, OrderSeen, PaymentRef, Reading, Said};
use domain::stars::PROVIDER as STARS;
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::{EventState, PaymentEvent, RefOwner, Reserved};
use tracing::{error, info, warn};

use crate::providers::Report;
use crate::{App, SettleError, effects};

/// How often an order is read anew because somebody else wrote it.
const TRIES: u32 = 8;
/// How many objects are read at the provider for one report, at most.
const READS_MAX: u32 = 8;
/// After how long an event that can't be settled is tried again, the first time; then twice as long each time.
const WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// After how long an event that can't be settled is left to a person.
const PARK_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);

/// Settles the event of `key`; one that is settled already stays so. Durable on return: it is done, nobody's, or due again.
pub(crate) async fn take(app: &App, key: &str) -> Result<(), SettleError> {
    let Some(event) = app.events.get(key).await? else {
        return Ok(());
    };
    if !event.state.is_open() {
        return Ok(());
    }
    match settle(app, &event).await {
        Ok(state) => {
            app.events.settle(key, state).await?;
            info!(
                payment.event = key,
                outcome = word(state),
                "a payment event was settled"
            );
            Ok(())
        }
        Err(fault) => wait(app, &event, &fault).await,
    }
}

const fn word(state: EventState) -> &'static str {
    match state {
        EventState::Ignored => "ignored",
        EventState::Received | EventState::Waiting | EventState::Done | EventState::Parked => {
            "settled"
        }
    }
}

async fn wait(app: &App, event: &PaymentEvent, fault: &SettleError) -> Result<(), SettleError> {
    let (key, now, sentence) = (&event.key, app.clock.now(), chain(fault));
    if now.since(event.received_at) >= PARK_AFTER {
        error!(
            payment.event = key,
            fault = "payment_event_parked",
            "a payment event could not be settled for three days, and waits for an operator: {sentence}"
        );
        return Ok(app.events.settle(key, EventState::Parked).await?);
    }
    let doubled = WAIT.saturating_mul(1 << event.attempts.min(10));
    let at = now.plus(doubled.min(WAIT_MAX));
    warn!(
        payment.event = key,
        outcome = "waiting",
        "a payment event can't be settled yet: {sentence}"
    );
    Ok(app.events.put_off(event, at, &sentence).await?)
}

async fn settle(app: &App, event: &PaymentEvent) -> Result<EventState, SettleError> {
    let report = app.providers.report(event).await?;
    let report = report.ok_or(SettleError::Unclear("its body is none of its provider's"))?;
    let Some((id, charge)) = find(app, &report).await? else {
        return Ok(EventState::Ignored);
    };
    apply(app, id, report, charge, event.received_at).await
}

/// The order that a report is about, and the charge of it, if that is known; nothing if it is nobody's.
async fn find(
    app: &App,
    report: &Report,
) -> Result<Option<(OrderId, Option<String>)>, SettleError> {
    let provider = report.provider();
    let mut charge = None;
    let mut asked = report.named();
    for _ in 0..READS_MAX {
        let Named {
            is_live,
            order,
            refs,
            charge: named,
            upwards,
        } = asked;
        let is_ours = is_live.is_none_or(|is_live| is_live == (app.mode == PaymentsMode::Live));
        if !is_ours {
            warn!(
                outcome = "other_mode",
                payment.provider = provider,
                "a payment event of the other mode is ignored"
            );
            return Ok(None);
        }
        charge = charge.or(named);
        if let Some(id) = order.and_then(|id| id.parse().ok()) {
            return Ok(Some((id, charge)));
        }
        for object in refs {
            if let Some(owner) = app.refs.get(provider, &object).await? {
                return Ok(Some((owner.order, charge.or(owner.charge))));
            }
        }
        let Some(upwards) = upwards else {
            return Ok(None);
        };
        match app.providers.fetch(provider, &upwards).await? {
            Some(read) => asked = read.named(),
            None => return Ok(None),
        }
    }
    Err(SettleError::Unclear("its order is too far away"))
}

/// Takes a report into an order, with all that follows. On return the order knows it.
pub(crate) async fn apply(
    app: &App,
    id: OrderId,
    report: Report,
    charge: Option<String>,
    stored_at: Timestamp,
) -> Result<EventState, SettleError> {
    let provider = report.provider();
    for _ in 0..TRIES {
        let order = app.orders.get(id).await?;
        // Its id is of the form of ours, and it is not there: it may be of another deployment, or restored later.
        let order = order.ok_or(SettleError::Unclear("its order is not there"))?;
        let is_of_it = provider == OWN || order.terms.provider == provider;
        // Stars have no mode: an order may be older than the setting.
        let is_of_mode = order.mode == app.mode || order.terms.provider == STARS;
        if !is_of_it || !is_of_mode {
            warn!(order.id = %id, outcome = "other_provider", "a payment event names an order of another provider or mode, and is ignored");
            return Ok(EventState::Ignored);
        }
        // From the report itself each time: what goes back and forth at the provider is read after the order.
        let said = read_through(app, &order, &report, charge.as_deref(), stored_at).await?;
        let mut facts = said.facts;
        facts.extend(put_refs(app, &order, said.refs).await?);
        let learnt = learnt(app, &order, facts).await?;
        let newest = learnt.as_ref().unwrap_or(&order);
        let notice = said.notice.as_ref();
        let noticed = notice.and_then(|notice| newest.noticed(notice, app.clock.now()));
        let Some(next) = noticed.or(learnt) else {
            return Ok(EventState::Done);
        };
        if let Some(stored) = app.orders.write(&next).await? {
            info!(order.id = %id, order.version = stored.version, outcome = stored.state.as_str(), "an order learnt of a payment");
            effects::run(app, stored).await;
            return Ok(EventState::Done);
        }
    }
    Err(SettleError::Contended)
}

/// The order once it knows facts, with what is limited of it, before it is written: one that is paid late, after that was given
/// back, takes it again, or is refused if there is none left.
async fn learnt(
    app: &App,
    order: &Order,
    mut facts: Vec<OrderFact>,
) -> Result<Option<Order>, SettleError> {
    let now = app.clock.now();
    let Some(next) = order.learn(facts.clone(), now, app.hold)? else {
        return Ok(None);
    };
    if !next.lacks_reservations(now) {
        return Ok(Some(next));
    }
    for of in &next.sold.reservations {
        let taken = app.reservations.take(next.id, of, !of.is_firm).await?;
        if taken == Reserved::SoldOut {
            warn!(order.id = %next.id, outcome = "sold_out", "an order was paid late, and there is none left: its money goes back");
            facts.push(Order::sold_out());
            return Ok(order.learn(facts, now, app.hold)?);
        }
    }
    Ok(Some(next.holding()))
}

/// What a report says of the order as it was read just now.
async fn read_through(
    app: &App,
    order: &Order,
    report: &Report,
    charge: Option<&str>,
    stored_at: Timestamp,
) -> Result<Said, SettleError> {
    let seen = OrderSeen {
        terms: &order.terms,
        facts: &order.facts,
        version: order.version.saturating_add(1),
        checkout: match &order.checkout {
            Checkout::Open { object, .. } => Some(object.as_str()),
            Checkout::Creating { .. } | Checkout::Free => None,
        },
        expires_at: order.pay_until.seconds(),
        charge,
        stored_at: stored_at.seconds(),
    };
    let mut read: Option<Report> = None;
    for _ in 0..READS_MAX {
        match read.as_ref().unwrap_or(report).reading(&seen) {
            Reading::Says(said) => return Ok(said),
            Reading::Unclear(why) => return Err(SettleError::Unclear(why)),
            Reading::Fetch(lookup) => {
                let found = app.providers.fetch(report.provider(), &lookup).await?;
                let missing = SettleError::Unclear("its object is not at the provider");
                read = Some(found.ok_or(missing)?);
            }
        }
    }
    Err(SettleError::Unclear("it has to be read too often"))
}

/// Writes whose the objects are; answers a note for each that is another order's.
async fn put_refs(
    app: &App,
    order: &Order,
    refs: Vec<PaymentRef>,
) -> Result<Vec<OrderFact>, SettleError> {
    let mut notes = Vec::new();
    for PaymentRef { id, charge } in refs {
        let owner = RefOwner {
            order: order.id,
            charge,
        };
        let whose = app.refs.put(&order.terms.provider, &id, &owner).await?;
        if whose != order.id {
            error!(order.id = %order.id, fault = "ref_conflict", "a payment is of two orders by its provider's words");
            notes.push(OrderFact::new(format!("ref_conflict#{id}"), FactBody::Note));
        }
    }
    Ok(notes)
}
