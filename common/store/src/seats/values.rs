//! How a seat is written as an item.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::item::{Item, Reader, n, s};
use super::super::{StoreError, Table};
use super::attributes::*;
use domain::id::{ChatId, TelegramUserId};
use domain::member::entitlement::{Cover, Entitlement, EntitlementId};
use domain::member::fold::{Entitlements, Floor, Right};
use domain::member::presence::PresenceState;
use domain::member::removal::{Removal, RemovalCause, RemovalStage};
use domain::member::{Seat, SeatEntry};
use domain::time::Timestamp;

fn map<const N: usize>(fields: [(&str, Option<AttributeValue>); N]) -> Item {
    let fields = fields.into_iter();
    fields
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// The item of a seat that is written at `now`.
pub(super) fn item(seat: &Seat, now: Timestamp) -> Item {
    let entitlements = seat.entitlements.iter();
    let entitlements: HashMap<String, AttributeValue> = entitlements
        .map(|(id, entitlement)| (id.as_str().to_owned(), entitlement_value(entitlement)))
        .collect();
    let history = seat.history.iter().map(|entry| {
        AttributeValue::M(map([(AT, Some(s(entry.at))), (WHAT, Some(s(&entry.what)))]))
    });
    map([
        (PERSON, Some(s(seat.person))),
        (CHAT, Some(s(seat.chat))),
        (ENTITLEMENTS, Some(AttributeValue::M(entitlements))),
        (FLOOR, seat.floor.as_ref().map(floor_value)),
        (PRESENCE, Some(s(seat.presence.as_str()))),
        (PRESENCE_AT, seat.presence_at.map(s)),
        (GUEST, seat.guest.then_some(AttributeValue::Bool(true))),
        (REQUESTED_AT, seat.requested_at.map(s)),
        (REMOVAL, seat.removal.as_ref().map(removal_value)),
        (REMOVED_AT, seat.removed_at.map(s)),
        (MOVED_AT, seat.moved_at.map(s)),
        (OFFERED_AT, seat.offered_at.map(s)),
        (REVIEW, seat.review.map(s)),
        (CHECKED_AT, seat.checked_at.map(s)),
        (VERSION, Some(n(seat.version))),
        (HISTORY, Some(AttributeValue::L(history.collect()))),
        (RIGHT, Some(s(seat.right.as_str()))),
        (UNTIL, seat.until.map(s)),
        (GRACE_UNTIL, seat.grace_until.map(s)),
        (EXPIRES_AT, seat.expires_at(now).map(|at| n(at.seconds()))),
    ])
}

fn entitlement_value(entitlement: &Entitlement) -> AttributeValue {
    let (until, seconds) = match entitlement.cover {
        Cover::Until(until) => (Some(s(until)), None),
        Cover::Days { seconds } => (None, Some(n(seconds))),
        Cover::Forever => (None, None),
    };
    AttributeValue::M(map([
        (COVER_UNTIL, until),
        (COVER_SECONDS, seconds),
        (START, Some(s(entitlement.start))),
        (GRACE, Some(n(entitlement.grace.as_secs()))),
        (CUT_AT, entitlement.cut_at.map(s)),
        (SUSPENDED_AT, entitlement.suspended_at.map(s)),
        (LEVEL, Some(n(entitlement.level))),
        (ORDER_VERSION, entitlement.order_version.map(n)),
    ]))
}

fn floor_value(floor: &Floor) -> AttributeValue {
    let used = floor.used_ms.iter();
    let used = used.map(|(id, ms)| (id.as_str().to_owned(), n(ms)));
    AttributeValue::M(map([
        (AT, Some(s(floor.at))),
        (USED, Some(AttributeValue::M(used.collect()))),
    ]))
}

fn removal_value(removal: &Removal) -> AttributeValue {
    let (held, claimed_at) = match &removal.stage {
        RemovalStage::Planned { held } => (held.as_ref().map(s), None),
        RemovalStage::Calling { claimed_at } => (None, Some(s(claimed_at))),
    };
    AttributeValue::M(map([
        (CAUSE, Some(s(removal.cause.as_str()))),
        (AT, Some(s(removal.planned_at))),
        (HELD, held),
        (CLAIMED_AT, claimed_at),
    ]))
}

/// The chat of an item.
pub(super) fn chat_of(table: &Table, item: &Item) -> Result<ChatId, StoreError> {
    Reader { table, item }.parsed::<i64>(CHAT).map(ChatId)
}

/// Reads the seat of a person in a chat.
pub(super) fn read(
    table: &Table,
    item: &Item,
    person: TelegramUserId,
    chat: ChatId,
) -> Result<Seat, StoreError> {
    let reader = Reader { table, item };
    let (presence, right) = (reader.text(PRESENCE)?, reader.text(RIGHT)?);
    let history = reader.maps(HISTORY)?;
    let history = history.iter().map(|entry| {
        Ok(SeatEntry {
            at: entry.parsed(AT)?,
            what: entry.text(WHAT)?.to_owned(),
        })
    });
    Ok(Seat {
        person,
        chat,
        entitlements: entitlements(&reader)?,
        floor: reader.optional_map(FLOOR)?.map(floor).transpose()?,
        presence: PresenceState::ALL
            .into_iter()
            .find(|state| presence == state.as_str())
            .ok_or_else(|| table.malformed(PRESENCE))?,
        presence_at: reader.optional_instant(PRESENCE_AT)?,
        guest: reader.flag(GUEST),
        requested_at: reader.optional_instant(REQUESTED_AT)?,
        removal: reader.optional_map(REMOVAL)?.map(removal).transpose()?,
        removed_at: reader.optional_instant(REMOVED_AT)?,
        moved_at: reader.optional_instant(MOVED_AT)?,
        offered_at: reader.optional_instant(OFFERED_AT)?,
        review: reader.optional_instant(REVIEW)?,
        checked_at: reader.optional_instant(CHECKED_AT)?,
        version: reader.number(VERSION)?,
        history: history.collect::<Result<_, _>>()?,
        right: Right::ALL
            .into_iter()
            .find(|known| right == known.as_str())
            .ok_or_else(|| table.malformed(RIGHT))?,
        until: reader.optional_instant(UNTIL)?,
        grace_until: reader.optional_instant(GRACE_UNTIL)?,
    })
}

fn entitlements(reader: &Reader<'_>) -> Result<Entitlements, StoreError> {
    let Some(all) = reader.optional_map(ENTITLEMENTS)? else {
        return Ok(Entitlements::new());
    };
    let ids = all.item.keys();
    ids.map(|id| {
        let one = all.item[id].as_m();
        let item = one.map_err(|_| all.table.malformed(ENTITLEMENTS))?;
        let table = all.table;
        let entitlement = entitlement(&Reader { table, item })?;
        Ok((EntitlementId::new(id), entitlement))
    })
    .collect()
}

fn entitlement(reader: &Reader<'_>) -> Result<Entitlement, StoreError> {
    let until = reader.optional_instant(COVER_UNTIL)?;
    let seconds = reader.optional_number(COVER_SECONDS)?;
    Ok(Entitlement {
        cover: match (until, seconds) {
            (Some(until), _) => Cover::Until(until),
            (None, Some(seconds)) => Cover::Days { seconds },
            (None, None) => Cover::Forever,
        },
        start: reader.parsed(START)?,
        grace: Duration::from_secs(reader.number(GRACE)?),
        cut_at: reader.optional_instant(CUT_AT)?,
        suspended_at: reader.optional_instant(SUSPENDED_AT)?,
        level: reader.number(LEVEL)?,
        order_version: reader.optional_number(ORDER_VERSION)?,
    })
}

fn floor(reader: Reader<'_>) -> Result<Floor, StoreError> {
    let used = reader.optional_map(USED)?;
    let used = used.ok_or_else(|| reader.table.malformed(USED))?;
    let used_ms = used.item.iter().map(|(id, ms)| {
        let ms = ms.as_n().ok().and_then(|ms| ms.parse().ok());
        let ms = ms.ok_or_else(|| reader.table.malformed(USED))?;
        Ok((EntitlementId::new(id), ms))
    });
    Ok(Floor {
        at: reader.parsed(AT)?,
        used_ms: used_ms.collect::<Result<_, StoreError>>()?,
    })
}

fn removal(reader: Reader<'_>) -> Result<Removal, StoreError> {
    let cause = reader.text(CAUSE)?;
    let held = reader.optional_text(HELD)?.map(str::to_owned);
    Ok(Removal {
        cause: RemovalCause::ALL
            .into_iter()
            .find(|known| known.as_str() == cause)
            .ok_or_else(|| reader.table.malformed(CAUSE))?,
        planned_at: reader.parsed(AT)?,
        stage: match reader.optional_instant(CLAIMED_AT)? {
            Some(claimed_at) => RemovalStage::Calling { claimed_at },
            None => RemovalStage::Planned { held },
        },
    })
}
