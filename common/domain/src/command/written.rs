//! What a person wrote, as a command: `/access`, `/Access@OurBot`, `/acess`.

use std::fmt;

use super::{COMMANDS, CommandName, CommandPlace, Role};

/// How many wrong letters still point at a command.
const TYPING_ERRORS: usize = 2;

/// A message that begins with a command for us.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum WrittenCommand<'a> {
    /// One of ours.
    Known {
        /// Which.
        command: CommandName,
        /// What follows it, without the white space around.
        arguments: &'a str,
    },
    /// Not one of ours.
    Unknown {
        /// The word after the slash, as it was written.
        word: &'a str,
    },
}

impl<'a> WrittenCommand<'a> {
    /// Reads a message; `None` if it is not a command, or one for another bot. `bot` is our username, without the `@`.
    ///
    /// A word ends as Telegram's own commands end: `/help, please` is one, `/etc/hosts` is not.
    #[must_use]
    pub fn read(message: &'a str, bot: &str) -> Option<Self> {
        let (word, rest) = word(message.trim_start().strip_prefix('/')?);
        let (addressee, rest) = match rest.strip_prefix('@') {
            Some(rest) => word_of(rest),
            None => (None, rest),
        };
        let is_ours = addressee.is_none_or(|name| name.eq_ignore_ascii_case(bot));
        let goes_on = |c: char| c.is_alphanumeric() || "/<>@".contains(c);
        if word.is_empty() || !is_ours || rest.starts_with(goes_on) {
            return None;
        }
        Some(match CommandName::of_word(word) {
            Some(command) => Self::Known {
                command,
                arguments: rest.trim(),
            },
            None => Self::Unknown { word },
        })
    }
}

/// Without what a person wrote: the arguments of `/start` may be a secret, which must not reach a log.
impl fmt::Debug for WrittenCommand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known { command, .. } => write!(f, "Known({command})"),
            Self::Unknown { .. } => f.write_str("Unknown"),
        }
    }
}

/// The letters, digits and underscores at the start, and the rest.
fn word(text: &str) -> (&str, &str) {
    let is_in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split_at(text.find(|c| !is_in_word(c)).unwrap_or(text.len()))
}

fn word_of(text: &str) -> (Option<&str>, &str) {
    let (name, rest) = word(text);
    (Some(name), rest)
}

/// The command that somebody of this role most likely meant there; `None` if no name is near.
#[must_use]
pub fn nearest(word: &str, role: Role, place: CommandPlace) -> Option<CommandName> {
    let word = word.to_ascii_lowercase();
    let usable = COMMANDS.iter().filter(|entry| entry.is_for(role, place));
    let names = usable.flat_map(|entry| {
        let aliases = entry.aliases.iter().copied();
        std::iter::once(entry.name)
            .chain(aliases)
            .map(|name| (entry.command, name))
    });
    names
        .filter(|(_, name)| name.len().abs_diff(word.len()) <= TYPING_ERRORS)
        .map(|(command, name)| (distance(&word, name), name.len(), command))
        // With more than half of its letters wrong it is another word.
        .filter(|(errors, length, _)| *errors <= TYPING_ERRORS && errors * 2 <= *length)
        .min_by_key(|(errors, ..)| *errors)
        .map(|(.., command)| command)
}

/// How many letters must be added, left out or replaced (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (to, b) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[to + 1];
            row[to + 1] = replaced.min(diagonal + 1).min(row[to] + 1);
        }
    }
    row[right.len()]
}
