//! The attribute names of the table of actors, each listed once, and the keys that are not those of a hash.

use domain::actor::ActorName;

/// The key of the list of all actors.
pub(super) const LIST: &str = "list";
/// What the key of an actor's record begins with.
const RECORD: &str = "actor#";

pub(super) const KEY_HASH: &str = "keyHash";
pub(super) const NAME: &str = "name";
pub(super) const UNTIL: &str = "until";
pub(super) const ACTORS: &str = "actors";
pub(super) const ROLE: &str = "role";
pub(super) const CHATS: &str = "chats";
pub(super) const RATE: &str = "rate";
pub(super) const ENDS_AT: &str = "endsAt";
pub(super) const CREATED_AT: &str = "createdAt";
pub(super) const SEQ: &str = "seq";
pub(super) const CURSOR: &str = "cursor";
pub(super) const ALLOWED_UPDATES: &str = "allowedUpdates";
pub(super) const POLL: &str = "poll";
pub(super) const ASKED_OFFSET: &str = "askedOffset";
/// In the list: whether its updates are sent.
pub(super) const WEBHOOK: &str = "webhook";
pub(super) const WEBHOOK_URL: &str = "webhookUrl";
pub(super) const WEBHOOK_SECRET: &str = "webhookSecret";
pub(super) const WEBHOOK_CONNECTIONS: &str = "webhookConnections";
pub(super) const WEBHOOK_TAKEN: &str = "webhookTaken";
pub(super) const WEBHOOK_FAILING: &str = "webhookFailing";
pub(super) const TRIES: &str = "tries";
pub(super) const NEXT_AT: &str = "nextAt";
pub(super) const WEBHOOK_FAILED_AT: &str = "webhookFailedAt";
pub(super) const WEBHOOK_FAILURE: &str = "webhookFailure";
pub(super) const PRESENT_KEY: &str = "presentKey";
pub(super) const FORMER_KEY: &str = "formerKey";

/// The key of an actor's record.
pub(super) fn record_key(name: &ActorName) -> String {
    format!("{RECORD}{name}")
}
