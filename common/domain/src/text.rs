//! What callers write, and what their tools make of it: marks, invisible characters, templates that nobody filled in.

use serde_json::{Map, Value};

/// What begins a text of some tools, and is none of it (RFC 8259 lets a reader of JSON skip it).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// JSON without the byte order mark before it.
#[must_use]
pub fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// The fields of a JSON object, with or without the mark; `None` if it is anything else.
#[must_use]
pub fn object(body: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(without_mark(body)).ok()
}

/// Whether a character can't be seen and means nothing wherever it stands: people copy it along without a notion of it.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{61c}' // Arabic letter mark
            | '\u{180e}' // Mongolian vowel separator
            | '\u{200b}' // zero width space
            | '\u{200e}'..='\u{200f}' // left-to-right and right-to-left marks
            | '\u{202a}'..='\u{202e}' // embeddings and overrides of direction
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
            | '\u{2800}' // blank of Braille
            | '\u{3164}' | '\u{ffa0}' // fillers of Hangul
            | '\u{feff}' // byte order mark
            | '\u{fff9}'..='\u{fffb}' // interlinear annotation
    )
}

/// Whether a character can't be seen, but shapes what stands beside it in some scripts and in emoji.
const fn is_shaping(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}')
}

/// An id as it is meant: without invisible characters, wherever they stand, and without white space around it.
///
/// Joiners and selectors stay where they shape something, between letters or signs beyond ASCII; anywhere else they are
/// invisible like the others. Cleaned again it stays the same.
#[must_use]
pub fn clean(text: &str) -> String {
    let is_shaped = |c: &char| !c.is_ascii() && !c.is_whitespace();
    let mut kept = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    for (at, c) in text.char_indices() {
        if is_invisible(c) {
            continue;
        }
        if is_shaping(c) {
            let mut after = text[at..]
                .chars()
                .filter(|c| !is_invisible(*c) && !is_shaping(*c));
            let is_joiner = matches!(c, '\u{200c}' | '\u{200d}');
            let shapes = before.as_ref().is_some_and(is_shaped)
                && (!is_joiner || after.next().as_ref().is_some_and(is_shaped));
            if shapes {
                kept.push(c);
            }
            continue;
        }
        kept.push(c);
        before = Some(c);
    }
    kept.trim().to_owned()
}

/// An id as it is meant; `None` if it is a template that was not filled in. Nothing at all is an empty id, blanks alone
/// are a template.
#[must_use]
pub fn filled_in(text: &str) -> Option<String> {
    let cleaned = clean(text);
    let is_blank = cleaned.is_empty() && !text.is_empty();
    (!is_blank && !is_unfilled(&cleaned)).then_some(cleaned)
}

/// What programs write in the place of a value that is not there, in lower case.
const NO_VALUE: [&str; 15] = [
    "null",
    "(null)",
    "<null>",
    "[null]",
    "nil",
    "(nil)",
    "<nil>",
    "%!s(<nil>)",
    "none",
    "nan",
    "#n/a",
    "undefined",
    "(undefined)",
    "[undefined]",
    "dbnull",
];

/// What stands around the name of a variable in the templates of shops, mailers and automations, in lower case.
const BRACES: [(&str, &str); 9] = [
    ("{{", "}}"),
    ("{%", "%}"),
    ("<%", "%>"),
    ("${", "}"),
    ("#{", "}"),
    ("@{", "}"),
    ("*|", "|*"),
    ("%%", "%%"),
    ("[[", "]]"),
];

/// Whether an id is one that nobody filled in: all buyers would be one person, and all payments one payment.
fn is_unfilled(id: &str) -> bool {
    let id = id.to_lowercase();
    let has_variable = |(open, close): &(&str, &str)| {
        let inner = id.split_once(open).map(|(_, rest)| rest);
        inner.is_some_and(|rest| rest.contains(close))
    };
    // One word with a brace, or a percent sign, on each side: a variable and nothing else.
    let is_name = |name: &str| {
        let mut characters = name.chars();
        characters.next().is_some_and(char::is_alphabetic)
            && characters.all(|c| c.is_alphanumeric() || "_.- ".contains(c))
    };
    let between = |open: char, close: char| {
        let inner = id.strip_prefix(open).and_then(|id| id.strip_suffix(close));
        inner.is_some_and(is_name)
    };
    let is_position = || {
        let inner = id.strip_prefix('{').and_then(|id| id.strip_suffix('}'));
        inner.is_some_and(|digits| digits.bytes().all(|c| c.is_ascii_digit()))
    };
    NO_VALUE.contains(&id.as_str())
        || id.contains("[object ")
        || words(&id).any(|word| word == "undefined")
        || BRACES.iter().any(has_variable)
        || between('{', '}')
        || is_position()
        || between('%', '%')
        || between('<', '>')
        || has_print_directive(&id)
}

/// The runs of letters and digits.
fn words(id: &str) -> impl Iterator<Item = &str> {
    id.split(|c: char| !c.is_alphanumeric())
}

/// Whether there is a directive of `printf`, as `%s` or `%1$d`, standing for itself: not as a part of a longer word, nor
/// as an escape of a URL (`%d0`).
fn has_print_directive(id: &str) -> bool {
    id.match_indices('%').any(|(at, _)| {
        let before = id[..at].chars().next_back();
        let rest = &id[at + 1..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let rest = match rest[digits..].strip_prefix('$') {
            Some(rest) if digits > 0 => rest,
            _ => rest,
        };
        let mut rest = rest.chars();
        let is_directive = rest.next().is_some_and(|c| "sdiuv@".contains(c));
        is_directive
            && !before.is_some_and(char::is_alphanumeric)
            && !rest.next().is_some_and(char::is_alphanumeric)
    })
}

/// The parts of a list with commas between, without the white space around them; empty parts are none.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_gone_wherever_they_stand() {
        for invisible in [
            '\u{200b}', '\u{feff}', '\u{2060}', '\u{200e}', '\u{200f}', '\u{ad}', '\u{202e}',
            '\u{2066}', '\u{2069}', '\u{61c}', '\u{180e}', '\u{3164}', '\u{200c}', '\u{200d}',
            '\u{fe0f}',
        ] {
            for text in [
                format!("{invisible}T-1"),
                format!("T{invisible}-1"),
                format!("T-1{invisible}"),
                format!(" {invisible} T-1{invisible}\t"),
            ] {
                assert_eq!(clean(&text), "T-1", "{:x}", invisible as u32);
            }
        }
    }

    #[test]
    fn what_shapes_letters_and_emoji_stays() {
        // A family, a heart in colour, a Persian word, the flag of Wales.
        for text in [
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{2764}\u{fe0f}",
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
        ] {
            assert_eq!(clean(text), text);
            assert_eq!(clean(&format!("{text}\u{200d}")), text);
        }
    }

    #[test]
    fn cleaned_again_it_stays_the_same() {
        for text in [
            "\u{a0}\u{200d}\u{a0}\u{e9}",
            "\u{e9}\u{200d}\u{200b}\u{200d}\u{e9}",
            "\u{e9}\u{fe0f}\u{200b} \u{200d}",
            "a\u{200b} \u{feff}",
            "\u{fe0f}\u{e9}",
        ] {
            let once = clean(text);
            assert_eq!(clean(&once), once, "{text:?}");
        }
    }

    #[test]
    fn what_nobody_filled_in_is_seen_in_any_letter_case() {
        for unfilled in [
            "undefined",
            "Undefined",
            "UNDEFINED",
            " undefined ",
            "undefined\u{200b}",
            "null",
            "NULL",
            "Null",
            "NaN",
            "nan",
            "nil",
            "<nil>",
            "(null)",
            "None",
            "[object Object]",
            "[OBJECT OBJECT]",
            "[object Undefined]",
            "{{userId}}",
            "{{ user.id }}",
            "order-{{id}}",
            "{{}}",
            "${userId}",
            "a${b}c",
            "#{id}",
            "<%= id %>",
            "{% id %}",
            "*|EMAIL|*",
            "%%user%%",
            "{userId}",
            "{0}",
            "{}",
            "%user_id%",
            "<userId>",
            "%s",
            "%d",
            "order-%s",
            "%1$s",
            "%@",
            "order-undefined",
            "undefined_7",
            " ",
            "\t",
            "\u{200b}",
            "\u{feff} ",
        ] {
            assert_eq!(filled_in(unfilled), None, "{unfilled:?}");
        }
    }

    #[test]
    fn a_body_is_an_object_or_nothing() {
        for body in ["", "[]", "{", "null", "7", r#"{"userId": "\ud800"}"#] {
            assert_eq!(object(body.as_bytes()), None, "{body}");
        }
        for body in ["{}", " {} ", "\u{feff}{}"] {
            assert_eq!(object(body.as_bytes()), Some(Map::new()), "{body}");
        }
    }

    #[test]
    fn ids_that_only_look_a_little_like_that_are_taken() {
        for id in [
            "",
            "0",
            "nullable",
            "null-1",
            "nancy",
            "Nan Chen",
            "nonesuch",
            "nil-7",
            "undefinedly",
            "object",
            "{\"a\": 1}",
            "100%sure",
            "%d0%b0",
            "a%20b",
            "50%",
            "%",
            "$7",
            "<7>",
            "user@example.com",
            "a{b",
            "a}}b{{c",
            "' OR 1=1 --",
            "<a@b>",
            "T-1",
            "1e3",
            "true",
        ] {
            assert_eq!(filled_in(id).as_deref(), Some(id), "{id:?}");
        }
    }
}
