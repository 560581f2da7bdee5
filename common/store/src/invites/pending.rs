//! Events that are pending: the writes that mark them delivered, and those that move or end their waiting.
//!
//! A request stands in the index `Pending` from the write that makes it DONE or records its join on, until the write that
//! marks its last event delivered, or that finds its last message in the dead letters, or that gives it up. The sweeper sends what is over.

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::StoreError;
use super::super::item::{n, s};
use super::attributes::*;
use super::{Invites, Written};
use domain::event::EventName;
use domain::id::RequestId;
use domain::invite::{Invite, PENDING_AFTER, Status, resend_wait};
use domain::time::Timestamp;

/// What became of marking an event as delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It is marked.
    Delivered,
    /// The request does not exist any more.
    Missing,
    /// The link that it is about was replaced, or who joined has left and the seat is free again; nothing changed.
    Replaced,
}

/// Whether a write is the last one that was waited for.
#[derive(Clone, Copy)]
enum IsLast {
    Yes,
    No,
}

impl Invites {
    /// Marks that WebEngage accepted an event of the link, or of the joins, of version `link_version`. The write that leaves none pending
    /// takes the request out of the index. Idempotent. Costs one write, and two if it is not the last flag to be set.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn mark_delivered(
        &self,
        id: RequestId,
        event: EventName,
        link_version: u32,
        now: Timestamp,
    ) -> Result<Marked, StoreError> {
        // An update can't decide by itself whether it is the last one. So there are two, and the condition of one is the
        // opposite of the other's: whoever writes between makes the second try's condition the true one, or the third's.
        for is_last in [IsLast::Yes, IsLast::No, IsLast::Yes, IsLast::No] {
            match self.mark(id, event, link_version, is_last, now).await? {
                Written::Applied(_) => return Ok(Marked::Delivered),
                Written::Refused(None) => return Ok(Marked::Missing),
                Written::Refused(Some(item)) => {
                    let invite = self.read(&item)?;
                    let version = match event {
                        EventName::LinkCreated => invite.link_version,
                        EventName::Joined => invite.join_version,
                    };
                    if version != link_version {
                        return Ok(Marked::Replaced);
                    }
                }
            }
        }
        Err(StoreError::Contended {
            table: self.0.name.clone(),
        })
    }

    async fn mark(
        &self,
        id: RequestId,
        event: EventName,
        link_version: u32,
        is_last: IsLast,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let flag = match event {
            EventName::LinkCreated => LINK_EVENT_FIRED,
            EventName::Joined => JOIN_EVENT_FIRED,
        };
        let none_pending = none_other_pending(event);
        let is_of_version = match (event, link_version) {
            (EventName::Joined, 0) => {
                " AND (attribute_not_exists(joinVersion) OR joinVersion = :version)"
            }
            (EventName::Joined, _) => " AND joinVersion = :version",
            (EventName::LinkCreated, 0) => {
                " AND (attribute_not_exists(linkVersion) OR linkVersion = :version)"
            }
            (EventName::LinkCreated, _) => " AND linkVersion = :version",
        };
        let (and, also) = match is_last {
            IsLast::Yes => ("AND", " REMOVE pendingShard, pendingSince, pendingSends"),
            IsLast::No => ("AND NOT", ""),
        };
        let mut update = self
            .update(id)
            .update_expression(format!("SET #flag = :yes, updatedAt = :now{also}"))
            .condition_expression(format!(
                "attribute_exists(requestId) {and} {none_pending}{is_of_version}"
            ))
            .expression_attribute_names("#flag", flag)
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":version", n(link_version))
            .expression_attribute_values(":now", s(now));
        update = match event {
            EventName::LinkCreated => update,
            EventName::Joined => update
                .expression_attribute_names("#status", STATUS)
                .expression_attribute_values(":done", s(Status::Done.as_str())),
        };
        self.send(update, "UpdateItem to mark an event as delivered")
            .await
    }

    /// Notes that an event of the request could not be delivered, and that its message comes again at `at`: until an hour
    /// after that no other one is sent. Nothing changes if all are delivered.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; then another message may be sent.
    pub async fn put_off(&self, id: RequestId, at: Timestamp) -> Result<(), StoreError> {
        let update = self
            .update(id)
            .update_expression("SET pendingShard = :shard, pendingSince = :since")
            .condition_expression(IS_PENDING)
            .expression_attribute_values(":shard", s(id.pending_shard()))
            .expression_attribute_values(":since", s(at.plus(PENDING_AFTER)))
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_values(":done", s(Status::Done.as_str()))
            .expression_attribute_values(":no", AttributeValue::Bool(false));
        self.send(update, "UpdateItem of a pending event").await?;
        Ok(())
    }

    /// Notes that the last message of the request's events lies in the dead letters: no other one is sent by itself.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; then another message is sent within an hour.
    pub async fn stop_resending(&self, id: RequestId) -> Result<(), StoreError> {
        let update = self
            .update(id)
            .update_expression("REMOVE pendingShard, pendingSince, pendingSends")
            .condition_expression("attribute_exists(pendingShard)");
        self.send(update, "UpdateItem of a dead event").await?;
        Ok(())
    }

    /// Takes hold of the pending events of a request that wait since `since`, so that no other sweeper sends them too: they
    /// are due again in an hour, then in two, and so on up to a day. Answers the record then; nothing if they wait for
    /// something else by now. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; they are then due later.
    pub async fn claim_pending(
        &self,
        id: RequestId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Invite>, StoreError> {
        let Some(item) = self.item(id).await? else {
            return Ok(None);
        };
        let reader = super::Reader {
            table: &self.0,
            item: &item,
        };
        let sends: u32 = reader.optional_number(PENDING_SENDS)?.unwrap_or_default();
        let invite = self.read(&item)?;
        if invite.pending_since != Some(since) {
            return Ok(None);
        }
        let (expression, next) = if invite.pending_events().is_empty() {
            ("REMOVE pendingShard, pendingSince, pendingSends", None)
        } else {
            (
                "SET pendingSince = :next, pendingSends = :sends",
                Some(now.plus(resend_wait(sends))),
            )
        };
        let mut update = self
            .update(id)
            .update_expression(expression)
            .condition_expression("pendingSince = :since")
            .expression_attribute_values(":since", s(since));
        if let Some(next) = next {
            update = update
                .expression_attribute_values(":next", s(next))
                .expression_attribute_values(":sends", n(sends.saturating_add(1)));
        }
        Ok(
            match self
                .send(update, "UpdateItem to claim pending events")
                .await?
            {
                Written::Applied(item) => Some(self.read(&item)?),
                Written::Refused(_) => None,
            },
        )
    }
}

/// The condition that an event of the request is to be delivered.
const IS_PENDING: &str = "attribute_exists(requestId) AND (\
     (#status = :done AND weLinkEventFired = :no AND attribute_not_exists(linkEventGivenUp) AND attribute_not_exists(voidedAt)) \
     OR (attribute_exists(joinedAt) AND joinEventFired = :no AND attribute_not_exists(joinEventGivenUp)))";

/// The condition that no other event of the request than `event` is to be delivered.
pub(super) const fn none_other_pending(event: EventName) -> &'static str {
    match event {
        EventName::LinkCreated => {
            "(attribute_not_exists(joinedAt) OR joinEventFired = :yes OR attribute_exists(joinEventGivenUp))"
        }
        EventName::Joined => {
            "(weLinkEventFired = :yes OR attribute_exists(linkEventGivenUp) OR #status <> :done OR attribute_exists(voidedAt))"
        }
    }
}
