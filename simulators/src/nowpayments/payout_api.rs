//! The calls about payouts.

use super::decimal::Decimal;
use super::fields::{Fields, coin};
use super::js::Js;
use super::payout::{Wish, Withdrawal};
use super::refusal::Refusal;
use super::request::{Answer, Request, ok};
use super::shared::State;
use super::time::iso;

/// The most decimals of a withdrawal's amount.
const PLACES: u32 = 6;
/// The most withdrawals of a batch.
const LONGEST_BATCH: usize = 1_000;

pub(super) fn perform(
    state: &mut State,
    request: &Request,
    now_ms: i64,
) -> Result<Answer, Refusal> {
    let query = || Fields::of_query(&request.query);
    let body = || Fields::of_body(&request.body);
    match request.endpoint {
        "GET /balance" => Ok(ok(balance(state))),
        "POST /payout/validate-address" => validate_address(&body()?),
        "POST /payout" => create(state, &body()?, now_ms),
        "POST /payout/{id}/verify" => verify(state, request, &body()?, now_ms),
        "GET /payout/{id}" => by_id(state, request),
        "GET /payout" => list(state, &query()),
        "GET /payout/fee" => fee(&query()),
        "GET /payout-withdrawal/min-amount/{id}" => {
            let least = Js::amount(coin(&request.id)?.least());
            Ok(ok(Js::object([
                ("success", Js::Bool(true)),
                ("result", least),
            ])))
        }
        _ => Err(Refusal::not_found("endpoint")),
    }
}

fn balance(state: &State) -> Js {
    let balances = state.world.balances.iter();
    let balances = balances.map(|(code, balance)| {
        let shown = Js::object([
            ("amount", Js::amount(balance.amount)),
            ("pendingAmount", Js::amount(balance.pending)),
        ]);
        ((*code).to_owned(), shown)
    });
    Js::Object(balances.collect())
}

fn validate_address(body: &Fields) -> Result<Answer, Refusal> {
    body.only(&["address", "currency", "extra_id"])?;
    let (address, code) = (body.required("address")?, body.required("currency")?);
    check_address(&address, &code)?;
    Ok(Answer::Text("OK"))
}

fn check_address(address: &str, code: &str) -> Result<(), Refusal> {
    if coin(code)?.is_address(address) {
        return Ok(());
    }
    Err(Refusal::bad_payout(format!(
        "Invalid payout_address: {code} {address}"
    )))
}

fn create(state: &mut State, body: &Fields, now_ms: i64) -> Result<Answer, Refusal> {
    body.only(&["payout_description", "ipn_callback_url", "withdrawals"])?;
    if !state.account.is_caller_listed {
        return Err(Refusal::new(
            403,
            "ACCESS_DENIED",
            "Your IP address is not whitelisted",
        ));
    }
    let items = body.value("withdrawals").and_then(|items| items.as_array());
    let items = items
        .filter(|items| !items.is_empty() && items.len() <= LONGEST_BATCH)
        .ok_or_else(|| Refusal::bad_request("withdrawals must be a list that isn't empty"))?;
    let (callback, description) = (
        body.url("ipn_callback_url")?,
        body.text("payout_description")?,
    );
    let mut wishes = Vec::new();
    for item in items {
        let mut wish = wish(state, &Fields::of_body(item)?)?;
        wish.callback = wish.callback.or_else(|| callback.clone());
        wish.description = wish.description.or_else(|| description.clone());
        wishes.push(wish);
    }
    let id = state.world.create_batch(wishes, &mut state.ipns, now_ms)?;
    let batch = state.world.batches.get(&id);
    let ids = batch
        .map(|batch| batch.withdrawals.clone())
        .unwrap_or_default();
    let withdrawals = ids.iter().filter_map(|id| state.world.withdrawals.get(id));
    // In the documented answer the first withdrawal has snake case, the others have camel case.
    let shown = withdrawals
        .enumerate()
        .map(|(index, withdrawal)| withdrawal.js(index > 0));
    Ok(ok(Js::object([
        ("id", Js::text(id)),
        ("withdrawals", Js::List(shown.collect())),
    ])))
}

fn wish(state: &State, item: &Fields) -> Result<Wish, Refusal> {
    item.only(&[
        "address",
        "currency",
        "amount",
        "extra_id",
        "ipn_callback_url",
        "payout_description",
        "unique_external_id",
        "fiat_amount",
        "fiat_currency",
    ])?;
    let (address, code) = (item.required("address")?, item.required("currency")?);
    check_address(&address, &code)?;
    let coin = coin(&code)?;
    if !state.account.pays_out_to(&address) {
        return Err(Refusal::bad_payout(format!(
            "Address is not whitelisted: {address}"
        )));
    }
    let amount = match item.text("fiat_amount")? {
        Some(_) => {
            let (amount, fiat) = (item.amount("fiat_amount")?, item.required("fiat_currency")?);
            let amount = state.world.in_coin(amount, &fiat, coin);
            amount.ok_or_else(|| Refusal::bad_request(format!("Currency {fiat} was not found")))?
        }
        None => {
            let amount = item.amount("amount")?;
            if !amount.has_places(PLACES) {
                return Err(Refusal::bad_payout("amount must not exceed 6 decimals"));
            }
            amount
        }
    };
    if amount < coin.least() {
        return Err(Refusal::bad_payout(format!(
            "min amount is {}",
            coin.least()
        )));
    }
    Ok(Wish {
        address,
        coin,
        amount,
        extra_id: item.text("extra_id")?,
        callback: item.url("ipn_callback_url")?,
        description: item.text("payout_description")?,
        external_id: item.text("unique_external_id")?,
    })
}

fn verify(
    state: &mut State,
    request: &Request,
    body: &Fields,
    now_ms: i64,
) -> Result<Answer, Refusal> {
    body.only(&["verification_code"])?;
    let is_right = body.required("verification_code")? == state.account.code;
    let id = request.id.parse().unwrap_or_default();
    state.world.verify(id, is_right, now_ms)?;
    Ok(Answer::Text("OK"))
}

/// The withdrawals of a batch, or the one withdrawal of this id.
fn by_id(state: &State, request: &Request) -> Result<Answer, Refusal> {
    let id: u64 = request.id.parse().unwrap_or_default();
    let found = state.world.withdrawals.values();
    let found = found.filter(|withdrawal| withdrawal.id == id || withdrawal.batch == id);
    let shown: Vec<Js> = found.map(|withdrawal| withdrawal.js(false)).collect();
    if shown.is_empty() {
        return Err(Refusal::not_found("payout"));
    }
    Ok(ok(Js::List(shown)))
}

fn list(state: &State, query: &Fields) -> Result<Answer, Refusal> {
    query.only(&[
        "batch_id",
        "status",
        "order_by",
        "order",
        "date_from",
        "date_to",
        "limit",
        "page",
    ])?;
    let (batch, status) = (query.text("batch_id")?, query.text("status")?);
    let (from, to) = (query.text("date_from")?, query.text("date_to")?);
    let (limit, page) = (query.number("limit", 10)?, query.number("page", 0)?);
    let is_rising = query
        .text("order")?
        .is_some_and(|order| order.eq_ignore_ascii_case("asc"));
    if query
        .text("order_by")?
        .is_some_and(|field| field != "id" && field != "dateCreated")
    {
        return Err(Refusal::bad_request(
            "simulator: order_by other than id and dateCreated",
        ));
    }
    let is_in = |withdrawal: &&Withdrawal| {
        let created = iso(withdrawal.created_ms);
        let is_of = |batch: &String| withdrawal.batch.to_string() == *batch;
        let has = |status: &String| withdrawal.status.as_str().eq_ignore_ascii_case(status);
        batch.as_ref().is_none_or(is_of)
            && status.as_ref().is_none_or(has)
            && from.as_ref().is_none_or(|from| created >= *from)
            && to.as_ref().is_none_or(|to| created <= *to)
    };
    let mut found: Vec<&Withdrawal> = state.world.withdrawals.values().filter(is_in).collect();
    if !is_rising {
        found.reverse();
    }
    let shown = found
        .into_iter()
        .skip(page.saturating_mul(limit))
        .take(limit);
    let shown = shown.map(|withdrawal| withdrawal.js(false));
    Ok(ok(Js::object([("payouts", Js::List(shown.collect()))])))
}

fn fee(query: &Fields) -> Result<Answer, Refusal> {
    query.only(&["currency", "amount"])?;
    let coin = coin(&query.required("currency")?)?;
    let _: Decimal = query.amount("amount")?;
    Ok(ok(Js::object([
        ("currency", Js::text(coin.code)),
        ("fee", Js::amount(coin.withdrawal_fee())),
    ])))
}
