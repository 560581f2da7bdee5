//! The line of one chat as one invocation knows it.

use std::sync::atomic::AtomicBool;

use common::store::PaceKey;

/// One chat of one bot, as one invocation serves it.
pub(crate) struct Line {
    pub(crate) key: PaceKey,
    /// Set when the chat was paused or moved, so that the jobs of this invocation that wait for their slots ask again.
    pub(crate) changed: AtomicBool,
}
