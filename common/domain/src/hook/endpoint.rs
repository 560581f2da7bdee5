//! An endpoint: what it wants, what its calls are signed with, and when it is left alone.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use uuid::Uuid;

use super::super::time::Timestamp;
use super::{Announcement, HookAnswer, HookKind, HookSecret};

/// How long the secret before the present one signs as well.
pub const SECRET_OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// How many secrets sign at once, at most.
const SECRETS_MAX: usize = 4;
/// For how long an endpoint may fail without one success.
const FAILING_MAX: Duration = Duration::from_secs(120 * 3600);
/// For how long an endpoint is left alone that has too much to do, or fails again and again.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest pause that it may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);
/// By how much what happened may be older than an endpoint that is told it: Telegram tells whole seconds, and clocks differ.
const OLDER_MAX: Duration = Duration::from_secs(60);
/// After how many failures in a row an endpoint is left alone.
const FAILURES_IN_A_ROW: u32 = 3;

/// The id of an endpoint, `ep_` and 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(String);

/// A text that is not the id of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEndpointId;

impl EndpointId {
    /// The id of these random bytes.
    #[must_use]
    pub fn of(random: Uuid) -> Self {
        Self(format!("ep_{}", random.simple()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EndpointId {
    type Err = NoEndpointId;

    fn from_str(text: &str) -> Result<Self, NoEndpointId> {
        let is_id = text.strip_prefix("ep_").is_some_and(|rest| {
            rest.len() == 32
                && rest
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        is_id.then(|| Self(text.to_owned())).ok_or(NoEndpointId)
    }
}

/// Who disabled an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledBy {
    /// An operator.
    Operator,
    /// It answered 410.
    Gone,
    /// It failed for 120 h without one success.
    Failing,
}

impl DisabledBy {
    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

impl FromStr for DisabledBy {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let all = [Self::Operator, Self::Gone, Self::Failing];
        all.into_iter().find(|by| by.as_str() == word).ok_or(())
    }
}

/// A secret that signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSecret {
    /// The secret.
    pub secret: HookSecret,
    /// Until when it signs; the present one has no end.
    pub until: Option<Timestamp>,
}

/// What those who announce must know of an endpoint, unless an operator disabled it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What it wants.
    pub kinds: BTreeSet<HookKind>,
    /// Whether it wants links.
    pub wants_links: bool,
    /// What happened before that is not told to it.
    pub since: Timestamp,
    /// Whether so much waits for it that what comes now is parked.
    pub is_full: bool,
    /// Whether it is disabled because it is gone or failed: what comes now is parked, until it is enabled and that is replayed.
    pub is_failed: bool,
}

impl Subscription {
    /// Whether it wants an announcement: what happened before it was there, and is announced again now, is none of its.
    #[must_use]
    pub fn wants(&self, announcement: &Announcement) -> bool {
        // A message that was given up is of the time when it was written.
        let is_of_its_time = announcement.kind == HookKind::MessageUndelivered
            || announcement.at.plus(OLDER_MAX) >= self.since;
        is_of_its_time && self.kinds.contains(&announcement.kind)
    }
}

/// An endpoint, as its record has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Where it is. May hold a secret of its owner's: no log shows it.
    pub url: String,
    /// What it wants.
    pub kinds: BTreeSet<HookKind>,
    /// Whether it wants links.
    pub wants_links: bool,
    /// Its secrets, the present one first.
    pub secrets: Vec<KeptSecret>,
    /// Who disabled it, if it is not enabled.
    pub disabled: Option<DisabledBy>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// From when on it is told what happens: since it was registered, or enabled after an operator had disabled it.
    pub told_since: Timestamp,
    /// Since when it fails without one success.
    pub failing_since: Option<Timestamp>,
    /// Until when it is left alone.
    pub paused_until: Option<Timestamp>,
    /// Whether so much waits for it that what comes now is parked.
    pub is_full: bool,
    /// How often its record was written.
    pub version: u64,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the URL, which may hold a secret.
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("disabled", &self.disabled)
            .field("is_full", &self.is_full)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// What those who announce must know; nothing if an operator disabled it.
    #[must_use]
    pub fn subscription(&self) -> Option<Subscription> {
        let is_wanted = self.disabled != Some(DisabledBy::Operator);
        is_wanted.then(|| Subscription {
            endpoint: self.id.clone(),
            kinds: self.kinds.clone(),
            wants_links: self.wants_links,
            since: self.told_since,
            is_full: self.is_full,
            is_failed: self.disabled.is_some(),
        })
    }

    /// The header of signatures: one of each secret that signs at `now`, with spaces between.
    #[must_use]
    pub fn signatures(&self, id: &str, body: &str, now: Timestamp) -> String {
        let signing = self
            .secrets
            .iter()
            .filter(|kept| kept.until.is_none_or(|until| until > now));
        let signatures: Vec<String> = signing
            .map(|kept| kept.secret.sign(id, now.seconds(), body))
            .collect();
        signatures.join(" ")
    }

    /// With another secret: the one before signs as well for [`SECRET_OVERLAP`], and those before that to their ends, since
    /// nobody may have seen the one before. Of too many those go that are neither the latest nor the oldest: a receiver that was
    /// shown none of the new ones has the oldest.
    #[must_use]
    pub fn rotated(self, secret: HookSecret, now: Timestamp) -> Self {
        let former = self.secrets.into_iter().filter_map(|kept| {
            let until = kept.until.unwrap_or_else(|| now.plus(SECRET_OVERLAP));
            (until > now).then_some(KeptSecret {
                until: Some(until),
                ..kept
            })
        });
        let present = KeptSecret {
            secret,
            until: None,
        };
        let mut secrets: Vec<_> = std::iter::once(present).chain(former).collect();
        while secrets.len() > SECRETS_MAX {
            secrets.remove(2);
        }
        Self { secrets, ..self }
    }

    /// Enabled, and as if it had never failed. While it was disabled nobody looked how much waits for it. What happened while an
    /// operator had it disabled is not told.
    #[must_use]
    pub fn enabled(self, now: Timestamp) -> Self {
        let told_since = match self.disabled {
            Some(DisabledBy::Operator) => now,
            _ => self.told_since,
        };
        Self {
            disabled: None,
            told_since,
            failing_since: None,
            paused_until: None,
            is_full: false,
            ..self
        }
    }

    /// Whether it is left alone at `now`.
    #[must_use]
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.paused_until
            .is_some_and(|until| until > now && until <= now.plus(PAUSE_MAX))
    }

    /// After a call that it took.
    #[must_use]
    pub fn after_success(self) -> Self {
        Self {
            failing_since: None,
            paused_until: None,
            ..self
        }
    }

    /// After a call that failed, the `in_a_row`-th of this caller's, with the wait that it asked for.
    #[must_use]
    pub fn after_failure(
        self,
        answer: HookAnswer,
        asked: Option<Duration>,
        in_a_row: u32,
        now: Timestamp,
    ) -> Self {
        let since = self.failing_since.unwrap_or(now);
        let disabled = match self.disabled {
            None if answer.is_gone() => Some(DisabledBy::Gone),
            None if now.since(since) >= FAILING_MAX => Some(DisabledBy::Failing),
            disabled => disabled,
        };
        let pause = match asked {
            Some(asked) if answer.is_overload() => Some(asked.min(PAUSE_MAX)),
            _ if in_a_row >= FAILURES_IN_A_ROW => Some(PAUSE),
            _ => None,
        };
        Self {
            disabled,
            failing_since: Some(since),
            paused_until: self.paused_until.max(pause.map(|pause| now.plus(pause))),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint {
            id: EndpointId::of(Uuid::nil()),
            url: "https://shop.example/hook".to_owned(),
            kinds: HookKind::ALL.into(),
            wants_links: false,
            secrets: vec![KeptSecret {
                secret: HookSecret::of_bytes([1; 32]),
                until: None,
            }],
            disabled: None,
            created_at: Timestamp::from_ms(0),
            told_since: Timestamp::from_ms(0),
            failing_since: None,
            paused_until: None,
            is_full: false,
            version: 1,
        }
    }

    fn hours(hours: u64) -> Timestamp {
        Timestamp::from_ms(1_800_000_000_000).plus(Duration::from_secs(hours * 3600))
    }

    #[test]
    fn no_url_and_no_secret_is_shown() {
        let shown = format!("{:?}", endpoint());
        assert!(shown.contains("ep_") && !shown.contains("shop.example"));
    }

    #[test]
    fn two_secrets_sign_for_a_day_after_a_rotation_and_then_one() {
        let rotated = endpoint().rotated(HookSecret::of_bytes([2; 32]), hours(0));
        let at = |now| rotated.signatures("evt", "{}", now);
        let alone = |byte, now: Timestamp| {
            HookSecret::of_bytes([byte; 32]).sign("evt", now.seconds(), "{}")
        };
        assert_eq!(
            at(hours(23)),
            format!("{} {}", alone(2, hours(23)), alone(1, hours(23)))
        );
        assert_eq!(at(hours(24)), alone(2, hours(24)));
    }

    #[test]
    fn a_rotation_that_is_repeated_since_its_answer_was_lost_leaves_the_receivers_secret_valid() {
        let (mut rotated, mut signed) = (endpoint(), Vec::new());
        for byte in 2..=6 {
            rotated = rotated.rotated(HookSecret::of_bytes([byte; 32]), hours(1));
            let signatures = rotated.signatures("evt", "{}", hours(2));
            signed = signatures.split(' ').map(str::to_owned).collect();
            let of = |byte| HookSecret::of_bytes([byte; 32]).sign("evt", hours(2).seconds(), "{}");
            for byte in [1, byte - 1, byte] {
                assert!(signed.contains(&of(byte)), "{byte}");
            }
        }
        assert_eq!(signed.len(), SECRETS_MAX);
        // Each ends when it was said to.
        let later = rotated.rotated(HookSecret::of_bytes([7; 32]), hours(25));
        assert_eq!(later.secrets.len(), 2);
    }

    #[test]
    fn an_endpoint_is_disabled_by_410_and_by_120_hours_without_success() {
        let fail = |endpoint: Endpoint, answer, at| {
            endpoint.after_failure(HookAnswer::Status(answer), None, 1, hours(at))
        };
        assert_eq!(fail(endpoint(), 410, 0).disabled, Some(DisabledBy::Gone));
        let failing = fail(endpoint(), 500, 0);
        assert_eq!(fail(failing.clone(), 500, 119).disabled, None);
        assert_eq!(
            fail(failing.clone(), 500, 120).disabled,
            Some(DisabledBy::Failing)
        );
        assert_eq!(
            fail(failing.clone().after_success(), 500, 120).disabled,
            None
        );
        let disabled = fail(failing, 500, 120);
        // What happens meanwhile is kept for a replay, unless an operator wants it not.
        assert!(
            disabled
                .subscription()
                .is_some_and(|wanted| wanted.is_failed)
        );
        let enabled = disabled.enabled(hours(121));
        assert!(
            enabled
                .subscription()
                .is_some_and(|wanted| !wanted.is_failed)
        );
        assert_eq!(fail(enabled, 500, 121).disabled, None);
        let by_operator = Endpoint {
            disabled: Some(DisabledBy::Operator),
            ..endpoint()
        };
        assert_eq!(by_operator.subscription(), None);
    }

    #[test]
    fn what_happened_before_an_endpoint_was_there_or_while_an_operator_had_it_disabled_is_not_told()
    {
        let wants = |endpoint: &Endpoint, at: Timestamp| {
            let wanted = Subscription {
                kinds: [HookKind::EndpointTest].into(),
                ..endpoint.subscription().unwrap()
            };
            wanted.wants(&Announcement::endpoint_test(at))
        };
        let young = Endpoint {
            told_since: hours(5),
            ..endpoint()
        };
        assert!(!wants(&young, hours(4)));
        assert!(wants(&young, hours(5)));
        assert!(wants(&young, hours(6)));
        let disabled = |by| Endpoint {
            disabled: Some(by),
            ..young.clone()
        };
        assert!(wants(
            &disabled(DisabledBy::Gone).enabled(hours(9)),
            hours(6)
        ));
        assert!(!wants(
            &disabled(DisabledBy::Operator).enabled(hours(9)),
            hours(6)
        ));
    }

    #[test]
    fn an_endpoint_is_left_alone_as_it_asks_and_after_three_failures_in_a_row() {
        let fail = |answer, asked: Option<u64>, in_a_row| {
            let asked = asked.map(Duration::from_secs);
            let failed =
                endpoint().after_failure(HookAnswer::Status(answer), asked, in_a_row, hours(0));
            failed
                .paused_until
                .map(|until| until.since(hours(0)).as_secs())
        };
        assert_eq!(fail(500, None, 2), None);
        assert_eq!(fail(500, None, 3), Some(60));
        assert_eq!(fail(429, Some(7), 1), Some(7));
        assert_eq!(fail(503, Some(1_000_000), 1), Some(86_400));
        assert_eq!(fail(404, Some(7), 1), None);
        assert!(!endpoint().is_paused(hours(0)));
    }
}
