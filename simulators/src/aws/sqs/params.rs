//! The members of a request, read by name and type.

use serde_json::{Map, Value};

use super::error::SqsError;

/// A JSON object of a request, or of one entry of a batch.
pub(super) struct Params(Map<String, Value>);

impl Params {
    pub(super) fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, SqsError> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(mistyped(other, "a String")),
        }
    }

    /// A text that must be there and not be empty.
    pub(super) fn required(&self, name: &str) -> Result<&str, SqsError> {
        self.text(name)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| SqsError::missing(name))
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, SqsError> {
        match self.member(name) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| mistyped(value, "an Integer")),
        }
    }

    /// An integer within a range, refused as SQS refuses one outside of it.
    pub(super) fn integer_within(
        &self,
        name: &str,
        least: i64,
        most: i64,
    ) -> Result<Option<i64>, SqsError> {
        let value = self.integer(name)?;
        match value {
            Some(value) if !(least..=most).contains(&value) => Err(SqsError::invalid_value(
                &value.to_string(),
                name,
                &format!("{name} must be >= {least} and <= {most}."),
            )),
            _ => Ok(value),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<&str>, SqsError> {
        match self.member(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().ok_or_else(|| mistyped(item, "a String")))
                .collect(),
            Some(other) => Err(mistyped(other, "a List")),
        }
    }

    pub(super) fn map(&self, name: &str) -> Result<Option<&Map<String, Value>>, SqsError> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(other) => Err(mistyped(other, "a Map")),
        }
    }

    /// A map of texts, as attributes and tags are.
    pub(super) fn text_map(&self, name: &str) -> Result<Vec<(&str, &str)>, SqsError> {
        let members = self.map(name)?.into_iter().flatten();
        members
            .map(|(key, value)| {
                Ok((
                    key.as_str(),
                    value.as_str().ok_or_else(|| mistyped(value, "a String"))?,
                ))
            })
            .collect()
    }

    /// A list of objects, as the entries of a batch are.
    pub(super) fn entries(&self, name: &str) -> Result<Vec<Params>, SqsError> {
        match self.member(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| {
                    item.as_object()
                        .cloned()
                        .map(Params)
                        .ok_or_else(|| mistyped(item, "a Structure"))
                })
                .collect(),
            Some(other) => Err(mistyped(other, "a List")),
        }
    }

    /// The name of the queue that `QueueUrl` ends with. Whatever host the URL names, it is a queue of this server.
    pub(super) fn queue_name(&self) -> Result<&str, SqsError> {
        let url = self.required("QueueUrl")?;
        Ok(url.trim_end_matches('/').rsplit('/').next().unwrap_or(url))
    }
}

fn mistyped(value: &Value, wanted: &str) -> SqsError {
    let given = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    SqsError::mistyped(format!("{given} can not be converted to {wanted}"))
}
