//! The cases that no draw would meet, each at any size.

mod batches;
mod crowds;
mod waits;

use std::io::Write;

pub use batches::{Masks, events_masks, lost_pace, worker_masks};
pub use crowds::{Identical, Resent, identical, resent};
pub use waits::{Backlog, BrokenDay, backlog, broken_day};

/// Runs all of them at their full size, and says what came of each, a sentence a line.
///
/// # Errors
/// What is broken.
pub fn all(out: &mut impl Write) -> anyhow::Result<()> {
    for (queue, masks) in [("jobs", worker_masks(1)?), ("events", events_masks(1)?)] {
        writeln!(
            out,
            "{} batches of ten {queue}, each with other parts that fail: {} handed back, {} done.",
            masks.batches, masks.handed_back, masks.done
        )?;
    }
    lost_pace()?;
    writeln!(
        out,
        "A batch whose pace can't be stored: handed back whole."
    )?;
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
        "A backlog of {} orders at 20 a minute: {:.0} minutes, {:.0} % of the limit used, {} refused, {} delays of 900 s; at worst an order \
         was served {:.0} % of the line off its place. A link cost {:.1} SQS requests and {:.1} writes of the pace.",
        backlog.orders,
        backlog.minutes,
        backlog.used * 100.0,
        backlog.refused,
        backlog.longest_delays,
        backlog.furthest_from_its_place * 100.0,
        backlog.sqs_per_link,
        backlog.pace_writes_per_link
    )?;
    let same = identical(100_000, 64)?;
    writeln!(
        out,
        "{} identical requests, 64 at a time: {} jobs, {} link, {} event.",
        same.requests, same.jobs, same.links, same.events
    )?;
    Ok(())
}
