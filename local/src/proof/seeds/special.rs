//! The cases that no draw would meet, each at any size.

mod batches;
mod crowds;
mod waits;

use std::io::Write;

pub use batches::{Masks, events_masks, lost_pace, worker_masks};
pub use crowds::{Identical, Resent, identical, resent};
pub use waits::{Backlog, BrokenDay, backlog, broken_day};

/// Runs all of them at their full size, and says what came of them.
///
/// # Errors
/// What is broken.
pub fn all(out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{:?}", worker_masks(1)?)?;
    writeln!(out, "{:?}", events_masks(1)?)?;
    lost_pace()?;
    writeln!(out, "{:?}", resent(300, 5)?)?;
    writeln!(out, "{:?}", broken_day(15)?)?;
    writeln!(out, "{:?}", backlog(1500, 20)?)?;
    writeln!(out, "{:?}", identical(100_000, 64)?)?;
    Ok(())
}
