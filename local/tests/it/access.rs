//! `/access` ends in a working way in for whoever is entitled, whatever happened to the one before.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use local::harness::TestStack;
use runtime::clock::Clock;
use runtime::config::Env;
use serde_json::json;
use simulators::telegram::{Tap, User};

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");
const ALICE: i64 = 7;
const SECONDS: Duration = Duration::from_secs(2);

/// A stack in which Alice has bought a seat and claimed it, and her claim link.
async fn claimed() -> (TestStack, String) {
    let stack = TestStack::with(&[CLAIMED]).await;
    let link = bought(&stack, "T1").await;
    stack.customer(ALICE).claim_by(&link);
    stack.run_until_idle().await;
    (stack, link)
}

async fn bought(stack: &TestStack, transaction: &str) -> String {
    let answer = stack.shop().buy("alice", transaction).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["inviteLink"].as_str().unwrap().to_owned()
}

/// What `/access` shows her.
async fn shown(stack: &TestStack) -> Vec<String> {
    stack.clock.advance(SECONDS);
    stack.customer(ALICE).say(stack.bot_id, "/access");
    stack.run_until_idle().await;
    stack.customer(ALICE).ways_in(stack.bot_id)
}

/// She asks for a way in, and comes in by it.
async fn comes_in(stack: &TestStack) {
    let [door] = &shown(stack).await[..] else {
        panic!("{:?}", stack.customer(ALICE).messages_of(stack.bot_id));
    };
    assert_eq!(stack.customer(ALICE).tap(door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(stack.customer(ALICE).is_in());
    stack.clock.advance(SECONDS);
}

#[tokio::test]
async fn another_phone_a_deleted_message_a_lost_link() {
    // All of them are: she knows nothing any more but the bot.
    let (stack, _) = claimed().await;
    comes_in(&stack).await;
}

#[tokio::test]
async fn left_and_back() {
    let (stack, _) = claimed().await;
    for _ in 0..2 {
        comes_in(&stack).await;
        stack.customer(ALICE).leave();
        stack.run_until_idle().await;
    }
}

#[tokio::test]
async fn a_claim_link_that_is_a_year_old() {
    let (stack, link) = claimed().await;
    stack.clock.advance(Duration::from_secs(365 * 24 * 3600));
    stack.customer(ALICE).claim_by(&link);
    stack.run_until_idle().await;
    assert_eq!(stack.customer(ALICE).ways_in(stack.bot_id).len(), 1);
    comes_in(&stack).await;
}

#[tokio::test]
async fn taken_out_by_us_and_bought_again() {
    let (stack, _) = claimed().await;
    comes_in(&stack).await;
    let found = stack.operator().find("userId=alice").await;
    let id = found.body["invites"][0]["requestId"]
        .as_str()
        .unwrap()
        .to_owned();
    let operator = stack.operator();
    let stolen = operator.act(&id, "rebind", json!({"stolen": true})).await;
    assert_eq!(stolen.status, 200);
    stack.run_until_idle().await;
    assert!(!stack.customer(ALICE).is_in());
    assert!(shown(&stack).await.is_empty());
    let again = bought(&stack, "T2").await;
    stack.clock.advance(SECONDS);
    stack.customer(ALICE).claim_by(&again);
    stack.run_until_idle().await;
    comes_in(&stack).await;
}

#[tokio::test]
async fn a_ban_by_hand_is_not_undone_by_a_payment() {
    let (stack, _) = claimed().await;
    comes_in(&stack).await;
    stack.telegram.ban(stack.chat_id, User::new(ALICE), 0);
    stack.run_until_idle().await;
    let again = bought(&stack, "T2").await;
    stack.clock.advance(SECONDS);
    stack.customer(ALICE).claim_by(&again);
    stack.run_until_idle().await;
    for door in shown(&stack).await {
        assert_eq!(stack.customer(ALICE).tap(&door), Tap::Banned);
    }
    stack.run_until_idle().await;
    assert!(!stack.customer(ALICE).is_in());
    let lifted = stack.telegram.count("unbanChatMember");
    assert_eq!(lifted, 0);
}

/// What `setup` does at a deployment.
async fn is_deployed_again(stack: &TestStack) {
    let env: HashMap<String, String> = stack.env().clone();
    let mut env = Env::from_iter(env);
    let chats = runtime::settings::chats(&mut env);
    let clock = Clock::real();
    let setup = setup::claims::ClaimSetup::from_env(&mut env, &chats, &clock);
    let bots = setup::registration::Bot::all_from_env(&mut env, &clock);
    setup.make_ready(&bots).await.unwrap();
}

#[tokio::test]
async fn a_request_link_that_an_administrator_revoked_is_made_anew_by_setup() {
    let (stack, _) = claimed().await;
    let before = shown(&stack).await;
    // As it is, nothing changes.
    is_deployed_again(&stack).await;
    assert_eq!(shown(&stack).await, before);
    let token = stack.env()["TELEGRAM_BOT_TOKEN"].clone();
    let uri = format!("{}/bot{token}/revokeChatInviteLink", stack.telegram.url());
    let body = json!({"chat_id": stack.chat_id, "invite_link": before[0]});
    let revoke = http::Request::post(uri).header("content-type", "application/json");
    let revoke = revoke.body(Bytes::from(body.to_string())).unwrap();
    let revoked = stack.telegram.call(revoke).await;
    assert_eq!(
        revoked.map(|answer| answer.status().as_u16()).ok(),
        Some(200)
    );
    is_deployed_again(&stack).await;
    assert_ne!(shown(&stack).await, before);
    comes_in(&stack).await;
}
