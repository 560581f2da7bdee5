//! Poison: a message that would be received more often than its queue allows goes to the dead-letter queue instead.

use std::sync::Arc;

use serde_json::json;

use super::attributes::Queue;
use super::error::SqsError;
use super::params::Params;
use super::redrive_policy;
use super::store::{Store, Stored};
use super::{Answered, Sqs};

/// A queue's way to its dead-letter queue.
pub(super) struct DeadLetters {
    source: String,
    target: Arc<Queue>,
    max_receive_count: i64,
}

impl DeadLetters {
    /// `None` if the queue has none, or if it was deleted: then messages stay where they are.
    pub(super) fn of(store: &Store, queue: &Queue) -> Option<Self> {
        let policy = queue.redrive.as_ref()?;
        let target = store.queue(policy.target()).ok()?;
        Some(Self {
            source: queue.name.clone(),
            target,
            max_receive_count: policy.max_receive_count,
        })
    }

    /// Whether this receive would be one too many.
    pub(super) fn claim(&self, message: &Stored) -> bool {
        message.receives >= self.max_receive_count
    }

    pub(super) fn bury(
        &self,
        store: &Store,
        message: &Stored,
        now_ms: i64,
    ) -> Result<(), SqsError> {
        store.bury(message.seq, &self.source, &self.target, now_ms)
    }

    pub(super) fn target(&self) -> &str {
        &self.target.name
    }
}

/// Refuses a redrive policy whose target is missing or does not want this source.
pub(super) fn check_target(store: &Store, source: &str, queue: &Queue) -> Result<(), SqsError> {
    let Some(policy) = &queue.redrive else {
        return Ok(());
    };
    let refused =
        |reason: &str| SqsError::invalid_value(&policy.to_json(), "RedrivePolicy", reason);
    let target = store
        .queue(policy.target())
        .map_err(|_| refused("Dead letter target does not exist."))?;
    if !redrive_policy::allows(target.settings.get("RedriveAllowPolicy"), source) {
        return Err(refused(
            "Queue does not have permission to use this dead letter target.",
        ));
    }
    Ok(())
}

/// The queues whose dead letters go to `target`.
pub(super) fn sources(store: &Store, target: &str) -> Vec<String> {
    let feeds = |queue: &&Arc<Queue>| {
        queue
            .redrive
            .as_ref()
            .is_some_and(|policy| policy.target() == target)
    };
    store
        .queues()
        .filter(feeds)
        .map(|queue| queue.name.clone())
        .collect()
}

impl Sqs {
    pub(super) fn list_dead_letter_source_queues(&self, params: &Params) -> Answered {
        let store = self.store();
        let queue = store.queue(params.queue_name()?)?;
        let urls: Vec<String> = sources(&store, &queue.name)
            .iter()
            .map(|name| self.queue_url(name))
            .collect();
        drop(store);
        let (page, next) = super::page::page(urls, params)?;
        let mut answer = json!({"queueUrls": page});
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    }
}
