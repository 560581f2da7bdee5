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
    /// Somebody came in, but not by a link of our bot alone: an administrator added them, approved them, or made the link.
    Entry(Presence),
    /// Somebody is outside: they left or were removed, or were banned when they were outside already, which makes good a
    /// leave that was not seen.
    Leave(Presence),
    /// A bot took somebody out, who may come back at once or in a moment.
    Removal(Presence),
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
            | Self::Removal(presence)
            | Self::Ban(presence)
            | Self::Unban(presence) => Some((presence.person, presence.at)),
            Self::Ignored(_) => None,
        }
    }

    /// The chat that it is about; nothing of one that is ignored.
    #[must_use]
    pub const fn chat(&self) -> Option<ChatId> {
        match self {
            Self::Join(join) => Some(join.chat),
            Self::Entry(presence)
            | Self::Leave(presence)
            | Self::Removal(presence)
            | Self::Ban(presence)
            | Self::Unban(presence) => Some(presence.chat),
            Self::Ignored(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct ChatMemberUpdated {
    chat: Chat,
    from: Option<User>,
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
    #[serde(default)]
    until_date: i64,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    is_bot: bool,
}

#[derive(Deserialize)]
struct ChatInviteLink {
    invite_link: String,
    #[serde(default)]
    creates_join_request: bool,
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
        (Some(true), Some(false)) if is_taken_out(&change) => {
            return MemberChange::Removal(presence);
        }
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
    if is_approved_by_hand(&change) {
        return MemberChange::Entry(presence);
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

/// Whether an administrator let somebody in who asked by a link: `from` is then whoever approved, and not who joined
/// (<https://core.telegram.org/bots/api#chatmemberupdated>).
fn is_approved_by_hand(change: &ChatMemberUpdated) -> bool {
    let asked = change.invite_link.as_ref();
    asked.is_some_and(|link| link.creates_join_request)
        && change
            .from
            .as_ref()
            .is_some_and(|from| from.id != change.new_chat_member.user.id && !from.is_bot)
}

/// For how long, in seconds, Telegram's server bans who is taken out by `unbanChatMember`, and a reserve.
const TAKEN_OUT_SECONDS: i64 = 90;

/// Whether a bot took the person out, without a ban that lasts.
fn is_taken_out(change: &ChatMemberUpdated) -> bool {
    let member = &change.new_chat_member;
    let ends = 1..=change.date.saturating_add(TAKEN_OUT_SECONDS);
    change.from.as_ref().is_some_and(|from| from.is_bot)
        && (member.status != "kicked" || ends.contains(&member.until_date))
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
    fn whom_a_bot_took_out_may_come_back_and_whom_it_banned_may_not() {
        let by = |is_bot: bool, status: &str, until: i64| {
            let mut out = update(member("member", None, 7), member(status, None, 7));
            out["chat_member"]["from"]["is_bot"] = json!(is_bot);
            out["chat_member"]["new_chat_member"]["until_date"] = json!(until);
            read(&out)
        };
        let soon = 1_763_640_060;
        assert_eq!(by(true, "left", 0), MemberChange::Removal(SEVEN));
        assert_eq!(by(true, "kicked", soon), MemberChange::Removal(SEVEN));
        assert_eq!(by(true, "kicked", soon + 3600), MemberChange::Ban(SEVEN));
        assert_eq!(by(true, "kicked", 0), MemberChange::Ban(SEVEN));
        assert_eq!(by(false, "kicked", soon), MemberChange::Ban(SEVEN));
        assert_eq!(by(false, "left", 0), MemberChange::Leave(SEVEN));
    }

    #[test]
    fn whom_an_administrator_approved_came_in_by_hand_and_whom_a_bot_approved_by_our_door() {
        let by = |from: i64, is_bot: bool, asked: bool| {
            let mut entry = update(member("left", None, 7), member("member", None, 7));
            entry["chat_member"]["from"] = json!({"id": from, "is_bot": is_bot, "first_name": "A"});
            entry["chat_member"]["invite_link"]["creates_join_request"] = json!(asked);
            matches!(read(&entry), MemberChange::Join(_))
        };
        for (from, is_bot, asked, is_join) in [
            (7, false, false, true),
            (7, false, true, true),
            (9, true, true, true),
            (5, false, true, false),
            (5, false, false, true),
        ] {
            assert_eq!(by(from, is_bot, asked), is_join, "{from} {is_bot} {asked}");
        }
    }

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
