//! What a person is shown of an item that is not theirs alone: nothing that lets in somebody else, and nothing of others.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use super::super::StoreError;
use super::super::item::{Item, n, s};
use super::find::{entry_names, is_own, is_record, text};
use super::{Holding, PersonItem, PersonKeys, Personal, PersonalTable, orders};
use domain::history::Action;
use domain::id::TelegramUserId;

/// What is shown of a request that moves away from the person, or was theirs.
const OF_FORMER: [&str; 2] = ["requestId", "history"];
/// What is shown of a delivery about such a request.
const OF_FORMER_DELIVERY: [&str; 3] = ["event", "type", "requestId"];
/// The fields of an announcement that name a person in Telegram.
const NAMING: [&str; 3] = [
    "telegramUserId",
    "fromTelegramUserId",
    "holderTelegramUserId",
];

impl Personal {
    /// The items of a table that hold something of a person, as of now but for what an index of a moment ago leads to.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn items(
        &self,
        table: &PersonalTable,
        keys: &PersonKeys,
    ) -> Result<Vec<PersonItem>, StoreError> {
        let items = self.find(table, keys).await?;
        let own = match table.holding {
            Holding::Deliveries => self.own_requests(keys).await?,
            _ => BTreeSet::new(),
        };
        let shown = items.into_iter().filter_map(|item| match table.holding {
            Holding::Requests => Some(request(item, keys.person)),
            Holding::Deliveries => Some(delivery(item, keys.person, &own)),
            Holding::Orders => Some(orders::shown(item)),
            // Of a job the record: its lines are copies.
            Holding::Exports => is_record(&item).then_some(item),
            _ => Some(item),
        });
        Ok(shown.map(PersonItem).collect())
    }
}

/// A request as its person is shown it: their own without whom it came from, and of another's their part of its history.
fn request(mut request: Item, person: TelegramUserId) -> Item {
    let is_own = is_own(&request, person);
    if !is_own {
        request.retain(|name, _| OF_FORMER.contains(&name.as_str()));
    }
    for (name, theirs) in [("boundFrom", n(person)), ("telegramUserId", s(person))] {
        if request.get(name).is_some_and(|named| *named != theirs) {
            request.remove(name);
        }
    }
    if let Some(AttributeValue::L(entries)) = request.get_mut("history") {
        entries.retain(|entry| is_own || entry_names(entry, person));
        for entry in entries {
            let is_theirs = entry_names(entry, person);
            // A move names who had it before.
            if let AttributeValue::M(entry) = entry
                && !is_theirs
                && text(entry, "action") == Some(Action::Rebind.as_str())
            {
                entry.remove("detail");
            }
        }
    }
    request
}

/// A delivery as the person is shown it; `own` are the requests that are theirs and nobody else's.
fn delivery(mut delivery: Item, person: TelegramUserId, own: &BTreeSet<String>) -> Item {
    let request = text(&delivery, "requestId");
    if request.is_some_and(|id| !own.contains(id)) {
        delivery.retain(|name, _| OF_FORMER_DELIVERY.contains(&name.as_str()));
        return delivery;
    }
    if let Some(body) = text(&delivery, "body") {
        let body = without(body, |named| named != person);
        delivery.insert("body".to_owned(), s(body.unwrap_or_default()));
    }
    if text(&delivery, "telegramUserId").is_some_and(|named| *named != person.to_string()) {
        delivery.remove("telegramUserId");
    }
    delivery
}

/// The body of an announcement without those whom it names in Telegram and who are `unwanted`; nothing if it is none.
pub(super) fn without(body: &str, unwanted: impl Fn(TelegramUserId) -> bool) -> Option<String> {
    let mut body: Value = serde_json::from_str(body).ok()?;
    let data = body.get_mut("data")?.as_object_mut()?;
    for name in NAMING {
        let named = data.get(name).and_then(Value::as_i64);
        if named.is_some_and(|id| unwanted(TelegramUserId(id))) {
            data.remove(name);
        }
    }
    Some(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDER: TelegramUserId = TelegramUserId(7_301);
    const BEFORE: TelegramUserId = TelegramUserId(7_302);

    fn entry(action: &str, detail: &str) -> AttributeValue {
        let fields = [("action", action), ("detail", detail), ("who", "shop")];
        let fields = fields.map(|(name, value)| (name.to_owned(), s(value)));
        AttributeValue::M(fields.into())
    }

    fn bound(is_moving: bool) -> Item {
        let history = vec![
            entry("rebind", "claimed by 7302"),
            entry("rebind", "claimed by 7301"),
        ];
        let mut item = Item::from([
            ("requestId".to_owned(), s("r")),
            ("inviteLink".to_owned(), s("https://t.me/bot?start=c_next")),
            ("claimVersion".to_owned(), n(2)),
            ("userId".to_owned(), s("buyer")),
            ("boundTo".to_owned(), n(HOLDER)),
            ("boundFrom".to_owned(), n(BEFORE)),
            ("history".to_owned(), AttributeValue::L(history)),
        ]);
        if is_moving {
            item.insert("isMoving".to_owned(), AttributeValue::Bool(true));
        }
        item
    }

    #[test]
    fn a_person_sees_their_own_link_and_neither_the_next_ones_nor_who_had_it_before() {
        for (is_moving, person, sees_link, lines) in [
            (false, HOLDER, true, 2),
            (true, HOLDER, false, 1),
            (false, BEFORE, false, 1),
            (true, BEFORE, false, 1),
        ] {
            let shown = request(bound(is_moving), person);
            let case = format!("{is_moving} {person}: {shown:?}");
            assert_eq!(shown.contains_key("inviteLink"), sees_link, "{case}");
            assert_eq!(shown.contains_key("claimVersion"), sees_link, "{case}");
            assert_eq!(shown.contains_key("userId"), sees_link, "{case}");
            let AttributeValue::L(history) = &shown["history"] else {
                panic!("{case}");
            };
            assert_eq!(history.len(), lines, "{case}");
            let other = if person == HOLDER { BEFORE } else { HOLDER };
            let others = AttributeValue::M(shown.clone());
            assert!(
                !format!("{others:?}").contains(&other.to_string()),
                "{case}"
            );
        }
    }

    #[test]
    fn of_what_was_told_of_anothers_request_nothing_is_shown_but_that_it_was() {
        let body = r#"{"type":"seat.moved","data":{"requestId":"r","userId":"buyer","telegramUserId":7301,"fromTelegramUserId":7302,"inviteLink":"https://t.me/x"}}"#;
        let item = Item::from([
            ("requestId".to_owned(), s("r")),
            ("event".to_owned(), s("e")),
            ("body".to_owned(), s(body)),
            ("telegramUserId".to_owned(), s(HOLDER)),
        ]);
        let own = BTreeSet::from(["r".to_owned()]);
        let shown = delivery(item.clone(), HOLDER, &own);
        let body = text(&shown, "body").unwrap();
        assert!(body.contains("7301") && !body.contains("7302"), "{body}");
        let shown = delivery(item, BEFORE, &BTreeSet::new());
        let mut names: Vec<&String> = shown.keys().collect();
        names.sort();
        assert_eq!(names, ["event", "requestId"]);
    }
}
