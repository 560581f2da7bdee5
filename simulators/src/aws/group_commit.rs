//! Group commit: one flush of a write-ahead log answers for all commits that wait for it.
//!
//! SQLite commits into its log and does not flush it (`synchronous=NORMAL`). No answer leaves before a flush has ended
//! that began after the commit that the answer tells of, so a power cut takes back nothing that was answered. A flush
//! costs milliseconds whatever it holds: callers who wait together share one.
//!
//! ```text
//! commit 1 ── flush ─────────┐ answers 1
//!   commit 2 ──┐             │
//!     commit 3 ┴── waits ────┴ flush ─────────┐ answers 2 and 3
//! ```
//!
//! A flush that failed may have lost what it should have kept, and the next one would not say so: from then on nothing is
//! durable, and every call is answered by 500 until the process is started again.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

/// A flush has failed: nothing is known to be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotDurable;

/// How far the log is flushed.
#[derive(Clone, Copy, Debug, Default)]
struct Flushed {
    commit: u64,
    flushes: u64,
    has_failed: bool,
}

#[derive(Debug, Default)]
struct Asked {
    commit: u64,
    is_closing: bool,
}

#[derive(Debug, Default)]
struct Shared {
    asked: Mutex<Asked>,
    wake: Condvar,
}

impl Shared {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The flushes of one log, on a thread of their own.
#[derive(Debug)]
pub(crate) struct GroupCommit {
    shared: Arc<Shared>,
    flushed: watch::Receiver<Flushed>,
    thread: Option<JoinHandle<()>>,
}

impl GroupCommit {
    /// The flushes of the log of the database at `database`, which is open. On return what it holds is on the disk, and
    /// so is its name in its folder.
    ///
    /// The database itself must not be opened here: closing it would let go of SQLite's locks.
    pub(crate) fn of_database(database: &Path) -> io::Result<Self> {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let log = File::open(log)?;
        log.sync_all()?;
        if let Some(folder) = database.parent() {
            File::open(folder)?.sync_all()?;
        }
        Self::start(move || log.sync_data())
    }

    /// Runs `flush` whenever somebody waits for a commit that none has covered.
    pub(crate) fn start(
        mut flush: impl FnMut() -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (flushes, flushed) = watch::channel(Flushed::default());
        let of_thread = Arc::clone(&shared);
        let run = move || {
            let mut done = Flushed::default();
            while let Some(commit) = next(&of_thread, done.commit) {
                done.flushes += 1;
                match flush() {
                    Ok(()) => done.commit = commit,
                    Err(error) => {
                        tracing::error!(
                            fault = "unavailable",
                            "the disk did not take what was written: {error}; check the disk, then start again"
                        );
                        done.has_failed = true;
                    }
                }
                flushes.send_replace(done);
                if done.has_failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("flush".to_owned());
        Ok(Self {
            shared,
            flushed,
            thread: Some(thread.spawn(run)?),
        })
    }

    /// Waits until `commit`, and with it all earlier ones, is on the disk. Commits are numbered in their order; one may
    /// be waited for more than once.
    pub(crate) async fn durable(&self, commit: u64) -> Result<(), NotDurable> {
        let is_settled = |flushed: &Flushed| flushed.has_failed || flushed.commit >= commit;
        let mut flushed = self.flushed.clone();
        if !is_settled(&flushed.borrow()) {
            let mut asked = self.shared.asked();
            asked.commit = asked.commit.max(commit);
            drop(asked);
            self.shared.wake.notify_one();
        }
        // The thread lives as long as this does, unless it has panicked.
        let settled = flushed.wait_for(is_settled).await;
        match settled {
            Ok(flushed) if !flushed.has_failed => Ok(()),
            _ => Err(NotDurable),
        }
    }

    /// Whether a flush has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.flushed.borrow().has_failed
    }

    /// How many flushes there were.
    pub(crate) fn flushes(&self) -> u64 {
        self.flushed.borrow().flushes
    }
}

/// Waits for a commit after `flushed`; nothing at the end.
fn next(shared: &Shared, flushed: u64) -> Option<u64> {
    let asked = shared.asked();
    let asked = shared
        .wake
        .wait_while(asked, |asked| asked.commit <= flushed && !asked.is_closing)
        .unwrap_or_else(PoisonError::into_inner);
    (!asked.is_closing).then_some(asked.commit)
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.shared.asked().is_closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::Poll;

    use super::*;

    /// A log whose flushes end one by one, each when the test says so.
    fn gated() -> (
        GroupCommit,
        mpsc::Receiver<()>,
        mpsc::Sender<io::Result<()>>,
    ) {
        let (begun, begins) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let flush = move || {
            let _ = begun.send(());
            ended.recv().unwrap_or(Ok(()))
        };
        (GroupCommit::start(flush).unwrap(), begins, end)
    }

    macro_rules! pending {
        ($future:expr) => {
            assert!(
                std::future::poll_fn(|cx| Poll::Ready($future.as_mut().poll(cx)))
                    .await
                    .is_pending()
            )
        };
    }

    #[tokio::test]
    async fn nothing_is_durable_before_a_flush_that_began_after_its_commit_has_ended() {
        let (log, begins, end) = gated();
        let mut first = Box::pin(log.durable(1));
        pending!(first);
        begins.recv().unwrap();
        // These were committed while the first flush ran: it does not answer for them.
        let mut second = Box::pin(log.durable(2));
        let mut third = Box::pin(log.durable(3));
        pending!(second);
        pending!(third);
        pending!(first);
        end.send(Ok(())).unwrap();
        assert_eq!(first.await, Ok(()));
        begins.recv().unwrap();
        pending!(second);
        end.send(Ok(())).unwrap();
        assert_eq!(second.await, Ok(()));
        assert_eq!(third.await, Ok(()));
        assert_eq!(log.flushes(), 2);
        // What is on the disk is not flushed again.
        assert_eq!(log.durable(3).await, Ok(()));
        assert_eq!(log.flushes(), 2);
    }

    #[tokio::test]
    async fn after_a_flush_that_failed_nothing_is_durable_again() {
        let (log, _begins, end) = gated();
        end.send(Ok(())).unwrap();
        assert_eq!(log.durable(1).await, Ok(()));
        end.send(Err(io::Error::other("no disk"))).unwrap();
        assert_eq!(log.durable(2).await, Err(NotDurable));
        assert_eq!(log.durable(3).await, Err(NotDurable));
        assert_eq!(log.durable(1).await, Err(NotDurable));
        assert_eq!(log.flushes(), 2);
    }
}
