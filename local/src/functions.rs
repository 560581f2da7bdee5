//! The registry of functions: what each is called, what invokes it, and how it is started and handed an invocation.
//!
//! The router, the pollers, the schedules, the simulated world, the process cluster and the house tests read it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::{Request, Response, StatusCode};
use runtime::auth::{Operators, Verifier};
use runtime::clock::Clock;
use runtime::config::{ConfigError, Env};
use runtime::telemetry;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::resources::{
    EVENTS, HOOKS, HOOKS_TICK_TIMEOUT, INVITES, JOBS_TIMEOUT, MESSAGES, MESSAGES_TICK_TIMEOUT,
    MINUTE, MONITOR_TIMEOUT, PAYMENTS, REPLAY_TIMEOUT, SWEEP_TIMEOUT, Source, TICK_TIMEOUT,
};

/// A function, as `template.yaml` declares it.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its name: its folder, its crate, its binary.
    pub name: &'static str,
    /// What invokes it.
    pub triggers: &'static [Trigger],
    /// Starts it with an environment. What is missing there is reported by [`Env::check`].
    pub start: fn(&mut Env, Clock) -> Started,
}

/// What invokes a function.
#[derive(Clone, Copy)]
pub enum Trigger {
    /// A route of the API gateway.
    Route(Method, &'static str),
    /// A Function URL of its own; on one machine these paths, for bodies up to so many bytes.
    Url(&'static [&'static str], usize),
    /// A queue, by an event source mapping.
    Queue(&'static Source),
    /// The clock.
    Schedule {
        /// How often.
        every: Duration,
        /// Longest run.
        timeout: Duration,
    },
    /// A deployment, and on one machine the start.
    Deployment,
}

impl Trigger {
    const fn is_deployment(&self) -> bool {
        matches!(self, Self::Deployment)
    }
}

/// The methods of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`, and `HEAD` with it.
    Get,
    /// `POST`.
    Post,
    /// All.
    Any,
}

/// All functions.
pub static FUNCTIONS: [Function; 17] = [
    Function {
        name: "request",
        triggers: &[
            Trigger::Route(Method::Post, "/v1/invite/request"),
            Trigger::Route(Method::Any, "/v1/invite/{request_id}/{action}"),
        ],
        start: |env, clock| {
            Starting::new(request::App::from_env(env, clock))
                .on_call(|app, call| request::handle(app, call).boxed())
                .started
        },
    },
    Function {
        name: "status",
        triggers: &[
            Trigger::Route(Method::Get, "/v1/invite/{request_id}"),
            Trigger::Route(Method::Get, "/v1/exports/{file}"),
        ],
        start: |env, clock| {
            Starting::new(status::App::from_env(env, clock))
                .on_call(|app, call| status::handle(app, call).boxed())
                .started
        },
    },
    Function {
        name: "worker",
        triggers: &[
            Trigger::Queue(&INVITES),
            Trigger::Schedule {
                every: MINUTE,
                timeout: TICK_TIMEOUT,
            },
        ],
        start: |env, clock| {
            Starting::new(worker::App::from_env(env, clock))
                .on_batch(|app, batch, deadline| worker::answer_bells(app, batch, deadline).boxed())
                .on_tick(|app, deadline| answer(worker::tick(app, deadline)))
                .on_stop(worker::App::stop)
                .started
        },
    },
    Function {
        name: "messenger",
        triggers: &[
            Trigger::Queue(&MESSAGES),
            Trigger::Schedule {
                every: MINUTE,
                timeout: MESSAGES_TICK_TIMEOUT,
            },
        ],
        start: |env, clock| {
            Starting::new(messenger::App::from_env(env, clock))
                .on_batch(|app, batch, deadline| {
                    messenger::answer_bells(app, batch, deadline).boxed()
                })
                .on_tick(|app, deadline| answer(messenger::tick(app, deadline)))
                .on_stop(messenger::App::stop)
                .started
        },
    },
    Function {
        name: "hooks",
        triggers: &[
            Trigger::Queue(&HOOKS),
            Trigger::Schedule {
                every: MINUTE,
                timeout: HOOKS_TICK_TIMEOUT,
            },
        ],
        start: |env, clock| {
            Starting::new(hooks::App::from_env(env, clock))
                .on_batch(|app, batch, deadline| hooks::answer_bells(app, batch, deadline).boxed())
                .on_tick(|app, deadline| answer(hooks::tick(app, deadline)))
                .on_stop(hooks::App::stop)
                .started
        },
    },
    Function {
        name: "webhook",
        triggers: &[
            Trigger::Route(Method::Post, "/v1/telegram/webhook"),
            Trigger::Route(Method::Post, "/v1/telegram/webhook/{bot_id}"),
            Trigger::Schedule {
                every: MINUTE,
                timeout: REPLAY_TIMEOUT,
            },
        ],
        start: |env, clock| {
            Starting::new(webhook::App::from_env(env, clock))
                .on_call(|app, call| webhook::handle(app, call).boxed())
                .on_tick(|app, deadline| answer(webhook::replay(app, deadline)))
                .started
        },
    },
    Function {
        name: "events",
        triggers: &[Trigger::Queue(&EVENTS)],
        start: |env, clock| {
            Starting::new(events::App::from_env(env, clock))
                .on_batch(|app, batch, _| events::handle(app, batch).boxed())
                .started
        },
    },
    Function {
        name: "admin",
        triggers: &[Trigger::Route(Method::Any, "/v1/admin/{*rest}")],
        start: |env, clock| {
            Starting::new(admin::App::from_env(env, clock))
                .on_call(|app, call| admin::handle(app, call).boxed())
                .started
        },
    },
    Function {
        name: "botapi",
        triggers: &[Trigger::Url(
            &["/bot{key}/{*method}", "/file/bot{key}/{*path}"],
            botapi::BODY_MAX_ON_ONE_MACHINE,
        )],
        start: |env, clock| {
            Starting::new(botapi::App::from_env(env, clock))
                .on_call(|app, call| botapi::handle(app, call).boxed())
                .on_stop(botapi::App::stop)
                .started
        },
    },
    Function {
        name: "pay",
        triggers: &[
            Trigger::Route(Method::Any, "/c/{token}"),
            Trigger::Route(Method::Any, "/p/{product_id}"),
            Trigger::Route(Method::Any, "/pay/{order_id}"),
            Trigger::Route(Method::Get, "/v1/payment-status"),
        ],
        start: |env, clock| {
            Starting::new(pay::App::from_env(env, clock))
                .on_call(|app, call| pay::handle(app, call).boxed())
                .started
        },
    },
    Function {
        name: "payments",
        triggers: &[Trigger::Route(Method::Post, "/v1/payments/{provider}")],
        start: |env, clock| {
            Starting::new(payments::App::from_env(env, clock))
                .on_call(|app, call| payments::handle(app, call).boxed())
                .started
        },
    },
    Function {
        name: "settlement",
        triggers: &[Trigger::Queue(&PAYMENTS)],
        start: |env, clock| {
            Starting::new(settlement::App::from_env(env, clock))
                .on_batch(|app, batch, deadline| {
                    settlement::answer_bells(app, batch, deadline).boxed()
                })
                .on_stop(settlement::App::stop)
                .started
        },
    },
    Function {
        name: "shop",
        triggers: &[
            Trigger::Route(Method::Get, "/v1/products"),
            Trigger::Route(Method::Get, "/v1/products/{*rest}"),
            Trigger::Route(Method::Post, "/v1/checkout"),
            Trigger::Route(Method::Post, "/v1/quotes"),
            Trigger::Route(Method::Get, "/v1/quotes/{quote_id}"),
        ],
        start: |env, clock| {
            Starting::new(shop::App::from_env(env, clock))
                .on_call(|app, call| shop::handle(app, call).boxed())
                .started
        },
    },
    Function {
        name: "sweeper",
        triggers: &[Trigger::Schedule {
            every: MINUTE,
            timeout: SWEEP_TIMEOUT,
        }],
        start: |env, clock| {
            Starting::new(sweeper::App::from_env(env, clock))
                .on_tick(|app, deadline| answer(sweeper::handle(app, deadline)))
                .started
        },
    },
    Function {
        name: "jobs",
        triggers: &[Trigger::Schedule {
            every: MINUTE,
            timeout: JOBS_TIMEOUT,
        }],
        start: |env, clock| {
            Starting::new(jobs::App::from_env(env, clock))
                .on_tick(|app, deadline| answer(jobs::handle(app, deadline)))
                .started
        },
    },
    Function {
        name: "monitor",
        triggers: &[Trigger::Schedule {
            every: MINUTE,
            timeout: MONITOR_TIMEOUT,
        }],
        start: |env, clock| {
            Starting::new(monitor::App::from_env(env, clock))
                .on_tick(|app, _| answer(monitor::handle(app)))
                .started
        },
    },
    Function {
        name: "setup",
        triggers: &[Trigger::Deployment],
        start: |env, _| Starting::new(setup::App::from_env(env)).started,
    },
];

/// The function of this name.
///
/// # Panics
/// If there is none: names are written in the code.
#[must_use]
pub fn function(name: &str) -> &'static Function {
    let found = FUNCTIONS.iter().find(|function| function.name == name);
    found.unwrap_or_else(|| panic!("no function is called {name}"))
}

/// The queues that feed functions of a registry.
pub fn sources(registry: &'static [Function]) -> impl Iterator<Item = &'static Source> {
    let triggers = registry.iter().flat_map(|function| function.triggers);
    triggers.filter_map(|trigger| match trigger {
        Trigger::Queue(source) => Some(*source),
        Trigger::Route(..) | Trigger::Url(..) | Trigger::Schedule { .. } | Trigger::Deployment => {
            None
        }
    })
}

/// Whether a log line comes from our own code.
#[must_use]
pub fn is_ours(target: &str) -> bool {
    let is_function = |name: &str| FUNCTIONS.iter().any(|function| function.name == name);
    telemetry::is_of(target, |name| {
        telemetry::SHARED.contains(&name) || name == "local" || is_function(name)
    })
}

type OnCall = dyn Fn(Request<Bytes>) -> BoxFuture<'static, Response<Bytes>> + Send + Sync;
type OnBatch = dyn Fn(SqsEvent, Instant) -> BoxFuture<'static, SqsBatchResponse> + Send + Sync;
type OnTick = dyn Fn(Instant) -> BoxFuture<'static, Value> + Send + Sync;
type OnStop = dyn Fn() + Send + Sync;

/// A function that was started. Clones are one and the same.
#[derive(Clone, Default)]
pub struct Started {
    call: Option<Arc<OnCall>>,
    batch: Option<Arc<OnBatch>>,
    tick: Option<Arc<OnTick>>,
    stop: Option<Arc<OnStop>>,
}

impl Started {
    /// Invokes it by a call of HTTP; one that no call invokes answers 404.
    pub async fn call(&self, call: Request<Bytes>) -> Response<Bytes> {
        match &self.call {
            Some(handle) => handle(call).await,
            None => {
                let mut none = Response::default();
                *none.status_mut() = StatusCode::NOT_FOUND;
                none
            }
        }
    }

    /// Invokes it by a batch of its queue; one that has no queue takes nothing.
    pub async fn batch(&self, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
        match &self.batch {
            Some(handle) => handle(batch, deadline).await,
            None => SqsBatchResponse::default(),
        }
    }

    /// Invokes it by the clock; one that has no schedule answers nothing.
    pub async fn tick(&self, deadline: Instant) -> Value {
        match &self.tick {
            Some(handle) => handle(deadline).await,
            None => Value::Null,
        }
    }

    /// Tells it that the process is about to end.
    pub fn stop(&self) {
        if let Some(stop) = &self.stop {
            stop();
        }
    }
}

/// Starts a function: what its handlers need, and then each of them.
pub struct Starting<A> {
    app: Arc<A>,
    /// What came of it.
    pub started: Started,
}

impl<A: Send + Sync + 'static> Starting<A> {
    /// A function whose handlers need `app`.
    pub fn new(app: A) -> Self {
        Self {
            app: Arc::new(app),
            started: Started::default(),
        }
    }

    /// Calls of HTTP invoke it.
    #[must_use]
    pub fn on_call(
        mut self,
        handle: for<'a> fn(&'a A, Request<Bytes>) -> BoxFuture<'a, Response<Bytes>>,
    ) -> Self {
        let app = Arc::clone(&self.app);
        self.started.call = Some(Arc::new(move |call| {
            let app = Arc::clone(&app);
            async move { handle(&app, call).await }.boxed()
        }));
        self
    }

    /// Batches of its queue invoke it.
    #[must_use]
    pub fn on_batch(
        mut self,
        handle: for<'a> fn(&'a A, SqsEvent, Instant) -> BoxFuture<'a, SqsBatchResponse>,
    ) -> Self {
        let app = Arc::clone(&self.app);
        self.started.batch = Some(Arc::new(move |batch, deadline| {
            let app = Arc::clone(&app);
            async move { handle(&app, batch, deadline).await }.boxed()
        }));
        self
    }

    /// The clock invokes it.
    #[must_use]
    pub fn on_tick(mut self, handle: for<'a> fn(&'a A, Instant) -> BoxFuture<'a, Value>) -> Self {
        let app = Arc::clone(&self.app);
        self.started.tick = Some(Arc::new(move |deadline| {
            let app = Arc::clone(&app);
            async move { handle(&app, deadline).await }.boxed()
        }));
        self
    }

    /// It is told that the process is about to end.
    #[must_use]
    pub fn on_stop(mut self, stop: fn(&A)) -> Self {
        let app = Arc::clone(&self.app);
        self.started.stop = Some(Arc::new(move || stop(&app)));
        self
    }
}

/// What an invocation by the clock answers, as Lambda shows it.
fn answer<'a, T: Serialize + Send>(
    answered: impl Future<Output = T> + Send + 'a,
) -> BoxFuture<'a, Value> {
    answered
        .map(|answer| serde_json::to_value(answer).unwrap_or_default())
        .boxed()
}

/// All functions in one process, each started as Lambda would start it.
pub struct Functions {
    registry: &'static [Function],
    started: BTreeMap<&'static str, Started>,
    keys: Verifier,
    secrets: Verifier,
    operators: Operators,
}

impl Functions {
    /// Starts all of a registry with one environment.
    ///
    /// # Errors
    /// All that is missing in it, by name.
    pub fn start(
        registry: &'static [Function],
        env: &mut Env,
        clock: &Clock,
    ) -> Result<Self, ConfigError> {
        let functions = Self {
            registry,
            started: registry
                .iter()
                // `setup` is called by a deployment, with what that has; here the stack makes its checks.
                .filter(|function| !function.triggers.iter().any(Trigger::is_deployment))
                .map(|function| (function.name, (function.start)(env, clock.clone())))
                .collect(),
            keys: Verifier::api_keys(env),
            secrets: Verifier::webhook_secrets(env),
            operators: Operators::from_env(env),
        };
        env.check().map(|()| functions)
    }

    /// Whether a caller shows a key, of a shop or of an operator, or the webhook's secret.
    pub(crate) fn knows(&self, headers: &HeaderMap) -> bool {
        self.keys.knows_api_key(headers)
            || self.secrets.knows_webhook_secret(headers)
            || self.operators.who(headers).is_some()
    }

    /// The registry that they were started from.
    #[must_use]
    pub const fn registry(&self) -> &'static [Function] {
        self.registry
    }

    /// The function of this name.
    ///
    /// # Panics
    /// If there is none: names are written in the code.
    #[must_use]
    pub fn get(&self, name: &str) -> &Started {
        let found = self.started.get(name);
        found.unwrap_or_else(|| panic!("no function is called {name}"))
    }

    /// Invokes the worker, past any queue.
    pub async fn work(&self, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
        self.get("worker").batch(batch, deadline).await
    }

    /// Invokes the worker's tick, past its schedule.
    pub async fn tick(&self) -> Value {
        self.get("worker").tick(Instant::now() + TICK_TIMEOUT).await
    }

    /// Invokes `sweeper`, past its schedule.
    pub async fn sweep(&self) -> Value {
        self.get("sweeper")
            .tick(Instant::now() + SWEEP_TIMEOUT)
            .await
    }

    /// Invokes `jobs`, past its schedule.
    pub async fn work_off_jobs(&self) -> Value {
        self.get("jobs").tick(Instant::now() + JOBS_TIMEOUT).await
    }

    /// Invokes `monitor`, past its schedule.
    pub async fn monitor(&self) -> Value {
        self.get("monitor")
            .tick(Instant::now() + MONITOR_TIMEOUT)
            .await
    }

    /// Tells all that the process is about to end.
    pub(crate) fn stop(&self) {
        self.started.values().for_each(Started::stop);
    }
}
