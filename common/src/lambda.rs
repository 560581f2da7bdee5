//! The start of a function on Lambda, and what Lambda and a function tell each other about time and batches.

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::{ConfigError, Env};
use crate::domain::time::Timestamp;
use crate::{secrets, telemetry};

/// How late a deadline may be seen and still be one.
const LONG_OVER: Duration = Duration::from_secs(3600);
/// How long an invocation may take whose deadline is not told.
const UNTOLD: Duration = Duration::from_secs(60);

/// Starts the logs and builds what a handler needs from the environment of the process.
///
/// # Errors
/// [`ConfigError`], logged: the function refuses to start, and Lambda reports it.
pub async fn app<A>(from_env: impl FnOnce(&mut Env, Clock) -> A) -> Result<A, ConfigError> {
    let env = Env::of_process();
    telemetry::start(&env);
    let started = async {
        let mut env = secrets::fill_in(env).await?;
        let app = from_env(&mut env, Clock::real());
        env.check().map(|()| app)
    };
    started.await.inspect_err(|refusal| {
        tracing::error!(fault = "configuration", "refusing to start: {refusal}")
    })
}

/// When the invocation ends whose deadline Lambda tells, in milliseconds since the Unix epoch. One that is long over is
/// none: `cargo lambda watch` sends a constant.
#[must_use]
pub fn deadline(deadline_ms: u64) -> Instant {
    let ends = Timestamp::from_ms(i64::try_from(deadline_ms).unwrap_or(i64::MAX));
    let now = Clock::real().now();
    let left = if now.since(ends) > LONG_OVER {
        UNTOLD
    } else {
        ends.since(now)
    };
    Instant::now() + left
}

/// The id by which a batch answer names a message. A message without one, which SQS never sends, makes Lambda treat
/// the whole batch as failed.
#[must_use]
pub fn message_id(message: &SqsMessage) -> String {
    message.message_id.clone().unwrap_or_default()
}

/// The answer that hands back the messages of these ids and deletes the others.
#[must_use]
pub fn hand_back(message_ids: impl IntoIterator<Item = String>) -> SqsBatchResponse {
    let mut answer = SqsBatchResponse::default();
    message_ids
        .into_iter()
        .for_each(|id| answer.add_failure(id));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_kept_and_a_constant_is_none() {
        let now = u64::try_from(Clock::real().now().ms()).unwrap();
        let left = |deadline_ms| deadline(deadline_ms).saturating_duration_since(Instant::now());
        assert!(left(now + 30_000).abs_diff(Duration::from_secs(30)) < Duration::from_secs(2));
        assert_eq!(left(now - 1000), Duration::ZERO);
        assert!(left(600_000).abs_diff(UNTOLD) < Duration::from_secs(2));
    }
}
