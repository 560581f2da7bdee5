//! The methods of the simulated Bot API, the field list, and the genuine refusals.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use serde_json::{Value, json};
use simulators::telegram::{ChatKind, MemberStatus, Rights, Tap, User};
use telegram_support::{CHAT, TOKEN, TelegramWorld};

#[tokio::test]
async fn a_link_is_made_as_asked_and_shown_as_documented() {
    let world = TelegramWorld::new().await;
    let expires = world.clock.now_ms() / 1000 + 3600;
    let params =
        json!({"chat_id": CHAT, "name": "request 1", "expire_date": expires, "member_limit": 1});
    let link = world.ok("createChatInviteLink", params).await;
    let url = link["invite_link"].as_str().unwrap();
    assert_eq!(url.len(), "https://t.me/+".len() + 16, "{url}");
    assert!(url.starts_with("https://t.me/+"));
    assert_eq!(link["name"], "request 1");
    assert_eq!(link["expire_date"], json!(expires));
    assert_eq!(link["member_limit"], json!(1));
    assert_eq!(link["is_revoked"], json!(false));
    assert_eq!(link["is_primary"], json!(false));
    assert_eq!(link["creates_join_request"], json!(false));
    assert_eq!(link["creator"]["id"], json!(world.bot));
    assert_eq!(link["creator"]["is_bot"], json!(true));
}

#[tokio::test]
async fn every_object_in_an_answer_has_only_documented_fields_and_all_required_ones() {
    let world = TelegramWorld::new().await;
    let list: Value = serde_json::from_str(include_str!("../bot-api/methods.json")).unwrap();
    let conforms = |name: &str, object: &Value| {
        let fields = list["types"][name].as_object().unwrap();
        for key in object.as_object().unwrap().keys() {
            assert!(fields.contains_key(key), "{name} has no {key}");
        }
        for (key, field) in fields {
            assert!(
                field["required"] == json!(false) || !object[key].is_null(),
                "{name} lacks {key}"
            );
        }
    };
    let url = world.link("x").await;
    for (user, status) in [(1, "member"), (2, "restricted"), (3, "kicked"), (4, "left")] {
        match status {
            "member" => assert_eq!(
                world
                    .telegram
                    .tap(&url, User::new(user).with_username("anna")),
                Tap::Joined
            ),
            "restricted" => world.telegram.restrict(CHAT, User::new(user), true),
            "kicked" => world.telegram.ban(CHAT, User::new(user), 0),
            _ => {
                world.telegram.add_by_admin(CHAT, User::new(user));
                world.telegram.leave(CHAT, user);
            }
        }
        let member = world
            .ok("getChatMember", json!({"chat_id": CHAT, "user_id": user}))
            .await;
        assert_eq!(member["status"], status);
        let name = match status {
            "member" => "ChatMemberMember",
            "restricted" => "ChatMemberRestricted",
            "kicked" => "ChatMemberBanned",
            _ => "ChatMemberLeft",
        };
        conforms(name, &member);
        conforms("User", &member["user"]);
    }
    let administrators = world
        .ok("getChatAdministrators", json!({"chat_id": CHAT}))
        .await;
    assert_eq!(administrators.as_array().unwrap().len(), 2);
    conforms("ChatMemberAdministrator", &administrators[0]);
    conforms("ChatMemberOwner", &administrators[1]);
    conforms(
        "ChatFullInfo",
        &world.ok("getChat", json!({"chat_id": CHAT})).await,
    );
    conforms("User", &world.ok("getMe", json!({})).await);
    conforms("WebhookInfo", &world.ok("getWebhookInfo", json!({})).await);
    conforms(
        "ChatInviteLink",
        &world
            .ok(
                "revokeChatInviteLink",
                json!({"chat_id": CHAT, "invite_link": url}),
            )
            .await,
    );
    for update in world
        .ok(
            "getUpdates",
            json!({"allowed_updates": ["chat_member", "my_chat_member"]}),
        )
        .await
        .as_array()
        .unwrap()
    {
        conforms("Update", update);
        for kind in ["chat_member", "my_chat_member"] {
            if update[kind].is_object() {
                conforms("ChatMemberUpdated", &update[kind]);
                conforms("Chat", &update[kind]["chat"]);
            }
        }
    }
}

#[tokio::test]
async fn a_name_is_cleaned_and_cut_at_32_characters_in_silence() {
    let world = TelegramWorld::new().await;
    for (asked, kept) in [
        ("  two\n\t words  ", json!("two words")),
        (&"ж".repeat(40), json!("ж".repeat(32))),
        (
            "0123456789012345678901234567890 x",
            json!("0123456789012345678901234567890"),
        ),
        ("   ", Value::Null),
    ] {
        let link = world
            .ok(
                "createChatInviteLink",
                json!({"chat_id": CHAT, "name": asked}),
            )
            .await;
        assert_eq!(link["name"], kept, "{asked:?}");
    }
}

#[tokio::test]
async fn a_member_limit_is_clamped_and_zero_is_no_limit() {
    let world = TelegramWorld::new().await;
    for (asked, kept) in [
        (0, Value::Null),
        (-5, Value::Null),
        (1, json!(1)),
        (99_999, json!(99_999)),
    ] {
        let link = world
            .ok(
                "createChatInviteLink",
                json!({"chat_id": CHAT, "member_limit": asked}),
            )
            .await;
        assert_eq!(link["member_limit"], kept, "{asked}");
    }
    let refused = world
        .refused(
            "createChatInviteLink",
            json!({"chat_id": CHAT, "member_limit": 1_000_000}),
        )
        .await;
    assert_eq!(refused, (400, "Bad Request: USAGE_LIMIT_INVALID".into()));
}

#[tokio::test]
async fn a_call_is_checked_against_the_field_list() {
    let world = TelegramWorld::new().await;
    let create = "createChatInviteLink";
    for (method, params, description) in [
        (
            create,
            json!({"chat_id": CHAT, "memberLimit": 1}),
            "simulator: unknown parameter memberLimit of createChatInviteLink",
        ),
        (create, json!({"member_limit": 1}), "chat_id is empty"),
        (create, json!({"chat_id": ""}), "chat_id is empty"),
        (
            create,
            json!({"chat_id": CHAT, "member_limit": "one"}),
            "simulator: parameter member_limit of createChatInviteLink must be Integer",
        ),
        (
            create,
            json!({"chat_id": CHAT, "member_limit": 1.5}),
            "simulator: parameter member_limit of createChatInviteLink must be Integer",
        ),
        (
            create,
            json!({"chat_id": CHAT, "member_limit": null}),
            "simulator: parameter member_limit of createChatInviteLink must be Integer",
        ),
        (
            create,
            json!({"chat_id": CHAT, "name": 7}),
            "simulator: parameter name of createChatInviteLink must be String",
        ),
        (
            create,
            json!({"chat_id": CHAT, "creates_join_request": "maybe"}),
            "simulator: parameter creates_join_request of createChatInviteLink must be Boolean",
        ),
        (
            create,
            json!({"chat_id": [1]}),
            "simulator: parameter chat_id of createChatInviteLink must be Integer or String",
        ),
        (create, json!({"chat_id": -5}), "chat not found"),
        (create, json!({"chat_id": "@nobody"}), "chat not found"),
        (
            create,
            json!({"chat_id": CHAT, "expire_date": 1_000}),
            "EXPIRE_DATE_INVALID",
        ),
        (
            create,
            json!({"chat_id": CHAT, "creates_join_request": true, "member_limit": 1}),
            "member limit can't be specified for links requiring administrator approval",
        ),
        (
            "revokeChatInviteLink",
            json!({"chat_id": CHAT}),
            "simulator: required parameter invite_link of revokeChatInviteLink is missing",
        ),
        (
            "revokeChatInviteLink",
            json!({"chat_id": CHAT, "invite_link": "https://t.me/+nothing"}),
            "INVITE_HASH_EXPIRED",
        ),
        (
            "getChatMember",
            json!({"chat_id": CHAT}),
            "invalid user_id specified",
        ),
        (
            "getChatMember",
            json!({"chat_id": CHAT, "user_id": 999}),
            "PARTICIPANT_ID_INVALID",
        ),
        (
            "setWebhook",
            json!({"url": "https://example.com", "allowed_updates": ["chat_membr"]}),
            "simulator: unknown update type chat_membr",
        ),
        (
            "setWebhook",
            json!({"url": "https://example.com", "allowed_updates": "chat_member"}),
            "simulator: parameter allowed_updates of setWebhook must be Array of String",
        ),
        (
            "sendDice",
            json!({"chat_id": CHAT}),
            "simulator: method not simulated: sendDice",
        ),
    ] {
        let refused = world.refused(method, params.clone()).await;
        assert_eq!(
            refused,
            (400, format!("Bad Request: {description}")),
            "{method} {params}"
        );
    }
}

#[tokio::test]
async fn json_form_and_query_are_the_same_call_and_method_names_have_no_case() {
    let world = TelegramWorld::new().await;
    let url = world.endpoint(TOKEN, "CREATEchatinvitelink");
    let query = format!("{url}?chat_id={CHAT}&member_limit=1&name=a%20b+c");
    let form = format!("chat_id={CHAT}&member_limit=1&name=a+b%20c");
    let requests = [
        world.http.get(&query),
        world.http.post(&query),
        world
            .http
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form),
        world
            .http
            .post(&url)
            .json(&json!({"chat_id": CHAT.to_string(), "member_limit": "1", "name": "a b c"})),
    ];
    for request in requests {
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(body["result"]["name"], "a b c", "{body}");
        assert_eq!(body["result"]["member_limit"], json!(1));
    }
    assert_eq!(world.telegram.count("createChatInviteLink"), 4);
    let broken = world
        .http
        .post(&url)
        .header("content-type", "application/json")
        .body("{")
        .send()
        .await
        .unwrap();
    assert_eq!(broken.status().as_u16(), 400);
}

#[tokio::test]
async fn a_wrong_token_is_401_and_a_wrong_path_404() {
    let world = TelegramWorld::new().await;
    let answer = world
        .call_as("4242:wrong", "getMe", json!({}))
        .await
        .unwrap();
    assert_eq!(
        answer.body,
        json!({"ok": false, "error_code": 401, "description": "Unauthorized"})
    );
    for url in [
        world.endpoint(TOKEN, "getMee"),
        world.endpoint("nonsense", "getMe"),
        world.telegram.url(),
    ] {
        let answer = world.http.get(url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 404);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            body,
            json!({"ok": false, "error_code": 404, "description": "Not Found"})
        );
    }
    world.telegram.revoke_token(world.bot);
    assert_eq!(world.refused("getMe", json!({})).await.0, 401);
    world.telegram.restore_token(TOKEN);
    assert_eq!(world.ok("getMe", json!({})).await["id"], json!(world.bot));
}

#[tokio::test]
async fn what_befalls_the_bot_is_told_in_telegrams_words() {
    let world = TelegramWorld::new().await;
    let create = json!({"chat_id": CHAT, "member_limit": 1});
    let (bot, telegram) = (world.bot, &world.telegram);
    telegram.make_admin(
        bot,
        CHAT,
        Rights {
            can_invite_users: false,
            ..Rights::all()
        },
    );
    let rights = (
        400,
        "Bad Request: not enough rights to manage chat invite link".to_owned(),
    );
    assert_eq!(
        world.refused("createChatInviteLink", create.clone()).await,
        rights
    );
    telegram.demote_bot(bot, CHAT);
    assert_eq!(
        world.refused("createChatInviteLink", create.clone()).await,
        rights
    );
    telegram.kick_bot(bot, CHAT);
    let kicked = (
        403,
        "Forbidden: bot was kicked from the supergroup chat".to_owned(),
    );
    assert_eq!(
        world.refused("createChatInviteLink", create.clone()).await,
        kicked
    );
    telegram.remove_bot(bot, CHAT);
    let left = (
        403,
        "Forbidden: bot is not a member of the supergroup chat".to_owned(),
    );
    assert_eq!(
        world.refused("createChatInviteLink", create.clone()).await,
        left
    );
    telegram.make_admin(bot, CHAT, Rights::all());
    world.ok("createChatInviteLink", create.clone()).await;
    telegram.delete_chat(CHAT);
    let deleted = (403, "Forbidden: the group chat was deleted".to_owned());
    assert_eq!(world.refused("createChatInviteLink", create).await, deleted);
}

#[tokio::test]
async fn an_upgraded_group_names_its_new_id_and_its_links_live_on() {
    let world = TelegramWorld::new().await;
    world.telegram.add_chat(-77, "Group", ChatKind::Group);
    world.telegram.make_admin(world.bot, -77, Rights::all());
    let link = world
        .ok(
            "createChatInviteLink",
            json!({"chat_id": -77, "member_limit": 1}),
        )
        .await;
    let new = -1_009_999_999_999_i64;
    world.telegram.migrate_chat(-77, new);
    let answer = world
        .call("createChatInviteLink", json!({"chat_id": -77}))
        .await;
    assert_eq!(
        answer.body,
        json!({
            "ok": false, "error_code": 400, "parameters": {"migrate_to_chat_id": new},
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
        })
    );
    world
        .ok("createChatInviteLink", json!({"chat_id": new}))
        .await;
    assert_eq!(
        world
            .telegram
            .tap(link["invite_link"].as_str().unwrap(), User::new(5)),
        Tap::Joined
    );
    assert_eq!(world.telegram.status(new, 5), MemberStatus::Member);
}

#[tokio::test]
async fn a_link_for_one_lets_one_in_and_works_again_once_he_left() {
    let world = TelegramWorld::new().await;
    let url = world.link("one").await;
    assert_eq!(world.telegram.tap(&url, User::new(1)), Tap::Joined);
    assert_eq!(world.telegram.tap(&url, User::new(1)), Tap::AlreadyMember);
    assert_eq!(world.telegram.tap(&url, User::new(2)), Tap::Full);
    world.telegram.leave(CHAT, 1);
    assert_eq!(world.telegram.tap(&url, User::new(2)), Tap::Joined);
    assert_eq!(world.telegram.tap(&url, User::new(1)), Tap::Full);
    let link = world.telegram.link(&url).unwrap();
    assert_eq!(
        (link.joined, link.joins, link.creator_bot_id),
        (vec![1, 2], 2, world.bot)
    );
    world
        .ok(
            "revokeChatInviteLink",
            json!({"chat_id": CHAT, "invite_link": url}),
        )
        .await;
    world.telegram.leave(CHAT, 2);
    assert_eq!(world.telegram.tap(&url, User::new(3)), Tap::Revoked);
    assert_eq!(
        world.telegram.tap("https://t.me/+x", User::new(3)),
        Tap::Unknown
    );
    let again = world
        .refused(
            "revokeChatInviteLink",
            json!({"chat_id": CHAT, "invite_link": url}),
        )
        .await;
    assert_eq!(again, (400, "Bad Request: INVITE_HASH_EXPIRED".into()));
}

#[tokio::test]
async fn a_link_dies_at_its_expiry_and_lives_again_by_an_edit() {
    let world = TelegramWorld::new().await;
    let now = world.clock.now_ms() / 1000;
    let params = json!({"chat_id": CHAT, "expire_date": now + 60, "member_limit": 1, "name": "a"});
    let url = world.ok("createChatInviteLink", params).await["invite_link"].clone();
    world.clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(
        world.telegram.tap(url.as_str().unwrap(), User::new(1)),
        Tap::Expired
    );
    let edited = world
        .ok(
            "editChatInviteLink",
            json!({"chat_id": CHAT, "invite_link": url}),
        )
        .await;
    assert!(
        edited["expire_date"].is_null()
            && edited["name"].is_null()
            && edited["member_limit"].is_null()
    );
    assert_eq!(
        world.telegram.tap(url.as_str().unwrap(), User::new(1)),
        Tap::Joined
    );
}

#[tokio::test]
async fn only_the_bot_that_made_a_link_may_change_it_and_a_new_primary_link_kills_the_former() {
    let world = TelegramWorld::new().await;
    let url = world.link("mine").await;
    let other = world.telegram.add_bot("77:other");
    world.telegram.make_admin(other, CHAT, Rights::all());
    let params = json!({"chat_id": CHAT, "invite_link": url});
    let answer = world
        .call_as("77:other", "revokeChatInviteLink", params)
        .await
        .unwrap();
    assert_eq!(answer.status, 400);
    let first = world
        .ok("exportChatInviteLink", json!({"chat_id": CHAT}))
        .await;
    let second = world
        .ok("exportChatInviteLink", json!({"chat_id": CHAT}))
        .await;
    assert_eq!(
        world.telegram.tap(first.as_str().unwrap(), User::new(1)),
        Tap::Revoked
    );
    assert_eq!(
        world.telegram.tap(second.as_str().unwrap(), User::new(1)),
        Tap::Joined
    );
    assert_eq!(world.telegram.tap(&url, User::new(2)), Tap::Joined);
}

#[tokio::test]
async fn banning_removes_and_blocks_and_unbanning_a_member_removes_him() {
    let world = TelegramWorld::new().await;
    let url = world.link("one").await;
    assert_eq!(world.telegram.tap(&url, User::new(1)), Tap::Joined);
    let member = json!({"chat_id": CHAT, "user_id": 1});
    world
        .ok(
            "unbanChatMember",
            json!({"chat_id": CHAT, "user_id": 1, "only_if_banned": true}),
        )
        .await;
    assert_eq!(world.telegram.status(CHAT, 1), MemberStatus::Member);
    world.ok("unbanChatMember", member.clone()).await;
    assert_eq!(world.telegram.status(CHAT, 1), MemberStatus::Left);
    assert_eq!(world.telegram.tap(&url, User::new(1)), Tap::Joined);
    world.ok("banChatMember", member.clone()).await;
    assert_eq!(world.telegram.tap(&url, User::new(1)), Tap::Banned);
    let until = world.clock.now_ms() / 1000 + 3600;
    world
        .ok(
            "banChatMember",
            json!({"chat_id": CHAT, "user_id": 1, "until_date": until}),
        )
        .await;
    world.clock.advance(std::time::Duration::from_secs(3601));
    assert_eq!(world.telegram.tap(&url, User::new(1)), Tap::Joined);
    world.telegram.make_admin(
        world.bot,
        CHAT,
        Rights {
            can_restrict_members: false,
            ..Rights::all()
        },
    );
    let refused = world.refused("banChatMember", member).await;
    assert_eq!(
        refused,
        (
            400,
            "Bad Request: not enough rights to restrict/unrestrict chat member".into()
        )
    );
}

#[tokio::test]
async fn a_join_request_waits_for_its_approval() {
    let world = TelegramWorld::new().await;
    let link = world
        .ok(
            "createChatInviteLink",
            json!({"chat_id": CHAT, "creates_join_request": true}),
        )
        .await;
    let url = link["invite_link"].as_str().unwrap();
    for user in [1, 2] {
        assert_eq!(world.telegram.tap(url, User::new(user)), Tap::Requested);
        assert_eq!(world.telegram.status(CHAT, user), MemberStatus::Left);
    }
    world
        .ok(
            "approveChatJoinRequest",
            json!({"chat_id": CHAT, "user_id": 1}),
        )
        .await;
    world
        .ok(
            "declineChatJoinRequest",
            json!({"chat_id": CHAT, "user_id": 2}),
        )
        .await;
    assert_eq!(world.telegram.status(CHAT, 1), MemberStatus::Member);
    assert_eq!(world.telegram.status(CHAT, 2), MemberStatus::Left);
    let again = world
        .refused(
            "approveChatJoinRequest",
            json!({"chat_id": CHAT, "user_id": 2}),
        )
        .await;
    assert_eq!(again, (400, "Bad Request: HIDE_REQUESTER_MISSING".into()));
    let again = world
        .refused(
            "approveChatJoinRequest",
            json!({"chat_id": CHAT, "user_id": 1}),
        )
        .await;
    assert_eq!(again, (400, "Bad Request: USER_ALREADY_PARTICIPANT".into()));
}
