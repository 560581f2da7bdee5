//! What everyone does when all is over: shops ask again, customers join, strangers try what they got hold of.

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use simulators::telegram::Tap;

use super::flow::Flow;
use super::flow_runner::FlowRunner;

/// The first of the customers.
const FIRST_CUSTOMER: i64 = 2_000;
/// Somebody who has paid for nothing.
const STRANGER: i64 = 9_000;

impl FlowRunner {
    /// Whatever anyone finds wrong afterwards.
    pub(super) async fn afterwards(&self, flow: Flow) -> anyhow::Result<Vec<String>> {
        let mut broken = Vec::new();
        // After its window the same report is another payment.
        if flow != Flow::RequestInWindow {
            for payment in &flow.payments() {
                let reply = self.sell(payment).await?;
                if !matches!(reply.status, 200 | 409) {
                    broken.push(format!("I2: a repeat was answered {}", reply.status));
                }
            }
        }
        self.forge(&mut broken).await?;
        for (request, person) in self.requests().await?.iter().zip(FIRST_CUSTOMER..) {
            if request["joinedAt"].is_null()
                && let Some(link) = request["inviteLink"].as_str()
            {
                self.join(link, person)?;
            }
        }
        self.run_until_idle().await?;
        for request in self.requests().await? {
            self.check_status(&request, &mut broken).await;
            let link = request["inviteLink"].as_str().unwrap_or_default();
            let person = request["telegramUserId"].as_str().unwrap_or_default();
            if let (Ok(person), Some(known)) =
                (person.parse::<i64>(), self.world.telegram.link(link))
            {
                self.world.telegram.leave(known.chat_id, person);
                let tap = self
                    .world
                    .telegram
                    .tap(link, simulators::telegram::User::new(STRANGER));
                if tap != Tap::Revoked {
                    broken.push(format!("I1: a used link let a stranger try: {tap:?}"));
                }
            }
        }
        self.run_until_idle().await?;
        Ok(broken)
    }

    /// What the API says is what the record says.
    async fn check_status(&self, request: &Value, broken: &mut Vec<String>) {
        let id = request["requestId"].as_str().unwrap_or_default();
        let Some(reply) = self.world.status_of(id).await else {
            broken.push(format!("I2: {id} has no status"));
            return;
        };
        for (answered_as, recorded_as) in [
            ("status", "status"),
            ("userId", "userId"),
            ("transactionId", "transactionId"),
            ("inviteLink", "inviteLink"),
            ("telegramUserId", "telegramUserId"),
            ("linkEventFired", "weLinkEventFired"),
            ("joinEventFired", "joinEventFired"),
        ] {
            // Ids are numbers here and texts there.
            let text = |of: &Value| of.as_str().map_or_else(|| of.to_string(), str::to_owned);
            if text(&reply[answered_as]) != text(&request[recorded_as]) {
                broken.push(format!("I2: {id}: {answered_as} is told wrong"));
            }
        }
    }

    /// Somebody without a key tries everything: nothing happens, not even a look at a table.
    async fn forge(&self, broken: &mut Vec<String>) -> anyhow::Result<()> {
        let world = &self.world;
        let before = world.wire.calls();
        let items = self.requests().await?;
        let id = items
            .first()
            .and_then(|item| item["requestId"].as_str())
            .unwrap_or_default();
        let link = items
            .first()
            .and_then(|item| item["inviteLink"].as_str())
            .unwrap_or("https://t.me/+guessed");
        let user = json!({"id": STRANGER, "is_bot": false, "first_name": "Mallory"});
        let join = json!({"update_id": 1, "chat_member": {
            "chat": {"id": world.chats[0], "type": "supergroup", "title": "Verified"}, "from": user,
            "date": 1_763_640_100, "invite_link": {"invite_link": link, "creator": user, "creates_join_request": false,
                "is_primary": false, "is_revoked": false},
            "old_chat_member": {"status": "left", "user": user}, "new_chat_member": {"status": "member", "user": user}}});
        let payment = json!({"userId": "mallory", "transactionId": "T1"});
        for (name, key) in [
            ("x-none", "x"),
            ("x-api-key", ""),
            ("x-api-key", "verify-kez"),
        ] {
            let request = Request::post("/v1/invite/request").header(name, key);
            let request = request.body(Bytes::from(payment.to_string()))?;
            let answer = world.function("request").call(request).await;
            expect_closed(answer.status(), "a request", broken);
            let request = Request::get(format!("/v1/invite/{id}")).header(name, key);
            let answer = world
                .function("status")
                .call(request.body(Bytes::new())?)
                .await;
            expect_closed(answer.status(), "a look", broken);
        }
        for secret in ["", "verify-secret-99"] {
            let request = Request::post("/v1/telegram/webhook")
                .header("x-telegram-bot-api-secret-token", secret)
                .body(Bytes::from(join.to_string()))?;
            let answer = world.function("webhook").call(request).await;
            expect_closed(answer.status(), "a join", broken);
        }
        if world.providers().is_ok() {
            for (provider, name) in [
                ("stripe", "stripe-signature"),
                ("nowpayments", "x-nowpayments-sig"),
            ] {
                let request = Request::post(format!("/v1/payments/{provider}"))
                    .header(name, "t=1,v1=00")
                    .body(Bytes::from(payment.to_string()))?;
                let answer = world.function("payments").call(request).await;
                expect_closed(answer.status(), "a payment event", broken);
            }
        }
        if world.wire.calls() != before {
            broken.push("I5: a call without a key had an effect".to_owned());
        }
        Ok(())
    }
}

fn expect_closed(status: StatusCode, what: &str, broken: &mut Vec<String>) {
    if status != StatusCode::UNAUTHORIZED {
        broken.push(format!("I5: {what} without a key was answered {status}"));
    }
}
