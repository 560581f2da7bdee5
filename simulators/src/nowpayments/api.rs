//! The calls of the API: which there are, who may make them, and what those about coins and payments do.

use axum::http::Method;

use super::coin::{self, COINS};
use super::fields::{Fields, coin};
use super::js::Js;
use super::payin::{Invoice, Order, Payin};
use super::payout_api;
use super::refusal::Refusal;
use super::request::{Answer, Request, ok};
use super::shared::State;
use super::time::iso;

/// The most payments that one page of the list has.
const LONGEST_PAGE: usize = 500;
const ORDER_FIELDS: [&str; 9] = [
    "price_amount",
    "price_currency",
    "pay_currency",
    "ipn_callback_url",
    "order_id",
    "order_description",
    "is_fixed_rate",
    "is_fee_paid_by_user",
    "customer_email",
];

/// The endpoint of a path after `/v1`, and the id in it.
pub(super) fn route(method: &Method, path: &str) -> Option<(&'static str, String)> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (endpoint, id) = match (method.as_str(), segments.as_slice()) {
        ("GET", ["status"]) => ("GET /status", ""),
        ("POST", ["auth"]) => ("POST /auth", ""),
        ("GET", ["currencies"]) => ("GET /currencies", ""),
        ("GET", ["full-currencies"]) => ("GET /full-currencies", ""),
        ("GET", ["merchant", "coins"]) => ("GET /merchant/coins", ""),
        ("GET", ["min-amount"]) => ("GET /min-amount", ""),
        ("GET", ["estimate"]) => ("GET /estimate", ""),
        ("POST", ["invoice"]) => ("POST /invoice", ""),
        ("POST", ["invoice-payment"]) => ("POST /invoice-payment", ""),
        ("POST", ["payment"]) => ("POST /payment", ""),
        ("GET", ["payment"]) => ("GET /payment", ""),
        ("GET", ["payment", id]) => ("GET /payment/{id}", *id),
        ("POST", ["payment", id, "update-merchant-estimate"]) => {
            ("POST /payment/{id}/update-merchant-estimate", *id)
        }
        ("GET", ["balance"]) => ("GET /balance", ""),
        ("POST", ["payout", "validate-address"]) => ("POST /payout/validate-address", ""),
        ("POST", ["payout"]) => ("POST /payout", ""),
        ("GET", ["payout"]) => ("GET /payout", ""),
        ("GET", ["payout", "fee"]) => ("GET /payout/fee", ""),
        ("GET", ["payout", id]) => ("GET /payout/{id}", *id),
        ("POST", ["payout", id, "verify"]) => ("POST /payout/{id}/verify", *id),
        ("GET", ["payout-withdrawal", "min-amount", coin]) => {
            ("GET /payout-withdrawal/min-amount/{id}", *coin)
        }
        _ => return None,
    };
    Some((endpoint, id.to_owned()))
}

/// Does what a call asks for.
pub(super) fn perform(
    state: &mut State,
    request: &Request,
    now_ms: i64,
) -> Result<Answer, Refusal> {
    if !state.account.admits(now_ms) {
        return Err(Refusal::new(429, "TOO_MANY_REQUESTS", "Too many requests"));
    }
    if !matches!(request.endpoint, "GET /status" | "POST /auth") {
        check_key(state, request)?;
    }
    if matches!(
        request.endpoint,
        "GET /payment" | "POST /payout" | "POST /payout/{id}/verify"
    ) {
        check_token(state, request, now_ms)?;
    }
    let query = || Fields::of_query(&request.query);
    let body = || Fields::of_body(&request.body);
    match request.endpoint {
        "GET /status" => Ok(ok(Js::object([("message", Js::text("OK"))]))),
        "POST /auth" => auth(state, &body()?, now_ms),
        "GET /currencies" => Ok(ok(currencies())),
        "GET /merchant/coins" => Ok(ok(selected_currencies(state))),
        "GET /full-currencies" => Ok(ok(full_currencies())),
        "GET /min-amount" => min_amount(state, &query()),
        "GET /estimate" => estimate(state, &query()),
        "POST /invoice" => create_invoice(state, &body()?, now_ms),
        "POST /invoice-payment" => invoice_payment(state, request, &body()?, now_ms),
        "POST /payment" => create_payment(state, request, &body()?, now_ms),
        "GET /payment" => list(state, request, &query()),
        "GET /payment/{id}" => Ok(shaped(state, 200, payin(state, request)?.shown())),
        "POST /payment/{id}/update-merchant-estimate" => update_estimate(state, request, now_ms),
        _ => payout_api::perform(state, request, now_ms),
    }
}

fn shaped(state: &State, status: u16, body: Js) -> Answer {
    Answer::Json(status, state.world.shaped(body))
}

fn check_key(state: &State, request: &Request) -> Result<(), Refusal> {
    let key = request.api_key.as_ref();
    if key.is_some_and(|key| state.account.api_keys.contains(key)) {
        return Ok(());
    }
    Err(Refusal::new(403, "INVALID_API_KEY", "Invalid api key"))
}

fn check_token(state: &State, request: &Request, now_ms: i64) -> Result<(), Refusal> {
    let token = request.token.as_ref();
    if token.is_some_and(|token| state.account.knows_token(token, now_ms)) {
        return Ok(());
    }
    let message = "Authorization header is empty (Bearer JWTtoken is required)";
    Err(Refusal::new(401, "AUTH_REQUIRED", message))
}

fn auth(state: &mut State, body: &Fields, now_ms: i64) -> Result<Answer, Refusal> {
    body.only(&["email", "password"])?;
    let (email, password) = (body.required("email")?, body.required("password")?);
    let token = state.account.log_in(&email, &password, now_ms);
    let token = token.ok_or_else(|| Refusal::new(403, "INVALID_CREDENTIALS", "Access denied"))?;
    Ok(ok(Js::object([("token", Js::text(token))])))
}

fn currencies() -> Js {
    let codes = COINS.iter().map(|coin| Js::text(coin.code));
    Js::object([("currencies", Js::List(codes.collect()))])
}

/// What the merchant switched on, in large letters.
fn selected_currencies(state: &State) -> Js {
    let selected = COINS.iter().filter(|coin| state.account.takes(coin.code));
    let codes = selected.map(|coin| Js::text(coin.code.to_uppercase()));
    Js::object([("selectedCurrencies", Js::List(codes.collect()))])
}

fn full_currencies() -> Js {
    let shown = COINS.iter().enumerate().map(|(index, coin)| {
        Js::object([
            ("id", Js::number(index + 1)),
            ("code", Js::text(coin.code.to_uppercase())),
            ("name", Js::text(coin.name)),
            ("enable", Js::Bool(true)),
            ("wallet_regex", Js::text(coin.wallet_regex)),
            ("priority", Js::number(index + 1)),
            ("extra_id_exists", Js::Bool(coin.has_memo)),
            (
                "extra_id_regex",
                Js::maybe(coin.has_memo.then_some("^[0-9]{1,10}$")),
            ),
            (
                "logo_url",
                Js::text(format!("/images/coins/{}.svg", coin.code)),
            ),
            ("track", Js::Bool(true)),
            ("cg_id", Js::Null),
            ("is_maxlimit", Js::Bool(false)),
            ("network", Js::text(coin.network)),
            ("smart_contract", Js::Null),
            ("network_precision", Js::text(coin.precision)),
        ])
    });
    Js::object([("currencies", Js::List(shown.collect()))])
}

fn min_amount(state: &State, query: &Fields) -> Result<Answer, Refusal> {
    let names = [
        "currency_from",
        "currency_to",
        "fiat_equivalent",
        "is_fixed_rate",
        "is_fee_paid_by_user",
    ];
    query.only(&names)?;
    let (from, world) = (query.required("currency_from")?, &state.world);
    let to = query.text("currency_to")?.unwrap_or_else(|| from.clone());
    let unknown = |code: &str| Refusal::bad_request(format!("Currency {code} was not found"));
    world.rate(&to).ok_or_else(|| unknown(&to))?;
    // The least of a fiat currency is that of the coin that it is paid in, Tron here.
    let asked = coin::Coin::find(&from).map_or_else(|| coin("trx"), Ok)?;
    let usd = asked
        .least()
        .times(world.rate(asked.code).unwrap_or_default());
    let rate = world.rate(&from).ok_or_else(|| unknown(&from))?;
    let mut fields = vec![
        ("currency_from".to_owned(), Js::text(&from)),
        ("currency_to".to_owned(), Js::text(&to)),
        (
            "min_amount".to_owned(),
            Js::amount(usd.over(rate).rounded(8)),
        ),
    ];
    if let Some(fiat) = query.text("fiat_equivalent")? {
        let rate = coin::fiat(&fiat).ok_or_else(|| unknown(&fiat))?;
        fields.push((
            "fiat_equivalent".to_owned(),
            Js::amount(usd.over(rate).rounded(8)),
        ));
    }
    Ok(ok(Js::Object(fields)))
}

fn estimate(state: &State, query: &Fields) -> Result<Answer, Refusal> {
    query.only(&["amount", "currency_from", "currency_to"])?;
    let (from, to) = (
        query.required("currency_from")?,
        query.required("currency_to")?,
    );
    let amount = query.amount("amount")?;
    let rate = |code: &str| {
        let rate = state.world.rate(code);
        rate.ok_or_else(|| Refusal::bad_request(format!("Currency {code} was not found")))
    };
    let estimated = amount.times(rate(&from)?).over(rate(&to)?).rounded(8);
    let body = Js::object([
        ("currency_from", Js::text(&from)),
        ("amount_from", Js::amount(amount)),
        ("currency_to", Js::text(&to)),
        // A text in the answers that clients have seen, a number in the documentation.
        ("estimated_amount", Js::amount(estimated)),
    ]);
    Ok(shaped(state, 200, body))
}

fn order(state: &State, body: &Fields) -> Result<Order, Refusal> {
    let currency = body.required("price_currency")?.to_lowercase();
    if state.world.rate(&currency).is_none() {
        return Err(Refusal::bad_request(format!(
            "Currency {currency} was not found"
        )));
    }
    let is_fee_paid_by_user = body.flag("is_fee_paid_by_user")?;
    Ok(Order {
        price: body.amount("price_amount")?,
        currency,
        callback: body.url("ipn_callback_url")?,
        order_id: body.text("order_id")?,
        description: body.text("order_description")?,
        is_fixed_rate: body.flag("is_fixed_rate")? || is_fee_paid_by_user,
        is_fee_paid_by_user,
    })
}

fn create_invoice(state: &mut State, body: &Fields, now_ms: i64) -> Result<Answer, Refusal> {
    let mut names = vec!["success_url", "cancel_url", "partially_paid_url"];
    names.extend(ORDER_FIELDS);
    body.only(&names)?;
    if body
        .value("price_amount")
        .is_some_and(|price| !price.is_number())
    {
        return Err(Refusal::bad_request("price_amount must be a number"));
    }
    let order = order(state, body)?;
    let invoice = Invoice {
        id: state.world.new_id(),
        token_id: state.world.new_id(),
        order,
        coin: body
            .text("pay_currency")?
            .map(|code| coin(&code))
            .transpose()?,
        success_url: body.url("success_url")?,
        cancel_url: body.url("cancel_url")?,
        partially_paid_url: body.url("partially_paid_url")?,
        created_ms: now_ms,
    };
    let base = state.base.clone();
    let body = state.world.create_invoice(invoice).js(&base);
    Ok(Answer::Json(201, body))
}

fn create_payment(
    state: &mut State,
    request: &Request,
    body: &Fields,
    now_ms: i64,
) -> Result<Answer, Refusal> {
    body.only(&ORDER_FIELDS)?;
    let made = (order(state, body)?, body.coin("pay_currency")?, None);
    created(state, request, made, now_ms)
}

fn invoice_payment(
    state: &mut State,
    request: &Request,
    body: &Fields,
    now_ms: i64,
) -> Result<Answer, Refusal> {
    body.only(&["iid", "pay_currency", "order_description", "customer_email"])?;
    let id = body.required("iid")?.parse().unwrap_or_default();
    let invoice = state.world.invoices.get(&id);
    let invoice = invoice.ok_or_else(|| Refusal::not_found("invoice"))?;
    let coin = body.coin("pay_currency")?;
    let made = (
        invoice.order.clone(),
        invoice.coin.unwrap_or(coin),
        Some(id),
    );
    created(state, request, made, now_ms)
}

fn created(
    state: &mut State,
    request: &Request,
    made: (Order, &'static coin::Coin, Option<u64>),
    now_ms: i64,
) -> Result<Answer, Refusal> {
    let api_key = request.api_key.as_deref().unwrap_or_default();
    let payin = state
        .world
        .create_payin(made, api_key, &mut state.ipns, now_ms)?;
    Ok(shaped(state, 201, payin.created()))
}

/// The payment that a call names, if its key made it.
fn payin<'a>(state: &'a State, request: &Request) -> Result<&'a Payin, Refusal> {
    let id = request.id.parse().unwrap_or_default();
    let payin = state.world.payins.get(&id);
    payin
        .filter(|payin| Some(&payin.api_key) == request.api_key.as_ref())
        .ok_or_else(|| Refusal::not_found("payment"))
}

fn update_estimate(state: &mut State, request: &Request, now_ms: i64) -> Result<Answer, Refusal> {
    let id = payin(state, request)?.id;
    state.world.estimate_again(id, now_ms);
    let payin = payin(state, request)?;
    let body = Js::object([
        ("id", Js::text(payin.id)),
        ("token_id", Js::text(payin.token_id)),
        ("pay_amount", Js::amount(payin.pay_amount)),
        (
            "expiration_estimate_date",
            Js::text(iso(payin.estimate_until_ms)),
        ),
    ]);
    Ok(shaped(state, 200, body))
}

fn list(state: &State, request: &Request, query: &Fields) -> Result<Answer, Refusal> {
    query.only(&[
        "limit",
        "page",
        "sortBy",
        "orderBy",
        "dateFrom",
        "dateTo",
        "invoiceId",
    ])?;
    let (limit, page) = (query.number("limit", 10)?, query.number("page", 0)?);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        return Err(Refusal::bad_request("limit must be between 1 and 500"));
    }
    if query
        .text("sortBy")?
        .is_some_and(|field| field != "created_at")
    {
        return Err(Refusal::bad_request(
            "simulator: sortBy other than created_at",
        ));
    }
    let is_rising = query
        .text("orderBy")?
        .is_some_and(|order| order.eq_ignore_ascii_case("asc"));
    let (from, to) = (query.text("dateFrom")?, query.text("dateTo")?);
    let invoice = query.text("invoiceId")?;
    // Instants compare as their texts do; a day is the beginning of its instants.
    let is_in = |payin: &&Payin| {
        let created = iso(payin.created_ms);
        Some(&payin.api_key) == request.api_key.as_ref()
            && from.as_ref().is_none_or(|from| created >= *from)
            && to.as_ref().is_none_or(|to| created <= *to)
            && invoice
                .as_ref()
                .is_none_or(|invoice| payin.invoice.is_some_and(|id| id.to_string() == *invoice))
    };
    let mut found: Vec<&Payin> = state.world.payins.values().filter(is_in).collect();
    if !is_rising {
        found.reverse();
    }
    let total = found.len();
    let shown = found
        .into_iter()
        .skip(page.saturating_mul(limit))
        .take(limit);
    let shown = shown.map(|payin| state.world.shaped(payin.shown()));
    Ok(ok(Js::object([
        ("data", Js::List(shown.collect())),
        ("limit", Js::number(limit)),
        ("page", Js::number(page)),
        ("pagesCount", Js::number(total.div_ceil(limit))),
        ("total", Js::number(total)),
    ])))
}
