//! What the visitor does with the phone of the page, as one person of simulated Telegram after another, and as an operator
//! in the forum. All of it is done to the simulator alone.
//!
//! A link is opened here only if it is one of `t.me`; any other is left to the page.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;
use simulators::telegram::{ButtonTap, Conversation, OWNER_ID, StartPayload, StartTap, User};

use super::actions::{
    Acted, action, bad, blocked, end, no_such_button, no_such_person, no_such_topic, not_in_chat,
    read, tap_name, telegram,
};
use super::context::Served;
use crate::externals::SimulatedTelegram;

/// The longest name of a person, in characters. A buyer's name may be one.
const NAME_MAX_CHARS: usize = 100;
/// The longest text of a message, in characters, as in Telegram's apps.
const TEXT_MAX_CHARS: usize = 4096;

pub(super) fn routes() -> Router<Served> {
    Router::new()
        .route("/phone-person", post(person))
        .route("/phone-say", post(say))
        .route("/phone-open", post(open))
        .route("/phone-press", post(press))
        .route("/phone-leave", post(leave))
        .route("/phone-block", post(block))
        .route("/forum-say", post(say_in_forum))
}

/// A text of a message, without white space around it.
fn text(given: &str, max: usize) -> Option<&str> {
    let text = given.trim();
    let is_taken = !text.is_empty() && text.chars().count() <= max;
    is_taken.then_some(text)
}

#[derive(Deserialize)]
struct NewPerson {
    name: String,
}

action!(person, NewPerson, async |served: &Served,
                                  new: NewPerson|
       -> Acted {
    telegram(served)?;
    let name = text(&new.name, NAME_MAX_CHARS).filter(|name| !name.contains(char::is_control));
    let user = served.page.cast.named(name.ok_or_else(bad)?);
    Ok(json!({"person": user.id}))
});

#[derive(Deserialize)]
struct Said {
    person: i64,
    text: String,
}

action!(say, Said, async |served: &Served, said: Said| -> Acted {
    let telegram = telegram(served)?;
    let text = text(&said.text, TEXT_MAX_CHARS).ok_or_else(bad)?;
    let user = served.page.cast.find(said.person);
    let user = user.ok_or_else(no_such_person)?;
    let SimulatedTelegram { server, bot_id, .. } = telegram;
    // Only START and its button lift a block.
    if server.has_blocked(*bot_id, user.id) {
        return Err(blocked());
    }
    server.says(Conversation::private(*bot_id, user.id), &user, text);
    Ok(json!({}))
});

#[derive(Deserialize)]
struct OpenedLink {
    person: i64,
    link: String,
}

action!(open, OpenedLink, async |served: &Served,
                                 opened: OpenedLink|
       -> Acted {
    let telegram = telegram(served)?;
    let user = served.page.cast.find(opened.person);
    let user = user.ok_or_else(no_such_person)?;
    Ok(json!({"outcome": follow(telegram, &user, &opened.link)}))
});

/// What a link comes to that a person opens: the word for it.
fn follow(telegram: &SimulatedTelegram, user: &User, link: &str) -> &'static str {
    let Some(path) = link.strip_prefix("https://t.me/") else {
        return "outside";
    };
    if path.starts_with('+') {
        return tap_name(telegram.server.tap(link, user.clone()));
    }
    match telegram
        .server
        .taps_start_link(link, user, StartPayload::Kept)
    {
        StartTap::Started(_) => "started",
        StartTap::NoSuchBot | StartTap::BadPayload => "unknown",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pressed {
    person: i64,
    message_id: i64,
    /// What the button says.
    button: String,
}

action!(press, Pressed, async |served: &Served,
                               pressed: Pressed|
       -> Acted {
    let telegram = telegram(served)?;
    let user = served.page.cast.find(pressed.person);
    let user = user.ok_or_else(no_such_person)?;
    let conversation = Conversation::private(telegram.bot_id, user.id);
    let tapped =
        telegram
            .server
            .taps_button(conversation, &user, pressed.message_id, &pressed.button);
    let outcome = match tapped {
        ButtonTap::Asked(_) => "asked",
        ButtonTap::Opened(link) => follow(telegram, &user, &link),
        ButtonTap::Done => "done",
        ButtonTap::NoSuchButton => return Err(no_such_button()),
    };
    Ok(json!({"outcome": outcome}))
});

#[derive(Deserialize)]
struct OfPerson {
    person: i64,
}

action!(leave, OfPerson, async |served: &Served,
                                of: OfPerson|
       -> Acted {
    let telegram = telegram(served)?;
    let user = served.page.cast.find(of.person);
    let user = user.ok_or_else(no_such_person)?;
    let SimulatedTelegram {
        server, chat_id, ..
    } = telegram;
    if !server.status(*chat_id, user.id).is_present() {
        return Err(not_in_chat());
    }
    server.leave(*chat_id, user.id);
    Ok(json!({}))
});

#[derive(Deserialize)]
struct Block {
    person: i64,
    blocked: bool,
}

action!(block, Block, async |served: &Served,
                             wanted: Block|
       -> Acted {
    let telegram = telegram(served)?;
    let user = served.page.cast.find(wanted.person);
    let user = user.ok_or_else(no_such_person)?;
    let SimulatedTelegram { server, bot_id, .. } = telegram;
    match wanted.blocked {
        true => server.blocks(*bot_id, &user),
        false => server.unblocks(*bot_id, &user),
    }
    Ok(json!({}))
});

#[derive(Deserialize)]
struct SaidInForum {
    topic: i64,
    text: String,
}

action!(say_in_forum, SaidInForum, async |served: &Served,
                                          said: SaidInForum|
       -> Acted {
    let server = &telegram(served)?.server;
    let text = text(&said.text, TEXT_MAX_CHARS).ok_or_else(bad)?;
    let forum = server.forums().into_iter().next();
    let (chat_id, _) = forum.ok_or_else(no_such_topic)?;
    let owner = User::new(OWNER_ID).named("Owner");
    match server.says_in_topic(chat_id, said.topic, &owner, text) {
        0 => Err(no_such_topic()),
        _ => Ok(json!({})),
    }
});
