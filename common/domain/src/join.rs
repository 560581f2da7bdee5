//! Who came into a chat, and by which link, and who went out.
//!
//! Only `chat_member` updates tell; the service message `new_chat_members` carries no link and channels have none.

use serde::Deserialize;

use super::id::{ChatId, InviteLink, TelegramUserId};
use super::time::Timestamp;

/// Somebody became a member by a link whose whole URL we were shown, so one that our bot made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The chat.
    pub chat: ChatId,
    /// Who joined: `new_chat_member.user`, never `from`, which is whoever let them in.
    pub person: TelegramUserId,
    /// The link.
    pub link: InviteLink,
    /// When, to the second, by Telegram's clock.
    pub at: Timestamp,
}

/// Somebody is in a chat from now on, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The chat.
    pub chat: ChatId,
    /// Who.
    pub person: TelegramUserId,
    /// When, to the second, by Telegram's clock.
    pub at: Timestamp,
}

/// What a `chat_member` update tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// A join by a link of our bot.
    Join(Join),
    /// Somebody came in, but not by a link of our bot: an administrator added them, or made the link.
    Entry(Presence),
    /// Somebody is outside: they left or were removed, or were banned when they were outside already, which makes good a
    /// leave that was not seen.
    Leave(Presence),
    /// Somebody is outside and may not come back: an administrator banned them.
    Ban(Presence),
    /// Somebody is outside and may come back: an administrator lifted their ban.
    Unban(Presence),
    /// Nothing of these, and why.
    Ignored(&'static str),
}

impl MemberChange {
    /// Whose change it is, and when it was; nothing of what is ignored.
    #[must_use]
    pub const fn who_and_when(&self) -> Option<(TelegramUserId, Timestamp)> {
        match self {
            Self::Join(join) => Some((join.person, join.at)),
            Self::Entry(presence)
            | Self::Leave(presence)
            | Self::Ban(presence)
            | Self::Unban(presence) => Some((presence.person, presence.at)),
            Self::Ignored(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct ChatMemberUpdated {
    chat: Chat,
    date: i64,
    old_chat_member: ChatMember,
    new_chat_member: ChatMember,
    invite_link: Option<ChatInviteLink>,
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
}

#[derive(Deserialize)]
struct ChatMember {
    status: String,
    user: User,
    is_member: Option<bool>,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    is_bot: bool,
}

#[derive(Deserialize)]
struct ChatInviteLink {
    invite_link: String,
}

impl ChatMember {
    /// Whether this status means being in the chat; `None` for a status that the Bot API does not have.
    fn is_in_chat(&self) -> Option<bool> {
        match self.status.as_str() {
            "creator" | "administrator" | "member" => Some(true),
            "restricted" => Some(self.is_member.unwrap_or(false)),
            "left" | "kicked" => Some(false),
            _ => None,
        }
    }
}

/// Reads the `ChatMemberUpdated` of an update.
pub(crate) fn read(text: &str) -> MemberChange {
    match serde_json::from_str(text) {
        Ok(change) => kind_of(change),
        Err(_) => MemberChange::Ignored("not a ChatMemberUpdated"),
    }
}

fn kind_of(change: ChatMemberUpdated) -> MemberChange {
    if change.new_chat_member.user.is_bot {
        return MemberChange::Ignored("a bot");
    }
    let presence = Presence {
        chat: ChatId(change.chat.id),
        person: TelegramUserId(change.new_chat_member.user.id),
        at: Timestamp::from_seconds(change.date),
    };
    match (
        change.old_chat_member.is_in_chat(),
        change.new_chat_member.is_in_chat(),
    ) {
        (Some(false), Some(true)) => {}
        (Some(_), Some(false)) if change.new_chat_member.status == "kicked" => {
            return MemberChange::Ban(presence);
        }
        (Some(_), Some(false)) if change.old_chat_member.status == "kicked" => {
            return MemberChange::Unban(presence);
        }
        (Some(_), Some(false)) => return MemberChange::Leave(presence),
        (Some(true), Some(true)) => return MemberChange::Ignored("not a join"),
        _ => return MemberChange::Ignored("unknown member status"),
    }
    let link = change.invite_link.map(|link| link.invite_link);
    let link = link.filter(|url| !url.is_empty()).map(InviteLink::new);
    match link {
        // Telegram shows a link that another administrator made with its tail cut to dots.
        Some(link) if !link.is_cut() => MemberChange::Join(Join {
            chat: presence.chat,
            person: presence.person,
            link,
            at: presence.at,
        }),
        _ => MemberChange::Entry(presence),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn member(status: &str, is_member: Option<bool>, id: i64) -> Value {
        let mut member =
            json!({"status": status, "user": {"id": id, "is_bot": false, "first_name": "A"}});
        if let Some(is_member) = is_member {
            member["is_member"] = json!(is_member);
        }
        member
    }

    fn update(old: Value, new: Value) -> Value {
        json!({"update_id": 1, "chat_member": {
            "chat": {"id": -100, "type": "supergroup", "title": "T"},
            "from": {"id": 5, "is_bot": false, "first_name": "Admin"},
            "date": 1_763_640_000,
            "old_chat_member": old,
            "new_chat_member": new,
            "invite_link": {"invite_link": "https://t.me/+full", "creator": {"id": 9, "is_bot": true, "first_name": "B"},
                "creates_join_request": false, "is_primary": false, "is_revoked": false},
        }})
    }

    fn read(update: &Value) -> MemberChange {
        super::read(&update["chat_member"].to_string())
    }

    const SEVEN: Presence = Presence {
        chat: ChatId(-100),
        person: TelegramUserId(7),
        at: Timestamp::from_ms(1_763_640_000_000),
    };

    /// Every status that the Bot API has, with whether it means being in the chat.
    const STATUSES: [(&str, Option<bool>, bool); 8] = [
        ("creator", None, true),
        ("administrator", None, true),
        ("member", None, true),
        ("restricted", Some(true), true),
        ("restricted", Some(false), false),
        ("restricted", None, false),
        ("left", None, false),
        ("kicked", None, false),
    ];

    #[test]
    fn a_join_is_every_way_from_outside_to_inside_and_no_other() {
        for (old, old_is_member, was_in) in STATUSES {
            for (new, new_is_member, is_in) in STATUSES {
                let seen = read(&update(
                    member(old, old_is_member, 7),
                    member(new, new_is_member, 7),
                ));
                assert_eq!(
                    matches!(seen, MemberChange::Join(_)),
                    !was_in && is_in,
                    "{old} -> {new}"
                );
                // A ban of who is outside counts as well: their leave may have been lost.
                let is_ban = new == "kicked";
                let is_unban = old == "kicked" && !is_in && !is_ban;
                assert_eq!(
                    seen == MemberChange::Unban(SEVEN),
                    is_unban,
                    "{old} -> {new}"
                );
                assert_eq!(
                    seen == MemberChange::Leave(SEVEN),
                    !is_in && !is_ban && !is_unban,
                    "{old} -> {new}"
                );
                assert_eq!(seen == MemberChange::Ban(SEVEN), is_ban, "{old} -> {new}");
            }
        }
    }

    #[test]
    fn the_joiner_is_the_new_member_not_who_let_them_in() {
        let MemberChange::Join(join) =
            read(&update(member("left", None, 7), member("member", None, 7)))
        else {
            panic!("not seen as a join");
        };
        assert_eq!((join.person, join.chat), (TelegramUserId(7), ChatId(-100)));
        assert_eq!(join.link, InviteLink::new("https://t.me/+full"));
        assert_eq!(join.at, Timestamp::from_seconds(1_763_640_000));
    }

    #[test]
    fn who_comes_in_without_a_link_of_ours_is_seen_as_present() {
        let joined = update(member("left", None, 7), member("member", None, 7));
        let mut added = joined.clone();
        added["chat_member"]
            .as_object_mut()
            .unwrap()
            .remove("invite_link");
        assert_eq!(read(&added), MemberChange::Entry(SEVEN));
        for cut in ["https://t.me/+abcd...", "https://t.me/+abcd\u{2026}"] {
            let mut foreign = joined.clone();
            foreign["chat_member"]["invite_link"]["invite_link"] = json!(cut);
            assert_eq!(read(&foreign), MemberChange::Entry(SEVEN));
        }
        let mut empty = joined.clone();
        empty["chat_member"]["invite_link"]["invite_link"] = json!("");
        assert_eq!(read(&empty), MemberChange::Entry(SEVEN));
        let mut bot = joined;
        bot["chat_member"]["new_chat_member"]["user"]["is_bot"] = json!(true);
        assert_eq!(read(&bot), MemberChange::Ignored("a bot"));
    }

    #[test]
    fn a_status_that_the_bot_api_does_not_have_is_no_join() {
        let strange = update(member("left", None, 7), member("emperor", None, 7));
        assert_eq!(
            read(&strange),
            MemberChange::Ignored("unknown member status")
        );
        assert_eq!(
            super::read("7"),
            MemberChange::Ignored("not a ChatMemberUpdated")
        );
    }
}
