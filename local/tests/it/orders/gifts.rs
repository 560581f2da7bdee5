//! The claim link of an order, and gifts: who pays gets a link, who comes with it gets in, and the time begins then.

use std::time::Duration;

use local::harness::TestStack;
use reqwest::Method;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::stripe::BuyerAction;
use simulators::telegram::{Conversation, User};

use super::{items, order, quoted, request_of, seat, selling, settled};
use crate::pay::see;

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");
const DAY: Duration = Duration::from_secs(24 * 3600);
const BOB: i64 = 8;
const CAROL: i64 = 9;

/// What the checkout of a month answers.
async fn checked_out(stack: &TestStack, user: &str, gift: bool) -> Value {
    let quote = quoted(stack, "month", "stripe").await;
    let body = json!({"quoteId": quote, "userId": user, "gift": gift});
    let key = format!("K-{user}-{}", fastrand::u64(..));
    stack.shop().checkout(&body, &key).await.done()
}

fn text<'a>(made: &'a Value, name: &str) -> &'a str {
    made[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {made}"))
}

async fn pay(stack: &TestStack, made: &Value) {
    let placed = order(stack, text(made, "orderId")).await;
    let session = text(&placed["checkout"], "object");
    stack.stripe().act(session, &BuyerAction::Pay).unwrap();
    settled(stack).await;
}

/// The page of the order's claim link, once what is kept of it is forgotten.
async fn claim_page(stack: &TestStack, made: &Value) -> (u16, String) {
    stack.clock.advance(Duration::from_secs(3));
    let seen = see(Method::GET, text(made, "claimUrl"), &[]).await;
    (seen.status.as_u16(), seen.text)
}

fn payload(made: &Value) -> String {
    let (_, payload) = text(made, "claimUrl").rsplit_once('/').unwrap();
    assert!(payload.starts_with("o_"), "{payload}");
    payload.to_owned()
}

/// Comes to the bot with the order's link; answers what it says.
async fn claims(stack: &TestStack, made: &Value, person: i64) -> String {
    let said = format!("/start {}", payload(made));
    stack.customer(person).say(stack.bot_id, &said);
    settled(stack).await;
    last(stack, person)
}

fn last(stack: &TestStack, person: i64) -> String {
    let mut all = stack.customer(person).messages_of(stack.bot_id);
    all.pop().expect("the bot has written to them").text
}

/// How often the inbox has that a gift was claimed.
async fn claims_kept(stack: &TestStack) -> usize {
    let events = items(stack, "PaymentEvents").await;
    let is_claim = |key: &str| key.starts_with("own#claim#");
    let keys = events.iter().map(|event| event["eventKey"].as_s().unwrap());
    keys.filter(|key| is_claim(key)).count()
}

fn now(stack: &TestStack) -> i64 {
    stack.clock.now_ms() / 1000
}

fn seconds(time: &Value) -> i64 {
    let time: domain::time::Timestamp = time.as_str().unwrap().parse().unwrap();
    time.seconds()
}

#[tokio::test]
async fn where_links_let_people_in_the_link_of_an_order_shows_the_one_of_its_month() {
    let stack = selling(&[]).await;
    let made = checked_out(&stack, "alice", false).await;
    pay(&stack, &made).await;
    claims(&stack, &made, BOB).await;
    let bob = stack.customer(BOB);
    let ways = bob.ways_in(stack.bot_id);
    assert_eq!(ways.len(), 1, "{}", last(&stack, BOB));
    bob.join_by(&ways[0]);
    settled(&stack).await;
    bob.say(stack.bot_id, "/access");
    settled(&stack).await;
    assert!(
        !last(&stack, BOB).contains("no access"),
        "{}",
        last(&stack, BOB)
    );
}

#[tokio::test]
async fn the_link_of_a_paid_order_lets_in_the_first_person_who_comes() {
    let stack = selling(&[CLAIMED]).await;
    let made = checked_out(&stack, "alice", false).await;
    settled(&stack).await;
    let (status, page) = claim_page(&stack, &made).await;
    assert_eq!(status, 200);
    assert!(page.contains("This order is not paid yet"), "{page}");
    assert!(!page.contains("o_") && !page.contains("tg://"), "{page}");
    let said = claims(&stack, &made, BOB).await;
    assert!(said.contains("is not paid yet"), "{said}");
    assert_eq!(items(&stack, "Members").await.len(), 0);

    pay(&stack, &made).await;
    let (status, page) = claim_page(&stack, &made).await;
    assert_eq!(status, 200);
    assert!(page.contains("Your access is ready"), "{page}");
    assert!(
        page.contains(&format!("start={}", payload(&made))),
        "{page}"
    );
    // However often the page is opened, by a preview of the link too, nobody has the seat.
    for method in [Method::GET, Method::HEAD] {
        see(method, text(&made, "claimUrl"), &[]).await;
    }
    assert_eq!(items(&stack, "Members").await.len(), 0);
    let said = claims(&stack, &made, BOB).await;
    assert!(
        said.contains("accepted") || said.contains("button"),
        "{said}"
    );
    assert_eq!(seat(&stack, BOB).await["right"], "ENTITLED");
    let (_, page) = claim_page(&stack, &made).await;
    assert!(page.contains("This link has been used"), "{page}");
    let said = claims(&stack, &made, CAROL).await;
    assert!(said.contains("Somebody has used this link"), "{said}");
    let door = stack.customer(BOB).ways_in(stack.bot_id).pop().unwrap();
    let _ = stack.customer(BOB).tap(&door);
    settled(&stack).await;
    assert!(stack.customer(BOB).is_in());
    assert_eq!(claims_kept(&stack).await, 0, "it is not a gift");
}

#[tokio::test]
async fn a_gift_begins_when_somebody_claims_it_by_the_link() {
    let stack = selling(&[CLAIMED]).await;
    let made = checked_out(&stack, "alice", true).await;
    pay(&stack, &made).await;
    let paid_at = now(&stack);
    let id = text(&made, "orderId").to_owned();
    let paid = order(&stack, &id).await;
    assert_eq!(paid["state"], "PAID");
    let start = seconds(&paid["entitlement"]["start"]);
    assert!((start - paid_at - 30 * 86_400).abs() < 60, "{paid}");
    // The payer sees the link, and no way in of their own.
    stack.clock.advance(Duration::from_secs(3));
    let page = see(Method::GET, text(&made, "pageUrl"), &[]).await.text;
    assert!(page.contains("Your present is paid"), "{page}");
    assert!(page.contains(text(&made, "claimUrl")), "{page}");
    assert!(!page.contains("id=\"enter"), "{page}");
    let told = see(Method::GET, text(&made, "statusUrl"), &[]).await.text;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["data"]["claim_url"], made["claimUrl"]);
    let (_, page) = claim_page(&stack, &made).await;
    assert!(page.contains("You got a present"), "{page}");

    stack.advance_when_idle(DAY * 10).await;
    let claimed_at = now(&stack);
    claims(&stack, &made, BOB).await;
    let of_bob = seat(&stack, BOB).await;
    assert_eq!(of_bob["right"], "ENTITLED", "{of_bob}");
    let begun = order(&stack, &id).await;
    let start = seconds(&begun["entitlement"]["start"]);
    assert!((start - claimed_at).abs() < 60, "{begun}");
    assert_eq!(begun["state"], "PAID");
    // Once more, and by somebody else: nothing is begun anew.
    stack.advance_when_idle(DAY).await;
    claims(&stack, &made, BOB).await;
    claims(&stack, &made, CAROL).await;
    let again = order(&stack, &id).await;
    assert_eq!(again["entitlement"], begun["entitlement"]);
    assert_eq!(claims_kept(&stack).await, 1);
    // Thirty days of it, from the claim.
    for (days, ways) in [(28, 1), (2, 0)] {
        stack.advance_when_idle(DAY * days).await;
        stack.customer(BOB).say(stack.bot_id, "/access");
        settled(&stack).await;
        assert_eq!(
            stack.customer(BOB).ways_in(stack.bot_id).len(),
            ways,
            "{days}"
        );
    }
}

#[tokio::test]
async fn a_gift_that_nobody_wants_begins_thirty_days_after_its_payment() {
    let stack = selling(&[CLAIMED]).await;
    let made = checked_out(&stack, "alice", true).await;
    pay(&stack, &made).await;
    let id = text(&made, "orderId").to_owned();
    let start = order(&stack, &id).await["entitlement"]["start"].clone();
    stack.advance_when_idle(DAY * 40).await;
    claims(&stack, &made, BOB).await;
    assert_eq!(seat(&stack, BOB).await["right"], "ENTITLED");
    assert_eq!(order(&stack, &id).await["entitlement"]["start"], start);
}

#[tokio::test]
async fn a_gift_in_a_chat_with_invite_links_begins_when_somebody_joins_by_its_link() {
    let stack = selling(&[]).await;
    let made = checked_out(&stack, "alice", true).await;
    pay(&stack, &made).await;
    // Its payer has no link of their own.
    let nobody = format!("order:{}", text(&made, "orderId"));
    let link = request_of(&stack, &nobody).await["inviteLink"].clone();
    stack
        .advance_when_idle(Duration::from_secs(24 * 3600))
        .await;
    let joined_at = now(&stack);
    let _ = stack.customer(BOB).tap(link.as_str().unwrap());
    settled(&stack).await;
    assert!(stack.customer(BOB).is_in());
    let begun = order(&stack, text(&made, "orderId")).await;
    let start = seconds(&begun["entitlement"]["start"]);
    assert!((start - joined_at).abs() < 60, "{begun}");
    assert_eq!(claims_kept(&stack).await, 1);
}

#[tokio::test]
async fn a_claim_whose_report_is_lost_on_the_way_is_told_once_more() {
    let stack = selling(&[CLAIMED]).await;
    let made = checked_out(&stack, "alice", true).await;
    pay(&stack, &made).await;
    let away = FaultRule::new(WireFault::InternalError);
    let away = away.on(Service::DynamoDb, "PutItem").named("PaymentEvents");
    stack.aws().wire().fail(away.times(4));
    claims(&stack, &made, BOB).await;
    assert_eq!(seat(&stack, BOB).await["right"], "ENTITLED");
    assert_eq!(claims_kept(&stack).await, 1);
    let begun = order(&stack, text(&made, "orderId")).await;
    let start = seconds(&begun["entitlement"]["start"]);
    assert!((start - now(&stack)).abs() < 300, "{begun}");
}

#[tokio::test]
async fn a_refund_before_the_claim_leaves_nothing_to_claim_and_one_after_it_ends_the_seat() {
    let stack = selling(&[CLAIMED]).await;
    let refund = async |made: &Value| {
        let path = format!("orders/{}/refunds", text(made, "orderId"));
        let wish = json!({"refundId": "R"});
        stack.operator().post(&path, &wish).await.done();
        settled(&stack).await;
    };
    let before = checked_out(&stack, "alice", true).await;
    pay(&stack, &before).await;
    refund(&before).await;
    let (status, page) = claim_page(&stack, &before).await;
    assert_eq!(status, 410);
    assert!(page.contains("This link was taken back"), "{page}");
    let said = claims(&stack, &before, BOB).await;
    assert!(said.contains("cancelled"), "{said}");
    assert_eq!(items(&stack, "Members").await.len(), 0);

    let after = checked_out(&stack, "alice", true).await;
    pay(&stack, &after).await;
    claims(&stack, &after, BOB).await;
    assert_eq!(seat(&stack, BOB).await["right"], "ENTITLED");
    let [claimed] = &items(&stack, "Members").await[..] else {
        panic!("one seat");
    };
    refund(&after).await;
    assert_eq!(seat(&stack, BOB).await["right"], "ENDED");

    // As if the claim had died before it saw that: the next tap ends it.
    let put = stack.dynamodb().put_item().table_name("Members");
    put.set_item(Some(claimed.clone())).send().await.unwrap();
    assert_eq!(seat(&stack, BOB).await["right"], "ENTITLED");
    claims(&stack, &after, BOB).await;
    assert_eq!(seat(&stack, BOB).await["right"], "ENDED");
}

#[tokio::test]
async fn a_tier_that_renews_can_not_be_given() {
    let stack = selling(&[CLAIMED]).await;
    let quote = quoted(&stack, "sub", "stripe").await;
    let body = json!({"quoteId": quote, "userId": "alice", "gift": true});
    let refused = stack.shop().checkout(&body, "K").await;
    assert_eq!(refused.refusal(), (409, "not_possible_with_provider"));
    let wrong = json!({"quoteId": quote, "userId": "alice", "gift": "yes"});
    let refused = stack.shop().checkout(&wrong, "K2").await;
    assert_eq!(refused.refusal(), (400, "invalid_parameter"));
}

/// A button of the bot's last message to a person.
fn button(stack: &TestStack, person: i64, says: &str) -> (i64, String) {
    let mut all = stack.customer(person).messages_of(stack.bot_id);
    let last = all.pop().expect("the bot has written to them");
    let mut buttons = last.buttons.iter().flatten();
    let button = buttons.find(|button| button.text.contains(says));
    let data = button.and_then(|button| button.callback_data.clone());
    (
        last.message_id,
        data.unwrap_or_else(|| panic!("no button {says}: {last:?}")),
    )
}

async fn press(stack: &TestStack, person: i64, (message, data): &(i64, String)) {
    let place = Conversation::private(stack.bot_id, person);
    let user = User::new(person);
    let sent = stack.telegram.sends_callback(place, &user, *message, data);
    sent.expect("the message is there");
    settled(stack).await;
}

#[tokio::test]
async fn who_pays_a_gift_in_stars_gets_its_link_and_is_asked_before_they_use_it_up() {
    const ANN: i64 = 7;
    let stack = selling(&[CLAIMED]).await;
    let product = json!({
        "title": "Star Club", "chats": [stack.chat_id], "owner": "o1", "feeBps": 1000,
        "tiers": [{"id": "ever", "title": "For ever", "length": "forEver", "starsPrice": 500}],
    });
    stack.operator().put_product("stars", &product).await.done();
    let gift = async || {
        let wish = json!({"productId": "stars", "tierId": "ever", "provider": "stars"});
        let quote = stack.shop().quote(&wish).await.done()["quoteId"].clone();
        let body = json!({"quoteId": quote, "telegramUserId": ANN, "gift": true});
        let key = format!("K-{}", fastrand::u64(..));
        let made = stack.shop().checkout(&body, &key).await.done();
        let user = User::new(ANN);
        let query = stack.telegram.pays_invoice(text(&made, "payUrl"), &user);
        query.expect("an invoice");
        settled(&stack).await;
        assert_eq!(order(&stack, text(&made, "orderId")).await["state"], "PAID");
        made
    };
    let first = gift().await;
    let said = last(&stack, ANN);
    assert!(
        said.contains("Your present is paid") && said.contains(&payload(&first)),
        "{said}"
    );
    assert_eq!(items(&stack, "Members").await.len(), 0, "nobody is bound");

    // Whoever pays may have tapped it to see what it does.
    let said = claims(&stack, &first, ANN).await;
    assert!(said.contains("This is a gift"), "{said}");
    let use_it = button(&stack, ANN, "Use it for myself");
    press(&stack, ANN, &button(&stack, ANN, "Keep it")).await;
    assert_eq!(items(&stack, "Members").await.len(), 0);
    // A made-up button of somebody who knows the order's number.
    stack.customer(CAROL).say(stack.bot_id, "/start");
    settled(&stack).await;
    let any = stack
        .customer(CAROL)
        .messages_of(stack.bot_id)
        .pop()
        .unwrap();
    press(&stack, CAROL, &(any.message_id, use_it.1.clone())).await;
    assert_eq!(items(&stack, "Members").await.len(), 0);
    claims(&stack, &first, BOB).await;
    assert_eq!(seat(&stack, BOB).await["right"], "ENTITLED");
    // Too late for the payer.
    press(&stack, ANN, &use_it).await;
    assert!(last(&stack, ANN).contains("Somebody has used this link"));

    // For ever, bought for others as often as they like; this one they keep.
    let second = gift().await;
    claims(&stack, &second, ANN).await;
    let use_it = button(&stack, ANN, "Use it for myself");
    press(&stack, ANN, &use_it).await;
    press(&stack, ANN, &use_it).await;
    assert_eq!(seat(&stack, ANN).await["right"], "ENTITLED");
    assert_eq!(claims_kept(&stack).await, 2);
    // Who has it may still give it.
    gift().await;
}
