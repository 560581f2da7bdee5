//! Commands by scope and language, descriptions, the menu button.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use serde_json::{Value, json};
use simulators::telegram::{Conversation, OWNER_ID, User};
use telegram_support::{CHAT, TelegramWorld, conforms};

fn command(name: &str) -> Value {
    json!([{"command": name, "description": "does it"}])
}

#[tokio::test]
async fn commands_are_kept_by_scope_and_language_and_the_narrowest_is_offered() {
    let world = TelegramWorld::new().await;
    let anna = User::new(501).speaking("hi-IN");
    let ben = User::new(502).speaking("en");
    world.telegram.presses_start(world.bot, &anna, "");
    let set = [
        ("one", json!({})),
        ("two", json!({"language_code": "hi"})),
        ("three", json!({"scope": {"type": "all_group_chats"}})),
        (
            "four",
            json!({"scope": {"type": "chat_administrators", "chat_id": CHAT}}),
        ),
        (
            "five",
            json!({"scope": {"type": "chat_member", "chat_id": CHAT, "user_id": 502}}),
        ),
        (
            "six",
            json!({"scope": {"type": "chat", "chat_id": 501}, "language_code": "en"}),
        ),
    ];
    for (name, at) in &set {
        let mut params = at.clone();
        params["commands"] = command(name);
        world.ok("setMyCommands", params).await;
    }
    for (name, at) in &set {
        let kept = world.ok("getMyCommands", at.clone()).await;
        assert_eq!(kept, command(name), "{at}");
        conforms("BotCommand", &kept[0]);
    }
    // Reading does not fall back.
    let other = json!({"scope": {"type": "all_private_chats"}});
    assert_eq!(world.ok("getMyCommands", other).await, json!([]));
    let (private, group) = (
        Conversation::private(world.bot, 501),
        Conversation::chat(CHAT),
    );
    for (conversation, user, offered) in [
        (private, &anna, "two"),
        (private, &anna.clone().speaking("en"), "six"),
        (group, &anna, "three"),
        (group, &ben, "five"),
        (group, &User::new(OWNER_ID), "four"),
    ] {
        let names = world
            .telegram
            .offered_commands(world.bot, conversation, user);
        assert_eq!(names, [offered], "{user:?}");
    }
    world
        .ok("deleteMyCommands", json!({"language_code": "hi"}))
        .await;
    let names = world.telegram.offered_commands(world.bot, private, &anna);
    assert_eq!(names, ["one"]);
}

#[tokio::test]
async fn commands_that_telegram_refuses() {
    let world = TelegramWorld::new().await;
    let many: Vec<_> = (0..101)
        .map(|n| json!({"command": format!("c{n}"), "description": "d"}))
        .collect();
    for (params, description) in [
        (json!({"commands": command("Start")}), "BOT_COMMAND_INVALID"),
        (
            json!({"commands": command("/start")}),
            "BOT_COMMAND_INVALID",
        ),
        (
            json!({"commands": command(&"x".repeat(33))}),
            "BOT_COMMAND_INVALID",
        ),
        (
            json!({"commands": [{"command": "a", "description": ""}]}),
            "BOT_COMMAND_DESCRIPTION_INVALID",
        ),
        (
            json!({"commands": many}),
            "there can be at most 100 bot commands",
        ),
        (
            json!({"commands": [], "language_code": "en-US"}),
            "invalid language code specified",
        ),
        (
            json!({"commands": [], "scope": {"type": "chat", "chat_id": 501}}),
            "chat not found",
        ),
        (
            json!({"commands": [], "scope": {"type": "everywhere"}}),
            "can't parse BotCommandScope: Unsupported type specified",
        ),
    ] {
        let refused = world.refused("setMyCommands", params.clone()).await;
        assert_eq!(
            refused,
            (400, format!("Bad Request: {description}")),
            "{params}"
        );
    }
}

#[tokio::test]
async fn descriptions_fall_back_to_the_one_for_all_languages() {
    let world = TelegramWorld::new().await;
    for (set, get, field, longest) in [
        ("setMyDescription", "getMyDescription", "description", 512),
        (
            "setMyShortDescription",
            "getMyShortDescription",
            "short_description",
            120,
        ),
    ] {
        assert_eq!(world.ok(get, json!({})).await[field], "");
        world.ok(set, json!({field: "Seats"})).await;
        world
            .ok(set, json!({field: "सीटें", "language_code": "hi"}))
            .await;
        assert_eq!(
            world.ok(get, json!({"language_code": "hi"})).await[field],
            "सीटें"
        );
        assert_eq!(
            world.ok(get, json!({"language_code": "ru"})).await[field],
            "Seats"
        );
        world.ok(set, json!({"language_code": "hi"})).await;
        assert_eq!(
            world.ok(get, json!({"language_code": "hi"})).await[field],
            "Seats"
        );
        let refused = world
            .refused(set, json!({field: "x".repeat(longest + 1)}))
            .await;
        assert_eq!(refused, (400, format!("Bad Request: {field} is too long")));
    }
}

#[tokio::test]
async fn a_menu_button_is_a_persons_own_or_that_of_all() {
    let world = TelegramWorld::new().await;
    world.telegram.presses_start(world.bot, &User::new(501), "");
    let app =
        json!({"type": "web_app", "text": "Shop", "web_app": {"url": "https://shop.example/"}});
    let get = |chat: Value| world.ok("getChatMenuButton", chat);
    assert_eq!(get(json!({})).await, json!({"type": "default"}));
    world
        .ok(
            "setChatMenuButton",
            json!({"menu_button": {"type": "commands"}}),
        )
        .await;
    world
        .ok(
            "setChatMenuButton",
            json!({"chat_id": 501, "menu_button": app}),
        )
        .await;
    assert_eq!(get(json!({})).await, json!({"type": "commands"}));
    assert_eq!(get(json!({"chat_id": 501})).await, app);
    for (params, description) in [
        (json!({"chat_id": 999}), "chat not found"),
        (
            json!({"menu_button": {"type": "web_app", "text": "x", "web_app": {"url": "http://a.org"}}}),
            "BUTTON_URL_INVALID",
        ),
    ] {
        let refused = world.refused("setChatMenuButton", params).await;
        assert_eq!(refused, (400, format!("Bad Request: {description}")));
    }
}
