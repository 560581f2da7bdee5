//! How much of what one person writes may wait on its way to the operators.
//!
//! ```text
//! mark  2  3 .. 20      taken; the person's messages leave in their order
//! mark  2  3 .. 20  21  the mark still waits: 21 is not taken, which the person is told once
//!                   21  it has left: 21 is taken, and is the mark from now on
//! ```
//!
//! So what waits of one person is bounded, by 20 messages behind a mark and as many before the next one, and nothing is counted
//! down when a message leaves: a count that is written twice, or lost, would lock somebody out.

use super::super::message::MessageId;
use super::super::person::Intake;

/// So many messages are taken from one mark to the next.
const FROM_MARK: u32 = 20;

/// What was taken of a person's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayBacklog {
    /// One that was taken.
    pub mark: MessageId,
    /// How many were since, itself among them; more than may be, once the person was told.
    pub count: u32,
}

impl RelayBacklog {
    /// Whether the next message is taken only if the mark has left.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.count >= FROM_MARK
    }

    /// What becomes of the message `next`, after those of which this is known, and what is known then.
    #[must_use]
    pub fn intake(known: Option<Self>, next: &MessageId, mark_waits: bool) -> (Intake, Self) {
        match known {
            Some(known) if !known.is_full() => {
                let count = known.count.saturating_add(1);
                (Intake::Taken, Self { count, ..known })
            }
            Some(known) if mark_waits => {
                let intake = match known.count > FROM_MARK {
                    true => Intake::Silent,
                    false => Intake::Told,
                };
                let count = FROM_MARK.saturating_add(1);
                (intake, Self { count, ..known })
            }
            _ => {
                let mark = next.clone();
                (Intake::Taken, Self { mark, count: 1 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::time::Timestamp;
    use super::*;

    fn id(number: u32) -> MessageId {
        MessageId::new(Timestamp::from_ms(1), &format!("relay#{number}#1"))
    }

    #[test]
    fn so_many_are_taken_while_the_first_waits_and_the_person_is_told_once_of_what_is_not() {
        let (mut known, mut seen) = (None, Vec::new());
        for number in 1..=23 {
            let (intake, now) = RelayBacklog::intake(known, &id(number), true);
            known = Some(now);
            seen.push(intake);
        }
        assert!(seen[..20].iter().all(|intake| *intake == Intake::Taken));
        let refused = [Intake::Told, Intake::Silent, Intake::Silent];
        assert_eq!(seen[20..], refused);
        // The first has left.
        let (intake, now) = RelayBacklog::intake(known, &id(24), false);
        assert_eq!(intake, Intake::Taken);
        let mark = id(24);
        assert_eq!(now, RelayBacklog { mark, count: 1 });
        assert!(!now.is_full());
    }
}
