//! People and bots, and what they are in a chat.

use serde_json::{Value, json};

/// A person or a bot, as the Bot API shows one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id, up to 52 significant bits.
    pub id: i64,
    /// Whether it is a bot.
    pub is_bot: bool,
    /// The first name.
    pub first_name: String,
    /// The user name, without `@`.
    pub username: Option<String>,
    /// The language of the person's app.
    pub language_code: Option<String>,
}

impl User {
    /// A person with a made-up name.
    #[must_use]
    pub fn new(id: i64) -> Self {
        Self {
            id,
            is_bot: false,
            first_name: format!("Person {id}"),
            username: None,
            language_code: None,
        }
    }

    /// The same user under another name.
    #[must_use]
    pub fn named(mut self, first_name: &str) -> Self {
        self.first_name = first_name.to_owned();
        self
    }

    /// The same user with a user name.
    #[must_use]
    pub fn with_username(mut self, username: &str) -> Self {
        self.username = Some(username.to_owned());
        self
    }

    /// The same user with an app in this language.
    #[must_use]
    pub fn speaking(mut self, language_code: &str) -> Self {
        self.language_code = Some(language_code.to_owned());
        self
    }

    pub(crate) fn bot(id: i64) -> Self {
        Self {
            is_bot: true,
            first_name: format!("Bot {id}"),
            username: Some(format!("simulated_{id}_bot")),
            ..Self::new(id)
        }
    }

    pub(crate) fn json(&self) -> Value {
        let mut user = json!({"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name});
        if let Some(username) = &self.username {
            user["username"] = json!(username);
        }
        if let Some(language) = &self.language_code {
            user["language_code"] = json!(language);
        }
        user
    }
}

/// The rights of an administrator that matter to the simulated methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Invite links and join requests.
    pub can_invite_users: bool,
    /// Bans and restrictions.
    pub can_restrict_members: bool,
    /// Naming further administrators.
    pub can_promote_members: bool,
    /// Deleting messages of others.
    pub can_delete_messages: bool,
    /// Topics of a forum.
    pub can_manage_topics: bool,
    /// Pinning messages.
    pub can_pin_messages: bool,
}

impl Rights {
    /// Every right.
    #[must_use]
    pub fn all() -> Self {
        Self {
            can_invite_users: true,
            can_restrict_members: true,
            can_promote_members: true,
            can_delete_messages: true,
            can_manage_topics: true,
            can_pin_messages: true,
        }
    }

    /// An administrator who may do nothing; he still receives `chat_member` updates.
    #[must_use]
    pub fn none() -> Self {
        Self {
            can_invite_users: false,
            can_restrict_members: false,
            can_promote_members: false,
            can_delete_messages: false,
            can_manage_topics: false,
            can_pin_messages: false,
        }
    }
}

/// What a user is in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberStatus {
    /// The owner.
    Creator,
    /// An administrator.
    Administrator(Rights),
    /// An ordinary member.
    Member,
    /// Someone under restrictions, in the chat or not.
    Restricted {
        /// Whether he is in the chat.
        is_member: bool,
        /// Epoch seconds at which the restrictions end; 0 is never.
        until_date: i64,
    },
    /// Not in the chat.
    Left,
    /// Banned.
    Kicked {
        /// Epoch seconds at which the ban ends; 0 is never.
        until_date: i64,
    },
}

impl MemberStatus {
    /// Whether someone of this status is in the chat.
    #[must_use]
    pub fn is_present(self) -> bool {
        match self {
            Self::Creator | Self::Administrator(_) | Self::Member => true,
            Self::Restricted { is_member, .. } => is_member,
            Self::Left | Self::Kicked { .. } => false,
        }
    }

    /// The status with its restriction or ban ended, if its time has come.
    pub(crate) fn at(self, now_seconds: i64) -> Self {
        match self {
            Self::Kicked { until_date } if until_date != 0 && until_date <= now_seconds => {
                Self::Left
            }
            Self::Restricted {
                is_member,
                until_date,
            } if until_date != 0 && until_date <= now_seconds => {
                if is_member {
                    Self::Member
                } else {
                    Self::Left
                }
            }
            other => other,
        }
    }

    /// What somebody is who comes in: restrictions outlive leaving.
    pub(crate) fn joined(self) -> Self {
        match self {
            Self::Restricted { until_date, .. } => Self::Restricted {
                is_member: true,
                until_date,
            },
            _ => Self::Member,
        }
    }

    /// The `ChatMember` object. A channel's administrators have other rights listed than a group's.
    pub(crate) fn json(self, user: &User, is_channel: bool) -> Value {
        let user = user.json();
        match self {
            Self::Creator => json!({"status": "creator", "user": user, "is_anonymous": false}),
            Self::Administrator(rights) => administrator(user, rights, is_channel),
            Self::Member => json!({"status": "member", "user": user}),
            Self::Restricted {
                is_member,
                until_date,
            } => json!({
                "status": "restricted", "user": user, "is_member": is_member, "until_date": until_date,
                "can_send_messages": false, "can_send_audios": false, "can_send_documents": false,
                "can_send_photos": false, "can_send_videos": false, "can_send_video_notes": false,
                "can_send_voice_notes": false, "can_send_polls": false, "can_send_other_messages": false,
                "can_add_web_page_previews": false, "can_react_to_messages": false, "can_edit_tag": false,
                "can_change_info": false, "can_invite_users": false, "can_pin_messages": false,
                "can_manage_topics": false,
            }),
            Self::Left => json!({"status": "left", "user": user}),
            Self::Kicked { until_date } => {
                json!({"status": "kicked", "user": user, "until_date": until_date})
            }
        }
    }
}

fn administrator(user: Value, rights: Rights, is_channel: bool) -> Value {
    let mut member = json!({
        "status": "administrator", "user": user, "can_be_edited": false, "is_anonymous": false,
        "can_manage_chat": true, "can_delete_messages": rights.can_delete_messages, "can_manage_video_chats": false,
        "can_restrict_members": rights.can_restrict_members,
        "can_promote_members": rights.can_promote_members,
        "can_change_info": false, "can_invite_users": rights.can_invite_users,
        "can_post_stories": false, "can_edit_stories": false, "can_delete_stories": false,
    });
    let more: &[&str] = if is_channel {
        &[
            "can_post_messages",
            "can_edit_messages",
            "can_manage_direct_messages",
        ]
    } else {
        &["can_pin_messages", "can_manage_topics", "can_manage_tags"]
    };
    for right in more {
        member[*right] = json!(match *right {
            "can_manage_topics" => rights.can_manage_topics,
            "can_pin_messages" => rights.can_pin_messages,
            _ => false,
        });
    }
    member
}
