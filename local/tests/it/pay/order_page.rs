//! `GET /pay/{orderId}?t=`: what a buyer sees.

use std::time::Duration;

use domain::order::fold::OrderState;
use local::harness::process::Process;
use local::harness::{ExternalServices, TestStack};
use reqwest::Method;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use store::OrderPage;

use super::{CLAIMED, Seen, id, is_page_read, of_functions, page_of, see, show, token};
use crate::startup::spawn;

const ENGLISH: &[(&str, &str)] = &[("accept-language", "en")];

async fn open(url: &str) -> Seen {
    see(Method::GET, url, ENGLISH).await
}

/// The address of the page of an order, as its buyer gets it.
fn address(stack: &TestStack, order: domain::id::OrderId) -> String {
    let token = token(stack, order);
    format!("{}/pay/{order}?t={token}", stack.local.url)
}

/// The address of a link of the page.
fn href(html: &str, id: &str) -> String {
    let start = format!("id=\"{id}\"");
    let rest = html.split(&start).nth(1).unwrap();
    let rest = rest.split("href=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

#[tokio::test]
async fn a_buyer_follows_the_page_from_the_payment_into_the_chat() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let order = id(1);
    let page = page_of(&stack, OrderState::Open);
    show(&stack, order, &page).await;
    let url = address(&stack, order);
    let seen = open(&url).await;
    assert_eq!(seen.status, 200);
    assert!(seen.text.contains("Waiting for your payment"));
    assert!(seen.text.contains("Gold club") && seen.text.contains(">30.00 USD<"));
    assert_eq!(href(&seen.text, "pay"), "https://pay.example/session");
    assert_eq!(
        format!(
            "{}/pay/{order}{}",
            stack.local.url,
            href(&seen.text, "reload")
        ),
        format!("{url}&lang=en")
    );
    assert!(seen.text.contains("/paysupport") && !seen.text.contains("/c/"));
    let head = see(Method::HEAD, &url, &[]).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(seen.headers[name], value);
        assert_eq!(head.headers[name], value);
    }
    assert!(!seen.headers.contains_key("set-cookie"));

    stack.clock.advance(Duration::from_secs(2));
    let page = OrderPage {
        state: OrderState::Underpaid,
        missing: Some(150),
        revision: 2,
        ..page
    };
    show(&stack, order, &page).await;
    let seen = open(&url).await;
    assert!(seen.text.contains(">1.50 USD<") && seen.text.contains(">Pay the rest<"));

    let bought = stack.shop().buy("alice", "T1").await.body;
    stack.clock.advance(Duration::from_secs(2));
    let page = OrderPage {
        state: OrderState::Paid,
        missing: None,
        pay_url: None,
        requests: vec![bought["requestId"].as_str().unwrap().to_owned()],
        revision: 3,
        ..page
    };
    show(&stack, order, &page).await;
    let seen = open(&url).await;
    assert!(seen.text.contains("Your payment has arrived"));
    assert!(!seen.text.contains("id=\"pay\"") && !seen.text.contains("<script>"));
    let entrance = href(&seen.text, "enter-1");
    let entrance = entrance.strip_prefix("..").unwrap();
    assert_eq!(
        format!("{}{entrance}", stack.local.url),
        bought["claimPage"].as_str().unwrap()
    );
    let claim = open(&format!("{}{entrance}", stack.local.url)).await;
    let alice = stack.customer(7);
    alice.claim_by(&href(&claim.text, "web"));
    stack.run_until_idle().await;
    let _ = alice.tap(&alice.ways_in(stack.bot_id).remove(0));
    stack.run_until_idle().await;
    assert!(alice.is_in());
}

#[tokio::test]
async fn a_bundle_has_a_way_into_each_chat() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let mut requests = Vec::new();
    for transaction in ["T1", "T2", "T3"] {
        let bought = stack.shop().buy("alice", transaction).await.body;
        requests.push(bought["requestId"].as_str().unwrap().to_owned());
    }
    let order = id(1);
    let page = OrderPage {
        requests,
        is_test: true,
        ..page_of(&stack, OrderState::PartlyRefunded)
    };
    show(&stack, order, &page).await;
    let seen = open(&address(&stack, order)).await;
    for number in 1..=3 {
        assert!(
            seen.text
                .contains(&format!(">Open your access {number}</a>"))
        );
        let entrance = href(&seen.text, &format!("enter-{number}"));
        let url = format!("{}{}", stack.local.url, &entrance[2..]);
        assert_eq!(open(&url).await.status, 200);
    }
    assert_eq!(seen.text.matches("<svg role=\"img\"").count(), 3);
    assert!(seen.text.contains("This is a test"));
    stack.run_until_idle().await;
}

#[tokio::test]
async fn without_its_token_a_page_costs_no_read_and_tells_nothing() {
    let stack = TestStack::with(&[CLAIMED]).await;
    // With letters, which may be written large.
    let (order, other) = (id(0xab), id(2));
    for order in [order, other] {
        show(&stack, order, &page_of(&stack, OrderState::Paid)).await;
    }
    stack.run_until_idle().await;
    stack.pause_schedule();
    let wire = stack.aws().wire();
    wire.record_calls(true);
    let (right, base) = (token(&stack, order), format!("{}/pay", stack.local.url));
    for wrong in [
        format!("{order}"),
        format!("{order}?t="),
        format!("{order}?t={}", &right[1..]),
        format!("{order}?t={right}A"),
        format!("{order}?t={}", token(&stack, other)),
        format!("{order}?t=%3Cscript%3E"),
        format!("{order}?t={}", "A".repeat(4000)),
        format!("{}?t={right}", order.to_string().to_uppercase()),
        format!("x?t={right}"),
        format!("%00?t={right}"),
    ] {
        let seen = open(&format!("{base}/{wrong}")).await;
        assert_eq!(seen.status, 404, "{wrong}");
        assert!(seen.text.contains("We don't know this link"), "{wrong}");
        for word in ["Gold club", "USD", "script>", &right] {
            assert!(!seen.text.contains(word), "{wrong}: {}", seen.text);
        }
    }
    assert_eq!(of_functions(wire.take_calls()).len(), 0);

    // However often it is opened, it is read once in two seconds, and nothing is written.
    for _ in 0..5 {
        let seen = open(&address(&stack, order)).await;
        assert_eq!(seen.status, 200);
    }
    let calls = of_functions(wire.take_calls());
    let (reads, others): (Vec<_>, Vec<_>) = calls.iter().partition(|call| is_page_read(call));
    assert!((1..=2).contains(&reads.len()), "{}", reads.len());
    let is_bot = |table: Option<&str>| table == Some("Bots");
    let is_read = others
        .iter()
        .all(|call| call.operation == "GetItem" && is_bot(call.table_or_queue.as_deref()));
    assert!(is_read && others.len() <= 1, "{others:#?}");
    let posted = see(Method::POST, &address(&stack, order), &[]).await;
    assert_eq!(posted.status, 405);
    assert_eq!(posted.headers["allow"], "GET, HEAD");
}

#[tokio::test]
async fn a_page_that_cannot_be_made_says_so_and_one_without_a_bot_is_made() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let order = id(1);
    show(&stack, order, &page_of(&stack, OrderState::Open)).await;
    stack.run_until_idle().await;
    stack.pause_schedule();
    let url = address(&stack, order);
    let wire = stack.aws().wire();
    let away = |table: &str| {
        let rule = FaultRule::new(WireFault::InternalError);
        rule.on(Service::DynamoDb, "GetItem").named(table).always()
    };
    wire.fail(away("Orders"));
    let later = open(&url).await;
    wire.clear_faults();
    assert_eq!(later.status, 503);
    assert_eq!(later.headers["retry-after"], "5");
    assert!(later.text.contains("Not right now"));
    stack.clock.advance(Duration::from_secs(60));
    wire.fail(away("Bots"));
    let seen = open(&url).await;
    wire.clear_faults();
    assert_eq!(seen.status, 200);
    assert!(seen.text.contains("id=\"pay\"") && !seen.text.contains("/paysupport"));
}

#[tokio::test]
async fn a_page_speaks_the_language_that_is_chosen_or_that_the_browser_wants() {
    let stack = TestStack::with(&[CLAIMED, ("DEFAULT_LANGUAGE", "pt")]).await;
    let order = id(1);
    show(&stack, order, &page_of(&stack, OrderState::Open)).await;
    for (query, wanted, language, title) in [
        ("", "ru-RU,ru;q=0.9", "ru", "Ждём вашу оплату"),
        ("", "de", "pt", "Aguardando o seu pagamento"),
        ("&lang=hi", "ru", "hi", "आपके भुगतान का इंतज़ार है"),
        ("&lang=es", "ru", "es", "Esperamos tu pago"),
        ("&lang=klingon", "en", "en", "Waiting for your payment"),
    ] {
        let url = format!("{}{query}", address(&stack, order));
        let seen = see(Method::GET, &url, &[("accept-language", wanted)]).await;
        assert_eq!(seen.headers["content-language"], language);
        assert!(seen.text.contains(title), "{title}");
    }
}

#[tokio::test]
async fn the_token_of_an_order_stands_in_no_line_of_a_log() {
    let key = "a-claim-key-of-the-test-0123456789abcdef";
    let keys = domain::claim::ClaimKeys::parse(key).unwrap();
    let (order, token) = (id(1), keys.sign_page(id(1)).unwrap());
    let externals =
        ExternalServices::start("987654321:AAPlantedBotTokenPlantedBotToken012", "k").await;
    let mut env = externals.env();
    env.extend([
        ("API_KEYS", "shop-key"),
        ("CLAIM_KEY", key),
        ("RUST_LOG", "trace"),
        CLAIMED,
    ]);
    let process = Process::start(&["--ephemeral"], &env).await;
    let base = &process.url;
    let page = open(&format!("{base}/pay/{order}?t={token}")).await;
    assert_eq!(page.status, 404, "nobody made it");
    let query = format!("order_id={order}&t={token}");
    let status = open(&format!("{base}/v1/payment-status?{query}")).await;
    assert_eq!(status.status, 200, "it may be known later");
    process.says("the page of an order was shown").await;
    let written = process.written();
    assert!(
        written.iter().all(|line| !line.contains(&token)),
        "{written:#?}"
    );

    // And as a function, whose event holds path and query.
    let stack = TestStack::with(&[CLAIMED, ("CLAIM_KEY", key)]).await;
    show(&stack, order, &page_of(&stack, OrderState::Paid)).await;
    let mut env: Vec<(&str, &str)> = stack
        .env()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    env.retain(|(_, value)| !value.is_empty());
    env.extend([("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("RUST_LOG", "trace")]);
    let function = spawn("pay", &env).await;
    for (sample, path, query) in [
        (
            include_str!("../../../../events/pay-order-forged.json"),
            format!("/pay/{order}"),
            format!("t={token}"),
        ),
        (
            include_str!("../../../../events/pay-status-unknown.json"),
            "/v1/payment-status".to_owned(),
            format!("order_id={order}&t={token}"),
        ),
    ] {
        let mut event: Value = serde_json::from_str(sample).unwrap();
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!(query);
        let answer = function
            .invoke(event.to_string().into_bytes())
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["statusCode"], 200, "{answer}");
    }
    let lines = function.logs();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| !line.contains(&token)),
        "{lines:#?}"
    );
}
