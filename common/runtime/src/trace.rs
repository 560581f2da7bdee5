//! Traces: one payment is followed by X-Ray from its request through the queues to Telegram and WebEngage.
//!
//! Lambda tells a function the trace of its invocation, and whether it is one of those that are sampled. A message
//! carries that on (`AWSTraceHeader`, which is not counted among its attributes), so what is done for a message belongs
//! to the trace of the request that sent it. Lambda writes the segments of the functions itself; the calls to the
//! outside are added here, one datagram each to the X-Ray daemon beside the function. Nothing waits for it.

use std::net::UdpSocket;
use std::sync::{Arc, OnceLock};

use serde_json::json;

use crate::clock::Clock;
use crate::config::Env;

tokio::task_local! {
    /// The trace of what is done now.
    static HEADER: Option<Arc<str>>;
}

/// Does `work` as a part of the trace that `header` tells: `Root=1-…;Parent=…;Sampled=1`, by Lambda or by a message.
pub async fn within<T>(header: Option<&str>, work: impl Future<Output = T>) -> T {
    HEADER.scope(header.map(Arc::from), work).await
}

/// The trace of what is done now, for a message.
#[must_use]
pub fn header() -> Option<String> {
    HEADER
        .try_with(|header| header.as_deref().map(str::to_owned))
        .ok()
        .flatten()
}

/// What became of a call to the outside.
pub(crate) enum CallOutcome {
    /// It was answered with this HTTP status.
    Answered(u16),
    /// It was not answered.
    Nothing,
}

/// Adds a call to the trace, if that is sampled: whom it went to, what it asked for, and what came of it.
pub async fn call<T, E>(
    service: &'static str,
    operation: &str,
    call: impl Future<Output = Result<T, E>>,
    outcome: impl Fn(&T) -> u16,
) -> Result<T, E> {
    let sampled = header().filter(|header| part(header, "Sampled") == Some("1"));
    let Some((header, daemon)) = sampled.zip(daemon()) else {
        return call.await;
    };
    let began = Clock::real().now();
    let answer = call.await;
    let outcome = answer.as_ref().map_or(CallOutcome::Nothing, |answer| {
        CallOutcome::Answered(outcome(answer))
    });
    let ended = Clock::real().now();
    if let Some(document) = subsegment(
        &header,
        service,
        operation,
        &outcome,
        began.ms(),
        ended.ms(),
    ) {
        // A trace that is lost is no reason to be late.
        let _ = daemon.send(document.as_bytes());
    }
    answer
}

/// A part of a trace header, such as `Root`.
fn part<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}

/// See "AWS X-Ray segment documents": a subsegment that is sent by itself, with the header of the daemon's protocol.
fn subsegment(
    header: &str,
    service: &str,
    operation: &str,
    outcome: &CallOutcome,
    began_ms: i64,
    ended_ms: i64,
) -> Option<String> {
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let mut document = json!({
        "type": "subsegment",
        "name": service,
        "id": format!("{:016x}", fastrand::u64(..)),
        "trace_id": part(header, "Root")?,
        "parent_id": part(header, "Parent")?,
        "start_time": seconds(began_ms),
        "end_time": seconds(ended_ms),
        "namespace": "remote",
        "annotations": {"operation": operation},
    });
    match outcome {
        CallOutcome::Answered(status) => {
            document["http"] = json!({"response": {"status": status}});
            document["throttle"] = json!(*status == 429);
            document["error"] = json!((400..500).contains(status));
            document["fault"] = json!(*status >= 500);
        }
        CallOutcome::Nothing => document["fault"] = json!(true),
    }
    Some(format!("{{\"format\":\"json\",\"version\":1}}\n{document}"))
}

/// The way to the X-Ray daemon that Lambda runs beside a function whose tracing is active.
fn daemon() -> Option<&'static UdpSocket> {
    static DAEMON: OnceLock<Option<UdpSocket>> = OnceLock::new();
    let socket = DAEMON.get_or_init(|| {
        let address = Env::of_process().optional("AWS_XRAY_DAEMON_ADDRESS")?;
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.set_nonblocking(true).ok()?;
        socket.connect(address).ok()?;
        Some(socket)
    });
    socket.as_ref()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const TRACE: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn a_call_is_told_as_a_part_of_its_trace() {
        let outcome = subsegment(
            TRACE,
            "Telegram",
            "createChatInviteLink",
            &CallOutcome::Answered(429),
            1_500,
            2_250,
        )
        .unwrap();
        let (head, document) = outcome.split_once('\n').unwrap();
        assert_eq!(head, r#"{"format":"json","version":1}"#);
        let document: Value = serde_json::from_str(document).unwrap();
        assert_eq!(document["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
        assert_eq!(document["parent_id"], "53995c3f42cd8ad8");
        assert_eq!(document["id"].as_str().unwrap().len(), 16);
        assert_eq!(
            (&document["start_time"], &document["end_time"]),
            (&json!(1.5), &json!(2.25))
        );
        assert_eq!(
            (&document["throttle"], &document["fault"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(document["annotations"]["operation"], "createChatInviteLink");
        assert!(subsegment("Root=1-2", "Telegram", "x", &CallOutcome::Nothing, 0, 0).is_none());
    }

    #[tokio::test]
    async fn work_knows_its_trace_and_forgets_it() {
        assert_eq!(header(), None);
        let inner = within(Some(TRACE), async { header() }).await;
        assert_eq!(inner.as_deref(), Some(TRACE));
        assert_eq!(header(), None);
    }
}
