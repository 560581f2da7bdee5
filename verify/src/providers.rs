//! Stripe and NOWPayments in a simulated world, as their owner and the buyers use them.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http::Request;
use serde_json::Value;
use simulators::Reset;
use simulators::clock::Clock;
use simulators::nowpayments::{Decimal, NowPayments};
use simulators::stripe::{BuyerAction, Stripe};
use simulators::telegram::Deliver;

const STRIPE_KEY: &str = "sk_test_verify0123456789";
const COINS_KEY: &str = "verify-nowpayments-key";
const IPN_SECRET: &str = "verify-ipn-secret";
const LOGIN: (&str, &str) = ("verify@example.invalid", "verify-password");
/// The coin that buyers pay in.
const COIN: &str = "usdttrc20";

/// Who takes money on the web.
#[derive(Clone)]
pub(crate) struct Providers {
    pub(crate) stripe: Stripe,
    pub(crate) nowpayments: NowPayments,
    webhook_secret: String,
}

impl Providers {
    /// Both, with an endpoint at the product.
    pub(crate) async fn start(clock: &Clock) -> anyhow::Result<Self> {
        let stripe = Stripe::in_process(clock.clone());
        stripe.add_key(STRIPE_KEY);
        let nowpayments = NowPayments::in_process(clock.clone(), COINS_KEY, LOGIN);
        nowpayments.set_ipn_secret(Some(IPN_SECRET));
        let mut providers = Self {
            stripe,
            nowpayments,
            webhook_secret: String::new(),
        };
        let mut form = format!(
            "url=https://verify.example/v1/payments/stripe&api_version={}",
            domain::stripe::API_VERSION
        );
        for kind in domain::stripe::EVENT_TYPES {
            form.push_str("&enabled_events[]=");
            form.push_str(kind);
        }
        let made = providers.dashboard("/v1/webhook_endpoints", &form).await?;
        providers.webhook_secret = made["secret"].as_str().context("no secret")?.to_owned();
        Ok(providers)
    }

    /// What the functions are to know of them.
    pub(crate) fn env(&self) -> [(&'static str, String); 9] {
        [
            ("PAYMENTS_MODE", "test".to_owned()),
            ("STRIPE_SECRET_KEY", STRIPE_KEY.to_owned()),
            ("STRIPE_WEBHOOK_SECRET", self.webhook_secret.clone()),
            ("STRIPE_API_BASE", self.stripe.url()),
            ("NOWPAYMENTS_API_KEY", COINS_KEY.to_owned()),
            ("NOWPAYMENTS_IPN_SECRET", IPN_SECRET.to_owned()),
            ("NOWPAYMENTS_EMAIL", LOGIN.0.to_owned()),
            ("NOWPAYMENTS_PASSWORD", LOGIN.1.to_owned()),
            (
                "NOWPAYMENTS_API_BASE",
                format!("{}/v1", self.nowpayments.url()),
            ),
        ]
    }

    /// What they report goes this way from now on.
    pub(crate) fn deliver_to(&self, transport: &Deliver) {
        self.stripe.deliver_to(Arc::clone(transport));
        self.nowpayments.deliver_to(Arc::clone(transport));
    }

    /// What the owner does at Stripe's dashboard.
    pub(crate) async fn dashboard(&self, path: &str, form: &str) -> anyhow::Result<Value> {
        let call = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", format!("Bearer {STRIPE_KEY}"))
            .body(Bytes::from(form.to_owned()))?;
        told(self.stripe.call(call).await)
    }

    /// All objects of a list of Stripe's, the newest first.
    pub(crate) async fn listed(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::<Value>::new();
        loop {
            let after = all.last().and_then(|last| last["id"].as_str());
            let after = after.map(|id| format!("&starting_after={id}"));
            let uri = format!("{path}?limit=100{}", after.unwrap_or_default());
            let call = Request::get(uri)
                .header("authorization", format!("Bearer {STRIPE_KEY}"))
                .body(Bytes::new())?;
            let page = told(self.stripe.call(call).await)?;
            all.extend(page["data"].as_array().cloned().unwrap_or_default());
            if page["has_more"] != true {
                return Ok(all);
            }
        }
    }

    /// The buyer pays on the page of a session.
    pub(crate) fn pays(&self, page: &str) -> anyhow::Result<()> {
        let session = session_of(page)?;
        let paid = self.stripe.act(session, &BuyerAction::Pay);
        paid.map_err(|refusal| anyhow::anyhow!("{session}: {refusal:?}"))
    }

    /// The buyer sends one of so many parts of what an invoice asks for, on its page.
    pub(crate) async fn sends_coins(&self, page: &str, parts: i64) -> anyhow::Result<()> {
        let invoice = page.rsplit('=').next().unwrap_or_default();
        let call = Request::post("/payment/coin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(format!("iid={invoice}&coin={COIN}")))?;
        let shown = self.nowpayments.call(call).await;
        anyhow::ensure!(shown.is_ok(), "the page does not answer");
        let payins = self.nowpayments.payins();
        let mut of_invoice = payins.iter().rev();
        let payin = of_invoice
            .find(|payin| payin.invoice.map(|id| id.to_string()).as_deref() == Some(invoice))
            .context("no payment of the invoice")?;
        let part = part(&payin.pay_amount.to_string(), parts)?;
        let amount = Decimal::parse(&part).context("no amount")?;
        self.nowpayments.deposit(payin.id, payin.coin, amount);
        Ok(())
    }
}

/// The session of a page.
fn session_of(page: &str) -> anyhow::Result<&str> {
    let mut parts = page.split(&['/', '#'][..]);
    let session = parts.find(|part| part.starts_with("cs_"));
    session.with_context(|| format!("no session: {page}"))
}

fn told(answer: Result<http::Response<Bytes>, Reset>) -> anyhow::Result<Value> {
    let answer = answer.map_err(|Reset| anyhow::anyhow!("Stripe has stopped"))?;
    let body: Value = serde_json::from_slice(answer.body())?;
    anyhow::ensure!(answer.status().is_success(), "Stripe refused: {body}");
    Ok(body)
}

/// One of so many parts of a decimal amount, of eight decimals.
fn part(amount: &str, parts: i64) -> anyhow::Result<String> {
    let (whole, decimals) = amount.split_once('.').unwrap_or((amount, ""));
    let units: i64 = format!("{whole}{decimals:0<8}").parse()?;
    let part = units / parts;
    Ok(format!("{}.{:08}", part / 100_000_000, part % 100_000_000))
}
