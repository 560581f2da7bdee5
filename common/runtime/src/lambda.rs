//! The start of a function on Lambda, and what Lambda and a function tell each other about time and batches.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use lambda_runtime::streaming::Body;
use lambda_runtime::{LambdaEvent, MetadataPrelude, StreamResponse, service_fn};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::{ConfigError, Env};
use crate::gateway::{ApiGatewayRequest, ApiGatewayResponse};
use crate::{metrics, secrets, telemetry, trace};
use domain::time::Timestamp;

/// How late a deadline may be seen and still be one.
const LONG_OVER: Duration = Duration::from_secs(3600);
/// How long an invocation may take whose deadline is not told.
const UNTOLD: Duration = Duration::from_secs(60);

/// How long secrets are not read again: whoever guesses keys must not turn each guess into a call of Secrets Manager.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// A function as it runs on Lambda: what its handler needs, built anew when its secrets were rotated.
pub struct Function<A> {
    from_env: fn(&mut Env, Clock) -> A,
    /// What the handler needs, and when the secrets were read again.
    app: Mutex<(Arc<A>, Option<Instant>)>,
}

impl<A> Function<A> {
    /// Starts the logs of the function, whose crate is called `name`, and builds what the handler needs from the environment of the process.
    ///
    /// # Errors
    /// [`ConfigError`], logged: the function refuses to start, and Lambda reports it.
    pub async fn start(
        name: &'static str,
        from_env: fn(&mut Env, Clock) -> A,
    ) -> Result<Self, ConfigError> {
        telemetry::start(name, &Env::of_process());
        let app = build(from_env).await.inspect_err(|refusal| {
            tracing::error!(fault = "configuration", "refusing to start: {refusal}");
            metrics::tell(&Clock::real());
        })?;
        Ok(Self {
            from_env,
            app: Mutex::new((Arc::new(app), None)),
        })
    }

    /// Handles an invocation that belongs to the trace of `header`. If one of our secrets is refused meanwhile, the
    /// next invocation has those of now.
    pub async fn invoke<T>(&self, header: Option<&str>, handler: impl AsyncFnOnce(&A) -> T) -> T {
        let app = self.app();
        let answer = trace::within(header, handler(&app)).await;
        if secrets::take_refused() {
            self.renew().await;
        }
        metrics::tell(&Clock::real());
        answer
    }

    /// As [`Function::invoke`], for a call that shows a secret: one that is refused with 401 is handled again, if the
    /// secrets were read anew meanwhile.
    async fn answer(
        &self,
        header: Option<&str>,
        call: &Request<Bytes>,
        handle: &impl AsyncFn(&A, Request<Bytes>) -> Response<Bytes>,
    ) -> Response<Bytes> {
        let mut answer = trace::within(header, handle(&self.app(), call.clone())).await;
        if answer.status() == StatusCode::UNAUTHORIZED && self.renew().await {
            answer = trace::within(header, handle(&self.app(), call.clone())).await;
        }
        metrics::tell(&Clock::real());
        answer
    }

    fn app(&self) -> Arc<A> {
        let app = self.app.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&app.0)
    }

    /// Reads the secrets again, unless that was done just now; answers whether it was.
    async fn renew(&self) -> bool {
        let is_due = {
            let mut app = self.app.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = app.1.is_none_or(|read| read.elapsed() >= READ_AGAIN_AFTER);
            if is_due {
                app.1 = Some(Instant::now());
            }
            is_due
        };
        if !is_due || Env::of_process().optional("SECRETS_ARN").is_none() {
            return false;
        }
        match build(self.from_env).await {
            Ok(app) => {
                let mut known = self.app.lock().unwrap_or_else(PoisonError::into_inner);
                known.0 = Arc::new(app);
                true
            }
            Err(refusal) => {
                tracing::error!(
                    fault = "configuration",
                    "a secret was refused, and its successor can't be used: {refusal}"
                );
                false
            }
        }
    }
}

/// Runs the function `name`, a crate, that API Gateway calls, until Lambda ends it.
///
/// # Errors
/// [`ConfigError`], logged: the function refuses to start, and Lambda reports it.
pub async fn answer_calls<A>(
    name: &'static str,
    from_env: fn(&mut Env, Clock) -> A,
    handle: impl AsyncFn(&A, Request<Bytes>) -> Response<Bytes>,
) -> Result<(), lambda_runtime::Error> {
    let (function, handle) = (&Function::start(name, from_env).await?, &handle);
    let answer = async move |event: LambdaEvent<ApiGatewayRequest>| {
        let trace = event.context.xray_trace_id.as_deref();
        Ok::<_, Infallible>(called(function, trace, event.payload, handle).await)
    };
    lambda_runtime::run(service_fn(answer)).await
}

/// Runs the function `name`, a crate, behind a Function URL whose answers are streamed, until Lambda ends it: an answer may
/// be larger than Lambda's 6 MB, and need not be text.
///
/// # Errors
/// [`ConfigError`], logged: the function refuses to start, and Lambda reports it.
pub async fn stream_answers<A>(
    name: &'static str,
    from_env: fn(&mut Env, Clock) -> A,
    handle: impl AsyncFn(&A, Request<Bytes>) -> Response<Bytes>,
) -> Result<(), lambda_runtime::Error> {
    let (function, handle) = (&Function::start(name, from_env).await?, &handle);
    let answer = async move |event: LambdaEvent<ApiGatewayRequest>| {
        let trace = event.context.xray_trace_id.as_deref();
        let answer = match event.payload.into_request() {
            Ok(request) => function.answer(trace, &request, handle).await,
            Err(refused) => refused.answer(),
        };
        Ok::<_, Infallible>(streamed(answer))
    };
    lambda_runtime::run(service_fn(answer)).await
}

/// As [`answer_calls`], of a function that the clock invokes as well.
///
/// # Errors
/// [`ConfigError`], logged: the function refuses to start, and Lambda reports it.
pub async fn answer_calls_and_ticks<A, T: Serialize>(
    name: &'static str,
    from_env: fn(&mut Env, Clock) -> A,
    handle: impl AsyncFn(&A, Request<Bytes>) -> Response<Bytes>,
    tick: impl AsyncFn(&A, Instant) -> T,
) -> Result<(), lambda_runtime::Error> {
    let (function, handle) = (&Function::start(name, from_env).await?, &handle);
    let tick = &tick;
    let answer = async move |event: LambdaEvent<ApiGatewayRequest>| {
        let trace = event.context.xray_trace_id.as_deref();
        if event.payload.is_tick() {
            let deadline = deadline(event.context.deadline);
            let ticked = async |app: &A| tick(app, deadline).await;
            let ticked = function.invoke(trace, ticked).await;
            return Ok(serde_json::to_value(ticked).unwrap_or_default());
        }
        let answer = called(function, trace, event.payload, handle).await;
        Ok::<_, Infallible>(serde_json::to_value(answer).unwrap_or_default())
    };
    lambda_runtime::run(service_fn(answer)).await
}

fn streamed(answer: Response<Bytes>) -> StreamResponse<Body> {
    let (parts, body) = answer.into_parts();
    StreamResponse {
        metadata_prelude: MetadataPrelude {
            status_code: parts.status,
            headers: parts.headers,
            cookies: Vec::new(),
        },
        stream: Body::from(body),
    }
}

async fn called<A>(
    function: &Function<A>,
    trace: Option<&str>,
    call: ApiGatewayRequest,
    handle: &impl AsyncFn(&A, Request<Bytes>) -> Response<Bytes>,
) -> ApiGatewayResponse {
    let answer = match call.into_request() {
        Ok(request) => function.answer(trace, &request, handle).await,
        Err(refused) => refused.answer(),
    };
    ApiGatewayResponse::from(answer)
}

async fn build<A>(from_env: fn(&mut Env, Clock) -> A) -> Result<A, ConfigError> {
    let mut env = secrets::fill_in(Env::of_process()).await?;
    let app = from_env(&mut env, Clock::real());
    env.check().map(|()| app)
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

/// What wakes a dispatcher.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Invocation {
    /// The schedule.
    Tick(Tick),
    /// Bells.
    Batch(SqsEvent),
}

/// What the schedule sends.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Tick {
    /// A minute is over.
    Tick,
}

/// The id by which a batch answer names a message. A message without one, which SQS never sends, makes Lambda treat
/// the whole batch as failed.
#[must_use]
pub fn message_id(message: &SqsMessage) -> String {
    message.message_id.clone().unwrap_or_default()
}

/// The answer that hands back the messages of these ids and deletes the others.
#[must_use]
pub fn failed_messages(message_ids: impl IntoIterator<Item = String>) -> SqsBatchResponse {
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
