//! The environment as a map, and as a function reads it.

use std::collections::HashMap;

use runtime::config::Env;

/// An environment for a function.
#[must_use]
pub fn env_of(env: &HashMap<String, String>) -> Env {
    env.iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
