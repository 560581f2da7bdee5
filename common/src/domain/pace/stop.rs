//! A pause by a person: nobody calls for the chat until it is over or lifted, whatever Telegram says meanwhile.
//!
//! Its jobs wait as they do for a rate limit, without a try counted. They look in on the way, so a pause that is lifted
//! early is over for all within [`LOOK_IN`].

use std::time::Duration;

use super::super::time::Timestamp;
use super::Pace;

/// How often a job looks in while its chat is paused. Each look costs a few requests of the queue.
const LOOK_IN: Duration = Duration::from_secs(300);

/// A pause by a person. One that is over stays on record until the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Why.
    pub reason: String,
    /// Who asked for it: the name of an operator's key.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// When it ends by itself; without, somebody must lift it.
    pub until: Option<Timestamp>,
    /// When and by whom it was lifted.
    pub lifted: Option<(Timestamp, String)>,
}

impl Stop {
    /// When it ended, or will by itself; nothing if it lasts until it is lifted.
    fn end(&self) -> Option<Timestamp> {
        match (&self.lifted, self.until) {
            (Some((at, _)), Some(until)) => Some((*at).min(until)),
            (Some((at, _)), None) => Some(*at),
            (None, until) => until,
        }
    }

    /// Whether it lasts at `now`.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.end().is_none_or(|end| end > now)
    }
}

impl Pace {
    /// Nobody calls before this, as far as a person has a say: the end of a pause, or the next look at it.
    #[must_use]
    pub fn stopped_until(&self, now: Timestamp) -> Timestamp {
        match self.stop.as_ref().filter(|stop| stop.lasts(now)) {
            None => Timestamp::from_ms(0),
            Some(stop) => {
                let look = now.plus(LOOK_IN);
                stop.end().unwrap_or(look).min(look)
            }
        }
    }

    /// Ends a pause by a person, and the hold of a chat that was found broken; a wait that Telegram asked for goes on.
    /// Answers whether there was anything to end.
    pub fn resume(&mut self, who: &str, now: Timestamp) -> bool {
        let mut ended = false;
        if let Some(stop) = self.stop.as_mut().filter(|stop| stop.lasts(now)) {
            stop.lifted = Some((now, who.to_owned()));
            ended = true;
        }
        if self.paused_until > now && self.paused_until == self.held_until {
            self.paused_until = now;
            self.held_until = now;
            self.holds = 0;
            ended = true;
        }
        ended
    }

    /// Since when jobs may have taken slots again: those that waited for a pause to end look in for a while after it.
    pub(super) fn awake_since(&self) -> Timestamp {
        match &self.stop {
            None => Timestamp::from_ms(0),
            Some(stop) => stop
                .end()
                .unwrap_or(Timestamp::from_ms(i64::MAX))
                .plus(LOOK_IN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn stopped(until: Option<Timestamp>) -> Pace {
        Pace {
            stop: Some(Stop {
                reason: "audit".to_owned(),
                who: "ann".to_owned(),
                at: NOW,
                until,
                lifted: None,
            }),
            ..Pace::new(Duration::from_millis(220))
        }
    }

    #[test]
    fn a_pause_lasts_until_its_end_or_until_it_is_lifted() {
        let mut pace = stopped(Some(NOW.plus(HOUR)));
        assert_eq!(pace.stopped_until(NOW), NOW.plus(LOOK_IN));
        let late = NOW.plus(HOUR - Duration::from_secs(10));
        assert_eq!(pace.stopped_until(late), NOW.plus(HOUR));
        assert_eq!(pace.stopped_until(NOW.plus(HOUR)), Timestamp::from_ms(0));
        assert!(pace.resume("bob", late));
        assert_eq!(pace.stopped_until(late), Timestamp::from_ms(0));
        assert!(!pace.resume("eve", late), "once");
        let lifted = pace.stop.unwrap().lifted;
        assert_eq!(lifted, Some((late, "bob".to_owned())));

        let pace = stopped(None);
        let later = NOW.plus(HOUR * 24 * 365);
        assert_eq!(pace.stopped_until(later), later.plus(LOOK_IN));
    }

    #[test]
    fn success_does_not_lift_a_pause() {
        let mut pace = stopped(None);
        pace.succeeded(super::super::Successes { all: 9, paced: 9 });
        assert!(pace.stopped_until(NOW) > NOW);
    }

    #[test]
    fn a_resumption_ends_a_hold_and_no_wait_that_telegram_asked_for() {
        let mut pace = Pace::new(Duration::from_millis(220));
        assert!(!pace.resume("ann", NOW));
        pace.hold(NOW);
        assert!(pace.paused_until > NOW);
        assert!(pace.resume("ann", NOW));
        assert_eq!((pace.paused_until, pace.holds), (NOW, 0));
        pace.hold(NOW);
        pace.rate_limited(HOUR, NOW);
        let until = pace.paused_until;
        assert!(!pace.resume("ann", NOW));
        assert_eq!(pace.paused_until, until);
    }

    #[test]
    fn tickets_are_not_lost_while_a_pause_lasts_and_until_all_looked_in() {
        let mut pace = stopped(None);
        let later = NOW.plus(HOUR);
        assert!(!pace.is_idle(later));
        pace.resume("ann", later);
        assert!(!pace.is_idle(later.plus(LOOK_IN)));
        assert!(pace.is_idle(later.plus(LOOK_IN * 2)));
    }
}
