//! Coupons: created with an id of the caller's or of ours, and taken off a total.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::kind::ObjectKind;
use super::list;
use super::money;
use super::refusal::StripeRefusal;
use super::values::{integer, or_empty, text};
use super::world::StripeWorld;

/// `POST /v1/coupons`.
pub(super) fn create(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let params = &ask.params;
    let id = params["id"]
        .as_str()
        .map_or_else(|| world.new_id(ObjectKind::Coupon), str::to_owned);
    if world.get(ObjectKind::Coupon, &id).is_some() {
        return Err(StripeRefusal::invalid("Coupon already exists.")
            .code("resource_already_exists")
            .param("id"));
    }
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !id.bytes().all(is_valid) {
        return Err(StripeRefusal::invalid(
            "Invalid coupon id: only letters, digits, `_` and `-` are allowed.",
        )
        .param("id"));
    }
    let currency = match (
        params["percent_off"].as_f64(),
        params["amount_off"].as_i64(),
    ) {
        (Some(_), Some(_)) => {
            return Err(StripeRefusal::exclusive("percent_off, amount_off"));
        }
        (None, None) => {
            return Err(StripeRefusal::invalid(
                "Must provide percent_off or amount_off when creating a coupon.",
            ));
        }
        (Some(percent), None) if !(percent > 0.0 && percent <= 100.0) => {
            return Err(StripeRefusal::invalid(
                "Invalid decimal: must be greater than 0 and at most 100",
            )
            .param("percent_off"));
        }
        (Some(_), None) => Value::Null,
        (None, Some(amount)) if amount < 1 => {
            return Err(StripeRefusal::invalid("Invalid positive integer").param("amount_off"));
        }
        (None, Some(_)) if params["currency"].is_null() => {
            return Err(StripeRefusal::missing_parameter("currency"));
        }
        (None, Some(_)) => json!(money::currency(&params["currency"], "currency")?),
    };
    let duration = params["duration"].as_str().unwrap_or("once");
    if (duration == "repeating") != params["duration_in_months"].is_i64() {
        return Err(StripeRefusal::invalid(
            "`duration_in_months` is for the duration `repeating`, which needs it.",
        )
        .param("duration_in_months"));
    }
    let coupon = json!({
        "id": id, "object": "coupon", "amount_off": params["amount_off"], "created": world.now,
        "currency": currency, "duration": duration, "duration_in_months": params["duration_in_months"],
        "livemode": world.livemode, "max_redemptions": params["max_redemptions"],
        "metadata": or_empty(&params["metadata"]), "name": params["name"], "percent_off": params["percent_off"],
        "redeem_by": params["redeem_by"], "times_redeemed": 0, "valid": true,
    });
    world.put(ObjectKind::Coupon, coupon.clone());
    world.emit("coupon.created", ObjectKind::Coupon, &id);
    Ok(coupon)
}

/// `GET /v1/coupons/{coupon}`.
pub(super) fn retrieve(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Coupon, &ask.id, "coupon").cloned()
}

/// `DELETE /v1/coupons/{coupon}`.
pub(super) fn delete(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Coupon, &ask.id, "coupon")?;
    world.emit("coupon.deleted", ObjectKind::Coupon, &ask.id);
    world.remove(ObjectKind::Coupon, &ask.id);
    Ok(json!({"id": ask.id, "object": "coupon", "deleted": true}))
}

/// `GET /v1/coupons`.
pub(super) fn list_all(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    list::list(world, ObjectKind::Coupon, &ask.params, |_| true)
}

/// The coupon of a session's `discounts`, if it can be redeemed.
pub(super) fn of_discounts(
    world: &StripeWorld,
    discounts: &Value,
) -> Result<Option<String>, StripeRefusal> {
    let discounts = discounts.as_array().map(Vec::as_slice).unwrap_or_default();
    let id = match discounts {
        [] => return Ok(None),
        [one] => text(&one["coupon"]),
        _ => {
            return Err(
                StripeRefusal::invalid("You may only specify one discount.").param("discounts")
            );
        }
    };
    let coupon = world
        .find(ObjectKind::Coupon, id, "discounts[0][coupon]")
        .map_err(StripeRefusal::in_parameter)?;
    let is_late = coupon["redeem_by"]
        .as_i64()
        .is_some_and(|by| by < world.now);
    let is_used_up = coupon["max_redemptions"]
        .as_i64()
        .is_some_and(|most| integer(&coupon["times_redeemed"]) >= most);
    if is_late || is_used_up {
        return Err(StripeRefusal::invalid(format!(
            "Coupon {id} is expired and cannot be applied."
        ))
        .code("coupon_expired")
        .param("discounts[0][coupon]"));
    }
    Ok(Some(id.to_owned()))
}

/// What the coupon takes off a total.
pub(super) fn discount(coupon: &Value, total: i64, currency: &str) -> Result<i64, StripeRefusal> {
    if let Some(amount) = coupon["amount_off"].as_i64() {
        if coupon["currency"] != currency {
            return Err(StripeRefusal::invalid(format!(
                "The coupon's currency does not match {currency}."
            ))
            .param("discounts[0][coupon]"));
        }
        return Ok(amount.min(total));
    }
    // Percents have two decimals at most.
    let bps = (coupon["percent_off"].as_f64().unwrap_or_default() * 100.0).round() as i64;
    Ok((total * bps + 5_000) / 10_000)
}

/// Spreads a discount over the items, the rest to the last.
pub(super) fn spread(items: &mut [Value], discount: i64) {
    let total: i64 = items
        .iter()
        .map(|item| integer(&item["amount_subtotal"]))
        .sum();
    let mut left = discount;
    let count = items.len();
    for (place, item) in items.iter_mut().enumerate() {
        let amount = integer(&item["amount_subtotal"]);
        let share = if place + 1 == count || total == 0 {
            left
        } else {
            discount * amount / total
        };
        let share = share.min(amount);
        left -= share;
        item["amount_discount"] = json!(share);
        item["amount_total"] = json!(amount - share);
    }
}

impl StripeWorld {
    /// Counts a use.
    pub(super) fn redeem(&mut self, id: &str) {
        self.change(ObjectKind::Coupon, id, |coupon| {
            let times = integer(&coupon["times_redeemed"]) + 1;
            coupon["times_redeemed"] = json!(times);
            let is_left = coupon["max_redemptions"]
                .as_i64()
                .is_none_or(|most| times < most);
            coupon["valid"] = json!(is_left);
        });
    }
}
