//! A request as operators see it: all that its record tells.

use domain::event::{Event, EventName};
use domain::history::Entry;
use domain::id::{BotId, ChatId, InviteLink, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::time::Timestamp;
use serde::Serialize;

/// The whole story of a request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperatorInviteView {
    request_id: RequestId,
    user_id: String,
    transaction_id: String,
    chat_id: ChatId,
    status: &'static str,
    /// When the sweeper sends the events that are not delivered by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_since: Option<Timestamp>,
    attempts: u32,
    refusals: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// When its shop took the seat back.
    #[serde(skip_serializing_if = "Option::is_none")]
    voided_at: Option<Timestamp>,
    /// How many links of it were replaced: the version of the present one.
    link_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<Link>,
    /// How its claim stands, if its buyer got a claim link.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<ClaimView>,
    /// The link that is being replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<Old>,
    events: Events,
    #[serde(skip_serializing_if = "Option::is_none")]
    join: Option<Joined>,
    /// When who joined last has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    history: Vec<HistoryEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    invite_link: InviteLink,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_at: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Old {
    invite_link: InviteLink,
    bot_id: BotId,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    is_revoked: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    link_created: EventView,
    joined: EventView,
}

/// The claim of a request, as an operator sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClaimView {
    /// Which claim link works.
    version: u8,
    /// Who claimed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bound_to: Option<TelegramUserId>,
    /// Whether the person who comes with the link takes it over.
    is_moving: bool,
}

/// An event, as an operator sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventView {
    /// Whether it has come true.
    is_true: bool,
    /// Whether WebEngage took it.
    fired: bool,
    /// Whether an operator gave it up.
    given_up: bool,
    /// Its `x-request-id`.
    event_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Joined {
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    telegram_user_id: Option<TelegramUserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_link: Option<InviteLink>,
}

#[derive(Serialize)]
struct HistoryEntry {
    at: Timestamp,
    who: String,
    action: String,
    detail: String,
}

impl From<Entry> for HistoryEntry {
    fn from(entry: Entry) -> Self {
        Self {
            at: entry.at,
            who: entry.who,
            action: entry.action,
            detail: entry.detail,
        }
    }
}

impl From<Invite> for OperatorInviteView {
    fn from(invite: Invite) -> Self {
        let id = invite.request_id;
        let event_id = |name, version| Event::id_of(id, name, version);
        let events = Events {
            link_created: EventView {
                is_true: invite.is_true(EventName::LinkCreated),
                fired: invite.link_event_fired,
                given_up: invite.link_event_given_up,
                event_id: event_id(EventName::LinkCreated, invite.link_version),
            },
            joined: EventView {
                is_true: invite.joined_at.is_some(),
                fired: invite.join_event_fired,
                given_up: invite.join_event_given_up,
                event_id: event_id(EventName::Joined, invite.join_version),
            },
        };
        let join = invite.joined_at.map(|at| Joined {
            at,
            telegram_user_id: invite.telegram_user_id,
            invite_link: invite.link_of_join().cloned(),
        });
        let link = invite.invite_link.map(|invite_link| Link {
            invite_link,
            expires_at: invite.link_expires_at,
            done_at: invite.done_at,
        });
        // Beside an invite link the claim version is always 0.
        let of_link = invite.bound_to.map(|_| 0);
        let claim = invite.claim_version.or(of_link).map(|version| ClaimView {
            version,
            bound_to: invite.bound_to,
            is_moving: invite.is_moving,
        });
        let replaced = invite.replaced.map(|old| Old {
            invite_link: old.invite_link,
            bot_id: old.bot,
            expires_at: old.link_expires_at,
            is_revoked: old.is_revoked,
        });
        Self {
            request_id: id,
            user_id: invite.user_id,
            transaction_id: invite.transaction_id,
            chat_id: invite.chat,
            status: invite.status.as_str(),
            pending_since: invite.pending_since,
            attempts: invite.attempts,
            refusals: invite.refusals,
            error: invite.error,
            voided_at: invite.voided_at,
            link_version: invite.link_version,
            link,
            claim,
            replaced,
            events,
            join,
            left_at: invite.left_at,
            created_at: invite.created_at,
            updated_at: invite.updated_at,
            history: invite.history.into_iter().map(HistoryEntry::from).collect(),
        }
    }
}
