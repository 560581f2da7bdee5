//! Payouts, in the table of payables: rows move into a payout and back, and each step of one is one transaction with what it books.
//!
//! ```text
//! <payee>#<currency>, open#<availableAt>#<transaction>    a row that is due
//! <payee>#<currency>, <payoutId>#<availableAt>#<transaction>    a row of a payout
//! account, <payee>#<currency>                             where the payee is paid
//! payout#open, payout#over; <payoutId>                    a payout
//! payout#address, <mark>                                  whose address the payee is asked of
//! payout#approved, <day>#<currency>                       what was approved on a day
//! ```

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};

use super::books::{AT, DAY, ENTRIES, TRANSACTION, books_table};
use super::item::{Item, n, s};
use super::ledger::{AMOUNT, PAYEE, ROW};
use super::payees::{Payees, REVISION};
use super::{StoreError, Table};
use domain::order::day::BookDay;
use domain::order::record::BookedEntry;
use domain::payout::{ApprovedOfDay, PayableRow, Payout, PayoutAccount, PayoutId};
use domain::time::Timestamp;
use runtime::config::Env;

/// The partitions of payouts that are not over, and that are.
const OPEN_PAYOUTS: &str = "payout#open";
const OVER_PAYOUTS: &str = "payout#over";
/// The partition of what was approved, by day.
const APPROVED: &str = "payout#approved";
/// What the keys of rows begin with that are in no payout.
const OPEN_ROWS: &str = "open";
/// How many rows move at once: each is two of the hundred writes of a transaction.
pub const ROWS_TOGETHER: usize = 49;

/// Payouts.
#[derive(Clone)]
pub struct Payouts {
    payees: Payees,
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
    /// What was approved on the day, as it is to be, if that is bounded and this adds to it.
    pub approved: Option<&'a ApprovedOfDay>,
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
            payees: Payees::from_env(client, env),
            ledger: books_table(client.clone(), env),
        }
    }

    /// What was approved in a currency on the day of `now`.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn approved_of_day(
        &self,
        currency: &str,
        now: Timestamp,
    ) -> Result<ApprovedOfDay, StoreError> {
        let none = ApprovedOfDay::new(currency, now);
        let found = self.payees.record(APPROVED, &day_row(&none)).await?;
        Ok(found.unwrap_or(none))
    }

    /// A payout.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, id: &PayoutId) -> Result<Option<Payout>, StoreError> {
        let row = id.to_string();
        // It moves once, from the first to the second.
        match self.payees.record(OPEN_PAYOUTS, &row).await? {
            Some(payout) => Ok(Some(payout)),
            None => self.payees.record(OVER_PAYOUTS, &row).await,
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
        self.payees.records(partition(is_over), after, limit).await
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
        self.payees.commit(writes).await
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
            approved,
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
            writes.push(put(self.payees.put_account(account)?));
        }
        if let Some(approved) = approved {
            writes.push(put(self.put_approved(approved)?));
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
                .table_name(&self.payees.payables.name)
                .key(PAYEE, payee())
                .key(ROW, s(format_args!("{from}#{}", row.key)))
                .condition_expression("#amount = :amount")
                .expression_attribute_names("#amount", AMOUNT)
                .expression_attribute_values(":amount", s(row.amount))
                .build();
            writes.push(gone.map(|gone| TransactWriteItem::builder().delete(gone).build()));
            let there = Put::builder()
                .table_name(&self.payees.payables.name)
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
        self.payees.put(place, &next, (next.revision, is_new))
    }

    fn delete_open(&self, after: &Payout) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder()
            .table_name(&self.payees.payables.name)
            .key(PAYEE, s(OPEN_PAYOUTS))
            .key(ROW, s(&after.id))
            .condition_expression("#revision = :read")
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_values(":read", n(after.revision))
            .build();
        delete.map(|delete| TransactWriteItem::builder().delete(delete).build())
    }

    fn put_approved(
        &self,
        approved: &ApprovedOfDay,
    ) -> Result<Result<Put, BuildError>, StoreError> {
        let next = ApprovedOfDay {
            revision: approved.revision.saturating_add(1),
            ..approved.clone()
        };
        let is_new = approved.revision == 0;
        self.payees
            .put((APPROVED, day_row(&next)), &next, (next.revision, is_new))
    }

    async fn rows(
        &self,
        payee: &str,
        currency: &str,
        place: &str,
    ) -> Result<Vec<PayableRow>, StoreError> {
        let pages = self
            .payees
            .payables
            .client
            .query()
            .table_name(&self.payees.payables.name)
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
        let items = items.map_err(self.payees.payables.fault("Query of payables"))?;
        items.iter().map(|item| self.row(item)).collect()
    }

    fn row(&self, item: &Item) -> Result<PayableRow, StoreError> {
        let reader = self.payees.reader(item);
        let malformed = || self.payees.payables.malformed(ROW);
        let (_, key) = reader.text(ROW)?.split_once('#').ok_or_else(malformed)?;
        let (available_at, _) = key.split_once('#').ok_or_else(malformed)?;
        Ok(PayableRow {
            key: key.to_owned(),
            amount: reader.parsed(AMOUNT)?,
            available_at: available_at.parse().map_err(|_| malformed())?,
        })
    }
}

fn day_row(approved: &ApprovedOfDay) -> String {
    format!("{}#{}", approved.day, approved.currency)
}

const fn partition(is_over: bool) -> &'static str {
    match is_over {
        true => OVER_PAYOUTS,
        false => OPEN_PAYOUTS,
    }
}
