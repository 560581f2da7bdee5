//! A whole event of API Gateway (path, query, headers, body in base64 or not) to the functions that take calls.
//!
//! Every answer is a documented one, refusals quote nothing, nobody gets past without a secret, and no call without
//! one reaches AWS. The page of a claim link and the file of an export are for people who have their address, so a stranger sees
//! that there is none; of a file that takes one read.

#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use fuzz::{API_KEY, FuzzWorld, WEBHOOK_SECRET, operation};
use http::{Request, Response};
use libfuzzer_sys::fuzz_target;
use runtime::gateway::ApiGatewayRequest;
use runtime::response::Rejection;
use serde_json::Value;
use store::queue::Bell;

static WORLD: LazyLock<FuzzWorld> = LazyLock::new(FuzzWorld::default);
static REQUEST: LazyLock<request::App> = LazyLock::new(|| WORLD.start(request::App::from_env));
static STATUS: LazyLock<status::App> = LazyLock::new(|| WORLD.start(status::App::from_env));
static PAY: LazyLock<pay::App> = LazyLock::new(|| WORLD.start(pay::App::from_env));
static WEBHOOK: LazyLock<webhook::App> = LazyLock::new(|| WORLD.start(webhook::App::from_env));

/// Whether a header holds the secret, in whatever words around it.
fn knows(request: &Request<Bytes>, secret: &str) -> bool {
    let holds = |value: &http::HeaderValue| {
        value
            .as_bytes()
            .windows(secret.len())
            .any(|part| part == secret.as_bytes())
    };
    request.headers().values().any(holds)
}

fn check(request: &Request<Bytes>, answer: &Response<Bytes>, secret: &str) {
    let body: Value = serde_json::from_slice(answer.body()).expect("an answer is JSON");
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    if answer.status() == 200 {
        assert_eq!(body["ok"], true);
    } else {
        let fixed = Rejection::all().any(|rejection| rejection.answer().body() == answer.body());
        assert!(fixed, "a refusal in words of its own");
    }
    let calls = WORLD.taken();
    if !knows(request, secret) {
        assert_eq!(answer.status(), 401, "past the door without a secret");
        assert!(calls.is_empty(), "AWS was called for a stranger");
    }
    for call in calls.iter().filter(|call| operation(call) == "SendMessage") {
        let call: Value = serde_json::from_slice(call.body()).expect("JSON");
        let text = call["MessageBody"].as_str().expect("a text");
        assert!(
            !text.contains(['\u{fffe}', '\u{ffff}']),
            "SQS takes no such character"
        );
        serde_json::from_str::<Bell>(text).expect("the worker can read it");
    }
}

fuzz_target!(|input: &str| {
    let Ok(call) = serde_json::from_str::<ApiGatewayRequest>(input) else {
        return;
    };
    let request = match call.into_request() {
        Ok(request) => request,
        Err(refused) => return assert_eq!(refused, Rejection::UnsupportedEvent),
    };
    let again = || {
        let mut copy = Request::new(request.body().clone());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        copy
    };
    check(
        &request,
        &WORLD.run(request::handle(&REQUEST, again())),
        API_KEY,
    );
    let answer = WORLD.run(status::handle(&STATUS, again()));
    if request.uri().path().contains("/v1/exports/") {
        assert!(
            [400, 404, 503].contains(&answer.status().as_u16()),
            "a file for a stranger"
        );
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let reads = WORLD.taken();
        assert!(reads.len() <= 1, "more than a read for a stranger");
        assert!(reads.iter().all(|call| operation(call) == "GetItem"));
    } else {
        check(&request, &answer, API_KEY);
    }
    check(
        &request,
        &WORLD.run(webhook::handle(&WEBHOOK, again())),
        WEBHOOK_SECRET,
    );
    let page = WORLD.run(pay::handle(&PAY, again()));
    assert!(
        [400, 404, 405, 429, 503].contains(&page.status().as_u16()),
        "a page for a stranger"
    );
    assert_eq!(page.headers()["cache-control"], "no-store");
    // Where a payment stands and what is sold are public, for one read; the other pages are not.
    let (reads, path) = (WORLD.taken(), request.uri().path());
    let is_public = path.ends_with("/v1/payment-status") || path.contains("/p/");
    let most = usize::from(is_public);
    assert!(reads.len() <= most, "AWS was called for a stranger");
    assert!(reads.iter().all(|call| operation(call) == "GetItem"));
});
