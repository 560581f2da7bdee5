//! What those have who cause something that endpoints want to know.
//!
//! A function announces its effect before it answers, settles its task or marks its update done. If it dies in between,
//! the caller, the task or the update is repeated, and with it effect and announcement: its id is that of its cause, so it is put once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;
use tracing::warn;

use super::super::StoreError;
use super::{Deliveries, Endpoints};
use crate::queue::{HookBell, HookBells};
use domain::hook::{Announcement, HookKind, Subscription, is_too_old};
use domain::time::Timestamp;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::telemetry::chain;

/// How long what endpoints want is believed.
const KEPT: Duration = Duration::from_secs(60);

/// The deliveries of an announcement as parts of somebody's transaction.
#[derive(Default)]
pub struct AnnouncementWrites(pub(crate) Vec<TransactWriteItem>);

impl AnnouncementWrites {
    /// Whether nobody wants it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a process knows of the endpoints, and when it read that.
type Known = (Arc<Vec<Subscription>>, Timestamp);

/// What puts announcements. Without any endpoint it costs a read a minute.
#[derive(Clone)]
pub struct Announcements {
    endpoints: Endpoints,
    deliveries: Deliveries,
    bells: HookBells,
    known: Arc<Mutex<Option<Known>>>,
}

impl Announcements {
    /// The tables `Endpoints` and `Deliveries`, and the queue that `HOOK_QUEUE_URL` names.
    pub fn from_env(aws: &aws::Shared, env: &mut Env, clock: &Clock) -> Self {
        Self {
            endpoints: Endpoints::from_env(aws.dynamodb(), env),
            deliveries: Deliveries::from_env(aws.dynamodb(), env),
            bells: HookBells::from_env(aws.sqs(), env, clock),
            known: Arc::default(),
        }
    }

    /// Says that something happened: on return its deliveries are durable, and rung for.
    ///
    /// # Errors
    /// [`StoreError`] if some may be missing; saying it again is harmless.
    pub async fn announce(
        &self,
        announcements: impl IntoIterator<Item = Announcement>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let subscriptions = self.subscriptions(now).await?;
        let mut is_put = false;
        for announcement in announcements {
            for to in subscriptions.iter().filter(|to| to.wants(&announcement)) {
                if !is_too_old(announcement.at, now) {
                    self.deliveries.put(&announcement, to, now).await?;
                    is_put = true;
                }
            }
        }
        if is_put {
            self.ring().await;
        }
        Ok(())
    }

    /// Whether some endpoint wants what is of this kind.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn are_wanted(&self, kind: HookKind, now: Timestamp) -> Result<bool, StoreError> {
        let subscriptions = self.subscriptions(now).await?;
        Ok(subscriptions.iter().any(|to| to.kinds.contains(&kind)))
    }

    /// The deliveries of an announcement as parts of a transaction that can happen once; [`Announcements::ring`] after it.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told who wants it.
    pub async fn writes(
        &self,
        announcement: &Announcement,
        now: Timestamp,
    ) -> Result<AnnouncementWrites, StoreError> {
        let subscriptions = self.subscriptions(now).await?;
        let wanting = subscriptions.iter().filter(|to| to.wants(announcement));
        let writes: Result<_, _> = wanting
            .map(|to| self.deliveries.insertion(announcement, to, now))
            .collect();
        writes.map(AnnouncementWrites)
    }

    /// Wakes `hooks`; without, its tick looks within a minute.
    pub async fn ring(&self) {
        self.bells.ring(HookBell::Work).await;
    }

    async fn subscriptions(&self, now: Timestamp) -> Result<Arc<Vec<Subscription>>, StoreError> {
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((known, read_at)) = &known
            && now.since(*read_at) < KEPT
        {
            return Ok(Arc::clone(known));
        }
        let read = match (self.endpoints.directory().await, known) {
            (Ok(directory), _) => {
                let wanted = directory
                    .into_iter()
                    .filter_map(|(_, subscription)| subscription);
                Arc::new(wanted.collect())
            }
            (Err(fault), Some((known, _))) => {
                warn!(
                    fault = "unavailable",
                    "which endpoints there are can't be read, those of before are told: {}",
                    chain(&fault)
                );
                return Ok(known);
            }
            (Err(fault), None) => return Err(fault),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((Arc::clone(&read), now));
        Ok(read)
    }
}
