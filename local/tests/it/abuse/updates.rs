//! Updates of every kind that the Bot API has, with all optional fields in and out.

mod maker;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use local::harness::TestStack;
use serde_json::Value;

use maker::Maker;

/// How many mixtures of each kind are made by chance.
const MIXTURES: usize = 20;

/// What an update must come to, judged by the Bot API's words and not by our reader.
fn expected(update: &Value, chat_id: i64) -> &'static str {
    let change = &update["chat_member"];
    let is_in = |member: &Value| match member["status"].as_str() {
        Some("creator" | "administrator" | "member") => true,
        Some("restricted") => member["is_member"] == true,
        _ => false,
    };
    let link = change["invite_link"]["invite_link"]
        .as_str()
        .unwrap_or_default();
    let is_join = !is_in(&change["old_chat_member"])
        && is_in(&change["new_chat_member"])
        && change["new_chat_member"]["user"]["is_bot"] == false
        && !link.is_empty()
        && !link.ends_with("...");
    // Let in by a person who administers the chat, and not by our door.
    let by = &change["from"];
    let is_by_hand = change["invite_link"]["creates_join_request"] == true
        && by["is_bot"] == false
        && by["id"] != change["new_chat_member"]["user"]["id"];
    // What becomes of our bot in a chat that is sold is somebody's business.
    let own = &update["my_chat_member"];
    let is_known = matches!(
        own["new_chat_member"]["status"].as_str(),
        Some("administrator" | "member" | "restricted" | "left" | "kicked")
    );
    let is_own = is_known && own["chat"]["id"] == chat_id && own["chat"]["type"] != "private";
    if is_own {
        "handled"
    } else if is_join && !is_by_hand && change["chat"]["id"] == chat_id {
        "orphan"
    } else {
        "ignored"
    }
}

#[test]
fn the_maker_makes_every_kind_and_every_field_of_the_list() {
    let mut maker = Maker::new(1, -100);
    let made = maker.updates(1);
    let mut kinds = BTreeMap::<String, usize>::new();
    for (kind, update) in &made {
        assert!(update["update_id"].is_i64() && !update[kind].is_null());
        assert_eq!(update.as_object().unwrap().len(), 2, "one kind an update");
        *kinds.entry(kind.clone()).or_default() += 1;
    }
    assert_eq!(kinds.len(), 25, "{kinds:?}");
    assert!(kinds.values().all(|made| *made >= 3), "{kinds:?}");
    let missing = maker.never_made();
    assert!(missing.is_empty(), "never made: {missing:?}");
    assert!(
        made.iter()
            .any(|(_, update)| expected(update, -100) == "orphan")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_update_is_answered_200_and_what_is_no_join_costs_no_call_of_aws() {
    let stack = TestStack::start().await;
    stack.run_until_idle().await;
    let updates = Maker::new(2, stack.chat_id).updates(MIXTURES);
    assert!(updates.len() > 2000, "only {} updates", updates.len());
    stack.aws().wire().record_calls(true);
    let orphans = updates
        .iter()
        .filter(|(_, update)| expected(update, stack.chat_id) == "orphan")
        .count();
    assert!(orphans >= 10, "only {orphans} joins among them");
    let wrong: Vec<String> = stream::iter(&updates)
        .map(async |(kind, update)| {
            let answer = stack.telegram.send(update).await;
            let right = expected(update, stack.chat_id);
            let is_refused = kind == "pre_checkout_query"
                && answer.body["method"] == "answerPreCheckoutQuery"
                && answer.body["ok"] == false;
            let is_right = answer.status == 200 && (answer.body["result"] == right || is_refused);
            (!is_right).then(|| format!("{kind}: {} {} for {update}", answer.status, answer.body))
        })
        .buffer_unordered(8)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(
        wrong.is_empty(),
        "{} wrong, such as {:.2000}",
        wrong.len(),
        wrong[0]
    );
    // One lookup for each join, by whatever link, and nothing else.
    let calls = stack.aws().wire().take_calls();
    let mut reads = 0;
    for call in calls
        .iter()
        .filter(|call| call.operation != "ReceiveMessage")
    {
        assert_eq!(call.operation, "GetItem", "{}", call.request);
        reads += 1;
    }
    assert!(reads >= orphans, "{reads} reads for {orphans} joins");
}
