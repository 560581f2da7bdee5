//! How people come into a chat: by a link, or by a join request that is settled.

use serde_json::json;

use super::join_request::{JoinRequest, Verdict};
use super::member::{MemberStatus, User};
use super::queries::Asked;
use super::refusal::Refusal;
use super::state::{TelegramState, Via, watchers};

/// More requests than this in [`ATTEMPTS_MS`] are refused by the person's own app. Not published: people report it.
const MOST_ATTEMPTS: usize = 5;
const ATTEMPTS_MS: i64 = 15 * 60 * 1000;

/// What happens to someone who taps an invite link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tap {
    /// In.
    Joined,
    /// In already; the link is not used.
    AlreadyMember,
    /// The link's time is over.
    Expired,
    /// The link was revoked.
    Revoked,
    /// As many are in by this link as it allows.
    Full,
    /// No such link.
    Unknown,
    /// Banned from the chat.
    Banned,
    /// The link makes join requests; one is waiting now.
    Requested,
    /// A join request of this person waits already.
    AlreadyRequested,
    /// The person asked too often lately.
    TooManyAttempts,
    /// The person is in as many chats as one can be in.
    TooManyChats,
}

impl TelegramState {
    /// The person taps an invite link.
    pub(crate) fn tap(&mut self, url: &str, user: &User, now_ms: i64) -> Tap {
        let Some(link) = self.links.get(url) else {
            return Tap::Unknown;
        };
        let (chat_id, wants_approval) = (link.chat_id, link.creates_join_request);
        let Some(chat) = self.chats.get(&chat_id).filter(|chat| !chat.deleted) else {
            return Tap::Unknown;
        };
        let status = chat.status(user.id, now_ms);
        if link.revoked {
            return Tap::Revoked;
        }
        if link.is_expired(now_ms / 1000) {
            return Tap::Expired;
        }
        if status.is_present() {
            return Tap::AlreadyMember;
        }
        if matches!(status, MemberStatus::Kicked { .. }) {
            return Tap::Banned;
        }
        if wants_approval {
            return self.ask_to_join(chat_id, user, Some(url), now_ms);
        }
        if link.is_full() {
            return Tap::Full;
        }
        let person = self.people.get(&user.id);
        if person.is_some_and(|person| person.is_in_too_many_chats) {
            return Tap::TooManyChats;
        }
        let joined = status.joined();
        self.change(
            chat_id,
            user,
            joined,
            user,
            &Via::Link(url.to_owned()),
            now_ms,
        );
        Tap::Joined
    }

    /// Makes a join request and tells the bots that may invite. A second one of the same person is told to nobody.
    pub(crate) fn ask_to_join(
        &mut self,
        chat_id: i64,
        user: &User,
        url: Option<&str>,
        now_ms: i64,
    ) -> Tap {
        let Some(chat) = self.chats.get(&chat_id) else {
            return Tap::Unknown;
        };
        if chat.requests.contains_key(&user.id) {
            return Tap::AlreadyRequested;
        }
        let told = watchers(chat)
            .into_iter()
            .filter(|(_, rights)| rights.is_some_and(|rights| rights.can_invite_users));
        let told: Vec<i64> = told.map(|(bot_id, _)| bot_id).collect();
        let processor = chat.request_processor;
        let shown = json!({
            "chat": chat.json(), "from": user.json(), "user_chat_id": user.id, "date": now_ms / 1000,
        });
        let attempts = &mut self.person(user).attempts_ms;
        attempts.retain(|at_ms| now_ms - at_ms < ATTEMPTS_MS);
        if attempts.len() >= MOST_ATTEMPTS {
            return Tap::TooManyAttempts;
        }
        attempts.push(now_ms);
        let request = JoinRequest {
            user: user.clone(),
            link: url.map(str::to_owned),
            at_ms: now_ms,
            told: told.clone(),
        };
        if let Some(chat) = self.chats.get_mut(&chat_id) {
            chat.requests.insert(user.id, request);
        }
        if let Some(link) = url.and_then(|url| self.links.get_mut(url)) {
            link.requests.insert(user.id);
        }
        for bot_id in told {
            let mut body = shown.clone();
            if let Some(link) = url.and_then(|url| self.links.get(url))
                && let Some(creator) = self.creator(link)
            {
                body["invite_link"] = link.json(creator, bot_id);
            }
            if processor == Some(bot_id) {
                let asked = Asked::ToJoin {
                    chat_id,
                    user_id: user.id,
                };
                body["query_id"] = json!(self.queries.put(bot_id, asked, now_ms));
            }
            self.seen.insert((bot_id, user.id));
            if let Some(bot) = self.bots.get_mut(&bot_id) {
                bot.inbox
                    .put(json!({"chat_join_request": body}), now_ms, now_ms);
            }
        }
        Tap::Requested
    }

    /// Approves or declines as `by`. Approval makes a member, and `chat_member` updates from `by`.
    pub(crate) fn settle_request(
        &mut self,
        chat_id: i64,
        user_id: i64,
        by: &User,
        verdict: Verdict,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        let missing = || Refusal::bad_request("HIDE_REQUESTER_MISSING");
        let chat = self.chats.get(&chat_id).ok_or_else(missing)?;
        let status = chat.status(user_id, now_ms);
        if status.is_present() {
            return Err(Refusal::bad_request("USER_ALREADY_PARTICIPANT"));
        }
        let request = chat.requests.get(&user_id).cloned().ok_or_else(missing)?;
        let person = self.people.get(&user_id);
        if person.is_some_and(|person| person.is_deactivated) {
            return Err(Refusal::forbidden("user is deactivated"));
        }
        if verdict == Verdict::Declined {
            self.drop_request(chat_id, user_id);
            return Ok(());
        }
        if person.is_some_and(|person| person.is_in_too_many_chats) {
            return Err(Refusal::bad_request("USER_CHANNELS_TOO_MUCH"));
        }
        let joined = status.joined();
        let via = request.link.map_or(Via::DirectRequest, Via::Link);
        self.change(chat_id, &request.user, joined, by, &via, now_ms);
        Ok(())
    }

    /// Whether the bot may write to a person who never started it, because of a request that waits.
    pub(crate) fn may_contact(&self, bot_id: i64, user_id: i64, now_ms: i64) -> bool {
        let mut requests = self
            .chats
            .values()
            .filter_map(|chat| chat.requests.get(&user_id));
        requests.any(|request| request.allows_contact(bot_id, now_ms))
    }
}
