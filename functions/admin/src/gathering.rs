//! How what a payee is due is gathered into a payout, and goes back: steps that go on wherever an earlier call stopped.
//!
//! ```text
//! begin it, move its rows, close it, sum it    die anywhere: the same call goes on where it stopped
//! its rows go back, it ends                    die anywhere: as above
//! ```

use domain::order::ledger::LedgerAccount;
use domain::payout::{
    self, ADDRESS_WAIT, Payout, PayoutAccount, PayoutId, PayoutRefused, PayoutState,
};
use runtime::response::{Refusal, Rejection};
use store::{PayoutStep, ROWS_TOGETHER, RowMove};
use tracing::info;

use crate::{App, unavailable};

/// How often a payout is read anew because somebody else wrote it.
pub(crate) const TRIES: u32 = 32;
const NAME_MAX: usize = 64;
const CURRENCY_MAX: usize = 16;
/// The currency of Telegram Stars, as its books have it.
const STARS: &str = "XTR";
/// A payout in which nothing moves.
pub(crate) const STAYS: RowMove<'static> = RowMove::In(&[]);

/// Goes on with what a payee is due until its payout waits for a person, or is not there.
pub(crate) async fn gather(
    app: &App,
    who: &str,
    payee: &str,
    currency: &str,
) -> Result<Payout, Refusal> {
    let cap = app.payout_bounds.of_one(currency);
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
                .begin(&open.map_err(unavailable)?, (now, cap))
                .map_err(why)?;
            let first = PayoutStep {
                before: None,
                after: &payout,
                account: Some(&account),
                approved: None,
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
    let bound = (now, app.payout_bounds.of_one(&payout.currency));
    for rows in account.choose(&claimed, &open, bound).chunks(ROWS_TOGETHER) {
        if !move_rows(app, &payout, RowMove::In(rows)).await? {
            return Ok(());
        }
        payout.revision = payout.revision.saturating_add(1);
    }
    step(app, &payout, &payout.close().map_err(why)?, None).await?;
    Ok(())
}

/// Moves the rows of a payout back, and ends it; stops where somebody else wrote it.
pub(crate) async fn release(app: &App, payout: &Payout) -> Result<(), Refusal> {
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
        approved: None,
        rows,
    };
    let moved = app.payouts.step(&moving, app.clock.now()).await;
    moved.map_err(|fault| unavailable(fault).into())
}

/// Writes a payout, with its account; answers whether nobody wrote either since they were read.
pub(crate) async fn step(
    app: &App,
    before: &Payout,
    after: &Payout,
    account: Option<&PayoutAccount>,
) -> Result<bool, Refusal> {
    let step = PayoutStep {
        before: Some(before),
        after,
        account,
        approved: None,
        rows: STAYS,
    };
    let done = app.payouts.step(&step, app.clock.now()).await;
    done.map_err(|fault| unavailable(fault).into())
}

/// The payout of an account that is not over.
pub(crate) async fn live(app: &App, account: &PayoutAccount) -> Result<Option<Payout>, Refusal> {
    match &account.live {
        Some(id) => Ok(app.payouts.get(id).await.map_err(unavailable)?),
        None => Ok(None),
    }
}

pub(crate) async fn known(
    app: &App,
    payee: &str,
    currency: &str,
) -> Result<PayoutAccount, Refusal> {
    check_payee(payee, currency)?;
    let found = app.payees.account(payee, currency).await;
    found.map_err(unavailable)?.ok_or_else(|| {
        let why = "Nobody said where this payee is paid in this currency: write it first.";
        Refusal::saying(Rejection::NotFound, why)
    })
}

pub(crate) async fn get(app: &App, id: &str) -> Result<Payout, Refusal> {
    let unknown = || Refusal::saying(Rejection::NotFound, "There is no payout of this id.");
    let id: PayoutId = id.parse().map_err(|_| unknown())?;
    let found = app.payouts.get(&id).await.map_err(unavailable)?;
    found.ok_or_else(unknown)
}

pub(crate) fn check_payee(payee: &str, currency: &str) -> Result<(), Refusal> {
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
    let is_code = (2..=CURRENCY_MAX).contains(&currency.len()) && currency.bytes().all(is_letter);
    match is_code || currency == STARS {
        true => Ok(()),
        false => Err(invalid("currency: must be as in the books, such as usd.")),
    }
}

pub(crate) fn words(text: &str, max: usize, name: &str) -> Result<String, Refusal> {
    let text = text.trim();
    match (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(invalid(format!(
            "{name}: must be 1 to {max} characters of one line."
        ))),
    }
}

pub(crate) fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::saying(Rejection::InvalidParameter, why)
}

pub(crate) fn refused(why: impl Into<String>) -> Refusal {
    Refusal::saying(Rejection::PayoutRefused, why)
}

pub(crate) fn why(refusal: PayoutRefused) -> Refusal {
    refused(match refusal {
        PayoutRefused::State => "The payout stands elsewhere: look at its state.".to_owned(),
        PayoutRefused::OwnPayout => "Nobody approves a payout to themselves.".to_owned(),
        PayoutRefused::Address => format!(
            "The address has changed, or is not {} hours old.",
            ADDRESS_WAIT.as_secs() / 3600
        ),
        PayoutRefused::Unconfirmed => {
            "The payee has not said in Telegram yet that the address is right.".to_owned()
        }
        PayoutRefused::Denied => {
            "The payee says that the address is wrong: ask them, and write it anew.".to_owned()
        }
        PayoutRefused::DayFull => {
            "That would be more than PAYOUT_MAX_PER_DAY: approve it tomorrow.".to_owned()
        }
        PayoutRefused::TooLittle => {
            "What is due and available is less than the threshold, or nothing.".to_owned()
        }
        PayoutRefused::Today => "There was a payout to this payee today.".to_owned(),
    })
}
