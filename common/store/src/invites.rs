//! The table of requests.
//!
//! Two indexes, with keys alone: `ByUser`, and `Pending`, in which a request stands (`pendingShard`, `pendingSince`) while
//! an event of it is not delivered. An entry costs a write unit when it comes and one when it goes, and nothing while its
//! record changes otherwise.

mod actions;
mod attributes;
mod claims;
mod indexes;
mod joins;
mod orders;
mod pending;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};

use self::attributes::*;
use super::item::{Item, Reader, link, n, s};
use super::{AnnouncementWrites, StoreError, Table, Tasks};
use domain::history::Entry;
use domain::id::{BotId, ChatId, InviteLink, RequestId, TelegramUserId};
use domain::invite::{Invite, PENDING_AFTER, ReplacedLink, Settled, Status};
use domain::task::{Lane, Mint, Task};
use domain::time::Timestamp;
use runtime::config::Env;

/// The table of requests.
#[derive(Clone)]
pub struct Invites(Table);

pub use actions::Acted;
pub use indexes::{Cursor, Listed};
pub use joins::Joined;
pub use pending::Marked;

/// The condition that no record of the request is there.
const IS_NEW: &str = "attribute_not_exists(requestId)";
/// The condition that the request wants a link of this version, or was never written.
const IS_WANTED: &str = "(attribute_not_exists(requestId) OR ((#status = :queued OR #status = :processing) \
     AND (linkVersion = :version OR (attribute_not_exists(linkVersion) AND :version = :zero)) \
     AND attribute_not_exists(voidedAt)))";
/// The condition that the request is that of the buyer: of two who report one transaction, one was refused.
const IS_OF_BUYER: &str = "(attribute_not_exists(requestId) OR userId = :user)";
/// The condition that a link may be handed out: the one that it replaces is revoked, and nobody joined by that.
const IS_SEAT_FREE: &str = "(attribute_not_exists(replaced) OR (replaced.isRevoked = :yes AND attribute_not_exists(joinedAt)))";
/// What a write sets in a record that was never written: all of it that the task carries.
const SET_IF_MISSING: &str = "userId = if_not_exists(userId, :user), \
     transactionId = if_not_exists(transactionId, :transaction), chatId = if_not_exists(chatId, :chat), \
     weLinkEventFired = if_not_exists(weLinkEventFired, :no), joinEventFired = if_not_exists(joinEventFired, :no), \
     canonicalChatId = if_not_exists(canonicalChatId, :canonical), \
     createdAt = if_not_exists(createdAt, :created), expiresAt = if_not_exists(expiresAt, :expires)";
/// What sets the end of a record that was never written, among those.
const SET_END_IF_MISSING: &str = "expiresAt = if_not_exists(expiresAt, :expires)";

/// What became of a new request.
pub enum Created {
    /// The record is written.
    New,
    /// There is one already; nothing changed.
    Existing(Box<Invite>),
}

/// A conditional write's two good ends.
enum Written {
    Applied(Item),
    Refused(Option<Item>),
}

impl Invites {
    /// The table `InviteRequests`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(
            client,
            env,
            "InviteRequests",
            "INVITE_REQUESTS_TABLE",
        ))
    }

    /// Reads one request, as of now (a consistent read: 1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, id: RequestId) -> Result<Option<Invite>, StoreError> {
        let item = self.item(id).await?;
        item.map(|item| self.read(&item)).transpose()
    }

    async fn item(&self, id: RequestId) -> Result<Option<Item>, StoreError> {
        let call = self
            .0
            .client
            .get_item()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(id))
            .consistent_read(true);
        let answer = call.send().await.map_err(self.0.fault("GetItem"))?;
        Ok(answer.item)
    }

    /// Writes a new request, to be forgotten at `expires_at`, unless it is there already. On [`Created::New`] it is
    /// durable.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn create(
        &self,
        invite: &Invite,
        expires_at: Timestamp,
    ) -> Result<Created, StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        let answer = call
            .set_item(Some(new_item(invite, expires_at)))
            .condition_expression(IS_NEW)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Created::New);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refusal)) => Ok(Created::Existing(
                Box::new(self.refused(refusal.item.as_ref())?),
            )),
            _ => Err(self.0.fault("PutItem of a request")(error)),
        }
    }

    /// The write of a new request as a part of a transaction: a refusal shows the record that is there.
    pub(super) fn put_new(
        &self,
        invite: &Invite,
        expires_at: Timestamp,
    ) -> Result<Put, BuildError> {
        Put::builder()
            .table_name(&self.0.name)
            .set_item(Some(new_item(invite, expires_at)))
            .condition_expression(IS_NEW)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
    }

    /// Settles the request of `mint` as DONE with `link`, after `attempts` tries, if it still wants this version of the
    /// link and its seat is free. Creates the record if it was never written. On [`Settled::HandedOut`] it is durable, and
    /// its event pending.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the link may have been handed out, so it must not be revoked.
    pub async fn settle(
        &self,
        mint: &Minted<'_>,
        invite_link: &InviteLink,
        link_expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let id = mint.mint.request_id;
        let update = self
            .update(id)
            .update_expression(format!(
                "SET #status = :done, inviteLink = :link, linkExpiresAt = :linkExpires, updatedAt = :now, doneAt = :now, \
                 attempts = :attempts, linkVersion = :version, pendingShard = :shard, pendingSince = :since, \
                 {} REMOVE #error, replaced",
                SET_IF_MISSING
                    .replace("chatId = if_not_exists(chatId, :chat)", "chatId = :chat")
                    .replace(SET_END_IF_MISSING, "expiresAt = :expires")
            ))
            .condition_expression(format!("{IS_WANTED} AND {IS_OF_BUYER} AND {IS_SEAT_FREE}"))
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_values(":done", s(Status::Done.as_str()))
            .expression_attribute_values(":link", link(invite_link))
            .expression_attribute_values(":linkExpires", s(link_expires_at))
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":shard", s(id.pending_shard()))
            .expression_attribute_values(":since", s(now.plus(PENDING_AFTER)));
        let update = mint
            .values(now)
            .into_iter()
            .fold(update, |update, (name, value)| {
                update.expression_attribute_values(name, value)
            });
        match self.send(update, "UpdateItem to settle a request").await? {
            Written::Applied(item) => Ok(Settled::HandedOut(self.read(&item)?.bound_to)),
            Written::Refused(item) => Ok(self.refused(item.as_ref())?.settle_refused(invite_link)),
        }
    }

    /// Notes a try that did not succeed: the request is PROCESSING, with the reason and the tries counted. A request that
    /// wants nothing of this version any more stays as it is. Done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn note_try(
        &self,
        mint: &Minted<'_>,
        refusals: u32,
        error: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self
            .update(mint.mint.request_id)
            .update_expression(format!(
                "SET #status = :processing, #error = :error, attempts = :attempts, refusals = :refusals, \
                 linkVersion = :version, updatedAt = :now, {SET_IF_MISSING}"
            ))
            .condition_expression(format!("{IS_WANTED} AND {IS_OF_BUYER}"))
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_values(":error", s(error))
            .expression_attribute_values(":refusals", n(refusals));
        let update = mint
            .values(now)
            .into_iter()
            .fold(update, |update, (name, value)| {
                update.expression_attribute_values(name, value)
            });
        self.send(update, "UpdateItem to note a try").await?;
        Ok(())
    }

    /// Notes why a request still waits, without a try counted: its chat is in trouble, not the request. One that is settled
    /// stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is only a word to who asks.
    pub async fn note_reason(&self, id: RequestId, reason: &str) -> Result<(), StoreError> {
        let update = self
            .update(id)
            .update_expression("SET #error = :error")
            .condition_expression("#status = :queued OR #status = :processing")
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_values(":error", s(reason))
            .expression_attribute_values(":queued", s(Status::Queued.as_str()))
            .expression_attribute_values(":processing", s(Status::Processing.as_str()));
        self.send(update, "UpdateItem to note a reason").await?;
        Ok(())
    }

    /// Gives a request up as FAILED with the reason (`minted` creates the record of a mint that was never written), and moves its task to the lane of failed ones, in one transaction;
    /// answers whether it did, and then `also` is written too. If not, the request wants nothing of this version any more, and the task is as it was.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the task is then met again.
    pub async fn fail(
        &self,
        tasks: &Tasks,
        task: &Task,
        minted: Option<&Minted<'_>>,
        error: &str,
        also: AnnouncementWrites,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let operation = "TransactWriteItems to fail a request";
        let (Some(id), Some(version)) = (task.request_id(), task.link_version()) else {
            return Err(self.0.malformed(LINK_VERSION));
        };
        let failed = Task {
            last_error: Some(error.to_owned()),
            not_before: None,
            attempts: 0,
            crashes: 0,
            ..task.clone()
        };
        let key = task.key();
        let mut update = Update::builder()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(id))
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_values(":failed", s(Status::Failed.as_str()))
            .expression_attribute_values(":error", s(error))
            .expression_attribute_values(":key", s(&key.key))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut set =
            "SET #status = :failed, #error = :error, failedKey = :key, updatedAt = :now".to_owned();
        let mut values = vec![
            (":now", s(now)),
            (":version", n(version)),
            (":zero", n(0)),
            (":queued", s(Status::Queued.as_str())),
            (":processing", s(Status::Processing.as_str())),
        ];
        if let Some(minted) = minted {
            set = format!("{set}, attempts = :attempts, linkVersion = :version, {SET_IF_MISSING}");
            values = minted.values(now);
        }
        update = update.update_expression(set).condition_expression(format!(
            "{IS_WANTED} AND (attribute_not_exists(replaced) OR attribute_not_exists(joinedAt))"
        ));
        update = values.into_iter().fold(update, |update, (name, value)| {
            update.expression_attribute_values(name, value)
        });
        let writes = self.with_tasks(update, operation, |writes| {
            writes.push(
                TransactWriteItem::builder()
                    .put(tasks.insertion(&failed, Lane::Failed(task.chat))?)
                    .build(),
            );
            writes.push(
                TransactWriteItem::builder()
                    .delete(tasks.deletion(&key)?)
                    .build(),
            );
            writes.extend(also.0);
            Ok(())
        })?;
        Ok(matches!(
            self.transact(writes, operation).await?,
            Written::Applied(_)
        ))
    }

    fn update(&self, key: impl ToString) -> UpdateItemFluentBuilder {
        let call = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(key));
        call.return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// The writes of a transaction that begins with `update`, the record of a request.
    fn with_tasks(
        &self,
        update: UpdateBuilder,
        operation: &'static str,
        add: impl FnOnce(&mut Vec<TransactWriteItem>) -> Result<(), BuildError>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let build = || -> Result<_, BuildError> {
            let mut writes = vec![TransactWriteItem::builder().update(update.build()?).build()];
            add(&mut writes)?;
            Ok(writes)
        };
        build()
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))
    }

    /// Carries out such a transaction; refused, it answers the record that is there. The SDK makes up a token, the same for
    /// all its tries, so that one whose answer was lost is not refused by its own effect.
    async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
        operation: &'static str,
    ) -> Result<Written, StoreError> {
        let call = self.0.client.transact_write_items();
        let Err(error) = call.set_transact_items(Some(writes)).send().await else {
            return Ok(Written::Applied(Item::new()));
        };
        if let Some(TransactWriteItemsError::TransactionCanceledException(exception)) =
            error.as_service_error()
            && let Some(record) = exception.cancellation_reasons().first()
        {
            match record.code() {
                Some("ConditionalCheckFailed") => {
                    return Ok(Written::Refused(record.item().cloned()));
                }
                Some("TransactionConflict") => {
                    return Err(StoreError::Contended {
                        table: self.0.name.clone(),
                    });
                }
                _ => {}
            }
        }
        Err(self.0.fault(operation)(error))
    }

    async fn send(
        &self,
        update: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<Written, StoreError> {
        let error = match update.send().await {
            Ok(UpdateItemOutput { attributes, .. }) => {
                return Ok(Written::Applied(attributes.unwrap_or_default()));
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Written::Refused(refusal.item.clone()))
            }
            _ => Err(self.0.fault(operation)(error)),
        }
    }

    fn refused(&self, item: Option<&Item>) -> Result<Invite, StoreError> {
        self.read(item.ok_or_else(|| self.0.malformed(REQUEST_ID))?)
    }

    pub(super) fn read(&self, item: &Item) -> Result<Invite, StoreError> {
        let reader = Reader {
            table: &self.0,
            item,
        };
        Ok(Invite {
            request_id: reader.parsed(REQUEST_ID)?,
            user_id: reader.text(USER_ID)?.to_owned(),
            transaction_id: reader.text(TRANSACTION_ID)?.to_owned(),
            chat: ChatId(reader.number(CHAT_ID)?),
            canonical_chat: ChatId(match reader.optional_number(CANONICAL_CHAT_ID)? {
                Some(pool) => pool,
                None => reader.number(CHAT_ID)?,
            }),
            status: Status::parse(reader.text(STATUS)?).ok_or_else(|| self.0.malformed(STATUS))?,
            attempts: reader.number(ATTEMPTS)?,
            refusals: reader.optional_number(REFUSALS)?.unwrap_or_default(),
            invite_link: reader.optional_text(INVITE_LINK)?.map(InviteLink::new),
            link_expires_at: reader.optional_instant(LINK_EXPIRES_AT)?,
            done_at: reader.optional_instant(DONE_AT)?,
            link_event_fired: reader.flag(LINK_EVENT_FIRED),
            link_event_given_up: reader.flag(LINK_EVENT_GIVEN_UP),
            join_event_fired: reader.flag(JOIN_EVENT_FIRED),
            join_event_given_up: reader.flag(JOIN_EVENT_GIVEN_UP),
            telegram_user_id: reader
                .optional_text(TELEGRAM_USER_ID)?
                .map(|id| id.parse().map(TelegramUserId))
                .transpose()
                .map_err(|_| self.0.malformed(TELEGRAM_USER_ID))?,
            joined_at: reader.optional_instant(JOINED_AT)?,
            left_at: reader.optional_instant(LEFT_AT)?,
            returned_at: reader.optional_instant(RETURNED_AT)?,
            join_version: reader.optional_number(JOIN_VERSION)?.unwrap_or_default(),
            error: reader.optional_text(ERROR)?.map(str::to_owned),
            created_at: reader.parsed(CREATED_AT)?,
            updated_at: reader.parsed(UPDATED_AT)?,
            link_version: reader.optional_number(LINK_VERSION)?.unwrap_or_default(),
            replaced: reader
                .optional_map(REPLACED)?
                .map(|reader| replaced(&reader))
                .transpose()?,
            joined_link: reader.optional_text(JOINED_LINK)?.map(InviteLink::new),
            pending_since: reader.optional_instant(PENDING_SINCE)?,
            failed_key: reader.optional_text(FAILED_KEY)?.map(str::to_owned),
            voided_at: reader.optional_instant(VOIDED_AT)?,
            claim_version: reader.optional_number(CLAIM_VERSION)?,
            bound_to: reader.optional_number(BOUND_TO)?.map(TelegramUserId),
            bound_at: reader.optional_instant(BOUND_AT)?,
            bound_from: reader.optional_number(BOUND_FROM)?.map(TelegramUserId),
            is_moving: reader.flag(IS_MOVING),
            is_stolen: reader.flag(IS_STOLEN),
            seat_until: reader.optional_instant(SEAT_UNTIL)?,
            order: orders::read(&reader)?,
            history: reader
                .maps(HISTORY)?
                .iter()
                .map(entry)
                .collect::<Result<_, _>>()?,
            actions: reader.optional_number(ACTIONS)?.unwrap_or_default(),
            expires_at: reader
                .optional_number(EXPIRES_AT)?
                .map(Timestamp::from_seconds),
        })
    }
}

fn replaced(reader: &Reader<'_>) -> Result<ReplacedLink, StoreError> {
    Ok(ReplacedLink {
        invite_link: InviteLink::new(reader.text(INVITE_LINK)?),
        bot: BotId(reader.number(BOT_ID)?),
        link_expires_at: reader.optional_instant(LINK_EXPIRES_AT)?,
        done_at: reader.optional_instant(DONE_AT)?,
        link_event_fired: reader.flag(LINK_EVENT_FIRED),
        is_revoked: reader.flag(IS_REVOKED),
        reissued_at: reader.parsed(AT)?,
    })
}

fn entry(reader: &Reader<'_>) -> Result<Entry, StoreError> {
    Ok(Entry {
        at: reader.parsed(AT)?,
        who: reader.text(WHO)?.to_owned(),
        action: reader.text(ACTION)?.to_owned(),
        detail: reader.text(DETAIL)?.to_owned(),
    })
}

/// The record of a request that is new: of one that is queued, or that a pooled link or a claim link made DONE.
fn new_item(invite: &Invite, expires_at: Timestamp) -> Item {
    let mut item: Item = [
        (REQUEST_ID, s(invite.request_id)),
        (USER_ID, s(&invite.user_id)),
        (TRANSACTION_ID, s(&invite.transaction_id)),
        (CHAT_ID, n(invite.chat)),
        (CANONICAL_CHAT_ID, n(invite.canonical_chat)),
        (STATUS, s(invite.status.as_str())),
        (ATTEMPTS, n(invite.attempts)),
        (LINK_EVENT_FIRED, AttributeValue::Bool(false)),
        (JOIN_EVENT_FIRED, AttributeValue::Bool(false)),
        (CREATED_AT, s(invite.created_at)),
        (UPDATED_AT, s(invite.updated_at)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    // One that is bound has no end of its own: it is kept as long as it is of use to its seat.
    let expires_at = Some(expires_at).filter(|_| invite.bound_to.is_none());
    let of_link = [
        (EXPIRES_AT, expires_at.map(|at| n(at.seconds()))),
        (
            PENDING_SHARD,
            invite
                .pending_since
                .map(|_| s(invite.request_id.pending_shard())),
        ),
        (PENDING_SINCE, invite.pending_since.map(s)),
        (INVITE_LINK, invite.invite_link.as_ref().map(link)),
        (LINK_EXPIRES_AT, invite.link_expires_at.map(s)),
        (DONE_AT, invite.done_at.map(s)),
        (CLAIM_VERSION, invite.claim_version.map(n)),
        (BOUND_TO, invite.bound_to.map(n)),
        (BOUND_AT, invite.bound_at.map(s)),
        (SEAT_UNTIL, invite.seat_until.map(s)),
        (ORDER_ID, invite.order.map(|of| s(of.order))),
        (
            ORDER_SEAT,
            invite.order.map(|of| orders::value(of.entitlement)),
        ),
        (
            ORDER_VERSION,
            invite.order.map(|of| n(of.entitlement.version)),
        ),
        (
            LINK_EVENT_GIVEN_UP,
            invite
                .link_event_given_up
                .then_some(AttributeValue::Bool(true)),
        ),
        (
            JOIN_EVENT_GIVEN_UP,
            invite
                .join_event_given_up
                .then_some(AttributeValue::Bool(true)),
        ),
    ];
    for (name, value) in of_link {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    }
    item
}

/// A mint, with all that a write about its request needs.
pub struct Minted<'a> {
    /// The mint.
    pub mint: &'a Mint,
    /// The chat that is called.
    pub chat: ChatId,
    /// The chat by which the payment is known.
    pub canonical_chat: ChatId,
    /// When the request was accepted, as far as its record does not say so already.
    pub created_at: Timestamp,
    /// When the record is to be forgotten once its link is there; of a try without one, if it was never written.
    pub expires_at: Timestamp,
    /// Tries at Telegram, with the present one.
    pub attempts: u32,
}

impl Minted<'_> {
    fn values(&self, now: Timestamp) -> Vec<(&'static str, AttributeValue)> {
        let mint = self.mint;
        vec![
            (":queued", s(Status::Queued.as_str())),
            (":processing", s(Status::Processing.as_str())),
            (":version", n(mint.link_version)),
            (":zero", n(0)),
            (":attempts", n(self.attempts)),
            (":now", s(now)),
            (":user", s(&mint.user_id)),
            (":transaction", s(&mint.transaction_id)),
            (":chat", n(self.chat)),
            (":canonical", n(self.canonical_chat)),
            (":no", AttributeValue::Bool(false)),
            (":created", s(self.created_at)),
            (":expires", n(self.expires_at.seconds())),
        ]
    }
}
