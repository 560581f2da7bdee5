//! Text with entities: HTML as the Bot API reads it, and what is found in any text by itself.
//!
//! Offsets and lengths count UTF-16 code units, as everywhere in the Bot API; the offsets in refusals count bytes.

use serde_json::{Value, json};

/// More entities than this are dropped.
const MOST_ENTITIES: usize = 100;
/// What Telegram finds in any text by itself.
const FOUND: [&str; 7] = [
    "bot_command",
    "cashtag",
    "email",
    "hashtag",
    "mention",
    "phone_number",
    "url",
];
/// The tags that are allowed, and the entity that each makes.
const TAGS: [(&str, &str); 16] = [
    ("a", "text_link"),
    ("b", "bold"),
    ("strong", "bold"),
    ("i", "italic"),
    ("em", "italic"),
    ("s", "strikethrough"),
    ("strike", "strikethrough"),
    ("del", "strikethrough"),
    ("u", "underline"),
    ("ins", "underline"),
    ("tg-spoiler", "spoiler"),
    ("span", "spoiler"),
    ("tg-emoji", "custom_emoji"),
    ("pre", "pre"),
    ("code", "code"),
    ("blockquote", "blockquote"),
];

/// A `MessageEntity`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entity {
    pub(crate) kind: String,
    pub(crate) offset: usize,
    pub(crate) length: usize,
    /// What else it has, under its name: `url`, `language`, `custom_emoji_id` or `user`.
    pub(crate) detail: Option<(&'static str, Value)>,
}

impl Entity {
    fn plain(kind: &str, offset: usize, length: usize) -> Self {
        Self {
            kind: kind.to_owned(),
            offset,
            length,
            detail: None,
        }
    }

    /// One of a list that a bot gives; in Telegram's words what is wrong with it.
    fn read(given: &Value) -> Result<Self, String> {
        let kind = given["type"].as_str().unwrap_or_default();
        let number = |name: &str| given[name].as_u64().and_then(|n| usize::try_from(n).ok());
        let (Some(offset), Some(length)) = (number("offset"), number("length")) else {
            return Err("can't find field \"offset\"".to_owned());
        };
        let needed = match kind {
            "text_link" => Some("url"),
            "text_mention" => Some("user"),
            "custom_emoji" => Some("custom_emoji_id"),
            "pre" => None,
            _ if TAGS.iter().any(|(_, known)| *known == kind) || FOUND.contains(&kind) => None,
            _ => return Err(format!("unsupported type \"{kind}\" specified")),
        };
        let detail = needed.or((kind == "pre").then_some("language"));
        let detail = detail.zip(detail.and_then(|name| given.get(name)).cloned());
        match needed {
            Some(name) if detail.is_none() => Err(format!("can't find field \"{name}\"")),
            _ => Ok(Self {
                detail,
                ..Self::plain(kind, offset, length)
            }),
        }
    }

    fn end(&self) -> usize {
        self.offset + self.length
    }

    pub(crate) fn json(&self) -> Value {
        let mut entity = json!({"type": self.kind, "offset": self.offset, "length": self.length});
        if let Some((name, value)) = &self.detail {
            entity[*name] = value.clone();
        }
        entity
    }
}

/// A text and its entities, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Formatted {
    pub(crate) text: String,
    pub(crate) entities: Vec<Entity>,
}

impl Formatted {
    /// The text as it is, with the commands, names and links that Telegram finds in it.
    pub(crate) fn plain(text: &str) -> Self {
        let said = Self {
            text: text.to_owned(),
            entities: Vec::new(),
        };
        said.finished()
    }

    /// The text with the entities that a bot gives, as JSON or as a text that is JSON; those that Telegram finds by itself it
    /// finds anew.
    pub(crate) fn given(text: &str, entities: &Value) -> Result<Self, String> {
        let list = match entities {
            Value::String(json) => serde_json::from_str(json).unwrap_or_default(),
            other => other.clone(),
        };
        let list = list.as_array().ok_or("expected an Array")?;
        let all: Vec<Entity> = list.iter().map(Entity::read).collect::<Result<_, _>>()?;
        let is_given = |entity: &Entity| !FOUND.contains(&entity.kind.as_str());
        let said = Self {
            text: text.to_owned(),
            entities: all.into_iter().filter(is_given).collect(),
        };
        Ok(said.finished())
    }

    /// The length that Telegram limits.
    pub(crate) fn units(&self) -> usize {
        units(&self.text)
    }

    /// White space around it is cut, entities are found, cut to the text and put in order.
    fn finished(mut self) -> Self {
        let kept = self.text.trim_start();
        let cut = units(&self.text) - units(kept);
        self.text = kept.trim_end().to_owned();
        let length = self.units();
        for entity in &mut self.entities {
            let end = entity.end().saturating_sub(cut).min(length);
            entity.offset = entity.offset.saturating_sub(cut).min(end);
            entity.length = end - entity.offset;
        }
        self.entities.retain(|entity| entity.length > 0);
        let found = found(&self.text, &self.entities);
        self.entities.extend(found);
        self.entities
            .sort_by_key(|entity| (entity.offset, std::cmp::Reverse(entity.length)));
        self.entities.truncate(MOST_ENTITIES);
        self
    }
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The text of HTML, or what is wrong with it in Telegram's words.
pub(crate) fn parse_html(html: &str) -> Result<Formatted, String> {
    let mut reader = Reader {
        html,
        at: 0,
        text: String::new(),
        units: 0,
        open: Vec::new(),
        entities: Vec::new(),
    };
    while let Some(next) = reader.peek() {
        match next {
            '<' if reader.rest().starts_with("</") => reader.end_tag()?,
            '<' => reader.start_tag()?,
            _ => {
                let said = reader.character();
                reader.units += said.len_utf16();
                reader.text.push(said);
            }
        }
    }
    if let Some(open) = reader.open.pop() {
        return Err(format!(
            "Can't find end tag corresponding to start tag \"{}\"",
            open.name
        ));
    }
    let mut entities = reader.entities;
    for entity in &mut entities {
        if entity.kind == "code" {
            entity.detail = None;
        }
    }
    let said = Formatted {
        text: reader.text,
        entities,
    };
    Ok(said.finished())
}

/// What a person marks, as HTML.
///
/// # Panics
/// If it is not the HTML of the Bot API.
pub(crate) fn marked(html: &str) -> Formatted {
    parse_html(html).unwrap_or_else(|wrong| panic!("{wrong}: {html}"))
}

struct OpenTag {
    name: String,
    kind: &'static str,
    argument: String,
    offset: usize,
    /// Where its text begins, in bytes of the text.
    from: usize,
}

struct Reader<'a> {
    html: &'a str,
    /// In bytes.
    at: usize,
    text: String,
    units: usize,
    open: Vec<OpenTag>,
    entities: Vec<Entity>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.html.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        self.take_while(|c| c.is_ascii_whitespace());
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        let taken = rest.get(..end).unwrap_or_default().to_owned();
        self.at += end;
        taken
    }

    /// The next character, an HTML entity decoded. `&` that begins none of them is itself.
    fn character(&mut self) -> char {
        const NAMED: [(&str, char); 4] = [("lt", '<'), ("gt", '>'), ("amp", '&'), ("quot", '"')];
        let next = self.peek().unwrap_or_default();
        self.at += next.len_utf8();
        if next != '&' {
            return next;
        }
        let rest = self.rest();
        let number = rest.strip_prefix('#').map(|rest| {
            let (digits, radix) = match rest.strip_prefix('x') {
                Some(hex) => (hex, 16),
                None => (rest, 10),
            };
            let end = digits
                .find(|c: char| !c.is_digit(radix))
                .unwrap_or(digits.len());
            let before = rest.len() - digits.len();
            let code = u32::from_str_radix(digits.get(..end).unwrap_or_default(), radix).ok();
            (
                code.and_then(char::from_u32).filter(|c| *c != '\0'),
                1 + before + end,
            )
        });
        let named = || {
            let end = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            let name = rest.get(..end).unwrap_or_default();
            let known = NAMED.iter().find(|(known, _)| *known == name);
            (known.map(|(_, c)| *c), end)
        };
        let (decoded, length) = number.unwrap_or_else(named);
        let Some(decoded) = decoded else { return '&' };
        self.at += length;
        if self.peek() == Some(';') {
            self.at += 1;
        }
        decoded
    }

    fn start_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        let unclosed = || format!("Unclosed start tag at byte offset {begin}");
        self.at += 1;
        let name = self.take_while(|c| !c.is_ascii_whitespace() && c != '>');
        let name = name.to_ascii_lowercase();
        if self.peek().is_none() {
            return Err(unclosed());
        }
        let known = TAGS.iter().find(|(tag, _)| *tag == name);
        let Some((_, mut kind)) = known.copied() else {
            return Err(format!(
                "Unsupported start tag \"{name}\" at byte offset {begin}"
            ));
        };
        let mut argument = String::new();
        loop {
            self.skip_space();
            match self.peek() {
                None => return Err(unclosed()),
                Some('>') => break,
                Some(_) => {}
            }
            let attribute = self.take_while(|c| !c.is_ascii_whitespace() && c != '=' && c != '>');
            if attribute.is_empty() {
                return Err(format!(
                    "Empty attribute name in the tag \"{name}\" at byte offset {begin}"
                ));
            }
            self.skip_space();
            let mut value = String::new();
            if self.peek() == Some('=') {
                self.at += 1;
                self.skip_space();
                value = self.value().ok_or_else(unclosed)?;
            }
            match (name.as_str(), attribute.to_ascii_lowercase().as_str()) {
                ("a", "href") | ("tg-emoji", "emoji-id") => argument = value,
                ("code", "class") => {
                    argument = value
                        .strip_prefix("language-")
                        .unwrap_or_default()
                        .to_owned();
                }
                ("span", "class") if value == "tg-spoiler" => argument = value,
                ("blockquote", "expandable") => kind = "expandable_blockquote",
                _ => {}
            }
        }
        self.at += 1;
        if name == "span" && argument.is_empty() {
            return Err(format!(
                "Tag \"span\" must have class \"tg-spoiler\" at byte offset {begin}"
            ));
        }
        if name == "tg-emoji" && argument.is_empty() {
            return Err(format!(
                "Tag \"tg-emoji\" must have attribute \"emoji-id\" at byte offset {begin}"
            ));
        }
        self.open.push(OpenTag {
            name,
            kind,
            argument,
            offset: self.units,
            from: self.text.len(),
        });
        Ok(())
    }

    /// The value of an attribute, in quotes or not.
    fn value(&mut self) -> Option<String> {
        let quote = self.peek()?;
        if quote != '"' && quote != '\'' {
            let bare = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
            return (!bare.is_empty()).then(|| bare.to_ascii_lowercase());
        }
        self.at += 1;
        let mut value = String::new();
        while self.peek()? != quote {
            value.push(self.character());
        }
        self.at += 1;
        Some(value)
    }

    fn end_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        self.at += 2;
        let name = self.take_while(|c| !c.is_ascii_whitespace() && c != '>');
        let name = name.to_ascii_lowercase();
        self.skip_space();
        let Some(open) = self.open.pop() else {
            return Err(format!("Unexpected end tag at byte offset {begin}"));
        };
        if self.peek() != Some('>') {
            return Err(format!("Unclosed end tag at byte offset {begin}"));
        }
        self.at += 1;
        if !name.is_empty() && name != open.name {
            return Err(format!(
                "Unmatched end tag at byte offset {begin}, expected \"</{}>\", found \"</{name}>\"",
                open.name
            ));
        }
        self.close(open);
        Ok(())
    }

    fn close(&mut self, open: OpenTag) {
        let length = self.units - open.offset;
        if length == 0 {
            return;
        }
        let mut entity = Entity::plain(open.kind, open.offset, length);
        match open.kind {
            "text_link" => {
                let shown = self.text.get(open.from..).unwrap_or_default().to_owned();
                let link = if open.argument.is_empty() {
                    shown
                } else {
                    open.argument
                };
                let Some(link) = whole_url(&link) else { return };
                entity.detail = Some(("url", json!(link)));
            }
            "custom_emoji" => entity.detail = Some(("custom_emoji_id", json!(open.argument))),
            "code" if !open.argument.is_empty() => {
                entity.detail = Some(("language", json!(open.argument)));
            }
            "pre" => {
                let covers = |inner: &Entity| {
                    inner.kind == "code" && (inner.offset, inner.length) == (open.offset, length)
                };
                if self.entities.last().is_some_and(covers) {
                    entity.detail = self.entities.pop().and_then(|inner| inner.detail);
                }
            }
            _ => {}
        }
        self.entities.push(entity);
    }
}

/// A link as Telegram keeps it, if it can be one.
pub(crate) fn whole_url(link: &str) -> Option<String> {
    if link.starts_with("tg://") {
        return Some(link.to_owned());
    }
    let whole = if link.contains("://") {
        link.to_owned()
    } else {
        format!("http://{link}")
    };
    let url = reqwest::Url::parse(&whole).ok()?;
    let is_host = url
        .host_str()
        .is_some_and(|host| host.contains('.') || host == "localhost");
    (matches!(url.scheme(), "http" | "https") && is_host && !link.contains(char::is_whitespace))
        .then(|| url.into())
}

/// Commands, names and links outside of what is formatted by hand.
fn found(text: &str, given: &[Entity]) -> Vec<Entity> {
    let mut entities = Vec::new();
    let mut offset = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        if let Some((kind, length)) = classified(bare) {
            let entity = Entity::plain(kind, offset, length);
            let is_taken = given.iter().any(|other| {
                other.offset < entity.end()
                    && entity.offset < other.end()
                    && matches!(other.kind.as_str(), "text_link" | "pre" | "code")
            });
            if !is_taken {
                entities.push(entity);
            }
        }
        offset += units(word);
    }
    entities
}

/// The kind of a word, and how much of it is of that kind. Such words are ASCII, but for links.
fn classified(word: &str) -> Option<(&'static str, usize)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let span = |text: &str| text.find(|c| !is_name(c)).unwrap_or(text.len());
    if let Some(command) = word.strip_prefix('/') {
        let mut length = span(command);
        if length == 0 || length > 32 {
            return None;
        }
        if let Some(bot) = command.get(length..)?.strip_prefix('@') {
            length += 1 + span(bot);
        }
        return Some(("bot_command", 1 + length));
    }
    if let Some(name) = word.strip_prefix('@') {
        let length = span(name);
        return (length >= 4).then_some(("mention", 1 + length));
    }
    let is_link = ["https://", "http://", "t.me/"]
        .iter()
        .any(|start| word.len() > start.len() && word.starts_with(start));
    let link = word.trim_end_matches(['.', ',', '!', '?', ':', ';', ')']);
    is_link.then(|| ("url", units(link)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(said: &Formatted) -> Vec<(&str, usize, usize)> {
        let shown = |entity: &'_ Entity| (entity.offset, entity.length);
        let kinds = said.entities.iter().map(|entity| entity.kind.as_str());
        kinds
            .zip(said.entities.iter().map(shown))
            .map(|(kind, (offset, length))| (kind, offset, length))
            .collect()
    }

    #[test]
    fn html_becomes_text_with_entities_counted_in_utf_16() {
        for (html, text, entities) in [
            ("a <b>b</b>", "a b", vec![("bold", 2, 1)]),
            ("😀<i>x</i>", "😀x", vec![("italic", 2, 1)]),
            (
                "<b>a<i>b</i></b>",
                "ab",
                vec![("bold", 0, 2), ("italic", 1, 1)],
            ),
            (
                "&lt;b&gt; &amp;&#65;&#x42; &nbsp; &quot;",
                "<b> &AB &nbsp; \"",
                vec![],
            ),
            ("  <u>trimmed  </u>\n", "trimmed", vec![("underline", 0, 7)]),
            (
                "<pre><code class=\"language-rust\">x</code></pre>",
                "x",
                vec![("pre", 0, 1)],
            ),
            (
                "<span class='tg-spoiler'>x</span>",
                "x",
                vec![("spoiler", 0, 1)],
            ),
            (
                "<blockquote expandable>x</blockquote>",
                "x",
                vec![("expandable_blockquote", 0, 1)],
            ),
            ("<b></b>x", "x", vec![]),
            ("<a>no link</a>", "no link", vec![]),
            (
                "see /start@some_bot, @anna",
                "see /start@some_bot, @anna",
                vec![("bot_command", 4, 15), ("mention", 21, 5)],
            ),
            (
                "<a href=\"https://x.org/?a=1&amp;b=2\">x</a>",
                "x",
                vec![("text_link", 0, 1)],
            ),
        ] {
            let said = parse_html(html).unwrap();
            assert_eq!(said.text, text, "{html}");
            assert_eq!(shown(&said), entities, "{html}");
        }
        let link = parse_html("<a href=\"https://x.org/?a=1&amp;b=2\">x</a>").unwrap();
        let detail = link.entities[0].detail.clone();
        assert_eq!(detail, Some(("url", json!("https://x.org/?a=1&b=2"))));
    }

    #[test]
    fn bad_html_is_refused_in_telegrams_words() {
        for (html, refusal) in [
            (
                "<b>x",
                "Can't find end tag corresponding to start tag \"b\"",
            ),
            ("Anna <3", "Unclosed start tag at byte offset 5"),
            ("é<x>y</x>", "Unsupported start tag \"x\" at byte offset 2"),
            ("x</b>", "Unexpected end tag at byte offset 1"),
            (
                "<b>x</i>",
                "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\"",
            ),
            ("<b>x</b", "Unclosed end tag at byte offset 4"),
            (
                "<span>x</span>",
                "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0",
            ),
            ("<a href=\"x>y</a>", "Unclosed start tag at byte offset 0"),
        ] {
            assert_eq!(parse_html(html).unwrap_err(), refusal, "{html}");
        }
    }
}
