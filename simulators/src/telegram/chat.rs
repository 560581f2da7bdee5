//! A chat and who is in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::conversation::MessageLog;
use super::join_request::JoinRequest;
use super::member::{MemberStatus, Rights, User};
use super::topic::Topic;

/// The person who owns every chat and adds people by hand.
pub const OWNER_ID: i64 = 7_000_000_001;

/// The kinds of chat that a bot can be an administrator of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// A basic group.
    Group,
    /// A supergroup.
    Supergroup,
    /// A channel.
    Channel,
}

impl ChatKind {
    /// The `type` of the Bot API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Supergroup => "supergroup",
            Self::Channel => "channel",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) user: User,
    pub(crate) status: MemberStatus,
    /// The link that this member came by, which is taken until he leaves.
    pub(crate) via: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) kind: ChatKind,
    pub(crate) username: Option<String>,
    pub(crate) members: HashMap<i64, Member>,
    /// The bots in the chat, so that no change has to look through all members.
    pub(crate) bots: BTreeSet<i64>,
    /// Join requests that wait for an answer, by who made them.
    pub(crate) requests: HashMap<i64, JoinRequest>,
    /// The bot that is asked about join requests by queries.
    pub(crate) request_processor: Option<i64>,
    /// The topics by their ids, if it is a forum.
    pub(crate) topics: Option<BTreeMap<i64, Topic>>,
    pub(crate) migrated_to: Option<i64>,
    pub(crate) deleted: bool,
    pub(crate) log: MessageLog,
}

impl Chat {
    /// An empty chat but for its owner.
    pub(crate) fn new(id: i64, title: &str, kind: ChatKind) -> Self {
        let owner = User::new(OWNER_ID).named("Owner");
        let member = Member {
            user: owner,
            status: MemberStatus::Creator,
            via: None,
        };
        Self {
            id,
            title: title.to_owned(),
            kind,
            username: None,
            members: HashMap::from([(OWNER_ID, member)]),
            bots: BTreeSet::new(),
            requests: HashMap::new(),
            request_processor: None,
            topics: None,
            migrated_to: None,
            deleted: false,
            log: MessageLog::of_chat(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        let mut chat = json!({"id": self.id, "title": self.title, "type": self.kind.as_str()});
        if let Some(username) = &self.username {
            chat["username"] = json!(username);
        }
        if self.topics.is_some() {
            chat["is_forum"] = json!(true);
        }
        chat
    }

    /// Takes over the members of a chat that became this one, and gives the bots among them.
    pub(crate) fn adopt(&mut self, members: HashMap<i64, Member>) -> Vec<i64> {
        let bots = members
            .values()
            .filter(|member| member.user.is_bot && member.status.is_present());
        self.bots = bots.map(|member| member.user.id).collect();
        self.members = members;
        self.bots.iter().copied().collect()
    }

    pub(crate) fn status(&self, user_id: i64, now_ms: i64) -> MemberStatus {
        self.members
            .get(&user_id)
            .map_or(MemberStatus::Left, |member| member.status.at(now_ms / 1000))
    }

    pub(crate) fn rights(&self, bot_id: i64) -> Option<Rights> {
        match self.members.get(&bot_id)?.status {
            MemberStatus::Administrator(rights) => Some(rights),
            MemberStatus::Creator => Some(Rights::all()),
            MemberStatus::Member
            | MemberStatus::Restricted { .. }
            | MemberStatus::Left
            | MemberStatus::Kicked { .. } => None,
        }
    }
}
