//! Checkout Sessions: their creation with all that is checked, their reading, and their end without a payment.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::catalog;
use super::coupon;
use super::kind::ObjectKind;
use super::list;
use super::money;
use super::refusal::StripeRefusal;
use super::terms::SessionTerms;
use super::values::{integer, merge_metadata, or_empty, or_null, text};
use super::world::{DueAction, StripeWorld};

const SHORTEST: i64 = 30 * 60;
const LONGEST: i64 = 24 * 3600;
const MOST_ITEMS: usize = 100;
const MOST_RECURRING: usize = 20;
/// Stripe's wording of a session's URL, with the id in it.
const PAY_PATH: &str = "/c/pay/";

/// `POST /v1/checkout/sessions`.
pub(super) fn create(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let params = &ask.params;
    check(world, params)?;
    let mode = text(&params["mode"]);
    let is_subscription = mode == "subscription";
    let trial_end = trial_end(world, &params["subscription_data"])?;
    let coupon = coupon::of_discounts(world, &params["discounts"])?;
    let mut items = Vec::new();
    for (place, line) in params["line_items"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        items.push(item(world, line, place)?);
    }
    check_items(&items, is_subscription)?;
    let currency = items
        .first()
        .map_or("usd", |item| text(&item["currency"]))
        .to_owned();
    if items
        .iter()
        .any(|item| item["currency"] != currency.as_str())
    {
        return Err(StripeRefusal::invalid(
            "All line items must have the same currency.",
        ));
    }
    if trial_end.is_some() {
        for item in items
            .iter_mut()
            .filter(|item| item["price"]["type"] == "recurring")
        {
            (item["amount_subtotal"], item["amount_total"]) = (json!(0), json!(0));
        }
    }
    let subtotal: i64 = items
        .iter()
        .map(|item| integer(&item["amount_subtotal"]))
        .sum();
    let discount = match &coupon {
        Some(id) => coupon::discount(&world.read(ObjectKind::Coupon, id), subtotal, &currency)?,
        None => 0,
    };
    coupon::spread(&mut items, discount);
    let total = subtotal - discount;
    money::chargeable(total, &currency)?;
    let id = world.new_id(ObjectKind::Session);
    let expires_at = params["expires_at"].as_i64().unwrap_or(world.now + LONGEST);
    let terms = SessionTerms {
        items,
        payment_intent_data: or_empty(&params["payment_intent_data"]),
        subscription_data: or_empty(&params["subscription_data"]),
        coupon,
        trial_end,
        intent: None,
    };
    let mut session = session(world, &id, params, &terms, (subtotal, discount), &currency);
    if !params["excluded_payment_method_types"].is_null() {
        session["excluded_payment_method_types"] = params["excluded_payment_method_types"].clone();
    }
    world.terms.insert(id.clone(), terms);
    world.put(ObjectKind::Session, session.clone());
    world.at(expires_at, DueAction::ExpireSession(id));
    Ok(session)
}

fn check(world: &StripeWorld, params: &Value) -> Result<(), StripeRefusal> {
    for required in ["mode", "line_items", "success_url"] {
        if params[required].is_null() {
            return Err(StripeRefusal::missing_parameter(required));
        }
    }
    let invalid = |message: &str, param: &str| Err(StripeRefusal::invalid(message).param(param));
    let is_given = |name: &str| !params[name].is_null();
    match text(&params["mode"]) {
        "payment" if is_given("subscription_data") => {
            return invalid(
                "You can not pass `subscription_data` in `payment` mode.",
                "subscription_data",
            );
        }
        "payment" if is_given("payment_method_collection") => {
            return invalid(
                "You can not pass `payment_method_collection` in `payment` mode.",
                "payment_method_collection",
            );
        }
        "subscription" if is_given("payment_intent_data") => {
            return invalid(
                "You can not pass `payment_intent_data` in `subscription` mode.",
                "payment_intent_data",
            );
        }
        "subscription" if is_given("customer_creation") => {
            return invalid(
                "`customer_creation` can only be used in `payment` mode.",
                "customer_creation",
            );
        }
        "setup" => return Err(StripeRefusal::not_simulated("setup mode")),
        _ => {}
    }
    if !matches!(params["ui_mode"].as_str(), None | Some("hosted_page")) {
        return Err(StripeRefusal::not_simulated("any ui_mode but hosted_page").param("ui_mode"));
    }
    for enabled in ["automatic_tax", "invoice_creation", "adaptive_pricing"] {
        if params[enabled]["enabled"] == true {
            return Err(StripeRefusal::not_simulated(enabled).param(enabled));
        }
    }
    if is_given("customer") && is_given("customer_email") {
        return Err(StripeRefusal::exclusive("customer, customer_email"));
    }
    if is_given("allow_promotion_codes") && is_given("discounts") {
        return Err(StripeRefusal::exclusive("allow_promotion_codes, discounts"));
    }
    if let Some(customer) = params["customer"].as_str() {
        world
            .find(ObjectKind::Customer, customer, "customer")
            .map_err(StripeRefusal::in_parameter)?;
    }
    for url in ["success_url", "cancel_url"] {
        if let Some(given) = params[url].as_str()
            && !given.starts_with("https://")
            && !given.starts_with("http://")
        {
            return Err(StripeRefusal::invalid("Not a valid URL")
                .code("url_invalid")
                .param(url));
        }
    }
    if text(&params["client_reference_id"]).chars().count() > 200 {
        return invalid(
            "Invalid string: client_reference_id must be at most 200 characters",
            "client_reference_id",
        );
    }
    let Some(expires_at) = params["expires_at"].as_i64() else {
        return Ok(());
    };
    if expires_at < world.now + SHORTEST {
        return invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            "expires_at",
        );
    }
    if expires_at > world.now + LONGEST {
        return invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            "expires_at",
        );
    }
    Ok(())
}

fn trial_end(world: &StripeWorld, data: &Value) -> Result<Option<i64>, StripeRefusal> {
    match (
        data["trial_period_days"].as_i64(),
        data["trial_end"].as_i64(),
    ) {
        (Some(_), Some(_)) => Err(StripeRefusal::exclusive(
            "subscription_data[trial_period_days], subscription_data[trial_end]",
        )),
        (Some(days), None) if !(1..=730).contains(&days) => Err(StripeRefusal::invalid(
            "The number of trial period days must be between 1 and 730.",
        )
        .param("subscription_data[trial_period_days]")),
        (Some(days), None) => Ok(Some(world.now + days * 86_400)),
        (None, Some(end)) if end < world.now + 2 * 86_400 => Err(StripeRefusal::invalid(
            "The `trial_end` date has to be at least 2 days in the future.",
        )
        .param("subscription_data[trial_end]")),
        (None, end) => Ok(end),
    }
}

fn item(world: &mut StripeWorld, line: &Value, place: usize) -> StripeResult {
    let name = |field: &str| format!("line_items[{place}][{field}]");
    let quantity = match line["quantity"].as_i64() {
        None => return Err(StripeRefusal::missing_parameter(&name("quantity"))),
        Some(quantity) if quantity < 1 => {
            return Err(
                StripeRefusal::invalid("This value must be greater than or equal to 1.")
                    .param(&name("quantity")),
            );
        }
        Some(quantity) => quantity,
    };
    let price = match (line["price"].as_str(), line["price_data"].is_object()) {
        (Some(_), true) => return Err(StripeRefusal::exclusive("price, price_data")),
        (Some(id), false) => {
            let price = world
                .find(ObjectKind::Price, id, &name("price"))
                .map_err(StripeRefusal::in_parameter)?;
            if price["active"] != true {
                let message =
                    "The price specified is inactive. This field only accepts active prices.";
                return Err(StripeRefusal::invalid(message).param(&name("price")));
            }
            price.clone()
        }
        (None, true) => catalog::price_of(world, &line["price_data"], &name("price_data"))?,
        (None, false) => return Err(StripeRefusal::missing_parameter(&name("price"))),
    };
    let amount = integer(&price["unit_amount"]).saturating_mul(quantity);
    let product = world.read(ObjectKind::Product, text(&price["product"]));
    Ok(json!({
        "id": format!("li_1{}", super::values::random_text(23)), "object": "item", "adjustable_quantity": null,
        "amount_discount": 0, "amount_subtotal": amount, "amount_tax": 0, "amount_total": amount,
        "currency": price["currency"], "description": product["name"], "metadata": or_empty(&line["metadata"]),
        "price": price, "quantity": quantity,
    }))
}

fn check_items(items: &[Value], is_subscription: bool) -> Result<(), StripeRefusal> {
    let recurring = items
        .iter()
        .filter(|item| item["price"]["type"] == "recurring")
        .count();
    let invalid = |message: &str| Err(StripeRefusal::invalid(message).param("line_items"));
    if items.is_empty() {
        return Err(StripeRefusal::missing_parameter("line_items"));
    }
    if !is_subscription && recurring > 0 {
        return invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only \
             one-time prices.",
        );
    }
    if is_subscription && recurring == 0 {
        return invalid(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
        );
    }
    if recurring > MOST_RECURRING || items.len() > MOST_ITEMS {
        return invalid("You have passed too many line items.");
    }
    if is_subscription && items.len() > 1 {
        return Err(
            StripeRefusal::not_simulated("a subscription of several items").param("line_items"),
        );
    }
    Ok(())
}

fn session(
    world: &StripeWorld,
    id: &str,
    params: &Value,
    terms: &SessionTerms,
    (subtotal, discount): (i64, i64),
    currency: &str,
) -> Value {
    let is_subscription = params["mode"] == "subscription";
    let total = subtotal - discount;
    let creation = match (is_subscription, params["customer_creation"].as_str()) {
        (true, _) => json!("always"),
        (false, _) if params["customer"].is_string() => Value::Null,
        (false, given) => json!(given.unwrap_or("if_required")),
    };
    let collection = if is_subscription {
        json!(
            params["payment_method_collection"]
                .as_str()
                .unwrap_or("always")
        )
    } else {
        json!("if_required")
    };
    let discounts: Vec<Value> = terms
        .coupon
        .iter()
        .map(|coupon| json!({"coupon": coupon, "promotion_code": null}))
        .collect();
    let is_free = total == 0;
    json!({
        "id": id, "object": "checkout.session", "adaptive_pricing": {"enabled": false}, "after_expiration": null,
        "allow_promotion_codes": params["allow_promotion_codes"],
        "allowed_payment_method_types": params["allowed_payment_method_types"],
        "amount_subtotal": subtotal, "amount_total": total,
        "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
        "billing_address_collection": params["billing_address_collection"], "cancel_url": params["cancel_url"],
        "client_reference_id": params["client_reference_id"], "client_secret": null, "collected_information": null,
        "consent": null, "consent_collection": null, "created": world.now, "currency": currency,
        "currency_conversion": null, "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
        },
        "customer": params["customer"], "customer_account": null, "customer_creation": creation,
        "customer_details": null, "customer_email": params["customer_email"], "discounts": discounts,
        "expires_at": params["expires_at"].as_i64().unwrap_or(world.now + LONGEST),
        "integration_identifier": null, "invoice": null,
        "invoice_creation": if is_subscription { Value::Null } else { json!({
            "enabled": false,
            "invoice_data": {
                "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null, "issuer": null,
                "metadata": {}, "rendering_options": null,
            },
        }) },
        "livemode": world.livemode, "locale": params["locale"], "managed_payments": {"enabled": false},
        "metadata": or_empty(&params["metadata"]), "mode": params["mode"], "origin_context": null,
        "payment_intent": null, "payment_link": null, "payment_method_collection": collection,
        "payment_method_configuration_details": if is_free { Value::Null } else {
            json!({"id": "pmc_1Default", "parent": null})
        },
        "payment_method_options": {}, "payment_method_types": ["card", "us_bank_account"],
        "payment_status": if is_free { "no_payment_required" } else { "unpaid" }, "permissions": null,
        "phone_number_collection": {"enabled": false}, "recovered_from": null,
        "saved_payment_method_options": null, "setup_intent": null, "shipping_address_collection": null,
        "shipping_cost": null, "shipping_options": [], "status": "open", "submit_type": params["submit_type"],
        "subscription": null, "success_url": params["success_url"],
        "total_details": {"amount_discount": discount, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page", "url": format!("{}{PAY_PATH}{id}", world.url), "wallet_options": null,
    })
}

/// `GET /v1/checkout/sessions/{session}`.
pub(super) fn retrieve(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Session, &ask.id, "session").cloned()
}

/// `POST /v1/checkout/sessions/{session}`: its metadata.
pub(super) fn update(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Session, &ask.id, "session")?;
    world.change(ObjectKind::Session, &ask.id, |session| {
        merge_metadata(&mut session["metadata"], &ask.params["metadata"]);
    });
    Ok(world.read(ObjectKind::Session, &ask.id))
}

/// `GET /v1/checkout/sessions`.
pub(super) fn list_all(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let fields = ["customer", "payment_intent", "status", "subscription"];
    let email = &ask.params["customer_details"]["email"];
    let equal = list::equal(&ask.params, &fields);
    list::list(world, ObjectKind::Session, &ask.params, |session| {
        equal(session) && (email.is_null() || *email == session["customer_details"]["email"])
    })
}

/// `GET /v1/checkout/sessions/{session}/line_items`.
pub(super) fn line_items(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Session, &ask.id, "session")?;
    let items = world.terms.get(&ask.id).map(|terms| terms.items.clone());
    let url = format!("{}/{}/line_items", ObjectKind::Session.url(), ask.id);
    list::page(items.unwrap_or_default(), &ask.params, &url)
}

/// `POST /v1/checkout/sessions/{session}/expire`.
pub(super) fn expire(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let session = world.find(ObjectKind::Session, &ask.id, "session")?;
    let status = text(&session["status"]);
    if status != "open" {
        return Err(StripeRefusal::invalid(format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of \
             `{status}`."
        )));
    }
    world.expire_session(&ask.id);
    Ok(world.read(ObjectKind::Session, &ask.id))
}

impl StripeWorld {
    /// Ends an open session; one that is complete stays.
    pub(super) fn expire_session(&mut self, id: &str) {
        let session = self.read(ObjectKind::Session, id);
        if session["status"] != "open" {
            return;
        }
        self.set(
            ObjectKind::Session,
            id,
            json!({"status": "expired", "url": null}),
        );
        if let Some(intent) = session["payment_intent"].as_str() {
            let canceled = json!({
                "status": "canceled", "canceled_at": self.now, "cancellation_reason": "automatic", "next_action": null,
            });
            self.set(ObjectKind::Intent, intent, canceled);
            self.emit("payment_intent.canceled", ObjectKind::Intent, intent);
        }
        self.emit("checkout.session.expired", ObjectKind::Session, id);
    }

    /// Notes that the buyer is done.
    pub(super) fn complete_session(&mut self, id: &str, customer: &Value, fields: Value) {
        let session = self.read(ObjectKind::Session, id);
        let known = self.read(ObjectKind::Customer, text(customer));
        let email = [&known["email"], &session["customer_email"]]
            .into_iter()
            .find_map(|email| email.as_str())
            .unwrap_or("buyer@example.com");
        let name = known["name"].as_str().unwrap_or("Jenny Rosen");
        self.set(
            ObjectKind::Session,
            id,
            json!({
                "status": "complete", "url": null, "customer": or_null(customer),
                "customer_details": {
                    "address": {
                        "city": null, "country": "US", "line1": null, "line2": null, "postal_code": "94103",
                        "state": null,
                    },
                    "business_name": null, "email": email, "individual_name": null, "name": name, "phone": null,
                    "tax_exempt": "none", "tax_ids": [],
                },
            }),
        );
        self.set(ObjectKind::Session, id, fields);
        let coupon = self.terms.get(id).and_then(|terms| terms.coupon.clone());
        if let Some(coupon) = coupon {
            self.redeem(&coupon);
        }
    }
}
