//! Order and clock speed, by what shops and customers saw: who was answered before another one asked is served first, and a
//! used link is soon out of use.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::time::Timestamp;
use serde_json::Value;

use super::world::World;

/// When a buyer asked, was answered and was served.
struct Buyer {
    id: String,
    asked: Timestamp,
    answered: Timestamp,
    served: Timestamp,
}

/// Buyers who were answered before another one of their chat asked, and served more than `slack` after that one. Only
/// calls under way may change places, so `slack` is what a call takes. Left out are those served from the pool, those
/// whose first link was replaced, those whose try failed for their own sake, and those that `is_exempt`.
///
/// # Errors
/// What DynamoDB says.
pub async fn overtaken(
    world: &World,
    slack: Duration,
    is_exempt: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<String>> {
    let links = world.telegram.links();
    let links: BTreeMap<&str, i64> = links
        .iter()
        .filter(|link| !link.name.as_deref().unwrap_or_default().starts_with("pool"))
        .map(|link| (link.url.as_str(), link.created_at_ms))
        .collect();
    let requests = world.items("InviteRequests").await?;
    let observed = world.observed();
    let mut chats: BTreeMap<i64, Vec<Buyer>> = BTreeMap::new();
    for item in requests {
        let id = item["requestId"].as_str().unwrap_or_default();
        let times = observed.times.get(id);
        let link = item["inviteLink"].as_str().and_then(|link| links.get(link));
        let (Some((asked, answered)), Some(served)) = (times, link) else {
            continue;
        };
        let is_own = item["attempts"].as_u64() > Some(1) || item["linkVersion"].as_u64() > Some(0);
        if is_own || is_exempt(id) {
            continue;
        }
        let chat = item["chatId"].as_i64().unwrap_or_default();
        chats.entry(chat).or_default().push(Buyer {
            id: id.to_owned(),
            asked: *asked,
            answered: *answered,
            served: Timestamp::from_ms(*served),
        });
    }
    drop(observed);
    let mut overtaken = Vec::new();
    for buyers in chats.values_mut() {
        buyers.sort_by_key(|buyer| buyer.served);
        let (mut before, mut youngest) = (buyers.iter().peekable(), None::<&Buyer>);
        for buyer in buyers.iter() {
            while let Some(other) = before.next_if(|other| other.served.plus(slack) < buyer.served)
            {
                if youngest.is_none_or(|youngest| youngest.asked < other.asked) {
                    youngest = Some(other);
                }
            }
            if let Some(other) = youngest.filter(|other| other.asked > buyer.answered) {
                let by = buyer.served.since(other.served);
                overtaken.push(format!(
                    "{} was overtaken by {} by {by:?}",
                    buyer.id, other.id
                ));
            }
        }
    }
    Ok(overtaken)
}

/// Used links that were not revoked within `bound` of the join, or of `from` if that was later.
#[must_use]
pub fn revoked_late(world: &World, bound: Duration, from: Timestamp) -> Vec<String> {
    let mut revoked: BTreeMap<String, i64> = BTreeMap::new();
    for call in world.telegram.calls() {
        let is_dead = call.method == "revokeChatInviteLink" && matches!(call.status, 200 | 400);
        if let (true, Value::String(link)) = (is_dead, &call.params["invite_link"]) {
            revoked.entry(link.clone()).or_insert(call.at_ms);
        }
    }
    let joins = world.observed().joins.clone();
    let late = joins.into_iter().filter_map(|join| {
        let at = Timestamp::from_ms(*revoked.get(&join.link)?);
        let took = at.since(join.at.max(from));
        (took > bound).then(|| {
            format!(
                "the link that {} used was revoked after {took:?}",
                join.person
            )
        })
    });
    late.collect()
}
