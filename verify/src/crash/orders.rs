//! Orders: made, paid at each provider, returned, and what an owner is due of them paid out.

use std::time::Duration;

use anyhow::Context as _;
use domain::order::fold::OrderState;
use domain::order::record::Order;
use serde_json::{Value, json};
use simulators::telegram::{Checkout, Conversation, Tap, User};

use super::flow::Flow;
use super::flow_runner::FlowRunner;
use crate::world::Reply;

/// Who buys, where the buyer is known in Telegram.
const BUYER: i64 = 1000;
/// What is sold costs so much, in cents; the owner is due 97 % of it.
const PRICE: i64 = 3000;
/// Longer than a claim of anything lasts.
const A_MINUTE: Duration = Duration::from_secs(61);
/// After so many minutes something must be wrong: a bell that is shown five times lies in its queue for three quarters of an
/// hour, and Stripe tries a delivery again after ten minutes and after two hours.
const MINUTES_MAX: u32 = 180;
/// Longer than what an owner is due is held back.
const HELD_BACK: Duration = Duration::from_secs(8 * 24 * 3600);
/// How often an operator or a shop tries before something must be wrong.
const TRIES: u32 = 30;

impl FlowRunner {
    /// Runs a flow of orders until all is quiet.
    pub(super) async fn run_orders(&self, flow: Flow) -> anyhow::Result<()> {
        self.offer().await?;
        match flow {
            Flow::Paid => self.run_paid().await?,
            Flow::Nowpayments => self.run_nowpayments().await?,
            Flow::Stars => self.run_stars().await?,
            Flow::Refund => self.run_refund().await?,
            Flow::Payout => self.run_payout().await?,
            _ => self.run_checkout().await?,
        }
        self.quiet().await
    }

    /// A shop asks for a price and orders; the buyer pays on the page.
    async fn run_checkout(&self) -> anyhow::Result<()> {
        self.call_sites.open();
        let wish = json!({"productId": "club", "tierId": "month", "currency": "usd", "provider": "stripe"});
        let quote = self.taken(|| self.world.shop("quotes", &wish, "")).await?;
        let body = json!({"quoteId": quote["quoteId"], "userId": "u1"});
        let page = self.ordered(&body).await?;
        self.world.providers()?.pays(&page)?;
        self.run_until(OrderState::Paid).await?;
        let sessions = self.world.providers()?.listed("/v1/checkout/sessions");
        let sessions = sessions.await?.len();
        anyhow::ensure!(sessions == 1, "{sessions} pages to pay on");
        Ok(())
    }

    /// A card is charged: the books, the seat, the page and a message follow, once each.
    async fn run_paid(&self) -> anyhow::Result<()> {
        self.greet().await?;
        let page = self.ordered(&of("stripe", &buyer())).await?;
        self.call_sites.open();
        self.world.providers()?.pays(&page)?;
        self.run_until(OrderState::Paid).await?;
        self.comes_in().await
    }

    /// Coins come in two parts.
    async fn run_nowpayments(&self) -> anyhow::Result<()> {
        self.call_sites.open();
        let body = of("nowpayments", &json!({"userId": "u1"}));
        let page = self.ordered(&body).await?;
        for state in [OrderState::Underpaid, OrderState::Paid] {
            self.world.providers()?.sends_coins(&page, 2).await?;
            self.run_until(state).await?;
        }
        Ok(())
    }

    /// Stars are paid in Telegram, which asks before.
    async fn run_stars(&self) -> anyhow::Result<()> {
        self.greet().await?;
        let link = self.ordered(&of("stars", &buyer())).await?;
        self.call_sites.open();
        self.pays_stars(&link).await?;
        self.run_until(OrderState::Paid).await?;
        self.comes_in().await
    }

    /// An operator returns a part of a charge, and the owner the rest at Stripe's dashboard.
    async fn run_refund(&self) -> anyhow::Result<()> {
        self.greet().await?;
        let page = self.ordered(&of("stripe", &buyer())).await?;
        let providers = self.world.providers()?;
        providers.pays(&page)?;
        let paid = self.run_until(OrderState::Paid).await?;
        self.comes_in().await?;
        self.call_sites.open();
        let path = format!("orders/{}/refunds", paid.id);
        let body = json!({"refundId": "R-1", "amount": 1000});
        self.taken(|| self.world.operate(&path, &body)).await?;
        self.run_until(OrderState::PartlyRefunded).await?;
        let intents = providers.listed("/v1/payment_intents").await?;
        let intent = intents[0]["id"].as_str().context("no charge")?;
        let form = format!("payment_intent={intent}&amount=2000");
        providers.dashboard("/v1/refunds", &form).await?;
        let gone = self.run_until(OrderState::Refunded).await?;
        anyhow::ensure!(gone.cases.is_empty(), "cases are left: {:?}", gone.cases);
        let refunds = providers.listed("/v1/refunds").await?;
        let amounts: Vec<_> = refunds.iter().map(|of| of["amount"].as_i64()).collect();
        anyhow::ensure!(
            amounts == [Some(2000), Some(1000)],
            "what went back is {amounts:?}"
        );
        Ok(())
    }

    /// What an owner is due of two sales is gathered, approved and paid.
    async fn run_payout(&self) -> anyhow::Result<()> {
        let account = json!({"address": "DE89 3704", "threshold": 1});
        let place = "payees/owner:o1/usd";
        self.taken(|| self.world.write(place, &account)).await?;
        for (user, key) in [("u1", "K1"), ("u2", "K2")] {
            let body = of("stripe", &json!({"userId": user}));
            let made = self.world.shop("checkout", &body, key).await;
            let page = made.context("no answer")?.body["payUrl"].clone();
            let page = page.as_str().context("no page")?;
            self.world.providers()?.pays(page)?;
            self.run_until(OrderState::Paid).await?;
        }
        self.run_until_idle().await?;
        // What lets them in does not last until the money is due.
        for (request, person) in self.requests().await?.iter().zip(BUYER..) {
            let link = request["inviteLink"].as_str().context("no link")?;
            self.join(link, person)?;
        }
        self.run_until_idle().await?;
        self.world.pause_schedules();
        self.world.wait(HELD_BACK).await;
        self.world.resume_schedules();
        self.call_sites.open();
        let payee = json!({"payee": "owner:o1", "currency": "usd"});
        let made = self.taken(|| self.world.operate("payouts", &payee)).await?;
        let id = made["payout"]["payoutId"].as_str().context("no payout")?;
        let due = 2 * (PRICE - PRICE * 3 / 100);
        anyhow::ensure!(made["payout"]["total"] == due, "{made}");
        let (approve, paid) = (
            format!("payouts/{id}/approve"),
            format!("payouts/{id}/paid"),
        );
        let nothing = json!({});
        self.taken(|| self.world.operate(&approve, &nothing))
            .await?;
        let reference = json!({"reference": "SEPA 77"});
        let said = self.taken(|| self.world.operate(&paid, &reference)).await?;
        anyhow::ensure!(said["payout"]["state"] == "PAID", "{said}");
        Ok(())
    }

    /// The operator writes what is sold.
    async fn offer(&self) -> anyhow::Result<()> {
        let product = json!({
            "title": "Premium Club", "chats": [self.world.chats[0]], "owner": "o1", "feeBps": 300,
            "tiers": [{"id": "month", "title": "One month", "length": {"days": 30},
                "prices": {"usd": PRICE}, "starsPrice": 500}],
        });
        let offered = self.world.write("products/club", &product).await;
        let is_offered = offered.as_ref().is_some_and(|reply| reply.status == 200);
        anyhow::ensure!(is_offered, "the operator was told {offered:?}");
        Ok(())
    }

    /// The buyer starts the bot, so that it may write to them.
    async fn greet(&self) -> anyhow::Result<()> {
        self.says("/start");
        self.run_until_told().await
    }

    fn says(&self, words: &str) {
        let place = Conversation::private(self.world.bots[0], BUYER);
        self.world.telegram.says(place, &User::new(BUYER), words);
    }

    /// Orders until that is answered with 200, and as often as everything is repeated; answers where to pay.
    async fn ordered(&self, body: &Value) -> anyhow::Result<String> {
        let made = self
            .taken(|| self.world.shop("checkout", body, "K1"))
            .await?;
        let page = made["payUrl"].as_str().context("no page to pay on")?;
        Ok(page.to_owned())
    }

    /// Repeats a call until it is answered with 200, and then as often as everything is repeated. All that is answered for good
    /// is the same.
    async fn taken(&self, call: impl AsyncFn() -> Option<Reply>) -> anyhow::Result<Value> {
        let mut first = None;
        for _ in 0..self.times {
            let mut reply = None;
            for _ in 0..TRIES {
                reply = call().await.filter(|reply| reply.status < 500);
                if reply.is_some() {
                    break;
                }
                self.world.wait(Duration::from_secs(2)).await;
            }
            let is_taken = reply.as_ref().is_some_and(|reply| reply.status == 200);
            anyhow::ensure!(is_taken, "the answer is {reply:?}");
            let body = reply.map(|reply| reply.body).unwrap_or_default();
            first.get_or_insert(body);
        }
        first.context("nobody called")
    }

    /// Pays an invoice of Telegram's, and tries again as long as that is too late or refused.
    async fn pays_stars(&self, link: &str) -> anyhow::Result<()> {
        let telegram = &self.world.telegram;
        for _ in 0..TRIES {
            let query = telegram.pays_invoice(link, &User::new(BUYER));
            let query = query.context("no invoice")?;
            self.world.wait(Duration::from_secs(12)).await;
            if let Some(Checkout::Paid(_)) = telegram.checkout(&query) {
                return Ok(());
            }
            self.world.wait(A_MINUTE).await;
        }
        anyhow::bail!("the payment was never taken")
    }

    /// Waits until the newest order stands there, all that was told is taken in, and what follows is done; answers it. Nobody is
    /// lost: all orders are paid meanwhile as their pages say.
    async fn run_until(&self, state: OrderState) -> anyhow::Result<Order> {
        let mut left = None;
        for _ in 0..MINUTES_MAX {
            self.run_until_told().await?;
            let is_settled = self.world.is_settled().await?;
            let mut orders = self.world.orders().await?;
            orders.sort_by_key(|order| order.created_at);
            let newest = orders.pop().context("no order")?;
            if is_settled && newest.state == state {
                return Ok(newest);
            }
            left = Some(newest);
            self.world.wait(A_MINUTE).await;
        }
        let stands = left.map(|order| (order.state, order.pending, order.facts));
        anyhow::bail!("after {MINUTES_MAX} minutes the order is not {state:?}: {stands:?}")
    }

    /// The buyer was told once that the money came, asks for the way in, and comes in.
    async fn comes_in(&self) -> anyhow::Result<()> {
        let told = self.world.messages_to(BUYER);
        let thanks = told.iter().filter(|said| said.text.contains("has arrived"));
        let thanks = thanks.count();
        anyhow::ensure!(thanks == 1, "the buyer was thanked {thanks} times");
        self.says("/access");
        self.run_until_told().await?;
        let door = self.world.door(self.world.chats[0]).await?;
        let door = door.context("the chat has no door")?;
        anyhow::ensure!(
            self.world.ways_in(BUYER).contains(&door),
            "the buyer was not shown the way in"
        );
        let tap = self.world.tap(&door, BUYER);
        anyhow::ensure!(tap == Tap::Requested, "the buyer tapped and got {tap:?}");
        for _ in 0..TRIES {
            self.run_until_told().await?;
            let status = self.world.telegram.status(self.world.chats[0], BUYER);
            if status.is_present() {
                return Ok(());
            }
            self.world.wait(A_MINUTE).await;
        }
        anyhow::bail!("the buyer is not in")
    }
}

/// The buyer, by Telegram and at the shop.
fn buyer() -> Value {
    json!({"userId": "u1", "telegramUserId": BUYER})
}

/// What a shop sends to order at a provider.
fn of(provider: &str, buyer: &Value) -> Value {
    let mut body = buyer.clone();
    for (name, value) in [
        ("productId", "club"),
        ("tierId", "month"),
        ("provider", provider),
    ] {
        body[name] = json!(value);
    }
    if provider != "stars" {
        body["currency"] = json!("usd");
    }
    body
}
