//! A rotated secret needs no deploy: it is read when it is first needed.

use local::harness::TestStack;
use serde_json::json;

use crate::metrics_and_traces::bell;
use crate::startup::{env_without, purchase, spawn, status_of};

const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:admit-one-AbCdEf";

#[tokio::test]
async fn a_rotated_key_is_read_when_it_is_first_shown() {
    let stack = TestStack::start().await;
    let put = |keys: &str| {
        let secret = json!({ "API_KEYS": keys });
        stack.aws().put_secret(ARN, &secret.to_string());
    };
    put("first-key");
    let mut env = env_without(&stack, &["API_KEYS", "SECRETS_ARN"]);
    env.push(("SECRETS_ARN", ARN));
    let request = spawn("request", &env).await;
    assert_eq!(status_of(&request, purchase("first-key")).await, 200);
    put("second-key");
    assert_eq!(status_of(&request, purchase("second-key")).await, 200);
    assert_eq!(status_of(&request, purchase("first-key")).await, 401);
    // Whoever guesses does not make it read the secret each time.
    put("third-key");
    assert_eq!(status_of(&request, purchase("third-key")).await, 401);
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_rotated_bot_token_is_read_when_the_old_one_is_refused() {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    let put = |token: &str| {
        let secret = json!({ "TELEGRAM_BOT_TOKEN": token });
        stack.aws().put_secret(ARN, &secret.to_string());
    };
    put(&stack.env()["TELEGRAM_BOT_TOKEN"]);
    let mut env = env_without(&stack, &["TELEGRAM_BOT_TOKEN", "SECRETS_ARN"]);
    env.push(("SECRETS_ARN", ARN));
    stack.pause_schedule();
    let worker = spawn("worker", &env).await;
    stack.put_mint(1).await;
    worker.invoke(bell(&stack)).await.unwrap();
    assert_eq!(stack.telegram.link_count(), 1);

    let rotated = format!("{}:AAwhatBotFatherMadeAnewwhatBotFather", stack.bot_id);
    stack.telegram.revoke_token(stack.bot_id);
    stack.telegram.restore_token(&rotated);
    put(&rotated);
    // This call is refused, and opens the circuit of the bot.
    stack.put_mint(2).await;
    worker.invoke(bell(&stack)).await.unwrap();
    assert_eq!(stack.telegram.link_count(), 1);
    let forget = stack.dynamodb().delete_item().table_name("RateLimits");
    let key = aws_sdk_dynamodb::types::AttributeValue::S(stack.chat_id.to_string());
    forget.key("limitKey", key).send().await.unwrap();
    stack.put_mint(3).await;
    worker.invoke(bell(&stack)).await.unwrap();
    assert_eq!(stack.telegram.link_count(), 3, "{:#?}", worker.logs());
}
