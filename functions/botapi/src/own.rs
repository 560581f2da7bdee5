//! Methods that are about the actor itself: nothing of them reaches the bot.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::actor::webhook::ActorWebhook;
use domain::feed::{self, walk};
use domain::hook::TargetRefusal;
use domain::id::FeedSeq;
use http::StatusCode;
use runtime::outbound::NoTarget;
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
        if let Some((at, failure)) = &self.actor.progress.last_failure {
            info["last_error_date"] = at.seconds().into();
            info["last_error_message"] = in_words(failure).into();
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
            let progress = &self.actor.progress;
            let waits = walked.updates.iter();
            count += waits
                .filter(|(seq, _)| !progress.taken.contains(seq))
                .count();
            if walked.position == position {
                break;
            }
            position = walked.position;
        }
        Ok(count)
    }

    /// Without a URL it is as [`ActorCall::delete_webhook`].
    pub(crate) async fn set_webhook(self) -> Result<BotApiAnswer, BotApiRefusal> {
        let refused = |description: &str| Err(BotApiRefusal::new(400, description));
        let url = self.parameters.text("url").unwrap_or_default().trim();
        if url.is_empty() {
            return self.delete_webhook().await;
        }
        let fields = &self.parameters.fields;
        if fields.contains_key("certificate") || !self.parameters.files.is_empty() {
            return refused("Bad Request: bad webhook: certificates of one's own are not taken");
        }
        if fields.contains_key("ip_address") {
            return refused("Bad Request: bad webhook: ip_address is not taken");
        }
        if let Err(refusal) = self.app.targets.check(url) {
            return refused(match refusal {
                NoTarget::Url => "Bad Request: bad webhook: invalid webhook URL specified",
                NoTarget::Refused(TargetRefusal::Scheme) => {
                    "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
                }
                NoTarget::Refused(TargetRefusal::Port) => {
                    "Bad Request: bad webhook: Webhook can be set up only on ports 443 and 8443"
                }
                NoTarget::Refused(TargetRefusal::Address) => {
                    "Bad Request: bad webhook: the IP address is reserved"
                }
            });
        }
        let secret = self.parameters.text("secret_token");
        let connections = self.parameters.whole_number("max_connections");
        let webhook = match ActorWebhook::ask(url, secret, connections) {
            Ok(webhook) => webhook,
            Err(refusal) => return refused(refusal.description()),
        };
        let kinds = self.kinds()?;
        self.store_webhook(Some(&webhook), kinds.as_ref()).await?;
        info!(actor.name = %self.actor.name, outcome = "webhook_set", "an actor has its updates sent");
        Ok(BotApiAnswer::Done("Webhook was set"))
    }

    pub(crate) async fn delete_webhook(self) -> Result<BotApiAnswer, BotApiRefusal> {
        let was_set = self.actor.webhook.is_some();
        if was_set || self.parameters.is_on("drop_pending_updates") {
            self.store_webhook(None, None).await?;
        }
        Ok(BotApiAnswer::Done(match was_set {
            true => "Webhook was deleted",
            false => "Webhook is already deleted",
        }))
    }

    /// Stores the webhook, or that there is none, and before that what is pending is dropped, if it is to be.
    async fn store_webhook(
        &self,
        webhook: Option<&ActorWebhook>,
        kinds: Option<&BTreeSet<String>>,
    ) -> Result<(), BotApiRefusal> {
        let (actors, name) = (&self.app.actors, &self.actor.name);
        if self.parameters.is_on("drop_pending_updates") {
            let head = self.head().await?;
            let advanced = actors.advance(name, head).await;
            advanced.map_err(|fault| unavailable(&fault))?;
        }
        let stored = actors.set_webhook(name, webhook, kinds).await;
        match stored.map_err(|fault| unavailable(&fault))? {
            true => Ok(()),
            false => Err(BotApiRefusal::unauthorized()),
        }
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

/// Why an update was not taken, by the word of a record.
fn in_words(failure: &str) -> String {
    let status = failure.parse().ok().and_then(|status: u16| {
        let status = StatusCode::from_u16(status).ok()?;
        Some(format!("Wrong response from the webhook: {status}"))
    });
    status.unwrap_or_else(|| {
        let words = match failure {
            "forbidden" => "The address of the webhook is reserved",
            "unreachable" => "Connection failed",
            _ => "Read timeout expired",
        };
        words.to_owned()
    })
}
