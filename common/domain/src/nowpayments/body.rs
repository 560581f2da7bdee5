//! The body of a notification as JavaScript reads it, and the two texts of it that are signed.

use std::cmp::Ordering;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The longest body in bytes; theirs have about one thousand.
pub const BODY_MAX: usize = 256 * 1024;
/// How deep a body may nest: theirs nests once. Each level reads what is inside it once more.
const DEPTH_MAX: usize = 8;
/// Where JavaScript begins to write a number with an exponent (ECMA-262, `Number::toString`).
const PLAIN_DIGITS: i32 = 21;
/// How many zeros may stand between the point and the first digit of a number without an exponent, and one more.
const PLAIN_ZEROS: i32 = -6;
/// The most digits that JavaScript needs to tell a number apart.
const DIGITS_MAX: i32 = 17;
/// The largest exponent of its numbers, roughly.
const EXPONENT_MAX: i32 = 324;

/// A body, every object's keys sorted as JavaScript sorts them. Of keys that repeat, the last counts, as it does there.
#[derive(Clone, PartialEq, Eq)]
pub struct IpnBody(Node);

#[derive(Clone, PartialEq, Eq)]
enum Node {
    /// `null`, `true` or `false`.
    Word(&'static str),
    /// The text that JavaScript gives the number.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// How lists are written in the text that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// As objects with the keys 0, 1, 2 and so on: what the sample of the present documentation makes of them.
    ListsAsObjects,
    /// As lists: what its samples in other languages make. The old sample, a list of the keys of the top level given to
    /// `JSON.stringify`, gives this text too as long as no object is nested. It drops what nested objects hold, which
    /// would leave that unsigned, so of a body with one the old text is not accepted.
    ListsKept,
}

impl IpnBody {
    /// Reads a body; nothing if it is too long or too deep, or not an object of JSON. Takes time in proportion to the
    /// length, at most eightfold.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > BODY_MAX {
            return None;
        }
        let node = read(
            std::str::from_utf8(body)
                .ok()?
                .trim_matches([' ', '\t', '\r', '\n']),
            1,
        )?;
        matches!(node, Node::Object(_)).then_some(Self(node))
    }

    /// The text that is signed.
    #[must_use]
    pub fn canonical(&self, form: BodyForm) -> String {
        let mut text = String::new();
        write(&self.0, form, &mut text);
        text
    }

    /// A field of the top level that is a text that isn't empty or a number, as text: they send ids and amounts as
    /// either.
    #[must_use]
    pub fn scalar(&self, name: &str) -> Option<&str> {
        match self.field(name)? {
            Node::Number(text) | Node::Text(text) if !text.is_empty() => Some(text),
            Node::Word(_) | Node::Number(_) | Node::Text(_) | Node::List(_) | Node::Object(_) => {
                None
            }
        }
    }

    fn field(&self, name: &str) -> Option<&Node> {
        let Node::Object(fields) = &self.0 else {
            return None;
        };
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

/// What a payer's wallet and a customer wrote stays out of logs.
impl fmt::Debug for IpnBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IpnBody")
    }
}

fn read(json: &str, depth: usize) -> Option<Node> {
    if depth > DEPTH_MAX {
        return None;
    }
    let first = json.bytes().next()?;
    match first {
        b'{' => {
            let Pairs(pairs) = serde_json::from_str(json).ok()?;
            let mut fields = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                fields.push((key, read(value.get(), depth + 1)?));
            }
            // The sort is stable: of keys that repeat, the last stands last.
            fields.sort_by(|(one, _), (other, _)| by_code_unit(one, other));
            fields.reverse();
            fields.dedup_by(|(one, _), (other, _)| one == other);
            fields.reverse();
            Some(Node::Object(fields))
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            let items = items.into_iter().map(|item| read(item.get(), depth + 1));
            Some(Node::List(items.collect::<Option<_>>()?))
        }
        b'"' => serde_json::from_str(json).ok().map(Node::Text),
        b't' => (json == "true").then_some(Node::Word("true")),
        b'f' => (json == "false").then_some(Node::Word("false")),
        b'n' => (json == "null").then_some(Node::Word("null")),
        _ => {
            // Whether it is a number of JSON; which one is read below.
            let _: &RawValue = serde_json::from_str(json).ok()?;
            number(json)
        }
    }
}

/// The pairs of an object, in their order, repeated keys and all.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

/// JavaScript compares texts by their UTF-16 code units.
fn by_code_unit(one: &str, other: &str) -> Ordering {
    one.encode_utf16().cmp(other.encode_utf16())
}

/// A number as JavaScript writes it: in the fewest digits, with an exponent where it is very large or small. It is moved
/// as text, so that an amount stays what it is. One with more digits than JavaScript writes, or beyond its range, was
/// not written by it, and is refused.
fn number(json: &str) -> Option<Node> {
    let (sign, json) = match json.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", json),
    };
    let (mantissa, exponent) = json.split_once(['e', 'E']).unwrap_or((json, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{part}");
    let digits = all.trim_start_matches('0');
    let leading = i32::try_from(all.len() - digits.len()).ok()?;
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Some(Node::Number("0".into()));
    }
    let count = i32::try_from(digits.len()).ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    if count > DIGITS_MAX || exponent.abs() > EXPONENT_MAX {
        return None;
    }
    // Where the point stands, counted from the first digit.
    let point = i32::try_from(whole.len()).ok()? - leading + exponent;
    if (point - 1).abs() > EXPONENT_MAX {
        return None;
    }
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let plain = if count <= point && point <= PLAIN_DIGITS {
        format!("{digits}{}", zeros(point - count))
    } else if 0 < point && point <= PLAIN_DIGITS {
        let (whole, rest) = digits.split_at(usize::try_from(point).ok()?);
        format!("{whole}.{rest}")
    } else if PLAIN_ZEROS < point && point <= 0 {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}{dot}{rest}e{:+}", point - 1)
    };
    Some(Node::Number(format!("{sign}{plain}")))
}

fn write(node: &Node, form: BodyForm, text: &mut String) {
    match node {
        Node::Word(word) => text.push_str(word),
        Node::Number(number) => text.push_str(number),
        Node::Text(value) => quote(value, text),
        Node::List(items) => {
            let is_kept = form == BodyForm::ListsKept;
            text.push(if is_kept { '[' } else { '{' });
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                if !is_kept {
                    text.push_str(&format!("\"{index}\":"));
                }
                write(item, form, text);
            }
            text.push(if is_kept { ']' } else { '}' });
        }
        Node::Object(fields) => {
            text.push('{');
            for (index, (key, value)) in fields.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                quote(key, text);
                text.push(':');
                write(value, form, text);
            }
            text.push('}');
        }
    }
}

/// `JSON.stringify` and `serde_json` escape the same characters in the same way.
fn quote(value: &str, text: &mut String) {
    text.push_str(&serde_json::Value::from(value).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(body: &str) -> Option<String> {
        Some(IpnBody::parse(body.as_bytes())?.canonical(BodyForm::ListsAsObjects))
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        // Each right side was given by Node.
        for (written, expected) in [
            ("10.0", "10"),
            ("1.50", "1.5"),
            ("0.0000001", "1e-7"),
            ("1e-7", "1e-7"),
            ("1.5E-9", "1.5e-9"),
            ("0.000001", "0.000001"),
            ("0.00000123", "0.00000123"),
            ("1e21", "1e+21"),
            ("1e20", "100000000000000000000"),
            ("123456789012345680000", "123456789012345680000"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("5e-324", "5e-324"),
            ("-0", "0"),
            ("-0.5", "-0.5"),
            ("0.00", "0"),
            ("100", "100"),
            ("-12e2", "-1200"),
            ("0.09853637216235617", "0.09853637216235617"),
        ] {
            let body = format!(r#"{{"a":{written}}}"#);
            assert_eq!(
                canonical(&body),
                Some(format!(r#"{{"a":{expected}}}"#)),
                "{written}"
            );
        }
    }

    #[test]
    fn keys_are_sorted_by_code_unit_and_the_last_of_a_repeated_key_counts() {
        assert_eq!(
            canonical(r#"{"b":1,"a":1,"B":{"z":0,"y":[]},"a":{"x":2}}"#).as_deref(),
            Some(r#"{"B":{"y":{},"z":0},"a":{"x":2},"b":1}"#)
        );
        // U+1F600 is D83D DE00 in UTF-16, which comes before U+FF21.
        assert_eq!(
            canonical("{\"\u{ff21}\":1,\"\u{1f600}\":2}").as_deref(),
            Some("{\"\u{1f600}\":2,\"\u{ff21}\":1}")
        );
        assert_eq!(
            canonical("{\"a\":\"\\u0007\\u2028\\/\\u00e9\\\"\\n\"}").as_deref(),
            Some("{\"a\":\"\\u0007\u{2028}/é\\\"\\n\"}")
        );
    }

    #[test]
    fn a_hostile_body_is_refused_or_read_and_never_a_panic() {
        let deep = |open: &str, close: &str, depth: usize| {
            format!(r#"{{"a":{}1{}}}"#, open.repeat(depth), close.repeat(depth))
        };
        assert!(canonical(&deep("[", "]", 6)).is_some());
        for refused in [
            deep("[", "]", 7),
            deep("[", "]", 100_000),
            deep(r#"{"a":"#, "}", 30_000),
            "[".repeat(BODY_MAX),
            format!(r#"{{"a":"{}"}}"#, "x".repeat(BODY_MAX)),
            String::new(),
            "null".into(),
            "[1]".into(),
            "1".into(),
            r#"{"a":01}"#.into(),
            r#"{"a":1.}"#.into(),
            r#"{"a":+1}"#.into(),
            r#"{"a":NaN}"#.into(),
            r#"{"a":nul}"#.into(),
            r#"{"a":"\ud800"}"#.into(),
            r#"{"a":1}{"#.into(),
            r#"{"a":1,}"#.into(),
            r#"{"a"}"#.into(),
            // Numbers that no JavaScript writes.
            r#"{"a":12345678901234567890}"#.into(),
            r#"{"a":0.1000000000000000055511151231257827}"#.into(),
            r#"{"a":1e999}"#.into(),
            r#"{"a":1e-400}"#.into(),
            r#"{"a":1e99999999999}"#.into(),
            format!(r#"{{"a":{}}}"#, "9".repeat(200_000)),
            format!(r#"{{"b":1e-{}}}"#, "9".repeat(50_000)),
        ] {
            let shown: String = refused.chars().take(40).collect();
            assert_eq!(canonical(&refused), None, "{shown}");
        }
        assert_eq!(IpnBody::parse(b"{\"a\":\"\xff\"}"), None);
        let many = format!("{{{}\"z\":1}}", "\"k\":[],".repeat(30_000));
        assert_eq!(canonical(&many).as_deref(), Some(r#"{"k":{},"z":1}"#));
    }

    #[test]
    fn ids_and_amounts_are_read_as_text_or_as_numbers() {
        let body =
            br#"{"n":5077125051,"t":"6084744717","e":"","z":null,"b":true,"l":[1],"o":{"n":1}}"#;
        let body = IpnBody::parse(body).unwrap();
        assert_eq!(body.scalar("n"), Some("5077125051"));
        assert_eq!(body.scalar("t"), Some("6084744717"));
        for absent in ["e", "z", "b", "l", "o", "other"] {
            assert_eq!(body.scalar(absent), None, "{absent}");
        }
        assert_eq!(format!("{body:?}"), "IpnBody");
    }
}
