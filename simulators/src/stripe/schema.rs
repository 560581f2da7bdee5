//! The documented operations and their parameters: Stripe's own OpenAPI document, read once.
//!
//! Text is turned into the documented type, and what is unknown, missing or of another kind is refused with Stripe's
//! words. What is documented but not simulated is refused with a message that begins with `simulator:`.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::refusal::StripeRefusal;

const DOCUMENT: &str = include_str!("../../stripe-api/openapi.json");
const ENDIVE: &str = include_str!("../../stripe-api/endive.json");
const MOST_METADATA: usize = 50;
const LONGEST_METADATA_KEY: usize = 40;
const LONGEST_METADATA_VALUE: usize = 500;

static API: LazyLock<Value> = LazyLock::new(|| {
    // The files are part of the program: a test reads them.
    let mut document = serde_json::from_str(DOCUMENT).unwrap_or(Value::Null);
    merge(
        &mut document,
        serde_json::from_str(ENDIVE).unwrap_or(Value::Null),
    );
    document
});

/// The document of the API version that is simulated.
#[must_use]
pub fn document() -> &'static Value {
    &API
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                if value.is_null() {
                    into.remove(&key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

/// Checks the parameters of a call, and gives them with their documented types.
pub(super) fn check(
    method: &str,
    path: &str,
    raw: Map<String, Value>,
    simulated: &[&str],
) -> Result<Value, StripeRefusal> {
    let operation = &API["paths"][path][method.to_lowercase()];
    let body = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
    let mut properties = Map::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "query"
            && let Some(name) = parameter["name"].as_str()
        {
            properties.insert(name.to_owned(), parameter["schema"].clone());
        }
    }
    if let Some(more) = body["properties"].as_object() {
        properties.extend(more.clone());
    }
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), Value::Object(properties));
    schema.insert("required".into(), body["required"].clone());
    let checked = object(&Value::Object(schema), &raw, "")?;
    for name in leaves(&checked, "") {
        let is_simulated = simulated.iter().chain(&["expand"]).any(|known| {
            name == **known
                || name
                    .strip_prefix(known)
                    .is_some_and(|rest| rest.starts_with('['))
        });
        if !is_simulated {
            return Err(StripeRefusal::not_simulated(&name).param(&name));
        }
    }
    Ok(checked)
}

/// The names of all leaves, without the indices of lists.
fn leaves(value: &Value, name: &str) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| leaves(value, &join(name, key)))
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| leaves(item, name)).collect(),
        _ => vec![name.to_owned()],
    }
}

fn join(name: &str, key: &str) -> String {
    if name.is_empty() {
        key.to_owned()
    } else {
        format!("{name}[{key}]")
    }
}

fn bad(message: String, name: &str) -> StripeRefusal {
    StripeRefusal::invalid(message).param(name).validation()
}

fn object(schema: &Value, raw: &Map<String, Value>, name: &str) -> Result<Value, StripeRefusal> {
    let mut checked = Map::new();
    for (key, value) in raw {
        let name = join(name, key);
        let property = &schema["properties"][key];
        if !property.is_null() {
            checked.insert(key.clone(), coerce(property, value, &name)?);
        } else if schema["additionalProperties"].is_object() {
            let text = value
                .as_str()
                .ok_or_else(|| bad(format!("Invalid string: {value}"), &name))?;
            if key.chars().count() > LONGEST_METADATA_KEY {
                let message = format!(
                    "Metadata keys can have up to {LONGEST_METADATA_KEY} characters: {key}"
                );
                return Err(bad(message, &name));
            }
            if text.chars().count() > LONGEST_METADATA_VALUE {
                let message = format!(
                    "Metadata values can have up to 500 characters, but you passed in a value that is {} characters. \
                     Invalid value: {text}",
                    text.chars().count()
                );
                return Err(bad(message, &name));
            }
            checked.insert(key.clone(), value.clone());
        } else if key == "payment_method_types" {
            let message = "The parameter `payment_method_types` is no longer supported. Use dynamic payment methods, \
                           `excluded_payment_method_types`, or `allowed_payment_method_types`.";
            return Err(
                bad(message.to_owned(), &name).code("payment_method_types_no_longer_supported")
            );
        } else {
            return Err(StripeRefusal::unknown_parameter(&name));
        }
    }
    if schema["additionalProperties"].is_object() && checked.len() > MOST_METADATA {
        let message = format!("Metadata can have up to {MOST_METADATA} keys");
        return Err(bad(message, name));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if let Some(key) = required.as_str()
            && !checked.contains_key(key)
        {
            return Err(StripeRefusal::missing_parameter(&join(name, key)));
        }
    }
    Ok(Value::Object(checked))
}

fn coerce(schema: &Value, raw: &Value, name: &str) -> Result<Value, StripeRefusal> {
    if let Some(alternatives) = schema["anyOf"].as_array() {
        let mut refused = None;
        // An object is tried as one before anything else, so that the error names what is wrong inside it.
        let fits = |schema: &&Value| {
            let is_nested = schema["type"] == "object" || schema["type"] == "array";
            is_nested == raw.is_object()
        };
        for alternative in alternatives.iter().filter(fits) {
            match coerce(alternative, raw, name) {
                Ok(value) => return Ok(value),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        return Err(refused.unwrap_or_else(|| bad("Invalid object".to_owned(), name)));
    }
    match schema["type"].as_str() {
        Some("object") => match raw {
            Value::Object(map) => object(schema, map, name),
            _ => Err(bad("Invalid object".to_owned(), name)),
        },
        Some("array") => array(schema, raw, name),
        kind => scalar(schema, kind.unwrap_or("string"), raw, name),
    }
}

fn array(schema: &Value, raw: &Value, name: &str) -> Result<Value, StripeRefusal> {
    let invalid = || bad("Invalid array".to_owned(), name);
    let mut items = Vec::new();
    for (key, value) in raw.as_object().ok_or_else(invalid)? {
        items.push((key.parse::<u32>().map_err(|_| invalid())?, key, value));
    }
    items.sort_by_key(|(index, ..)| *index);
    items
        .into_iter()
        .map(|(_, key, value)| coerce(&schema["items"], value, &join(name, key)))
        .collect()
}

fn scalar(schema: &Value, kind: &str, raw: &Value, name: &str) -> Result<Value, StripeRefusal> {
    let Some(text) = raw.as_str() else {
        return Err(bad(format!("Invalid {kind}: {raw}"), name));
    };
    match kind {
        "integer" => match text.parse::<i64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => {
                Err(bad(format!("Invalid integer: {text}"), name).code("parameter_invalid_integer"))
            }
        },
        "number" => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number.into()),
            _ => Err(bad(format!("Invalid decimal: {text}"), name)),
        },
        "boolean" => match text {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(bad(format!("Invalid boolean: {text}"), name)),
        },
        _ => string(schema, text, name),
    }
}

fn string(schema: &Value, text: &str, name: &str) -> Result<Value, StripeRefusal> {
    if let Some(allowed) = schema["enum"].as_array() {
        let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        if !allowed.contains(&text) {
            let (last, others) = allowed.split_last().unwrap_or((&"", &[]));
            let list = match others {
                [] => (*last).to_owned(),
                [one] => format!("{one} or {last}"),
                _ => format!("{}, or {last}", others.join(", ")),
            };
            return Err(bad(format!("Invalid {name}: must be one of {list}"), name));
        }
    } else if text.is_empty() {
        let message = format!(
            "You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; \
             however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value."
        );
        return Err(bad(message, name).code("parameter_invalid_empty"));
    }
    if let Some(most) = schema["maxLength"].as_u64()
        && text.chars().count() as u64 > most
    {
        let message = format!("Invalid string: {text}; must be at most {most} characters");
        return Err(bad(message, name));
    }
    Ok(text.into())
}
