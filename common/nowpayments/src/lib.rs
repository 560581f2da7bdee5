//! The calls of NOWPayments' API that we make. Every failure tells what it means; none holds the key or the login.
//!
//! The API knows no idempotency keys. It needs none here: an invoice that nobody was told of can't be paid, and all else
//! only reads.

mod error;

use std::time::Duration;

use form_urlencoded::Serializer;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use domain::money::AmountTable;
use domain::nowpayments::{CoinAmount, CoinReport, IpnBody};
use domain::report::Lookup;
use runtime::http::{Answer, Http, Outgoing};
use runtime::trace;

pub use error::NowPaymentsError;

/// Where the API is.
pub const API_BASE: &str = "https://api.nowpayments.io/v1";
/// Longest wait for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest answer, in bytes: a page of payments.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;
/// How many payments of an invoice are listed: a customer makes one for each coin that they try.
const PAYMENTS_MAX: u32 = 100;
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The login of the account, which the list of payments needs.
#[derive(Clone)]
pub struct Login {
    /// The e-mail.
    pub email: String,
    /// The password.
    pub password: SecretString,
}

/// One account.
#[derive(Clone)]
pub struct NowPayments {
    http: Http,
    base: String,
    key: SecretString,
    login: Option<Login>,
}

/// What a buyer is to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvoiceRequest<'a> {
    /// The order.
    pub order: &'a str,
    /// What the buyer reads that it is.
    pub title: &'a str,
    /// The price, in hundredths.
    pub amount: i128,
    /// Its currency, in small letters.
    pub currency: &'a str,
    /// Where notifications go.
    pub callback_url: &'a str,
    /// Where the buyer is led after paying.
    pub success_url: &'a str,
    /// Where the buyer is led who does not pay.
    pub cancel_url: Option<&'a str>,
}

#[derive(Serialize)]
struct InvoiceFields<'a> {
    /// A number, in its own digits.
    price_amount: Box<RawValue>,
    price_currency: &'a str,
    order_id: &'a str,
    order_description: &'a str,
    ipn_callback_url: &'a str,
    success_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_url: Option<&'a str>,
}

/// An invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: String,
    /// Where the buyer pays.
    pub url: String,
}

#[derive(Serialize)]
struct LoginFields<'a> {
    email: &'a str,
    password: &'a str,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// The coins that the account takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selected {
    selected_currencies: Vec<String>,
}

#[derive(Deserialize)]
struct Listed {
    data: Vec<Box<RawValue>>,
}

struct Call<'a> {
    name: &'static str,
    path: &'a str,
    body: Option<&'a str>,
    token: Option<&'a SecretString>,
}

impl<'a> Call<'a> {
    const fn get(name: &'static str, path: &'a str) -> Self {
        Self {
            name,
            path,
            body: None,
            token: None,
        }
    }

    const fn post(name: &'static str, path: &'a str, body: &'a str) -> Self {
        Self {
            name,
            path,
            body: Some(body),
            token: None,
        }
    }
}

impl InvoiceRequest<'_> {
    /// The body of the request; nothing if the currency is none, or the amount less than nothing.
    #[must_use]
    pub fn body(&self) -> Option<String> {
        let unit = AmountTable::NowPayments.unit(self.currency)?;
        let amount = (self.amount > 0).then(|| unit.format(self.amount))?;
        let fields = InvoiceFields {
            price_amount: RawValue::from_string(amount).ok()?,
            price_currency: self.currency,
            order_id: self.order,
            order_description: self.title,
            ipn_callback_url: self.callback_url,
            success_url: self.success_url,
            cancel_url: self.cancel_url,
        };
        serde_json::to_string(&fields).ok()
    }
}

impl NowPayments {
    /// The account of a key, at a base URL that ends in the version, without a slash at its end.
    #[must_use]
    pub const fn new(http: Http, base: String, key: SecretString, login: Option<Login>) -> Self {
        Self {
            http,
            base,
            key,
            login,
        }
    }

    /// Makes the invoice of an order by [`InvoiceRequest::body`], as it was stored. Each call makes another one.
    ///
    /// # Errors
    /// [`NowPaymentsError`].
    pub async fn create_invoice(&self, body: &str) -> Result<Invoice, NowPaymentsError> {
        let call = "create invoice";
        let made = self.read(Call::post(call, "/invoice", body)).await?;
        let text = |name| made.scalar(name).map(str::to_owned);
        let (Some(id), Some(url)) = (text("id"), text("invoice_url")) else {
            return Err(garbled(call));
        };
        Ok(Invoice { id, url })
    }

    /// Reads a payment; nothing if this key made none with that id.
    ///
    /// # Errors
    /// [`NowPaymentsError`].
    pub async fn payment(&self, id: &str) -> Result<Option<CoinReport>, NowPaymentsError> {
        let call = "read payment";
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let path = format!("/payment/{id}");
        let body = match self.read(Call::get(call, &path)).await {
            Err(error) if error.is_missing() => return Ok(None),
            read => read?,
        };
        report(call, &body).map(Some)
    }

    /// Reads what a report asks for; nothing if there is none, or it is not one of NOWPayments'.
    ///
    /// # Errors
    /// [`NowPaymentsError`].
    pub async fn fetch(&self, lookup: &Lookup) -> Result<Option<CoinReport>, NowPaymentsError> {
        let Lookup::Deposit { payment, parent } = lookup else {
            return Ok(None);
        };
        let Some(payment) = self.payment(payment).await? else {
            return Ok(None);
        };
        let parent = self.payment(parent).await?;
        Ok(parent.map(|parent| payment.of_parent(parent)))
    }

    /// The payments that were made from an invoice, the newest first: what to ask if no notification came.
    ///
    /// # Errors
    /// [`NowPaymentsError::NoLogin`] without a login, else as all.
    pub async fn payments_of(&self, invoice: &str) -> Result<Vec<CoinReport>, NowPaymentsError> {
        let call = "list payments";
        let token = self.token().await?;
        let query = Serializer::new(String::new())
            .append_pair("limit", &PAYMENTS_MAX.to_string())
            .append_pair("page", "0")
            .append_pair("invoiceId", invoice)
            .finish();
        let path = format!("/payment/?{query}");
        let answer = self.send(Call {
            token: Some(&token),
            ..Call::get(call, &path)
        });
        let answer = answer.await?;
        let listed: Listed = serde_json::from_slice(&answer.body).map_err(|_| garbled(call))?;
        let reports = listed.data.into_iter().map(|payment| {
            let body = IpnBody::parse(payment.get().as_bytes());
            report(call, &body.ok_or_else(|| garbled(call))?)
        });
        reports.collect()
    }

    /// Whether the API says that it works.
    ///
    /// # Errors
    /// [`NowPaymentsError`], which says the same.
    pub async fn status(&self) -> Result<(), NowPaymentsError> {
        self.read(Call::get("status", "/status")).await.map(|_| ())
    }

    /// The coins in which the account takes payments, as they were switched on; it shows also that the key is right.
    ///
    /// # Errors
    /// [`NowPaymentsError`].
    pub async fn coins(&self) -> Result<Vec<String>, NowPaymentsError> {
        let call = "list coins";
        let answer = self.send(Call::get(call, "/merchant/coins")).await?;
        let selected: Selected = serde_json::from_slice(&answer.body).map_err(|_| garbled(call))?;
        Ok(selected.selected_currencies)
    }

    /// Whether the login is right.
    ///
    /// # Errors
    /// [`NowPaymentsError::NoLogin`] without a login, else as all.
    pub async fn check_login(&self) -> Result<(), NowPaymentsError> {
        self.token().await.map(|_| ())
    }

    /// What an amount of a currency is in a coin, by the present rate.
    ///
    /// # Errors
    /// [`NowPaymentsError`].
    pub async fn estimate(
        &self,
        amount: CoinAmount,
        currency: &str,
        coin: &str,
    ) -> Result<CoinAmount, NowPaymentsError> {
        let amount = amount.to_string();
        let pairs = [
            ("amount", &*amount),
            ("currency_from", currency),
            ("currency_to", coin),
        ];
        self.amount("estimate", &pairs, "estimated_amount").await
    }

    /// The least that can be paid in a coin, in that coin.
    ///
    /// # Errors
    /// [`NowPaymentsError`].
    pub async fn min_amount(&self, coin: &str) -> Result<CoinAmount, NowPaymentsError> {
        self.amount("min-amount", &[("currency_from", coin)], "min_amount")
            .await
    }

    async fn amount(
        &self,
        call: &'static str,
        pairs: &[(&str, &str)],
        field: &str,
    ) -> Result<CoinAmount, NowPaymentsError> {
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let path = format!("/{call}?{query}");
        let body = self.read(Call::get(call, &path)).await?;
        let amount = body.scalar(field).and_then(CoinAmount::parse);
        amount.ok_or_else(|| garbled(call))
    }

    /// A token of the login, which lives five minutes: one for each call that needs it.
    async fn token(&self) -> Result<SecretString, NowPaymentsError> {
        let call = "log in";
        let login = self.login.as_ref().ok_or(NowPaymentsError::NoLogin)?;
        let fields = LoginFields {
            email: &login.email,
            password: login.password.expose_secret(),
        };
        let body = serde_json::to_string(&fields).map_err(|_| garbled(call))?;
        let answer = self.send(Call::post(call, "/auth", &body)).await?;
        let token: Token = serde_json::from_slice(&answer.body).map_err(|_| garbled(call))?;
        Ok(token.token.into())
    }

    async fn read(&self, call: Call<'_>) -> Result<IpnBody, NowPaymentsError> {
        let name = call.name;
        let answer = self.send(call).await?;
        IpnBody::parse(&answer.body).ok_or_else(|| garbled(name))
    }

    async fn send(&self, call: Call<'_>) -> Result<Answer, NowPaymentsError> {
        let name = call.name;
        let secret = |text: &str| {
            let value = HeaderValue::from_str(text);
            let mut value = value.map_err(|error| NowPaymentsError::NotSent {
                call: name,
                source: Box::new(error),
            })?;
            value.set_sensitive(true);
            Ok::<_, NowPaymentsError>(value)
        };
        let mut headers = HeaderMap::from_iter([(API_KEY, secret(self.key.expose_secret())?)]);
        if let Some(token) = call.token {
            let token = secret(&format!("Bearer {}", token.expose_secret()))?;
            headers.insert(header::AUTHORIZATION, token);
        }
        if call.body.is_some() {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let url = format!("{}{}", self.base, call.path);
        let sent = self.http.send(Outgoing {
            method: call.body.map_or(Method::GET, |_| Method::POST),
            url: &url,
            headers,
            body: call.body.unwrap_or_default().as_bytes().to_vec(),
            timeout: CALL_TIMEOUT,
            answer_max_bytes: ANSWER_MAX_BYTES,
        });
        let answer = trace::call("NOWPayments", name, sent, |answer| answer.status).await;
        let answer = answer.map_err(|error| NowPaymentsError::of_transport(name, error))?;
        match NowPaymentsError::of_answer(name, &answer) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }
}

fn report(call: &'static str, body: &IpnBody) -> Result<CoinReport, NowPaymentsError> {
    CoinReport::read(body).map_err(|_| garbled(call))
}

/// A success whose body is none of theirs.
const fn garbled(call: &'static str) -> NowPaymentsError {
    NowPaymentsError::Garbled { call, status: 200 }
}
