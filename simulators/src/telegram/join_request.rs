//! Join requests: one per person and chat, until it is approved, declined or withdrawn.
//!
//! ```text
//! asks -> told to the bots that may invite -> approved: a member, chat_member
//!      |                                   -> declined, withdrawn: gone, no update; the person may ask again
//!      |-- 5 min: those bots may write to the person --|
//!      |-- 10 s: the chat's processor may answer the query that came with it --|
//! ```

use super::member::User;

/// How long a bot may write to the person, unless the request is settled before.
const CONTACT_MS: i64 = 5 * 60 * 1000;

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct JoinRequest {
    pub(crate) user: User,
    /// The link that it was made by, if by any.
    pub(crate) link: Option<String>,
    pub(crate) at_ms: i64,
    /// The bots that were told.
    pub(crate) told: Vec<i64>,
}

impl JoinRequest {
    /// Whether the bot may write to the person because of it.
    pub(crate) fn allows_contact(&self, bot_id: i64, now_ms: i64) -> bool {
        self.told.contains(&bot_id) && now_ms - self.at_ms < CONTACT_MS
    }
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approved,
    Declined,
}
