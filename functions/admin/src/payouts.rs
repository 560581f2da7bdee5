//! Payouts by hand: where payees are paid, what they are due gathered into a payout, and what a person says of it.
//!
//! ```text
//! begin it, move its rows, close it, sum it    die anywhere: the same call goes on where it stopped
//! approve it; pay it, which no program does    die here: nothing is noted, and saying it again is harmless
//! note it as paid                              die here: as above
//! or say that it is not: its rows go back      die here: the same call goes on
//! ```

use domain::order::ledger::LedgerAccount;
use domain::payout::{
    self, ADDRESS_WAIT, Payout, PayoutAccount, PayoutId, PayoutRefused, PayoutState,
};
use runtime::response::{Refusal, Rejection};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{PayoutStep, ROWS_TOGETHER, RowMove};
use tracing::info;

use crate::{App, ledger::amount, unavailable};

/// How many payouts or accounts one call lists.
const SHOWN: i32 = 100;
/// How often a payout is read anew because somebody else wrote it.
const TRIES: u32 = 32;
const NAME_MAX: usize = 64;
const CURRENCY_MAX: usize = 16;
const ADDRESS_MAX_CHARS: usize = 500;
const WORDS_MAX_CHARS: usize = 200;
/// The most that a bound can be, in minor units.
const AMOUNT_MAX: i128 = 1_000_000_000_000_000;
/// A payout in which nothing moves.
const STAYS: RowMove<'static> = RowMove::In(&[]);

/// The body that writes an account.
#[derive(Deserialize)]
pub(crate) struct AskedAccount {
    address: String,
    threshold: Value,
    max: Option<Value>,
}

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

/// The accounts of payees, by payee.
pub(crate) async fn accounts(app: &App, query: &str) -> Result<Value, Refusal> {
    let asked: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let after = match &asked[..] {
        [] => None,
        [(name, after)] if name == "after" && !after.is_empty() => Some(after.as_ref()),
        _ => {
            let why = "Ask for all payees, or for those behind one: ?after=owner%3Ao1%23usd";
            return Err(Refusal::saying(Rejection::InvalidQuery, why));
        }
    };
    let found = app.payouts.accounts(after, SHOWN).await;
    let found = found.map_err(unavailable)?;
    let next = next_of(&found, |last| format!("{}#{}", last.payee, last.currency));
    let accounts: Vec<Value> = found.iter().map(account_view).collect();
    Ok(json!({"accounts": accounts, "next": next}))
}

/// Where a payee is paid in a currency.
pub(crate) async fn account(app: &App, payee: &str, currency: &str) -> Result<Value, Refusal> {
    Ok(json!({"account": account_view(&known(app, payee, currency).await?)}))
}

/// Writes where a payee is paid. What was gathered for another address and is not approved goes back.
pub(crate) async fn put_account(
    app: &App,
    who: &str,
    (payee, currency): (&str, &str),
    asked: AskedAccount,
) -> Result<Value, Refusal> {
    check_payee(payee, currency)?;
    let address = words(&asked.address, ADDRESS_MAX_CHARS, "address")?;
    let threshold = bound(&asked.threshold, "threshold")?;
    let max = asked.max.as_ref().filter(|max| !max.is_null());
    let max = max.map(|max| bound(max, "max")).transpose()?;
    if max.is_some_and(|max| max < threshold.max(1)) {
        return Err(invalid("max: must not be less than threshold, nor 0."));
    }
    for _ in 0..TRIES {
        let (now, found) = (app.clock.now(), app.payouts.account(payee, currency).await);
        let before = found
            .map_err(unavailable)?
            .unwrap_or_else(|| PayoutAccount {
                payee: payee.to_owned(),
                currency: currency.to_owned(),
                address: String::new(),
                threshold,
                max,
                usable_at: now,
                live: None,
                begun_at: None,
                revision: 0,
            });
        let after = before.changed(&address, (threshold, max), now);
        let live = live(app, &before).await?;
        let is_paid_now = live.is_some_and(|live| live.state == PayoutState::Approved);
        if is_paid_now && before.address != address {
            return Err(refused(
                "A payout to the address is approved: say first whether it is paid.",
            ));
        }
        if before.revision > 0 && after == before {
            return Ok(json!({"account": account_view(&before)}));
        }
        if app
            .payouts
            .write_account(&after)
            .await
            .map_err(unavailable)?
        {
            info!(
                payout.payee = payee,
                operator.name = who,
                outcome = "account_written",
                "an operator wrote where a payee is paid"
            );
            if after.live.is_some() {
                gather(app, who, payee, currency).await?;
            }
            return account(app, payee, currency).await;
        }
    }
    Err(Rejection::Unavailable.into())
}

/// Payouts that stand somewhere, by id.
pub(crate) async fn list(app: &App, query: &str) -> Result<Value, Refusal> {
    let (mut state, mut after) = (None, None);
    let wrong = || {
        let why =
            "Ask for a state, such as ?state=CLOSED, and with after for what is behind a payout.";
        Refusal::saying(Rejection::InvalidQuery, why)
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "state" => {
                let known = serde_json::from_value::<PayoutState>(json!(value));
                state = Some(known.map_err(|_| wrong())?);
            }
            "after" => after = Some(value.parse::<PayoutId>().map_err(|_| wrong())?.to_string()),
            _ => return Err(wrong()),
        }
    }
    let state = state.ok_or_else(wrong)?;
    let found = app
        .payouts
        .list(state.is_over(), after.as_deref(), SHOWN)
        .await;
    let found = found.map_err(unavailable)?;
    let next = next_of(&found, |last| last.id.to_string());
    let of_state = found.iter().filter(|payout| payout.state == state);
    let payouts: Vec<Value> = of_state.map(view).collect();
    Ok(json!({"payouts": payouts, "next": next}))
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
        // The account is written, too: a change of the address at this moment reads it anew.
        if step(app, &payout, &approved, Some(&account)).await? {
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

/// Goes on with what a payee is due until its payout waits for a person, or is not there.
async fn gather(app: &App, who: &str, payee: &str, currency: &str) -> Result<Payout, Refusal> {
    let mut begun: Option<String> = None;
    for _ in 0..TRIES {
        let (account, now) = (known(app, payee, currency).await?, app.clock.now());
        let Some(payout) = live(app, &account).await? else {
            // It was begun by this call, or found, and ended meanwhile.
            if let Some(id) = begun {
                return get(app, &id).await;
            }
            let open = app.payouts.open_rows(payee, currency).await;
            let (account, payout) = account
                .begin(&open.map_err(unavailable)?, now)
                .map_err(why)?;
            let first = PayoutStep {
                before: None,
                after: &payout,
                account: Some(&account),
                rows: STAYS,
            };
            if app.payouts.step(&first, now).await.map_err(unavailable)? {
                info!(payout.id = %payout.id, operator.name = who, outcome = "begun", "an operator has a payout gathered");
            }
            continue;
        };
        begun = Some(payout.id.to_string());
        let is_moved = payout.address != account.address;
        match payout.state {
            PayoutState::Claiming | PayoutState::Closed if is_moved => {
                let after = payout.fail(who, "the address changed", now).map_err(why)?;
                step(app, &payout, &after, None).await?;
            }
            PayoutState::Claiming => claim(app, &account, payout).await?,
            PayoutState::Closed if payout.total.is_none() => {
                let rows = app.payouts.rows_of(&payout).await.map_err(unavailable)?;
                let total = payout::sum(&rows).map_err(unavailable)?;
                let after = payout.summed(total, rows.len(), &account).map_err(why)?;
                step(app, &payout, &after, None).await?;
            }
            PayoutState::Releasing => release(app, &payout).await?,
            PayoutState::Closed
            | PayoutState::Approved
            | PayoutState::Paid
            | PayoutState::Failed => return Ok(payout),
        }
    }
    Err(Rejection::Unavailable.into())
}

/// Moves rows into a payout until there is none to move, and closes it; stops where somebody else wrote it.
async fn claim(app: &App, account: &PayoutAccount, mut payout: Payout) -> Result<(), Refusal> {
    let claimed = app.payouts.rows_of(&payout).await.map_err(unavailable)?;
    let open = app.payouts.open_rows(&payout.payee, &payout.currency).await;
    let (open, now) = (open.map_err(unavailable)?, app.clock.now());
    for rows in account.choose(&claimed, &open, now).chunks(ROWS_TOGETHER) {
        if !move_rows(app, &payout, RowMove::In(rows)).await? {
            return Ok(());
        }
        payout.revision = payout.revision.saturating_add(1);
    }
    step(app, &payout, &payout.close().map_err(why)?, None).await?;
    Ok(())
}

/// Moves the rows of a payout back, and ends it; stops where somebody else wrote it.
async fn release(app: &App, payout: &Payout) -> Result<(), Refusal> {
    let mut payout = payout.clone();
    let account = known(app, &payout.payee, &payout.currency).await?;
    let rows = app.payouts.rows_of(&payout).await.map_err(unavailable)?;
    let rows: Vec<_> = rows.iter().collect();
    for rows in rows.chunks(ROWS_TOGETHER) {
        if !move_rows(app, &payout, RowMove::Out(rows)).await? {
            return Ok(());
        }
        payout.revision = payout.revision.saturating_add(1);
    }
    let after = payout.released().map_err(why)?;
    step(app, &payout, &after, Some(&account.without_live())).await?;
    Ok(())
}

async fn move_rows(app: &App, payout: &Payout, rows: RowMove<'_>) -> Result<bool, Refusal> {
    let moving = PayoutStep {
        before: Some(payout),
        after: payout,
        account: None,
        rows,
    };
    let moved = app.payouts.step(&moving, app.clock.now()).await;
    moved.map_err(|fault| unavailable(fault).into())
}

/// Writes a payout, with its account; answers whether nobody wrote either since they were read.
async fn step(
    app: &App,
    before: &Payout,
    after: &Payout,
    account: Option<&PayoutAccount>,
) -> Result<bool, Refusal> {
    let step = PayoutStep {
        before: Some(before),
        after,
        account,
        rows: STAYS,
    };
    let done = app.payouts.step(&step, app.clock.now()).await;
    done.map_err(|fault| unavailable(fault).into())
}

/// The payout of an account that is not over.
async fn live(app: &App, account: &PayoutAccount) -> Result<Option<Payout>, Refusal> {
    match &account.live {
        Some(id) => Ok(app.payouts.get(id).await.map_err(unavailable)?),
        None => Ok(None),
    }
}

async fn known(app: &App, payee: &str, currency: &str) -> Result<PayoutAccount, Refusal> {
    check_payee(payee, currency)?;
    let found = app.payouts.account(payee, currency).await;
    found.map_err(unavailable)?.ok_or_else(|| {
        let why = "Nobody said where this payee is paid in this currency: write it first.";
        Refusal::saying(Rejection::NotFound, why)
    })
}

async fn get(app: &App, id: &str) -> Result<Payout, Refusal> {
    let unknown = || Refusal::saying(Rejection::NotFound, "There is no payout of this id.");
    let id: PayoutId = id.parse().map_err(|_| unknown())?;
    let found = app.payouts.get(&id).await.map_err(unavailable)?;
    found.ok_or_else(unknown)
}

fn check_payee(payee: &str, currency: &str) -> Result<(), Refusal> {
    let is_name = |id: &str| {
        let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        (1..=NAME_MAX).contains(&id.len()) && id.bytes().all(is_letter)
    };
    match payee.parse() {
        Ok(LedgerAccount::Owner(id) | LedgerAccount::Affiliate(id)) if is_name(&id) => {}
        _ => {
            return Err(invalid(
                "payee: must be an account such as owner:o1 or affiliate:a1.",
            ));
        }
    }
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    match (2..=CURRENCY_MAX).contains(&currency.len()) && currency.bytes().all(is_letter) {
        true => Ok(()),
        false => Err(invalid("currency: must be as in the books, such as usd.")),
    }
}

fn words(text: &str, max: usize, name: &str) -> Result<String, Refusal> {
    let text = text.trim();
    match (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(invalid(format!(
            "{name}: must be 1 to {max} characters of one line."
        ))),
    }
}

fn bound(value: &Value, name: &str) -> Result<i128, Refusal> {
    let amount = match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64().map(i128::from),
        _ => None,
    };
    amount
        .filter(|amount| (0..=AMOUNT_MAX).contains(amount))
        .ok_or_else(|| {
            invalid(format!(
                "{name}: must be a whole number of minor units, such as 5000."
            ))
        })
}

fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::saying(Rejection::InvalidParameter, why)
}

fn refused(why: impl Into<String>) -> Refusal {
    Refusal::saying(Rejection::PayoutRefused, why)
}

fn why(refusal: PayoutRefused) -> Refusal {
    refused(match refusal {
        PayoutRefused::State => "The payout stands elsewhere: look at its state.".to_owned(),
        PayoutRefused::OwnPayout => "Nobody approves a payout to themselves.".to_owned(),
        PayoutRefused::Address => format!(
            "The address has changed, or is not {} hours old.",
            ADDRESS_WAIT.as_secs() / 3600
        ),
        PayoutRefused::TooLittle => {
            "What is due and available is less than the threshold, or nothing.".to_owned()
        }
        PayoutRefused::Today => "There was a payout to this payee today.".to_owned(),
    })
}

/// What a next page begins behind, if this one is full.
fn next_of<T>(found: &[T], key: impl Fn(&T) -> String) -> Option<String> {
    let is_full = usize::try_from(SHOWN).is_ok_and(|shown| found.len() >= shown);
    found.last().filter(|_| is_full).map(key)
}

fn account_view(account: &PayoutAccount) -> Value {
    json!({
        "payee": account.payee,
        "currency": account.currency,
        "address": account.address,
        "threshold": amount(account.threshold),
        "max": account.max.map(amount),
        "usableAt": account.usable_at,
        "payoutId": account.live,
    })
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
