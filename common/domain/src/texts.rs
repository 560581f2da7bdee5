//! What the bot says to people, in each of its languages.
//!
//! [`Text`] lists the sentences with their arguments, and a file per language writes them: a sentence that a language
//! lacks does not compile. Names come in as [`Name`], so that none of them can be more than text.

mod argument;
mod claim_page;
mod en;
mod es;
mod hi;
pub mod html;
mod menu;
mod order_page;
mod page;
mod product_page;
mod pt;
mod ru;
mod sentence;

use serde::{Deserialize, Serialize};

use super::command::{CommandName, Role};

pub use argument::{Address, Code, Date, LabelName, Name};
pub use claim_page::{ClaimPageWords, PageHead};
pub use menu::{BotCommand, BotCommandScope, CommandMenu, menus};
pub use order_page::OrderPageWords;
pub use page::{AccessLine, access, help};
pub use product_page::ProductPageWords;
pub use sentence::{Label, Text};

/// A language of the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Hindi.
    #[serde(rename = "hi")]
    Hindi,
    /// Russian.
    #[serde(rename = "ru")]
    Russian,
    /// Spanish.
    #[serde(rename = "es")]
    Spanish,
    /// Portuguese.
    #[serde(rename = "pt")]
    Portuguese,
}

impl Language {
    /// All of them, in the order in which people choose.
    pub const ALL: [Self; 5] = [
        Self::English,
        Self::Hindi,
        Self::Russian,
        Self::Spanish,
        Self::Portuguese,
    ];

    /// Its two letters (ISO 639-1), as records and Telegram have it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Hindi => "hi",
            Self::Russian => "ru",
            Self::Spanish => "es",
            Self::Portuguese => "pt",
        }
    }

    /// Its own name, as a button shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Hindi => "हिन्दी",
            Self::Russian => "Русский",
            Self::Spanish => "Español",
            Self::Portuguese => "Português",
        }
    }

    /// The language of a tag, whatever its region or script: `pt-BR` is Portuguese.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let code = tag.trim().split(['-', '_']).next()?;
        let mut all = Self::ALL.into_iter();
        all.find(|language| language.code().eq_ignore_ascii_case(code))
    }

    /// The language that a person writes behind `/language`: a tag, or its own name.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let name = word.trim().to_lowercase();
        let mut all = Self::ALL.into_iter();
        all.find(|language| language.name().to_lowercase() == name)
            .or_else(|| Self::of_tag(word))
    }

    /// The language to speak: the one that the person chose, else that of their app (`language_code`), else `default`.
    #[must_use]
    pub fn choose(chosen: Option<Self>, language_code: Option<&str>, default: Self) -> Self {
        chosen
            .or_else(|| language_code.and_then(Self::of_tag))
            .unwrap_or(default)
    }

    /// What the person is told, in one line of a menu, about a command.
    #[must_use]
    pub const fn summary(self, command: CommandName) -> &'static str {
        match self {
            Self::English => en::summary(command),
            Self::Hindi => hi::summary(command),
            Self::Russian => ru::summary(command),
            Self::Spanish => es::summary(command),
            Self::Portuguese => pt::summary(command),
        }
    }

    /// What an empty private chat with the bot shows, at most 512 characters.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::English => en::DESCRIPTION,
            Self::Hindi => hi::DESCRIPTION,
            Self::Russian => ru::DESCRIPTION,
            Self::Spanish => es::DESCRIPTION,
            Self::Portuguese => pt::DESCRIPTION,
        }
    }

    /// What the profile of the bot shows, at most 120 characters.
    #[must_use]
    pub const fn short_description(self) -> &'static str {
        match self {
            Self::English => en::SHORT_DESCRIPTION,
            Self::Hindi => hi::SHORT_DESCRIPTION,
            Self::Russian => ru::SHORT_DESCRIPTION,
            Self::Spanish => es::SHORT_DESCRIPTION,
            Self::Portuguese => pt::SHORT_DESCRIPTION,
        }
    }

    /// An instant, to the minute and in UTC.
    #[must_use]
    pub fn date(self, at: Date) -> String {
        match self {
            Self::English => en::date(at),
            Self::Hindi => hi::date(at),
            Self::Russian => ru::date(at),
            Self::Spanish => es::date(at),
            Self::Portuguese => pt::date(at),
        }
    }

    /// The name of a role.
    #[must_use]
    pub const fn role(self, role: Role) -> &'static str {
        match self {
            Self::English => en::role(role),
            Self::Hindi => hi::role(role),
            Self::Russian => ru::role(role),
            Self::Spanish => es::role(role),
            Self::Portuguese => pt::role(role),
        }
    }
}

impl Text<'_> {
    /// The message in a language, as HTML. Of what the arguments hold only an address is unbounded.
    #[must_use]
    pub fn html(&self, language: Language) -> String {
        match language {
            Language::English => en::text(self),
            Language::Hindi => hi::text(self),
            Language::Russian => ru::text(self),
            Language::Spanish => es::text(self),
            Language::Portuguese => pt::text(self),
        }
    }
}

impl Label<'_> {
    /// The text of the button in a language. It is not HTML.
    #[must_use]
    pub fn plain(&self, language: Language) -> String {
        match language {
            Language::English => en::label(self),
            Language::Hindi => hi::label(self),
            Language::Russian => ru::label(self),
            Language::Spanish => es::label(self),
            Language::Portuguese => pt::label(self),
        }
    }
}

/// The form of a noun where there is one for 1 and one for all other numbers.
const fn plural<'a>(number: u32, one: &'a str, many: &'a str) -> &'a str {
    if number == 1 { one } else { many }
}

#[cfg(test)]
mod tests;
