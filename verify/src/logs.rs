//! What the functions of a simulated world log, as CloudWatch would have it, and whether a line holds what none may.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Layer as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// How many lines are remembered, the newest.
const REMEMBERED_LINES: usize = 5_000;
/// What no line may hold, in every world: the secrets all begin alike, and so do links, e-mails and bodies.
const NEVER: [&str; 8] = [
    "verify-key",
    "verify-token",
    "verify-secret",
    "verify-webengage-key",
    "t.me/",
    "@",
    "{\\\"",
    "Bearer",
];

thread_local! {
    static HERE: RefCell<Logs> = RefCell::default();
}

#[derive(Default)]
struct LogState {
    began: Option<Instant>,
    lines: VecDeque<String>,
    leaks: Vec<String>,
    panics: u64,
}

impl LogState {
    fn remember(&mut self, line: &str) {
        let began = *self.began.get_or_insert_with(Instant::now);
        let at = began.elapsed().as_secs_f64();
        self.lines.push_back(format!("{at:>10.3} {line}"));
        if self.lines.len() > REMEMBERED_LINES {
            self.lines.pop_front();
        }
    }
}

/// The lines of one world, each with the second of its time. Clones are the same.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<LogState>>);

impl Logs {
    /// The lines, oldest first; only the newest are remembered.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.state().lines.iter().cloned().collect()
    }

    /// The lines that hold a secret, a link, an e-mail or a body, or one of `secrets`.
    #[must_use]
    pub fn leaks(&self, secrets: &[&str]) -> Vec<String> {
        let state = self.state();
        let lines = state.lines.iter();
        let of_these = lines.filter(|line| secrets.iter().any(|secret| line.contains(secret)));
        state.leaks.iter().chain(of_these).cloned().collect()
    }

    /// How many invocations panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.state().panics
    }

    /// Adds a line of somebody who looks on, for the trace; it may hold anything.
    pub fn note(&self, line: &str) {
        self.state().remember(line);
    }

    /// Adds a line that a function logged.
    pub(super) fn add(&self, line: &str) {
        let mut state = self.state();
        if NEVER.iter().any(|secret| line.contains(secret)) {
            state.leaks.push(line.to_owned());
        }
        state.panics += u64::from(line.contains("in mid-work (panic)"));
        state.remember(line);
    }

    fn state(&self) -> MutexGuard<'_, LogState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Logs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(String::from_utf8_lossy(line).trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Collects what this thread logs from now on, in the format of the functions and at every level.
pub(super) fn listen() -> DefaultGuard {
    let logs = Logs::default();
    HERE.with_borrow_mut(|here| *here = logs.clone());
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_ansi(false)
        .without_time()
        .with_writer(logs);
    let ours = tracing_subscriber::filter::filter_fn(|metadata| {
        local::functions::is_ours(metadata.target())
    });
    tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.with_filter(ours)))
}

/// What the world of this thread has logged.
pub(super) fn here() -> Logs {
    HERE.with_borrow(Clone::clone)
}
