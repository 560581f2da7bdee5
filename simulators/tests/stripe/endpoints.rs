//! Webhook endpoints as the API registers them.

use serde_json::json;

use crate::site::SellerSite;

const ENDPOINTS: &str = "/v1/webhook_endpoints";
const NEW: &[(&str, &str)] = &[
    ("url", "https://example.com/hook"),
    ("enabled_events[0]", "invoice.paid"),
    ("enabled_events[1]", "charge.succeeded"),
    ("api_version", "2026-10-28.endive"),
];

#[tokio::test]
async fn an_endpoint_shows_its_secret_once_and_keeps_its_version() {
    let site = SellerSite::new().await;
    let endpoint = site.ok("POST", ENDPOINTS, NEW).await;
    assert!(endpoint["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(endpoint["api_version"], "2026-10-28.endive");
    let path = format!("{ENDPOINTS}/{}", endpoint["id"].as_str().unwrap());
    assert_eq!(site.get(&path).await["secret"], json!(null));
    assert_eq!(
        site.get(ENDPOINTS).await["data"][0]["enabled_events"],
        json!(["invoice.paid", "charge.succeeded"])
    );
    let changed = site
        .ok(
            "POST",
            &path,
            &[
                ("disabled", "true"),
                ("enabled_events[0]", "*"),
                ("url", "https://example.com/2"),
            ],
        )
        .await;
    assert_eq!(
        (&changed["status"], &changed["url"]),
        (&json!("disabled"), &json!("https://example.com/2"))
    );
    assert_eq!(changed["enabled_events"], json!(["*"]));
    let refused = site
        .refused("POST", &path, &[("api_version", "2026-10-28.endive")])
        .await;
    assert_eq!(refused.error("code"), "parameter_unknown");
    let deleted = site.ok("DELETE", &path, &[]).await;
    assert_eq!(deleted["deleted"], true);
    assert_eq!(site.refused("GET", &path, &[]).await.status, 404);
}

#[tokio::test]
async fn an_endpoint_needs_a_url_known_events_and_a_known_version() {
    let site = SellerSite::new().await;
    for (change, param) in [
        (("url", "ftp://example.com"), "url"),
        (("url", "nothing"), "url"),
        (
            ("enabled_events[0]", "invoice.unknown"),
            "enabled_events[0]",
        ),
        (("api_version", "2026-10-28"), "api_version"),
    ] {
        let params = [NEW, &[change]].concat();
        let refused = site.refused("POST", ENDPOINTS, &params).await;
        assert_eq!(
            (refused.status, refused.error("param")),
            (400, param),
            "{change:?}"
        );
    }
    for missing in ["url", "enabled_events"] {
        let params: Vec<_> = NEW
            .iter()
            .copied()
            .filter(|(name, _)| !name.starts_with(missing))
            .collect();
        let refused = site.refused("POST", ENDPOINTS, &params).await;
        assert_eq!(
            (refused.error("code"), refused.error("param")),
            ("parameter_missing", missing)
        );
    }
    site.stripe.add_key("sk_live_simulated");
    let params = [NEW, &[("url", "http://example.com/hook")]].concat();
    assert_eq!(site.ok("POST", ENDPOINTS, &params).await["livemode"], false);
    let mut live = site.request("POST", ENDPOINTS, &params).build().unwrap();
    live.headers_mut()
        .insert("authorization", "Bearer sk_live_simulated".parse().unwrap());
    assert_eq!(
        site.http.execute(live).await.unwrap().status().as_u16(),
        400
    );
    for _ in 0..15 {
        site.ok("POST", ENDPOINTS, NEW).await;
    }
    assert_eq!(site.refused("POST", ENDPOINTS, NEW).await.status, 400);
}
