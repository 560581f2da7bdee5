//! Payouts by hand: what payees are due gathered into a payout, and what a person says of it.
//!
//! ```text
//! gather it                                    die anywhere: the same call goes on where it stopped
//! approve it; pay it, which no program does    die here: nothing is noted, and saying it again is harmless
//! note it as paid                              die here: as above
//! or say that it is not: its rows go back      die here: the same call goes on
//! ```

use bytes::Bytes;
use domain::money::AmountTable;
use domain::order::day::BookDay;
use domain::payout::{AddressConfirmation, Payout, PayoutId, PayoutState};
use http::Response;
use runtime::response::{Refusal, Rejection};
use serde::Deserialize;
use serde_json::{Value, json};
use store::PayoutStep;
use tracing::{info, warn};

use crate::file::{self, field};
use crate::gathering::{STAYS, TRIES, gather, get, known, release, step, why, words};
use crate::ledger::amount;
use crate::{App, unavailable};

/// How many payouts one call lists.
const SHOWN: i32 = 100;
const WORDS_MAX_CHARS: usize = 200;

/// The body that gathers a payout.
#[derive(Deserialize)]
pub(crate) struct AskedPayout {
    payee: String,
    currency: String,
}

/// The body of `paid`.
#[derive(Deserialize)]
pub(crate) struct AskedPaid {
    reference: String,
}

/// The body of `failed`.
#[derive(Deserialize)]
pub(crate) struct AskedFailed {
    reason: String,
}

/// What lists of payouts are asked.
struct AskedList {
    state: PayoutState,
    /// The day on which they were begun.
    day: Option<BookDay>,
    after: Option<String>,
}

/// Whether a list of payouts is asked for as a file.
pub(crate) fn is_file(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "format" && value == "csv")
}

/// Payouts that stand somewhere, by id.
pub(crate) async fn list(app: &App, query: &str) -> Result<Value, Refusal> {
    let (payouts, next) = found(app, &read(query)?).await?;
    let payouts: Vec<Value> = payouts.iter().map(view).collect();
    Ok(json!({"payouts": payouts, "next": next}))
}

/// The same as a file for a bank, a line each.
pub(crate) async fn list_file(app: &App, query: &str) -> Result<Response<Bytes>, Refusal> {
    let asked = read(query)?;
    let (mut payouts, next) = found(app, &asked).await?;
    if asked.state == PayoutState::Approved {
        payouts = payable(app, payouts).await?;
    }
    let next = next.map(|next| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        // A word in JSON is a word in quotes.
        let state = json!(asked.state);
        query.append_pair("state", state.as_str().unwrap_or_default());
        if let Some(day) = asked.day {
            query.append_pair("day", &day.to_string());
        }
        query.append_pair("format", "csv");
        query.append_pair("after", &next).finish()
    });
    Ok(file::answer(
        file::CSV,
        csv(&payouts, asked.after.is_none()),
        next,
    ))
}

/// Those whose payee has not said meanwhile that the address is wrong: no bank is to be told of these.
async fn payable(app: &App, payouts: Vec<Payout>) -> Result<Vec<Payout>, Refusal> {
    let mut payable = Vec::new();
    for payout in payouts {
        let account = app.payees.account(&payout.payee, &payout.currency).await;
        let is_denied = account
            .map_err(unavailable)?
            .is_some_and(|account| account.confirmation == AddressConfirmation::Denied);
        if is_denied {
            warn!(payout.id = %payout.id, outcome = "left_out", "an approved payout is not in the bank's file, since its payee says that the address is wrong");
        } else {
            payable.push(payout);
        }
    }
    Ok(payable)
}

/// A page of payouts, and what the next one begins behind.
async fn found(app: &App, asked: &AskedList) -> Result<(Vec<Payout>, Option<String>), Refusal> {
    let AskedList { state, day, .. } = *asked;
    let found = app
        .payouts
        .list(state.is_over(), asked.after.as_deref(), SHOWN)
        .await;
    let mut found = found.map_err(unavailable)?;
    let is_full = usize::try_from(SHOWN).is_ok_and(|shown| found.len() >= shown);
    let next = found.last().filter(|_| is_full);
    let next = next.map(|last| last.id.to_string());
    found.retain(|payout| {
        payout.state == state && day.is_none_or(|day| BookDay::of(payout.begun_at) == day)
    });
    Ok((found, next))
}

fn read(query: &str) -> Result<AskedList, Refusal> {
    let (mut state, mut day, mut after) = (None, None, None);
    let wrong = || {
        let why = "Ask for a state, such as ?state=CLOSED; with day=2026-11-28 for those begun on it, after for what is behind a payout, and format=csv or json.";
        Refusal::saying(Rejection::InvalidQuery, why)
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("state", _) => {
                let known = serde_json::from_value::<PayoutState>(json!(value));
                state = Some(known.map_err(|_| wrong())?);
            }
            ("day", _) => day = Some(value.parse().map_err(|_| wrong())?),
            ("after", _) => {
                after = Some(value.parse::<PayoutId>().map_err(|_| wrong())?.to_string());
            }
            ("format", "csv" | "json") => {}
            _ => return Err(wrong()),
        }
    }
    let state = state.ok_or_else(wrong)?;
    Ok(AskedList { state, day, after })
}

/// A line for each payout, by RFC 4180; the names of the columns stand above the first page. The amount is written as a bank
/// takes it, with the decimals of its currency.
fn csv(payouts: &[Payout], is_first: bool) -> String {
    let mut text = String::new();
    if is_first {
        text.push_str("payoutId,state,payee,currency,amount,address,begunAt,reference\r\n");
    }
    for payout in payouts {
        let currency = payout.currency.as_str();
        let unit = AmountTable::of_books(currency).unit(currency);
        let amount = payout.total.map(|total| match unit {
            Some(unit) => unit.format(total),
            None => total.to_string(),
        });
        let state = json!(payout.state);
        let reference = payout
            .words
            .as_deref()
            .filter(|_| payout.state == PayoutState::Paid);
        text.push_str(&format!(
            "{id},{state},{payee},{currency},{amount},{address},{at},{reference}\r\n",
            id = payout.id,
            state = state.as_str().unwrap_or_default(),
            payee = field(&payout.payee),
            currency = field(currency),
            amount = amount.unwrap_or_default(),
            address = field(&payout.address),
            at = payout.begun_at,
            reference = reference.map(field).unwrap_or_default(),
        ));
    }
    text
}

/// One payout.
pub(crate) async fn show(app: &App, id: &str) -> Result<Value, Refusal> {
    Ok(json!({"payout": view(&get(app, id).await?)}))
}

/// Gathers what a payee is due into the payout of the day, or goes on with the one that is not over.
pub(crate) async fn make(app: &App, who: &str, asked: AskedPayout) -> Result<Value, Refusal> {
    let payout = gather(app, who, &asked.payee, &asked.currency).await?;
    Ok(json!({"payout": view(&payout)}))
}

/// Says that a payout is to be paid.
pub(crate) async fn approve(app: &App, who: &str, id: &str) -> Result<Value, Refusal> {
    for _ in 0..TRIES {
        let (payout, now) = (get(app, id).await?, app.clock.now());
        let is_said = payout.approved_by.as_deref() == Some(who);
        if payout.state == PayoutState::Approved && is_said {
            return Ok(json!({"payout": view(&payout)}));
        }
        let account = known(app, &payout.payee, &payout.currency).await?;
        let approved = payout.approve(who, &account, now).map_err(why)?;
        let of_day = match app.payout_bounds.of_day(&payout.currency) {
            Some(max) => {
                let so_far = app.payouts.approved_of_day(&payout.currency, now).await;
                let total = payout.total.unwrap_or_default();
                Some(so_far.map_err(unavailable)?.with(total, max).map_err(why)?)
            }
            None => None,
        };
        // The account is written, too: a change of the address at this moment reads it anew.
        let approval = PayoutStep {
            before: Some(&payout),
            after: &approved,
            account: Some(&account),
            approved: of_day.as_ref(),
            rows: STAYS,
        };
        if app
            .payouts
            .step(&approval, now)
            .await
            .map_err(unavailable)?
        {
            info!(payout.id = %payout.id, operator.name = who, outcome = "approved", "an operator approved a payout");
            return show(app, id).await;
        }
    }
    Err(Rejection::Unavailable.into())
}

/// Notes that a payout is paid.
pub(crate) async fn paid(
    app: &App,
    who: &str,
    id: &str,
    asked: AskedPaid,
) -> Result<Value, Refusal> {
    let reference = words(&asked.reference, WORDS_MAX_CHARS, "reference")?;
    for _ in 0..TRIES {
        let payout = get(app, id).await?;
        let is_same = payout.words.as_deref() == Some(&*reference);
        if payout.state == PayoutState::Paid && is_same {
            return Ok(json!({"payout": view(&payout)}));
        }
        let after = payout.paid(who, &reference, app.clock.now());
        let after = after.map_err(why)?;
        let account = known(app, &payout.payee, &payout.currency).await?;
        if step(app, &payout, &after, Some(&account.without_live())).await? {
            info!(payout.id = %payout.id, operator.name = who, outcome = "paid", "an operator paid a payout");
            return show(app, id).await;
        }
    }
    Err(Rejection::Unavailable.into())
}

/// Says that a payout is not paid; its rows go back.
pub(crate) async fn failed(
    app: &App,
    who: &str,
    id: &str,
    asked: AskedFailed,
) -> Result<Value, Refusal> {
    let reason = words(&asked.reason, WORDS_MAX_CHARS, "reason")?;
    for _ in 0..TRIES {
        let payout = get(app, id).await?;
        if payout.state == PayoutState::Failed {
            return Ok(json!({"payout": view(&payout)}));
        }
        if payout.state == PayoutState::Releasing {
            release(app, &payout).await?;
            continue;
        }
        let after = payout.fail(who, &reason, app.clock.now()).map_err(why)?;
        if step(app, &payout, &after, None).await? {
            info!(payout.id = %payout.id, operator.name = who, outcome = "payout_failed", "an operator said that a payout is not paid");
        }
    }
    Err(Rejection::Unavailable.into())
}

fn view(payout: &Payout) -> Value {
    json!({
        "payoutId": payout.id,
        "state": payout.state,
        "payee": payout.payee,
        "currency": payout.currency,
        "address": payout.address,
        "total": payout.total.map(amount),
        "rows": payout.rows,
        "begunAt": payout.begun_at,
        "approvedBy": payout.approved_by,
        "endedBy": payout.ended_by,
        "endedAt": payout.ended_at,
        "reference": payout.words.as_ref().filter(|_| payout.state == PayoutState::Paid),
        "reason": payout.words.as_ref().filter(|_| payout.state != PayoutState::Paid),
    })
}
