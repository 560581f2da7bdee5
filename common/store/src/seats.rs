//! The table of seats, `Members`: what each person has in each chat.
//!
//! A seat is written as a whole, under the version that was read; who comes second reads again and decides anew. What
//! must happen with it (a request that is bound, a task that lets somebody in) is written by the same transaction.

mod attributes;
mod values;

use std::future::Future;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};

use self::attributes::*;
use super::item::{n, s};
use super::{Invites, StoreError, Table, Tasks};
use domain::claim::Claim;
use domain::id::{ChatId, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::member::Seat;
use domain::member::command::{SeatChange, SeatCommand, SeatRejection};
use domain::member::entitlement::EntitlementId;
use domain::task::Task;
use domain::time::Timestamp;
use runtime::config::Env;

/// How often a seat is decided anew because it had changed.
const TRIES: u32 = 5;

/// The table of seats.
#[derive(Clone)]
pub struct Seats(Table);

/// How a request becomes a person's.
#[derive(Clone, Copy)]
pub enum Binding<'a> {
    /// It is new, and was made for them.
    New(&'a Invite),
    /// They claim it, by this claim.
    Claim(Claim),
    /// They claim it, and it has an invite link.
    Link(RequestId),
    /// It was taken away from them as stolen, and they claim it back, by this claim.
    TakeBack(Claim),
    /// They claim it while it moves: its former holder loses it.
    TakeOver {
        /// The request, as it was read.
        read: &'a Invite,
        /// The claim.
        claim: Claim,
        /// Who has it so far.
        holder: TelegramUserId,
    },
}

/// What became of a change of a seat.
#[derive(Debug)]
pub enum SeatWritten {
    /// It is written; this is what follows from it.
    Done(Box<SeatChange>),
    /// The state of the seat does not allow it; nothing was changed.
    Rejected(SeatRejection),
    /// The claim is not this person's to make any more: its request was claimed, moved, voided or forgotten meanwhile;
    /// nothing was changed.
    NotClaimable,
}

impl Seats {
    /// The table `Members`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Members", "MEMBERS_TABLE"))
    }

    /// The seat of a person in a chat, as of now (1 read unit for 4 KB); one of which nothing is known, if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, person: TelegramUserId, chat: ChatId) -> Result<Seat, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(PERSON, s(person))
            .key(CHAT, s(chat))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of a seat"))?;
        match &answer.item {
            Some(item) => values::read(&self.0, item, person, chat),
            None => Ok(Seat::new(person, chat)),
        }
    }

    /// All seats of a person, as of now.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn of(&self, person: TelegramUserId) -> Result<Vec<Seat>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .key_condition_expression("telegramUserId = :person")
            .expression_attribute_values(":person", s(person))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("Query of seats"))?;
        let items = answer.items.unwrap_or_default();
        items
            .iter()
            .map(|item| {
                let chat = values::chat_of(&self.0, item)?;
                values::read(&self.0, item, person, chat)
            })
            .collect()
    }

    /// Decides by the seat as it is and writes what comes of it, with the tasks that `tasks_of` says follow, all by one
    /// transaction. Durable on [`SeatWritten::Done`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn change(
        &self,
        (person, chat): (TelegramUserId, ChatId),
        tasks: &Tasks,
        now: Timestamp,
        decide: impl Fn(&Seat) -> Result<SeatChange, SeatRejection>,
        tasks_of: impl Fn(&SeatChange) -> Vec<Task>,
    ) -> Result<SeatWritten, StoreError> {
        self.repeat(|| async {
            let seat = self.get(person, chat).await?;
            let change = match decide(&seat) {
                Ok(change) => change,
                Err(rejection) => return Ok(Some(SeatWritten::Rejected(rejection))),
            };
            let follow = tasks_of(&change);
            if change.seat.version == seat.version && follow.is_empty() {
                return Ok(Some(SeatWritten::Done(Box::new(change))));
            }
            let writes = || -> Result<_, BuildError> {
                let mut writes = vec![put(self.put(&change.seat, &seat, now)?)];
                for task in &follow {
                    writes.push(put(tasks.insertion(task, task.key().lane)?));
                }
                Ok(writes)
            };
            let outcome = self
                .transact(writes(), "TransactWriteItems of a seat")
                .await?;
            Ok(matches!(outcome, Transacted::Done).then_some(SeatWritten::Done(Box::new(change))))
        })
        .await
    }

    /// As [`Seats::change`], and does what `binding` says by the same transaction: the request is the person's from then on,
    /// and is kept as long as their seat is.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn bind(
        &self,
        (person, chat): (TelegramUserId, ChatId),
        binding: Binding<'_>,
        (invites, tasks): (&Invites, &Tasks),
        now: Timestamp,
        decide: impl Fn(&Seat) -> Result<SeatChange, SeatRejection>,
        tasks_of: impl Fn(&SeatChange) -> Vec<Task>,
    ) -> Result<SeatWritten, StoreError> {
        self.repeat(|| async {
            let seat = self.get(person, chat).await?;
            let change = match decide(&seat) {
                Ok(change) => change,
                Err(rejection) => return Ok(Some(SeatWritten::Rejected(rejection))),
            };
            let former = match binding {
                Binding::TakeOver { read, holder, .. } => {
                    let seat = self.get(holder, chat).await?;
                    let id = EntitlementId::of_request(read.request_id);
                    if read.is_ended_in(&seat) {
                        let rejection = SeatRejection::EntitlementEnded;
                        return Ok(Some(SeatWritten::Rejected(rejection)));
                    }
                    let away = SeatCommand::MoveAway { id, at: now };
                    match domain::member::decide::decide(&seat, &away, now) {
                        Ok(change) => Some((seat, change)),
                        Err(rejection) => return Ok(Some(SeatWritten::Rejected(rejection))),
                    }
                }
                Binding::New(..) | Binding::Claim(_) | Binding::Link(_) | Binding::TakeBack(_) => {
                    None
                }
            };
            let writes = || -> Result<_, BuildError> {
                let first = match binding {
                    Binding::New(invite) => put(invites.put_new(invite, now)?),
                    Binding::Claim(claim) => update(invites.binding(claim, person, now)?),
                    Binding::Link(id) => update(invites.binding_link(id, person, now)?),
                    Binding::TakeBack(claim) => update(invites.taking_back(claim, person, now)?),
                    Binding::TakeOver {
                        read,
                        claim,
                        holder,
                    } => update(invites.taking_over(read, claim, (person, holder), now)?),
                };
                let mut writes = vec![first];
                let former = former.as_ref().map(|(seat, change)| (seat, change));
                for (seat, change) in [(&seat, &change)].into_iter().chain(former) {
                    if change.seat.version != seat.version {
                        writes.push(put(self.put(&change.seat, seat, now)?));
                    }
                    for task in &tasks_of(change) {
                        writes.push(put(tasks.insertion(task, task.key().lane)?));
                    }
                }
                Ok(writes)
            };
            let operation = "TransactWriteItems to bind a request";
            Ok(match self.transact(writes(), operation).await? {
                Transacted::Done => Some(SeatWritten::Done(Box::new(change))),
                Transacted::FirstRefused => Some(SeatWritten::NotClaimable),
                Transacted::Changed => None,
            })
        })
        .await
    }

    /// Takes the seat of a request that moves, as `read` shows it, from `holder`, by one transaction with the check that it
    /// still moves away from them. Durable on [`SeatWritten::Done`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn take_away(
        &self,
        read: &Invite,
        holder: TelegramUserId,
        (invites, tasks): (&Invites, &Tasks),
        now: Timestamp,
    ) -> Result<SeatWritten, StoreError> {
        let away = SeatCommand::MoveAway {
            id: EntitlementId::of_request(read.request_id),
            at: now,
        };
        self.repeat(|| async {
            let seat = self.get(holder, read.canonical_chat).await?;
            let change = match domain::member::decide::decide(&seat, &away, now) {
                Ok(change) => change,
                Err(rejection) => return Ok(Some(SeatWritten::Rejected(rejection))),
            };
            if change.seat.version == seat.version {
                return Ok(Some(SeatWritten::Done(Box::new(change))));
            }
            let writes = || -> Result<_, BuildError> {
                let mut writes = vec![
                    update(invites.moving_away(read, holder, now)?),
                    put(self.put(&change.seat, &seat, now)?),
                ];
                for task in &change.tasks() {
                    writes.push(put(tasks.insertion(task, task.key().lane)?));
                }
                Ok(writes)
            };
            let operation = "TransactWriteItems to take a seat away";
            Ok(match self.transact(writes(), operation).await? {
                Transacted::Done => Some(SeatWritten::Done(Box::new(change))),
                Transacted::FirstRefused => Some(SeatWritten::NotClaimable),
                Transacted::Changed => None,
            })
        })
        .await
    }

    /// Writes into the seat of `person` what the order of a request grants by now, unless it has that or something newer; a
    /// request without an order changes nothing. Durable on [`SeatWritten::Done`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn write_order(
        &self,
        person: TelegramUserId,
        invite: &Invite,
        tasks: &Tasks,
        now: Timestamp,
    ) -> Result<Option<SeatWritten>, StoreError> {
        let Some(order) = invite.order else {
            return Ok(None);
        };
        let command = SeatCommand::Order {
            request: invite.request_id,
            entitlement: order.entitlement.of_seat(),
        };
        let written = self.change(
            (person, invite.canonical_chat),
            tasks,
            now,
            |seat| domain::member::decide::decide(seat, &command, now),
            SeatChange::tasks,
        );
        written.await.map(Some)
    }

    /// After a request became `person`'s by its record as it was `read`: its order may have changed in between, and did not
    /// see whose it is. Of the two, one sees the other. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn follow_order(
        &self,
        person: TelegramUserId,
        read: &Invite,
        (invites, tasks): (&Invites, &Tasks),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(known) = read.order else {
            return Ok(());
        };
        let newer = invites.get(read.request_id).await?;
        let newer = newer.filter(|newer| newer.order.is_some_and(|order| order != known));
        if let Some(newer) = newer {
            self.write_order(person, &newer, tasks, now).await?;
        }
        Ok(())
    }

    async fn repeat<F>(&self, mut once: impl FnMut() -> F) -> Result<SeatWritten, StoreError>
    where
        F: Future<Output = Result<Option<SeatWritten>, StoreError>>,
    {
        for _ in 0..TRIES {
            if let Some(written) = once().await? {
                return Ok(written);
            }
        }
        Err(StoreError::Contended {
            table: self.0.name.clone(),
        })
    }

    /// The write of a seat under the version that was read.
    fn put(&self, seat: &Seat, read: &Seat, now: Timestamp) -> Result<Put, BuildError> {
        let put = Put::builder()
            .table_name(&self.0.name)
            .set_item(Some(values::item(seat, now)));
        match read.version {
            0 => put.condition_expression("attribute_not_exists(telegramUserId)"),
            version => put
                .condition_expression("version = :read")
                .expression_attribute_values(":read", n(version)),
        }
        .build()
    }

    async fn transact(
        &self,
        writes: Result<Vec<TransactWriteItem>, BuildError>,
        operation: &'static str,
    ) -> Result<Transacted, StoreError> {
        let writes = writes
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        let is_of_seat = |item: &TransactWriteItem| {
            let put = item.put();
            put.is_some_and(|put| put.table_name() == self.0.name)
        };
        let begins_with_seat = writes.first().is_some_and(is_of_seat);
        let call = self.0.client.transact_write_items();
        let Err(error) = call.set_transact_items(Some(writes)).send().await else {
            return Ok(Transacted::Done);
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(exception)) =
            error.as_service_error()
        else {
            return Err(self.0.fault(operation)(error));
        };
        let codes = exception.cancellation_reasons().iter();
        let codes: Vec<Option<&str>> = codes.map(|reason| reason.code()).collect();
        let is = |code: &str| codes.contains(&Some(code));
        if codes.first() == Some(&Some("ConditionalCheckFailed")) && !begins_with_seat {
            Ok(Transacted::FirstRefused)
        } else if is("ConditionalCheckFailed") || is("TransactionConflict") {
            Ok(Transacted::Changed)
        } else {
            Err(self.0.fault(operation)(error))
        }
    }
}

/// What became of a transaction.
enum Transacted {
    /// It is written.
    Done,
    /// The record that its first write changes does not allow it.
    FirstRefused,
    /// The seat had changed, or somebody else writes it at this moment.
    Changed,
}

fn put(put: Put) -> TransactWriteItem {
    TransactWriteItem::builder().put(put).build()
}

fn update(update: Update) -> TransactWriteItem {
    TransactWriteItem::builder().update(update).build()
}
