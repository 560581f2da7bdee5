//! What is drawn by lot in the simulated world.
//!
//! All of it comes from `fastrand`'s generator of the thread, so that a run on one thread repeats itself after
//! `fastrand::seed`. Nobody seeds it but a test that wants that.

use uuid::{Builder, Uuid};

/// A random UUID of version 4.
pub(crate) fn uuid() -> Uuid {
    Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}
