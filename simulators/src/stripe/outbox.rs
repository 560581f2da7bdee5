//! Deliveries of events to endpoints: what is sent when, how often again, and what tests break about it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::values::random_text;

/// After which times a delivery that failed is tried again in live mode: three days, with growing gaps.
const LIVE_GAPS_MS: [i64; 10] = [
    300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 43_200_000, 43_200_000, 43_200_000,
    43_200_000, 43_200_000,
];
/// The same in test mode: three tries within hours.
const TEST_GAPS_MS: [i64; 2] = [600_000, 7_200_000];

/// What happens to a delivery that a rule catches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFault {
    /// It is never sent.
    Lose,
    /// It is sent this much later.
    Delay(Duration),
    /// It is sent this often in all, all at once.
    Repeat(u32),
}

/// One rule. Rules are asked in the order in which they were made; the first that applies decides.
#[derive(Clone, Debug)]
pub struct EventRule {
    /// The type of the event; absent: every event.
    pub event_type: Option<String>,
    /// How many deliveries after those are caught; absent: all, until the faults are cleared.
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: EventFault,
}

/// In which order held deliveries are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseOrder {
    /// As they were made.
    AsMade,
    /// The last one first.
    Reversed,
    /// By lot.
    Shuffled,
}

/// One delivery that waits.
#[derive(Clone, Debug)]
pub(super) struct EventParcel {
    pub(super) event_id: String,
    pub(super) endpoint_id: String,
    /// 1 for the first try.
    pub(super) attempt: u32,
    pub(super) due_ms: i64,
    /// If it is beside the one that Stripe counts.
    pub(super) is_repeat: bool,
    /// If the next one that was held waits for its end.
    pub(super) is_in_line: bool,
}

/// The signing secrets of an endpoint: the newest, and the one before while both count.
#[derive(Clone, Debug)]
pub(super) struct SigningSecrets {
    newest: String,
    former: Option<(String, i64)>,
}

impl SigningSecrets {
    pub(super) fn new() -> Self {
        Self {
            newest: format!("whsec_{}", random_text(32)),
            former: None,
        }
    }

    pub(super) fn newest(&self) -> &str {
        &self.newest
    }

    /// A new secret; the present one counts until `until_ms` too.
    pub(super) fn roll(&mut self, until_ms: i64) {
        let former = std::mem::replace(self, Self::new());
        self.former = Some((former.newest, until_ms));
    }

    /// The secrets that sign now, the newest first.
    pub(super) fn valid(&self, now_ms: i64) -> Vec<&str> {
        let former = self.former.as_ref().filter(|(_, until)| now_ms < *until);
        std::iter::once(self.newest.as_str())
            .chain(former.map(|(secret, _)| secret.as_str()))
            .collect()
    }
}

#[derive(Debug, Default)]
pub(super) struct EventOutbox {
    pub(super) secrets: HashMap<String, SigningSecrets>,
    pub(super) rules: Vec<EventRule>,
    parcels: Vec<EventParcel>,
    /// While deliveries are held.
    held: Option<Vec<EventParcel>>,
    /// What was held and is released: one after the other, so that they arrive in this order.
    line: VecDeque<EventParcel>,
    is_line_under_way: bool,
    under_way: usize,
}

impl EventOutbox {
    pub(super) fn send(
        &mut self,
        event_id: &str,
        event_type: &str,
        endpoints: &[String],
        at_ms: i64,
    ) {
        for endpoint_id in endpoints {
            let (delay_ms, copies) = match self.catch(event_type) {
                None => (0, 1),
                Some(EventFault::Lose) => continue,
                Some(EventFault::Delay(span)) => {
                    (i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 2), 1)
                }
                Some(EventFault::Repeat(copies)) => (0, copies),
            };
            for copy in 0..copies {
                let parcel = EventParcel {
                    event_id: event_id.to_owned(),
                    endpoint_id: endpoint_id.clone(),
                    attempt: 1,
                    due_ms: at_ms.saturating_add(delay_ms),
                    is_repeat: copy > 0,
                    is_in_line: false,
                };
                self.held.as_mut().unwrap_or(&mut self.parcels).push(parcel);
            }
        }
    }

    fn catch(&mut self, event_type: &str) -> Option<EventFault> {
        let matches = |rule: &&mut EventRule| {
            let wanted = rule.event_type.as_deref();
            wanted.is_none_or(|wanted| wanted == event_type)
        };
        let rule = self.rules.iter_mut().find(matches)?;
        let fault = rule.fault;
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
        }
        self.rules.retain(|rule| rule.times != Some(0));
        Some(fault)
    }

    pub(super) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Sends what was held, in this order of arrival.
    pub(super) fn release(&mut self, order: ReleaseOrder, now_ms: i64) {
        let mut held = self.held.take().unwrap_or_default();
        match order {
            ReleaseOrder::AsMade => {}
            ReleaseOrder::Reversed => held.reverse(),
            ReleaseOrder::Shuffled => fastrand::shuffle(&mut held),
        }
        for mut parcel in held {
            (parcel.due_ms, parcel.is_in_line) = (now_ms, true);
            self.line.push_back(parcel);
        }
    }

    pub(super) fn push(&mut self, parcel: EventParcel) {
        self.parcels.push(parcel);
    }

    /// Takes what is due, in the order of sending.
    pub(super) fn take(&mut self, now_ms: i64) -> Vec<EventParcel> {
        let mut due: Vec<EventParcel> = self
            .parcels
            .extract_if(.., |parcel| parcel.due_ms <= now_ms)
            .collect();
        due.sort_by_key(|parcel| parcel.due_ms);
        if !self.is_line_under_way
            && let Some(next) = self.line.pop_front()
        {
            self.is_line_under_way = true;
            due.push(next);
        }
        self.under_way += due.len();
        due
    }

    /// Notes the end of a try; one that failed is tried again later, if any try is left.
    pub(super) fn settle(
        &mut self,
        parcel: EventParcel,
        succeeded: bool,
        livemode: bool,
        now_ms: i64,
    ) {
        self.under_way = self.under_way.saturating_sub(1);
        if parcel.is_in_line {
            self.is_line_under_way = false;
        }
        let gaps = if livemode {
            LIVE_GAPS_MS.as_slice()
        } else {
            TEST_GAPS_MS.as_slice()
        };
        let gap = usize::try_from(parcel.attempt)
            .ok()
            .and_then(|attempt| gaps.get(attempt.saturating_sub(1)));
        if let (false, Some(gap)) = (succeeded, gap) {
            self.parcels.push(EventParcel {
                attempt: parcel.attempt + 1,
                due_ms: now_ms.saturating_add(*gap),
                is_in_line: false,
                ..parcel
            });
        }
    }

    pub(super) fn next_due_ms(&self) -> Option<i64> {
        let next = self.line.front().filter(|_| !self.is_line_under_way);
        let waiting = self.parcels.iter().chain(next);
        waiting.map(|parcel| parcel.due_ms).min()
    }

    /// If nothing is on its way or due, held deliveries and later tries apart.
    pub(super) fn is_quiet(&self, now_ms: i64) -> bool {
        self.under_way == 0
            && self.line.is_empty()
            && self.parcels.iter().all(|parcel| parcel.due_ms > now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolled_secret_counts_until_its_end() {
        let mut secrets = SigningSecrets::new();
        let old = secrets.newest().to_owned();
        secrets.roll(1_000);
        let new = secrets.newest().to_owned();
        assert_eq!(secrets.valid(999), [new.as_str(), old.as_str()]);
        assert_eq!(secrets.valid(1_000), [new.as_str()]);
    }

    #[test]
    fn a_failing_delivery_is_given_up_after_three_days_in_live_mode() {
        let mut outbox = EventOutbox::default();
        outbox.send("evt_1", "charge.failed", &["we_1".to_owned()], 0);
        let (mut tries, mut last_ms) = (0, 0);
        while let Some(due_ms) = outbox.next_due_ms() {
            for parcel in outbox.take(due_ms) {
                (tries, last_ms) = (tries + 1, due_ms);
                outbox.settle(parcel, false, true, due_ms);
            }
        }
        assert_eq!(tries, 11);
        assert!(
            (2 * 86_400_000..=4 * 86_400_000).contains(&last_ms),
            "{last_ms}"
        );
    }
}
