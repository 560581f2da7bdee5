//! Instants as they are stored and sent: milliseconds since the Unix epoch, written as RFC 3339 in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::macros::format_description;
use time::{Date, Month, OffsetDateTime};

/// The first instant that RFC 3339 can write: the start of the year 0000.
const FIRST_MS: i64 = -62_167_219_200_000;
/// The last instant that RFC 3339 can write: the end of the year 9999.
const LAST_MS: i64 = 253_402_300_799_999;

/// An instant, in milliseconds since the Unix epoch, clamped to the years that RFC 3339 can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `ms` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        if ms < FIRST_MS {
            Self(FIRST_MS)
        } else if ms > LAST_MS {
            Self(LAST_MS)
        } else {
            Self(ms)
        }
    }

    /// The instant `seconds` after the Unix epoch.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Self::from_ms(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: the unit of TTL attributes, leases and Telegram's dates.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The instant `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from_ms(
            self.0
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The instant `by` earlier.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self::from_ms(
            self.0
                .saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The same time of the day `months` later by the calendar in UTC; where that month has no such day, on its last.
    #[must_use]
    pub fn plus_months(self, months: u32) -> Self {
        let at = self.date_time();
        let first = i64::from(at.year()) * 12 + i64::from(u8::from(at.month())) - 1;
        let month_in_all = first.saturating_add(i64::from(months));
        let year = i32::try_from(month_in_all.div_euclid(12)).ok();
        let month = u8::try_from(month_in_all.rem_euclid(12) + 1).ok();
        let date = year.zip(month).and_then(|(year, month)| {
            let month = Month::try_from(month).ok()?;
            Date::from_calendar_date(year, month, at.day().min(month.length(year))).ok()
        });
        // Years beyond those of RFC 3339 are clamped like all others.
        let Some(date) = date else {
            return Self::from_ms(i64::MAX);
        };
        let nanos = at.replace_date(date).unix_timestamp_nanos();
        i64::try_from(nanos.div_euclid(1_000_000)).map_or(Self::from_ms(i64::MAX), Self::from_ms)
    }

    /// How long from `earlier` to this instant; nothing if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `yyyy-MM-ddTHH:mm:ss+0000`: the only form of `eventTime` that WebEngage documents (no colon in the offset, no
    /// fraction).
    #[must_use]
    pub fn webengage(self) -> String {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+0000");
        self.date_time().format(form).unwrap_or_default()
    }

    /// The instant of a `Date` header: `Tue, 15 Nov 1994 08:12:31 GMT`.
    #[must_use]
    pub fn of_http(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
        Some(Self::from_seconds(at.unix_timestamp()))
    }

    /// The calendar day and the time of day in UTC.
    pub(crate) fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        f.write_str(&self.date_time().format(form).unwrap_or_default())
    }
}

/// The text is no RFC 3339 instant.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 3339 instant such as 2026-01-31T12:00:00.000Z")]
pub struct NotAnInstant;

impl FromStr for Timestamp {
    type Err = NotAnInstant;

    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        let nanos = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| NotAnInstant)?
            .unix_timestamp_nanos();
        i64::try_from(nanos.div_euclid(1_000_000))
            .map(Self::from_ms)
            .map_err(|_| NotAnInstant)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_with_milliseconds_and_read_back() {
        let at = Timestamp::from_ms(1_763_640_000_007);
        assert_eq!(at.to_string(), "2025-11-20T12:00:00.007Z");
        assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        assert_eq!(
            "2025-11-20T13:00:00.007+01:00"
                .parse::<Timestamp>()
                .unwrap(),
            at
        );
    }

    #[test]
    fn webengage_gets_neither_fraction_nor_colon() {
        assert_eq!(
            Timestamp::from_ms(1_763_640_000_999).webengage(),
            "2025-11-20T12:00:00+0000"
        );
    }

    #[test]
    fn instants_out_of_range_are_clamped_not_lost() {
        assert_eq!(
            Timestamp::from_ms(i64::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
        assert_eq!(
            Timestamp::from_ms(i64::MIN).to_string(),
            "0000-01-01T00:00:00.000Z"
        );
        assert_eq!(
            Timestamp::from_ms(5).plus(Duration::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn months_are_counted_by_the_calendar() {
        for (from, months, to) in [
            ("2026-01-31T10:20:30.456Z", 1, "2026-02-28T10:20:30.456Z"),
            ("2028-01-31T00:00:00.000Z", 1, "2028-02-29T00:00:00.000Z"),
            ("2026-01-31T00:00:00.000Z", 2, "2026-03-31T00:00:00.000Z"),
            ("2026-11-27T23:59:59.999Z", 1, "2026-12-27T23:59:59.999Z"),
            ("2026-12-01T00:00:00.000Z", 1, "2027-01-01T00:00:00.000Z"),
            ("2028-02-29T00:00:00.000Z", 12, "2029-02-28T00:00:00.000Z"),
            ("2026-05-31T00:00:00.000Z", 36, "2029-05-31T00:00:00.000Z"),
            ("2026-05-31T00:00:00.000Z", 0, "2026-05-31T00:00:00.000Z"),
            (
                "9999-12-31T00:00:00.000Z",
                u32::MAX,
                "9999-12-31T23:59:59.999Z",
            ),
        ] {
            let from: Timestamp = from.parse().unwrap();
            assert_eq!(from.plus_months(months).to_string(), to, "{from} {months}");
        }
    }

    #[test]
    fn a_date_header_is_read() {
        let at = Timestamp::of_http("Tue, 15 Nov 1994 08:12:31 GMT");
        assert_eq!(at, Some(Timestamp::from_seconds(784_887_151)));
        for odd in ["", "now", "784887151", "Tue, 32 Nov 1994 08:12:31 GMT"] {
            assert_eq!(Timestamp::of_http(odd), None, "{odd}");
        }
    }
}
