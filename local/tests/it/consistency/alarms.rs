//! Alarms, metrics and the operators' book: each knows of the others.

use std::collections::BTreeSet;

use runtime::metrics::{FAULTS, RULES};
use serde_json::Value;

use super::template::resources;
use super::{code, missing_in, none, sources, text};

#[test]
fn alarms_are_about_what_is_measured_and_have_a_chapter_in_the_operators_book() {
    let (mut alarms, book) = (
        resources("AWS::CloudWatch::Alarm"),
        text("docs/OPERATIONS.md"),
    );
    alarms.extend(resources("AWS::CloudWatch::CompositeAlarm"));
    assert!(alarms.len() >= 15, "{}", alarms.len());
    let measured: BTreeSet<&str> = RULES
        .iter()
        .map(|rule| rule.name)
        .chain(["Errors"])
        .collect();
    let mut watched = BTreeSet::new();
    for (name, alarm) in &alarms {
        let properties = &alarm["Properties"];
        assert!(
            book.contains(&format!("### `{name}`\n")),
            "no chapter on {name}"
        );
        let says = properties["AlarmDescription"].to_string();
        assert!(says.contains("OPERATIONS.md"), "{name}: {says}");
        assert!(!properties["AlarmActions"].is_null(), "{name} tells nobody");
        let mut all = Vec::new();
        metrics_in(properties, &mut all);
        for (namespace, metric) in all {
            if !namespace.starts_with("AWS/") {
                assert!(
                    measured.contains(metric.as_str()),
                    "{name}: nobody measures {metric}"
                );
                watched.insert(metric);
            }
        }
    }
    for metric in [
        "FailedInvites",
        "ChatFaults",
        "RequestToLink",
        "OldestUnserved",
        "OldestCase",
        "EventsFailing",
        "WebhookErrors",
        "WebhookPendingUpdates",
    ] {
        assert!(watched.contains(metric), "no alarm watches {metric}");
    }
    let template = text("template.yaml");
    let unseen: Vec<String> = measured
        .into_iter()
        .chain([FAULTS])
        .filter(|name| !template.contains(*name))
        .map(str::to_owned)
        .collect();
    none(
        "metrics that neither an alarm nor the dashboard shows",
        &unseen,
    );
    none(
        "metrics that docs/OPERATIONS.md lacks",
        &missing_in(
            "docs/OPERATIONS.md",
            RULES
                .iter()
                .map(|rule| rule.name.to_owned())
                .chain([FAULTS.to_owned()]),
        ),
    );
}

/// A metric counts words of the logs. One that no line says any more would stay at 0 without a sound.
#[test]
fn every_word_that_a_metric_counts_is_said_where_it_listens() {
    let faults = text("common/domain/src/fault.rs");
    let mut unsaid = Vec::new();
    for rule in RULES {
        let (function, module) = rule.source.split_once("::").unwrap_or((rule.source, ""));
        let folder = format!("functions/{function}/src");
        let source: String = match module {
            // What takes payments in speaks in its name.
            "" if function == "request" => sources(&[&folder, "common/intake/src"])
                .iter()
                .map(|(_, text)| code(text))
                .collect(),
            "" => sources(&[&folder])
                .iter()
                .map(|(_, text)| code(text))
                .collect(),
            module => code(&text(&format!("{folder}/{module}.rs"))),
        };
        let is_said = match rule.says.strip_prefix('!') {
            Some(fault) => {
                let word = format!("\"{fault}\"");
                source.contains(&word)
                    || (faults.contains(&word) && source.contains("fault = fault.as_str()"))
            }
            None => source.contains(&format!("\"{}\"", rule.says)),
        };
        // A field is given a value, or is a variable of its name.
        let is_told = [" =", ","].map(|after| format!("{}{after}", rule.field));
        let is_told =
            rule.field.is_empty() || is_told.iter().any(|field| source.contains(field.as_str()));
        if !is_said || !is_told {
            unsaid.push(format!("{}: {rule:?}", rule.name));
        }
    }
    none("metrics of what no line says", &unsaid);
}

/// The metrics that a value names, however deep, with their namespaces.
fn metrics_in(value: &Value, found: &mut Vec<(String, String)>) {
    if let Some(metric) = value["MetricName"].as_str() {
        let namespace = match &value["Namespace"] {
            Value::String(namespace) => namespace.clone(),
            other => other["!Sub"].as_str().unwrap_or_default().to_owned(),
        };
        found.push((namespace, metric.to_owned()));
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| metrics_in(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| metrics_in(value, found)),
        _ => {}
    }
}
