//! Requests per second and latency of the HTTP routes, in this process.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use runtime::auth::WEBHOOK_SECRET_HEADER;
use serde_json::Map;

use super::fixture::Fixture;
use super::load::{self, Bodies, LoadTarget};
use super::report::{BenchReport, Section};
use super::talk::{self, COMMAND, JOIN_REQUEST, LET_IN, PRESS, WORD};
use super::{payload, seed};

/// Joins that are made ready for each second of load: more than are answered in one.
const JOINS_PER_SECOND: f64 = 4000.0;

/// Measures new payments, repeats, joins and updates that are none, each for `length` at each number of callers.
///
/// # Errors
/// A call that did not succeed.
pub(crate) async fn measure(report: &mut BenchReport, length: Duration) -> anyhow::Result<()> {
    let mut section = Section {
        name: "load",
        title: "The HTTP routes over loopback, in the local stack's process".to_owned(),
        columns: vec!["call", "callers", "accepted/s", "p50 ms", "p99 ms"],
        notes: vec![
            "The callers (HTTP keep-alive), the API, the handlers and the embedded AWS (in memory) share this process and this machine's processors; \
             the queues are not worked off meanwhile. So this is a floor for the handlers, not their limit on Lambda.".to_owned(),
            "`/help` and the press are of another person each time; a word goes to the operators, who have a topic of its writer; a join request and the join \
             after it are of people who have claimed a seat. What is to be said or done is in the tables, with its bell, when the call is answered.".to_owned(),
        ],
        ..Section::default()
    };
    let mut figures = Map::new();
    for kind in [
        "request, new payment",
        "request, repeat",
        "webhook, join",
        "webhook, no join",
        COMMAND,
        PRESS,
        WORD,
        JOIN_REQUEST,
        LET_IN,
    ] {
        // A fixture for each, so that none finds the other's tables grown.
        let fixture = match talk::is_talk(kind) {
            true => Fixture::that_talks().await?,
            false => Fixture::start().await?,
        };
        let target = async |prefix: &str, length| target(&fixture, kind, prefix, length).await;
        load::measure((&mut section, &mut figures), kind, length, target).await?;
    }
    section.figures = figures.into();
    report.add(section);
    Ok(())
}

/// One kind of call, with bodies of its own.
async fn target(
    fixture: &Fixture,
    kind: &str,
    prefix: &str,
    length: Duration,
) -> anyhow::Result<LoadTarget> {
    let prefix = prefix.to_owned();
    let (bodies, answer): (Bodies, _) = match kind {
        "request, new payment" => (
            Arc::new(move |number| Some(payload::purchase(&format!("{prefix}-{number}")))),
            r#""status":"queued","requestId""#,
        ),
        "request, repeat" => {
            seed::invites(fixture, &prefix, 1).await?;
            let body = payload::purchase(&format!("{prefix}-0"));
            (Arc::new(move |_| Some(body.clone())), r#""duplicate":true"#)
        }
        "webhook, join" => {
            let joins = (JOINS_PER_SECOND * length.as_secs_f64()) as usize;
            let updates = seed::invites(fixture, &prefix, joins)
                .await?
                .iter()
                .zip(1..)
                .map(|(invite, person)| payload::join(invite, person))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let update = move |number| updates.get(usize::try_from(number).ok()?).cloned();
            (Arc::new(update), r#""result":"joined""#)
        }
        kind if talk::is_talk(kind) => talk::updates(fixture, kind, length).await?,
        _ => {
            let update = payload::message()?;
            (
                Arc::new(move |_| Some(update.clone())),
                r#""result":"ignored""#,
            )
        }
    };
    let is_webhook = kind.starts_with("webhook");
    let (path, key) = match is_webhook {
        true => (
            "/v1/telegram/webhook",
            (
                WEBHOOK_SECRET_HEADER,
                fixture.value("TELEGRAM_WEBHOOK_SECRET").to_owned(),
            ),
        ),
        false => (
            "/v1/invite/request",
            ("x-api-key", fixture.value("API_KEYS").to_owned()),
        ),
    };
    Ok(LoadTarget {
        url: format!("{}{path}", fixture.url),
        key: (key.0, Arc::new(move |_| key.1.clone())),
        method: Method::POST,
        bodies,
        answer,
    })
}
