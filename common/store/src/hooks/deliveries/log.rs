//! The log of an endpoint, by time over all its parts, the latest first.

use super::super::super::StoreError;
use super::super::super::item::{Reader, s};
use super::{Deliveries, DeliveryRecord, EVENT, STATE, partition};
use domain::hook::{EndpointId, HOOK_SHARDS, HookEventId, HookState};
use domain::time::Timestamp;

/// How many pages of 1 MB are read of a part for one part of the log.
const PAGES_MAX: usize = 3;

/// A part of the log of an endpoint, the latest first.
#[derive(Debug, Default)]
pub struct DeliveryPage {
    /// The deliveries.
    pub found: Vec<DeliveryRecord>,
    /// Where to go on: there may be more before this one, which itself was looked at. Nothing if these are all.
    pub next: Option<HookEventId>,
}

impl Deliveries {
    /// The deliveries of an endpoint from `from` on and before `before`, the latest first, at most `limit`; only those in `state`, if
    /// one is named. Of each part it reads 3 MB at most, so there may be more although it found few.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn of(
        &self,
        endpoint: &EndpointId,
        (from, before): (Timestamp, &str),
        state: Option<HookState>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        let (mut found, mut reached) = (Vec::new(), None);
        for shard in 0..HOOK_SHARDS {
            let (some, to) = self
                .of_shard(endpoint, shard, (from, before), state, limit + 1)
                .await?;
            found.extend(some);
            reached = reached.max(to);
        }
        Ok(page(found, reached, limit))
    }

    /// Those of a part, and how far they were read, if that was not to the end.
    async fn of_shard(
        &self,
        endpoint: &EndpointId,
        shard: u8,
        (from, before): (Timestamp, &str),
        state: Option<HookState>,
        limit: usize,
    ) -> Result<(Vec<DeliveryRecord>, Option<HookEventId>), StoreError> {
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let mut call = self
                .0
                .client
                .query()
                .table_name(&self.0.name)
                .key_condition_expression(
                    "endpointShard = :of AND #event BETWEEN :from AND :before",
                )
                .expression_attribute_names("#event", EVENT)
                .expression_attribute_values(":of", s(partition(endpoint, shard)))
                .expression_attribute_values(":from", s(from))
                .expression_attribute_values(":before", s(before))
                .scan_index_forward(false)
                .set_exclusive_start_key(after);
            call = match state {
                Some(state) => call
                    .filter_expression("#state = :state")
                    .expression_attribute_names("#state", STATE)
                    .expression_attribute_values(":state", s(state.as_str())),
                None => call.limit(i32::try_from(limit + 1).unwrap_or(i32::MAX)),
            };
            let answer = call.send().await;
            let answer = answer.map_err(self.0.fault("Query of deliveries"))?;
            for item in answer.items.unwrap_or_default() {
                let record = self.read(&item)?;
                // BETWEEN takes the last one, too.
                if record.event.sort_key() != before {
                    found.push(record);
                }
            }
            after = answer.last_evaluated_key;
            if after.is_none() || found.len() >= limit {
                break;
            }
        }
        let reached = after.map(|item| {
            let reader = Reader {
                table: &self.0,
                item: &item,
            };
            self.event(&reader)
        });
        Ok((found, reached.transpose()?))
    }
}

/// The latest of what was found, at most `limit`, as far as each part was read: beyond `reached` something may be missing.
fn page(
    mut found: Vec<DeliveryRecord>,
    reached: Option<HookEventId>,
    limit: usize,
) -> DeliveryPage {
    found.retain(|record| reached.as_ref().is_none_or(|to| record.event >= *to));
    found.sort_by(|one, other| other.event.cmp(&one.event));
    let is_cut = found.len() > limit;
    found.truncate(limit);
    let next = match found.last() {
        Some(last) if is_cut => Some(last.event.clone()),
        _ => reached,
    };
    DeliveryPage { found, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::hook::{Announcement, HookKind};

    fn record(second: i64) -> DeliveryRecord {
        let announced = Announcement::endpoint_test(Timestamp::from_ms(second * 1000));
        DeliveryRecord {
            event: announced.id(),
            kind: HookKind::EndpointTest,
            body: String::new(),
            state: HookState::Parked,
            begun: 0,
            tries: Vec::new(),
            due_at: None,
        }
    }

    #[test]
    fn a_page_shows_nothing_beyond_what_was_read_of_each_part_and_says_where_to_go_on() {
        // What was found, how far all parts were read, and the seconds that are shown and where to go on.
        let cases = [
            (vec![1, 3, 2], None, vec![3, 2, 1], None),
            (vec![1, 4, 3, 2], None, vec![4, 3, 2], Some(2)),
            (vec![1, 3, 2], Some(2), vec![3, 2], Some(2)),
            (vec![1, 2], Some(5), vec![], Some(5)),
            (vec![5, 4, 3, 2, 1], Some(1), vec![5, 4, 3], Some(3)),
        ];
        for (found, reached, shown, next) in cases {
            let id = |second: i64| record(second).event;
            let page = page(found.into_iter().map(record).collect(), reached.map(id), 3);
            let events: Vec<_> = page.found.into_iter().map(|of| of.event).collect();
            assert_eq!(events, shown.into_iter().map(id).collect::<Vec<_>>());
            assert_eq!(page.next, next.map(id));
        }
    }
}
