//! The ledger and what payees are due by it: a transaction is one item that is never edited, put with its payables at once.

use std::sync::Arc;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

use super::books::{AT, DAY, ENTRIES, TRANSACTION, begin_closes, books_table};
use super::item::s;
use super::{StoreError, Table};
use domain::id::OrderId;
use domain::order::day::BookDay;
use domain::order::record::{BookedEntry, Payable};
use domain::time::Timestamp;
use runtime::config::Env;
use tokio::sync::OnceCell;

pub(super) const PAYEE: &str = "payee";
pub(super) const ROW: &str = "row";
pub(super) const AMOUNT: &str = "amount";

/// The table of payables.
pub(super) fn payables_table(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Table {
    Table::from_env(client, env, "Payables", "PAYABLES_TABLE")
}

/// The ledger, with the table of payables.
#[derive(Clone)]
pub struct Ledger {
    ledger: Table,
    payables: Table,
    /// It is known where the closes begin.
    has_begun: Arc<OnceCell<()>>,
}

/// A transaction of an order.
#[derive(Clone, Copy, Debug)]
pub struct Booking<'a> {
    /// The order.
    pub order: OrderId,
    /// The version of the order that it leads to.
    pub version: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Its entries.
    pub entries: &'a [BookedEntry],
    /// What payees are due by it.
    pub payables: &'a [Payable],
}

impl Ledger {
    /// The tables `Ledger` and `Payables`.
    pub fn from_env(client: &aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self {
            ledger: books_table(client.clone(), env),
            payables: payables_table(client.clone(), env),
            has_begun: Arc::default(),
        }
    }

    /// Books a transaction with its payables, unless it is booked. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn book(&self, booking: Booking<'_>) -> Result<(), StoreError> {
        let begin = || begin_closes(&self.ledger, booking.at);
        self.has_begun.get_or_try_init(begin).await?;
        let operation = "TransactWriteItems to book";
        let writes = self
            .writes(booking)?
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.ledger.fault(operation))?;
        let call = self.ledger.client.transact_write_items();
        let Err(error) = call.set_transact_items(Some(writes)).send().await else {
            return Ok(());
        };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            // The transaction and its payables are put together: if the first is there, all are.
            let first = cancelled.cancellation_reasons().first();
            if first.and_then(|reason| reason.code()) == Some("ConditionalCheckFailed") {
                return Ok(());
            }
        }
        Err(self.ledger.fault(operation)(error))
    }

    fn writes(
        &self,
        booking: Booking<'_>,
    ) -> Result<Result<Vec<TransactWriteItem>, BuildError>, StoreError> {
        let Booking {
            order,
            version,
            at,
            entries,
            payables,
        } = booking;
        let id = format!("{order}#{version}");
        let text = serde_json::to_string(entries).map_err(|_| self.ledger.malformed(ENTRIES))?;
        let transaction = Put::builder()
            .table_name(&self.ledger.name)
            .item(
                DAY,
                s(format_args!("{}#{}", BookDay::of(at), order.shard())),
            )
            .item(TRANSACTION, s(&id))
            .item(ENTRIES, s(text))
            .item(AT, s(at))
            .condition_expression("attribute_not_exists(#day)")
            .expression_attribute_names("#day", DAY)
            .build();
        let rows = payables.iter().map(|payable| {
            Put::builder()
                .table_name(&self.payables.name)
                .item(
                    PAYEE,
                    s(format_args!("{}#{}", payable.payee, payable.currency)),
                )
                .item(ROW, s(format_args!("open#{}#{id}", payable.available_at)))
                .item(AMOUNT, s(payable.amount))
                .item(AT, s(at))
                .build()
        });
        let puts = std::iter::once(transaction).chain(rows);
        let writes = puts.map(|put| Ok(TransactWriteItem::builder().put(put?).build()));
        Ok(writes.collect())
    }
}
