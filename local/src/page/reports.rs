//! How what the simulated providers report comes here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// How what the providers report comes here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reports {
    /// Each once, at once.
    #[default]
    AsUsual,
    /// None.
    Lost,
    /// Each five times.
    Repeated,
    /// They are kept until this ends, and then come the last first.
    Reversed,
}

/// What the till has set of it.
#[derive(Default)]
pub(super) struct ReportsSet(Mutex<Reports>);

impl ReportsSet {
    pub(super) fn now(&self) -> MutexGuard<'_, Reports> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
