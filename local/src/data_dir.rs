//! The data folder: for its owner alone, used by one local stack at a time, and with the clock as it was left.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use anyhow::{Context as _, bail};
use simulators::clock::Clock;

/// Held while a local stack uses the folder; a killed process lets go of it.
const LOCK: &str = "lock";
/// How long a folder is waited for that another local stack uses: one that was told to stop has ended by then.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How often it is looked at meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How far the clock was turned, in milliseconds: what waits in the queues waits by that clock.
const CLOCK: &str = "clock";

/// A data folder in use.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder if it is missing and takes it for this process. One that another local stack uses is waited for, since
    /// that one may be about to end.
    ///
    /// # Errors
    /// A sentence, if the folder can't be made or written, or another local stack goes on using it.
    pub async fn take(path: PathBuf) -> anyhow::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&path)
            .with_context(|| format!("making the folder {}", path.display()))?;
        let lock = File::create(path.join(LOCK))
            .with_context(|| format!("writing to the folder {}", path.display()))?;
        // Its own name must outlive a power cut as well.
        if let Some(parent) = path
            .canonicalize()
            .ok()
            .and_then(|path| Some(path.parent()?.to_owned()))
        {
            let _ = File::open(parent).and_then(|parent| parent.sync_all());
        }
        let give_up = Instant::now() + TIMEOUT;
        let mut has_said = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path, _lock: lock }),
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                    if !has_said {
                        tracing::warn!(
                            "another process uses the folder {}; waiting for it to end",
                            path.display()
                        );
                        has_said = true;
                    }
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                Err(TryLockError::WouldBlock) => {
                    bail!(
                        "another process uses the folder {}: stop it, or give another --data-dir",
                        path.display()
                    )
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error)
                        .with_context(|| format!("locking the folder {}", path.display()));
                }
            }
        }
    }

    /// Turns the clock to where it was left.
    ///
    /// # Errors
    /// A sentence, if that is not the real time and part of the world outside is real.
    pub fn recall_clock(&self, clock: &Clock, is_simulated: bool) -> anyhow::Result<()> {
        let left = std::fs::read_to_string(self.path.join(CLOCK)).unwrap_or_default();
        let turned = Duration::from_millis(left.trim().parse().unwrap_or_default());
        if !turned.is_zero() && !is_simulated {
            bail!(
                "the clock of the folder {} was turned in simulation; give another --data-dir",
                self.path.display()
            );
        }
        clock.advance(turned);
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers how far the clock is turned.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn remember_clock(&self, clock: &Clock) -> std::io::Result<()> {
        let turned = clock.offset_ms().load(std::sync::atomic::Ordering::SeqCst);
        std::fs::write(self.path.join(CLOCK), turned.to_string())
    }
}
