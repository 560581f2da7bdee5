//! The documented rules of one event, and the type that the first value of an attribute fixes for ever.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

const LONGEST_ID: usize = 100;
const EVENT_NAME_BELOW: usize = 50;
const ATTRIBUTE_NAME_BELOW: usize = 50;
const STRING_BELOW: usize = 1000;
const MOST_ATTRIBUTES_OF_A_TYPE: usize = 25;
/// How many attributes' types are remembered.
const MOST_TYPES: usize = 10_000;

/// The types that WebEngage tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataType {
    /// Text.
    String,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Text of the form of `eventTime`.
    Date,
    /// A list.
    Array,
    /// An object.
    Object,
}

fn data_type(value: &Value) -> Option<DataType> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some(DataType::Boolean),
        Value::Number(_) => Some(DataType::Number),
        Value::String(text) if is_time(text) => Some(DataType::Date),
        Value::String(_) => Some(DataType::String),
        Value::Array(_) => Some(DataType::Array),
        Value::Object(_) => Some(DataType::Object),
    }
}

/// Checks a body, and gives the sentence of the 400 if it breaks a rule.
pub(super) fn check(body: &Value) -> Result<(), String> {
    let event = body
        .as_object()
        .ok_or("The request body is not a JSON object")?;
    check_identity(event)?;
    let name = event.get("eventName").ok_or("eventName is mandatory")?;
    let name = name
        .as_str()
        .filter(|name| !name.is_empty())
        .ok_or("eventName must be a non-empty string")?;
    if name.chars().count() >= EVENT_NAME_BELOW {
        return Err("eventName must be less than 50 characters".into());
    }
    if name.starts_with("we_") {
        return Err("eventName must not start with we_".into());
    }
    match event.get("eventTime") {
        None => {}
        Some(Value::String(time)) if is_time(time) => {}
        Some(_) => {
            return Err("eventTime must be a string of the format yyyy-MM-ddTHH:mm:ss±hhmm".into());
        }
    }
    match event.get("eventData") {
        None => Ok(()),
        Some(Value::Object(data)) => check_data(data),
        Some(_) => Err("eventData must be an object".into()),
    }
}

fn check_identity(event: &Map<String, Value>) -> Result<(), String> {
    let (name, id) = match (event.get("userId"), event.get("anonymousId")) {
        (Some(id), None) => ("userId", id),
        (None, Some(id)) => ("anonymousId", id),
        (None, None) => return Err("Either userId or anonymousId is mandatory".into()),
        (Some(_), Some(_)) => return Err("Only one of userId and anonymousId may be given".into()),
    };
    let id = id
        .as_str()
        .filter(|id| !id.is_empty())
        .ok_or(format!("{name} must be a non-empty string"))?;
    if id.chars().count() > LONGEST_ID {
        return Err(format!("{name} must be at most {LONGEST_ID} characters"));
    }
    Ok(())
}

fn check_data(data: &Map<String, Value>) -> Result<(), String> {
    let mut of_type: BTreeMap<DataType, usize> = BTreeMap::new();
    for (name, value) in data {
        if name.is_empty() || name.chars().count() >= ATTRIBUTE_NAME_BELOW {
            return Err("an attribute's name must have 1 to 49 characters".into());
        }
        let data_type = data_type(value).ok_or(format!("attribute {name} is null"))?;
        if longest_string(value) >= STRING_BELOW {
            return Err(format!(
                "attribute {name} has a string of 1000 or more characters"
            ));
        }
        let count = of_type.entry(data_type).or_default();
        *count += 1;
        if *count > MOST_ATTRIBUTES_OF_A_TYPE {
            return Err(format!(
                "more than {MOST_ATTRIBUTES_OF_A_TYPE} attributes of type {data_type:?}"
            ));
        }
    }
    Ok(())
}

fn longest_string(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.iter().map(longest_string).max().unwrap_or(0),
        Value::Object(fields) => fields.values().map(longest_string).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// `yyyy-MM-ddTHH:mm:ss±hhmm`, of a day that there is; no milliseconds, no colon in the offset.
pub(super) fn is_time(text: &str) -> bool {
    let shape = b"dddd-dd-ddTdd:dd:ddsdddd";
    let bytes = text.as_bytes();
    let fits = bytes.len() == shape.len()
        && bytes.iter().zip(shape).all(|(byte, wanted)| match wanted {
            b'd' => byte.is_ascii_digit(),
            b's' => matches!(byte, b'+' | b'-'),
            exact => byte == exact,
        });
    let number = |from: usize, to: usize| {
        text.get(from..to)
            .and_then(|digits| digits.parse::<u32>().ok())
    };
    let parts = (
        number(0, 4),
        number(5, 7),
        number(8, 10),
        number(11, 13),
        number(14, 16),
        number(17, 19),
    );
    let (Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)) = parts else {
        return false;
    };
    let (Some(offset_hours), Some(offset_minutes)) = (number(20, 22), number(22, 24)) else {
        return false;
    };
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    };
    fits && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && offset_hours <= 14
        && offset_minutes < 60
}

/// An attribute whose value had another type than its first: WebEngage stops it, in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedAttribute {
    /// The event.
    pub event_name: String,
    /// The attribute.
    pub attribute: String,
    /// The type of its first value.
    pub fixed: DataType,
    /// The type that came.
    pub came: DataType,
    /// When, in milliseconds.
    pub at_ms: i64,
}

/// The types fixed so far.
#[derive(Debug, Default)]
pub(super) struct Types(HashMap<(String, String), DataType>);

impl Types {
    /// Fixes the types that are new, and gives the attributes that changed theirs.
    pub(super) fn note(&mut self, body: &Value, at_ms: i64) -> Vec<StoppedAttribute> {
        let event_name = body["eventName"].as_str().unwrap_or_default();
        let mut stopped = Vec::new();
        for (attribute, value) in body["eventData"].as_object().into_iter().flatten() {
            let Some(came) = data_type(value) else {
                continue;
            };
            let key = (event_name.to_owned(), attribute.clone());
            match self.0.get(&key).copied() {
                Some(fixed) if fixed != came => stopped.push(StoppedAttribute {
                    event_name: event_name.to_owned(),
                    attribute: attribute.clone(),
                    fixed,
                    came,
                    at_ms,
                }),
                None if self.0.len() < MOST_TYPES => {
                    self.0.insert(key, came);
                }
                Some(_) | None => {}
            }
        }
        stopped
    }
}

#[cfg(test)]
mod tests {
    use super::is_time;

    #[test]
    fn a_time_has_seconds_an_offset_without_a_colon_and_a_day_that_there_is() {
        for good in [
            "2018-09-15T18:29:00-0800",
            "2026-02-28T00:00:00+0000",
            "2024-02-29T23:59:59+0530",
        ] {
            assert!(is_time(good), "{good}");
        }
        for bad in [
            "2018-09-15T18:29:00-08:00",
            "2018-09-15T18:29:00.000-0800",
            "2018-09-15T18:29:00Z",
            "2018-09-15 18:29:00-0800",
            "2018-09-15T18:29:00",
            "2025-02-29T00:00:00+0000",
            "2026-13-01T00:00:00+0000",
            "2026-01-32T00:00:00+0000",
            "2026-01-01T24:00:00+0000",
            "2026-01-01T00:60:00+0000",
            "1537036140",
            "",
        ] {
            assert!(!is_time(bad), "{bad}");
        }
    }
}
