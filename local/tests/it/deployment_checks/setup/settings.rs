//! Settings that another function would refuse to start with, or that contradict each other: the deployment fails by them,
//! not the first sale.

use super::*;

/// What is set, and the words of the reason.
const WRONG: [(&[(&str, &str)], &str); 12] = [
    (
        &[("LINK_POOL_TARGET", "-100404=5")],
        "LINK_POOL_TARGET must be a number of links",
    ),
    (
        &[("LINK_POOL_TARGET", "5"), ("LINK_POOL_TTL_SEC", "172800")],
        "LINK_POOL_TTL_SEC must be longer than INVITE_TTL_SEC",
    ),
    (
        &[("LINK_POOL_TARGET", "5"), ("RETENTION_DAYS", "29")],
        "LINK_POOL_TTL_SEC is longer than RETENTION_DAYS",
    ),
    (
        &[("INVITE_TTL_SEC", "7776001")],
        "INVITE_TTL_SEC is longer than RETENTION_DAYS",
    ),
    (
        &[("TELEGRAM_CHAT_ID", "@premium")],
        "TELEGRAM_CHAT_ID must be chat ids",
    ),
    (
        &[("ADMIN_KEYS", "s3cret-key-without-a-name")],
        "ADMIN_KEYS must be name:key pairs",
    ),
    (
        &[("ADMIN_KEYS", "ann:s3cret")],
        "keys of at least 16 characters",
    ),
    (&[("ADMIN_KEYS", " ")], "ADMIN_KEYS: there are none"),
    (&[("API_KEYS", ",")], "API_KEYS holds nothing but commas"),
    (
        &[("TELEGRAM_WEBHOOK_SECRET", " ,")],
        "TELEGRAM_WEBHOOK_SECRET holds nothing but commas",
    ),
    (
        &[("MAX_ATTEMPTS", "0"), ("DUPLICATE_WINDOW_SEC", "1.5")],
        "MAX_ATTEMPTS must be a whole number from 1 to 1000; DUPLICATE_WINDOW_SEC must be",
    ),
    (
        &[("SAFE_RPS_SLEEP_MS", "33")],
        "SAFE_RPS_SLEEP_MS must be a whole number from 34 to 60000",
    ),
];

#[tokio::test]
async fn settings_that_another_function_would_refuse_fail_the_deploy_and_change_nothing() {
    let stack = TestStack::start().await;
    let right = env(&stack);
    let url = webhook_url(&stack);
    let before = stack.telegram.count("setWebhook");
    for (set, words) in WRONG {
        let mut env = right.clone();
        env.extend(
            set.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let waiting = Waiting::start().await;
        let outcome = invoke(&env, &call("Create", &waiting, &url)).await.unwrap();
        assert_eq!(outcome.status, Status::Failed, "{words}: {outcome:?}");
        let answer = waiting.answer();
        assert_eq!(answer["Status"], "FAILED", "{words}");
        let reason = answer["Reason"].as_str().unwrap();
        assert!(reason.contains(words), "{words}: {reason}");
    }
    assert_eq!(stack.telegram.count("setWebhook"), before);
    // The same pairs that fit each other.
    let mut env = right;
    let fitting = [
        ("LINK_POOL_TARGET", format!("{}=5", stack.chat_id)),
        ("LINK_POOL_TTL_SEC", "172801".to_owned()),
        ("RETENTION_DAYS", "28".to_owned()),
    ];
    env.extend(fitting.map(|(name, value)| (name.to_owned(), value)));
    let waiting = Waiting::start().await;
    let outcome = invoke(&env, &call("Create", &waiting, &url)).await.unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
}
