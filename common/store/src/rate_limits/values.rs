//! How limiters, pauses and what a holder learned are written as attributes.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::super::StoreError;
use super::super::item::{Reader, n, s};
use super::attributes::*;
use domain::id::{BotId, ChatId};
use domain::lease::{Learned, OperatorPause};
use domain::limiter::{Cause, Circuit, Limiter, Pause};
use domain::message::{Class, LastTurns};
use domain::time::Timestamp;

fn map<const N: usize>(fields: [(&str, Option<AttributeValue>); N]) -> AttributeValue {
    let fields = fields.into_iter();
    let fields: HashMap<String, AttributeValue> = fields
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    AttributeValue::M(fields)
}

fn limiters_value(limiters: &BTreeMap<BotId, Limiter>) -> AttributeValue {
    let limiters = limiters.iter().map(|(bot, limiter)| {
        let circuit = &limiter.circuit;
        let cause = circuit.cause.as_ref().map(|cause| match cause {
            Cause::Failure => s(""),
            Cause::Refused(words) => s(words),
        });
        let is_known = circuit.is_open();
        let value = map([
            (
                INTERVAL_MS,
                Some(n(format_args!("{:.3}", limiter.interval_ms))),
            ),
            (
                CEILING_MS,
                limiter.ceiling_ms.map(|ms| n(format_args!("{ms:.3}"))),
            ),
            (STEP, Some(n(limiter.step))),
            (DROP, Some(n(limiter.drop))),
            (STREAK, Some(n(limiter.streak))),
            (NEXT_SLOT_MS, Some(n(limiter.next_slot.ms()))),
            (OPENED, is_known.then(|| n(circuit.opened))),
            (OPEN_UNTIL, is_known.then(|| n(circuit.open_until.ms()))),
            (LENGTH_MS, is_known.then(|| n(circuit.open_for.as_millis()))),
            (CAUSE, cause),
            (
                TASKS,
                (!circuit.tasks.is_empty()).then(|| s(circuit.tasks.join(" "))),
            ),
        ]);
        (bot.to_string(), value)
    });
    AttributeValue::M(limiters.collect())
}

pub(super) fn pause_value(pause: Pause) -> AttributeValue {
    map([
        (UNTIL, Some(n(pause.until.ms()))),
        (LENGTH_MS, Some(n(pause.length.as_millis()))),
        (STORED_AT, Some(n(pause.stored_at.ms()))),
    ])
}

pub(super) fn pause_of(reader: &Reader<'_>) -> Result<Pause, StoreError> {
    Ok(Pause {
        until: Timestamp::from_ms(reader.number(UNTIL)?),
        length: Duration::from_millis(reader.number(LENGTH_MS)?),
        stored_at: Timestamp::from_ms(reader.number(STORED_AT)?),
    })
}

fn chat_slots_value(slots: &BTreeMap<ChatId, Timestamp>) -> AttributeValue {
    let slots = slots
        .iter()
        .map(|(chat, at)| (chat.to_string(), n(at.ms())));
    AttributeValue::M(slots.collect())
}

pub(super) fn chat_slots_of(
    reader: &Reader<'_>,
) -> Result<BTreeMap<ChatId, Timestamp>, StoreError> {
    let Some(slots) = reader.item.get(CHAT_SLOTS) else {
        return Ok(BTreeMap::new());
    };
    let malformed = || reader.table.malformed(CHAT_SLOTS);
    let slots = slots.as_m().map_err(|_| malformed())?.iter();
    slots
        .map(|(chat, at)| {
            let at = at.as_n().ok().and_then(|ms| ms.parse().ok());
            let chat = chat.parse().ok().map(ChatId);
            chat.zip(at.map(Timestamp::from_ms)).ok_or_else(malformed)
        })
        .collect()
}

/// Has an update store what was learned; answers what it is to set and to remove, too.
pub(super) fn with_learned(
    call: UpdateItemFluentBuilder,
    learned: &Learned,
) -> (String, String, UpdateItemFluentBuilder) {
    let mut set = "limiters = :limiters, resumesSeen = :resumes".to_owned();
    let mut remove = String::new();
    let mut call = call
        .expression_attribute_values(":resumes", n(learned.resumes))
        .expression_attribute_values(":limiters", limiters_value(&learned.limiters));
    let slots = &learned.chat_slots;
    let slots = (!slots.is_empty()).then(|| chat_slots_value(slots));
    let (places, in_a_row) = (&learned.turns.places, &learned.turns.in_a_row);
    let turns = (!places.is_empty()).then(|| turns_value(places));
    let in_a_row = (!in_a_row.is_empty()).then(|| in_a_row_value(in_a_row));
    for (name, value) in [(CHAT_SLOTS, slots), (TURNS, turns), (IN_A_ROW, in_a_row)] {
        match value {
            Some(value) => {
                set.push_str(&format!(", {name} = :{name}"));
                call = call.expression_attribute_values(format!(":{name}"), value);
            }
            None => remove.push_str(&format!(", {name}")),
        }
    }
    (set, remove, call)
}

fn turns_value(places: &BTreeMap<(ChatId, Class), u16>) -> AttributeValue {
    let places = places
        .iter()
        .map(|((chat, class), place)| (format!("{chat}#{}", class.as_str()), n(place)));
    AttributeValue::M(places.collect())
}

fn in_a_row_value(in_a_row: &BTreeMap<ChatId, u32>) -> AttributeValue {
    let in_a_row = in_a_row.iter();
    AttributeValue::M(
        in_a_row
            .map(|(chat, of)| (chat.to_string(), n(of)))
            .collect(),
    )
}

pub(super) fn turns_of(reader: &Reader<'_>) -> Result<LastTurns, StoreError> {
    Ok(LastTurns {
        places: numbers(reader, TURNS, |key| {
            let (chat, class) = key.split_once('#')?;
            Some((ChatId(chat.parse().ok()?), class.parse().ok()?))
        })?,
        in_a_row: numbers(reader, IN_A_ROW, |chat| chat.parse().ok().map(ChatId))?,
    })
}

/// A map of numbers; an empty one if it is not there.
fn numbers<K: Ord, N: FromStr>(
    reader: &Reader<'_>,
    name: &'static str,
    key_of: impl Fn(&str) -> Option<K>,
) -> Result<BTreeMap<K, N>, StoreError> {
    let Some(all) = reader.item.get(name) else {
        return Ok(BTreeMap::new());
    };
    let malformed = || reader.table.malformed(name);
    let all = all.as_m().map_err(|_| malformed())?.iter();
    all.map(|(key, value)| {
        let value = value.as_n().ok().and_then(|number| number.parse().ok());
        key_of(key).zip(value).ok_or_else(malformed)
    })
    .collect()
}

pub(super) fn operator_pause_value(pause: &OperatorPause) -> AttributeValue {
    let lifted = pause.lifted.as_ref();
    map([
        (REASON, Some(s(&pause.reason))),
        (WHO, Some(s(&pause.who))),
        (AT, Some(s(pause.at))),
        (UNTIL, pause.until.map(s)),
        (LIFTED_AT, lifted.map(|(at, _)| s(at))),
        (LIFTED_BY, lifted.map(|(_, who)| s(who))),
    ])
}

pub(super) fn operator_pause_of(reader: &Reader<'_>) -> Result<OperatorPause, StoreError> {
    let lifted_by = reader.optional_text(LIFTED_BY)?.map(str::to_owned);
    Ok(OperatorPause {
        reason: reader.text(REASON)?.to_owned(),
        who: reader.text(WHO)?.to_owned(),
        at: reader.parsed(AT)?,
        until: reader.optional_instant(UNTIL)?,
        lifted: reader.optional_instant(LIFTED_AT)?.zip(lifted_by),
    })
}

/// The limiter of a bot; what its record does not tell is as in `fresh`.
pub(super) fn limiter_of(reader: &Reader<'_>, fresh: Limiter) -> Result<Limiter, StoreError> {
    let open_until: Option<i64> = reader.optional_number(OPEN_UNTIL)?;
    let open_for = reader.optional_number(LENGTH_MS)?.unwrap_or_default();
    let cause = reader.optional_text(CAUSE)?.map(|cause| match cause {
        "" => Cause::Failure,
        refusal => Cause::Refused(refusal.to_owned()),
    });
    let tasks = reader.optional_text(TASKS)?.unwrap_or_default();
    Ok(Limiter {
        interval_ms: Limiter::bounded_interval(reader.number(INTERVAL_MS)?),
        ceiling_ms: reader.optional_number(CEILING_MS)?,
        step: reader.number(STEP)?,
        drop: reader.number(DROP)?,
        streak: reader.number(STREAK)?,
        next_slot: Timestamp::from_ms(reader.number(NEXT_SLOT_MS)?),
        circuit: Circuit {
            opened: reader.optional_number(OPENED)?.unwrap_or_default(),
            open_until: Timestamp::from_ms(open_until.unwrap_or_default()),
            open_for: Duration::from_millis(open_for),
            cause,
            tasks: tasks.split_whitespace().map(str::to_owned).collect(),
        },
        ..fresh
    })
}
