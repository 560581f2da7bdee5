//! What operators and shops do to a request, each one write with its line in the record's history and the task that follows; and
//! what the dispatcher writes about a link that is being replaced.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::super::item::{link, n, s};
use super::super::{StoreError, Tasks};
use super::attributes::*;
use super::pending::none_other_pending;
use super::{Invites, Written};
use domain::action::Change;
use domain::event::EventName;
use domain::history::Entry;
use domain::id::BotId;
use domain::invite::{Invite, PENDING_AFTER, ReplacedLink, Status};
use domain::task::{Lane, Replace, Revoke, Task, TaskKey, Work};
use domain::time::Timestamp;

/// How long a re-issue may wait for its turn with its record kept.
const REISSUE_WAIT: Duration = Duration::from_secs(21 * 24 * 3600);

/// How long the record of a claimed request is kept once it is voided: until then it has no end of its own.
const VOIDED_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// What every action writes.
pub(super) const NOTED: &str = "#history = :history, #actions = :actions, updatedAt = :now";

/// What became of an action.
pub enum Acted {
    /// It is done; this is the record now.
    Done(Box<Invite>),
    /// The record is not as it was read any more: this is it now, and nothing was changed.
    Newer(Box<Invite>),
    /// The request does not exist any more.
    Missing,
}

/// What follows from an action.
#[derive(Default)]
struct FollowUp {
    /// The tasks that are put into their lanes.
    put: Vec<Task>,
    /// The task that is taken out of its lane.
    delete: Option<TaskKey>,
}

impl Invites {
    /// Does `change` to the request, if it is still as `read` shows it, notes `entry`, and puts the task that follows into
    /// its lane, all by one transaction. `bot` made the present link; without it nobody can revoke that, so it must have
    /// expired if it is to be replaced. Durable on [`Acted::Done`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn act(
        &self,
        tasks: &Tasks,
        read: &Invite,
        change: Change,
        bot: Option<BotId>,
        entry: &Entry,
    ) -> Result<Acted, StoreError> {
        let operation = "TransactWriteItems of an action";
        let follow_up = follow_up(read, change, bot, entry);
        let writes =
            self.with_tasks(self.action(read, change, bot, entry), operation, |writes| {
                for task in &follow_up.put {
                    let put = tasks.insertion(task, task.key().lane)?;
                    writes.push(TransactWriteItem::builder().put(put).build());
                }
                if let Some(key) = &follow_up.delete {
                    let delete = tasks.deletion(key)?;
                    writes.push(TransactWriteItem::builder().delete(delete).build());
                }
                Ok(())
            })?;
        Ok(match self.transact(writes, operation).await? {
            Written::Applied(_) => match self.get(read.request_id).await? {
                Some(now) => Acted::Done(Box::new(now)),
                None => Acted::Missing,
            },
            Written::Refused(Some(item)) => Acted::Newer(Box::new(self.read(&item)?)),
            Written::Refused(None) => Acted::Missing,
        })
    }

    fn action(
        &self,
        read: &Invite,
        change: Change,
        bot: Option<BotId>,
        entry: &Entry,
    ) -> UpdateBuilder {
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
                    "SET #status = :queued, attempts = :zero, refusals = :zero, {NOTED} REMOVE #error, failedKey"
                ))
                .condition_expression(format!(
                    "#status = :failed AND attribute_not_exists(voidedAt) AND {shown}"
                ))
                .expression_attribute_names("#error", ERROR)
                .expression_attribute_values(":queued", is(Status::Queued))
                .expression_attribute_values(":failed", is(Status::Failed))
                .expression_attribute_values(":zero", n(0)),
            // Whatever the dispatcher makes of it meanwhile: nothing but the history is written.
            Change::Again | Change::Nothing => update
                .update_expression(format!("SET {NOTED}"))
                .condition_expression(format!(
                    "attribute_exists(requestId) AND #status <> :failed AND {shown}"
                ))
                .expression_attribute_values(":failed", is(Status::Failed)),
            Change::Reissue => reissue(update, read, bot, entry, shown),
            Change::Void => void(update, read, entry, shown),
            Change::GiveUp(event) => give_up(update, read, event, shown),
            Change::ResetFlag(event) => {
                let (flag, given_up, is_true) = of_event(event);
                update
                    .update_expression(format!(
                        "SET #flag = :no, pendingShard = :shard, pendingSince = :since, {NOTED} REMOVE #givenUp"
                    ))
                    .condition_expression(format!("#status = :status AND {is_true} AND {shown}"))
                    .expression_attribute_names("#flag", flag)
                    .expression_attribute_names("#givenUp", given_up)
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

/// Has the present link replaced. If somebody joined by it and left, the seat is free again, and the next join is an event
/// of its own.
fn reissue(
    update: UpdateBuilder,
    read: &Invite,
    bot: Option<BotId>,
    entry: &Entry,
    shown: &str,
) -> UpdateBuilder {
    let (set, remove, is_free) = match read.joined_at {
        None => ("", "", "attribute_not_exists(joinedAt)"),
        Some(_) => (
            ", joinEventFired = :no, joinVersion = :version",
            ", joinedAt, returnedAt, telegramUserId, joinedLink, joinEventGivenUp",
            "attribute_exists(leftAt)",
        ),
    };
    update
        .update_expression(format!(
            "SET #status = :queued, attempts = :zero, refusals = :zero, replaced = :replaced, linkVersion = :version, \
             weLinkEventFired = :no, expiresAt = :kept, {NOTED}{set} \
             REMOVE inviteLink, linkExpiresAt, doneAt, #error, linkEventGivenUp, \
             pendingShard, pendingSince, pendingSends{remove}"
        ))
        .condition_expression(format!(
            "#status = :done AND inviteLink = :old AND {is_free} AND attribute_not_exists(voidedAt) AND {shown}"
        ))
        .expression_attribute_names("#error", ERROR)
        .expression_attribute_values(":queued", s(Status::Queued.as_str()))
        .expression_attribute_values(":done", s(Status::Done.as_str()))
        .expression_attribute_values(":zero", n(0))
        .expression_attribute_values(":no", AttributeValue::Bool(false))
        .expression_attribute_values(":version", n(read.link_version.saturating_add(1)))
        .expression_attribute_values(
            ":kept",
            n(read.kept_until(entry.at.plus(REISSUE_WAIT)).seconds()),
        )
        .expression_attribute_values(
            ":old",
            read.invite_link.as_ref().map_or_else(|| s(""), link),
        )
        .expression_attribute_values(":replaced", replaced_value(read, bot, entry.at))
}

/// Takes the seat back: a mint under way loses, and the event of the link is not delivered any more.
fn void(update: UpdateBuilder, read: &Invite, entry: &Entry, shown: &str) -> UpdateBuilder {
    let (is_free, pending) = match read.joined_at {
        None => (
            "attribute_not_exists(joinedAt)",
            ", pendingShard, pendingSince, pendingSends",
        ),
        // The event of the join may still be pending.
        Some(_) => ("attribute_exists(leftAt)", ""),
    };
    let (is_same_link, old) = match &read.invite_link {
        None => ("attribute_not_exists(inviteLink)", None),
        Some(old) => ("inviteLink = :old", Some(link(old))),
    };
    let update = update
        .update_expression(format!(
            "SET linkVersion = :version, voidedAt = :now, expiresAt = if_not_exists(expiresAt, :kept), {NOTED} \
             REMOVE inviteLink, linkExpiresAt, replaced, failedKey{pending}"
        ))
        .condition_expression(format!(
            "attribute_not_exists(voidedAt) AND #status = :status AND {is_same_link} AND {is_free} AND {shown}"
        ))
        .expression_attribute_values(":status", s(read.status.as_str()))
        .expression_attribute_values(":kept", n(entry.at.plus(VOIDED_KEPT).seconds()))
        .expression_attribute_values(":version", n(read.link_version.saturating_add(1)));
    match old {
        Some(old) => update.expression_attribute_values(":old", old),
        None => update,
    }
}

/// Gives an event up: the request leaves the index of pending events, unless its other one is pending.
fn give_up(update: UpdateBuilder, read: &Invite, event: EventName, shown: &str) -> UpdateBuilder {
    let (flag, given_up, is_true) = of_event(event);
    let none_other = none_other_pending(event);
    let is_true = match event {
        EventName::LinkCreated => format!("#status = :done AND {is_true}"),
        EventName::Joined => is_true.to_owned(),
    };
    let pending = read.pending_events();
    let (and, remove) = match pending.iter().any(|pending| pending.event_name != event) {
        true => ("AND NOT", ""),
        false => ("AND", " REMOVE pendingShard, pendingSince, pendingSends"),
    };
    update
        .update_expression(format!("SET #givenUp = :yes, {NOTED}{remove}"))
        .condition_expression(format!(
            "{is_true} AND #flag = :no {and} {none_other} AND {shown}"
        ))
        .expression_attribute_names("#flag", flag)
        .expression_attribute_names("#givenUp", given_up)
        .expression_attribute_values(":yes", AttributeValue::Bool(true))
        .expression_attribute_values(":no", AttributeValue::Bool(false))
        .expression_attribute_values(":done", s(Status::Done.as_str()))
}

/// The flags of an event, and the condition that it has come true.
const fn of_event(event: EventName) -> (&'static str, &'static str, &'static str) {
    match event {
        EventName::LinkCreated => (
            LINK_EVENT_FIRED,
            LINK_EVENT_GIVEN_UP,
            "attribute_exists(inviteLink)",
        ),
        EventName::Joined => (
            JOIN_EVENT_FIRED,
            JOIN_EVENT_GIVEN_UP,
            "attribute_exists(joinedAt)",
        ),
    }
}

/// The tasks that follow from `change`, and the one that it ends.
fn follow_up(read: &Invite, change: Change, bot: Option<BotId>, entry: &Entry) -> FollowUp {
    let canonical_chat = read.canonical_chat;
    let replacement = |link_version, bot, at| {
        let replace = Replace {
            request_id: read.request_id,
            bot,
            link_version,
        };
        Task::new(canonical_chat, Work::Replace(replace), at)
    };
    let wanted = || match &read.replaced {
        // The same task as before, however often it is asked for.
        Some(old) if !old.is_revoked => replacement(read.link_version, old.bot, old.reissued_at),
        Some(old) => Task::mint_of(read, old.reissued_at),
        None => Task::mint_of(read, read.created_at),
    };
    let failed = || {
        read.failed_key.clone().map(|key| TaskKey {
            lane: Lane::Failed(canonical_chat),
            key,
        })
    };
    let is_under_way = matches!(read.status, Status::Queued | Status::Processing);
    match change {
        Change::Anew => FollowUp {
            put: vec![wanted()],
            delete: failed(),
        },
        // Put again, it is due at once, whatever it waited for.
        Change::Again if is_under_way => FollowUp {
            put: vec![wanted()],
            delete: None,
        },
        Change::Again | Change::ResetFlag(_) | Change::GiveUp(_) | Change::Nothing => {
            FollowUp::default()
        }
        Change::Reissue => {
            let link_version = read.link_version.saturating_add(1);
            let next = bot.map_or_else(
                || {
                    let next = Invite {
                        link_version,
                        ..read.clone()
                    };
                    Task::mint_of(&next, entry.at)
                },
                |bot| replacement(link_version, bot, entry.at),
            );
            FollowUp {
                put: vec![next],
                delete: None,
            }
        }
        // What the dispatcher has of the request is dropped when it is met; only failed tasks are met by nobody.
        Change::Void => {
            let present = read.invite_link.clone().zip(bot);
            let replaced = read.replaced.as_ref().filter(|old| !old.is_revoked);
            let replaced = replaced.map(|old| (old.invite_link.clone(), old.bot));
            let links = present.into_iter().chain(replaced);
            let revocations = links.map(|(invite_link, bot)| {
                let revoke = Revoke {
                    invite_link,
                    bot,
                    request_id: Some(read.request_id),
                };
                Task::new(canonical_chat, Work::Revoke(revoke), entry.at)
            });
            FollowUp {
                put: revocations.collect(),
                delete: failed(),
            }
        }
    }
}

fn map<const N: usize>(fields: [(&str, AttributeValue); N]) -> HashMap<String, AttributeValue> {
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

pub(super) fn entry_value(entry: &Entry) -> AttributeValue {
    AttributeValue::M(map([
        (AT, s(entry.at)),
        (WHO, s(&entry.who)),
        (ACTION, s(&entry.action)),
        (DETAIL, s(&entry.detail)),
    ]))
}

/// The present link of `of`, which `bot` made, as one that is to be replaced; it needs no bot if it has expired.
fn replaced_value(of: &Invite, bot: Option<BotId>, at: Timestamp) -> AttributeValue {
    let mut fields = map([
        (
            INVITE_LINK,
            of.invite_link.as_ref().map_or_else(|| s(""), link),
        ),
        (LINK_EVENT_FIRED, AttributeValue::Bool(of.link_event_fired)),
        (IS_REVOKED, AttributeValue::Bool(bot.is_none())),
        (BOT_ID, n(bot.unwrap_or(BotId(0)))),
        (AT, s(at)),
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
