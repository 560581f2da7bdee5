//! How much of what one person writes may wait on its way to the operators.
//!
//! ```text
//! mark  2  3 .. 20      taken; the person's messages leave in their order
//! mark  2  3 .. 20  21  the mark still waits: 21 is not taken, which the person is told once
//!                   21  it has left: 21 is taken, and is the mark from now on
//! ```
//!
//! So what waits of one person is bounded, by 20 messages from one mark and as many from the next, and nothing is counted down
//! when a message leaves: a count that is written twice, or lost, would lock somebody out.

use super::super::message::MessageId;

/// So many messages are taken from one mark to the next.
const FROM_MARK: u32 = 20;

/// What came of a person's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayBacklog {
    /// One that was taken.
    pub mark: MessageId,
    /// How many came since, itself among them.
    pub count: u32,
}

impl RelayBacklog {
    /// Whether the last one that came is taken only if the mark has left.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.count > FROM_MARK
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::time::Timestamp;
    use super::*;

    #[test]
    fn twenty_are_taken_from_a_mark() {
        let mark = MessageId::new(Timestamp::from_ms(1), "relay#1#1");
        for (count, is_full) in [(1, false), (20, false), (21, true), (u32::MAX, true)] {
            let mark = mark.clone();
            assert_eq!(RelayBacklog { mark, count }.is_full(), is_full, "{count}");
        }
    }
}
