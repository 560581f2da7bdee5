//! The request for a Checkout Session: made once, stored, and sent as often as it takes, byte for byte.

use form_urlencoded::Serializer;

use domain::stripe::ORDER_ID;

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// So many days.
    Days(u32),
    /// So many weeks.
    Weeks(u32),
    /// So many months.
    Months(u32),
    /// So many years.
    Years(u32),
}

impl Period {
    const fn parts(self) -> (&'static str, u32) {
        match self {
            Self::Days(count) => ("day", count),
            Self::Weeks(count) => ("week", count),
            Self::Months(count) => ("month", count),
            Self::Years(count) => ("year", count),
        }
    }
}

/// A price that comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurring {
    /// After how long.
    pub every: Period,
    /// How many days are free first.
    pub trial_days: Option<u32>,
}

/// What a buyer is to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRequest<'a> {
    /// The order.
    pub order: &'a str,
    /// What the buyer reads that it is.
    pub title: &'a str,
    /// The price, in minor units: that of each period where it recurs.
    pub amount: i128,
    /// Its currency, in small letters.
    pub currency: &'a str,
    /// Whether it comes again.
    pub recurring: Option<Recurring>,
    /// Whether the first payment is less, by the coupon of the order ([`coupon_id`]).
    pub has_coupon: bool,
    /// Where receipts go, if it is known.
    pub email: Option<&'a str>,
    /// Where the buyer is led after paying.
    pub success_url: &'a str,
    /// Where the buyer is led who does not pay.
    pub cancel_url: Option<&'a str>,
    /// When the session ends, in seconds since the Unix epoch: 30 minutes to 24 hours from its creation.
    pub expires_at: i64,
    /// Whether Stripe takes the tax out of the price.
    pub is_taxed: bool,
}

/// The id of an order's coupon.
#[must_use]
pub fn coupon_id(order: &str) -> String {
    format!("adm_{order}")
}

/// The idempotency key of an attempt to make an order's session. Stripe keeps its answer, even a failure, for a day.
#[must_use]
pub fn session_key(order: &str, attempt: u32) -> String {
    format!("{order}#{attempt}")
}

impl SessionRequest<'_> {
    /// The body of the request.
    #[must_use]
    pub fn form(&self) -> String {
        let mut form = Form::default();
        let mode = match self.recurring {
            None => "payment",
            Some(_) => "subscription",
        };
        form.add("mode", mode);
        form.add("client_reference_id", self.order);
        form.add(&format!("metadata[{ORDER_ID}]"), self.order);
        let item = "line_items[0][price_data]";
        form.add(&format!("{item}[currency]"), self.currency);
        form.add(&format!("{item}[unit_amount]"), &self.amount.to_string());
        form.add(&format!("{item}[product_data][name]"), self.title);
        // Metadata does not flow down: each object that an event may be about gets its own.
        match self.recurring {
            None => form.add(
                &format!("payment_intent_data[metadata][{ORDER_ID}]"),
                self.order,
            ),
            Some(Recurring { every, trial_days }) => {
                let (interval, count) = every.parts();
                form.add(&format!("{item}[recurring][interval]"), interval);
                form.add(
                    &format!("{item}[recurring][interval_count]"),
                    &count.to_string(),
                );
                form.add(
                    &format!("subscription_data[metadata][{ORDER_ID}]"),
                    self.order,
                );
                if let Some(days) = trial_days {
                    form.add("subscription_data[trial_period_days]", &days.to_string());
                }
            }
        }
        if self.is_taxed {
            form.add(&format!("{item}[tax_behavior]"), "inclusive");
        }
        form.add("line_items[0][quantity]", "1");
        if self.has_coupon {
            form.add("discounts[0][coupon]", &coupon_id(self.order));
        }
        if let Some(email) = self.email {
            form.add("customer_email", email);
        }
        form.add("success_url", self.success_url);
        if let Some(url) = self.cancel_url {
            form.add("cancel_url", url);
        }
        form.add("expires_at", &self.expires_at.to_string());
        // The buyer pays the amount and currency that the quote promised.
        form.add("adaptive_pricing[enabled]", "false");
        form.add(
            "automatic_tax[enabled]",
            if self.is_taxed { "true" } else { "false" },
        );
        form.finish()
    }
}

/// A form, in the order in which it was filled in.
#[derive(Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn finish(self) -> String {
        Serializer::new(String::new()).extend_pairs(self.0).finish()
    }
}
