//! `GET /p/{productId}`: for everybody, and it leads into the bot.

use std::time::Duration;

use local::harness::TestStack;
use reqwest::Method;
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};

use super::{CLAIMED, of_functions, see};

async fn selling() -> TestStack {
    let stack = TestStack::with(&[CLAIMED, ("PAYMENTS_MODE", "test")]).await;
    let product = json!({
        "title": "Club <b>\"Gold\"", "description": "All of it & more", "chats": [stack.chat_id], "owner": "o1-secret", "feeBps": 1000,
        "tiers": [
            {"id": "month", "title": "One month", "length": {"days": 30}, "starsPrice": 500},
            {"id": "sub", "title": "Each month", "length": {"days": 30}, "recurring": true, "starsPrice": 400},
            {"id": "old", "title": "Of yesterday", "length": {"days": 30}, "starsPrice": 300, "soldUntil": "2020-01-01T00:00:00.000Z"},
        ],
        "coupons": [{"code": "SECRETCODE", "off": {"bps": 2000}, "periods": "all"}],
    });
    stack.operator().put_product("club", &product).await.done();
    stack.run_until_idle().await;
    stack
}

#[tokio::test]
async fn the_page_of_a_product_leads_into_the_bot_and_starts_nothing() {
    let stack = selling().await;
    stack.pause_schedule();
    let url = format!("{}/p/club", stack.local.url);
    let wire = stack.aws().wire();
    wire.record_calls(true);
    for _ in 0..5 {
        let seen = see(Method::GET, &url, &[]).await;
        assert_eq!(seen.status, 200);
        let page = &seen.text;
        assert!(
            page.contains("Club &lt;b&gt;&quot;Gold&quot;")
                && page.contains("All of it &amp; more"),
            "{page}"
        );
        assert!(
            page.contains("<dt>One month</dt><dd>500 Stars</dd>"),
            "{page}"
        );
        assert!(page.contains("<dt>Each month</dt><dd>400 Stars, renews until you end it</dd>"));
        assert!(
            page.contains("?start=p_club\"") && page.contains("&amp;start=p_club\""),
            "{page}"
        );
        for hidden in [
            "o1-secret",
            "SECRETCODE",
            "Of yesterday",
            &stack.chat_id.to_string(),
            "<script",
            "<form",
        ] {
            assert!(!page.contains(hidden), "{hidden}");
        }
        let policy = seen.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("form-action 'none'"));
    }
    let head = see(Method::HEAD, &url, &[]).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    let calls = of_functions(wire.take_calls());
    let of_product =
        |call: &&simulators::aws::WireCall| call.table_or_queue.as_deref() == Some("Products");
    assert_eq!(calls.iter().filter(of_product).count(), 1, "it is kept");
    assert!(
        calls.iter().all(|call| call.operation == "GetItem"),
        "{calls:?}"
    );

    let spanish = see(Method::GET, &format!("{url}?lang=es"), &[]).await;
    assert!(spanish.text.contains("Comprar en Telegram") && spanish.text.contains("lang=\"es\""));
    let posted = see(Method::POST, &url, &[]).await;
    assert_eq!(posted.status, 405);
}

#[tokio::test]
async fn what_is_no_product_is_a_page_that_says_so_and_trouble_is_told_apart() {
    let stack = selling().await;
    for wrong in [
        "nothing",
        "Club",
        "club%20",
        "%00",
        "c_lub",
        &"a".repeat(41),
        &"a".repeat(4000),
    ] {
        let seen = see(Method::GET, &format!("{}/p/{wrong}", stack.local.url), &[]).await;
        assert_eq!(seen.status, 404, "{wrong}");
        assert!(seen.text.contains("We don't sell this"), "{wrong}");
    }
    stack.pause_schedule();
    let away = FaultRule::new(WireFault::InternalError);
    let away = away.on(Service::DynamoDb, "GetItem").named("Products");
    stack.aws().wire().fail(away.always());
    let url = format!("{}/p/club", stack.local.url);
    let later = see(Method::GET, &url, &[]).await;
    stack.aws().wire().clear_faults();
    assert_eq!(later.status, 503);
    assert!(later.headers.contains_key("retry-after"));
    assert_eq!(
        see(Method::GET, &url, &[]).await.status,
        200,
        "trouble is not kept"
    );
    // A product that is not sold any more is gone within ten seconds.
    stack
        .operator()
        .delete("products/club?version=1")
        .await
        .done();
    stack.clock.advance(Duration::from_secs(11));
    assert_eq!(see(Method::GET, &url, &[]).await.status, 404);
}

#[tokio::test]
async fn who_comes_by_the_page_sees_the_product_in_the_bot() {
    let stack = selling().await;
    let other = json!({
        "title": "Other", "chats": [stack.chat_id], "owner": "o1", "feeBps": 1000,
        "tiers": [{"id": "t", "title": "T", "length": "forEver", "starsPrice": 9}],
    });
    stack.operator().put_product("other", &other).await.done();
    let ann = stack.customer(7);
    let buttons = async |says: &str| {
        ann.say(stack.bot_id, says);
        stack.run_until_idle().await;
        let last = ann.messages_of(stack.bot_id).pop().unwrap();
        let buttons = last.buttons.into_iter().flatten();
        buttons.map(|button| button.text).collect::<Vec<_>>()
    };
    assert_eq!(buttons("/start p_other").await, ["Other, T: 9 Stars"]);
    assert_eq!(buttons("/start p_club_ann").await.len(), 2);
    assert_eq!(buttons("/start p_nothing").await, [""; 0]);
    assert_eq!(buttons("/shop").await.len(), 3);
}
