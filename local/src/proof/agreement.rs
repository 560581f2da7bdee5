//! What else must agree once a world is quiet: what shops and customers were told, what Telegram saw and what was
//! logged, with the records.

use std::collections::BTreeMap;

use serde_json::Value;
use simulators::telegram::Link;

use super::world::World;

/// The longest that a link may live, in seconds: one in stock, as the template has it.
const LIFE_MAX_SECONDS: i64 = 2_592_000;

/// Whatever disagrees; empty if nothing does. `requests` are all records by their ids.
pub(super) fn broken(world: &World, requests: &BTreeMap<String, Value>) -> Vec<String> {
    let links: BTreeMap<String, Link> = world
        .telegram
        .links()
        .into_iter()
        .map(|link| (link.url.clone(), link))
        .collect();
    let mut broken = Vec::new();
    answers(world, requests, &mut broken);
    for (id, item) in requests {
        record(id, item, &links, &mut broken);
    }
    unseen(requests, &links, &mut broken);
    joins(world, requests, &mut broken);
    logs(world, &links, &mut broken);
    broken
}

/// What shops were told is what the records say.
fn answers(world: &World, requests: &BTreeMap<String, Value>, broken: &mut Vec<String>) {
    let heard = world.heard();
    for (asked, told) in &heard.asked {
        let (user, transaction) = (id_of(&asked["userId"]), id_of(&asked["transactionId"]));
        match told.status {
            200 => {
                let id = told.body["requestId"].as_str().unwrap_or_default();
                let Some(item) = requests.get(id) else {
                    continue;
                };
                if item["userId"] != user || item["transactionId"] != transaction {
                    broken.push(format!("I1: {user} was told {id}, which is another's"));
                }
                let link = &told.body["inviteLink"];
                if !link.is_null() && *link != item["inviteLink"] {
                    broken.push(format!("I1: {id} was told another link than its own"));
                }
                if (told.body["status"] == "done") == link.is_null() {
                    broken.push(format!("I2: {id} was told a status without its link"));
                }
            }
            409 => {
                let is_another =
                    |item: &Value| item["transactionId"] == transaction && item["userId"] != user;
                if !requests.values().any(is_another) {
                    broken.push(format!("I1: {user} was refused without another buyer"));
                }
            }
            _ => {}
        }
    }
}

/// An id as it is stored.
fn id_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

/// A record at rest holds what its status says, and nothing of a lease.
fn record(id: &str, item: &Value, links: &BTreeMap<String, Link>, broken: &mut Vec<String>) {
    let is_done = item["status"] == "DONE";
    for name in ["inviteLink", "linkExpiresAt", "doneAt"] {
        if item[name].is_null() == is_done {
            broken.push(format!(
                "I2: {id} is {} and its {name} is not so",
                item["status"]
            ));
        }
    }
    if !item["leaseOwner"].is_null() || !item["leaseUntil"].is_null() {
        broken.push(format!("I2: {id} is at rest and leased"));
    }
    if !is_done {
        return;
    }
    let url = item["inviteLink"].as_str().unwrap_or_default();
    let Some(link) = links.get(url) else {
        broken.push(format!("I1: {id} has a link that Telegram never made"));
        return;
    };
    if link.revoked && item["joinedAt"].is_null() {
        broken.push(format!(
            "I1: the link of {id} is revoked and was never used"
        ));
    }
    if link.chat_id != item["chatId"].as_i64().unwrap_or_default() {
        broken.push(format!("I1: the link of {id} leads to another chat"));
    }
    let is_stock = link
        .name
        .as_deref()
        .is_some_and(|name| name.starts_with("stock "));
    let attempts = item["attempts"].as_u64().unwrap_or_default();
    if !is_stock && attempts == 0 {
        broken.push(format!("I4: {id} has a link without a try"));
    }
}

/// A link that was not handed out was never used, and does not live long.
fn unseen(
    requests: &BTreeMap<String, Value>,
    links: &BTreeMap<String, Link>,
    broken: &mut Vec<String>,
) {
    for link in links.values() {
        let is_handed_out = requests.values().any(|item| item["inviteLink"] == link.url);
        if link.joins > 0 && !is_handed_out {
            broken.push("I1: somebody joined by a link that was not handed out".to_owned());
        }
        let until = link.created_at_ms / 1000 + LIFE_MAX_SECONDS;
        if link.expire_date.is_none_or(|at| at > until) {
            broken.push("I1: a link lives too long".to_owned());
        }
    }
}

/// A join is that of the payment whose link was used, in the record and in the event.
fn joins(world: &World, requests: &BTreeMap<String, Value>, broken: &mut Vec<String>) {
    let joins = world.heard().joins.clone();
    for (link, person) in joins {
        let person = person.to_string();
        let owner = requests.values().find(|item| item["inviteLink"] == link);
        if owner.is_none_or(|item| item["telegramUserId"] != person) {
            broken.push(format!("I3: the join of {person} is not its payment's"));
        }
    }
    for event in world.webengage.ingested() {
        let data = &event.body["eventData"];
        if data["telegramUserId"].is_null() {
            continue;
        }
        let is_of = |item: &&Value| item["inviteLink"] == data["inviteLink"];
        let owner = requests.values().find(is_of);
        let agrees = |item: &Value| {
            item["telegramUserId"] == data["telegramUserId"]
                && item["userId"] == event.body["userId"]
                && item["transactionId"] == data["transactionId"]
        };
        if !owner.is_some_and(agrees) {
            broken.push("I3: a join was told as another's".to_owned());
        }
    }
}

/// No line holds what none may, and no invocation panicked.
fn logs(world: &World, links: &BTreeMap<String, Link>, broken: &mut Vec<String>) {
    let secrets: Vec<&str> = links
        .keys()
        .filter_map(|url| url.split_once('+').map(|(_, secret)| secret))
        .collect();
    for leak in world.logs.leaks(&secrets) {
        broken.push(format!("I6: logged: {leak}"));
    }
    if world.logs.panics() > 0 {
        broken.push(format!("I7: {} invocations panicked", world.logs.panics()));
    }
}
