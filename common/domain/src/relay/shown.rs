//! What the bot has said to a person, as a line of their topic.

use std::time::Duration;

use super::super::claim::{without_invite_links, without_payloads};
use super::super::message::{Content, TopicOwner};
use super::super::texts::html::cut;
use super::super::texts::{Language, Text};

/// How late a line is still worth something.
pub const LINE_AGE: Duration = Duration::from_secs(3600);
/// The most UTF-16 units of what was said that are shown.
const LINE_UNITS: usize = 300;

/// The line below `head` that shows what was said, as HTML: cut, and without claim links, tokens and invite links: a person in
/// the operators' chat could use it before the buyer does.
#[must_use]
pub fn shown_line(head: Text<'_>, said: &str, owner: TopicOwner, language: Language) -> Content {
    let said = cut(&without_invite_links(&without_payloads(said)), LINE_UNITS);
    let html = format!("<i>{}</i>\n{said}", head.html(language));
    Content::InTopic {
        owner,
        topic_name: owner.topic_name(""),
        language,
        post: Box::new(Content::Line { html }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_no_link_by_which_anybody_comes_in() {
        let said = "Here: https://t.me/+AbC_dEf-123 or <a href=\"https://t.me/joinchat/AbC\">this</a>, 1 + 1/+2, joinchat";
        let owner = TopicOwner::Newcomers;
        let line = shown_line(Text::TopicSent, said, owner, Language::English);
        let Content::InTopic { post, .. } = line else {
            panic!("{line:?}");
        };
        let Content::Line { html } = *post else {
            panic!("{post:?}");
        };
        assert!(!html.contains("AbC"), "{html}");
        assert!(html.contains("https://t.me/+…") && html.contains(">this</a>, 1 + 1"));
        assert!(html.ends_with("joinchat"));
    }
}
