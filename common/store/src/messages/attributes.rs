//! The attribute names of the tables of messages, each listed once.

pub(super) const ATTEMPTS: &str = "attempts";
pub(super) const AUTHOR: &str = "author";
pub(super) const BOT_ID: &str = "botId";
pub(super) const CHAT_ID: &str = "chatId";
pub(super) const CLASS: &str = "class";
pub(super) const CONTENT: &str = "content";
pub(super) const CRASHES: &str = "crashes";
pub(super) const ERROR: &str = "error";
pub(super) const LANE: &str = "lane";
pub(super) const LAST_ERROR: &str = "lastError";
pub(super) const LISTED_AT: &str = "listedAt";
pub(super) const MESSAGE_ID: &str = "messageId";
pub(super) const NOT_AFTER: &str = "notAfter";
pub(super) const NOT_BEFORE: &str = "notBefore";
pub(super) const OWNER: &str = "owner";
pub(super) const QUEUED_AT: &str = "queuedAt";
pub(super) const RETRY_AT: &str = "retryAt";
pub(super) const SENDING_BY: &str = "sendingBy";
pub(super) const STATE: &str = "state";
pub(super) const TELEGRAM_MESSAGE_ID: &str = "telegramMessageId";
pub(super) const THREAD_ID: &str = "threadId";
pub(super) const TRACE: &str = "trace";
