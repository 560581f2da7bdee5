//! The buckets of what actors send: one record a bot, `actors#<botId>`, with the bucket of them all and that of each.
//!
//! ```text
//! read the buckets --> a turn --> write them, unless another wrote meanwhile: then read again
//!                                 die here: a token is spent that nobody used
//! ```

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::super::StoreError;
use super::super::item::{Item, Reader, n, s};
use super::attributes::LIMIT_KEY;
use super::{RateLimits, Written};
use domain::actor::ActorName;
use domain::actor::bucket::{ACTOR_RATE, SendBucket, SendTurn, turn};
use domain::id::BotId;
use domain::lease::LimitKey;
use domain::time::Timestamp;

const ALL: &str = "fullAt";
/// What the attribute of an actor's own bucket begins with; its name follows.
const OWN: &str = "fullAt#";
/// How often the buckets are read again because another wrote them meanwhile: as often as sends may be under way.
const TRIES: u32 = 16;
/// When whoever never came first may come again.
const COME_AGAIN: Duration = Duration::from_secs(1);

impl RateLimits {
    /// Takes the tokens of so many messages that an actor with this `rate` sends by one call, which may not leave before
    /// `not_before`; answers when it may. On [`SendTurn::Takes`] they are spent.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn take_send(
        &self,
        bot: BotId,
        (actor, rate): (&ActorName, u32),
        messages: u32,
        not_before: Timestamp,
        now: Timestamp,
    ) -> Result<SendTurn, StoreError> {
        let key = LimitKey::Actors(bot);
        let own_name = format!("{OWN}{actor}");
        let call = self.table.client.get_item().table_name(&self.table.name);
        let answer = call
            .key(LIMIT_KEY, s(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.table.fault("GetItem of the actors' buckets"))?;
        let mut item = answer.item.unwrap_or_default();
        for _ in 0..TRIES {
            let full_at = |name: &str| self.full_at(&item, name);
            let all = SendBucket {
                full_at: full_at(ALL)?,
                rate: ACTOR_RATE,
            };
            let own = SendBucket {
                full_at: full_at(&own_name)?,
                rate,
            };
            let turn = turn(all, own, messages, not_before, now);
            let SendTurn::Takes {
                all_full_at,
                own_full_at,
                ..
            } = turn
            else {
                return Ok(turn);
            };
            // The bucket of all is written with every token: nobody else took one if it is as it was.
            let mut call = self
                .update(key)
                .update_expression("SET #all = :all, #own = :own")
                .expression_attribute_names("#all", ALL)
                .expression_attribute_names("#own", &own_name)
                .expression_attribute_values(":all", n(all_full_at.ms()))
                .expression_attribute_values(":own", n(own_full_at.ms()))
                .return_values(ReturnValue::None);
            call = match item.get(ALL) {
                None => call.condition_expression("attribute_not_exists(#all)"),
                Some(read) => call
                    .condition_expression("#all = :read")
                    .expression_attribute_values(":read", AttributeValue::clone(read)),
            };
            match self.send(call, "UpdateItem of the actors' buckets").await? {
                Written::Done(_) => return Ok(turn),
                Written::Refused(found) => item = found,
            }
        }
        // So many send at once that more would wait than there are tokens.
        Ok(SendTurn::Later(now.plus(COME_AGAIN)))
    }

    fn full_at(&self, item: &Item, name: &str) -> Result<Option<Timestamp>, StoreError> {
        let Some(value) = item.get(name) else {
            return Ok(None);
        };
        let one = Item::from([(ALL.to_owned(), value.clone())]);
        let reader = Reader {
            table: &self.table,
            item: &one,
        };
        let ms = reader.optional_number(ALL)?;
        Ok(ms.map(Timestamp::from_ms))
    }
}
