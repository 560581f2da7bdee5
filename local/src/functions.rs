//! All functions in one process, each started as Lambda would start it.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use bytes::Bytes;
use http::HeaderMap;
use http::{Request, Response};
use runtime::auth::Verifier;
use runtime::clock::Clock;
use runtime::config::Env;
use tokio::time::Instant;

use crate::resources::{SWEEP_TIMEOUT, TICK_TIMEOUT};

/// All functions, as Lambda would start them.
pub struct Functions {
    pub(crate) request: request::App,
    pub(crate) status: status::App,
    pub(crate) worker: worker::App,
    pub(crate) webhook: webhook::App,
    pub(crate) events: events::App,
    pub(crate) admin: admin::App,
    pub(crate) sweeper: sweeper::App,
    pub(crate) monitor: monitor::App,
    keys: Verifier,
    secrets: Verifier,
}

impl Functions {
    /// Starts all with one environment.
    ///
    /// # Errors
    /// All that is missing in it, by name.
    pub fn start(env: &mut Env, clock: &Clock) -> Result<Self, runtime::config::ConfigError> {
        let functions = Self {
            request: request::App::from_env(env, clock.clone()),
            status: status::App::from_env(env, clock.clone()),
            worker: worker::App::from_env(env, clock.clone()),
            webhook: webhook::App::from_env(env, clock.clone()),
            events: events::App::from_env(env, clock.clone()),
            admin: admin::App::from_env(env, clock.clone()),
            sweeper: sweeper::App::from_env(env, clock.clone()),
            // Without a webhook the updates are asked for.
            monitor: match env.optional("WEBHOOK_URL") {
                Some(_) => monitor::App::from_env(env, clock.clone()),
                None => monitor::App::without_webhook(env, clock.clone()),
            },
            keys: Verifier::api_keys(env),
            secrets: Verifier::webhook_secrets(env),
        };
        env.check().map(|()| functions)
    }

    /// Whether a caller shows a key, of a shop or of an operator, or the webhook's secret.
    pub(crate) fn knows(&self, headers: &HeaderMap) -> bool {
        self.keys.knows_api_key(headers)
            || self.secrets.knows_webhook_secret(headers)
            || self.admin.knows(headers)
    }

    /// Invokes `request`, past the wire of the API.
    pub async fn request(&self, call: Request<Bytes>) -> Response<Bytes> {
        request::handle(&self.request, call).await
    }

    /// Invokes the worker, past any queue.
    pub async fn work(&self, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
        worker::answer_bells(&self.worker, batch, deadline).await
    }

    /// Invokes the worker's tick, past its schedule.
    pub async fn tick(&self) -> worker::Ticked {
        worker::tick(&self.worker, Instant::now() + TICK_TIMEOUT).await
    }

    /// Invokes `admin`, past the wire of the API.
    pub async fn administer(&self, call: Request<Bytes>) -> Response<Bytes> {
        admin::handle(&self.admin, call).await
    }

    /// Invokes `sweeper`, past its schedule.
    pub async fn sweep(&self) -> sweeper::Done {
        sweeper::handle(&self.sweeper, Instant::now() + SWEEP_TIMEOUT).await
    }

    /// Invokes `monitor`, past its schedule.
    pub async fn monitor(&self) -> monitor::Seen {
        monitor::handle(&self.monitor).await
    }
}
