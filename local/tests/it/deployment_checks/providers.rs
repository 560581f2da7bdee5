//! What a deployment needs of the providers of payments: found, said what to do, and put right where that can be.

use std::collections::HashMap;

use domain::stripe::{API_VERSION, EVENT_TYPES};
use domain::time::Timestamp;
use form_urlencoded::Serializer;
use local::doctor::examine;
use local::harness::TestStack;
use serde_json::{Value, json};
use setup::Status;
use setup::check::{Check, CheckStatus};
use simulators::stripe::{StripeFault, StripeFaultRule};
use tokio::time::{Duration, Instant};

use super::{assert_clean, env, read, webhook_url};

/// What a restricted key needs at the simulator.
const RIGHTS: [&str; 12] = [
    "accounts_kyc_basic_read",
    "charge_read",
    "checkout_session_write",
    "coupon_write",
    "customer_portal_read",
    "dispute_read",
    "event_read",
    "invoice_read",
    "payment_intent_read",
    "refund_write",
    "subscription_write",
    "webhook_write",
];

async fn selling() -> (TestStack, HashMap<String, String>) {
    let stack = TestStack::with(&[("PAYMENTS_MODE", "test")]).await;
    let env = env(&stack);
    (stack, env)
}

/// What the doctor finds out about providers.
async fn looked(stack: &TestStack, env: &HashMap<String, String>) -> Vec<Check> {
    let now = Timestamp::from_ms(stack.clock.now_ms());
    let mut checks = examine(env, None, now).await;
    let shown = serde_json::to_string(&checks).unwrap();
    assert_clean(env, &shown);
    for secret in [
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "NOWPAYMENTS_PASSWORD",
    ] {
        assert!(!shown.contains(&env[secret]), "{secret} in {shown}");
    }
    checks.retain(is_of_provider);
    checks
}

fn is_of_provider(check: &Check) -> bool {
    let names = ["Stripe", "NOWPayments", "Stars"];
    names.iter().any(|name| check.what.contains(name))
}

fn lines(checks: &[Check]) -> Vec<String> {
    let line = |check: &Check| format!("{}: {}", check.what, check.says);
    checks.iter().map(line).collect()
}

/// Runs `setup`, as an operator does who names where updates go.
async fn set_up(stack: &TestStack, env: &HashMap<String, String>) -> (Status, Vec<Check>) {
    let event = json!({"WebhookUrl": webhook_url(stack)});
    let deadline = Instant::now() + Duration::from_secs(60);
    let outcome = setup::handle(read(env), &event, "admit-one-setup", deadline);
    let outcome = outcome.await.unwrap();
    assert_clean(env, &serde_json::to_string(&outcome).unwrap());
    (outcome.status, outcome.checks)
}

async fn call(stack: &TestStack, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
    let key = &stack.env()["STRIPE_SECRET_KEY"];
    let form = Serializer::new(String::new()).extend_pairs(form).finish();
    let call = http::Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(bytes::Bytes::from(form))
        .unwrap();
    let answer = stack.stripe().call(call).await.unwrap();
    serde_json::from_slice(answer.body()).unwrap()
}

/// The one endpoint of the account.
async fn endpoint(stack: &TestStack) -> Value {
    let all = call(stack, "GET", "/v1/webhook_endpoints", &[]).await;
    let [one] = &all["data"].as_array().unwrap()[..] else {
        panic!("{all}");
    };
    one.clone()
}

async fn change(stack: &TestStack, form: &[(&str, &str)]) {
    let id = endpoint(stack).await["id"].as_str().unwrap().to_owned();
    call(stack, "POST", &format!("/v1/webhook_endpoints/{id}"), form).await;
}

#[tokio::test]
async fn a_deployment_whose_providers_are_ready_is_green() {
    let (stack, mut env) = selling().await;
    let url = format!("{}/v1/payments/stripe", stack.local.url);
    let id = endpoint(&stack).await["id"].clone();
    let id = id.as_str().unwrap();
    let green = |rights: &[&str]| {
        let mut lines =
            vec!["Stripe: knows the key, of test mode; account acct_1AdmitOneSimulated".to_owned()];
        lines.extend(rights.iter().map(|line| (*line).to_owned()));
        lines.extend([
            "Stripe's customer portal: none is set up".to_owned(),
            "NOWPayments: knows the key; coins: 6".to_owned(),
            "NOWPayments' login: is right".to_owned(),
            "Stars: the front bot may take them".to_owned(),
            format!("Stripe's webhook endpoint: {id} tells our events to {url}"),
        ]);
        lines
    };
    let checks = looked(&stack, &env).await;
    assert_eq!(lines(&checks), green(&[]));
    let is_green = |check: &Check| check.status == CheckStatus::Ok;
    assert!(checks.iter().all(is_green), "{checks:#?}");
    let events = stack.stripe().events().len();
    stack.stripe().add_restricted_key("rk_test_enough", &RIGHTS);
    env.insert("STRIPE_SECRET_KEY".to_owned(), "rk_test_enough".to_owned());
    let checks = looked(&stack, &env).await;
    let has_all = "rights of Stripe's key: it has all that are needed";
    assert_eq!(lines(&checks), green(&[has_all]));
    stack.stripe().save_portal_settings(false, false);
    let (status, checks) = set_up(&stack, &env).await;
    assert_eq!(status, Status::Success, "{checks:#?}");
    let closed = "Stripe's customer portal: lets nobody switch what they subscribed to";
    assert!(lines(&checks).contains(&closed.to_owned()), "{checks:#?}");
    // Only looking changed nothing.
    assert_eq!(stack.stripe().events().len(), events);
}

#[tokio::test]
async fn what_a_provider_lacks_is_said_with_what_to_do() {
    type Spoil = fn(&TestStack, &mut HashMap<String, String>);
    fn restricted(stack: &TestStack, env: &mut HashMap<String, String>, lacks: &[&str]) {
        let rights: Vec<&str> = RIGHTS
            .into_iter()
            .filter(|right| !lacks.contains(right))
            .collect();
        stack.stripe().add_restricted_key("rk_test_few", &rights);
        env.insert("STRIPE_SECRET_KEY".to_owned(), "rk_test_few".to_owned());
    }
    let spoils: [(Spoil, CheckStatus, &str); 12] = [
        (
            |_, env| drop(env.insert("STRIPE_SECRET_KEY".to_owned(), "sk_live_s3cret".to_owned())),
            CheckStatus::Failed,
            "environment: STRIPE_SECRET_KEY is no key of the mode of PAYMENTS_MODE",
        ),
        (
            |_, env| drop(env.insert("NOWPAYMENTS_IPN_SECRET".to_owned(), String::new())),
            CheckStatus::Failed,
            "environment: NOWPAYMENTS_IPN_SECRET is missing",
        ),
        (
            |stack, env| stack.stripe().revoke_key(&env["STRIPE_SECRET_KEY"]),
            CheckStatus::Failed,
            "put a key that is not revoked into STRIPE_SECRET_KEY",
        ),
        (
            |stack, env| restricted(stack, env, &["refund_write", "coupon_write"]),
            CheckStatus::Failed,
            "rights of Stripe's key: it lacks Coupons: Write, Charges and Refunds: Write: give it these",
        ),
        (
            |stack, env| restricted(stack, env, &["accounts_kyc_basic_read"]),
            CheckStatus::Warning,
            "Stripe: knows the key, of test mode, which may not read the account",
        ),
        (
            |stack, env| restricted(stack, env, &["webhook_write"]),
            CheckStatus::Warning,
            "Stripe's webhook endpoint: the key may not look at it: give it “Webhook Endpoints: Write”",
        ),
        (
            |stack, env| restricted(stack, env, &["customer_portal_read"]),
            CheckStatus::Warning,
            "Stripe's customer portal: the key may not look at it",
        ),
        (
            |stack, _| drop(stack.stripe().save_portal_settings(false, true)),
            CheckStatus::Warning,
            "lets buyers switch what they subscribed to, of which no order would hear",
        ),
        (
            |stack, _| {
                let away =
                    StripeFaultRule::on("GET", "/v1/webhook_endpoints", StripeFault::BadGateway);
                stack.stripe().fail(away);
            },
            CheckStatus::Warning,
            "Stripe's webhook endpoint: list webhook endpoints was answered with HTTP 502, but not by Stripe's API: try again in a minute",
        ),
        (
            |stack, env| {
                stack
                    .nowpayments()
                    .drop_api_key(&env["NOWPAYMENTS_API_KEY"])
            },
            CheckStatus::Failed,
            "put a present key of the account into NOWPAYMENTS_API_KEY",
        ),
        (
            |stack, _| stack.nowpayments().select_coins(&[]),
            CheckStatus::Failed,
            "NOWPayments: no coin is switched on, so nobody can pay",
        ),
        (
            |_, env| drop(env.insert("NOWPAYMENTS_PASSWORD".to_owned(), "another".to_owned())),
            CheckStatus::Warning,
            "put the account's present ones into NOWPAYMENTS_EMAIL and NOWPAYMENTS_PASSWORD",
        ),
    ];
    for (spoil, status, words) in spoils {
        let (stack, mut env) = selling().await;
        spoil(&stack, &mut env);
        let now = Timestamp::from_ms(stack.clock.now_ms());
        let mut wrong = examine(&env, None, now).await;
        wrong.retain(|check| {
            check.status != CheckStatus::Ok
                && (is_of_provider(check) || check.what == "environment")
        });
        let found = wrong
            .iter()
            .find(|check| lines(std::slice::from_ref(check))[0].contains(words));
        assert_eq!(
            found.map(|check| check.status),
            Some(status),
            "{words}: {wrong:#?}"
        );
        assert_eq!(wrong.len(), 1, "{words}: {wrong:#?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_off_or_asks_for_other_events_is_put_right() {
    let (stack, env) = selling().await;
    let before = endpoint(&stack).await;
    for (spoil, status, words) in [
        (
            &[("disabled", "true")][..],
            CheckStatus::Failed,
            "is disabled",
        ),
        (
            &[("enabled_events[]", "invoice.paid")][..],
            CheckStatus::Failed,
            "does not ask for checkout.session.completed, ",
        ),
        (
            &[("enabled_events[]", "*")][..],
            CheckStatus::Warning,
            "asks for what nobody reads, *",
        ),
    ] {
        change(&stack, spoil).await;
        let found = looked(&stack, &env).await.pop().unwrap();
        assert_eq!(found.status, status, "{found:?}");
        assert!(found.says.contains(words), "{found:?}");
        let (outcome, checks) = set_up(&stack, &env).await;
        assert_eq!(outcome, Status::Success, "{checks:#?}");
        let repaired = lines(&checks);
        let repaired = repaired
            .iter()
            .find(|line| line.ends_with("; that was put right"));
        assert!(repaired.unwrap().contains(words), "{checks:#?}");
        // The same endpoint, so that its secret holds.
        let after = endpoint(&stack).await;
        for same in ["id", "url", "status", "api_version"] {
            assert_eq!(after[same], before[same], "{same}");
        }
        assert_eq!(after["enabled_events"], json!(EVENT_TYPES));
        assert_eq!(set_up(&stack, &env).await.0, Status::Success);
    }
}

#[tokio::test]
async fn a_key_that_may_not_change_an_endpoint_leaves_it_to_a_person() {
    let (stack, mut env) = selling().await;
    let rights = RIGHTS.map(|right| match right {
        "webhook_write" => "webhook_read",
        right => right,
    });
    stack.stripe().add_restricted_key("rk_test_reads", &rights);
    env.insert("STRIPE_SECRET_KEY".to_owned(), "rk_test_reads".to_owned());
    assert_eq!(set_up(&stack, &env).await.0, Status::Success);
    change(&stack, &[("disabled", "true")]).await;
    let (outcome, checks) = set_up(&stack, &env).await;
    assert_eq!(outcome, Status::Failed);
    let words = "is disabled: give the key “Webhook Endpoints: Write”, or put it right in Stripe's dashboard, under Webhooks";
    assert!(
        checks.iter().any(|check| check.says.ends_with(words)),
        "{checks:#?}"
    );
    assert_eq!(endpoint(&stack).await["status"], "disabled");
}

#[tokio::test]
async fn setup_makes_no_endpoint_but_says_the_call_that_does() {
    let (stack, env) = selling().await;
    let first = endpoint(&stack).await;
    let path = format!("/v1/webhook_endpoints/{}", first["id"].as_str().unwrap());
    call(&stack, "DELETE", &path, &[]).await;
    let url = format!("{}/v1/payments/stripe", stack.local.url);
    let failed = async || {
        let before = stack.telegram.count("setWebhook");
        let (outcome, checks) = set_up(&stack, &env).await;
        assert_eq!(outcome, Status::Failed);
        // What is not ready to be paid takes no updates over either.
        assert_eq!(stack.telegram.count("setWebhook"), before);
        let found = checks
            .into_iter()
            .find(|check| check.what == "Stripe's webhook endpoint");
        found.unwrap().says
    };
    let says = failed().await;
    assert!(
        says.starts_with(&format!(
            "none leads to {url}, so no payment would be told: make one by curl "
        )),
        "{says}"
    );
    assert!(says.ends_with("into STRIPE_WEBHOOK_SECRET"), "{says}");
    let all = call(&stack, "GET", "/v1/webhook_endpoints", &[]).await;
    assert_eq!(all["data"], json!([]));
    // Of another version it is not to be used, nor changed.
    let form = |version| {
        [
            ("url", &*url),
            ("api_version", version),
            ("enabled_events[]", "*"),
        ]
    };
    let old = call(&stack, "POST", "/v1/webhook_endpoints", &form("2024-06-20")).await;
    let says = failed().await;
    assert!(
        says.contains(&format!(
            "has not the API version {API_VERSION}, which can't be changed"
        )),
        "{says}"
    );
    // The call that is said, made.
    let (_, typed) = says.split_once("curl ").unwrap();
    let typed: Vec<(&str, &str)> = typed
        .split_whitespace()
        .filter_map(|word| {
            word.trim_matches('\'')
                .trim_end_matches(',')
                .trim_matches('\'')
                .split_once('=')
        })
        .collect();
    call(&stack, "POST", "/v1/webhook_endpoints", &typed).await;
    let (outcome, checks) = set_up(&stack, &env).await;
    assert_eq!(outcome, Status::Success, "{checks:#?}");
    let words = format!(
        "{} leads to the same address: delete that one at Stripe",
        old["id"].as_str().unwrap()
    );
    let both = checks
        .iter()
        .find(|check| check.says.ends_with(&words))
        .unwrap();
    assert_eq!(both.status, CheckStatus::Warning);
}
