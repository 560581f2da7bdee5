//! `expand[]`: ids in an answer become objects, and lists that are left out by default are put in.

use serde_json::{Value, json};

use super::kind::ObjectKind;
use super::refusal::StripeRefusal;
use super::values::text;
use super::world::StripeWorld;

const DEEPEST: usize = 4;

/// Expands what the parameter asks for.
pub(super) fn expand(
    world: &StripeWorld,
    answer: &mut Value,
    paths: &Value,
) -> Result<(), StripeRefusal> {
    for path in paths.as_array().into_iter().flatten() {
        let path = text(path);
        let steps: Vec<&str> = path.split('.').collect();
        if steps.len() > DEEPEST {
            let message = format!("You cannot expand more than {DEEPEST} levels of a property.");
            return Err(StripeRefusal::invalid(message).param("expand"));
        }
        walk(world, answer, &steps).map_err(|step| {
            let message = format!("This property cannot be expanded ({step}).");
            StripeRefusal::invalid(message).param("expand")
        })?;
    }
    Ok(())
}

fn walk(world: &StripeWorld, value: &mut Value, steps: &[&str]) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else {
        return Ok(());
    };
    if let Some(items) = value.as_array_mut() {
        return items
            .iter_mut()
            .try_for_each(|item| walk(world, item, steps));
    }
    if value["object"] == "list" && *step == "data" {
        let items = value["data"].as_array_mut().into_iter().flatten();
        for item in items {
            walk(world, item, rest)?;
        }
        return Ok(());
    }
    if let Some(list) = left_out(world, value, step) {
        value[*step] = list;
    }
    let Some(field) = value.get_mut(*step) else {
        return Err((*step).to_owned());
    };
    match field {
        Value::Null => Ok(()),
        Value::String(id) => {
            let kind = ObjectKind::of_id(id).or_else(|| {
                let is_coupon = world.get(ObjectKind::Coupon, id).is_some();
                is_coupon.then_some(ObjectKind::Coupon)
            });
            let kind = kind.filter(|_| *step != "id").ok_or(*step)?;
            let object = world.get(kind, id).cloned().ok_or(*step)?;
            *field = world.shown(kind, object);
            walk(world, field, rest)
        }
        Value::Object(_) | Value::Array(_) if !rest.is_empty() => walk(world, field, rest),
        Value::Object(_) if field["object"] == "list" => Ok(()),
        _ => Err((*step).to_owned()),
    }
}

/// A list that an object has only if it is asked for.
fn left_out(world: &StripeWorld, object: &Value, step: &str) -> Option<Value> {
    let id = text(&object["id"]);
    let url = |kind: ObjectKind| format!("{}/{id}/{step}", kind.url());
    let list = |data: Vec<Value>, url: String| {
        Some(json!({"object": "list", "data": data, "has_more": false, "url": url}))
    };
    match (text(&object["object"]), step) {
        ("checkout.session", "line_items") => {
            list(world.terms.get(id)?.items.clone(), url(ObjectKind::Session))
        }
        ("charge", "refunds") => {
            let refunds = world.all(ObjectKind::Refund).rev();
            let own = refunds.filter(|refund| refund["charge"] == id).cloned();
            list(own.collect(), url(ObjectKind::Charge))
        }
        ("invoice", "payments") => {
            let payments = world.all(ObjectKind::InvoicePayment).rev();
            let own = payments.filter(|payment| payment["invoice"] == id).cloned();
            list(own.collect(), url(ObjectKind::Invoice))
        }
        ("customer", "subscriptions") => {
            let all = world.all(ObjectKind::Subscription).rev();
            let own = all.filter(|own| own["customer"] == id && own["status"] != "canceled");
            list(own.cloned().collect(), url(ObjectKind::Customer))
        }
        _ => None,
    }
}
