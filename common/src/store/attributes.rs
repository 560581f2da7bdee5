//! The attribute names of all tables, each listed once.

pub(super) const REQUEST_ID: &str = "requestId";
pub(super) const USER_ID: &str = "userId";
pub(super) const TRANSACTION_ID: &str = "transactionId";
pub(super) const CHAT_ID: &str = "chatId";
pub(super) const STATUS: &str = "status";
pub(super) const ATTEMPTS: &str = "attempts";
pub(super) const INVITE_LINK: &str = "inviteLink";
pub(super) const LINK_EXPIRES_AT: &str = "linkExpiresAt";
pub(super) const LINK_EVENT_FIRED: &str = "weLinkEventFired";
pub(super) const JOIN_EVENT_FIRED: &str = "joinEventFired";
pub(super) const TELEGRAM_USER_ID: &str = "telegramUserId";
pub(super) const JOINED_AT: &str = "joinedAt";
pub(super) const ERROR: &str = "error";
pub(super) const LEASE_OWNER: &str = "leaseOwner";
pub(super) const LEASE_UNTIL: &str = "leaseUntil";
pub(super) const CREATED_AT: &str = "createdAt";
pub(super) const UPDATED_AT: &str = "updatedAt";
pub(super) const EXPIRES_AT: &str = "expiresAt";

pub(super) const LINK_HASH: &str = "linkHash";

pub(super) const WINDOW_OPENED_MS: &str = "windowOpenedMs";

pub(super) const PACE_KEY: &str = "paceKey";
pub(super) const INTERVAL_MS: &str = "intervalMs";
pub(super) const NEXT_SLOT_MS: &str = "nextSlotMs";
pub(super) const RETURNED_UNTIL_MS: &str = "returnedUntilMs";
pub(super) const LINE_UNTIL_MS: &str = "lineUntilMs";
pub(super) const REVOCATIONS_UNTIL_MS: &str = "revocationsUntilMs";
pub(super) const PAUSED_UNTIL: &str = "pausedUntil";
pub(super) const SLOWED: &str = "slowed";
pub(super) const HOLDS: &str = "holds";
pub(super) const MIGRATED_TO: &str = "migratedTo";
pub(super) const VERSION: &str = "version";
