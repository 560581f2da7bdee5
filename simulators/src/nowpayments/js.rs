//! JSON as a service written in JavaScript makes it: fields in their order, numbers by JavaScript's rules, and the three
//! texts that have been signed at one time or another.

use std::fmt::Write as _;

use serde_json::Value;

use super::decimal::Decimal;

/// A value with its order of fields and its texts of numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Js {
    Null,
    Bool(bool),
    /// The number by its text.
    Number(String),
    Text(String),
    List(Vec<Js>),
    Object(Vec<(String, Js)>),
}

/// Which text of a notification's body is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpnForm {
    /// Keys sorted at every level, lists made into objects with the keys 0, 1, 2: the sample of the documentation.
    #[default]
    Recursive,
    /// Keys sorted at every level, lists kept: its samples in Python and PHP.
    RecursiveListsKept,
    /// The old sample, `JSON.stringify(body, Object.keys(body).sort())`: it drops from nested objects each key that the
    /// top level lacks.
    ReplacerList,
}

impl Js {
    pub(super) fn object<const N: usize>(fields: [(&str, Js); N]) -> Self {
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Self::Object(fields.collect())
    }

    pub(super) fn number(number: impl std::fmt::Display) -> Self {
        Self::Number(number.to_string())
    }

    pub(super) fn amount(amount: Decimal) -> Self {
        Self::Number(amount.js())
    }

    pub(super) fn text(text: impl std::fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    pub(super) fn maybe(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// The same with every number of the top level but those of lists as text.
    pub(super) fn with_numbers_as_text(self) -> Self {
        let Self::Object(fields) = self else {
            return self;
        };
        let quoted = |value| match value {
            Self::Number(number) => Self::Text(number),
            other => other,
        };
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name, quoted(value)));
        Self::Object(fields.collect())
    }

    /// The text with the fields in their order.
    pub(super) fn stringify(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, &|fields| fields.iter().collect());
        text
    }

    /// The text that is signed.
    pub(super) fn canonical(&self, form: IpnForm) -> String {
        let mut text = String::new();
        match form {
            IpnForm::Recursive => self.lists_as_objects().write(&mut text, &sorted),
            IpnForm::RecursiveListsKept => self.write(&mut text, &sorted),
            IpnForm::ReplacerList => {
                let listed: Vec<&String> = match self {
                    Self::Object(fields) => fields.iter().map(|(name, _)| name).collect(),
                    _ => Vec::new(),
                };
                self.write(&mut text, &|fields| {
                    let mut fields = sorted(fields);
                    fields.retain(|(name, _)| listed.contains(&name));
                    fields
                });
            }
        }
        text
    }

    fn lists_as_objects(&self) -> Self {
        match self {
            Self::List(items) => {
                let fields = items.iter().enumerate();
                let fields =
                    fields.map(|(index, item)| (index.to_string(), item.lists_as_objects()));
                Self::Object(fields.collect())
            }
            Self::Object(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|(name, value)| (name.clone(), value.lists_as_objects()));
                Self::Object(fields.collect())
            }
            other => other.clone(),
        }
    }

    fn write<'a>(
        &'a self,
        text: &mut String,
        order: &impl Fn(&'a [(String, Js)]) -> Vec<&'a (String, Js)>,
    ) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => text.push_str(number),
            Self::Text(value) => text.push_str(&quote(value)),
            Self::List(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    text.push_str(if index > 0 { "," } else { "" });
                    item.write(text, order);
                }
                text.push(']');
            }
            Self::Object(fields) => {
                text.push('{');
                for (index, (name, value)) in order(fields).into_iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    // Writing to a string can't fail.
                    let _ = write!(text, "{comma}{}:", quote(name));
                    value.write(text, order);
                }
                text.push('}');
            }
        }
    }
}

/// Names here are ASCII, so the order of bytes is that of JavaScript; the few that are numbers come in their order.
fn sorted(fields: &[(String, Js)]) -> Vec<&(String, Js)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by(
        |(one, _), (other, _)| match (one.parse::<u32>(), other.parse::<u32>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            _ => one.cmp(other),
        },
    );
    fields
}

fn quote(text: &str) -> String {
    Value::from(text).to_string()
}
