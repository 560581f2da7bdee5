//! The operators' chat, asked of Telegram: whether what people write can be passed on to it, and nobody else reads it.

use domain::id::ChatId;
use runtime::telemetry::chain;
use telegram::{Chat, Membership, PASSED_ON, TelegramError};

use crate::check::{Check, patiently, todo_or};
use crate::registration::Bot;

const WHAT: &str = "operators' chat";

/// What the front bot may do in the operators' chat, if there is one.
pub async fn check(bots: &[Bot], chat: Option<ChatId>) -> Option<Check> {
    let (chat, front) = (chat?, bots.first()?);
    let found = async {
        let shown = patiently(async || front.telegram.chat(chat).await).await?;
        let own = patiently(async || front.telegram.own_membership(chat).await).await?;
        Ok::<_, TelegramError>((shown, own))
    };
    Some(match found.await {
        Ok((shown, own)) => judge(&shown, &own),
        Err(failure) => {
            let todo = todo_or(
                &failure,
                "add the front bot to the operators' chat as an administrator, and check OPERATOR_CHAT_ID",
            );
            Check::failed(WHAT, format!("{}: {todo}", chain(&failure)))
        }
    })
}

fn judge(chat: &Chat, own: &Membership) -> Check {
    if chat.kind != "supergroup" || !chat.is_forum {
        let says = "it has no topics: make it a supergroup and switch topics on in its settings";
        return Check::failed(WHAT, says);
    }
    if chat.public_name().is_some() || chat.linked_chat_id.is_some() {
        let says = "anybody can join it and read what people write to the operators: make it private, and unlink it from its channel";
        return Check::failed(WHAT, says);
    }
    if own.status != "administrator" {
        let says = "the front bot is no administrator there: make it one who may manage topics, pin and delete messages";
        return Check::failed(WHAT, says);
    }
    let rights = [
        (own.can_manage_topics, "manage topics"),
        (own.can_pin_messages, "pin messages"),
        (own.can_delete_messages, "delete messages"),
    ];
    let lacks: Vec<&str> = rights
        .into_iter()
        .filter(|(has, _)| !has)
        .map(|(_, right)| right)
        .collect();
    if !lacks.is_empty() {
        let says = format!(
            "the front bot may not {}; give it that right among the chat's administrators",
            lacks.join(", nor ")
        );
        return Check::failed(WHAT, says);
    }
    if !chat.allows_reaction(PASSED_ON) {
        let says = format!(
            "operators do not see that an answer was passed on: allow the reaction {PASSED_ON} in the chat's settings"
        );
        return Check::warning(WHAT, says);
    }
    Check::ok(
        WHAT,
        "a private forum, and the front bot has its rights there",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::check::CheckStatus;

    #[test]
    fn a_chat_in_which_the_relay_could_not_work_or_others_read_is_refused() {
        let chat = json!({"type": "supergroup", "title": "Desk", "is_forum": true});
        let own = json!({"status": "administrator", "can_manage_topics": true, "can_pin_messages": true, "can_delete_messages": true});
        let judged = |chat_is: Value, own_is: Value| {
            let with = |base: &Value, change: Value| {
                let mut all = base.clone();
                for (key, value) in change.as_object().unwrap() {
                    all[key] = value.clone();
                }
                all
            };
            let chat: Chat = serde_json::from_value(with(&chat, chat_is)).unwrap();
            let own: Membership = serde_json::from_value(with(&own, own_is)).unwrap();
            judge(&chat, &own)
        };
        assert_eq!(judged(json!({}), json!({})).status, CheckStatus::Ok);
        for (allowed, expected) in [
            (json!([]), CheckStatus::Warning),
            (
                json!([{"type": "emoji", "emoji": "🔥"}, {"type": "custom_emoji", "custom_emoji_id": "5"}]),
                CheckStatus::Warning,
            ),
            (json!([{"type": "emoji", "emoji": "👌"}]), CheckStatus::Ok),
        ] {
            let check = judged(json!({"available_reactions": allowed}), json!({}));
            assert_eq!(check.status, expected, "{check:?}");
        }
        for (chat, own, words) in [
            (json!({"is_forum": false}), json!({}), "has no topics"),
            (json!({"type": "group"}), json!({}), "has no topics"),
            (json!({"username": "desk"}), json!({}), "anybody can join"),
            (
                json!({"linked_chat_id": -1009}),
                json!({}),
                "anybody can join",
            ),
            (json!({}), json!({"status": "member"}), "no administrator"),
            (
                json!({}),
                json!({"can_manage_topics": false}),
                "manage topics",
            ),
            (
                json!({}),
                json!({"can_pin_messages": false, "can_delete_messages": false}),
                "pin messages, nor delete messages",
            ),
        ] {
            let check = judged(chat, own);
            assert_eq!(check.status, CheckStatus::Failed);
            assert!(check.says.contains(words), "{check:?}");
        }
    }
}
