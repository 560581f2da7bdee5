//! Who came by the link of a request, and who left again, or came back.
//!
//! The seat is taken while `joinedAt` is there and `leftAt` is not. Updates come more than once and late, so each change
//! is compared with what was recorded before: `leftAt` yields to an entry of the same second or later, and an entry
//! (`joinedAt`, `returnedAt`) to a leave that is later than it. In doubt the seat is taken.

use super::super::StoreError;
use super::super::item::{link, n, s};
use super::{Invites, Written};
use domain::id::RequestId;
use domain::invite::{Invite, PENDING_AFTER};
use domain::join::{Join, Presence};
use domain::time::Timestamp;

/// A link is for whoever comes by it; a claimed seat is its holder's, who may be another one since it was read.
const IS_THEIRS: &str = "(attribute_not_exists(claimVersion) OR boundTo = :holder)";

/// What became of a join.
pub enum Joined {
    /// It is recorded.
    First(Box<Invite>),
    /// A join of this request was recorded before. If its person had left, the seat is taken again, by this one.
    Again(Box<Invite>),
    /// Who joined has left since then, and the seat is free again; or it is another person's by now. Nothing changed.
    Past(Box<Invite>),
    /// The request does not exist any more.
    Missing,
}

impl Invites {
    /// Records the join of a request whose seat is free; its event is pending then. On [`Joined::First`] it is durable.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; recording it again is harmless.
    pub async fn record_join(
        &self,
        id: RequestId,
        join: &Join,
        now: Timestamp,
    ) -> Result<Joined, StoreError> {
        let update = self
            .update(id)
            .update_expression(
                "SET joinedAt = :joined, telegramUserId = :person, joinedLink = :link, updatedAt = :now, \
                 pendingShard = :shard, pendingSince = if_not_exists(pendingSince, :since) REMOVE leftAt",
            )
            .condition_expression(
                format!(
                    "attribute_exists(requestId) AND attribute_not_exists(joinedAt) \
                     AND (attribute_not_exists(leftAt) OR leftAt <= :joined) AND {IS_THEIRS}"
                ),
            )
            .expression_attribute_values(":holder", n(join.person))
            .expression_attribute_values(":joined", s(join.at))
            .expression_attribute_values(":person", s(join.person))
            .expression_attribute_values(":link", link(&join.link))
            .expression_attribute_values(":shard", s(id.pending_shard()))
            .expression_attribute_values(":since", s(now.plus(PENDING_AFTER)))
            .expression_attribute_values(":now", s(now));
        Ok(
            match self.send(update, "UpdateItem to record a join").await? {
                Written::Applied(item) => Joined::First(Box::new(self.read(&item)?)),
                Written::Refused(None) => Joined::Missing,
                Written::Refused(Some(item)) => {
                    let invite = Box::new(self.read(&item)?);
                    match (invite.joined_at, invite.left_at) {
                        (None, _) => Joined::Past(invite),
                        (Some(_), Some(left)) if left <= join.at => {
                            Joined::Again(self.record_new_person(invite, join, now).await?)
                        }
                        (Some(_), _) => Joined::Again(invite),
                    }
                }
            },
        )
    }

    /// Who had the seat left; this person came by a link of the request that was not revoked yet. Answers the record then.
    async fn record_new_person(
        &self,
        read: Box<Invite>,
        join: &Join,
        now: Timestamp,
    ) -> Result<Box<Invite>, StoreError> {
        let update = self
            .update(read.request_id)
            .update_expression(
                "SET telegramUserId = :person, joinedLink = :link, returnedAt = :at, updatedAt = :now REMOVE leftAt",
            )
            .condition_expression(format!(
                "attribute_exists(joinedAt) AND leftAt <= :at AND {IS_THEIRS}"
            ))
            .expression_attribute_values(":holder", n(join.person))
            .expression_attribute_values(":person", s(join.person))
            .expression_attribute_values(":link", link(&join.link))
            .expression_attribute_values(":at", s(join.at))
            .expression_attribute_values(":now", s(now));
        match self.send(update, "UpdateItem to record a join").await? {
            Written::Applied(item) | Written::Refused(Some(item)) => {
                Ok(Box::new(self.read(&item)?))
            }
            Written::Refused(None) => Ok(read),
        }
    }

    /// Records that who joined by the request and left is in the chat again, by another way than its link; answers whether
    /// that changed anything. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; recording it again is harmless.
    pub async fn record_return(
        &self,
        id: RequestId,
        presence: &Presence,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = self
            .update(id)
            .update_expression("SET returnedAt = :at, updatedAt = :now REMOVE leftAt")
            .condition_expression("telegramUserId = :person AND leftAt <= :at")
            .expression_attribute_values(":at", s(presence.at))
            .expression_attribute_values(":person", s(presence.person))
            .expression_attribute_values(":now", s(now));
        let written = self.send(update, "UpdateItem to record a return").await?;
        Ok(matches!(written, Written::Applied(_)))
    }

    /// Records that who joined by the request has left; answers whether it did: nothing changes if that was somebody else,
    /// or is recorded. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; recording it again is harmless.
    pub async fn record_leave(
        &self,
        id: RequestId,
        leave: &Presence,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = self
            .update(id)
            .update_expression("SET leftAt = :left, updatedAt = :now")
            .condition_expression(
                "telegramUserId = :person AND joinedAt <= :left AND attribute_not_exists(leftAt) \
                 AND (attribute_not_exists(returnedAt) OR returnedAt < :left)",
            )
            .expression_attribute_values(":left", s(leave.at))
            .expression_attribute_values(":person", s(leave.person))
            .expression_attribute_values(":now", s(now));
        let written = self.send(update, "UpdateItem to record a leave").await?;
        Ok(matches!(written, Written::Applied(_)))
    }
}
