//! Where payees are paid, in the table of payables, and the records beside them.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::item::{Item, Reader, n, s};
use super::ledger::{PAYEE, ROW, payables_table};
use super::{StoreError, Table};
use domain::payout::{AddressMark, PayoutAccount};
use runtime::config::Env;

const RECORD: &str = "record";
pub(super) const REVISION: &str = "revision";
/// The partition of the accounts.
const ACCOUNT: &str = "account";
/// The partition of what payees are asked.
const ADDRESSES: &str = "payout#address";

/// The accounts of payees.
#[derive(Clone)]
pub struct Payees {
    pub(super) payables: Table,
}

impl Payees {
    /// The table `Payables`.
    pub fn from_env(client: &aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self {
            payables: payables_table(client.clone(), env),
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
        self.record(ACCOUNT, &account_row(payee, currency)).await
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

    /// Writes an account, unless it was written since it was read; the first has the revision 0. With it what finds the account by
    /// its address's mark, for those who are asked. Durable if so.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn write_account(&self, account: &PayoutAccount) -> Result<bool, StoreError> {
        let mut puts = vec![self.put_account(account)?];
        if account.asked().next().is_some() {
            let of = Put::builder()
                .table_name(&self.payables.name)
                .item(PAYEE, s(ADDRESSES))
                .item(ROW, s(account.mark()))
                .item(ACCOUNT, s(account_row(&account.payee, &account.currency)));
            puts.push(of.build());
        }
        let write = |put: Result<Put, BuildError>| {
            put.map(|put| TransactWriteItem::builder().put(put).build())
        };
        let writes = puts.into_iter().map(write).collect();
        self.commit(writes).await
    }

    /// The account of whose address this is the mark; it may have another one by now.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn account_of(&self, mark: AddressMark) -> Result<Option<PayoutAccount>, StoreError> {
        match self.item(ADDRESSES, &mark.to_string()).await? {
            Some(item) => {
                let row = self.reader(&item).text(ACCOUNT)?.to_owned();
                self.record(ACCOUNT, &row).await
            }
            None => Ok(None),
        }
    }

    pub(super) fn put_account(
        &self,
        account: &PayoutAccount,
    ) -> Result<Result<Put, BuildError>, StoreError> {
        let next = PayoutAccount {
            revision: account.revision.saturating_add(1),
            ..account.clone()
        };
        let row = account_row(&account.payee, &account.currency);
        let is_new = account.revision == 0;
        self.put((ACCOUNT, row), &next, (next.revision, is_new))
    }

    pub(super) fn put(
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

    pub(super) async fn commit(
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

    pub(super) async fn record<T: DeserializeOwned>(
        &self,
        partition: &str,
        row: &str,
    ) -> Result<Option<T>, StoreError> {
        let item = self.item(partition, row).await?;
        item.map(|item| self.read(&item)).transpose()
    }

    pub(super) async fn item(
        &self,
        partition: &str,
        row: &str,
    ) -> Result<Option<Item>, StoreError> {
        let call = self.payables.client.get_item();
        let answer = call
            .table_name(&self.payables.name)
            .key(PAYEE, s(partition))
            .key(ROW, s(row))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.payables.fault("GetItem of a payout"))?;
        Ok(answer.item)
    }

    pub(super) async fn records<T: DeserializeOwned>(
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

    pub(super) fn read<T: DeserializeOwned>(&self, item: &Item) -> Result<T, StoreError> {
        let reader = self.reader(item);
        serde_json::from_str(reader.text(RECORD)?).map_err(|_| self.payables.malformed(RECORD))
    }

    pub(super) const fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.payables,
            item,
        }
    }
}

fn account_row(payee: &str, currency: &str) -> String {
    format!("{payee}#{currency}")
}
