//! API Gateway's calls, in the payload format 2.0 of HTTP APIs, to and from the types of the handlers.
//!
//! Only what a handler reads is taken, and nothing of it is trusted: whatever a stranger sends becomes a request that
//! the handler refuses. (The usual conversion ends the process on a query that is no URI.) An event of another kind (of a
//! REST API, a load balancer, made up by hand) is answered with a sentence that says what is expected.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::HashMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::response::Rejection;

/// Base64, with or without the signs that fill it up.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where a call comes from, as the gateway saw it: among the extensions of a request, if the gateway told. Whoever limits by it
/// knows that many people share an address and that one may have many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallerAddress(pub IpAddr);

/// What Lambda passes on: a call of API Gateway, or some other event. Any JSON can be read as one.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct ApiGatewayRequest(Value);

impl ApiGatewayRequest {
    /// Whether it is no call at all, but the schedule's word that a minute is over: `{"kind": "tick"}`. No caller of the
    /// gateway can make one up, since what they send stands in its fields.
    #[must_use]
    pub fn is_tick(&self) -> bool {
        self.0["kind"] == "tick" && self.0["requestContext"].is_null()
    }

    /// The request. What is missing, `null` or of another type is as if it were empty; a query that is none is left out,
    /// a path that is no URI becomes `/`, a header that is none is left out, and base64 that is none becomes no body.
    ///
    /// # Errors
    /// [`Rejection::UnsupportedEvent`] if it is no call in the payload format 2.0.
    pub fn into_request(self) -> Result<Request<Bytes>, Rejection> {
        let Self(event) = self;
        let method = event["requestContext"]["http"]["method"].as_str();
        let method = method.ok_or(Rejection::UnsupportedEvent)?;
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let body = match event["isBase64Encoded"] {
            Value::Bool(true) => BASE64.decode(text("body")).unwrap_or_default(),
            _ => text("body").as_bytes().to_vec(),
        };
        let mut request = Request::new(body.into());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let path = match text("rawPath").split('?').next() {
            None | Some("") => "/",
            Some(path) => path,
        };
        let uri = |path_and_query: &str| Uri::builder().path_and_query(path_and_query).build();
        *request.uri_mut() = match text("rawQueryString") {
            "" => uri(path),
            query => uri(&format!("{path}?{query}")).or_else(|_| uri(path)),
        }
        .unwrap_or_default();
        let address = event["requestContext"]["http"]["sourceIp"].as_str();
        if let Some(address) = address.and_then(|address| address.parse().ok()) {
            request.extensions_mut().insert(CallerAddress(address));
        }
        // Names in lower case; several values of one name are joined by commas.
        for (name, value) in event["headers"].as_object().into_iter().flatten() {
            let value = value.as_str().map(HeaderValue::from_str);
            if let (Ok(name), Some(Ok(value))) = (name.parse::<HeaderName>(), value) {
                request.headers_mut().insert(name, value);
            }
        }
        Ok(request)
    }
}

/// An answer as API Gateway takes it. All our answers are text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiGatewayResponse {
    status_code: u16,
    headers: HashMap<String, String>,
    body: String,
    is_base64_encoded: bool,
}

impl From<Response<Bytes>> for ApiGatewayResponse {
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
    use serde_json::json;

    fn request(event: Value) -> Request<Bytes> {
        let call: ApiGatewayRequest = serde_json::from_value(event).unwrap();
        call.into_request().unwrap()
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
    fn the_address_of_a_caller_is_the_gateways_word_and_never_a_headers() {
        for (told, expected) in [
            (json!("203.0.113.10"), Some("203.0.113.10")),
            (json!("2001:db8::1"), Some("2001:db8::1")),
            (json!("nobody"), None),
            (json!(7), None),
            (Value::Null, None),
        ] {
            let request = request(json!({"headers": {"x-forwarded-for": "192.0.2.1"},
                "requestContext": {"http": {"method": "GET", "sourceIp": told}}}));
            let address = request.extensions().get::<CallerAddress>();
            let address = address.map(|CallerAddress(address)| address.to_string());
            assert_eq!(address.as_deref(), expected);
        }
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
    fn what_is_null_or_of_another_type_is_as_if_it_were_empty() {
        let call = |odd: Value| {
            json!({"version": "2.0", "rawPath": odd, "rawQueryString": odd, "headers": odd, "body": odd,
                "isBase64Encoded": odd, "requestContext": {"http": {"method": "POST"}}})
        };
        for odd in [
            Value::Null,
            json!(7),
            json!([]),
            json!({"a": null}),
            json!({"x-api-key": ["k"]}),
        ] {
            let request = request(call(odd.clone()));
            assert_eq!(request.method(), Method::POST, "{odd}");
            assert_eq!(request.uri(), "/", "{odd}");
            assert!(request.headers().is_empty(), "{odd}");
            assert!(request.body().is_empty(), "{odd}");
        }
        let bare = request(json!({"requestContext": {"http": {"method": "GET"}}}));
        assert_eq!(bare.uri(), "/");
    }

    #[test]
    fn base64_is_read_with_and_without_the_signs_that_fill_it_up() {
        for body in ["eyJhIjoxfQ==", "eyJhIjoxfQ"] {
            let request = request(json!({"requestContext": {"http": {"method": "POST"}},
                "body": body, "isBase64Encoded": true}));
            assert_eq!(request.body(), r#"{"a":1}"#, "{body}");
        }
    }

    #[test]
    fn an_event_of_another_kind_is_refused_by_a_sentence() {
        let of_rest_api = json!({"httpMethod": "POST", "path": "/v1/invite/request", "headers": {"x-api-key": "k"},
            "requestContext": {"httpMethod": "POST", "path": "/v1/invite/request"}, "body": "{}"});
        let of_load_balancer = json!({"httpMethod": "POST", "path": "/v1/invite/request", "headers": {},
            "requestContext": {"elb": {"targetGroupArn": "arn"}}, "body": "{}"});
        for event in [
            of_rest_api,
            of_load_balancer,
            json!({"userId": "u"}),
            json!({"key1": "value1"}),
            json!({"requestContext": null}),
            json!({"requestContext": {"http": "POST"}}),
            json!({"Records": []}),
            json!({}),
            json!([]),
            json!("x"),
            Value::Null,
        ] {
            let call: ApiGatewayRequest = serde_json::from_value(event.clone()).unwrap();
            let refused = call.into_request().err();
            assert_eq!(refused, Some(Rejection::UnsupportedEvent), "{event}");
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
            serde_json::to_value(ApiGatewayResponse::from(answer)).unwrap(),
            json!({"statusCode": 503, "headers": {"retry-after": "5"}, "body": "{}", "isBase64Encoded": false})
        );
    }
}
