//! Who came by the link of a request, and who left again.

use super::super::StoreError;
use super::super::item::{link, s};
use super::{Invites, Written};
use crate::domain::id::RequestId;
use crate::domain::invite::{Invite, PENDING_AFTER};
use crate::domain::join::{Join, Leave};
use crate::domain::time::Timestamp;

/// What became of a join.
pub enum Joined {
    /// It is recorded.
    First(Box<Invite>),
    /// A join of this request was recorded before; nothing changed.
    Again(Box<Invite>),
    /// Who joined has left since then, and the seat is free again; nothing changed.
    Past(Box<Invite>),
    /// There is no such request, any more.
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
                "attribute_exists(requestId) AND attribute_not_exists(joinedAt) \
                 AND (attribute_not_exists(leftAt) OR leftAt <= :joined)",
            )
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
                    match invite.joined_at {
                        Some(_) => Joined::Again(invite),
                        None => Joined::Past(invite),
                    }
                }
            },
        )
    }

    /// Records that who joined by the request has left; answers whether it did: nothing changes if that was somebody else,
    /// or is recorded. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; recording it again is harmless.
    pub async fn record_leave(
        &self,
        id: RequestId,
        leave: &Leave,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = self
            .update(id)
            .update_expression("SET leftAt = :left, updatedAt = :now")
            .condition_expression(
                "telegramUserId = :person AND joinedAt <= :left AND attribute_not_exists(leftAt)",
            )
            .expression_attribute_values(":left", s(leave.at))
            .expression_attribute_values(":person", s(leave.person))
            .expression_attribute_values(":now", s(now));
        let written = self.send(update, "UpdateItem to record a leave").await?;
        Ok(matches!(written, Written::Applied(_)))
    }
}
