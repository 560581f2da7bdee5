//! The table of the feed: what actors may read of the bot's updates, under numbers of its own (see `domain::feed`).
//!
//! ```text
//! append   take the next number        die here: the number is missing; readers bury it after 15 s
//!          write it and Updates.feedSeq, together or not at all
//!                                       die here: the update is sent again, and found to be in the feed
//!          not written: a tombstone, so that nobody waits for the number, and the next one
//!                                       die here: as with the first line; a write that arrives late finds the tombstone
//! ```
//!
//! One partition holds 1,000 numbers, so it takes what one partition of DynamoDB takes: some 200 updates a second.

use std::time::Duration;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::item::{Item, Reader, n, s};
use super::{BotInfos, StoreError, Table};
use domain::feed::subject::FeedTopic;
use domain::feed::{FeedItem, FeedUpdate};
use domain::id::{BotId, ChatId, FeedSeq};
use domain::time::Timestamp;
use runtime::config::Env;
use runtime::settings;
use runtime::telemetry::chain;
use tracing::{error, warn};

const FEED_KEY: &str = "block";
const SEQ: &str = "seq";
const AT: &str = "at";
const KIND: &str = "kind";
const TOPIC: &str = "topic";
const CHAT_ID: &str = "chatId";
const SENT_BY: &str = "sentBy";
const BODY: &str = "body";
const EXPIRES_AT: &str = "expiresAt";
const UPDATE_KEY: &str = "updateKey";
const FEED_SEQ: &str = "feedSeq";
/// How many numbers are taken for one update because a tombstone stood where it was to be, or another wrote beside it.
const TRIES: u32 = 8;
/// How long it is known at least that an update is in the feed: twice as long as Telegram sends it again.
const KNOWN: Duration = Duration::from_secs(48 * 3600);
/// The most that is waited before the next number is tried, in milliseconds, for each try before it.
const TRY_WAIT_MS: u64 = 40;
/// The most items of a page.
const PAGE: i32 = 200;

/// The table of the feed, as it is read.
#[derive(Clone)]
pub struct UpdateFeed {
    feed: Table,
    retention: Duration,
}

/// The table of the feed, as it is written.
#[derive(Clone)]
pub struct FeedWriter {
    feed: UpdateFeed,
    updates: Table,
    bots: BotInfos,
}

/// What became of an update under the number that was taken for it.
enum AppendEnd {
    /// It stands there.
    Written,
    /// It stands under this one already.
    Known(FeedSeq),
    /// A tombstone stands there, or another wrote beside it.
    Passed,
}

impl FeedWriter {
    /// The tables `UpdateFeed`, `Updates` and `Bots`, and `UPDATES_RETENTION_HOURS`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self {
            feed: UpdateFeed::from_env(client.clone(), env),
            updates: Table::from_env(client.clone(), env, "Updates", "UPDATES_TABLE"),
            bots: BotInfos::from_env(client, env),
        }
    }

    /// Writes an update into the feed of a bot, unless what `mark` calls is there: the update's number at Telegram, or what
    /// makes it one of several that tell the same. Answers its number. 1 write
    /// unit for the number and 4 for the two items, of 1 KB each. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn append(
        &self,
        bot: BotId,
        mark: &str,
        update: &FeedUpdate,
        now: Timestamp,
    ) -> Result<FeedSeq, StoreError> {
        for tried in 0..TRIES {
            if tried > 0 {
                // Those that met each other are not to meet again.
                let wait = fastrand::u64(1..=TRY_WAIT_MS * u64::from(tried));
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            let seq = self.bots.take_feed_number(bot).await?;
            match self.write(bot, mark, seq, update, now).await {
                Ok(AppendEnd::Written) => return Ok(seq),
                end => {
                    // Nobody is to wait for the number that was taken. If it was written after all, it stays.
                    if let Err(fault) = self.feed.put_tombstone(bot, seq, now).await {
                        warn!(
                            fault = "unavailable",
                            "a number of the feed has no tombstone, so readers wait 15 s: {}",
                            chain(&fault)
                        );
                    }
                    match end? {
                        AppendEnd::Known(known) => return Ok(known),
                        AppendEnd::Written | AppendEnd::Passed => {}
                    }
                }
            }
        }
        Err(StoreError::Contended {
            table: self.feed.feed.name.clone(),
        })
    }

    /// Writes an update under a number.
    async fn write(
        &self,
        bot: BotId,
        mark: &str,
        seq: FeedSeq,
        update: &FeedUpdate,
        now: Timestamp,
    ) -> Result<AppendEnd, StoreError> {
        let operation = "TransactWriteItems to append an update";
        let writes = self
            .writes(bot, mark, seq, update, now)
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.feed.feed.fault(operation))?;
        let call = self.feed.feed.client.transact_write_items();
        let Err(error) = call.set_transact_items(Some(writes)).send().await else {
            return Ok(AppendEnd::Written);
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        else {
            return Err(self.feed.feed.fault(operation)(error));
        };
        let reasons = cancelled.cancellation_reasons();
        let code = |which: usize| reasons.get(which).and_then(|reason| reason.code());
        if code(1) == Some("ConditionalCheckFailed") {
            // It is in the feed already.
            let item = reasons.get(1).and_then(|reason| reason.item.as_ref());
            let item = item.ok_or_else(|| self.updates.malformed(FEED_SEQ))?;
            let reader = Reader {
                table: &self.updates,
                item,
            };
            return Ok(AppendEnd::Known(FeedSeq(reader.number(FEED_SEQ)?)));
        }
        let is_passing = |code: Option<&str>| {
            matches!(
                code,
                None | Some("None" | "ConditionalCheckFailed" | "TransactionConflict")
            )
        };
        match is_passing(code(0)) && is_passing(code(1)) {
            true => Ok(AppendEnd::Passed),
            false => Err(self.feed.feed.fault(operation)(error)),
        }
    }

    fn writes(
        &self,
        bot: BotId,
        mark: &str,
        seq: FeedSeq,
        update: &FeedUpdate,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let mut item = self.feed.place(bot, seq, now);
        item.extend([
            (KIND.to_owned(), s(&update.kind)),
            (TOPIC.to_owned(), s(update.topic.as_str())),
            (BODY.to_owned(), s(&update.body)),
        ]);
        if let FeedTopic::Group(chat) = update.topic {
            item.insert(CHAT_ID.to_owned(), n(chat));
        }
        if let Some(name) = &update.sent_by {
            item.insert(SENT_BY.to_owned(), s(name));
        }
        let entry = Put::builder()
            .table_name(&self.feed.feed.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(seq)")
            .build()?;
        let ends = now.plus(self.feed.retention.max(KNOWN)).seconds();
        let marking = Update::builder()
            .table_name(&self.updates.name)
            .key(UPDATE_KEY, s(format_args!("{bot}#{mark}")))
            .update_expression("SET feedSeq = :seq, expiresAt = if_not_exists(expiresAt, :ends)")
            .condition_expression("attribute_not_exists(feedSeq)")
            .expression_attribute_values(":seq", n(seq))
            .expression_attribute_values(":ends", n(ends))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(vec![
            TransactWriteItem::builder().put(entry).build(),
            TransactWriteItem::builder().update(marking).build(),
        ])
    }
}

impl UpdateFeed {
    /// The table `UpdateFeed`, and `UPDATES_RETENTION_HOURS`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self {
            feed: Table::from_env(client, env, "UpdateFeed", "UPDATE_FEED_TABLE"),
            retention: settings::updates_retention(env),
        }
    }

    /// How long an update may be read.
    #[must_use]
    pub const fn retention(&self) -> Duration {
        self.retention
    }

    /// What stands after `after`, in order and without one left out that is there; not all, if there is much. `head` is the
    /// last number that was taken. Half a read unit for 4 KB.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn page(
        &self,
        bot: BotId,
        after: FeedSeq,
        head: FeedSeq,
    ) -> Result<Vec<FeedItem>, StoreError> {
        if after >= head {
            return Ok(Vec::new());
        }
        let block = after.next().block();
        let (mut items, is_whole) = self.block(bot, block, after).await?;
        if !is_whole || block >= head.block() {
            return Ok(items);
        }
        let (mut further, _) = self.block(bot, block + 1, after).await?;
        if further.is_empty() && block + 1 < head.block() {
            let first = self.first_block(bot, block + 1, head.block()).await?;
            (further, _) = self.block(bot, first, after).await?;
        }
        items.append(&mut further);
        Ok(items)
    }

    /// The first block after `empty` in which anything stands, up to `last`: the earlier ones have ended.
    async fn first_block(&self, bot: BotId, empty: i32, last: i32) -> Result<i32, StoreError> {
        let (mut empty, mut found) = (empty, last);
        while empty + 1 < found {
            let middle = empty + (found - empty) / 2;
            match self.block(bot, middle, FeedSeq(0)).await?.0.is_empty() {
                true => empty = middle,
                false => found = middle,
            }
        }
        Ok(found)
    }

    /// The last items of the feed after `floor`, the newest first; not all, if there are many.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn last(
        &self,
        bot: BotId,
        floor: FeedSeq,
        head: FeedSeq,
    ) -> Result<Vec<FeedItem>, StoreError> {
        let mut items = Vec::new();
        let most = usize::try_from(PAGE).unwrap_or_default();
        let mut block = head.block();
        while block >= floor.block() && block + 2 > head.block() && items.len() < most {
            items.append(&mut self.query(bot, block, floor, false).await?.0);
            block -= 1;
        }
        Ok(items)
    }

    /// Puts a tombstone at a number, unless something stands there. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; putting it again is harmless.
    pub async fn put_tombstone(
        &self,
        bot: BotId,
        seq: FeedSeq,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.feed.client.put_item().table_name(&self.feed.name);
        let put = call
            .set_item(Some(self.place(bot, seq, now)))
            .condition_expression("attribute_not_exists(seq)")
            .send()
            .await;
        match put {
            Err(error)
                if !error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Err(self.feed.fault("PutItem of a tombstone")(error))
            }
            _ => Ok(()),
        }
    }

    /// What is the same of an update and of a tombstone.
    fn place(&self, bot: BotId, seq: FeedSeq, now: Timestamp) -> Item {
        Item::from([
            (FEED_KEY.to_owned(), s(block_key(bot, seq.block()))),
            (SEQ.to_owned(), n(seq)),
            (AT.to_owned(), n(now.ms())),
            (EXPIRES_AT.to_owned(), n(now.plus(self.retention).seconds())),
        ])
    }

    /// What stands in a block after `after`, and whether that is all of it.
    async fn block(
        &self,
        bot: BotId,
        block: i32,
        after: FeedSeq,
    ) -> Result<(Vec<FeedItem>, bool), StoreError> {
        self.query(bot, block, after, true).await
    }

    async fn query(
        &self,
        bot: BotId,
        block: i32,
        after: FeedSeq,
        is_forward: bool,
    ) -> Result<(Vec<FeedItem>, bool), StoreError> {
        let call = self.feed.client.query().table_name(&self.feed.name);
        let answer = call
            .key_condition_expression("#block = :block AND seq > :after")
            .expression_attribute_names("#block", FEED_KEY)
            .expression_attribute_values(":block", s(block_key(bot, block)))
            .expression_attribute_values(":after", n(after))
            .scan_index_forward(is_forward)
            .limit(PAGE)
            .send()
            .await
            .map_err(self.feed.fault("Query of the feed"))?;
        let is_whole = answer.last_evaluated_key.is_none();
        let items = answer.items.unwrap_or_default();
        let items: Result<Vec<FeedItem>, StoreError> =
            items.iter().map(|item| self.read(item)).collect();
        Ok((items?, is_whole))
    }

    /// An item of the feed. Of one that can't be read nobody is told, and nobody waits for it.
    fn read(&self, item: &Item) -> Result<FeedItem, StoreError> {
        let reader = Reader {
            table: &self.feed,
            item,
        };
        let seq = FeedSeq(reader.number(SEQ)?);
        let malformed = |fault: StoreError| {
            error!(fault = "malformed", feed.seq = %seq, "an update of the feed can't be read, and is passed over: {}", chain(&fault));
        };
        let at = reader.number(AT).map_err(malformed).unwrap_or_default();
        Ok(FeedItem {
            seq,
            at: Timestamp::from_ms(at),
            update: self.update(&reader).map_err(malformed).unwrap_or_default(),
        })
    }

    /// The update of an item; nothing of a tombstone.
    fn update(&self, reader: &Reader<'_>) -> Result<Option<FeedUpdate>, StoreError> {
        let update = match reader.optional_text(KIND)? {
            None => None,
            Some(kind) => {
                let chat = reader.optional_number(CHAT_ID)?.map(ChatId);
                let topic = FeedTopic::read(reader.text(TOPIC)?, chat);
                let sent_by = reader.optional_text(SENT_BY)?.map(str::parse).transpose();
                Some(FeedUpdate {
                    kind: kind.to_owned(),
                    topic: topic.ok_or_else(|| self.feed.malformed(TOPIC))?,
                    sent_by: sent_by.map_err(|()| self.feed.malformed(SENT_BY))?,
                    body: reader.text(BODY)?.to_owned(),
                })
            }
        };
        Ok(update)
    }
}

fn block_key(bot: BotId, block: i32) -> String {
    format!("{bot}#{block}")
}
