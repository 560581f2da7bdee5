//! `getUpdates`: an actor reads the feed from its own cursor, whatever others do.
//!
//! ```text
//! begin   the poll is the actor's own, the offset is confirmed      one conditional write; the poll before ends with 409
//! look    each second, until something is there or the time is over
//! answer                                                   die here: nothing is confirmed, the same is asked for again
//! ```
//!
//! What the actor does not see is passed over: before an answer without updates, and each ten pages, the cursor moves past
//! it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::feed::{LIMIT_MAX, PollStart, poll_start, walk};
use domain::id::FeedSeq;
use serde_json::{Value, json};
use store::PollBegun;
use tracing::error;
use uuid::Uuid;

use crate::answer::{BotApiAnswer, BotApiRefusal};
use crate::{ActorCall, unavailable};

/// How often the feed is read while a poll is held.
const EVERY: Duration = Duration::from_secs(1);
/// How long a poll is held at least that asks for the same again: whoever asks without a pause is slowed.
const SAME_OFFSET_HOLD: Duration = Duration::from_secs(3);
/// After so many pages in a row of which the actor sees nothing the cursor moves past them.
const PASSED_OVER: u32 = 10;
/// How often a beginning is tried again because the actor changed meanwhile.
const TRIES: u32 = 4;

/// What a look at the feed found.
struct PollLook {
    /// The updates that the actor sees, as they are answered.
    updates: Vec<Value>,
    /// All up to this was looked at.
    position: FeedSeq,
}

impl ActorCall<'_> {
    pub(crate) async fn updates(mut self) -> Result<BotApiAnswer, BotApiRefusal> {
        let asked = self.parameters.whole_number("timeout").unwrap_or_default();
        let hold = Duration::from_secs(u64::try_from(asked).unwrap_or_default());
        let mut hold = hold.min(self.app.poll_hold);
        let limit =
            usize::try_from(self.parameters.whole_number("limit").unwrap_or(0)).unwrap_or(0);
        let limit = if limit == 0 {
            LIMIT_MAX
        } else {
            limit.min(LIMIT_MAX)
        };
        let offset = self.parameters.whole_number("offset").unwrap_or_default();
        if self.actor.asked_offset == Some(offset) {
            hold = hold.max(SAME_OFFSET_HOLD);
        }
        let poll = Uuid::new_v4().to_string();
        let mut head = self.begin(&poll, offset).await?;
        let until = self.app.clock.now().plus(hold);
        let begun_at = self.actor.cursor;
        let (mut position, mut passed_over) = (begun_at, 0);
        loop {
            let mut has_moved = false;
            if position < head {
                let look = self.look(position, head, limit).await?;
                has_moved = look.position > position;
                position = look.position;
                if !look.updates.is_empty() {
                    return Ok(BotApiAnswer::Result(Value::Array(look.updates)));
                }
            }
            // There may be more at once that the actor sees.
            if has_moved {
                passed_over += 1;
                if passed_over % PASSED_OVER != 0 {
                    continue;
                }
                self.is_still(&poll).await?;
                self.advance(position).await?;
            }
            let now = self.app.clock.now();
            if now >= until || self.app.is_stopping.load(Ordering::SeqCst) {
                break;
            }
            if has_moved {
                continue;
            }
            self.app.clock.sleep_until(now.plus(EVERY).min(until)).await;
            self.is_still(&poll).await?;
            head = self.head().await?;
        }
        if position > begun_at {
            self.advance(position).await?;
        }
        Ok(BotApiAnswer::Result(json!([])))
    }

    /// Moves the cursor past what the actor does not see.
    async fn advance(&self, position: FeedSeq) -> Result<(), BotApiRefusal> {
        let advanced = self.app.actors.advance(&self.actor.name, position).await;
        advanced.map_err(|fault| unavailable(&fault))
    }

    /// Makes the poll the actor's own and confirms what its offset confirms; answers the last number of the feed.
    async fn begin(&mut self, poll: &str, offset: i64) -> Result<FeedSeq, BotApiRefusal> {
        let kinds = self.kinds()?;
        self.has_no_webhook()?;
        for _ in 0..TRIES {
            if let Some(kinds) = &kinds {
                self.actor.allowed_updates = Some(kinds.clone());
            }
            let head = self.head().await?;
            let cursor = match poll_start(offset, self.actor.cursor, head) {
                PollStart::After(confirmed) => confirmed,
                PollStart::Last(count) => self.before_last(count, head).await?,
            };
            let begun =
                self.app
                    .actors
                    .begin_poll(&self.actor.name, poll, cursor, offset, kinds.as_ref());
            match begun.await.map_err(|fault| unavailable(&fault))? {
                PollBegun::Ours(actor) => {
                    self.actor = *actor;
                    return Ok(head);
                }
                PollBegun::Changed(actor) => {
                    self.actor = *actor;
                    self.has_no_webhook()?;
                }
                PollBegun::Gone => return Err(BotApiRefusal::unauthorized()),
            }
        }
        Err(BotApiRefusal::unavailable())
    }

    /// Whether the actor's updates are asked for: what is sent is not asked for beside it.
    fn has_no_webhook(&self) -> Result<(), BotApiRefusal> {
        match self.actor.webhook {
            None => Ok(()),
            Some(_) => Err(BotApiRefusal::new(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            )),
        }
    }

    /// Whether the poll is still the one that is under way.
    async fn is_still(&self, poll: &str) -> Result<(), BotApiRefusal> {
        let actor = self.app.actors.get(&self.actor.name).await;
        let actor = actor.map_err(|fault| unavailable(&fault))?;
        let actor = actor.ok_or_else(BotApiRefusal::unauthorized)?;
        if actor.webhook.is_some() {
            let description = "Conflict: terminated by setWebhook request";
            return Err(BotApiRefusal::new(409, description));
        }
        match actor.poll.as_deref() == Some(poll) {
            true => Ok(()),
            false => Err(BotApiRefusal::new(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )),
        }
    }

    /// Looks at what stands after `position`, and buries what is missing there.
    async fn look(
        &self,
        position: FeedSeq,
        head: FeedSeq,
        limit: usize,
    ) -> Result<PollLook, BotApiRefusal> {
        let (feed, bot) = (&self.app.feed, self.telegram.bot());
        let failed = |fault| unavailable(&fault);
        let page = feed.page(bot, position, head).await.map_err(failed)?;
        let now = self.app.clock.now();
        let walked = walk(&self.actor, position, &page, limit, feed.retention(), now);
        let mut updates = Vec::with_capacity(walked.updates.len());
        for (seq, update) in walked.updates {
            match update.numbered(seq) {
                Some(update) => updates.push(update),
                None => {
                    error!(fault = "malformed", feed.seq = %seq, "an update of the feed can't be read, and is passed over")
                }
            }
        }
        for seq in walked.missing.into_iter().flatten() {
            let put = feed.put_tombstone(bot, FeedSeq(seq), now).await;
            put.map_err(failed)?;
        }
        Ok(PollLook {
            updates,
            position: walked.position,
        })
    }
}
