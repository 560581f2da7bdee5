//! The two indexes of the table of requests: what has pending events, and what a user bought. They hold keys alone and lag behind
//! by a moment, so whatever they show is read from its record before anything is made of it.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::StoreError;
use super::super::item::{Item, Reader, s};
use super::Invites;
use super::attributes::*;
use domain::id::{PendingShard, RequestId};
use domain::time::Timestamp;

/// The index of pending events: by `pendingShard` and `pendingSince`.
const PENDING: &str = "Pending";
/// The index of all requests of a user: by `userId` and `createdAt`.
const BY_USER: &str = "ByUser";
/// The longest cursor that is read.
const CURSOR_MAX_CHARS: usize = 100;

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last request of the page.
    pub request_id: RequestId,
    /// When it was accepted.
    pub created_at: Timestamp,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.created_at.ms(), self.request_id)
    }
}

/// The text is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        if text.len() > CURSOR_MAX_CHARS {
            return Err(NoCursor);
        }
        let (ms, id) = text.split_once('_').ok_or(NoCursor)?;
        Ok(Self {
            request_id: id.parse().map_err(|_| NoCursor)?,
            created_at: Timestamp::from_ms(ms.parse().map_err(|_| NoCursor)?),
        })
    }
}

/// A page of an index.
#[derive(Debug)]
pub struct Listed {
    /// The requests, in the index's order.
    pub ids: Vec<RequestId>,
    /// Where it ended, if there are more.
    pub next: Option<Cursor>,
}

impl Invites {
    /// Up to `limit` requests of one part whose events wait since `before` or longer, the longest first, and since when.
    /// Costs half a read unit for some 40 of them.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn pending(
        &self,
        shard: PendingShard,
        before: Timestamp,
        limit: i32,
    ) -> Result<Vec<(RequestId, Timestamp)>, StoreError> {
        let call = self
            .0
            .client
            .query()
            .table_name(&self.0.name)
            .index_name(PENDING)
            .key_condition_expression("pendingShard = :shard AND pendingSince <= :before")
            .expression_attribute_values(":shard", s(shard))
            .expression_attribute_values(":before", s(before))
            .limit(limit);
        let answer = call
            .send()
            .await
            .map_err(self.0.fault("Query of pending events"))?;
        let items = answer.items.unwrap_or_default();
        let pending = items.iter().map(|item| {
            let table = &self.0;
            let reader = Reader { table, item };
            Ok((reader.parsed(REQUEST_ID)?, reader.parsed(PENDING_SINCE)?))
        });
        pending.collect()
    }

    /// Up to `limit` requests of a user, the newest first. Costs half a read unit for some 40 of them.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn of_user(
        &self,
        user_id: &str,
        after: Option<Cursor>,
        limit: i32,
    ) -> Result<Listed, StoreError> {
        let user = s(user_id);
        let call = self
            .0
            .client
            .query()
            .table_name(&self.0.name)
            .index_name(BY_USER)
            .key_condition_expression("userId = :user")
            .expression_attribute_values(":user", user.clone())
            .set_exclusive_start_key(after.map(|after| key_of(after, USER_ID, user)))
            .scan_index_forward(false)
            .limit(limit);
        let answer = call
            .send()
            .await
            .map_err(self.0.fault("Query of a user's requests"))?;
        Ok(Listed {
            ids: self.ids(answer.items.unwrap_or_default())?,
            next: self.cursor(answer.last_evaluated_key.as_ref())?,
        })
    }

    fn ids(&self, items: Vec<Item>) -> Result<Vec<RequestId>, StoreError> {
        let id = |item: &Item| {
            let table = &self.0;
            Reader { table, item }.parsed(REQUEST_ID)
        };
        items.iter().map(id).collect()
    }

    fn cursor(&self, key: Option<&Item>) -> Result<Option<Cursor>, StoreError> {
        let Some(item) = key else {
            return Ok(None);
        };
        let table = &self.0;
        let reader = Reader { table, item };
        Ok(Some(Cursor {
            request_id: reader.parsed(REQUEST_ID)?,
            created_at: reader.parsed(CREATED_AT)?,
        }))
    }
}

/// The key of an index's entry: that of the table, and its own.
fn key_of(cursor: Cursor, hash: &str, value: AttributeValue) -> HashMap<String, AttributeValue> {
    [
        (REQUEST_ID.to_owned(), s(cursor.request_id)),
        (CREATED_AT.to_owned(), s(cursor.created_at)),
        (hash.to_owned(), value),
    ]
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_nothing_else_is_one() {
        let cursor = Cursor {
            request_id: "ac51f4db-4bc1-8c75-b824-613c155f6d40".parse().unwrap(),
            created_at: Timestamp::from_ms(1_763_640_000_007),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in [
            "",
            "_",
            "1_",
            "_x",
            "x_ac51f4db-4bc1-8c75-b824-613c155f6d40",
            "1_x",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
        assert_eq!("1".repeat(101).parse::<Cursor>(), Err(NoCursor));
    }
}
