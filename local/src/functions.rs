//! The five functions in one process, each started as Lambda would start it.

use std::collections::HashMap;
use std::time::Instant;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use common::clock::Clock;
use common::config::Env;

/// The five functions, as Lambda would start them.
pub struct Functions {
    pub(crate) request: request::App,
    pub(crate) status: status::App,
    pub(crate) worker: worker::App,
    pub(crate) webhook: webhook::App,
    pub(crate) events: events::App,
}

impl Functions {
    /// Starts all five with one environment.
    ///
    /// # Errors
    /// All that is missing in it, by name.
    pub fn start(env: &mut Env, clock: &Clock) -> Result<Self, common::config::ConfigError> {
        let functions = Self {
            request: request::App::from_env(env, clock.clone()),
            status: status::App::from_env(env, clock.clone()),
            worker: worker::App::from_env(env, clock.clone()),
            webhook: webhook::App::from_env(env, clock.clone()),
            events: events::App::from_env(env, clock.clone()),
        };
        env.check().map(|()| functions)
    }

    /// Invokes the worker, past any queue.
    pub async fn work(&self, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
        worker::handle(&self.worker, batch, deadline).await
    }
}

/// An environment for a function.
pub(crate) fn env_of(env: &HashMap<String, String>) -> Env {
    env.iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
