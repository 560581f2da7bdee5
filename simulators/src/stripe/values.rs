//! Small things about JSON values: reading them with a default, parameters that unset, metadata, random text.

use serde_json::{Value, json};

/// Random letters and digits.
pub(super) fn random_text(length: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .take(length)
        .collect()
}

/// The text of a value; empty if it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The number of a value; 0 if it is none.
pub(super) fn integer(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// The value of a parameter, or null.
pub(super) fn or_null(value: &Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => Value::Null,
        other => other.clone(),
    }
}

/// The map of a parameter, or an empty one.
pub(super) fn or_empty(value: &Value) -> Value {
    if value.is_object() {
        value.clone()
    } else {
        json!({})
    }
}

/// Changes metadata as an update does: what is given replaces, an empty value removes, an empty text removes all.
pub(super) fn merge_metadata(metadata: &mut Value, given: &Value) {
    match (metadata.as_object_mut(), given) {
        (Some(metadata), Value::Object(given)) => {
            for (key, value) in given {
                if text(value).is_empty() {
                    metadata.remove(key);
                } else {
                    metadata.insert(key.clone(), value.clone());
                }
            }
        }
        (Some(metadata), Value::String(_)) => metadata.clear(),
        _ => {}
    }
}
