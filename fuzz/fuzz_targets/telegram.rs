//! What a broken or hostile server answers in Telegram's place. First a line with the status and, after a space, the
//! `Retry-After` header; then the body.
//!
//! A link is handed out only if it is for one member, and no error holds a secret or a link or goes on for ever.

#![no_main]

use std::sync::LazyLock;

use domain::id::ChatId;
use domain::time::Timestamp;
use fuzz::{API_KEY, BOT_TOKEN, FuzzWorld, WEBENGAGE_KEY, WEBHOOK_SECRET, chain, head_and_body};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use serde_json::Value;
use telegram::{Bots, TelegramError};

static WORLD: LazyLock<FuzzWorld> = LazyLock::new(FuzzWorld::default);
static BOTS: LazyLock<Bots> =
    LazyLock::new(|| WORLD.start(|env, clock| Bots::from_env(env, &clock)));

fn check(error: &TelegramError) {
    let line = chain(error);
    for secret in [BOT_TOKEN, WEBHOOK_SECRET, API_KEY, WEBENGAGE_KEY] {
        assert!(!line.contains(secret), "a secret is in an error");
    }
    let is_of_link = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_link = |rest: &str| rest.starts_with(is_of_link);
    assert!(
        !line.split("t.me/+").skip(1).any(is_link),
        "a link is in an error: {line}"
    );
    assert!(
        !line.contains(char::is_control),
        "more than a line: {line:?}"
    );
    assert!(line.chars().count() < 400, "an error without end: {line}");
    let _ = error.fault();
}

fuzz_target!(|input: &[u8]| {
    let (head, body) = head_and_body(input);
    let (status, retry_after) = head.split_once(' ').unwrap_or((head, ""));
    WORLD.answer_all(status.parse().unwrap_or(200), retry_after, body);
    let bot = BOTS.iter().next().expect("a bot");
    let chat = ChatId(-1_001_234_567_890);
    WORLD.run(async {
        match bot
            .create_invite_link(chat, "name", Timestamp::from_ms(0))
            .await
        {
            Ok(link) => {
                // What of it is not used need not be UTF-8, nor fit into a number.
                if let Ok(answer) = serde_json::from_slice::<Value>(body) {
                    assert_eq!(answer["ok"], true);
                    assert_eq!(answer["result"]["member_limit"], 1);
                    assert_eq!(answer["result"]["invite_link"], link.expose());
                }
                bot.revoke_invite_link(chat, &link)
                    .await
                    .err()
                    .iter()
                    .for_each(check);
            }
            Err(error) => check(&error),
        }
        bot.webhook_info().await.err().iter().for_each(check);
        bot.updates(0, std::time::Duration::ZERO, &[])
            .await
            .err()
            .iter()
            .for_each(check);
        let secret = SecretString::from("secret");
        bot.set_webhook("https://example.com", &secret, &[])
            .await
            .err()
            .iter()
            .for_each(check);
    });
});
