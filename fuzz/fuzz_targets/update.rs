//! `POST /v1/telegram/webhook`: the body of an update.
//!
//! Only what is no JSON is refused. A join has a whole link and a person who is no bot, and is told by `chat_member`
//! alone; a private message is from the person whose chat it is; a join request names who asks and where.

#![no_main]

use domain::join::MemberChange;
use domain::text::without_mark;
use domain::update::{NotJson, UpdateKind, classify};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|body: &[u8]| {
    let seen = classify(body);
    assert_eq!(seen, classify(body), "one body, two meanings");
    let text = without_mark(body);
    let is_json =
        std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<&RawValue>(text).is_ok());
    match seen.map(|update| update.kind) {
        Err(NotJson) => assert!(!is_json, "JSON was refused"),
        Ok(UpdateKind::Ignored(reason) | UpdateKind::Member(MemberChange::Ignored(reason))) => {
            assert!(is_json && !reason.is_empty());
        }
        Ok(UpdateKind::Private(message)) => {
            assert!(is_json);
            let whole = serde_json::from_slice::<Value>(text).unwrap_or_default();
            let sent = &whole["message"];
            if [sent, &sent["chat"], &sent["from"]]
                .into_iter()
                .all(Value::is_object)
            {
                assert_eq!(sent["chat"]["id"], message.from.person.0);
                assert_eq!(sent["from"]["is_bot"], false);
            }
        }
        Ok(UpdateKind::Group(message)) => {
            assert!(is_json && message.text.starts_with('/'));
            assert!(
                !format!("{message:?}").contains(&message.text),
                "what somebody wrote shows in a log"
            );
        }
        Ok(
            UpdateKind::Bot(_)
            | UpdateKind::Moved(_)
            | UpdateKind::Press(_)
            | UpdateKind::PrivateEdit(_)
            | UpdateKind::Desk(_)
            | UpdateKind::DeskEdit(_),
        ) => assert!(is_json),
        Ok(UpdateKind::PreCheckout(query)) => {
            assert!(is_json);
            let whole = serde_json::from_slice::<Value>(text).unwrap_or_default();
            let asked = &whole["pre_checkout_query"];
            if [asked, &asked["from"]].into_iter().all(Value::is_object) {
                assert_eq!(asked["from"]["id"], query.person.0);
                assert_eq!(asked["total_amount"], query.amount);
            }
        }
        Ok(UpdateKind::Stars(told)) => {
            assert!(is_json && told.report.amount > 0, "money of no amount");
        }
        Ok(UpdateKind::JoinRequest(request)) => {
            assert!(is_json);
            assert!(
                request.link.is_none_or(|link| !link.is_cut()),
                "a link that is not whole"
            );
            let whole = serde_json::from_slice::<Value>(text).unwrap_or_default();
            let asked = &whole["chat_join_request"];
            if [asked, &asked["chat"], &asked["from"]]
                .into_iter()
                .all(Value::is_object)
            {
                assert_eq!(asked["from"]["id"], request.person.0);
                assert_eq!(asked["chat"]["id"], request.chat.0);
            }
        }
        Ok(UpdateKind::Member(
            MemberChange::Leave(presence)
            | MemberChange::Removal(presence)
            | MemberChange::Ban(presence)
            | MemberChange::Unban(presence)
            | MemberChange::Entry(presence),
        )) => {
            assert!(is_json);
            let whole = serde_json::from_slice::<Value>(text).unwrap_or_default();
            let change = &whole["chat_member"];
            let user = &change["new_chat_member"]["user"];
            let parts = [change, &change["chat"], &change["new_chat_member"], user];
            if parts.into_iter().all(Value::is_object) {
                assert_eq!(change["chat"]["id"], presence.chat.0);
                assert_eq!(user["id"], presence.person.0);
            }
        }
        Ok(UpdateKind::Member(MemberChange::Join(join))) => {
            assert!(is_json);
            let link = join.link.expose();
            assert!(
                !link.is_empty() && !link.ends_with("...") && !link.ends_with('…'),
                "a join by no link"
            );
            assert!(!format!("{join:?}").contains(link) || "Join { chat: ChatId(), person: TelegramUserId(), link: InviteLink(hidden), at: Timestamp() }0123456789-".contains(link), "a link shows in a log");
            // Everybody who reads the whole of it sees the same join. (An array in the place of an object is read by position;
            // Telegram sends none.)
            let whole = serde_json::from_slice::<Value>(text).unwrap_or_default();
            let change = &whole["chat_member"];
            let parts = [
                change,
                &change["chat"],
                &change["new_chat_member"],
                &change["new_chat_member"]["user"],
                &change["invite_link"],
            ];
            if parts.into_iter().all(Value::is_object) {
                assert_eq!(change["chat"]["id"], join.chat.0);
                assert_eq!(change["new_chat_member"]["user"]["id"], join.person.0);
                assert_eq!(change["new_chat_member"]["user"]["is_bot"], false);
                assert_eq!(change["invite_link"]["invite_link"], link);
            }
        }
    }
});
