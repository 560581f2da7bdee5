//! A command that answers each line of the standard input by one on the standard output, for comparison with another
//! implementation.

use std::io::{self, BufRead, BufWriter, Write};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::ser::Formatter;

#[derive(Serialize)]
struct Unanswered {
    error: String,
}

/// Answers every line of `lines` on `out`, in the same order; one that has no answer by `{"error": "<why>"}`.
///
/// # Errors
/// How many lines have no answer, and the first of them with its number; or that the input or the output ended early.
pub(crate) fn answer(
    lines: impl BufRead,
    out: impl Write,
    answer_of: impl Fn(&[u8]) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let mut out = BufWriter::new(out);
    let (mut first, mut bad, mut all) = (None, 0_u64, 0_u64);
    for line in lines.split(b'\n') {
        let line = line.context("reading the standard input")?;
        all += 1;
        let answer = answer_of(&line).or_else(|error| {
            let why = format!("{error:#}");
            bad += 1;
            first.get_or_insert_with(|| format!("line {all}: {why}"));
            spaced(&Unanswered { error: why })
        });
        writeln!(out, "{}", answer?)?;
    }
    out.flush()?;
    match first {
        None => Ok(()),
        Some(first) => anyhow::bail!("{bad} of {all} lines have no answer; the first is {first}"),
    }
}

/// As JSON with a space after each colon and comma, and in ASCII alone.
pub(crate) fn spaced(value: &impl Serialize) -> anyhow::Result<String> {
    let mut written = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut written, Spaced);
    value.serialize(&mut serializer)?;
    Ok(String::from_utf8(written)?)
}

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
