//! What is put into a sentence, each shown in one way only.

use std::fmt;

use super::super::time::Timestamp;
use super::html;

/// The most UTF-16 units of a name in a message.
const NAME_UNITS: usize = 64;
/// The most of one on a button, which apps show in one line.
const LABEL_NAME_UNITS: usize = 32;

/// The most of something to be copied: the longest id is a shop's transaction.
const CODE_UNITS: usize = 300;

/// A name that somebody chose, of a chat or a person, raw. In a message it is shown escaped, bounded and isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a>(pub &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&html::name(self.0, NAME_UNITS))
    }
}

/// The same for a button, whose text is not HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelName<'a>(pub &'a str);

impl fmt::Display for LabelName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&html::plain_name(self.0, LABEL_NAME_UNITS))
    }
}

/// An address, raw. It may be a secret of whom it is written to: `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address<'a>(pub &'a str);

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&html::escape(self.0))
    }
}

impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// What a person may copy: an id, a word of ours, an example; raw, of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code<'a>(pub &'a str);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = html::cut(&html::escape(&html::visible(self.0)), CODE_UNITS);
        write!(f, "<code>{kept}</code>")
    }
}

/// An instant, which each language writes in its own way, to the minute and in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub Timestamp);

impl Date {
    /// Day, month and year with `between` among them, the time and the zone: `5 March 2027, 14:05 UTC`.
    pub(super) fn written(self, months: &[&str; 12], between: &str) -> String {
        let at = self.0.date_time();
        let month = months[usize::from(u8::from(at.month())) - 1];
        format!(
            "{day}{between}{month}{between}{year}, {hour:02}:{minute:02} UTC",
            day = at.day(),
            year = at.year(),
            hour = at.hour(),
            minute = at.minute(),
        )
    }
}
