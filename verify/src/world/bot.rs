//! What is still to be done for the bot: messages, the feed of actors, updates that were parked.

use aws_sdk_dynamodb::Client;
use local::resources::{HOOKS, MESSAGES};

use super::*;

/// Whose reading of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// Of all actors.
    Read,
    /// Of those that are sent their updates.
    Sent,
}

impl World {
    /// Whether nothing is left to do for the bot: no bell, no message, no decline or removal, nothing that an actor has not
    /// read, no update that waits for an operator.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub(crate) async fn is_bot_quiet(&self) -> anyhow::Result<bool> {
        let bells = [MESSAGES.queue, HOOKS.queue].map(|queue| self.aws.queue_depth(queue));
        let bells: u64 = bells
            .into_iter()
            .flatten()
            .map(simulators::aws::sqs::Depth::total)
            .sum();
        let tables = self.admin.dynamodb();
        if bells > 0 || have_messages(&tables).await? || !is_feed_read(&tables, Feed::Read).await? {
            return Ok(false);
        }
        for chat in &self.chats {
            if !self.is_lane_empty(&format!("{chat}#later")).await? {
                return Ok(false);
            }
        }
        for state in ["PARKED", "REPLAY"] {
            if !parked_updates(&tables, state).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The updates that wait for an operator, each as its bot and its number.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub(crate) async fn parked_updates(&self) -> anyhow::Result<Vec<(String, String)>> {
        let keys = parked_updates(&self.admin.dynamodb(), "PARKED").await?;
        let parts = keys.iter().filter_map(|key| key.split_once('#'));
        Ok(parts
            .map(|(bot, id)| (bot.to_owned(), id.to_owned()))
            .collect())
    }
}

/// Whether there are messages to be sent. What was given up is not, nor what is looked at in days.
pub(super) async fn have_messages(tables: &Client) -> anyhow::Result<bool> {
    let tasks = scan(tables, "MessageTasks").await?;
    let asides = ["#groups", "#reminders", "#parked"];
    Ok(tasks.iter().any(|task| {
        let lane = task["lane"].as_str().unwrap_or_default();
        !asides.iter().any(|aside| lane.ends_with(aside))
    }))
}

/// Whether actors stand at the end of the feed, and nobody sends to them.
pub(super) async fn is_feed_read(tables: &Client, of: Feed) -> anyhow::Result<bool> {
    let actors = scan(tables, "Actors").await?;
    let mut actors = actors.iter().filter(|actor| {
        actor["cursor"].is_i64() && (of == Feed::Read || actor["webhookUrl"].is_string())
    });
    let bots = scan(tables, "Bots").await?;
    let head = bots.iter().filter_map(|bot| bot["seq"].as_i64()).max();
    Ok(actors.all(|actor| actor["cursor"].as_i64() >= head && actor["webhookHolder"].is_null()))
}

/// The keys of the updates in this state of parking.
pub(super) async fn parked_updates(tables: &Client, state: &str) -> anyhow::Result<Vec<String>> {
    let call = tables.query().table_name("Updates").index_name("Parked");
    let call = call
        .key_condition_expression("parked = :state")
        .expression_attribute_values(":state", AttributeValue::S(state.to_owned()));
    let found = call.send().await?.items.unwrap_or_default();
    let key = |item| plain(item)["updateKey"].as_str().map(str::to_owned);
    Ok(found.iter().filter_map(key).collect())
}

#[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
async fn scan(tables: &Client, table: &str) -> anyhow::Result<Vec<Value>> {
    let mut pages = tables.scan().table_name(table).into_paginator().send();
    let mut items = Vec::new();
    while let Some(page) = pages.next().await {
        items.extend(page?.items.unwrap_or_default().iter().map(plain));
    }
    Ok(items)
}
