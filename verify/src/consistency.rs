//! What else must be consistent once a world is quiet: tasks, pool and records, and what shops and customers were told, what Telegram saw and what was
//! logged, with the records.

use std::collections::BTreeMap;

use serde_json::Value;
use simulators::telegram::Link;

use super::world::{Join, World};

/// The longest that a link may live, in seconds: one in the pool, as the template has it.
const LIFE_MAX_SECONDS: i64 = 2_592_000;

/// Whatever disagrees; empty if nothing does. `requests` are all records by their ids, `lookups` all by their links.
pub(super) async fn broken(
    world: &World,
    requests: &BTreeMap<String, Value>,
    lookups: &BTreeMap<String, Value>,
    links: &BTreeMap<String, Link>,
) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    answers(world, requests, &mut broken);
    for (id, item) in requests {
        record(id, item, links, &mut broken);
    }
    unseen(requests, lookups, links, &mut broken);
    joins(world, requests, lookups, &mut broken);
    tasks(requests, &world.items("ChatTasks").await?, &mut broken);
    pool(world, lookups, links, &mut broken).await?;
    logs(world, links, &mut broken);
    Ok(broken)
}

/// A request that is not settled has its task, and a settled one has none but in the lane of failed ones.
fn tasks(requests: &BTreeMap<String, Value>, tasks: &[Value], broken: &mut Vec<String>) {
    let is_failed = |task: &Value| {
        task["lane"]
            .as_str()
            .is_some_and(|lane| lane.ends_with("#failed"))
    };
    for (id, item) in requests {
        let own = tasks.iter().filter(|task| task["requestId"] == id.as_str());
        let own = own.filter(|task| task["kind"] == "mint" || task["kind"] == "replace");
        let (failed, waiting): (Vec<&Value>, Vec<&Value>) = own.partition(|task| is_failed(task));
        let status = item["status"].as_str().unwrap_or_default();
        let wanted = match status {
            "DONE" => (0, 0),
            "FAILED" => (1, 0),
            _ => (0, 1),
        };
        if (failed.len(), waiting.len()) != wanted && item["voidedAt"].is_null() {
            broken.push(format!(
                "I2: {id} is {status} with {} tasks, and {} that failed",
                waiting.len(),
                failed.len()
            ));
        }
    }
    for task in tasks.iter().filter(|task| !is_failed(task)) {
        broken.push(format!(
            "I2: a task is left at rest: {} {}",
            task["lane"], task["key"]
        ));
    }
}

/// The pool holds a link for each slot, each known by its lookup, that is nobody's and works.
async fn pool(
    world: &World,
    lookups: &BTreeMap<String, Value>,
    links: &BTreeMap<String, Link>,
    broken: &mut Vec<String>,
) -> anyhow::Result<()> {
    let pooled = world.items("LinkPool").await?;
    let (filled, target) = (
        world.pooled().await?,
        world.pool_target() * world.chats.len(),
    );
    if filled != target {
        broken.push(format!("the pools hold {filled} links instead of {target}"));
    }
    for item in &pooled {
        let url = item["inviteLink"].as_str().unwrap_or_default();
        let owner = lookups
            .get(url)
            .map(|lookup| lookup.get("requestId").is_some());
        if owner != Some(false) {
            broken.push(format!(
                "I1: the link in slot {} is somebody's or unknown",
                item["slot"]
            ));
        }
        if links
            .get(url)
            .is_none_or(|link| link.revoked || link.joins > 0)
        {
            broken.push(format!(
                "I1: the link in slot {} does not work",
                item["slot"]
            ));
        }
    }
    let waiting = world.items("RateLimits").await?;
    for lease in waiting.iter().filter(|lease| !lease["owner"].is_null()) {
        let until = lease["until"].as_i64().unwrap_or_default();
        if until > world.clock.now().ms() {
            broken.push(format!(
                "I7: at rest the lease of {} is held",
                lease["limitKey"]
            ));
        }
    }
    Ok(())
}

/// What shops were told is what the records say.
fn answers(world: &World, requests: &BTreeMap<String, Value>, broken: &mut Vec<String>) {
    let observed = world.observed();
    for (asked, reply) in &observed.asked {
        let (user, transaction) = (id_of(&asked["userId"]), id_of(&asked["transactionId"]));
        match reply.status {
            200 => {
                let id = reply.body["requestId"].as_str().unwrap_or_default();
                let Some(item) = requests.get(id) else {
                    continue;
                };
                if item["userId"] != user || item["transactionId"] != transaction {
                    broken.push(format!("I1: {user} was told {id}, which is another's"));
                }
                let link = &reply.body["inviteLink"];
                let is_first = item["linkVersion"].as_u64().unwrap_or_default() == 0;
                if is_first && !link.is_null() && *link != item["inviteLink"] {
                    broken.push(format!("I1: {id} was told another link than its own"));
                }
                let is_void = !item["voidedAt"].is_null();
                if (reply.body["status"] == "done") == link.is_null() && !is_void {
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

/// A record at rest holds what its status says, and is in the index of pending events as long as one is.
fn record(id: &str, item: &Value, links: &BTreeMap<String, Link>, broken: &mut Vec<String>) {
    let is_done = item["status"] == "DONE";
    let is_claimed = !item["claimVersion"].is_null();
    for name in ["inviteLink", "linkExpiresAt", "doneAt"] {
        // A claim link does not end.
        let is_wanted = is_done && !(is_claimed && name == "linkExpiresAt");
        if name == "inviteLink" && !item["voidedAt"].is_null() {
            continue;
        }
        if item[name].is_null() == is_wanted {
            broken.push(format!(
                "I2: {id} is {} and its {name} is not so",
                item["status"]
            ));
        }
    }
    let is_pending = (is_done && item["weLinkEventFired"] != true && item["voidedAt"].is_null())
        || (!item["joinedAt"].is_null() && item["joinEventFired"] != true);
    if item["pendingShard"].is_null() == is_pending {
        broken.push(format!(
            "I3: {id} has an event pending: {is_pending}, and its index says otherwise"
        ));
    }
    if !is_done || is_claimed {
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
    let is_pooled = link
        .name
        .as_deref()
        .is_some_and(|name| name.starts_with("pool "));
    let attempts = item["attempts"].as_u64().unwrap_or_default();
    // A re-issue begins to count anew, and may be restored without a try.
    let is_untouched = item["actions"].as_u64().unwrap_or_default() == 0;
    if !is_pooled && is_untouched && attempts == 0 {
        broken.push(format!("I4: {id} has a link without a try"));
    }
}

/// A link that was not handed out was never used, and does not live long.
fn unseen(
    requests: &BTreeMap<String, Value>,
    lookups: &BTreeMap<String, Value>,
    links: &BTreeMap<String, Link>,
    broken: &mut Vec<String>,
) {
    for link in links.values().filter(|link| !link.creates_join_request) {
        let is_handed_out = owner(requests, lookups, &link.url).is_some_and(|item| {
            item["inviteLink"] == link.url || item["linkVersion"].as_u64() > Some(0)
        });
        if link.joins > 0 && !is_handed_out {
            broken.push("I1: somebody joined by a link that was not handed out".to_owned());
        }
        let until = link.created_at_ms / 1000 + LIFE_MAX_SECONDS;
        if link.expire_date.is_none_or(|at| at > until) {
            broken.push("I1: a link lives too long".to_owned());
        }
    }
}

/// The record of the request that a link was made for, or whose claim link it is.
fn owner<'a>(
    requests: &'a BTreeMap<String, Value>,
    lookups: &BTreeMap<String, Value>,
    link: &str,
) -> Option<&'a Value> {
    let is_claim = |item: &&Value| !item["claimVersion"].is_null() && item["inviteLink"] == link;
    match lookups.get(link) {
        Some(lookup) => requests.get(lookup["requestId"].as_str()?),
        None => requests.values().find(is_claim),
    }
}

/// A join is that of the payment whose link was used, in the record and in the event.
fn joins(
    world: &World,
    requests: &BTreeMap<String, Value>,
    lookups: &BTreeMap<String, Value>,
    broken: &mut Vec<String>,
) {
    let joins = world.observed().joins.clone();
    for Join { link, person, .. } in joins {
        let person = person.to_string();
        let owner = owner(requests, lookups, &link);
        if owner.is_none_or(|item| item["telegramUserId"] != person) {
            broken.push(format!("I3: the join of {person} is not its payment's"));
        }
    }
    for event in world.webengage.ingested() {
        let data = &event.body["eventData"];
        if data["telegramUserId"].is_null() {
            continue;
        }
        let link = data["inviteLink"].as_str().unwrap_or_default();
        let owner = owner(requests, lookups, link);
        let agrees = |item: &Value| {
            item["telegramUserId"] == data["telegramUserId"]
                && item["userId"] == event.body["userId"]
                && item["transactionId"] == data["transactionId"]
        };
        // By the link before the seat moved: nothing keeps that any more, but its request is known.
        let is_of_former_holder = |item: &&Value| {
            item["claimVersion"].as_u64() > Some(0)
                && item["userId"] == event.body["userId"]
                && item["transactionId"] == data["transactionId"]
        };
        let is_bound_from = |item: &Value| {
            let holder = item["boundFrom"].as_i64().map(|id| id.to_string());
            holder.is_some() && holder.as_deref() == data["telegramUserId"].as_str()
        };
        let owner = owner.or_else(|| requests.values().find(is_of_former_holder));
        let is_right = match owner {
            Some(item)
                if item["inviteLink"] != data["inviteLink"] && is_of_former_holder(&item) =>
            {
                true
            }
            // Its holder may join while it moves: that is told with the link of the move.
            Some(item) if is_bound_from(item) => is_of_former_holder(&item),
            owner => owner.is_some_and(agrees),
        };
        if !is_right {
            broken.push(format!(
                "I3: a join was told as another's: {data}, of {owner:?}"
            ));
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
