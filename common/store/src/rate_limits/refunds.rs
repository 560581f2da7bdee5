//! How many refunds are made without a person: one record an hour, `refunds#<hour>`, with a counter and the refunds that it counted.

use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnValue;

use super::super::StoreError;
use super::super::item::n;
use super::{RateLimits, Written};
use domain::lease::LimitKey;
use domain::time::Timestamp;

const COUNT: &str = "count";
const EXPIRES_AT: &str = "expiresAt";
const HOUR_SECONDS: i64 = 3600;
/// How long the record of an hour is of use to anybody.
const KEPT: Duration = Duration::from_secs(24 * 3600);

impl RateLimits {
    /// Whether the refund of this id is among the first `most` of its hour; asked again it is counted once. Durable on `true`.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; asking again is harmless.
    pub async fn take_refund(
        &self,
        id: &str,
        most: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if most == 0 {
            return Ok(false);
        }
        let seconds = now.seconds();
        let hour = Timestamp::from_seconds(seconds - seconds.rem_euclid(HOUR_SECONDS));
        let call = self
            .update(LimitKey::Refunds(hour))
            .update_expression("ADD #count :one SET #id = :now, #expires = :end")
            .condition_expression(
                "attribute_not_exists(#id) AND (attribute_not_exists(#count) OR #count < :most)",
            )
            .expression_attribute_names("#count", COUNT)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_names("#id", id)
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":now", n(now.ms()))
            .expression_attribute_values(":end", n(hour.plus(KEPT).seconds()))
            .expression_attribute_values(":most", n(most))
            .return_values(ReturnValue::None);
        Ok(match self.send(call, "UpdateItem of the refunds").await? {
            Written::Done(_) => true,
            Written::Refused(found) => found.contains_key(id),
        })
    }
}
