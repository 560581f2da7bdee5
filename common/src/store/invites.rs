//! The table of requests.
//!
//! Two indexes, with keys alone: `ByUser`, and `Open`, in which a request stands from its record on (`openShard`) until
//! the write that leaves nothing to be done about it takes it out. An entry costs a write unit when it comes and one
//! when it goes, and nothing while its record changes otherwise.

mod actions;
mod closing;
mod indexes;

use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
};

use super::attributes::*;
use super::item::{Item, Reader, link, n, s};
use super::{StoreError, Table};
use crate::config::Env;
use crate::domain::action::{Action, Entry};
use crate::domain::id::{BotId, ChatId, InviteLink, RequestId, TelegramUserId};
use crate::domain::invite::{Claim, Invite, LEASE, Revoking, Settled, Status};
use crate::domain::job::Mint;
use crate::domain::join::Join;
use crate::domain::time::Timestamp;

/// The table of requests.
#[derive(Clone)]
pub struct Invites(Table);

pub use actions::Acted;
pub use closing::Marked;
pub use indexes::{Cursor, Listed};

/// The condition that no record of the request is there.
const IS_NEW: &str = "attribute_not_exists(requestId)";
/// The condition that the writer holds the lease.
const IS_OWNED: &str = "#status = :processing AND leaseOwner = :owner";
/// The condition that a link may be handed out: nobody joined by the one that is being replaced.
const IS_SEAT_FREE: &str = "(attribute_not_exists(revoking) OR attribute_not_exists(joinedAt))";

/// What became of a new request.
pub enum Created {
    /// The record is written.
    New,
    /// There is one already; nothing changed.
    Existing(Box<Invite>),
}

/// What became of a join.
pub enum Joined {
    /// It is recorded.
    First(Box<Invite>),
    /// A join of this request was recorded before; nothing changed.
    Again(Box<Invite>),
    /// There is no such request, any more.
    Missing,
}

/// A conditional update's two good ends.
enum Update {
    Applied(Item),
    Refused(Option<Item>),
}

impl Invites {
    /// The table that `INVITE_REQUESTS_TABLE` names.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table {
            client,
            name: env.required("INVITE_REQUESTS_TABLE"),
        })
    }

    /// Reads one request, as of now (a consistent read: 1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, id: RequestId) -> Result<Option<Invite>, StoreError> {
        let call = self
            .0
            .client
            .get_item()
            .table_name(&self.0.name)
            .key(REQUEST_ID, s(id))
            .consistent_read(true);
        let answer = call
            .send()
            .await
            .map_err(self.0.fault("GetItem of a request"))?;
        answer.item.map(|item| self.read(&item)).transpose()
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

    /// The same as a part of a transaction: a refusal shows the record that is there.
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

    /// Opens the duplicate window `window` at `now` for `length`, unless it is open; answers when the open one was
    /// opened, in milliseconds since the Unix epoch. One conditional write decides among callers at the same instant.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn open_window(
        &self,
        window: RequestId,
        length: Duration,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let opened_before = now
            .ms()
            .saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
        let update = self
            .update(format!("window:{window}"))
            .update_expression("SET windowOpenedMs = :now, expiresAt = :expires")
            .condition_expression("attribute_not_exists(requestId) OR windowOpenedMs <= :before")
            .expression_attribute_values(":now", n(now.ms()))
            .expression_attribute_values(":before", n(opened_before))
            .expression_attribute_values(":expires", n(now.plus(length).seconds()));
        match self
            .send(update, "UpdateItem to open a duplicate window")
            .await?
        {
            Update::Applied(_) => Ok(now.ms()),
            Update::Refused(item) => {
                let item = item.ok_or_else(|| self.0.malformed(WINDOW_OPENED_MS))?;
                Reader {
                    table: &self.0,
                    item: &item,
                }
                .number(WINDOW_OPENED_MS)
            }
        }
    }

    /// Claims the request of `mint` for `owner`, a name that no other claim has, and counts a try. Creates the record
    /// if it was never written. On [`Claim::Ours`] the lease is durable, and lapses by itself after [`LEASE`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether the claim was made; the lease then lapses by itself.
    pub async fn claim(
        &self,
        mint: &Mint,
        owner: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Claim, StoreError> {
        let update = self
            .update(mint.request_id)
            .update_expression(
                "SET #status = :processing, leaseOwner = :owner, leaseUntil = :until, updatedAt = :now, \
                 attempts = if_not_exists(attempts, :zero) + :one, userId = if_not_exists(userId, :user), \
                 transactionId = if_not_exists(transactionId, :transaction), chatId = if_not_exists(chatId, :chat), \
                 weLinkEventFired = if_not_exists(weLinkEventFired, :no), joinEventFired = if_not_exists(joinEventFired, :no), \
                 createdAt = if_not_exists(createdAt, :created), expiresAt = if_not_exists(expiresAt, :expires), \
                 openShard = :shard",
            )
            .condition_expression(
                "attribute_not_exists(requestId) \
                 OR (#status = :queued AND (attribute_not_exists(leaseUntil) OR leaseUntil <= :seconds)) \
                 OR (#status = :processing AND leaseUntil < :seconds)",
            )
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_values(":processing", s(Status::Processing.as_str()))
            .expression_attribute_values(":queued", s(Status::Queued.as_str()))
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":until", n(now.plus(LEASE).seconds()))
            .expression_attribute_values(":seconds", n(now.seconds()))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":user", s(&mint.user_id))
            .expression_attribute_values(":transaction", s(&mint.transaction_id))
            .expression_attribute_values(":chat", n(mint.chat_id))
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .expression_attribute_values(":created", s(mint.created_at))
            .expression_attribute_values(":shard", s(mint.request_id.open_shard()))
            .expression_attribute_values(":expires", n(expires_at.seconds()));
        match self.send(update, "UpdateItem to claim a request").await? {
            Update::Applied(item) => Ok(Claim::Ours(Box::new(self.read(&item)?))),
            Update::Refused(item) => Ok(self.refused(item.as_ref())?.claim_refused(owner, now)),
        }
    }

    /// Settles the request as DONE with `link`, if `owner` still holds it and its seat is free. On [`Settled::HandedOut`] that is durable.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the link may have been handed out, so it must not be revoked.
    pub async fn settle(
        &self,
        id: RequestId,
        owner: &str,
        chat: ChatId,
        invite_link: &InviteLink,
        link_expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let update = self
            .update_of_owner(id, owner, now)
            .update_expression(
                "SET #status = :to, inviteLink = :link, linkExpiresAt = :linkExpires, chatId = :chat, updatedAt = :now, doneAt = :now \
                 REMOVE leaseOwner, leaseUntil, #error, revoking",
            )
            .condition_expression(format!("{IS_OWNED} AND {IS_SEAT_FREE}"))
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_values(":to", s(Status::Done.as_str()))
            .expression_attribute_values(":link", link(invite_link))
            .expression_attribute_values(":linkExpires", s(link_expires_at))
            .expression_attribute_values(":chat", n(chat));
        match self.send(update, "UpdateItem to settle a request").await? {
            Update::Applied(_) => Ok(Settled::HandedOut),
            Update::Refused(item) => Ok(self
                .refused(item.as_ref())?
                .settle_refused(invite_link, owner)),
        }
    }

    /// Puts the request back to QUEUED with the reason, not to be claimed before `at`, if `owner` still holds it; a try
    /// that was none is taken off the count. The wait is in the record, since there may be copies of the job that know
    /// nothing of it. Done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the lease then lapses by itself.
    pub async fn put_back(
        &self,
        id: RequestId,
        owner: &str,
        tried: Tried,
        error: &str,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self
            .update_of_owner(id, owner, now)
            .update_expression(
                "SET #status = :to, #error = :error, attempts = attempts - :untried, \
                 refusals = if_not_exists(refusals, :zero) + :refused, updatedAt = :now, leaseUntil = :at \
                 REMOVE leaseOwner",
            )
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_values(":to", s(Status::Queued.as_str()))
            .expression_attribute_values(":error", s(error))
            .expression_attribute_values(":at", n(at.seconds()))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":refused", n(u8::from(tried == Tried::Refused)))
            .expression_attribute_values(":untried", n(u8::from(tried == Tried::NotReally)));
        self.send(update, "UpdateItem to put a request back")
            .await
            .map(|_| ())
    }

    /// Gives the request up as FAILED with the reason, if `owner` still holds it and its seat is free; answers whether it
    /// did. Durable then, and the request is open no more.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the lease then lapses by itself.
    pub async fn fail(
        &self,
        id: RequestId,
        owner: &str,
        error: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = self
            .update_of_owner(id, owner, now)
            .update_expression(
                "SET #status = :to, #error = :error, updatedAt = :now REMOVE leaseOwner, leaseUntil, openShard",
            )
            .condition_expression(format!("{IS_OWNED} AND {IS_SEAT_FREE}"))
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_values(":to", s(Status::Failed.as_str()))
            .expression_attribute_values(":error", s(error));
        match self.send(update, "UpdateItem to fail a request").await? {
            Update::Applied(_) => Ok(true),
            // The SDK repeats a write whose answer was lost, and then finds its own.
            Update::Refused(item) => Ok(self.refused(item.as_ref())?.status == Status::Failed),
        }
    }

    /// Records the first join of a request, which is open then until that is told. On [`Joined::First`] it is durable.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; recording it again is harmless.
    pub async fn record_join(
        &self,
        id: RequestId,
        join: &Join,
        now: Timestamp,
    ) -> Result<Joined, StoreError> {
        let update = self
            .update(id)
            .update_expression(
                "SET joinedAt = :joined, telegramUserId = :person, joinedLink = :link, updatedAt = :now, openShard = :shard",
            )
            .condition_expression("attribute_exists(requestId) AND attribute_not_exists(joinedAt)")
            .expression_attribute_values(":joined", s(join.at))
            .expression_attribute_values(":person", s(join.person))
            .expression_attribute_values(":link", link(&join.link))
            .expression_attribute_values(":shard", s(id.open_shard()))
            .expression_attribute_values(":now", s(now));
        match self.send(update, "UpdateItem to record a join").await? {
            Update::Applied(item) => Ok(Joined::First(Box::new(self.read(&item)?))),
            Update::Refused(Some(item)) => Ok(Joined::Again(Box::new(self.read(&item)?))),
            Update::Refused(None) => Ok(Joined::Missing),
        }
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

    /// An update that only the owner of the lease may make.
    fn update_of_owner(
        &self,
        id: RequestId,
        owner: &str,
        now: Timestamp,
    ) -> UpdateItemFluentBuilder {
        self.update(id)
            .condition_expression(IS_OWNED)
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_values(":processing", s(Status::Processing.as_str()))
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":now", s(now))
    }

    async fn send(
        &self,
        update: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<Update, StoreError> {
        let error = match update.send().await {
            Ok(UpdateItemOutput { attributes, .. }) => {
                return Ok(Update::Applied(attributes.unwrap_or_default()));
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Update::Refused(refusal.item.clone()))
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
            status: Status::parse(reader.text(STATUS)?).ok_or_else(|| self.0.malformed(STATUS))?,
            attempts: reader.number(ATTEMPTS)?,
            refusals: reader.optional_number(REFUSALS)?.unwrap_or_default(),
            invite_link: reader.optional_text(INVITE_LINK)?.map(InviteLink::new),
            link_expires_at: reader.optional_instant(LINK_EXPIRES_AT)?,
            done_at: reader.optional_instant(DONE_AT)?,
            link_event_fired: reader.flag(LINK_EVENT_FIRED),
            join_event_fired: reader.flag(JOIN_EVENT_FIRED),
            telegram_user_id: reader
                .optional_text(TELEGRAM_USER_ID)?
                .map(|id| id.parse().map(TelegramUserId))
                .transpose()
                .map_err(|_| self.0.malformed(TELEGRAM_USER_ID))?,
            joined_at: reader.optional_instant(JOINED_AT)?,
            error: reader.optional_text(ERROR)?.map(str::to_owned),
            lease_owner: reader.optional_text(LEASE_OWNER)?.map(str::to_owned),
            lease_until: reader
                .optional_number(LEASE_UNTIL)?
                .map(Timestamp::from_seconds),
            created_at: reader.parsed(CREATED_AT)?,
            updated_at: reader.parsed(UPDATED_AT)?,
            issue: reader.optional_number(ISSUE)?.unwrap_or_default(),
            revoking: reader
                .optional_map(REVOKING)?
                .map(|reader| revoking(&reader))
                .transpose()?,
            joined_link: reader.optional_text(JOINED_LINK)?.map(InviteLink::new),
            is_open: reader.optional_text(OPEN_SHARD)?.is_some(),
            history: reader
                .maps(HISTORY)?
                .iter()
                .map(entry)
                .collect::<Result<_, _>>()?,
            actions: reader.optional_number(ACTIONS)?.unwrap_or_default(),
        })
    }
}

fn revoking(reader: &Reader<'_>) -> Result<Revoking, StoreError> {
    Ok(Revoking {
        invite_link: InviteLink::new(reader.text(INVITE_LINK)?),
        bot: reader.optional_number(BOT_ID)?.map(BotId),
        link_expires_at: reader.optional_instant(LINK_EXPIRES_AT)?,
        done_at: reader.optional_instant(DONE_AT)?,
        link_event_fired: reader.flag(LINK_EVENT_FIRED),
        is_dead: reader.flag(IS_DEAD),
    })
}

fn entry(reader: &Reader<'_>) -> Result<Entry, StoreError> {
    Ok(Entry {
        at: reader.parsed(AT)?,
        who: reader.text(WHO)?.to_owned(),
        action: Action::parse(reader.text(ACTION)?)
            .ok_or_else(|| reader.table.malformed(ACTION))?,
        detail: reader.text(DETAIL)?.to_owned(),
    })
}

/// The record of a request that is new: of one that is queued, or that a link of the stock made DONE.
fn new_item(invite: &Invite, expires_at: Timestamp) -> Item {
    let mut item: Item = [
        (REQUEST_ID, s(invite.request_id)),
        (USER_ID, s(&invite.user_id)),
        (TRANSACTION_ID, s(&invite.transaction_id)),
        (CHAT_ID, n(invite.chat)),
        (STATUS, s(invite.status.as_str())),
        (ATTEMPTS, n(invite.attempts)),
        (LINK_EVENT_FIRED, AttributeValue::Bool(false)),
        (JOIN_EVENT_FIRED, AttributeValue::Bool(false)),
        (CREATED_AT, s(invite.created_at)),
        (UPDATED_AT, s(invite.updated_at)),
        (EXPIRES_AT, n(expires_at.seconds())),
        (OPEN_SHARD, s(invite.request_id.open_shard())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let of_link = [
        (INVITE_LINK, invite.invite_link.as_ref().map(link)),
        (LINK_EXPIRES_AT, invite.link_expires_at.map(s)),
        (DONE_AT, invite.done_at.map(s)),
    ];
    for (name, value) in of_link {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    }
    item
}

/// Whether a claim led to a real try at Telegram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Telegram was asked and failed: it counts.
    Really,
    /// It was refused, perhaps for good: it counts, and as a refusal too.
    Refused,
    /// A rate limit, a held chat, a chat that moved: it does not.
    NotReally,
}
