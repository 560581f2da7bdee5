//! Methods that are about the actor itself: nothing of them reaches the bot.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::actor::webhook::ActorWebhook;
use domain::feed::{self, walk};
use domain::id::FeedSeq;
use runtime::telemetry::chain;
use serde_json::{Value, json};
use telegram::PassedBody;
use tracing::{info, warn};

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
        let webhook = self.actor.webhook.as_ref();
        let mut info = json!({
            "url": webhook.map_or("", |webhook| webhook.url.as_str()),
            "has_custom_certificate": false,
            "pending_update_count": pending,
        });
        if let Some(webhook) = webhook {
            info["max_connections"] = webhook.max_connections.into();
        }
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

    pub(crate) async fn set_webhook(self) -> Result<BotApiAnswer, BotApiRefusal> {
        let url = self.parameters.text("url").unwrap_or_default().trim();
        if url.is_empty() {
            return self.delete_webhook().await;
        }
        let has_certificate =
            self.parameters.fields.contains_key("certificate") || !self.parameters.files.is_empty();
        if has_certificate {
            let description = "Bad Request: bad webhook: certificates of one's own are not taken";
            return Err(BotApiRefusal::new(400, description));
        }
        let webhook = ActorWebhook::ask(
            url,
            self.parameters.text("secret_token"),
            self.parameters.whole_number("max_connections"),
            !self.app.is_on_lambda,
        );
        let webhook = webhook.map_err(|refusal| BotApiRefusal::new(400, refusal.description()))?;
        self.store_webhook(Some(&webhook)).await?;
        info!(actor.name = %self.actor.name, outcome = "webhook_set", "an actor has its updates sent");
        Ok(BotApiAnswer::Done("Webhook was set"))
    }

    pub(crate) async fn delete_webhook(self) -> Result<BotApiAnswer, BotApiRefusal> {
        let was_set = self.actor.webhook.is_some();
        if was_set || self.parameters.is_on("drop_pending_updates") {
            self.store_webhook(None).await?;
        }
        Ok(BotApiAnswer::Done(match was_set {
            true => "Webhook was deleted",
            false => "Webhook is already deleted",
        }))
    }

    async fn store_webhook(&self, webhook: Option<&ActorWebhook>) -> Result<(), BotApiRefusal> {
        let kinds = match webhook {
            Some(_) => self.kinds()?,
            None => None,
        };
        let cursor = match self.parameters.is_on("drop_pending_updates") {
            true => Some(self.head().await?),
            false => None,
        };
        let name = &self.actor.name;
        let stored = self
            .app
            .actors
            .set_webhook(name, webhook, kinds.as_ref(), cursor);
        let stored = stored.await.map_err(|fault| unavailable(&fault))?;
        stored.map(|_| ()).ok_or_else(BotApiRefusal::unauthorized)
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
