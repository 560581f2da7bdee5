//! What must hold once a world is quiet, read from what the world outside was told and from the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::time::Timestamp;
use serde_json::Value;
use simulators::telegram::Link;

pub use super::allowed::Allowed;
use super::books;
use super::claims;
use super::consistency;
use super::fairness;
use super::world::{Join, World};
use local::resources::{EVENTS, INVITES};

/// How soon a used link is revoked: a bell that died is shown again, and Telegram sends an update again.
const REVOKED_WITHIN: Duration = Duration::from_secs(1200);

/// Whatever is not as it must be; empty if all is.
///
/// # Errors
/// If the world can't be read.
pub async fn broken(world: &World, allowed: Allowed) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    let requests: BTreeMap<String, Value> = world
        .items("InviteRequests")
        .await?
        .into_iter()
        .filter_map(|item| Some((item["requestId"].as_str()?.to_owned(), item)))
        .filter(|(id, _)| !id.starts_with("window:"))
        .collect();
    let lookups: BTreeMap<String, Value> = world
        .items("InviteLinks")
        .await?
        .into_iter()
        .filter_map(|item| Some((item["inviteLink"].as_str()?.to_owned(), item)))
        .collect();
    let (accepted, joins) = {
        let observed = world.observed();
        (observed.accepted.clone(), observed.joins.clone())
    };
    let events = world.webengage.ingested();
    let links = world.telegram.links();
    let links_by_url: BTreeMap<String, Link> = links
        .iter()
        .map(|link| (link.url.clone(), link.clone()))
        .collect();

    // I1: one link a request, one request a link; whatever else was made is unseen.
    let mut handed_out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut hand = |request: &str, link: &Value| {
        if let Some(link) = link.as_str() {
            let links = handed_out.entry(request.to_owned()).or_default();
            links.insert(link.to_owned());
        }
    };
    for (id, item) in &requests {
        hand(id, &item["inviteLink"]);
    }
    for (id, answers) in &accepted {
        for answer in answers {
            hand(id, &answer["inviteLink"]);
        }
    }
    let by_payment: BTreeMap<(String, String), String> = requests
        .iter()
        .map(|(id, item)| {
            let of = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            ((of("transactionId"), of("userId")), id.clone())
        })
        .collect();
    for event in &events {
        let data = &event.body["eventData"];
        let payment = (
            data["transactionId"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            event.body["userId"].as_str().unwrap_or_default().to_owned(),
        );
        match by_payment.get(&payment) {
            Some(id) => hand(id, &data["inviteLink"]),
            None => broken.push(format!("I3: an event of nobody: {payment:?}")),
        }
    }
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (id, links) in &handed_out {
        // A re-issue hands out another one, and the one before lets nobody else in.
        let item = requests.get(id).unwrap_or(&Value::Null);
        let versions = item["linkVersion"].as_u64().unwrap_or_default() + 1;
        if links.len() as u64 > versions {
            broken.push(format!("I1: {id} was handed {} links", links.len()));
        }
        for link in links {
            let is_alive = links_by_url.get(link).is_some_and(|link| !link.revoked);
            if item["inviteLink"] != **link && is_alive {
                broken.push(format!("I1: a link of {id} that was replaced still works"));
            }
        }
        for link in links {
            if let Some(other) = owners.insert(link, id) {
                broken.push(format!("I1: one link for {other} and {id}"));
            }
            // Nobody made a claim link, and nobody looks it up.
            let is_claim = !item["claimVersion"].is_null();
            if !is_claim
                && lookups
                    .get(link)
                    .is_none_or(|lookup| lookup["requestId"].as_str() != Some(id))
            {
                broken.push(format!("I1: the link of {id} is not known as its own"));
            }
        }
    }
    let transactions: BTreeSet<&str> = requests
        .values()
        .filter_map(|item| item["transactionId"].as_str())
        .filter(|id| !id.is_empty())
        .collect();
    let with_transaction = requests
        .values()
        .filter(|item| {
            item["transactionId"]
                .as_str()
                .is_some_and(|id| !id.is_empty())
        })
        .count();
    if transactions.len() != with_transaction {
        broken.push("I1: a payment with two requests".to_owned());
    }
    // By a request link people only ask.
    for link in links.iter().filter(|link| !link.creates_join_request) {
        if link.joins > 1 {
            broken.push(format!("I1: {} joined by one link", link.joins));
        }
        if link.member_limit != Some(1) || link.expire_date.is_none() {
            broken.push("I1: a link for more than one, or for ever".to_owned());
        }
    }

    // I2: what was accepted is settled.
    for id in accepted.keys() {
        match requests.get(id).map(|item| item["status"].as_str()) {
            Some(Some("DONE")) => {}
            Some(Some("FAILED")) if allowed.failed => {}
            other => broken.push(format!("I2: {id} was accepted and is {other:?}")),
        }
    }
    for (id, item) in &requests {
        if !matches!(item["status"].as_str(), Some("DONE" | "FAILED")) {
            broken.push(format!("I2: {id} is left {}", item["status"]));
        }
        if item["status"] == "FAILED" && !allowed.failed {
            broken.push(format!("I4: {id} is FAILED: {}", item["error"]));
        }
    }

    // I3: each fact reached WebEngage, once.
    let mut delivered: BTreeMap<(String, String), u32> = BTreeMap::new();
    for event in &events {
        let name = event.body["eventName"].as_str().unwrap_or_default();
        let data = &event.body["eventData"];
        let transaction = data["transactionId"].as_str().unwrap_or_default();
        let user = event.body["userId"].as_str().unwrap_or_default();
        *delivered
            .entry((format!("{transaction}/{user}"), name.to_owned()))
            .or_default() += 1;
    }
    let delivered = |item: &Value, name: &str| {
        let of = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let key = format!("{}/{}", of("transactionId"), of("userId"));
        delivered.get(&(key, name.to_owned())).copied().unwrap_or(0)
    };
    for (id, item) in &requests {
        let done = item["status"] == "DONE";
        let joined = item.get("joinedAt").is_some();
        for (happened, name, flag) in [
            (
                done,
                "pass_paid_community_telegram_link_created",
                "weLinkEventFired",
            ),
            (
                joined,
                "pass_paid_community_telegram_joined",
                "joinEventFired",
            ),
        ] {
            let times = delivered(item, name);
            let replaced = item["linkVersion"].as_u64().unwrap_or_default() > 0;
            let again = (allowed.delivered_again || replaced) && happened && times > 1;
            // What is void is not told any more.
            if name.ends_with("link_created") && !item["voidedAt"].is_null() && times < 2 {
                continue;
            }
            if times != u32::from(happened) && !again {
                broken.push(format!("I3: {id}: {name} was told {times} times"));
            }
            if happened && item[flag] != true {
                broken.push(format!("I3: {id}: {flag} is not set"));
            }
        }
    }
    for Join { link, person, .. } in &joins {
        let lookup = lookups.get(link);
        let id = lookup.and_then(|lookup| lookup["requestId"].as_str());
        let item = id.and_then(|id| requests.get(id));
        if item.is_none_or(|item| item["telegramUserId"].as_str() != Some(&person.to_string())) {
            broken.push(format!("I3: the join of {person} is not recorded"));
        }
        if links
            .iter()
            .any(|known| known.url == *link && !known.revoked)
        {
            broken.push(format!("I1: the link that {person} used is not revoked"));
        }
    }

    // I4: a rate limit neither fails a request nor counts as a try.
    let mut tries: BTreeMap<String, u64> = BTreeMap::new();
    for call in world.telegram.calls() {
        let made_for = match call.method.as_str() {
            _ if call.status == 429 => continue,
            "createChatInviteLink" => &call.params["name"],
            // To replace a link its revocation is tried too.
            "revokeChatInviteLink" => {
                let link = call.params["invite_link"].as_str().unwrap_or_default();
                lookups
                    .get(link)
                    .map_or(&Value::Null, |lookup| &lookup["requestId"])
            }
            _ => continue,
        };
        let made_for = made_for.as_str().unwrap_or_default().replace('-', "");
        *tries.entry(made_for).or_default() += 1;
    }
    for (id, item) in &requests {
        let tries = tries.get(&id.replace('-', "")).copied().unwrap_or(0);
        let counted = item["attempts"].as_u64().unwrap_or_default();
        // A call that was cut off never reached Telegram.
        if counted > tries + world.wire.cuts() {
            broken.push(format!("I4: {id} counts {counted} tries, of {tries} made"));
        }
    }
    let violations = world.telegram.violations();
    for violation in violations.iter().filter(|_| !allowed.flood_calls) {
        broken.push(format!("I4: a call during a flood wait: {violation:?}"));
    }

    // I7: nothing but poison is a dead letter.
    for (source, poison) in [&INVITES, &EVENTS].into_iter().zip(allowed.dead_letters) {
        let dead = world.aws.queue_depth(source.dead_letters);
        let dead = dead.map_or(0, simulators::aws::sqs::Depth::total);
        let may_be_more = allowed.dead_bells && source.queue == INVITES.queue;
        if dead < poison || (dead > poison && !may_be_more) {
            broken.push(format!(
                "I7: {dead} dead letters of {} instead of {poison}",
                source.queue
            ));
        }
    }
    if !allowed.out_of_order {
        let slack = Duration::from_secs(1);
        broken.extend(fairness::overtaken(world, slack, |_| false).await?);
        let begin = Timestamp::from_ms(0);
        broken.extend(fairness::revoked_late(world, REVOKED_WITHIN, begin));
    }
    broken.extend(claims::broken(world, &requests, allowed).await?);
    broken.extend(books::broken(world).await?);
    broken.extend(consistency::broken(world, &requests, &lookups, &links_by_url).await?);
    Ok(broken)
}
