//! What is announced: its kind, when it happened, the ids that it is about, and the link, for endpoints that ask for it.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::id::{BotId, ChatId, InviteLink, TelegramUserId};
use super::super::invite::{Invite, Status};
use super::super::message::MessageTask;
use super::super::task::Mint;
use super::super::time::Timestamp;
use super::HookEventId;

macro_rules! kinds {
    ($($name:ident $word:literal $doc:literal)*) => {
        /// What can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HookKind {
            $(#[doc = $doc] $name,)*
        }

        impl HookKind {
            /// All that an endpoint can ask for; a test call comes unasked.
            pub const ALL: [Self; kinds!(@count $($name)*) - 1] = kinds!(@but_last [] $($name)*);

            /// The word in bodies, tables and answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
    (@count) => { 0 };
    (@count $name:ident $($rest:ident)*) => { 1 + kinds!(@count $($rest)*) };
    (@but_last [$($kept:ident)*] $last:ident) => { [$(Self::$kept,)*] };
    (@but_last [$($kept:ident)*] $next:ident $($rest:ident)+) => { kinds!(@but_last [$($kept)* $next] $($rest)+) };
}

kinds! {
    InviteCreated "invite.created" "A payment was accepted."
    InviteDone "invite.done" "The link of a request was handed out."
    InviteFailed "invite.failed" "A request was given up."
    InviteVoided "invite.voided" "A shop took a request back."
    InviteJoined "invite.joined" "The buyer joined."
    InviteLeft "invite.left" "The buyer left."
    SeatClaimed "seat.claimed" "A person claimed a seat."
    SeatMoved "seat.moved" "A seat went to another account."
    SeatConflict "seat.conflict" "A person wants a seat that somebody else has claimed."
    SeatEnded "seat.ended" "The right to a seat ended."
    MessageUndelivered "message.undelivered" "A message that somebody paid for was given up."
    BotRightsLost "bot.rights_lost" "A bot lost rights that it needs in a chat."
    EndpointTest "endpoint.test" "An operator tests an endpoint."
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HookKind {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let all = Self::ALL.into_iter().chain([Self::EndpointTest]);
        all.into_iter().find(|kind| kind.as_str() == word).ok_or(())
    }
}

/// Something that happened, and that endpoints may want to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// What happened.
    pub kind: HookKind,
    /// When.
    pub at: Timestamp,
    /// What a repeat has in common with it, and nothing else of its kind.
    cause: String,
    data: Map<String, Value>,
    link: Option<InviteLink>,
}

impl Announcement {
    fn new(kind: HookKind, at: Timestamp, cause: impl fmt::Display, data: Value) -> Self {
        Self {
            kind,
            at,
            cause: cause.to_string(),
            data: match data {
                Value::Object(data) => data,
                _ => Map::new(),
            },
            link: None,
        }
    }

    fn of_invite(kind: HookKind, at: Timestamp, invite: &Invite) -> Self {
        let mut data = json!({
            "requestId": invite.request_id, "chatId": invite.chat, "userId": invite.user_id,
            "linkVersion": invite.link_version,
        });
        if !invite.transaction_id.is_empty() {
            data["transactionId"] = json!(invite.transaction_id);
        }
        if let Some(person) = invite.telegram_user_id.or(invite.bound_to) {
            data["telegramUserId"] = json!(person);
        }
        let cause = format!("{}#{}", invite.request_id, invite.link_version);
        Self::new(kind, at, cause, data)
    }

    /// A payment was accepted.
    #[must_use]
    pub fn invite_created(invite: &Invite) -> Self {
        // Of the request as it was then, whatever became of it since.
        let mut created = Self::of_invite(HookKind::InviteCreated, invite.created_at, invite);
        created.data.remove("telegramUserId");
        created.data.remove("linkVersion");
        created.cause = invite.request_id.to_string();
        created
    }

    /// The link of a request was handed out; nothing if it has none at present.
    #[must_use]
    pub fn invite_done(invite: &Invite) -> Option<Self> {
        let (at, link) = invite.done_at.zip(invite.invite_link.clone())?;
        (invite.status == Status::Done).then(|| Self {
            link: Some(link),
            ..Self::of_invite(HookKind::InviteDone, at, invite)
        })
    }

    /// All that has come of a payment so far, as far as a call of its shop can make it.
    pub fn of_payment(invite: &Invite) -> impl Iterator<Item = Self> {
        let since = [Self::invite_done(invite), Self::seat_bound(invite)];
        std::iter::once(Self::invite_created(invite)).chain(since.into_iter().flatten())
    }

    /// The request of a mint was given up at `at`.
    #[must_use]
    pub fn invite_failed(mint: &Mint, chat: ChatId, at: Timestamp) -> Self {
        let mut data = json!({
            "requestId": mint.request_id, "chatId": chat, "userId": mint.user_id, "linkVersion": mint.link_version,
        });
        if !mint.transaction_id.is_empty() {
            data["transactionId"] = json!(mint.transaction_id);
        }
        Self::new(HookKind::InviteFailed, at, mint.request_id, data)
    }

    /// A shop took a request back; nothing if it did not.
    #[must_use]
    pub fn invite_voided(invite: &Invite) -> Option<Self> {
        Some(Self::of_invite(
            HookKind::InviteVoided,
            invite.voided_at?,
            invite,
        ))
    }

    /// The buyer joined, or is back after a leave; nothing if nobody did.
    #[must_use]
    pub fn invite_joined(invite: &Invite) -> Option<Self> {
        let joined_at = invite.joined_at?;
        let at = invite.returned_at.map_or(joined_at, |at| at.max(joined_at));
        let mut joined = Self::of_invite(HookKind::InviteJoined, at, invite);
        // By a link that may be replaced meanwhile: a join is one all the same.
        joined.cause = invite.request_id.to_string();
        Some(joined)
    }

    /// The buyer left; nothing if they are inside.
    #[must_use]
    pub fn invite_left(invite: &Invite) -> Option<Self> {
        let mut left = Self::of_invite(HookKind::InviteLeft, invite.left_at?, invite);
        left.cause = invite.request_id.to_string();
        Some(left)
    }

    fn of_seat(
        kind: HookKind,
        at: Timestamp,
        cause: impl fmt::Display,
        invite: &Invite,
        person: TelegramUserId,
    ) -> Self {
        let data = json!({
            "requestId": invite.request_id, "chatId": invite.chat, "userId": invite.user_id, "telegramUserId": person,
        });
        Self::new(kind, at, cause, data)
    }

    /// Whose the seat of a request is: somebody claimed it, or it went from one account to another; nothing if nobody did.
    #[must_use]
    pub fn seat_bound(invite: &Invite) -> Option<Self> {
        let (person, at) = invite.bound_to.zip(invite.bound_at)?;
        let kind = match invite.bound_from {
            None => HookKind::SeatClaimed,
            Some(_) => HookKind::SeatMoved,
        };
        let cause = format!("{}#{person}", invite.request_id);
        let mut bound = Self::of_seat(kind, at, cause, invite, person);
        if let Some(from) = invite.bound_from {
            bound
                .data
                .insert("fromTelegramUserId".to_owned(), json!(from));
        }
        Some(bound)
    }

    /// A person wants, at `at`, the seat of a request that somebody else has, or joins by its invite link.
    #[must_use]
    pub fn seat_conflict(invite: &Invite, person: TelegramUserId, at: Timestamp) -> Self {
        let cause = format!("{}#{person}", invite.request_id);
        let mut conflict = Self::of_seat(HookKind::SeatConflict, at, cause, invite, person);
        if let Some(holder) = invite.holder() {
            conflict
                .data
                .insert("holderTelegramUserId".to_owned(), json!(holder));
        }
        conflict
    }

    /// The right that a request gave to a person ended at `at`.
    #[must_use]
    pub fn seat_ended(invite: &Invite, person: TelegramUserId, at: Timestamp) -> Self {
        let cause = format!("{}#{person}", invite.request_id);
        Self::of_seat(HookKind::SeatEnded, at, cause, invite, person)
    }

    /// A message was given up.
    #[must_use]
    pub fn message_undelivered(task: &MessageTask, why: &str) -> Self {
        let data = json!({
            "messageId": task.message.as_str(), "chatId": task.chat, "botId": task.bot, "class": task.class.as_str(),
            "reason": why,
        });
        let cause = format!("{}#{}", task.message, task.chat);
        Self::new(HookKind::MessageUndelivered, task.message.at(), cause, data)
    }

    /// A bot lost rights in a chat at `at`, as Telegram reports it: those that are `missing`, by Telegram's names. A bot
    /// that is not known has no name.
    #[must_use]
    pub fn bot_rights_lost(bot: Option<BotId>, chat: ChatId, missing: &str, at: Timestamp) -> Self {
        let missing: Vec<&str> = missing.split(", ").collect();
        let mut data = json!({"chatId": chat, "missing": missing});
        if let Some(bot) = bot {
            data["botId"] = json!(bot);
        }
        let cause = format!("{}#{chat}", bot.map_or(0, |bot| bot.0));
        Self::new(HookKind::BotRightsLost, at, cause, data)
    }

    /// An operator tests an endpoint at `at`.
    #[must_use]
    pub fn endpoint_test(at: Timestamp) -> Self {
        Self::new(HookKind::EndpointTest, at, "", json!({}))
    }

    /// The request that it is about, if it is about one.
    #[must_use]
    pub fn request(&self) -> Option<&str> {
        self.data.get("requestId")?.as_str()
    }

    /// The person that it is about, if it names one. Who else it may name has, or had, its request.
    #[must_use]
    pub fn person(&self) -> Option<TelegramUserId> {
        let named = self.data.get("telegramUserId").or(self.data.get("chatId"));
        // A private chat has the id of its person.
        let id = named?.as_i64().filter(|id| *id > 0);
        id.map(TelegramUserId)
    }

    /// Its id, made of its kind, its time and its cause.
    #[must_use]
    pub fn id(&self) -> HookEventId {
        let digest = Sha256::digest(format!("{}|{}", self.kind, self.cause));
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        HookEventId::new(self.at, hash)
    }

    /// The body of its calls.
    #[must_use]
    pub fn body(&self, wants_links: bool) -> String {
        let mut data = self.data.clone();
        if let Some(link) = self.link.as_ref().filter(|_| wants_links) {
            data.insert("inviteLink".to_owned(), json!(link));
        }
        json!({"type": self.kind.as_str(), "timestamp": self.at, "data": data}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purchase::{Chats, Purchase};
    use crate::text::object;

    fn invite() -> Invite {
        let fields = object(br#"{"userId": "u1", "transactionId": "T-1"}"#).unwrap();
        let purchase = Purchase::parse(&fields, None, &Chats::parse("-1001").unwrap()).unwrap();
        let id = "ac51f4db-4bc1-8c75-b824-613c155f6d40".parse().unwrap();
        let now = Timestamp::from_ms(1_800_000_000_123);
        let link = InviteLink::new("https://t.me/+secret");
        Invite::accept(id, &purchase, now).served_by_claim(link)
    }

    #[test]
    fn a_body_has_type_timestamp_and_ids_and_the_link_for_who_asks() {
        let done = Announcement::invite_done(&invite()).unwrap();
        let body: Value = serde_json::from_str(&done.body(true)).unwrap();
        let expected = json!({"type": "invite.done", "timestamp": "2027-01-15T08:00:00.123Z", "data": {
            "requestId": "ac51f4db-4bc1-8c75-b824-613c155f6d40", "chatId": -1001, "userId": "u1", "transactionId": "T-1",
            "linkVersion": 0, "inviteLink": "https://t.me/+secret",
        }});
        assert_eq!(body, expected);
        assert!(!done.body(false).contains("secret"));
        assert!(!format!("{done:?}").contains("secret"));
    }

    #[test]
    fn an_id_is_of_the_cause_and_each_kind_and_cause_has_its_own() {
        let (invite, other) = (
            invite(),
            Invite {
                link_version: 1,
                ..invite()
            },
        );
        let mut later = invite.clone();
        later.telegram_user_id = Some(TelegramUserId(7));
        later.updated_at = later.updated_at.plus(std::time::Duration::from_secs(9));
        assert_eq!(
            Announcement::invite_created(&invite),
            Announcement::invite_created(&later)
        );
        let done = |invite: &Invite| Announcement::invite_done(invite).unwrap().id();
        assert_eq!(done(&invite), done(&later));
        assert_ne!(done(&invite), done(&other));
        let at = invite.created_at;
        let (one, two) = (TelegramUserId(1), TelegramUserId(2));
        let bound = |to, from| {
            let invite = Invite {
                bound_to: Some(to),
                bound_at: Some(at),
                bound_from: from,
                ..invite.clone()
            };
            Announcement::seat_bound(&invite).unwrap()
        };
        let ids = [
            Announcement::invite_created(&invite),
            Announcement::invite_done(&invite).unwrap(),
            Announcement::invite_failed(&Mint::of(&invite), ChatId(-1), at),
            bound(one, None),
            bound(two, None),
            bound(two, Some(one)),
            Announcement::seat_conflict(&invite, two, at),
            Announcement::seat_ended(&invite, one, at),
            Announcement::bot_rights_lost(Some(BotId(1)), ChatId(-1), "can_invite_users", at),
            Announcement::endpoint_test(at),
        ]
        .map(|announced| announced.id());
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        // A return is a join of its own.
        let joined = |returned_at| {
            let invite = Invite {
                joined_at: Some(at),
                returned_at,
                ..invite.clone()
            };
            Announcement::invite_joined(&invite).unwrap().id()
        };
        let later = at.plus(std::time::Duration::from_secs(60));
        assert_ne!(joined(None), joined(Some(later)));
        assert_eq!(joined(Some(later)).at(), later);
        for kind in HookKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!(!HookKind::ALL.contains(&HookKind::EndpointTest));
    }
}
