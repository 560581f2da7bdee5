//! What is read at Stripe: objects by what a report asks for, lists, and the events of the last 30 days.

use form_urlencoded::Serializer;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use domain::report::Lookup;
use domain::stripe::{EVENT_TYPES, EventHead, StripeObject, StripeReport};

use super::{Call, Stripe, StripeError, garbled, segment};

/// How many events a page has.
const EVENTS_PER_PAGE: u32 = 50;
/// How many objects of a payment a page has: Stripe's most.
const PER_PAGE: u32 = 100;

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    has_more: bool,
}

/// An event, as the webhook would have brought it.
#[derive(Debug)]
pub struct EventBody {
    /// Its head.
    pub head: EventHead,
    /// Its body.
    pub body: Vec<u8>,
}

/// Some events, the newest first.
#[derive(Debug)]
pub struct EventPage {
    /// The events.
    pub events: Vec<EventBody>,
    /// After which event the next page begins, if there is one.
    pub after: Option<String>,
}

impl Stripe {
    /// Reads what a report asks for; nothing if there is no such object, or it is not one of Stripe's.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn fetch(&self, lookup: &Lookup) -> Result<Option<StripeReport>, StripeError> {
        let (name, path) = match lookup {
            Lookup::Session(id) => (
                "read session",
                expanded(
                    "checkout/sessions",
                    id,
                    &["payment_intent.latest_charge", "invoice.payments"],
                ),
            ),
            Lookup::Intent(id) => ("read intent", expanded("payment_intents", id, &[])),
            Lookup::Charge(id) => ("read charge", expanded("charges", id, &[])),
            Lookup::Subscription(id) => ("read subscription", expanded("subscriptions", id, &[])),
            Lookup::Dispute(id) => ("read dispute", expanded("disputes", id, &[])),
            Lookup::InvoiceOfIntent(intent) => return self.invoice_of(intent).await,
            Lookup::Deposit { .. } => return Ok(None),
        };
        self.found(name, &path).await
    }

    /// Reads an invoice with its payments; nothing if there is none.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn invoice(&self, id: &str) -> Result<Option<StripeReport>, StripeError> {
        let path = expanded("invoices", id, &["payments"]);
        self.found("read invoice", &path).await
    }

    /// Reads an event, of the last 30 days; nothing if there is none.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn event(&self, id: &str) -> Result<Option<StripeReport>, StripeError> {
        let call = "read event";
        let path = expanded("events", id, &[]);
        let body: Box<RawValue> = match self.call(Call::get(call, &path)).await {
            Err(error) if error.is_missing() => return Ok(None),
            read => read?,
        };
        let report = StripeReport::of_event(body.get().as_bytes());
        report.map(Some).ok_or_else(|| garbled(call))
    }

    /// The events of the types that the webhook asks for, from an instant (in seconds since the Unix epoch) on; `after` is
    /// the [`EventPage::after`] of the page before.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn events_since(
        &self,
        since: i64,
        after: Option<&str>,
    ) -> Result<EventPage, StripeError> {
        let call = "list events";
        let mut query = Serializer::new(String::new());
        query.append_pair("limit", &EVENTS_PER_PAGE.to_string());
        query.append_pair("created[gte]", &since.to_string());
        for (place, kind) in EVENT_TYPES.iter().enumerate() {
            query.append_pair(&format!("types[{place}]"), kind);
        }
        if let Some(after) = after {
            query.append_pair("starting_after", after);
        }
        let path = format!("/v1/events?{}", query.finish());
        let page: Page<Box<RawValue>> = self.call(Call::get(call, &path)).await?;
        let read = |body: Box<RawValue>| {
            let body = body.get().as_bytes().to_vec();
            let head = EventHead::parse(&body).ok_or_else(|| garbled(call))?;
            Ok(EventBody { head, body })
        };
        let events = page.data.into_iter().map(read);
        let events = events.collect::<Result<Vec<_>, StripeError>>()?;
        let last = events.last().map(|event| event.head.id.clone());
        Ok(EventPage {
            events,
            after: last.filter(|_| page.has_more),
        })
    }

    /// The refunds of a charge, by its key: at most the newest 100 of each payment.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn refunds(&self, charge: &str) -> Result<Vec<StripeReport>, StripeError> {
        self.of_charge("list refunds", "refunds", charge).await
    }

    /// The disputes of a charge, by its key. They were read after nothing: settling them reads each anew.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn disputes(&self, charge: &str) -> Result<Vec<StripeReport>, StripeError> {
        self.of_charge("list disputes", "disputes", charge).await
    }

    async fn of_charge(
        &self,
        call: &'static str,
        list: &str,
        charge: &str,
    ) -> Result<Vec<StripeReport>, StripeError> {
        let mut found = Vec::new();
        for intent in self.intents(charge).await? {
            let intent = segment(&intent);
            let path = format!("/v1/{list}?limit={PER_PAGE}&payment_intent={intent}");
            let page: Page<Value> = self.call(Call::get(call, &path)).await?;
            found.extend(page.data.into_iter().map(StripeObject::new));
        }
        Ok(found.into_iter().map(StripeReport::read).collect())
    }

    /// The payment intents of a charge, by its key: itself, or those that paid the invoice.
    pub(crate) async fn intents(&self, charge: &str) -> Result<Vec<String>, StripeError> {
        if !charge.starts_with("in_") {
            return Ok(vec![charge.to_owned()]);
        }
        let invoice = self.invoice(charge).await?;
        let paid = invoice.map(|invoice| invoice.object().paying_intents());
        Ok(paid.unwrap_or_default())
    }

    async fn invoice_of(&self, intent: &str) -> Result<Option<StripeReport>, StripeError> {
        let query = Serializer::new(String::new())
            .append_pair("limit", "1")
            .append_pair("payment[type]", "payment_intent")
            .append_pair("payment[payment_intent]", intent)
            .append_pair("expand[]", "data.invoice")
            .finish();
        let path = format!("/v1/invoice_payments?{query}");
        let page: Page<Value> = self.call(Call::get("list invoice payments", &path)).await?;
        let invoice = page.data.into_iter().next();
        let invoice = invoice.map(|mut payment| payment["invoice"].take());
        let invoice = invoice.filter(Value::is_object);
        Ok(invoice.map(|invoice| StripeReport::read(StripeObject::new(invoice))))
    }

    async fn found(
        &self,
        call: &'static str,
        path: &str,
    ) -> Result<Option<StripeReport>, StripeError> {
        match self.object(Call::get(call, path)).await {
            Err(error) if error.is_missing() => Ok(None),
            read => read.map(|object| Some(StripeReport::read(object))),
        }
    }
}

fn expanded(kind: &str, id: &str, expand: &[&str]) -> String {
    let expand = expand.iter().map(|path| format!("expand[]={path}"));
    let query = expand.collect::<Vec<_>>().join("&").replace("[]", "%5B%5D");
    let (id, mark) = (segment(id), if query.is_empty() { "" } else { "?" });
    format!("/v1/{kind}/{id}{mark}{query}")
}
