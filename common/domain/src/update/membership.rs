//! What becomes of our bot in a chat, and of its private chat with a person.

use serde::Deserialize;

use super::{Sender, UpdateKind, User};
use crate::id::ChatId;
use crate::time::Timestamp;

/// A right of an administrator without which the bot can't do its work in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdministratorRight {
    /// To make links and to let people in.
    InviteUsers,
    /// To remove people.
    RestrictMembers,
}

impl AdministratorRight {
    /// Its field of `ChatMemberAdministrator`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InviteUsers => "can_invite_users",
            Self::RestrictMembers => "can_restrict_members",
        }
    }
}

/// What the bot is in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BotStanding {
    /// An administrator.
    Administrator {
        /// The rights that it should have and lacks.
        lacks: Vec<AdministratorRight>,
    },
    /// A member without rights; of a private chat: the person did not block it.
    Member,
    /// Not in the chat; of a private chat: the person blocked it.
    Out,
}

/// Our bot was put into a chat or taken out of it, got or lost rights; or a person blocked it in private.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotMembership {
    /// The chat; a private one has the id of its person.
    pub chat: ChatId,
    /// Its title; empty of a private one.
    pub title: String,
    /// Whether it is a person's private chat with the bot.
    pub is_private: bool,
    /// Who did it.
    pub by: Sender,
    /// When, to the second, by Telegram's clock.
    pub at: Timestamp,
    /// What the bot is there now.
    pub standing: BotStanding,
    /// Whether it was in the chat before, if Telegram tells it: else it was just added.
    pub was_in: bool,
}

/// `ChatMemberUpdated`.
#[derive(Deserialize)]
pub(super) struct ChatMemberUpdated {
    chat: TitledChat,
    from: User,
    date: i64,
    old_chat_member: Option<ChatMember>,
    new_chat_member: ChatMember,
}

#[derive(Deserialize)]
struct TitledChat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    title: String,
}

#[derive(Deserialize)]
struct ChatMember {
    status: String,
    #[serde(default)]
    can_invite_users: bool,
    #[serde(default)]
    can_restrict_members: bool,
}

impl ChatMember {
    fn standing(&self) -> Option<BotStanding> {
        let rights = [
            (self.can_invite_users, AdministratorRight::InviteUsers),
            (
                self.can_restrict_members,
                AdministratorRight::RestrictMembers,
            ),
        ];
        let lacks = rights.into_iter().filter(|(has, _)| !has);
        match self.status.as_str() {
            "administrator" => Some(BotStanding::Administrator {
                lacks: lacks.map(|(_, right)| right).collect(),
            }),
            "member" | "restricted" => Some(BotStanding::Member),
            "left" | "kicked" => Some(BotStanding::Out),
            _ => None,
        }
    }
}

pub(super) fn kind_of(change: ChatMemberUpdated) -> UpdateKind {
    let Some(standing) = change.new_chat_member.standing() else {
        return UpdateKind::Ignored("a status that the Bot API does not have");
    };
    let before = change.old_chat_member.map(|before| before.standing());
    UpdateKind::Bot(BotMembership {
        chat: ChatId(change.chat.id),
        is_private: change.chat.kind == "private",
        title: change.chat.title,
        by: change.from.into(),
        at: Timestamp::from_seconds(change.date),
        standing,
        was_in: before != Some(Some(BotStanding::Out)),
    })
}
