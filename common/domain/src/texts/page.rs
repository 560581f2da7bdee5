//! Messages that are lists: `/help` and `/access`.

use super::super::command::{COMMANDS, CommandPlace, Role};
use super::argument::{Date, Name};
use super::html::{MESSAGE_UNITS, cut, escape};
use super::{Language, Text};

/// A seat in the answer to `/access`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessLine<'a> {
    /// The chat's title.
    pub chat: Name<'a>,
    /// When it ends; `None` if it does not.
    pub until: Option<Date>,
}

/// The answer to `/help`: what somebody of this role may do there, as HTML.
#[must_use]
pub fn help(language: Language, role: Role, place: CommandPlace) -> String {
    let mut html = Text::Help.html(language);
    html.push('\n');
    for entry in COMMANDS.iter().filter(|entry| entry.is_for(role, place)) {
        let summary = escape(language.summary(entry.command));
        html.push_str(&format!("\n{}: {summary}", entry.command));
    }
    cut(&html, MESSAGE_UNITS)
}

/// The answer to `/access`: the seats of a person in the order given, as HTML.
#[must_use]
pub fn access(language: Language, seats: &[AccessLine<'_>]) -> String {
    if seats.is_empty() {
        return Text::AccessNothing.html(language);
    }
    let mut html = Text::Access.html(language);
    html.push('\n');
    for AccessLine { chat, until } in seats.iter().copied() {
        let line = match until {
            Some(until) => Text::AccessUntil { chat, until },
            None => Text::AccessForever { chat },
        };
        html.push('\n');
        html.push_str(&line.html(language));
    }
    cut(&html, MESSAGE_UNITS)
}
