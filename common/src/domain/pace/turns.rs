//! Who gets the next slot, and when the others come again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::id::ChatId;
use super::super::time::Timestamp;
use super::{ABSENT_AFTER, Pace, Tickets};

/// How early a job that is nearly first comes back, so that its slot finds it there.
const EARLY: Duration = Duration::from_millis(1000);
/// How far off a slot is at least in a line that met a limit. What a job writes before its call takes this long, and a
/// call that leaves late comes too soon before the next one.
const HEAD: Duration = Duration::from_millis(50);
/// How many slots ahead a worker waits at most.
const SLOTS_AHEAD: f64 = 6.0;
/// How long it waits at most in the fastest line.
const PATIENCE_MIN: Duration = Duration::from_millis(800);
/// The part of its wait after which a job looks in: the pace may have become a little faster meanwhile.
const LOOK_IN_AT: f64 = 0.85;
/// The same while the limit is searched for, since the pace may double within a minute.
const LOOK_IN_AT_SEARCHING: f64 = 0.5;
/// The step from which on a limit is being searched for.
const SEARCHING: f64 = 0.005;
/// From this wait on a job looks in on the way.
const LOOK_IN_FROM: Duration = Duration::from_secs(8);
/// The longest wait between two looks, and what SQS can delay a message.
const LOOK_IN_MAX: Duration = Duration::from_secs(900);
/// The shortest wait of a revocation that yields.
const YIELD_MIN: Duration = Duration::from_secs(5);
/// How many places a job may be from its turn and yet take a slot: those before it may be late.
const LENIENCE: f64 = 2.0;

/// A line that a job may stand in.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// The line.
    pub pace: &'a mut Pace,
    /// The bot can't work in the chat before this, whatever its line says.
    pub not_before: Timestamp,
}

/// A job in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A mint that had its turn and could not use it: the line was paused.
    Front,
    /// A mint with a ticket.
    Ticket(u64),
    /// A mint that is new here.
    New,
    /// A revocation, or a link for the stock: yields to every mint.
    Yielding {
        /// The line of the bot that made the link, by its position; none, if any bot will do.
        line: Option<usize>,
    },
}

/// What the lines give a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A slot of its own, soon enough to wait for it.
    Slot {
        /// The line, by its position.
        line: usize,
        /// When.
        at: Timestamp,
        /// Whether it follows the slot before it as soon as the interval allows.
        paced: bool,
    },
    /// Nothing yet: look in again then, with this place.
    Later {
        /// When.
        at: Timestamp,
        /// The place to come back with.
        place: Place,
    },
}

/// Gives each place its turn, in order. `patience` is how far off a slot may be to be waited for; in a fast line that is
/// less, since a worker that waits serves nobody.
///
/// What the lines give is ours only once the changed ones are stored; those that are unchanged need not be.
pub fn take(
    lines: &mut [Candidate<'_>],
    chat: ChatId,
    places: &[Place],
    now: Timestamp,
    patience: Duration,
) -> Vec<Turn> {
    forget_the_lost(lines, now);
    let calls_per_ms: f64 = lines.iter().map(|line| 1.0 / line.pace.interval_ms).sum();
    let few_slots = Duration::from_secs_f64((SLOTS_AHEAD / calls_per_ms / 1000.0).min(1e6));
    let patience = few_slots.max(PATIENCE_MIN).min(patience);
    let turns = places.iter().map(|place| match *place {
        Place::Yielding { line } => turn_of_yielding(lines, line, now, patience),
        place => turn_of_mint(lines, chat, place, now, patience),
    });
    turns.collect()
}

/// Forgets tickets that nobody will come with any more. A ticket may be drawn in one line and served in another, so a
/// chat is forgotten in all of them or in none.
fn forget_the_lost(lines: &mut [Candidate<'_>], now: Timestamp) {
    let is_idle = lines.iter().all(|line| line.pace.is_idle(now));
    let mut waiting: BTreeMap<ChatId, (u64, u64, Timestamp)> = BTreeMap::new();
    for line in &*lines {
        for (chat, tickets) in &line.pace.tickets {
            let all = waiting.entry(*chat).or_insert((0, 0, tickets.seen));
            *all = (
                all.0 + tickets.drawn,
                all.1 + tickets.served,
                all.2.max(tickets.seen),
            );
        }
    }
    for line in lines {
        line.pace.tickets.retain(|chat, _| {
            waiting.get(chat).is_some_and(|(drawn, served, seen)| {
                !is_idle && drawn > served && seen.plus(ABSENT_AFTER) > now
            })
        });
    }
}

impl Candidate<'_> {
    fn opens(&self) -> Timestamp {
        self.pace.paused_until.max(self.not_before)
    }

    fn free(&self, now: Timestamp) -> Timestamp {
        self.pace.free(now).max(self.not_before)
    }

    fn grant(&mut self, line: usize, free: Timestamp, now: Timestamp) -> Turn {
        let paced = self.pace.is_paced(free);
        let at = match self.pace.ceiling_ms {
            Some(_) => free.max(now.plus(HEAD)),
            None => free,
        };
        self.pace.next_slot = at.plus(self.pace.interval());
        Turn::Slot { line, at, paced }
    }
}

fn turn_of_mint(
    lines: &mut [Candidate<'_>],
    chat: ChatId,
    place: Place,
    now: Timestamp,
    patience: Duration,
) -> Turn {
    let near = now.plus(patience);
    let frees = lines.iter().map(|line| line.free(now)).enumerate();
    let Some((first, free)) = frees.min_by_key(|(_, free)| *free) else {
        return Turn::Later {
            at: now.plus(LOOK_IN_MAX),
            place,
        };
    };
    let (drawn, served) = lines
        .iter()
        .filter_map(|line| line.pace.tickets.get(&chat))
        .fold((0, 0), |(drawn, served), tickets| {
            (drawn + tickets.drawn, served + tickets.served)
        });
    let ahead = match place {
        Place::Ticket(number) => number.min(drawn).saturating_sub(served + 1),
        Place::New => drawn.saturating_sub(served),
        Place::Front | Place::Yielding { .. } => 0,
    };
    // Chats that share a line take turns.
    let others = lines[first]
        .pace
        .tickets
        .iter()
        .filter(|(of, tickets)| **of != chat && tickets.out() > 0)
        .count();
    let ahead = as_f64(ahead) * as_f64(others as u64 + 1);
    let near_slots: f64 = lines
        .iter()
        .map(|line| (line.free(now), line.pace.interval_ms))
        .filter(|(free, _)| *free <= near)
        .map(|(free, interval_ms)| 1.0 + near.since(free).as_secs_f64() * 1000.0 / interval_ms)
        .sum();
    let is_next = match place {
        Place::New => ahead == 0.0,
        _ => ahead < near_slots + LENIENCE,
    };
    // A slot that nobody in the line has come for is better used than wasted.
    if free <= near && (is_next || free == now) {
        if let (Place::Ticket(_), Some(tickets)) = (place, lines[first].pace.tickets.get_mut(&chat))
        {
            tickets.served += 1;
        } else if let Place::Ticket(_) = place {
            let served = Tickets {
                served: 1,
                ..Tickets::none(now)
            };
            lines[first].pace.tickets.insert(chat, served);
        }
        return lines[first].grant(first, free, now);
    }

    let place = match place {
        Place::New => {
            let tickets = lines[first].pace.tickets.entry(chat);
            let tickets = tickets.or_insert(Tickets::none(now));
            tickets.drawn += 1;
            Place::Ticket(drawn + 1)
        }
        place => place,
    };
    for line in &mut *lines {
        if let Some(tickets) = line.pace.tickets.get_mut(&chat)
            && tickets.seen.plus(ABSENT_AFTER / 2) < now
        {
            tickets.seen = now;
        }
    }
    let opens = lines.iter().map(Candidate::opens).min().unwrap_or(now);
    let opens = opens.max(now);
    let calls_per_ms: f64 = lines
        .iter()
        .filter(|line| line.opens() <= opens.plus(patience))
        .map(|line| 1.0 / line.pace.expected_interval_ms())
        .sum();
    let queue = Duration::from_secs_f64((ahead / calls_per_ms / 1000.0).min(1e9));
    let queue = free.since(opens) + queue;
    let look_in = if queue >= LOOK_IN_FROM {
        let is_searching = lines.iter().any(|line| line.pace.step > SEARCHING);
        let part = if is_searching {
            LOOK_IN_AT_SEARCHING
        } else {
            LOOK_IN_AT
        };
        queue.mul_f64(part).min(LOOK_IN_MAX)
    } else {
        queue.saturating_sub(EARLY)
    };
    // SQS delays by whole seconds; a job that is neither served nor delayed would spin.
    let at = opens.plus(look_in).max(now.plus(Duration::from_secs(1)));
    Turn::Later { at, place }
}

/// Who yields takes a slot only while no mint waits, and comes back when half of those that wait now are served.
fn turn_of_yielding(
    lines: &mut [Candidate<'_>],
    of: Option<usize>,
    now: Timestamp,
    patience: Duration,
) -> Turn {
    let out = |line: &Candidate<'_>| line.pace.tickets.values().map(Tickets::out).sum::<u64>();
    let waiting: u64 = match of {
        Some(line) => out(&lines[line]),
        None => lines.iter().map(out).sum(),
    };
    let first = (0..lines.len()).min_by_key(|line| lines[*line].free(now));
    let position = of.or(first).unwrap_or_default();
    let line = &mut lines[position];
    let free = line.free(now);
    // Half of what a mint would wait: one that comes next must find a slot near.
    if waiting == 0 && free <= now.plus(patience / 2) {
        return line.grant(position, free, now);
    }
    let opens = line.opens().max(now);
    let queue = line.pace.interval().mul_f64(as_f64(waiting).min(1e6));
    let at = opens
        .plus((queue / 2).clamp(YIELD_MIN, LOOK_IN_MAX))
        .max(free);
    Turn::Later {
        at,
        place: Place::Yielding { line: of },
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nobody counts more than 2^52 jobs"
)]
const fn as_f64(count: u64) -> f64 {
    count as f64
}
