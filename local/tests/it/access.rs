//! `/access` ends in a working way in for whoever is entitled, whatever happened to the one before.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use local::harness::TestStack;
use runtime::clock::Clock;
use runtime::config::Env;
use serde_json::{Value, json};
use simulators::telegram::{Tap, User};

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");
const ALICE: i64 = 7;
const SECONDS: Duration = Duration::from_secs(2);

/// A stack in which Alice has bought a seat and claimed it, and her claim link.
async fn claimed() -> (TestStack, String) {
    claimed_in(TestStack::with(&[CLAIMED]).await).await
}

/// The same in a group.
async fn claimed_group() -> (TestStack, String) {
    claimed_in(TestStack::with_group(&[CLAIMED]).await).await
}

async fn claimed_in(stack: TestStack) -> (TestStack, String) {
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

/// What the bot asks of Telegram by somebody else's hand; answers the result.
pub(crate) async fn by_its_bot(stack: &TestStack, method: &str, parameters: Value) -> Value {
    let token = &stack.env()["TELEGRAM_BOT_TOKEN"];
    let uri = format!("{}/bot{token}/{method}", stack.telegram.url());
    let call = http::Request::post(uri).header("content-type", "application/json");
    let call = call.body(Bytes::from(parameters.to_string())).unwrap();
    let answer = stack.telegram.call(call).await.unwrap();
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(answer["ok"], true, "{answer}");
    answer["result"].clone()
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
    let link = json!({"chat_id": stack.chat_id, "invite_link": before[0]});
    by_its_bot(&stack, "revokeChatInviteLink", link).await;
    is_deployed_again(&stack).await;
    assert_ne!(shown(&stack).await, before);
    comes_in(&stack).await;
}

const NEW_CHAT: i64 = -1_009_999_999_999;

/// She comes in by the chat's door, goes and comes back, in the supergroup that it has become; and is taken out of it.
async fn comes_and_goes_in_the_new_chat(stack: &TestStack) {
    let is_in = || stack.telegram.status(NEW_CHAT, ALICE).is_present();
    for _ in 0..2 {
        let [door] = &shown(stack).await[..] else {
            panic!("{:?}", stack.customer(ALICE).messages_of(stack.bot_id));
        };
        assert_eq!(stack.customer(ALICE).tap(door), Tap::Requested);
        stack.run_until_idle().await;
        assert!(is_in());
        stack.clock.advance(SECONDS);
        stack.telegram.leave(NEW_CHAT, ALICE);
        stack.run_until_idle().await;
        assert!(!is_in());
    }
    let [door] = &shown(stack).await[..] else {
        panic!("no way in");
    };
    assert_eq!(stack.customer(ALICE).tap(door), Tap::Requested);
    stack.run_until_idle().await;
    let found = stack.operator().find("userId=alice").await;
    let invite = &found.body["invites"][0];
    assert_eq!(invite["join"]["telegramUserId"], json!(ALICE), "{invite}");
    stack.clock.advance(SECONDS);
    let id = invite["requestId"].as_str().unwrap();
    let operator = stack.operator();
    let stolen = operator.act(id, "rebind", json!({"stolen": true})).await;
    assert_eq!(stolen.status, 200);
    stack.run_until_idle().await;
    assert!(!is_in());
}

#[tokio::test]
async fn a_group_that_became_a_supergroup() {
    let (stack, _) = claimed_group().await;
    stack.telegram.migrate_chat(stack.chat_id, NEW_CHAT);
    stack.run_until_idle().await;
    comes_and_goes_in_the_new_chat(&stack).await;
    // Nor does a deployment after it make another door.
    let before = shown(&stack).await;
    is_deployed_again(&stack).await;
    assert_eq!(shown(&stack).await, before);
}

/// Has the chat become a supergroup while its bot hears no messages, as a bot does that only keeps the door.
async fn migrates_unheard(stack: &TestStack) {
    let known = by_its_bot(stack, "getWebhookInfo", json!({})).await;
    let hears = async |kinds: &Value| {
        let webhook = json!({"url": known["url"], "allowed_updates": kinds,
            "secret_token": stack.env()["TELEGRAM_WEBHOOK_SECRET"]});
        by_its_bot(stack, "setWebhook", webhook).await;
    };
    hears(&json!([
        "chat_member",
        "my_chat_member",
        "chat_join_request"
    ]))
    .await;
    stack.telegram.migrate_chat(stack.chat_id, NEW_CHAT);
    stack.run_until_idle().await;
    hears(&known["allowed_updates"]).await;
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_while_its_bot_hears_no_messages() {
    for is_redeployed in [false, true] {
        let (stack, _) = claimed_group().await;
        migrates_unheard(&stack).await;
        if is_redeployed {
            is_deployed_again(&stack).await;
        }
        comes_and_goes_in_the_new_chat(&stack).await;
    }
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_as_the_dispatcher_finds_out() {
    let (stack, _) = claimed_group().await;
    comes_in(&stack).await;
    migrates_unheard(&stack).await;
    let found = stack.operator().find("userId=alice").await;
    let id = found.body["invites"][0]["requestId"].as_str().unwrap();
    let operator = stack.operator();
    let stolen = operator.act(id, "rebind", json!({"stolen": true})).await;
    assert_eq!(stolen.status, 200);
    stack.run_until_idle().await;
    assert!(!stack.telegram.status(NEW_CHAT, ALICE).is_present());
    // What Telegram reports from there is taken for what it is.
    let status = stack.shop().status(id).await;
    assert!(status["leftAt"].is_string(), "{status}");
}
