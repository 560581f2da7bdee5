//! The ledger as it is read, and its closed days: what stands on each account at the end of a day is kept, so that balances are the
//! last close and what came since.
//!
//! ```text
//! <yyyy-mm-dd>#<0 to 7>, <transaction>    a transaction, put once, see `Ledger`
//! close, <yyyy-mm-dd>                     what stood on each account at the end of that day, put once
//! close, 0                                where the closes begin, put once, before the first transaction
//! ```

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;

use super::item::{Item, Reader, s};
use super::{StoreError, Table};
use domain::id::ORDER_SHARDS;
use domain::order::day::BookDay;
use domain::order::ledger::Balances;
use domain::order::record::BookedEntry;
use domain::time::Timestamp;
use runtime::config::Env;
use serde::Serialize;

pub(super) const DAY: &str = "day";
pub(super) const TRANSACTION: &str = "transaction";
pub(super) const ENTRIES: &str = "entries";
pub(super) const AT: &str = "at";
const BALANCES: &str = "balances";
/// The partition of the closes.
const CLOSE: &str = "close";
/// The key of where the closes begin, which sorts before every day.
const BEGINNING: &str = "0";
/// How long before the first transaction the closes begin: others may have been decided before it that are booked later.
const BEFORE_FIRST: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many transactions are read at once to be added up.
const PAGE: usize = 1_000;

/// The table of the ledger.
pub(super) fn books_table(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Table {
    Table::from_env(client, env, "Ledger", "LEDGER_TABLE")
}

/// Keeps where the closes begin, unless that is known: before the first transaction, which was decided at `first`. Durable
/// on return.
pub(super) async fn begin_closes(table: &Table, first: Timestamp) -> Result<(), StoreError> {
    let begin = first.minus(BEFORE_FIRST);
    put_close(table, BEGINNING, &Balances::default(), begin).await
}

/// Puts a close, unless there is one under this key.
async fn put_close(
    table: &Table,
    key: &str,
    balances: &Balances,
    at: Timestamp,
) -> Result<(), StoreError> {
    let balances = serde_json::to_string(balances).map_err(|_| table.malformed(BALANCES))?;
    let put = table.client.put_item().table_name(&table.name);
    let put = put
        .item(DAY, s(CLOSE))
        .item(TRANSACTION, s(key))
        .item(BALANCES, s(balances))
        .item(AT, s(at))
        .condition_expression("attribute_not_exists(#day)")
        .expression_attribute_names("#day", DAY)
        .send()
        .await;
    match put {
        Ok(_) => Ok(()),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(table.fault("PutItem of a close")(error)),
        },
    }
}

/// The ledger, to read it and to close its days.
#[derive(Clone)]
pub struct Books(Table);

/// A transaction as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BookedTransaction {
    /// `<orderId>#<version>`.
    #[serde(rename = "transaction")]
    pub id: String,
    /// When it was decided.
    pub at: Timestamp,
    /// Its entries.
    pub entries: Vec<BookedEntry>,
}

/// What stood on each account when a day was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The day.
    pub day: BookDay,
    /// What stood on the accounts.
    pub balances: Balances,
}

/// What stands on each account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialBalance {
    /// The last day that is closed.
    pub closed: BookDay,
    /// That close, and what was booked since.
    pub balances: Balances,
}

/// Some transactions of a day.
#[derive(Debug)]
pub struct LedgerPage {
    /// The transactions.
    pub transactions: Vec<BookedTransaction>,
    /// Where the next page begins, if there may be more.
    pub next: Option<String>,
}

impl Books {
    /// The table `Ledger`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(books_table(client, env))
    }

    /// The last close, or where the closes begin. As long as nothing was ever booked, an empty one of yesterday.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn last_close(&self, now: Timestamp) -> Result<Close, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .key_condition_expression("#day = :close")
            .expression_attribute_names("#day", DAY)
            .expression_attribute_values(":close", s(CLOSE))
            .scan_index_forward(false)
            .limit(1)
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("Query of the last close"))?;
        let Some(item) = answer.items.unwrap_or_default().into_iter().next() else {
            return Ok(Close {
                day: BookDay::of(now).before(),
                balances: Balances::default(),
            });
        };
        let reader = self.reader(&item);
        let balances = serde_json::from_str(reader.text(BALANCES)?);
        Ok(Close {
            day: match reader.text(TRANSACTION)? {
                BEGINNING => BookDay::of(reader.parsed(AT)?),
                _ => reader.parsed(TRANSACTION)?,
            },
            balances: balances.map_err(|_| self.0.malformed(BALANCES))?,
        })
    }

    /// Keeps a close, unless there is one of its day. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn close(&self, close: &Close, now: Timestamp) -> Result<(), StoreError> {
        let (day, balances) = (close.day.to_string(), &close.balances);
        put_close(&self.0, &day, balances, now).await
    }

    /// Books all transactions of a day on `balances` (1 read unit for each 4 KB).
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read, or an entry is not as this version writes it.
    pub async fn add_day(&self, day: BookDay, balances: &mut Balances) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.page(day, after.as_deref(), PAGE).await?;
            for entry in page.transactions.iter().flat_map(|of| &of.entries) {
                let account = entry.account.parse();
                let account = account.map_err(|_| self.0.malformed(ENTRIES))?;
                balances
                    .book(account, &entry.currency, entry.amount)
                    .map_err(|_| self.0.malformed(ENTRIES))?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// What stands on each account now.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn trial_balance(&self, now: Timestamp) -> Result<TrialBalance, StoreError> {
        let Close { day, mut balances } = self.last_close(now).await?;
        let (mut next, today) = (day.next(), BookDay::of(now));
        while next <= today {
            self.add_day(next, &mut balances).await?;
            next = next.next();
        }
        Ok(TrialBalance {
            closed: day,
            balances,
        })
    }

    /// Up to `limit` transactions of a day, behind the place where an earlier page ended.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn page(
        &self,
        day: BookDay,
        after: Option<&str>,
        limit: usize,
    ) -> Result<LedgerPage, StoreError> {
        let (first, mut after) = match after.and_then(|after| after.split_once('#')) {
            Some((shard, id)) => (shard.parse().unwrap_or(ORDER_SHARDS), Some(id.to_owned())),
            None => (0, None),
        };
        let mut transactions: Vec<BookedTransaction> = Vec::new();
        for shard in first..ORDER_SHARDS {
            loop {
                let left = limit.saturating_sub(transactions.len());
                if left == 0 {
                    let next = format!("{shard}#{}", after.as_deref().unwrap_or_default());
                    let next = Some(next);
                    return Ok(LedgerPage { transactions, next });
                }
                let (found, is_more) = self.some(day, shard, after.as_deref(), left).await?;
                after = found.last().map(|last| last.id.clone());
                transactions.extend(found);
                if !is_more || after.is_none() {
                    break;
                }
            }
            after = None;
        }
        Ok(LedgerPage {
            transactions,
            next: None,
        })
    }

    /// Some transactions of one part of a day, and whether there may be more behind them.
    async fn some(
        &self,
        day: BookDay,
        shard: u8,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<BookedTransaction>, bool), StoreError> {
        // Every id comes after the empty text, which is no value of a key.
        let after = after.filter(|after| !after.is_empty()).unwrap_or(" ");
        let part = format!("{day}#{shard}");
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .key_condition_expression("#day = :day AND #transaction > :after")
            .expression_attribute_names("#day", DAY)
            .expression_attribute_names("#transaction", TRANSACTION)
            .expression_attribute_values(":day", s(part))
            .expression_attribute_values(":after", s(after))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("Query of the ledger"))?;
        let is_more = answer.last_evaluated_key.is_some();
        let items = answer.items.unwrap_or_default();
        let found: Result<Vec<_>, _> = items.iter().map(|item| self.read(item)).collect();
        Ok((found?, is_more))
    }

    fn read(&self, item: &Item) -> Result<BookedTransaction, StoreError> {
        let reader = self.reader(item);
        let entries = serde_json::from_str(reader.text(ENTRIES)?);
        Ok(BookedTransaction {
            id: reader.text(TRANSACTION)?.to_owned(),
            at: reader.parsed(AT)?,
            entries: entries.map_err(|_| self.0.malformed(ENTRIES))?,
        })
    }

    const fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.0,
            item,
        }
    }
}
