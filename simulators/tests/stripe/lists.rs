//! Pages and filters of lists, and what is expanded.

use serde_json::{Value, json};

use crate::site::{DAY, SellerSite};

fn ids(list: &Value) -> Vec<String> {
    let data = list["data"].as_array().unwrap();
    data.iter()
        .map(|object| object["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn lists_come_by_pages_newest_first() {
    let site = SellerSite::new().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        let customer = site
            .ok("POST", "/v1/customers", &[("email", "a@b.example")])
            .await;
        made.insert(0, customer["id"].as_str().unwrap().to_owned());
    }
    let list = async |params: &[(&str, &str)]| site.ok("GET", "/v1/customers", params).await;
    let first = list(&[("limit", "2")]).await;
    assert_eq!(
        (ids(&first), &first["has_more"]),
        (made[..2].to_vec(), &json!(true))
    );
    let second = list(&[("limit", "2"), ("starting_after", &made[1])]).await;
    assert_eq!(
        (ids(&second), &second["has_more"]),
        (made[2..4].to_vec(), &json!(true))
    );
    let last = list(&[("limit", "2"), ("starting_after", &made[3])]).await;
    assert_eq!(
        (ids(&last), &last["has_more"]),
        (made[4..].to_vec(), &json!(false))
    );
    let back = list(&[("limit", "2"), ("ending_before", &made[3])]).await;
    assert_eq!(
        (ids(&back), &back["has_more"]),
        (made[1..3].to_vec(), &json!(true))
    );
    assert_eq!(first["url"], "/v1/customers");
    for (params, status) in [
        (vec![("limit", "0")], 400),
        (vec![("limit", "101")], 400),
        (vec![("starting_after", "cus_none")], 400),
        (vec![("foo", "1")], 400),
    ] {
        assert_eq!(
            site.refused("GET", "/v1/customers", &params).await.status,
            status,
            "{params:?}"
        );
    }
}

#[tokio::test]
async fn lists_are_filtered_by_time_and_by_what_belongs_together() {
    let site = SellerSite::new().await;
    let first = site.charge().await;
    let between = (site.now() + 10).to_string();
    site.advance(20);
    let second = site.charge().await;
    for (filter, wanted) in [
        ("created[lt]", &first),
        ("created[lte]", &first),
        ("created[gt]", &second),
        ("created[gte]", &second),
    ] {
        let listed = site.ok("GET", "/v1/charges", &[(filter, &between)]).await;
        assert_eq!(ids(&listed), std::slice::from_ref(wanted), "{filter}");
    }
    let intent = site.get(&format!("/v1/charges/{first}")).await["payment_intent"].clone();
    let intent = intent.as_str().unwrap();
    let sessions = site
        .ok(
            "GET",
            "/v1/checkout/sessions",
            &[("payment_intent", intent)],
        )
        .await;
    assert_eq!(ids(&sessions).len(), 1);
    let open = site
        .ok("GET", "/v1/checkout/sessions", &[("status", "open")])
        .await;
    assert_eq!(open["data"], json!([]));
}

#[tokio::test]
async fn events_are_listed_by_type_and_for_thirty_days() {
    let site = SellerSite::new().await;
    site.charge().await;
    let listed = async |params: &[(&str, &str)]| {
        let list = site.ok("GET", "/v1/events", params).await;
        let data = list["data"].as_array().unwrap().clone();
        data.iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&[("type", "charge.*")]).await, ["charge.succeeded"]);
    let two = [
        ("types[]", "charge.succeeded"),
        ("types[]", "checkout.session.completed"),
    ];
    assert_eq!(
        listed(&two).await,
        ["checkout.session.completed", "charge.succeeded"]
    );
    assert_eq!(listed(&[]).await.len(), 4);
    let event = site.stripe.events()[0].clone();
    let path = format!("/v1/events/{}", event["id"].as_str().unwrap());
    assert_eq!(site.get(&path).await, event);
    assert_eq!(event["api_version"], simulators::stripe::API_VERSION);
    site.advance(31 * DAY);
    assert!(listed(&[]).await.is_empty());
    assert_eq!(site.refused("GET", &path, &[]).await.status, 404);
}

#[tokio::test]
async fn an_event_names_the_request_that_made_it() {
    let site = SellerSite::new().await;
    let request = site.request("POST", "/v1/customers", &[("name", "A")]);
    let answer = crate::site::answer(request.header("idempotency-key", "k1"))
        .await
        .unwrap();
    let event = site.stripe.events()[0].clone();
    assert_eq!(
        event["request"]["id"],
        json!(answer.headers["request-id"].to_str().unwrap())
    );
    assert_eq!(event["request"]["idempotency_key"], "k1");
}

#[tokio::test]
async fn what_can_not_be_expanded_is_refused() {
    let site = SellerSite::new().await;
    let charge = site.charge().await;
    let path = format!("/v1/charges/{charge}");
    let whole = site
        .ok(
            "GET",
            &path,
            &[
                ("expand[]", "payment_intent"),
                ("expand[]", "balance_transaction"),
            ],
        )
        .await;
    assert_eq!(whole["payment_intent"]["object"], "payment_intent");
    assert_eq!(whole["balance_transaction"]["source"], json!(charge));
    for field in ["amount", "nothing", "a.b.c.d.e"] {
        let refused = site.refused("GET", &path, &[("expand[]", field)]).await;
        assert_eq!(
            (refused.status, refused.error("param")),
            (400, "expand"),
            "{field}"
        );
    }
    let list = site
        .ok("GET", "/v1/charges", &[("expand[]", "data.payment_intent")])
        .await;
    assert_eq!(
        list["data"][0]["payment_intent"]["latest_charge"],
        json!(charge)
    );
}
