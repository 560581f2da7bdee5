//! Photos that people send, alone or as an album. Files themselves are not simulated.

use serde_json::{Map, Value, json};

use super::Telegram;
use super::conversation::{Conversation, Draft};
use super::entities::{Formatted, marked};
use super::member::User;
use super::person::Reach;

impl Telegram {
    /// The person sends a photo. Gives the id of the message; 0 if there is no such conversation.
    pub fn sends_photo(&self, conversation: Conversation, user: &User, caption: &str) -> i64 {
        let caption = vec![Formatted::plain(caption)];
        let sent = self.sends_photos(conversation, user, caption, (None, None));
        sent.first().copied().unwrap_or_default()
    }

    /// The same, below which stand words that the person marks, as HTML.
    ///
    /// # Panics
    /// If it is not the HTML of the Bot API.
    pub fn sends_photo_html(&self, conversation: Conversation, user: &User, html: &str) -> i64 {
        let sent = self.sends_photos(conversation, user, vec![marked(html)], (None, None));
        sent.first().copied().unwrap_or_default()
    }

    /// The person sends photos as one album, each with a caption or an empty one. Bots get a message for each.
    pub fn sends_album(
        &self,
        conversation: Conversation,
        user: &User,
        captions: &[&str],
    ) -> Vec<i64> {
        self.sends_photos(
            conversation,
            user,
            plain(captions),
            (Some(&new_album()), None),
        )
    }

    /// As [`Self::sends_album`], in a topic of a chat.
    pub fn sends_album_in_topic(
        &self,
        chat_id: i64,
        thread_id: i64,
        user: &User,
        captions: &[&str],
    ) -> Vec<i64> {
        let conversation = Conversation::chat(chat_id);
        self.sends_photos(
            conversation,
            user,
            plain(captions),
            (Some(&new_album()), Some(thread_id)),
        )
    }

    fn sends_photos(
        &self,
        conversation: Conversation,
        user: &User,
        captions: Vec<Formatted>,
        (album, thread_id): (Option<&str>, Option<i64>),
    ) -> Vec<i64> {
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            if let Conversation::Private { bot_id, .. } = conversation {
                world.set_reach(bot_id, user, Reach::Open, now_ms);
            }
            let sent = captions.into_iter().filter_map(|caption| {
                let mut draft = Draft::new(user.clone(), caption);
                draft.more = photo();
                draft.album = album.map(str::to_owned);
                draft.thread_id = thread_id;
                world.say(conversation, draft, now_ms)
            });
            sent.collect()
        })
    }
}

fn plain(captions: &[&str]) -> Vec<Formatted> {
    let all = captions.iter();
    all.map(|caption| Formatted::plain(caption)).collect()
}

/// The id of a new album.
pub(crate) fn new_album() -> String {
    fastrand::u64(1 << 50..1 << 60).to_string()
}

fn photo() -> Map<String, Value> {
    let id = format!("{:032x}", fastrand::u128(..));
    let sizes = json!([{
        "file_id": format!("AgAC{id}"), "file_unique_id": id.get(..15), "width": 1280, "height": 720,
    }]);
    Map::from_iter([("photo".to_owned(), sizes)])
}
