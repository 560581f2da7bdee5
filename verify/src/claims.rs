//! What must hold of claims once a world is quiet: one person has the seat, in a claimed chat only the payer gets in, and each
//! is told once.

use std::collections::BTreeMap;

use serde_json::Value;

use super::allowed::Allowed;
use super::world::World;

/// Whether there is an entitlement that was not closed.
fn is_live(entitlement: &Value) -> bool {
    !entitlement.is_null() && entitlement["cutAt"].is_null()
}

fn text_of(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// Whether the order of a request gives nothing any more. Who is in stays in: members are removed by nobody yet.
fn is_over(request: &Value) -> bool {
    let seat = request["orderSeat"].as_str().unwrap_or("null");
    let seat: Value = serde_json::from_str(seat).unwrap_or_default();
    !seat["cutAt"].is_null()
}

/// Whatever is not as it must be. `requests` are all records by their ids.
pub(super) async fn broken(
    world: &World,
    requests: &BTreeMap<String, Value>,
    allowed: Allowed,
) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    // An invite link lets in the first person who uses it, also after its request was claimed.
    let has_door = |item: &Value| !item["claimVersion"].is_null();
    let claimed = requests
        .iter()
        .filter(|(_, item)| has_door(item) || !item["boundTo"].is_null());
    let claimed: BTreeMap<&String, &Value> = claimed.collect();
    if claimed.is_empty() {
        return Ok(broken);
    }
    let seats = world.items("Members").await?;
    for (id, item) in &claimed {
        let holder = &item["boundTo"];
        let named = format!("request#{id}");
        let holders: Vec<&Value> = seats
            .iter()
            .filter(|seat| is_live(&seat["entitlements"][&named]))
            .map(|seat| &seat["telegramUserId"])
            .collect();
        let is_free = holder.is_null() || !item["voidedAt"].is_null() || is_over(item);
        let right = match is_free {
            true => holders.is_empty(),
            false => holders.len() == 1 && text_of(holders[0]) == text_of(holder),
        };
        if !right {
            broken.push(format!(
                "I11: {id} is bound to {holder}, and {holders:?} have its seat"
            ));
        }
        if has_door(item)
            && !item["joinedAt"].is_null()
            && text_of(&item["telegramUserId"]) != text_of(holder)
        {
            broken.push(format!(
                "I11: {} joined by {id}, which is bound to {holder}",
                item["telegramUserId"]
            ));
        }
    }
    for seat in &seats {
        let person = seat["telegramUserId"].as_str().unwrap_or_default();
        let Ok(person) = person.parse::<i64>() else {
            broken.push(format!("a seat of nobody: {seat}"));
            continue;
        };
        let here = |chat: &&i64| seat["chatId"] == chat.to_string() && world.is_claimed(**chat);
        for chat in world.chats.iter().filter(here) {
            let is_in = world.telegram.status(*chat, person).is_present();
            let entitled = seat["entitlements"]
                .as_object()
                .is_some_and(|all| all.values().any(is_live));
            let was_entitled = claimed
                .values()
                .any(|item| is_over(item) && text_of(&item["boundTo"]) == person.to_string());
            if is_in && !entitled && !was_entitled {
                broken.push(format!("I11: {person} is in {chat} without a right"));
            }
            if is_in != (seat["presence"] == "IN") {
                broken.push(format!(
                    "I11: {person} is in {chat}: {is_in}, and the seat says {}",
                    seat["presence"]
                ));
            }
        }
    }
    for message in world.items("Messages").await? {
        // What is worth something for a moment only may come too late.
        let is_late = message["state"] == "EXPIRED" && message["class"] == "reply";
        let is_unheard = message["state"] == "UNREACHABLE"
            || message["state"] == "UNKNOWN" && message["class"] == "reply";
        if message["state"] != "SENT" && !is_late && !(allowed.unheard && is_unheard) {
            broken.push(format!("I12: a message is left {}", message["state"]));
        }
    }
    Ok(broken)
}
