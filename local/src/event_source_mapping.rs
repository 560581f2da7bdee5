//! What Lambda does between a queue and a function: receive a batch, invoke, delete what succeeded. What failed, or
//! was in the hands of an invocation that died, is shown again when its visibility time-out is over.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tracing::{error, warn};

use crate::resources::Source;
use crate::serve::stopped;

/// How long one receive waits for messages, in seconds, as Lambda's does.
const WAIT_SECONDS: i32 = 20;
/// How long the answer may take after that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to leave a queue alone that can't be received from.
const PAUSE: Duration = Duration::from_secs(1);

/// A function fed by a queue: a batch and the deadline in, the ids of the failed messages out.
pub type Handler =
    Arc<dyn Fn(SqsEvent, Instant) -> BoxFuture<'static, SqsBatchResponse> + Send + Sync>;

/// Is told of every invocation, so that something else can end it.
pub type Watch = Box<dyn Fn(AbortHandle) + Send + Sync>;

/// Is waited for before each receive.
pub type Gate = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// How a mapping differs from what its source says.
pub struct Terms {
    /// Most invocations at once.
    pub concurrency: usize,
    /// Is told of each invocation.
    pub watch: Option<Watch>,
    /// Lets a simulation idle for days without a call.
    pub gate: Option<Gate>,
}

/// The mapping of one queue to one function.
pub struct EventSourceMapping {
    sqs: aws_sdk_sqs::Client,
    source: &'static Source,
    queue_url: String,
    handler: Handler,
    running: AtomicUsize,
    invocations: Mutex<Vec<AbortHandle>>,
    watch: Option<Watch>,
    gate: Option<Gate>,
    stopping: watch::Sender<bool>,
}

impl EventSourceMapping {
    /// Starts polling in `tasks`, as often at once as the source allows.
    pub fn start(
        tasks: &mut JoinSet<()>,
        sqs: &aws_sdk_sqs::Client,
        source: &'static Source,
        queue_url: String,
        handler: Handler,
    ) -> Arc<Self> {
        let terms = Terms {
            concurrency: source.maximum_concurrency,
            watch: None,
            gate: None,
        };
        Self::start_on(tasks, sqs, source, terms, queue_url, handler)
    }

    /// As [`EventSourceMapping::start`], on terms of its own.
    pub fn start_on(
        tasks: &mut JoinSet<()>,
        sqs: &aws_sdk_sqs::Client,
        source: &'static Source,
        terms: Terms,
        queue_url: String,
        handler: Handler,
    ) -> Arc<Self> {
        let Terms {
            concurrency,
            watch,
            gate,
        } = terms;
        let mapping = Arc::new(Self {
            sqs: sqs.clone(),
            source,
            queue_url,
            handler,
            running: AtomicUsize::new(0),
            invocations: Mutex::default(),
            watch,
            gate,
            stopping: watch::Sender::new(false),
        });
        for _ in 0..concurrency {
            let mapping = Arc::clone(&mapping);
            tasks.spawn(async move {
                while !*mapping.stopping.borrow() {
                    mapping.poll().await;
                }
            });
        }
        mapping
    }

    /// Nothing is received from now on; what runs goes on.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// How many invocations run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Kills the invocations that run now, at whatever they are doing; answers how many. Their messages are shown
    /// again later.
    pub fn kill(&self) -> usize {
        let mut invocations = self
            .invocations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        invocations
            .drain(..)
            .filter(|invocation| !invocation.is_finished())
            .map(|invocation| invocation.abort())
            .count()
    }

    /// A receive waits longer than any other call may take.
    fn receive_timeouts(&self) -> aws_sdk_sqs::config::Builder {
        let wait = Duration::from_secs(WAIT_SECONDS.unsigned_abs().into());
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(wait + ANSWER_TIMEOUT)
            .operation_timeout(wait + ANSWER_TIMEOUT);
        aws_sdk_sqs::Config::builder().timeout_config(timeouts.build())
    }

    async fn poll(&self) {
        if let Some(gate) = &self.gate {
            gate().await;
        }
        let receive = self
            .sqs
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(self.source.batch_size)
            .wait_time_seconds(WAIT_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .customize()
            .config_override(self.receive_timeouts())
            .send();
        // What has been received is done, also if the stop came at the same moment.
        let received = tokio::select! {
            biased;
            received = receive => received,
            () = stopped(self.stopping.subscribe()) => return,
        };
        match received {
            Ok(batch) => {
                let messages = batch.messages.unwrap_or_default();
                if !messages.is_empty() {
                    self.running.fetch_add(1, Ordering::SeqCst);
                    self.invoke(messages).await;
                    self.running.fetch_sub(1, Ordering::SeqCst);
                }
            }
            Err(fault) => {
                warn!(
                    fault = "unavailable",
                    "{} can't be received from: {}",
                    self.source.queue,
                    runtime::telemetry::chain(&fault)
                );
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn invoke(&self, messages: Vec<Message>) {
        let timeout = Duration::from_secs(self.source.timeout_seconds);
        let event: SqsEvent = match serde_json::from_value(event(&messages, self.source.queue)) {
            Ok(event) => event,
            Err(_) => {
                error!(fault = "bug", "a batch can't be written as a Lambda event");
                return;
            }
        };
        // A task of its own: a panic or an a kill ends the invocation, not the poller.
        let invocation = tokio::spawn(tokio::time::timeout(
            timeout,
            (self.handler)(event, Instant::now() + timeout),
        ));
        if let Some(watch) = &self.watch {
            watch(invocation.abort_handle());
        }
        {
            let mut invocations = self
                .invocations
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            invocations.retain(|invocation| !invocation.is_finished());
            invocations.push(invocation.abort_handle());
        }
        let failed = match invocation.await {
            Ok(Ok(answer)) => answer.batch_item_failures,
            Ok(Err(_)) => {
                error!(
                    fault = "timeout",
                    "an invocation for {} ran longer than {timeout:?}", self.source.queue
                );
                return;
            }
            Err(end) => {
                warn!(
                    fault = "killed",
                    "an invocation for {} ended in mid-work ({})",
                    self.source.queue,
                    if end.is_panic() { "panic" } else { "killed" }
                );
                return;
            }
        };
        let entries: Vec<_> = messages
            .iter()
            .filter(|message| {
                !failed.iter().any(|failure| {
                    Some(failure.item_identifier.as_str()) == message.message_id.as_deref()
                })
            })
            .enumerate()
            .filter_map(|(position, message)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(position.to_string());
                entry
                    .receipt_handle(message.receipt_handle.as_deref()?)
                    .build()
                    .ok()
            })
            .collect();
        if entries.is_empty() {
            return;
        }
        let deleted = self
            .sqs
            .delete_message_batch()
            .queue_url(&self.queue_url)
            .set_entries(Some(entries))
            .send()
            .await;
        if let Err(fault) = deleted {
            warn!(
                fault = "unavailable",
                "messages of {} can't be deleted, they will be shown again: {}",
                self.source.queue,
                runtime::telemetry::chain(&fault)
            );
        }
    }
}

/// The event that Lambda makes of a batch.
#[must_use]
pub fn event(messages: &[Message], queue: &str) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| record(message, queue))
        .collect();
    json!({"Records": records})
}

fn record(message: &Message, queue: &str) -> Value {
    let attributes: Map<String, Value> = message
        .attributes
        .iter()
        .flatten()
        .map(|(name, value)| (name.as_str().to_owned(), json!(value)))
        .collect();
    let message_attributes: Map<String, Value> = message
        .message_attributes
        .iter()
        .flatten()
        .map(|(name, value)| {
            let value = json!({"stringValue": value.string_value, "dataType": value.data_type,
                "stringListValues": [], "binaryListValues": []});
            (name.clone(), value)
        })
        .collect();
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "md5OfBody": message.md5_of_body,
        "attributes": attributes,
        "messageAttributes": message_attributes,
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}"),
        "awsRegion": "us-east-1",
    })
}
