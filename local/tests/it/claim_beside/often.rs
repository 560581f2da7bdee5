//! Whoever buys often, in several chats, and whoever's link could not be made.

use std::net::TcpListener;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::{ExternalServices, any_port};
use local::stack::Data;
use simulators::telegram::{ChatKind, Fault, Refusal, Rights};

use super::*;

const TOKEN: &str = "987654321:AAF-outside-bot-token-0123456789abcd";
const SECOND: i64 = -1_009_876_543_211;

#[tokio::test]
async fn who_claims_a_payment_whose_link_could_not_be_made_is_told_so_and_gets_it_once_it_is_mended()
 {
    let stack = TestStack::with(&[KEY]).await;
    let refusal = Refusal::new(400, "Bad Request: USER_ODD_INVALID");
    stack.telegram.fail_mints(5, Fault::Refuse(refusal));
    let (id, claim) = bought_and_made(&stack, "T1").await;
    assert_eq!(stack.shop().status(&id).await["status"], "FAILED");
    claims(&stack, ALICE, &claim).await;
    says(&stack, ALICE, "/access").await;
    let all = messages(&stack, ALICE);
    assert_eq!(all.len(), 2, "{all:?}");
    for message in all {
        assert!(message.text.contains("could not be made"), "{message:?}");
        assert!(message.text.contains("/support"), "{message:?}");
        assert!(!message.text.contains("by itself"), "{message:?}");
    }
    stack.operator().retry(&id).await.done();
    stack.run_until_idle().await;
    let link = stack.shop().link(&id).await;
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id), [link.as_str()]);
}

#[tokio::test]
async fn access_shows_the_newest_way_into_each_chat_by_its_name_and_replaces_no_other_link() {
    let externals = ExternalServices::start(TOKEN, "outside-webengage-key").await;
    let telegram = &externals.telegram;
    telegram.add_chat(SECOND, "Salon <b>", ChatKind::Supergroup);
    telegram.make_admin(externals.bot_id, SECOND, Rights::all());
    let listen = TcpListener::bind(any_port()).unwrap().local_addr().unwrap();
    let (url, first) = (format!("http://{listen}/"), externals.chat_id);
    let chats = format!("{first},{SECOND}");
    let env = [
        KEY,
        ("PUBLIC_URL", url.as_str()),
        ("TELEGRAM_CHAT_ID", chats.as_str()),
    ];
    let stack = externals
        .stack(listen, Data::Ephemeral, &env)
        .await
        .unwrap();
    let mut newest = Vec::new();
    for (chat, name) in [(SECOND, "S"), (first, "F")] {
        for number in 0..12 {
            let shop = stack.shop().in_chat(chat);
            let answer = shop.buy("alice", &format!("{name}{number}")).await;
            stack.run_until_idle().await;
            let link = answer.body["claimLink"].as_str().unwrap();
            claims(&stack, ALICE, link).await;
            if number == 11 {
                newest.push(answer.request_id());
            }
        }
    }
    assert_eq!(stack.telegram.mints(), 24);
    says(&stack, ALICE, "/access").await;
    let shown = messages(&stack, ALICE).pop().unwrap();
    let mut links = Vec::new();
    for id in newest.iter().rev() {
        links.push(stack.shop().link(id).await);
    }
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id), links);
    let labels = shown.buttons.iter().flatten().map(|button| &*button.text);
    let labels: Vec<&str> = labels.filter(|text| text.starts_with("Open")).collect();
    assert_eq!(labels.len(), 2, "{labels:?}");
    assert!(labels[0].contains("Outside") && labels[1].contains("Salon <b>"));
    let place = |name: &str| shown.text.find(name).unwrap_or_else(|| panic!("{shown:?}"));
    assert!(place("Outside") < place("Salon <b>"), "{shown:?}");

    // Of those that lapsed meanwhile one of each chat is replaced.
    stack.clock.advance(5 * DAY);
    says(&stack, ALICE, "/access").await;
    says(&stack, ALICE, "/access").await;
    assert_eq!(stack.telegram.mints(), 26);
    for (id, before) in newest.iter().rev().zip(&mut links) {
        let link = stack.shop().link(id).await;
        assert_ne!(link, *before);
        *before = link;
    }
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id), links);
}

/// The record of a request is forgotten, as DynamoDB forgets what is past its time to live.
async fn forgotten(stack: &TestStack, id: &str) {
    let delete = stack.dynamodb().delete_item().table_name("InviteRequests");
    let delete = delete.key("requestId", AttributeValue::S(id.to_owned()));
    delete.send().await.unwrap();
}

#[tokio::test]
async fn whoever_bought_forty_times_goes_on_to_claim_once_the_first_ones_are_forgotten() {
    let stack = TestStack::with(&[KEY]).await;
    let mut all = Vec::new();
    for number in 0..40 {
        let (id, claim) = bought_and_made(&stack, &format!("T{number}")).await;
        claims(&stack, ALICE, &claim).await;
        stack.clock.advance(MINUTE);
        all.push((id, claim));
    }
    for number in 40..43 {
        let (id, claim) = bought_and_made(&stack, &format!("T{number}")).await;
        let link = stack.shop().link(&id).await;
        forgotten(&stack, &all[number - 40].0).await;
        claims(&stack, ALICE, &claim).await;
        assert_eq!(newest_way_in(&stack, ALICE), link);
        says(&stack, ALICE, "/access").await;
        assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id), [link.as_str()]);
    }
    // What is forgotten comes back by no link.
    claims(&stack, ALICE, &all[0].1).await;
    let told = last(&stack, ALICE);
    assert!(told.contains("don't know"), "{told}");
}
