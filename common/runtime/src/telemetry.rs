//! Logs: one JSON object a line, on standard output, from our own code alone.
//!
//! The libraries below us are never heard, whatever the level: at `trace` they print headers and bodies, and so
//! tokens and links.

use std::error::Error;
use std::fmt::Write as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Env;
use crate::metrics::Meter;
use crate::redaction::of_others;

/// The crates of ours that functions share.
pub const SHARED: [&str; 8] = [
    "domain",
    "intake",
    "nowpayments",
    "runtime",
    "store",
    "stripe",
    "telegram",
    "webengage",
];

/// Whether a line comes from a crate that `is_ours`.
#[must_use]
pub fn is_of(target: &str, is_ours: impl Fn(&str) -> bool) -> bool {
    is_ours(target.split("::").next().unwrap_or_default())
}

/// Starts logging for a function, at the level of `AWS_LAMBDA_LOG_LEVEL` (set by Lambda's logging configuration) or
/// `RUST_LOG`, by default INFO; and counting, at whatever level, if `METRICS_NAMESPACE` is set.
/// Lines of other crates than the function's own and ours are left out at any level: libraries print headers and bodies.
pub fn start(function: &'static str, env: &Env) {
    let level = env
        .optional("AWS_LAMBDA_LOG_LEVEL")
        .or_else(|| env.optional("RUST_LOG"));
    let level: LevelFilter = level
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_ansi(false);
    let ours = || {
        tracing_subscriber::filter::filter_fn(move |metadata| {
            is_of(metadata.target(), |name| {
                name == function || SHARED.contains(&name)
            })
        })
    };
    let meter = env.optional("METRICS_NAMESPACE").map(Meter::start);
    // A second start in one process keeps the first.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(level).with_filter(ours()))
        .with(meter.map(|meter| meter.with_filter(LevelFilter::INFO).with_filter(ours())))
        .try_init();
}

/// An error and its causes as one line, fit for logs and records: some hold the words of a server, which are cleared of
/// our secrets here, and of what ends a line or moves a terminal.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    of_others(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_stays_on_one_line_and_tells_no_secret() {
        let said = "no\r\nERROR\u{1b}[31m of 987654321:AAHtest_token-of-nobody-000000000000";
        let error = std::io::Error::other(said);
        assert_eq!(chain(&error), "no  ERROR [31m of [token]");
    }
}
