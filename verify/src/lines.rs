//! A command that answers each line of the standard input by one on the standard output, for comparison with another
//! implementation.

use std::io::{BufRead, BufWriter, Write};

use anyhow::Context as _;

/// Answers every line of `lines` on `out`, in the same order.
///
/// # Errors
/// A line that can't be read or answered, with its number; what came before it is answered.
pub(crate) fn answer(
    lines: impl BufRead,
    out: impl Write,
    answer_of: impl Fn(&[u8]) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let mut out = BufWriter::new(out);
    for (index, line) in lines.split(b'\n').enumerate() {
        let answered = line
            .context("reading the standard input")
            .and_then(|line| answer_of(&line));
        match answered {
            Ok(answer) => writeln!(out, "{answer}")?,
            Err(error) => {
                out.flush()?;
                return Err(error.context(format!("line {}", index + 1)));
            }
        }
    }
    out.flush()?;
    Ok(())
}
