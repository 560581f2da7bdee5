//! The page of an invoice, on which a customer chooses a coin and pays: with the browser alone, as the coins here are
//! nobody's.
//!
//! `GET /payment/?iid=` shows the invoice, `&pid=` one of its payments. `POST /payment/coin` makes a payment, `POST
//! /payment/deposit` sends coins to it.

use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::coin::COINS;
use super::decimal::Decimal;
use super::fields::{Fields, coin};
use super::payin::{Invoice, Payin, PayinStatus};
use super::refusal::Refusal;
use super::shared::{Shared, State};

/// The answer; nothing if there is no such page.
pub(super) fn answer(
    shared: &Shared,
    method: &Method,
    uri: &Uri,
    body: &Bytes,
) -> Option<Response> {
    let form = Fields::of_query(&String::from_utf8_lossy(body));
    let result = match (method.as_str(), uri.path()) {
        ("GET", "/payment/" | "/payment") => {
            let query = Fields::of_query(uri.query().unwrap_or_default());
            return Some(match show(&shared.lock(), &query) {
                Ok(page) => html(200, &page),
                Err(refusal) => refused(&refusal),
            });
        }
        ("POST", "/payment/coin") => shared.change(|state, now_ms| choose(state, &form, now_ms)),
        ("POST", "/payment/deposit") => shared.change(|state, now_ms| pay(state, &form, now_ms)),
        _ => return None,
    };
    Some(match result {
        Ok(location) => see_other(&location),
        Err(refusal) => refused(&refusal),
    })
}

fn invoice<'a>(state: &'a State, fields: &Fields) -> Result<&'a Invoice, Refusal> {
    let id = fields.required("iid")?.parse().unwrap_or_default();
    let invoice = state.world.invoices.get(&id);
    invoice.ok_or_else(|| Refusal::not_found("invoice"))
}

/// The payment that the fields name, if the invoice has it.
fn payin<'a>(state: &'a State, invoice: &Invoice, id: &str) -> Result<&'a Payin, Refusal> {
    let payin = state.world.payins.get(&id.parse().unwrap_or_default());
    payin
        .filter(|payin| payin.invoice == Some(invoice.id))
        .ok_or_else(|| Refusal::not_found("payment"))
}

/// Makes a payment in the coin, unless one waits already.
fn choose(state: &mut State, form: &Fields, now_ms: i64) -> Result<String, Refusal> {
    let invoice = invoice(state, form)?;
    let (iid, order) = (invoice.id, invoice.order.clone());
    let coin = invoice
        .coin
        .map_or_else(|| coin(&form.required("coin")?), Ok)?;
    let is_waiting = |payin: &&Payin| {
        payin.invoice == Some(iid)
            && payin.parent.is_none()
            && payin.coin.code == coin.code
            && payin.status == PayinStatus::Waiting
    };
    let waiting = state
        .world
        .payins
        .values()
        .rev()
        .find(is_waiting)
        .map(|payin| payin.id);
    let pid = match waiting {
        Some(pid) => pid,
        None => {
            // Invoices are of the account's first key.
            let api_key = state.account.api_keys.first().cloned().unwrap_or_default();
            let made = (order, coin, Some(iid));
            state
                .world
                .create_payin(made, &api_key, &mut state.ipns, now_ms)?
                .id
        }
    };
    Ok(format!("/payment/?iid={iid}&pid={pid}"))
}

fn pay(state: &mut State, form: &Fields, now_ms: i64) -> Result<String, Refusal> {
    let invoice = invoice(state, form)?;
    let payin = payin(state, invoice, &form.required("pid")?)?;
    let (iid, pid) = (invoice.id, payin.id);
    let (coin, amount) = (form.coin("coin")?, form.amount("amount")?);
    state
        .world
        .deposit(pid, coin, amount, &mut state.ipns, now_ms);
    Ok(format!("/payment/?iid={iid}&pid={pid}"))
}

fn show(state: &State, query: &Fields) -> Result<String, Refusal> {
    let invoice = invoice(state, query)?;
    let order = &invoice.order;
    let description = order.description.as_deref().unwrap_or("Payment");
    let mut page = format!(
        "<h1>{} {}</h1><p>{}</p>",
        order.price,
        escaped(&order.currency.to_uppercase()),
        escaped(description)
    );
    match query.text("pid")? {
        Some(id) => show_payment(state, invoice, payin(state, invoice, &id)?, &mut page),
        None => show_coins(invoice, &mut page),
    }
    Ok(page)
}

// Writing to a string can't fail.
fn show_coins(invoice: &Invoice, page: &mut String) {
    let _ = write!(
        page,
        "<form method=\"post\" action=\"/payment/coin\"><input type=\"hidden\" name=\"iid\" value=\"{}\">",
        invoice.id
    );
    for coin in COINS
        .iter()
        .filter(|coin| invoice.coin.is_none_or(|only| only.code == coin.code))
    {
        let (code, name) = (coin.code, coin.name);
        let _ = write!(
            page,
            "<button name=\"coin\" value=\"{code}\">{name}</button> "
        );
    }
    page.push_str("</form>");
    link(page, "Cancel", invoice.cancel_url.as_deref());
}

fn show_payment(state: &State, invoice: &Invoice, payin: &Payin, page: &mut String) {
    let (code, asked) = (payin.coin.code, payin.pay_amount);
    let _ = write!(
        page,
        "<p>Send <b>{asked}</b> {code} to <code>{}</code></p>",
        payin.address
    );
    if let Some(memo) = payin.memo {
        let _ = write!(page, "<p>Memo: <code>{memo}</code></p>");
    }
    let status = payin.status;
    let _ = write!(
        page,
        "<p>Status: <b id=\"status\">{}</b>, {} {code} came</p>",
        status.as_str(),
        payin.paid
    );
    for child in payin
        .children
        .iter()
        .filter_map(|id| state.world.payins.get(id))
    {
        let _ = write!(
            page,
            "<p>Repeated: {} {}, {}</p>",
            child.paid,
            child.coin.code,
            child.status.as_str()
        );
    }
    let missing = asked
        .minus(payin.paid)
        .filter(|amount| !amount.is_zero())
        .unwrap_or(asked);
    deposit_form(invoice, payin, page, missing);
    match status {
        PayinStatus::Finished => link(page, "Back to the shop", invoice.success_url.as_deref()),
        PayinStatus::PartiallyPaid => {
            let url = invoice
                .partially_paid_url
                .as_ref()
                .or(invoice.success_url.as_ref());
            link(page, "Back to the shop", url.map(String::as_str));
        }
        PayinStatus::Waiting
        | PayinStatus::Confirming
        | PayinStatus::Confirmed
        | PayinStatus::Sending
        | PayinStatus::Failed
        | PayinStatus::Refunded
        | PayinStatus::Expired
        | PayinStatus::Cancelled
        | PayinStatus::WrongAssetConfirmed => link(page, "Cancel", invoice.cancel_url.as_deref()),
    }
    if status.is_moving() {
        page.push_str("<meta http-equiv=\"refresh\" content=\"1\">");
    }
}

/// Sends any amount of any coin, what is missing at first: less, more, once more and the wrong coin are all to be had.
fn deposit_form(invoice: &Invoice, payin: &Payin, page: &mut String, missing: Decimal) {
    let _ = write!(
        page,
        "<form method=\"post\" action=\"/payment/deposit\"><input type=\"hidden\" name=\"iid\" value=\"{}\">\
         <input type=\"hidden\" name=\"pid\" value=\"{}\"><input name=\"amount\" value=\"{missing}\"> <select name=\"coin\">",
        invoice.id, payin.id
    );
    for coin in &COINS {
        let selected = if coin.code == payin.coin.code {
            " selected"
        } else {
            ""
        };
        let _ = write!(page, "<option{selected}>{}</option>", coin.code);
    }
    page.push_str("</select> <button>Pay</button></form>");
}

fn link(page: &mut String, text: &str, url: Option<&str>) {
    if let Some(url) = url {
        let _ = write!(page, "<p><a href=\"{}\">{text}</a></p>", escaped(url));
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

fn html(status: u16, content: &str) -> Response {
    let page = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>NOWPayments (simulated)</title>{content}"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn refused(refusal: &Refusal) -> Response {
    html(
        refusal.status,
        &format!("<p>{}</p>", escaped(&refusal.message)),
    )
}

fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
