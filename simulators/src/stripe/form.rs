//! The nested parameters of a form: `a[b][0][c]=1&d[]=2` becomes a tree of objects whose leaves are text.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::refusal::StripeRefusal;

const DEEPEST: usize = 10;

#[derive(Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
    /// The keys in the order in which they came.
    order: Vec<String>,
}

impl Node {
    fn child(&mut self, key: &str) -> &mut Self {
        let key = if key.is_empty() {
            self.order.len().to_string()
        } else {
            key.to_owned()
        };
        if !self.children.contains_key(&key) {
            self.order.push(key.clone());
        }
        self.children.entry(key).or_default()
    }

    fn value(self) -> Value {
        match self.text {
            Some(text) if self.children.is_empty() => Value::String(text),
            _ => Value::Object(
                self.children
                    .into_iter()
                    .map(|(key, node)| (key, node.value()))
                    .collect(),
            ),
        }
    }
}

/// Reads a query or a body; what is repeated counts by its last value.
pub(super) fn read(encoded: &str) -> Result<Map<String, Value>, StripeRefusal> {
    let mut root = Node::default();
    for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name), decode(value));
        let (first, rest) = name
            .find('[')
            .map_or((name.as_str(), ""), |at| name.split_at(at));
        let bad = || {
            StripeRefusal::invalid(format!(
                "Invalid request: the parameter {name} is malformed"
            ))
            .validation()
        };
        let mut node = root.child(first);
        let mut rest = rest;
        let mut depth = 0;
        while !rest.is_empty() {
            let (key, tail) = rest
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
                .ok_or_else(bad)?;
            depth += 1;
            if depth > DEEPEST {
                return Err(bad());
            }
            node = node.child(key);
            rest = tail;
        }
        node.text = Some(value);
    }
    match root.value() {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// Percent-decodes, with `+` as a space.
pub(super) fn decode(encoded: &str) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_parameters_become_a_tree() {
        let read = read("a[b][0][c]=1&a[b][1][c]=x+y%26&d[]=2&d[]=3&metadata[k]=&e=").unwrap();
        assert_eq!(
            Value::Object(read),
            json!({
                "a": {"b": {"0": {"c": "1"}, "1": {"c": "x y&"}}}, "d": {"0": "2", "1": "3"},
                "metadata": {"k": ""}, "e": "",
            })
        );
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for form in ["a[b=1", "a[b]c=1", "a[1][2][3][4][5][6][7][8][9][10][11]=1"] {
            assert!(read(form).is_err(), "{form}");
        }
    }
}
