//! Work for one person that a call asks for and a run each minute does: what is known of them is exported, or erased.
//!
//! ```text
//! export   COLLECTING --> TELLING      the file is there, for a day
//!          TELLING -----> DONE         the message with its address is put
//! erase    COUNTING ----> LEAVING      what there is of the person is counted, for the receipt
//!          LEAVING -----> ERASING      their seats have ended, and they are out of the chats
//!          ERASING -----> TELLING      all of it is erased, and the receipt is put as a message
//!          TELLING -----> DONE         the receipt is sent or can't be, what came about meanwhile is erased as well,
//!                                      and the job names nobody any more
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::id::BotId;
use super::time::Timestamp;

/// How long a file can be fetched.
pub const EXPORT_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long the receipt of an erasure is kept.
pub const RECEIPT_KEPT: Duration = Duration::from_secs(400 * 24 * 3600);
/// For how long at most a person is not heard whose data are being erased.
pub const UNHEARD: Duration = Duration::from_secs(2 * 3600);
/// How long the receipt is tried to be sent.
pub const RECEIPT_AGE: Duration = Duration::from_secs(1800);
/// After how long nothing of the person is under way that began before the erasure: longer than any function runs that a
/// person's update reaches.
pub const ERASE_SETTLES: Duration = Duration::from_secs(30);
/// After how long a job that is not done needs a person.
pub const JOB_LATE: Duration = Duration::from_secs(3 * 3600);

/// For how long a question whether to erase can be answered.
pub const ERASE_ASKED: Duration = Duration::from_secs(600);

/// What a person was asked when they were asked whether to erase: `<seconds>:<seats>`, behind the buttons that say yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EraseQuestion {
    /// When, in whole seconds of Unix time.
    pub asked_at: i64,
    /// How many chats they were told to lose.
    pub chats: u32,
}

impl EraseQuestion {
    /// The question at `now`.
    #[must_use]
    pub fn new(chats: u32, now: Timestamp) -> Self {
        Self {
            asked_at: now.seconds(),
            chats,
        }
    }

    /// Whether a yes at `now` still answers it: it is not old, and as many `chats` end.
    #[must_use]
    pub fn stands(self, chats: u32, now: Timestamp) -> bool {
        let age = now.seconds().saturating_sub(self.asked_at);
        // Clocks of two machines differ a little.
        let is_recent = u64::try_from(age).is_ok_and(|age| age <= ERASE_ASKED.as_secs());
        (is_recent || (-60..0).contains(&age)) && chats == self.chats
    }
}

impl fmt::Display for EraseQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.asked_at, self.chats)
    }
}

impl FromStr for EraseQuestion {
    type Err = NoQuestion;

    fn from_str(text: &str) -> Result<Self, NoQuestion> {
        let (asked_at, chats) = text.split_once(':').ok_or(NoQuestion)?;
        Ok(Self {
            asked_at: asked_at.parse().map_err(|_| NoQuestion)?,
            chats: chats.parse().map_err(|_| NoQuestion)?,
        })
    }
}

/// A text that is not such a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoQuestion;

/// Where a page of a file, counted from 1, is fetched: `<public URL>/v1/exports/<job>.<secret>`.
#[must_use]
pub fn export_address(public_url: &str, id: &JobId, secret: &str, page: u32) -> String {
    let page = match page {
        0 | 1 => String::new(),
        page => format!("?page={page}"),
    };
    format!("{public_url}/v1/exports/{id}.{secret}{page}")
}

/// What a job is known by: 8 to 64 of `a-z`, `0-9` and `-`. It names nobody.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(String);

/// A text that is not the id of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoJobId;

impl JobId {
    /// The job that a person asked for by an update: the same update asks for the same job.
    #[must_use]
    pub fn of_update(kind: JobKind, bot: BotId, update: i64) -> Self {
        Self(format!("{}-{bot}-{update}", kind.as_str()))
    }

    /// The job of 16 bytes that were drawn.
    #[must_use]
    pub fn drawn(kind: JobKind, random: u128) -> Self {
        Self(format!("{}-{random:032x}", kind.as_str()))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobId {
    type Err = NoJobId;

    fn from_str(text: &str) -> Result<Self, NoJobId> {
        let is_part = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        match (8..=64).contains(&text.len()) && text.bytes().all(is_part) {
            true => Ok(Self(text.to_owned())),
            false => Err(NoJobId),
        }
    }
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// All that is known of a person goes into a file.
    Export,
    /// All that is known of a person is erased.
    Erase,
}

impl JobKind {
    /// The word for records, answers and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Erase => "erase",
        }
    }

    /// Reads the word of [`JobKind::as_str`].
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Export, Self::Erase]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }

    /// Where a job of the kind begins.
    #[must_use]
    pub const fn first_stage(self) -> JobStage {
        match self {
            Self::Export => JobStage::Collecting,
            Self::Erase => JobStage::Counting,
        }
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStage {
    /// The file is made.
    Collecting,
    /// What there is of the person is counted.
    Counting,
    /// Their seats end, and they are taken out of the chats.
    Leaving,
    /// It is erased.
    Erasing,
    /// The receipt, or the address of the file, is on its way.
    Telling,
    /// Nothing is left to do.
    Done,
}

impl JobStage {
    const ALL: [Self; 6] = [
        Self::Collecting,
        Self::Counting,
        Self::Leaving,
        Self::Erasing,
        Self::Telling,
        Self::Done,
    ];

    /// The word for records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collecting => "COLLECTING",
            Self::Counting => "COUNTING",
            Self::Leaving => "LEAVING",
            Self::Erasing => "ERASING",
            Self::Telling => "TELLING",
            Self::Done => "DONE",
        }
    }

    /// Reads the word of [`JobStage::as_str`].
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }
}

/// How many items of each table held something of a person.
pub type TableCounts = BTreeMap<String, u64>;

/// The days after which nothing of an erased person is left where single items can't be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolledOver {
    /// Logs.
    pub logs: Timestamp,
    /// Queues, with their dead letters.
    pub queues: Timestamp,
    /// Backups.
    pub backups: Timestamp,
}

impl RolledOver {
    /// Of an erasure at `at`: logs live for 30 days, a message of a queue for 14, a backup for 35, as `template.yaml` has it.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        let days = |days: u64| at.plus(Duration::from_secs(days * 24 * 3600));
        Self {
            logs: days(30),
            queues: days(14),
            backups: days(35),
        }
    }
}

/// What stands in the place of a person's ids in what the books keep: `p_` and 16 drawn digits. Which person it was is
/// written nowhere once the job is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// The pseudonym of drawn bits.
    #[must_use]
    pub fn drawn(random: u64) -> Self {
        Self(format!("p_{random:016x}"))
    }

    /// One as its job has kept it.
    #[must_use]
    pub fn kept(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` names the person of the id `id`: it stands there as a whole number.
#[must_use]
pub fn names_person(text: &str, id: i64) -> bool {
    let id = id.to_string();
    text.match_indices(&id).any(|(at, _)| {
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        !is_digit(text[..at].chars().next_back()) && !is_digit(text[at + id.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_nothing_else_is_one() {
        let of_update = JobId::of_update(JobKind::Erase, BotId(7), 9);
        let drawn = JobId::drawn(JobKind::Export, 5);
        for id in [of_update, drawn] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in ["", "short", "Export-123", "export#1234", &"a".repeat(65)] {
            assert_eq!(text.parse::<JobId>(), Err(NoJobId), "{text}");
        }
    }

    #[test]
    fn the_words_of_kinds_and_stages_are_read_back() {
        for kind in [JobKind::Export, JobKind::Erase] {
            assert_eq!(JobKind::of_word(kind.as_str()), Some(kind));
        }
        for stage in JobStage::ALL {
            assert_eq!(JobStage::of_word(stage.as_str()), Some(stage));
        }
        assert_eq!(JobKind::of_word("import"), None);
        assert_eq!(JobStage::of_word("done"), None);
    }

    #[test]
    fn a_yes_to_an_old_question_or_to_one_about_other_seats_is_none() {
        let at = |seconds: i64| Timestamp::from_ms((1_800_000_000 + seconds) * 1000);
        let question = EraseQuestion::new(2, at(0));
        for (chats, now, stands) in [
            (2, at(0), true),
            (2, at(600), true),
            (2, at(-60), true),
            (2, at(601), false),
            (2, at(-61), false),
            (1, at(0), false),
            (3, at(0), false),
        ] {
            assert_eq!(question.stands(chats, now), stands, "{chats} {now}");
        }
    }

    #[test]
    fn a_person_is_named_by_the_whole_number_alone() {
        for (text, is_named) in [
            (r#"{"from":{"id":77}}"#, true),
            ("77", true),
            ("1770000000#join#77", true),
            ("177 and 770", false),
            ("", false),
        ] {
            assert_eq!(names_person(text, 77), is_named, "{text}");
        }
    }

    #[test]
    fn backups_roll_over_last() {
        let all = RolledOver::of(Timestamp::from_ms(0));
        let day = 24 * 3600;
        assert_eq!(
            [all.queues, all.logs, all.backups].map(Timestamp::seconds),
            [14 * day, 30 * day, 35 * day]
        );
    }
}
