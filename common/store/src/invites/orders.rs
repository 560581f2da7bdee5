//! What the order that bought a request grants by now.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::super::StoreError;
use super::super::item::{Reader, n, s};
use super::Invites;
use super::attributes::*;
use domain::id::RequestId;
use domain::invite::Invite;
use domain::order::record::{OrderEntitlement, OrderedSeat};
use domain::time::Timestamp;

pub(super) fn value(entitlement: OrderEntitlement) -> AttributeValue {
    // Integers and instants: writing them can't fail.
    s(serde_json::to_string(&entitlement).unwrap_or_default())
}

pub(super) fn read(reader: &Reader<'_>) -> Result<Option<OrderedSeat>, StoreError> {
    let Some(text) = reader.optional_text(ORDER_SEAT)? else {
        return Ok(None);
    };
    let entitlement = serde_json::from_str(text);
    Ok(Some(OrderedSeat {
        order: reader.parsed(ORDER_ID)?,
        entitlement: entitlement.map_err(|_| reader.table.malformed(ORDER_SEAT))?,
    }))
}

impl Invites {
    /// Writes what the order of a request grants by now, unless a newer version of the order has written already. Answers the
    /// record as it is then; nothing if there is none. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn write_order(
        &self,
        id: RequestId,
        seat: OrderedSeat,
        now: Timestamp,
    ) -> Result<Option<Invite>, StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let written = call
            .key(REQUEST_ID, s(id))
            .update_expression(
                "SET orderId = :order, orderSeat = :seat, orderVersion = :version, updatedAt = :now",
            )
            .condition_expression(
                "attribute_exists(requestId) AND (attribute_not_exists(orderVersion) OR orderVersion < :version)",
            )
            .expression_attribute_values(":order", s(seat.order))
            .expression_attribute_values(":seat", value(seat.entitlement))
            .expression_attribute_values(":version", n(seat.entitlement.version))
            .expression_attribute_values(":now", s(now))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let item = match written {
            Ok(answer) => answer.attributes,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    refused.item.clone()
                }
                _ => return Err(self.0.fault("UpdateItem of a request by its order")(error)),
            },
        };
        let item = item.filter(|item| !item.is_empty());
        item.map(|item| self.read(&item)).transpose()
    }
}
