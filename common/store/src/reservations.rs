//! The table of what is limited: seats for sale and uses of coupons. Each pool is a counter and one item per order that holds
//! one of it; both are written by one transaction, so that the counter is the number of items.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem, Update};

use super::item::{n, s};
use super::{StoreError, Table};
use domain::id::OrderId;
use domain::order::record::Reservation;
use runtime::config::Env;

const POOL: &str = "pool";
const ITEM: &str = "item";
const COUNT: &str = "count";
/// How often a transaction is tried anew because others write the same counter.
const TRIES: u32 = 12;

/// The table of reservations.
#[derive(Clone)]
pub struct Reservations(Table);

/// What became of taking one of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The order holds one.
    Held,
    /// There is none left.
    SoldOut,
}

impl Reservations {
    /// The table `Reservations`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        let (name, variable) = ("Reservations", "RESERVATIONS_TABLE");
        Self(Table::from_env(client, env, name, variable))
    }

    /// The two writes by which an order comes to hold one of a pool, if one is left.
    pub(super) fn taking(
        &self,
        order: OrderId,
        of: &Reservation,
    ) -> Result<[TransactWriteItem; 2], BuildError> {
        let item = Put::builder()
            .table_name(&self.0.name)
            .item(POOL, s(&of.pool))
            .item(ITEM, s(order))
            .condition_expression("attribute_not_exists(#pool)")
            .expression_attribute_names("#pool", POOL)
            .build()?;
        let counter = self.counting(of, 1);
        let counter = match of.limit {
            Some(limit) => counter
                .condition_expression("attribute_not_exists(#count) OR #count < :limit")
                .expression_attribute_values(":limit", n(limit)),
            None => counter,
        };
        Ok([
            TransactWriteItem::builder().put(item).build(),
            TransactWriteItem::builder()
                .update(counter.build()?)
                .build(),
        ])
    }

    fn counting(
        &self,
        of: &Reservation,
        by: i64,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.0.name)
            .key(POOL, s(&of.pool))
            .key(ITEM, s(COUNT))
            .update_expression("ADD #count :by")
            .expression_attribute_names("#count", COUNT)
            .expression_attribute_values(":by", n(by))
    }

    /// Has an order hold one of a pool, even the last but none if `is_forced`. Durable on [`Reserved::Held`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn take(
        &self,
        order: OrderId,
        of: &Reservation,
        is_forced: bool,
    ) -> Result<Reserved, StoreError> {
        let operation = "TransactWriteItems to reserve";
        let unlimited = Reservation {
            limit: of.limit.filter(|_| !is_forced),
            ..of.clone()
        };
        for _ in 0..TRIES {
            let writes = self.taking(order, &unlimited).map(Vec::from);
            match self.transact(writes, operation).await? {
                None => return Ok(Reserved::Held),
                // It holds one already.
                Some(codes) if is_refused(&codes, 0) => return Ok(Reserved::Held),
                Some(codes) if is_refused(&codes, 1) => return Ok(Reserved::SoldOut),
                Some(_) => {}
            }
        }
        Err(StoreError::Contended {
            table: self.0.name.clone(),
        })
    }

    /// Gives back what an order holds of a pool, if `check` holds. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told, or the check does not hold; doing it again is harmless.
    pub(super) async fn release(
        &self,
        order: OrderId,
        of: &Reservation,
        check: ConditionCheck,
    ) -> Result<(), StoreError> {
        let operation = "TransactWriteItems to release";
        for _ in 0..TRIES {
            let writes = || -> Result<Vec<TransactWriteItem>, BuildError> {
                let item = Delete::builder()
                    .table_name(&self.0.name)
                    .key(POOL, s(&of.pool))
                    .key(ITEM, s(order))
                    .condition_expression("attribute_exists(#pool)")
                    .expression_attribute_names("#pool", POOL)
                    .build()?;
                let counter = self.counting(of, -1).build()?;
                let check = TransactWriteItem::builder().condition_check(check.clone());
                Ok(vec![
                    check.build(),
                    TransactWriteItem::builder().delete(item).build(),
                    TransactWriteItem::builder().update(counter).build(),
                ])
            };
            match self.transact(writes(), operation).await? {
                None => return Ok(()),
                // It holds none any more.
                Some(codes) if is_refused(&codes, 1) => return Ok(()),
                Some(codes) if is_refused(&codes, 0) => break,
                Some(_) => {}
            }
        }
        Err(StoreError::Contended {
            table: self.0.name.clone(),
        })
    }

    /// Answers nothing if it is done, else why not, write by write.
    async fn transact(
        &self,
        writes: Result<Vec<TransactWriteItem>, BuildError>,
        operation: &'static str,
    ) -> Result<Option<Vec<Option<String>>>, StoreError> {
        let writes = writes
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        let call = self.0.client.transact_write_items();
        let Err(error) = call.set_transact_items(Some(writes)).send().await else {
            return Ok(None);
        };
        match refusals(&error) {
            Some(codes) => Ok(Some(codes)),
            None => Err(self.0.fault(operation)(error)),
        }
    }
}

/// Why a transaction was cancelled, write by write; nothing if it was not, or if a write was wrong by itself.
pub(super) fn refusals(error: &SdkError<TransactWriteItemsError>) -> Option<Vec<Option<String>>> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return None;
    };
    let reasons = cancelled.cancellation_reasons().iter();
    let codes: Vec<Option<String>> = reasons
        .map(|reason| reason.code().map(str::to_owned))
        .collect();
    let is_of_others = |code: &Option<String>| {
        matches!(
            code.as_deref(),
            Some("ConditionalCheckFailed" | "TransactionConflict")
        )
    };
    codes.iter().any(is_of_others).then_some(codes)
}

/// Whether this write was refused by what is stored.
pub(super) fn is_refused(codes: &[Option<String>], at: usize) -> bool {
    let code = codes.get(at).and_then(Option::as_deref);
    code == Some("ConditionalCheckFailed")
}
