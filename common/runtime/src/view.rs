//! A request as its shop sees it.

use serde::Serialize;

use domain::claim::PublicUrl;
use domain::id::{ChatId, InviteLink, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::time::Timestamp;

/// The body of `GET /v1/invite/{requestId}`, and of whatever a shop does to a request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InviteView {
    ok: bool,
    request_id: RequestId,
    user_id: String,
    transaction_id: String,
    chat_id: ChatId,
    status: &'static str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_link: Option<InviteLink>,
    /// The claim link that stands beside the invite link.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_link: Option<InviteLink>,
    /// The page of the claim link, if its buyer got one.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_page: Option<InviteLink>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_expires_at: Option<Timestamp>,
    link_version: u32,
    /// Which claim link of it works, if its buyer got one.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_version: Option<u8>,
    /// Whether somebody has claimed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed: Option<bool>,
    /// Whether it moves to the person who comes with its present claim link.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_moving: Option<bool>,
    link_event_fired: bool,
    joined: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    telegram_user_id: Option<TelegramUserId>,
    join_event_fired: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voided_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl InviteView {
    /// The request, with `claim_link` beside its invite link, and the page of its claim link at the address where people reach
    /// us.
    #[must_use]
    pub fn new(
        invite: Invite,
        claim_link: Option<InviteLink>,
        public_url: Option<&PublicUrl>,
    ) -> Self {
        let is_claimable = !invite.has_invite_link() || claim_link.is_some();
        Self {
            ok: true,
            claim_page: invite.claim_page(claim_link.as_ref(), public_url),
            claim_link,
            request_id: invite.request_id,
            user_id: invite.user_id,
            transaction_id: invite.transaction_id,
            chat_id: invite.chat,
            status: invite.status.as_str(),
            attempts: invite.attempts,
            link_expires_at: invite
                .link_expires_at
                .filter(|_| invite.invite_link.is_some()),
            invite_link: invite.invite_link,
            link_version: invite.link_version,
            claim_version: invite.claim_version,
            claimed: is_claimable.then_some(invite.bound_to.is_some()),
            is_moving: invite.claim_version.map(|_| invite.is_moving),
            link_event_fired: invite.link_event_fired,
            joined: invite.joined_at.is_some(),
            joined_at: invite.joined_at,
            telegram_user_id: invite.telegram_user_id,
            join_event_fired: invite.join_event_fired,
            left_at: invite.left_at,
            voided_at: invite.voided_at,
            error: invite.error,
            created_at: invite.created_at,
            updated_at: invite.updated_at,
        }
    }
}
