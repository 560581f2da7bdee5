//! API Gateway's calls, in the payload format 2.0 of HTTP APIs, to and from the types of the handlers.
//!
//! Only what a handler reads is taken, and nothing of it is trusted: whatever a stranger sends becomes a request that
//! the handler refuses. (The usual conversion ends the process on a query that is no URI.)
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use serde::{Deserialize, Serialize};

/// A call as API Gateway passes it on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    #[serde(default)]
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    /// Names in lower case; several values of one name are joined by commas.
    #[serde(default)]
    headers: HashMap<String, String>,
    request_context: Context,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct Context {
    http: Http,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

/// An answer as API Gateway takes it. All our answers are text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    headers: HashMap<String, String>,
    body: String,
    is_base64_encoded: bool,
}

impl From<Call> for Request<Bytes> {
    /// The request. A query that is none is left out, a path that is no URI becomes `/`, a header that is none is left
    /// out, and base64 that is none becomes no body.
    fn from(call: Call) -> Self {
        let body = call.body.unwrap_or_default();
        let body = match call.is_base64_encoded {
            true => BASE64_STANDARD.decode(body).unwrap_or_default(),
            false => body.into_bytes(),
        };
        let mut request = Self::new(body.into());
        *request.method_mut() =
            Method::from_bytes(call.request_context.http.method.as_bytes()).unwrap_or_default();
        let path = call.raw_path.split('?').next().unwrap_or_default();
        let uri = |path_and_query: &str| Uri::builder().path_and_query(path_and_query).build();
        *request.uri_mut() = match call.raw_query_string.as_str() {
            "" => uri(path),
            query => uri(&format!("{path}?{query}")).or_else(|_| uri(path)),
        }
        .unwrap_or_default();
        for (name, value) in call.headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(&value))
            {
                request.headers_mut().insert(name, value);
            }
        }
        request
    }
}

impl From<Response<Bytes>> for Answer {
    fn from(answer: Response<Bytes>) -> Self {
        let headers = answer.headers().iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        });
        Self {
            status_code: answer.status().as_u16(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(answer.body()).into_owned(),
            is_base64_encoded: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn request(event: Value) -> Request<Bytes> {
        serde_json::from_value::<Call>(event).unwrap().into()
    }

    #[test]
    fn a_call_becomes_a_request() {
        let request = request(json!({
            "version": "2.0", "rawPath": "/v1/invite/request", "rawQueryString": "a=b",
            "headers": {"x-api-key": "k", "content-type": "application/json"},
            "requestContext": {"http": {"method": "POST", "path": "/v1/invite/request"}},
            "body": "eyJhIjoxfQ==", "isBase64Encoded": true,
        }));
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/v1/invite/request?a=b");
        assert_eq!(request.headers()["x-api-key"], "k");
        assert_eq!(request.body(), r#"{"a":1}"#);
    }

    #[test]
    fn whatever_a_stranger_sends_becomes_a_request() {
        for path in [
            "",
            " ",
            "/v1/ <>",
            "//",
            "?",
            "\u{0}",
            "/v1/\u{202e}",
            "http://else.where/",
        ] {
            let request = request(json!({
                "rawPath": path, "rawQueryString": " <no query>\u{0}",
                "headers": {"": "x", "a b": "c", "x-odd": "line\nbreak", "x-even": "v", "host": "<>", "x-forwarded-proto": "?"},
                "requestContext": {"http": {"method": "G E T"}},
                "body": "%%%", "isBase64Encoded": true,
            }));
            assert!(request.body().is_empty(), "{path}");
            assert_eq!(request.uri().query(), None, "{path}");
            assert!(!request.headers().contains_key("x-odd"), "{path}");
            assert_eq!(request.headers()["x-even"], "v", "{path}");
        }
    }

    #[test]
    fn an_answer_is_what_the_gateway_takes() {
        let answer = Response::builder()
            .status(503)
            .header("retry-after", "5")
            .body(Bytes::from("{}"))
            .unwrap();
        assert_eq!(
            serde_json::to_value(Answer::from(answer)).unwrap(),
            json!({"statusCode": 503, "headers": {"retry-after": "5"}, "body": "{}", "isBase64Encoded": false})
        );
    }
}
