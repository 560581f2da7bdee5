//! The two events that marketing is sent, and what makes a repeat of one recognisable.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::claim::{Claim, PublicUrl, payload_in};
use super::id::{InviteLink, RequestId, TelegramUserId, hex};
use super::time::Timestamp;

/// What an event says. The names are the ones that the marketing team's journeys already listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventName {
    /// The link is there to be sent to the customer.
    #[serde(rename = "pass_paid_community_telegram_link_created")]
    LinkCreated,
    /// The customer joined the chat by the link.
    #[serde(rename = "pass_paid_community_telegram_joined")]
    Joined,
}

impl EventName {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinkCreated => "pass_paid_community_telegram_link_created",
            Self::Joined => "pass_paid_community_telegram_joined",
        }
    }
}

/// A message of the event queue: one event of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The same however often it is sent; also WebEngage's `x-request-id`.
    pub event_id: String,
    /// The request that the event is about.
    pub request_id: RequestId,
    /// Which event.
    pub event_name: EventName,
    /// The shop's user.
    pub user_id: String,
    /// When it became true.
    pub event_time: Timestamp,
    /// What the journeys use; every id is a string, since WebEngage fixes a value's type at its first sight.
    pub event_data: Map<String, Value>,
    /// Which link of the request it tells of: 0 the first, and one more for each that took its place.
    #[serde(default, skip_serializing_if = "is_first")]
    pub link_version: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_first(link_version: &u32) -> bool {
    *link_version == 0
}

/// A message of the event queue that names a request alone: whatever of it was not delivered is to be delivered now. The
/// record tells what that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingEvents {
    /// The request.
    pub request_id: RequestId,
}

/// A message of the event queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EventMessage {
    /// One event.
    Event(Event),
    /// What of a request was not delivered.
    Pending(PendingEvents),
}

impl From<Event> for EventMessage {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl From<PendingEvents> for EventMessage {
    fn from(pending: PendingEvents) -> Self {
        Self::Pending(pending)
    }
}

impl Event {
    /// The link of `request_id` was made at `at`.
    #[must_use]
    pub fn link_created(
        request_id: RequestId,
        user_id: &str,
        transaction_id: &str,
        link: &InviteLink,
        at: Timestamp,
    ) -> Self {
        let data = [
            ("transactionId", transaction_id.to_owned()),
            ("inviteLink", link.expose().to_owned()),
        ];
        Self::new(request_id, EventName::LinkCreated, user_id, at, data)
    }

    /// `person` joined by the link of `request_id` at `at`.
    #[must_use]
    pub fn joined(
        request_id: RequestId,
        user_id: &str,
        transaction_id: &str,
        link: &InviteLink,
        person: TelegramUserId,
        at: Timestamp,
    ) -> Self {
        let data = [
            ("transactionId", transaction_id.to_owned()),
            ("inviteLink", link.expose().to_owned()),
            ("telegramUserId", person.to_string()),
        ];
        Self::new(request_id, EventName::Joined, user_id, at, data)
    }

    /// The claim whose link may stand beside the invite link that it tells of; nothing if it tells of none.
    #[must_use]
    pub fn claim_beside(&self) -> Option<Claim> {
        let link = self.event_data.get("inviteLink").and_then(Value::as_str);
        let link = link.filter(|_| self.event_name == EventName::LinkCreated)?;
        let claim = Claim {
            request_id: self.request_id,
            version: 0,
        };
        payload_in(link).is_none().then_some(claim)
    }

    /// The same event with `beside`, the claim link that stands beside its invite link, and with the page of the claim link
    /// that it tells of, if it tells of one.
    #[must_use]
    pub fn with_claim(
        mut self,
        beside: Option<&InviteLink>,
        public_url: Option<&PublicUrl>,
    ) -> Self {
        if self.event_name != EventName::LinkCreated {
            return self;
        }
        let told = self.event_data.get("inviteLink").and_then(Value::as_str);
        let claim_link = beside.cloned().or_else(|| told.map(InviteLink::new));
        let page = public_url
            .zip(claim_link)
            .and_then(|(url, link)| url.claim_page(&link));
        for (key, link) in [("claimLink", beside), ("claimPage", page.as_ref())] {
            if let Some(link) = link {
                let link = Value::String(link.expose().to_owned());
                self.event_data.insert(key.to_owned(), link);
            }
        }
        self
    }

    fn new<const N: usize>(
        request_id: RequestId,
        name: EventName,
        user_id: &str,
        at: Timestamp,
        data: [(&str, String); N],
    ) -> Self {
        Self {
            event_id: event_id(request_id, name, 0),
            request_id,
            event_name: name,
            user_id: user_id.to_owned(),
            event_time: at,
            event_data: data
                .into_iter()
                .map(|(key, value)| (key.to_owned(), Value::String(value)))
                .collect(),
            link_version: 0,
        }
    }

    /// The id of an event, whenever it is sent.
    #[must_use]
    pub fn id_of(request_id: RequestId, name: EventName, link_version: u32) -> String {
        event_id(request_id, name, link_version)
    }

    /// The same of a link that took the place of earlier ones: an event of its own, which WebEngage takes.
    #[must_use]
    pub fn of_version(self, link_version: u32) -> Self {
        Self {
            event_id: event_id(self.request_id, self.event_name, link_version),
            link_version,
            ..self
        }
    }

    /// The body of WebEngage's `POST …/events`.
    #[must_use]
    pub fn webengage_body(&self) -> Value {
        json!({
            "userId": self.user_id,
            "eventName": self.event_name,
            "eventTime": self.event_time.webengage(),
            "eventData": self.event_data,
        })
    }
}

/// 32 hexadecimal digits that request and event determine. WebEngage takes the same `x-request-id` once within 4 hours.
fn event_id(request_id: RequestId, name: EventName, link_version: u32) -> String {
    let name = name.as_str();
    let digest = Sha256::digest(match link_version {
        0 => format!("{request_id}|{name}"),
        version => format!("{request_id}|{name}|{version}"),
    });
    hex(&digest[..16])
}

#[cfg(test)]
mod tests {
    use super::super::id::{ChatId, IdentitySource};
    use super::*;

    #[test]
    fn both_bodies_are_what_the_journeys_expect() {
        let id = RequestId::derive(ChatId(-1), IdentitySource::Transaction("T1"));
        let link = InviteLink::new("https://t.me/+abc");
        let at = Timestamp::from_ms(1_763_640_000_250);
        let created = Event::link_created(id, "u1", "T1", &link, at);
        let body = json!({
            "userId": "u1",
            "eventName": "pass_paid_community_telegram_link_created",
            "eventTime": "2025-11-20T12:00:00+0000",
            "eventData": {"transactionId": "T1", "inviteLink": "https://t.me/+abc"},
        });
        assert_eq!(created.webengage_body(), body);
        let joined = Event::joined(id, "u1", "T1", &link, TelegramUserId(77), at);
        let body = json!({
            "userId": "u1",
            "eventName": "pass_paid_community_telegram_joined",
            "eventTime": "2025-11-20T12:00:00+0000",
            "eventData": {"transactionId": "T1", "inviteLink": "https://t.me/+abc", "telegramUserId": "77"},
        });
        assert_eq!(joined.webengage_body(), body);

        // A claim link stands beside an invite link alone.
        let beside = InviteLink::new("https://t.me/bot?start=c_a");
        let data = created.clone().with_claim(Some(&beside), None).event_data;
        assert_eq!(data["claimLink"], json!("https://t.me/bot?start=c_a"));
        let claim = created.claim_beside();
        assert_eq!(claim.map(|claim| claim.request_id), Some(id));
        assert!(joined.claim_beside().is_none());

        // A claim link has a page, and only the event that tells of it names it.
        let url = PublicUrl::parse("https://pay.example");
        let told = |event: Event| event.with_claim(None, url.as_ref()).event_data;
        assert!(!told(created).contains_key("claimPage"));
        let token = "A-b_".repeat(12)[..46].to_owned();
        let link = InviteLink::new(format!("https://t.me/bot?start=c_{token}"));
        let created = Event::link_created(id, "u1", "T1", &link, at);
        let page = format!("https://pay.example/c/{token}");
        assert_eq!(told(created.clone())["claimPage"], json!(page));
        assert_eq!(created.clone().with_claim(None, None), created);
        assert!(created.claim_beside().is_none());
        let joined = Event::joined(id, "u1", "T1", &link, TelegramUserId(77), at);
        assert!(!told(joined.clone()).contains_key("claimPage"));
        assert_ne!(created.event_id, joined.event_id);
        assert_eq!(
            created.event_id,
            Event::link_created(id, "u1", "T1", &link, Timestamp::from_ms(0)).event_id
        );
        let queued = serde_json::to_string(&joined).unwrap();
        assert!(!queued.contains("linkVersion"), "{queued}");
        assert_eq!(serde_json::from_str::<Event>(&queued).unwrap(), joined);
        let second = created.clone().of_version(1);
        assert_ne!(second.event_id, created.event_id);
        assert_ne!(second.event_id, created.clone().of_version(2).event_id);
        assert_eq!(second.clone().of_version(0), created);
        let queued = serde_json::to_string(&second).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&queued).unwrap(), second);
    }
}
