//! A shop with one Stripe account, which keeps in memory what the tables would.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::order::fact::Facts;
use domain::order::fold::fold;
use domain::order::terms::OrderTerms;
use domain::report::{OrderSeen, PaymentNotice, PaymentReport, Reading};
use domain::stripe::{API_VERSION, EVENT_TYPES, EventHead, StripeReport, StripeSecrets};
use runtime::config::Env;
use runtime::http::Http;
use serde_json::Value;
use simulators::clock::Clock;
use simulators::stripe::{BuyerAction, Stripe as Simulated};
use stripe::{Period, Recurring, Session, SessionRequest, Stripe, session_key};

pub(crate) const KEY: &str = "sk_test_simulated";
pub(crate) const ORDER: &str = "3f2b8a52-0d4e-4b6e-9c56-6a2f6f0a1b11";
pub(crate) const OTHER: &str = "a8f5f167-f44f-4964-9c56-6a2f6f0a1b22";
pub(crate) const DAY: u64 = 86_400;
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// An event as it came.
#[derive(Clone)]
pub(crate) struct Came {
    pub(crate) signature: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct StoredOrder {
    pub(crate) terms: OrderTerms,
    pub(crate) facts: Facts,
    pub(crate) version: u64,
    pub(crate) checkout: Option<String>,
}

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Order(String, Option<PaymentNotice>),
    Nobody,
    Unclear(&'static str),
}

pub(crate) struct Shop {
    pub(crate) simulated: Simulated,
    pub(crate) clock: Clock,
    pub(crate) stripe: Stripe,
    pub(crate) secrets: StripeSecrets,
    pub(crate) orders: BTreeMap<String, StoredOrder>,
    pub(crate) refs: BTreeMap<String, (String, Option<String>)>,
    came: Arc<Mutex<VecDeque<Came>>>,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        Self::with_version(API_VERSION).await
    }

    /// A shop whose endpoint gets events in the shape of a version.
    pub(crate) async fn with_version(version: &str) -> Self {
        let clock = Clock::new();
        let simulated = Simulated::start(ANY, clock.clone()).await.unwrap();
        simulated.add_key(KEY);
        let came = Arc::<Mutex<VecDeque<Came>>>::default();
        let inbox = Arc::clone(&came);
        simulated.deliver_to(Arc::new(move |request| {
            let signature = request.headers()["stripe-signature"]
                .to_str()
                .unwrap()
                .to_owned();
            let body = request.body().to_vec();
            inbox.lock().unwrap().push_back(Came { signature, body });
            Box::pin(async { Ok(http::Response::new(bytes::Bytes::new())) })
        }));
        let secret = endpoint(&simulated, version, &EVENT_TYPES).await;
        Self {
            stripe: client(&simulated.url(), KEY),
            simulated,
            clock,
            secrets: StripeSecrets::parse(&secret).unwrap(),
            orders: BTreeMap::new(),
            refs: BTreeMap::new(),
            came,
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_ms().div_euclid(1000)
    }

    pub(crate) fn request<'a>(
        &self,
        order: &'a str,
        recurring: Option<Recurring>,
    ) -> SessionRequest<'a> {
        SessionRequest {
            order,
            title: "Members & friends",
            amount: 3000,
            currency: "usd",
            recurring,
            has_coupon: false,
            email: None,
            success_url: "https://shop.example/thanks?s={CHECKOUT_SESSION_ID}",
            cancel_url: Some("https://shop.example/"),
            expires_at: self.now() + 3600,
            is_taxed: false,
        }
    }

    /// Stores an order, makes its session and stores that.
    pub(crate) async fn open(&mut self, request: SessionRequest<'_>, due: i64) -> Session {
        self.store(request.order, request.recurring.is_some(), due);
        let key = session_key(request.order, 1);
        let session = self
            .stripe
            .create_session(&request.form(), &key)
            .await
            .unwrap();
        let order = self.orders.get_mut(request.order).unwrap();
        order.checkout = Some(session.id.clone());
        session
    }

    pub(crate) fn store(&mut self, order: &str, recurring: bool, due: i64) {
        let terms = format!(
            r#"{{"provider": "stripe", "recurring": {recurring}, "currency": "usd", "due": {due}, "price": 3000,
                "seconds": 2592000, "owner": "o1", "autoRefund": true}}"#
        );
        let stored = StoredOrder {
            terms: serde_json::from_str(&terms).unwrap(),
            facts: Facts::default(),
            version: 1,
            checkout: None,
        };
        self.orders.insert(order.to_owned(), stored);
    }

    /// An order of 30.00 that is paid once, and its session.
    pub(crate) async fn paid_once(&mut self) -> Session {
        let session = self.open(self.request(ORDER, None), 3000).await;
        self.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
        self.settle_all().await;
        session
    }

    /// An order of 30.00 every 30 days whose first period is paid, and its session.
    pub(crate) async fn subscribed(&mut self) -> Session {
        let session = self.open(self.request(ORDER, Some(monthly())), 3000).await;
        self.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
        self.settle_all().await;
        session
    }

    pub(crate) fn turn(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// All events that came meanwhile.
    pub(crate) async fn events(&self) -> Vec<Came> {
        self.simulated.delivered().await;
        self.came.lock().unwrap().drain(..).collect()
    }

    /// Verifies all events that came and settles them, each twice.
    pub(crate) async fn settle_all(&mut self) -> Vec<Settled> {
        let mut settled = Vec::new();
        for event in self.events().await {
            self.secrets
                .verify(&event.body, &event.signature, self.now())
                .unwrap();
            let once = self.settle_body(&event.body).await;
            assert_eq!(self.settle_body(&event.body).await, once);
            settled.push(once);
        }
        settled
    }

    pub(crate) async fn settle_body(&mut self, body: &[u8]) -> Settled {
        let head = EventHead::parse(body).unwrap();
        assert!(head.object.is_some(), "{head:?}");
        self.settle(StripeReport::of_event(body).unwrap()).await
    }

    /// Settles a report as the module's documentation has it.
    pub(crate) async fn settle(&mut self, mut report: StripeReport) -> Settled {
        let (mut asked, mut charge) = (report.named(), None);
        let id = loop {
            charge = charge.or(asked.charge.take());
            if let Some(order) = asked.order.take() {
                break order;
            }
            let known = asked.refs.iter().find_map(|id| self.refs.get(id));
            if let Some((order, of)) = known {
                charge = charge.or_else(|| of.clone());
                break order.clone();
            }
            let Some(lookup) = asked.upwards else {
                return Settled::Nobody;
            };
            match self.stripe.fetch(&lookup).await.unwrap() {
                Some(found) => asked = found.named(),
                None => return Settled::Nobody,
            }
        };
        let stored_at = self.now();
        let Some(order) = self.orders.get_mut(&id) else {
            return Settled::Nobody;
        };
        let said = loop {
            let seen = OrderSeen {
                terms: &order.terms,
                facts: &order.facts,
                version: order.version,
                checkout: order.checkout.as_deref(),
                expires_at: stored_at + 3600,
                charge: charge.as_deref(),
                stored_at,
            };
            match report.reading(&seen) {
                Reading::Says(said) => break said,
                Reading::Fetch(lookup) => {
                    report = self.stripe.fetch(&lookup).await.unwrap().unwrap()
                }
                Reading::Unclear(why) => return Settled::Unclear(why),
            }
        };
        for object in said.refs {
            let known = self
                .refs
                .entry(object.id)
                .or_insert((id.clone(), object.charge));
            assert_eq!(known.0, id);
        }
        if !said.facts.is_empty() {
            order.facts.extend(said.facts);
            order.version += 1;
        }
        Settled::Order(id, said.notice)
    }

    /// What the order's facts add up to, as JSON.
    pub(crate) fn standing(&self) -> Value {
        let order = &self.orders[ORDER];
        serde_json::to_value(fold(&order.terms, &order.facts).unwrap()).unwrap()
    }

    pub(crate) fn state(&self) -> String {
        self.standing()["state"].as_str().unwrap().to_owned()
    }

    /// The facts of a kind, as JSON.
    pub(crate) fn facts(&self, kind: &str) -> Vec<Value> {
        let facts = self.orders[ORDER].facts.iter();
        let facts = facts.map(|fact| serde_json::to_value(fact).unwrap());
        facts.filter(|fact| fact["kind"] == kind).collect()
    }

    /// A field of a session as Stripe has it.
    pub(crate) fn of_session(&self, session: &str, field: &str) -> String {
        let session = self.simulated.object(session).unwrap();
        session[field].as_str().unwrap().to_owned()
    }

    /// The bank's charge of a payment intent.
    pub(crate) fn bank_charge(&self, intent: &str) -> String {
        let intent = self.simulated.object(intent).unwrap();
        intent["latest_charge"].as_str().unwrap().to_owned()
    }
}

pub(crate) const fn monthly() -> Recurring {
    Recurring {
        every: Period::Days(30),
        trial_days: None,
    }
}

pub(crate) fn client(base: &str, key: &str) -> Stripe {
    let http = Http::from_env(&mut Env::default());
    Stripe::new(http, base.to_owned(), key.to_owned().into())
}

/// Makes a webhook endpoint, as a person does in the dashboard, and gives its secret.
pub(crate) async fn endpoint(simulated: &Simulated, version: &str, types: &[&str]) -> String {
    let mut form = vec![
        ("url".to_owned(), "http://127.0.0.1:1/events".to_owned()),
        ("api_version".to_owned(), version.to_owned()),
    ];
    for (place, kind) in types.iter().enumerate() {
        form.push((format!("enabled_events[{place}]"), (*kind).to_owned()));
    }
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = http::Request::post("/v1/webhook_endpoints")
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(bytes::Bytes::from(form));
    let answer = simulated.call(request.unwrap()).await.unwrap();
    let endpoint: Value = serde_json::from_slice(answer.body()).unwrap();
    endpoint["secret"]
        .as_str()
        .unwrap_or_else(|| panic!("{endpoint}"))
        .to_owned()
}
