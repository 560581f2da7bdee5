//! `events/`: samples that are what their trigger sends, all listed, and of every fact.

use std::collections::BTreeSet;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::sqs::SqsEvent;
use domain::event::{Event, EventName, PendingEvents};
use runtime::lambda::Invocation;
use serde_json::Value;
use store::queue::{Bell, MessageBell};

use super::{entries, template, text};

/// Files beside the samples.
const BESIDE: [&str; 3] = ["README.md", "expected.json", "seed.json"];

fn samples() -> BTreeSet<String> {
    let mut files = entries("events");
    files.retain(|file| !BESIDE.contains(&file.as_str()));
    files
}

/// The function that a sample is for: its name's first word.
fn function(sample: &str) -> &str {
    sample.split('-').next().unwrap_or_default()
}

/// The functions that have samples.
pub(super) fn functions() -> BTreeSet<String> {
    samples()
        .iter()
        .map(|sample| function(sample).to_owned())
        .collect()
}

/// Fails unless a sample is a call as the gateway passes it on: by a route of the function, with what its path names.
fn is_a_call_of(function: &str, sample: &str, json: &str) {
    let call: ApiGatewayV2httpRequest =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{sample}: {error}"));
    assert_eq!(call.version.as_deref(), Some("2.0"), "{sample}");
    let route = call.route_key.unwrap();
    let deployed = template::functions();
    let routes: Vec<String> = template::triggers(&deployed[function])
        .filter(|event| event["Type"] == "HttpApi")
        .map(|event| {
            let part = |name: &str| event["Properties"][name].as_str().unwrap();
            format!("{} {}", part("Method"), part("Path"))
        })
        .collect();
    assert!(routes.contains(&route), "{sample}: {route} of {routes:?}");
    let (method, path) = route.split_once(' ').unwrap();
    let called = call.request_context.http.method.as_str();
    assert!(method == "ANY" || method == called, "{sample}: {called}");
    let parameters = call.path_parameters.iter();
    let path = parameters.fold(path.to_owned(), |path, (name, value)| {
        let path = path.replace(&format!("{{{name}+}}"), value);
        path.replace(&format!("{{{name}}}"), value)
    });
    assert_eq!(call.raw_path, Some(path), "{sample}");
}

#[test]
fn each_sample_is_what_its_trigger_sends() {
    let (mut bells, mut message_bells, mut events, mut pending) = (0, 0, BTreeSet::new(), 0);
    for sample in samples() {
        let json = text(&format!("events/{sample}"));
        let queue = match function(&sample) {
            // A Function URL calls as the gateway does, by one route.
            "botapi" => {
                let call: ApiGatewayV2httpRequest = serde_json::from_str(&json).unwrap();
                assert_eq!(call.version.as_deref(), Some("2.0"), "{sample}");
                assert_eq!(call.route_key.as_deref(), Some("$default"), "{sample}");
                continue;
            }
            "worker" | "messenger" | "hooks" | "webhook" if sample.ends_with("-tick.json") => {
                let tick = serde_json::from_str(&json).unwrap();
                assert!(matches!(tick, Invocation::Tick(_)), "{sample}");
                continue;
            }
            name @ ("request" | "status" | "webhook" | "admin" | "pay" | "shop") => {
                is_a_call_of(name, &sample, &json);
                continue;
            }
            "worker" => "invite",
            "messenger" => "message",
            "hooks" => "hook",
            "events" => "event",
            "setup" => {
                let event: Value = serde_json::from_str(&json).unwrap();
                let kind = event["RequestType"].as_str().unwrap_or("by-hand");
                assert_eq!(sample, format!("setup-{}.json", kind.to_lowercase()));
                let is_answered_elsewhere = event["ResponseURL"].is_string();
                assert_eq!(is_answered_elsewhere, kind != "by-hand", "{sample}");
                continue;
            }
            "jobs" | "monitor" | "sweeper" => {
                let event: Value = serde_json::from_str(&json).unwrap();
                assert_eq!(event["detail-type"], "Scheduled Event", "{sample}");
                assert_eq!(event["source"], "aws.events", "{sample}");
                continue;
            }
            other => panic!("{sample} is for no function: {other}"),
        };
        let batch: SqsEvent =
            serde_json::from_str(&json).unwrap_or_else(|error| panic!("{sample}: {error}"));
        assert!(!batch.records.is_empty(), "{sample}");
        for message in batch.records {
            let arn = message.event_source_arn.unwrap();
            assert!(arn.ends_with(&format!("-{queue}")), "{sample}: {arn}");
            assert!(
                message.message_id.is_some() && message.receipt_handle.is_some(),
                "{sample}"
            );
            let body = message.body.unwrap();
            bells += usize::from(serde_json::from_str::<Bell>(&body).is_ok());
            message_bells += usize::from(serde_json::from_str::<MessageBell>(&body).is_ok());
            // In this order, as `events` reads it: what more an event tells is no harm to the other.
            if let Ok(event) = serde_json::from_str::<Event>(&body) {
                events.insert(event.event_name.as_str());
            } else if serde_json::from_str::<PendingEvents>(&body).is_ok() {
                pending += 1;
            }
        }
    }
    assert!(bells >= 3, "{bells} samples of bells");
    assert!(
        message_bells >= 2,
        "{message_bells} samples of bells of messages"
    );
    assert!(pending >= 2, "{pending} samples of pending events");
    let names = [EventName::LinkCreated, EventName::Joined].map(EventName::as_str);
    assert_eq!(events, names.into(), "a sample of each fact");
}

#[test]
fn each_sample_is_listed_with_its_outcome() {
    let expected: Vec<Value> = serde_json::from_str(&text("events/expected.json")).unwrap();
    let listed: BTreeSet<String> = expected
        .iter()
        .map(|case| case["file"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, samples(), "events/expected.json");
    assert_eq!(listed.len(), expected.len(), "none twice");
    let page = text("events/README.md");
    for case in &expected {
        let file = case["file"].as_str().unwrap();
        assert_eq!(case["function"], function(file), "{file}");
        let row = format!("| `{}` |", file.trim_end_matches(".json"));
        assert!(page.contains(&row), "events/README.md lacks {file}");
    }
}
