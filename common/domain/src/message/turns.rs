//! Whose turn it is in a group: people stand in a circle, and of those who wait within a class the next one goes first, from whoever
//! was served last.
//!
//! ```text
//! circle   7 . 9 . 8 .       7 was served: 9, 8, 7 are next, however much 7 has there
//! ```
//!
//! So nobody waits for more than one turn of each of the others, and what the next run must know is one number. Between classes
//! the more urgent one goes first, but for answers: each third message to a group may be one, however much people say there.

use std::collections::BTreeMap;

use super::super::id::ChatId;
use super::{Class, MessageId, MessageTask, TopicOwner};

/// Where in the circle somebody was served last, by group and class.
pub type LastTurns = BTreeMap<(ChatId, Class), u16>;

/// After how many messages of people in a row an answer goes first.
const WORDS_IN_A_ROW: u32 = 2;

/// Who was served.
#[derive(Debug, Default)]
pub(super) struct Turns {
    places: LastTurns,
    /// The last message of each group and class.
    messages: BTreeMap<(ChatId, Class), MessageId>,
    /// How many messages of people each group got in a row.
    in_a_row: BTreeMap<ChatId, u32>,
}

impl Turns {
    pub(super) const fn new(places: LastTurns) -> Self {
        let (messages, in_a_row) = (BTreeMap::new(), BTreeMap::new());
        Self {
            places,
            messages,
            in_a_row,
        }
    }

    /// Whether words of people are to let an answer to a group go first.
    pub(super) fn is_answers_turn(&self, chat: ChatId) -> bool {
        let in_a_row = self.in_a_row.get(&chat);
        in_a_row.is_some_and(|count| *count >= WORDS_IN_A_ROW)
    }

    /// How far a message is from its turn; what goes on with what was begun is next. Before anybody was served, all are alike.
    pub(super) fn distance(&self, task: &MessageTask) -> u32 {
        let key = (task.chat, task.class);
        let last = self.messages.get(&key);
        if last.is_some_and(|last| last.is_beside(&task.message)) {
            return 0;
        }
        let from = self.places.get(&key);
        from.map_or(0, |from| {
            let steps = place(task.turn_of()).wrapping_sub(*from).wrapping_sub(1);
            u32::from(steps).saturating_add(1)
        })
    }

    /// A message is out of its lane. Its person is next, if there is more of the same turn.
    pub(super) fn note(&mut self, task: &MessageTask, goes_on: bool) {
        let (key, place) = ((task.chat, task.class), place(task.turn_of()));
        let place = if goes_on {
            place.wrapping_sub(1)
        } else {
            place
        };
        self.places.insert(key, place);
        self.messages.insert(key, task.message.clone());
        let in_a_row = self.in_a_row.entry(task.chat).or_default();
        *in_a_row = match task.class {
            Class::Operator => in_a_row.saturating_add(1),
            Class::Transactional | Class::Reply | Class::Marketing => 0,
        };
    }

    /// Where somebody was served last, of the groups and classes in which others wait.
    pub(super) fn places(&self, waits: impl Fn(ChatId, Class) -> bool) -> LastTurns {
        let places = self.places.iter();
        let places = places.filter(|((chat, class), _)| waits(*chat, *class));
        places.map(|(key, place)| (*key, *place)).collect()
    }
}

/// The place of somebody in the circle, which does not tell who it is. Two people may have one, and its turns.
fn place(owner: Option<TopicOwner>) -> u16 {
    let id = match owner {
        Some(TopicOwner::Person(person)) => person.0.unsigned_abs(),
        Some(TopicOwner::Newcomers) | None => 0,
    };
    // Ids of one time are like each other; multiplied by this they lie evenly (D. Knuth, TAOCP 6.4).
    let spread = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
    u16::try_from(spread).unwrap_or_default()
}
