//! Join requests: who is told, what each answer does, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use std::time::Duration;

use serde_json::{Value, json};
use simulators::telegram::{ChatKind, Checkout, Conversation, MemberStatus, Rights, Tap, User};
use telegram_support::{CHAT, Hook, Respond, TelegramWorld, conforms, eventually};

const ANNA: i64 = 501;
const OTHER: &str = "77:other";

struct Door {
    world: TelegramWorld,
    link: String,
}

/// A chat with a request link of its bot.
async fn door() -> Door {
    let world = TelegramWorld::new().await;
    let params = json!({"chat_id": CHAT, "creates_join_request": true, "name": "door"});
    let link = world.ok("createChatInviteLink", params).await;
    assert_eq!(link["creates_join_request"], json!(true));
    let asked = json!({"offset": -1, "allowed_updates": ["chat_join_request", "chat_member"]});
    world.ok("getUpdates", asked).await;
    Door {
        world,
        link: link["invite_link"].as_str().unwrap().to_owned(),
    }
}

impl Door {
    fn asks(&self, user_id: i64) -> Tap {
        self.world.telegram.tap(&self.link, User::new(user_id))
    }

    fn member(user_id: i64) -> Value {
        json!({"chat_id": CHAT, "user_id": user_id})
    }

    /// All updates that wait, of one kind.
    async fn updates(&self, kind: &str) -> Vec<Value> {
        let updates = self.world.ok("getUpdates", json!({})).await;
        let updates = updates.as_array().unwrap().iter();
        let of_kind = updates.filter(|update| update[kind].is_object());
        of_kind.map(|update| update[kind].clone()).collect()
    }

    async fn refusal(&self, method: &str, user_id: i64) -> (u16, String) {
        self.world.refused(method, Self::member(user_id)).await
    }
}

fn bad(what: &str) -> (u16, String) {
    (400, format!("Bad Request: {what}"))
}

#[tokio::test]
async fn an_approved_request_is_a_join_from_the_bot_and_by_the_link() {
    let door = door().await;
    assert_eq!(door.asks(ANNA), Tap::Requested);
    let request = door.updates("chat_join_request").await.pop().unwrap();
    conforms("ChatJoinRequest", &request);
    assert_eq!(request["from"]["id"], json!(ANNA));
    assert_eq!(request["user_chat_id"], json!(ANNA));
    assert_eq!(request["invite_link"]["invite_link"], json!(door.link));
    assert_eq!(
        request["invite_link"]["pending_join_request_count"],
        json!(1)
    );
    assert!(request.get("query_id").is_none());
    door.world
        .ok("approveChatJoinRequest", Door::member(ANNA))
        .await;
    let change = door.updates("chat_member").await.pop().unwrap();
    conforms("ChatMemberUpdated", &change);
    assert_eq!(change["from"]["id"], json!(door.world.bot));
    assert_eq!(change["old_chat_member"]["status"], "left");
    assert_eq!(change["new_chat_member"]["status"], "member");
    assert_eq!(change["invite_link"]["invite_link"], json!(door.link));
    assert!(
        change["invite_link"]
            .get("pending_join_request_count")
            .is_none()
    );
    assert_eq!(
        door.refusal("approveChatJoinRequest", ANNA).await,
        bad("USER_ALREADY_PARTICIPANT")
    );
    assert_eq!(door.asks(ANNA), Tap::AlreadyMember);
}

#[tokio::test]
async fn declined_and_withdrawn_requests_leave_no_update_and_may_be_made_again() {
    let door = door().await;
    assert_eq!(door.asks(ANNA), Tap::Requested);
    assert_eq!(door.asks(ANNA), Tap::AlreadyRequested);
    let before = door.world.telegram.pending_updates(door.world.bot);
    door.world
        .ok("declineChatJoinRequest", Door::member(ANNA))
        .await;
    assert_eq!(door.world.telegram.pending_updates(door.world.bot), before);
    let missing = bad("HIDE_REQUESTER_MISSING");
    assert_eq!(door.refusal("declineChatJoinRequest", ANNA).await, missing);
    assert_eq!(door.asks(ANNA), Tap::Requested);
    assert!(door.world.telegram.is_requesting(CHAT, ANNA));
    assert!(door.world.telegram.withdraws(CHAT, ANNA));
    assert_eq!(door.refusal("approveChatJoinRequest", ANNA).await, missing);
    assert_eq!(door.asks(ANNA), Tap::Requested);
    assert_eq!(door.updates("chat_join_request").await.len(), 3);
    assert_eq!(door.world.telegram.status(CHAT, ANNA), MemberStatus::Left);
    // Revoking the link leaves the request as it is.
    let revoke = json!({"chat_id": CHAT, "invite_link": door.link});
    door.world.ok("revokeChatInviteLink", revoke).await;
    assert_eq!(door.asks(502), Tap::Revoked);
    door.world
        .ok("approveChatJoinRequest", Door::member(ANNA))
        .await;
}

#[tokio::test]
async fn what_can_not_be_approved_is_refused_in_telegrams_words() {
    let door = door().await;
    let (world, telegram) = (&door.world, &door.world.telegram);
    let approve = "approveChatJoinRequest";
    assert_eq!(door.refusal(approve, 999).await, bad("USER_ID_INVALID"));
    door.asks(ANNA);
    telegram.set_in_too_many_chats(&User::new(ANNA), true);
    assert_eq!(
        door.refusal(approve, ANNA).await,
        bad("USER_CHANNELS_TOO_MUCH")
    );
    let open = world.link("open").await;
    assert_eq!(telegram.tap(&open, User::new(ANNA)), Tap::TooManyChats);
    telegram.set_in_too_many_chats(&User::new(ANNA), false);
    // A bot that came after the request never met who made it.
    let other = telegram.add_bot(OTHER);
    telegram.make_admin(other, CHAT, Rights::all());
    let answer = world
        .call_as(OTHER, approve, Door::member(ANNA))
        .await
        .unwrap();
    assert_eq!(answer.body["description"], "Bad Request: USER_ID_INVALID");
    let fewer = Rights {
        can_invite_users: false,
        ..Rights::all()
    };
    telegram.make_admin(world.bot, CHAT, fewer);
    for method in [approve, "declineChatJoinRequest"] {
        assert_eq!(door.refusal(method, ANNA).await, bad("CHAT_ADMIN_REQUIRED"));
    }
    telegram.make_admin(world.bot, CHAT, Rights::all());
    telegram.deactivates(&User::new(ANNA));
    let gone = (403, "Forbidden: user is deactivated".to_owned());
    assert_eq!(door.refusal(approve, ANNA).await, gone);
    // A ban ends the request.
    door.asks(502);
    telegram.ban(CHAT, User::new(502), 0);
    assert_eq!(
        door.refusal(approve, 502).await,
        bad("HIDE_REQUESTER_MISSING")
    );
    assert_eq!(door.asks(502), Tap::Banned);
    // Restrictions outlive leaving.
    telegram.restrict(CHAT, User::new(503), false);
    door.asks(503);
    world.ok(approve, Door::member(503)).await;
    let status = telegram.status(CHAT, 503);
    assert!(
        status.is_present() && status != MemberStatus::Member,
        "{status:?}"
    );
}

#[tokio::test]
async fn requests_by_the_owners_link_and_by_no_link_are_shown_as_such() {
    let door = door().await;
    let telegram = &door.world.telegram;
    let link = telegram.owner_makes_link(CHAT, true);
    assert_eq!(telegram.tap(&link, User::new(ANNA)), Tap::Requested);
    telegram.ask_to_join(CHAT, User::new(502));
    let requests = door.updates("chat_join_request").await;
    let shown = requests[0]["invite_link"]["invite_link"].as_str().unwrap();
    assert!(shown.ends_with("...") && shown != link, "{shown}");
    assert_eq!(
        requests[0]["invite_link"]["creator"]["id"],
        json!(simulators::telegram::OWNER_ID)
    );
    assert!(requests[1].get("invite_link").is_none());
    assert!(telegram.owner_approves(CHAT, ANNA));
    assert!(telegram.owner_declines(CHAT, 502));
    assert!(!telegram.owner_declines(CHAT, 502));
    let changes = door.updates("chat_member").await;
    assert_eq!(changes.len(), 1);
    assert_eq!(
        changes[0]["from"]["id"],
        json!(simulators::telegram::OWNER_ID)
    );
}

#[tokio::test]
async fn who_asks_may_be_written_to_for_five_minutes_until_it_is_settled() {
    let door = door().await;
    let (world, telegram) = (&door.world, &door.world.telegram);
    let stranger = (
        403,
        "Forbidden: bot can't initiate conversation with a user".to_owned(),
    );
    let hi = |user_id: i64| json!({"chat_id": user_id, "text": "how to get in"});
    door.asks(ANNA);
    world.ok("sendMessage", hi(ANNA)).await;
    let seen = telegram.messages(Conversation::private(world.bot, ANNA));
    assert_eq!(seen[0].text, "how to get in");
    world.ok("declineChatJoinRequest", Door::member(ANNA)).await;
    assert_eq!(world.refused("sendMessage", hi(ANNA)).await, stranger);
    door.asks(502);
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(world.refused("sendMessage", hi(502)).await, stranger);
    // The request itself has no end.
    world.ok("approveChatJoinRequest", Door::member(502)).await;
}

#[tokio::test]
async fn a_person_asks_five_times_in_a_quarter_of_an_hour() {
    let door = door().await;
    for _ in 0..5 {
        assert_eq!(door.asks(ANNA), Tap::Requested);
        door.world.telegram.withdraws(CHAT, ANNA);
    }
    assert_eq!(door.asks(ANNA), Tap::TooManyAttempts);
    assert_eq!(door.asks(502), Tap::Requested);
    door.world.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(door.asks(ANNA), Tap::Requested);
}

#[tokio::test]
async fn the_processor_of_a_chat_answers_a_query_within_ten_seconds() {
    let door = door().await;
    let (world, telegram) = (&door.world, &door.world.telegram);
    assert_eq!(
        world.ok("getMe", json!({})).await["supports_join_request_queries"],
        json!(false)
    );
    let other = telegram.add_bot(OTHER);
    telegram.make_admin(other, CHAT, Rights::all());
    telegram.set_request_processor(CHAT, Some(world.bot));
    assert_eq!(
        world.ok("getMe", json!({})).await["supports_join_request_queries"],
        json!(true)
    );
    let chat = world.ok("getChat", json!({"chat_id": CHAT})).await;
    conforms("ChatFullInfo", &chat);
    assert_eq!(chat["guard_bot"]["id"], json!(world.bot));
    let answer = |query: &Value, result: &str| json!({"chat_join_request_query_id": query, "result": result});
    let method = "answerChatJoinRequestQuery";
    for (user, result, present, waiting) in [
        (1, "approve", true, false),
        (2, "decline", false, false),
        (3, "queue", false, true),
    ] {
        door.asks(user);
        let request = door.updates("chat_join_request").await.pop().unwrap();
        let query = request["query_id"].clone();
        conforms("ChatJoinRequest", &request);
        let wrong = world
            .call_as(OTHER, method, answer(&query, result))
            .await
            .unwrap();
        assert_eq!(wrong.status, 400, "another bot's query");
        world.ok(method, answer(&query, result)).await;
        assert_eq!(
            telegram.status(CHAT, user).is_present(),
            present,
            "{result}"
        );
        assert_eq!(telegram.is_requesting(CHAT, user), waiting, "{result}");
        let again = world.refused(method, answer(&query, result)).await;
        assert!(
            again.1.starts_with("Bad Request: query is too old"),
            "{again:?}"
        );
    }
    let request = world
        .call_as(OTHER, "getUpdates", json!({"offset": -1}))
        .await
        .unwrap();
    let request = &request.body["result"][0]["chat_join_request"];
    assert!(request.is_object() && request.get("query_id").is_none());
    door.asks(4);
    let query = door.updates("chat_join_request").await.pop().unwrap()["query_id"].clone();
    world.clock.advance(Duration::from_secs(11));
    let late = world.refused(method, answer(&query, "approve")).await;
    assert!(
        late.1.starts_with("Bad Request: query is too old"),
        "{late:?}"
    );
    world.ok("approveChatJoinRequest", Door::member(4)).await;
}

#[tokio::test]
async fn a_webhooks_answer_lets_in_and_consents_to_a_payment() {
    let door = door().await;
    let (world, telegram) = (&door.world, &door.world.telegram);
    telegram.set_request_processor(CHAT, Some(world.bot));
    // The updates are read by polling first, for a query can't be known before it is made.
    door.asks(ANNA);
    let query = door.updates("chat_join_request").await.pop().unwrap()["query_id"].clone();
    let hook = Hook::start().await;
    hook.answer([Respond::Body(
        json!({"method": "answerChatJoinRequestQuery", "chat_join_request_query_id": query, "result": "approve"}),
    )]);
    let kinds = ["chat_join_request", "pre_checkout_query", "message"];
    let set = json!({"url": hook.url, "allowed_updates": kinds});
    world.ok("setWebhook", set).await;
    eventually("Anna is in", || telegram.status(CHAT, ANNA).is_present()).await;
    telegram.delivered().await;
    hook.answer([Respond::MemberStatus(500)]);
    let query = telegram.pays_stars(world.bot, &User::new(ANNA), "order-1", 250);
    hook.answer([Respond::Body(
        json!({"method": "answerPreCheckoutQuery", "pre_checkout_query_id": query, "ok": true}),
    )]);
    eventually("the payment is made", || {
        matches!(telegram.checkout(&query), Some(Checkout::Paid(_)))
    })
    .await;
    telegram.delivered().await;
    let updates = hook.updates();
    let asked = updates
        .iter()
        .find(|update| update["pre_checkout_query"].is_object());
    conforms("PreCheckoutQuery", &asked.unwrap()["pre_checkout_query"]);
    let paid = &updates.last().unwrap()["message"]["successful_payment"];
    conforms("SuccessfulPayment", paid);
    assert_eq!(
        (&paid["total_amount"], &paid["invoice_payload"]),
        (&json!(250), &json!("order-1"))
    );
    let refused = telegram.pays_stars(world.bot, &User::new(ANNA), "order-2", 250);
    let no = json!({"pre_checkout_query_id": refused, "ok": false, "error_message": "sold out"});
    world.ok("answerPreCheckoutQuery", no).await;
    assert_eq!(
        telegram.checkout(&refused),
        Some(Checkout::Refused("sold out".into()))
    );
    let late = telegram.pays_stars(world.bot, &User::new(ANNA), "order-3", 250);
    world.clock.advance(Duration::from_secs(11));
    let yes = json!({"pre_checkout_query_id": late, "ok": true});
    let answer = world.refused("answerPreCheckoutQuery", yes).await;
    assert!(
        answer.1.starts_with("Bad Request: query is too old"),
        "{answer:?}"
    );
    assert_eq!(telegram.checkout(&late), Some(Checkout::Waiting));
}

#[tokio::test]
async fn joins_and_requests_of_one_person_are_delivered_in_order_and_others_do_not_wait() {
    let door = door().await;
    let (world, telegram) = (&door.world, &door.world.telegram);
    telegram.add_chat(-1_002, "Second", ChatKind::Supergroup);
    telegram.make_admin(world.bot, -1_002, Rights::all());
    let hook = Hook::start().await;
    let kinds = ["chat_join_request", "chat_member"];
    let set = json!({"url": hook.url, "allowed_updates": kinds, "drop_pending_updates": true});
    world.ok("setWebhook", set).await;
    // A success opens all connections.
    telegram.add_by_admin(CHAT, User::new(900));
    telegram.delivered().await;
    // Anna's first update hangs; her next waits, the other person's does not.
    hook.answer([Respond::Hang]);
    door.asks(ANNA);
    eventually("the first is under way", || hook.count() == 2).await;
    telegram.ask_to_join(-1_002, User::new(ANNA));
    telegram.add_by_admin(CHAT, User::new(901));
    eventually("the other's is delivered", || hook.count() == 3).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let whose = |update: &Value| {
        let joined = &update["chat_member"]["new_chat_member"]["user"]["id"];
        let asked = &update["chat_join_request"]["from"]["id"];
        joined.as_i64().or(asked.as_i64())
    };
    let seen: Vec<_> = hook.updates().iter().filter_map(whose).collect();
    assert_eq!(seen, [900, ANNA, 901]);
    assert_eq!(telegram.pending_updates(world.bot), 2);
}
