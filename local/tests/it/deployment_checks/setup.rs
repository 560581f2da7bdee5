//! `setup`: CloudFormation's calls, answered at its presigned URL, and a person's.

mod failures;
mod settings;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use local::harness::{TestStack, any_port};
use serde_json::{Value, json};
use setup::{Outcome, Status, Unanswered};
use tokio::time::Instant;

use super::{add_second_bot, assert_clean, env, read, registered, webhook_url};
use crate::startup::spawn;

/// What was put, as S3 would see it.
#[derive(Debug)]
struct Put {
    headers: Vec<String>,
    answer: Value,
    length: usize,
}

/// Where CloudFormation waits for answers.
struct Waiting {
    url: String,
    put: Arc<Mutex<Vec<Put>>>,
}

impl Waiting {
    /// Refuses the first answers with these statuses.
    async fn refusing(refusals: &[u16]) -> Self {
        let put = Arc::<Mutex<Vec<Put>>>::default();
        let refusals: Arc<Mutex<Vec<u16>>> = Arc::new(Mutex::new(refusals.to_vec()));
        let taken = Arc::clone(&put);
        let take = async move |request: Request| {
            assert_eq!(request.method(), "PUT");
            assert_eq!(request.uri().query(), Some("X-Amz-Signature=s3cret"));
            let refusal = {
                let mut refusals = refusals.lock().unwrap();
                (!refusals.is_empty()).then(|| refusals.remove(0))
            };
            if let Some(status) = refusal {
                return StatusCode::from_u16(status).unwrap();
            }
            let headers = request.headers().keys().map(ToString::to_string).collect();
            let body = axum::body::to_bytes(request.into_body(), usize::MAX).await;
            let body = body.unwrap();
            taken.lock().unwrap().push(Put {
                headers,
                answer: serde_json::from_slice(&body).unwrap(),
                length: body.len(),
            });
            StatusCode::OK
        };
        let listener = tokio::net::TcpListener::bind(any_port()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
        Self {
            url: format!("http://{address}/response?X-Amz-Signature=s3cret"),
            put,
        }
    }

    async fn start() -> Self {
        Self::refusing(&[]).await
    }

    /// The one answer that came.
    fn answer(&self) -> Value {
        let put = std::mem::take(&mut *self.put.lock().unwrap());
        let [one] = &put[..] else {
            panic!("one answer, not {put:?}");
        };
        // The URL is signed for a body without a type.
        assert!(!one.headers.contains(&"content-type".to_owned()), "{one:?}");
        assert!(one.length <= 4096, "{}", one.length);
        one.answer.clone()
    }
}

/// A call as CloudFormation makes it.
fn call(kind: &str, waiting: &Waiting, webhook_url: &str) -> Value {
    json!({
        "RequestType": kind, "ResponseURL": waiting.url, "RequestId": "6f1b", "LogicalResourceId": "Registration",
        "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/admit-one/1",
        "ResourceType": "Custom::AdmitOneSetup",
        "ResourceProperties": {
            "ServiceToken": "arn:aws:lambda:us-east-1:000000000000:function:setup", "WebhookUrl": webhook_url,
            "SetupVersion": "arn:aws:lambda:us-east-1:000000000000:function:setup:9", "DeployId": "41",
        },
    })
}

/// Calls the function with enough time.
async fn invoke(env: &HashMap<String, String>, event: &Value) -> Result<Outcome, Unanswered> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let outcome = setup::handle(read(env), event, "admit-one-setup", deadline).await;
    let shown = match &outcome {
        Ok(outcome) => serde_json::to_string(outcome).unwrap(),
        Err(unanswered) => unanswered.to_string(),
    };
    assert_clean(env, &shown);
    outcome
}

#[tokio::test]
async fn a_created_stack_has_its_webhook_registered_and_is_told_so() {
    let stack = TestStack::start().await;
    let env = env(&stack);
    let url = webhook_url(&stack);
    let waiting = Waiting::start().await;
    // Nobody has registered it.
    let deleted = call("Delete", &waiting, &url);
    invoke(&env, &deleted).await.unwrap();
    assert!(registered(&stack, stack.bot_id).is_none());
    waiting.answer();
    let outcome = invoke(&env, &call("Create", &waiting, &url)).await.unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    let said = format!("Ready: bots 1, chats 1, updates come to {url}.");
    assert_eq!(
        waiting.answer(),
        json!({
            "Status": "SUCCESS", "Reason": said, "Data": {"Result": said},
            "PhysicalResourceId": "admit-one-setup", "RequestId": "6f1b", "LogicalResourceId": "Registration",
            "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/admit-one/1",
        })
    );
    let asked = registered(&stack, stack.bot_id).unwrap();
    assert_eq!(
        asked,
        json!({
            "url": url, "secret_token": env["TELEGRAM_WEBHOOK_SECRET"], "allowed_updates": ["chat_member", "my_chat_member"],
            "max_connections": 40,
        })
    );
    // No event reached WebEngage, and joins come.
    assert_eq!(stack.webengage.ingested_count(), 0);
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.customer(77).join_by(&link);
    stack
        .shop()
        .until(&id, "the join", |status| status["joined"] == true)
        .await;
    stack.run_until_idle().await;
}

#[tokio::test]
async fn the_same_call_again_changes_nothing_and_each_bot_has_its_own_secret() {
    let stack = TestStack::start().await;
    let mut env = env(&stack);
    let second = add_second_bot(&stack, &mut env);
    let url = webhook_url(&stack);
    let waiting = Waiting::start().await;
    let mut update = call("Update", &waiting, &url);
    update["PhysicalResourceId"] = json!("as-it-was");
    for _ in 0..2 {
        let outcome = invoke(&env, &update).await.unwrap();
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        let answer = waiting.answer();
        assert_eq!(answer["PhysicalResourceId"], "as-it-was");
        assert_eq!(
            answer["Reason"],
            format!("Ready: bots 2, chats 1, updates come to {url}.")
        );
        for (bot, address, secret) in [
            (
                stack.bot_id,
                url.clone(),
                stack.env()["TELEGRAM_WEBHOOK_SECRET"].as_str(),
            ),
            // Each bot counts its updates by itself.
            (
                second,
                format!("{url}/{second}"),
                "s3cret-of-the-second-bot",
            ),
        ] {
            let asked = registered(&stack, bot).unwrap();
            assert_eq!(
                (&asked["url"], &asked["secret_token"]),
                (&json!(address), &json!(secret))
            );
        }
    }
}

#[tokio::test]
async fn a_deleted_stack_takes_its_own_webhook_along_and_no_other() {
    let stack = TestStack::start().await;
    let mut env = env(&stack);
    let second = add_second_bot(&stack, &mut env);
    let url = webhook_url(&stack);
    let waiting = Waiting::start().await;
    invoke(&env, &call("Create", &waiting, &url)).await.unwrap();
    waiting.answer();
    // The second bot has moved to another deployment meanwhile.
    let moved = json!({"WebhookUrl": "https://other.example/v1/telegram/webhook"});
    let mut env_of_second = env.clone();
    let last = |list: &String| list.rsplit(',').next().unwrap().to_owned();
    for name in ["TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_SECRET"] {
        env_of_second.insert(name.to_owned(), last(&env[name]));
    }
    let outcome = invoke(&env_of_second, &moved).await.unwrap();
    assert!(
        outcome
            .says
            .contains("before, the bot's updates went to 127.0.0.1"),
        "{}",
        outcome.says
    );
    let outcome = invoke(&env, &call("Delete", &waiting, &url)).await.unwrap();
    assert_eq!(
        outcome.says,
        format!(
            "Webhook of bot {}: removed. Webhook of bot {second}: left alone, since it is not ours.",
            stack.bot_id
        )
    );
    assert_eq!(waiting.answer()["Status"], "SUCCESS");
    assert!(registered(&stack, stack.bot_id).is_none());
    assert_eq!(
        registered(&stack, second).unwrap()["url"],
        moved["WebhookUrl"]
    );
}

#[tokio::test]
async fn a_person_s_call_is_answered_directly_and_registers_only_what_it_names() {
    let stack = TestStack::start().await;
    let env = env(&stack);
    let before = stack.telegram.count("setWebhook");
    let outcome = invoke(&env, &json!({})).await.unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    assert!(
        outcome.says.contains("no webhook was registered"),
        "{}",
        outcome.says
    );
    assert_eq!(stack.telegram.count("setWebhook"), before);
    let whats: Vec<&str> = outcome
        .checks
        .iter()
        .map(|check| check.what.as_str())
        .collect();
    let (bot, chat) = (stack.bot_id, stack.chat_id);
    assert_eq!(
        whats,
        [
            format!("bot {bot}"),
            format!("bot {bot} in chat {chat}"),
            "WebEngage".to_owned(),
            format!("webhook of bot {bot}"),
        ]
    );
    let named = json!({"WebhookUrl": webhook_url(&stack)});
    let outcome = invoke(&env, &named).await.unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    assert_eq!(stack.telegram.count("setWebhook"), before + 1);
}

/// What Lambda runs: the secret is read at each call, since it is filled in between the first and the second.
#[tokio::test]
async fn on_lambda_the_first_deploy_says_what_to_fill_in_and_the_call_after_it_is_ready() {
    const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:admit-one-AbCdEf";
    let stack = TestStack::start().await;
    let mut env = env(&stack);
    let names = [
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_WEBHOOK_SECRET",
        "API_KEYS",
        "ADMIN_KEYS",
        "WEBENGAGE_LICENSE_CODE",
        "WEBENGAGE_API_KEY",
    ];
    let secret: HashMap<&str, String> = names
        .into_iter()
        .map(|name| (name, env.remove(name).unwrap()))
        .collect();
    env.insert("SECRETS_ARN".to_owned(), ARN.to_owned());
    env.remove("WEBHOOK_URL");
    stack.aws().put_secret(ARN, "{}");
    let pairs: Vec<(&str, &str)> = env
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let function = spawn("setup", &pairs).await;
    let waiting = Waiting::start().await;
    let url = webhook_url(&stack);
    let created = call("Create", &waiting, &url).to_string().into_bytes();
    function.invoke(created).await.unwrap();
    let answer = waiting.answer();
    assert_eq!(answer["Status"], "SUCCESS");
    let says = answer["Data"]["Result"].as_str().unwrap();
    for words in [
        "still empty",
        "ADMIN_KEYS",
        ARN,
        "aws lambda invoke --function-name setup",
        &format!(r#"--payload '{{"WebhookUrl":"{url}"}}'"#),
    ] {
        assert!(says.contains(words), "{words}: {says}");
    }
    stack
        .aws()
        .put_secret(ARN, &serde_json::to_string(&secret).unwrap());
    let by_hand = json!({"WebhookUrl": url}).to_string().into_bytes();
    let answer = function.invoke(by_hand).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert!(answer["Result"].as_str().unwrap().starts_with("Ready"));
    let logs = function.logs().concat();
    for secret in secret.values().filter(|value| *value != "simulated") {
        assert!(!logs.contains(secret.as_str()), "{logs}");
    }
    assert!(!logs.contains("s3cret"), "{logs}");
}
