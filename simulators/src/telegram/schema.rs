//! The check of every call against the Bot API's own field list.
//!
//! Stricter than Telegram on purpose: Telegram ignores a parameter that it doesn't know, reads an unparsable number
//! as 0 and `null` as the text "null", so a typo passes there in silence. Here each is a 400 whose description says
//! `simulator:`, so that a typo can't pass a test.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::refusal::Refusal;

static LIST: LazyLock<List> = LazyLock::new(|| {
    let list: Fields =
        serde_json::from_str(include_str!("../../bot-api/methods.json")).unwrap_or_default();
    let methods = list
        .methods
        .into_iter()
        .map(|(name, fields)| (name.to_lowercase(), Method { name, fields }));
    let updates = list
        .types
        .get("Update")
        .map(|fields| fields.keys().filter(|key| *key != "update_id").cloned());
    let updates = updates.map(Iterator::collect).unwrap_or_default();
    List {
        methods: methods.collect(),
        updates,
        types: list.types,
    }
});

struct List {
    methods: HashMap<String, Method>,
    updates: Vec<String>,
    types: HashMap<String, BTreeMap<String, Field>>,
}

#[derive(Default, Deserialize)]
struct Fields {
    methods: HashMap<String, BTreeMap<String, Field>>,
    types: HashMap<String, BTreeMap<String, Field>>,
}

#[derive(Deserialize)]
struct Field {
    types: Vec<String>,
    required: bool,
}

/// One method of the field list.
pub(crate) struct Method {
    /// The name as documented, whatever the case it was called in.
    pub(crate) name: String,
    fields: BTreeMap<String, Field>,
}

/// The method of that name, in any case.
pub(crate) fn method(name: &str) -> Option<&'static Method> {
    LIST.methods.get(&name.to_lowercase())
}

/// Whether the Bot API has an update of that kind.
pub(crate) fn is_update(kind: &str) -> bool {
    LIST.updates.iter().any(|known| known == kind)
}

/// A field of the object that the type does not have.
pub(crate) fn unknown_field(type_name: &str, object: &Value) -> Option<String> {
    let known = LIST.types.get(type_name)?;
    let mut given = object.as_object()?.keys();
    given.find(|field| !known.contains_key(*field)).cloned()
}

impl Method {
    /// The parameters, each of its documented type, or the refusal of the first one that is wrong.
    pub(crate) fn check(&self, raw: Map<String, Value>) -> Result<Params, Refusal> {
        let mut params = Map::new();
        for (name, value) in raw {
            let Some(field) = self.fields.get(&name) else {
                return Err(simulator(format!(
                    "unknown parameter {name} of {}",
                    self.name
                )));
            };
            let Some(value) = typed(&field.types, value) else {
                return Err(simulator(format!(
                    "parameter {name} of {} must be {}",
                    self.name,
                    field.types.join(" or ")
                )));
            };
            params.insert(name, value);
        }
        for (name, field) in &self.fields {
            let empty = name == "chat_id" && params.get(name).is_some_and(|value| value == "");
            if field.required && (!params.contains_key(name) || empty) {
                return Err(match name.as_str() {
                    "chat_id" => Refusal::bad_request("chat_id is empty"),
                    "user_id" => Refusal::bad_request("invalid user_id specified"),
                    _ => simulator(format!(
                        "required parameter {name} of {} is missing",
                        self.name
                    )),
                });
            }
        }
        Ok(Params(params))
    }
}

fn simulator(what: String) -> Refusal {
    Refusal::bad_request(format!("simulator: {what}"))
}

/// `value` as the first of `types` that it can be. Text stands for a number or a boolean, as in a form.
fn typed(types: &[String], value: Value) -> Option<Value> {
    types
        .iter()
        .find_map(|wanted| match (wanted.as_str(), &value) {
            ("Integer", Value::Number(number)) if number.is_i64() => Some(value.clone()),
            ("Integer", Value::String(text)) => text
                .parse::<i64>()
                .ok()
                .map(|number| Value::Number(number.into())),
            ("Float", Value::Number(_)) => Some(value.clone()),
            ("Float", Value::String(text)) => text
                .parse()
                .ok()
                .and_then(Number::from_f64)
                .map(Value::Number),
            ("Boolean", Value::Bool(_)) => Some(value.clone()),
            ("Boolean", Value::String(text)) => match text.to_lowercase().as_str() {
                "true" | "yes" | "1" => Some(Value::Bool(true)),
                "false" | "no" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
            ("String", Value::String(_)) => Some(value.clone()),
            ("Integer" | "Float" | "Boolean" | "String" | "InputFile", _) => None,
            (list, Value::Array(items)) => list
                .strip_prefix("Array of ")
                .and_then(|item| list_of(item, items)),
            (list, Value::String(text)) if list.starts_with("Array of ") => {
                let items: Vec<Value> = serde_json::from_str(text).ok()?;
                list.strip_prefix("Array of ")
                    .and_then(|item| list_of(item, &items))
            }
            (_, Value::Object(_)) => Some(value.clone()),
            (_, Value::String(text)) => serde_json::from_str::<Map<String, Value>>(text)
                .ok()
                .map(Value::Object),
            _ => None,
        })
}

fn list_of(item: &str, items: &[Value]) -> Option<Value> {
    let scalar = match item {
        "String" => items.iter().all(Value::is_string),
        "Integer" => items.iter().all(Value::is_i64),
        _ => true,
    };
    scalar.then(|| Value::Array(items.to_vec()))
}

/// The checked parameters of one call.
pub(crate) struct Params(pub(crate) Map<String, Value>);

impl Params {
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(crate) fn integers(&self, name: &str) -> Vec<i64> {
        let items = self.0.get(name).and_then(Value::as_array);
        let items = items.into_iter().flatten();
        items.filter_map(Value::as_i64).collect()
    }

    /// False when absent.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let items = self.0.get(name)?.as_array()?;
        Some(
            items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        )
    }
}
