//! What bots hear in groups and channels, who speaks there, and how bans end.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use std::time::Duration;

use serde_json::{Value, json};
use simulators::telegram::{ButtonTap, ChatKind, Conversation, MemberStatus, Rights, Tap, User};
use telegram_support::{CHAT, Hook, Respond, TelegramWorld, conforms, eventually};

const OTHER: &str = "77:other";

fn anna() -> User {
    User::new(501).named("Anna")
}

/// A second bot in the chat, an ordinary member.
async fn two_bots() -> (TelegramWorld, i64) {
    let world = TelegramWorld::new().await;
    let other = world.telegram.add_bot(OTHER);
    world.telegram.demote_bot(other, CHAT);
    for token in [telegram_support::TOKEN, OTHER] {
        let clear = json!({"offset": -1, "allowed_updates": ["message", "edited_message", "channel_post", "callback_query"]});
        let left = world.call_as(token, "getUpdates", clear).await.unwrap();
        let last = left.body["result"][0]["update_id"].as_i64().unwrap();
        world
            .call_as(token, "getUpdates", json!({"offset": last + 1}))
            .await
            .unwrap();
    }
    (world, other)
}

async fn heard(world: &TelegramWorld, token: &str) -> Vec<String> {
    let updates = world.call_as(token, "getUpdates", json!({})).await.unwrap();
    let texts = |update: &Value| {
        let mut kinds = ["message", "edited_message", "channel_post"].into_iter();
        let message = kinds.find_map(|kind| update.get(kind))?;
        conforms("Message", message);
        message["text"].as_str().map(str::to_owned)
    };
    let updates = updates.body["result"].as_array().unwrap().clone();
    updates.iter().filter_map(texts).collect()
}

#[tokio::test]
async fn an_administrator_bot_hears_everything_and_a_member_what_is_for_it() {
    let (world, other) = two_bots().await;
    let telegram = &world.telegram;
    let group = Conversation::chat(CHAT);
    let hi = json!({"chat_id": CHAT, "text": "from the other"});
    let sent = world.call_as(OTHER, "sendMessage", hi).await.unwrap();
    let sent = sent.body["result"]["message_id"].as_i64().unwrap();
    telegram.says(group, &anna(), "talk");
    telegram.says(group, &anna(), "/help");
    telegram.says(group, &anna(), &format!("/help@simulated_{other}_bot x"));
    telegram.says(
        group,
        &anna(),
        &format!("/help@simulated_{}_bot", world.bot),
    );
    telegram.replies(group, &anna(), sent, "thanks");
    let said = telegram.says(group, &anna(), "more talk");
    telegram.edits(group, said, "edited");
    let (to_other, to_us) = (
        format!("/help@simulated_{other}_bot x"),
        format!("/help@simulated_{}_bot", world.bot),
    );
    assert_eq!(
        heard(&world, telegram_support::TOKEN).await,
        [
            "talk",
            "/help",
            &to_other,
            &to_us,
            "thanks",
            "more talk",
            "edited"
        ]
    );
    assert_eq!(heard(&world, OTHER).await, ["/help", &to_other, "thanks"]);
    // What one bot says, no other hears; people see it.
    let seen = telegram.messages(group);
    assert!(seen.iter().any(|seen| seen.text == "from the other"));
}

#[tokio::test]
async fn who_speaks_without_a_name_is_shown_by_a_stand_in() {
    let (world, _) = two_bots().await;
    let telegram = &world.telegram;
    telegram.add_chat(-1_002, "News", ChatKind::Channel);
    telegram.make_admin(world.bot, -1_002, Rights::all());
    telegram.says_anonymously(CHAT, "one of us");
    telegram.says_as_channel(CHAT, -1_002, "the channel");
    telegram.forwards_channel_post(CHAT, -1_002, "a post");
    telegram.posts(-1_002, "in the channel");
    let updates = world.ok("getUpdates", json!({})).await;
    let sender = |number: usize, kind: &str| {
        let message = &updates[number][kind];
        conforms("Message", message);
        (
            message["from"]["id"].clone(),
            message["sender_chat"]["id"].clone(),
            message["from"]["is_bot"].clone(),
        )
    };
    assert_eq!(
        sender(0, "message"),
        (json!(1_087_968_824), json!(CHAT), json!(true))
    );
    assert_eq!(
        sender(1, "message"),
        (json!(136_817_688), json!(-1_002), json!(true))
    );
    assert_eq!(
        sender(2, "message"),
        (json!(777_000), json!(-1_002), json!(false))
    );
    assert_eq!(updates[2]["message"]["is_automatic_forward"], json!(true));
    assert_eq!(
        sender(3, "channel_post"),
        (Value::Null, json!(-1_002), Value::Null)
    );
    let post = json!({"chat_id": -1_002, "text": "by the bot"});
    world.ok("sendMessage", post.clone()).await;
    world.telegram.demote_bot(world.bot, -1_002);
    assert_eq!(
        world.refused("sendMessage", post).await,
        (
            400,
            "Bad Request: need administrator rights in the channel chat".into()
        )
    );
}

#[tokio::test]
async fn anybody_in_a_group_may_press_a_button_and_only_its_bot_is_asked() {
    let (world, _) = two_bots().await;
    let keyboard = json!({"inline_keyboard": [[{"text": "In", "callback_data": "d"}]]});
    let params = json!({"chat_id": CHAT, "text": "x", "reply_markup": keyboard});
    let sent = world.ok("sendMessage", params).await;
    let id = sent["message_id"].as_i64().unwrap();
    let tap = world
        .telegram
        .taps_button(Conversation::chat(CHAT), &anna(), id, "In");
    assert!(matches!(tap, ButtonTap::Asked(_)), "{tap:?}");
    let update = world.ok("getUpdates", json!({})).await[0]["callback_query"].clone();
    assert_eq!(update["from"]["id"], json!(501));
    assert_eq!(update["message"]["chat"]["id"], json!(CHAT));
    let others = world.call_as(OTHER, "getUpdates", json!({})).await.unwrap();
    assert_eq!(others.body["result"], json!([]));
}

#[tokio::test]
async fn a_bot_deletes_others_messages_only_with_the_right() {
    let (world, _) = two_bots().await;
    let group = Conversation::chat(CHAT);
    let said = world.telegram.says(group, &anna(), "spam");
    let more = world.telegram.says(group, &anna(), "more spam");
    let fewer = Rights {
        can_delete_messages: false,
        ..Rights::all()
    };
    world.telegram.make_admin(world.bot, CHAT, fewer);
    let delete = json!({"chat_id": CHAT, "message_id": said});
    assert_eq!(
        world.refused("deleteMessage", delete.clone()).await.1,
        "Bad Request: message can't be deleted for everyone"
    );
    world.telegram.make_admin(world.bot, CHAT, Rights::all());
    world.ok("deleteMessage", delete).await;
    let ids = json!([said, more, 99_999]);
    world
        .ok(
            "deleteMessages",
            json!({"chat_id": CHAT, "message_ids": ids}),
        )
        .await;
    let left = world.telegram.messages(group);
    assert!(
        left.iter()
            .filter(|seen| seen.from_id == Some(501))
            .all(|seen| seen.is_deleted)
    );
}

#[tokio::test]
async fn only_the_kinds_that_were_asked_for_are_delivered() {
    let world = TelegramWorld::new().await;
    let telegram = &world.telegram;
    let private = Conversation::private(world.bot, 501);
    let happen = || {
        let said = telegram.says(private, &anna(), "hi");
        telegram.edits(private, said, "hello");
        telegram.blocks(world.bot, &anna());
        telegram.unblocks(world.bot, &anna());
        telegram.ask_to_join(CHAT, anna());
        telegram.withdraws(CHAT, 501);
        telegram.pays_stars(world.bot, &anna(), "p", 1);
    };
    let kinds = [
        "message",
        "edited_message",
        "my_chat_member",
        "chat_join_request",
        "pre_checkout_query",
    ];
    for kind in kinds {
        let clear = json!({"offset": -1, "allowed_updates": [kind]});
        let left = world.ok("getUpdates", clear).await;
        let after = left[0]["update_id"].as_i64().map_or(0, |id| id + 1);
        world.ok("getUpdates", json!({"offset": after})).await;
        telegram.withdraws(CHAT, 501);
        happen();
        let updates = world.ok("getUpdates", json!({})).await;
        let updates = updates.as_array().unwrap();
        assert!(!updates.is_empty(), "{kind}");
        assert!(
            updates.iter().all(|update| update[kind].is_object()),
            "{kind}: {updates:?}"
        );
    }
}

#[tokio::test]
async fn messages_wait_per_chat_and_buttons_per_person() {
    let world = TelegramWorld::new().await;
    let telegram = &world.telegram;
    let group = Conversation::chat(CHAT);
    let private = Conversation::private(world.bot, 501);
    let keyboard = json!({"inline_keyboard": [[{"text": "In", "callback_data": "d"}]]});
    telegram.presses_start(world.bot, &anna(), "");
    let params = json!({"chat_id": 501, "text": "x", "reply_markup": keyboard});
    let button = world.ok("sendMessage", params).await["message_id"]
        .as_i64()
        .unwrap();
    let hook = Hook::start().await;
    let set = json!({"url": hook.url, "drop_pending_updates": true, "allowed_updates": ["message", "callback_query"]});
    world.ok("setWebhook", set).await;
    telegram.says(group, &anna(), "first");
    telegram.delivered().await;
    hook.answer([Respond::Hang]);
    telegram.says(private, &anna(), "hangs");
    eventually("it is under way", || hook.count() == 2).await;
    telegram.says(private, &anna(), "waits");
    telegram.says(group, &anna(), "passes");
    telegram.taps_button(private, &anna(), button, "In");
    eventually("the others pass", || hook.count() == 4).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let seen: Vec<_> = hook
        .updates()
        .iter()
        .map(|update| {
            let text = update["message"]["text"].as_str();
            text.unwrap_or("button").to_owned()
        })
        .collect();
    assert_eq!(seen[..2], ["first", "hangs"]);
    assert!(seen.contains(&"passes".to_owned()) && seen.contains(&"button".to_owned()));
    assert!(!seen.contains(&"waits".to_owned()));
}

#[tokio::test]
async fn a_ban_of_a_minute_ends_by_itself_and_a_shorter_one_never() {
    let world = TelegramWorld::new().await;
    let telegram = &world.telegram;
    let url = world.link("one").await;
    for (seconds, after) in [(60, Tap::Joined), (29, Tap::Banned)] {
        telegram.add_by_admin(CHAT, anna());
        let until = world.clock.now_ms() / 1000 + seconds;
        let ban = json!({"chat_id": CHAT, "user_id": 501, "until_date": until});
        world.ok("banChatMember", ban).await;
        assert_eq!(telegram.tap(&url, anna()), Tap::Banned);
        let member = json!({"chat_id": CHAT, "user_id": 501});
        let shown = world.ok("getChatMember", member.clone()).await;
        conforms("ChatMemberBanned", &shown);
        world.clock.advance(Duration::from_secs(61));
        assert_eq!(telegram.tap(&url, anna()), after, "{seconds}");
        world.ok("unbanChatMember", member).await;
        assert_eq!(telegram.status(CHAT, 501), MemberStatus::Left);
    }
}

#[tokio::test]
async fn a_person_known_from_a_private_chat_is_no_member() {
    let world = TelegramWorld::new().await;
    world.telegram.presses_start(world.bot, &anna(), "");
    let member = world
        .ok("getChatMember", json!({"chat_id": CHAT, "user_id": 501}))
        .await;
    conforms("ChatMemberLeft", &member);
    assert_eq!(member["status"], "left");
    assert_eq!(member["user"]["first_name"], "Anna");
    // A ban keeps out who never was in.
    world
        .ok("banChatMember", json!({"chat_id": CHAT, "user_id": 501}))
        .await;
    let url = world.link("one").await;
    assert_eq!(world.telegram.tap(&url, anna()), Tap::Banned);
    let lift = json!({"chat_id": CHAT, "user_id": 501, "only_if_banned": true});
    world.ok("unbanChatMember", lift).await;
    assert_eq!(world.telegram.tap(&url, anna()), Tap::Joined);
}

#[tokio::test]
async fn a_bot_pins_with_the_right_and_is_told_of_it() {
    let (world, _) = two_bots().await;
    let group = Conversation::chat(CHAT);
    let said = world.telegram.says(group, &anna(), "the rules");
    let more = world.telegram.says(group, &anna(), "more rules");
    let pin = |id: i64| json!({"chat_id": CHAT, "message_id": id});
    for id in [said, more] {
        world.ok("pinChatMessage", pin(id)).await;
    }
    let updates = world.ok("getUpdates", json!({})).await;
    let told = &updates.as_array().unwrap().last().unwrap()["message"];
    conforms("Message", told);
    assert_eq!(told["pinned_message"]["text"], "more rules");
    assert_eq!(told["from"]["id"], json!(world.bot));
    world.ok("unpinChatMessage", json!({"chat_id": CHAT})).await;
    assert_eq!(world.telegram.pinned(group), [said]);
    let refused = |what: &str| (400, format!("Bad Request: {what}"));
    assert_eq!(
        world.refused("pinChatMessage", pin(said)).await,
        refused("CHAT_NOT_MODIFIED")
    );
    assert_eq!(
        world.refused("pinChatMessage", pin(9_999)).await,
        refused("message to pin not found")
    );
    world.telegram.make_admin(world.bot, CHAT, Rights::none());
    assert_eq!(
        world.refused("pinChatMessage", pin(more)).await,
        refused("not enough rights to manage pinned messages in the chat")
    );
}

#[tokio::test]
async fn a_bot_leaves_and_is_not_counted_any_more() {
    let (world, other) = two_bots().await;
    world.telegram.add_by_admin(CHAT, anna());
    let chat = json!({"chat_id": CHAT});
    assert_eq!(world.ok("getChatMemberCount", chat.clone()).await, json!(4));
    let left = world
        .call_as(OTHER, "leaveChat", chat.clone())
        .await
        .unwrap();
    assert_eq!(left.body["result"], json!(true));
    assert_eq!(world.telegram.status(CHAT, other), MemberStatus::Left);
    assert_eq!(world.ok("getChatMemberCount", chat.clone()).await, json!(3));
    let again = world.call_as(OTHER, "leaveChat", chat).await.unwrap();
    assert_eq!(
        again.body["description"],
        "Forbidden: bot is not a member of the supergroup chat"
    );
}
