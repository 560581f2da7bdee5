//! Values to and from DynamoDB items.

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{StoreError, Table};
use domain::id::InviteLink;
use domain::time::Timestamp;

/// A record as DynamoDB has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// A string value.
pub(super) fn s(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number value.
pub(super) fn n(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A link, which has no `Display`.
pub(super) fn link(value: &InviteLink) -> AttributeValue {
    AttributeValue::S(value.expose().to_owned())
}

/// Reads a record; each getter's error names the attribute that is not as it should be.
pub(super) struct Reader<'a> {
    pub(super) table: &'a Table,
    pub(super) item: &'a Item,
}

impl Reader<'_> {
    /// The text of `attribute`, if it is there.
    pub(super) fn optional_text(
        &self,
        attribute: &'static str,
    ) -> Result<Option<&str>, StoreError> {
        match self.item.get(attribute) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(self.table.malformed(attribute)),
        }
    }

    /// The text of `attribute`.
    pub(super) fn text(&self, attribute: &'static str) -> Result<&str, StoreError> {
        self.optional_text(attribute)?
            .ok_or_else(|| self.table.malformed(attribute))
    }

    /// The text of `attribute` as something that is read from text.
    pub(super) fn parsed<T: FromStr>(&self, attribute: &'static str) -> Result<T, StoreError> {
        self.text(attribute)?
            .parse()
            .map_err(|_| self.table.malformed(attribute))
    }

    /// The instant in `attribute`, if it is there.
    pub(super) fn optional_instant(
        &self,
        attribute: &'static str,
    ) -> Result<Option<Timestamp>, StoreError> {
        let text = self.optional_text(attribute)?;
        text.map(str::parse)
            .transpose()
            .map_err(|_| self.table.malformed(attribute))
    }

    /// The number in `attribute`, if it is there.
    pub(super) fn optional_number<N: FromStr>(
        &self,
        attribute: &'static str,
    ) -> Result<Option<N>, StoreError> {
        match self.item.get(attribute) {
            None => Ok(None),
            Some(AttributeValue::N(number)) => number
                .parse()
                .map(Some)
                .map_err(|_| self.table.malformed(attribute)),
            Some(_) => Err(self.table.malformed(attribute)),
        }
    }

    /// The number in `attribute`.
    pub(super) fn number<N: FromStr>(&self, attribute: &'static str) -> Result<N, StoreError> {
        self.optional_number(attribute)?
            .ok_or_else(|| self.table.malformed(attribute))
    }

    /// Whether the flag `attribute` is set.
    pub(super) fn flag(&self, attribute: &'static str) -> bool {
        matches!(self.item.get(attribute), Some(AttributeValue::Bool(true)))
    }

    /// The record within `attribute`, if it is there.
    pub(super) fn optional_map(
        &self,
        attribute: &'static str,
    ) -> Result<Option<Reader<'_>>, StoreError> {
        match self.item.get(attribute) {
            None => Ok(None),
            Some(AttributeValue::M(item)) => Ok(Some(Reader {
                table: self.table,
                item,
            })),
            Some(_) => Err(self.table.malformed(attribute)),
        }
    }

    /// The records in the list `attribute`; none if it is not there.
    pub(super) fn maps(&self, attribute: &'static str) -> Result<Vec<Reader<'_>>, StoreError> {
        let values = match self.item.get(attribute) {
            None => return Ok(Vec::new()),
            Some(AttributeValue::L(values)) => values,
            Some(_) => return Err(self.table.malformed(attribute)),
        };
        let records = values.iter().map(|value| {
            let item = value.as_m().map_err(|_| self.table.malformed(attribute))?;
            Ok(Reader {
                table: self.table,
                item,
            })
        });
        records.collect()
    }
}
