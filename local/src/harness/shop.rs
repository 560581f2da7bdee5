//! The shop: it reports payments, asks where a request stands, and has a link replaced or a seat taken back.

use serde_json::{Value, json};

use super::answer::{ApiAnswer, Wire};
use super::until;

/// A shop. It knows the API's address and its key, and nothing else.
#[derive(Clone)]
pub struct Shop {
    wire: Wire,
    key: String,
    chat: Option<i64>,
}

impl Shop {
    pub(super) fn new(wire: Wire, key: &str) -> Self {
        Self {
            wire,
            key: key.to_owned(),
            chat: None,
        }
    }

    /// The same shop with another key.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// The same shop, whose payments name this chat.
    #[must_use]
    pub fn in_chat(mut self, chat: i64) -> Self {
        self.chat = Some(chat);
        self
    }

    /// An order for a quote, under this `Idempotency-Key`.
    pub async fn checkout(&self, body: &Value, key: &str) -> ApiAnswer {
        let headers = [("x-api-key", self.key.as_str()), ("idempotency-key", key)];
        self.wire
            .post("/v1/checkout", body.to_string(), &headers)
            .await
    }

    /// What is sold, by a path such as `products/club`.
    pub async fn get(&self, path: &str) -> ApiAnswer {
        let key = [("x-api-key", self.key.as_str())];
        self.wire.get(&format!("/v1/{path}"), &key).await
    }

    /// Asks for a price.
    pub async fn quote(&self, wish: &Value) -> ApiAnswer {
        let key = [("x-api-key", self.key.as_str())];
        self.wire.post("/v1/quotes", wish.to_string(), &key).await
    }

    /// One payment.
    pub async fn buy(&self, user_id: &str, transaction_id: &str) -> ApiAnswer {
        let mut body = json!({"userId": user_id, "transactionId": transaction_id});
        if let Some(chat) = self.chat {
            body["chatId"] = json!(chat);
        }
        self.request(&body, &[]).await
    }

    /// One payment that must be accepted, and its request's id.
    ///
    /// # Panics
    /// If it is not accepted.
    pub async fn bought(&self, user_id: &str, transaction_id: &str) -> String {
        let answer = self.buy(user_id, transaction_id).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.request_id()
    }

    /// The payments of so many users, `u0` and on, one after the other; their requests' ids.
    ///
    /// # Panics
    /// If one is not accepted.
    pub async fn bought_by_each_of(&self, users: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for n in 0..users {
            ids.push(self.bought(&format!("u{n}"), &format!("T{n}")).await);
        }
        ids
    }

    /// `POST /v1/invite/request` with any body and more headers than the key.
    pub async fn request(&self, body: &Value, headers: &[(&str, &str)]) -> ApiAnswer {
        let headers = [&[("x-api-key", self.key.as_str())], headers].concat();
        let path = "/v1/invite/request";
        self.wire.post(path, body.to_string(), &headers).await
    }

    /// Where a request stands.
    pub async fn status(&self, request_id: &str) -> Value {
        let path = format!("/v1/invite/{request_id}");
        let key = [("x-api-key", self.key.as_str())];
        self.wire.get(&path, &key).await.body
    }

    /// Asks where a request stands until the answer is as it should be.
    ///
    /// # Panics
    /// If that takes more than three minutes.
    pub async fn until(
        &self,
        request_id: &str,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Value {
        until(what, async || {
            Some(self.status(request_id).await).filter(|status| is_so(status))
        })
        .await
    }

    /// Where a request stands, which must be this status after so many tries.
    ///
    /// # Panics
    /// If it has another one, or was tried more often or less often.
    pub async fn stands(&self, request_id: &str, status: &str, attempts: u64) -> Value {
        let all = self.status(request_id).await;
        let stands = (all["status"].as_str(), all["attempts"].as_u64());
        assert_eq!(stands, (Some(status), Some(attempts)), "{all}");
        all
    }

    /// The link of a request that must be DONE.
    ///
    /// # Panics
    /// If it is not.
    pub async fn link(&self, request_id: &str) -> String {
        let status = self.status(request_id).await;
        assert_eq!(status["status"], "DONE", "{status}");
        status["inviteLink"].as_str().unwrap_or_default().to_owned()
    }

    /// Has the link of a request replaced.
    pub async fn reissue(&self, request_id: &str) -> ApiAnswer {
        self.act(request_id, "reissue", "").await
    }

    /// Has this version of a request's link replaced, and no other.
    pub async fn reissue_version(&self, request_id: &str, link_version: u64) -> ApiAnswer {
        let body = json!({"linkVersion": link_version}).to_string();
        self.act(request_id, "reissue", &body).await
    }

    /// Takes the seat of a request back.
    pub async fn void(&self, request_id: &str) -> ApiAnswer {
        self.act(request_id, "void", "").await
    }

    /// Any action on a request, with any body.
    pub async fn act(&self, request_id: &str, action: &str, body: &str) -> ApiAnswer {
        let path = format!("/v1/invite/{request_id}/{action}");
        let key = [("x-api-key", self.key.as_str())];
        self.wire.post(&path, body.to_owned(), &key).await
    }
}
