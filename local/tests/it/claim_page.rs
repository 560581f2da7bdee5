//! The page of a claim link: it leads its buyer to the bot, and says what became of a link that leads nowhere any more.

use http::{HeaderMap, StatusCode};
use local::harness::process::Process;
use local::harness::{ExternalServices, LINK_CREATED, TestStack};
use reqwest::Method;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Tap;

use crate::startup::spawn;

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");

/// An answer as a browser gets it.
struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    html: String,
}

async fn see(method: Method, url: &str, headers: &[(&str, &str)]) -> Seen {
    let client = runtime::http::client(std::time::Duration::from_secs(30)).unwrap();
    let call = client.request(method, url);
    let call = headers
        .iter()
        .fold(call, |call, (name, value)| call.header(*name, *value));
    let answer = call.send().await.unwrap();
    Seen {
        status: answer.status(),
        headers: answer.headers().clone(),
        html: answer.text().await.unwrap(),
    }
}

/// Opens a page in English.
async fn open(url: &str) -> Seen {
    see(Method::GET, url, &[("accept-language", "en")]).await
}

/// A payment: its id, its claim link and the page of that.
async fn bought(stack: &TestStack, user: &str) -> (String, String, String) {
    let answer = stack.shop().buy(user, &format!("T-{user}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (text("requestId"), text("inviteLink"), text("claimPage"))
}

/// What WebEngage was told last of a link.
fn told(stack: &TestStack) -> Value {
    let mut events = stack.webengage.ingested();
    events.retain(|event| event.body["eventName"] == LINK_CREATED);
    events.pop().unwrap().body["eventData"].clone()
}

/// The address of a link of the page.
fn href(html: &str, id: &str) -> String {
    let start = format!("id=\"{id}\" href=\"");
    let rest = html.split(&start).nth(1).unwrap();
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

#[tokio::test]
async fn the_page_stands_beside_the_claim_link_in_answers_and_in_the_event() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link, page) = bought(&stack, "alice").await;
    let token = link.split("?start=c_").nth(1).unwrap();
    assert_eq!(page, format!("{}/c/{token}", stack.local.url));
    let again = stack.shop().buy("alice", "T-alice").await;
    assert_eq!(again.body["claimPage"], json!(page));
    let shown = stack.shop().status(&id).await;
    assert_eq!(shown["claimPage"], json!(page));
    stack.run_until_idle().await;
    assert_eq!(told(&stack)["claimPage"], json!(page));

    // The seat moves: another link, another page.
    let moved = stack.shop().act(&id, "rebind", "{}").await;
    let next = moved.body["claimPage"].as_str().unwrap();
    assert!(next != page && next.contains("/c/"), "{}", moved.body);
    stack.run_until_idle().await;
    // Voided, it has neither.
    assert_eq!(stack.shop().void(&id).await.status, 200);
    let shown = stack.shop().status(&id).await;
    assert_eq!(
        (shown.get("claimPage"), shown.get("inviteLink")),
        (None, None)
    );
    stack.run_until_idle().await;
}

#[tokio::test]
async fn an_invite_link_has_no_page() {
    let stack = TestStack::start().await;
    let (id, _) = stack.admitted("alice", "T1").await;
    assert_eq!(stack.shop().status(&id).await.get("claimPage"), None);
    assert_eq!(told(&stack).get("claimPage"), None);
}

#[tokio::test]
async fn who_paid_opens_the_page_follows_its_link_and_is_in() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link, page) = bought(&stack, "alice").await;
    let seen = open(&page).await;
    assert_eq!(seen.status, 200);
    assert_eq!(href(&seen.html, "web"), link);
    let start = link.split("?start=").nth(1).unwrap();
    let in_app = href(&seen.html, "app");
    assert!(in_app.starts_with("tg://resolve?domain="), "{in_app}");
    assert!(in_app.ends_with(&format!("&start={start}")), "{in_app}");
    assert!(seen.html.contains(&format!("value=\"/start {start}\"")));
    assert!(seen.html.contains("<svg role=\"img\""));
    // Nobody is bound by it, however often it is opened.
    let head = see(Method::HEAD, &page, &[]).await;
    assert_eq!((head.status.as_u16(), head.html.as_str()), (200, ""));
    for name in [
        "content-type",
        "cache-control",
        "referrer-policy",
        "x-robots-tag",
        "content-security-policy",
    ] {
        assert_eq!(seen.headers[name], head.headers[name], "{name}");
    }
    assert_eq!(seen.headers["cache-control"], "no-store");
    assert_eq!(seen.headers["referrer-policy"], "no-referrer");
    assert!(
        seen.headers["x-robots-tag"]
            .to_str()
            .unwrap()
            .contains("noindex")
    );
    assert!(!seen.headers.contains_key("set-cookie"));
    let (alice, mallory) = (stack.customer(7), stack.customer(666));
    alice.claim_by(&href(&seen.html, "web"));
    stack.run_until_idle().await;
    let door = alice.ways_in(stack.bot_id).remove(0);
    assert_eq!(alice.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(alice.is_in());
    assert_eq!(stack.shop().status(&id).await["joined"], true);

    // The page goes on leading to the bot: to its holder for the way in, to anybody else for a refusal.
    let seen = open(&page).await;
    assert_eq!(seen.status, 200);
    mallory.claim_by(&href(&seen.html, "web"));
    stack.run_until_idle().await;
    assert!(mallory.ways_in(stack.bot_id).is_empty());
}

#[tokio::test]
async fn a_page_says_what_became_of_its_link_and_names_nobody() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (id, link, page) = bought(&stack, "alice@example.com").await;
    stack.customer(700_000_007).claim_by(&link);
    stack.run_until_idle().await;
    let taken = open(&page).await;
    assert_eq!(taken.status, 200);
    assert!(
        taken.html.contains("This link has been used"),
        "{}",
        taken.html
    );

    let moved = stack.shop().act(&id, "rebind", "{}").await;
    let next = moved.body["claimPage"].as_str().unwrap().to_owned();
    let replaced = open(&page).await;
    assert_eq!(replaced.status, 410);
    assert!(replaced.html.contains("There is a newer link"));
    let moving = open(&next).await;
    assert_eq!(moving.status, 200);
    assert!(moving.html.contains("Your access is ready"));

    let (id, _, page) = bought(&stack, "bob@example.com").await;
    assert_eq!(stack.shop().void(&id).await.status, 200);
    let voided = open(&page).await;
    assert_eq!(voided.status, 410);
    assert!(voided.html.contains("This link was taken back"));
    for seen in [&taken, &replaced, &moving, &voided] {
        for word in ["example.com", "700000007", &id, "T-alice"] {
            assert!(!seen.html.contains(word), "{word} in {}", seen.html);
        }
    }
    // A dead link leads to the bot, without what is dead.
    for seen in [&replaced, &voided] {
        assert!(!seen.html.contains("c_") && !href(&seen.html, "web").contains('?'));
    }
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_token_that_nobody_signed_costs_no_read_and_is_told_what_to_do() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, _, page) = bought(&stack, "alice").await;
    stack.run_until_idle().await;
    stack.pause_schedule();
    let (before, token) = page.rsplit_once('/').unwrap();
    let forged = match token.strip_suffix('A') {
        Some(start) => format!("{start}B"),
        None => format!("{}A", &token[..45]),
    };
    let first = if token.starts_with('A') { "B" } else { "A" };
    let wire = stack.aws().wire();
    wire.record_calls(true);
    for wrong in [
        forged.as_str(),
        &format!("{first}{}", &token[1..]),
        &token[1..],
        &format!("o_{token}"),
        "x",
        "%00",
        "%3Cscript%3E",
        &"A".repeat(4000),
    ] {
        let seen = open(&format!("{before}/{wrong}")).await;
        assert_eq!(seen.status, 404, "{wrong}");
        assert!(seen.html.contains("We don't know this link"), "{wrong}");
        assert!(!seen.html.contains("script"), "{}", seen.html);
        assert_eq!(seen.headers["cache-control"], "no-store");
    }
    let reads = wire.take_calls();
    let reads = reads.iter().filter(|call| {
        let table = call.table_or_queue.as_deref();
        call.operation == "GetItem" && matches!(table, Some("InviteRequests" | "Bots"))
    });
    assert_eq!(reads.count(), 0);
    // With and without its prefix it is the same token.
    for right in [token.to_owned(), format!("c_{token}")] {
        assert_eq!(open(&format!("{before}/{right}")).await.status, 200);
    }
    let posted = see(Method::POST, &page, &[]).await;
    assert_eq!(posted.status, 405);
    assert_eq!(posted.headers["allow"], "GET, HEAD");
}

#[tokio::test]
async fn a_page_that_cannot_be_made_says_that_its_link_stays_good() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, _, page) = bought(&stack, "alice").await;
    stack.run_until_idle().await;
    stack.pause_schedule();
    let away = FaultRule::new(WireFault::InternalError);
    let away = away
        .on(Service::DynamoDb, "GetItem")
        .named("InviteRequests");
    stack.aws().wire().fail(away.always());
    let later = open(&page).await;
    stack.aws().wire().clear_faults();
    assert_eq!(later.status, 503);
    assert!(
        later.html.contains("Your link stays good"),
        "{}",
        later.html
    );
    assert_eq!(later.headers["retry-after"], "5");

    // Nobody has written which bot it is.
    let front = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
    let forget = stack.dynamodb().delete_item().table_name("Bots");
    let forget = forget
        .key("botId", front("front"))
        .key("item", front("info"));
    forget.send().await.unwrap();
    assert_eq!(open(&page).await.status, 503);
}

#[tokio::test]
async fn a_page_speaks_the_language_that_is_chosen_or_that_the_browser_wants() {
    let stack = TestStack::with(&[CLAIMED, ("DEFAULT_LANGUAGE", "pt")]).await;
    let (_, _, page) = bought(&stack, "alice").await;
    for (query, wanted, language) in [
        ("", Some("ru-RU,ru;q=0.9,en;q=0.8"), "ru"),
        ("", Some("de, es;q=0.5"), "es"),
        ("", Some("de"), "pt"),
        ("", None, "pt"),
        ("?lang=hi", Some("ru"), "hi"),
        ("?x=1&lang=en-GB", Some("ru"), "en"),
        ("?lang=klingon", Some("ru"), "ru"),
        ("?lang=%22%3E%3Cb%3E", Some("es"), "es"),
    ] {
        let headers: Vec<_> = wanted
            .map(|tags| ("accept-language", tags))
            .into_iter()
            .collect();
        let seen = see(Method::GET, &format!("{page}{query}"), &headers).await;
        let html = format!("<html lang=\"{language}\">");
        assert!(seen.html.contains(&html), "{query} {wanted:?}");
        assert_eq!(seen.headers["content-language"], language);
    }
    stack.run_until_idle().await;
}

#[tokio::test]
async fn the_token_of_a_page_stands_in_no_line_of_a_log() {
    let externals =
        ExternalServices::start("987654321:AAPlantedBotTokenPlantedBotToken012", "k").await;
    let mut env = externals.env();
    env.extend([
        ("API_KEYS", "shop-key"),
        ("CLAIM_KEY", "a-claim-key-of-the-test-0123456789abcdef"),
        ("RUST_LOG", "trace"),
        CLAIMED,
    ]);
    let process = Process::start(&["--ephemeral"], &env).await;
    let link = local::harness::until("a claim link", async || {
        let (_, answer) = process
            .buy(&json!({"userId": "u1", "transactionId": "T1"}))
            .await?;
        answer["inviteLink"].as_str().map(str::to_owned)
    })
    .await;
    let token = link.split("?start=c_").nth(1).unwrap();
    let url = format!("{}/c/{token}", process.url);
    assert_eq!(open(&url).await.status, 200);
    assert_eq!(see(Method::HEAD, &url, &[]).await.status, 200);
    assert_eq!(open(&format!("{url}x")).await.status, 404);
    process.says("the page of a claim link was shown").await;
    let written = process.written();
    assert!(
        written.iter().all(|line| !line.contains(token)),
        "{written:#?}"
    );

    // And as a function, whose event holds the path.
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, _, page) = bought(&stack, "alice").await;
    let token = page.rsplit('/').next().unwrap();
    let mut env: Vec<(&str, &str)> = stack
        .env()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    env.retain(|(_, value)| !value.is_empty());
    env.extend([("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("RUST_LOG", "trace")]);
    let function = spawn("pay", &env).await;
    let sample = include_str!("../../../events/pay-unknown.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    let unknown = event["pathParameters"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    for (token, status) in [(token, 200), (&unknown, 404)] {
        event["rawPath"] = json!(format!("/c/{token}"));
        event["requestContext"]["http"]["path"] = event["rawPath"].clone();
        event["pathParameters"]["token"] = json!(token);
        let answer = function
            .invoke(event.to_string().into_bytes())
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["statusCode"], status);
        assert_eq!(answer["isBase64Encoded"], false);
    }
    let lines = function.logs();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| !line.contains(token)),
        "{lines:#?}"
    );
    stack.run_until_idle().await;
}
