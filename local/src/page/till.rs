//! The till at `/local/till`: what a visitor does with an order at the simulated providers. They pay, well or badly, take their
//! money back, and break what the providers report.
//!
//! All of it is done to the simulators alone. The page itself orders as a shop and looks as an operator, by the API; so an act
//! names the provider's object as the API showed it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use domain::money::PaymentProvider;
use http::StatusCode;
use runtime::response::json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulators::nowpayments::{IpnFate, IpnRule, NowPayments, PayinStatus, SeenPayin, WrongAssets};
use simulators::stripe::{
    BuyerAction, DisputeStep, EventFault, EventRule, ReleaseOrder, RenewalOutcome, Stripe,
    StripeRefusal,
};

use super::actions::{
    Acted, ActionRefusal, action, bad, end, no_such_person, not_simulated, read, refusal, telegram,
};
use super::context::{Page, Served};
use crate::body::answer;
use crate::externals::SimulatedProviders;

/// The coin that buyers pay in, and the one that they mistake for it.
const COIN: &str = "usdttrc20";
const WRONG_COIN: &str = "trx";
/// How often a provider reports each thing, if it repeats itself.
const REPEATS: u32 = 5;
/// Why a card's bank refuses.
const DECLINED: &str = "insufficient_funds";

pub(super) fn routes() -> Router<Served> {
    Router::new()
        .route("/till-pay", post(pay))
        .route("/till-turn", post(turn))
        .route("/till-reports", post(reports))
}

/// How what the providers report comes here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reports {
    /// Each once, at once.
    #[default]
    AsUsual,
    /// None.
    Lost,
    /// Each five times.
    Repeated,
    /// They are kept until this ends, and then come the last first.
    Reversed,
}

/// What the till has set.
#[derive(Default)]
pub(super) struct Till(Mutex<Reports>);

impl Till {
    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn providers(served: &Served) -> Result<&SimulatedProviders, ActionRefusal> {
    let providers = served.page.handles.externals.providers.as_ref();
    providers.ok_or_else(not_simulated)
}

/// What the page of the till shows that no route of the API tells.
pub(super) async fn state(State(served): State<Served>, request: Request) -> Response {
    let page = &served.page;
    if !page.admits(request.headers()) {
        return Page::refusal();
    }
    let Ok(_) = providers(&served) else {
        return end(Err(not_simulated()));
    };
    let people: Vec<Value> = page.cast.list();
    let state = json!({
        "ok": true,
        "reports": *page.till.reports(),
        "chat": page.chats.first(),
        "people": people,
        "now": page.handles.clock.now_ms(),
    });
    answer(json(StatusCode::OK, &state))
}

fn impossible(sentence: &str) -> ActionRefusal {
    refusal(StatusCode::CONFLICT, "not_possible", sentence)
}

fn not_at(provider: PaymentProvider) -> ActionRefusal {
    impossible(&format!("Nobody can do this at {}.", provider.as_str()))
}

fn refused(refusal: &StripeRefusal) -> ActionRefusal {
    impossible(&format!(
        "The simulated Stripe refuses: {}",
        refusal.message
    ))
}

/// How a buyer pays.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Payment {
    /// The price.
    Whole,
    /// Half of it.
    Half,
    /// The price, two times.
    Twice,
    /// The amount of the price, of another coin.
    WrongCoin,
    /// By a card whose bank declines.
    Declined,
    /// By a bank debit, whose money comes a minute later.
    Debit,
}

#[derive(Deserialize)]
struct Paid {
    provider: PaymentProvider,
    /// The session or invoice at the provider; of Stars the link.
    object: String,
    how: Payment,
    /// Who pays in Stars.
    person: Option<i64>,
}

action!(pay, Paid, async |served: &Served, paid: Paid| -> Acted {
    let Paid {
        provider,
        object,
        how,
        person,
    } = paid;
    match provider {
        PaymentProvider::Stripe => {
            let action = match how {
                Payment::Whole => BuyerAction::Pay,
                Payment::Declined => BuyerAction::Decline(DECLINED.to_owned()),
                Payment::Debit => BuyerAction::PayLaterSettling {
                    after: 60,
                    succeeds: true,
                },
                _ => return Err(not_at(provider)),
            };
            let stripe = &providers(served)?.stripe;
            stripe
                .act(&object, &action)
                .map_err(|refusal| refused(&refusal))?;
        }
        PaymentProvider::NowPayments => {
            let server = &providers(served)?.nowpayments;
            pay_in_coins(server, &object, how).await?;
        }
        PaymentProvider::Stars => {
            let times = match how {
                Payment::Whole => 1,
                Payment::Twice => 2,
                _ => return Err(not_at(provider)),
            };
            let telegram = telegram(served)?;
            let user = person.and_then(|id| served.page.cast.find(id));
            let user = user.ok_or_else(no_such_person)?;
            for _ in 0..times {
                let asked = telegram.server.pays_invoice(&object, &user);
                asked.ok_or_else(|| impossible("There is no such invoice."))?;
            }
        }
    }
    Ok(json!({}))
});

/// Chooses the coin on the page of an invoice, and sends some.
async fn pay_in_coins(
    server: &NowPayments,
    invoice: &str,
    how: Payment,
) -> Result<(), ActionRefusal> {
    let id: u64 = invoice.parse().map_err(|_| bad())?;
    let call = http::Request::post("/payment/coin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(format!("iid={id}&coin={COIN}")))
        .map_err(|_| bad())?;
    let is_stopped = server.call(call).await.is_err();
    let payin = of_invoice(server, id).filter(|_| !is_stopped);
    let payin = payin.ok_or_else(|| impossible("There is no such invoice."))?;
    let amount = payin.pay_amount;
    let (coin, parts) = match how {
        Payment::Whole => (COIN, vec![amount]),
        Payment::Half => (COIN, vec![amount.half()]),
        Payment::Twice => (COIN, vec![amount, amount]),
        Payment::WrongCoin => (WRONG_COIN, vec![amount]),
        Payment::Declined | Payment::Debit => return Err(not_at(PaymentProvider::NowPayments)),
    };
    server.set_wrong_assets(WrongAssets::AsChild);
    for part in parts {
        server.deposit(payin.id, coin, part);
    }
    Ok(())
}

/// The payment of an invoice that is of no other.
fn of_invoice(server: &NowPayments, invoice: u64) -> Option<SeenPayin> {
    let mut own = server.payins();
    own.retain(|payin| payin.invoice == Some(invoice) && payin.parent.is_none());
    own.pop()
}

/// What becomes of a payment later.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Turn {
    /// The cardholder's bank takes it back.
    Dispute,
    /// And gives it to the seller again.
    Win,
    /// Or does not.
    Lose,
    /// The card's network warns of fraud.
    Warn,
    /// A refund that looked done fails.
    RefundFails,
    /// It is returned at the provider, not by us.
    Return,
    /// A subscription is paid for another period.
    Renew,
    /// The bank declines the next renewals.
    RenewalsDecline,
    /// It takes them again.
    RenewalsSucceed,
}

#[derive(Deserialize)]
struct Turned {
    provider: PaymentProvider,
    /// The session or invoice at the provider; of Stars the first charge.
    object: String,
    turn: Turn,
}

action!(turn, Turned, async |served: &Served,
                             turned: Turned|
       -> Acted {
    let Turned {
        provider,
        object,
        turn,
    } = turned;
    match provider {
        PaymentProvider::Stripe => {
            let stripe = &providers(served)?.stripe;
            at_stripe(stripe, &object, turn).ok_or_else(|| not_at(provider))?
        }
        PaymentProvider::NowPayments => {
            let server = &providers(served)?.nowpayments;
            let id: u64 = object.parse().map_err(|_| bad())?;
            let (Turn::Return, Some(payin)) = (turn, of_invoice(server, id)) else {
                return Err(not_at(provider));
            };
            server.set_status(payin.id, PayinStatus::Refunded);
            Ok(())
        }
        PaymentProvider::Stars => {
            let telegram = telegram(served)?;
            let Turn::Renew = turn else {
                return Err(not_at(provider));
            };
            let renewed = telegram.server.renews_stars(telegram.bot_id, &object);
            renewed
                .map(|_| ())
                .ok_or_else(|| impossible("No subscription of this payment renews."))
        }
    }?;
    Ok(json!({}))
});

/// Does it to what was paid by a session; none if Stripe has nothing like it.
fn at_stripe(stripe: &Stripe, session: &str, turn: Turn) -> Option<Result<(), ActionRefusal>> {
    let nothing = || impossible("There is nothing at Stripe that this could happen to.");
    let is_of = |event: &Value, name: &str, id: Option<&str>| {
        id.is_some() && event["data"]["object"][name].as_str() == id
    };
    let newest = |kind: &str, name: &str, id: Option<&str>| {
        let events = stripe.events();
        let mut of_kind = events.iter().rev().filter(|event| event["type"] == kind);
        let event = of_kind.find(|event| is_of(event, name, id))?;
        Some(event["data"]["object"]["id"].as_str()?.to_owned())
    };
    let Some(session) = stripe.object(session) else {
        return Some(Err(nothing()));
    };
    let text = |name: &str| session[name].as_str();
    let charge = || {
        newest("charge.succeeded", "payment_intent", text("payment_intent"))
            .or_else(|| newest("charge.succeeded", "customer", text("customer")))
    };
    let on = |id: Option<String>, act: &dyn Fn(&str) -> Result<(), StripeRefusal>| {
        let id = id.ok_or_else(nothing)?;
        act(&id).map_err(|refusal| refused(&refusal))
    };
    let of_charge = |kind: &str| newest(kind, "charge", charge().as_deref());
    let dispute = |step| {
        on(of_charge("charge.dispute.created"), &|id| {
            stripe.step_dispute(id, step)
        })
    };
    let renewals = |outcome: RenewalOutcome| {
        on(text("subscription").map(ToOwned::to_owned), &|id| {
            stripe.set_renewal(id, outcome.clone())
        })
    };
    Some(match turn {
        Turn::Dispute => on(charge(), &|id| stripe.dispute(id, "fraudulent").map(|_| ())),
        Turn::Win => dispute(DisputeStep::Win),
        Turn::Lose => dispute(DisputeStep::Lose),
        Turn::Warn => on(charge(), &|id| stripe.warn_of_fraud(id).map(|_| ())),
        Turn::RefundFails => on(of_charge("refund.created"), &|id| {
            stripe.fail_refund(id, "expired_or_canceled_card")
        }),
        Turn::RenewalsDecline => renewals(RenewalOutcome::Decline(DECLINED.to_owned())),
        Turn::RenewalsSucceed => renewals(RenewalOutcome::Succeed),
        // They renew by the clock, and money is returned by an operator's refund.
        Turn::Renew | Turn::Return => return None,
    })
}

#[derive(Deserialize)]
struct NewReports {
    reports: Reports,
}

action!(reports, NewReports, async |served: &Served,
                                    wanted: NewReports|
       -> Acted {
    let SimulatedProviders {
        stripe,
        nowpayments,
    } = providers(served)?;
    let telegram = telegram(served)?;
    let mut now = served.page.till.reports();
    stripe.clear_faults();
    nowpayments.clear_ipn_rules();
    if *now == Reports::Reversed {
        stripe.release_events(ReleaseOrder::Reversed);
        nowpayments.release_ipns_reversed();
    }
    let every = |fault| EventRule {
        event_type: None,
        times: None,
        fault,
    };
    match wanted.reports {
        Reports::AsUsual => {}
        Reports::Lost => {
            stripe.fail_delivery(&every(EventFault::Lose));
            nowpayments.treat_ipns(IpnRule::of(IpnFate::Lost));
        }
        Reports::Repeated => {
            stripe.fail_delivery(&every(EventFault::Repeat(REPEATS)));
            nowpayments.treat_ipns(IpnRule::of(IpnFate::Repeated(REPEATS)));
        }
        Reports::Reversed => {
            stripe.hold_events();
            nowpayments.treat_ipns(IpnRule::of(IpnFate::Held));
        }
    }
    let are_lost = wanted.reports == Reports::Lost;
    telegram.server.loses_payments(telegram.bot_id, are_lost);
    *now = wanted.reports;
    Ok(json!({}))
});
