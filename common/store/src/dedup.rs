//! The table of duplicate windows: payments that nothing names.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::item::{Reader, n, s};
use super::{StoreError, Table};
use domain::id::RequestId;
use domain::time::Timestamp;
use runtime::config::Env;

const DEDUP_KEY: &str = "dedupKey";
const WINDOW_OPENED_MS: &str = "windowOpenedMs";

/// The table of duplicate windows.
#[derive(Clone)]
pub struct Dedup(Table);

impl Dedup {
    /// The table `Dedup`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Dedup", "DEDUP_TABLE"))
    }

    /// Opens the duplicate window `window` at `now` for `length`, unless it is open; answers when the open one was
    /// opened, in milliseconds since the Unix epoch. One conditional write decides among callers at the same instant.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn open_window(
        &self,
        window: RequestId,
        length: Duration,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let call = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key(DEDUP_KEY, s(format_args!("window#{window}")))
            .update_expression("SET windowOpenedMs = :now, expiresAt = :expires")
            .condition_expression("attribute_not_exists(dedupKey) OR windowOpenedMs <= :before")
            .expression_attribute_values(":now", n(now.ms()))
            .expression_attribute_values(":before", n(now.minus(length).ms()))
            .expression_attribute_values(":expires", n(now.plus(length).seconds()))
            .return_values(ReturnValue::None)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = call.send().await else {
            return Ok(now.ms());
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                let item = refusal.item.as_ref();
                let item = item.ok_or_else(|| self.0.malformed(WINDOW_OPENED_MS))?;
                Reader {
                    table: &self.0,
                    item,
                }
                .number(WINDOW_OPENED_MS)
            }
            _ => Err(self.0.fault("UpdateItem of a duplicate window")(error)),
        }
    }
}
