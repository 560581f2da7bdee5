//! The numbers of the environment have one default and one range, wherever they stand.

use std::collections::BTreeSet;

use local::functions::FUNCTIONS;
use serde_json::json;

use super::template::{NUMBERS, read_by, template};
use super::{code, product, text};

/// `NAME, default` as the code gives it: the default of `number("NAME", default, ...)`.
fn default_in_code(name: &str) -> i64 {
    let quoted = format!("\"{name}\",");
    for (path, source) in product() {
        if path.ends_with("banner.rs") {
            continue;
        }
        let source = code(&source);
        for (at, _) in source.match_indices(&quoted) {
            let rest = source[at + quoted.len()..].trim_start();
            let digits: String = rest
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == '_')
                .filter(|c| *c != '_')
                .collect();
            if let Ok(number) = digits.parse() {
                return number;
            }
        }
    }
    panic!("no default of {name} in the code")
}

#[test]
fn numbers_have_one_default_and_one_range() {
    let template = template();
    let book = text("docs/OPERATIONS.md");
    for (variable, parameter) in NUMBERS {
        let readers = FUNCTIONS
            .iter()
            .filter_map(|function| read_by(function).1.remove(variable));
        let ranges: BTreeSet<(i64, i64)> = readers.collect();
        assert_eq!(
            ranges.len(),
            1,
            "{variable} is read with the ranges {ranges:?}"
        );
        let (least, most) = ranges.into_iter().next().unwrap();
        let declared = &template["Parameters"][parameter];
        let default = default_in_code(variable);
        assert_eq!(
            (
                &declared["Default"],
                &declared["MinValue"],
                &declared["MaxValue"]
            ),
            (&json!(default), &json!(least), &json!(most)),
            "{parameter}"
        );
        let row = book
            .lines()
            .find(|line| line.starts_with(&format!("| `{variable}`")))
            .unwrap_or_default();
        assert!(
            row.contains(&format!("| {default} | {least} to {most}")),
            "docs/OPERATIONS.md on {variable}: {row:?}"
        );
    }
}
