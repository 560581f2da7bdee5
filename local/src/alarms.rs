//! The alarms of `template.yaml` that make sense on one machine, judged each minute by what `monitor` measured and by what
//! the log lines counted. One that begins is an error line, and is shown by the page until it ends.
//!
//! Not here: those on CloudWatch's own measures of Lambda, API Gateway and SQS, which this machine has not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::time::Timestamp;
use monitor::Seen;
use serde_json::{Value, json};
use tracing::{error, info};

/// How many minutes are kept: as many as the longest look back of an alarm.
const MINUTES: usize = 15;
/// How long somebody may wait for a link: the default of `UnservedAlarmMinutes`.
pub const UNSERVED_MINUTES: u64 = 15;

/// One run of `monitor`, and what was counted since the run before.
#[derive(Clone, Default)]
pub struct Minute {
    /// What was measured.
    pub seen: Seen,
    /// What the log lines counted, by the names of the metrics.
    pub counted: BTreeMap<&'static str, f64>,
}

/// An alarm: when it rings, by the last minutes, the newest first.
struct Alarm {
    name: &'static str,
    says: &'static str,
    rings: fn(&VecDeque<Minute>) -> bool,
}

/// All of them, by the names that `docs/OPERATIONS.md` explains.
const ALARMS: [Alarm; 9] = [
    Alarm {
        name: "UnservedAlarm",
        says: "somebody paid and has had no link for more than 15 minutes",
        rings: |minutes| {
            for_minutes(minutes, 3, |seen| {
                seen.oldest_unserved_seconds > Some(UNSERVED_MINUTES * 60)
            })
        },
    },
    Alarm {
        name: "FailedInvitesAlarm",
        says: "an invite was given up as FAILED: its buyer has no link",
        rings: |minutes| for_minutes(minutes, 1, |seen| seen.failed_invites > Some(0)),
    },
    Alarm {
        name: "ChatFaultsAlarm",
        says: "a bot can't work in a chat: the chat's buyers wait",
        rings: |minutes| counted(minutes, 0..15, "ChatFaults"),
    },
    Alarm {
        name: "InviteDeadLetterAlarm",
        says: "a message to the worker failed five times and lies in InviteDeadLetterQueue",
        rings: |minutes| for_minutes(minutes, 1, |seen| seen.invite_dead_letters > Some(0)),
    },
    Alarm {
        name: "CaseAgeAlarm",
        says: "an order has waited for a person's decision for a day",
        rings: |minutes| {
            for_minutes(minutes, 1, |seen| {
                seen.oldest_case_seconds > Some(24 * 3600)
            })
        },
    },
    Alarm {
        name: "EventDeadLetterAlarm",
        says: "an event was not delivered and lies in EventDeadLetterQueue",
        rings: |minutes| for_minutes(minutes, 1, |seen| seen.event_dead_letters > Some(0)),
    },
    Alarm {
        name: "EventsFailingAlarm",
        says: "deliveries to WebEngage have failed for a quarter of an hour",
        rings: |minutes| {
            let fives = [0..5, 5..10, 10..15];
            minutes.len() == MINUTES
                && fives
                    .into_iter()
                    .all(|five| counted(minutes, five, "EventsFailing"))
        },
    },
    Alarm {
        name: "WebhookErrorsAlarm",
        says: "Telegram can't deliver joins, or the bot's webhook is another one",
        rings: |minutes| for_minutes(minutes, 10, |seen| seen.webhook_errors > Some(0)),
    },
    Alarm {
        name: "WebhookPendingAlarm",
        says: "Telegram holds more than 100 updates that were not taken",
        rings: |minutes| {
            for_minutes(minutes, 10, |seen| {
                seen.webhook_pending_updates >= Some(100)
            })
        },
    },
];

/// The names of all alarms.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALARMS.iter().map(|alarm| alarm.name)
}

/// Whether something was so in each of the last `most` minutes.
fn for_minutes(minutes: &VecDeque<Minute>, most: usize, is_so: fn(&Seen) -> bool) -> bool {
    minutes.len() >= most && minutes.iter().take(most).all(|minute| is_so(&minute.seen))
}

/// Whether a metric was counted within these minutes.
fn counted(minutes: &VecDeque<Minute>, ago: std::ops::Range<usize>, metric: &str) -> bool {
    let within = minutes.iter().skip(ago.start).take(ago.len());
    within
        .filter_map(|minute| minute.counted.get(metric))
        .any(|number| *number > 0.0)
}

#[derive(Default)]
struct AlarmState {
    minutes: VecDeque<Minute>,
    ringing: BTreeMap<&'static str, Timestamp>,
}

/// What rings.
#[derive(Default)]
pub struct Alarms(Mutex<AlarmState>);

impl Alarms {
    /// Judges by one more minute, and says what has begun to ring or has ended.
    pub fn look_at(&self, minute: Minute, now: Timestamp) {
        let mut state = self.state();
        state.minutes.push_front(minute);
        state.minutes.truncate(MINUTES);
        for alarm in &ALARMS {
            let rings = (alarm.rings)(&state.minutes);
            let rang = state.ringing.contains_key(alarm.name);
            if rings && !rang {
                state.ringing.insert(alarm.name, now);
                error!(
                    alarm = alarm.name,
                    "{} rings: {}; what to do: docs/OPERATIONS.md, {}",
                    alarm.name,
                    alarm.says,
                    alarm.name
                );
            } else if rang && !rings {
                state.ringing.remove(alarm.name);
                info!(alarm = alarm.name, "{} has ended", alarm.name);
            }
        }
    }

    /// What rings now, for the page.
    #[must_use]
    pub fn ringing(&self) -> Vec<Value> {
        let state = self.state();
        let ringing = ALARMS.iter().filter_map(|alarm| {
            let since = state.ringing.get(alarm.name)?;
            Some(json!({"name": alarm.name, "says": alarm.says, "since": since}))
        });
        ringing.collect()
    }

    fn state(&self) -> MutexGuard<'_, AlarmState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    fn ringing(alarms: &Alarms) -> Vec<String> {
        let names = alarms.ringing().into_iter();
        names
            .filter_map(|alarm| Some(alarm["name"].as_str()?.to_owned()))
            .collect()
    }

    fn measured(seen: Seen) -> Minute {
        Minute {
            seen,
            ..Minute::default()
        }
    }

    #[test]
    fn an_alarm_rings_after_its_minutes_and_ends_with_what_it_tells_of() {
        let alarms = Alarms::default();
        let late = || {
            measured(Seen {
                oldest_unserved_seconds: Some(15 * 60 + 1),
                ..Seen::default()
            })
        };
        for rings in [false, false, true, true] {
            alarms.look_at(late(), NOW);
            assert_eq!(!ringing(&alarms).is_empty(), rings);
        }
        assert_eq!(ringing(&alarms), ["UnservedAlarm"]);
        alarms.look_at(
            measured(Seen {
                oldest_unserved_seconds: Some(15 * 60),
                ..Seen::default()
            }),
            NOW,
        );
        assert!(ringing(&alarms).is_empty());
    }

    #[test]
    fn what_could_not_be_measured_rings_nothing() {
        let alarms = Alarms::default();
        for _ in 0..20 {
            alarms.look_at(Minute::default(), NOW);
        }
        assert!(ringing(&alarms).is_empty());
    }

    #[test]
    fn deliveries_that_fail_in_each_five_minutes_of_fifteen_ring_and_a_dead_letter_rings_at_once() {
        let alarms = Alarms::default();
        let failing = || Minute {
            counted: BTreeMap::from([("EventsFailing", 1.0)]),
            ..Minute::default()
        };
        for minute in 0..15 {
            assert!(ringing(&alarms).is_empty(), "{minute}");
            alarms.look_at(
                if minute % 4 == 0 {
                    failing()
                } else {
                    Minute::default()
                },
                NOW,
            );
        }
        assert_eq!(ringing(&alarms), ["EventsFailingAlarm"]);
        alarms.look_at(
            measured(Seen {
                event_dead_letters: Some(1),
                ..Seen::default()
            }),
            NOW,
        );
        assert!(ringing(&alarms).contains(&"EventDeadLetterAlarm".to_owned()));
    }
}
