//! Hostile names, and messages at their limit.

use super::*;

/// The tags that our texts use, of those that Telegram takes.
const TAGS: [&str; 3] = ["b", "i", "code"];

/// Whether Telegram's parser takes it.
pub(in crate::texts) fn check(html: &str) -> Result<(), String> {
    let mut open = Vec::new();
    for piece in pieces(html) {
        match piece {
            Piece::Open { source, tag } => {
                if source != format!("<{tag}>") || !TAGS.contains(&tag) {
                    return Err(format!("{source} in {html}"));
                }
                open.push(tag);
            }
            Piece::Close { source } => {
                let expected = open.pop().map(|tag| format!("</{tag}>"));
                if expected.as_deref() != Some(source) {
                    return Err(format!("{source}, not {expected:?}, in {html}"));
                }
            }
            Piece::Character { source, .. } if ["<", ">", "&"].contains(&source) => {
                return Err(format!("a bare {source} in {html}"));
            }
            Piece::Character { .. } => {}
        }
    }
    let end: Vec<_> = open.into_iter().collect();
    if end.is_empty() {
        Ok(())
    } else {
        Err(format!("{end:?} stands open in {html}"))
    }
}

/// What is shown of HTML.
pub(in crate::texts) fn shown(html: &str) -> String {
    let shown = |piece: &Piece<'_>| match piece {
        Piece::Character { shown, .. } => Some(*shown),
        Piece::Open { .. } | Piece::Close { .. } => None,
    };
    pieces(html).iter().filter_map(shown).collect()
}

fn isolated(text: &str) -> String {
    format!("\u{2068}{text}\u{2069}")
}

#[test]
fn a_hostile_name_is_shown_as_it_is_written_and_stays_in_its_place() {
    for (raw, html) in [
        ("Ann", "Ann"),
        ("</b>", "&lt;/b&gt;"),
        ("&lt;", "&amp;lt;"),
        ("<a href=\"x\">&", "&lt;a href=&quot;x&quot;&gt;&amp;"),
        ("abc\u{202e}gnp.exe", "abcgnp.exe"),
        ("\u{2067}\u{2069}\u{2069}Ann\u{200f}", "Ann"),
        ("A\u{200b}n\u{2060}n\u{feff}", "Ann"),
        ("Ann\nBob\r\n\tCy\u{85}Di\u{2028}Ed", "Ann Bob Cy Di Ed"),
        ("  Ann \u{3000}\u{a0} Bob ", "Ann Bob"),
        ("A\u{0}n\u{7f}n", "A n n"),
        ("\u{301}\u{301}Ann \u{301}Bob", "Ann Bob"),
        ("Zoe\u{308}", "Zoe\u{308}"),
        (
            "\u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}",
            "\u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}",
        ),
        ("Ann\u{e0100}\u{e000}\u{1160}", "Ann"),
        ("\u{1f468}\u{200d}\u{1f469}", "\u{1f468}\u{200d}\u{1f469}"),
        (
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
        ),
        ("", "?"),
        (" \n ", "?"),
        ("\u{202e}\u{200b}\u{2800}\u{3164}", "?"),
        ("\u{301}\u{302}", "?"),
    ] {
        let named = name(raw, 64);
        assert_eq!(named, isolated(html), "{raw:?}");
        assert_eq!(check(&named), Ok(()));
        assert_eq!(plain_name(raw, 64), shown(&named), "{raw:?}");
    }
}

#[test]
fn marks_are_not_heaped_up() {
    let raw = format!("A{}n", "\u{301}".repeat(200));
    assert_eq!(name(&raw, 64), isolated("A\u{301}\u{301}\u{301}n"));
    let mixed = format!("A{}", "\u{301}\u{200d}\u{fe0f}\u{20dd}".repeat(50));
    let marks = name(&mixed, 64).chars().filter(|c| is_joined(*c)).count();
    assert_eq!(marks, 3);
    // What is left of a sign that alone is too long.
    let tags = format!("\u{1f3f4}{}", "\u{e0067}".repeat(200));
    let kept = format!("\u{1f3f4}{}…", "\u{e0067}".repeat(3));
    assert_eq!(name(&tags, 10), isolated(&kept));
}

#[test]
fn a_long_name_is_cut_and_still_isolated() {
    for (raw, limit, kept) in [
        ("Ann Bob Cy", 10, "Ann Bob Cy"),
        ("Ann Bob Cyd", 10, "Ann Bob…"),
        ("Anneliese-Marie", 10, "Anneliese…"),
        ("&&&&", 3, "&amp;&amp;…"),
        // Two units each: five of them would be ten, and no ellipsis.
        (
            "\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}",
            10,
            "\u{1f600}\u{1f600}\u{1f600}\u{1f600}…",
        ),
        // One sign is not divided.
        (
            "abcd\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            10,
            "abcd…",
        ),
        ("abcdefghe\u{301}\u{302}", 10, "abcdefgh…"),
    ] {
        assert_eq!(name(raw, limit), isolated(kept), "{raw:?}");
    }
}

#[test]
fn length_is_counted_as_telegram_counts() {
    for (html, expected) in [
        ("", 0),
        ("abc", 3),
        ("é", 1),
        ("\u{1f600}", 2),
        ("<b>a</b>", 1),
        ("<a href=\"https://t.me/x?a=1&amp;b=2\">a</a>", 1),
        ("&lt;&gt;&amp;&quot;", 4),
        ("&#65;&#x1F600;", 3),
        ("&nbsp;", 6),
        ("&;&#;&#xd800;&#9999999999;", 26),
        ("a & b < c", 9),
    ] {
        assert_eq!(units(html), expected, "{html}");
    }
}

#[test]
fn a_message_is_cut_at_a_word_with_its_tags_closed() {
    for (html, limit, kept) in [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),
        ("one <b>two three</b>", 12, "one <b>two…</b>"),
        ("one <b>two</b> three", 12, "one <b>two</b>…"),
        (
            "one <b><i>two three four</i></b>",
            14,
            "one <b><i>two three…</i></b>",
        ),
        // The word ends where the tag has not begun.
        ("one two <b>three</b>", 10, "one two…"),
        (
            "<a href=\"x y\">one two three</a>",
            9,
            "<a href=\"x y\">one two…</a>",
        ),
        ("one two   three", 12, "one two…"),
        // Entities are one unit, and whole.
        ("&amp;&amp;&amp;&amp; a", 5, "&amp;&amp;&amp;&amp;…"),
        // A word longer than half of the limit is cut itself.
        ("a bcdefghijklmn", 10, "a bcdefgh…"),
        ("\u{1f600}\u{1f600}\u{1f600}", 4, "\u{1f600}…"),
        ("\u{1f600}\u{1f600}\u{1f600}", 5, "\u{1f600}\u{1f600}…"),
        // What is isolated ends, too.
        (
            "one two \u{2068}three four\u{2069}",
            16,
            "one two \u{2068}three…\u{2069}",
        ),
    ] {
        let found = cut(html, limit);
        assert_eq!(found, kept, "{html}");
        assert!(units(&found) <= limit, "{found}");
    }
}

#[test]
fn wherever_a_message_is_cut_it_is_whole_and_short_enough() {
    let html = format!(
        "<b>{}</b> says &lt;hello&gt;: <i>\u{1f468}\u{200d}\u{1f469} <code>a&amp;b</code></i> \u{1f600}\u{1f600}",
        name("Zoe\u{308} \u{5d0}\u{5d1} & Co", 64)
    );
    assert_eq!(check(&html), Ok(()));
    for limit in 1..=units(&html) {
        let found = cut(&html, limit);
        assert_eq!(check(&found), Ok(()), "at {limit}");
        assert!(units(&found) <= limit, "{found} at {limit}");
        let opened = found.matches(ISOLATE).count();
        assert_eq!(opened, found.matches(ISOLATE_END).count(), "{found}");
    }
    assert_eq!(cut(&html, units(&html)), html);
}

#[test]
fn the_longest_message_is_as_long_as_telegram_takes() {
    let letters = "a".repeat(MESSAGE_UNITS);
    assert_eq!(cut(&letters, MESSAGE_UNITS), letters);
    // The pair of surrogates would be the units 4096 and 4097.
    let pair = format!("{}\u{1f600}b", "a".repeat(MESSAGE_UNITS - 1));
    let kept = cut(&pair, MESSAGE_UNITS);
    assert_eq!(kept, format!("{}…", "a".repeat(MESSAGE_UNITS - 1)));
    assert_eq!(units(&kept), MESSAGE_UNITS);
}
