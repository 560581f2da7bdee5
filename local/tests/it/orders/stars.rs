//! Orders that are paid in Telegram Stars: in the bot, and by a shop that names its buyer or none.

mod commands;
mod sold;

use futures_util::future::join_all;
use local::harness::{HOUR, LINK_CREATED, MINUTE, TestStack};
use serde_json::{Value, json};
use simulators::telegram::{Checkout, Conversation, User};

use super::{balances, count, items, order, orders, requests, seat};
use crate::access::by_its_bot;

const SELLS: [(&str, &str); 2] = [("PAYMENTS_MODE", "test"), ("CHAT_DELIVERY", "claim")];
const ANN: i64 = 7;

/// Tiers for Stars: paid once for thirty days, each thirty days, once for ever with one seat.
async fn selling(env: &[(&str, &str)]) -> TestStack {
    let stack = TestStack::with(&[&SELLS, env].concat()).await;
    let product = json!({
        "title": "Premium Club", "chats": [stack.chat_id], "owner": "o1", "feeBps": 1000,
        "tiers": [
            {"id": "month", "title": "One month", "length": {"days": 30}, "starsPrice": 500},
            {"id": "sub", "title": "Each month", "length": {"days": 30}, "recurring": true, "starsPrice": 400},
            {"id": "seat", "title": "For ever", "length": "forEver", "starsPrice": 900, "seats": 1},
        ],
    });
    stack.operator().put_product("club", &product).await.done();
    stack
}

/// What a shop's checkout answers.
async fn checkout(stack: &TestStack, tier: &str, buyer: Value) -> Value {
    let wish = json!({"productId": "club", "tierId": tier, "provider": "stars"});
    let quote = stack.shop().quote(&wish).await.done()["quoteId"].clone();
    let mut body = buyer;
    body["quoteId"] = quote;
    let key = format!("K-{tier}-{}", fastrand::u64(..));
    stack.shop().checkout(&body, &key).await.done()
}

/// An order of this person's, and the link to its invoice.
async fn placed(stack: &TestStack, tier: &str, person: i64) -> (String, String) {
    let made = checkout(stack, tier, json!({"telegramUserId": person})).await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("orderId"), text("payUrl"))
}

/// The person pays; what became of it.
async fn pays(stack: &TestStack, link: &str, person: i64) -> Checkout {
    let user = User::new(person);
    let query = stack
        .telegram
        .pays_invoice(link, &user)
        .expect("an invoice");
    stack.run_until_idle().await;
    stack.telegram.checkout(&query).unwrap()
}

async fn paid(stack: &TestStack, link: &str, person: i64) -> String {
    match pays(stack, link, person).await {
        Checkout::Paid(charge) => charge,
        other => panic!("{other:?}"),
    }
}

async fn refused(stack: &TestStack, link: &str, person: i64) -> String {
    match pays(stack, link, person).await {
        Checkout::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

async fn state(stack: &TestStack, id: &str) -> Value {
    order(stack, id).await["state"].clone()
}

/// Presses the button below the bot's last message that says so.
async fn pressed(stack: &TestStack, person: i64, says: &str) {
    let mut all = stack.customer(person).messages_of(stack.bot_id);
    let last = all.pop().expect("the bot has written to them");
    let mut buttons = last.buttons.iter().flatten();
    let button = buttons.find(|button| button.text.contains(says));
    let data = button.and_then(|button| button.callback_data.clone());
    let data = data.unwrap_or_else(|| panic!("no button {says}: {last:?}"));
    let place = Conversation::private(stack.bot_id, person);
    let user = User::new(person);
    let sent = stack
        .telegram
        .sends_callback(place, &user, last.message_id, &data);
    sent.expect("the message is there");
    stack.run_until_idle().await;
}

#[tokio::test]
async fn who_buys_in_the_bot_is_in_the_chat_and_the_books_are_in_stars() {
    let stack = selling(&[]).await;
    let ann = stack.customer(ANN);
    ann.say(stack.bot_id, "/shop");
    stack.run_until_idle().await;
    pressed(&stack, ANN, "One month: 500 Stars").await;
    let [made] = &orders(&stack).await[..] else {
        panic!("not one order");
    };
    let id = made["id"].as_str().unwrap();
    let link = ann.ways_in(stack.bot_id).pop().expect("a way to pay");
    // Nobody can be told apart by a message that is pressed twice.
    ann.say(stack.bot_id, "/shop");
    stack.run_until_idle().await;
    pressed(&stack, ANN, "One month: 500 Stars").await;
    assert_eq!(orders(&stack).await.len(), 1);
    assert_eq!(ann.ways_in(stack.bot_id).pop().as_ref(), Some(&link));

    let charge = paid(&stack, &link, ANN).await;
    let paid = order(&stack, id).await;
    assert_eq!(
        (&paid["state"], &paid["pending"]),
        (&json!("PAID"), &json!([]))
    );
    assert_eq!(paid["facts"][0]["key"], json!(charge), "{paid}");
    assert_eq!(seat(&stack, ANN).await["right"], "ENTITLED");
    let books = json!({"owner:o1": -450, "platform:fee": -50, "provider:stars": 500});
    assert_eq!(balances(&stack).await, books);
    let said = ann.messages_of(stack.bot_id);
    let thanks = said.iter().filter(|said| said.text.contains("has arrived"));
    assert_eq!(thanks.count(), 1, "{said:?}");
    // The way in that the claim of their seat has brought them.
    ann.say(stack.bot_id, "/access");
    stack.run_until_idle().await;
    let door = ann.ways_in(stack.bot_id).remove(0);
    let _ = ann.tap(&door);
    stack.run_until_idle().await;
    assert!(ann.is_in());
}

#[tokio::test]
async fn a_payment_that_is_told_five_times_and_listed_has_one_effect() {
    let stack = selling(&[]).await;
    let (id, link) = placed(&stack, "month", ANN).await;
    let charge = paid(&stack, &link, ANN).await;
    let user = json!({"id": ANN, "is_bot": false, "first_name": "A"});
    let told = json!({"update_id": 900, "message": {
        "message_id": 900, "date": stack.clock.now_ms() / 1000, "chat": {"id": ANN, "type": "private"}, "from": user,
        "successful_payment": {
            "currency": "XTR", "total_amount": 500, "invoice_payload": id, "telegram_payment_charge_id": charge,
            "provider_payment_charge_id": "",
        },
    }});
    let again = (0..5).map(|_| stack.telegram.sent(&told));
    assert_eq!(join_all(again).await, vec!["duplicate"; 5]);
    for _ in 0..3 {
        stack.clock.advance(HOUR);
        stack.run_until_idle().await;
    }
    assert_eq!(state(&stack, &id).await, "PAID");
    let rows = (
        count(&stack, "Ledger").await,
        count(&stack, "Payables").await,
        requests(&stack).await,
    );
    assert_eq!(rows, (1, 1, 1));
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 1);
    let said = stack.customer(ANN).messages_of(stack.bot_id);
    let thanks = said.iter().filter(|said| said.text.contains("has arrived"));
    assert_eq!(thanks.count(), 1, "{said:?}");
}

#[tokio::test]
async fn a_payment_that_no_update_told_of_is_found_in_the_list() {
    let stack = selling(&[]).await;
    let (id, link) = placed(&stack, "month", ANN).await;
    stack.telegram.loses_payments(stack.bot_id, true);
    let charge = paid(&stack, &link, ANN).await;
    assert_eq!(state(&stack, &id).await, "OPEN");
    for _ in 0..5 {
        stack.clock.advance(MINUTE);
        stack.run_until_idle().await;
    }
    let found = order(&stack, &id).await;
    assert_eq!(found["state"], "PAID");
    assert_eq!(found["facts"][0]["key"], json!(charge), "{found}");
    assert_eq!(seat(&stack, ANN).await["right"], "ENTITLED");
    assert_eq!(count(&stack, "Ledger").await, 1);
}

#[tokio::test]
async fn what_another_program_sells_by_the_bot_is_left_to_it() {
    let stack = selling(&[]).await;
    stack.actor("crm", "backend").await;
    for payload in ["another program's", "00000000-0000-4000-8000-000000000000"] {
        let payer = User::new(8);
        let query = stack.telegram.pays_stars(stack.bot_id, &payer, payload, 5);
        stack.run_until_idle().await;
        assert_eq!(stack.telegram.checkout(&query), Some(Checkout::Waiting));
        let consent = json!({"pre_checkout_query_id": query, "ok": true});
        by_its_bot(&stack, "answerPreCheckoutQuery", consent).await;
        stack.run_until_idle().await;
        let paid = stack.telegram.checkout(&query);
        assert!(matches!(paid, Some(Checkout::Paid(_))), "{paid:?}");
    }
    // An order of ours has the list read, in which they stand.
    placed(&stack, "month", ANN).await;
    for _ in 0..5 {
        stack.clock.advance(MINUTE);
        stack.run_until_idle().await;
    }
    let kept = items(&stack, "PaymentEvents").await;
    assert!(
        kept.iter().all(|item| !item.contains_key("body")),
        "{kept:?}"
    );
    assert!(kept.iter().any(|item| item.contains_key("readUpTo")));
}

#[tokio::test]
async fn an_order_is_paid_by_its_buyer_alone_for_its_price_and_in_time() {
    let stack = selling(&[]).await;
    let (id, link) = placed(&stack, "month", ANN).await;
    let why = refused(&stack, &link, 8).await;
    assert!(why.contains("another account"), "{why}");
    let bot = stack.bot_id;
    let forged = [
        (id.as_str(), 499, "price"),
        (id.as_str(), 501, "price"),
        ("00000000-0000-4000-8000-000000000000", 500, "any more"),
        ("somebody's", 500, "any more"),
    ];
    for (payload, stars, says) in forged {
        let query = stack
            .telegram
            .pays_stars(bot, &User::new(ANN), payload, stars);
        stack.run_until_idle().await;
        let Some(Checkout::Refused(why)) = stack.telegram.checkout(&query) else {
            panic!("{payload} for {stars} is taken");
        };
        assert!(why.contains(says), "{why}");
    }
    assert_eq!(state(&stack, &id).await, "OPEN");
    paid(&stack, &link, ANN).await;
    // Paid once, it is not paid again.
    let why = refused(&stack, &link, ANN).await;
    assert!(why.contains("any more"), "{why}");

    let (late, link) = placed(&stack, "month", ANN).await;
    for _ in 0..24 {
        stack.clock.advance(HOUR);
        stack.run_until_idle().await;
    }
    assert_eq!(state(&stack, &late).await, "EXPIRED");
    let why = refused(&stack, &link, ANN).await;
    assert!(why.contains("any more"), "{why}");
    assert_eq!(count(&stack, "Ledger").await, 1);
}

#[tokio::test]
async fn an_order_of_nobody_is_whose_pays_it_first() {
    let stack = selling(&[]).await;
    let made = checkout(&stack, "month", json!({"userId": "alice"})).await;
    let (id, link) = (
        made["orderId"].as_str().unwrap(),
        made["payUrl"].as_str().unwrap(),
    );
    let both = [ANN, 8].map(|person| {
        let query = stack.telegram.pays_invoice(link, &User::new(person));
        (person, query.unwrap())
    });
    stack.run_until_idle().await;
    let taken = both
        .iter()
        .filter(|(_, query)| matches!(stack.telegram.checkout(query), Some(Checkout::Paid(_))));
    let taken: Vec<i64> = taken.map(|(person, _)| *person).collect();
    let [payer] = taken[..] else {
        panic!("{taken:?}");
    };
    let paid = order(&stack, id).await;
    assert_eq!(paid["state"], "PAID");
    assert_eq!(
        paid["buyer"],
        json!({"userId": "alice", "telegramUserId": payer})
    );
    assert_eq!(seat(&stack, payer).await["right"], "ENTITLED");
}
