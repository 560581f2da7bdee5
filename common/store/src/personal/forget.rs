//! Erases a person's items of a table.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::super::item::{Item, n, s};
use super::super::{StoreError, Table, UpdateKey};
use super::find::{entry_names, is_own, text};
use super::shown::without;
use super::{Holding, PersonKeys, Personal, PersonalTable};
use domain::job::{Pseudonym, names_person};
use domain::time::Timestamp;

impl Personal {
    /// Erases what a table holds of a person.
    pub(super) async fn forget(
        &self,
        table: &PersonalTable,
        keys: &PersonKeys,
        pseudonym: &Pseudonym,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let at = self.table(table.name);
        let own = match table.holding {
            Holding::Deliveries => self.own_requests(keys).await?,
            _ => BTreeSet::new(),
        };
        for item in self.find(table, keys).await? {
            match table.holding {
                Holding::Nobody(_) | Holding::Passing(_) => {}
                Holding::Partition(key, sort) => {
                    let names: Vec<&str> = [key].into_iter().chain(sort).collect();
                    delete(&at, &item, &names).await?;
                }
                Holding::Requests if is_own(&item, keys.person) => {
                    self.replace_request(&at, &item, pseudonym, now).await?;
                }
                Holding::Requests => {
                    let end = now.plus(self.claim_retention);
                    forget_former(&at, &item, keys, end).await?;
                }
                Holding::Links => replace_link(&at, &item, pseudonym).await?,
                Holding::ChatTasks => delete(&at, &item, &["lane", "key"]).await?,
                Holding::MessageTasks => delete(&at, &item, &["lane", "messageId"]).await?,
                Holding::Messages => delete(&at, &item, &["chatId", "messageId"]).await?,
                Holding::Deliveries => forget_delivery(&at, &item, keys, &own).await?,
                Holding::Relay => delete(&at, &item, &["message"]).await?,
                Holding::Limits => clear_limits(&at, &item, keys).await?,
                Holding::ParkedUpdates => {
                    let key = text(&item, "updateKey");
                    if let Some(key) = key.and_then(|key| key.parse::<UpdateKey>().ok()) {
                        self.updates.settle(key).await?;
                    }
                }
                Holding::Orders => self.forget_order(&item, pseudonym).await?,
                Holding::Exports => delete(&at, &item, &["jobId", "item"]).await?,
            }
        }
        Ok(())
    }

    /// A request stays, so that its payment is not served once more, and is void: nobody comes in by it. What identifies the
    /// payment stays for the books; the shop's user is a pseudonym, and its person is nobody. Where it is another's
    /// meanwhile, or begins to move, nothing is changed, and the erasure goes on in its next run.
    async fn replace_request(
        &self,
        table: &Table,
        item: &Item,
        pseudonym: &Pseudonym,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut set =
            "SET userId = :pseudonym, voidedAt = if_not_exists(voidedAt, :now), updatedAt = :now, \
             history = :none, expiresAt = :end"
                .to_owned();
        // An event that was not told yet would name a pseudonym to somebody who can do nothing with it.
        for (fired, given_up) in [
            ("weLinkEventFired", "linkEventGivenUp"),
            ("joinEventFired", "joinEventGivenUp"),
        ] {
            if item.get(fired) != Some(&AttributeValue::Bool(true)) {
                set.push_str(&format!(", {given_up} = :yes"));
            }
        }
        let mut call = update(table, item, &["requestId"]);
        let mut condition =
            "attribute_exists(requestId) AND attribute_not_exists(isMoving)".to_owned();
        for name in ["boundTo", "telegramUserId"] {
            match item.get(name) {
                None => condition.push_str(&format!(" AND attribute_not_exists({name})")),
                Some(read) => {
                    condition.push_str(&format!(" AND {name} = :{name}"));
                    call = call.expression_attribute_values(format!(":{name}"), read.clone());
                }
            }
        }
        let mut call = call
            .condition_expression(condition)
            .expression_attribute_names("#error", "error")
            .expression_attribute_values(":pseudonym", s(pseudonym.as_str()))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":end", n(now.plus(self.retention).seconds()));
        if set.contains(":yes") {
            call = call.expression_attribute_values(":yes", AttributeValue::Bool(true));
        }
        let remove = "REMOVE boundTo, boundFrom, boundAt, telegramUserId, pendingShard, pendingSince, pendingSends, #error";
        let call = call.update_expression(format!("{set} {remove}"));
        unless_changed(table, call, "UpdateItem to replace a person in a request").await
    }
}

/// A request that moved to somebody else keeps their seat, and one that still moves stays for whoever comes with its claim
/// link until `end`, as if nobody had claimed it before; it does not say whose it was. Where it was changed meanwhile nothing
/// is changed, and the erasure goes on in its next run: the seat that leads here is not erased before.
async fn forget_former(
    table: &Table,
    item: &Item,
    keys: &PersonKeys,
    end: Timestamp,
) -> Result<(), StoreError> {
    let mut call = update(table, item, &["requestId"]);
    let (mut set, mut remove, mut condition) = (Vec::new(), BTreeSet::new(), Vec::new());
    if let Some(AttributeValue::L(entries)) = item.get("history") {
        let mut left = entries.clone();
        left.retain(|entry| !entry_names(entry, keys.person));
        set.push("history = :left");
        condition.push("history = :read".to_owned());
        call = call
            .expression_attribute_values(":left", AttributeValue::L(left))
            .expression_attribute_values(":read", AttributeValue::L(entries.clone()));
    }
    for (name, theirs) in [
        ("boundFrom", n(keys.person)),
        ("boundTo", n(keys.person)),
        ("telegramUserId", s(keys.person)),
    ] {
        if item.get(name) == Some(&theirs) {
            remove.insert(name);
            condition.push(format!("{name} = :{name}"));
            call = call.expression_attribute_values(format!(":{name}"), theirs);
        }
    }
    if remove.contains("boundTo") {
        // The next join is an event of its own, as of one that was taken over; a request that tells nobody goes on so.
        set.extend([
            "joinEventFired = :no",
            "joinVersion = linkVersion",
            "expiresAt = :end",
        ]);
        remove.extend(["boundFrom", "boundAt"]);
        remove.extend(["joinedAt", "leftAt", "returnedAt", "joinedLink"]);
        let is = |name: &str| item.get(name) == Some(&AttributeValue::Bool(true));
        let tells_nobody = is("linkEventGivenUp")
            && is("joinEventGivenUp")
            && !is("weLinkEventFired")
            && !is("joinEventFired");
        if !tells_nobody {
            remove.insert("joinEventGivenUp");
        }
        condition.push("isMoving = :yes".to_owned());
        call = call
            .expression_attribute_values(":end", n(end.seconds()))
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
    }
    let mut change = String::new();
    if !set.is_empty() {
        change.push_str(&format!("SET {} ", set.join(", ")));
    }
    if !remove.is_empty() {
        let remove: Vec<&str> = remove.into_iter().collect();
        change.push_str(&format!("REMOVE {}", remove.join(", ")));
    }
    let call = call
        .update_expression(change.trim_end())
        .condition_expression(condition.join(" AND "));
    unless_changed(table, call, "UpdateItem to forget a former holder").await
}

/// What was told of the person goes; what is told of somebody else, who may still wait for it, does not name them any more.
async fn forget_delivery(
    table: &Table,
    item: &Item,
    keys: &PersonKeys,
    own: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let is_own = text(item, "requestId").is_some_and(|id| own.contains(id));
    let is_about = text(item, "telegramUserId") == Some(&keys.person.to_string());
    let body = text(item, "body").filter(|_| !is_own && !is_about);
    let left = body.and_then(|body| Some((body, without(body, |named| named == keys.person)?)));
    // Named in another way, it can only go as a whole.
    let left = left.filter(|(_, left)| !names_person(left, keys.person.0));
    let Some((read, left)) = left else {
        return delete(table, item, &["endpointShard", "event"]).await;
    };
    let call = update(table, item, &["endpointShard", "event"])
        .update_expression("SET body = :left")
        .condition_expression("body = :read")
        .expression_attribute_values(":left", s(left))
        .expression_attribute_values(":read", s(read));
    send(table, call, "UpdateItem to forget a person in a delivery").await
}

/// A link names its shop's user; that somebody is a member by a request is forgotten.
async fn replace_link(table: &Table, item: &Item, pseudonym: &Pseudonym) -> Result<(), StoreError> {
    if !item.contains_key("inviteLink") {
        return delete(table, item, &["linkHash"]).await;
    }
    let call = update(table, item, &["linkHash"])
        .update_expression("SET userId = :pseudonym")
        .condition_expression("attribute_exists(userId)")
        .expression_attribute_values(":pseudonym", s(pseudonym.as_str()));
    send(table, call, "UpdateItem to replace a person in a link").await
}

/// A dispatcher may write its lease at the same moment, and what it writes holds the chats of the next seconds alone.
async fn clear_limits(table: &Table, item: &Item, keys: &PersonKeys) -> Result<(), StoreError> {
    let person = keys.person.to_string();
    let mut call = update(table, item, &["limitKey"]);
    let (mut removed, mut condition) = (Vec::new(), "attribute_exists(limitKey)");
    if item.contains_key("chatSlots") {
        removed.push("chatSlots.#person");
        condition = "attribute_exists(chatSlots)";
        call = call.expression_attribute_names("#person", &person);
    }
    let pause = format!("pause#{person}");
    if item.contains_key(&pause) {
        removed.push("#pause");
        call = call.expression_attribute_names("#pause", pause);
    }
    let call = call
        .update_expression(format!("REMOVE {}", removed.join(", ")))
        .condition_expression(condition);
    send(table, call, "UpdateItem to clear a limit").await
}

fn key(item: &Item, names: &[&str]) -> HashMap<String, AttributeValue> {
    let values = names.iter();
    let values = values.filter_map(|name| Some(((*name).to_owned(), item.get(*name).cloned()?)));
    values.collect()
}

fn update(table: &Table, item: &Item, names: &[&str]) -> UpdateItemFluentBuilder {
    let call = table.client.update_item().table_name(&table.name);
    call.set_key(Some(key(item, names)))
}

async fn delete(table: &Table, item: &Item, names: &[&str]) -> Result<(), StoreError> {
    let call = table.client.delete_item().table_name(&table.name);
    let deleted = call.set_key(Some(key(item, names))).send().await;
    deleted
        .map(|_| ())
        .map_err(table.fault("DeleteItem of what a table holds of a person"))
}

/// As [`send`], where what was read must still be so.
async fn unless_changed(
    table: &Table,
    call: UpdateItemFluentBuilder,
    operation: &'static str,
) -> Result<(), StoreError> {
    let Err(error) = call.send().await else {
        return Ok(());
    };
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => Err(StoreError::Contended {
            table: table.name.clone(),
        }),
        _ => Err(table.fault(operation)(error)),
    }
}

async fn send(
    table: &Table,
    call: UpdateItemFluentBuilder,
    operation: &'static str,
) -> Result<(), StoreError> {
    let Err(error) = call.send().await else {
        return Ok(());
    };
    match error.as_service_error() {
        // It is gone, or otherwise by now.
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
        _ => Err(table.fault(operation)(error)),
    }
}
