//! Methods in the answers of actors' webhooks: carried out as at Telegram, under the checks of a call, and once.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::actor::ActorMark;
use domain::id::{BotId, ChatId};
use domain::message::{Class, Content, Message, MessageId, MessageLane, MessageState};
use domain::time::Timestamp;
use local::harness::{BotApiActor, Receiver, Reply, TestStack, until};
use local::resources::{HOOKS_TICK_TIMEOUT, MESSAGES_TICK_TIMEOUT};
use serde_json::{Value, json};
use simulators::aws::{FaultRule as WireRule, Service, WireFault};
use simulators::telegram::{Conversation, Fault, FaultRule, Refusal, User};
use store::Actors;
use tokio::sync::Notify;

use super::webhooks::{info, says, sent_to, sent_to_role, tick};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

/// What the bot said to a person.
fn told(stack: &TestStack, person: i64) -> Vec<String> {
    let seen = stack.customer(person).messages_of(stack.bot_id);
    let seen = seen.into_iter().filter(|message| !message.is_deleted);
    seen.map(|message| message.text).collect()
}

/// How often anything was done at Telegram.
fn done(stack: &TestStack) -> usize {
    let calls = stack.telegram.calls();
    let done = calls.iter().filter(|call| !call.method.starts_with("get"));
    done.count()
}

/// The receiver answers the next update by this method.
fn answers_by(receiver: &Receiver, call: &Value) {
    receiver.answers_next(Reply::Says(JSON, call.to_string()));
}

async fn pending(actor: &BotApiActor) -> Value {
    info(actor).await["pending_update_count"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_method_in_an_answer_is_carried_out_and_what_it_sends_is_the_actors() {
    let receiver = Receiver::start().await;
    let (stack, crm) = sent_to(&receiver).await;
    let keyboard = json!({"inline_keyboard": [[{"text": "a", "callback_data": "mine"}]]});
    answers_by(
        &receiver,
        &json!({"method": "SendMessage", "chat_id": 7, "text": "<b>yes</b>", "parse_mode": "HTML", "reply_markup": keyboard}),
    );
    says(&stack, 7, "one").await;
    let seen = stack.customer(7).messages_of(stack.bot_id);
    assert_eq!(told(&stack, 7), ["yes"]);
    assert!(!seen[0].entities.is_empty(), "{seen:?}");
    receiver.answers_next(Reply::Says(
        FORM,
        "method=sendMessage&chat_id=8&text=by+form%21".to_owned(),
    ));
    says(&stack, 8, "two").await;
    assert_eq!(told(&stack, 8), ["by form!"]);
    // It is the actor's own: it may change it, and another actor may not.
    let id = seen[0].message_id;
    let edit = json!({"method": "editMessageText", "chat_id": 7, "message_id": id, "text": "no"});
    let desk = stack.actor("desk", "backend").await;
    let refused = desk.call("editMessageText", &edit).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    answers_by(&receiver, &edit);
    says(&stack, 7, "three").await;
    assert_eq!(told(&stack, 7), ["no"]);
    assert_eq!(pending(&crm).await, 0);
    assert_eq!(receiver.calls().len(), 3, "each was taken at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_update_that_comes_again_is_answered_once() {
    let receiver = Receiver::start().await;
    let (stack, _) = sent_to(&receiver).await;
    let call = |text: &str| json!({"method": "sendMessage", "chat_id": 7, "text": text});
    answers_by(&receiver, &call("first"));
    says(&stack, 7, "one").await;
    // As if `hooks` had died before it wrote that the update was taken.
    let forgotten = stack
        .dynamodb()
        .update_item()
        .table_name("Actors")
        .key("keyHash", AttributeValue::S("actor#crm".to_owned()))
        .update_expression("SET #cursor = :none REMOVE webhookTaken")
        .expression_attribute_names("#cursor", "cursor")
        .expression_attribute_values(":none", AttributeValue::N("0".to_owned()));
    forgotten.send().await.unwrap();
    answers_by(&receiver, &call("second"));
    tick(&stack).await;
    assert_eq!(receiver.calls().len(), 2, "it came again");
    tick(&stack).await;
    assert_eq!(told(&stack, 7), ["first"]);
    // The next update is another one.
    answers_by(&receiver, &call("third"));
    says(&stack, 7, "two").await;
    assert_eq!(told(&stack, 7), ["first", "third"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_may_not_be_called_is_not_called_and_the_update_is_taken_all_the_same() {
    let receiver = Receiver::start().await;
    let (stack, crm) = sent_to(&receiver).await;
    stack.customer(8).say(stack.bot_id, "/help");
    stack.run_until_idle().await;
    let help = stack.customer(8).messages_of(stack.bot_id)[0].message_id;
    let json_of = |call: Value| Reply::Says(JSON, call.to_string());
    let own_button = json!({"inline_keyboard": [[{"text": "a", "callback_data": "~end:1:2"}]]});
    let long = "x".repeat(70_000);
    let deep = format!("{{\"method\": {}1{}}}", "[".repeat(500), "]".repeat(500));
    let say = |chat: i64| json!({"method": "sendMessage", "chat_id": chat, "text": "x"});
    let replies = [
        // The role, the chats, the messages, the buttons.
        json_of(json!({"method": "sendInvoice", "chat_id": 7, "title": "x"})),
        json_of(json!({"method": "answerCallbackQuery", "callback_query_id": "1"})),
        json_of(say(999)),
        json_of(say(stack.chat_id)),
        json_of(json!({"method": "sendMessage", "chat_id": "@premium", "text": "x"})),
        json_of(json!({"method": "sendMessage", "text": "x"})),
        json_of(
            json!({"method": "sendMessage", "chat_id": 7, "text": "x", "reply_markup": own_button}),
        ),
        json_of(
            json!({"method": "sendMessage", "chat_id": 7, "text": "x", "allow_paid_broadcast": true}),
        ),
        json_of(json!({"method": "deleteMessage", "chat_id": 8, "message_id": help})),
        json_of(
            json!({"method": "copyMessage", "chat_id": 7, "from_chat_id": 8, "message_id": help}),
        ),
        // What says nothing where nobody sees it, or would end the webhook.
        json_of(json!({"method": "getMe"})),
        json_of(json!({"method": "deleteWebhook"})),
        json_of(json!({"method": "setWebhook", "url": "https://a.example/"})),
        json_of(json!({"method": "logOut"})),
        // What is no method.
        json_of(json!({"method": "sendMessages", "chat_id": 7, "text": "x"})),
        json_of(json!({"method": 7, "chat_id": 7, "text": "x"})),
        json_of(json!({"ok": true})),
        json_of(json!([say(7)])),
        Reply::Says(JSON, "{".to_owned()),
        Reply::Says(JSON, "\u{0}\u{1}".to_owned()),
        Reply::Says(JSON, deep),
        Reply::Says("text/plain", say(7).to_string()),
        Reply::Says("multipart/form-data; boundary=x", "--x--".to_owned()),
        Reply::Says(FORM, "%ff=%00&method=&chat_id=7".to_owned()),
        // Too large, and one that would be so once it is written.
        json_of(json!({"method": "sendMessage", "chat_id": 7, "text": long})),
        Reply::Says(
            FORM,
            format!(
                "method=sendMessage&chat_id=7&text={}",
                "\u{1}".repeat(30_000)
            ),
        ),
        // And an error, whatever it says.
        Reply::Answer(200, Vec::new(), 200_000),
    ];
    let before = done(&stack);
    let count = replies.len();
    for (place, reply) in replies.into_iter().enumerate() {
        // Nobody is told that they write too fast.
        stack.clock.advance(Duration::from_secs(10));
        receiver.answers_next(reply);
        says(&stack, 7, &format!("update {place}")).await;
    }
    assert_eq!(done(&stack), before, "nothing reached Telegram");
    assert_eq!(receiver.calls().len(), count + 1, "none was sent again");
    let shown = info(&crm).await;
    assert_eq!(shown["pending_update_count"], 0, "{shown}");
    assert_eq!(shown["url"], json!(receiver.url("/bot")));
    assert!(shown["last_error_date"].is_null(), "{shown}");
    // What is answered to an update that was not taken is not carried out.
    let refusing = Reply::Answer(500, vec![("content-type", JSON.to_owned())], 0);
    receiver.answers_next(refusing);
    says(&stack, 7, "last").await;
    tick(&stack).await;
    assert_eq!(done(&stack), before);
    answers_by(&receiver, &say(7));
    says(&stack, 7, "and then").await;
    assert_eq!(told(&stack, 7), ["x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backend_answers_a_press_and_what_telegram_refuses_holds_up_nobody() {
    let receiver = Receiver::start().await;
    let (stack, shop) = sent_to_role(&receiver, "backend").await;
    says(&stack, 7, "hello").await;
    let keyboard = json!({"inline_keyboard": [[{"text": "a", "callback_data": "mine"}]]});
    let sent = json!({"chat_id": 7, "text": "press", "reply_markup": keyboard});
    let sent = shop.call("sendMessage", &sent).await.done();
    let id = sent["result"]["message_id"].as_i64().unwrap();
    let (place, user) = (Conversation::private(stack.bot_id, 7), User::new(7));
    // The press has a name once it is made: until then it is not taken.
    receiver.answers(Reply::status(500));
    let pressed = stack.telegram.sends_callback(place, &user, id, "mine");
    let press = pressed.unwrap();
    answers_by(
        &receiver,
        &json!({"method": "answerCallbackQuery", "callback_query_id": press, "text": "pressed"}),
    );
    receiver.answers(Reply::status(204));
    stack.run_until_idle().await;
    tick(&stack).await;
    tick(&stack).await;
    assert_eq!(stack.telegram.count("answerCallbackQuery"), 1);
    // Telegram's refusals are nobody's to mend: the next one goes on, and nothing is parked.
    let refused = FaultRule::on(
        "sendMessage",
        Fault::Refuse(Refusal::bad_request("SOMETHING")),
    );
    for rule in [refused, FaultRule::on("sendMessage", Fault::Internal)] {
        stack.telegram.fail(rule.times(1));
        answers_by(
            &receiver,
            &json!({"method": "sendMessage", "chat_id": 7, "text": "lost"}),
        );
        says(&stack, 7, "again").await;
        tick(&stack).await;
    }
    answers_by(
        &receiver,
        &json!({"method": "sendMessage", "chat_id": 7, "text": "found"}),
    );
    says(&stack, 7, "and again").await;
    assert_eq!(told(&stack, 7).last().unwrap(), "found");
    assert!(!told(&stack, 7).contains(&"lost".to_owned()));
    assert_eq!(stack.message_tasks().await, []);
}

/// A message that an actor's answer asked for, on its way to Ann.
fn on_its_way(stack: &TestStack, actor: &ActorMark, text: &str) -> Message {
    let parameters = json!({"chat_id": 7, "text": text});
    call_on_its_way(stack, actor, text, ("sendMessage", parameters))
}

/// A call that an actor's answer asked for, on its way to Ann, known by `name`.
fn call_on_its_way(
    stack: &TestStack,
    actor: &ActorMark,
    name: &str,
    (method, parameters): (&str, Value),
) -> Message {
    Message {
        id: MessageId::new(
            Timestamp::from_ms(stack.clock.now_ms()),
            &format!("call#{actor}#{name}"),
        ),
        bot: BotId(u64::try_from(stack.bot_id).unwrap()),
        chat: ChatId(7),
        thread: None,
        class: Class::Operator,
        content: Content::Call {
            actor: actor.clone(),
            method: method.to_owned(),
            parameters: parameters.as_object().unwrap().clone(),
        },
        not_before: None,
        not_after: None,
    }
}

#[tokio::test]
async fn a_key_that_ended_before_its_answer_left_sends_nothing_more() {
    let stack = TestStack::with(&[super::CLAIMED]).await;
    stack.actor("crm", "operator").await;
    stack.actor("ads", "aggregator").await;
    let (crm, ads) = (mark(&stack, "crm").await, mark(&stack, "ads").await);
    stack.customer(7).say(stack.bot_id, "hello");
    stack.run_until_idle().await;
    for (by, text) in [(&crm, "in time"), (&ads, "an offer")] {
        stack.say(&on_its_way(&stack, by, text)).await;
        stack.run_until_idle().await;
    }
    assert_eq!(told(&stack, 7), ["in time", "an offer"]);
    // Another one of its name has other rights, and the person wants no more offers.
    stack.operator().delete("actors/crm").await.done();
    stack.clock.advance(Duration::from_secs(1));
    stack.actor("crm", "operator").await;
    stack.customer(7).say(stack.bot_id, "/stop");
    stack.run_until_idle().await;
    let before = told(&stack, 7);
    for (by, text) in [(&crm, "too late"), (&ads, "another offer")] {
        let call = on_its_way(&stack, by, text);
        stack.say(&call).await;
        stack.run_until_idle().await;
        let state = stack.message(&call).await.state;
        assert_eq!(state, MessageState::Refused, "{text}");
    }
    assert_eq!(told(&stack, 7), before);
}

/// The mark of an actor.
async fn mark(stack: &TestStack, name: &str) -> ActorMark {
    let actors = Actors::from_env(stack.dynamodb(), &mut stack.config());
    let actor = actors.get(&name.parse().unwrap()).await.unwrap();
    actor.unwrap().mark()
}

#[tokio::test]
async fn a_call_of_several_messages_counts_for_as_many_as_it_sends() {
    let stack = TestStack::with(&[super::CLAIMED]).await;
    let crm = stack.actor("crm", "operator").await;
    let mark = mark(&stack, "crm").await;
    stack.customer(7).say(stack.bot_id, "hello");
    stack.run_until_idle().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let sent = crm.writes(7, &number.to_string()).await.done();
        ids.push(sent["result"]["message_id"].clone());
    }
    stack.clock.advance(Duration::from_secs(60));
    let copies = json!({"chat_id": 7, "from_chat_id": 7, "message_ids": ids});
    let media = json!([0, 1, 2].map(|_| json!({"type": "photo", "media": "a-file"})));
    let album = json!({"chat_id": 7, "media": media});
    let calls = [
        ("1", ("copyMessages", copies)),
        ("2", ("sendMediaGroup", album)),
        (
            "3",
            ("sendMessage", json!({"chat_id": 7, "text": "and then"})),
        ),
    ];
    for (name, call) in calls {
        let call = call_on_its_way(&stack, &mark, name, call);
        stack.say(&call).await;
    }
    stack.run_until_idle().await;
    let calls = stack.telegram.calls().into_iter().rev();
    let at: Vec<(String, i64)> = calls
        .filter(|call| call.chat_id == Some(7))
        .take(3)
        .map(|call| (call.method, call.at_ms))
        .collect();
    let [(_, last), (album, second), (copies, first)] = &at[..] else {
        panic!("{at:?}");
    };
    assert_eq!(
        (copies.as_str(), album.as_str()),
        ("copyMessages", "sendMediaGroup")
    );
    // A second for each of the five, and of the three.
    assert!(second - first >= 5000, "{at:?}");
    assert!(last - second >= 3000, "{at:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_to_a_first_message_waits_until_its_writer_is_known() {
    let receiver = Receiver::start().await;
    let (stack, _) = sent_to(&receiver).await;
    let welcome = json!({"method": "sendMessage", "chat_id": 7, "text": "welcome"});
    answers_by(&receiver, &welcome);
    // The update is in the feed, and its writer can't be noted yet.
    let rule = WireRule::new(WireFault::InternalError).on(Service::DynamoDb, "UpdateItem");
    stack.aws().wire().fail(rule.named("People").always());
    stack.customer(7).say(stack.bot_id, "hello");
    until("the actor answers", async || {
        let deadline = tokio::time::Instant::now() + HOOKS_TICK_TIMEOUT;
        stack.functions().get("hooks").tick(deadline).await;
        (receiver.calls().len() == 1).then_some(())
    })
    .await;
    let deadline = tokio::time::Instant::now() + MESSAGES_TICK_TIMEOUT;
    stack.functions().get("messenger").tick(deadline).await;
    assert!(told(&stack, 7).is_empty());
    assert_eq!(stack.message_tasks().await.len(), 1, "it waits");
    stack.aws().wire().clear_faults();
    stack.run_until_idle().await;
    assert_eq!(told(&stack, 7), ["welcome"]);
    assert_eq!(receiver.calls().len(), 1);

    // Whom nobody ever knows is not waited for without end.
    let other = json!({"method": "sendMessage", "chat_id": 999, "text": "buy!"});
    answers_by(&receiver, &other);
    says(&stack, 7, "and then").await;
    assert_eq!(stack.message_tasks().await, []);
    let calls = stack.telegram.calls();
    assert!(calls.iter().all(|call| call.chat_id != Some(999)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_nested_too_deeply_is_refused_and_parks_nothing() {
    let receiver = Receiver::start().await;
    let (stack, crm) = sent_to(&receiver).await;
    says(&stack, 7, "hello").await;
    let (deep, parked) = (
        format!(r#"{{"keyboard": {}1{}}}"#, "[".repeat(120), "]".repeat(120)),
        MessageLane::Parked(BotId(u64::try_from(stack.bot_id).unwrap())),
    );
    let calls = stack.telegram.call_count();
    let parsed: Value = serde_json::from_str(&deep).unwrap();
    for markup in [json!(deep), parsed] {
        let call = json!({"chat_id": 7, "text": "x", "reply_markup": markup});
        let refused = crm.call("sendMessage", &call).await;
        let words = refused.body["description"].as_str().unwrap();
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(
            words.contains("reply_markup has more than 64 levels"),
            "{words}"
        );
        let mut answer = call.clone();
        answer["method"] = json!("sendMessage");
        answers_by(&receiver, &answer);
        says(&stack, 7, "again").await;
    }
    assert_eq!(stack.telegram.call_count(), calls);
    assert!(
        stack
            .messages()
            .page(parked, None, 10)
            .await
            .unwrap()
            .found
            .is_empty()
    );
    assert_eq!(stack.message_tasks().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_method_that_can_not_be_kept_has_its_own_update_sent_again_and_no_other_one() {
    let receiver = Receiver::start().await;
    let (stack, _) = sent_to(&receiver).await;
    says(&stack, 7, "hello").await;
    let sent = |word: &str| {
        let calls = receiver.calls();
        calls.iter().filter(|call| call.body.contains(word)).count()
    };
    let gate = Arc::new(Notify::new());
    receiver.answers_next(Reply::Held(Arc::clone(&gate)));
    stack.customer(8).say(stack.bot_id, "slow");
    until("one is under way", async || {
        (sent("slow") == 1).then_some(())
    })
    .await;
    let rule = WireRule::new(WireFault::InternalError).on(Service::DynamoDb, "TransactWriteItems");
    stack.aws().wire().fail(rule.named("Messages").always());
    let say = json!({"method": "sendMessage", "chat_id": 7, "text": "kept"});
    receiver.answers(Reply::Says(JSON, say.to_string()));
    stack.customer(7).say(stack.bot_id, "fast");
    stack.telegram.delivered().await;
    stack.clock.advance(Duration::from_secs(1));
    until("it is sent again", async || {
        (sent("fast") > 1).then_some(())
    })
    .await;
    assert_eq!(sent("slow"), 1);
    stack.aws().wire().clear_faults();
    gate.notify_one();
    stack.run_until_idle().await;
    tick(&stack).await;
    assert_eq!(told(&stack, 7), ["kept"]);
    assert_eq!(sent("slow"), 1);
}
