//! Finds a person's items.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::item::{Item, Reader, n, s};
use super::super::relay_map::topic_of_key;
use super::super::{StoreError, Table, reminders};
use super::{Holding, PersonKeys, Personal, PersonalTable};
use domain::id::{BotId, ChatId, InviteLink, LinkHash, RequestId, TelegramUserId};
use domain::job::names_person;
use domain::lease::LimitKey;
use domain::member::entitlement::EntitlementId;
use domain::message::{Class, MessageLane};
use domain::reminder::Reminder;
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
        let (mut requests, mut chats) = (BTreeSet::new(), BTreeSet::new());
        let seats = self.table("Members");
        for seat in query(&seats, "telegramUserId", s(person), None).await? {
            let chat = text(&seat, "chatId").and_then(|id| id.parse().ok());
            chats.extend(chat.map(ChatId));
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
            chats: chats.into_iter().collect(),
        })
    }

    /// The requests that are the person's and nobody else's.
    pub(super) async fn own_requests(
        &self,
        keys: &PersonKeys,
    ) -> Result<BTreeSet<String>, StoreError> {
        let requests = self.requests(keys).await?;
        let own = requests.iter().filter(|item| is_own(item, keys.person));
        let ids = own.filter_map(|item| text(item, "requestId"));
        Ok(ids.map(str::to_owned).collect())
    }

    pub(super) async fn find(
        &self,
        table: &PersonalTable,
        keys: &PersonKeys,
    ) -> Result<Vec<Item>, StoreError> {
        let person = keys.person;
        let at = self.table(table.name);
        match table.holding {
            Holding::Nobody(_) | Holding::Passing(_) => Ok(Vec::new()),
            Holding::Partition(key, _) => query(&at, key, s(person), None).await,
            Holding::Requests => self.requests(keys).await,
            Holding::Links => self.links(&at, keys).await,
            Holding::ChatTasks => self.chat_tasks(&at, keys).await,
            Holding::MessageTasks => self.message_tasks(&at, keys).await,
            Holding::Messages => self.messages(&at, person).await,
            Holding::Deliveries => self.deliveries(&at, keys).await,
            Holding::Relay => relayed(&at, person).await,
            Holding::Limits => limits(&at, keys).await,
            Holding::ParkedUpdates => parked(&at, person).await,
            Holding::Exports => exports(&at, person).await,
            Holding::Orders => self.orders(&at, keys).await,
        }
    }

    pub(super) async fn requests(&self, keys: &PersonKeys) -> Result<Vec<Item>, StoreError> {
        let table = self.table("InviteRequests");
        let mut found = Vec::new();
        for id in &keys.requests {
            found.extend(get(&table, &[("requestId", s(id))]).await?);
        }
        found.retain(|item| is_of(item, keys.person) || tells_of(item, keys.person));
        Ok(found)
    }

    async fn links(&self, table: &Table, keys: &PersonKeys) -> Result<Vec<Item>, StoreError> {
        let (mut hashes, mut chats) = (BTreeSet::new(), self.chats.clone());
        let requests = self.requests(keys).await?.into_iter();
        for request in requests.filter(|request| is_of(request, keys.person)) {
            let replaced = match request.get("replaced") {
                Some(AttributeValue::M(replaced)) => text(replaced, "inviteLink"),
                _ => None,
            };
            let links = [
                text(&request, "inviteLink"),
                text(&request, "joinedLink"),
                replaced,
            ];
            // The links of one that moves are of whoever takes it over.
            let links = links.into_iter().flatten();
            let links = links.filter(|_| is_own(&request, keys.person));
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

    /// What was told of the person's requests, and of others as far as it names the person.
    async fn deliveries(&self, table: &Table, keys: &PersonKeys) -> Result<Vec<Item>, StoreError> {
        let person = keys.person;
        let own = self.own_requests(keys).await?;
        let mut found = query(table, "telegramUserId", s(person), Some("ByPerson")).await?;
        for request in &keys.requests {
            found.extend(query(table, "requestId", s(request), Some("ByRequest")).await?);
        }
        let mut told = BTreeMap::new();
        for item in &found {
            let (Some(shard), Some(event)) = (text(item, "endpointShard"), text(item, "event"))
            else {
                continue;
            };
            let key = [("endpointShard", s(shard)), ("event", s(event))];
            let Some(delivery) = get(table, &key).await? else {
                continue;
            };
            let is_own = text(&delivery, "requestId").is_some_and(|id| own.contains(id));
            let names = text(&delivery, "body").is_some_and(|body| names_person(body, person.0));
            if is_own || names {
                told.insert((shard, event), delivery);
            }
        }
        Ok(told.into_values().collect())
    }

    /// The tasks that name a person: those that let them in, turn them away or take them out, and those given up.
    async fn chat_tasks(&self, table: &Table, keys: &PersonKeys) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        // A seat may be of a chat that is not ours any more.
        let chats: BTreeSet<&ChatId> = self.chats.iter().chain(&keys.chats).collect();
        for chat in chats {
            let lanes = Lane::mints(*chat).chain([Lane::Later(*chat), Lane::Failed(*chat)]);
            for lane in lanes {
                let tasks = query(table, "lane", s(lane), None).await?;
                let names = |task: &Item| task.get("telegramUserId") == Some(&n(keys.person));
                found.extend(tasks.into_iter().filter(names));
            }
        }
        Ok(found)
    }

    /// The messages of the person's chat, and those of the operators' chat that name them, whoever wrote them. That chat is
    /// read as a whole: it holds what was said there in `MESSAGE_RETENTION_DAYS`.
    async fn messages(
        &self,
        table: &Table,
        person: TelegramUserId,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = query(table, "chatId", s(ChatId(person.0)), None).await?;
        if let Some(desk) = self.desk {
            let call = table.client.query().table_name(&table.name);
            let pages = call
                .key_condition_expression("chatId = :chat")
                .filter_expression("contains(content, :person)")
                .expression_attribute_values(":chat", s(desk))
                .expression_attribute_values(":person", s(person))
                .consistent_read(true);
            let items = pages.into_paginator().items().send();
            let items: Result<Vec<Item>, _> = items.try_collect().await;
            let items = items.map_err(table.fault("Query of the operators' chat"))?;
            let names = |item: &Item| {
                text(item, "content").is_some_and(|content| names_person(content, person.0))
            };
            found.extend(items.into_iter().filter(names));
        }
        Ok(found)
    }

    /// The tasks of those messages, in the lanes of the bots that send them, and of those that go to the person's topic.
    async fn message_tasks(
        &self,
        table: &Table,
        keys: &PersonKeys,
    ) -> Result<Vec<Item>, StoreError> {
        let chat = ChatId(keys.person.0);
        let (mut bots, mut places) = (BTreeSet::new(), BTreeSet::new());
        for record in self.messages(&self.table("Messages"), keys.person).await? {
            let bot = record.get("botId").and_then(|id| id.as_n().ok());
            bots.extend(bot.and_then(|id| id.parse().ok()).map(BotId));
            let place = text(&record, "messageId").zip(text(&record, "chatId"));
            places.extend(place.map(|(id, chat)| format!("{id}#{chat}")));
        }
        bots.extend(keys.bot);
        let mut found = Vec::new();
        let reminder = self.reminder(keys.person).await?;
        let mut reminders = Vec::new();
        for bot in bots {
            if let Some(place) = &reminder {
                let key = [("lane", s(reminders::lane(bot))), ("messageId", s(place))];
                reminders.extend(get(table, &key).await?);
            }
            let of_class = Class::ALL.map(|class| MessageLane::of(bot, chat, class));
            let of_desk = self.desk.map(|desk| MessageLane::Group(bot, desk));
            let lanes = of_class.into_iter().chain(of_desk);
            for lane in lanes.chain([MessageLane::Parked(bot)]) {
                found.extend(query(table, "lane", s(lane), None).await?);
            }
        }
        let (chat, person) = (chat.to_string(), keys.person.to_string());
        found.retain(|task| {
            text(task, "chatId") == Some(&chat)
                || text(task, "owner") == Some(&person)
                || text(task, "author") == Some(&person)
                || text(task, "messageId").is_some_and(|place| places.contains(place))
        });
        found.extend(reminders);
        Ok(found)
    }

    /// The place of the reminder to close the person's topic.
    async fn reminder(&self, person: TelegramUserId) -> Result<Option<String>, StoreError> {
        let people = self.table("People");
        let Some(item) = get(&people, &[("telegramUserId", s(person))]).await? else {
            return Ok(None);
        };
        let reader = Reader {
            table: &people,
            item: &item,
        };
        let at = reader.optional_instant("topicReminderAt")?;
        Ok(at.map(|at| reminders::place(at, Reminder::Silence(person))))
    }

    /// The person's topics, each with its chat: one, or two if the answer to its creation was lost, and those of operators'
    /// chats before the present one.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn topics(&self, keys: &PersonKeys) -> Result<BTreeSet<(ChatId, i64)>, StoreError> {
        let relay = relayed(&self.table("RelayMap"), keys.person).await?;
        let known = relay.iter().filter_map(|item| text(item, "message"));
        let mut topics: BTreeSet<(ChatId, i64)> = known.filter_map(topic_of_key).collect();
        let people = self.table("People");
        let person = get(&people, &[("telegramUserId", s(keys.person))]).await?;
        let number = |name: &str| person.as_ref()?.get(name)?.as_n().ok()?.parse().ok();
        topics.extend(number("topicChat").map(ChatId).zip(number("topicThread")));
        Ok(topics)
    }

    /// Whether somebody is to let the person into a chat, or to take them out of one.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn is_being_moved(&self, keys: &PersonKeys) -> Result<bool, StoreError> {
        let tasks = self.chat_tasks(&self.table("ChatTasks"), keys).await?;
        let is_ours = |task: &&Item| {
            let lane = text(task, "lane").and_then(|lane| lane.split_once('#'));
            let chat = lane.and_then(|(chat, _)| chat.parse().ok()).map(ChatId);
            chat.is_some_and(|chat| self.chats.contains(&chat))
        };
        // In a chat that is not ours any more nobody does anything.
        let mut tasks = tasks.iter().filter(is_ours);
        Ok(tasks.any(|task| match text(task, "kind") {
            Some("remove") => true,
            // One that was given up lets nobody in.
            Some("approve") => !text(task, "lane").is_some_and(|lane| lane.ends_with("#failed")),
            _ => false,
        }))
    }
}

/// Whether a request is the person's: they claimed it, or joined by it and nobody claimed it.
pub(super) fn is_of(request: &Item, person: TelegramUserId) -> bool {
    match request.get("boundTo") {
        Some(holder) => *holder == n(person),
        None => text(request, "telegramUserId") == Some(&person.to_string()),
    }
}

/// Whether a request is the person's and nobody else's: one that moves is of whoever comes with its present claim link.
pub(super) fn is_own(request: &Item, person: TelegramUserId) -> bool {
    is_of(request, person) && !request.contains_key("isMoving")
}

/// Whether a request, which may be another person's by now, tells that it was somebody's.
fn tells_of(request: &Item, person: TelegramUserId) -> bool {
    if request.get("boundFrom") == Some(&n(person))
        || text(request, "telegramUserId") == Some(&person.to_string())
    {
        return true;
    }
    let entries = request
        .get("history")
        .and_then(|entries| entries.as_l().ok());
    entries.is_some_and(|entries| entries.iter().any(|entry| entry_names(entry, person)))
}

/// Whether an entry of a history names somebody.
pub(super) fn entry_names(entry: &AttributeValue, person: TelegramUserId) -> bool {
    let AttributeValue::M(entry) = entry else {
        return false;
    };
    let mut texts = entry.values().filter_map(|value| value.as_s().ok());
    texts.any(|text| names_person(text, person.0))
}

/// What the relay notes of a person, by its keys.
async fn relayed(table: &Table, person: TelegramUserId) -> Result<Vec<Item>, StoreError> {
    query(table, "telegramUserId", s(person), Some("ByPerson")).await
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
pub(super) async fn query(
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
