//! A merchant with one order of 30.00 USD, which keeps in memory what the tables would.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::nowpayments::{CoinReport, IpnSecrets};
use domain::order::fact::Facts;
use domain::order::fold::fold;
use domain::order::terms::OrderTerms;
use domain::report::{OrderSeen, PaymentReport, Reading};
use nowpayments::{Invoice, InvoiceRequest, Login, NowPayments};
use runtime::config::Env;
use runtime::http::Http;
use serde_json::Value;
use simulators::clock::Clock;
use simulators::nowpayments::{Decimal, Deposited, NowPayments as Simulated};

pub(crate) const KEY: &str = "KEY-1";
pub(crate) const ORDER: &str = "3f2b8a52-0d4e-4b6e-9c56-6a2f6f0a1b11";
pub(crate) const DAY: u64 = 86_400;
const EMAIL: &str = "shop@example.com";
const PASSWORD: &str = "pass word";
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Merchant {
    pub(crate) simulated: Simulated,
    pub(crate) clock: Clock,
    pub(crate) client: NowPayments,
    pub(crate) facts: Facts,
    pub(crate) expires_at: i64,
    terms: OrderTerms,
    secrets: IpnSecrets,
    came: Arc<Mutex<Vec<(String, Vec<u8>)>>>,
}

impl Merchant {
    pub(crate) async fn new() -> Self {
        let clock = Clock::new();
        let login = (EMAIL, PASSWORD);
        let simulated = Simulated::start(ANY, clock.clone(), KEY, login)
            .await
            .unwrap();
        simulated.set_ipn_secret(Some("ipn-secret"));
        simulated.set_pace(Duration::ZERO);
        let came = Arc::<Mutex<Vec<_>>>::default();
        let inbox = Arc::clone(&came);
        simulated.deliver_to(Arc::new(move |request| {
            let signature = request.headers()["x-nowpayments-sig"]
                .to_str()
                .unwrap()
                .to_owned();
            inbox
                .lock()
                .unwrap()
                .push((signature, request.body().to_vec()));
            Box::pin(async { Ok(http::Response::new(bytes::Bytes::new())) })
        }));
        let terms = r#"{"provider": "nowpayments", "currency": "usd", "due": 3000, "owner": "o1", "seconds": 9,
            "underpaidBps": 100, "overpaidBps": 100}"#;
        Self {
            client: client(&simulated.url(), KEY, Some(PASSWORD)),
            expires_at: clock.now_ms() / 1000 + 86_400,
            simulated,
            clock,
            facts: Facts::default(),
            terms: serde_json::from_str(terms).unwrap(),
            secrets: IpnSecrets::parse("old-secret, ipn-secret").unwrap(),
            came,
        }
    }

    pub(crate) const fn request(&self) -> InvoiceRequest<'static> {
        InvoiceRequest {
            order: ORDER,
            title: "Members & friends",
            amount: 3000,
            currency: "usd",
            callback_url: "https://shop.example/ipn",
            success_url: "https://shop.example/thanks",
            cancel_url: Some("https://shop.example/"),
        }
    }

    pub(crate) async fn invoice(&self) -> Invoice {
        let body = self.request().body().unwrap();
        self.client.create_invoice(&body).await.unwrap()
    }

    /// The customer chooses a coin on the page of an invoice: a payment, and what it asks for.
    pub(crate) async fn choose(&self, invoice: &Invoice, coin: &str) -> (u64, Decimal) {
        let body = format!(r#"{{"iid": "{}", "pay_currency": "{coin}"}}"#, invoice.id);
        let request = http::Request::post("/v1/invoice-payment")
            .header("x-api-key", KEY)
            .header("content-type", "application/json")
            .body(bytes::Bytes::from(body));
        let answer = self.simulated.call(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 201, "{:?}", answer.body());
        let payin = self.simulated.payins().pop().unwrap();
        (payin.id, payin.pay_amount)
    }

    /// Somebody sends coins, and all that follows happens.
    pub(crate) async fn send(&self, payment: u64, coin: &str, amount: Decimal) -> Deposited {
        let deposited = self.simulated.deposit(payment, coin, amount);
        self.simulated.settled().await;
        deposited
    }

    /// Verifies all notifications that came and settles them, each twice; gives how many there were.
    pub(crate) async fn settle_all(&mut self) -> usize {
        self.simulated.settled().await;
        let came: Vec<_> = self.came.lock().unwrap().drain(..).collect();
        let count = came.len();
        for (signature, body) in came {
            let verified = self.secrets.verify(&body, &signature).unwrap();
            let report = CoinReport::of_body(&body).unwrap();
            assert_eq!(CoinReport::read(&verified).unwrap(), report);
            for _ in 0..2 {
                self.settle(report.clone()).await;
            }
        }
        count
    }

    pub(crate) async fn settle(&mut self, mut report: CoinReport) {
        let mut named = report.named();
        if named.order.is_none() {
            let upwards = self.client.fetch(&named.upwards.unwrap()).await.unwrap();
            named = upwards.unwrap().named();
        }
        assert_eq!(named.order.as_deref(), Some(ORDER));
        loop {
            let seen = OrderSeen {
                terms: &self.terms,
                facts: &self.facts,
                version: 1,
                checkout: None,
                expires_at: self.expires_at,
                charge: None,
                stored_at: self.clock.now_ms() / 1000,
            };
            match report.reading(&seen) {
                Reading::Says(said) => {
                    self.facts.extend(said.facts);
                    return;
                }
                Reading::Fetch(lookup) => {
                    report = self.client.fetch(&lookup).await.unwrap().unwrap();
                }
                Reading::Unclear(why) => panic!("{why}"),
            }
        }
    }

    /// What the facts add up to, as JSON.
    pub(crate) fn standing(&self) -> Value {
        serde_json::to_value(fold(&self.terms, &self.facts).unwrap()).unwrap()
    }

    pub(crate) fn state(&self) -> String {
        self.standing()["state"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn client(base: &str, key: &str, password: Option<&str>) -> NowPayments {
    let http = Http::from_env(&mut Env::default());
    let login = password.map(|password| Login {
        email: EMAIL.to_owned(),
        password: password.to_owned().into(),
    });
    NowPayments::new(http, format!("{base}/v1"), key.to_owned().into(), login)
}

pub(crate) fn coins(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}
