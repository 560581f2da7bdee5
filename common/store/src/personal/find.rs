//! Finds a person's items.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::item::{Item, n, s};
use super::super::{StoreError, Table};
use super::{Holding, PersonItem, PersonKeys, Personal, PersonalTable};
use domain::id::{BotId, ChatId, InviteLink, LinkHash, RequestId, TelegramUserId};
use domain::job::names_person;
use domain::lease::LimitKey;
use domain::member::entitlement::EntitlementId;
use domain::message::{Class, MessageLane};
use domain::task::Lane;

/// What leads from a seat to its requests.
const ENTITLEMENTS: &str = "entitlements";
/// How many parked updates are looked through.
const PARKED_MAX: i32 = 1000;

impl Personal {
    /// What leads to the items of a person.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn keys(
        &self,
        person: TelegramUserId,
        bot: Option<BotId>,
    ) -> Result<PersonKeys, StoreError> {
        let mut requests = BTreeSet::new();
        let seats = self.table("Members");
        for seat in query(&seats, "telegramUserId", s(person), None).await? {
            let Some(AttributeValue::M(entitlements)) = seat.get(ENTITLEMENTS) else {
                continue;
            };
            let ids = entitlements.keys().map(EntitlementId::new);
            requests.extend(ids.filter_map(|id| id.request()));
        }
        let table = self.table("InviteRequests");
        let joined = query(&table, "telegramUserId", s(person), Some("ByPerson"));
        for item in joined.await? {
            let id = text(&item, "requestId");
            requests.extend(id.and_then(|id| id.parse::<RequestId>().ok()));
        }
        Ok(PersonKeys {
            person,
            bot,
            requests: requests.into_iter().collect(),
        })
    }

    /// The items of a table that hold something of a person, as of now but for what an index of a moment ago leads to.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn items(
        &self,
        table: &PersonalTable,
        keys: &PersonKeys,
    ) -> Result<Vec<PersonItem>, StoreError> {
        let items = self.find(table, keys).await?;
        // Of a job the record: its lines are copies.
        let is_told = |item: &Item| table.holding != Holding::Exports || is_record(item);
        Ok(items.into_iter().filter(is_told).map(PersonItem).collect())
    }

    pub(super) async fn find(
        &self,
        table: &PersonalTable,
        keys: &PersonKeys,
    ) -> Result<Vec<Item>, StoreError> {
        let person = keys.person;
        let at = self.table(table.name);
        match table.holding {
            Holding::Nobody(_) => Ok(Vec::new()),
            Holding::Partition(key, _) => query(&at, key, s(person), None).await,
            Holding::Requests => self.requests(keys).await,
            Holding::Links => self.links(&at, keys).await,
            Holding::ChatTasks => self.chat_tasks(&at, person).await,
            Holding::MessageTasks => self.message_tasks(&at, keys).await,
            Holding::Limits => limits(&at, keys).await,
            Holding::ParkedUpdates => parked(&at, person).await,
            Holding::Exports => exports(&at, person).await,
        }
    }

    async fn requests(&self, keys: &PersonKeys) -> Result<Vec<Item>, StoreError> {
        let table = self.table("InviteRequests");
        let mut found = Vec::new();
        for id in &keys.requests {
            found.extend(get(&table, &[("requestId", s(id))]).await?);
        }
        let person = keys.person.to_string();
        found.retain(|item| {
            let bound = item.get("boundTo").and_then(|id| id.as_n().ok());
            bound == Some(&person) || text(item, "telegramUserId") == Some(person.as_str())
        });
        Ok(found)
    }

    async fn links(&self, table: &Table, keys: &PersonKeys) -> Result<Vec<Item>, StoreError> {
        let (mut hashes, mut chats) = (BTreeSet::new(), self.chats.clone());
        for request in self.requests(keys).await? {
            let replaced = match request.get("replaced") {
                Some(AttributeValue::M(replaced)) => text(replaced, "inviteLink"),
                _ => None,
            };
            let links = [
                text(&request, "inviteLink"),
                text(&request, "joinedLink"),
                replaced,
            ];
            let links = links.into_iter().flatten();
            hashes.extend(links.map(|link| InviteLink::new(link).hash().as_str().to_owned()));
            for name in ["chatId", "canonicalChatId"] {
                let chat = request.get(name).and_then(|id| id.as_n().ok());
                chats.extend(chat.and_then(|id| id.parse().ok()).map(ChatId));
            }
        }
        let members = chats.iter();
        let members = members.map(|chat| LinkHash::of_member(*chat, keys.person));
        hashes.extend(members.map(|hash| hash.as_str().to_owned()));
        let mut found = Vec::new();
        for hash in &hashes {
            found.extend(get(table, &[("linkHash", s(hash))]).await?);
        }
        Ok(found)
    }

    /// The tasks that name a person: those that let them in or are about them otherwise, and those given up.
    async fn chat_tasks(
        &self,
        table: &Table,
        person: TelegramUserId,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        for chat in &self.chats {
            for lane in Lane::mints(*chat).chain([Lane::Failed(*chat)]) {
                let tasks = query_filtered(table, lane.to_string(), "telegramUserId", n(person));
                found.extend(tasks.await?);
            }
        }
        Ok(found)
    }

    async fn message_tasks(
        &self,
        table: &Table,
        keys: &PersonKeys,
    ) -> Result<Vec<Item>, StoreError> {
        let chat = ChatId(keys.person.0);
        let mut lanes = BTreeSet::new();
        for record in query(&self.table("Messages"), "chatId", s(chat), None).await? {
            let bot = record.get("botId").and_then(|id| id.as_n().ok());
            let bot = bot.and_then(|id| id.parse().ok()).map(BotId);
            lanes.extend(bot);
        }
        lanes.extend(keys.bot);
        let mut found = Vec::new();
        for bot in lanes {
            let of_class = Class::ALL.map(|class| MessageLane::of(bot, chat, class));
            for lane in of_class.into_iter().chain([MessageLane::Parked(bot)]) {
                let tasks = query_filtered(table, lane.to_string(), "chatId", s(chat));
                found.extend(tasks.await?);
            }
        }
        Ok(found)
    }
}

/// Whether an item of `Jobs` is the record of one.
pub(super) fn is_record(item: &Item) -> bool {
    text(item, "item") == Some("job")
}

pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// What the limits of the bot note of the person's chat: the time of its next message, and a pause of it.
async fn limits(table: &Table, keys: &PersonKeys) -> Result<Vec<Item>, StoreError> {
    let Some(bot) = keys.bot else {
        return Ok(Vec::new());
    };
    let key = s(LimitKey::Messages(bot));
    let Some(lease) = get(table, &[("limitKey", key.clone())]).await? else {
        return Ok(Vec::new());
    };
    let person = keys.person.to_string();
    let mut noted = Item::new();
    if let Some(AttributeValue::M(slots)) = lease.get("chatSlots")
        && let Some(slot) = slots.get(&person)
    {
        let slots = [(person.clone(), slot.clone())].into();
        noted.insert("chatSlots".to_owned(), AttributeValue::M(slots));
    }
    let pause = format!("pause#{person}");
    if let Some(paused) = lease.get(&pause) {
        noted.insert(pause, paused.clone());
    }
    if noted.is_empty() {
        return Ok(Vec::new());
    }
    noted.insert("limitKey".to_owned(), key);
    Ok(vec![noted])
}

async fn parked(table: &Table, person: TelegramUserId) -> Result<Vec<Item>, StoreError> {
    let mut found = Vec::new();
    for state in ["PARKED", "REPLAY"] {
        let call = table.client.query().table_name(&table.name);
        let answer = call
            .index_name("Parked")
            .key_condition_expression("parked = :state")
            .expression_attribute_values(":state", s(state))
            .limit(PARKED_MAX)
            .send()
            .await
            .map_err(table.fault("Query of parked updates"))?;
        for item in answer.items.unwrap_or_default() {
            if let Some(key) = item.get("updateKey") {
                found.extend(get(table, &[("updateKey", key.clone())]).await?);
            }
        }
    }
    found.retain(|item| text(item, "body").is_some_and(|body| names_person(body, person.0)));
    Ok(found)
}

/// The exports of a person, the lines before the record of each: by it they are found.
async fn exports(table: &Table, person: TelegramUserId) -> Result<Vec<Item>, StoreError> {
    let mut found = Vec::new();
    for key in query(table, "telegramUserId", s(person), Some("ByPerson")).await? {
        let Some(job) = key.get("jobId") else {
            continue;
        };
        let mut items = query(table, "jobId", job.clone(), None).await?;
        let is_export = |item: &Item| is_record(item) && text(item, "kind") == Some("export");
        if items.iter().any(is_export) {
            items.sort_by_key(is_record);
            found.extend(items);
        }
    }
    Ok(found)
}

/// All items of a partition, of an index of keys alone their keys.
async fn query(
    table: &Table,
    key: &str,
    value: AttributeValue,
    index: Option<&str>,
) -> Result<Vec<Item>, StoreError> {
    let call = table.client.query().table_name(&table.name);
    let pages = call
        .set_index_name(index.map(str::to_owned))
        .key_condition_expression("#key = :value")
        .expression_attribute_names("#key", key)
        .expression_attribute_values(":value", value)
        // An index is a moment behind, whatever one asks.
        .consistent_read(index.is_none());
    let items = pages.into_paginator().items().send();
    let items: Result<Vec<Item>, _> = items.try_collect().await;
    items.map_err(table.fault("Query of what a table holds of a person"))
}

/// The items of a lane that have this value.
async fn query_filtered(
    table: &Table,
    lane: String,
    name: &str,
    value: AttributeValue,
) -> Result<Vec<Item>, StoreError> {
    let call = table.client.query().table_name(&table.name);
    let pages = call
        .key_condition_expression("lane = :lane")
        .filter_expression("#name = :value")
        .expression_attribute_names("#name", name)
        .expression_attribute_values(":lane", s(lane))
        .expression_attribute_values(":value", value)
        .consistent_read(true);
    let items = pages.into_paginator().items().send();
    let items: Result<Vec<Item>, _> = items.try_collect().await;
    items.map_err(table.fault("Query of a lane"))
}

pub(super) async fn get(
    table: &Table,
    key: &[(&str, AttributeValue)],
) -> Result<Option<Item>, StoreError> {
    let key = key
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let call = table.client.get_item().table_name(&table.name);
    let answer = call
        .set_key(Some(key.collect()))
        .consistent_read(true)
        .send()
        .await
        .map_err(table.fault("GetItem of what a table holds of a person"))?;
    Ok(answer.item)
}
