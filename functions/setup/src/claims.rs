//! What claim links and the relay need: the name of the front bot, which is the first of `TELEGRAM_BOT_TOKEN`, and in each claimed chat a
//! link by which people ask to be let in; and the titles of the other chats. Functions without a token read them from the tables `Bots` and `Chats`.

use domain::fault::Fault;
use domain::id::ChatId;
use domain::purchase::Chats;
use futures_util::future::try_join_all;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::settings;
use store::{BotInfos, ChatInfo, ChatInfos, FrontBot, StoreError};
use telegram::TelegramError;

use crate::registration::Bot;

/// Why claim links can't be used yet.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Telegram did not do it, or did not answer.
    #[error(transparent)]
    Telegram(#[from] TelegramError),
    /// There is no bot.
    #[error("TELEGRAM_BOT_TOKEN names no bot")]
    NoBot,
    /// A table did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes ready what claim links need.
pub struct ClaimSetup {
    bots: BotInfos,
    chats: ChatInfos,
    /// The claimed chats: the id of each, and the one by which its payments are known.
    claimed: Vec<(ChatId, ChatId)>,
    /// The others.
    by_invite_link: Vec<(ChatId, ChatId)>,
    /// Whether the front bot talks with people.
    talks: bool,
    clock: Clock,
}

impl ClaimSetup {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, chats: &Chats, clock: &Clock) -> Self {
        let deliveries = settings::chat_deliveries(env, chats);
        settings::claim_keys(env, &deliveries);
        settings::claim_retention(env);
        settings::rebinds_max(env);
        settings::join_request_hold(env);
        settings::telegram_link_base(env);
        settings::public_url(env);
        let (claimed, by_invite_link) = chats
            .all()
            .partition(|(_, canonical_id)| deliveries.is_claimed(*canonical_id));
        let aws = aws::Shared::from_env(env);
        Self {
            bots: BotInfos::from_env(aws.dynamodb(), env),
            chats: ChatInfos::from_env(aws.dynamodb(), env),
            claimed,
            by_invite_link,
            talks: settings::talks(env, chats),
            clock: clock.clone(),
        }
    }

    /// Whether a chat is claimed, or people write to operators.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.talks
    }

    /// Makes the request links that are missing, and writes the name of the front bot. All of it is durable on return; done
    /// again, it changes nothing. Two at once may make two links of a chat, of which one is used.
    ///
    /// # Errors
    /// [`NotReady`]; what was done before stays.
    pub async fn make_ready(&self, bots: &[Bot]) -> Result<FrontBot, NotReady> {
        let first = bots.first().ok_or(NotReady::NoBot)?;
        let front = FrontBot {
            bot: first.telegram.bot(),
            username: first.telegram.me().await?.username,
        };
        for (chat, canonical_chat) in &self.claimed {
            match self.make_request_link(bots, *chat, *canonical_chat).await {
                Err(NotReady::Telegram(failure)) if let Fault::Migrated(to) = failure.fault() => {
                    let now = self.clock.now();
                    self.chats.moved(*canonical_chat, to, now).await?;
                    self.make_request_link(bots, to, *canonical_chat).await?;
                }
                made => made?,
            }
        }
        let chats = self.by_invite_link.iter();
        try_join_all(chats.map(|(chat, canonical)| self.note_title(bots, *chat, *canonical)))
            .await?;
        // Last: from here on claim links are sold.
        self.bots.put_front(&front, self.clock.now()).await?;
        Ok(front)
    }

    /// By the first bot that sees the chat. If none does, people are told of their links without its title.
    async fn note_title(
        &self,
        bots: &[Bot],
        chat: ChatId,
        canonical_chat: ChatId,
    ) -> Result<(), NotReady> {
        for bot in bots {
            if let Ok(found) = bot.telegram.chat(chat).await {
                let now = self.clock.now();
                return Ok(self
                    .chats
                    .note_title(canonical_chat, &found.title, now)
                    .await?);
            }
        }
        Ok(())
    }

    /// By the first bot that can. A link of a bot that is not one of ours any more is made anew, since its join requests
    /// would go to somebody else, and one that an administrator has revoked.
    async fn make_request_link(
        &self,
        bots: &[Bot],
        chat: ChatId,
        canonical_chat: ChatId,
    ) -> Result<(), NotReady> {
        let known = self.chats.get(canonical_chat).await?;
        // Its payments are known by its first id; under another one it was written down by somebody who knows.
        let moved = known
            .as_ref()
            .filter(|info| chat == canonical_chat && info.chat != chat);
        let chat = moved.map_or(chat, |info| info.chat);
        let known = known.filter(|info| info.chat == chat);
        let mut bots = bots.iter().map(|bot| &bot.telegram);
        let door = known
            .as_ref()
            .and_then(|info| bots.clone().find(|bot| bot.bot() == info.door_bot));
        let known = match (door, known) {
            (Some(door), Some(info)) => {
                let is_alive = door.is_request_link_alive(chat, &info.request_link);
                is_alive.await?.then_some((door, info.request_link))
            }
            _ => None,
        };
        let (door, request_link) = match known {
            Some(known) => known,
            _ => {
                let mut made = Err(NotReady::NoBot);
                for bot in bots.by_ref() {
                    made = bot
                        .create_request_link(chat)
                        .await
                        .map(|link| (bot, link))
                        .map_err(NotReady::from);
                    if made.is_ok() {
                        break;
                    }
                }
                made?
            }
        };
        let info = ChatInfo {
            canonical_chat,
            chat,
            title: door.chat(chat).await?.title,
            request_link,
            door_bot: door.bot(),
        };
        Ok(self.chats.put(&info, self.clock.now()).await?)
    }
}
