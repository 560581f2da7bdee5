//! Who orders, pays and asks; what becomes of the money afterwards.

use std::time::Duration;

use anyhow::Context as _;
use domain::order::fold::OrderState;
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulators::stripe::DisputeStep;
use simulators::telegram::{Checkout, User};
use tokio::time::{sleep, sleep_until};

use super::Sale;
use super::plan::{Afterwards, OrderPlan, Pays, Provider};
use crate::world::Reply;

/// How long a shop or an operator waits before it tries again.
const AGAIN: Duration = Duration::from_secs(20);
/// How often before something must be wrong: longer than all faults of a seed together.
const TRIES: u32 = 8_000;
/// How often a person tries to pay in Stars; each try lasts ten seconds.
const STARS_TRIES: u32 = 20;
/// How long an order may take to be known as paid before what follows is done to it.
const KNOWN_MAX: Duration = Duration::from_secs(36 * 3600);
/// How often a page asks.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// What became of an order, as its buyer and its shop saw it.
#[derive(Debug, Default)]
pub(super) struct Bought {
    pub(super) number: usize,
    /// Its id; nothing if it was sold out.
    pub(super) id: Option<String>,
    pub(super) status_url: String,
    /// When all of its money was there; nothing if it never was.
    pub(super) paid_at: Option<Duration>,
    /// Whether the part of it that was to come back, or be disputed, did.
    pub(super) is_done: bool,
    /// What was told otherwise than it must be.
    pub(super) wrong: Vec<String>,
}

impl Sale<'_> {
    /// The life of one order.
    pub(super) async fn buys(&self, plan: &OrderPlan) -> anyhow::Result<Bought> {
        sleep_until(self.start + plan.at).await;
        let mut bought = Bought {
            number: plan.number,
            ..Bought::default()
        };
        let Some(page) = self.orders(plan, &mut bought).await? else {
            return Ok(bought);
        };
        let (paid, polled) = tokio::join!(self.pays(plan, &page), self.polls(plan, &bought));
        bought.paid_at = paid?.then(|| self.now());
        bought.wrong.extend(polled);
        if bought.paid_at.is_some() {
            bought.is_done = self.afterwards(plan, &bought).await?;
        }
        Ok(bought)
    }

    /// Orders until that is answered for good; answers where to pay.
    async fn orders(
        &self,
        plan: &OrderPlan,
        bought: &mut Bought,
    ) -> anyhow::Result<Option<String>> {
        let tier = if plan.is_limited { "few" } else { "month" };
        let mut body = json!({"productId": "club", "tierId": tier, "provider": plan.provider.name(),
            "userId": format!("u{}", plan.number)});
        match plan.provider {
            Provider::Stars => body["telegramUserId"] = json!(plan.person()),
            Provider::Stripe | Provider::Coins => body["currency"] = json!("usd"),
        }
        let key = format!("K{}", plan.number);
        let calls =
            (0..plan.copies).map(|_| self.until_taken(|| self.world.shop("checkout", &body, &key)));
        let answers: Vec<Reply> = join_all(calls)
            .await
            .into_iter()
            .collect::<anyhow::Result<_>>()?;
        let first = &answers[0];
        for answer in &answers {
            if answer.body["orderId"] != first.body["orderId"] || answer.status != first.status {
                bought.wrong.push(format!("one key was told {answers:?}"));
            }
        }
        if first.status == 409 && first.body["code"] == "sold_out" && plan.is_limited {
            return Ok(None);
        }
        let (Some(id), Some(page)) = (
            first.body["orderId"].as_str(),
            first.body["payUrl"].as_str(),
        ) else {
            bought.wrong.push(format!("a checkout was told {first:?}"));
            return Ok(None);
        };
        bought.id = Some(id.to_owned());
        let url = first.body["statusUrl"].as_str().unwrap_or_default();
        url.clone_into(&mut bought.status_url);
        Ok(Some(page.to_owned()))
    }

    /// Repeats a call until it is answered for good.
    async fn until_taken(&self, call: impl AsyncFn() -> Option<Reply>) -> anyhow::Result<Reply> {
        for _ in 0..TRIES {
            match call().await.filter(|reply| reply.status < 500) {
                Some(reply) => return Ok(reply),
                None => sleep(AGAIN).await,
            }
        }
        anyhow::bail!("a call was never answered for good")
    }

    /// Pays; answers whether all of the price is at the provider.
    async fn pays(&self, plan: &OrderPlan, page: &str) -> anyhow::Result<bool> {
        if plan.pays == Pays::Nothing {
            return Ok(false);
        }
        sleep(plan.pays_after).await;
        let providers = self.world.providers()?;
        match plan.provider {
            // A page that is closed can't be paid.
            Provider::Stripe => Ok(providers.pays(page).is_ok()),
            Provider::Stars => self.pays_stars(plan, page).await,
            Provider::Coins => {
                let parts = if matches!(plan.pays, Pays::Halves | Pays::Half) {
                    2
                } else {
                    1
                };
                providers.sends_coins(page, parts).await?;
                if plan.pays == Pays::Halves {
                    sleep(plan.pays_after).await;
                    providers.sends_coins(page, parts).await?;
                }
                Ok(plan.pays != Pays::Half)
            }
        }
    }

    async fn pays_stars(&self, plan: &OrderPlan, link: &str) -> anyhow::Result<bool> {
        let telegram = &self.world.telegram;
        for _ in 0..STARS_TRIES {
            let query = telegram.pays_invoice(link, &User::new(plan.person()));
            let query = query.context("no invoice")?;
            sleep(Duration::from_secs(11)).await;
            if let Some(Checkout::Paid(_)) = telegram.checkout(&query) {
                return Ok(true);
            }
            sleep(AGAIN).await;
        }
        Ok(false)
    }

    /// The page asks where the payment stands; whatever it is told, nothing is done by that.
    async fn polls(&self, plan: &OrderPlan, bought: &Bought) -> Vec<String> {
        let mut wrong = Vec::new();
        for _ in 0..plan.polls {
            let told = self.world.poll(&bought.status_url).await;
            // Until its page is shown, nothing is known of an order there.
            if let Some(told) = told.filter(|told| ![200, 404, 429, 503].contains(&told.status)) {
                wrong.push(format!("a poll was told {told:?}"));
            }
            sleep(POLL_EVERY).await;
        }
        wrong
    }

    /// What becomes of the money; answers whether it did.
    async fn afterwards(&self, plan: &OrderPlan, bought: &Bought) -> anyhow::Result<bool> {
        let id = bought.id.as_deref().unwrap_or_default();
        let providers = self.world.providers()?;
        let is_wanted = plan.afterwards != Afterwards::Stays || plan.pays == Pays::Twice;
        if !is_wanted {
            return Ok(false);
        }
        let order = loop {
            let order = self.order(id).await?;
            if order.state == OrderState::Paid {
                break order;
            }
            let is_refused = matches!(order.state, OrderState::Refunded | OrderState::Refused);
            if is_refused || self.now() > plan.at + KNOWN_MAX {
                return Ok(false);
            }
            sleep(super::LOOK).await;
        };
        let by_operator = matches!(plan.afterwards, Afterwards::PartBack | Afterwards::AllBack);
        if !by_operator {
            // What is told of an order that is paid is told once: nobody looks whether anything was lost.
            sleep_until(self.start + self.plan.end()).await;
        }
        let path = format!("orders/{id}/refunds");
        let intent = order.facts.iter().next().map(|fact| fact.key.clone());
        match plan.afterwards {
            Afterwards::Stays => {
                let page = order.pay_url().context("no page")?;
                providers.sends_coins(page, 1).await?;
            }
            Afterwards::PartBack | Afterwards::AllBack => {
                let mut body = json!({"refundId": "R"});
                if plan.afterwards == Afterwards::PartBack {
                    body["amount"] = json!(1000);
                }
                if plan.provider == Provider::Coins {
                    body["reference"] = json!("tx 5f9c");
                }
                let told = self
                    .until_taken(|| self.world.operate(&path, &body))
                    .await?;
                anyhow::ensure!(told.status == 200, "an operator was told {told:?}");
            }
            Afterwards::AllBackThere => {
                let form = format!("payment_intent={}", intent.context("no charge")?);
                providers.dashboard("/v1/refunds", &form).await?;
            }
            Afterwards::Disputed { is_won } => {
                let intent = providers.stripe.object(&intent.context("no charge")?);
                let intent: Value = intent.context("no charge")?;
                let charge = intent["latest_charge"].as_str().context("no charge")?;
                let refused = |refusal| anyhow::anyhow!("{refusal:?}");
                let dispute = providers
                    .stripe
                    .dispute(charge, "fraudulent")
                    .map_err(refused)?;
                sleep(plan.pays_after).await;
                let step = if is_won {
                    DisputeStep::Win
                } else {
                    DisputeStep::Lose
                };
                providers
                    .stripe
                    .step_dispute(&dispute, step)
                    .map_err(refused)?;
            }
        }
        Ok(true)
    }
}
