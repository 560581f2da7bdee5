//! How parts of a plan are drawn.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

/// A duration within the range whose logarithm is even: minutes are as likely as hours.
pub(super) fn draw_duration(rng: &mut Rng, range: RangeInclusive<u64>) -> Duration {
    let (least, most) = ((*range.start() as f64).ln(), (*range.end() as f64).ln());
    Duration::from_secs_f64((least + rng.f64() * (most - least)).exp())
}

pub(super) fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(0..100) < percent
}
