//! How an actor is written as attributes.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::StoreError;
use super::super::item::{Item, Reader, n, s};
use super::attributes::*;
use domain::actor::webhook::{ActorWebhook, FailingUpdate, WebhookProgress};
use domain::actor::{Actor, ActorKeyHash, ActorRole};
use domain::id::{ChatId, FeedSeq};
use domain::time::Timestamp;
use tracing::error;

/// Who reads the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readership {
    /// Whether any actor does.
    pub has_readers: bool,
    /// Whether any of them is a backend, which alone sees joins and payments.
    pub has_backend: bool,
    /// The chats that their keys name.
    pub chats: BTreeSet<ChatId>,
    /// Whether the updates of any of them are sent.
    pub has_webhooks: bool,
    /// Whether there is any actor, a reader or not.
    pub has_actors: bool,
}

/// Texts in a list, since a set can't be empty.
pub(super) fn kinds(kinds: &BTreeSet<String>) -> AttributeValue {
    AttributeValue::L(kinds.iter().map(s).collect())
}

fn chats(chats: &BTreeSet<ChatId>) -> AttributeValue {
    AttributeValue::L(chats.iter().map(n).collect())
}

fn chats_of(value: &AttributeValue) -> Option<BTreeSet<ChatId>> {
    let chats = value.as_l().ok()?.iter();
    chats
        .map(|chat| chat.as_n().ok()?.parse().ok().map(ChatId))
        .collect()
}

/// What the list of all says of an actor.
pub(super) fn entry(actor: &Actor) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        (ROLE.to_owned(), s(actor.role.as_str())),
        (CHATS.to_owned(), chats(&actor.chats)),
    ]))
}

/// Who reads, by the list of all. Of an entry that can't be read it is taken that its actor reads whatever a role may, so
/// that it misses nothing; its chats are not known.
pub(super) fn readership(list: &HashMap<String, AttributeValue>) -> Readership {
    let mut readership = Readership {
        has_actors: !list.is_empty(),
        ..Readership::default()
    };
    for (name, entry) in list {
        let role = role_of(entry).unwrap_or_else(|| {
            error!(fault = "malformed", actor.name = %name, "an entry of the list of actors can't be read, it counts as one that reads all");
            ActorRole::Backend
        });
        if role.reads() {
            readership.has_readers = true;
            readership.has_backend |= role == ActorRole::Backend;
            readership.has_webhooks |= has_webhook(entry);
            let chats = entry.as_m().ok().and_then(|entry| entry.get(CHATS));
            let chats = chats.and_then(chats_of).unwrap_or_default();
            readership.chats.extend(chats);
        }
    }
    readership
}

/// Whether the updates of the actor of an entry are sent.
pub(super) fn has_webhook(entry: &AttributeValue) -> bool {
    let entry = entry.as_m().ok();
    entry.and_then(|entry| entry.get(WEBHOOK)) == Some(&AttributeValue::Bool(true))
}

fn role_of(entry: &AttributeValue) -> Option<ActorRole> {
    entry.as_m().ok()?.get(ROLE)?.as_s().ok()?.parse().ok()
}

/// The record of an actor that has this key.
pub(super) fn record(actor: &Actor, key: &ActorKeyHash) -> Item {
    let mut item = Item::from([
        (KEY_HASH.to_owned(), s(record_key(&actor.name))),
        (NAME.to_owned(), s(&actor.name)),
        (ROLE.to_owned(), s(actor.role.as_str())),
        (CHATS.to_owned(), chats(&actor.chats)),
        (RATE.to_owned(), n(actor.rate)),
        (CREATED_AT.to_owned(), s(actor.created_at)),
        (CURSOR.to_owned(), n(actor.cursor)),
        (PRESENT_KEY.to_owned(), s(key)),
    ]);
    if let Some(end) = actor.expires_at {
        item.insert(ENDS_AT.to_owned(), s(end));
    }
    item
}

/// The numbers of what was taken beyond the cursor.
pub(super) fn taken(progress: &WebhookProgress) -> AttributeValue {
    AttributeValue::L(progress.taken.iter().map(n).collect())
}

/// What is tried again.
pub(super) fn failing(progress: &WebhookProgress) -> AttributeValue {
    let failing = progress.failing.iter().map(|(seq, of)| {
        AttributeValue::M(HashMap::from([
            (SEQ.to_owned(), n(seq)),
            (TRIES.to_owned(), n(of.tries)),
            (NEXT_AT.to_owned(), n(of.next_at.ms())),
        ]))
    });
    AttributeValue::L(failing.collect())
}

fn progress(reader: &Reader<'_>, malformed: StoreError) -> Result<WebhookProgress, StoreError> {
    let taken = match reader.item.get(WEBHOOK_TAKEN) {
        None => Some(BTreeSet::new()),
        Some(value) => value.as_l().ok().and_then(|numbers| {
            let number = |value: &AttributeValue| value.as_n().ok()?.parse().ok().map(FeedSeq);
            numbers.iter().map(number).collect()
        }),
    };
    let failing = reader.maps(WEBHOOK_FAILING)?.into_iter().map(|of| {
        let failing = FailingUpdate {
            tries: of.number(TRIES)?,
            next_at: Timestamp::from_ms(of.number(NEXT_AT)?),
        };
        Ok((FeedSeq(of.number(SEQ)?), failing))
    });
    let failed_at: Option<i64> = reader.optional_number(WEBHOOK_FAILED_AT)?;
    let failure = reader.optional_text(WEBHOOK_FAILURE)?;
    Ok(WebhookProgress {
        taken: taken.ok_or(malformed)?,
        failing: failing.collect::<Result<_, StoreError>>()?,
        last_failure: failed_at
            .map(Timestamp::from_ms)
            .zip(failure.map(str::to_owned)),
    })
}

pub(super) fn actor(
    reader: &Reader<'_>,
    malformed: impl Fn(&'static str) -> StoreError,
) -> Result<Actor, StoreError> {
    let allowed = match reader.item.get(ALLOWED_UPDATES) {
        None => None,
        Some(value) => {
            let kinds = value.as_l().map_err(|_| malformed(ALLOWED_UPDATES))?;
            let kinds = kinds.iter().map(|kind| kind.as_s().ok().cloned());
            Some(
                kinds
                    .collect::<Option<_>>()
                    .ok_or_else(|| malformed(ALLOWED_UPDATES))?,
            )
        }
    };
    let chats = reader.item.get(CHATS).and_then(chats_of);
    let webhook = match reader.optional_text(WEBHOOK_URL)? {
        None => None,
        Some(url) => Some(ActorWebhook {
            url: url.to_owned(),
            secret: reader.optional_text(WEBHOOK_SECRET)?.map(str::to_owned),
            max_connections: reader.number(WEBHOOK_CONNECTIONS)?,
        }),
    };
    let progress = progress(reader, malformed(WEBHOOK_TAKEN))?;
    Ok(Actor {
        name: reader.text(NAME)?.parse().map_err(|()| malformed(NAME))?,
        role: reader.text(ROLE)?.parse().map_err(|()| malformed(ROLE))?,
        chats: chats.ok_or_else(|| malformed(CHATS))?,
        rate: reader.number(RATE)?,
        expires_at: reader.optional_instant(ENDS_AT)?,
        created_at: reader.parsed(CREATED_AT)?,
        cursor: FeedSeq(reader.number(CURSOR)?),
        allowed_updates: allowed,
        webhook,
        progress,
        poll: reader.optional_text(POLL)?.map(str::to_owned),
        asked_offset: reader.optional_number(ASKED_OFFSET)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_can_not_be_read_counts_as_one_that_reads() {
        let entry = |role: &str, at: i64| {
            AttributeValue::M(HashMap::from([
                (ROLE.to_owned(), s(role)),
                (CHATS.to_owned(), chats(&BTreeSet::from([ChatId(at)]))),
            ]))
        };
        let read = |entries: Vec<AttributeValue>| {
            let list = entries.into_iter().enumerate();
            readership(&list.map(|(n, entry)| (format!("a{n}"), entry)).collect())
        };
        let none = read(vec![]);
        assert_eq!(none, Readership::default());
        let aggregator = read(vec![entry("aggregator", -1)]);
        assert!(aggregator.has_actors && !aggregator.has_readers && aggregator.chats.is_empty());
        let operator = read(vec![entry("operator", -1)]);
        assert!(operator.has_readers && !operator.has_backend);
        assert!(read(vec![entry("backend", -1)]).has_backend);
        for unknown in [
            entry("owner", -2),
            s("x"),
            AttributeValue::M(HashMap::new()),
        ] {
            let with = read(vec![unknown, entry("operator", -1)]);
            assert!(with.has_readers && with.has_backend && with.chats.contains(&ChatId(-1)));
        }
    }
}
