//! Topics of a forum, copies, albums and reactions.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use serde_json::{Value, json};
use simulators::telegram::{
    Conversation, Fault, FaultRule, MessageLimits, Rights, SeenTopic, User,
};
use telegram_support::{CHAT, TelegramWorld, conforms};

const ANNA: i64 = 501;

fn anna() -> User {
    User::new(ANNA).named("Anna")
}

/// A forum whose administrator is a bot that Anna has started.
async fn forum() -> (TelegramWorld, Conversation) {
    let world = TelegramWorld::new().await;
    world.telegram.make_forum(CHAT);
    world.telegram.presses_start(world.bot, &anna(), "");
    let clear = json!({"offset": -1, "allowed_updates": ["message"]});
    let last = world.ok("getUpdates", clear).await[0]["update_id"].clone();
    let after = last.as_i64().unwrap() + 1;
    world.ok("getUpdates", json!({"offset": after})).await;
    let private = Conversation::private(world.bot, ANNA);
    (world, private)
}

async fn messages(world: &TelegramWorld) -> Vec<Value> {
    let updates = world.ok("getUpdates", json!({})).await;
    let updates = updates.as_array().unwrap().clone();
    let messages = updates.into_iter().map(|update| update["message"].clone());
    messages
        .inspect(|message| conforms("Message", message))
        .collect()
}

async fn topic(world: &TelegramWorld, name: &str) -> i64 {
    let topic = json!({"chat_id": CHAT, "name": name});
    let topic = world.ok("createForumTopic", topic).await;
    conforms("ForumTopic", &topic);
    topic["message_thread_id"].as_i64().unwrap()
}

fn bad(what: &str) -> (u16, String) {
    (400, format!("Bad Request: {what}"))
}

#[tokio::test]
async fn a_topic_is_talked_in_from_both_sides() {
    let (world, _) = forum().await;
    let telegram = &world.telegram;
    let thread = topic(&world, "Anna · 501").await;
    let hi = json!({"chat_id": CHAT, "message_thread_id": thread, "text": "from Anna"});
    let sent = world.ok("sendMessage", hi).await;
    conforms("Message", &sent);
    assert_eq!(sent["chat"]["is_forum"], json!(true));
    assert_eq!(
        (&sent["message_thread_id"], &sent["is_topic_message"]),
        (&json!(thread), &json!(true))
    );
    let said = telegram.says_in_topic(CHAT, thread, &User::new(900), "hello Anna");
    let answered = sent["message_id"].as_i64().unwrap();
    telegram.replies(
        Conversation::chat(CHAT),
        &User::new(900),
        answered,
        "an answer",
    );
    telegram.says(Conversation::chat(CHAT), &User::new(900), "in General");
    let heard = messages(&world).await;
    // The bot's own topic is told to it, so that a lost answer is no lost topic.
    assert_eq!(heard[0]["forum_topic_created"]["name"], "Anna · 501");
    assert_eq!(heard[0]["message_thread_id"], json!(thread));
    assert_eq!(heard[0]["from"]["id"], json!(world.bot));
    assert_eq!(heard[1]["message_id"], json!(said));
    assert_eq!(heard[1]["message_thread_id"], json!(thread));
    assert_eq!(heard[1]["reply_to_message"]["message_id"], json!(thread));
    assert_eq!(heard[2]["message_thread_id"], json!(thread));
    assert_eq!(heard[2]["reply_to_message"]["text"], "from Anna");
    assert!(heard[3].get("message_thread_id").is_none());
    assert_eq!(heard.len(), 4);
    let general = json!({"chat_id": CHAT, "message_thread_id": 1, "text": "x"});
    let general = world.ok("sendMessage", general).await;
    assert!(general.get("message_thread_id").is_none());
}

#[tokio::test]
async fn topics_are_renamed_closed_reopened_and_deleted() {
    let (world, _) = forum().await;
    let telegram = &world.telegram;
    let thread = topic(&world, "one").await;
    let at = json!({"chat_id": CHAT, "message_thread_id": thread});
    let rename = json!({"chat_id": CHAT, "message_thread_id": thread, "name": "two"});
    world.ok("editForumTopic", rename.clone()).await;
    assert_eq!(
        world.refused("editForumTopic", rename).await,
        bad("TOPIC_NOT_MODIFIED")
    );
    world.ok("closeForumTopic", at.clone()).await;
    assert_eq!(
        world.refused("closeForumTopic", at.clone()).await,
        bad("TOPIC_NOT_MODIFIED")
    );
    let closed = SeenTopic {
        thread_id: thread,
        name: "two".into(),
        is_closed: true,
    };
    assert_eq!(telegram.topics(CHAT), [closed]);
    assert_eq!(telegram.says_in_topic(CHAT, thread, &anna(), "x"), 0);
    // Who manages topics may write into a closed one, others may not.
    let hi = json!({"chat_id": CHAT, "message_thread_id": thread, "text": "x"});
    let sent = world.ok("sendMessage", hi.clone()).await["message_id"].clone();
    let fewer = Rights {
        can_manage_topics: false,
        ..Rights::all()
    };
    telegram.make_admin(world.bot, CHAT, fewer);
    assert_eq!(
        world.refused("sendMessage", hi.clone()).await,
        bad("TOPIC_CLOSED")
    );
    assert_eq!(
        world.refused("reopenForumTopic", at.clone()).await,
        bad("not enough rights to create a topic")
    );
    telegram.make_admin(world.bot, CHAT, Rights::all());
    world.ok("reopenForumTopic", at.clone()).await;
    assert!(telegram.closes_topic(CHAT, thread));
    let told: Vec<_> = messages(&world).await;
    let has = |field: &str| {
        told.iter()
            .filter(|message| message[field].is_object())
            .count()
    };
    assert_eq!(
        (
            has("forum_topic_edited"),
            has("forum_topic_closed"),
            has("forum_topic_reopened")
        ),
        (1, 2, 1)
    );
    world.ok("deleteForumTopic", at.clone()).await;
    assert!(telegram.topics(CHAT).is_empty());
    let gone = telegram.message(Conversation::chat(CHAT), sent.as_i64().unwrap());
    assert!(gone.unwrap().is_deleted);
    assert_eq!(
        world.refused("sendMessage", hi).await,
        bad("message thread not found")
    );
    assert_eq!(
        world.refused("deleteForumTopic", at).await,
        bad("TOPIC_ID_INVALID")
    );
}

#[tokio::test]
async fn a_topic_whose_answer_was_lost_is_there_and_told() {
    let (world, _) = forum().await;
    world
        .telegram
        .fail(FaultRule::on("createForumTopic", Fault::ResetAfter).times(1));
    let create = json!({"chat_id": CHAT, "name": "Anna · 501"});
    let lost = world
        .call_as(telegram_support::TOKEN, "createForumTopic", create)
        .await;
    assert!(lost.is_err());
    let topics = world.telegram.topics(CHAT);
    assert_eq!(topics.len(), 1);
    let told = messages(&world).await;
    assert_eq!(told[0]["message_thread_id"], json!(topics[0].thread_id));
}

#[tokio::test]
async fn topics_that_telegram_refuses() {
    let (world, _) = forum().await;
    world
        .telegram
        .add_chat(-1_002, "Plain", simulators::telegram::ChatKind::Supergroup);
    world.telegram.make_admin(world.bot, -1_002, Rights::all());
    for (params, description) in [
        (
            json!({"chat_id": -1_002, "name": "x"}),
            "the chat is not a forum",
        ),
        (
            json!({"chat_id": ANNA, "name": "x"}),
            "the chat is not a forum",
        ),
        (json!({"chat_id": CHAT, "name": " "}), "TOPIC_TITLE_EMPTY"),
        (
            json!({"chat_id": CHAT, "name": "x".repeat(129)}),
            "TOPIC_TITLE_TOO_LONG",
        ),
        (
            json!({"chat_id": CHAT, "name": "x", "icon_color": 1}),
            "TOPIC_ICON_COLOR_INVALID",
        ),
    ] {
        let refused = world.refused("createForumTopic", params.clone()).await;
        assert_eq!(refused, bad(description), "{params}");
    }
    // Topics and reactions count as messages of the group.
    world
        .telegram
        .set_message_limits(MessageLimits::published());
    for name in 0..20 {
        topic(&world, &format!("t{name}")).await;
    }
    let create = json!({"chat_id": CHAT, "name": "one more"});
    assert_eq!(world.call("createForumTopic", create).await.status, 429);
}

#[tokio::test]
async fn a_copy_says_the_same_and_not_where_it_is_from() {
    let (world, private) = forum().await;
    let telegram = &world.telegram;
    let thread = topic(&world, "Anna").await;
    let said = telegram.says(private, &anna(), "hello, /help me");
    let photo = telegram.sends_photo(private, &anna(), "my receipt");
    let copy = |id: i64| json!({"chat_id": CHAT, "message_thread_id": thread, "from_chat_id": ANNA, "message_id": id});
    for (id, text) in [(said, "hello, /help me"), (photo, "my receipt")] {
        let copied = world.ok("copyMessage", copy(id)).await;
        conforms("MessageId", &copied);
        let seen = telegram.message(
            Conversation::chat(CHAT),
            copied["message_id"].as_i64().unwrap(),
        );
        let seen = seen.unwrap();
        assert_eq!((seen.text.as_str(), seen.thread_id), (text, Some(thread)));
        assert_eq!(seen.from_id, Some(world.bot));
    }
    let heard = messages(&world).await;
    let shown = heard
        .iter()
        .find(|message| message["photo"].is_array())
        .unwrap();
    assert_eq!(shown["caption"], "my receipt");
    assert!(shown.get("text").is_none());
    let mut captioned = copy(photo);
    captioned["caption"] = json!("<b>receipt</b> of Anna");
    captioned["parse_mode"] = json!("HTML");
    let copied = world.ok("copyMessage", captioned).await["message_id"]
        .as_i64()
        .unwrap();
    let seen = telegram.message(Conversation::chat(CHAT), copied).unwrap();
    assert_eq!(seen.text, "receipt of Anna");
    let caption = |text: &str| json!({"chat_id": CHAT, "message_id": copied, "caption": text});
    let edited = world.ok("editMessageCaption", caption("paid")).await;
    assert_eq!(edited["caption"], "paid");
    let (_, refusal) = world.refused("editMessageCaption", caption("paid")).await;
    assert!(refusal.contains("message is not modified"), "{refusal}");
    let mut text = caption("x");
    text["message_id"] = json!(thread);
    assert_eq!(
        world.refused("editMessageCaption", text).await,
        bad("message can't be edited")
    );
    // A copy back, which is protected and so can't be copied again; nor can what tells of something.
    let back = json!({"chat_id": ANNA, "from_chat_id": CHAT, "message_id": copied, "protect_content": true});
    let back = world.ok("copyMessage", back).await["message_id"]
        .as_i64()
        .unwrap();
    assert_eq!(
        world.refused("copyMessage", copy(back)).await,
        bad("message can't be copied")
    );
    let service = json!({"chat_id": ANNA, "from_chat_id": CHAT, "message_id": thread});
    assert_eq!(
        world.refused("copyMessage", service).await,
        bad("message can't be copied")
    );
    telegram.deletes(private, said);
    assert_eq!(
        world.refused("copyMessage", copy(said)).await,
        bad("message to copy not found")
    );
    let stranger = json!({"chat_id": CHAT, "from_chat_id": 999, "message_id": 1});
    assert_eq!(
        world.refused("copyMessage", stranger).await,
        bad("chat not found")
    );
}

#[tokio::test]
async fn an_album_comes_in_parts_and_is_copied_as_one() {
    let (world, private) = forum().await;
    let telegram = &world.telegram;
    let mut parts = telegram.sends_album(private, &anna(), &["two photos", ""]);
    let heard = messages(&world).await;
    let album = heard[0]["media_group_id"].as_str().unwrap();
    assert_eq!(
        (heard.len(), heard[1]["media_group_id"].as_str()),
        (2, Some(album))
    );
    assert!(heard[1].get("caption").is_none());
    parts.push(9_999);
    let copy = |ids: &[i64]| json!({"chat_id": CHAT, "from_chat_id": ANNA, "message_ids": ids});
    let copies = world.ok("copyMessages", copy(&parts)).await;
    assert_eq!(
        copies.as_array().unwrap().len(),
        2,
        "what is not there is passed over"
    );
    let seen = |number: usize| {
        let id = copies[number]["message_id"].as_i64().unwrap();
        telegram.message(Conversation::chat(CHAT), id).unwrap()
    };
    assert_eq!(seen(0).album, seen(1).album);
    assert!(seen(0).album.is_some_and(|copied| copied != album));
    for (ids, description) in [
        (
            vec![parts[1], parts[0]],
            "message identifiers must be in a strictly increasing order",
        ),
        (
            (1..=101).collect(),
            "too many message identifiers specified",
        ),
        (vec![9_998, 9_999], "there are no messages to copy"),
    ] {
        assert_eq!(
            world.refused("copyMessages", copy(&ids)).await,
            bad(description)
        );
    }
}

#[tokio::test]
async fn a_reaction_is_one_of_the_fixed_list() {
    let (world, private) = forum().await;
    let said = world.telegram.says(private, &anna(), "hello");
    let react = |emoji: &[&str]| {
        let reactions: Vec<_> = emoji
            .iter()
            .map(|emoji| json!({"type": "emoji", "emoji": emoji}))
            .collect();
        json!({"chat_id": ANNA, "message_id": said, "reaction": reactions})
    };
    let seen = || world.telegram.message(private, said).unwrap().reactions;
    world.ok("setMessageReaction", react(&["👌"])).await;
    assert_eq!(seen(), ["👌"]);
    world
        .ok("setMessageReaction", react(&["❤\u{200d}🔥"]))
        .await;
    assert_eq!(seen(), ["❤\u{200d}🔥"]);
    assert_eq!(
        world.refused("setMessageReaction", react(&["✓"])).await,
        bad("REACTION_INVALID")
    );
    assert_eq!(
        world
            .refused("setMessageReaction", react(&["👌", "🔥"]))
            .await,
        bad("REACTIONS_TOO_MANY")
    );
    world.ok("setMessageReaction", react(&[])).await;
    assert!(seen().is_empty());
    let gone = json!({"chat_id": ANNA, "message_id": 9_999, "reaction": []});
    assert_eq!(
        world.refused("setMessageReaction", gone).await,
        bad("message to react not found")
    );
}
