//! `cargo run --release -p verify -- fold < lines`: what the facts of orders add up to, line by line, for comparison with
//! another implementation.
//!
//! A line in: `{"order": {…}, "facts": [{…}, …]}`, as `docs/design/orders.md` lists their fields. Other fields are ignored.
//! A line out: `{"result": {…}}`, or `{"error": "<why>"}` of one that can't be read; then the command fails at its end.

use std::io::{self, BufRead, Write};

use anyhow::Context as _;
use domain::order::fact::{Facts, OrderFact};
use domain::order::fold::{OrderStanding, fold};
use domain::order::terms::OrderTerms;
use serde::{Deserialize, Serialize};

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
/// How many lines can't be read, and the first of them with its number; all others are answered.
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
    lines::spaced(&StandingLine { result })
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
            let mut out = Vec::new();
            let lines = format!("{good}\n{line}\n{good}\n");
            let failure = answer(lines.as_bytes(), &mut out).unwrap_err();
            let failure = format!("{failure:#}");
            assert!(failure.contains(words), "{failure}");
            assert!(failure.starts_with("1 of 3 lines"), "{failure}");
            // The others are answered, and it has a line of its own.
            let out = String::from_utf8(out).unwrap();
            let [first, bad, last] = &out.lines().collect::<Vec<_>>()[..] else {
                panic!("{out}");
            };
            assert_eq!(first, last);
            assert!(first.starts_with("{\"result\": "), "{first}");
            let bad: serde_json::Value = serde_json::from_str(bad).unwrap();
            let why = bad["error"].as_str().unwrap();
            assert!(failure.ends_with(&format!("line 2: {why}")), "{why}");
        }
    }
}
