//! `doctor`: everything green, each red with what to do, and nothing secret on the screen.

use std::collections::HashMap;
use std::process::Output;
use std::time::Duration;

use domain::time::Timestamp;
use local::doctor::examine;
use local::harness::TestStack;
use serde_json::Value;
use setup::check::{Check, CheckStatus};
use simulators::telegram::{Fault, FaultRule, Refusal, Rights};
use simulators::webengage::Mode;
use tokio::process::Command;

use super::{assert_clean, env};

async fn checks(stack: &TestStack, env: &HashMap<String, String>) -> Vec<Check> {
    let now = Timestamp::from_ms(stack.clock.now_ms());
    let checks = examine(env, None, now).await;
    assert_clean(env, &serde_json::to_string(&checks).unwrap());
    checks
}

/// What is not as it should be: how it came out, and the line.
async fn wrong(stack: &TestStack, env: &HashMap<String, String>) -> Vec<(CheckStatus, String)> {
    let mut all = checks(stack, env).await;
    all.retain(|check| check.status != CheckStatus::Ok);
    all.into_iter()
        .map(|check| (check.status, format!("{}: {}", check.what, check.says)))
        .collect()
}

#[tokio::test]
async fn a_deployment_that_can_work_is_green_all_over() {
    let stack = TestStack::start().await;
    let all = checks(&stack, &env(&stack)).await;
    assert!(
        all.iter().all(|check| check.status == CheckStatus::Ok),
        "{all:#?}"
    );
    let (bot, chat) = (stack.bot_id, stack.chat_id);
    let lines: Vec<String> = all
        .iter()
        .map(|check| format!("{}: {}", check.what, check.says))
        .collect();
    assert_eq!(
        lines,
        [
            format!("bot {bot}: @simulated_{bot}_bot answers"),
            format!("bot {bot} in chat {chat}: “Premium Club”, a supergroup: an administrator who may invite users"),
            format!("webhook of bot {bot}: registered; 0 updates wait"),
            "WebEngage: knows the licence and the key (asked with an event that it must refuse: none was ingested)".to_owned(),
            "InviteRequests: it can be used".to_owned(),
            "InviteLinks: it can be used".to_owned(),
            "ChatTasks: it can be used".to_owned(),
            "RateLimits: it can be used".to_owned(),
            "LinkPool: it can be used".to_owned(),
            "Dedup: it can be used".to_owned(),
            "Bots: it can be used".to_owned(),
            "Chats: it can be used".to_owned(),
            "Members: it can be used".to_owned(),
            "Messages: it can be used".to_owned(),
            "MessageTasks: it can be used".to_owned(),
            "Updates: it can be used".to_owned(),
            "UpdateFeed: it can be used".to_owned(),
            "Actors: it can be used".to_owned(),
            "RelayMap: it can be used".to_owned(),
            "People: it can be used".to_owned(),
            "Jobs: it can be used".to_owned(),
            "Erasures: it can be used".to_owned(),
            "Endpoints: it can be used".to_owned(),
            "Deliveries: it can be used".to_owned(),
            "Orders: it can be used".to_owned(),
            "Reservations: it can be used".to_owned(),
            "PaymentEvents: it can be used".to_owned(),
            "PaymentRefs: it can be used".to_owned(),
            "Ledger: it can be used".to_owned(),
            "Payables: it can be used".to_owned(),
            "Products: it can be used".to_owned(),
            "Quotes: it can be used".to_owned(),
            "InviteQueue: empty".to_owned(),
            "EventQueue: empty".to_owned(),
            "MessageQueue: empty".to_owned(),
            "HookQueue: empty".to_owned(),
            "PaymentQueue: empty".to_owned(),
            "InviteDeadLetterQueue: empty".to_owned(),
            "EventDeadLetterQueue: empty".to_owned(),
        ]
    );
    assert_eq!(stack.webengage.ingested_count(), 0);
}

#[tokio::test]
async fn each_red_says_what_to_do() {
    type Spoil = fn(&TestStack, &mut HashMap<String, String>);
    fn set(env: &mut HashMap<String, String>, name: &str, value: &str) {
        env.insert(name.to_owned(), value.to_owned());
    }
    let spoils: [(Spoil, CheckStatus, &str); 18] = [
        (
            |_, env| set(env, "API_KEYS", " "),
            CheckStatus::Failed,
            "environment: API_KEYS is missing; put it right in the environment or in the secret",
        ),
        (
            |_, env| set(env, "TELEGRAM_BOT_TOKEN", "s3cret"),
            CheckStatus::Failed,
            "environment: TELEGRAM_BOT_TOKEN is no bot token",
        ),
        (
            |_, env| set(env, "TELEGRAM_CHAT_ID", "s3cret"),
            CheckStatus::Failed,
            "environment: TELEGRAM_CHAT_ID must be chat ids such as",
        ),
        (
            |stack, _| stack.telegram.revoke_token(stack.bot_id),
            CheckStatus::Failed,
            "put the bot's present token, from @BotFather, into TELEGRAM_BOT_TOKEN",
        ),
        (
            |stack, _| {
                let frozen = Refusal::new(400, "Bad Request: FROZEN_METHOD_INVALID");
                let rule = FaultRule::on("getChatMember", Fault::Refuse(frozen));
                stack.telegram.fail(rule);
            },
            CheckStatus::Failed,
            "the bot's account is frozen by Telegram: appeal",
        ),
        (
            |stack, _| {
                let frozen = Refusal::new(400, "Bad Request: FROZEN_PARTICIPANT_MISSING");
                let rule = FaultRule::on("getMe", Fault::Refuse(frozen));
                stack.telegram.fail(rule);
            },
            CheckStatus::Failed,
            "the bot's account is frozen by Telegram: appeal",
        ),
        (
            |_, env| {
                set(env, "TELEGRAM_API_BASE", "http://127.0.0.1:9");
                set(env, "HTTPS_PROXY", "http://127.0.0.1:9");
            },
            CheckStatus::Failed,
            "put the address of a reverse proxy into TELEGRAM_API_BASE, since HTTPS_PROXY and its kind are not used",
        ),
        (
            |stack, _| stack.telegram.demote_bot(stack.bot_id, stack.chat_id),
            CheckStatus::Failed,
            "make it one who may invite users",
        ),
        (
            |stack, _| {
                let rights = Rights {
                    can_restrict_members: false,
                    ..Rights::all()
                };
                stack
                    .telegram
                    .make_admin(stack.bot_id, stack.chat_id, rights);
            },
            CheckStatus::Warning,
            "the bot may not ban users",
        ),
        (
            |_, env| {
                set(
                    env,
                    "WEBHOOK_URL",
                    "https://ours.example/v1/telegram/webhook",
                )
            },
            CheckStatus::Failed,
            "is another deployment using the same bot?; register it with the setup function, or start the local stack with PUBLIC_URL",
        ),
        (
            |_, env| {
                set(env, "WEBHOOK_URL", "");
                set(env, "PUBLIC_URL", "https://shop.example/");
            },
            CheckStatus::Failed,
            "another URL than https://shop.example/v1/telegram/webhook, on 127.0.0.1",
        ),
        (
            |stack, _| stack.webengage.set_mode(Mode::NotFound),
            CheckStatus::Failed,
            "check WEBENGAGE_LICENSE_CODE, and WEBENGAGE_API_BASE for the data centre",
        ),
        (
            |stack, _| {
                stack
                    .webengage
                    .set_mode(Mode::RateLimited { retry_after: None })
            },
            CheckStatus::Warning,
            "WebEngage limits the rate: licence and key are not checked",
        ),
        (
            |_, env| set(env, "RATE_LIMITS_TABLE", "Elsewhere"),
            CheckStatus::Failed,
            "check its name, the region, and the right dynamodb:DescribeTable",
        ),
        (
            |_, env| {
                let url = env["EVENT_QUEUE_URL"].replace("EventQueue", "Elsewhere");
                set(env, "EVENT_QUEUE_URL", &url);
            },
            CheckStatus::Failed,
            "check its URL, the region, and the right sqs:GetQueueAttributes",
        ),
        (
            |_, env| set(env, "AWS_ACCESS_KEY_ID", ""),
            CheckStatus::Failed,
            "environment: AWS_ACCESS_KEY_ID is missing",
        ),
        (
            |_, env| {
                set(
                    env,
                    "SECRETS_ARN",
                    "arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf",
                )
            },
            CheckStatus::Failed,
            "secret: the secret that SECRETS_ARN names can't be read",
        ),
        (
            |_, env| {
                set(
                    env,
                    "SECRETS_ARN",
                    "arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf",
                );
                set(env, "AWS_SECRET_ACCESS_KEY", "");
            },
            CheckStatus::Failed,
            "aws configure export-credentials --format env",
        ),
    ];
    for (spoil, status, words) in spoils {
        let stack = TestStack::start().await;
        let mut env = env(&stack);
        spoil(&stack, &mut env);
        let wrong = wrong(&stack, &env).await;
        let found = wrong.iter().find(|(_, line)| line.contains(words));
        assert_eq!(
            found.map(|(status, _)| *status),
            Some(status),
            "{words}: {wrong:#?}"
        );
        assert!(wrong.len() <= 2, "{words}: {wrong:#?}");
    }
}

#[tokio::test]
async fn dead_letters_and_deliveries_that_fail_are_red() {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    let env = env(&stack);
    stack.send_raw("EventDeadLetterQueue", "{}").await;
    let lines = wrong(&stack, &env).await;
    let [(CheckStatus::Failed, line)] = &lines[..] else {
        panic!("{lines:#?}");
    };
    assert!(
        line.starts_with("EventDeadLetterQueue: 1 dead letters: find out why"),
        "{line}"
    );
    // The webhook's secret was changed and not registered.
    let (_, link) = stack.admitted("u1", "T1").await;
    let bot = telegram::Bots::from_env(&mut super::read(&env), &runtime::clock::Clock::real());
    let bot = bot.iter().next().unwrap();
    let url = &env["WEBHOOK_URL"];
    bot.set_webhook(url, &"another".into(), &["chat_member", "my_chat_member"])
        .await
        .unwrap();
    stack.customer(77).join_by(&link);
    local::harness::until("a failed delivery", async || {
        let mut deliveries = stack.telegram.deliveries().into_iter();
        deliveries
            .any(|delivery| delivery.status == Some(401))
            .then_some(())
    })
    .await;
    let lines = wrong(&stack, &env).await;
    let words = "run the setup function again";
    assert!(
        lines
            .iter()
            .any(|(status, line)| *status == CheckStatus::Failed && line.contains(words)),
        "{lines:#?}"
    );
}

/// Runs the command.
async fn run(arguments: &[&str], env: &HashMap<String, String>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.env_clear().envs(env).arg("doctor").args(arguments);
    let ended = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(30), ended).await;
    let output = output.expect("it ends").unwrap();
    for text in [&output.stdout, &output.stderr] {
        assert_clean(env, &String::from_utf8_lossy(text));
    }
    output
}

#[tokio::test]
async fn the_command_prints_a_line_for_each_or_json_and_fails_if_one_is_red() {
    let stack = TestStack::start().await;
    let mut env = env(&stack);
    let output = run(&[], &env).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let all = checks(&stack, &env).await.len();
    assert_eq!(text.lines().count(), all, "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("ok      ")),
        "{text}"
    );
    env.insert("TELEGRAM_CHAT_ID".to_owned(), "-100404".to_owned());
    let output = run(&["--json", "--webhook-url", "https://ours.example/"], &env).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("admit-one: 2 of {all} checks failed\n")
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let failed = report["checks"].as_array().unwrap().iter();
    let failed: Vec<&str> = failed
        .filter(|check| check["status"] == "failed")
        .map(|check| check["what"].as_str().unwrap())
        .collect();
    let bot = stack.bot_id;
    assert_eq!(
        failed,
        [
            format!("bot {bot} in chat -100404"),
            format!("webhook of bot {bot}")
        ]
    );
}
