//! Claimed chats in a world: made ready as `setup` does, and what people do in them.

use anyhow::Context as _;
use bytes::Bytes;
use domain::id::{BotId, ChatId, InviteLink};
use http::Request;
use serde_json::{Value, json};
use simulators::telegram::{Conversation, SeenMessage, StartPayload, StartTap, User};
use store::{BotInfos, ChatInfo, ChatInfos, FrontBot};

use super::World;
use local::env::env_of;

impl World {
    /// Whether a chat is claimed.
    pub(crate) fn is_claimed(&self, chat: i64) -> bool {
        let kinds = self.env.get("CHAT_DELIVERY");
        let (all, own) = ("claim", format!("{chat}=claim"));
        kinds.is_some_and(|kinds| kinds.split(',').any(|kind| kind == all || kind == own))
    }

    /// The chats that are claimed.
    fn claimed(&self) -> impl Iterator<Item = i64> {
        let chats = self.chats.iter().copied();
        chats.filter(|chat| self.is_claimed(*chat))
    }

    /// Whether the first bot talks with people.
    fn talks(&self) -> bool {
        let asks_for_it = ["OPERATOR_CHAT_ID", "CLAIM_KEY"];
        self.claimed().next().is_some()
            || asks_for_it.iter().any(|name| self.env.contains_key(*name))
    }

    /// The kinds of update that the webhook of the bot at this place gets.
    pub(super) fn allowed_updates(&self, place: usize) -> &'static [&'static str] {
        telegram::allowed_updates(self.talks(), place)
    }

    /// Writes the name of the front bot, and makes the request link of each chat.
    pub(super) async fn make_claims_ready(&self) -> anyhow::Result<()> {
        if !self.talks() {
            return Ok(());
        }
        let mut env = env_of(&self.env).on(super::past_the_wire(&self.aws));
        let tables = runtime::aws::Shared::from_env(&mut env).dynamodb();
        let now = self.clock.now();
        let bot = BotId(u64::try_from(self.bots[0])?);
        let me = self.bot_api("getMe", &json!({})).await?;
        let username = me["username"].as_str().context("a bot without a name")?;
        let front = FrontBot {
            bot,
            username: username.to_owned(),
        };
        let bots = BotInfos::from_env(tables.clone(), &mut env);
        bots.put_front(&front, now).await?;
        let infos = ChatInfos::from_env(tables, &mut env);
        for chat in self.claimed() {
            let made = json!({"chat_id": chat, "creates_join_request": true});
            let made = self.bot_api("createChatInviteLink", &made).await?;
            let link = made["invite_link"].as_str().context("no link")?;
            let info = ChatInfo {
                canonical_chat: ChatId(chat),
                chat: ChatId(chat),
                title: "Verified".to_owned(),
                request_link: InviteLink::new(link),
                door_bot: bot,
            };
            infos.put(&info, now).await?;
        }
        Ok(())
    }

    /// A call of the first bot.
    async fn bot_api(&self, method: &str, parameters: &Value) -> anyhow::Result<Value> {
        let bot = self.bots[0];
        let uri = format!(
            "{}/bot{bot}:verify-token-of-bot-{bot}/{method}",
            self.telegram.url()
        );
        let request = Request::post(uri).header("content-type", "application/json");
        let request = request.body(Bytes::from(parameters.to_string()))?;
        let answer = self.telegram.call(request).await?;
        let body: Value = serde_json::from_slice(answer.body())?;
        Ok(body["result"].clone())
    }

    /// Somebody taps a claim link, then START.
    ///
    /// # Errors
    /// If it opens no bot.
    pub fn claim(&self, link: &str, person: i64) -> anyhow::Result<()> {
        let user = User::new(person);
        let tap = self
            .telegram
            .taps_start_link(link, &user, StartPayload::Kept);
        anyhow::ensure!(matches!(tap, StartTap::Started(_)), "{person} got {tap:?}");
        Ok(())
    }

    /// What the first bot has sent a person.
    #[must_use]
    pub fn messages_to(&self, person: i64) -> Vec<SeenMessage> {
        let conversation = Conversation::private(self.bots[0], person);
        let mut all = self.telegram.messages(conversation);
        all.retain(|message| message.from_id == Some(self.bots[0]));
        all
    }

    /// The way in that a person was shown.
    #[must_use]
    pub fn way_in(&self, person: i64) -> Option<String> {
        self.ways_in(person).into_iter().next()
    }

    /// All ways in that a person was shown, oldest first.
    pub(crate) fn ways_in(&self, person: i64) -> Vec<String> {
        let messages = self.messages_to(person).into_iter();
        let buttons = messages.flat_map(|message| message.buttons.into_iter().flatten());
        buttons.filter_map(|button| button.url).collect()
    }

    /// The request link of a chat, if it is claimed.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub(crate) async fn door(&self, chat: i64) -> anyhow::Result<Option<String>> {
        let infos = self.items("Chats").await?;
        let id = chat.to_string();
        let mut infos = infos.iter();
        let info = infos.find(|info| info["chatId"].as_str() == Some(&id));
        let link = info.and_then(|info| info["requestLink"].as_str());
        Ok(link.map(str::to_owned))
    }
}
