//! The table of people who talk with the bot.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;

use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::command::Role;
use domain::id::TelegramUserId;
use domain::person::{Counted, Person, Reachable};
use domain::texts::Language;
use domain::time::Timestamp;
use domain::update::Sender;
use runtime::config::Env;

const PERSON: &str = "telegramUserId";
const LANGUAGE: &str = "language";
const ROLE: &str = "role";
const NAME: &str = "name";
const USERNAME: &str = "username";
const REACHABLE: &str = "reachable";
const REACHABLE_AT: &str = "reachableAt";
const WROTE_AT: &str = "wroteAt";
const OPTED_OUT: &str = "optedOut";
const BLOCKED: &str = "blocked";
const CREATED_AT: &str = "createdAt";
const LAST_SEEN_AT: &str = "lastSeenAt";
/// The index of people by their username, in lower case.
const BY_NAME: &str = "ByName";

/// The longest username, in characters.
const USERNAME_MAX: usize = 32;
/// The window in which is counted what a person sends.
const WINDOW: Duration = Duration::from_secs(60);
/// The end of who is kept for as long as they are somebody here: some other reason than a time has to end it.
const KEPT: i64 = 32_503_680_000;

/// The table of people. A person is forgotten some days after their last word, unless they have a seat, a role or a wish
/// that must be kept.
#[derive(Clone)]
pub struct People {
    table: Table,
    ttl: Duration,
}

/// What a person sent.
#[derive(Clone, Copy)]
pub struct Sighting<'a> {
    /// Who.
    pub sender: &'a Sender,
    /// When, by Telegram's clock.
    pub at: Timestamp,
    /// Whether it was sent to the bot in private, which can be answered there.
    pub is_private: bool,
}

impl People {
    /// The table `People`; `PEOPLE_TTL_DAYS` is how long somebody is kept after their last word.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        let days = env.number("PEOPLE_TTL_DAYS", 90, 1..=3650);
        Self {
            table: Table::from_env(client, env, "People", "PEOPLE_TABLE"),
            ttl: Duration::from_secs(days * 24 * 3600),
        }
    }

    /// Days for which somebody is kept after their last word.
    #[must_use]
    pub const fn ttl_days(&self) -> u64 {
        self.ttl.as_secs() / (24 * 3600)
    }

    /// What is known of a person (half a read unit); nothing of one who never wrote.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, person: TelegramUserId) -> Result<Option<Person>, StoreError> {
        let call = self.table.client.get_item().table_name(&self.table.name);
        let answer = call.key(PERSON, s(person)).send().await;
        let item = answer.map_err(self.table.fault("GetItem of a person"))?;
        item.item.map(|item| self.read(&item, person)).transpose()
    }

    /// Notes that a person sent something, and counts it, if it is counted (1 write unit; 2 for what is not the first of its
    /// minute). Answers what is known of them, and how many of the kind its minute has with it: that of Telegram's clock, so
    /// that what comes late all at once was not sent all at once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; done again, it counts again.
    pub async fn seen(
        &self,
        sighting: Sighting<'_>,
        counted: Option<Counted>,
        now: Timestamp,
    ) -> Result<(Person, u32), StoreError> {
        let operation = "UpdateItem of a person who wrote";
        let sender = sighting.sender;
        let Some(counted) = counted else {
            let call = self.sighting(sighting, now, "");
            let item = self.send(call, operation).await?;
            return Ok((self.read(&item.unwrap_or_default(), sender.person)?, 0));
        };
        let sent = sighting.at.ms();
        let window = sent - sent.rem_euclid(WINDOW.as_millis() as i64);
        let counter = counter(counted);
        let zeroes: String = [Counted::Command, Counted::Press, Counted::Message]
            .into_iter()
            .filter(|other| *other != counted)
            .map(|other| format!(", {} = :zero", self::counter(other)))
            .collect();
        let first = self
            .sighting(
                sighting,
                now,
                &format!(", windowAt = :window, {counter} = :one{zeroes}"),
            )
            .condition_expression("attribute_not_exists(windowAt) OR windowAt < :window")
            .expression_attribute_values(":window", n(window))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":one", n(1));
        let item = match self.send(first, operation).await? {
            Some(item) => item,
            None => {
                let another = self
                    .sighting(sighting, now, &format!(", {counter} = {counter} + :one"))
                    .expression_attribute_values(":one", n(1));
                self.send(another, operation).await?.unwrap_or_default()
            }
        };
        let count = self.reader(&item).number(counter)?;
        Ok((self.read(&item, sender.person)?, count))
    }

    /// Keeps a person until they are erased: they have a seat. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn keep(&self, person: TelegramUserId, now: Timestamp) -> Result<(), StoreError> {
        self.set(person, now, "", None).await
    }

    /// The language that a person chose. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn choose_language(
        &self,
        person: TelegramUserId,
        language: Language,
    ) -> Result<(), StoreError> {
        let call = self
            .update(person)
            .update_expression("SET #language = :language")
            .expression_attribute_names("#language", LANGUAGE)
            .expression_attribute_values(":language", s(language.code()));
        self.send(call, "UpdateItem of a language").await?;
        Ok(())
    }

    /// Whether a person wants no marketing; a wish that is kept. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn opt_out(
        &self,
        person: TelegramUserId,
        is_out: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.set(person, now, OPTED_OUT, Some(is_out)).await
    }

    /// Whether what a person writes is passed on to nobody. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn block(
        &self,
        person: TelegramUserId,
        is_blocked: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.set(person, now, BLOCKED, Some(is_blocked)).await
    }

    /// Gives a person a role, or takes what they had. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn appoint(
        &self,
        person: TelegramUserId,
        role: Option<Role>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.update(person);
        let call = match role {
            Some(role) => call
                .update_expression("SET #role = :role, createdAt = if_not_exists(createdAt, :now), keptUntil = :kept, expiresAt = :kept")
                .expression_attribute_values(":role", s(role.as_str()))
                .expression_attribute_values(":now", s(now))
                .expression_attribute_values(":kept", n(KEPT)),
            // Nobody is made known by losing what they never had.
            None => call
                .update_expression("REMOVE #role")
                .condition_expression("attribute_exists(telegramUserId)"),
        };
        let call = call.expression_attribute_names("#role", ROLE);
        self.send(call, "UpdateItem of a role").await?;
        Ok(())
    }

    /// Notes whether the bot can write to a person, as of `at`; older news changes nothing. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn reach(
        &self,
        person: TelegramUserId,
        reachable: Reachable,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self
            .update(person)
            .update_expression("SET reachable = :reachable, reachableAt = :at, createdAt = if_not_exists(createdAt, :at), expiresAt = if_not_exists(keptUntil, :end)")
            .condition_expression("attribute_not_exists(reachableAt) OR reachableAt <= :at")
            .expression_attribute_values(":reachable", s(reachable.as_str()))
            .expression_attribute_values(":at", s(at))
            .expression_attribute_values(":end", n(at.plus(self.ttl).seconds()));
        self.send(call, "UpdateItem of who can be reached").await?;
        Ok(())
    }

    /// The people who last had a username, at most ten: it can be given up and taken by somebody else.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn named(&self, username: &str) -> Result<Vec<TelegramUserId>, StoreError> {
        let is_part = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        if !(1..=USERNAME_MAX).contains(&username.len()) || !username.bytes().all(is_part) {
            return Ok(Vec::new());
        }
        let call = self.table.client.query().table_name(&self.table.name);
        let answer = call
            .index_name(BY_NAME)
            .key_condition_expression("usernameKey = :name")
            .expression_attribute_values(":name", s(username.to_lowercase()))
            .limit(10)
            .send()
            .await
            .map_err(self.table.fault("Query of people by name"))?;
        let items = answer.items.unwrap_or_default();
        let people = items.iter().map(|item| self.reader(item).parsed(PERSON));
        people.map(|person| person.map(TelegramUserId)).collect()
    }

    /// What is written whenever a person writes; `more` goes on with what is set.
    fn sighting(
        &self,
        sighting: Sighting<'_>,
        now: Timestamp,
        more: &str,
    ) -> UpdateItemFluentBuilder {
        let sender = sighting.sender;
        let mut set = format!(
            "SET lastSeenAt = :now, createdAt = if_not_exists(createdAt, :now), #name = :name, \
             expiresAt = if_not_exists(keptUntil, :end){more}"
        );
        let mut call = self.update(sender.person);
        if sighting.is_private {
            set.push_str(", wroteAt = :at");
            call = call.expression_attribute_values(":at", s(sighting.at));
        }
        match &sender.username {
            Some(username) => {
                set.push_str(", username = :username, usernameKey = :usernameKey");
                call = call
                    .expression_attribute_values(":username", s(username))
                    .expression_attribute_values(":usernameKey", s(username.to_lowercase()));
            }
            None => set.push_str(" REMOVE username, usernameKey"),
        }
        call.update_expression(set)
            .expression_attribute_names("#name", NAME)
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":name", s(&sender.name))
            .expression_attribute_values(":end", n(now.plus(self.ttl).seconds()))
    }

    /// Sets a flag, if there is one to set, and keeps the person.
    async fn set(
        &self,
        person: TelegramUserId,
        now: Timestamp,
        flag: &str,
        value: Option<bool>,
    ) -> Result<(), StoreError> {
        let kept =
            "SET keptUntil = :kept, expiresAt = :kept, createdAt = if_not_exists(createdAt, :now)";
        let call = match value {
            None => self.update(person).update_expression(kept),
            Some(value) => self
                .update(person)
                .update_expression(format!("{kept}, {flag} = :flag"))
                .expression_attribute_values(
                    ":flag",
                    aws_sdk_dynamodb::types::AttributeValue::Bool(value),
                ),
        };
        let call = call
            .expression_attribute_values(":kept", n(KEPT))
            .expression_attribute_values(":now", s(now));
        self.send(call, "UpdateItem of a person").await?;
        Ok(())
    }

    fn update(&self, person: TelegramUserId) -> UpdateItemFluentBuilder {
        let call = self.table.client.update_item().table_name(&self.table.name);
        call.key(PERSON, s(person))
            .return_values(ReturnValue::AllNew)
    }

    /// The item as it is written; nothing if its state does not allow the write.
    async fn send(
        &self,
        call: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<Option<Item>, StoreError> {
        let error = match call.send().await {
            Ok(answer) => return Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
            _ => Err(self.table.fault(operation)(error)),
        }
    }

    const fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.table,
            item,
        }
    }

    fn read(&self, item: &Item, id: TelegramUserId) -> Result<Person, StoreError> {
        let reader = self.reader(item);
        let malformed = |attribute| move || self.table.malformed(attribute);
        let language = reader.optional_text(LANGUAGE)?.map(Language::of_tag);
        let role = reader.optional_text(ROLE)?.map(Role::of_word);
        let told = match reader.optional_text(REACHABLE)? {
            None => Some(Reachable::Unknown),
            Some(word) => Reachable::ALL
                .into_iter()
                .find(|reachable| reachable.as_str() == word),
        };
        let told = told.ok_or_else(malformed(REACHABLE))?;
        let told_at = reader.optional_instant(REACHABLE_AT)?;
        // Whoever wrote after they had blocked the bot has unblocked it.
        let reachable = match reader.optional_instant(WROTE_AT)? {
            Some(wrote_at) if told_at.is_none_or(|told_at| told_at < wrote_at) => Reachable::Yes,
            _ => told,
        };
        let created_at = reader.parsed(CREATED_AT)?;
        Ok(Person {
            id,
            language: language
                .map(|language| language.ok_or_else(malformed(LANGUAGE)))
                .transpose()?,
            role: role
                .map(|role| role.ok_or_else(malformed(ROLE)))
                .transpose()?,
            name: reader.optional_text(NAME)?.unwrap_or_default().to_owned(),
            username: reader.optional_text(USERNAME)?.map(str::to_owned),
            reachable,
            opted_out: reader.flag(OPTED_OUT),
            blocked: reader.flag(BLOCKED),
            created_at,
            last_seen_at: reader.optional_instant(LAST_SEEN_AT)?.unwrap_or(created_at),
        })
    }
}

const fn counter(counted: Counted) -> &'static str {
    match counted {
        Counted::Command => "commands",
        Counted::Press => "presses",
        Counted::Message => "messages",
    }
}
