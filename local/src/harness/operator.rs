//! The operator: thin calls of `/v1/admin` with an operator's key.

use serde_json::{Value, json};

use super::answer::{ApiAnswer, Wire};

/// An operator. It knows the API's address, its key and the chat that it looks after.
#[derive(Clone)]
pub struct Operator {
    wire: Wire,
    key: String,
    chat: i64,
}

impl Operator {
    pub(super) fn new(wire: Wire, key: &str, chat: i64) -> Self {
        Self {
            wire,
            key: key.to_owned(),
            chat,
        }
    }

    /// Finds requests by a query such as `userId=u1` or `status=failed`.
    pub async fn find(&self, query: &str) -> ApiAnswer {
        self.get(&format!("invites?{query}")).await
    }

    /// All that is told of a request.
    ///
    /// # Panics
    /// If the question is refused.
    pub async fn invite(&self, request_id: &str) -> Value {
        let found = self.find(&format!("requestId={request_id}")).await.done();
        found["invites"][0].clone()
    }

    /// The history of a request, such as `operator: retry`.
    ///
    /// # Panics
    /// If the question is refused.
    pub async fn history(&self, request_id: &str) -> Vec<String> {
        let invite = self.invite(request_id).await;
        let entries = invite["history"].as_array().into_iter().flatten();
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        entries
            .map(|entry| format!("{}: {}", text(entry, "who"), text(entry, "action")))
            .collect()
    }

    /// The requests of the chat that wait, or that were given up: the page that a query such as `status=failed` asks for.
    ///
    /// # Panics
    /// If the question is refused.
    pub async fn list(&self, query: &str) -> Value {
        self.find(query).await.done()["chats"][0].clone()
    }

    /// Retries a request.
    pub async fn retry(&self, request_id: &str) -> ApiAnswer {
        self.act(request_id, "retry", json!({})).await
    }

    /// Retries all that was given up in all chats.
    pub async fn retry_all(&self) -> ApiAnswer {
        self.post("invites/retry-all", &json!({})).await
    }

    /// Has the link of a request replaced.
    pub async fn reissue(&self, request_id: &str) -> ApiAnswer {
        self.act(request_id, "reissue", json!({})).await
    }

    /// Has this version of a request's link replaced, and no other.
    pub async fn reissue_version(&self, request_id: &str, link_version: u64) -> ApiAnswer {
        let body = json!({"linkVersion": link_version});
        self.act(request_id, "reissue", body).await
    }

    /// Sends an event of a request again.
    pub async fn resend_event(&self, request_id: &str, event: &str) -> ApiAnswer {
        let body = json!({"event": event});
        self.act(request_id, "resend-event", body).await
    }

    /// Gives an event of a request up.
    pub async fn give_up_event(&self, request_id: &str, event: &str, reason: &str) -> ApiAnswer {
        let body = json!({"event": event, "reason": reason});
        self.act(request_id, "give-up-event", body).await
    }

    /// Looks at the dead letters.
    pub async fn dead_letters(&self) -> ApiAnswer {
        self.get("dead-letters").await
    }

    /// Sends the dead letters of a queue, `invites` or `events`, back to where they came from.
    pub async fn redrive(&self, queue: &str) -> ApiAnswer {
        let body = json!({"queue": queue});
        self.post("dead-letters/redrive", &body).await
    }

    /// How the chat fares.
    ///
    /// # Panics
    /// If the question is refused.
    pub async fn chat(&self) -> Value {
        let chats = self.get("chats").await.done();
        assert_eq!(chats["chats"][0]["chatId"], self.chat);
        chats["chats"][0].clone()
    }

    /// Stops the calls of the chat until somebody resumes.
    pub async fn pause(&self, reason: &str) -> ApiAnswer {
        self.of_chat("pause", &json!({"reason": reason})).await
    }

    /// Stops the calls of the chat for so many minutes.
    pub async fn pause_for(&self, minutes: u64, reason: &str) -> ApiAnswer {
        let body = json!({"reason": reason, "untilMinutes": minutes});
        self.of_chat("pause", &body).await
    }

    /// Lets the calls of the chat go on.
    pub async fn resume(&self) -> ApiAnswer {
        self.of_chat("resume", &json!({})).await
    }

    async fn of_chat(&self, action: &str, body: &Value) -> ApiAnswer {
        self.post(&format!("chats/{}/{action}", self.chat), body)
            .await
    }

    /// Any action on a request.
    pub async fn act(&self, request_id: &str, action: &str, body: Value) -> ApiAnswer {
        self.post(&format!("invites/{request_id}/{action}"), &body)
            .await
    }

    /// Any question.
    pub async fn get(&self, path: &str) -> ApiAnswer {
        let key = [("x-admin-key", self.key.as_str())];
        self.wire.get(&format!("/v1/admin/{path}"), &key).await
    }

    /// Writes a product.
    pub async fn put_product(&self, id: &str, product: &Value) -> ApiAnswer {
        self.put(&format!("products/{id}"), product).await
    }

    /// Any writing of a whole.
    pub async fn put(&self, path: &str, body: &Value) -> ApiAnswer {
        let key = [("x-admin-key", self.key.as_str())];
        let path = format!("/v1/admin/{path}");
        self.wire.put(&path, body.to_string(), &key).await
    }

    /// Any deletion.
    pub async fn delete(&self, path: &str) -> ApiAnswer {
        let key = [("x-admin-key", self.key.as_str())];
        self.wire.delete(&format!("/v1/admin/{path}"), &key).await
    }

    /// Any call.
    pub async fn post(&self, path: &str, body: &Value) -> ApiAnswer {
        self.send(path, body.to_string()).await
    }

    /// Any call, whose body need not be JSON.
    pub async fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> ApiAnswer {
        let key = [("x-admin-key", self.key.as_str())];
        let path = format!("/v1/admin/{path}");
        self.wire.post(&path, body, &key).await
    }
}
