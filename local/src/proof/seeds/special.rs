//! The cases that no draw would meet, each at any size.

mod crowds;
mod waits;

use std::io::Write;

pub use crowds::{Identical, Resent, identical, resent};
pub use waits::{Backlog, BrokenDay, backlog, broken_day};

/// Runs all of them at their full size, and says what came of each, a sentence a line.
///
/// # Errors
/// What is broken.
pub fn all(out: &mut impl Write) -> anyhow::Result<()> {
    let resent = resent(300, 5)?;
    writeln!(
        out,
        "{} joins in {} updates, resent and shuffled: {} counted.",
        resent.orders, resent.deliveries, resent.joined
    )?;
    let day = broken_day(15)?;
    writeln!(
        out,
        "A chat that is broken for a day: {} orders; another chat's waited {} ms at most, those of a bot that still could {} ms; the rest \
         was served {:.0} s after it was mended, after {} probes.",
        day.orders,
        day.longest_beside.as_millis(),
        day.longest_by_the_other_bot.as_millis(),
        day.served_after.as_secs_f64(),
        day.probes
    )?;
    let backlog = backlog(1500, 20)?;
    writeln!(
        out,
        "A backlog of {} orders at 20 a minute: {:.0} minutes, {:.0} % of the limit used, {} refused; {} were overtaken. \
         A link cost {:.2} SQS requests and {:.2} writes of the lease.",
        backlog.orders,
        backlog.minutes,
        backlog.used * 100.0,
        backlog.refused,
        backlog.overtaken,
        backlog.sqs_per_link,
        backlog.lease_writes_per_link
    )?;
    let same = identical(100_000, 64)?;
    writeln!(
        out,
        "{} identical requests, 64 at a time: {} bells, {} link, {} event.",
        same.requests, same.bells, same.links, same.events
    )?;
    Ok(())
}
