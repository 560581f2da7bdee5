//! What others say to us: a secret or a link that they repeat is in no record and in no answer.

use axum::Router;
use axum::http::{StatusCode, header};
use domain::id::{ChatId, InviteLink};
use local::harness::{ExternalServices, TestStack, any_port, until};
use runtime::config::Env;
use runtime::redaction::is_secret;
use runtime::telemetry::chain;
use serde_json::json;
use simulators::telegram::{Fault, Refusal};
use telegram::Bots;
use tokio::net::TcpListener;

const TOKEN: &str = "987654321:AAF-repeated-bot-token-0123456789";

/// A server that answers every call with this, as a proxy between us and the others does.
async fn proxy(
    status: StatusCode,
    kind: &'static str,
    body: impl Fn(String) -> String + Clone + Send + Sync + 'static,
) -> String {
    let answer = move |uri: axum::http::Uri| {
        let body = body(uri.to_string());
        async move { (status, [(header::CONTENT_TYPE, kind)], body) }
    };
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test]
async fn an_answer_that_repeats_a_secret_or_a_link_leaves_none_in_the_record() {
    let externals = ExternalServices::start(TOKEN, "repeated-webengage-key").await;
    let echo = |uri: String| {
        let said = format!(
            "Bad Request: no {uri}, token {TOKEN}, hook repeated-webhook-secret, https://t.me/+AbCdEfGhIjKlMnOp"
        );
        json!({"ok": false, "error_code": 400, "description": said}).to_string()
    };
    let base = proxy(StatusCode::BAD_REQUEST, "application/json", echo).await;
    let env = [
        ("TELEGRAM_API_BASE", base.as_str()),
        ("TELEGRAM_WEBHOOK_SECRET", "repeated-webhook-secret"),
    ];
    let mut env = Env::from_iter(externals.env().into_iter().chain(env));
    let bots = Bots::from_env(&mut env, &runtime::clock::Clock::real());
    let bot = bots.iter().next().unwrap();
    let link = InviteLink::new("https://t.me/+AbCdEfGhIjKlMnOp");
    let chat = ChatId(externals.chat_id);
    let refused = [
        bot.me().await.err().unwrap(),
        bot.revoke_invite_link(chat, &link).await.err().unwrap(),
    ];
    for error in refused {
        let said = format!("{error} {error:?} {}", chain(&error));
        for secret in [
            TOKEN,
            "AAF-repeated",
            "repeated-webhook-secret",
            "AbCdEfGhIjKlMnOp",
        ] {
            assert!(!said.contains(secret), "{said}");
        }
        assert!(said.contains("Bad Request: no /bot"), "{said}");
    }
}

#[tokio::test]
async fn what_telegram_repeats_of_a_secret_is_not_in_the_status_of_a_request() {
    let stack = TestStack::with(&[("MAX_ATTEMPTS", "1")]).await;
    let shop = stack.shop();
    let token = stack.env()["TELEGRAM_BOT_TOKEN"].clone();
    let words = format!("Bad Request: /bot{token}/createChatInviteLink t.me/+AbCdEfGhIjKlMnOp");
    stack
        .telegram
        .fail_mints(1, Fault::Refuse(Refusal::new(400, words)));
    let id = shop.bought("u1", "T1").await;
    let error = until("a reason", async || {
        shop.status(&id).await["error"].as_str().map(str::to_owned)
    })
    .await;
    assert!(
        error.contains("Bad Request: /bot[") && !error.contains(&token),
        "{error}"
    );
    assert!(
        error.contains("[link]") && !error.contains("AbCdEf"),
        "{error}"
    );
    stack.run_until_idle().await;
}

#[test]
fn every_setting_that_is_called_a_secret_is_cleared_from_what_others_say() {
    let operations = include_str!("../../../../docs/OPERATIONS.md");
    let rows = operations.lines().filter(|line| line.starts_with("| `"));
    let secrets: Vec<&str> = rows
        .filter_map(|row| row.split_once(" (secret) |").map(|(name, _)| name))
        .flat_map(|names| names.split('`').filter(|name| name.contains('_')))
        .collect();
    assert!(secrets.len() >= 6, "{secrets:?}");
    for name in secrets {
        // A licence code stands in the URL of WebEngage's own pages.
        let is_right = is_secret(name) || name == "WEBENGAGE_LICENSE_CODE";
        assert!(is_right, "{name} is a secret by no rule of its name");
    }
    assert!(!is_secret("TELEGRAM_CHAT_ID") && !is_secret("AWS_ACCESS_KEY_ID"));
}
