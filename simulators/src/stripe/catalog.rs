//! Products and prices, as `price_data` makes them.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::kind::ObjectKind;
use super::list;
use super::money;
use super::refusal::StripeRefusal;
use super::values::{integer, or_empty, text};
use super::world::StripeWorld;

const LONGEST_INTERVAL: [(&str, i64); 4] =
    [("day", 1095), ("week", 156), ("month", 36), ("year", 3)];

/// Makes the price of a `price_data`, and its product if it has none yet.
pub(super) fn price_of(world: &mut StripeWorld, data: &Value, name: &str) -> StripeResult {
    let currency = money::currency(&data["currency"], &format!("{name}[currency]"))?;
    let amount = match (
        data["unit_amount"].as_i64(),
        data["unit_amount_decimal"].as_str(),
    ) {
        (Some(_), Some(_)) => {
            return Err(StripeRefusal::exclusive("unit_amount, unit_amount_decimal"));
        }
        (Some(amount), None) => amount,
        (None, Some(decimal)) => decimal
            .parse()
            .map_err(|_| StripeRefusal::not_simulated("a part of the smallest unit"))?,
        (None, None) => {
            return Err(StripeRefusal::missing_parameter(&format!(
                "{name}[unit_amount]"
            )));
        }
    };
    if amount < 0 {
        return Err(StripeRefusal::invalid("Invalid non-negative integer")
            .code("parameter_invalid_integer")
            .param(&format!("{name}[unit_amount]")));
    }
    let product = match (data["product"].as_str(), data["product_data"].is_object()) {
        (Some(_), true) => return Err(StripeRefusal::exclusive("product, product_data")),
        (Some(id), false) => {
            world
                .find(ObjectKind::Product, id, &format!("{name}[product]"))
                .map_err(StripeRefusal::in_parameter)?;
            id.to_owned()
        }
        (None, true) => new_product(world, &data["product_data"]),
        (None, false) => {
            return Err(StripeRefusal::missing_parameter(&format!(
                "{name}[product]"
            )));
        }
    };
    let recurring = recurring(&data["recurring"], name)?;
    let id = world.new_id(ObjectKind::Price);
    let price = json!({
        "id": id, "object": "price", "active": false, "billing_scheme": "per_unit", "created": world.now,
        "currency": currency, "custom_unit_amount": null, "livemode": world.livemode, "lookup_key": null,
        "metadata": {}, "nickname": null, "product": product, "recurring": recurring,
        "tax_behavior": data["tax_behavior"].as_str().unwrap_or("unspecified"), "tiers_mode": null,
        "transform_quantity": null, "type": if recurring.is_null() { "one_time" } else { "recurring" },
        "unit_amount": amount, "unit_amount_decimal": amount.to_string(),
    });
    world.put(ObjectKind::Price, price.clone());
    Ok(price)
}

fn recurring(given: &Value, name: &str) -> StripeResult {
    if given.is_null() {
        return Ok(Value::Null);
    }
    let interval = text(&given["interval"]);
    let count = given["interval_count"].as_i64().unwrap_or(1);
    let most = LONGEST_INTERVAL
        .iter()
        .find(|(unit, _)| *unit == interval)
        .map_or(0, |(_, most)| *most);
    if !(1..=most).contains(&count) {
        return Err(StripeRefusal::invalid(
            "The interval must be at least 1 and at most three years.",
        )
        .param(&format!("{name}[recurring][interval_count]")));
    }
    Ok(
        json!({"interval": interval, "interval_count": count, "meter": null, "usage_type": "licensed"}),
    )
}

fn new_product(world: &mut StripeWorld, data: &Value) -> String {
    let id = world.new_id(ObjectKind::Product);
    let images = data["images"].as_array().cloned().unwrap_or_default();
    let product = json!({
        "id": id, "object": "product", "active": true, "created": world.now, "default_price": null,
        "description": data["description"], "images": images, "livemode": world.livemode, "marketing_features": [],
        "metadata": or_empty(&data["metadata"]), "name": data["name"], "package_dimensions": null,
        "shippable": null, "statement_descriptor": null, "tax_code": data["tax_code"],
        "unit_label": data["unit_label"], "updated": world.now, "url": null,
    });
    world.put(ObjectKind::Product, product);
    id
}

/// `GET /v1/prices/{price}`.
pub(super) fn retrieve_price(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Price, &ask.id, "price").cloned()
}

/// `GET /v1/products/{id}`.
pub(super) fn retrieve_product(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Product, &ask.id, "id").cloned()
}

/// `GET /v1/prices`.
pub(super) fn list_prices(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let fields = ["active", "currency", "product", "type"];
    list::list(
        world,
        ObjectKind::Price,
        &ask.params,
        list::equal(&ask.params, &fields),
    )
}

/// `GET /v1/products`.
pub(super) fn list_products(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    list::list(
        world,
        ObjectKind::Product,
        &ask.params,
        list::equal(&ask.params, &["active"]),
    )
}

/// The end of the period that begins at `start` (seconds), for a subscription that was begun at `anchor`: months keep the
/// anchor's day, and end early where a month is short.
pub(super) fn period_end(start: i64, anchor: i64, recurring: &Value) -> i64 {
    let count = integer(&recurring["interval_count"]).max(1);
    let months = match text(&recurring["interval"]) {
        "day" => return start + count * 86_400,
        "week" => return start + count * 7 * 86_400,
        "year" => 12 * count,
        _ => count,
    };
    let (year, month, _) = civil(start.div_euclid(86_400));
    let (.., anchor_day) = civil(anchor.div_euclid(86_400));
    let month = year * 12 + month - 1 + months;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    let next = if month == 12 {
        days(year + 1, 1, 1)
    } else {
        days(year, month + 1, 1)
    };
    let last_day = next - days(year, month, 1);
    days(year, month, anchor_day.min(last_day)) * 86_400 + anchor.rem_euclid(86_400)
}

/// The civil date of a day since 1970-01-01, by the proleptic Gregorian calendar.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// The inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_keep_the_day_of_the_anchor() {
        let at = |year, month, day| days(year, month, day) * 86_400 + 3_600;
        let monthly = json!({"interval": "month", "interval_count": 1});
        let anchor = at(2027, 1, 31);
        let mut start = anchor;
        for (month, day) in [(2, 28), (3, 31), (4, 30), (5, 31)] {
            start = period_end(start, anchor, &monthly);
            assert_eq!(start, at(2027, month, day), "{month}");
        }
        let yearly = json!({"interval": "year", "interval_count": 1});
        assert_eq!(
            period_end(at(2028, 2, 29), at(2028, 2, 29), &yearly),
            at(2029, 2, 28)
        );
        let weekly = json!({"interval": "week", "interval_count": 2});
        assert_eq!(period_end(0, 0, &weekly), 14 * 86_400);
        assert_eq!(civil(days(2026, 12, 31)), (2026, 12, 31));
    }
}
