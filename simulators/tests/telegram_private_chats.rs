//! People and a bot in private: start, messages, buttons, blocks.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use std::time::Duration;

use serde_json::{Value, json};
use simulators::telegram::{
    ButtonTap, CallbackAnswer, Conversation, MessageLimits, StartPayload, StartTap, User,
};
use telegram_support::{CHAT, Hook, Respond, TelegramWorld, conforms};

const ANNA: i64 = 501;

fn anna() -> User {
    User::new(ANNA).named("Anna").with_username("anna_b")
}

struct PrivateWorld {
    world: TelegramWorld,
    chat: Conversation,
}

/// A bot that Anna has started.
async fn started() -> PrivateWorld {
    let world = TelegramWorld::new().await;
    let chat = Conversation::private(world.bot, ANNA);
    world.telegram.presses_start(world.bot, &anna(), "");
    world.ok("getUpdates", json!({"offset": -1})).await;
    PrivateWorld { world, chat }
}

impl PrivateWorld {
    async fn send(&self, more: Value) -> Value {
        self.world.ok("sendMessage", self.params(more)).await
    }

    async fn refuses(&self, method: &str, more: Value) -> (u16, String) {
        self.world.refused(method, self.params(more)).await
    }

    fn params(&self, more: Value) -> Value {
        let mut params = json!({"chat_id": ANNA});
        let more = more.as_object().unwrap().clone();
        params.as_object_mut().unwrap().extend(more);
        params
    }

    /// The newest update.
    async fn update(&self) -> Value {
        self.world.ok("getUpdates", json!({"offset": -1})).await[0].clone()
    }
}

#[tokio::test]
async fn start_comes_with_its_payload_or_bare_when_the_app_lost_it() {
    let world = TelegramWorld::new().await;
    let telegram = &world.telegram;
    let link = format!("https://t.me/simulated_{}_bot?start=c_Ab-9", world.bot);
    for (payload, text) in [
        (StartPayload::Kept, "/start c_Ab-9"),
        (StartPayload::Lost, "/start"),
    ] {
        let tap = telegram.taps_start_link(&link, &anna(), payload);
        let StartTap::Started(id) = tap else {
            panic!("{tap:?}")
        };
        let update = world.ok("getUpdates", json!({"offset": -1})).await[0].clone();
        let message = &update["message"];
        conforms("Update", &update);
        conforms("Message", message);
        assert_eq!(message["message_id"], json!(id));
        assert_eq!(message["text"], text);
        assert_eq!(
            message["entities"],
            json!([{"type": "bot_command", "offset": 0, "length": 6}])
        );
        assert_eq!(message["from"]["id"], json!(ANNA));
        assert_eq!(
            message["chat"],
            json!({"id": ANNA, "type": "private", "first_name": "Anna", "username": "anna_b"})
        );
    }
    for (link, tap) in [
        (
            "https://t.me/nobody_bot?start=x".to_owned(),
            StartTap::NoSuchBot,
        ),
        (format!("{link}{}", "x".repeat(60)), StartTap::BadPayload),
        (format!("{link}%20"), StartTap::BadPayload),
    ] {
        let tapped = telegram.taps_start_link(&link, &anna(), StartPayload::Kept);
        assert_eq!(tapped, tap, "{link}");
    }
}

#[tokio::test]
async fn a_bot_writes_only_to_who_started_it_and_did_not_block_it() {
    let world = TelegramWorld::new().await;
    let telegram = &world.telegram;
    let chat = Conversation::private(world.bot, ANNA);
    let hi = json!({"chat_id": ANNA, "text": "hi"});
    let refused = |what: &str| {
        (
            if what.starts_with("Bad") { 400 } else { 403 },
            what.to_owned(),
        )
    };
    let unknown = refused("Bad Request: chat not found");
    assert_eq!(world.refused("sendMessage", hi.clone()).await, unknown);
    assert_eq!(
        world.refused("getChat", json!({"chat_id": ANNA})).await,
        unknown
    );
    telegram.add_by_admin(CHAT, anna());
    let stranger = refused("Forbidden: bot can't initiate conversation with a user");
    assert_eq!(world.refused("sendMessage", hi.clone()).await, stranger);
    telegram.presses_start(world.bot, &anna(), "");
    let sent = world.ok("sendMessage", hi.clone()).await;
    conforms("Message", &sent);
    assert_eq!(sent["from"]["id"], json!(world.bot));
    let shown = world.ok("getChat", json!({"chat_id": ANNA})).await;
    conforms("ChatFullInfo", &shown);
    assert_eq!(
        (&shown["type"], &shown["username"]),
        (&json!("private"), &json!("anna_b"))
    );
    telegram.blocks(world.bot, &anna());
    let change = world.ok("getUpdates", json!({"offset": -1})).await[0]["my_chat_member"].clone();
    conforms("ChatMemberUpdated", &change);
    assert_eq!(change["chat"]["type"], "private");
    assert_eq!(change["from"]["id"], json!(ANNA));
    assert_eq!(change["old_chat_member"]["status"], "member");
    assert_eq!(change["new_chat_member"]["status"], "kicked");
    assert_eq!(change["new_chat_member"]["user"]["id"], json!(world.bot));
    let blocked = refused("Forbidden: bot was blocked by the user");
    assert_eq!(world.refused("sendMessage", hi.clone()).await, blocked);
    let action = json!({"chat_id": ANNA, "action": "typing"});
    assert_eq!(
        world.refused("sendChatAction", action.clone()).await,
        blocked
    );
    // START unblocks, and the bot learns of both.
    telegram.presses_start(world.bot, &anna(), "");
    let updates = world.ok("getUpdates", json!({"offset": -2})).await;
    assert_eq!(
        updates[0]["my_chat_member"]["new_chat_member"]["status"],
        "member"
    );
    assert_eq!(updates[1]["message"]["text"], "/start");
    world.ok("sendMessage", hi.clone()).await;
    world.ok("sendChatAction", action).await;
    let action = json!({"chat_id": ANNA, "action": "dance"});
    assert_eq!(
        world.refused("sendChatAction", action).await,
        refused("Bad Request: wrong parameter action in request")
    );
    telegram.deactivates(&anna());
    let gone = refused("Forbidden: user is deactivated");
    assert_eq!(world.refused("sendMessage", hi).await, gone);
    let texts: Vec<_> = telegram
        .messages(chat)
        .into_iter()
        .map(|seen| seen.text)
        .collect();
    assert_eq!(texts, ["/start", "hi", "/start", "hi"]);
}

#[tokio::test]
async fn another_bots_chat_with_the_same_person_is_another_chat() {
    let started = started().await;
    let world = &started.world;
    let other = world.telegram.add_bot("77:other");
    started.send(json!({"text": "mine"})).await;
    let hi = json!({"chat_id": ANNA, "text": "hi"});
    let answer = world.call_as("77:other", "sendMessage", hi).await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(
        world
            .telegram
            .messages(Conversation::private(other, ANNA))
            .is_empty()
    );
}

#[tokio::test]
async fn html_is_parsed_and_its_length_counted_as_telegram_does() {
    let started = started().await;
    let html = |text: &str| json!({"text": text, "parse_mode": "HTML"});
    let sent = started.send(html("<b>Seat</b> 😀 <i>x &amp; y</i>")).await;
    assert_eq!(sent["text"], "Seat 😀 x & y");
    assert_eq!(
        sent["entities"],
        json!([{"type": "bold", "offset": 0, "length": 4}, {"type": "italic", "offset": 8, "length": 5}])
    );
    conforms("MessageEntity", &sent["entities"][0]);
    // Markup does not count, and an emoji counts twice.
    let longest = format!("<b>{}</b>", "😀".repeat(2048));
    started.send(html(&longest)).await;
    let mention = started
        .send(html("<a href=\"tg://user?id=501\">you</a>"))
        .await;
    assert_eq!(mention["entities"][0]["user"]["id"], json!(ANNA));
    for (params, description) in [
        (
            html("Anna <3"),
            "can't parse entities: Unclosed start tag at byte offset 5",
        ),
        (
            html("<big>x</big>"),
            "can't parse entities: Unsupported start tag \"big\" at byte offset 0",
        ),
        (html("<b> </b>"), "message text is empty"),
        (json!({"text": ""}), "message text is empty"),
        (
            json!({"text": "😀".repeat(2048) + "x"}),
            "message is too long",
        ),
        (
            json!({"text": "x", "parse_mode": "BBCode"}),
            "unsupported parse_mode",
        ),
        (
            json!({"text": "x", "message_thread_id": 5}),
            "message thread not found",
        ),
        (
            json!({"text": "x", "reply_parameters": {"message_id": 99}}),
            "message to be replied not found",
        ),
        (
            json!({"text": "x", "allow_paid_broadcast": true}),
            "simulator: not simulated: allow_paid_broadcast",
        ),
    ] {
        assert_eq!(
            started.refuses("sendMessage", params.clone()).await,
            (400, format!("Bad Request: {description}")),
            "{params}"
        );
    }
    let reply = json!({"text": "x", "reply_parameters": {"message_id": sent["message_id"]}});
    let reply = started.send(reply).await;
    assert_eq!(reply["reply_to_message"]["text"], sent["text"]);
    started
        .send(json!({"text": "quiet", "protect_content": true, "disable_notification": true}))
        .await;
    let seen = started.world.telegram.messages(started.chat).pop().unwrap();
    assert!(seen.is_protected && seen.is_silent);
}

#[tokio::test]
async fn buttons_are_checked_and_shown() {
    let started = started().await;
    let with = |buttons: Value| json!({"text": "x", "reply_markup": {"inline_keyboard": buttons}});
    let data = |bytes: usize| with(json!([[{"text": "t", "callback_data": "d".repeat(bytes)}]]));
    for (params, description) in [
        (data(0), "BUTTON_DATA_INVALID"),
        (data(65), "BUTTON_DATA_INVALID"),
        (
            with(json!([[{"text": "t", "callback_data": "ж".repeat(33)}]])),
            "BUTTON_DATA_INVALID",
        ),
        (
            with(json!([[{"text": "t"}]])),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (
            with(json!([[{"callback_data": "d"}]])),
            "can't parse inline keyboard button: Can't find field \"text\"",
        ),
        (
            with(json!([[{"text": "t", "url": "nonsense"}]])),
            "inline keyboard button URL 'nonsense' is invalid: Wrong HTTP URL",
        ),
        (
            with(json!([[{"text": "t", "url": "https://a.org", "callback_data": "d"}]])),
            "simulator: a button has both url and callback_data",
        ),
        (
            with(json!([[{"text": "t", "callbackData": "d"}]])),
            "simulator: unknown field callbackData of a button",
        ),
        (
            with(json!([vec![
                json!({"text": "t", "callback_data": "d"});
                101
            ]])),
            "REPLY_MARKUP_TOO_LONG",
        ),
    ] {
        assert_eq!(
            started.refuses("sendMessage", params.clone()).await,
            (400, format!("Bad Request: {description}")),
            "{params}"
        );
    }
    started.send(data(64)).await;
    let rows = json!([[{"text": "In", "callback_data": "~in:1:1"}], [{"text": "Site", "url": "https://a.org/x"}]]);
    let sent = started.send(with(rows.clone())).await;
    assert_eq!(sent["reply_markup"]["inline_keyboard"], rows);
    let id = sent["message_id"].as_i64().unwrap();
    let seen = started.world.telegram.message(started.chat, id).unwrap();
    let texts: Vec<_> = seen
        .buttons
        .iter()
        .flatten()
        .map(|button| button.text.as_str())
        .collect();
    assert_eq!(texts, ["In", "Site"]);
    let tap = started
        .world
        .telegram
        .taps_button(started.chat, &anna(), id, "Site");
    assert_eq!(tap, ButtonTap::Opened("https://a.org/x".into()));
}

#[tokio::test]
async fn a_tapped_button_asks_the_bot_which_must_answer_soon() {
    let started = started().await;
    let (world, telegram) = (&started.world, &started.world.telegram);
    let keyboard = json!({"inline_keyboard": [[{"text": "In", "callback_data": "~in:1:1"}]]});
    let sent = started
        .send(json!({"text": "x", "reply_markup": keyboard}))
        .await;
    let id = sent["message_id"].as_i64().unwrap();
    let ButtonTap::Asked(query) = telegram.taps_button(started.chat, &anna(), id, "In") else {
        panic!("no query")
    };
    let update = started.update().await;
    let asked = &update["callback_query"];
    conforms("CallbackQuery", asked);
    assert_eq!(
        (&asked["id"], &asked["data"]),
        (&json!(query), &json!("~in:1:1"))
    );
    assert_eq!(asked["message"], sent);
    assert_eq!(telegram.callback_answer(&query), None);
    let answer = json!({"callback_query_id": query, "text": "Done", "show_alert": true});
    world.ok("answerCallbackQuery", answer).await;
    let shown = CallbackAnswer {
        text: Some("Done".into()),
        is_alert: true,
        url: None,
    };
    assert_eq!(telegram.callback_answer(&query), Some(shown));
    let long = json!({"callback_query_id": query, "text": "x".repeat(201)});
    assert_eq!(
        world.refused("answerCallbackQuery", long).await.1,
        "Bad Request: MESSAGE_TOO_LONG"
    );
    let late = telegram
        .sends_callback(started.chat, &anna(), id, "forged")
        .unwrap();
    world.clock.advance(Duration::from_secs(16));
    let too_old =
        "Bad Request: query is too old and response timeout expired or query ID is invalid";
    for id in [late.as_str(), "1"] {
        let answer = json!({"callback_query_id": id});
        assert_eq!(
            world.refused("answerCallbackQuery", answer).await,
            (400, too_old.into())
        );
    }
    assert_eq!(
        telegram.taps_button(started.chat, &anna(), id, "Out"),
        ButtonTap::NoSuchButton
    );
    // A forged query below a deleted message has no content of it.
    world
        .ok("deleteMessage", json!({"chat_id": ANNA, "message_id": id}))
        .await;
    assert_eq!(
        telegram.taps_button(started.chat, &anna(), id, "In"),
        ButtonTap::NoSuchButton
    );
    telegram
        .sends_callback(started.chat, &anna(), id, "~in:1:1")
        .unwrap();
    let update = started.update().await;
    conforms("InaccessibleMessage", &update["callback_query"]["message"]);
}

#[tokio::test]
async fn the_answer_of_a_webhook_can_be_the_answer_to_the_button() {
    let started = started().await;
    let (world, telegram) = (&started.world, &started.world.telegram);
    let keyboard = json!({"inline_keyboard": [[{"text": "In", "callback_data": "d"}]]});
    let sent = started
        .send(json!({"text": "x", "reply_markup": keyboard}))
        .await;
    let id = sent["message_id"].as_i64().unwrap();
    let hook = Hook::start().await;
    let set = json!({"url": hook.url, "drop_pending_updates": true, "allowed_updates": ["callback_query", "message"]});
    world.ok("setWebhook", set).await;
    let ButtonTap::Asked(query) = telegram.taps_button(started.chat, &anna(), id, "In") else {
        panic!("no query")
    };
    telegram.delivered().await;
    assert_eq!(telegram.callback_answer(&query), None);
    let query = telegram
        .sends_callback(started.chat, &anna(), id, "d2")
        .unwrap();
    hook.answer([Respond::Body(
        json!({"method": "answerCallbackQuery", "callback_query_id": query, "text": "ok"}),
    )]);
    telegram.delivered().await;
    telegram_support::eventually("the answer is shown", || {
        telegram.callback_answer(&query).is_some()
    })
    .await;
    hook.answer([Respond::Body(
        json!({"method": "sendMessage", "chat_id": ANNA, "text": "in reply"}),
    )]);
    telegram.says(started.chat, &anna(), "hello");
    telegram_support::eventually("the message is seen", || {
        telegram.messages(started.chat).last().unwrap().text == "in reply"
    })
    .await;
}

#[tokio::test]
async fn edits_and_deletions_of_both_sides() {
    let started = started().await;
    let (world, telegram) = (&started.world, &started.world.telegram);
    let keyboard = json!({"inline_keyboard": [[{"text": "In", "callback_data": "d"}]]});
    let sent = started
        .send(json!({"text": "one", "reply_markup": keyboard}))
        .await;
    let id = sent["message_id"].as_i64().unwrap();
    let same = json!({"message_id": id, "text": "one", "reply_markup": keyboard});
    let refused = started.refuses("editMessageText", same).await;
    assert!(
        refused
            .1
            .starts_with("Bad Request: message is not modified"),
        "{refused:?}"
    );
    let edited =
        started.params(json!({"message_id": id, "text": "<b>two</b>", "parse_mode": "HTML"}));
    let edited = world.ok("editMessageText", edited).await;
    conforms("Message", &edited);
    assert_eq!(
        (&edited["text"], edited["edit_date"].is_i64()),
        (&json!("two"), true)
    );
    let seen = telegram.message(started.chat, id).unwrap();
    assert_eq!(
        (seen.text.as_str(), seen.former_texts),
        ("two", vec!["one".to_owned()])
    );
    assert!(
        seen.buttons.is_empty(),
        "an edit without a keyboard takes it away"
    );
    let said = telegram.says(started.chat, &anna(), "helo");
    assert!(telegram.edits(started.chat, said, "hello"));
    let update = started.update().await;
    conforms("Message", &update["edited_message"]);
    assert_eq!(update["edited_message"]["text"], "hello");
    assert_eq!(update["edited_message"]["message_id"], json!(said));
    let not_mine = json!({"message_id": said, "text": "x"});
    assert_eq!(
        started.refuses("editMessageText", not_mine).await.1,
        "Bad Request: message can't be edited"
    );
    world
        .ok("deleteMessage", started.params(json!({"message_id": said})))
        .await;
    assert!(telegram.message(started.chat, said).unwrap().is_deleted);
    assert!(telegram.deletes(started.chat, id));
    for (method, params, description) in [
        (
            "editMessageText",
            json!({"message_id": id, "text": "x"}),
            "message to edit not found",
        ),
        (
            "deleteMessage",
            json!({"message_id": id}),
            "message to delete not found",
        ),
    ] {
        let refused = started.refuses(method, params).await;
        assert_eq!(refused, (400, format!("Bad Request: {description}")));
    }
    let old = started.send(json!({"text": "old"})).await["message_id"].clone();
    world.clock.advance(Duration::from_secs(48 * 3600 + 1));
    assert_eq!(
        started
            .refuses("deleteMessage", json!({"message_id": old}))
            .await
            .1,
        "Bad Request: message can't be deleted for everyone"
    );
    // Editing has no such limit.
    let again = started.params(json!({"message_id": old, "text": "new"}));
    world.ok("editMessageText", again).await;
}

#[tokio::test]
async fn messages_are_limited_per_bot_per_person_and_per_group() {
    let started = started().await;
    let world = &started.world;
    world
        .telegram
        .set_message_limits(MessageLimits::published());
    for _ in 0..3 {
        started.send(json!({"text": "x"})).await;
    }
    let answer = world
        .call("sendMessage", json!({"chat_id": ANNA, "text": "x"}))
        .await;
    assert_eq!(
        (answer.status, answer.retry_after.as_deref()),
        (429, Some("1"))
    );
    // Another person is another limit, and so is a group; what is no message is not counted.
    world.telegram.presses_start(world.bot, &User::new(502), "");
    world
        .ok("sendMessage", json!({"chat_id": 502, "text": "x"}))
        .await;
    world
        .ok(
            "sendChatAction",
            json!({"chat_id": ANNA, "action": "typing"}),
        )
        .await;
    for _ in 0..20 {
        world
            .ok("sendMessage", json!({"chat_id": CHAT, "text": "x"}))
            .await;
    }
    let answer = world
        .call("sendMessage", json!({"chat_id": CHAT, "text": "x"}))
        .await;
    assert_eq!(
        (answer.status, answer.retry_after.as_deref()),
        (429, Some("3"))
    );
    world.clock.advance(Duration::from_secs(3));
    world
        .ok("sendMessage", json!({"chat_id": CHAT, "text": "x"}))
        .await;
    for user in 600..660 {
        world
            .telegram
            .presses_start(world.bot, &User::new(user), "");
    }
    let mut statuses = Vec::new();
    for user in 600..660 {
        let hi = json!({"chat_id": user, "text": "x"});
        statuses.push(world.call("sendMessage", hi).await.status);
    }
    assert!(statuses.contains(&429), "30 a second in all: {statuses:?}");
}
