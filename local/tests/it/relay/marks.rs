//! What people mark in their words, bold, links and the like, is marked on the other side.

use serde_json::{Value, json};
use simulators::telegram::{Conversation, SeenMessage, User};

use super::{DESK, answers, desk, idle, private, shown, texts, topic_of, writes};

const TOKEN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRST";

/// What is marked in a message, with the words, but for what Telegram finds by itself.
pub(super) fn marks(message: &SeenMessage) -> Vec<(String, String)> {
    let units: Vec<u16> = message.text.encode_utf16().collect();
    let place =
        |entity: &Value, name: &str| usize::try_from(entity[name].as_u64().unwrap()).unwrap();
    let read = message.entities.iter().map(|entity| {
        let (from, length) = (place(entity, "offset"), place(entity, "length"));
        let words = String::from_utf16(&units[from..from + length]).unwrap();
        let kind = entity["type"].as_str().unwrap().to_owned();
        (kind, words)
    });
    read.filter(|(kind, _)| kind != "url").collect()
}

pub(super) fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(kind, words): &(&str, &str)| ((*kind).to_owned(), (*words).to_owned());
    expected.iter().map(owned).collect()
}

#[tokio::test]
async fn words_keep_what_is_marked_in_them_and_lose_their_tokens() {
    let stack = desk().await;
    let ann = User::new(7).named("Ann");
    let place = private(&stack, 7);
    let link = format!("https://t.me/b?start=c_{TOKEN}");
    let cases = [
        (
            "🎫 <b>bold</b> &lt;x&gt; <a href=\"https://a.example/\">link</a>".to_owned(),
            "🎫 bold <x> link",
            pairs(&[("bold", "bold"), ("text_link", "link")]),
        ),
        (
            // The link of a page; one that opens the bot would be a claim, and go to nobody.
            format!("🎫 <i>see https://a.example/c/{TOKEN} now</i> or <b>later</b> <u>{TOKEN}</u>"),
            "🎫 see https://a.example/c/… now or later …",
            pairs(&[
                ("italic", "see https://a.example/c/… now"),
                ("bold", "later"),
            ]),
        ),
        (
            format!("<b>look</b> <a href=\"{link}\">here</a>"),
            "look here",
            pairs(&[("bold", "look")]),
        ),
        (
            "<pre><code class=\"language-rust\">fn</code></pre>".to_owned(),
            "fn",
            pairs(&[("pre", "fn")]),
        ),
    ];
    for (html, _, _) in &cases {
        stack.telegram.says_html(place, &ann, html);
        idle(&stack).await;
    }
    let topic = topic_of(&stack, 7);
    let all = shown(&stack, topic);
    assert_eq!(texts(&all), cases.clone().map(|(_, text, _)| text));
    for (message, (html, _, expected)) in all.iter().zip(&cases) {
        assert_eq!(marks(message), *expected, "{html}");
        let whole = json!(message.entities).to_string();
        assert!(!whole.contains(TOKEN), "{whole}");
    }
}

#[tokio::test]
async fn captions_and_edits_keep_what_is_marked_both_ways() {
    let stack = desk().await;
    let (ann, place) = (User::new(7).named("Ann"), private(&stack, 7));
    let photo =
        stack
            .telegram
            .sends_photo_html(place, &ann, &format!("<b>me</b> c_{TOKEN} <i>too</i>"));
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let in_topic = |at: usize| shown(&stack, topic)[at].clone();
    assert_eq!(in_topic(0).text, "me … too");
    assert_eq!(
        marks(&in_topic(0)),
        pairs(&[("bold", "me"), ("italic", "too")])
    );
    // A long caption is cut, and its marks with it.
    let long = format!("<b>{}</b><i>end</i>", "🎫".repeat(600));
    stack.telegram.edits_html(place, photo, &long);
    let words = writes(&stack, 7, "plain");
    idle(&stack).await;
    let tickets = "🎫".repeat(511);
    assert_eq!(in_topic(0).text, format!("{tickets}…"));
    assert_eq!(marks(&in_topic(0)), pairs(&[("bold", tickets.as_str())]));
    stack
        .telegram
        .edits_html(place, words, &format!("no: <s>plain</s> c_{TOKEN}"));
    idle(&stack).await;
    let edited = in_topic(1);
    assert_eq!(
        (edited.text.as_str(), marks(&edited)),
        ("no: plain …", pairs(&[("strikethrough", "plain")]))
    );
    let answer = answers(&stack, topic, "yes");
    idle(&stack).await;
    let desk = Conversation::chat(DESK);
    stack.telegram.edits_html(desk, answer, "<b>yes</b>, we do");
    idle(&stack).await;
    let heard = stack.customer(7).messages_of(stack.bot_id);
    let last = heard.last().unwrap();
    assert_eq!(
        (last.text.as_str(), marks(last)),
        ("yes, we do", pairs(&[("bold", "yes")]))
    );
}
