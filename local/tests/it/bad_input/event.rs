//! Events that are not of the function's gateway.

use local::harness::TestStack;
use serde_json::{Value, json};

use super::REQUEST;
use crate::startup::spawn;

#[tokio::test]
async fn a_function_answers_an_event_that_is_none_of_its_gateways_with_a_sentence() {
    let stack = TestStack::start().await;
    let env: Vec<_> = stack
        .env()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let function = spawn("request", &env).await;
    function.ready().await.unwrap();
    let of_gateway = |odd: Value| {
        json!({"version": "2.0", "rawPath": REQUEST, "rawQueryString": odd, "headers": odd,
            "requestContext": {"http": {"method": "POST"}}, "body": "{}", "isBase64Encoded": odd})
    };
    let of_rest = json!({"httpMethod": "POST", "path": REQUEST, "headers": {"x-api-key": "k"},
        "requestContext": {"httpMethod": "POST"}, "body": "{}"});
    let of_balancer = json!({"httpMethod": "POST", "path": REQUEST, "headers": {},
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:x"}}, "body": ""});
    for (event, status, code) in [
        (of_gateway(Value::Null), 401, "unauthorized"),
        (of_gateway(json!(7)), 401, "unauthorized"),
        (of_rest, 400, "unsupported_event"),
        (of_balancer, 400, "unsupported_event"),
        (json!({"key1": "value1"}), 400, "unsupported_event"),
        (json!([]), 400, "unsupported_event"),
        (json!(null), 400, "unsupported_event"),
    ] {
        let answer = function
            .invoke(event.to_string().into_bytes())
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&answer["statusCode"], &body["code"]),
            (&json!(status), &json!(code)),
            "{event}"
        );
    }
}
