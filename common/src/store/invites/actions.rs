//! What operators do to a request, each one conditional write with its line in the record's history; and what the worker
//! writes about a link that is being replaced.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::StoreError;
use super::super::attributes::*;
use super::super::item::{link, n, s};
use super::{IS_OWNED, Invites, Update};
use crate::domain::action::{Change, Entry};
use crate::domain::event::EventName;
use crate::domain::id::{BotId, RequestId};
use crate::domain::invite::{Invite, Revoking, Status};
use crate::domain::time::Timestamp;

/// What became of an action.
pub enum Acted {
    /// It is done; this is the record now.
    Done(Box<Invite>),
    /// The record is not as it was read any more: this is it now, and nothing was changed.
    Newer(Box<Invite>),
    /// There is no such request, any more.
    Missing,
}

impl Invites {
    /// Does `change` to the request, if it is still as `read` shows it, and notes `entry`. `bot` is the one that made the
    /// link that is to be replaced. Durable on [`Acted::Done`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn act(
        &self,
        read: &Invite,
        change: Change,
        bot: Option<BotId>,
        entry: &Entry,
    ) -> Result<Acted, StoreError> {
        let noted = "#history = :history, #actions = :actions, updatedAt = :now";
        let shown = match read.actions {
            0 => "attribute_not_exists(#actions)",
            _ => "#actions = :before",
        };
        let history = read.history_with(entry).iter().map(entry_value).collect();
        let mut update = self
            .update(read.request_id)
            .expression_attribute_names("#history", HISTORY)
            .expression_attribute_names("#actions", ACTIONS)
            .expression_attribute_values(":history", AttributeValue::L(history))
            .expression_attribute_values(":actions", n(read.actions + 1))
            .expression_attribute_values(":now", s(entry.at));
        if read.actions > 0 {
            update = update.expression_attribute_values(":before", n(read.actions));
        }
        let is = |status: Status| s(status.as_str());
        let shard = s(read.request_id.open_shard());
        update = match (change, read.status) {
            (Change::Anew, _) => update
                .update_expression(format!(
                    "SET #status = :queued, attempts = :zero, refusals = :zero, openShard = :shard, {noted} \
                     REMOVE #error, leaseOwner, leaseUntil"
                ))
                .condition_expression(format!("#status = :failed AND {shown}"))
                .expression_attribute_names("#status", STATUS)
                .expression_attribute_names("#error", ERROR)
                .expression_attribute_values(":queued", is(Status::Queued))
                .expression_attribute_values(":failed", is(Status::Failed))
                .expression_attribute_values(":zero", n(0))
                .expression_attribute_values(":shard", shard),
            // Whatever the worker makes of it meanwhile: nothing but the history is written.
            (Change::Again, _) => update
                .update_expression(format!("SET {noted}"))
                .condition_expression(format!("attribute_exists(requestId) AND #status <> :failed AND {shown}"))
                .expression_attribute_names("#status", STATUS)
                .expression_attribute_values(":failed", is(Status::Failed)),
            (Change::Reissue, _) => update
                .update_expression(format!(
                    "SET #status = :queued, attempts = :zero, refusals = :zero, openShard = :shard, revoking = :revoking, \
                     #issue = :issue, weLinkEventFired = :no, {noted} \
                     REMOVE inviteLink, linkExpiresAt, doneAt, #error, leaseOwner, leaseUntil"
                ))
                .condition_expression(format!(
                    "#status = :done AND inviteLink = :old AND attribute_not_exists(joinedAt) AND {shown}"
                ))
                .expression_attribute_names("#status", STATUS)
                .expression_attribute_names("#error", ERROR)
                .expression_attribute_names("#issue", ISSUE)
                .expression_attribute_values(":queued", is(Status::Queued))
                .expression_attribute_values(":done", is(Status::Done))
                .expression_attribute_values(":zero", n(0))
                .expression_attribute_values(":no", AttributeValue::Bool(false))
                .expression_attribute_values(":issue", n(read.issue.saturating_add(1)))
                .expression_attribute_values(":shard", shard)
                .expression_attribute_values(
                    ":old",
                    read.invite_link.as_ref().map_or_else(|| s(""), link),
                )
                .expression_attribute_values(":revoking", revoking_value(read, bot)),
            (Change::Untell(event), status) => {
                let (flag, is_true) = match event {
                    EventName::LinkCreated => (LINK_EVENT_FIRED, "attribute_exists(inviteLink)"),
                    EventName::Joined => (JOIN_EVENT_FIRED, "attribute_exists(joinedAt)"),
                };
                update
                    .update_expression(format!("SET #flag = :no, openShard = :shard, {noted}"))
                    .condition_expression(format!("#status = :status AND {is_true} AND {shown}"))
                    .expression_attribute_names("#status", STATUS)
                    .expression_attribute_names("#flag", flag)
                    .expression_attribute_values(":status", is(status))
                    .expression_attribute_values(":no", AttributeValue::Bool(false))
                    .expression_attribute_values(":shard", shard)
            }
        };
        Ok(
            match self
                .send(update, "UpdateItem of an operator's action")
                .await?
            {
                Update::Applied(item) => Acted::Done(Box::new(self.read(&item)?)),
                Update::Refused(None) => Acted::Missing,
                Update::Refused(Some(item)) => {
                    let newer = Box::new(self.read(&item)?);
                    if newer.was_acted_on(entry, read) {
                        Acted::Done(newer)
                    } else {
                        Acted::Newer(newer)
                    }
                }
            },
        )
    }

    /// Notes that the link that is being replaced is dead, and puts the request back to QUEUED, to be claimed at once;
    /// the try was none. Done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the lease then lapses by itself, and the link is revoked once more.
    pub async fn note_dead(
        &self,
        id: RequestId,
        owner: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self
            .update_of_owner(id, owner, now)
            .update_expression(
                "SET #status = :to, attempts = attempts - :one, updatedAt = :now, leaseUntil = :at, \
                 revoking.isDead = :yes REMOVE leaseOwner",
            )
            .condition_expression(format!("{IS_OWNED} AND attribute_exists(revoking)"))
            .expression_attribute_values(":to", s(Status::Queued.as_str()))
            .expression_attribute_values(":at", n(now.seconds()))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
        self.send(update, "UpdateItem to note a dead link")
            .await
            .map(|_| ())
    }

    /// Settles the request as DONE with the link that was to be replaced, since somebody joined by it; if `owner` still
    /// holds it. Answers the record then. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the lease then lapses by itself.
    pub async fn restore(
        &self,
        claimed: &Invite,
        old: &Revoking,
        owner: &str,
        now: Timestamp,
    ) -> Result<Option<Invite>, StoreError> {
        let id = claimed.request_id;
        let done_at = old.done_at.unwrap_or(claimed.created_at);
        let mut set = "SET #status = :to, inviteLink = :link, doneAt = :doneAt, weLinkEventFired = :fired, #issue = :issue, \
                       updatedAt = :now"
            .to_owned();
        if old.link_expires_at.is_some() {
            set.push_str(", linkExpiresAt = :expires");
        }
        let mut update = self
            .update_of_owner(id, owner, now)
            .update_expression(format!(
                "{set} REMOVE leaseOwner, leaseUntil, #error, revoking"
            ))
            .condition_expression(format!(
                "{IS_OWNED} AND attribute_exists(joinedAt) AND attribute_exists(revoking)"
            ))
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_names("#issue", ISSUE)
            .expression_attribute_values(":to", s(Status::Done.as_str()))
            .expression_attribute_values(":link", link(&old.invite_link))
            .expression_attribute_values(":doneAt", s(done_at))
            .expression_attribute_values(":fired", AttributeValue::Bool(old.link_event_fired))
            .expression_attribute_values(":issue", n(claimed.issue.saturating_sub(1)));
        if let Some(expires_at) = old.link_expires_at {
            update = update.expression_attribute_values(":expires", s(expires_at));
        }
        let restored = match self.send(update, "UpdateItem to restore a link").await? {
            Update::Applied(item) => self.read(&item)?,
            Update::Refused(item) => {
                let found = self.refused(item.as_ref())?;
                // The SDK repeats a write whose answer was lost, and then finds its own.
                let is_ours = found.status == Status::Done
                    && found.invite_link.as_ref() == Some(&old.invite_link);
                if !is_ours {
                    return Ok(None);
                }
                found
            }
        };
        if restored.is_complete() {
            self.close(id).await?;
        }
        Ok(Some(restored))
    }
}

fn map<const N: usize>(fields: [(&str, AttributeValue); N]) -> HashMap<String, AttributeValue> {
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

fn entry_value(entry: &Entry) -> AttributeValue {
    AttributeValue::M(map([
        (AT, s(entry.at)),
        (WHO, s(&entry.who)),
        (ACTION, s(entry.action.as_str())),
        (DETAIL, s(&entry.detail)),
    ]))
}

/// The present link of `of`, as one that is to be replaced.
fn revoking_value(of: &Invite, bot: Option<BotId>) -> AttributeValue {
    let mut fields = map([
        (
            INVITE_LINK,
            of.invite_link.as_ref().map_or_else(|| s(""), link),
        ),
        (LINK_EVENT_FIRED, AttributeValue::Bool(of.link_event_fired)),
        (IS_DEAD, AttributeValue::Bool(false)),
    ]);
    let optional = [
        (BOT_ID, bot.map(n)),
        (LINK_EXPIRES_AT, of.link_expires_at.map(s)),
        (DONE_AT, of.done_at.map(s)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    }
    AttributeValue::M(fields)
}
