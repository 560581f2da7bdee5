//! The relay between people and operators: what follows from a message that was passed on or was not, and how the words of one
//! person that wait become one message.
//!
//! ```text
//! person --copy--> their topic     not passed on: the person is told
//! topic  --copy--> person          passed on: a reaction to the operator's message; not: a line that answers it, with the reason
//! ```

mod backlog;
mod shown;
mod written;

use std::time::Duration;

use super::id::{ChatId, TelegramUserId};
use super::marked::{MarkedText, TextMark, units};
use super::message::{Class, Content, Message, SendFault};
use super::texts::{Language, Text, html};
use super::time::Timestamp;

pub use backlog::RelayBacklog;
pub use shown::{LINE_AGE, shown_line};
pub use written::{DeskAuthor, DeskMessage, PrivateEdit, TopicReport, WrittenMessage};

/// How late what follows from a message is still worth something.
const FOLLOW_AGE: Duration = Duration::from_secs(600);
/// How long a person's words may wait before those behind them are put into the same message.
const JOIN_AFTER: Duration = Duration::from_secs(15);
/// What stands between the words of two messages in one.
const BETWEEN: &str = "\n\n";
/// The units that are kept free for the head of a message of several.
const HEAD_UNITS: usize = 200;
/// How long a conversation may be silent before the next word begins another one.
const CONVERSATION_GAP: Duration = Duration::from_secs(24 * 3600);

/// How a message of the relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayEnd {
    /// Telegram took it, and gave it this id where it gives one.
    Done(Option<i64>),
    /// It failed for good.
    Failed(SendFault),
}

/// Who is on which side of a message of the relay.
struct Sides {
    /// The chat in which somebody wrote what was to be passed on.
    from: ChatId,
    /// What they wrote.
    written: i64,
    /// The language of whoever wrote it.
    language: Language,
}

/// The message that follows from `message`, now that it has ended so.
#[must_use]
pub fn follow(message: &Message, end: RelayEnd) -> Option<Message> {
    let following = |what: &str, chat: ChatId, content: Content| Message {
        id: message.id.then(what),
        bot: message.bot,
        chat,
        thread: None,
        // Behind what people say to each other.
        class: Class::Reply,
        content,
        not_before: None,
        not_after: Some(message.id.at().plus(FOLLOW_AGE)),
    };
    let (is_to_topic, content) = match &message.content {
        Content::InTopic { post, .. } => (true, post.as_ref()),
        content => (false, content),
    };
    if let (Content::Pinned { .. }, RelayEnd::Done(Some(id))) = (content, end) {
        return Some(following("pin", message.chat, Content::Pin { message: id }));
    }
    let sides = sides(content)?;
    match end {
        RelayEnd::Done(_) if is_to_topic => None,
        // A member of the group looks for it, so it must not come late because of others who write.
        RelayEnd::Done(_) => {
            let content = Content::React {
                message: sides.written,
            };
            Some(following("done", sides.from, content))
        }
        RelayEnd::Failed(_) if is_to_topic => {
            let html = Text::NotPassedOn.html(sides.language);
            let content = Content::Answer {
                to: sides.written,
                html,
            };
            let told = following("failed", sides.from, content);
            Some(lasting(told))
        }
        RelayEnd::Failed(fault) => {
            let text = match fault {
                SendFault::Unreachable => Text::NotDeliveredBlocked,
                SendFault::NotStarted => Text::NotDeliveredNotStarted,
                SendFault::NotCopyable => Text::NotDeliveredKind,
                _ => Text::NotDelivered,
            };
            let content = Content::Answer {
                to: sides.written,
                html: text.html(sides.language),
            };
            let told = following("failed", sides.from, content);
            Some(lasting(told))
        }
    }
}

/// A failure is told however late.
fn lasting(message: Message) -> Message {
    Message {
        class: Class::Operator,
        not_after: None,
        ..message
    }
}

fn sides(content: &Content) -> Option<Sides> {
    let (from, written, language) = match content {
        Content::Copy {
            from,
            message,
            asked_by,
            language,
            ..
        } => (*from, asked_by.unwrap_or(*message), *language),
        Content::Edit {
            from,
            message,
            language,
            ..
        } => (*from, *message, *language),
        Content::Delete {
            from,
            asked_by,
            language,
            ..
        } => (*from, *asked_by, *language),
        Content::Album {
            from,
            first,
            language,
            ..
        } => (*from, *first, *language),
        _ => return None,
    };
    Some(Sides {
        from,
        written,
        language,
    })
}

/// Whether the words of this message wait so long at `now` that those behind them are to be put into the same one.
#[must_use]
pub fn is_behind(message: &Message, now: Timestamp) -> bool {
    now.since(message.id.at()) > JOIN_AFTER
}

/// Words of one person that wait, as one message.
#[derive(Clone, Debug)]
pub struct JoinedWords {
    words: MarkedText,
    count: u32,
    since: Timestamp,
    language: Language,
}

impl JoinedWords {
    /// Begins with the words of the first message, which were written at `since`, for readers of this language.
    #[must_use]
    pub const fn new(words: MarkedText, since: Timestamp, language: Language) -> Self {
        Self {
            words,
            count: 1,
            since,
            language,
        }
    }

    /// Puts the words of the next message behind them; answers whether there was room.
    pub fn add(&mut self, words: &MarkedText) -> bool {
        let length = units(&self.words.text) + units(BETWEEN) + units(&words.text);
        if length > html::MESSAGE_UNITS - HEAD_UNITS {
            return false;
        }
        self.words.push(BETWEEN, &[]);
        self.words.push(&words.text, &words.marks);
        self.count = self.count.saturating_add(1);
        true
    }

    /// How many messages it stands for.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The message: how many there were and how far behind it is, then the words.
    #[must_use]
    pub fn said(&self, now: Timestamp) -> MarkedText {
        let minutes = now.since(self.since).as_secs().div_ceil(60);
        let head = Text::JoinedWords {
            messages: self.count,
            minutes: u32::try_from(minutes).unwrap_or(u32::MAX),
        };
        let head = head.html(self.language);
        let bold = TextMark::bold(0, units(&head));
        let mut said = MarkedText {
            text: head,
            marks: vec![bold],
        };
        said.push(BETWEEN, &[]);
        said.push(&self.words.text, &self.words.marks);
        said
    }
}

/// Whether words at `now` begin a conversation, after those that were passed on at `last`.
#[must_use]
pub fn begins_conversation(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| now.since(last) > CONVERSATION_GAP)
}

/// The person of a private chat, which has their id; nobody for a group.
#[must_use]
pub const fn person_of(chat: ChatId) -> Option<TelegramUserId> {
    match chat.0 > 0 {
        true => Some(TelegramUserId(chat.0)),
        false => None,
    }
}

/// When somebody reads what people write, each day, in minutes after midnight UTC. The end may lie on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportHours {
    from: u32,
    to: u32,
}

/// The minutes of a day.
const DAY_MINUTES: u32 = 24 * 60;

impl SupportHours {
    /// Reads `09:00-18:00`; `None` if it is not that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let minutes = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let two = |text: &str, below: u32| {
                let number = text.parse::<u32>().ok().filter(|number| *number < below)?;
                (text.len() == 2).then_some(number)
            };
            Some(two(hours, 24)? * 60 + two(minutes, 60)?)
        };
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minutes(from)?, minutes(to)?);
        (from != to).then_some(Self { from, to })
    }

    /// When somebody is there again; `None` if somebody is there at `now`.
    #[must_use]
    pub fn next_opening(self, now: Timestamp) -> Option<Timestamp> {
        let minute = u32::try_from(
            now.seconds()
                .div_euclid(60)
                .rem_euclid(i64::from(DAY_MINUTES)),
        );
        let minute = minute.unwrap_or_default();
        let after_opening = (minute + DAY_MINUTES - self.from) % DAY_MINUTES;
        let open_for = (self.to + DAY_MINUTES - self.from) % DAY_MINUTES;
        if after_opening < open_for {
            return None;
        }
        let wait = u64::from(DAY_MINUTES - after_opening) * 60;
        let this_minute = now.seconds().div_euclid(60) * 60;
        Some(Timestamp::from_seconds(this_minute).plus(Duration::from_secs(wait)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::BotId;
    use super::super::message::{MessageId, TopicOwner};
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const GROUP: ChatId = ChatId(-100);
    const ANN: ChatId = ChatId(7);

    fn copy(from: ChatId) -> Content {
        Content::Copy {
            from,
            message: 5,
            text: None,
            caption: None,
            marks: Vec::new(),
            as_words: false,
            asked_by: None,
            language: Language::English,
        }
    }

    fn message(chat: ChatId, content: Content) -> Message {
        Message {
            id: MessageId::new(NOW, "update#9"),
            bot: BotId(1),
            chat,
            thread: None,
            class: Class::Operator,
            content,
            not_before: None,
            not_after: None,
        }
    }

    fn to_topic(post: Content) -> Message {
        let content = Content::InTopic {
            owner: TopicOwner::Person(TelegramUserId(7)),
            topic_name: "Ann · 7".to_owned(),
            language: Language::English,
            post: Box::new(post),
        };
        message(GROUP, content)
    }

    #[test]
    fn an_operator_sees_that_an_answer_was_delivered_and_why_it_was_not() {
        let answer = message(ANN, copy(GROUP));
        let done = follow(&answer, RelayEnd::Done(Some(3))).unwrap();
        assert_eq!(
            (done.chat, &done.content),
            (GROUP, &Content::React { message: 5 })
        );
        for (fault, text) in [
            (SendFault::Unreachable, Text::NotDeliveredBlocked),
            (SendFault::NotStarted, Text::NotDeliveredNotStarted),
            (SendFault::NotCopyable, Text::NotDeliveredKind),
            (SendFault::Refused, Text::NotDelivered),
        ] {
            let told = follow(&answer, RelayEnd::Failed(fault)).unwrap();
            let html = text.html(Language::English);
            assert_eq!(
                (told.chat, told.content, told.not_after),
                (GROUP, Content::Answer { to: 5, html }, None)
            );
        }
    }

    #[test]
    fn who_asked_for_a_prepared_answer_sees_what_became_of_it() {
        let mut content = copy(GROUP);
        if let Content::Copy { asked_by, .. } = &mut content {
            *asked_by = Some(8);
        }
        let prepared = message(ANN, content);
        let done = follow(&prepared, RelayEnd::Done(Some(3))).unwrap();
        assert_eq!(done.content, Content::React { message: 8 });
        let told = follow(&prepared, RelayEnd::Failed(SendFault::Unreachable)).unwrap();
        assert!(matches!(told.content, Content::Answer { to: 8, .. }));
    }

    #[test]
    fn a_person_hears_of_a_failure_alone() {
        let passed_on = to_topic(copy(ANN));
        assert_eq!(follow(&passed_on, RelayEnd::Done(Some(3))), None);
        let told = follow(&passed_on, RelayEnd::Failed(SendFault::NotCopyable)).unwrap();
        assert_eq!(told.chat, ANN);
        assert!(matches!(told.content, Content::Answer { to: 5, .. }));
    }

    #[test]
    fn nothing_follows_from_what_follows() {
        for end in [
            RelayEnd::Done(Some(1)),
            RelayEnd::Failed(SendFault::Refused),
        ] {
            for content in [
                Content::React { message: 5 },
                Content::Pin { message: 5 },
                Content::CloseTopic,
                Content::Answer {
                    to: 5,
                    html: String::new(),
                },
            ] {
                assert_eq!(follow(&message(GROUP, content), end), None);
            }
        }
        let card = to_topic(Content::Pinned {
            html: String::new(),
        });
        let pin = follow(&card, RelayEnd::Done(Some(8))).unwrap();
        assert_eq!(pin.content, Content::Pin { message: 8 });
    }

    #[test]
    fn words_that_wait_become_one_message_which_says_how_far_behind_it_is() {
        let plain = |text: &str| MarkedText::plain(text.to_owned());
        let mut words = JoinedWords::new(plain("one <b>"), NOW, Language::English);
        let two = MarkedText {
            marks: vec![TextMark::bold(1, 2)],
            ..plain("two")
        };
        assert!(words.add(&two));
        let said = words.said(NOW.plus(Duration::from_secs(61)));
        assert!(said.text.starts_with("2 messages, 2 minutes"), "{said:?}");
        assert!(said.text.ends_with("\n\none <b>\n\ntwo"), "{said:?}");
        let head = said.text.find('\n').unwrap();
        let end = said.text.len();
        let bold = [TextMark::bold(0, head), TextMark::bold(end - 2, 2)];
        assert_eq!(said.marks, bold);
        while words.add(&plain(&"x".repeat(500))) {}
        assert!(units(&words.said(NOW).text) <= html::MESSAGE_UNITS);
        assert!(words.count() > 5);
    }

    #[test]
    fn a_conversation_begins_after_a_day_of_silence() {
        let after = |hours: u64| NOW.plus(Duration::from_secs(hours * 3600));
        assert!(begins_conversation(None, NOW));
        assert!(!begins_conversation(Some(NOW), after(23)));
        assert!(begins_conversation(Some(NOW), after(25)));
    }

    #[test]
    fn support_hours_say_when_somebody_is_there_again() {
        let at = |text: &str| {
            let (hours, minutes) = text.split_once(':').unwrap();
            let (hours, minutes): (i64, i64) = (hours.parse().unwrap(), minutes.parse().unwrap());
            let day = NOW.seconds().div_euclid(86_400) * 86_400;
            Timestamp::from_seconds(day + hours * 3600 + minutes * 60)
        };
        for (hours, now, again) in [
            ("09:00-18:00", "09:00", None),
            ("09:00-18:00", "17:59", None),
            ("09:00-18:00", "18:00", Some("33:00")),
            ("09:00-18:00", "08:30", Some("9:00")),
            ("22:00-06:00", "23:00", None),
            ("22:00-06:00", "05:59", None),
            ("22:00-06:00", "06:00", Some("22:00")),
        ] {
            let open = SupportHours::parse(hours).unwrap();
            assert_eq!(open.next_opening(at(now)), again.map(at), "{hours} {now}");
        }
        for text in [
            "",
            "9:00-18:00",
            "09:00",
            "09:00-09:00",
            "24:00-09:00",
            "09:60-10:00",
        ] {
            assert_eq!(SupportHours::parse(text), None, "{text}");
        }
    }
}
