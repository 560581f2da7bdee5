//! Actors: programs that share the bot by keys of their own, at the wire, while the bot's webhook runs.

mod answers;
mod feed;
mod keys;
mod libraries;
mod others;
mod webhooks;

use domain::actor::{ActorRole, method};
use local::harness::{BotApiActor, TestStack, until};
use serde_json::{Value, json};

pub(crate) const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");

/// What an update of private talk says.
pub(crate) fn text(update: &Value) -> &str {
    update["message"]["text"].as_str().unwrap_or_default()
}

/// The number of an update.
pub(crate) fn number(update: &Value) -> i64 {
    update["update_id"].as_i64().unwrap()
}

/// The updates that an actor has not seen, as soon as there are any.
pub(crate) async fn news(actor: &BotApiActor, offset: i64) -> Vec<Value> {
    until("an update for the actor", async || {
        let updates = actor.updates(offset).await;
        (!updates.is_empty()).then_some(updates)
    })
    .await
}

#[tokio::test]
async fn an_actor_reads_what_people_write_and_answers_them_while_the_webhook_runs() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    let me = crm.get("GetMe").await.done();
    assert_eq!(me["result"]["id"], stack.bot_id);
    let ann = stack.customer(7);
    ann.say(stack.bot_id, "is anybody there?");
    let updates = news(&crm, 0).await;
    assert_eq!(text(&updates[0]), "is anybody there?");
    assert_eq!(updates[0]["message"]["from"]["id"], 7);

    let answered = crm.writes(7, "yes, I am").await.done();
    assert!(answered["result"]["message_id"].is_i64(), "{answered}");
    let seen = ann.messages_of(stack.bot_id);
    assert!(
        seen.iter()
            .any(|message| message.text.contains("yes, I am"))
    );
    // The bot answers its own commands as before.
    ann.say(stack.bot_id, "/help");
    stack.run_until_idle().await;
    assert!(ann.messages_of(stack.bot_id).len() > seen.len());
    // What was confirmed does not come again.
    let further = news(&crm, number(&updates[0]) + 1).await;
    assert_eq!(text(&further[0]), "/help");
}

#[tokio::test]
async fn what_is_not_the_bots_own_is_left_to_the_actors_that_read_it() {
    struct Case {
        role: &'static str,
        says: &'static str,
        is_answered: bool,
    }
    let case = |role, says, is_answered| Case {
        role,
        says,
        is_answered,
    };
    for Case {
        role,
        says,
        is_answered,
    } in [
        case("aggregator", "hello", true),
        case("aggregator", "/weather", true),
        case("operator", "hello", false),
        case("operator", "/weather", true),
        case("backend", "hello", false),
        case("backend", "/weather", false),
        case("backend", "/help", true),
    ] {
        let stack = TestStack::with(&[CLAIMED]).await;
        stack.actor("crm", role).await;
        let ann = stack.customer(7);
        ann.say(stack.bot_id, says);
        stack.run_until_idle().await;
        let seen = ann.messages_of(stack.bot_id);
        assert_eq!(!seen.is_empty(), is_answered, "{role}: {says}");
    }
}

#[tokio::test]
async fn an_actor_writes_to_nobody_who_never_wrote_and_to_no_chat_that_its_key_does_not_name() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    let calls = stack.telegram.calls().len();
    for chat in [7, stack.chat_id] {
        let refused = crm.writes(chat, "buy!").await;
        assert_eq!(
            (refused.status, &refused.body["error_code"]),
            (403, &json!(403))
        );
    }
    assert_eq!(
        stack.telegram.calls().len(),
        calls,
        "nothing reached Telegram"
    );
    let body = json!({"name": "news", "role": "aggregator", "chats": [stack.chat_id]});
    let news = stack.actor_as(&body).await;
    let sent = news.writes(stack.chat_id, "hello").await;
    assert_eq!(sent.status, 200, "{}", sent.body);
}

/// All methods of the Bot API with all roles: what a role may not call is refused by name and reaches nobody.
#[tokio::test]
async fn each_role_calls_its_methods_and_no_other() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let table = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../common/domain/src/actor/methods.txt"
    ));
    let table = table.unwrap();
    let names = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').next().unwrap());
    let names: Vec<&str> = names.collect();
    assert_eq!(names.len(), 180);
    for role in ActorRole::ALL {
        let actor = stack.actor(role.as_str(), role.as_str()).await;
        let before = stack.telegram.calls().len();
        for name in &names {
            // What is asked for is not there, so what may be called is refused by Telegram's own words, or done.
            let answer = actor.call(name, &json!({"timeout": 0})).await;
            let words = answer.body["description"].as_str().unwrap_or_default();
            let is_refused =
                words == format!("Forbidden: the role {} may not call {name}", role.as_str());
            let may = role.may(method(name).unwrap().right);
            assert_eq!(is_refused, !may, "{role:?} {name}: {}", answer.body);
            assert_eq!(
                answer.status == 403,
                !may,
                "{role:?} {name}: {}",
                answer.body
            );
            assert_ne!(answer.status, 404, "{role:?} {name}");
        }
        let calls = stack.telegram.calls();
        for call in &calls[before..] {
            assert!(
                role.may(method(&call.method).unwrap().right),
                "{role:?} {}",
                call.method
            );
        }
        let unknown = actor.call("sendMessages", &json!({})).await;
        assert_eq!(unknown.status, 404, "{}", unknown.body);
        // One actor less, so that the next one has the whole rate.
        stack
            .operator()
            .delete(&format!("actors/{}", role.as_str()))
            .await
            .done();
        stack.clock.advance(std::time::Duration::from_secs(10));
    }
}

#[tokio::test]
async fn an_actor_changes_what_it_sent_and_nothing_else() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    let desk = stack.actor("desk", "backend").await;
    let ann = stack.customer(7);
    ann.say(stack.bot_id, "hello");
    news(&crm, 0).await;
    let sent = crm.writes(7, "frist").await.done();
    let id = sent["result"]["message_id"].as_i64().unwrap();
    let edit = json!({"chat_id": "7", "message_id": id.to_string(), "text": "first"});
    let refused = desk.call("editMessageText", &edit).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(crm.call("editMessageText", &edit).await.status, 200);
    let texts = |stack: &TestStack| -> Vec<String> {
        let seen = stack.customer(7).messages_of(stack.bot_id).into_iter();
        let seen = seen.filter(|message| !message.is_deleted);
        seen.map(|message| message.text).collect()
    };
    assert!(
        texts(&stack).contains(&"first".to_owned()),
        "{:?}",
        texts(&stack)
    );
    // Of several messages all must be its own.
    let others = json!({"chat_id": 7, "message_ids": [id, id + 100]});
    assert_eq!(crm.call("deleteMessages", &others).await.status, 403);
    let own = json!({"chat_id": 7, "message_id": id});
    assert_eq!(desk.call("deleteMessage", &own).await.status, 403);
    assert_eq!(crm.call("deleteMessage", &own).await.status, 200);
    assert!(!texts(&stack).contains(&"first".to_owned()));
}

#[tokio::test]
async fn our_buttons_money_and_other_peoples_voices_are_refused_before_telegram_hears_of_them() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "backend").await;
    stack.customer(7).say(stack.bot_id, "hello");
    news(&crm, 0).await;
    stack.run_until_idle().await;
    let sends = stack.telegram.count("sendMessage");
    let keyboard =
        |data: &str| json!({"inline_keyboard": [[{"text": "a", "callback_data": data}]]});
    for more in [
        json!({"reply_markup": keyboard("~grant:1:2")}),
        json!({"allow_paid_broadcast": true}),
        json!({"business_connection_id": "b"}),
        json!({"reply_parameters": {"message_id": 1, "chat_id": 8}}),
        json!({"chat_id": "@premium"}),
        json!({"reply_markup": "{"}),
    ] {
        let mut parameters = json!({"chat_id": 7, "text": "x"});
        for (name, value) in more.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        let refused = crm.call("sendMessage", &parameters).await;
        assert!(
            [400, 403].contains(&refused.status),
            "{more}: {}",
            refused.body
        );
        assert_eq!(refused.body["ok"], false);
    }
    assert_eq!(stack.telegram.count("sendMessage"), sends);
    let taken = json!({"chat_id": 7, "text": "x", "reply_markup": keyboard("mine:1").to_string()});
    assert_eq!(crm.call("sendMessage", &taken).await.status, 200);
}

#[tokio::test]
async fn parameters_come_in_all_the_forms_that_libraries_use() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    let ann = stack.customer(7);
    ann.say(stack.bot_id, "hello");
    news(&crm, 0).await;
    let parts = "--x\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n7\r\n--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nparts\r\n--x--\r\n";
    let answers = [
        crm.get("sendMessage?chat_id=7&text=query").await,
        crm.send(
            "sendmessage",
            "application/x-www-form-urlencoded",
            b"chat_id=7&text=form".to_vec(),
        )
        .await,
        crm.send(
            "SENDMESSAGE?chat_id=7",
            "application/json",
            br#"{"text": "json"}"#.to_vec(),
        )
        .await,
        crm.send(
            "sendMessage",
            "multipart/form-data; boundary=x",
            parts.as_bytes().to_vec(),
        )
        .await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let seen = ann.messages_of(stack.bot_id);
    for text in ["query", "form", "json", "parts"] {
        assert!(seen.iter().any(|message| message.text == text), "{text}");
    }
}

#[tokio::test]
async fn all_actors_share_five_messages_a_second_and_are_told_when_to_come_again() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    let slow = stack
        .actor_as(&json!({"name": "slow", "role": "operator", "rate": 1}))
        .await;
    stack.customer(7).say(stack.bot_id, "hello");
    news(&crm, 0).await;
    let actions = (0..40).map(|_| crm.get("sendChatAction?chat_id=7&action=typing"));
    let answers = futures_util::future::join_all(actions).await;
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 429)
        .collect();
    let sent = answers.iter().filter(|answer| answer.status == 200).count();
    // A burst of five, and what three seconds give.
    assert!((15..=21).contains(&sent), "{sent}");
    assert_eq!(sent + refused.len(), 40);
    let one = refused[0];
    let wait = one.body["parameters"]["retry_after"].as_u64().unwrap();
    assert_eq!(one.retry_after.as_deref(), Some(wait.to_string().as_str()));
    assert_eq!(
        one.body["description"],
        format!("Too Many Requests: retry after {wait}")
    );
    stack.clock.advance(std::time::Duration::from_secs(60));
    let actions = (0..6).map(|_| slow.get("sendChatAction?chat_id=7&action=typing"));
    let answers = futures_util::future::join_all(actions).await;
    let sent = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(
        (3..=5).contains(&sent),
        "one at once, and one a second: {sent}"
    );
}
