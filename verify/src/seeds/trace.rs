//! What happened, in order and with virtual times: always as a hash, by which two runs are compared, and as text if it
//! is asked for.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

/// The offset basis and the prime of FNV-1a, which is the same on every machine and in every version.
const FNV: (u64, u64) = (0xcbf2_9ce4_8422_2325, 0x0100_0000_01b3);

/// What no log line may hold: the start of a link, and of a bot's token.
const SECRETS: [&str; 2] = ["t.me/+", ":verify-token"];

#[derive(Debug)]
struct Inner {
    since: Instant,
    hash: u64,
    count: u64,
    line: String,
    text: Option<String>,
    leaks: Vec<String>,
}

/// The trace of one run. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

impl Trace {
    /// Begins now. With `text`, what is told is kept.
    pub(crate) fn begin(text: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            since: Instant::now(),
            hash: FNV.0,
            count: 0,
            line: String::new(),
            text: text.then(String::new),
            leaks: Vec::new(),
        })))
    }

    /// Tells one line.
    pub(crate) fn tell(&self, words: fmt::Arguments<'_>) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        let since = inner.since.elapsed();
        inner.line.clear();
        let _ = fmt::write(
            &mut inner.line,
            format_args!("{} {words}\n", clock_face(since)),
        );
        for byte in inner.line.bytes() {
            inner.hash = (inner.hash ^ u64::from(byte)).wrapping_mul(FNV.1);
        }
        inner.count += 1;
        if let Some(text) = &mut inner.text {
            text.push_str(&inner.line);
        }
    }

    /// How much time has passed in it.
    pub(crate) fn now(&self) -> Duration {
        self.inner().since.elapsed()
    }

    /// The hash of all lines, those of the log excepted.
    pub(crate) fn hash(&self) -> u64 {
        self.inner().hash
    }

    /// The text, if it was kept.
    pub(crate) fn take_text(&self) -> Option<String> {
        self.inner().text.take()
    }

    /// Log lines that hold a secret.
    pub(crate) fn leaks(&self) -> Vec<String> {
        self.inner().leaks.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Log lines become lines of the text, and are no part of the hash: names of claims are rundom.
impl io::Write for Trace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let mut inner = self.inner();
        let since = inner.since.elapsed();
        if SECRETS.iter().any(|secret| line.contains(secret)) {
            inner.leaks.push(line.trim_end().to_owned());
        }
        if let Some(text) = &mut inner.text {
            let _ = fmt::write(
                text,
                format_args!("{}   log {}\n", clock_face(since), line.trim_end()),
            );
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Trace {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// `d hh:mm:ss.mmm`
pub(crate) fn clock_face(since: Duration) -> String {
    let (seconds, ms) = (since.as_secs(), since.subsec_millis());
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    format!(
        "{days} {hours:02}:{:02}:{:02}.{ms:03}",
        seconds / 60 % 60,
        seconds % 60
    )
}
