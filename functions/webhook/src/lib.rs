//! `POST /v1/telegram/webhook`: Telegram reports who joined and who left, and what people write and press.
//!
//! An update is handled to its end within the call, or Telegram sends it again. Joins, leaves and the bot's own rights are
//! written in such a way that handling them twice gives the same; all else is claimed in the table of updates first. What
//! calls Telegram goes through the tables of tasks and messages.

mod announce;
mod chats;
mod claims;
mod commands;
mod conversation;
mod desk;
mod door;
mod feed;
mod gifts;
mod inbox;
mod joins;
mod links;
mod moves;
mod payees;
mod paying;
mod presses;
mod relay;
mod rights;
mod say;
mod unheard;
mod whole;
mod written;

use std::time::Duration;

use bytes::Bytes;
use domain::claim::{ChatDeliveries, ClaimKeys, PublicUrl};
use domain::event::EventMessage;
use domain::id::{BotId, ChatId, TelegramUserId};
use domain::join::MemberChange;
use domain::ordering::OrderRules;
use domain::person::PersonLimits;
use domain::purchase::Chats;
use domain::relay::SupportHours;
use domain::texts::Language;
use domain::time::Timestamp;
use domain::update::{NotJson, Update, UpdateKind, classify, classify_for_desk};
use http::{Request, Response, StatusCode};
use runtime::auth::Verifier;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::response::{Rejection, json};
use runtime::settings;
use runtime::telemetry::chain;
use serde_json::{Value, json};
use store::acting::Acting;
use store::queue::{Bells, MessageBell, PaymentBell, Queue};
use store::{
    Announcements, BotInfos, ChatInfos, ClaimLinks, Erasures, FrontBot, Invites, Jobs, LinkPool,
    LinkTeller, Links, Messages, Orders, Payees, PaymentEvents, People, Products, RateLimits,
    RelayMap, Reminders, Reservations, Seats, StoreError, Tasks, Topics, UpdateKey, Updates,
};
use tracing::{debug, error, info, warn};

use feed::ActorFeed;
use unheard::NotYet;

pub use inbox::{Replayed, replay};

/// What the handler needs.
pub struct App {
    secret: Verifier,
    chats: Chats,
    invites: Invites,
    links: Links,
    pool: LinkPool,
    tasks: Tasks,
    bells: Bells,
    events: Queue<EventMessage>,
    announcements: Announcements,
    deliveries: ChatDeliveries,
    claim_keys: ClaimKeys,
    claim_links: ClaimLinks,
    public_url: Option<PublicUrl>,
    link_teller: LinkTeller,
    rebinds_max: u32,
    link_base: String,
    bots: BotInfos,
    chat_infos: ChatInfos,
    moved_chats: chats::MovedChats,
    join_request_hold: Duration,
    seats: Seats,
    messages: Messages,
    message_bells: Bells<MessageBell>,
    updates: Updates,
    feed: ActorFeed,
    people: People,
    erasures: Erasures,
    jobs: Jobs,
    limits_of_chats: RateLimits,
    claim_retention: Duration,
    owners: Vec<TelegramUserId>,
    limits: PersonLimits,
    default_language: Language,
    terms_url: Option<String>,
    privacy_url: Option<String>,
    support_url: Option<String>,
    operator_chat: Option<ChatId>,
    support_hours: Option<SupportHours>,
    new_topics_per_hour: u32,
    topics: Topics,
    reminders: Reminders,
    relay_map: RelayMap,
    products: Products,
    orders: Orders,
    reservations: Reservations,
    order_rules: OrderRules,
    open_orders_max: usize,
    payment_events: PaymentEvents,
    payment_bells: Queue<PaymentBell>,
    payees: Payees,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let chats = settings::chats(env);
        let deliveries = settings::chat_deliveries(env, &chats);
        let operator_chat = settings::operator_chat(env, &chats);
        let mode = settings::payments_mode(env);
        Self {
            secret: Verifier::webhook_secrets(env),
            claim_keys: settings::claim_keys(env, &deliveries),
            claim_links: ClaimLinks::from_env(env, &deliveries, &aws),
            public_url: settings::public_url(env),
            link_teller: LinkTeller::from_env(env, &aws, &clock),
            rebinds_max: settings::rebinds_max(env),
            link_base: settings::telegram_link_base(env),
            deliveries,
            join_request_hold: settings::join_request_hold(env),
            chats,
            bots: BotInfos::from_env(aws.dynamodb(), env),
            chat_infos: ChatInfos::from_env(aws.dynamodb(), env),
            moved_chats: chats::MovedChats::default(),
            seats: Seats::from_env(aws.dynamodb(), env),
            messages: Messages::from_env(aws.dynamodb(), env),
            message_bells: Bells::from_env(aws.sqs(), env, &clock),
            invites: Invites::from_env(aws.dynamodb(), env),
            links: Links::from_env(aws.dynamodb(), env),
            pool: LinkPool::from_env(aws.dynamodb(), env),
            tasks: Tasks::from_env(aws.dynamodb(), env),
            bells: Bells::from_env(aws.sqs(), env, &clock),
            events: Queue::from_env(aws.sqs(), env),
            announcements: Announcements::from_env(&aws, env, &clock),
            updates: Updates::from_env(aws.dynamodb(), env),
            feed: ActorFeed::from_env(&aws, env),
            people: People::from_env(aws.dynamodb(), env),
            erasures: Erasures::from_env(aws.dynamodb(), env),
            jobs: Jobs::from_env(aws.dynamodb(), env),
            limits_of_chats: RateLimits::of_messages(aws.dynamodb(), env),
            claim_retention: settings::claim_retention(env),
            owners: settings::bot_owners(env),
            limits: settings::person_limits(env),
            default_language: settings::default_language(env),
            terms_url: settings::terms_url(env),
            privacy_url: settings::privacy_url(env),
            support_url: settings::support_url(env),
            operator_chat,
            support_hours: settings::support_hours(env),
            new_topics_per_hour: settings::new_topics_per_hour(env),
            topics: Topics::from_env(aws.dynamodb(), env),
            reminders: Reminders::from_env(aws.dynamodb(), env),
            relay_map: RelayMap::from_env(aws.dynamodb(), env),
            products: Products::from_env(aws.dynamodb(), env),
            orders: Orders::from_env(aws.dynamodb(), env),
            reservations: Reservations::from_env(aws.dynamodb(), env),
            order_rules: settings::order_rules(env, mode),
            open_orders_max: settings::open_orders_max(env),
            payment_events: PaymentEvents::from_env(aws.dynamodb(), env),
            payment_bells: Queue::of_payments(aws.sqs(), env),
            payees: Payees::from_env(&aws.dynamodb(), env),
            clock,
        }
    }
}

/// What an update came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UpdateOutcome {
    /// The first join of a request, recorded.
    Joined,
    /// A join of a request that had one.
    Duplicate,
    /// A join by a link of our bot that no request has.
    Orphan,
    /// What somebody wrote or asked for, answered.
    Handled,
    /// Nothing that we act on.
    Ignored,
}

impl UpdateOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Duplicate => "duplicate",
            Self::Orphan => "orphan",
            Self::Handled => "handled",
            Self::Ignored => "ignored",
        }
    }
}

/// An update that is being handled.
#[derive(Clone, Copy)]
struct Met {
    /// Which.
    key: UpdateKey,
    /// When it was first met: Telegram gives some no time of their own.
    since: Timestamp,
    /// Whether nobody met it before. What comes again is counted no second time.
    is_first: bool,
}

/// What came of an update, and what Telegram is to do about it, if anything: a method with its parameters.
struct Handled {
    outcome: UpdateOutcome,
    reply: Option<Value>,
}

impl From<UpdateOutcome> for Handled {
    fn from(outcome: UpdateOutcome) -> Self {
        Self {
            outcome,
            reply: None,
        }
    }
}

impl Handled {
    fn answer(self) -> Response<Bytes> {
        let result = || json!({"ok": true, "result": self.outcome.as_str()});
        json(StatusCode::OK, &self.reply.unwrap_or_else(result))
    }
}

/// Answers one call. A 200 means that nothing of the update can be lost any more; on a 503 Telegram sends it again.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    if !app.secret.knows_webhook_secret(request.headers()) {
        warn!(
            outcome = "unauthorized",
            "a webhook call without the secret was refused"
        );
        return Rejection::Unauthorized.answer();
    }
    let Some(bot) = bot_of(request.uri().path()) else {
        return Rejection::NotFound.answer();
    };
    let Ok(update) = app.read(request.body()) else {
        return Rejection::InvalidJson.answer();
    };
    match pass_to_actors(app, bot, update.id, request.body()).await {
        Ok(()) => {}
        // Sent again it would fail again, and nobody's seat is to wait for what actors read.
        Err(fault @ StoreError::Malformed { .. }) => {
            error!(
                fault = "malformed",
                "an update was not written for actors, since a record of theirs can't be read: {}",
                chain(&fault)
            );
        }
        Err(fault) => {
            error!(
                fault = "unavailable",
                "an update could not be written for actors yet: {}",
                chain(&fault)
            );
            return Rejection::Unavailable.answer();
        }
    }
    if let Err(fault) = chats::learn(app, &update.kind).await {
        error!(
            fault = "unavailable",
            "it can't be told yet whose chat an update is of: {}",
            chain(fault.as_ref())
        );
        return Rejection::Unavailable.answer();
    }
    let outcome = match &update.kind {
        UpdateKind::Ignored(reason) | UpdateKind::Member(MemberChange::Ignored(reason)) => {
            debug!(outcome = "ignored", "{reason}");
            Ok(UpdateOutcome::Ignored)
        }
        UpdateKind::Member(change) if desk::is_of(app, change) => desk::left(app, change).await,
        UpdateKind::Member(change) => joins::member(app, change).await,
        UpdateKind::Moved(moved) => chats::moved(app, moved).await,
        UpdateKind::Bot(membership) => rights::changed(app, bot, update.id, membership).await,
        UpdateKind::PreCheckout(query) => match paying::asked(app, query).await {
            Ok(answer) => return answer,
            Err(failure) => Err(failure),
        },
        UpdateKind::Stars(told) => paying::told(app, told).await,
        UpdateKind::JoinRequest(_)
        | UpdateKind::Private(_)
        | UpdateKind::PrivateEdit(_)
        | UpdateKind::Desk(_)
        | UpdateKind::DeskEdit(_)
        | UpdateKind::Group(_)
        | UpdateKind::Press(_) => return claimed(app, bot, update, request.body()).await,
    };
    match outcome {
        Ok(outcome) => Handled::from(outcome).answer(),
        Err(fault) if fault.is::<NotYet>() => not_yet(update.id),
        // Sent again it would fail again, and where updates are asked for, all others would wait behind it.
        Err(fault) if is_lasting(fault.as_ref()) => {
            error!(
                fault = "malformed",
                "an update is not handled, since a record that it needs can't be read: {}",
                chain(fault.as_ref())
            );
            Handled::from(UpdateOutcome::Ignored).answer()
        }
        Err(fault) => {
            error!(
                fault = "unavailable",
                "an update could not be handled yet: {}",
                chain(fault.as_ref())
            );
            Rejection::Unavailable.answer()
        }
    }
}

/// Writes an update down for the actors that may read it, before it is handled.
async fn pass_to_actors(
    app: &App,
    bot: Option<BotId>,
    update: i64,
    body: &Bytes,
) -> Result<(), StoreError> {
    let now = app.clock.now();
    if !app.feed.has_readers(now).await? {
        return Ok(());
    }
    // Before setup has written its name there is nobody to read it.
    let Some(front) = app.front().await? else {
        return Ok(());
    };
    let bot = bot.unwrap_or(front.bot);
    let appended = app.feed.append(front.bot, bot, update, body, now).await;
    if appended? {
        app.announcements.ring().await;
    }
    Ok(())
}

/// The bot that a path names, `/v1/telegram/webhook/<its id>`; of the path without one it is the front bot. Nothing if
/// the path names something else.
fn bot_of(path: &str) -> Option<Option<BotId>> {
    match path.rsplit_once("/webhook/") {
        None => Some(None),
        Some((_, id)) => id.parse().ok().map(|id| Some(BotId(id))),
    }
}

/// Handles an update that is handled once.
async fn claimed(app: &App, bot: Option<BotId>, update: Update, body: &Bytes) -> Response<Bytes> {
    if !app.talks() {
        return Handled::from(UpdateOutcome::Ignored).answer();
    }
    let front = match app.front().await {
        Ok(Some(front)) => front,
        Ok(None) => {
            error!(
                fault = "configuration",
                "what people write waits at Telegram, for 24 hours, since setup has not yet written the name of the front bot: run it again"
            );
            return Rejection::Unavailable.answer();
        }
        Err(fault) => {
            error!(
                fault = "unavailable",
                "the name of the front bot can't be read: {}",
                chain(&fault)
            );
            return Rejection::Unavailable.answer();
        }
    };
    // Strangers can add the bot to any group: there it says nothing.
    if let UpdateKind::Group(message) = &update.kind
        && !(app.is_ours(message.chat) && commands::is_for_us(message, &front))
    {
        return Handled::from(UpdateOutcome::Ignored).answer();
    }
    let key = UpdateKey {
        bot: bot.unwrap_or(front.bot),
        id: update.id,
    };
    inbox::once(app, &front, key, &update.kind, body).await
}

impl App {
    /// Whether the bot talks with people.
    fn talks(&self) -> bool {
        self.deliveries.has_claims() || self.claim_keys.can_sign() || self.operator_chat.is_some()
    }

    fn acting(&self) -> Acting<'_> {
        Acting {
            invites: &self.invites,
            links: &self.links,
            tasks: &self.tasks,
            events: &self.events,
            clock: &self.clock,
            any_bot: None,
        }
    }

    /// Reads an update.
    fn read(&self, body: &[u8]) -> Result<Update, NotJson> {
        match self.operator_chat {
            Some(desk) => classify_for_desk(body, desk),
            None => classify(body),
        }
    }

    /// The id by which members of a chat are known.
    fn canonical_chat(&self, chat: ChatId) -> ChatId {
        let named = self.chats.named(chat).map(|(_, canonical_id)| canonical_id);
        let known = named.or_else(|| self.moved_chats.canonical_of(chat));
        known.unwrap_or(chat)
    }

    /// Whether a chat is one of ours, by an id that it got since, too.
    fn is_ours(&self, chat: ChatId) -> bool {
        self.chats.contains(chat) || self.moved_chats.canonical_of(chat).is_some()
    }

    /// The bot that people talk with, as it was a minute ago.
    async fn front(&self) -> Result<Option<FrontBot>, StoreError> {
        self.bots.front_lately(self.clock.now()).await
    }
}

/// What can keep an update from being handled: Telegram then sends it again.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Telegram sends it again until its person is heard again.
fn not_yet(update: i64) -> Response<Bytes> {
    info!(
        update.id = update,
        outcome = "not_yet",
        "an update of a person who is being erased is to come again"
    );
    Rejection::Unavailable.answer()
}

/// Whether it would fail again, however often it is tried.
fn is_lasting(failure: &(dyn std::error::Error + 'static)) -> bool {
    failure.downcast_ref().is_some_and(StoreError::is_lasting)
}
