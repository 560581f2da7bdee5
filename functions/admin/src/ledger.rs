//! The books: what was booked on a day, and what stands on each account.

use bytes::Bytes;
use domain::id::ORDER_SHARDS;
use domain::order::day::BookDay;
use http::Response;
use runtime::response::{Refusal, Rejection};
use serde::Serialize;
use serde_json::{Value, json};
use store::{BookedTransaction, LedgerPage};

use crate::file::{self, field};
use crate::{App, unavailable};

/// The path of what was booked on a day: a call whose answer is always a file.
pub(crate) const TRANSACTIONS: &str = "/v1/admin/ledger/transactions";
/// How many transactions one call answers.
const SHOWN: usize = 500;
const AFTER_MAX_BYTES: usize = 200;

/// How transactions are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A line of JSON each.
    JsonLines,
    /// A line of CSV for each entry.
    Csv,
}

impl Format {
    const fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// What `transactions` is asked.
struct Asked {
    day: BookDay,
    format: Format,
    after: Option<String>,
}

/// The transactions of a day, in an order that stays; the header `Link` leads to the next page.
pub(crate) async fn transactions(app: &App, query: &str) -> Result<Response<Bytes>, Refusal> {
    let Asked { day, format, after } = read(query)?;
    let page = app.books.page(day, after.as_deref(), SHOWN).await;
    let LedgerPage { transactions, next } = page.map_err(unavailable)?;
    let (content_type, text) = match format {
        Format::JsonLines => ("application/x-ndjson", json_lines(day, &transactions)),
        Format::Csv => {
            let is_first = after.is_none();
            ("text/csv; charset=utf-8", csv(day, &transactions, is_first))
        }
    };
    let next = next.map(|next| {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("day", &day.to_string())
            .append_pair("format", format.as_str())
            .append_pair("after", &next)
            .finish()
    });
    Ok(file::answer(content_type, text, next))
}

/// What stands on each account: the last close and what was booked since.
pub(crate) async fn accounts(app: &App) -> Result<Value, Refusal> {
    let trial = app.books.trial_balance(app.clock.now()).await;
    let trial = trial.map_err(unavailable)?;
    let sums = trial.balances.sums().map_err(unavailable)?;
    let is_balanced = sums.values().all(|sum| *sum == 0);
    let sums: serde_json::Map<String, Value> = sums
        .into_iter()
        .map(|(currency, sum)| (currency.to_owned(), amount(sum)))
        .collect();
    let accounts: Vec<Value> = trial
        .balances
        .iter()
        .map(|(account, currency, balance)| {
            json!({"account": account.to_string(), "currency": currency, "balance": amount(balance)})
        })
        .collect();
    Ok(json!({
        "closedDay": trial.closed.to_string(),
        "accounts": accounts,
        "sums": sums,
        "isBalanced": is_balanced,
    }))
}

fn read(query: &str) -> Result<Asked, Refusal> {
    let (mut day, mut format, mut after) = (None, Format::JsonLines, None);
    let refused = || {
        let why = "Ask for a day, such as ?day=2026-11-28; with format=csv or jsonl, and after as the header Link has it.";
        Refusal::saying(Rejection::InvalidQuery, why)
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "day" => day = Some(value.parse().map_err(|_| refused())?),
            "format" => {
                let formats = [Format::JsonLines, Format::Csv];
                let known = formats.into_iter().find(|format| format.as_str() == value);
                format = known.ok_or_else(refused)?;
            }
            "after" => {
                let shard = value.split_once('#').map(|(shard, _)| shard.parse::<u8>());
                let is_place = value.len() <= AFTER_MAX_BYTES
                    && shard.is_some_and(|shard| shard.is_ok_and(|shard| shard < ORDER_SHARDS));
                after = Some(value.into_owned()).filter(|_| is_place);
                if after.is_none() {
                    return Err(refused());
                }
            }
            _ => return Err(refused()),
        }
    }
    let day = day.ok_or_else(refused)?;
    Ok(Asked { day, format, after })
}

/// A transaction as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    day: String,
    #[serde(flatten)]
    transaction: &'a BookedTransaction,
}

fn json_lines(day: BookDay, transactions: &[BookedTransaction]) -> String {
    let lines = transactions.iter().map(|transaction| {
        let day = day.to_string();
        // Text and numbers under names that are known: it can't fail.
        let mut line = serde_json::to_string(&Line { day, transaction }).unwrap_or_default();
        line.push('\n');
        line
    });
    lines.collect()
}

/// A line for each entry, by RFC 4180; the names of the columns stand above the first page.
fn csv(day: BookDay, transactions: &[BookedTransaction], is_first: bool) -> String {
    let mut text = String::new();
    if is_first {
        text.push_str("day,transaction,at,account,currency,amount\r\n");
    }
    for BookedTransaction { id, at, entries } in transactions {
        for entry in entries {
            let account = field(&entry.account);
            let currency = field(&entry.currency);
            text.push_str(&format!(
                "{day},{id},{at},{account},{currency},{}\r\n",
                entry.amount
            ));
        }
    }
    text
}

/// An amount as JSON: a number, or its text if no number of JSON holds it for sure.
pub(crate) fn amount(amount: i128) -> Value {
    const SAFE: i128 = 9_007_199_254_740_991;
    match i64::try_from(amount) {
        Ok(number) if (-SAFE..=SAFE).contains(&amount) => number.into(),
        _ => amount.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use domain::order::record::BookedEntry;

    use super::*;

    fn booked(account: &str, amount: i128) -> BookedTransaction {
        BookedTransaction {
            id: "o#1".to_owned(),
            at: domain::time::Timestamp::from_seconds(0),
            entries: vec![BookedEntry {
                account: account.to_owned(),
                currency: "usd".to_owned(),
                amount,
            }],
        }
    }

    #[test]
    fn an_account_with_a_strange_name_is_one_field_and_no_formula() {
        let day = BookDay::of(domain::time::Timestamp::from_seconds(0));
        let rows = [booked("owner:o1", -2910), booked("=2+\",\"", i128::MAX)];
        assert_eq!(
            csv(day, &rows, true),
            "day,transaction,at,account,currency,amount\r\n\
             1970-01-01,o#1,1970-01-01T00:00:00.000Z,owner:o1,usd,-2910\r\n\
             1970-01-01,o#1,1970-01-01T00:00:00.000Z,\"'=2+\"\",\"\"\",usd,170141183460469231731687303715884105727\r\n"
        );
    }

    #[test]
    fn an_amount_that_no_number_holds_for_sure_is_a_text() {
        assert_eq!(amount(-2910), json!(-2910));
        assert_eq!(amount(9_007_199_254_740_992), json!("9007199254740992"));
        assert_eq!(amount(i128::MIN), json!(i128::MIN.to_string()));
    }
}
