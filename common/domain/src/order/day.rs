//! Days of the books, in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::super::time::Timestamp;

const LENGTH: Duration = Duration::from_secs(24 * 3600);
/// The length of `2026-11-28`.
const DATE_LENGTH: usize = 10;

/// A day of the books, written as `2026-11-28`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BookDay(Timestamp);

impl BookDay {
    /// The day of an instant.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        let into = at.ms().rem_euclid(24 * 3600 * 1000).unsigned_abs();
        Self(at.minus(Duration::from_millis(into)))
    }

    /// When it is over, which is when the next one begins.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.0.plus(LENGTH)
    }

    /// The day after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.end())
    }

    /// The day before it.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.minus(LENGTH))
    }
}

impl fmt::Display for BookDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start: String = self.0.to_string().chars().take(DATE_LENGTH).collect();
        f.write_str(&start)
    }
}

/// The text is no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a day such as 2026-01-31")]
pub struct NotADay;

impl FromStr for BookDay {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let start: Timestamp = format!("{text}T00:00:00.000Z")
            .parse()
            .map_err(|_| NotADay)?;
        let day = Self(start);
        match day.to_string() == text {
            true => Ok(day),
            false => Err(NotADay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_the_instants_from_midnight_to_midnight() {
        let day: BookDay = "2028-02-28".parse().unwrap();
        for at in ["2028-02-28T00:00:00.000Z", "2028-02-28T23:59:59.999Z"] {
            assert_eq!(BookDay::of(at.parse().unwrap()), day, "{at}");
        }
        assert_eq!(day.end().to_string(), "2028-02-29T00:00:00.000Z");
        assert_eq!(BookDay::of(day.end()), day.next());
        assert_eq!(day.next().to_string(), "2028-02-29");
        assert_eq!(day.next().before(), day);
        assert!(day < day.next());
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026-02-29",
            "2026-1-02",
            "2026-01-02T",
            "20260102",
            "2026-13-01",
        ] {
            assert_eq!(text.parse::<BookDay>(), Err(NotADay), "{text}");
        }
    }
}
