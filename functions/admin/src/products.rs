//! What is sold: products with their tiers, prices and coupons.
//!
//! A product is written whole, under the version that it was read with; a new one has none. Nothing that was sold changes with
//! it: an order has a copy of its tier.

use domain::product::{ProductDraft, ProductId, ProductProblem, ProductRules};
use runtime::body;
use runtime::response::{Refusal, Rejection};
use serde_json::{Value, json};
use store::{ProductDeleted, ProductPut, ProductRecord};
use tracing::info;

use crate::{App, unavailable};

/// How many problems are told at once.
const PROBLEMS_TOLD: usize = 20;

/// One product, with all that shops are not shown.
pub(crate) async fn show(app: &App, id: &str) -> Result<Value, Refusal> {
    let found = app.products.get(&product_id(id)?).await;
    let record = found.map_err(unavailable)?.ok_or_else(unknown)?;
    Ok(json!({"product": view(&record)}))
}

/// Writes a product, if all of it is right.
pub(crate) async fn put(app: &App, who: &str, id: &str, body: &[u8]) -> Result<Value, Refusal> {
    body::check_size(body)?;
    let fields = body::fields(body)?;
    let id: ProductId = id.parse().map_err(|error| {
        Refusal::saying(Rejection::InvalidProduct, format!("productId: {error}"))
    })?;
    let refused = |problems: &[ProductProblem]| {
        let told = problems.iter().take(PROBLEMS_TOLD).map(ToString::to_string);
        let told: Vec<String> = told.collect();
        let rest = match problems.len() {
            all if all > PROBLEMS_TOLD => format!("; and {} more", all - PROBLEMS_TOLD),
            _ => String::new(),
        };
        let why = format!("{}{rest}.", told.join("; "));
        Refusal::saying(Rejection::InvalidProduct, why)
    };
    let draft = ProductDraft::read(&id, fields, app.product_fee_bps)
        .map_err(|problem| refused(&[problem]))?;
    let replaces = draft.replaces;
    let rules = ProductRules {
        chats: &app.chats,
        providers: &app.providers,
    };
    let product = draft.check(&rules).map_err(|problems| refused(&problems))?;
    let put = app.products.put(&product, replaces, app.clock.now()).await;
    match put.map_err(unavailable)? {
        ProductPut::Done(record) => {
            info!(product.id = %id, product.version = record.version, operator.name = who, outcome = "written",
                "an operator wrote a product");
            Ok(json!({"product": view(&record)}))
        }
        ProductPut::Changed(Some(version)) => Err(Refusal::saying(
            Rejection::ProductChanged,
            format!(
                "The product is of version {version} now: read it, and send what you change with that version."
            ),
        )),
        ProductPut::Changed(None) => Err(Refusal::saying(
            Rejection::ProductChanged,
            "There is no such product any more: leave version out to make it anew.",
        )),
    }
}

/// Deletes a product of the version that the query names.
pub(crate) async fn delete(app: &App, who: &str, id: &str, query: &str) -> Result<Value, Refusal> {
    let id = product_id(id)?;
    let version = query.strip_prefix("version=");
    let version = version.and_then(|version| version.parse().ok());
    let version = version.ok_or_else(|| {
        let why = "version: name the version that the product was read with, and nothing else.";
        Refusal::saying(Rejection::InvalidParameter, why)
    })?;
    match app
        .products
        .delete(&id, version)
        .await
        .map_err(unavailable)?
    {
        ProductDeleted::Done => {}
        ProductDeleted::Changed => return Err(Rejection::ProductChanged.into()),
        ProductDeleted::Missing => return Err(unknown()),
    }
    info!(product.id = %id, operator.name = who, outcome = "deleted", "an operator deleted a product");
    Ok(json!({"productId": id.as_str()}))
}

fn product_id(text: &str) -> Result<ProductId, Refusal> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> Refusal {
    Refusal::saying(Rejection::NotFound, "There is no product of this id.")
}

fn view(record: &ProductRecord) -> Value {
    // Strings and numbers under names that are known: it can't fail.
    let mut view = serde_json::to_value(&record.product).unwrap_or_default();
    view["version"] = record.version.into();
    view["createdAt"] = json!(record.created_at);
    view["updatedAt"] = json!(record.updated_at);
    view
}
