//! The operators: they answer some of what people write, and have updates handled that were parked.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use simulators::telegram::{Conversation, User};
use tokio::time::sleep;

use super::super::super::world::World;
use super::super::bot_plan::{BotPlan, DESK};
use super::super::trace::Trace;

/// How often they look.
const LOOK: Duration = Duration::from_secs(60);
/// Who answers.
const OPERATOR: i64 = 500;

/// What the operators did.
#[derive(Debug, Default)]
struct Work {
    /// The words that were seen, and answered or not.
    seen: BTreeSet<String>,
    /// To whom which answer was written, in order.
    answered: Vec<(i64, String)>,
    /// How many messages the chat had at the last look.
    messages: usize,
    /// Updates that were handled late, since they were parked before.
    replayed: BTreeSet<String>,
}

/// The operators of a world.
pub(crate) struct Desk<'a> {
    world: &'a World,
    trace: &'a Trace,
    plan: &'a BotPlan,
    work: Mutex<Work>,
}

impl<'a> Desk<'a> {
    /// Opens the operators' chat.
    pub(crate) fn open(world: &'a World, trace: &'a Trace, plan: &'a BotPlan) -> Self {
        world.open_operators_chat();
        let olga = User::new(OPERATOR).named("Olga");
        world.telegram.add_by_admin(DESK, olga);
        Self {
            world,
            trace,
            plan,
            work: Mutex::default(),
        }
    }

    /// Works for ever.
    pub(crate) async fn work(&self) -> anyhow::Result<()> {
        loop {
            sleep(LOOK).await;
            self.answer();
            for (bot, id) in self.world.parked_updates().await? {
                let path = format!("updates/{bot}/{id}/replay");
                let reply = self.world.operate(&path, &json!({})).await;
                let status = reply.map(|reply| reply.status);
                let words = format_args!("operator: has {bot}#{id} handled, {status:?}");
                self.trace.tell(words);
                self.lock().replayed.insert(format!("{bot}#{id}"));
            }
        }
    }

    /// Whether there is nothing new to be looked at.
    pub(crate) fn is_idle(&self) -> bool {
        self.world.telegram.messages(Conversation::chat(DESK)).len() == self.lock().messages
    }

    /// To whom which answer was written, in order.
    pub(crate) fn answered(&self) -> Vec<(i64, String)> {
        self.lock().answered.clone()
    }

    /// Whether updates were parked: what they asked for came late.
    pub(crate) fn has_replayed(&self) -> bool {
        !self.lock().replayed.is_empty()
    }

    fn answer(&self) {
        let all = self.world.telegram.messages(Conversation::chat(DESK));
        let mut work = self.lock();
        if all.len() == work.messages {
            return;
        }
        let mut said = 0;
        for message in &all {
            let from_bot = message.from_id == Some(self.world.bots[0]);
            let Some(thread) = message.thread_id.filter(|_| from_bot) else {
                continue;
            };
            for (person, words) in words_in(&message.text) {
                let is_new = work.seen.insert(words.to_owned());
                let place = work.seen.len() as u64;
                if !is_new || !place.is_multiple_of(self.plan.answers_one_in) {
                    continue;
                }
                let answer = format!("answer to {words}");
                let olga = User::new(OPERATOR).named("Olga");
                self.world
                    .telegram
                    .says_in_topic(DESK, thread, &olga, &answer);
                self.trace
                    .tell(format_args!("operator: answers {words:?} in {thread}"));
                work.answered.push((person, answer));
                said += 1;
            }
        }
        work.messages = all.len() + said;
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The words of people in a text, each with who wrote them.
pub(super) fn words_in(text: &str) -> impl Iterator<Item = (i64, &str)> {
    text.lines().filter_map(|line| {
        let mut parts = line.split(' ');
        let (Some("word"), Some(person), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        Some((person.parse().ok()?, line))
    })
}
