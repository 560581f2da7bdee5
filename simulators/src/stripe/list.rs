//! Lists: the newest first, by pages, filtered.

use serde_json::{Value, json};

use super::kind::ObjectKind;
use super::refusal::StripeRefusal;
use super::values::{integer, text};
use super::world::StripeWorld;

const MOST_PER_PAGE: i64 = 100;
const PER_PAGE: i64 = 10;

/// One page of a kind; `keep` filters beside `created`.
pub(super) fn list(
    world: &StripeWorld,
    kind: ObjectKind,
    params: &Value,
    keep: impl Fn(&Value) -> bool,
) -> Result<Value, StripeRefusal> {
    let created = &params["created"];
    let is_created = |object: &Value| {
        let at = integer(&object["created"]);
        let bound = |name: &str, holds: fn(i64, i64) -> bool| {
            created[name].as_i64().is_none_or(|bound| holds(at, bound))
        };
        created.as_i64().is_none_or(|exact| at == exact)
            && bound("gt", |at, bound| at > bound)
            && bound("gte", |at, bound| at >= bound)
            && bound("lt", |at, bound| at < bound)
            && bound("lte", |at, bound| at <= bound)
    };
    let newest_first: Vec<Value> = world
        .all(kind)
        .rev()
        .filter(|object| is_created(object) && keep(object))
        .cloned()
        .collect();
    for cursor in ["starting_after", "ending_before"] {
        if let Some(id) = params[cursor].as_str() {
            world
                .find(kind, id, cursor)
                .map_err(StripeRefusal::in_parameter)?;
        }
    }
    let shown = newest_first
        .into_iter()
        .map(|object| world.shown(kind, object));
    page(shown.collect(), params, kind.url())
}

/// One page of objects that are given newest first.
pub(super) fn page(objects: Vec<Value>, params: &Value, url: &str) -> Result<Value, StripeRefusal> {
    let limit = params["limit"].as_i64().unwrap_or(PER_PAGE);
    if !(1..=MOST_PER_PAGE).contains(&limit) {
        let message = if limit < 1 {
            "This value must be greater than or equal to 1."
        } else {
            "This value must be less than or equal to 100."
        };
        return Err(StripeRefusal::invalid(message).param("limit").validation());
    }
    let limit = usize::try_from(limit).unwrap_or(1);
    let place = |id: &str| objects.iter().position(|object| text(&object["id"]) == id);
    let (data, has_more): (Vec<Value>, bool) = match (
        params["starting_after"].as_str(),
        params["ending_before"].as_str(),
    ) {
        (Some(_), Some(_)) => {
            return Err(StripeRefusal::exclusive("starting_after, ending_before"));
        }
        (None, Some(before)) => {
            let end = place(before).unwrap_or(0);
            let start = end.saturating_sub(limit);
            (
                objects.get(start..end).unwrap_or_default().to_vec(),
                start > 0,
            )
        }
        (after, None) => {
            let start = after.map_or(0, |after| place(after).map_or(objects.len(), |at| at + 1));
            let rest = objects.get(start..).unwrap_or_default();
            (
                rest.iter().take(limit).cloned().collect(),
                rest.len() > limit,
            )
        }
    };
    Ok(json!({"object": "list", "url": url, "has_more": has_more, "data": data}))
}

/// A filter by fields that parameters of the same name give.
pub(super) fn equal<'a>(params: &'a Value, fields: &'a [&'a str]) -> impl Fn(&Value) -> bool + 'a {
    move |object| {
        fields
            .iter()
            .all(|field| params[*field].is_null() || params[*field] == object[*field])
    }
}
