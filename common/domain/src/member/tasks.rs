//! The tasks that follow from a change of a seat, which its writer puts by the same transaction.

use std::time::Duration;

use super::super::task::{Task, Work};
use super::command::SeatChange;
use super::effect::SeatEffect;
use super::removal::RemovalRow;

impl SeatChange {
    /// What the dispatcher of the chat is to do: let in who waits at the door, take out whose seat is another's, also if
    /// they are inside without our knowing.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        let (chat, person) = (self.seat.chat, self.seat.person);
        let tasks = self.effects.iter().filter_map(|effect| match effect {
            SeatEffect::Approve { requested_at } => {
                Some(Task::new(chat, Work::Approve(person), *requested_at))
            }
            SeatEffect::Row {
                planned_at,
                row: RemovalRow::Planned { cause, held: None },
            } if cause.is_ordered() => Some(Task::new(chat, Work::Remove(person), *planned_at)),
            SeatEffect::LookIfInside { moved_at } => {
                Some(Task::new(chat, Work::Remove(person), *moved_at))
            }
            _ => None,
        });
        tasks.collect()
    }

    /// The declines of the join requests that wait for a claim, to be done `hold` after they were made.
    #[must_use]
    pub fn declines(&self, hold: Duration) -> Vec<Task> {
        let (chat, person) = (self.seat.chat, self.seat.person);
        let tasks = self.effects.iter().filter_map(|effect| match effect {
            SeatEffect::HowToClaim { requested_at } => {
                Some(Task::decline_of(chat, person, *requested_at, hold))
            }
            _ => None,
        });
        tasks.collect()
    }
}
