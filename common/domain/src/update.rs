//! What Telegram reports, sorted before anything is read or written: the kinds of updates that we act on, and of each the
//! fields that we use. All else is ignored without a record.
//!
//! Fields: <https://core.telegram.org/bots/api#update>.

mod membership;
mod message;
mod paying;
mod press;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::id::{ChatId, InviteLink, TelegramUserId};
use super::join::{self, MemberChange};
use super::relay::{DeskMessage, PrivateEdit};
use super::text;
use super::time::Timestamp;

pub use super::person::Sender;
pub use membership::{AdministratorRight, BotMembership, BotStanding};
pub use message::{ChatMoved, GroupMessage, PrivateMessage};
pub use paying::{PreCheckout, StarsTold};
pub use press::ButtonPress;

/// One update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Its number: each update of a bot has one of its own, and keeps it when it is sent again. 0 if it has none.
    pub id: i64,
    /// What it tells.
    pub kind: UpdateKind,
}

/// What an update means to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateKind {
    /// Somebody came into a chat, or went out.
    Member(MemberChange),
    /// Our bot was put into a chat or taken out of it, got or lost rights; or a person blocked it.
    Bot(BotMembership),
    /// Somebody asks to be let into a chat.
    JoinRequest(JoinRequest),
    /// A person wrote to the bot in private.
    Private(PrivateMessage),
    /// A person edited what they wrote to the bot in private.
    PrivateEdit(PrivateEdit),
    /// Somebody wrote in the operators' chat, or a topic of it is reported of.
    Desk(DeskMessage),
    /// Somebody edited what they wrote there.
    DeskEdit(DeskMessage),
    /// A person wrote a command in a group.
    Group(GroupMessage),
    /// A group has become a supergroup, which has another id.
    Moved(ChatMoved),
    /// A person pressed a button below a message of the bot.
    Press(ButtonPress),
    /// A person is about to pay, and waits for our word.
    PreCheckout(PreCheckout),
    /// A person has paid in Stars, or has them back.
    Stars(StarsTold),
    /// Anything else, and why it is none of these.
    Ignored(&'static str),
}

impl UpdateKind {
    /// The word for logs and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Member(_) => "chat_member",
            Self::Bot(_) => "my_chat_member",
            Self::JoinRequest(_) => "chat_join_request",
            Self::Private(_) | Self::Group(_) | Self::Desk(_) | Self::Moved(_) => "message",
            Self::PrivateEdit(_) | Self::DeskEdit(_) => "edited_message",
            Self::Press(_) => "callback_query",
            Self::PreCheckout(_) => "pre_checkout_query",
            Self::Stars(_) => "stars",
            Self::Ignored(_) => "ignored",
        }
    }
}

/// Somebody asks to be let into a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// The chat.
    pub chat: ChatId,
    /// Who asks.
    pub person: TelegramUserId,
    /// When, to the second, by Telegram's clock.
    pub at: Timestamp,
    /// By which link, if we are shown its whole URL: then our bot made it.
    pub link: Option<InviteLink>,
    /// The language of their app, as an IETF tag, if Telegram tells it.
    pub language_code: Option<String>,
}

/// The body is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(default)]
    update_id: i64,
    #[serde(borrow)]
    chat_member: Option<&'a RawValue>,
    #[serde(borrow)]
    my_chat_member: Option<&'a RawValue>,
    #[serde(borrow)]
    chat_join_request: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    callback_query: Option<&'a RawValue>,
    #[serde(borrow)]
    pre_checkout_query: Option<&'a RawValue>,
}

/// `Chat`.
#[derive(Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
}

/// `User`.
#[derive(Deserialize)]
struct User {
    id: i64,
    is_bot: bool,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    username: Option<String>,
    language_code: Option<String>,
}

#[derive(Deserialize)]
struct ChatInviteLink {
    invite_link: String,
}

#[derive(Deserialize)]
struct ChatJoinRequest {
    chat: Chat,
    from: User,
    date: i64,
    invite_link: Option<ChatInviteLink>,
}

/// Reads the body of a webhook call.
///
/// # Errors
/// [`NotJson`] if it is no JSON at all. JSON of any other shape is an update that is ignored.
pub fn classify(body: &[u8]) -> Result<Update, NotJson> {
    let text = std::str::from_utf8(text::without_mark(body)).map_err(|_| NotJson)?;
    let fields = match serde_json::from_str::<Fields<'_>>(text) {
        Ok(fields) => fields,
        // Of another shape, or beyond what a number can hold.
        Err(_) if serde_json::from_str::<IgnoredAny>(text).is_ok() => {
            return Ok(Update {
                id: 0,
                kind: UpdateKind::Ignored("not an update"),
            });
        }
        Err(_) => return Err(NotJson),
    };
    Ok(Update {
        id: fields.update_id,
        kind: kind_of(&fields),
    })
}

/// The same where `desk` is the operators' chat: what is written there is told apart, and edits are heard.
///
/// # Errors
/// [`NotJson`] if it is no JSON at all.
pub fn classify_for_desk(body: &[u8], desk: ChatId) -> Result<Update, NotJson> {
    let update = classify(body)?;
    let is_other = matches!(update.kind, UpdateKind::Group(_) | UpdateKind::Ignored(_));
    let relayed = match is_other {
        true => relayed(body, desk),
        false => None,
    };
    Ok(match relayed {
        Some(kind) => Update { kind, ..update },
        None => update,
    })
}

fn relayed(body: &[u8], desk: ChatId) -> Option<UpdateKind> {
    let update: serde_json::Value = serde_json::from_slice(text::without_mark(body)).ok()?;
    // Outside of topics people talk among themselves, and command.
    let in_topic = |message: &DeskMessage| message.chat == desk && message.written.thread.is_some();
    let in_desk = |message: &DeskMessage| {
        in_topic(message) || message.chat == desk && message.written.words().starts_with('/')
    };
    let (written, edited) = (&update["message"], &update["edited_message"]);
    if let Some(edit) = PrivateEdit::read(edited) {
        return Some(UpdateKind::PrivateEdit(edit));
    }
    if let Some(message) = DeskMessage::read(edited).filter(in_topic) {
        return Some(UpdateKind::DeskEdit(message));
    }
    let message = DeskMessage::read(written).filter(in_desk)?;
    Some(UpdateKind::Desk(message))
}

fn kind_of(fields: &Fields<'_>) -> UpdateKind {
    if let Some(raw) = fields.chat_member {
        return UpdateKind::Member(join::read(raw.get()));
    }
    if let Some(raw) = fields.my_chat_member {
        return match serde_json::from_str(raw.get()) {
            Ok(change) => membership::kind_of(change),
            Err(_) => UpdateKind::Ignored("not a ChatMemberUpdated"),
        };
    }
    if let Some(raw) = fields.chat_join_request {
        return match serde_json::from_str(raw.get()) {
            Ok(request) => join_request(request),
            Err(_) => UpdateKind::Ignored("not a ChatJoinRequest"),
        };
    }
    if let Some(raw) = fields.message {
        return match serde_json::from_str(raw.get()) {
            Ok(message) => message::kind_of(message, raw.get()),
            Err(_) => UpdateKind::Ignored("not a Message"),
        };
    }
    if let Some(raw) = fields.callback_query {
        return match serde_json::from_str(raw.get()) {
            Ok(query) => press::kind_of(query),
            Err(_) => UpdateKind::Ignored("not a CallbackQuery"),
        };
    }
    if let Some(raw) = fields.pre_checkout_query {
        return match serde_json::from_str(raw.get()) {
            Ok(query) => paying::asked(query),
            Err(_) => UpdateKind::Ignored("not a PreCheckoutQuery"),
        };
    }
    UpdateKind::Ignored("an update of another kind")
}

fn join_request(request: ChatJoinRequest) -> UpdateKind {
    if request.from.is_bot {
        return UpdateKind::Ignored("a bot");
    }
    let link = request.invite_link.map(|link| link.invite_link);
    let link = link.filter(|url| !url.is_empty()).map(InviteLink::new);
    UpdateKind::JoinRequest(JoinRequest {
        chat: ChatId(request.chat.id),
        person: TelegramUserId(request.from.id),
        at: Timestamp::from_seconds(request.date),
        link: link.filter(|link| !link.is_cut()),
        language_code: request.from.language_code,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: i64 = 1_763_640_000;

    fn read(update: &Value) -> UpdateKind {
        classify(update.to_string().as_bytes()).unwrap().kind
    }

    fn joined() -> Value {
        let member = |status| json!({"status": status, "user": {"id": 7, "is_bot": false, "first_name": "A"}});
        json!({"update_id": 5, "chat_member": {
            "chat": {"id": -100, "type": "supergroup", "title": "T"},
            "from": {"id": 5, "is_bot": false, "first_name": "Admin"},
            "date": AT, "old_chat_member": member("left"), "new_chat_member": member("member"),
            "invite_link": {"invite_link": "https://t.me/+full"},
        }})
    }

    fn written(text: &str) -> Value {
        json!({"update_id": 9, "message": {
            "message_id": 3, "date": AT, "text": text,
            "chat": {"id": 7, "type": "private", "first_name": "Ann"},
            "from": {"id": 7, "is_bot": false, "first_name": "Ann", "language_code": "pt-br"},
        }})
    }

    fn asked(link: &str) -> Value {
        json!({"update_id": 11, "chat_join_request": {
            "chat": {"id": -100, "type": "supergroup", "title": "T"},
            "from": {"id": 7, "is_bot": false, "first_name": "Ann"},
            "user_chat_id": 7, "date": AT,
            "invite_link": {"invite_link": link, "creates_join_request": true},
        }})
    }

    #[test]
    fn an_update_keeps_its_number_and_a_join_is_one() {
        let update = classify(joined().to_string().as_bytes()).unwrap();
        assert_eq!(update.id, 5);
        assert!(matches!(
            update.kind,
            UpdateKind::Member(MemberChange::Join(_))
        ));
    }

    #[test]
    fn a_person_in_private_is_heard_and_nobody_else() {
        let UpdateKind::Private(message) = read(&written("/start c_x")) else {
            panic!("not a private message");
        };
        assert_eq!(message.from.person, TelegramUserId(7));
        assert_eq!(message.from.name, "Ann");
        assert_eq!(message.from.language_code.as_deref(), Some("pt-br"));
        assert_eq!(message.message_id, 3);
        assert_eq!(message.at, Timestamp::from_seconds(AT));
        assert_eq!(message.text.as_deref(), Some("/start c_x"));
        // What a person writes is shown nowhere.
        assert!(!format!("{message:?}").contains("c_x"));

        let ignored = UpdateKind::Ignored("not a person's message");
        let changes: [fn(&mut Value); 4] = [
            |message| message["chat"]["type"] = json!("channel"),
            |message| message["from"]["is_bot"] = json!(true),
            |message| message["from"]["id"] = json!(8),
            |message| {
                message.as_object_mut().unwrap().remove("from");
            },
        ];
        for change in changes {
            let mut other = written("/start");
            change(&mut other["message"]);
            assert_eq!(read(&other), ignored, "{other}");
        }
    }

    #[test]
    fn in_a_group_commands_are_heard_and_nothing_else() {
        let in_group = |text: &str| {
            let mut update = written(text);
            update["message"]["chat"] = json!({"id": -100, "type": "supergroup"});
            update
        };
        let UpdateKind::Group(message) = read(&in_group("/help@AdmitBot")) else {
            panic!("not a command in a group");
        };
        assert_eq!(message.chat, ChatId(-100));
        assert_eq!(message.from.person, TelegramUserId(7));
        assert_eq!(message.text, "/help@AdmitBot");
        assert!(!format!("{message:?}").contains("help"));
        let chatter = UpdateKind::Ignored("talk in a group");
        assert_eq!(read(&in_group("good morning")), chatter);
        // Who writes in the name of a chat is nobody.
        let mut anonymous = in_group("/help");
        anonymous["message"]["sender_chat"] = json!({"id": -100, "type": "supergroup"});
        assert_eq!(
            read(&anonymous),
            UpdateKind::Ignored("written in the name of a chat")
        );
    }

    #[test]
    fn a_group_that_becomes_a_supergroup_says_so_once_in_the_old_one() {
        let mut moved = written("x");
        moved["message"]["chat"] = json!({"id": -5, "type": "group", "title": "T"});
        moved["message"]["migrate_to_chat_id"] = json!(-1_005);
        moved["message"].as_object_mut().unwrap().remove("text");
        let told = UpdateKind::Moved(ChatMoved {
            chat: ChatId(-5),
            to: ChatId(-1_005),
        });
        assert_eq!(read(&moved), told);
        // Nobody has to be named, and in the name of the group it counts as well.
        moved["message"].as_object_mut().unwrap().remove("from");
        moved["message"]["sender_chat"] = json!({"id": -5, "type": "group"});
        assert_eq!(read(&moved), told);
        // No supergroup and no person becomes another.
        for kind in ["supergroup", "private", "channel"] {
            moved["message"]["chat"]["type"] = json!(kind);
            assert!(matches!(read(&moved), UpdateKind::Ignored(_)), "{kind}");
        }
    }

    #[test]
    fn a_press_names_the_person_and_the_data() {
        let press = json!({"update_id": 12, "callback_query": {
            "id": "77", "from": {"id": 7, "is_bot": false, "first_name": "Ann"},
            "message": {"message_id": 4, "date": AT, "chat": {"id": 7, "type": "private"}},
            "chat_instance": "1", "data": "~lang:ru:0",
        }});
        let UpdateKind::Press(press) = read(&press) else {
            panic!("not a press");
        };
        assert_eq!(press.id, "77");
        assert_eq!(press.from.person, TelegramUserId(7));
        assert_eq!(press.data, "~lang:ru:0");
    }

    #[test]
    fn what_becomes_of_the_bot_in_a_chat_is_told_with_its_rights() {
        let change = |chat: Value, status: &str, may_invite: bool| {
            let rights = json!({"status": status, "user": {"id": 1, "is_bot": true, "first_name": "Bot"},
                "can_invite_users": may_invite, "can_restrict_members": true});
            read(&json!({"update_id": 13, "my_chat_member": {
                "chat": chat, "from": {"id": 7, "is_bot": false, "first_name": "Ann"}, "date": AT,
                "old_chat_member": {"status": "left", "user": {"id": 1, "is_bot": true}},
                "new_chat_member": rights,
            }}))
        };
        let group = json!({"id": -100, "type": "supergroup", "title": "VIP"});
        let UpdateKind::Bot(membership) = change(group.clone(), "administrator", false) else {
            panic!("not of the bot");
        };
        assert_eq!(membership.title, "VIP");
        assert_eq!(
            membership.standing,
            BotStanding::Administrator {
                lacks: vec![AdministratorRight::InviteUsers]
            }
        );
        for (status, standing) in [
            ("left", BotStanding::Out),
            ("kicked", BotStanding::Out),
            ("member", BotStanding::Member),
        ] {
            let UpdateKind::Bot(membership) = change(group.clone(), status, true) else {
                panic!("not of the bot");
            };
            assert_eq!(membership.standing, standing, "{status}");
            assert!(!membership.was_in, "{status}");
        }
        let private = json!({"id": 7, "type": "private", "first_name": "Ann"});
        let UpdateKind::Bot(membership) = change(private, "kicked", true) else {
            panic!("not of the bot");
        };
        assert!(membership.is_private);
    }

    #[test]
    fn who_asks_to_be_let_in_is_known_and_by_which_link_if_it_is_ours() {
        let request = |link: Option<InviteLink>| {
            UpdateKind::JoinRequest(JoinRequest {
                chat: ChatId(-100),
                person: TelegramUserId(7),
                at: Timestamp::from_seconds(AT),
                link,
                language_code: None,
            })
        };
        let ours = "https://t.me/+door";
        assert_eq!(read(&asked(ours)), request(Some(InviteLink::new(ours))));
        assert_eq!(read(&asked("https://t.me/+door...")), request(None));
        let mut of_bot = asked(ours);
        of_bot["chat_join_request"]["from"]["is_bot"] = json!(true);
        assert_eq!(read(&of_bot), UpdateKind::Ignored("a bot"));
    }

    #[test]
    fn any_json_is_answered_and_only_the_rest_is_refused() {
        for body in [
            "{}",
            "[]",
            "null",
            "7",
            "1e400",
            "\"x\"",
            r#"{"chat_member": 7}"#,
            r#"{"chat_member": {}}"#,
            r#"{"message": {}}"#,
            r#"{"message": 7}"#,
            r#"{"chat_join_request": []}"#,
            r#"{"my_chat_member": {}}"#,
            r#"{"callback_query": {"id": 7}}"#,
            r#"{"update_id": "x"}"#,
        ] {
            let kind = classify(body.as_bytes()).map(|update| update.kind);
            assert!(
                matches!(
                    kind,
                    Ok(UpdateKind::Ignored(_) | UpdateKind::Member(MemberChange::Ignored(_)))
                ),
                "{body}"
            );
        }
        for body in [
            &b""[..],
            b"{",
            b"<html>",
            b"{\"a\": \"\xff\"}",
            b"{} trailing",
            b"\"text\" trailing",
            b"7 {}",
        ] {
            assert_eq!(classify(body), Err(NotJson), "{body:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_before_an_update_is_skipped() {
        let marked = format!("\u{feff}{}", joined());
        assert_eq!(classify(marked.as_bytes()).map(|update| update.id), Ok(5));
        assert_eq!(classify("\u{feff}\u{feff}{}".as_bytes()), Err(NotJson));
    }

    #[test]
    fn nesting_a_million_deep_ends_in_an_answer() {
        let deep = format!(
            r#"{{"message": {}1{}}}"#,
            "[".repeat(1_000_000),
            "]".repeat(1_000_000)
        );
        assert!(classify(deep.as_bytes()).is_ok());
    }
}
