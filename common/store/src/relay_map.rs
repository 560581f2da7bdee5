//! The table of the relay, `RelayMap`: which message is the copy of which on the other side, whose a topic is, what parts an
//! album has, and which message is a prepared answer.
//!
//! ```text
//! <chatId>#<messageId>      the copy on the other side, whether it is there, and who sent it      90 days
//! <chatId>#album#<group>    the parts of an album that is to be copied       90 days
//! <chatId>#topic#<thread>   whose topic it is                                for good
//! <chatId>#reply#<name>     a prepared answer                                for good
//! ```
//!
//! What is about one person names them, by which the index `ByPerson` finds it when they are erased.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::actor::ActorMark;
use domain::id::{ChatId, TelegramUserId};
use domain::message::TopicOwner;
use domain::relay::person_of;
use domain::time::Timestamp;
use runtime::config::Env;

const KEY: &str = "message";
const COPY_CHAT: &str = "copyChatId";
const COPY_MESSAGE: &str = "copyMessageId";
const COPY_STATE: &str = "copyState";
const SENT_BY: &str = "sentBy";
const OWNER: &str = "owner";
const PERSON: &str = "telegramUserId";
const TAKEN_AT: &str = "takenAt";
const PARTS: &str = "parts";
const FIRST_AT: &str = "firstAt";
const FIRST: &str = "firstMessageId";
const FIRST_UPDATE: &str = "firstUpdate";
const LAST_AT: &str = "lastAt";
const WITHHELD: &str = "withheld";
const COUNTED_BY: &str = "countedBy";
const EXPIRES_AT: &str = "expiresAt";
const THERE: &str = "THERE";
const GONE: &str = "GONE";
const TAKEN_BACK: &str = "TAKEN_BACK";
/// How long it is known of a message which is its copy.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// The table of the relay.
#[derive(Clone)]
pub struct RelayMap(Table);

/// A message on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayCopy {
    /// Its chat.
    pub chat: ChatId,
    /// Its id there.
    pub message: i64,
}

/// What is known of the copy of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyStanding {
    /// It is this one.
    There(RelayCopy),
    /// It was this one, which somebody deleted on the other side.
    Gone(RelayCopy),
    /// Its sender took it back.
    TakenBack,
    /// Nothing: there never was one, or it is forgotten.
    Unknown,
}

/// A part of an album.
#[derive(Clone, Copy, Debug)]
pub struct AlbumPart {
    /// Its id in its chat.
    pub message: i64,
    /// When it was written, by Telegram's clock.
    pub at: Timestamp,
    /// The number of the update that brought it.
    pub update: i64,
}

/// An album of which some parts are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlbumParts {
    /// The ids of its parts, in order.
    pub parts: Vec<i64>,
    /// The part that was seen first.
    pub first: i64,
    /// When that was written, by Telegram's clock.
    pub first_at: Timestamp,
    /// The number of the update that brought it.
    pub first_update: i64,
    /// When the last part was seen.
    pub last_at: Timestamp,
    /// Whether none of it is to be copied.
    pub is_withheld: bool,
}

/// What is to become of a part of an album that a person sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartCount {
    /// The album is counted by the update that brought this one.
    First,
    /// It was counted by another one.
    Further,
    /// None of the album is passed on.
    Withheld,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartAdded {
    /// It is copied with the others.
    Album(AlbumParts),
    /// The others are copied already.
    TooLate,
}

impl RelayMap {
    /// The table `RelayMap`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "RelayMap", "RELAY_MAP_TABLE"))
    }

    /// Writes which message of another chat is the copy of a message, to be forgotten after 90 days. Durable on return; done
    /// twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn put(
        &self,
        chat: ChatId,
        message: i64,
        copy: &RelayCopy,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let person = person_of(chat).or(person_of(copy.chat));
        let set = "SET #chat = :chat, #message = :message, #ends = :ends, copyState = :there";
        // Who sent it is kept.
        let answer = naming(call, set, person)
            .key(KEY, s(key(chat, message)))
            .expression_attribute_names("#chat", COPY_CHAT)
            .expression_attribute_names("#message", COPY_MESSAGE)
            .expression_attribute_names("#ends", EXPIRES_AT)
            .expression_attribute_values(":there", s(THERE))
            .expression_attribute_values(":chat", n(copy.chat))
            .expression_attribute_values(":message", n(copy.message))
            .expression_attribute_values(":ends", n(now.plus(KEPT).seconds()))
            .send()
            .await;
        answer
            .map(|_| ())
            .map_err(self.0.fault("UpdateItem of a copy"))
    }

    /// Writes that an actor sent a message, which is its own copy unless the relay knows another. Durable on return; done
    /// twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn put_sender(
        &self,
        chat: ChatId,
        message: i64,
        actor: &ActorMark,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let set = "SET #by = :by, #ends = :ends, #chat = if_not_exists(#chat, :chat), \
                   #message = if_not_exists(#message, :message)";
        let answer = naming(call, set, person_of(chat))
            .key(KEY, s(key(chat, message)))
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
    ) -> Result<Option<ActorMark>, StoreError> {
        let item = self.item(&key(chat, message)).await?.unwrap_or_default();
        let name = self.reader(&item).optional_text(SENT_BY)?.map(str::parse);
        name.transpose().map_err(|()| self.0.malformed(SENT_BY))
    }

    /// The copy of a message on the other side, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, chat: ChatId, message: i64) -> Result<Option<RelayCopy>, StoreError> {
        Ok(match self.standing(chat, message).await? {
            CopyStanding::There(copy) => Some(copy),
            CopyStanding::Gone(_) | CopyStanding::TakenBack | CopyStanding::Unknown => None,
        })
    }

    /// What is known of the copy of a message, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn standing(&self, chat: ChatId, message: i64) -> Result<CopyStanding, StoreError> {
        let Some(item) = self.item(&key(chat, message)).await? else {
            return Ok(CopyStanding::Unknown);
        };
        let copy = self.copy(&item)?;
        Ok(match self.reader(&item).optional_text(COPY_STATE)? {
            None | Some(THERE) => CopyStanding::There(copy),
            Some(GONE) => CopyStanding::Gone(copy),
            Some(TAKEN_BACK) => CopyStanding::TakenBack,
            Some(_) => return Err(self.0.malformed(COPY_STATE)),
        })
    }

    /// Writes that the copy of a message was deleted on the other side, until another one is put. Durable on return; done twice
    /// it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn lose(&self, chat: ChatId, message: i64) -> Result<(), StoreError> {
        self.end(chat, message, GONE).await
    }

    /// Writes that the copy of a message was taken back, for as long as it would have been known. Durable on return; done twice
    /// it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn take_back(&self, chat: ChatId, message: i64) -> Result<(), StoreError> {
        self.end(chat, message, TAKEN_BACK).await
    }

    async fn end(&self, chat: ChatId, message: i64, state: &str) -> Result<(), StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let answer = call
            .key(KEY, s(key(chat, message)))
            .update_expression("SET copyState = :state")
            .condition_expression("attribute_exists(copyMessageId)")
            .expression_attribute_values(":state", s(state))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            // It is forgotten.
            Err(error) if is_refused(&error) => Ok(()),
            Err(error) => Err(self.0.fault("UpdateItem of a copy that is gone")(error)),
        }
    }

    /// Writes whose topic it is. Durable on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn put_topic(
        &self,
        chat: ChatId,
        thread: i64,
        owner: TopicOwner,
    ) -> Result<(), StoreError> {
        let mut item = Item::from([
            (KEY.to_owned(), s(topic_key(chat, thread))),
            (OWNER.to_owned(), s(owner)),
        ]);
        if let TopicOwner::Person(person) = owner {
            item.insert(PERSON.to_owned(), s(person));
        }
        self.put_item(item).await
    }

    /// Whose topic it is, as of now (1 read unit); nobody's if the bot did not make it.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn topic(&self, chat: ChatId, thread: i64) -> Result<Option<TopicOwner>, StoreError> {
        let item = self.item(&topic_key(chat, thread)).await?;
        let owner = |item: Item| self.reader(&item).parsed(OWNER);
        item.map(owner).transpose()
    }

    /// Writes that a message is the prepared answer of a name, in place of the one before. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn put_reply(
        &self,
        chat: ChatId,
        name: &str,
        message: i64,
    ) -> Result<(), StoreError> {
        let item = Item::from([
            (KEY.to_owned(), s(reply_key(chat, name))),
            (COPY_CHAT.to_owned(), n(chat)),
            (COPY_MESSAGE.to_owned(), n(message)),
        ]);
        self.put_item(item).await
    }

    /// The message of a chat that is the prepared answer of a name (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn reply(&self, chat: ChatId, name: &str) -> Result<Option<i64>, StoreError> {
        let item = self.item(&reply_key(chat, name)).await?;
        let message = |item: Item| self.reader(&item).number(COPY_MESSAGE);
        item.map(message).transpose()
    }

    /// Has an album be counted by the update that brings a part of it, unless another one did that: of parts that come beside one
    /// another one is the first. Durable on return; done twice it answers the same.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn count_part(
        &self,
        chat: ChatId,
        group: &str,
        update: i64,
        now: Timestamp,
    ) -> Result<PartCount, StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let set = "SET countedBy = if_not_exists(countedBy, :update), expiresAt = :expires";
        let answer = naming(call, set, person_of(chat))
            .key(KEY, s(album_key(chat, group)))
            .expression_attribute_values(":update", n(update))
            .expression_attribute_values(":expires", n(now.plus(KEPT).seconds()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(self.0.fault("UpdateItem to count an album"))?;
        let item = answer.attributes.unwrap_or_default();
        let reader = self.reader(&item);
        Ok(match reader.number::<i64>(COUNTED_BY)? {
            _ if reader.flag(WITHHELD) => PartCount::Withheld,
            counted_by if counted_by == update => PartCount::First,
            _ => PartCount::Further,
        })
    }

    /// Adds a part to an album, unless that is copied already. Durable on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; adding it again is harmless.
    pub async fn add_part(
        &self,
        chat: ChatId,
        group: &str,
        part: AlbumPart,
        now: Timestamp,
    ) -> Result<PartAdded, StoreError> {
        let operation = "UpdateItem of an album";
        let AlbumPart {
            message,
            at,
            update,
        } = part;
        let call = self.0.client.update_item().table_name(&self.0.name);
        let set = "SET firstAt = if_not_exists(firstAt, :at), firstMessageId = if_not_exists(firstMessageId, :message), \
                   firstUpdate = if_not_exists(firstUpdate, :update), lastAt = :now, expiresAt = :expires";
        let person = person_of(chat);
        let named = match person {
            Some(_) => ", telegramUserId = :person",
            None => "",
        };
        let answer = call
            .key(KEY, s(album_key(chat, group)))
            .update_expression(format!("{set}{named} ADD parts :part"))
            .set_expression_attribute_values(
                person.map(|person| [(":person".to_owned(), s(person))].into()),
            )
            .condition_expression("attribute_not_exists(takenAt) OR contains(parts, :message)")
            .expression_attribute_values(":at", s(at))
            .expression_attribute_values(":update", n(update))
            .expression_attribute_values(":message", n(message))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":expires", n(now.plus(KEPT).seconds()))
            .expression_attribute_values(":part", AttributeValue::Ns(vec![message.to_string()]))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                Ok(PartAdded::Album(self.album(&item)?))
            }
            Err(error) if is_refused(&error) => Ok(PartAdded::TooLate),
            Err(error) => Err(self.0.fault(operation)(error)),
        }
    }

    /// Has none of an album be copied, whichever parts come, unless that was done already. Durable on return; done twice it is
    /// as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn withhold_album(
        &self,
        chat: ChatId,
        group: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.0.client.update_item().table_name(&self.0.name);
        let set = "SET withheld = :true, expiresAt = :expires";
        let answer = naming(call, set, person_of(chat))
            .key(KEY, s(album_key(chat, group)))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":expires", n(now.plus(KEPT).seconds()))
            .send()
            .await;
        answer
            .map(|_| ())
            .map_err(self.0.fault("UpdateItem to withhold an album"))
    }

    /// What is known of an album, as of now (1 read unit). One without a part is none.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn album_of(
        &self,
        chat: ChatId,
        group: &str,
    ) -> Result<Option<AlbumParts>, StoreError> {
        let item = self.item(&album_key(chat, group)).await?;
        let with_parts = item.filter(|item| item.contains_key(PARTS));
        with_parts.map(|item| self.album(&item)).transpose()
    }

    /// Whether a message is a part of an album that was not taken, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn waits_in_album(
        &self,
        chat: ChatId,
        group: &str,
        message: i64,
    ) -> Result<bool, StoreError> {
        let item = self.item(&album_key(chat, group)).await?;
        let waiting = item.filter(|item| item.contains_key(PARTS) && !item.contains_key(TAKEN_AT));
        let album = waiting.map(|item| self.album(&item)).transpose()?;
        Ok(album.is_some_and(|album| album.parts.contains(&message)))
    }

    /// Takes the parts of an album, to which none is added from then on. Durable on return; done twice it answers the same
    /// parts.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; taking it again is harmless.
    pub async fn take_album(
        &self,
        chat: ChatId,
        group: &str,
        now: Timestamp,
    ) -> Result<AlbumParts, StoreError> {
        let operation = "UpdateItem to take an album";
        let call = self.0.client.update_item().table_name(&self.0.name);
        let answer = call
            .key(KEY, s(album_key(chat, group)))
            .update_expression("SET takenAt = :now")
            .condition_expression("attribute_exists(parts)")
            .expression_attribute_values(":now", s(now))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(self.0.fault(operation))?;
        self.album(&answer.attributes.unwrap_or_default())
    }

    async fn put_item(&self, item: Item) -> Result<(), StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        let answer = call.set_item(Some(item)).send().await;
        answer
            .map(|_| ())
            .map_err(self.0.fault("PutItem of the relay"))
    }

    async fn item(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call.key(KEY, s(key)).consistent_read(true).send().await;
        let answer = answer.map_err(self.0.fault("GetItem of the relay"))?;
        Ok(answer.item)
    }

    const fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.0,
            item,
        }
    }

    fn copy(&self, item: &Item) -> Result<RelayCopy, StoreError> {
        let reader = self.reader(item);
        Ok(RelayCopy {
            chat: ChatId(reader.number(COPY_CHAT)?),
            message: reader.number(COPY_MESSAGE)?,
        })
    }

    fn album(&self, item: &Item) -> Result<AlbumParts, StoreError> {
        let reader = self.reader(item);
        let malformed = || self.0.malformed(PARTS);
        let Some(AttributeValue::Ns(parts)) = item.get(PARTS) else {
            return Err(malformed());
        };
        let parts: Result<Vec<i64>, _> = parts.iter().map(|part| part.parse()).collect();
        let mut parts = parts.map_err(|_| malformed())?;
        parts.sort_unstable();
        Ok(AlbumParts {
            parts,
            first: reader.number(FIRST)?,
            first_at: reader.parsed(FIRST_AT)?,
            // One that was begun before it was noted has none.
            first_update: reader.optional_number(FIRST_UPDATE)?.unwrap_or_default(),
            last_at: reader.parsed(LAST_AT)?,
            is_withheld: reader.flag(WITHHELD),
        })
    }
}

/// Whether the condition of an update did not hold.
fn is_refused(error: &SdkError<UpdateItemError>) -> bool {
    matches!(
        error.as_service_error(),
        Some(UpdateItemError::ConditionalCheckFailedException(_))
    )
}

/// An update that also writes whom it is about.
fn naming(
    call: UpdateItemFluentBuilder,
    set: &str,
    person: Option<TelegramUserId>,
) -> UpdateItemFluentBuilder {
    match person {
        None => call.update_expression(set),
        Some(person) => call
            .update_expression(format!("{set}, telegramUserId = :person"))
            .expression_attribute_values(":person", s(person)),
    }
}

/// The topic that a key is about: its chat, and its number there.
pub(super) fn topic_of_key(key: &str) -> Option<(ChatId, i64)> {
    let (chat, thread) = key.split_once("#topic#")?;
    Some((ChatId(chat.parse().ok()?), thread.parse().ok()?))
}

fn key(chat: ChatId, message: i64) -> String {
    format!("{chat}#{message}")
}

fn topic_key(chat: ChatId, thread: i64) -> String {
    format!("{chat}#topic#{thread}")
}

fn album_key(chat: ChatId, group: &str) -> String {
    format!("{chat}#album#{group}")
}

fn reply_key(chat: ChatId, name: &str) -> String {
    format!("{chat}#reply#{name}")
}
