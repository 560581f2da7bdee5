//! The orders of a person: what they were to pay for themselves, and what the requests that are theirs were bought by.

use std::collections::{BTreeMap, BTreeSet};

use super::super::item::{Item, s};
use super::super::{StoreError, Table};
use super::find::{get, is_own, query, text};
use super::{PersonKeys, Personal};
use domain::id::OrderId;
use domain::job::Pseudonym;
use domain::order::fact::OrderFact;
use domain::order::record::Order;

/// What is shown of an order as it stands.
const SHOWN: [&str; 4] = ["orderId", "createdAt", "orderState", "buyer"];
const RECORD: &str = "record";

impl Personal {
    pub(super) async fn orders(
        &self,
        table: &Table,
        keys: &PersonKeys,
    ) -> Result<Vec<Item>, StoreError> {
        let requests = self.requests(keys).await?;
        let own = requests.iter().filter(|item| is_own(item, keys.person));
        let (mut bought, mut buyers) = (BTreeSet::new(), BTreeSet::new());
        buyers.insert(format!("telegram#{}", keys.person));
        for request in own {
            bought.extend(text(request, "orderId").map(str::to_owned));
            buyers.extend(text(request, "userId").map(|user| format!("user#{user}")));
        }
        let mut ids = bought.clone();
        for buyer in buyers {
            let found = query(table, "buyer", s(buyer), Some("ByBuyer")).await?;
            let found = found.iter().filter_map(|item| text(item, "orderId"));
            ids.extend(found.map(str::to_owned));
        }
        let mut found = Vec::new();
        for id in ids {
            let key = [("orderId", s(&id)), ("item", s("order"))];
            let Some(item) = get(table, &key).await? else {
                continue;
            };
            // What a shop's user buys for somebody else is not this person's.
            let named = order_of(table, &item)?.buyer.telegram_user_id;
            if bought.contains(&id) || named == Some(keys.person) {
                found.push(item);
            }
        }
        Ok(found)
    }

    /// An order stays for the books; nobody bought it. Where it is written meanwhile the erasure goes on in its next run.
    pub(super) async fn forget_order(
        &self,
        item: &Item,
        pseudonym: &Pseudonym,
    ) -> Result<(), StoreError> {
        let Some(id) = text(item, "orderId").and_then(|id| id.parse::<OrderId>().ok()) else {
            return Ok(());
        };
        let Some(order) = self.orders.get(id).await? else {
            return Ok(());
        };
        let written = self
            .orders
            .write(&order.without_buyer(pseudonym.as_str()))
            .await?;
        match written {
            Some(_) => Ok(()),
            None => Err(StoreError::Contended {
                table: self.table("Orders").name,
            }),
        }
    }
}

fn order_of(table: &Table, item: &Item) -> Result<Order, StoreError> {
    let record = text(item, RECORD).and_then(|record| serde_json::from_str(record).ok());
    record.ok_or_else(|| table.malformed(RECORD))
}

/// An order as its person is shown it: what they bought and what came, without what owners and operators agreed and noted.
pub(super) fn shown(mut item: Item) -> Item {
    let record = text(&item, RECORD).and_then(|record| serde_json::from_str::<Order>(record).ok());
    item.retain(|name, _| SHOWN.contains(&name.as_str()));
    let Some(order) = record else {
        return item;
    };
    let facts: Vec<OrderFact> = order
        .facts
        .iter()
        .map(|fact| OrderFact {
            further: BTreeMap::new(),
            ..fact.clone()
        })
        .collect();
    let parts = [
        ("sold", serde_json::to_string(&order.sold)),
        ("facts", serde_json::to_string(&facts)),
        ("due", serde_json::to_string(&order.terms.due)),
        ("currency", Ok(order.terms.currency.clone())),
        ("provider", Ok(order.terms.provider.clone())),
    ];
    // Texts and integers: writing them can't fail.
    let parts = parts.map(|(name, part)| (name.to_owned(), s(part.unwrap_or_default())));
    item.extend(parts);
    item
}
