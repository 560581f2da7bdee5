//! A message as it is sent: what is allowed in it, how large it is, and the digests by which SDKs check the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::attributes::Queue;
use super::error::SqsError;
use super::params::Params;

const MAX_ATTRIBUTES: usize = 10;

/// A message that was found right, ready to be stored.
#[derive(Debug)]
pub(super) struct NewMessage<'a> {
    pub(super) id: String,
    pub(super) body: &'a str,
    pub(super) delay_seconds: i64,
    pub(super) attributes: Option<String>,
    pub(super) system: Option<String>,
    pub(super) attributes_md5: Option<String>,
    pub(super) system_md5: Option<String>,
}

impl<'a> NewMessage<'a> {
    /// Reads the message of a `SendMessage`, or of one entry of a batch.
    pub(super) fn read(params: &'a Params, queue: &Queue) -> Result<Self, SqsError> {
        let body = params.required("MessageBody")?;
        let delay_seconds = params
            .integer_within("DelaySeconds", 0, 900)?
            .unwrap_or(queue.delay_seconds);
        if let Some(id) = params.text("MessageDeduplicationId")? {
            return Err(SqsError::invalid_value(
                id,
                "MessageDeduplicationId",
                "The request include parameter that is not valid for this queue type.",
            ));
        }
        let attributes = params
            .map("MessageAttributes")?
            .filter(|attributes| !attributes.is_empty());
        let mut bytes = body.len();
        if let Some(attributes) = attributes {
            bytes += check_attributes(attributes)?;
        }
        if let Some(character) = body.chars().find(|character| !is_allowed(*character)) {
            return Err(SqsError::message_contents(character));
        }
        let system = params
            .map("MessageSystemAttributes")?
            .filter(|attributes| !attributes.is_empty());
        if let Some(system) = system {
            check_system_attributes(system)?;
        }
        if bytes > queue.max_bytes {
            return Err(SqsError::invalid(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
                queue.max_bytes
            )));
        }
        Ok(Self {
            id: crate::random::uuid().to_string(),
            body,
            delay_seconds,
            attributes: attributes.map(text),
            system: kept_system(system, params.text("MessageGroupId")?),
            attributes_md5: attributes.map(attributes_md5),
            system_md5: system.map(attributes_md5),
        })
    }
}

/// The lower-case hex MD5 of a body.
pub(super) fn body_md5(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}

/// AWS's digest of attributes: by name, each part with its length before it, and a byte that says text or binary.
pub(super) fn attributes_md5(attributes: &Map<String, Value>) -> String {
    let mut names: Vec<&String> = attributes.keys().collect();
    names.sort();
    let mut digest = Md5::new();
    let mut part = |bytes: &[u8], kind: Option<u8>| {
        digest.update(kind.as_slice());
        digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(bytes);
    };
    for name in names {
        let attribute = &attributes[name];
        let data_type = attribute
            .get("DataType")
            .and_then(Value::as_str)
            .unwrap_or_default();
        part(name.as_bytes(), None);
        part(data_type.as_bytes(), None);
        match binary(attribute) {
            Some(bytes) => part(&bytes, Some(2)),
            None => {
                let value = attribute
                    .get("StringValue")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                part(value.as_bytes(), Some(1));
            }
        }
    }
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(32), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn text(attributes: &Map<String, Value>) -> String {
    serde_json::to_string(attributes).unwrap_or_default()
}

fn binary(attribute: &Value) -> Option<Vec<u8>> {
    STANDARD
        .decode(attribute.get("BinaryValue")?.as_str()?)
        .ok()
}

/// The system attributes that come back with a receive, by name and text.
fn kept_system(system: Option<&Map<String, Value>>, group: Option<&str>) -> Option<String> {
    let mut kept = Map::new();
    for (name, attribute) in system.into_iter().flatten() {
        kept.insert(
            name.clone(),
            attribute.get("StringValue").cloned().unwrap_or_default(),
        );
    }
    if let Some(group) = group {
        kept.insert("MessageGroupId".to_owned(), group.into());
    }
    (!kept.is_empty()).then(|| text(&kept))
}

/// Whether XML 1.0, and so SQS, allows the character.
fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// Checks all attributes and gives their size.
fn check_attributes(attributes: &Map<String, Value>) -> Result<usize, SqsError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(SqsError::invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
            attributes.len()
        )));
    }
    let mut bytes = 0;
    for (name, attribute) in attributes {
        check_name(name)?;
        bytes += name.len() + check_attribute(name, attribute)?;
    }
    Ok(bytes)
}

fn check_name(name: &str) -> Result<(), SqsError> {
    let refused = |reason: &str| Err(SqsError::invalid(reason.to_owned()));
    if name.is_empty() || name.len() > 256 {
        return refused("Message (user) attribute name must be 1 to 256 characters long.");
    }
    if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    {
        return refused(
            "Message (user) attribute name can only contain alphanumeric characters, underscores, hyphens and periods.",
        );
    }
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return refused(
            "Message (user) attribute name cannot start or end with a period, or have successive periods.",
        );
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return refused(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'.",
        );
    }
    Ok(())
}

/// Checks one attribute and gives the size of its type and value.
fn check_attribute(name: &str, attribute: &Value) -> Result<usize, SqsError> {
    let refused =
        |reason: &str| SqsError::invalid(format!("The message attribute '{name}' {reason}"));
    let data_type = attribute
        .get("DataType")
        .and_then(Value::as_str)
        .filter(|data_type| !data_type.is_empty())
        .ok_or_else(|| refused("must contain a non-empty message attribute type."))?;
    let base = data_type.split('.').next().unwrap_or_default();
    if !matches!(base, "String" | "Number" | "Binary") || data_type.len() > 256 {
        return Err(refused(
            "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
        ));
    }
    for list in ["StringListValues", "BinaryListValues"] {
        if attribute
            .get(list)
            .and_then(Value::as_array)
            .is_some_and(|items| !items.is_empty())
        {
            return Err(SqsError::unsupported(
                "Message attribute list values in SendMessage operation are not supported.",
            ));
        }
    }
    let empty = || {
        refused(&format!(
            "must contain non-empty message attribute value for message attribute type '{base}'."
        ))
    };
    let value_bytes = if base == "Binary" {
        let encoded = attribute
            .get("BinaryValue")
            .and_then(Value::as_str)
            .filter(|v| !v.is_empty())
            .ok_or_else(empty)?;
        STANDARD
            .decode(encoded)
            .map_err(|_| SqsError::mistyped("The binary value is not valid base64"))?
            .len()
    } else {
        let value = attribute
            .get("StringValue")
            .and_then(Value::as_str)
            .filter(|v| !v.is_empty())
            .ok_or_else(empty)?;
        if let Some(character) = value.chars().find(|character| !is_allowed(*character)) {
            return Err(SqsError::message_contents(character));
        }
        if base == "Number" && !is_number(value) {
            return Err(refused(
                "can't cast the value of message (user) attribute to a number.",
            ));
        }
        value.len()
    };
    Ok(data_type.len() + value_bytes)
}

/// A decimal number within the 38 digits and the range (10^-128 to 10^126) that SQS keeps.
fn is_number(value: &str) -> bool {
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => match exponent.parse::<i32>() {
            Ok(exponent) => (mantissa, exponent),
            Err(_) => return false,
        },
        None => (unsigned, 0),
    };
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let points = mantissa.bytes().filter(|byte| *byte == b'.').count();
    let significant = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .skip_while(|digit| *digit == b'0')
        .count();
    digits > 0
        && digits + points == mantissa.len()
        && points <= 1
        && significant <= 38
        && (-128..=126).contains(&exponent)
}

fn check_system_attributes(system: &Map<String, Value>) -> Result<(), SqsError> {
    for (name, attribute) in system {
        if name != "AWSTraceHeader" {
            return Err(SqsError::invalid(format!(
                "Message system attribute name '{name}' is invalid: only AWSTraceHeader is supported."
            )));
        }
        if attribute.get("DataType").and_then(Value::as_str) != Some("String") {
            return Err(SqsError::invalid(format!(
                "The message system attribute '{name}' has an invalid message attribute type."
            )));
        }
        check_attribute(name, attribute)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_attribute_digest_is_that_of_aws() {
        // The developer guide's algorithm, followed step by step.
        let attributes = json!({
            "stringAttribute": {"DataType": "String", "StringValue": "value"},
        });
        let by_hand = {
            let mut bytes = Vec::new();
            for part in [&b"stringAttribute"[..], b"String"] {
                bytes.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
                bytes.extend(part);
            }
            bytes.push(1);
            bytes.extend(5_u32.to_be_bytes());
            bytes.extend(b"value");
            hex(&Md5::digest(&bytes))
        };
        assert_eq!(attributes_md5(attributes.as_object().unwrap()), by_hand);
    }

    #[test]
    fn numbers_are_told_from_texts() {
        for number in [
            "1",
            "-1",
            "+1.5",
            "0.000001",
            "1e126",
            "1E-128",
            "12345678901234567890123456789012345678",
        ] {
            assert!(is_number(number), "{number}");
        }
        for other in [
            "",
            "-",
            ".",
            "1.2.3",
            "1e",
            "1e127",
            "abc",
            "NaN",
            "0x1",
            "1_0",
            "123456789012345678901234567890123456789",
        ] {
            assert!(!is_number(other), "{other}");
        }
    }
}
