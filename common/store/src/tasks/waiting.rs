//! The tasks of a lane by their age: who waits, and behind how many.

use aws_sdk_dynamodb::types::Select;

use super::super::StoreError;
use super::super::item::s;
use super::{KEY, LanePage, Tasks};
use domain::task::Lane;
use domain::time::Timestamp;

impl Tasks {
    /// The tasks of a lane of mints that were put from `from` to `to`, the oldest first, up to `limit`, as of a moment ago.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn put_between(
        &self,
        lane: Lane,
        (from, to): (Timestamp, Timestamp),
        limit: i32,
    ) -> Result<LanePage, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .key_condition_expression("lane = :lane AND #key BETWEEN :from AND :to")
            .expression_attribute_names("#key", KEY)
            .expression_attribute_values(":lane", s(lane))
            .expression_attribute_values(":from", s(age(from)))
            .expression_attribute_values(":to", s(age(to)))
            .limit(limit)
            .send()
            .await
            .map_err(self.0.fault("Query of those who wait"))?;
        Ok(self.page_of(lane, answer.items, answer.last_evaluated_key))
    }

    /// How many tasks of a lane of mints were put before `at`, as of a moment ago. It counts up to one page of DynamoDB's own
    /// size, some 4,000, for at most 130 read units.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be counted.
    pub async fn count_before(&self, lane: Lane, at: Timestamp) -> Result<u32, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .key_condition_expression("lane = :lane AND #key < :at")
            .expression_attribute_names("#key", KEY)
            .expression_attribute_values(":lane", s(lane))
            .expression_attribute_values(":at", s(age(at)))
            .select(Select::Count)
            .send()
            .await
            .map_err(self.0.fault("Query of how many wait"))?;
        Ok(u32::try_from(answer.count).unwrap_or_default())
    }
}

/// What the keys of such a lane begin with.
fn age(at: Timestamp) -> String {
    format!("{:013}", at.ms())
}
