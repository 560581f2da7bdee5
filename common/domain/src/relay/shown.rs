//! What the bot has said to a person, as a line of their topic.

use super::super::claim::without_payloads;
use super::super::message::{Content, TopicOwner};
use super::super::texts::html::cut;
use super::super::texts::{Language, Text};

/// The most UTF-16 units of what was said that are shown.
const LINE_UNITS: usize = 300;

/// The line below `head` that shows what was said, as HTML: cut, and without claim links and tokens. It arrives without a
/// sound.
#[must_use]
pub fn shown_line(head: Text<'_>, said: &str, owner: TopicOwner, language: Language) -> Content {
    let said = cut(&without_payloads(said), LINE_UNITS);
    let html = format!("<i>{}</i>\n{said}", head.html(language));
    Content::InTopic {
        owner,
        topic_name: owner.topic_name(""),
        language,
        post: Box::new(Content::Text {
            html,
            buttons: Vec::new(),
            protect: false,
            silent: true,
        }),
    }
}
