//! `GET /v1/payment-status`: what programs hear, and that asking does nothing.

use std::time::Duration;

use bytes::Bytes;
use domain::order::fold::OrderState;
use futures_util::future::join_all;
use http::Request;
use local::harness::TestStack;
use reqwest::Method;
use runtime::gateway::CallerAddress;
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use store::OrderPage;

use super::{CLAIMED, Seen, id, is_page_read, of_functions, page_of, see, show, token};

fn url(stack: &TestStack, query: &str) -> String {
    format!("{}/v1/payment-status?{query}", stack.local.url)
}

/// Asks from an address, as the proxy in front tells it.
async fn ask_from(stack: &TestStack, query: &str, address: &str) -> Seen {
    let headers = [("x-forwarded-for", address)];
    see(Method::GET, &url(stack, query), &headers).await
}

async fn ask(stack: &TestStack, query: &str) -> Seen {
    ask_from(stack, query, "192.0.2.1").await
}

#[tokio::test]
async fn each_state_is_pending_confirmed_or_failed() {
    let stack = TestStack::with(&[CLAIMED]).await;
    for (number, (state, word, status)) in (0..).zip([
        (OrderState::Open, "OPEN", "pending"),
        (OrderState::Pending, "PENDING", "pending"),
        (OrderState::Underpaid, "UNDERPAID", "pending"),
        (OrderState::Disputed, "DISPUTED", "pending"),
        (OrderState::Paid, "PAID", "confirmed"),
        (OrderState::PartlyRefunded, "PARTLY_REFUNDED", "confirmed"),
        (OrderState::Lost, "LOST", "failed"),
        (OrderState::Refunded, "REFUNDED", "failed"),
        (OrderState::Refused, "REFUSED", "failed"),
        (OrderState::Cancelled, "CANCELLED", "failed"),
        (OrderState::Expired, "EXPIRED", "failed"),
    ]) {
        let order = id(number);
        show(&stack, order, &page_of(&stack, state)).await;
        let told = ask(&stack, &format!("order_id={order}")).await;
        assert_eq!(told.status, 200, "{word}");
        let mut body = told.json();
        let message = body.as_object_mut().unwrap().remove("message").unwrap();
        assert!(message.as_str().unwrap().ends_with('.'), "{message}");
        let data =
            json!({"order_id": order, "payment_status": word, "confirmed": status == "confirmed"});
        assert_eq!(body, json!({"status": status, "data": data}));
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "private, max-age=2"),
            ("retry-after", "5"),
            ("vary", "origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(told.headers[name], value, "{name}");
        }
    }
}

#[tokio::test]
async fn the_way_in_is_told_to_the_buyer_alone_and_once_it_is_paid() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let bought = stack.shop().buy("alice", "T1").await.body;
    let requests = vec![bought["requestId"].as_str().unwrap().to_owned()];
    let (order, other) = (id(1), id(2));
    let open = page_of(&stack, OrderState::Open);
    let page = OrderPage {
        requests,
        ..open.clone()
    };
    show(&stack, order, &page).await;
    let right = token(&stack, order);
    let told = ask(&stack, &format!("order_id={order}&t={right}")).await;
    assert_eq!(told.json()["data"].get("claim_url"), None, "not paid");

    stack.clock.advance(Duration::from_secs(2));
    let page = OrderPage {
        state: OrderState::Paid,
        revision: 2,
        ..page
    };
    show(&stack, order, &page).await;
    let told = ask(&stack, &format!("order_id={order}&t={right}")).await;
    assert_eq!(told.json()["data"]["claim_url"], bought["claimPage"]);
    let claim_page = bought["claimPage"].as_str().unwrap();
    let opened = see(Method::GET, claim_page, &[]).await;
    assert_eq!(opened.status, 200);
    for wrong in [
        "",
        "&t=",
        "&t=AAAA",
        &format!("&t={}", token(&stack, other)),
    ] {
        let told = ask_from(&stack, &format!("order_id={order}{wrong}"), "192.0.2.2").await;
        assert_eq!(told.status, 200, "{wrong}");
        assert_eq!(told.json()["status"], "confirmed");
        assert!(!told.text.contains("claim"), "{}", told.text);
    }
    stack.run_until_idle().await;
}

#[tokio::test]
async fn what_is_no_order_is_refused_with_a_code() {
    let stack = TestStack::with(&[CLAIMED]).await;
    // With letters, which may be written large.
    let order = id(0xab);
    let upper = order.to_string().to_uppercase();
    for query in [
        "",
        "order_id=",
        "order_id=7",
        "orderId=x",
        "order_id=%00",
        &format!("order_id={upper}"),
        &format!("order_id={order}0"),
        &format!("order_id={}", "a".repeat(4000)),
    ] {
        let refused = ask(&stack, query).await;
        assert_eq!(refused.status, 400, "{query}");
        assert_eq!(refused.json()["code"], "invalid_parameter");
        assert_eq!(refused.headers["cache-control"], "no-store");
    }
    let unknown = ask(&stack, &format!("order_id={order}")).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["code"], "not_found");
}

#[tokio::test]
async fn who_asks_by_the_address_of_a_new_order_before_it_has_a_page_waits() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let order = id(1);
    let told = ask(
        &stack,
        &format!("order_id={order}&t={}", token(&stack, order)),
    )
    .await;
    assert_eq!(told.status, 200);
    let (status, data) = (&told.json()["status"], &told.json()["data"]);
    assert_eq!(
        (status, &data["payment_status"]),
        (&json!("pending"), &json!("OPEN"))
    );
    let other = ask(
        &stack,
        &format!("order_id={}&t={}", id(2), token(&stack, order)),
    )
    .await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn the_pages_of_listed_shops_may_read_it_and_no_others() {
    let origins = "https://shop.example, https://other.example:8443";
    let stack = TestStack::with(&[CLAIMED, ("RETURN_URL_ORIGINS", origins)]).await;
    let order = id(1);
    show(&stack, order, &page_of(&stack, OrderState::Open)).await;
    for (query, status) in [
        (format!("order_id={order}"), 200),
        ("order_id=7".to_owned(), 400),
    ] {
        for (origin, is_listed) in [
            ("https://shop.example", true),
            ("https://other.example:8443", true),
            ("http://shop.example", false),
            ("https://shop.example.evil.example", false),
            ("null", false),
        ] {
            let told = see(Method::GET, &url(&stack, &query), &[("origin", origin)]).await;
            assert_eq!(told.status, status);
            let allowed = told.headers.get("access-control-allow-origin");
            let allowed = allowed.map(|value| value.to_str().unwrap());
            assert_eq!(allowed, is_listed.then_some(origin), "{origin}");
            let exposed = told.headers.get("access-control-expose-headers");
            assert_eq!(exposed.is_some(), is_listed);
            assert!(
                !told
                    .headers
                    .contains_key("access-control-allow-credentials")
            );
            stack.clock.advance(Duration::from_secs(20));
        }
    }
}

#[tokio::test]
async fn who_asks_on_is_slowed_down_and_nobody_else_is() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (order, other) = (id(1), id(2));
    for order in [order, other] {
        show(&stack, order, &page_of(&stack, OrderState::Open)).await;
    }
    let query = format!("order_id={order}");
    for gap in ["5", "10", "20", "40", "40"] {
        let told = ask(&stack, &query).await;
        assert_eq!(told.status, 200);
        assert_eq!(told.headers["retry-after"], gap);
    }
    let refused = ask(&stack, &query).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["code"], "too_many_requests");
    let after = refused.headers["retry-after"].to_str().unwrap();
    let after: u64 = after.parse().unwrap();
    assert!((30..=60).contains(&after), "{after}");
    // What a caller writes before the proxy's own word changes nothing.
    let forged = ask_from(&stack, &query, "203.0.113.9, 192.0.2.1").await;
    assert_eq!(forged.status, 429);
    let elsewhere = ask_from(&stack, &query, "192.0.2.1, 2001:db8::1").await;
    assert_eq!(elsewhere.status, 200);
    let of_other = ask(&stack, &format!("order_id={other}")).await;
    assert_eq!(of_other.status, 200);
    stack.clock.advance(Duration::from_secs(after));
    assert_eq!(ask(&stack, &query).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_polls_of_one_order_write_nothing_and_read_once_in_two_seconds() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let order = id(1);
    show(&stack, order, &page_of(&stack, OrderState::Pending)).await;
    stack.run_until_idle().await;
    stack.pause_schedule();
    let pay = stack.functions().get("pay").clone();
    let poll = |number: u32| {
        let mut call = Request::new(Bytes::new());
        // Some with the token of the page, some with a forged one; each from an address of its own.
        let token = match number % 3 {
            0 => format!("&t={}", token(&stack, order)),
            1 => "&t=forged".to_owned(),
            _ => String::new(),
        };
        let path = format!("/v1/payment-status?order_id={order}{token}");
        *call.uri_mut() = path.parse().unwrap();
        let address = std::net::IpAddr::from(number.to_be_bytes());
        call.extensions_mut().insert(CallerAddress(address));
        pay.call(call)
    };
    let wire = stack.aws().wire();
    wire.record_calls(true);
    let start = stack.clock.now_ms();
    for round in 0..40 {
        let answers = join_all((0..250).map(|number| poll(round * 250 + number))).await;
        assert!(answers.iter().all(|answer| answer.status() == 200));
        stack.clock.advance(Duration::from_millis(250));
    }
    let elapsed = u64::try_from(stack.clock.now_ms() - start).unwrap();
    let calls = of_functions(wire.take_calls());
    let (reads, others): (Vec<_>, Vec<_>) = calls.iter().partition(|call| is_page_read(call));
    assert!(others.is_empty(), "{others:#?}");
    let count = u64::try_from(reads.len()).unwrap();
    assert!(
        (5..=elapsed / 2000 + 1).contains(&count),
        "{count} reads in {elapsed} ms"
    );
}

#[tokio::test]
async fn forged_calls_do_nothing() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let order = id(1);
    show(&stack, order, &page_of(&stack, OrderState::Open)).await;
    stack.run_until_idle().await;
    stack.pause_schedule();
    let wire = stack.aws().wire();
    wire.record_calls(true);
    let query = format!("order_id={order}");
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let forged = see(method, &url(&stack, &query), &[("x-api-key", "k")]).await;
        assert_eq!(forged.status, 405);
    }
    for forged in [
        "&status=confirmed",
        "&payment_status=finished&payment_id=1",
        "&order_id=PAID",
        "&t=../../x",
        "&confirmed=true&price_amount=0",
    ] {
        let told = ask_from(&stack, &format!("{query}{forged}"), "192.0.2.7").await;
        assert_eq!(told.json()["data"]["payment_status"], "OPEN", "{forged}");
    }
    let calls = of_functions(wire.take_calls());
    assert!(
        calls.iter().all(is_page_read) && !calls.is_empty(),
        "{calls:#?}"
    );
}

#[tokio::test]
async fn a_table_that_is_away_is_asked_once_and_callers_come_again() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let order = id(1);
    show(&stack, order, &page_of(&stack, OrderState::Paid)).await;
    let away = FaultRule::new(WireFault::InternalError);
    let away = away.on(Service::DynamoDb, "GetItem").named("Orders");
    let query = format!("order_id={order}");
    stack.aws().wire().fail(away.always());
    let first = ask(&stack, &query).await;
    stack.aws().wire().clear_faults();
    assert_eq!(first.status, 503);
    assert_eq!(first.json()["code"], "unavailable");
    assert_eq!(first.headers["retry-after"], "5");
    stack.clock.advance(Duration::from_secs(5));
    assert_eq!(ask(&stack, &query).await.json()["status"], "confirmed");
}
