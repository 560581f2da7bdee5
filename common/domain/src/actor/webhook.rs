//! An actor's webhook: where its updates are sent that does not ask for them, and how far that has come.
//!
//! ```text
//! the feed, as the actor sees it   a1 b1 a2 c1 b2 a3 ...     letters are queues: a chat, or a person
//! taken                               b1    c1 b2            a1 fails and is tried again: a2 and a3 wait for it
//! the cursor                      ^                          nothing is looked at further than 100 beyond it
//! ```
//!
//! As at Telegram, one update of each queue is under way at a time, and each is sent until it is taken, or a day old.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::super::id::FeedSeq;
use super::super::time::Timestamp;

/// How many updates are under way at once if nothing else is asked for (Bot API, `setWebhook`).
const CONNECTIONS: u32 = 40;
/// The most that may be asked for.
const CONNECTIONS_MAX: u32 = 100;
/// The longest secret.
const SECRET_MAX_CHARS: usize = 256;
/// How many updates beyond the oldest that was not taken are looked at.
pub const AHEAD_MAX: usize = 100;
/// An update that would be tried again when it is older than this is given up: Telegram keeps them as long.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
/// The longest wait between two tries; the first comes at once, the waits after it are 2, 4, 8 … s.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The longest wait that is obeyed; Telegram's own bound.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// An actor's webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct ActorWebhook {
    /// Where updates go.
    pub url: String,
    /// What is shown there, in `X-Telegram-Bot-Api-Secret-Token`.
    pub secret: Option<String>,
    /// How many updates are under way at once, at most.
    pub max_connections: u32,
}

/// Without the secret; the URL may hold one as well.
impl fmt::Debug for ActorWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorWebhook(…, {} at once)", self.max_connections)
    }
}

/// Why a webhook is refused, in Telegram's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookRefusal {
    /// The secret is too long, or has other characters.
    Secret,
    /// So many connections can't be had.
    Connections,
}

impl WebhookRefusal {
    /// The description of the answer.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Secret => "Bad Request: secret token contains unallowed characters",
            Self::Connections => "Bad Request: bad webhook: max_connections must be from 1 to 100",
        }
    }
}

impl ActorWebhook {
    /// The webhook that is asked for. Its caller judges the URL.
    ///
    /// # Errors
    /// [`WebhookRefusal`].
    pub fn ask(
        url: &str,
        secret: Option<&str>,
        max_connections: Option<i64>,
    ) -> Result<Self, WebhookRefusal> {
        let secret = secret.filter(|secret| !secret.is_empty());
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        let is_secret =
            |secret: &str| secret.len() <= SECRET_MAX_CHARS && secret.chars().all(is_part);
        if !secret.is_none_or(is_secret) {
            return Err(WebhookRefusal::Secret);
        }
        let asked = max_connections.unwrap_or(i64::from(CONNECTIONS));
        let max_connections = u32::try_from(asked)
            .ok()
            .filter(|number| (1..=CONNECTIONS_MAX).contains(number))
            .ok_or(WebhookRefusal::Connections)?;
        Ok(Self {
            url: url.to_owned(),
            secret: secret.map(str::to_owned),
            max_connections,
        })
    }
}

/// An update that was not taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailingUpdate {
    /// How often it was sent.
    pub tries: u32,
    /// When it is sent again.
    pub next_at: Timestamp,
}

/// What becomes of an update that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRefusal {
    /// It is sent again, then.
    Again(Timestamp),
    /// It is given up.
    GivenUp,
}

/// How far the sending to a webhook has come beyond its actor's cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookProgress {
    /// What was taken, or given up, beyond the cursor.
    pub taken: BTreeSet<FeedSeq>,
    /// What was sent and not taken.
    pub failing: BTreeMap<FeedSeq, FailingUpdate>,
    /// The last failure: when it was, and a word for it.
    pub last_failure: Option<(Timestamp, String)>,
}

impl WebhookProgress {
    /// Which updates are to be sent at `now`, of those in `window`, each with its queue, in the order of the feed: of each
    /// queue the first that was not taken, unless it is under way or waits.
    #[must_use]
    pub fn ready(
        &self,
        window: &[(FeedSeq, i64)],
        under_way: &BTreeSet<FeedSeq>,
        now: Timestamp,
    ) -> Vec<FeedSeq> {
        let is_due = |seq: &FeedSeq| self.failing.get(seq).is_none_or(|of| of.next_at <= now);
        let first = self.first_of_each(window).into_iter();
        first
            .filter(|seq| !under_way.contains(seq) && is_due(seq))
            .collect()
    }

    /// When the next of those in `window` is to be sent that wait.
    #[must_use]
    pub fn wakes_at(&self, window: &[(FeedSeq, i64)]) -> Option<Timestamp> {
        let first = self.first_of_each(window).into_iter();
        first
            .filter_map(|seq| Some(self.failing.get(&seq)?.next_at))
            .min()
    }

    fn first_of_each(&self, window: &[(FeedSeq, i64)]) -> Vec<FeedSeq> {
        let mut queues = BTreeSet::new();
        window
            .iter()
            .filter(|(seq, queue)| !self.taken.contains(seq) && queues.insert(*queue))
            .map(|(seq, _)| *seq)
            .collect()
    }

    /// An update was taken.
    pub fn take(&mut self, seq: FeedSeq) {
        self.taken.insert(seq);
        self.failing.remove(&seq);
    }

    /// An update that was written into the feed at `written_at` was not taken, for this reason, and the receiver asked
    /// for a wait, or not.
    pub fn refuse(
        &mut self,
        (seq, written_at): (FeedSeq, Timestamp),
        failure: impl fmt::Display,
        asked: Option<Duration>,
        now: Timestamp,
    ) -> AfterRefusal {
        self.last_failure = Some((now, failure.to_string()));
        let tries = self.failing.get(&seq).map_or(0, |of| of.tries) + 1;
        let doubled = Duration::from_secs(match tries {
            1 => 0,
            more => 1 << (more - 1).min(16),
        });
        let asked = asked.map(|asked| asked.min(RETRY_AFTER_MAX));
        let next_at = now.plus(asked.unwrap_or(doubled.min(WAIT_MAX)));
        if next_at > written_at.plus(GIVEN_UP_AFTER) {
            self.take(seq);
            return AfterRefusal::GivenUp;
        }
        self.failing.insert(seq, FailingUpdate { tries, next_at });
        AfterRefusal::Again(next_at)
    }

    /// Moves the cursor to before the oldest of `window` that was not taken; past all that was looked at, which is up to
    /// `position`, if there is none. What lies before it is forgotten, in `window` too.
    pub fn settle(&mut self, window: &mut Vec<(FeedSeq, i64)>, position: FeedSeq) -> FeedSeq {
        let oldest = window.iter().find(|(seq, _)| !self.taken.contains(seq));
        let cursor = oldest.map_or(position, |(seq, _)| seq.before());
        self.taken.retain(|seq| *seq > cursor);
        self.failing.retain(|seq, _| *seq > cursor);
        window.retain(|(seq, _)| *seq > cursor);
        cursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    fn seqs(numbers: impl IntoIterator<Item = i32>) -> BTreeSet<FeedSeq> {
        numbers.into_iter().map(FeedSeq).collect()
    }

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_webhook_is_taken_as_telegram_takes_it() {
        let ask =
            |secret, connections| ActorWebhook::ask("https://a.example/", secret, connections);
        let taken = ask(Some("s_-1"), None).unwrap();
        assert_eq!(taken.max_connections, 40);
        assert_eq!(taken.secret.as_deref(), Some("s_-1"));
        assert!(!format!("{taken:?}").contains("s_-1"));
        assert_eq!(ask(Some(""), Some(100)).unwrap().secret, None);
        let long = "s".repeat(257);
        for secret in ["a b", "é", long.as_str()] {
            assert_eq!(ask(Some(secret), None), Err(WebhookRefusal::Secret));
        }
        for connections in [0, -1, 101, i64::MAX] {
            let refused = ask(None, Some(connections));
            assert_eq!(refused, Err(WebhookRefusal::Connections));
        }
    }

    #[test]
    fn one_of_each_queue_is_sent_and_a_queue_that_fails_holds_up_no_other() {
        let window = [(1, 7), (2, 8), (4, 7), (5, 9), (6, 8)];
        let mut window = window.map(|(seq, queue)| (FeedSeq(seq), queue)).to_vec();
        let mut progress = WebhookProgress::default();
        let ready = |progress: &WebhookProgress, window: &[_], under_way: &[i32], at| {
            let ready = progress.ready(window, &seqs(under_way.iter().copied()), at);
            ready.into_iter().map(|seq| seq.0).collect::<Vec<_>>()
        };
        assert_eq!(ready(&progress, &window, &[], NOW), [1, 2, 5]);
        assert_eq!(ready(&progress, &window, &[1, 2], NOW), [5]);
        let first = progress.refuse((FeedSeq(1), NOW), 500, None, NOW);
        assert_eq!(first, AfterRefusal::Again(NOW), "again at once");
        progress.refuse((FeedSeq(1), NOW), 500, None, NOW);
        progress.take(FeedSeq(2));
        progress.take(FeedSeq(5));
        assert_eq!(ready(&progress, &window, &[], NOW), [6]);
        assert_eq!(progress.wakes_at(&window), Some(later(2)));
        assert_eq!(ready(&progress, &window, &[], later(2)), [1, 6]);
        // The cursor waits for the oldest; what was taken beyond it is known.
        assert_eq!(progress.settle(&mut window, FeedSeq(9)), FeedSeq(0));
        assert_eq!(progress.taken, seqs([2, 5]));
        progress.take(FeedSeq(1));
        assert_eq!(progress.settle(&mut window, FeedSeq(9)), FeedSeq(3));
        assert_eq!(window.len(), 3);
        assert_eq!(ready(&progress, &window, &[], NOW), [4, 6]);
        progress.take(FeedSeq(4));
        progress.take(FeedSeq(6));
        assert_eq!(progress.settle(&mut window, FeedSeq(9)), FeedSeq(9));
        assert!(progress.taken.is_empty() && progress.failing.is_empty());
        assert!(window.is_empty() && progress.wakes_at(&window).is_none());
    }

    #[test]
    fn the_waits_are_telegrams_and_after_a_day_an_update_is_given_up() {
        let mut progress = WebhookProgress::default();
        let mut now = NOW;
        let mut refuse = |asked: Option<u64>, now| {
            let asked = asked.map(Duration::from_secs);
            progress.refuse((FeedSeq(1), NOW), "503", asked, now)
        };
        for wait in [0, 2, 4, 8, 16, 32, 60, 60] {
            let next = now.plus(Duration::from_secs(wait));
            assert_eq!(refuse(None, now), AfterRefusal::Again(next), "{wait}");
            now = next;
        }
        assert_eq!(refuse(Some(1), NOW), AfterRefusal::Again(later(1)));
        assert_eq!(refuse(Some(9999), NOW), AfterRefusal::Again(later(3600)));
        let day = 24 * 3600;
        assert_eq!(
            refuse(None, later(day - 60)),
            AfterRefusal::Again(later(day))
        );
        assert_eq!(refuse(None, later(day)), AfterRefusal::GivenUp);
        assert_eq!(progress.taken, seqs([1]));
        assert!(progress.failing.is_empty());
        let last = progress.last_failure.unwrap();
        assert_eq!(last, (later(day), "503".to_owned()));
    }
}
