//! What the dispatcher of a chat is to do: the tasks of its lanes.
//!
//! A task lives in its lane until its effect is settled and its event is queued; nothing else remembers that the work is
//! due. A lane is read in the order of its keys, the oldest first:
//!
//! ```text
//! <chatId>#mint#0..3      <createdAt>#<requestId>          a link for a request, in the shard of its id
//!                         <createdAt>#join#<userId>        a person who asked to be let in, in the shard of their id
//! <chatId>#bot#<botId>    0#<createdAt>#<requestId>        a link to be replaced: its buyer waits
//!                         1#<createdAt>#<linkHash>         a link to be revoked
//! <chatId>#later          <at>#decline#<userId>            a join request to be declined, if nobody claimed until then
//!                         <at>#remove#<userId>             a person to be taken out, whose seat is another's
//! <chatId>#fill           <slot>                           a vacant slot of the link pool
//! <chatId>#failed         as it was                        what was given up, until somebody retries it
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::id::{BotId, ChatId, InviteLink, MINT_SHARDS, RequestId, TelegramUserId};
use super::invite::Invite;
use super::link_pool::SlotId;
use super::retry::AfterFailure;
use super::time::Timestamp;

/// How often the process may die of a task before it is given up. Deaths of other causes meet a task as well: so many in a
/// row are no chance.
const CRASHES_MAX: u32 = 5;
/// How long a task waits that the process died of, for each time, more or less: its neighbours go first.
const CRASH_WAIT: Duration = Duration::from_secs(60);

/// Where tasks of a chat lie. The chat is the one by which its payments are known, so it stays when a group becomes a
/// supergroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// One shard of what any bot can do and a person waits for: mints and approvals, by age.
    Mint(ChatId, u8),
    /// What only this bot can do.
    Bot(ChatId, BotId),
    /// What no buyer waits for and any bot can do, in the order in which it comes due.
    Later(ChatId),
    /// Vacant slots of the link pool.
    Fill(ChatId),
    /// What was given up.
    Failed(ChatId),
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mint(chat, shard) => write!(f, "{chat}#mint#{shard}"),
            Self::Bot(chat, bot) => write!(f, "{chat}#bot#{bot}"),
            Self::Later(chat) => write!(f, "{chat}#later"),
            Self::Fill(chat) => write!(f, "{chat}#fill"),
            Self::Failed(chat) => write!(f, "{chat}#failed"),
        }
    }
}

/// A text that does not name a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoLane;

impl FromStr for Lane {
    type Err = NoLane;

    fn from_str(text: &str) -> Result<Self, NoLane> {
        let parts: Vec<&str> = text.split('#').collect();
        let chat = |text: &str| text.parse().map(ChatId).map_err(|_| NoLane);
        match parts[..] {
            [id, "mint", shard] => Ok(Self::Mint(chat(id)?, shard.parse().map_err(|_| NoLane)?)),
            [id, "bot", bot] => Ok(Self::Bot(
                chat(id)?,
                BotId(bot.parse().map_err(|_| NoLane)?),
            )),
            [id, "later"] => Ok(Self::Later(chat(id)?)),
            [id, "fill"] => Ok(Self::Fill(chat(id)?)),
            [id, "failed"] => Ok(Self::Failed(chat(id)?)),
            _ => Err(NoLane),
        }
    }
}

impl Lane {
    /// The lanes of all mints of a chat.
    pub fn mints(chat: ChatId) -> impl Iterator<Item = Self> {
        (0..MINT_SHARDS).map(move |shard| Self::Mint(chat, shard))
    }
}

/// A part of the keys of a lane. Within each, tasks of one kind stand in the order of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub from: &'static str,
    /// The last key.
    pub to: &'static str,
}

impl KeyRange {
    /// Replacements, in a lane of a bot or of failed ones.
    pub const REPLACEMENTS: Self = Self {
        from: "\u{1}",
        to: "0#\u{10ffff}",
    };
    /// Fills and revocations, in the lane of failed ones.
    pub const FILLS_AND_REVOCATIONS: Self = Self {
        from: "0$",
        to: "1#\u{10ffff}",
    };
    /// Mints, in one of their shards or in the lane of failed ones.
    pub const MINTS: Self = Self {
        from: "1$",
        to: "\u{10ffff}",
    };
}

/// Where a task lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskKey {
    /// Its lane.
    pub lane: Lane,
    /// Its place in the lane.
    pub key: String,
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.lane, self.key)
    }
}

impl FromStr for TaskKey {
    type Err = NoLane;

    fn from_str(text: &str) -> Result<Self, NoLane> {
        let (lane, key) = text.split_once('|').ok_or(NoLane)?;
        Ok(Self {
            lane: lane.parse()?,
            key: key.to_owned(),
        })
    }
}

/// A task of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The chat by which its payments are known.
    pub chat: ChatId,
    /// What is to be done.
    pub work: Work,
    /// When its cause came about: an accepted request, a join, an operator's call.
    pub created_at: Timestamp,
    /// Not to be begun before this; set when a try failed for the task's own sake.
    pub not_before: Option<Timestamp>,
    /// Tries of a task that has no record that counts them.
    pub attempts: u32,
    /// How many times the process died while it worked on this task alone.
    pub crashes: u32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// The X-Ray trace that it belongs to.
    pub trace: Option<String>,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Make the link of a request.
    Mint(Mint),
    /// Take the link of a request out of use, so that another one can take its place.
    Replace(Replace),
    /// Take a link out of use: it was used, or its maker lost the request to another.
    Revoke(Revoke),
    /// Make a link for a vacant slot of the link pool.
    Fill(SlotId),
    /// Let a person in who asked for it, if they are entitled when it is done.
    Approve(TelegramUserId),
    /// Decline the join request of a person, if they are not entitled when it is done.
    Decline(Decline),
    /// Take a person out of the chat, if their seat still says so when it is done.
    Remove(TelegramUserId),
}

/// Decline the join request of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decline {
    /// Who asks; the task is as old as their request.
    pub person: TelegramUserId,
    /// Until when it waits for a claim.
    pub held_until: Timestamp,
}

/// Make the link of a request. It carries all that the record needs, so that settling it can create a record that was
/// never written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mint {
    /// The request.
    pub request_id: RequestId,
    /// The shop's user.
    pub user_id: String,
    /// The shop's transaction; empty if it has none.
    pub transaction_id: String,
    /// Which link of the request it makes: 0 the first.
    pub link_version: u32,
}

/// Take the link of a request out of use, so that another one can take its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replace {
    /// The request.
    pub request_id: RequestId,
    /// The bot that made the link, and alone can revoke it.
    pub bot: BotId,
    /// The version of the link that is to take its place.
    pub link_version: u32,
}

/// Take a link out of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    /// The link.
    pub invite_link: InviteLink,
    /// The bot that made it, and alone can revoke it.
    pub bot: BotId,
    /// The request that it was made for; a pooled link that was never sold has none.
    pub request_id: Option<RequestId>,
}

impl Mint {
    /// The mint of the present link of a request.
    #[must_use]
    pub fn of(invite: &Invite) -> Self {
        Self {
            request_id: invite.request_id,
            user_id: invite.user_id.clone(),
            transaction_id: invite.transaction_id.clone(),
            link_version: invite.link_version,
        }
    }
}

impl Work {
    /// Whether a buyer waits for it.
    #[must_use]
    pub const fn is_awaited(&self) -> bool {
        matches!(self, Self::Mint(_) | Self::Replace(_) | Self::Approve(_))
    }

    /// Whether it makes a link, so that its failure tells whether the bot can work in the chat.
    #[must_use]
    pub const fn makes_link(&self) -> bool {
        matches!(self, Self::Mint(_) | Self::Fill(_))
    }
}

impl Task {
    /// A task that nothing has happened to yet.
    #[must_use]
    pub const fn new(chat: ChatId, work: Work, created_at: Timestamp) -> Self {
        Self {
            chat,
            work,
            created_at,
            not_before: None,
            attempts: 0,
            crashes: 0,
            last_error: None,
            trace: None,
        }
    }

    /// The mint of a request whose record is there, as wanted at `at`: when it was accepted, or re-issued.
    #[must_use]
    pub fn mint_of(invite: &Invite, at: Timestamp) -> Self {
        Self::new(invite.canonical_chat, Work::Mint(Mint::of(invite)), at)
    }

    /// The decline of the join request that a person made at `asked_at`, to be done after `hold`.
    #[must_use]
    pub fn decline_of(
        chat: ChatId,
        person: TelegramUserId,
        asked_at: Timestamp,
        hold: Duration,
    ) -> Self {
        let held_until = asked_at.plus(hold);
        let work = Work::Decline(Decline { person, held_until });
        Self {
            not_before: Some(held_until),
            ..Self::new(chat, work, asked_at)
        }
    }

    /// The same task, of the trace `header`.
    #[must_use]
    pub fn traced(self, header: Option<String>) -> Self {
        Self {
            trace: header,
            ..self
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn key(&self) -> TaskKey {
        let (chat, created_ms) = (self.chat, self.created_at.ms());
        let (lane, key) = match &self.work {
            Work::Mint(mint) => (
                Lane::Mint(chat, mint.request_id.mint_shard()),
                format!("{created_ms:013}#{}", mint.request_id),
            ),
            Work::Replace(replace) => (
                Lane::Bot(chat, replace.bot),
                format!("0#{created_ms:013}#{}", replace.request_id),
            ),
            Work::Revoke(revoke) => (
                Lane::Bot(chat, revoke.bot),
                format!("1#{created_ms:013}#{}", revoke.invite_link.hash().as_str()),
            ),
            Work::Fill(slot) => (Lane::Fill(chat), slot.task_key()),
            Work::Approve(person) => (
                Lane::Mint(chat, person.mint_shard()),
                format!("{created_ms:013}#join#{person}"),
            ),
            Work::Decline(decline) => (
                Lane::Later(chat),
                format!("{:013}#decline#{}", decline.held_until.ms(), decline.person),
            ),
            Work::Remove(person) => (
                Lane::Later(chat),
                format!("{created_ms:013}#remove#{person}"),
            ),
        };
        TaskKey { lane, key }
    }

    /// The request that it is about, if there is one.
    #[must_use]
    pub const fn request_id(&self) -> Option<RequestId> {
        match &self.work {
            Work::Mint(mint) => Some(mint.request_id),
            Work::Replace(replace) => Some(replace.request_id),
            Work::Revoke(revoke) => revoke.request_id,
            Work::Fill(_) | Work::Approve(_) | Work::Decline(_) | Work::Remove(_) => None,
        }
    }

    /// The version of the request's link that it is about, if it is.
    #[must_use]
    pub const fn link_version(&self) -> Option<u32> {
        match &self.work {
            Work::Mint(mint) => Some(mint.link_version),
            Work::Replace(replace) => Some(replace.link_version),
            Work::Revoke(_)
            | Work::Fill(_)
            | Work::Approve(_)
            | Work::Decline(_)
            | Work::Remove(_) => None,
        }
    }

    /// The one bot that can do it, if not every bot can.
    #[must_use]
    pub const fn bot(&self) -> Option<BotId> {
        match &self.work {
            Work::Mint(_)
            | Work::Fill(_)
            | Work::Approve(_)
            | Work::Decline(_)
            | Work::Remove(_) => None,
            Work::Replace(replace) => Some(replace.bot),
            Work::Revoke(revoke) => Some(revoke.bot),
        }
    }

    /// What it is known by beside others of its chat.
    #[must_use]
    pub fn name(&self) -> String {
        self.key().key
    }

    /// What follows when the process died once more while it worked on this task alone. `jitter` is drawn from [0, 1), so
    /// that two tasks of one process that died of one of them come due apart.
    #[must_use]
    pub fn after_crash(&self, jitter: f64) -> AfterFailure {
        let crashes = self.crashes.saturating_add(1);
        if crashes >= CRASHES_MAX {
            AfterFailure::GiveUp
        } else {
            AfterFailure::Wait(CRASH_WAIT.mul_f64(0.5 + jitter.clamp(0.0, 1.0)) * crashes)
        }
    }

    /// Whether it may be begun at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether it stands in its lane by the time at which it comes due, which is yet to come: then nothing behind it is due.
    #[must_use]
    pub fn ends_due(&self, now: Timestamp) -> bool {
        matches!(&self.work, Work::Decline(decline) if decline.held_until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::IdentitySource;
    use super::*;

    const CHAT: ChatId = ChatId(-100);

    #[test]
    fn a_task_waits_longer_after_each_crash_and_is_given_up_at_the_fifth() {
        let slot = SlotId {
            pool: CHAT,
            number: 0,
        };
        let task = |crashes| Task {
            crashes,
            ..Task::new(CHAT, Work::Fill(slot), Timestamp::from_ms(0))
        };
        let after = |crashes, jitter| task(crashes).after_crash(jitter);
        let wait = |seconds| AfterFailure::Wait(Duration::from_secs(seconds));
        assert_eq!((after(0, 0.0), after(0, 1.0)), (wait(30), wait(90)));
        assert_eq!(after(3, 0.5), wait(240));
        assert_eq!(after(4, 0.5), AfterFailure::GiveUp);
    }

    #[test]
    fn a_lane_is_in_the_order_of_age_and_who_waits_comes_first() {
        let id = RequestId::derive(CHAT, IdentitySource::Transaction("T1"));
        let mint = |ms| {
            let mint = Mint {
                request_id: id,
                user_id: "u".to_owned(),
                transaction_id: "T1".to_owned(),
                link_version: 0,
            };
            Task::new(CHAT, Work::Mint(mint), Timestamp::from_ms(ms)).key()
        };
        assert_eq!(mint(999).lane, mint(1_763_640_000_000).lane);
        assert!(mint(999).key < mint(1_763_640_000_000).key);
        let replace = Replace {
            request_id: id,
            bot: BotId(7),
            link_version: 1,
        };
        let replace = Task::new(CHAT, Work::Replace(replace), Timestamp::from_ms(9)).key();
        let revoke = Revoke {
            invite_link: InviteLink::new("https://t.me/+a"),
            bot: BotId(7),
            request_id: None,
        };
        let revoke = Task::new(CHAT, Work::Revoke(revoke), Timestamp::from_ms(1)).key();
        assert_eq!(replace.lane, revoke.lane);
        assert_eq!(replace.lane.to_string(), "-100#bot#7");
        assert!(replace.key < revoke.key);
        let is_in =
            |range: KeyRange, key: &TaskKey| (range.from..=range.to).contains(&key.key.as_str());
        let parts = [
            KeyRange::REPLACEMENTS,
            KeyRange::FILLS_AND_REVOCATIONS,
            KeyRange::MINTS,
        ];
        let now = mint(1_763_640_000_000);
        let slot = SlotId {
            pool: CHAT,
            number: 3,
        };
        let filled = Task::new(CHAT, Work::Fill(slot), Timestamp::from_ms(0)).key();
        let by_part =
            [&replace, &revoke, &filled, &now].map(|key| parts.map(|part| is_in(part, key)));
        let only = |at: usize| [0, 1, 2].map(|part| part == at);
        assert_eq!(by_part, [only(0), only(1), only(1), only(2)]);
        let fill = |number| {
            let slot = SlotId { pool: CHAT, number };
            Task::new(CHAT, Work::Fill(slot), Timestamp::from_ms(0)).key()
        };
        assert!(fill(9).key < fill(10).key);
        assert_eq!(fill(9).lane.to_string(), "-100#fill");
        let approve = Task::new(
            CHAT,
            Work::Approve(TelegramUserId(6)),
            Timestamp::from_ms(9),
        )
        .key();
        assert_eq!(approve.to_string(), "-100#mint#2|0000000000009#join#6");
        assert!(
            is_in(KeyRange::MINTS, &now) && mint(8).key < approve.key && approve.key < mint(10).key
        );
        let person = TelegramUserId(6);
        let asked = |ms| {
            let hold = Duration::from_millis(900);
            Task::decline_of(CHAT, person, Timestamp::from_ms(ms), hold).key()
        };
        let decline = asked(9);
        assert_eq!(decline.to_string(), "-100#later|0000000000909#decline#6");
        let remove = Task::new(CHAT, Work::Remove(person), Timestamp::from_ms(50)).key();
        assert_eq!(remove.to_string(), "-100#later|0000000000050#remove#6");
        // In the order in which it comes due.
        assert!(remove.key < decline.key && decline.key < asked(10).key);
        assert!(is_in(KeyRange::MINTS, &asked(1_763_640_000_000)));
        for key in [mint(9), replace, revoke, fill(3), approve, decline, remove] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in ["", "x", "-1#mint|k", "-1#mint#x|k", "-1#fill", "-1#x|k"] {
            assert_eq!(text.parse::<TaskKey>(), Err(NoLane), "{text}");
        }
        assert_eq!(Lane::mints(CHAT).last().unwrap().to_string(), "-100#mint#3");
    }
}
