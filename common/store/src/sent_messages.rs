//! Which actor sent a message, kept in the table of the relay, `RelayMap`: beside the copy of a message on the other side
//! stands the name of the actor whose key sent it, for as long as that is known.

use std::time::Duration;

use super::item::{Reader, n, s};
use super::{StoreError, Table};
use domain::actor::ActorName;
use domain::id::ChatId;
use domain::time::Timestamp;
use runtime::config::Env;

const KEY: &str = "message";
const COPY_CHAT: &str = "copyChatId";
const COPY_MESSAGE: &str = "copyMessageId";
const SENT_BY: &str = "sentBy";
const EXPIRES_AT: &str = "expiresAt";
/// How long it is known who sent a message.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// Who sent which message.
#[derive(Clone)]
pub struct SentMessages(Table);

impl SentMessages {
    /// The table `RelayMap`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "RelayMap", "RELAY_MAP_TABLE"))
    }

    /// Writes that an actor sent a message, which is its own copy unless the relay knows another. Durable on return; done
    /// twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn put(
        &self,
        chat: ChatId,
        message: i64,
        actor: &ActorName,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let answer = call
            .key(KEY, s(key(chat, message)))
            .update_expression(
                "SET #by = :by, #ends = :ends, #chat = if_not_exists(#chat, :chat), \
                 #message = if_not_exists(#message, :message)",
            )
            .expression_attribute_names("#by", SENT_BY)
            .expression_attribute_names("#ends", EXPIRES_AT)
            .expression_attribute_names("#chat", COPY_CHAT)
            .expression_attribute_names("#message", COPY_MESSAGE)
            .expression_attribute_values(":by", s(actor))
            .expression_attribute_values(":ends", n(now.plus(KEPT).seconds()))
            .expression_attribute_values(":chat", n(chat))
            .expression_attribute_values(":message", n(message))
            .send()
            .await;
        answer
            .map(|_| ())
            .map_err(self.0.fault("UpdateItem of who sent a message"))
    }

    /// The actor that sent a message, as of now (1 read unit); nothing if none did, or it is forgotten.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn sender(
        &self,
        chat: ChatId,
        message: i64,
    ) -> Result<Option<ActorName>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(KEY, s(key(chat, message)))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of who sent a message"))?;
        let item = answer.item.unwrap_or_default();
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        let name = reader.optional_text(SENT_BY)?.map(str::parse);
        name.transpose().map_err(|()| self.0.malformed(SENT_BY))
    }
}

fn key(chat: ChatId, message: i64) -> String {
    format!("{chat}#{message}")
}
