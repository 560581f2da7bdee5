//! What comes back over HTTP, and the way to the API.

use serde_json::Value;

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub struct ApiAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body; `null` if it is not JSON.
    pub body: Value,
    /// `Retry-After`, if it was sent.
    pub retry_after: Option<String>,
}

impl ApiAnswer {
    /// The error code, or an empty text.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The status and the error code: what a caller decides by.
    #[must_use]
    pub fn refusal(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    /// The body of a call that must be done.
    ///
    /// # Panics
    /// If it was refused.
    pub fn done(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The request's id.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn request_id(&self) -> String {
        self.body["requestId"]
            .as_str()
            .expect("an answer with a requestId")
            .to_owned()
    }
}

/// The way to the API of a local stack.
#[derive(Clone)]
pub(super) struct Wire {
    http: reqwest::Client,
    url: String,
}

impl Wire {
    pub(super) fn new(url: &str) -> Self {
        Self {
            http: runtime::http::client(super::TIMEOUT).expect("an HTTP client"),
            url: url.to_owned(),
        }
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> ApiAnswer {
        let call = self.http.post(format!("{}{path}", self.url));
        answer(call.body(body), headers).await
    }

    pub(super) async fn put(
        &self,
        path: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> ApiAnswer {
        let call = self.http.put(format!("{}{path}", self.url));
        answer(call.body(body), headers).await
    }

    pub(super) async fn delete(&self, path: &str, headers: &[(&str, &str)]) -> ApiAnswer {
        answer(self.http.delete(format!("{}{path}", self.url)), headers).await
    }

    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> ApiAnswer {
        answer(self.http.get(format!("{}{path}", self.url)), headers).await
    }
}

async fn answer(call: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> ApiAnswer {
    let call = headers
        .iter()
        .fold(call, |call, (name, value)| call.header(*name, *value));
    let response = call.send().await.expect("the local stack answers");
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let bytes = response.bytes().await.expect("a whole answer");
    ApiAnswer {
        status,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
        retry_after,
    }
}
