//! Faults, limits, the journal, and the server on a socket.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use simulators::Reset;
use simulators::clock::Clock;
use simulators::nowpayments::{NowPayments, Trouble, TroubleRule};

use crate::shop::{EMAIL, KEY, PASSWORD, Shop};

#[tokio::test(start_paused = true)]
async fn each_trouble_has_its_answer_and_its_effect() {
    let refuse = Trouble::Refuse {
        status: 403,
        code: "FORBIDDEN".into(),
        message: "no".into(),
    };
    let span = Duration::from_secs(7);
    for (trouble, status, invoices, seconds) in [
        (
            Trouble::RateLimited {
                retry_after: Some(9),
            },
            Some(429),
            0,
            0,
        ),
        (Trouble::Internal, Some(500), 0, 0),
        (Trouble::BadGateway, Some(502), 0, 0),
        (Trouble::BadGatewayAfterEffect, Some(502), 1, 0),
        (Trouble::Firewall, Some(403), 0, 0),
        (Trouble::Hang(span), Some(201), 1, 7),
        (Trouble::AnswerLate(span), Some(201), 1, 7),
        (Trouble::ResetBefore, None, 0, 0),
        (Trouble::ResetAfter, None, 1, 0),
        (Trouble::Garbage, Some(200), 1, 0),
        (refuse, Some(403), 0, 0),
    ] {
        let shop = Shop::new();
        let started_ms = shop.clock.now_ms();
        shop.now.fail(
            TroubleRule::on("POST /invoice", trouble.clone())
                .skip(1)
                .times(1),
        );
        shop.invoice(json!({"order_id": "first"})).await;
        let body = json!({"price_amount": 30, "price_currency": "usd", "order_id": "ord_1"});
        let answer = shop
            .send(
                ("POST", "/v1/invoice"),
                &[("x-api-key", KEY)],
                body.to_string(),
            )
            .await;
        assert_eq!(
            answer.as_ref().ok().map(|answer| answer.status),
            status,
            "{trouble:?}"
        );
        assert_eq!(shop.now.invoices_of("ord_1").len(), invoices, "{trouble:?}");
        assert_eq!(
            (shop.clock.now_ms() - started_ms) / 1000,
            seconds,
            "{trouble:?}"
        );
        let call = shop.now.calls().pop().unwrap();
        assert_eq!(
            (call.endpoint, call.status),
            ("POST /invoice", status.unwrap_or(0))
        );
        shop.invoice(json!({})).await;
        assert_eq!(shop.now.call_count(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_for_its_minute() {
    let shop = Shop::new();
    shop.now.set_limit(Some(2));
    let get = async || shop.call("GET", "/currencies", Value::Null).await.status;
    assert_eq!([get().await, get().await, get().await], [200, 200, 429]);
    shop.sleep(60).await;
    assert_eq!(get().await, 200);
}

#[tokio::test(start_paused = true)]
async fn unknown_paths_are_not_found_and_a_stopped_server_resets() {
    let shop = Shop::new();
    for (method, path) in [
        ("GET", "/nothing"),
        ("DELETE", "/invoice"),
        ("GET", "/invoice"),
        ("GET", "/payment/1/2"),
    ] {
        assert_eq!(
            shop.call(method, path, Value::Null).await.status,
            404,
            "{path}"
        );
    }
    assert_eq!(shop.now.calls()[0].endpoint, "?");
    shop.now.fail(TroubleRule::always(Trouble::HangForever));
    let hanging = shop.send(("GET", "/v1/status"), &[], String::new());
    let (hung, ()) = tokio::join!(hanging, async {
        shop.sleep(5).await;
        shop.now.stop().await;
    });
    assert_eq!(hung.err(), Some(Reset));
    shop.now.recover();
    let late = shop.send(("GET", "/v1/status"), &[], String::new()).await;
    assert_eq!(late.err(), Some(Reset));
}

#[tokio::test]
async fn it_listens_on_a_socket_and_names_itself_in_invoices() {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let now = NowPayments::start(any, Clock::new(), KEY, (EMAIL, PASSWORD))
        .await
        .unwrap();
    let http = reqwest_client();
    let request = http
        .post(format!("{}/v1/invoice", now.url()))
        .header("x-api-key", KEY);
    let body = json!({"price_amount": 30, "price_currency": "usd", "order_id": "ord_1"});
    let answer = request.json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let invoice: Value = answer.json().await.unwrap();
    let page = http
        .get(invoice["invoice_url"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("30 USD"));
    now.stop().await;
}

/// A client without TLS set-up of its own: the address is a plain one.
fn reqwest_client() -> reqwest::Client {
    let roots = rustls::RootCertStore::empty();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}
