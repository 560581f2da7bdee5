//! Secrets that are not in the environment: those of the JSON secret in Secrets Manager that `SECRETS_ARN` names.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::aws;
use crate::config::{ConfigError, Env};

/// Whether a secret was refused since this was last asked. One process has one set of secrets.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Notes that one of our secrets was refused, or that a caller showed another one: the secret may have been rotated.
pub fn refused() {
    REFUSED.store(true, Ordering::Relaxed);
}

/// Whether a secret was refused since the last time.
pub(crate) fn take_refused() -> bool {
    REFUSED.swap(false, Ordering::Relaxed)
}

/// Fills in the names that are missing in the environment from the secret that `SECRETS_ARN` names, if it is set.
///
/// # Errors
/// [`ConfigError`] if the secret can't be read or is no JSON object of strings. No value is quoted.
pub async fn fill_in(mut env: Env) -> Result<Env, ConfigError> {
    let Some(arn) = env.optional("SECRETS_ARN") else {
        return Ok(env);
    };
    let shared = aws::Shared::from_env(&mut env);
    env.check()?;
    let secret = shared.secret(&arn).await.map_err(ConfigError::Secret)?;
    let values: HashMap<String, String> = serde_json::from_str(&secret)
        .map_err(|_| ConfigError::Secret("it is no JSON object of strings".to_owned()))?;
    for (name, value) in values {
        env.fill_in(name, value);
    }
    Ok(env)
}
