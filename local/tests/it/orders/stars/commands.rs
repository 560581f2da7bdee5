//! What people do about their orders in the bot: see them, end a renewal, use a code, give.

use local::harness::TestStack;
use reqwest::Method;
use serde_json::{Value, json};
use simulators::telegram::{Conversation, User};

use super::{ANN, paid, placed, pressed, selling};
use crate::orders::{items, order, orders, seat};
use crate::pay::see;

const BOB: i64 = 8;

struct Said {
    text: String,
    /// The words of each button, and what it does.
    buttons: Vec<(String, String)>,
}

async fn says(stack: &TestStack, person: i64, text: &str) -> Said {
    stack.customer(person).say(stack.bot_id, text);
    stack.run_until_idle().await;
    last(stack, person)
}

fn last(stack: &TestStack, person: i64) -> Said {
    let last = stack.customer(person).messages_of(stack.bot_id).pop();
    let last = last.expect("the bot has written to them");
    let buttons = last.buttons.into_iter().flatten().map(|button| {
        let does = button.callback_data.or(button.url);
        (button.text, does.unwrap_or_default())
    });
    Said {
        text: last.text,
        buttons: buttons.collect(),
    }
}

async fn presses(stack: &TestStack, person: i64, data: &str) {
    let mut all = stack.customer(person).messages_of(stack.bot_id);
    let message = all.pop().unwrap().message_id;
    let place = Conversation::private(stack.bot_id, person);
    let user = User::new(person);
    let sent = stack.telegram.sends_callback(place, &user, message, data);
    sent.expect("the message is there");
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_person_sees_their_orders_and_ends_a_renewal_by_a_second_tap() {
    let stack = selling(&[]).await;
    let none = says(&stack, ANN, "/orders").await;
    assert!(none.text.contains("no order"), "{}", none.text);
    let (id, link) = placed(&stack, "sub", ANN).await;
    paid(&stack, &link, ANN).await;
    let (open, _) = placed(&stack, "month", ANN).await;
    let shown = says(&stack, ANN, "/orders").await;
    for words in [
        "Premium Club, Each month",
        "400 Stars",
        "Your payment has arrived",
        "Waiting for your payment",
    ] {
        assert!(shown.text.contains(words), "{words}: {}", shown.text);
    }
    // The page of each, by its secret address.
    let pages: Vec<&String> = shown
        .buttons
        .iter()
        .map(|(_, does)| does)
        .filter(|does| does.contains("/pay/"))
        .collect();
    assert_eq!(pages.len(), 2);
    assert!(
        pages.iter().any(|page| page.contains(&id))
            && pages.iter().any(|page| page.contains(&open))
    );
    for page in pages {
        assert_eq!(see(Method::GET, page, &[]).await.status, 200);
    }
    let ends: Vec<_> = shown
        .buttons
        .iter()
        .filter(|(words, _)| words.starts_with("End the renewal"))
        .collect();
    let [(_, ask)] = &ends[..] else {
        panic!("{:?}", shown.buttons);
    };
    presses(&stack, ANN, ask).await;
    let asked = last(&stack, ANN);
    assert!(asked.text.contains("end the renewal?"), "{}", asked.text);
    let renews = async || order(&stack, &id).await["cancelledBy"].clone();
    assert_eq!(renews().await, Value::Null, "one tap ends nothing");
    let (_, yes) = &asked.buttons[0];
    // Somebody else who makes the button up.
    says(&stack, BOB, "/start").await;
    presses(&stack, BOB, yes).await;
    assert!(last(&stack, BOB).text.contains("not yours"));
    assert_eq!(renews().await, Value::Null);
    presses(&stack, ANN, yes).await;
    assert!(last(&stack, ANN).text.contains("renews no more"));
    let ended = order(&stack, &id).await;
    let told = ended["facts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|fact| fact["kind"] == "subscription");
    assert_eq!(told.unwrap()["status"], "ending", "{ended}");
    assert_eq!(
        (&ended["state"], &ended["pending"]),
        (&json!("PAID"), &json!([]))
    );
    assert_eq!(seat(&stack, ANN).await["right"], "ENTITLED");
    // The second of two taps.
    presses(&stack, ANN, yes).await;
    assert!(last(&stack, ANN).text.contains("nothing was changed"));
    let shown = says(&stack, ANN, "/orders").await;
    assert!(
        !shown
            .buttons
            .iter()
            .any(|(words, _)| words.starts_with("End")),
        "{:?}",
        shown.buttons
    );
}

#[tokio::test]
async fn a_code_makes_cheaper_what_it_is_for() {
    let stack = selling(&[]).await;
    let product = json!({
        "title": "Code Club", "chats": [stack.chat_id], "owner": "o1", "feeBps": 1000,
        "tiers": [
            {"id": "month", "title": "One month", "length": {"days": 30}, "starsPrice": 500},
            {"id": "free", "title": "A day", "length": {"days": 1}, "starsPrice": 100},
        ],
        "coupons": [
            {"code": "SPRING", "off": {"bps": 2000}},
            {"code": "OVER", "off": {"bps": 2000}, "until": "2020-01-01T00:00:00.000Z"},
            {"code": "ALL", "off": {"bps": 10000}},
        ],
    });
    stack.operator().put_product("codes", &product).await.done();
    let how = says(&stack, ANN, "/coupon").await;
    assert!(how.text.contains("/coupon SPRING"), "{}", how.text);
    for wrong in [
        "/coupon WINTER",
        "/coupon OVER",
        "/coupon <b>",
        "/coupon ALL",
    ] {
        let said = says(&stack, ANN, wrong).await;
        assert!(
            said.text.contains("takes this coupon") && said.buttons.is_empty(),
            "{wrong}: {}",
            said.text
        );
    }
    let cheaper = says(&stack, ANN, "/coupon spring").await;
    let words: Vec<&str> = cheaper
        .buttons
        .iter()
        .map(|(words, _)| words.as_str())
        .collect();
    assert_eq!(
        words,
        [
            "Code Club, One month: 400 Stars",
            "Code Club, A day: 80 Stars"
        ]
    );
    pressed(&stack, ANN, "One month: 400 Stars").await;
    let [made] = &orders(&stack).await[..] else {
        panic!("not one order");
    };
    assert_eq!(
        (&made["terms"]["due"], &made["sold"]["coupon"]),
        (&json!(400), &json!("SPRING"))
    );
    let link = stack.customer(ANN).ways_in(stack.bot_id).pop().unwrap();
    paid(&stack, &link, ANN).await;
    assert_eq!(
        order(&stack, made["id"].as_str().unwrap()).await["state"],
        "PAID"
    );
}

#[tokio::test]
async fn a_giver_in_the_bot_gets_a_link_and_the_person_who_opens_it_is_in() {
    let stack = selling(&[]).await;
    let offered = says(&stack, ANN, "/gift").await;
    let words: Vec<&str> = offered
        .buttons
        .iter()
        .map(|(words, _)| words.as_str())
        .collect();
    // A tier that renews can't be given.
    assert_eq!(
        words,
        [
            "Premium Club, One month: 500 Stars",
            "Premium Club, For ever: 900 Stars"
        ]
    );
    // Two taps are one order.
    pressed(&stack, ANN, "One month").await;
    says(&stack, ANN, "/gift").await;
    pressed(&stack, ANN, "One month").await;
    assert_eq!(orders(&stack).await.len(), 1);
    let pay = stack.customer(ANN).ways_in(stack.bot_id).pop().unwrap();
    paid(&stack, &pay, ANN).await;
    assert_eq!(items(&stack, "Members").await.len(), 0);
    let said = last(&stack, ANN).text;
    assert!(said.contains("Your present is paid"), "{said}");
    let at = said.find("start=o_").expect("the link to pass on") + "start=".len();
    let payload: String = said[at..].chars().take(48).collect();
    says(&stack, BOB, &format!("/start {payload}")).await;
    assert_eq!(seat(&stack, BOB).await["right"], "ENTITLED");
    // The same for herself is another order.
    says(&stack, ANN, "/shop").await;
    pressed(&stack, ANN, "One month").await;
    assert_eq!(orders(&stack).await.len(), 2);
}
