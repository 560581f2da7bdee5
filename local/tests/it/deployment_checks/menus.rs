//! What the bot shows of itself: set once, where it is not so, and what somebody wrote by hand stays.

use std::collections::HashMap;
use std::time::Duration;

use domain::time::Timestamp;
use local::doctor::examine;
use local::harness::TestStack;
use serde_json::json;
use setup::check::{Check, CheckStatus};
use setup::{Outcome, Status};
use simulators::telegram::{Conversation, User};
use tokio::time::Instant;

use super::{env, read, webhook_url};

const OWNER: i64 = 1;
/// One who never started the bot.
const STRANGER: i64 = 2;

async fn set_up(stack: &TestStack, env: &HashMap<String, String>) -> Outcome {
    let event = json!({"WebhookUrl": webhook_url(stack)});
    let deadline = Instant::now() + Duration::from_secs(60);
    let outcome = setup::handle(read(env), &event, "setup", deadline).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    outcome
}

fn of_menus(checks: &[Check]) -> &Check {
    let mut found = checks
        .iter()
        .filter(|check| check.what == "menus of the bot");
    found.next().expect("the menus are looked at")
}

fn writes(stack: &TestStack) -> u64 {
    let methods = ["setMyCommands", "setMyDescription", "setMyShortDescription"];
    methods
        .map(|method| stack.telegram.count(method))
        .iter()
        .sum()
}

async fn looked_at(stack: &TestStack, env: &HashMap<String, String>) -> Check {
    let now = Timestamp::from_ms(stack.clock.now_ms());
    of_menus(&examine(env, None, now).await).clone()
}

#[tokio::test]
async fn setup_gives_everybody_the_menu_of_their_role_and_language_once() {
    let stack = TestStack::with(&[("CHAT_DELIVERY", "claim"), ("BOT_OWNERS", "1,2")]).await;
    let mut env = env(&stack);
    // The stack's own start has made ready what it needs.
    env.insert("DEFAULT_LANGUAGE".to_owned(), "en".to_owned());
    stack.customer(OWNER).say(stack.bot_id, "/start");
    stack.run_until_idle().await;

    set_up(&stack, &env).await;
    let offered = |person: i64, language: &str| {
        let place = Conversation::private(stack.bot_id, person);
        let user = User::new(person).speaking(language);
        stack.telegram.offered_commands(stack.bot_id, place, &user)
    };
    let has = |list: &[String], command: &str| list.iter().any(|offered| offered == command);
    for language in ["en", "ru", "fr"] {
        let of_owner = offered(OWNER, language);
        assert!(
            has(&of_owner, "grant") && has(&of_owner, "access"),
            "{of_owner:?}"
        );
        let of_others = offered(9, language);
        assert!(
            has(&of_others, "access") && !has(&of_others, "buyer"),
            "{of_others:?}"
        );
    }
    assert!(!has(&offered(STRANGER, "en"), "grant"));
    assert_eq!(looked_at(&stack, &env).await.status, CheckStatus::Ok);

    // Again, it sets nothing.
    let before = writes(&stack);
    let outcome = set_up(&stack, &env).await;
    assert!(
        of_menus(&outcome.checks).says.starts_with("0 set"),
        "{outcome:?}"
    );
    assert_eq!(writes(&stack), before);
}

#[tokio::test]
async fn a_menu_that_somebody_changed_is_seen_and_mended_and_a_description_is_left() {
    let stack = TestStack::with(&[("CHAT_DELIVERY", "claim")]).await;
    let env = env(&stack);
    set_up(&stack, &env).await;
    let bots = telegram::Bots::from_env(&mut read(&env), &runtime::clock::Clock::real());
    let bot = bots.iter().next().unwrap();
    let mut menus = domain::texts::menus(domain::texts::Language::English, None, &[]);
    menus[0].commands.truncate(2);
    bot.offer(&menus[0]).await.unwrap();
    let about = telegram::AboutBot::Description;
    bot.set_about(about, None, "Ours").await.unwrap();

    let seen = looked_at(&stack, &env).await;
    assert_eq!(seen.status, CheckStatus::Warning, "{seen:?}");
    assert!(seen.says.contains("run setup"), "{seen:?}");
    let outcome = set_up(&stack, &env).await;
    assert!(
        of_menus(&outcome.checks).says.starts_with("1 set"),
        "{outcome:?}"
    );
    assert_eq!(bot.about(about, None).await.unwrap(), "Ours");
    assert_eq!(looked_at(&stack, &env).await.status, CheckStatus::Ok);
}
