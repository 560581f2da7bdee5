//! What is sold, as a shop shows it: without coupons, and without who gets what of it.

use domain::product::ProductId;
use runtime::response::{Refusal, Rejection};
use serde_json::{Value, json};
use store::ProductRecord;

use crate::{App, unavailable};

/// What is between the owner, the platform and those who have a coupon.
const NOT_SHOWN: [&str; 4] = ["owner", "feeBps", "coupons", "referralOffBps"];

/// Products by id, one page; `after` goes on behind one of them.
pub(crate) async fn list(app: &App, query: &str) -> Result<Value, Refusal> {
    let after: Option<ProductId> = match query {
        "" => None,
        query => {
            let after = query.strip_prefix("after=");
            let after = after.and_then(|after| after.parse().ok());
            let why =
                "after: is to be the id of a product, and nothing else is to be in the query.";
            let after = after.ok_or_else(|| Refusal::saying(Rejection::InvalidParameter, why))?;
            Some(after)
        }
    };
    let page = app.products.page(after.as_ref()).await;
    let page = page.map_err(unavailable)?;
    let products: Vec<Value> = page.products.iter().map(view).collect();
    let next = page.next.as_ref().map(ProductId::as_str);
    Ok(json!({"products": products, "isMore": next.is_some(), "after": next}))
}

/// One product.
pub(crate) async fn show(app: &App, id: &str) -> Result<Value, Refusal> {
    Ok(json!({"product": view(&get(app, id).await?)}))
}

/// The product of this id.
///
/// # Errors
/// [`Rejection::NotFound`] if there is none.
pub(crate) async fn get(app: &App, id: &str) -> Result<ProductRecord, Refusal> {
    let none = || Refusal::saying(Rejection::NotFound, "There is no product of this id.");
    let id: ProductId = id.parse().map_err(|_| none())?;
    let found = app.products.get(&id).await.map_err(unavailable)?;
    found.ok_or_else(none)
}

fn view(record: &ProductRecord) -> Value {
    // Strings and numbers under names that are known: it can't fail.
    let mut view = serde_json::to_value(&record.product).unwrap_or_default();
    if let Some(fields) = view.as_object_mut() {
        fields.retain(|name, _| !NOT_SHOWN.contains(&name.as_str()));
    }
    view["version"] = record.version.into();
    view["updatedAt"] = json!(record.updated_at);
    view
}
