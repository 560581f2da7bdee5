//! `cargo run --release -p verify -- seat < lines`: what entitlements add up to, line by line, for comparison with another
//! implementation.
//!
//! A line in: `{"entitlements": [{"id", "start", "cover", "grace", "level", "cutAt"?, "suspendedAt"?}, …], "day"}`, in days;
//! `cover` is `{"days": n}`, `{"until": day}` or, for ever, `{"until": null}`. Other fields are ignored. A line out:
//! `{"result": {"forever", "level", "right", "until"}}`.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::Context as _;
use domain::member::entitlement::{Cover, Entitlement, EntitlementId};
use domain::member::fold::{Entitlements, Standing, fold};
use domain::time::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::lines;

const DAY_SECONDS: u64 = 86_400;
/// The last day that can be written: the end of the year 9999.
const LAST_DAY: u64 = 2_932_896;

#[derive(Deserialize)]
struct Line {
    entitlements: Vec<Granted>,
    day: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    id: String,
    start: u64,
    cover: Covered,
    grace: u64,
    level: u32,
    cut_at: Option<u64>,
    suspended_at: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Covered {
    days: Option<u64>,
    /// Absent, null, or a day: null is for ever.
    #[serde(default, deserialize_with = "present")]
    until: Option<Option<u64>>,
}

/// Keeps a null apart from a field that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Answers every line of the standard input on the standard output, in the same order.
///
/// # Errors
/// A line that can't be read, with its number; what came before it is answered.
pub fn command() -> anyhow::Result<()> {
    answer(std::io::stdin().lock(), std::io::stdout().lock())
}

/// Answers every line of `lines`.
///
/// # Errors
/// As [`command`].
pub fn answer(lines: impl BufRead, out: impl Write) -> anyhow::Result<()> {
    lines::answer(lines, out, result_of)
}

fn result_of(line: &[u8]) -> anyhow::Result<String> {
    let line: Line = serde_json::from_slice(line).context("not a case")?;
    let mut entitlements = Entitlements::new();
    for granted in line.entitlements {
        let id = EntitlementId::new(granted.id.clone());
        let name = granted.id.clone();
        let entitlement = entitlement(granted).with_context(|| format!("entitlement {name:?}"))?;
        let before = entitlements.insert(id, entitlement);
        anyhow::ensure!(before.is_none(), "entitlement {name:?} is there twice");
    }
    let standing = fold(&entitlements, None, instant(line.day)?);
    Ok(written(&standing))
}

fn entitlement(granted: Granted) -> anyhow::Result<Entitlement> {
    let cover = match (granted.cover.days, granted.cover.until) {
        (Some(days), None) => Cover::Days {
            seconds: seconds(days)?,
        },
        (None, Some(Some(until))) => Cover::Until(instant(until)?),
        (None, Some(None)) => Cover::Forever,
        (Some(_), Some(_)) | (None, None) => {
            anyhow::bail!("its cover needs either days or until")
        }
    };
    Ok(Entitlement {
        cover,
        start: instant(granted.start)?,
        grace: Duration::from_secs(seconds(granted.grace)?),
        cut_at: granted.cut_at.map(instant).transpose()?,
        suspended_at: granted.suspended_at.map(instant).transpose()?,
        level: granted.level,
        order_version: None,
    })
}

fn seconds(days: u64) -> anyhow::Result<u64> {
    anyhow::ensure!(days <= LAST_DAY, "{days} days are more than {LAST_DAY}");
    Ok(days * DAY_SECONDS)
}

fn instant(day: u64) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_seconds(i64::try_from(seconds(day)?)?))
}

/// The keys sorted, each colon and comma followed by a space.
fn written(standing: &Standing) -> String {
    let null = || "null".to_owned();
    let until = standing.until.map_or_else(null, |until| {
        (until.seconds() / DAY_SECONDS.cast_signed()).to_string()
    });
    let level = standing.level.map_or_else(null, |level| level.to_string());
    format!(
        r#"{{"result": {{"forever": {}, "level": {level}, "right": "{}", "until": {until}}}}}"#,
        standing.forever,
        standing.right.as_str(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const LINES: &str = include_str!("../data/seat-lines.jsonl");

    fn answers(lines: &str) -> anyhow::Result<String> {
        let mut out = Vec::new();
        answer(lines.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    fn refusal(lines: &str) -> String {
        format!("{:#}", answers(lines).unwrap_err())
    }

    #[test]
    fn every_carried_line_is_answered_as_it_says() {
        let found = answers(LINES).unwrap();
        let (mut cases, mut found) = (0, found.lines());
        for line in LINES.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let answer = found.next().unwrap();
            let (_, expected) = line.split_once(r#""result""#).unwrap();
            assert_eq!(answer, format!(r#"{{"result"{expected}"#), "{case}");
            cases += 1;
        }
        assert_eq!((cases, found.next()), (400, None));
    }

    #[test]
    fn a_hundred_thousand_lines_take_seconds() {
        let began = std::time::Instant::now();
        answers(&LINES.repeat(250)).unwrap();
        let took = began.elapsed();
        assert!(took < Duration::from_secs(60), "{took:?}, not optimised");
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_what_is_wrong() {
        let good = r#"{"entitlements": [], "day": 3}"#;
        let with = |entitlement: &str| {
            format!("{good}\n{{\"entitlements\": [{entitlement}], \"day\": 3}}\n{good}\n")
        };
        let rest = r#""start": 0, "grace": 0, "level": 0"#;
        for (lines, words) in [
            (format!("{good}\n{good}\nx\n"), "line 3: not a case"),
            (format!("{good}\n\n{good}\n"), "line 2: not a case"),
            (r#"{"day": 3}"#.to_owned(), "missing field `entitlements`"),
            (
                with(&format!(r#"{{"id": "a", "cover": {{}}, {rest}}}"#)),
                "line 2: entitlement \"a\": its cover needs either days or until",
            ),
            (
                with(&format!(
                    r#"{{"id": "a", "cover": {{"days": 1, "until": null}}, {rest}}}"#
                )),
                "line 2: entitlement \"a\": its cover needs either days or until",
            ),
            (
                with(&format!(
                    r#"{{"id": "a", "cover": {{"until": 2932897}}, {rest}}}"#
                )),
                "2932897 days are more than 2932896",
            ),
            (
                with(&format!(
                    r#"{{"id": "a", "cover": {{"days": 0.5}}, {rest}}}"#
                )),
                "expected u64",
            ),
            (
                with(&format!(
                    r#"{{"id": "a", "cover": {{"days": 1}}, {rest}}},
                       {{"id": "a", "cover": {{"days": 1}}, {rest}}}"#
                ))
                .replace("},\n", "},"),
                "line 2: entitlement \"a\" is there twice",
            ),
        ] {
            let found = refusal(&lines);
            assert!(found.contains(words), "{found}");
        }
        let mut out = Vec::new();
        let lines = format!("{good}\nx\n{good}\n");
        assert!(answer(lines.as_bytes(), &mut out).is_err());
        let before = String::from_utf8(out).unwrap();
        assert_eq!(before.lines().count(), 1, "what came before is answered");
    }
}
