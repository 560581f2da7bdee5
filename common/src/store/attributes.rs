//! The attribute names of all tables, each listed once.

pub(super) const REQUEST_ID: &str = "requestId";
pub(super) const USER_ID: &str = "userId";
pub(super) const TRANSACTION_ID: &str = "transactionId";
pub(super) const CHAT_ID: &str = "chatId";
pub(super) const STATUS: &str = "status";
pub(super) const ATTEMPTS: &str = "attempts";
pub(super) const REFUSALS: &str = "refusals";
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

pub(super) const DONE_AT: &str = "doneAt";

pub(super) const OPEN_SHARD: &str = "openShard";
pub(super) const ISSUE: &str = "issue";
pub(super) const REVOKING: &str = "revoking";
pub(super) const IS_DEAD: &str = "isDead";
pub(super) const JOINED_LINK: &str = "joinedLink";
pub(super) const HISTORY: &str = "history";
pub(super) const ACTIONS: &str = "actions";
pub(super) const AT: &str = "at";
pub(super) const WHO: &str = "who";
pub(super) const ACTION: &str = "action";
pub(super) const DETAIL: &str = "detail";

pub(super) const BOT_ID: &str = "botId";
pub(super) const LINK_HASH: &str = "linkHash";

pub(super) const SHARD: &str = "shard";
pub(super) const UNIT: &str = "unit";
pub(super) const SHELF: &str = "shelf";
pub(super) const ORDERED: &str = "ordered";
pub(super) const MADE: &str = "made";
pub(super) const GIVEN_UP: &str = "givenUp";
pub(super) const SEEN: &str = "seen";
pub(super) const ORDER_MAX: &str = "orderMax";
pub(super) const LAST_ORDER: &str = "lastOrder";
pub(super) const PROGRESS_AT: &str = "progressAt";
pub(super) const ORDERING_UNTIL: &str = "orderingUntil";

pub(super) const WINDOW_OPENED_MS: &str = "windowOpenedMs";

pub(super) const PACE_KEY: &str = "paceKey";
pub(super) const INTERVAL_MS: &str = "intervalMs";
pub(super) const CEILING_MS: &str = "ceilingMs";
pub(super) const STEP: &str = "step";
pub(super) const DROP: &str = "drop";
pub(super) const STREAK: &str = "streak";
pub(super) const NEXT_SLOT_MS: &str = "nextSlotMs";
pub(super) const PAUSED_UNTIL: &str = "pausedUntil";
pub(super) const HOLDS: &str = "holds";
pub(super) const MIGRATED_TO: &str = "migratedTo";
pub(super) const TICKETS: &str = "tickets";
pub(super) const DRAWN: &str = "drawn";
pub(super) const SERVED: &str = "served";
pub(super) const SEEN_MS: &str = "seenMs";
pub(super) const LAST_WAIT_CHAT: &str = "lastWaitChat";
pub(super) const LAST_WAIT_UNTIL: &str = "lastWaitUntil";
pub(super) const IS_WAIT_SHARED: &str = "isWaitShared";
pub(super) const COINCIDENCES: &str = "coincidences";
pub(super) const SHARED_UNTIL: &str = "sharedUntil";
pub(super) const HELD_UNTIL: &str = "heldUntil";
pub(super) const STOP: &str = "stop";
pub(super) const UNTIL: &str = "until";
pub(super) const REASON: &str = "reason";
pub(super) const LIFTED_AT: &str = "liftedAt";
pub(super) const LIFTED_BY: &str = "liftedBy";
pub(super) const WRITER: &str = "writer";
pub(super) const VERSION: &str = "version";
