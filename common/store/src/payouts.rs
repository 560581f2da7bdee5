//! Payouts, in the table of payables: rows move into a payout and back, and each step of one is one transaction with what it books.
//!
//! ```text
//! <payee>#<currency>, open#<availableAt>#<transaction>    a row that is due
//! <payee>#<currency>, <payoutId>#<availableAt>#<transaction>    a row of a payout
//! account, <payee>#<currency>                             where the payee is paid
//! payout#open, payout#over; <payoutId>                    a payout
//! ```

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::books::{AT, DAY, ENTRIES, TRANSACTION, books_table};
use super::item::{Item, Reader, n, s};
use super::ledger::{AMOUNT, PAYEE, ROW, payables_table};
use super::{StoreError, Table};
use domain::order::day::BookDay;
use domain::order::record::BookedEntry;
use domain::payout::{PayableRow, Payout, PayoutAccount, PayoutId};
use domain::time::Timestamp;
use runtime::config::Env;

const RECORD: &str = "record";
const REVISION: &str = "revision";
/// The partition of the accounts.
const ACCOUNT: &str = "account";
/// The partitions of payouts that are not over, and that are.
const OPEN_PAYOUTS: &str = "payout#open";
const OVER_PAYOUTS: &str = "payout#over";
/// What the keys of rows begin with that are in no payout.
const OPEN_ROWS: &str = "open";
/// How many rows move at once: each is two of the hundred writes of a transaction.
pub const ROWS_TOGETHER: usize = 49;

/// Payouts and the accounts of payees.
#[derive(Clone)]
pub struct Payouts {
    payables: Table,
    ledger: Table,
}

/// One step of a payout.
#[derive(Debug)]
pub struct PayoutStep<'a> {
    /// The payout as it was read; nothing if it begins.
    pub before: Option<&'a Payout>,
    /// The payout as it is to be.
    pub after: &'a Payout,
    /// Its account as it is to be, if it was read with the payout and changes, or must not change meanwhile.
    pub account: Option<&'a PayoutAccount>,
    /// Rows that move.
    pub rows: RowMove<'a>,
}

/// Rows that move, [`ROWS_TOGETHER`] at most.
#[derive(Clone, Copy, Debug)]
pub enum RowMove<'a> {
    /// Into the payout.
    In(&'a [&'a PayableRow]),
    /// Out of the payout.
    Out(&'a [&'a PayableRow]),
}

impl Payouts {
    /// The tables `Payables` and `Ledger`.
    pub fn from_env(client: &aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self {
            payables: payables_table(client.clone(), env),
            ledger: books_table(client.clone(), env),
        }
    }

    /// Where a payee is paid in a currency.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn account(
        &self,
        payee: &str,
        currency: &str,
    ) -> Result<Option<PayoutAccount>, StoreError> {
        self.record(ACCOUNT, &format!("{payee}#{currency}")).await
    }

    /// Accounts of payees, by payee, behind one.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn accounts(
        &self,
        after: Option<&str>,
        limit: i32,
    ) -> Result<Vec<PayoutAccount>, StoreError> {
        self.records(ACCOUNT, after, limit).await
    }

    /// Writes an account, unless it was written since it was read; the first has the revision 0. Durable if so.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn write_account(&self, account: &PayoutAccount) -> Result<bool, StoreError> {
        let put = self.put_account(account)?;
        let put = put.map(|put| vec![TransactWriteItem::builder().put(put).build()]);
        self.commit(put).await
    }

    /// A payout.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, id: &PayoutId) -> Result<Option<Payout>, StoreError> {
        let row = id.to_string();
        // It moves once, from the first to the second.
        match self.record(OPEN_PAYOUTS, &row).await? {
            Some(payout) => Ok(Some(payout)),
            None => self.record(OVER_PAYOUTS, &row).await,
        }
    }

    /// Payouts that are over, or are not, by id, behind one.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn list(
        &self,
        is_over: bool,
        after: Option<&str>,
        limit: i32,
    ) -> Result<Vec<Payout>, StoreError> {
        self.records(partition(is_over), after, limit).await
    }

    /// The rows of a payee that are in no payout, the longest available first.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn open_rows(
        &self,
        payee: &str,
        currency: &str,
    ) -> Result<Vec<PayableRow>, StoreError> {
        self.rows(payee, currency, OPEN_ROWS).await
    }

    /// The rows of a payout.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn rows_of(&self, payout: &Payout) -> Result<Vec<PayableRow>, StoreError> {
        let id = payout.id.to_string();
        self.rows(&payout.payee, &payout.currency, &id).await
    }

    /// Does one step, unless the payout, its account or a row is not as it was read. Durable if so.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told: read the payout anew.
    pub async fn step(&self, step: &PayoutStep<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let writes = self.writes(step, now)?;
        self.commit(writes).await
    }

    fn writes(
        &self,
        step: &PayoutStep<'_>,
        now: Timestamp,
    ) -> Result<Result<Vec<TransactWriteItem>, BuildError>, StoreError> {
        let PayoutStep {
            before,
            after,
            account,
            rows,
        } = *step;
        let put = |put: Result<Put, BuildError>| {
            put.map(|put| TransactWriteItem::builder().put(put).build())
        };
        let mut writes = vec![put(self.put_payout(before, after)?)];
        if after.state.is_over() {
            writes.push(self.delete_open(after));
        }
        if let Some(account) = account {
            writes.push(put(self.put_account(account)?));
        }
        let entries = before.map(|before| after.entries(before));
        if let Some(entries) = entries.filter(|entries| !entries.is_empty()) {
            let entries: Vec<BookedEntry> = entries.into_iter().map(BookedEntry::from).collect();
            let text = serde_json::to_string(&entries);
            let text = text.map_err(|_| self.ledger.malformed(ENTRIES))?;
            let state = after.state.as_str();
            let booked = Put::builder()
                .table_name(&self.ledger.name)
                .item(DAY, s(format_args!("{}#0", BookDay::of(now))))
                .item(TRANSACTION, s(format_args!("{}#{state}", after.id)))
                .item(ENTRIES, s(text))
                .item(AT, s(now))
                .condition_expression("attribute_not_exists(#day)")
                .expression_attribute_names("#day", DAY)
                .build();
            writes.push(put(booked));
        }
        let id = after.id.to_string();
        let (moved, from, to) = match rows {
            RowMove::In(moved) => (moved, OPEN_ROWS, id.as_str()),
            RowMove::Out(moved) => (moved, id.as_str(), OPEN_ROWS),
        };
        let payee = || s(format_args!("{}#{}", after.payee, after.currency));
        for row in moved {
            let gone = Delete::builder()
                .table_name(&self.payables.name)
                .key(PAYEE, payee())
                .key(ROW, s(format_args!("{from}#{}", row.key)))
                .condition_expression("#amount = :amount")
                .expression_attribute_names("#amount", AMOUNT)
                .expression_attribute_values(":amount", s(row.amount))
                .build();
            writes.push(gone.map(|gone| TransactWriteItem::builder().delete(gone).build()));
            let there = Put::builder()
                .table_name(&self.payables.name)
                .item(PAYEE, payee())
                .item(ROW, s(format_args!("{to}#{}", row.key)))
                .item(AMOUNT, s(row.amount))
                .item(AT, s(now))
                .condition_expression("attribute_not_exists(#payee)")
                .expression_attribute_names("#payee", PAYEE)
                .build();
            writes.push(put(there));
        }
        Ok(writes.into_iter().collect())
    }

    /// The payout in its partition, if it was not written since.
    fn put_payout(
        &self,
        before: Option<&Payout>,
        after: &Payout,
    ) -> Result<Result<Put, BuildError>, StoreError> {
        let next = Payout {
            revision: after.revision.saturating_add(1),
            ..after.clone()
        };
        let place = (partition(after.state.is_over()), after.id.to_string());
        // What is over was deleted from where it stood, under the same condition.
        let is_new = before.is_none() || after.state.is_over();
        self.put(place, &next, (next.revision, is_new))
    }

    fn delete_open(&self, after: &Payout) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder()
            .table_name(&self.payables.name)
            .key(PAYEE, s(OPEN_PAYOUTS))
            .key(ROW, s(&after.id))
            .condition_expression("#revision = :read")
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_values(":read", n(after.revision))
            .build();
        delete.map(|delete| TransactWriteItem::builder().delete(delete).build())
    }

    fn put_account(&self, account: &PayoutAccount) -> Result<Result<Put, BuildError>, StoreError> {
        let next = PayoutAccount {
            revision: account.revision.saturating_add(1),
            ..account.clone()
        };
        let row = format!("{}#{}", account.payee, account.currency);
        let is_new = account.revision == 0;
        self.put((ACCOUNT, row), &next, (next.revision, is_new))
    }

    fn put(
        &self,
        (partition, row): (&str, String),
        record: &impl Serialize,
        (revision, is_new): (u64, bool),
    ) -> Result<Result<Put, BuildError>, StoreError> {
        let text = serde_json::to_string(record);
        let text = text.map_err(|_| self.payables.malformed(RECORD))?;
        let put = Put::builder()
            .table_name(&self.payables.name)
            .item(PAYEE, s(partition))
            .item(ROW, s(row))
            .item(RECORD, s(text))
            .item(REVISION, n(revision))
            .expression_attribute_names("#revision", REVISION);
        Ok(match is_new {
            true => put.condition_expression("attribute_not_exists(#revision)"),
            false => put
                .condition_expression("#revision = :read")
                .expression_attribute_values(":read", n(revision.saturating_sub(1))),
        }
        .build())
    }

    async fn commit(
        &self,
        writes: Result<Vec<TransactWriteItem>, BuildError>,
    ) -> Result<bool, StoreError> {
        let operation = "TransactWriteItems of a payout";
        let writes = writes
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.payables.fault(operation))?;
        let call = self.payables.client.transact_write_items();
        let Err(error) = call.set_transact_items(Some(writes)).send().await else {
            return Ok(true);
        };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            let reasons = cancelled.cancellation_reasons().iter();
            let is_changed =
                |code| matches!(code, "ConditionalCheckFailed" | "TransactionConflict");
            if reasons.filter_map(|reason| reason.code()).any(is_changed) {
                return Ok(false);
            }
        }
        Err(self.payables.fault(operation)(error))
    }

    async fn record<T: DeserializeOwned>(
        &self,
        partition: &str,
        row: &str,
    ) -> Result<Option<T>, StoreError> {
        let call = self.payables.client.get_item();
        let answer = call
            .table_name(&self.payables.name)
            .key(PAYEE, s(partition))
            .key(ROW, s(row))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.payables.fault("GetItem of a payout"))?;
        answer.item.map(|item| self.read(&item)).transpose()
    }

    async fn records<T: DeserializeOwned>(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: i32,
    ) -> Result<Vec<T>, StoreError> {
        let call = self.payables.client.query();
        let answer = call
            .table_name(&self.payables.name)
            .key_condition_expression("#payee = :payee AND #row > :after")
            .expression_attribute_names("#payee", PAYEE)
            .expression_attribute_names("#row", ROW)
            .expression_attribute_values(":payee", s(partition))
            .expression_attribute_values(":after", s(after.unwrap_or(" ")))
            .limit(limit)
            .consistent_read(true)
            .send()
            .await
            .map_err(self.payables.fault("Query of payouts"))?;
        let items = answer.items.unwrap_or_default();
        items.iter().map(|item| self.read(item)).collect()
    }

    async fn rows(
        &self,
        payee: &str,
        currency: &str,
        place: &str,
    ) -> Result<Vec<PayableRow>, StoreError> {
        let pages = self
            .payables
            .client
            .query()
            .table_name(&self.payables.name)
            .key_condition_expression("#payee = :payee AND begins_with(#row, :place)")
            .expression_attribute_names("#payee", PAYEE)
            .expression_attribute_names("#row", ROW)
            .expression_attribute_values(":payee", s(format_args!("{payee}#{currency}")))
            .expression_attribute_values(":place", s(format_args!("{place}#")))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let items: Result<Vec<Item>, _> = pages.collect().await;
        let items = items.map_err(self.payables.fault("Query of payables"))?;
        items.iter().map(|item| self.row(item)).collect()
    }

    fn row(&self, item: &Item) -> Result<PayableRow, StoreError> {
        let reader = self.reader(item);
        let malformed = || self.payables.malformed(ROW);
        let (_, key) = reader.text(ROW)?.split_once('#').ok_or_else(malformed)?;
        let (available_at, _) = key.split_once('#').ok_or_else(malformed)?;
        Ok(PayableRow {
            key: key.to_owned(),
            amount: reader.parsed(AMOUNT)?,
            available_at: available_at.parse().map_err(|_| malformed())?,
        })
    }

    fn read<T: DeserializeOwned>(&self, item: &Item) -> Result<T, StoreError> {
        let reader = self.reader(item);
        serde_json::from_str(reader.text(RECORD)?).map_err(|_| self.payables.malformed(RECORD))
    }

    const fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.payables,
            item,
        }
    }
}

const fn partition(is_over: bool) -> &'static str {
    match is_over {
        true => OVER_PAYOUTS,
        false => OPEN_PAYOUTS,
    }
}
