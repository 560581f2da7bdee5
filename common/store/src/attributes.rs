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
pub(super) const CREATED_AT: &str = "createdAt";
pub(super) const UPDATED_AT: &str = "updatedAt";
pub(super) const EXPIRES_AT: &str = "expiresAt";

pub(super) const DONE_AT: &str = "doneAt";

pub(super) const PENDING_SHARD: &str = "pendingShard";
pub(super) const PENDING_SINCE: &str = "pendingSince";
pub(super) const PENDING_SENDS: &str = "pendingSends";
pub(super) const LINK_VERSION: &str = "linkVersion";
pub(super) const REPLACED: &str = "replaced";
pub(super) const IS_REVOKED: &str = "isRevoked";
pub(super) const FAILED_KEY: &str = "failedKey";
pub(super) const VOIDED_AT: &str = "voidedAt";
pub(super) const LEFT_AT: &str = "leftAt";
pub(super) const JOIN_VERSION: &str = "joinVersion";
pub(super) const LINK_EVENT_GIVEN_UP: &str = "linkEventGivenUp";
pub(super) const JOIN_EVENT_GIVEN_UP: &str = "joinEventGivenUp";
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
pub(super) const SLOT: &str = "slot";
pub(super) const CANONICAL_CHAT_ID: &str = "canonicalChatId";

pub(super) const LANE: &str = "lane";
pub(super) const KEY: &str = "key";
pub(super) const KIND: &str = "kind";
pub(super) const NOT_BEFORE: &str = "notBefore";
pub(super) const CRASHES: &str = "crashes";
pub(super) const LAST_ERROR: &str = "lastError";
pub(super) const TRACE: &str = "trace";

pub(super) const DEDUP_KEY: &str = "dedupKey";
pub(super) const WINDOW_OPENED_MS: &str = "windowOpenedMs";

pub(super) const LIMIT_KEY: &str = "limitKey";
pub(super) const OWNER: &str = "owner";
pub(super) const UNTIL: &str = "until";
pub(super) const TAKEN_AT: &str = "takenAt";
pub(super) const RUNG: &str = "rung";
pub(super) const BELL_AT: &str = "bellAt";
pub(super) const WAKE_AT: &str = "wakeAt";
pub(super) const WAKE_BOTS: &str = "wakeBots";
pub(super) const DEATHS: &str = "deaths";
pub(super) const DOING: &str = "doing";
pub(super) const LIMITERS: &str = "limiters";
pub(super) const OPERATOR_PAUSE: &str = "operatorPause";
pub(super) const RESUMES: &str = "resumes";
pub(super) const RESUMES_SEEN: &str = "resumesSeen";
pub(super) const MIGRATED_FROM: &str = "migratedFrom";
pub(super) const MIGRATED_TO: &str = "migratedTo";
pub(super) const INTERVAL_MS: &str = "intervalMs";
pub(super) const CEILING_MS: &str = "ceilingMs";
pub(super) const STEP: &str = "step";
pub(super) const DROP: &str = "drop";
pub(super) const STREAK: &str = "streak";
pub(super) const NEXT_SLOT_MS: &str = "nextSlotMs";
pub(super) const OPENED: &str = "opened";
pub(super) const OPEN_UNTIL: &str = "openUntil";
pub(super) const CAUSE: &str = "cause";
pub(super) const TASKS: &str = "tasks";
pub(super) const LENGTH_MS: &str = "lengthMs";
pub(super) const STORED_AT: &str = "storedAt";
pub(super) const REASON: &str = "reason";
pub(super) const LIFTED_AT: &str = "liftedAt";
pub(super) const LIFTED_BY: &str = "liftedBy";
