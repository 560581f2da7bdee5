//! One delivery of one announcement to one endpoint: its id, its tries, and when the next one is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::super::time::Timestamp;

/// Over how many partitions the deliveries of an endpoint are spread, and those that are due.
pub const SHARDS: u8 = 8;
/// How long the record of a delivery is kept.
pub const ROW_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// For how long a delivery is its caller's: the run that finds it due after that calls again.
pub const LEASE: Duration = Duration::from_secs(60);
/// From this age on nothing is announced: the record of the first delivery may be forgotten, and a repeat would be another.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(29 * 24 * 3600);
/// How many tries a delivery has.
pub const TRIES_MAX: u32 = 10;
/// The waits between the tries, in seconds: 76 h in all.
const WAITS: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// The longest wait that an endpoint may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);
/// How many digits the time has in an id.
const TIME_DIGITS: usize = 15;

/// Whether what happened at `at` is too old to be announced.
#[must_use]
pub fn is_too_old(at: Timestamp, now: Timestamp) -> bool {
    now.since(at) > ANNOUNCED_WITHIN
}

/// The id of an announcement, `evt_<time>_<hash of its cause>`: the receiver's key to know a repeat by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HookEventId(String);

/// A text that is not the id of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHookEventId;

impl HookEventId {
    pub(super) fn new(at: Timestamp, hash: [u8; 16]) -> Self {
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("evt_{:0TIME_DIGITS$}_{hash}", at.ms().max(0)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        let ms = self
            .0
            .get(4..4 + TIME_DIGITS)
            .and_then(|ms| ms.parse().ok());
        Timestamp::from_ms(ms.unwrap_or_default())
    }

    /// The part of an endpoint's deliveries that it lies in.
    #[must_use]
    pub fn shard(&self) -> u8 {
        self.0.bytes().last().unwrap_or_default() % SHARDS
    }

    /// Its place among the deliveries of a part: they stand by time.
    #[must_use]
    pub fn sort_key(&self) -> String {
        format!("{}#{}", self.at(), self.0)
    }
}

impl fmt::Display for HookEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for HookEventId {
    type Err = NoHookEventId;

    fn from_str(text: &str) -> Result<Self, NoHookEventId> {
        let parts = text
            .strip_prefix("evt_")
            .and_then(|rest| rest.split_once('_'));
        let is_id = parts.is_some_and(|(time, hash)| {
            time.len() == TIME_DIGITS
                && time.bytes().all(|byte| byte.is_ascii_digit())
                && hash.len() == 32
                && hash
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        is_id.then(|| Self(text.to_owned())).ok_or(NoHookEventId)
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookState {
    /// It is to be made.
    Waiting,
    /// The endpoint took it.
    Delivered,
    /// It is given up, until it is replayed.
    Parked,
}

impl HookState {
    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Delivered => "DELIVERED",
            Self::Parked => "PARKED",
        }
    }
}

impl FromStr for HookState {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let all = [Self::Waiting, Self::Delivered, Self::Parked];
        all.into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(())
    }
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// The endpoint answered with this HTTP status.
    Status(u16),
    /// No answer within the time, or the connection broke.
    NoAnswer,
    /// No connection.
    Unreachable,
    /// The target may not be called: it is, or its name leads to, an address that is not the public's.
    Forbidden,
}

impl HookAnswer {
    /// Whether the endpoint took it.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Status(200..=299))
    }

    /// Whether the endpoint says that it is there no more.
    #[must_use]
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Status(410))
    }

    /// Whether the endpoint, or what stands before it, has too much to do.
    #[must_use]
    pub const fn is_overload(self) -> bool {
        matches!(self, Self::Status(429 | 502 | 503 | 504))
    }
}

impl fmt::Display for HookAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::NoAnswer => f.write_str("no_answer"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Forbidden => f.write_str("forbidden"),
        }
    }
}

/// One try, as the log of an endpoint shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookTry {
    /// When it began.
    pub at: Timestamp,
    /// A status, or the word of [`HookAnswer`].
    pub answer: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// What follows a try that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterHookTry {
    /// Another one, then.
    Again(Timestamp),
    /// None.
    Park,
}

/// What follows when the `tries`-th try fails at `now`, and the endpoint asked for a wait, or not.
#[must_use]
pub fn after_try(tries: u32, asked: Option<Duration>, now: Timestamp) -> AfterHookTry {
    let wait = tries
        .checked_sub(1)
        .and_then(|place| WAITS.get(usize::try_from(place).ok()?));
    match wait {
        Some(seconds) => {
            let asked = asked.unwrap_or_default().min(RETRY_AFTER_MAX);
            AfterHookTry::Again(now.plus(Duration::from_secs(*seconds).max(asked)))
        }
        None => AfterHookTry::Park,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_take_76_hours_and_a_longer_wait_that_was_asked_for_is_kept() {
        let start = Timestamp::from_ms(1_800_000_000_000);
        let (mut now, mut tries) = (start, 1);
        while let AfterHookTry::Again(at) = after_try(tries, None, now) {
            now = at;
            tries += 1;
        }
        assert_eq!(tries, TRIES_MAX);
        assert_eq!(now.since(start).as_secs() / 3600, 75);
        let asked = |seconds| after_try(1, Some(Duration::from_secs(seconds)), start);
        let at = |seconds| AfterHookTry::Again(start.plus(Duration::from_secs(seconds)));
        assert_eq!(asked(1), at(5));
        assert_eq!(asked(7200), at(7200));
        assert_eq!(asked(1_000_000), at(86_400));
    }

    #[test]
    fn an_id_tells_its_time_and_its_place_and_nothing_else_is_one() {
        let at = Timestamp::from_ms(1_800_000_000_123);
        let id = HookEventId::new(at, [0xab; 16]);
        assert_eq!(
            id.as_str(),
            "evt_001800000000123_abababababababababababababababab"
        );
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!((id.at(), id.shard()), (at, b'b' % 8));
        assert!(
            !id.as_str().contains('.'),
            "the receiver signs with dots between"
        );
        for wrong in [
            "",
            "evt_1_ab",
            "evt_001800000000123_ABABABABABABABABABABABABABABABAB",
            "evt_é01800000000123_ab",
        ] {
            assert_eq!(wrong.parse::<HookEventId>(), Err(NoHookEventId), "{wrong}");
        }
    }
}
