//! An actor: thin calls of the Bot API with a key of its own, as a library makes them.

use serde_json::{Value, json};

use super::answer::{ApiAnswer, Wire};

/// An actor. It knows the API's address and its key.
#[derive(Clone)]
pub struct BotApiActor {
    wire: Wire,
    /// Its key.
    pub key: String,
}

impl BotApiActor {
    pub(super) fn new(wire: Wire, key: &str) -> Self {
        Self {
            wire,
            key: key.to_owned(),
        }
    }

    /// Calls a method with parameters as JSON.
    pub async fn call(&self, method: &str, parameters: &Value) -> ApiAnswer {
        let json = [("content-type", "application/json")];
        let path = format!("/bot{}/{method}", self.key);
        self.wire.post(&path, parameters.to_string(), &json).await
    }

    /// Calls a method with a body of its own.
    pub async fn send(&self, method: &str, kind: &str, body: Vec<u8>) -> ApiAnswer {
        let path = format!("/bot{}/{method}", self.key);
        self.wire.post(&path, body, &[("content-type", kind)]).await
    }

    /// Calls a method by GET.
    pub async fn get(&self, method_and_query: &str) -> ApiAnswer {
        let path = format!("/bot{}/{method_and_query}", self.key);
        self.wire.get(&path, &[]).await
    }

    /// Asks for a file.
    pub async fn file(&self, path: &str) -> ApiAnswer {
        self.wire
            .get(&format!("/file/bot{}/{path}", self.key), &[])
            .await
    }

    /// Writes to a chat.
    pub async fn writes(&self, chat: i64, text: &str) -> ApiAnswer {
        let parameters = json!({"chat_id": chat, "text": text});
        self.call("sendMessage", &parameters).await
    }

    /// The updates from `offset` on, without waiting.
    ///
    /// # Panics
    /// If they are refused.
    pub async fn updates(&self, offset: i64) -> Vec<Value> {
        let answer = self.call("getUpdates", &json!({"offset": offset})).await;
        let updates = answer.done()["result"].as_array().cloned();
        updates.unwrap_or_default()
    }
}
