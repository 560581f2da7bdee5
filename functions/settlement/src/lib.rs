//! Settles: takes what providers report into the orders that it is about, and does what follows.
//!
//! ```text
//! read the event, find its order                                 `take`
//! read the order; ask the provider what must be read after it
//! put references, commit facts and effects under the revision    die here: nothing happened, the event is still open
//! do the effects, one by one                                     `effects`; die here: the order is due within a minute
//! clear them under the revision                                  die here: they are done again, which changes nothing
//! settle the event                                               die here: it is settled again, and says nothing new
//! ```
//!
//! A bell names an event that came; the sweeper's bell names none, and has all events and orders seen to that are due (`due`):
//! what could not be told or done before, and orders that wait for money, since a provider's events may be lost.
//!
//! What one order needs holds up no other: each is settled by itself, and what fails is left to its own next time.

mod due;
mod effects;
mod message;
mod providers;
mod stars;
mod take;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::id::TelegramUserId;
use domain::order::record::{PaymentsMode, PayoutHold};
use domain::purchase::Chats;
use domain::texts::Language;
use domain::time::Timestamp;
use futures_util::future::{join, join_all};
use intake::Intake;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::lambda::{failed_messages, message_id};
use runtime::settings;
use runtime::telemetry::chain;
use runtime::trace;
use store::queue::{Envelope, MessageBells, PaymentBell, QueueError, trace_of};
use store::{
    BotInfos, Ledger, Messages, Orders, PaymentEvents, PaymentRefs, People, RateLimits,
    Reservations, StoreError, Tasks,
};
use tokio::time::Instant;
use tracing::error;

use providers::{ProviderError, Providers};

/// What is kept of an invocation for the answer.
const RESERVE: Duration = Duration::from_secs(30);

/// What the handler needs.
pub struct App {
    mode: PaymentsMode,
    providers: Providers,
    events: PaymentEvents,
    refs: PaymentRefs,
    orders: Orders,
    ledger: Ledger,
    reservations: Reservations,
    limits: RateLimits,
    chats: Chats,
    intake: Intake,
    tasks: Tasks,
    bots: BotInfos,
    people: People,
    messages: Messages,
    message_bells: MessageBells,
    default_language: Language,
    owners: Vec<TelegramUserId>,
    tells_sales: bool,
    hold: PayoutHold,
    refunds_per_hour: u32,
    clock: Clock,
    /// When Telegram's list of payments was read last.
    stars_read_at: tokio::sync::Mutex<Option<Timestamp>>,
    is_stopping: AtomicBool,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let chats = settings::chats(env);
        let mode = settings::payments_mode(env);
        Self {
            mode,
            providers: Providers::from_env(env, mode, &clock),
            events: PaymentEvents::from_env(aws.dynamodb(), env),
            refs: PaymentRefs::from_env(aws.dynamodb(), env),
            orders: Orders::from_env(aws.dynamodb(), env),
            ledger: Ledger::from_env(&aws.dynamodb(), env),
            reservations: Reservations::from_env(aws.dynamodb(), env),
            limits: RateLimits::of_messages(aws.dynamodb(), env),
            intake: Intake::from_env(env, &aws, &chats, &clock),
            chats,
            tasks: Tasks::from_env(aws.dynamodb(), env),
            bots: BotInfos::from_env(aws.dynamodb(), env),
            people: People::from_env(aws.dynamodb(), env),
            messages: Messages::from_env(aws.dynamodb(), env),
            message_bells: MessageBells::from_env(aws.sqs(), env, &clock),
            default_language: settings::default_language(env),
            owners: settings::bot_owners(env),
            tells_sales: settings::tells_sales(env),
            hold: settings::payout_hold(env),
            refunds_per_hour: settings::auto_refunds_per_hour(env),
            clock,
            stars_read_at: tokio::sync::Mutex::default(),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Nothing is begun from now on: the process is about to end.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Whether nothing is to be begun any more.
    fn is_over(&self, until: Instant) -> bool {
        self.clock.monotonic() >= until || self.is_stopping.load(Ordering::SeqCst)
    }
}

/// What keeps something from being settled now; doing it again is harmless.
#[derive(Debug, thiserror::Error)]
enum SettleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The order was written so often that this writer never came first.
    #[error("an order changes all the time")]
    Contended,
    /// It can't be told yet, or not by this version of the program.
    #[error("a payment can't be told: {0}")]
    Unclear(&'static str),
    #[error(transparent)]
    Learn(#[from] domain::order::record::LearnFault),
    /// What takes the payment in refused it; what kept it is logged there.
    #[error("the way in was not made: {0}")]
    Refused(&'static str),
}

/// Settles what a batch of bells names. Messages that it answers as failed are shown again by SQS, and after five times go to
/// the dead-letter queue; nothing is lost by that, since the tables hold it.
pub async fn answer_bells(app: &App, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    let left = deadline.saturating_duration_since(Instant::now());
    let until = app.clock.monotonic() + left.saturating_sub(RESERVE);
    let mut failed = Vec::new();
    let mut is_work = false;
    let mut bells = Vec::new();
    let mut orders = Vec::new();
    for message in &batch.records {
        match Envelope::<PaymentBell>::open(message) {
            Ok(envelope) => match envelope.message {
                PaymentBell::Event { key } => bells.push((trace_of(message), key)),
                PaymentBell::Order { id } => orders.push((trace_of(message), id)),
                PaymentBell::Work => is_work = true,
            },
            Err(_) => {
                error!(
                    message.id = message_id(message),
                    fault = "poison",
                    "unparseable message in PaymentQueue"
                );
                failed.push(message_id(message));
            }
        }
    }
    let taken = bells.into_iter().map(|(trace, key)| async move {
        trace::within(trace, take_key(app, &key)).await;
    });
    let seen_to = orders.into_iter().map(|(trace, id)| async move {
        trace::within(trace, due::see_to(app, id)).await;
    });
    join(join_all(taken), join_all(seen_to)).await;
    if is_work {
        due::serve(app, until).await;
    }
    failed_messages(failed)
}

/// Settles one event. What keeps it from being settled is logged, and it is due again later.
async fn take_key(app: &App, key: &str) {
    if let Err(fault) = take::take(app, key).await {
        error!(
            payment.event = key,
            fault = "unavailable",
            "a payment event could not be settled, it is due again: {}",
            chain(&fault)
        );
    }
}
