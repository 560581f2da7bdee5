//! The phone of the page: what its acts do to simulated Telegram, and what it is shown of that.

use std::time::Duration;

use bytes::Bytes;
use local::harness::TestStack;
use serde_json::{Value, json};
use simulators::telegram::{ChatKind, Rights};

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");

/// The page, as it calls the local stack.
struct Visitor<'a>(&'a TestStack);

impl Visitor<'_> {
    async fn does(&self, act: &str, body: Value) -> Value {
        let key = [("x-api-key", self.0.local.api_key())];
        let path = format!("/local/actions/{act}");
        let answer = self.0.post(&path, body.to_string(), &key).await;
        assert_eq!(answer.status, 200, "{act} {body}: {}", answer.body);
        answer.body
    }

    /// The refusal of an act.
    async fn refused(&self, act: &str, body: Value) -> (u16, String) {
        let key = [("x-api-key", self.0.local.api_key())];
        let path = format!("/local/actions/{act}");
        let answer = self.0.post(&path, body.to_string(), &key).await;
        let (status, code) = answer.refusal();
        (status, code.to_owned())
    }

    async fn person(&self, name: &str) -> i64 {
        let added = self.does("phone-person", json!({"name": name})).await;
        added["person"].as_i64().unwrap()
    }

    async fn opens(&self, person: i64, link: &str) -> String {
        let body = json!({"person": person, "link": link});
        let answer = self.does("phone-open", body).await;
        answer["outcome"].as_str().unwrap().to_owned()
    }

    /// The phone of a person, once nothing is under way.
    async fn sees(&self, person: i64, more: &str) -> Value {
        // Until nothing is left to do, who waits at the door would be declined.
        self.0.run_for(Duration::from_secs(10)).await;
        let key = [("x-api-key", self.0.local.api_key())];
        let path = format!("/local/state?phone={person}{more}");
        let mut answer = self.0.get(&path, &key).await;
        answer.body["phone"].take()
    }
}

/// The texts of messages, without those of the person.
fn heard(phone: &Value) -> Vec<&str> {
    let messages = phone["messages"].as_array().unwrap().iter();
    let heard = messages.filter(|message| message["ofBot"] == true);
    heard
        .map(|message| message["text"].as_str().unwrap())
        .collect()
}

async fn bought(stack: &TestStack, user: &str) -> String {
    let answer = stack.shop().buy(user, &format!("T-{user}")).await;
    answer.body["inviteLink"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ann_claims_joins_and_leaves_on_the_phone_and_bob_is_turned_away() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let visitor = Visitor(&stack);
    let link = bought(&stack, "Ann").await;
    let (ann, bob) = (visitor.person("Ann").await, visitor.person("Bob").await);
    assert_eq!(visitor.sees(ann, "").await["presence"], "out");

    assert_eq!(visitor.opens(ann, &link).await, "started");
    let shown = visitor.sees(ann, "").await;
    let message = shown["messages"].as_array().unwrap().last().unwrap();
    let button = &message["buttons"][0][0];
    assert!(button.get("callbackData").is_none(), "{button}");
    let press = json!({"person": ann, "messageId": message["id"], "button": button["text"]});
    let pressed = visitor.does("phone-press", press).await;
    assert_eq!(pressed["outcome"], "requested");
    assert_eq!(visitor.sees(ann, "").await["presence"], "in");

    // Her link and her way in, in the hands of another.
    let door = button["url"].as_str().unwrap();
    assert_eq!(visitor.opens(bob, &link).await, "started");
    assert_eq!(visitor.opens(bob, door).await, "requested");
    let shown = visitor.sees(bob, "").await;
    assert_eq!(shown["presence"], "asking");
    assert!(!heard(&shown).is_empty(), "{shown}");
    assert!(!shown.to_string().contains(door), "{shown}");

    visitor.does("phone-leave", json!({"person": ann})).await;
    assert_eq!(visitor.sees(ann, "").await["presence"], "out");
    let again = visitor.refused("phone-leave", json!({"person": ann})).await;
    assert_eq!(again, (409, "not_joined".to_owned()));
}

#[tokio::test]
async fn a_bot_that_is_blocked_is_not_written_to_until_it_is_unblocked() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let visitor = Visitor(&stack);
    let bob = visitor.person("Bob").await;
    let say = |text: &str| json!({"person": bob, "text": text});
    visitor.does("phone-say", say("/start")).await;
    let before = heard(&visitor.sees(bob, "").await).len();
    assert!(before > 0);
    let block = |blocked: bool| json!({"person": bob, "blocked": blocked});
    visitor.does("phone-block", block(true)).await;
    assert_eq!(visitor.sees(bob, "").await["blocked"], true);
    let refused = visitor.refused("phone-say", say("Hello")).await;
    assert_eq!(refused, (409, "bot_blocked".to_owned()));
    visitor.does("phone-block", block(false)).await;
    visitor.does("phone-say", say("/access")).await;
    let shown = visitor.sees(bob, "").await;
    assert_eq!(shown["blocked"], false);
    assert!(heard(&shown).len() > before, "{shown}");
}

#[tokio::test]
async fn what_the_phone_can_not_do_is_refused() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let visitor = Visitor(&stack);
    let ann = visitor.person("Ann").await;
    let long = "x".repeat(4097);
    for (act, body, status, code) in [
        ("phone-person", json!({"name": "  "}), 400, "invalid_json"),
        ("phone-person", json!({"name": "a\nb"}), 400, "invalid_json"),
        (
            "phone-person",
            json!({"name": long.get(..101)}),
            400,
            "invalid_json",
        ),
        (
            "phone-say",
            json!({"person": ann, "text": " "}),
            400,
            "invalid_json",
        ),
        (
            "phone-say",
            json!({"person": ann, "text": long}),
            400,
            "invalid_json",
        ),
        (
            "phone-say",
            json!({"person": "Ann", "text": "Hello"}),
            400,
            "invalid_json",
        ),
        (
            "phone-say",
            json!({"person": 7, "text": "Hello"}),
            409,
            "no_such_person",
        ),
        (
            "phone-press",
            json!({"person": ann, "messageId": 1, "button": "Open"}),
            409,
            "no_such_button",
        ),
        (
            "forum-say",
            json!({"topic": 1, "text": "Hello"}),
            409,
            "no_such_topic",
        ),
    ] {
        let refused = visitor.refused(act, body.clone()).await;
        assert_eq!(refused, (status, code.to_owned()), "{act} {body}");
    }
    for (link, outcome) in [
        ("https://example.com/+abc", "outside"),
        ("https://t.me/+nobody", "unknown"),
        ("https://t.me/nobody?start=c_1", "unknown"),
        ("", "outside"),
    ] {
        assert_eq!(visitor.opens(ann, link).await, outcome, "{link}");
    }
}

#[tokio::test]
async fn people_are_the_same_by_their_names_and_no_more_than_ten() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let visitor = Visitor(&stack);
    let (ann, carl) = (visitor.person("Ann").await, visitor.person("Carl").await);
    assert_eq!(visitor.person(" Carl ").await, carl);
    for n in 0..9 {
        visitor.person(&format!("P{n}")).await;
    }
    let shown = visitor.sees(carl, "").await;
    let people = shown["people"].as_array().unwrap();
    assert_eq!(people.len(), 10, "{shown}");
    // Carl made room: the phone is of the first again, who never does.
    assert_eq!(
        (&shown["person"], &people[0]["name"]),
        (&json!(ann), &json!("Ann"))
    );
    let gone = json!({"person": carl, "text": "Hello"});
    let refused = visitor.refused("phone-say", gone).await;
    assert_eq!(refused, (409, "no_such_person".to_owned()));
}

#[tokio::test]
async fn an_operator_reads_a_topic_of_the_forum_and_writes_in_it() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let visitor = Visitor(&stack);
    let ann = visitor.person("Ann").await;
    assert_eq!(visitor.sees(ann, "").await["forum"], Value::Null);

    let forum = -1_009;
    stack
        .telegram
        .add_chat(forum, "Operators", ChatKind::Supergroup);
    stack.telegram.make_forum(forum);
    stack
        .telegram
        .make_admin(stack.bot_id, forum, Rights::all());
    let token = &stack.env()["TELEGRAM_BOT_TOKEN"];
    let calls = async |method: &str, body: Value| -> Value {
        let call = http::Request::post(format!("/bot{token}/{method}"))
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let answer = stack.telegram.call(call).await.unwrap();
        serde_json::from_slice(answer.body()).unwrap()
    };
    let begun = json!({"chat_id": forum, "name": "Ann"});
    let topic = calls("createForumTopic", begun).await["result"]["message_thread_id"].clone();
    let asks = json!({"chat_id": forum, "message_thread_id": topic, "text": "Where is my link?"});
    assert_eq!(calls("sendMessage", asks).await["ok"], true);

    let answer = json!({"topic": topic, "text": "Here it is."});
    visitor.does("forum-say", answer).await;
    let shown = &visitor.sees(ann, &format!("&topic={topic}")).await["forum"];
    assert_eq!(shown["title"], "Operators");
    assert_eq!(
        shown["topics"],
        json!([{"id": topic, "name": "Ann", "isClosed": false}])
    );
    let said: Vec<(&Value, &Value)> = shown["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (&message["ofBot"], &message["text"]))
        .collect();
    assert_eq!(
        said,
        [
            (&json!(true), &json!("Where is my link?")),
            (&json!(false), &json!("Here it is."))
        ]
    );
    // The topic is not asked for: its messages are not sent.
    let shown = &visitor.sees(ann, "").await["forum"];
    assert_eq!(shown["messages"], json!([]));
}
