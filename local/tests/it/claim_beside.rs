//! Claim links beside invite links: in a chat that is not claimed, the first person who claims a payment is told its invite link in
//! private, once it is there.

mod often;

use std::time::Duration;

use local::harness::{JOINED, LINK_CREATED, MINUTE, Receiver, TestStack};
use local::resources::HOOKS_TICK_TIMEOUT;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireCall, WireFault};
use simulators::telegram::{Conversation, SeenMessage, Tap, User};

const KEY: (&str, &str) = ("CLAIM_KEY", "a-claim-key-of-the-test-0123456789abcdef");
const ALICE: i64 = 700_000_007;
const BOB: i64 = 700_000_008;
const SECONDS: Duration = Duration::from_secs(2);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A payment: its id and its claim link.
async fn bought(stack: &TestStack, transaction: &str) -> (String, String) {
    let answer = stack.shop().buy("alice", transaction).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let link = answer.body["claimLink"].as_str().unwrap().to_owned();
    (answer.request_id(), link)
}

/// A payment whose invite link is made.
async fn bought_and_made(stack: &TestStack, transaction: &str) -> (String, String) {
    let bought = bought(stack, transaction).await;
    stack.run_until_idle().await;
    bought
}

async fn claims(stack: &TestStack, person: i64, link: &str) {
    stack.clock.advance(SECONDS);
    stack.customer(person).claim_by(link);
    stack.run_until_idle().await;
}

async fn says(stack: &TestStack, person: i64, text: &str) {
    stack.clock.advance(SECONDS);
    stack.customer(person).say(stack.bot_id, text);
    stack.run_until_idle().await;
}

/// What the newest message with a way in opens: that a link follows may be said just after it has come.
fn newest_way_in(stack: &TestStack, person: i64) -> String {
    let all = messages(stack, person);
    let buttons = all.into_iter().rev().flat_map(|message| message.buttons);
    let mut opened = buttons.flatten().filter_map(|button| button.url);
    opened.next().expect("a way in")
}

fn messages(stack: &TestStack, person: i64) -> Vec<SeenMessage> {
    stack.customer(person).messages_of(stack.bot_id)
}

fn last(stack: &TestStack, person: i64) -> String {
    let last = messages(stack, person).pop();
    last.map(|message| message.text).unwrap_or_default()
}

/// Presses the button of this text below the bot's last message.
async fn presses(stack: &TestStack, person: i64, text: &str) {
    let last = messages(stack, person).pop().unwrap();
    let mut all = last.buttons.iter().flatten();
    let button = all.find(|button| button.text == text).unwrap();
    let data = button.callback_data.clone().unwrap();
    let place = Conversation::private(stack.bot_id, person);
    let user = User::new(person);
    let query = stack
        .telegram
        .sends_callback(place, &user, last.message_id, &data);
    stack.run_until_idle().await;
    assert!(stack.telegram.callback_answer(&query.unwrap()).is_some());
}

/// What a page shows.
async fn page(url: &str) -> (u16, String) {
    let client = runtime::http::client(Duration::from_secs(30)).unwrap();
    let answer = client.get(url).header("accept-language", "en").send().await;
    let answer = answer.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// What WebEngage was told last of a link.
fn told(stack: &TestStack) -> Value {
    let mut events = stack.webengage.ingested();
    events.retain(|event| event.body["eventName"] == LINK_CREATED);
    events.pop().unwrap().body["eventData"].clone()
}

/// What ten payments write and read, and how often the table `Bots` is read meanwhile.
async fn written(stack: &TestStack) -> (Vec<(String, String, String)>, usize) {
    stack.aws().wire().record_calls(true);
    for number in 0..10 {
        stack.shop().bought("alice", &format!("U{number}")).await;
    }
    stack.run_until_idle().await;
    stack.aws().wire().record_calls(false);
    let calls = stack.aws().wire().take_calls();
    let table = |call: &WireCall| call.table_or_queue.clone().unwrap_or_default();
    // What the dispatchers and the ticks look at depends on time.
    let of_payments = ["InviteRequests", "Messages", "Members", "People", "Actors"];
    let puts = calls.iter().filter(|call| {
        let is_put = ["PutItem", "TransactWriteItems"].contains(&call.operation);
        let of_payment = of_payments.contains(&table(call).as_str()) && call.operation != "Query";
        of_payment || is_put && ["ChatTasks", "LinkPool"].contains(&table(call).as_str())
    });
    let puts = puts.map(|call| {
        let units = call.write_units.to_string();
        (call.operation.to_owned(), table(call), units)
    });
    let mut puts: Vec<_> = puts.collect();
    puts.sort();
    let reads = calls.iter().filter(|call| table(call) == "Bots").count();
    (puts, reads)
}

#[tokio::test]
async fn a_claim_link_stands_beside_the_invite_link_everywhere_and_costs_no_unit() {
    for pool in [None, Some(("LINK_POOL_TARGET", "20"))] {
        let mut all_written = Vec::new();
        for key in [None, Some(KEY)] {
            let env: Vec<_> = [key, pool].into_iter().flatten().collect();
            let stack = TestStack::with(&env).await;
            stack.run_for(Duration::from_secs(120)).await;
            let answer = stack.shop().buy("alice", "T1").await;
            stack.run_until_idle().await;
            let shown = stack.shop().status(&answer.request_id()).await;
            let event = told(&stack);
            assert!(shown["inviteLink"].as_str().unwrap().contains("/+"));
            for body in [&answer.body, &shown, &event] {
                let (link, page) = (body["claimLink"].as_str(), body["claimPage"].as_str());
                assert_eq!(link.is_some(), key.is_some(), "{body}");
                assert_eq!(page.is_some(), key.is_some(), "{body}");
                if let Some((link, page)) = link.zip(page) {
                    let token = link.split("?start=c_").nth(1).unwrap();
                    assert!(page.ends_with(&format!("/c/{token}")), "{page}");
                    assert_eq!(json!(link), answer.body["claimLink"]);
                }
            }
            let expected = key.map(|_| json!(false));
            assert_eq!(shown.get("claimed"), expected.as_ref());
            let (puts, reads) = written(&stack).await;
            all_written.push((puts, reads));
        }
        let [(without, reads_without), (with, reads_with)] = &all_written[..] else {
            panic!("{all_written:?}");
        };
        assert!(!without.is_empty());
        assert_eq!(without, with, "{pool:?}");
        // Of ten payments: once by each function that names a claim link, if its minute is over.
        assert!(*reads_with <= reads_without + 3, "{all_written:?}");
    }
}

#[tokio::test]
async fn who_claims_a_link_that_is_there_is_told_it_and_joins_by_it() {
    let stack = TestStack::with(&[KEY]).await;
    let (id, claim) = bought_and_made(&stack, "T1").await;
    let link = stack.shop().link(&id).await;
    claims(&stack, ALICE, &claim).await;
    let [message] = &messages(&stack, ALICE)[..] else {
        panic!("{:?}", messages(&stack, ALICE));
    };
    assert!(message.is_protected);
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id), [link.as_str()]);
    // Each tap is answered with the same link, and so is who lost the message.
    for taps in 1..=5 {
        claims(&stack, ALICE, &claim).await;
        assert_eq!(messages(&stack, ALICE).len(), taps + 1);
        assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id), [link.as_str()]);
    }
    says(&stack, ALICE, "/access").await;
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id), [link.as_str()]);
    // A payment that is reported again is no news to her.
    let before = messages(&stack, ALICE).len();
    for _ in 0..5 {
        stack.shop().buy("alice", "T1").await.done();
        stack.run_until_idle().await;
    }
    assert_eq!(messages(&stack, ALICE).len(), before);

    stack.customer(ALICE).join_by(&link);
    stack.run_until_idle().await;
    let shown = stack.shop().status(&id).await;
    assert_eq!(shown["telegramUserId"], json!(ALICE));
    assert_eq!(shown["claimed"], true);
    assert_eq!(stack.webengage.delivered(JOINED).len(), 1);
    assert_eq!(stack.telegram.mints(), 1);
    claims(&stack, ALICE, &claim).await;
    assert!(
        last(&stack, ALICE).contains("already"),
        "{}",
        last(&stack, ALICE)
    );
}

#[tokio::test]
async fn who_claims_a_link_that_is_not_made_yet_is_told_it_once_when_it_is() {
    let stack = TestStack::with(&[KEY]).await;
    stack.telegram.take_rights();
    let (id, claim) = bought(&stack, "T1").await;
    stack.run_for(SECONDS).await;
    stack.customer(ALICE).claim_by(&claim);
    stack.run_for(SECONDS).await;
    let before = messages(&stack, ALICE);
    assert_eq!(before.len(), 1, "{before:?}");
    assert!(before[0].text.contains("by itself"), "{}", before[0].text);
    stack.telegram.give_rights();
    stack.run_for(2 * MINUTE).await;
    stack.run_until_idle().await;
    for _ in 0..3 {
        stack.shop().buy("alice", "T1").await.done();
        stack.run_until_idle().await;
    }
    let [_, message] = &messages(&stack, ALICE)[..] else {
        panic!("{:?}", messages(&stack, ALICE));
    };
    assert!(message.is_protected);
    let link = stack.shop().link(&id).await;
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id), [link.as_str()]);
    assert_eq!(stack.telegram.links_alive().len(), 1);
}

#[tokio::test]
async fn a_link_whose_teller_died_is_told_by_whoever_finds_its_task() {
    let stack = TestStack::with(&[KEY]).await;
    stack.telegram.take_rights();
    let (_, claim) = bought(&stack, "T1").await;
    stack.customer(ALICE).claim_by(&claim);
    stack.run_for(SECONDS).await;
    // Messages can't be put, but links are made.
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "TransactWriteItems");
    stack.aws().wire().fail(rule.always());
    stack.telegram.give_rights();
    stack.run_for(2 * MINUTE).await;
    assert_eq!(messages(&stack, ALICE).len(), 1);
    stack.aws().wire().clear_faults();
    stack.run_for(2 * MINUTE).await;
    stack.run_until_idle().await;
    assert_eq!(messages(&stack, ALICE).len(), 2);
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id).len(), 1);
    assert_eq!(stack.telegram.links_alive().len(), 1);
}

#[tokio::test]
async fn of_two_who_race_for_one_claim_link_one_is_told_the_way_in() {
    let stack = TestStack::with(&[KEY]).await;
    for round in 0..5 {
        let (alice, bob) = (100 + round, 200 + round);
        let (id, claim) = bought_and_made(&stack, &format!("T{round}")).await;
        for person in [alice, bob] {
            stack.customer(person).claim_by(&claim);
        }
        stack.run_until_idle().await;
        let link = stack.shop().link(&id).await;
        let told = [alice, bob].map(|person| {
            let ways = stack.customer(person).ways_in(stack.bot_id);
            assert_eq!(messages(&stack, person).len(), 1);
            ways == [link.as_str()]
        });
        assert!(told[0] != told[1], "{told:?}");
        let (holder, other) = if told[0] { (alice, bob) } else { (bob, alice) };
        // However often they come, it stays so, and the other one can say what is wrong.
        claims(&stack, other, &claim).await;
        assert!(last(&stack, other).contains("used this link"));
        presses(&stack, other, "That is my other account").await;
        assert!(last(&stack, other).contains("open the chat there"));
        claims(&stack, holder, &claim).await;
        assert_eq!(
            stack.customer(holder).ways_in(stack.bot_id),
            [link.as_str()]
        );
    }
}

#[tokio::test]
async fn a_voided_payment_lets_nobody_in_and_its_page_says_so() {
    let stack = TestStack::with(&[KEY]).await;
    let (id, claim) = bought_and_made(&stack, "T1").await;
    let shown = stack.shop().status(&id).await;
    let url = shown["claimPage"].as_str().unwrap().to_owned();
    let (status, html) = page(&url).await;
    assert_eq!(status, 200);
    assert!(html.contains("tg://resolve"), "{html}");
    claims(&stack, ALICE, &claim).await;
    let (status, html) = page(&url).await;
    assert_eq!(status, 200);
    assert!(!html.contains(&ALICE.to_string()), "{html}");
    let link = stack.shop().link(&id).await;
    stack.shop().void(&id).await.done();
    stack.run_until_idle().await;
    assert_eq!(page(&url).await.0, 410);
    let shown = stack.shop().status(&id).await;
    assert_eq!(shown.get("claimLink"), None, "{shown}");
    for person in [ALICE, BOB] {
        claims(&stack, person, &claim).await;
        assert!(last(&stack, person).contains("cancelled"));
        assert!(stack.customer(person).ways_in(stack.bot_id).is_empty());
    }
    says(&stack, ALICE, "/access").await;
    assert!(last(&stack, ALICE).contains("no access"));
    assert_ne!(stack.customer(ALICE).tap(&link), Tap::Joined);
}

#[tokio::test]
async fn a_reissue_leaves_the_claim_as_it_is_and_the_next_link_is_told() {
    let stack = TestStack::with(&[KEY]).await;
    let (id, claim) = bought_and_made(&stack, "T1").await;
    claims(&stack, ALICE, &claim).await;
    let first = stack.shop().link(&id).await;
    let reissued = stack.shop().reissue(&id).await.done();
    assert_eq!(reissued["claimLink"], json!(claim));
    stack.run_until_idle().await;
    let second = stack.shop().link(&id).await;
    assert_ne!(first, second);
    assert_eq!(messages(&stack, ALICE).len(), 2);
    assert_eq!(
        stack.customer(ALICE).ways_in(stack.bot_id),
        [second.as_str()]
    );
    assert_eq!(told(&stack)["claimLink"], json!(claim));
    claims(&stack, BOB, &claim).await;
    assert!(last(&stack, BOB).contains("used this link"));
    // It does not move, and says so.
    let moved = stack.shop().act(&id, "rebind", "{}").await;
    assert_eq!(moved.refusal(), (409, "no_claim_link"));
    stack.customer(ALICE).join_by(&second);
    stack.run_until_idle().await;
}

#[tokio::test]
async fn whoever_claimed_gets_another_link_for_one_that_expired_and_after_they_left() {
    let stack = TestStack::with(&[KEY]).await;
    let (id, claim) = bought_and_made(&stack, "T1").await;
    claims(&stack, ALICE, &claim).await;
    let expired = stack.shop().link(&id).await;
    stack.clock.advance(5 * DAY);
    for text in ["/access", "/access"] {
        says(&stack, ALICE, text).await;
    }
    let link = stack.shop().link(&id).await;
    assert_ne!(link, expired);
    assert_eq!(newest_way_in(&stack, ALICE), link);
    assert_eq!(stack.telegram.mints(), 2);
    stack.customer(ALICE).join_by(&link);
    stack.run_until_idle().await;
    says(&stack, ALICE, "/access").await;
    assert!(last(&stack, ALICE).contains("already"));
    // Left and back, by the claim link that she has.
    stack.clock.advance(SECONDS);
    stack.customer(ALICE).leave();
    stack.run_until_idle().await;
    claims(&stack, ALICE, &claim).await;
    let next = stack.shop().link(&id).await;
    assert_ne!(next, link);
    assert_eq!(newest_way_in(&stack, ALICE), next);
    stack.clock.advance(SECONDS);
    stack.customer(ALICE).join_by(&next);
    stack.run_until_idle().await;
    assert!(stack.customer(ALICE).is_in());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_join_by_another_than_who_claimed_is_recorded_and_reported_and_nobody_is_removed() {
    let receiver = Receiver::start().await;
    let hosts = ("HOOK_EXEMPT_HOSTS", receiver.host.as_str());
    let stack = TestStack::with(&[KEY, hosts]).await;
    let types = ["seat.claimed", "seat.conflict", "invite.joined"];
    let endpoint = json!({"url": receiver.url("/"), "types": types});
    stack.operator().post("endpoints", &endpoint).await.done();
    let (id, claim) = bought_and_made(&stack, "T1").await;
    claims(&stack, ALICE, &claim).await;
    let link = stack.shop().link(&id).await;
    stack.customer(BOB).join_by(&link);
    stack.run_until_idle().await;
    let report = stack.telegram.join_report(&link, BOB);
    for _ in 0..2 {
        stack.telegram.send(&report).await;
        stack.run_until_idle().await;
    }
    let deadline = tokio::time::Instant::now() + HOOKS_TICK_TIMEOUT;
    stack.functions().get("hooks").tick(deadline).await;
    assert!(stack.customer(BOB).is_in());
    let shown = stack.shop().status(&id).await;
    assert_eq!(shown["telegramUserId"], json!(BOB));
    let kinds = receiver.kinds();
    let conflicts = receiver.calls().into_iter();
    let conflicts: Vec<_> = conflicts
        .map(|call| call.json())
        .filter(|call| call["type"] == "seat.conflict")
        .collect();
    assert!(kinds.contains(&"seat.claimed".to_owned()), "{kinds:?}");
    assert!(kinds.contains(&"invite.joined".to_owned()), "{kinds:?}");
    assert!(!conflicts.is_empty(), "{kinds:?}");
    for conflict in conflicts {
        assert_eq!(conflict["data"]["telegramUserId"], json!(BOB));
        assert_eq!(conflict["data"]["holderTelegramUserId"], json!(ALICE));
    }
    // She is told what to do, and that it is hers.
    claims(&stack, ALICE, &claim).await;
    assert!(last(&stack, ALICE).contains("/support"));
    claims(&stack, BOB, &claim).await;
    assert!(last(&stack, BOB).contains("used this link"));
}

#[tokio::test]
async fn whoever_joined_by_an_unclaimed_link_has_its_seat() {
    let stack = TestStack::with(&[KEY]).await;
    let (id, claim) = bought_and_made(&stack, "T1").await;
    let link = stack.shop().link(&id).await;
    stack.customer(ALICE).join_by(&link);
    stack.run_until_idle().await;
    claims(&stack, BOB, &claim).await;
    assert!(last(&stack, BOB).contains("used this link"));
    claims(&stack, ALICE, &claim).await;
    assert!(last(&stack, ALICE).contains("already"));
    assert_eq!(stack.shop().status(&id).await["claimed"], true);
    let claim = &stack.operator().invite(&id).await["claim"];
    assert_eq!(
        (&claim["boundTo"], &claim["version"]),
        (&json!(ALICE), &json!(0))
    );
}

#[tokio::test]
async fn a_buyer_whom_the_shop_knows_has_claimed_and_nobody_else_can() {
    let stack = TestStack::with(&[KEY]).await;
    says(&stack, ALICE, "/start").await;
    let payment = json!({"userId": "alice", "transactionId": "T1", "telegramUserId": ALICE});
    let answer = stack.shop().request(&payment, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    stack.run_until_idle().await;
    assert_eq!(messages(&stack, ALICE).len(), 2);
    let claim = answer.body["claimLink"].as_str().unwrap();
    claims(&stack, BOB, claim).await;
    assert!(last(&stack, BOB).contains("used this link"));
    let mut other = payment.clone();
    other["telegramUserId"] = json!(BOB);
    let refused = stack.shop().request(&other, &[]).await;
    assert_eq!(refused.refusal(), (409, "telegram_user_conflict"));
    for _ in 0..3 {
        stack.shop().request(&payment, &[]).await.done();
        stack.run_until_idle().await;
    }
    assert_eq!(messages(&stack, ALICE).len(), 2);
    says(&stack, ALICE, "/access").await;
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id).len(), 1);
}

#[tokio::test]
async fn without_a_front_bot_sales_go_on_and_payments_of_before_are_claimed_after() {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    let stack = TestStack::with(&[KEY]).await;
    let key = [("botId", "front"), ("item", "info")];
    let bots = stack.dynamodb();
    let table = "Bots";
    let get = key
        .iter()
        .fold(bots.get_item().table_name(table), |call, (name, value)| {
            call.key(*name, S((*value).to_owned()))
        });
    let front = get.send().await.unwrap().item.unwrap();
    let delete = key.iter().fold(
        bots.delete_item().table_name(table),
        |call, (name, value)| call.key(*name, S((*value).to_owned())),
    );
    delete.send().await.unwrap();
    stack.clock.advance(2 * MINUTE);
    let known = json!({"userId": "bob", "transactionId": "T2", "telegramUserId": BOB});
    let mut ids = Vec::new();
    for answer in [
        stack.shop().buy("alice", "T1").await,
        stack.shop().request(&known, &[]).await,
    ] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body.get("claimLink"), None);
        assert_eq!(answer.body.get("claimPage"), None);
        ids.push(answer.request_id());
    }
    stack.run_until_idle().await;
    let link = stack.shop().link(&ids[0]).await;
    let put = bots.put_item().table_name(table).set_item(Some(front));
    put.send().await.unwrap();
    stack.clock.advance(2 * MINUTE);
    // Its record is as of an earlier version: nothing is stored for a claim link.
    let get = bots.get_item().table_name("InviteRequests");
    let record = get.key("requestId", S(ids[0].clone())).send().await;
    let record = record.unwrap().item.unwrap();
    for name in ["claimVersion", "claimLink", "boundTo"] {
        assert!(!record.contains_key(name), "{record:?}");
    }
    let shown = stack.shop().status(&ids[0]).await;
    claims(&stack, ALICE, shown["claimLink"].as_str().unwrap()).await;
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id), [link.as_str()]);
}

#[tokio::test]
async fn the_table_of_bots_away_keeps_no_sale_up() {
    let stack = TestStack::with(&[KEY]).await;
    stack.clock.advance(2 * MINUTE);
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "GetItem");
    stack.aws().wire().fail(rule.named("Bots").always());
    let answer = stack.shop().buy("alice", "T1").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body.get("claimLink"), None);
    stack.aws().wire().clear_faults();
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_seat_that_was_ended_says_so() {
    let owner = ("BOT_OWNERS", "900");
    let stack = TestStack::with(&[KEY, owner]).await;
    let (id, claim) = bought_and_made(&stack, "T1").await;
    claims(&stack, ALICE, &claim).await;
    let chat = stack.chat_id;
    says(&stack, 900, &format!("/end {ALICE} {chat}")).await;
    presses(&stack, 900, "Yes, end the seat").await;
    claims(&stack, ALICE, &claim).await;
    assert!(
        last(&stack, ALICE).contains("ended"),
        "{}",
        last(&stack, ALICE)
    );
    says(&stack, ALICE, "/access").await;
    assert!(stack.customer(ALICE).ways_in(stack.bot_id).is_empty());
    // The shop has it replaced for somebody else: the bot tells nobody.
    let told = messages(&stack, ALICE).len();
    stack.shop().reissue(&id).await.done();
    stack.run_until_idle().await;
    assert_eq!(messages(&stack, ALICE).len(), told);
}

#[tokio::test]
async fn a_buyer_whom_the_shop_knows_is_bound_or_the_shop_is_asked_to_call_again() {
    let stack = TestStack::with(&[KEY]).await;
    stack.clock.advance(2 * MINUTE);
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "GetItem");
    stack.aws().wire().fail(rule.named("Bots").always());
    let body = json!({"userId": "alice", "transactionId": "T1", "telegramUserId": ALICE});
    assert_eq!(stack.shop().request(&body, &[]).await.status, 503);
    stack.aws().wire().clear_faults();
    stack.clock.advance(2 * MINUTE);
    let again = stack.shop().request(&body, &[]).await;
    assert_eq!(again.status, 200, "{}", again.body);
    let shown = stack.shop().status(&again.request_id()).await;
    assert_eq!(shown["claimed"], json!(true), "{shown}");
    // From then on the name is known, and a fault changes nothing.
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "GetItem");
    stack.aws().wire().fail(rule.named("Bots").always());
    stack.clock.advance(2 * MINUTE);
    let other = json!({"userId": "bob", "transactionId": "T2", "telegramUserId": BOB});
    let other = stack.shop().request(&other, &[]).await;
    assert_eq!(other.status, 200, "{}", other.body);
    assert!(other.body["claimLink"].is_string(), "{}", other.body);
    stack.aws().wire().clear_faults();
    stack.run_until_idle().await;
}
