//! Words with what Telegram marks in them: bold, links and the like. Places are counted in UTF-16 units, as everywhere in the Bot
//! API (<https://core.telegram.org/bots/api#messageentity>).
//!
//! ```text
//! see c_TOKEN at once        what is taken out is one `…`; marks before it stay, those behind it move,
//! see … at once              and those that reach into it end, or begin, beside it
//! ```

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claim::{may_show_payload, payload_places};

/// The most marks of a message; Telegram takes no more.
const MARKS_MAX: usize = 100;
/// The longest mark, as JSON in bytes: a link that is longer is none that somebody reads.
const MARK_MAX_BYTES: usize = 2048;
/// What stands in the place of what is taken out, or cut.
const CUT: char = '…';

/// A mark: a `MessageEntity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextMark {
    /// Where it begins.
    pub offset: usize,
    /// How long it is.
    pub length: usize,
    /// What it is, as Telegram says it: `type`, and what belongs to that.
    #[serde(flatten)]
    pub what: Map<String, Value>,
}

/// Words and their marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkedText {
    /// The words.
    pub text: String,
    /// The marks.
    pub marks: Vec<TextMark>,
}

impl TextMark {
    /// The words that are bold.
    #[must_use]
    pub fn bold(offset: usize, length: usize) -> Self {
        let what = Map::from_iter([("type".to_owned(), "bold".into())]);
        Self {
            offset,
            length,
            what,
        }
    }

    /// Reads `entities`, or `caption_entities`. What can't be read is none, and what is beyond the bounds is left out.
    #[must_use]
    pub fn read_all(entities: &Value) -> Vec<Self> {
        let all = entities.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_small = |entity: &&Value| entity.to_string().len() <= MARK_MAX_BYTES;
        all.iter()
            .take(MARKS_MAX)
            .filter(is_small)
            .filter_map(|entity| serde_json::from_value(entity.clone()).ok())
            .collect()
    }

    fn end(&self) -> usize {
        self.offset.saturating_add(self.length)
    }

    /// The same, at another place; nothing if nothing is left of it.
    fn at(self, place: Range<usize>) -> Option<Self> {
        (!place.is_empty()).then_some(Self {
            offset: place.start,
            length: place.len(),
            ..self
        })
    }
}

impl MarkedText {
    /// Words without marks.
    #[must_use]
    pub const fn plain(text: String) -> Self {
        Self {
            text,
            marks: Vec::new(),
        }
    }

    /// The words in which no claim link or token can be read any more, neither in a mark: `…` stands in the place of each, and
    /// marks that hold one, as a link does, are left out.
    #[must_use]
    pub fn without_payloads(mut self) -> Self {
        self.marks
            .retain(|mark| !mark.what.values().any(holds_payload));
        let (mut shown, mut taken_out) = (String::with_capacity(self.text.len()), Vec::new());
        let (mut copied, mut at) = (0, 0);
        for place in payload_places(&self.text) {
            let before = &self.text[copied..place.start];
            shown.push_str(before);
            shown.push(CUT);
            at += units(before);
            let length = units(&self.text[place.clone()]);
            taken_out.push(at..at + length);
            at += length;
            copied = place.end;
        }
        shown.push_str(&self.text[copied..]);
        let marks = self.marks.into_iter();
        let marks = marks.filter_map(|mark| beside(mark, &taken_out));
        Self {
            marks: marks.collect(),
            text: shown,
        }
    }

    /// The words, of less than `most` units: longer ones are cut, and `…` stands at their end.
    #[must_use]
    pub fn cut(mut self, most: usize) -> Self {
        let mut kept = 0;
        let fits = |c: &char| {
            let fits = kept + c.len_utf16() < most;
            kept += if fits { c.len_utf16() } else { 0 };
            fits
        };
        let bytes: usize = self.text.chars().take_while(fits).map(char::len_utf8).sum();
        if bytes == self.text.len() {
            return self;
        }
        self.text.truncate(bytes);
        self.text.push(CUT);
        let marks = self.marks.into_iter().filter_map(|mark| {
            let place = mark.offset.min(kept)..mark.end().min(kept);
            mark.at(place)
        });
        self.marks = marks.collect();
        self
    }

    /// Puts words behind these.
    pub fn push(&mut self, text: &str, marks: &[TextMark]) {
        let moved = units(&self.text);
        self.text.push_str(text);
        let room = MARKS_MAX.saturating_sub(self.marks.len());
        self.marks
            .extend(marks.iter().take(room).map(|mark| TextMark {
                offset: mark.offset.saturating_add(moved),
                ..mark.clone()
            }));
    }
}

/// The length of words, as Telegram counts it.
#[must_use]
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// A mark where these places are one unit each, beside which it stands or which it holds whole; nothing if it stands within one.
fn beside(mark: TextMark, taken_out: &[Range<usize>]) -> Option<TextMark> {
    let (mut start, mut end) = (mark.offset, mark.end());
    for place in taken_out {
        let saved = place.len().saturating_sub(1);
        if place.start <= mark.offset && mark.end() <= place.end {
            return None;
        }
        if mark.offset >= place.end {
            start -= saved;
        } else if mark.offset > place.start {
            // Behind what stands there now.
            start -= mark.offset - place.start - 1;
        }
        if mark.end() >= place.end {
            end -= saved;
        } else if mark.end() > place.start {
            end -= mark.end() - place.start;
        }
    }
    mark.at(start..end)
}

fn holds_payload(value: &Value) -> bool {
    match value {
        Value::String(text) => may_show_payload(text),
        Value::Array(values) => values.iter().any(holds_payload),
        Value::Object(fields) => fields.values().any(holds_payload),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRST";

    fn marked(text: &str, marks: &[(usize, usize)]) -> MarkedText {
        MarkedText {
            text: text.to_owned(),
            marks: marks
                .iter()
                .map(|(offset, length)| TextMark::bold(*offset, *length))
                .collect(),
        }
    }

    /// The words below each mark.
    fn below(words: &MarkedText) -> Vec<String> {
        let all: Vec<u16> = words.text.encode_utf16().collect();
        let of = |mark: &TextMark| String::from_utf16(&all[mark.offset..mark.end()]).unwrap();
        words.marks.iter().map(of).collect()
    }

    #[test]
    fn marks_beside_what_is_taken_out_stay_where_their_words_are() {
        // 🎫 has two units; the link begins at 7, and the token within it at 7 + 19.
        let text = format!("🎫 see https://t.me/b?start=c_{TOKEN}, at once");
        let begins = 2 + 5 + "https://t.me/b?start=".len();
        let ends = begins + 2 + TOKEN.len();
        for (mark, expected) in [
            ((0, 2), Some("🎫")),
            ((3, 3), Some("see")),
            ((3, begins - 3), Some("see https://t.me/b?start=")),
            ((ends, 9), Some(", at once")),
            // The whole of it.
            (
                (0, ends + 9),
                Some("🎫 see https://t.me/b?start=…, at once"),
            ),
            ((7, ends - 7), Some("https://t.me/b?start=…")),
            // Into it, and out of it.
            ((3, begins), Some("see https://t.me/b?start=")),
            ((ends - 4, 8), Some(", at")),
            // Within it.
            ((begins, ends - begins), None),
            ((begins + 2, 5), None),
        ] {
            let shown = marked(&text, &[mark]).without_payloads();
            assert_eq!(shown.text, "🎫 see https://t.me/b?start=…, at once");
            let expected: Vec<String> = expected.map(str::to_owned).into_iter().collect();
            assert_eq!(below(&shown), expected, "{mark:?}");
        }
    }

    #[test]
    fn where_nothing_is_taken_out_marks_stay_as_they_are() {
        let entities = json!([
            {"type": "text_link", "offset": 0, "length": 4, "url": "https://a.example/"},
            {"type": "pre", "offset": 5, "length": 4, "language": "rust"},
            {"type": "text_mention", "offset": 0, "length": 1, "user": {"id": 7, "first_name": "A"}},
            {"type": "of_tomorrow", "offset": 1, "length": 2, "x": [1]},
        ]);
        let words = MarkedText {
            text: "here code".to_owned(),
            marks: TextMark::read_all(&entities),
        };
        let shown = words.clone().without_payloads().cut(1024);
        assert_eq!(shown, words);
        assert_eq!(serde_json::to_value(&shown.marks).unwrap(), entities);
    }

    #[test]
    fn a_mark_that_holds_a_claim_link_is_left_out() {
        let link = format!("https://t.me/b?start=c_{TOKEN}");
        for entity in [
            json!({"type": "text_link", "offset": 0, "length": 4, "url": link}),
            json!({"type": "pre", "offset": 0, "length": 4, "language": TOKEN}),
            json!({"type": "x", "offset": 0, "length": 4, "y": [{"z": TOKEN}]}),
        ] {
            let words = MarkedText {
                text: "here".to_owned(),
                marks: TextMark::read_all(&json!([entity])),
            };
            assert_eq!(words.marks.len(), 1);
            assert_eq!(words.without_payloads(), marked("here", &[]), "{entity}");
        }
    }

    #[test]
    fn what_is_no_mark_is_left_out_and_there_are_a_hundred_at_most() {
        let url = "x".repeat(MARK_MAX_BYTES);
        let odd = json!([7, null, {}, {"type": "bold"}, {"type": "bold", "offset": -1, "length": 1},
            {"type": "text_link", "offset": 0, "length": 1, "url": url}]);
        assert_eq!(TextMark::read_all(&odd), []);
        assert_eq!(TextMark::read_all(&Value::Null), []);
        let bold = json!({"type": "bold", "offset": 0, "length": 1});
        let many = Value::Array(vec![bold; 300]);
        assert_eq!(TextMark::read_all(&many).len(), MARKS_MAX);
        // Ones that no message of Telegram's has.
        let wild = marked("a", &[(usize::MAX, usize::MAX), (0, usize::MAX), (9, 1)]);
        assert_eq!(wild.clone().without_payloads().marks.len(), 2);
        assert_eq!(wild.cut(1).marks, []);
    }

    #[test]
    fn words_that_are_cut_lose_what_is_marked_beyond() {
        let words = marked("🎫🎫🎫", &[(0, 2), (2, 4), (4, 2)]);
        assert_eq!(words.clone().cut(7), words);
        let cut = words.cut(6);
        assert_eq!(cut.text, "🎫🎫…");
        assert_eq!(below(&cut), ["🎫", "🎫"]);
    }

    #[test]
    fn words_that_are_put_behind_others_keep_their_marks() {
        let mut words = marked("🎫 a", &[(3, 1)]);
        words.push("\n\n", &[]);
        words.push("b c", &marked("b c", &[(2, 1)]).marks);
        assert_eq!(below(&words), ["a", "c"]);
        for _ in 0..200 {
            words.push("d", &[TextMark::bold(0, 1)]);
        }
        assert_eq!(words.marks.len(), MARKS_MAX);
    }

    /// Numbers by chance, the same for each seed.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, most: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap() % most
        }
    }

    /// Whatever is marked, in whatever text: below a mark stand the same words as before, but for what was taken out.
    #[test]
    fn below_a_mark_stand_the_words_that_stood_there() {
        let token = format!("c_{TOKEN}");
        let parts = ["a", "é", "🎫", " ", "👩‍👧", "см. ", "/", "…", token.as_str()];
        for seed in 0..3000 {
            let mut chance = Chance(seed);
            let written: String = (0..chance.below(12))
                .map(|_| parts[chance.below(parts.len())])
                .collect();
            let out = payload_places(&written);
            let is_out = |at: usize| out.iter().any(|place| place.contains(&at));
            // Each character with whether it is taken out.
            let text: Vec<(char, bool)> = written
                .char_indices()
                .map(|(at, c)| (c, is_out(at)))
                .collect();
            let mut places = vec![0];
            for (c, _) in &text {
                places.push(places.last().unwrap() + c.len_utf16());
            }
            let marks: Vec<(usize, usize)> = (0..chance.below(6))
                .map(|_| {
                    let (one, two) = (chance.below(places.len()), chance.below(places.len()));
                    (one.min(two), one.max(two))
                })
                .filter(|(from, to)| from < to)
                .collect();
            let words = MarkedText {
                text: written.clone(),
                marks: marks
                    .iter()
                    .enumerate()
                    .map(|(number, (from, to))| {
                        let mut mark = TextMark::bold(places[*from], places[*to] - places[*from]);
                        mark.what.insert("number".to_owned(), number.into());
                        mark
                    })
                    .collect(),
            };
            // As it is to be: what is taken out counts where it is marked whole, and not at all where a mark ends in it.
            let expected: Vec<(usize, String)> = marks
                .iter()
                .enumerate()
                .filter_map(|(number, (from, to))| {
                    let kept = text[*from..*to].iter().filter(|(_, out)| !out).count();
                    let mut shown = String::new();
                    for (at, (c, is_out)) in text.iter().enumerate().take(*to).skip(*from) {
                        let before = at.checked_sub(1).is_some_and(|before| text[before].1);
                        match (is_out, before) {
                            (false, _) => shown.push(*c),
                            (true, false) => {
                                let rest = text[at..].iter().take_while(|(_, out)| *out).count();
                                shown.extend((at + rest <= *to).then_some(CUT));
                            }
                            (true, true) => {}
                        }
                    }
                    (kept > 0).then_some((number, shown))
                })
                .collect();
            let shown = words.without_payloads();
            let found: Vec<(usize, String)> = shown
                .marks
                .iter()
                .map(|mark| usize::try_from(mark.what["number"].as_u64().unwrap()).unwrap())
                .zip(below(&shown))
                .collect();
            assert_eq!(found, expected, "seed {seed}: {shown:?}");
        }
    }
}
