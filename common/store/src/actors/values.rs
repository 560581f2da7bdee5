//! How an actor is written as attributes.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::StoreError;
use super::super::item::{Item, Reader, n, s};
use super::attributes::*;
use domain::actor::webhook::ActorWebhook;
use domain::actor::{Actor, ActorKeyHash, ActorRole};
use domain::id::{ChatId, FeedSeq};

/// Who reads the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readership {
    /// Whether any actor does.
    pub has_readers: bool,
    /// The chats that their keys name.
    pub chats: BTreeSet<ChatId>,
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

/// Who reads, by the list of all; nothing if it is malformed.
pub(super) fn readership(list: &HashMap<String, AttributeValue>) -> Option<Readership> {
    let mut readership = Readership {
        has_actors: !list.is_empty(),
        ..Readership::default()
    };
    for entry in list.values() {
        let entry = entry.as_m().ok()?;
        let role: ActorRole = entry.get(ROLE)?.as_s().ok()?.parse().ok()?;
        if role.reads() {
            readership.has_readers = true;
            readership.chats.extend(chats_of(entry.get(CHATS)?)?);
        }
    }
    Some(readership)
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
    let webhook = match reader.optional_text(WEBHOOK_URL)? {
        None => None,
        Some(url) => Some(ActorWebhook {
            url: url.to_owned(),
            secret: reader.optional_text(WEBHOOK_SECRET)?.map(str::to_owned),
            max_connections: reader.number(WEBHOOK_CONNECTIONS)?,
        }),
    };
    let chats = reader.item.get(CHATS).and_then(chats_of);
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
        poll: reader.optional_text(POLL)?.map(str::to_owned),
        asked_offset: reader.optional_number(ASKED_OFFSET)?,
    })
}
