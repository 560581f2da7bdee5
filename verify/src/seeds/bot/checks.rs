//! What must hold of the bot at the end of a seed, beyond what must hold in any world: who is in, what was said once, what
//! reached whom, and in which order.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::time::Timestamp;
use serde_json::Value;
use simulators::telegram::{Call, Conversation, SeenMessage};

use super::super::bot_plan::DESK;
use super::super::plan::SeedPlan;
use super::super::recorder::Recorder;
use super::super::script::ActiveFaults;
use super::actors::Got;
use super::desk::words_in;
use super::people::{Ask, Lived};
use super::{BotStage, People};
use crate::world::World;

/// How far a message or call may be from the fault that it was met by: the longest call, and its try again.
const FAR: [i64; 5] = [-60, -30, 0, 30, 60];
/// How long a message may take after the faults: what one wait may be, and what a chat that is fixed is noticed by.
const MESSAGE_WAIT: Duration = Duration::from_secs(5400);
/// What a message to a full group costs all behind it.
const GROUP_INTERVAL: Duration = Duration::from_secs(3);
/// How long somebody at the door may be behind one who asked when they were heard: calls under way, and a lease whose holder
/// died.
const UNDER_WAY: Duration = Duration::from_secs(120);

/// What Telegram says of a request that was approved or declined before.
const SETTLED: [&str; 2] = ["HIDE_REQUESTER_MISSING", "USER_ALREADY_PARTICIPANT"];

/// All that is known of a world in which people talk with the bot.
pub(crate) struct BotChecker<'a> {
    pub(crate) world: &'a World,
    pub(crate) plan: &'a SeedPlan,
    pub(crate) active_faults: &'a ActiveFaults,
    pub(crate) recorder: &'a Recorder,
    pub(crate) people: &'a People<'a>,
    pub(crate) stage: &'a BotStage<'a>,
    /// When the world began.
    pub(crate) start: Timestamp,
}

/// Where the bot has shown a word: its place among all that it said, when, and in which topic.
type ShownWord = (usize, i64, Option<i64>);

impl BotChecker<'_> {
    /// Whatever is not as it must be.
    pub(crate) async fn check(&self) -> anyhow::Result<Vec<String>> {
        let messages = self.world.items("Messages").await?;
        let lived = self.people.lived();
        let mut broken = lived.wrong.clone();
        self.check_whereabouts(&lived, &mut broken);
        self.check_messages(&lived, &messages, &mut broken);
        self.check_relay(&lived, &mut broken);
        for (name, got) in self.stage.actors.got() {
            check_feed(name, &got, &lived, &mut broken);
        }
        let calls = self.world.telegram.calls();
        self.check_approvals(&lived, &calls, &mut broken);
        self.check_order(&lived, &calls, &mut broken);
        Ok(broken)
    }

    /// I11: who is entitled is in, and nobody else is.
    fn check_whereabouts(&self, lived: &Lived, broken: &mut Vec<String>) {
        for found in &lived.whereabouts {
            let is_in = |person| self.world.telegram.status(found.chat, person).is_present();
            if let Some(person) = found.inside.filter(|person| !is_in(*person)) {
                broken.push(format!("I11: {person} is not in {}", found.chat));
            }
            for person in found.outside.iter().filter(|person| is_in(**person)) {
                broken.push(format!("I11: {person} came into {}", found.chat));
            }
        }
    }

    /// I12: what the records say was sent is what people see, once each, but where the answer to a first try was lost; and it
    /// came in time.
    fn check_messages(&self, lived: &Lived, messages: &[Value], broken: &mut Vec<String>) {
        let mut private: BTreeMap<i64, [usize; 2]> = BTreeMap::new();
        let end = self.start.plus(self.plan.faults_end);
        let paced = GROUP_INTERVAL * u32::try_from(messages.len()).unwrap_or(u32::MAX);
        for message in messages {
            let chat = message["chatId"]
                .as_str()
                .and_then(|chat| chat.parse().ok());
            let chat: i64 = chat.unwrap_or_default();
            let (state, class) = (&message["state"], &message["class"]);
            if chat > 0 {
                let [sent, unknown] = private.entry(chat).or_default();
                *sent += usize::from(state == "SENT");
                *unknown += usize::from(state == "UNKNOWN");
            }
            if state == "UNREACHABLE" && class != "reply" && !lived.blocked.contains(&chat) {
                broken.push(format!("I12: {chat} was not told: {message}"));
            }
            let at = |name: &str| message[name].as_str().and_then(|at| at.parse().ok());
            let (queued, settled): (Option<Timestamp>, Option<Timestamp>) =
                (at("queuedAt"), at("settledAt"));
            if let (Some(queued), Some(settled)) = (queued, settled) {
                let wait = settled.since(queued.max(end));
                if wait > MESSAGE_WAIT + paced {
                    broken.push(format!("liveness: a message to {chat} took {wait:?}"));
                }
            }
        }
        for (chat, [sent, unknown]) in private {
            let seen = self.world.messages_to(chat);
            let excused = self.excused(&seen);
            if seen.len() < sent || seen.len() > sent + unknown + excused {
                broken.push(format!(
                    "I12: {chat} was sent {sent}, {unknown} without an answer, sees {}, and {excused} may be there twice",
                    seen.len()
                ));
            }
        }
        for (person, answer) in self.stage.desk.answered() {
            let heard = self.world.messages_to(person);
            if !heard.iter().any(|message| message.text == answer) {
                broken.push(format!("I12: {person} never heard {answer:?}"));
            }
        }
    }

    /// How many of these may be there because the answer to a try before was lost.
    fn excused(&self, seen: &[SeenMessage]) -> usize {
        let mut at: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for message in seen {
            at.entry(&message.text).or_default().push(message.date);
        }
        let twins = at.into_values().filter(|at| at.len() > 1);
        let unheard = |at: &i64| self.is_faulty(Timestamp::from_ms(*at * 1000));
        twins
            .map(|at| at.iter().filter(|at| unheard(at)).count())
            .sum()
    }

    /// Whether the answer of a call about that time may have been lost, or what follows from it.
    fn is_faulty(&self, at: Timestamp) -> bool {
        let seconds = (at.ms() - self.start.ms()) / 1000;
        FAR.iter().any(|far| {
            let at = Duration::from_secs(u64::try_from(seconds + far).unwrap_or_default());
            self.plan.is_hard(at) || self.plan.is_ill(at)
        })
    }

    /// I12: each word of a person stands in the one topic that is theirs, in order.
    fn check_relay(&self, lived: &Lived, broken: &mut Vec<String>) {
        let all = self.world.telegram.messages(Conversation::chat(DESK));
        let mut shown: BTreeMap<&str, Vec<ShownWord>> = BTreeMap::new();
        let shown_by_bot = all
            .iter()
            .filter(|message| message.from_id == Some(self.world.bots[0]));
        for (place, message) in shown_by_bot.enumerate() {
            for (_, words) in words_in(&message.text) {
                let shown = shown.entry(words).or_default();
                shown.push((place, message.date, message.thread_id));
            }
        }
        let mut last: BTreeMap<i64, usize> = BTreeMap::new();
        for (person, words) in &lived.said {
            let shown = shown.get(words.as_str()).map_or(&[][..], Vec::as_slice);
            let Some((place, ..)) = shown.first() else {
                broken.push(format!("I12: {words:?} reached no operator"));
                continue;
            };
            let unheard = |(_, at, _): &&(usize, i64, Option<i64>)| {
                self.is_faulty(Timestamp::from_ms(*at * 1000))
            };
            if shown.len() > 1 && shown.iter().find(unheard).is_none() {
                broken.push(format!("I12: {words:?} is shown {} times", shown.len()));
            }
            let before = last.insert(*person, *place);
            if before > Some(*place) && !self.stage.desk.has_replayed() {
                broken.push(format!(
                    "I14: {words:?} is shown before what was said before"
                ));
            }
        }
        let mut topics: BTreeMap<String, usize> = BTreeMap::new();
        for topic in self.world.telegram.topics(DESK) {
            let owner = topic.name.rsplit('·').next().unwrap_or_default();
            *topics.entry(owner.trim().to_owned()).or_default() += usize::from(!topic.is_closed);
        }
        for (owner, open) in topics.into_iter().filter(|(_, open)| *open > 1) {
            broken.push(format!("I14: {owner} has {open} topics"));
        }
    }

    /// One approval for each request: Telegram refuses another one, which is made only if the answer to the first was lost, or
    /// nobody asks any more. What hangs is seen to have an effect long after, so they are counted.
    fn check_approvals(&self, lived: &Lived, calls: &[Call], broken: &mut Vec<String>) {
        let (mut again, mut excuses) = (0, lived.withdrawn.len());
        for call in calls {
            let is_approval = call.method == "approveChatJoinRequest";
            let words = call.description.as_deref().unwrap_or_default();
            let is_settled = SETTLED.iter().any(|code| words.contains(code));
            again += usize::from(is_approval && is_settled);
            let is_unheard = is_approval && self.is_faulty(Timestamp::from_ms(call.at_ms));
            excuses += usize::from(is_unheard || call.method == "declineChatJoinRequest");
        }
        if again > excuses {
            broken.push(format!("I11: {again} approvals again, {excuses} may be"));
        }
    }

    /// Nobody at a door is overtaken by one who asked when they were heard, but by calls under way, and by those who were
    /// deferred for their own sake.
    fn check_order(&self, lived: &Lived, calls: &[Call], broken: &mut Vec<String>) {
        let heard = self.active_faults.heard_at_door();
        let deferred = self.recorder.seen().deferred.clone();
        let mut chats: BTreeMap<i64, Vec<(&Ask, Timestamp, Timestamp)>> = BTreeMap::new();
        for ask in &lived.asks {
            let of = |call: &&Call| {
                call.method == "approveChatJoinRequest"
                    && call.chat_id == Some(ask.chat)
                    && call.params["user_id"].as_i64() == Some(ask.person)
                    && call.at_ms >= ask.at.ms()
            };
            let mut approvals = calls.iter().filter(of);
            let first = approvals.next().filter(|call| call.status == 200);
            let heard = heard.iter().find(|(person, chat, at)| {
                (*person, *chat) == (ask.person, ask.chat) && *at >= ask.at
            });
            if let (Some(first), Some((_, _, heard)), false) =
                (first, heard, deferred.contains(&ask.person.to_string()))
            {
                let approved = Timestamp::from_ms(first.at_ms);
                chats
                    .entry(ask.chat)
                    .or_default()
                    .push((ask, *heard, approved));
            }
        }
        for asks in chats.values() {
            for (ask, heard, approved) in asks {
                let overtaker = asks.iter().find(|(other, _, before)| {
                    other.at > *heard && before.plus(UNDER_WAY) < *approved
                });
                if let Some((other, ..)) = overtaker {
                    let (person, other) = (ask.person, other.person);
                    broken.push(format!("{person} was overtaken at the door by {other}"));
                }
            }
        }
    }
}

/// I14: an actor gets each word once, or again under the same number, and those of a person in order.
fn check_feed(name: &str, got: &Got, lived: &Lived, broken: &mut Vec<String>) {
    let mut numbers: BTreeMap<i64, Option<&str>> = BTreeMap::new();
    let mut first: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
    for (place, (number, text)) in got.iter().enumerate() {
        let text = text.as_deref();
        if *numbers.entry(*number).or_insert(text) != text {
            broken.push(format!("I14: {name} got two updates as number {number}"));
        }
        let Some(text) = text else {
            continue;
        };
        let (_, known) = *first.entry(text).or_insert((place, *number));
        if text.starts_with("word ") && known != *number {
            broken.push(format!("I14: {name} got {text:?} as two updates"));
        }
    }
    let mut last: BTreeMap<i64, usize> = BTreeMap::new();
    for (person, words) in &lived.said {
        let Some((place, _)) = first.get(words.as_str()) else {
            broken.push(format!("I14: {name} missed {words:?}"));
            continue;
        };
        if last.insert(*person, *place) > Some(*place) {
            broken.push(format!("I14: {name} got {words:?} too early"));
        }
    }
    let polled_twice = got.len() != numbers.len() && name == "poller";
    if polled_twice {
        broken.push(format!(
            "I14: {name} got {} of {} updates again",
            got.len() - numbers.len(),
            numbers.len()
        ));
    }
}
