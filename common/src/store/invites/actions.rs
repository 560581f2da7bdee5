//! What operators do to a request, each one write with its line in the record's history and the task that follows; and
//! what the dispatcher writes about a link that is being replaced.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::super::attributes::*;
use super::super::item::{link, n, s};
use super::super::{StoreError, Tasks};
use super::{Invites, Written};
use crate::domain::action::{Change, Entry};
use crate::domain::event::EventName;
use crate::domain::id::BotId;
use crate::domain::invite::{Invite, PENDING_AFTER, ReplacedLink, Status};
use crate::domain::task::{Lane, Replace, Task, TaskKey, Work};
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

/// What follows from an action.
struct FollowUp {
    /// The task that is put into its lane.
    put: Option<Task>,
    /// The task that is taken out of its lane.
    delete: Option<TaskKey>,
}

impl Invites {
    /// Does `change` to the request, if it is still as `read` shows it, notes `entry`, and puts the task that follows into
    /// its lane, all by one transaction. `bot` made the link that is to
    /// be replaced. Durable on [`Acted::Done`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn act(
        &self,
        tasks: &Tasks,
        read: &Invite,
        change: Change,
        bot: BotId,
        entry: &Entry,
    ) -> Result<Acted, StoreError> {
        let operation = "TransactWriteItems of an operator's action";
        let follow_up = follow_up(read, change, bot, entry);
        let writes =
            self.with_tasks(self.action(read, change, bot, entry), operation, |writes| {
                if let Some(task) = &follow_up.put {
                    let put = tasks.insertion(task, task.key().lane)?;
                    writes.push(TransactWriteItem::builder().put(put).build());
                }
                if let Some(key) = &follow_up.delete {
                    let delete = tasks.deletion(key)?;
                    writes.push(TransactWriteItem::builder().delete(delete).build());
                }
                Ok(())
            })?;
        let refused = match self.transact(writes, operation).await? {
            Written::Applied(_) => self.item(read.request_id).await?,
            Written::Refused(item) => item,
        };
        let Some(item) = refused else {
            return Ok(Acted::Missing);
        };
        let now = Box::new(self.read(&item)?);
        Ok(if now.was_acted_on(entry, read) {
            Acted::Done(now)
        } else {
            Acted::Newer(now)
        })
    }

    fn action(
        &self,
        read: &Invite,
        change: Change,
        bot: BotId,
        entry: &Entry,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let noted = "#history = :history, #actions = :actions, updatedAt = :now";
        let shown = match read.actions {
            0 => "attribute_not_exists(#actions)",
            _ => "#actions = :before",
        };
        let history = read.history_with(entry).iter().map(entry_value).collect();
        let mut update = Update::builder()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(read.request_id))
            .expression_attribute_names("#history", HISTORY)
            .expression_attribute_names("#actions", ACTIONS)
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_values(":history", AttributeValue::L(history))
            .expression_attribute_values(":actions", n(read.actions + 1))
            .expression_attribute_values(":now", s(entry.at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if read.actions > 0 {
            update = update.expression_attribute_values(":before", n(read.actions));
        }
        let is = |status: Status| s(status.as_str());
        match change {
            Change::Anew => update
                .update_expression(format!(
                    "SET #status = :queued, attempts = :zero, refusals = :zero, {noted} REMOVE #error, failedKey"
                ))
                .condition_expression(format!("#status = :failed AND {shown}"))
                .expression_attribute_names("#error", ERROR)
                .expression_attribute_values(":queued", is(Status::Queued))
                .expression_attribute_values(":failed", is(Status::Failed))
                .expression_attribute_values(":zero", n(0)),
            // Whatever the dispatcher makes of it meanwhile: nothing but the history is written.
            Change::Again => update
                .update_expression(format!("SET {noted}"))
                .condition_expression(format!(
                    "attribute_exists(requestId) AND #status <> :failed AND {shown}"
                ))
                .expression_attribute_values(":failed", is(Status::Failed)),
            Change::Reissue => update
                .update_expression(format!(
                    "SET #status = :queued, attempts = :zero, refusals = :zero, replaced = :replaced, \
                     linkVersion = :version, weLinkEventFired = :no, {noted} \
                     REMOVE inviteLink, linkExpiresAt, doneAt, #error, pendingShard, pendingSince, pendingSends"
                ))
                .condition_expression(format!(
                    "#status = :done AND inviteLink = :old AND attribute_not_exists(joinedAt) \
                     AND attribute_not_exists(voidedAt) AND {shown}"
                ))
                .expression_attribute_names("#error", ERROR)
                .expression_attribute_values(":queued", is(Status::Queued))
                .expression_attribute_values(":done", is(Status::Done))
                .expression_attribute_values(":zero", n(0))
                .expression_attribute_values(":no", AttributeValue::Bool(false))
                .expression_attribute_values(":version", n(read.link_version.saturating_add(1)))
                .expression_attribute_values(
                    ":old",
                    read.invite_link.as_ref().map_or_else(|| s(""), link),
                )
                .expression_attribute_values(":replaced", replaced_value(read, bot)),
            Change::ResetFlag(event) => {
                let (flag, is_true) = match event {
                    EventName::LinkCreated => (LINK_EVENT_FIRED, "attribute_exists(inviteLink)"),
                    EventName::Joined => (JOIN_EVENT_FIRED, "attribute_exists(joinedAt)"),
                };
                update
                    .update_expression(format!(
                        "SET #flag = :no, pendingShard = :shard, pendingSince = :since, {noted}"
                    ))
                    .condition_expression(format!("#status = :status AND {is_true} AND {shown}"))
                    .expression_attribute_names("#flag", flag)
                    .expression_attribute_values(":status", is(read.status))
                    .expression_attribute_values(":no", AttributeValue::Bool(false))
                    .expression_attribute_values(":since", s(entry.at.plus(PENDING_AFTER)))
                    .expression_attribute_values(":shard", s(read.request_id.pending_shard()))
            }
        }
    }

    /// Notes that the link that `task`, a replacement, is about is revoked, and puts the mint of the new one in its place,
    /// all by one transaction. Answers whether it did; if not, the request wants no other link any more.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the link is then revoked once more.
    pub async fn note_revoked(
        &self,
        tasks: &Tasks,
        task: &Task,
        mint: &Task,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let operation = "TransactWriteItems of a revoked link";
        let (Some(id), Some(version)) = (task.request_id(), task.link_version()) else {
            return Err(self.0.malformed(LINK_VERSION));
        };
        let update = Update::builder()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(id))
            .update_expression("SET replaced.isRevoked = :yes, updatedAt = :now")
            .condition_expression(
                "attribute_exists(replaced) AND linkVersion = :version AND attribute_not_exists(voidedAt) \
                 AND (#status = :queued OR #status = :processing)",
            )
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":version", n(version))
            .expression_attribute_values(":queued", s(Status::Queued.as_str()))
            .expression_attribute_values(":processing", s(Status::Processing.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let writes = self.with_tasks(update, operation, |writes| {
            let put = tasks.insertion(mint, mint.key().lane)?;
            writes.push(TransactWriteItem::builder().put(put).build());
            let delete = tasks.deletion(&task.key())?;
            writes.push(TransactWriteItem::builder().delete(delete).build());
            Ok(())
        })?;
        Ok(matches!(
            self.transact(writes, operation).await?,
            Written::Applied(_)
        ))
    }

    /// Settles the request as DONE with the link that was to be replaced, since somebody joined by it. Answers the record
    /// then; nothing if it is settled otherwise by now. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn restore(
        &self,
        read: &Invite,
        old: &ReplacedLink,
        now: Timestamp,
    ) -> Result<Option<Invite>, StoreError> {
        let id = read.request_id;
        let done_at = old.done_at.unwrap_or(read.created_at);
        let mut set = "SET #status = :done, inviteLink = :link, doneAt = :doneAt, weLinkEventFired = :fired, \
                       linkVersion = :version, updatedAt = :now"
            .to_owned();
        let mut update = self.update(id);
        if let Some(expires_at) = old.link_expires_at {
            set.push_str(", linkExpiresAt = :expires");
            update = update.expression_attribute_values(":expires", s(expires_at));
        }
        if !old.link_event_fired {
            set.push_str(", pendingShard = :shard, pendingSince = :since");
            update = update
                .expression_attribute_values(":shard", s(id.pending_shard()))
                .expression_attribute_values(":since", s(now.plus(PENDING_AFTER)));
        }
        let update = update
            .update_expression(format!("{set} REMOVE #error, replaced"))
            .condition_expression(
                "(#status = :queued OR #status = :processing) AND attribute_exists(joinedAt) AND attribute_exists(replaced)",
            )
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_values(":done", s(Status::Done.as_str()))
            .expression_attribute_values(":queued", s(Status::Queued.as_str()))
            .expression_attribute_values(":processing", s(Status::Processing.as_str()))
            .expression_attribute_values(":link", link(&old.invite_link))
            .expression_attribute_values(":doneAt", s(done_at))
            .expression_attribute_values(":fired", AttributeValue::Bool(old.link_event_fired))
            .expression_attribute_values(":version", n(read.link_version.saturating_sub(1)))
            .expression_attribute_values(":now", s(now));
        match self.send(update, "UpdateItem to restore a link").await? {
            Written::Applied(item) => Ok(Some(self.read(&item)?)),
            Written::Refused(item) => {
                let found = self.refused(item.as_ref())?;
                // The SDK repeats a write whose answer was lost, and then finds its own.
                let is_ours = found.status == Status::Done
                    && found.invite_link.as_ref() == Some(&old.invite_link);
                Ok(is_ours.then_some(found))
            }
        }
    }
}

/// The task that follows from `change`, and the one that it ends.
fn follow_up(read: &Invite, change: Change, bot: BotId, entry: &Entry) -> FollowUp {
    let pool = read.pool;
    let replacement = |link_version, bot| {
        let replace = Replace {
            request_id: read.request_id,
            bot,
            link_version,
        };
        Task::new(pool, Work::Replace(replace), entry.at)
    };
    let wanted = || match &read.replaced {
        Some(old) if !old.is_revoked => replacement(read.link_version, old.bot),
        Some(_) => Task::mint_of(read, entry.at),
        None => Task::mint_of(read, read.created_at),
    };
    let is_under_way = matches!(read.status, Status::Queued | Status::Processing);
    match change {
        Change::Anew => FollowUp {
            put: Some(wanted()),
            delete: read.failed_key.clone().map(|key| TaskKey {
                lane: Lane::Failed(pool),
                key,
            }),
        },
        // Put again, it is due at once, whatever it waited for.
        Change::Again if is_under_way => FollowUp {
            put: Some(wanted()),
            delete: None,
        },
        Change::Again | Change::ResetFlag(_) => FollowUp {
            put: None,
            delete: None,
        },
        Change::Reissue => FollowUp {
            put: Some(replacement(read.link_version.saturating_add(1), bot)),
            delete: None,
        },
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

/// The present link of `of`, which `bot` made, as one that is to be replaced.
fn replaced_value(of: &Invite, bot: BotId) -> AttributeValue {
    let mut fields = map([
        (
            INVITE_LINK,
            of.invite_link.as_ref().map_or_else(|| s(""), link),
        ),
        (LINK_EVENT_FIRED, AttributeValue::Bool(of.link_event_fired)),
        (IS_REVOKED, AttributeValue::Bool(false)),
        (BOT_ID, n(bot)),
    ]);
    let optional = [
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
