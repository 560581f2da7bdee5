//! Methods that are about the actor itself: nothing of them reaches the bot.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::feed::{self, walk};
use domain::id::FeedSeq;
use runtime::telemetry::chain;
use serde_json::{Value, json};
use telegram::PassedBody;
use tracing::warn;

use crate::answer::{BotApiAnswer, BotApiRefusal};
use crate::{ActorCall, unavailable};

/// How long what Telegram said of the bot is believed.
const ME_LASTS: Duration = Duration::from_secs(24 * 3600);
/// How many pages of the feed are counted for `getWebhookInfo`.
const COUNTED_PAGES: u32 = 10;
/// How many kinds of update an actor may name.
const KINDS_MAX: usize = 64;

impl ActorCall<'_> {
    /// The bot, as Telegram said it at most a day ago.
    pub(crate) async fn me(self) -> Result<BotApiAnswer, BotApiRefusal> {
        let (app, bot) = (self.app, self.telegram.bot());
        let now = app.clock.now();
        let known = app
            .bots
            .me(bot)
            .await
            .map_err(|fault| unavailable(&fault))?;
        if let Some((me, at)) = &known
            && now.since(*at) < ME_LASTS
        {
            return Ok(BotApiAnswer::Written(me.clone()));
        }
        let asked = self
            .telegram
            .pass_on("getMe", PassedBody::Json(b"{}".to_vec()));
        let me = match asked.await {
            Ok(answer) => answer.result.map(|me| me.get().to_owned()),
            Err(failure) => {
                warn!(
                    fault = failure.fault().as_str(),
                    "Telegram did not say who the bot is: {}",
                    chain(&failure)
                );
                None
            }
        };
        match me {
            Some(me) => {
                let put = app.bots.put_me(bot, &me, now).await;
                put.map_err(|fault| unavailable(&fault))?;
                Ok(BotApiAnswer::Written(me))
            }
            // Better of yesterday than nothing.
            None => known
                .map(|(me, _)| BotApiAnswer::Written(me))
                .ok_or_else(BotApiRefusal::unavailable),
        }
    }

    /// The kinds of update that the call names, if it names any.
    pub(crate) fn kinds(&self) -> Result<Option<BTreeSet<String>>, BotApiRefusal> {
        let kinds = self.parameters.texts("allowed_updates")?;
        Ok(kinds.map(|kinds| kinds.into_iter().take(KINDS_MAX).collect()))
    }

    pub(crate) async fn webhook_info(self) -> Result<BotApiAnswer, BotApiRefusal> {
        let pending = self.pending().await?;
        let mut info = json!({
            "url": "",
            "has_custom_certificate": false,
            "pending_update_count": pending,
        });
        if let Some(kinds) = self.actor.allowed_updates.filter(|kinds| !kinds.is_empty()) {
            info["allowed_updates"] = kinds.into_iter().map(Value::from).collect();
        }
        Ok(BotApiAnswer::Result(info))
    }

    /// How many updates wait for the actor; of very many, as many as are counted.
    async fn pending(&self) -> Result<usize, BotApiRefusal> {
        if !self.actor.role.reads() {
            return Ok(0);
        }
        let (feed, bot) = (&self.app.feed, self.telegram.bot());
        let failed = |fault| unavailable(&fault);
        let head = self.head().await?;
        let (mut position, mut count) = (self.actor.cursor, 0);
        for _ in 0..COUNTED_PAGES {
            let page = feed.page(bot, position, head).await.map_err(failed)?;
            let now = self.app.clock.now();
            let walked = walk(
                &self.actor,
                position,
                &page,
                usize::MAX,
                feed.retention(),
                now,
            );
            count += walked.updates.len();
            if walked.position == position {
                break;
            }
            position = walked.position;
        }
        Ok(count)
    }

    /// Without a URL it is as [`ActorCall::delete_webhook`]; with one it is refused, since nothing would be sent there.
    pub(crate) async fn set_webhook(self) -> Result<BotApiAnswer, BotApiRefusal> {
        let url = self.parameters.text("url").unwrap_or_default();
        if url.trim().is_empty() {
            return self.delete_webhook().await;
        }
        let description =
            "Bad Request: bad webhook: actors have no webhooks; use getUpdates instead";
        Err(BotApiRefusal::new(400, description))
    }

    pub(crate) async fn delete_webhook(self) -> Result<BotApiAnswer, BotApiRefusal> {
        if self.parameters.is_on("drop_pending_updates") {
            let head = self.head().await?;
            let advanced = self.app.actors.advance(&self.actor.name, head).await;
            advanced.map_err(|fault| unavailable(&fault))?;
        }
        Ok(BotApiAnswer::Done("Webhook is already deleted"))
    }

    /// The last number of the feed.
    pub(crate) async fn head(&self) -> Result<FeedSeq, BotApiRefusal> {
        let head = self.app.bots.feed_head(self.telegram.bot()).await;
        head.map_err(|fault| unavailable(&fault))
    }

    /// The cursor that leaves the last `count` updates that the actor sees.
    pub(crate) async fn before_last(
        &self,
        count: usize,
        head: FeedSeq,
    ) -> Result<FeedSeq, BotApiRefusal> {
        let (feed, floor) = (&self.app.feed, self.actor.cursor);
        let items = feed.last(self.telegram.bot(), floor, head).await;
        let items = items.map_err(|fault| unavailable(&fault))?;
        let now = self.app.clock.now();
        let retention = feed.retention();
        Ok(feed::before_last(
            &self.actor,
            &items,
            count,
            floor,
            retention,
            now,
        ))
    }
}
