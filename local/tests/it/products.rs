//! What is sold: written whole by operators under a version, and shown to shops.

use local::harness::TestStack;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};

/// The providers that the example's prices are for are on.
pub(crate) const KEYS: [(&str, &str); 1] = [("PAYMENTS_MODE", "test")];

/// The product of the documents, for the chat of the stack.
pub(crate) fn example(stack: &TestStack) -> Value {
    let text = include_str!("../../../docs/examples/product.json");
    let mut product: Value = serde_json::from_str(text).unwrap();
    product["chats"] = json!([stack.chat_id]);
    product
}

#[tokio::test]
async fn a_product_is_written_shown_changed_and_deleted() {
    let stack = TestStack::with(&KEYS).await;
    let (operator, shop) = (stack.operator(), stack.shop());
    let written = operator.put_product("club", &example(&stack)).await.done();
    let mut product = written["product"].clone();
    assert_eq!(product["productId"], "club");
    assert_eq!(
        (&product["version"], &product["feeBps"]),
        (&json!(1), &json!(300))
    );
    assert_eq!(product["tiers"][0]["prices"]["eur"], 1800);
    assert_eq!(
        operator.get("products/club").await.done()["product"],
        product
    );

    // Shops are not shown who gets what, and which codes there are.
    let shown = shop.get("products/club").await.done()["product"].clone();
    assert_eq!(
        (&shown["title"], &shown["version"]),
        (&json!("Premium Club"), &json!(1))
    );
    assert_eq!(shown["tiers"], product["tiers"]);
    for hidden in ["owner", "feeBps", "coupons", "referralOffBps", "createdAt"] {
        assert!(shown[hidden].is_null(), "{hidden}");
    }
    let list = shop.get("products").await.done();
    assert_eq!(
        (&list["products"], &list["isMore"]),
        (&json!([shown]), &json!(false))
    );

    // It is sent back as it was read, but for what changes.
    product["title"] = "Gold Club".into();
    let changed = operator.put_product("club", &product).await.done()["product"].clone();
    assert_eq!(
        (&changed["version"], &changed["title"]),
        (&json!(2), &json!("Gold Club"))
    );
    assert_eq!(changed["createdAt"], product["createdAt"]);

    let early = operator.delete("products/club?version=1").await;
    assert_eq!(early.refusal(), (409, "product_changed"));
    let unnamed = operator.delete("products/club").await;
    assert_eq!(unnamed.refusal(), (400, "invalid_parameter"));
    operator.delete("products/club?version=2").await.done();
    let again = operator.delete("products/club?version=2").await;
    assert_eq!(again.refusal(), (404, "not_found"));
    assert_eq!(
        shop.get("products/club").await.refusal(),
        (404, "not_found")
    );
    assert_eq!(shop.get("products").await.done()["products"], json!([]));
    // Nobody else's key opens either door.
    let nobody = shop.clone().with_key("wrong-key-0123456789");
    assert_eq!(
        nobody.get("products").await.refusal(),
        (401, "unauthorized")
    );
    let key = [("x-api-key", stack.local.api_key())];
    let as_shop = stack.get("/v1/admin/products/club", &key);
    assert_eq!(as_shop.await.refusal(), (401, "unauthorized"));
}

#[tokio::test]
async fn of_two_operators_who_change_a_product_one_is_told_of_the_other() {
    let stack = TestStack::with(&KEYS).await;
    let operator = stack.operator();
    let product = example(&stack);
    operator.put_product("club", &product).await.done();
    let with = |title: &str| {
        let mut product = product.clone();
        (product["title"], product["version"]) = (title.into(), 1.into());
        product
    };
    let (one, other) = (with("One"), with("Other"));
    let answers = tokio::join!(
        operator.put_product("club", &one),
        operator.put_product("club", &other)
    );
    let mut statuses = [answers.0.status, answers.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{answers:?}");
    let refused = [answers.0, answers.1]
        .into_iter()
        .find(|answer| answer.status == 409);
    let why = refused.unwrap().body["error"].as_str().unwrap().to_owned();
    assert!(why.contains("of version 2 now"), "{why}");
    // A new one does not take the place of one that is there; of one that is gone no later version is written.
    let mut new = with("New");
    new["version"] = json!(null);
    let new = operator.put_product("club", &new).await;
    assert_eq!(new.refusal(), (409, "product_changed"));
    let gone = operator.put_product("gone", &with("Gone")).await;
    assert_eq!(gone.refusal(), (409, "product_changed"));
    assert_eq!(
        operator.get("products/gone").await.refusal(),
        (404, "not_found")
    );
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_sent_again_and_is_one() {
    let stack = TestStack::with(&KEYS).await;
    let operator = stack.operator();
    let mut product = example(&stack);
    for version in [1, 2] {
        let lost = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "UpdateItem");
        stack.aws().wire().fail(lost.named("Products"));
        let first = operator.put_product("club", &product).await;
        assert!([200, 503].contains(&first.status), "{}", first.body);
        let again = operator.put_product("club", &product).await.done();
        assert_eq!(again["product"]["version"], version);
        product["version"] = version.into();
        product["title"] = "Gold Club".into();
    }
}

#[tokio::test]
async fn all_that_is_wrong_with_a_product_is_told_and_nothing_is_written() {
    let stack = TestStack::with(&KEYS).await;
    let operator = stack.operator();
    let mut product = example(&stack);
    product["chats"] = json!([-1009]);
    product["tiers"][0]["prices"]["usd"] = 49.into();
    product["tiers"][1]["starsPrice"] = 0.into();
    let refused = operator.put_product("club", &product).await;
    assert_eq!(refused.refusal(), (400, "invalid_product"));
    let why = refused.body["error"].as_str().unwrap();
    for words in [
        "chats[0]: is none of the chats of TELEGRAM_CHAT_ID: add it there first, or take another",
        "tiers[0].prices.usd: is less than the least charge of stripe, 0.50 usd: raise it",
        "tiers[1].starsPrice: must be from 1 to 100000 Stars",
    ] {
        assert!(why.contains(words), "{why}");
    }
    let mut misspelt = example(&stack);
    misspelt["coupons"][0]["ofF"] = json!({});
    let refused = operator.put_product("club", &misspelt).await;
    let why = refused.body["error"].as_str().unwrap();
    assert!(why.starts_with("coupons[0].ofF: is not known"), "{why}");
    for (id, body, code) in [
        ("Club", example(&stack), "invalid_product"),
        ("club", json!([]), "invalid_json"),
        ("club", json!({}), "invalid_product"),
    ] {
        let refused = operator.put_product(id, &body).await;
        assert_eq!(refused.refusal(), (400, code), "{id} {body}");
    }
    let large = json!({"title": "a".repeat(70_000)});
    assert_eq!(
        operator.put_product("club", &large).await.refusal(),
        (413, "too_large")
    );
    assert_eq!(
        stack.shop().get("products").await.done()["products"],
        json!([])
    );
}

#[tokio::test]
async fn a_price_need_not_suit_a_provider_that_is_off() {
    let stack = TestStack::start().await;
    let mut product = example(&stack);
    product["tiers"][0]["prices"]["usd"] = 49.into();
    stack.operator().put_product("club", &product).await.done();
}

#[tokio::test]
async fn many_products_are_shown_page_by_page() {
    let stack = TestStack::start().await;
    let (operator, shop) = (stack.operator(), stack.shop());
    let product = example(&stack);
    let ids: Vec<String> = (10..37).map(|number| format!("p{number}")).collect();
    for id in &ids {
        operator.put_product(id, &product).await.done();
    }
    let first = shop.get("products").await.done();
    let id_of = |product: &Value| product["productId"].as_str().unwrap().to_owned();
    let of = |page: &Value| -> Vec<String> {
        page["products"]
            .as_array()
            .unwrap()
            .iter()
            .map(id_of)
            .collect()
    };
    assert_eq!(of(&first), ids[..25]);
    assert_eq!(
        (&first["isMore"], &first["after"]),
        (&json!(true), &json!("p34"))
    );
    let second = shop.get("products?after=p34").await.done();
    assert_eq!(of(&second), ids[25..]);
    assert_eq!(
        (&second["isMore"], &second["after"]),
        (&json!(false), &json!(null))
    );
    for odd in ["products?after=P", "products?page=2", "products?after="] {
        assert_eq!(
            shop.get(odd).await.refusal(),
            (400, "invalid_parameter"),
            "{odd}"
        );
    }
}

#[tokio::test]
async fn while_the_table_is_away_calls_are_told_to_come_again() {
    let stack = TestStack::with(&KEYS).await;
    let (operator, shop) = (stack.operator(), stack.shop());
    operator.put_product("club", &example(&stack)).await.done();
    let away = FaultRule::new(WireFault::InternalError);
    let away = FaultRule {
        service: Some(Service::DynamoDb),
        ..away.named("Products").always()
    };
    stack.aws().wire().fail(away);
    for answer in [
        shop.get("products").await,
        shop.get("products/club").await,
        shop.quote(&json!({"productId": "club", "tierId": "life", "currency": "usd"}))
            .await,
        operator.get("products/club").await,
        operator.put_product("other", &example(&stack)).await,
        operator.delete("products/club?version=1").await,
    ] {
        assert_eq!(answer.refusal(), (503, "unavailable"));
        assert_eq!(answer.retry_after.as_deref(), Some("5"));
    }
    stack.aws().wire().clear_faults();
    shop.get("products/club").await.done();
}
