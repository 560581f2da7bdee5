//! The tables and queues: every change of state is one conditional write, and a loser reads the current record from the
//! failure.

pub mod acting;
mod actors;
mod books;
mod bots;
mod chats;
mod claim_links;
mod dedup;
mod erasures;
mod hooks;
mod invites;
mod item;
mod jobs;
mod ledger;
mod link_pool;
mod link_teller;
mod links;
mod messages;
mod orders;
mod payees;
mod payment_events;
mod payouts;
mod people;
mod personal;
mod products;
pub mod queue;
mod quotes;
mod rate_limits;
mod relay_map;
mod reminders;
mod reservations;
mod seats;
mod tasks;
mod topics;
mod update_feed;
mod updates;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use runtime::config::Env;

pub use actors::{ActorMade, Actors, PollBegun, Readership};
pub use books::{BookedTransaction, Books, Close, LedgerPage, TrialBalance};
pub use bots::{BotInfos, FrontBot};
pub use chats::{ChatInfo, ChatInfos};
pub use claim_links::ClaimLinks;
pub use dedup::Dedup;
pub use erasures::{Erasures, Silence, Unheard, UnheardSpan};
pub use hooks::{
    AnnouncementWrites, Announcements, Changed, Claiming, Deliveries, DeliveryPage, DeliveryRecord,
    DeliveryReplayed, DueDelivery, Endpoints,
};
pub use invites::{Acted, Created, Cursor, Invites, Joined, Listed, Marked, Minted};
pub use jobs::{ExportFile, JobRecord, JobState, Jobs, NewJob};
pub use ledger::{Booking, Ledger};
pub use link_pool::{LinkPool, PAGE, Pooled, PooledLink, Taken};
pub use link_teller::{LinkTeller, ToldLink};
pub use links::{LinkRecord, Links, Owner};
pub use messages::{
    Begun, FoundMessage, ListedGroup, MalformedMessage, MessagePage, MessageRecord, Messages, Put,
    Settlement,
};
pub use orders::{OrderKey, OrderPage, Ordered, Orders};
pub use payees::Payees;
pub use payment_events::{EventState, PaymentEvent, PaymentEvents, PaymentRefs, RefOwner};
pub use payouts::{PayoutStep, Payouts, ROWS_TOGETHER, RowMove};
pub use people::{People, Sighting};
pub use personal::{
    Fate, Holding, PERSONAL_TABLES, PersonItem, PersonKeys, Personal, PersonalTable,
};
pub use products::{
    PRODUCTS_PAGE, ProductDeleted, ProductPage, ProductPut, ProductRecord, Products,
};
pub use quotes::Quotes;
pub use rate_limits::{Marking, RateLimits, Released, Taking};
pub use relay_map::{
    AlbumPart, AlbumParts, CopyStanding, PartAdded, PartCount, RelayCopy, RelayMap,
};
pub use reminders::{DueReminder, Reminders};
pub use reservations::{Reservations, Reserved};
pub use seats::{Binding, SeatWritten, Seats};
pub use tasks::{Found, LanePage, Malformed, Tasks};
pub use topics::{TopicRecord, Topics};
pub use update_feed::{FeedWriter, UpdateFeed};
pub use updates::{ParkedUpdate, UpdateClaim, UpdateKey, Updates};

/// What went wrong with a table.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB refused the call or did not answer; the write may have happened.
    #[error("DynamoDB {operation} on {table} failed")]
    Call {
        /// The DynamoDB operation and what it was for.
        operation: &'static str,
        /// The table.
        table: String,
        /// Whether DynamoDB refused the call as it was made: it would refuse it again.
        is_refusal: bool,
        /// What the SDK says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record does not have the form that this version writes.
    #[error("a record of {table} has no usable {attribute}")]
    Malformed {
        /// The table.
        table: String,
        /// The attribute.
        attribute: &'static str,
    },
    /// So many others wrote the same record at once that this writer never came first.
    #[error("gave up on a contended record of {table}")]
    Contended {
        /// The table.
        table: String,
    },
}

impl StoreError {
    /// Whether the same would happen again: a record that this version can't read, a call that DynamoDB never takes.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        match self {
            Self::Malformed { .. } => true,
            Self::Call { is_refusal, .. } => *is_refusal,
            Self::Contended { .. } => false,
        }
    }
}

/// What a table is called: the value of `variable`, if it is set (a restored table), otherwise `TABLE_PREFIX` and the
/// table's own name.
pub fn table_name(env: &mut Env, name: &str, variable: &str) -> String {
    let Some(other) = env.optional(variable) else {
        let prefix = env.optional("TABLE_PREFIX").unwrap_or_default();
        return format!("{prefix}{name}");
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !(3..=255).contains(&other.len()) || !other.chars().all(is_name) {
        env.problem(format!("{variable} is not a name that a table can have"));
    }
    other
}

/// A table and the client that reaches it.
#[derive(Clone)]
struct Table {
    client: aws_sdk_dynamodb::Client,
    name: String,
}

impl Table {
    /// The table called `name`, unless `variable` names another one.
    fn from_env(
        client: aws_sdk_dynamodb::Client,
        env: &mut Env,
        name: &str,
        variable: &str,
    ) -> Self {
        Self {
            client,
            name: table_name(env, name, variable),
        }
    }

    fn fault<E>(&self, operation: &'static str) -> impl FnOnce(SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        move |source| StoreError::Call {
            operation,
            table: self.name.clone(),
            is_refusal: source.code() == Some("ValidationException"),
            source: Box::new(source),
        }
    }

    fn malformed(&self, attribute: &'static str) -> StoreError {
        StoreError::Malformed {
            table: self.name.clone(),
            attribute,
        }
    }
}
