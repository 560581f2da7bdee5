//! A real account: what a deployment needs of Telegram, WebEngage and AWS is checked before anybody pays, and watched
//! from then on.

mod doctor;
mod menus;
mod monitor;
mod providers;
mod setup;

use std::collections::HashMap;

use local::harness::TestStack;
use runtime::config::Env;
use serde_json::Value;

/// The second bot of tests with several.
const SECOND_TOKEN: &str = "222333444:AAF-s3cret-second-bot-token-0000000";

/// The environment of a local stack's functions, with what the template adds for `setup`, `monitor` and the doctor.
fn env(stack: &TestStack) -> HashMap<String, String> {
    let mut env = stack.env().clone();
    for (name, queue) in [
        ("INVITE_DEAD_LETTER_QUEUE_URL", "InviteDeadLetterQueue"),
        ("EVENT_DEAD_LETTER_QUEUE_URL", "EventDeadLetterQueue"),
    ] {
        env.insert(name.to_owned(), stack.aws().queue_url(queue));
    }
    env.insert("WEBHOOK_URL".to_owned(), webhook_url(stack));
    let operator = "ann:s3cret-key-of-an-operator".to_owned();
    env.insert("ADMIN_KEYS".to_owned(), operator);
    env
}

/// Where the local stack takes updates.
fn webhook_url(stack: &TestStack) -> String {
    format!("{}/v1/telegram/webhook", stack.local.url)
}

fn read(env: &HashMap<String, String>) -> Env {
    Env::from_iter(env.clone())
}

/// Adds a second bot, which is in the chat of the first, to the environment.
fn add_second_bot(stack: &TestStack, env: &mut HashMap<String, String>) -> i64 {
    let second = stack.telegram.add_bot(SECOND_TOKEN);
    let rights = simulators::telegram::Rights::all();
    stack.telegram.make_admin(second, stack.chat_id, rights);
    for (name, more) in [
        ("TELEGRAM_BOT_TOKEN", SECOND_TOKEN),
        ("TELEGRAM_WEBHOOK_SECRET", "s3cret-of-the-second-bot"),
    ] {
        if let Some(value) = env.get_mut(name) {
            *value = format!("{value},{more}");
        }
    }
    second
}

/// The last registration of a bot's webhook, as it was asked for.
fn registered(stack: &TestStack, bot_id: i64) -> Option<Value> {
    let mut calls = stack.telegram.calls();
    calls.retain(|call| {
        call.bot_id == bot_id && ["setWebhook", "deleteWebhook"].contains(&call.method.as_str())
    });
    let last = calls.pop()?;
    (last.method == "setWebhook").then_some(last.params)
}

/// Fails if a text holds a secret of the environment.
fn assert_clean(env: &HashMap<String, String>, text: &str) {
    for name in [
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_WEBHOOK_SECRET",
        "API_KEYS",
        "WEBENGAGE_API_KEY",
    ] {
        for secret in env
            .get(name)
            .iter()
            .flat_map(|value| value.trim().split(','))
        {
            assert!(
                secret.is_empty() || !text.contains(secret),
                "{name} in {text}"
            );
        }
    }
    assert!(!text.contains("s3cret"), "{text}");
}
