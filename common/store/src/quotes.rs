//! The table of quotes: prices that were promised, and the reference rates that prices are converted with.
//!
//! ```text
//! <quoteId>            a quote, as JSON; kept for a day, longer than it holds
//! rate#<from>#<to>     the rate from one currency to another, who says so, and of when it is
//! ```

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;

use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::money::pricing::ExchangeRate;
use domain::product::Currency;
use domain::quote::{Quote, QuoteId, ReferenceRate};
use runtime::config::Env;

const QUOTE_ID: &str = "quoteId";
const QUOTE: &str = "quote";
const FROM: &str = "from";
const TO: &str = "to";
const SOURCE: &str = "source";
const AS_OF: &str = "asOf";
const EXPIRES_AT: &str = "expiresAt";

/// How long a quote is kept: longer than it holds, so that who comes late is told that it ended.
const QUOTE_KEPT: Duration = Duration::from_secs(2 * 24 * 3600);
/// How long a rate is kept that no later one took the place of.
const RATE_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// The table of quotes.
#[derive(Clone)]
pub struct Quotes(Table);

impl Quotes {
    /// The table `Quotes`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Quotes", "QUOTES_TABLE"))
    }

    /// Keeps a quote, whose id is random. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; keeping it again is harmless.
    pub async fn put(&self, quote: &Quote) -> Result<(), StoreError> {
        // Strings and numbers under names that are known: it can't fail.
        let text = serde_json::to_string(quote).unwrap_or_default();
        let call = self.0.client.put_item().table_name(&self.0.name);
        call.item(QUOTE_ID, s(quote.id))
            .item(QUOTE, s(text))
            .item(EXPIRES_AT, n(quote.created_at.plus(QUOTE_KEPT).seconds()))
            .send()
            .await
            .map_err(self.0.fault("PutItem of a quote"))?;
        Ok(())
    }

    /// A quote, as it was promised (1 read unit for each 4 KB). It may have ended.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, id: QuoteId) -> Result<Option<Quote>, StoreError> {
        let Some(item) = self.item(&id.to_string()).await? else {
            return Ok(None);
        };
        let quote = serde_json::from_str(self.reader(&item).text(QUOTE)?);
        quote.map(Some).map_err(|_| self.0.malformed(QUOTE))
    }

    /// The reference rate from one currency to another, however old; nothing if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn rate(
        &self,
        from: &Currency,
        to: &Currency,
    ) -> Result<Option<ReferenceRate>, StoreError> {
        let Some(item) = self.item(&rate_key(from, to)).await? else {
            return Ok(None);
        };
        let reader = self.reader(&item);
        Ok(Some(ReferenceRate {
            rate: ExchangeRate {
                from: reader.parsed(FROM)?,
                to: reader.parsed(TO)?,
            },
            source: reader.text(SOURCE)?.to_owned(),
            as_of: reader.parsed(AS_OF)?,
        }))
    }

    /// Keeps a reference rate, unless one is kept that is as late. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; keeping it again is harmless.
    pub async fn put_rate(
        &self,
        from: &Currency,
        to: &Currency,
        rate: &ReferenceRate,
    ) -> Result<(), StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        let put = call
            .item(QUOTE_ID, s(rate_key(from, to)))
            .item(FROM, s(rate.rate.from))
            .item(TO, s(rate.rate.to))
            .item(SOURCE, s(&rate.source))
            .item(AS_OF, s(rate.as_of))
            .item(EXPIRES_AT, n(rate.as_of.plus(RATE_KEPT).seconds()))
            .condition_expression("attribute_not_exists(quoteId) OR asOf < :asOf")
            .expression_attribute_values(":asOf", s(rate.as_of))
            .send()
            .await;
        let Err(error) = put else {
            return Ok(());
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(self.0.fault("PutItem of a rate")(error)),
        }
    }

    async fn item(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let call = call.key(QUOTE_ID, s(key)).consistent_read(true).send();
        Ok(call.await.map_err(self.0.fault("GetItem of a quote"))?.item)
    }

    fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.0,
            item,
        }
    }
}

fn rate_key(from: &Currency, to: &Currency) -> String {
    format!("rate#{from}#{to}")
}
