//! JSON objects whose fields are read one by one, so that a bad one is named, and integers of any size stay exact.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::exact::ALL_BPS;

/// The fields of an object that were not taken yet, as they were written.
pub(super) struct JsonFields(BTreeMap<String, Box<RawValue>>);

impl<'de> Deserialize<'de> for JsonFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self)
    }
}

impl JsonFields {
    /// Absent and null are the same.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, JsonFault> {
        let Some(raw) = self.0.remove(name) else {
            return Ok(None);
        };
        serde_json::from_str(raw.get()).map_err(|error| JsonFault::new(name, error))
    }

    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, JsonFault> {
        let found = self.optional(name)?;
        found.ok_or_else(|| JsonFault::new(name, "is missing"))
    }

    /// An integer, read digit by digit: no detour by a number that has fewer.
    fn integer(&mut self, name: &str) -> Result<Option<i128>, JsonFault> {
        let raw = self.0.remove(name);
        let text = raw.as_deref().map(RawValue::get);
        let text = text.filter(|text| *text != "null");
        let read = text.map(str::parse).transpose();
        read.map_err(|_| JsonFault::new(name, "is not an integer of up to 128 bits"))
    }

    pub(super) fn required_integer(&mut self, name: &str) -> Result<i128, JsonFault> {
        let found = self.integer(name)?;
        found.ok_or_else(|| JsonFault::new(name, "is missing"))
    }

    /// An integer of 0 or more.
    pub(super) fn amount(&mut self, name: &str) -> Result<i128, JsonFault> {
        let found = self.optional_amount(name)?;
        found.ok_or_else(|| JsonFault::new(name, "is missing"))
    }

    pub(super) fn optional_amount(&mut self, name: &str) -> Result<Option<i128>, JsonFault> {
        match self.integer(name)? {
            Some(amount) if amount < 0 => Err(JsonFault::new(name, "is negative")),
            found => Ok(found),
        }
    }

    /// Basis points, 0 if absent.
    pub(super) fn bps(&mut self, name: &str) -> Result<i128, JsonFault> {
        match self.optional_amount(name)? {
            Some(bps) if bps > ALL_BPS => Err(JsonFault::new(name, "is more than 10000")),
            found => Ok(found.unwrap_or(0)),
        }
    }

    /// What nobody took.
    pub(super) fn rest(self) -> Result<BTreeMap<String, serde_json::Value>, JsonFault> {
        let rest = self.0.into_iter().filter(|(_, raw)| raw.get() != "null");
        let read = rest.map(|(name, raw)| match serde_json::from_str(raw.get()) {
            Ok(value) => Ok((name, value)),
            Err(error) => Err(JsonFault::new(&name, error)),
        });
        read.collect()
    }
}

/// A field, and what is wrong with it.
#[derive(Debug)]
pub(super) struct JsonFault(String);

impl JsonFault {
    pub(super) fn new(field: &str, what: impl fmt::Display) -> Self {
        Self(format!("`{field}`: {what}"))
    }

    pub(super) fn within(self, whole: impl fmt::Display) -> Self {
        Self(format!("{whole}: {}", self.0))
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
