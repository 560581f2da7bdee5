//! `cargo run --release -p verify -- fold < lines`: what the facts of orders add up to, line by line, for comparison with
//! another implementation.
//!
//! A line in: `{"order": {…}, "facts": [{…}, …]}`, as `docs/design/orders.md` lists their fields. Other fields are ignored.
//! A line out: `{"result": {…}}`.

use std::io::{self, BufRead, Write};

use anyhow::Context as _;
use domain::order::fact::{Facts, OrderFact};
use domain::order::fold::{OrderStanding, fold};
use domain::order::terms::OrderTerms;
use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;

use crate::lines;

#[derive(Deserialize)]
struct FactsLine {
    order: OrderTerms,
    facts: Vec<OrderFact>,
}

#[derive(Serialize)]
struct StandingLine {
    result: OrderStanding,
}

/// Answers every line of the standard input on the standard output, in the same order.
///
/// # Errors
/// A line that can't be read, with its number; what came before it is answered.
pub fn command() -> anyhow::Result<()> {
    answer(io::stdin().lock(), io::stdout().lock())
}

/// Answers every line of `lines`.
///
/// # Errors
/// As [`command`].
pub fn answer(lines: impl BufRead, out: impl Write) -> anyhow::Result<()> {
    lines::answer(lines, out, result_of)
}

fn result_of(line: &[u8]) -> anyhow::Result<String> {
    let line: FactsLine = serde_json::from_slice(line).context("not an order with facts")?;
    let facts: Facts = line.facts.into_iter().collect();
    let result = fold(&line.order, &facts)?;
    let mut written = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut written, Spaced);
    StandingLine { result }.serialize(&mut serializer)?;
    Ok(String::from_utf8(written)?)
}

/// JSON with a space after each colon and comma, and in ASCII alone.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for letter in fragment.chars() {
            if letter.is_ascii() {
                write!(out, "{letter}")?;
            } else {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORIES: &str = include_str!("../../common/domain/data/fold-stories.jsonl");

    fn answers(lines: &str) -> anyhow::Result<String> {
        let mut out = Vec::new();
        answer(lines.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn every_carried_story_is_answered_as_it_says() {
        let found = answers(STORIES).unwrap();
        let mut found = found.lines();
        for story in STORIES.lines() {
            let (_, expected) = story.split_once(r#""result""#).unwrap();
            assert_eq!(found.next(), Some(&*format!(r#"{{"result"{expected}"#)));
        }
        assert_eq!(found.next(), None);
    }

    #[test]
    fn letters_beyond_ascii_are_escaped() {
        let line = r#"{"order": {"provider": "s", "currency": "usd", "due": 1, "owner": "o"}, "facts": [{"kind": "note", "key": "é😀\""}]}"#;
        let found = answers(line).unwrap();
        assert!(
            found.contains(r#""cases": ["\u00e9\ud83d\ude00\""]"#),
            "{found}"
        );
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_what_is_wrong() {
        let order = r#""order": {"provider": "s", "currency": "usd", "due": 1, "owner": "o"}"#;
        let good = format!(r#"{{{order}, "facts": []}}"#);
        let charge = |key: &str, amount: &str| {
            format!(
                r#"{{"kind": "charge", "key": "{key}", "status": "paid", "amount": {amount}, "currency": "usd", "at": 1}}"#
            )
        };
        let most = i128::MAX.to_string();
        for (line, words) in [
            (
                "x".to_owned(),
                "line 2: not an order with facts: expected value",
            ),
            (String::new(), "line 2: not an order with facts: EOF"),
            (format!("{{{order}}}"), "missing field `facts`"),
            (
                format!(r#"{{{order}, "facts": [{}]}}"#, charge("a", "0.5")),
                "line 2: not an order with facts: charge \"a\": `amount`: is not an integer of up to 128 bits",
            ),
            (
                format!(
                    r#"{{{order}, "facts": [{}, {}]}}"#,
                    charge("a", &most),
                    charge("b", "1")
                ),
                "line 2: `gross` is too large",
            ),
        ] {
            let found = format!("{:#}", answers(&format!("{good}\n{line}\n")).unwrap_err());
            assert!(found.contains(words), "{found}");
        }
    }
}
