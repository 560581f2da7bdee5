//! What a record keeps of what operators and shops did to its request.

use super::time::Timestamp;

/// How many entries a record keeps, the newest.
pub const HISTORY_MAX: usize = 50;
/// The longest detail of an entry, in characters.
const DETAIL_MAX_CHARS: usize = 200;

/// What an operator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Had the link made again that was not made.
    Retry,
    /// Had the link replaced by another.
    Reissue,
    /// Had an event sent again.
    ResendEvent,
    /// Took the seat back.
    Void,
    /// Gave an event up that can't be delivered.
    GiveUpEvent,
    /// Had the seat moved to another account.
    Rebind,
}

/// Who acts, where it is the shop whose request it is.
pub const SHOP: &str = "shop";
/// Who acts, where it is the person who has the seat of the request.
pub const HOLDER: &str = "holder";

impl Action {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Reissue => "reissue",
            Self::ResendEvent => "resend_event",
            Self::Void => "void",
            Self::GiveUpEvent => "give_up_event",
            Self::Rebind => "rebind",
        }
    }
}

/// One line of a record's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who: the name of an operator's key, [`SHOP`] or [`HOLDER`].
    pub who: String,
    /// What: the word of an [`Action`], or of one that another version knows.
    pub action: String,
    /// What it found, or what it was about; never a link.
    pub detail: String,
}

impl Entry {
    /// What `who` does at `at`; a longer detail is cut.
    #[must_use]
    pub fn new(at: Timestamp, who: &str, action: Action, detail: &str) -> Self {
        Self {
            at,
            who: who.to_owned(),
            action: action.as_str().to_owned(),
            detail: detail.chars().take(DETAIL_MAX_CHARS).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_detail_is_cut() {
        let at = Timestamp::from_ms(1_763_640_000_000);
        let entry = Entry::new(at, "ann", Action::Retry, &"\u{e9}".repeat(300));
        assert_eq!(entry.detail.chars().count(), DETAIL_MAX_CHARS);
    }
}
