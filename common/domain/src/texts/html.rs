//! Telegram's HTML: what strangers wrote goes in as text and nothing else, and a message keeps within its limit.
//!
//! A parse error costs the whole message (400 `can't parse entities`), so no name reaches it raw.

use super::super::text;

/// The most UTF-16 code units of a message, after entities are parsed (Bot API, `sendMessage`).
pub const MESSAGE_UNITS: usize = 4096;

/// How many accents may stand on one letter. Writing needs up to three; more of them cover the lines around.
const MARKS_PER_LETTER: usize = 3;
/// What stands for a name of which nothing can be seen.
const NAMELESS: &str = "?";
/// Before a name, and after it: its direction stays its own (Unicode, first strong isolate, pop directional isolate).
const ISOLATE: char = '\u{2068}';
const ISOLATE_END: char = '\u{2069}';
/// Stands for what was cut off. One unit.
const ELLIPSIS: char = '\u{2026}';
/// The bytes of `&#x10ffff;`, and of a decimal one.
const LONGEST_ENTITY: usize = 10;
/// The joiner of emoji: what stands on its two sides is one sign.
const JOINER: char = '\u{200d}';

/// A text as HTML that shows just this text, also within the quotes of an attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}

/// A name that a person or an administrator chose, as HTML: at most `limit` UTF-16 units of one line, cut at a word,
/// without what can't be seen or reaches out of its place, and isolated. Never empty.
#[must_use]
pub fn name(raw: &str, limit: usize) -> String {
    let seen = visible(raw);
    let kept = cut_pieces(&characters(&seen), limit).unwrap_or(seen);
    format!("{ISOLATE}{}{ISOLATE_END}", escape(&kept))
}

/// The same as plain text, which buttons show.
#[must_use]
pub fn plain_name(raw: &str, limit: usize) -> String {
    let seen = visible(raw);
    let kept = cut_pieces(&characters(&seen), limit).unwrap_or(seen);
    format!("{ISOLATE}{kept}{ISOLATE_END}")
}

/// How long Telegram takes a message to be: its UTF-16 units without tags, each entity being one character.
#[must_use]
pub fn units(html: &str) -> usize {
    pieces(html).iter().map(Piece::units).sum()
}

/// A message of at most `limit` units: cut at a word, with an ellipsis, and with each tag closed that stands open there.
#[must_use]
pub fn cut(html: &str, limit: usize) -> String {
    cut_pieces(&pieces(html), limit).unwrap_or_else(|| html.to_owned())
}

/// What is seen of a name or an id, in one line.
pub(super) fn visible(raw: &str) -> String {
    let line = raw.replace(
        |c: char| c.is_control() || c.is_whitespace() || is_break(c),
        " ",
    );
    let cleaned = text::clean(&line.replace(is_unseen, ""));
    let mut seen = String::with_capacity(cleaned.len());
    let mut marks = MARKS_PER_LETTER;
    for c in cleaned.chars() {
        // Flags are written with tags, up to seven of them.
        if is_joined(c) && !is_tag(c) {
            marks += 1;
            // On nothing, a mark would stand on our own words.
            if marks <= MARKS_PER_LETTER {
                seen.push(c);
            }
            continue;
        }
        marks = match c {
            ' ' => MARKS_PER_LETTER,
            c if is_tag(c) => marks,
            _ => 0,
        };
        if c != ' ' || !seen.ends_with(' ') {
            seen.push(c);
        }
    }
    match seen.trim() {
        "" => NAMELESS.to_owned(),
        seen => seen.to_owned(),
    }
}

/// The separators of lines and paragraphs, which are white space to Unicode but not to every reader.
const fn is_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// What can't be seen, beyond what is taken out of ids.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{115f}' | '\u{1160}' // fillers of Hangul
            | '\u{17b4}' | '\u{17b5}' // vowels of Khmer that are never written
            | '\u{1d173}'..='\u{1d17a}' // beams and slurs
            | '\u{e000}'..='\u{f8ff}' // private use
            | '\u{e0001}' // language tag
            | '\u{e0100}'..='\u{e01ef}' // selectors of ideographs
            | '\u{f0000}'..='\u{10ffff}' // private use
    )
}

/// Whether a character stands on the one before it, in the scripts whose marks can be heaped up.
const fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{483}'..='\u{489}'
            | '\u{591}'..='\u{5bd}'
            | '\u{5bf}'..='\u{5c7}'
            | '\u{610}'..='\u{61a}'
            | '\u{64b}'..='\u{65f}'
            | '\u{670}'
            | '\u{6d6}'..='\u{6ed}'
            | '\u{93c}'
            | '\u{93e}'..='\u{94d}'
            | '\u{e31}'
            | '\u{e34}'..='\u{e3a}'
            | '\u{e47}'..='\u{e4e}'
            | '\u{eb1}'
            | '\u{eb4}'..='\u{ebc}'
            | '\u{ec8}'..='\u{ece}'
            | '\u{f71}'..='\u{f84}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{302a}'..='\u{302f}'
            | '\u{3099}'..='\u{309a}'
            | '\u{fe20}'..='\u{fe2f}'
    )
}

/// Whether a character is one sign with what stands before it.
const fn is_joined(c: char) -> bool {
    is_mark(c)
        || is_tag(c)
        || matches!(c, '\u{200c}' | JOINER | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// What flags of regions are written with, behind a black flag.
const fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// What Telegram's parser takes as one, with its source.
#[derive(Clone, Copy)]
enum Piece<'a> {
    /// `<b>`, with the tag's name.
    Open { source: &'a str, tag: &'a str },
    /// `</b>`.
    Close { source: &'a str },
    /// A character, or an entity that stands for one.
    Character { source: &'a str, shown: char },
}

impl Piece<'_> {
    const fn source(&self) -> &str {
        match self {
            Self::Open { source, .. } | Self::Close { source } | Self::Character { source, .. } => {
                source
            }
        }
    }

    fn units(&self) -> usize {
        match self {
            Self::Open { .. } | Self::Close { .. } => 0,
            Self::Character { shown, .. } => shown.len_utf16(),
        }
    }
}

/// The pieces of a plain text.
fn characters(text: &str) -> Vec<Piece<'_>> {
    text.char_indices()
        .map(|(at, shown)| Piece::Character {
            source: &text[at..at + shown.len_utf8()],
            shown,
        })
        .collect()
}

/// The pieces of HTML. What is neither a tag nor an entity is text.
fn pieces(html: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::with_capacity(html.len());
    let mut rest = html;
    while let Some(first) = rest.chars().next() {
        let piece = match first {
            '<' => tag(rest),
            '&' => entity(rest),
            _ => None,
        };
        let piece = piece.unwrap_or(Piece::Character {
            source: &rest[..first.len_utf8()],
            shown: first,
        });
        rest = &rest[piece.source().len()..];
        pieces.push(piece);
    }
    pieces
}

fn tag(html: &str) -> Option<Piece<'_>> {
    let source = &html[..=html.find('>')?];
    let inner = &source[1..source.len() - 1];
    if inner.starts_with('/') {
        return Some(Piece::Close { source });
    }
    let tag = inner.split_whitespace().next()?;
    Some(Piece::Open { source, tag })
}

fn entity(html: &str) -> Option<Piece<'_>> {
    let end = html.bytes().take(LONGEST_ENTITY).position(|c| c == b';')?;
    let source = &html[..=end];
    let inner = &source[1..source.len() - 1];
    let shown = match inner {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        _ => {
            let number = inner.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some(Piece::Character { source, shown })
}

/// The pieces that fit, closed; `None` if all of them do.
fn cut_pieces(pieces: &[Piece<'_>], limit: usize) -> Option<String> {
    if pieces.iter().map(Piece::units).sum::<usize>() <= limit {
        return None;
    }
    let (mut used, mut isolates) = (0, 0_usize);
    let mut before = None;
    // Where a word ends, where a sign does, and where anything does: how many pieces, and their units.
    let (mut word, mut sign, mut last) = ((0, 0), (0, 0), (0, 0));
    for (at, piece) in pieces.iter().enumerate() {
        let Piece::Character { shown, .. } = *piece else {
            continue;
        };
        // The ellipsis, and the ends of what is isolated, must fit behind it.
        if used + isolates + 1 > limit {
            break;
        }
        last = (at, used);
        if !is_joined(shown) && before != Some(JOINER) {
            sign = last;
            if shown.is_whitespace() && before.is_some_and(|c: char| !c.is_whitespace()) {
                word = last;
            }
        }
        used += shown.len_utf16();
        match shown {
            ISOLATE => isolates += 1,
            ISOLATE_END => isolates = isolates.saturating_sub(1),
            _ => {}
        }
        before = Some(shown);
    }
    // A word that fills half of the message is cut itself, and so is a sign that fills all of it.
    let (end, _) = match (word, sign) {
        ((_, units), _) if units * 2 >= limit => word,
        (_, (_, 1..)) => sign,
        _ => last,
    };
    Some(closed(&pieces[..end]))
}

/// The pieces, an ellipsis, and the ends of all that stands open.
fn closed(pieces: &[Piece<'_>]) -> String {
    let mut html: String = pieces.iter().map(Piece::source).collect();
    let mut tags = Vec::new();
    let mut isolates = 0_usize;
    for piece in pieces {
        match *piece {
            Piece::Open { tag, .. } => tags.push(tag),
            Piece::Close { .. } => drop(tags.pop()),
            Piece::Character { shown, .. } if shown == ISOLATE => isolates += 1,
            Piece::Character { shown, .. } if shown == ISOLATE_END => {
                isolates = isolates.saturating_sub(1);
            }
            Piece::Character { .. } => {}
        }
    }
    html.push(ELLIPSIS);
    html.extend(std::iter::repeat_n(ISOLATE_END, isolates));
    for tag in tags.into_iter().rev() {
        html.push_str("</");
        html.push_str(tag);
        html.push('>');
    }
    html
}

#[cfg(test)]
pub(super) mod tests;
