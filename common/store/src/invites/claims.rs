//! Whose seat a request is: binding it to the person who claims it, and moving it to another one.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};

use super::super::StoreError;
use super::super::item::{link, n, s};
use super::actions::{Acted, NOTED, entry_value};
use super::attributes::*;
use super::{Invites, Written};
use domain::claim::Claim;
use domain::history::Entry;
use domain::id::{InviteLink, RequestId, TelegramUserId};
use domain::invite::{Invite, PENDING_AFTER};
use domain::time::Timestamp;

/// How many disputes of a request are noted.
const DISPUTES_KEPT: usize = 20;

impl Invites {
    /// The binding of the request of `claim` to a person, as a part of a transaction, if the claim is theirs to make. The
    /// record has no end of its own from then on: it is kept as long as it is of use to its seat.
    pub(in super::super) fn binding(
        &self,
        claim: Claim,
        person: TelegramUserId,
        now: Timestamp,
    ) -> Result<Update, BuildError> {
        Update::builder()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(claim.request_id))
            .update_expression(
                "SET boundTo = :person, boundAt = if_not_exists(boundAt, :now), updatedAt = :now \
                 REMOVE expiresAt, isMoving, isStolen",
            )
            .condition_expression(
                "claimVersion = :version AND attribute_not_exists(voidedAt) \
                 AND (attribute_not_exists(boundTo) OR boundTo = :person)",
            )
            .expression_attribute_values(":person", n(person))
            .expression_attribute_values(":version", n(claim.version))
            .expression_attribute_values(":now", s(now))
            .build()
    }

    /// The same of a request with an invite link, if nobody else has claimed it or joined by it. Its record ends when it would
    /// have: its link is settled without knowing who has claimed it.
    pub(in super::super) fn binding_link(
        &self,
        id: RequestId,
        person: TelegramUserId,
        now: Timestamp,
    ) -> Result<Update, BuildError> {
        Update::builder()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(id))
            .update_expression(
                "SET boundTo = :person, boundAt = if_not_exists(boundAt, :now), updatedAt = :now",
            )
            .condition_expression(
                "attribute_exists(requestId) AND attribute_not_exists(claimVersion) AND attribute_not_exists(voidedAt) \
                 AND (boundTo = :person OR (attribute_not_exists(boundTo) \
                 AND (attribute_not_exists(telegramUserId) OR telegramUserId = :joined)))",
            )
            .expression_attribute_values(":person", n(person))
            .expression_attribute_values(":joined", s(person))
            .expression_attribute_values(":now", s(now))
            .build()
    }

    /// The same of a request that was stolen, by the person from whom it was taken away: it is theirs anew, as of now.
    pub(in super::super) fn taking_back(
        &self,
        claim: Claim,
        person: TelegramUserId,
        now: Timestamp,
    ) -> Result<Update, BuildError> {
        Update::builder()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(claim.request_id))
            .update_expression(
                "SET boundAt = :now, updatedAt = :now REMOVE boundFrom, expiresAt, isMoving, isStolen",
            )
            .condition_expression(
                "claimVersion = :version AND attribute_not_exists(voidedAt) AND isStolen = :yes \
                 AND boundTo = :person",
            )
            .expression_attribute_values(":person", n(person))
            .expression_attribute_values(":version", n(claim.version))
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":now", s(now))
            .build()
    }

    /// The same of a request that moves to the person from `holder`, as `read` shows it: the next join is an event of its
    /// own, so that of the former holder must be queued before.
    pub(in super::super) fn taking_over(
        &self,
        read: &Invite,
        claim: Claim,
        (person, holder): (TelegramUserId, TelegramUserId),
        now: Timestamp,
    ) -> Result<Update, BuildError> {
        let (is_same_join, joined_at) = match read.joined_at {
            None => ("attribute_not_exists(joinedAt)", None),
            Some(at) => ("joinedAt = :joined", Some(s(at))),
        };
        let given_up = match read.tells_nobody() {
            true => "",
            false => ", joinEventGivenUp",
        };
        let update = Update::builder()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(claim.request_id))
            .update_expression(format!(
                "SET boundTo = :person, boundAt = :now, boundFrom = :holder, updatedAt = :now, joinEventFired = :no, joinVersion = linkVersion \
                 REMOVE isMoving, isStolen, joinedAt, leftAt, returnedAt, telegramUserId, joinedLink{given_up}"
            ))
            .condition_expression(format!(
                "claimVersion = :version AND attribute_not_exists(voidedAt) AND isMoving = :yes \
                 AND boundTo = :holder AND {is_same_join}"
            ))
            .expression_attribute_values(":person", n(person))
            .expression_attribute_values(":holder", n(holder))
            .expression_attribute_values(":version", n(claim.version))
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .expression_attribute_values(":now", s(now));
        match joined_at {
            Some(at) => update.expression_attribute_values(":joined", at),
            None => update,
        }
        .build()
    }

    /// That the request still moves away from `holder` as `read` shows it, as a part of the transaction that takes their
    /// seat.
    pub(in super::super) fn moving_away(
        &self,
        read: &Invite,
        holder: TelegramUserId,
        now: Timestamp,
    ) -> Result<Update, BuildError> {
        Update::builder()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(read.request_id))
            .update_expression("SET updatedAt = :now")
            .condition_expression(
                "claimVersion = :version AND isMoving = :yes AND boundTo = :holder",
            )
            .expression_attribute_values(":version", n(read.claim_version.unwrap_or_default()))
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":holder", n(holder))
            .expression_attribute_values(":now", s(now))
            .build()
    }

    /// Notes that somebody says, at `at`, that somebody else has the seat that they paid for; answers when that was said, of the
    /// first 20 times. Noted again, it changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; noting it again is harmless.
    pub async fn note_dispute(
        &self,
        id: RequestId,
        at: Timestamp,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let update = self
            .update(id)
            .update_expression("SET disputes = list_append(if_not_exists(disputes, :none), :one)")
            .condition_expression(
                "attribute_exists(requestId) AND (attribute_not_exists(disputes) \
                 OR (NOT contains(disputes, :at) AND size(disputes) < :most))",
            )
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":one", AttributeValue::L(vec![s(at)]))
            .expression_attribute_values(":at", s(at))
            .expression_attribute_values(":most", n(DISPUTES_KEPT));
        let item = match self.send(update, "UpdateItem to note a dispute").await? {
            Written::Applied(item) => item,
            Written::Refused(item) => item.unwrap_or_default(),
        };
        let Some(AttributeValue::L(times)) = item.get(DISPUTES) else {
            return Ok(Vec::new());
        };
        let times = times.iter().map(|time| {
            let time = time.as_s().ok().and_then(|time| time.parse().ok());
            time.ok_or_else(|| self.0.malformed(DISPUTES))
        });
        times.collect()
    }

    /// Gives the request the claim link `next` of the next claim version, if it is still as `read` shows it, and notes
    /// `entry`. From then on the seat is for the person who comes with that link; its event is pending, if a shop sold it. One that
    /// was stolen says so until it is claimed. Durable on [`Acted::Done`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the same claim version is then not replaced again.
    pub async fn rebind(
        &self,
        read: &Invite,
        next: &InviteLink,
        entry: &Entry,
        is_stolen: bool,
    ) -> Result<Acted, StoreError> {
        let version = read.claim_version.unwrap_or_default();
        let history = read.history_with(entry).iter().map(entry_value).collect();
        let (is_same_holder, moving) = match read.bound_to {
            None => ("attribute_not_exists(boundTo)", ""),
            Some(_) if is_stolen => ("boundTo = :holder", ", isMoving = :yes, isStolen = :yes"),
            Some(_) => ("boundTo = :holder", ", isMoving = :yes"),
        };
        let shown = match read.actions {
            0 => "attribute_not_exists(#actions)",
            _ => "#actions = :before",
        };
        let (pending, given_up) = match read.tells_nobody() {
            true => ("", ""),
            false => (
                ", pendingShard = :shard, pendingSince = :since",
                "linkEventGivenUp, ",
            ),
        };
        let mut update = self
            .update(read.request_id)
            .update_expression(format!(
                "SET claimVersion = :next, inviteLink = :link, linkVersion = :linkVersion, doneAt = :now, \
                 weLinkEventFired = :no{pending}, {NOTED}{moving} REMOVE {given_up}pendingSends"
            ))
            .condition_expression(format!(
                "claimVersion = :version AND attribute_not_exists(voidedAt) AND {is_same_holder} AND {shown}"
            ))
            .expression_attribute_names("#history", HISTORY)
            .expression_attribute_names("#actions", ACTIONS)
            .expression_attribute_values(":history", AttributeValue::L(history))
            .expression_attribute_values(":actions", n(read.actions + 1))
            .expression_attribute_values(":version", n(version))
            .expression_attribute_values(":next", n(version.saturating_add(1)))
            .expression_attribute_values(":link", link(next))
            .expression_attribute_values(":linkVersion", n(read.link_version.saturating_add(1)))
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .expression_attribute_values(":now", s(entry.at));
        if !read.tells_nobody() {
            update = update
                .expression_attribute_values(":shard", s(read.request_id.pending_shard()))
                .expression_attribute_values(":since", s(entry.at.plus(PENDING_AFTER)));
        }
        if read.actions > 0 {
            update = update.expression_attribute_values(":before", n(read.actions));
        }
        if let Some(holder) = read.bound_to {
            update = update
                .expression_attribute_values(":holder", n(holder))
                .expression_attribute_values(":yes", AttributeValue::Bool(true));
        }
        let update = update
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(
            match self.send(update, "UpdateItem to move a request").await? {
                Written::Applied(item) => Acted::Done(Box::new(self.read(&item)?)),
                Written::Refused(Some(item)) => {
                    let found = self.read(&item)?;
                    // The SDK repeats a write whose answer was lost, and then finds its own.
                    match found.invite_link.as_ref() == Some(next)
                        && found.history.last() == Some(entry)
                    {
                        true => Acted::Done(Box::new(found)),
                        false => Acted::Newer(Box::new(found)),
                    }
                }
                Written::Refused(None) => Acted::Missing,
            },
        )
    }
}
