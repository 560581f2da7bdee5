//! Flood control: token buckets that can be changed while the server runs, and the flood waits that they open.
//!
//! ```text
//! tokens: burst .. 2, 1, 0 -> refused: retry_after = seconds to the next token, rounded up
//!                             |--- flood wait: every call is refused, and those after the grace are violations ---|
//! ```
//!
//! A violation is a call of a bot that was told of the wait. A wait that the server sleeps through itself is told nobody.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Calls refused this soon after a flood wait began were already under way, and are no violation.
pub const VIOLATION_GRACE_MS: i64 = 500;
/// The wait of a limit of no calls at all.
const LONGEST_WAIT_SECONDS: u32 = 86_400;

/// `calls` per `per` in the long run, `burst` at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// How many calls are allowed in the period.
    pub calls: u32,
    /// The period.
    pub per: Duration,
    /// How many calls may come at once after a rest.
    pub burst: u32,
}

impl Limit {
    /// `calls` a minute, in bursts of `burst`.
    #[must_use]
    pub fn per_minute(calls: u32, burst: u32) -> Self {
        Self {
            calls,
            per: Duration::from_secs(60),
            burst,
        }
    }

    /// The parts of a token: as many as the period has milliseconds, so that each millisecond brings `calls` parts
    /// and nothing is ever rounded.
    fn parts(&self) -> i128 {
        i128::try_from(self.per.as_millis())
            .unwrap_or(i128::from(i64::MAX))
            .max(1)
    }
}

/// The limits of messages. Methods that send or edit count, and in a group reactions and topics too.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MessageLimits {
    /// Of each bot, in all chats together.
    pub bot: Option<Limit>,
    /// Of each bot in each private chat.
    pub private: Option<Limit>,
    /// Of each bot in each group or channel.
    pub group: Option<Limit>,
}

impl MessageLimits {
    /// What Telegram publishes: 30 a second in all, 1 a second to one person in short bursts, 20 a minute to one group.
    #[must_use]
    pub fn published() -> Self {
        let second = |calls, burst| Limit {
            calls,
            per: Duration::from_secs(1),
            burst,
        };
        Self {
            bot: Some(second(30, 30)),
            private: Some(second(1, 3)),
            group: Some(Limit::per_minute(20, 20)),
        }
    }
}

/// What a call is counted against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// All invite-link methods of one bot in one chat.
    Pair(i64, i64),
    /// All invite-link methods in one chat, whichever bot calls them.
    Chat(i64),
    /// All methods of one bot.
    Bot(i64),
    /// All messages of one bot.
    Messages(i64),
    /// All messages of one bot in one chat.
    MessagesIn(i64, i64),
    /// One method of one bot, in one chat if it has one.
    Method(i64, i64, String),
}

#[derive(Debug)]
struct Bucket {
    /// Parts of tokens left, and how many parts a token has.
    left: i128,
    parts: i128,
    counted_at_ms: i64,
    wait: Option<Wait>,
}

/// A flood wait.
#[derive(Debug)]
struct Wait {
    until_ms: i64,
    /// The bots that were told of it, and since when they know.
    answered_at: BTreeMap<i64, i64>,
}

/// What becomes of a call for which no bucket has a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    /// The server sleeps this many seconds and tries again; the bot does not know.
    Sleep(u32),
    /// The bot is told.
    Refuse { retry_after: u32, violation: bool },
}

#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) pair: Option<Limit>,
    pub(crate) pairs: HashMap<(i64, i64), Option<Limit>>,
    pub(crate) chat: Option<Limit>,
    pub(crate) chats: HashMap<i64, Option<Limit>>,
    pub(crate) bot: Option<Limit>,
    pub(crate) methods: HashMap<String, Option<Limit>>,
    pub(crate) messages: MessageLimits,
    pub(crate) fixed_retry_after: Option<u32>,
    /// How long a call's waits may be in all for the server to sleep through them.
    pub(crate) max_sleep_ms: i64,
    buckets: HashMap<Scope, Bucket>,
    /// Waits opened by an injected 429: watched for violations, not enforced.
    announced: HashMap<(i64, i64), (i64, i64)>,
}

impl Limits {
    /// Counts a call, or holds it up. A call that is held up spends no token of any bucket. `slept_ms` is how long the
    /// server has slept for this call already.
    pub(crate) fn admit(
        &mut self,
        bot_id: i64,
        chat_id: Option<i64>,
        method: &str,
        now_ms: i64,
        slept_ms: i64,
    ) -> Result<(), Flood> {
        let scopes = self.scopes(bot_id, chat_id, method);
        let mut floods = Vec::new();
        for (scope, limit) in &scopes {
            if let Err(seconds) = self.check(scope, *limit, now_ms) {
                floods.push((scope, seconds));
            }
        }
        let Some(retry_after) = floods.iter().map(|(_, seconds)| *seconds).max() else {
            for (scope, _) in &scopes {
                if let Some(bucket) = self.buckets.get_mut(scope) {
                    bucket.left -= bucket.parts;
                }
            }
            return Ok(());
        };
        if slept_ms + i64::from(retry_after) * 1000 <= self.max_sleep_ms {
            return Err(Flood::Sleep(retry_after));
        }
        let mut violation = false;
        for (scope, seconds) in floods {
            let knew = self.tell(scope, bot_id, now_ms);
            violation |= knew && seconds == retry_after;
        }
        Err(Flood::Refuse {
            retry_after,
            violation,
        })
    }

    /// Tells a bot of a bucket's wait. True if it knows for longer than the grace.
    fn tell(&mut self, scope: &Scope, bot_id: i64, now_ms: i64) -> bool {
        let Some(wait) = self
            .buckets
            .get_mut(scope)
            .and_then(|bucket| bucket.wait.as_mut())
        else {
            return false;
        };
        let since_ms = *wait.answered_at.entry(bot_id).or_insert(now_ms);
        now_ms > since_ms + VIOLATION_GRACE_MS
    }

    /// Whether the call comes during a wait that an injected 429 asked for. An over wait is forgotten.
    pub(crate) fn is_during_announced(&mut self, bot_id: i64, chat_id: i64, now_ms: i64) -> bool {
        let Some((since, until)) = self.announced.get(&(bot_id, chat_id)).copied() else {
            return false;
        };
        if now_ms >= until {
            self.announced.remove(&(bot_id, chat_id));
        }
        now_ms < until && now_ms > since + VIOLATION_GRACE_MS
    }

    pub(crate) fn announce(&mut self, bot_id: i64, chat_id: i64, retry_after: u32, now_ms: i64) {
        let until = now_ms + i64::from(retry_after) * 1000;
        let wait = self
            .announced
            .entry((bot_id, chat_id))
            .or_insert((now_ms, until));
        wait.1 = wait.1.max(until);
    }

    pub(crate) fn forget_announced(&mut self) {
        self.announced.clear();
    }

    fn scopes(&self, bot_id: i64, chat_id: Option<i64>, method: &str) -> Vec<(Scope, Limit)> {
        let mut scopes = Vec::new();
        if let Some(limit) = self.bot {
            scopes.push((Scope::Bot(bot_id), limit));
        }
        if let Some(chat_id) = chat_id.filter(|chat_id| is_message(method, *chat_id)) {
            let limits = self.messages;
            let in_chat = if chat_id > 0 {
                limits.private
            } else {
                limits.group
            };
            scopes.extend(limits.bot.map(|limit| (Scope::Messages(bot_id), limit)));
            scopes.extend(in_chat.map(|limit| (Scope::MessagesIn(bot_id, chat_id), limit)));
        }
        let inviting = chat_id.filter(|_| method.ends_with("ChatInviteLink"));
        if let Some(chat_id) = inviting {
            let limit = self.chats.get(&chat_id).copied().unwrap_or(self.chat);
            scopes.extend(limit.map(|limit| (Scope::Chat(chat_id), limit)));
        }
        if let Some(own) = self.methods.get(method) {
            let scope = Scope::Method(bot_id, chat_id.unwrap_or_default(), method.to_owned());
            scopes.extend(own.map(|limit| (scope, limit)));
        } else if let Some(chat_id) = inviting {
            let limit = self
                .pairs
                .get(&(bot_id, chat_id))
                .copied()
                .unwrap_or(self.pair);
            scopes.extend(limit.map(|limit| (Scope::Pair(bot_id, chat_id), limit)));
        }
        scopes
    }

    /// Whether the bucket has a token, else the seconds to wait.
    fn check(&mut self, scope: &Scope, limit: Limit, now_ms: i64) -> Result<(), u32> {
        let parts = limit.parts();
        let full = i128::from(limit.burst.max(1)) * parts;
        let fresh = Bucket {
            left: full,
            parts,
            counted_at_ms: now_ms,
            wait: None,
        };
        let bucket = self.buckets.entry(scope.clone()).or_insert(fresh);
        let passed = i128::from((now_ms - bucket.counted_at_ms).max(0));
        let kept = bucket.left * parts / bucket.parts;
        (bucket.left, bucket.parts) = ((kept + passed * i128::from(limit.calls)).min(full), parts);
        bucket.counted_at_ms = now_ms;
        if let Some(wait) = &bucket.wait {
            let left_ms = wait.until_ms - now_ms;
            if left_ms > 0 {
                return Err(u32::try_from((left_ms + 999) / 1000).unwrap_or(u32::MAX));
            }
            bucket.wait = None;
        }
        if bucket.left >= parts {
            return Ok(());
        }
        let retry_after = self
            .fixed_retry_after
            .unwrap_or_else(|| seconds_to_token(parts - bucket.left, limit));
        bucket.wait = Some(Wait {
            until_ms: now_ms + i64::from(retry_after) * 1000,
            answered_at: BTreeMap::new(),
        });
        Err(retry_after)
    }

    /// Flood waits end when the limit changes; the tokens of a bucket stay, at most its new burst.
    pub(crate) fn end_waits(&mut self) {
        self.buckets
            .values_mut()
            .for_each(|bucket| bucket.wait = None);
    }

    /// The limits of a chat follow it to its new id.
    pub(crate) fn move_chat(&mut self, old: i64, new: i64) {
        let moved: Vec<_> = self
            .pairs
            .iter()
            .filter(|((_, chat), _)| *chat == old)
            .map(|(k, v)| (k.0, *v))
            .collect();
        self.pairs
            .extend(moved.into_iter().map(|(bot, limit)| ((bot, new), limit)));
        if let Some(limit) = self.chats.get(&old).copied() {
            self.chats.insert(new, limit);
        }
    }
}

/// Whether a method counts as a message in that chat.
fn is_message(method: &str, chat_id: i64) -> bool {
    let is_sent = ["send", "copyMessage", "forwardMessage", "editMessage"]
        .iter()
        .any(|start| method.starts_with(start));
    let counts_in_groups = method == "setMessageReaction" || method.ends_with("ForumTopic");
    is_sent && method != "sendChatAction" || chat_id < 0 && counts_in_groups
}

fn seconds_to_token(missing_parts: i128, limit: Limit) -> u32 {
    let calls = i128::from(limit.calls);
    if calls == 0 {
        return LONGEST_WAIT_SECONDS;
    }
    let seconds = (missing_parts + calls * 1000 - 1) / (calls * 1000);
    u32::try_from(seconds.max(1)).unwrap_or(LONGEST_WAIT_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = "createChatInviteLink";

    #[test]
    fn a_bucket_refuses_after_its_burst_and_says_when_to_come_back() {
        let mut limits = Limits {
            pair: Some(Limit::per_minute(20, 2)),
            ..Limits::default()
        };
        let mut call = |at| limits.admit(1, Some(-1), CREATE, at, 0);
        assert_eq!(call(0), Ok(()));
        assert_eq!(call(0), Ok(()));
        assert_eq!(
            call(0),
            Err(Flood::Refuse {
                retry_after: 3,
                violation: false
            })
        );
        assert_eq!(
            call(400),
            Err(Flood::Refuse {
                retry_after: 3,
                violation: false
            })
        );
        assert_eq!(
            call(2500),
            Err(Flood::Refuse {
                retry_after: 1,
                violation: true
            })
        );
        assert_eq!(call(3000), Ok(()));
        assert_eq!(
            call(3000),
            Err(Flood::Refuse {
                retry_after: 3,
                violation: false
            })
        );
    }

    #[test]
    fn a_refused_call_spends_no_token_of_another_bucket() {
        let second = Limit {
            calls: 1,
            per: Duration::from_secs(1),
            burst: 1,
        };
        let mut limits = Limits {
            pair: Some(second),
            bot: Some(Limit::per_minute(60, 2)),
            ..Limits::default()
        };
        assert!(limits.admit(1, Some(-1), CREATE, 0, 0).is_ok());
        assert!(limits.admit(1, Some(-1), CREATE, 0, 0).is_err());
        assert!(limits.admit(1, Some(-2), CREATE, 0, 0).is_ok());
    }

    #[test]
    fn a_chat_s_limit_is_one_for_all_bots_and_only_who_was_told_of_a_wait_breaks_it() {
        let mut limits = Limits {
            chat: Some(Limit::per_minute(6, 1)),
            ..Limits::default()
        };
        let mut call = |bot, chat, at| limits.admit(bot, Some(chat), CREATE, at, 0);
        let refused = |retry_after, violation| {
            Err(Flood::Refuse {
                retry_after,
                violation,
            })
        };
        assert_eq!(call(1, -1, 0), Ok(()));
        assert_eq!(call(2, -1, 0), refused(10, false));
        assert_eq!(call(1, -1, 4_000), refused(6, false));
        assert_eq!(call(2, -1, 4_000), refused(6, true));
        assert_eq!(call(2, -2, 4_000), Ok(()));
        assert_eq!(call(1, -1, 10_000), Ok(()));
    }

    #[test]
    fn short_waits_are_slept_through_until_their_sum_is_too_long() {
        let mut limits = Limits {
            pair: Some(Limit::per_minute(20, 1)),
            max_sleep_ms: 8_000,
            ..Limits::default()
        };
        let mut call = |at, slept| limits.admit(1, Some(-1), CREATE, at, slept);
        assert_eq!(call(0, 0), Ok(()));
        assert_eq!(call(0, 0), Err(Flood::Sleep(3)));
        assert_eq!(call(2_000, 6_000), Err(Flood::Sleep(1)));
        assert_eq!(
            call(2_000, 8_000),
            Err(Flood::Refuse {
                retry_after: 1,
                violation: false
            })
        );
        assert_eq!(call(3_000, 3_000), Ok(()));
    }
}
