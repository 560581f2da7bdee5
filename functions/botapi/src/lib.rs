//! `/bot<key>/<method>` and `/file/bot<key>/<path>`: the Bot API for actors, each with a key of its own in place of the
//! bot's token.
//!
//! ```text
//! key --> actor --> method --> role --> about the actor itself: answered here      (own.rs, poll.rs)
//!                                       about people and chats:  checked, paced, passed on to Telegram      (send.rs, files.rs)
//! ```
//!
//! A path holds a key, so no line of a log has a path; lines name the actor. Answers are worded as Telegram's, since
//! libraries read them.

mod answer;
mod files;
mod lines;
mod own;
mod parameters;
mod parts;
mod poll;
mod send;
mod shown;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::actor::scope::check_role;
use domain::actor::seal::FileSealer;
use domain::actor::{Actor, ActorKey, CallRight, MethodRule, method};
use domain::id::ChatId;
use domain::message::Scopes;
use domain::purchase::Chats;
use domain::texts::Language;
use http::{Method, Request, Response};
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::outbound::CallTargets;
use runtime::settings;
use runtime::telemetry::chain;
use store::{
    Actors, BotInfos, Messages, People, RateLimits, RelayMap, StoreError, Topics, UpdateFeed,
};
use telegram::{Bots, Telegram};
use tracing::{error, info, warn};

use answer::{BotApiAnswer, BotApiRefusal};
use parameters::CallParameters;

/// The largest body on Lambda, in bytes: its own limit is 6 MB, of which base64 takes a quarter.
const BODY_MAX_ON_LAMBDA: usize = 4 * 1024 * 1024 + 64 * 1024;
/// The largest body on one machine, in bytes: what Telegram takes (Bot API, "Sending files"), and the parameters.
pub const BODY_MAX_ON_ONE_MACHINE: usize = 50 * 1024 * 1024 + 64 * 1024;

/// What the handler needs.
pub struct App {
    /// The front bot; nothing if the configuration names none, which is reported.
    telegram: Option<Telegram>,
    sealer: Option<FileSealer>,
    actors: Actors,
    feed: UpdateFeed,
    relay_map: RelayMap,
    limits: RateLimits,
    scopes: Mutex<Scopes>,
    bots: BotInfos,
    people: People,
    topics: Topics,
    messages: Messages,
    /// The operators' chat, if what is sent to people stands there, too.
    shows_sent_in: Option<ChatId>,
    default_language: Language,
    /// Where webhooks may lead.
    targets: CallTargets,
    poll_hold: Duration,
    is_on_lambda: bool,
    is_stopping: AtomicBool,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let telegram = Bots::from_env(env, &clock).iter().next().cloned();
        Self {
            sealer: telegram.as_ref().and_then(Telegram::file_sealer),
            telegram,
            actors: Actors::from_env(aws.dynamodb(), env),
            feed: UpdateFeed::from_env(aws.dynamodb(), env),
            relay_map: RelayMap::from_env(aws.dynamodb(), env),
            limits: RateLimits::of_messages(aws.dynamodb(), env),
            scopes: Mutex::new(Scopes::default()),
            bots: BotInfos::from_env(aws.dynamodb(), env),
            people: People::from_env(aws.dynamodb(), env),
            topics: Topics::from_env(aws.dynamodb(), env),
            messages: Messages::from_env(aws.dynamodb(), env),
            shows_sent_in: settings::relay_shows_sent(env)
                .then(|| settings::operator_chat(env, &Chats::none()))
                .flatten(),
            default_language: settings::default_language(env),
            targets: CallTargets::from_env(env),
            poll_hold: settings::poll_hold(env),
            is_on_lambda: env.optional("AWS_LAMBDA_FUNCTION_NAME").is_some(),
            is_stopping: AtomicBool::new(false),
            clock,
        }
    }

    /// Ends the polls that are held: the process is about to end.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    const fn body_max(&self) -> usize {
        match self.is_on_lambda {
            true => BODY_MAX_ON_LAMBDA,
            false => BODY_MAX_ON_ONE_MACHINE,
        }
    }
}

/// An actor's call on its way.
struct ActorCall<'a> {
    app: &'a App,
    telegram: &'a Telegram,
    actor: Actor,
    parameters: CallParameters,
}

/// Answers one call.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    match answer(app, &request).await {
        Ok(answer) => answer.answer(),
        Err(refusal) => refusal.answer(),
    }
}

async fn answer(app: &App, request: &Request<Bytes>) -> Result<BotApiAnswer, BotApiRefusal> {
    let not_found = || BotApiRefusal::new(404, "Not Found");
    let path = request.uri().path();
    let (is_file, rest) = match path.strip_prefix("/file/bot") {
        Some(rest) => (true, rest),
        None => (false, path.strip_prefix("/bot").ok_or_else(not_found)?),
    };
    let (key, rest) = rest.split_once('/').ok_or_else(not_found)?;
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return Err(BotApiRefusal::new(405, "Method Not Allowed"));
    }
    let telegram = app
        .telegram
        .as_ref()
        .ok_or_else(BotApiRefusal::unavailable)?;
    let actor = actor(app, telegram, key).await?;
    if request.body().len() > app.body_max() {
        return Err(BotApiRefusal::too_large());
    }
    let mut call = ActorCall {
        app,
        telegram,
        actor,
        parameters: CallParameters::default(),
    };
    if is_file {
        call.check_right(CallRight::Read, "file")?;
        return call.file(rest).await;
    }
    let rule =
        method(rest).ok_or_else(|| BotApiRefusal::new(404, "Not Found: method not found"))?;
    call.check_right(rule.right, rule.name)?;
    call.parameters = CallParameters::read(request)?;
    call.carry_out(rule).await
}

/// The actor of a key.
async fn actor(app: &App, telegram: &Telegram, key: &str) -> Result<Actor, BotApiRefusal> {
    let found = match ActorKey::read(telegram.bot(), key) {
        Some(key) => app.actors.of_key(&key.hash(), app.clock.now()).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(actor)) => Ok(actor),
        Ok(None) => {
            warn!(
                outcome = "unauthorized",
                "an actor's call without a key that works was refused"
            );
            Err(BotApiRefusal::unauthorized())
        }
        Err(fault) => Err(unavailable(&fault)),
    }
}

/// A table did not do its part.
fn unavailable(fault: &StoreError) -> BotApiRefusal {
    error!(
        fault = "unavailable",
        "an actor's call could not be served: {}",
        chain(fault)
    );
    BotApiRefusal::unavailable()
}

impl ActorCall<'_> {
    /// Whether the actor's role may call a method; what it may not is on record.
    fn check_right(&self, right: CallRight, method: &'static str) -> Result<(), BotApiRefusal> {
        check_role(self.actor.role, right, method).map_err(|refusal| {
            let role = self.actor.role.as_str();
            info!(actor.name = %self.actor.name, actor.role = role, method, outcome = "forbidden",
                "an actor called a method that is not its own");
            refusal.into()
        })
    }

    async fn carry_out(self, rule: &'static MethodRule) -> Result<BotApiAnswer, BotApiRefusal> {
        match rule.name {
            "getMe" => self.me().await,
            "getWebhookInfo" => self.webhook_info().await,
            "setWebhook" => self.set_webhook().await,
            "deleteWebhook" => self.delete_webhook().await,
            // The bot goes on: nothing of the actor's is open here.
            "close" | "logOut" => Ok(BotApiAnswer::Result(true.into())),
            "getUpdates" => self.updates().await,
            "getFile" => self.file_path(rule).await,
            _ => self.send(rule).await,
        }
    }
}
