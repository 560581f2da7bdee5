//! The local stack for tests: port 0, data of its own, a clock that can be turned, and actors who speak the words of the
//! product's own trade.
//!
//! A test is a story: a [`Shop`] reports payments, a [`Customer`] taps links, an [`Operator`] repairs, Telegram limits and
//! WebEngage is away. Each does one call at the wire, as the real one would, and knows nothing of the stack's inside.
//!
//! Dropped, the stack checks that nothing is left undone: no message in a queue, no dead letter, no call that Telegram had
//! asked not to make. A test that leaves something says so by [`TestStack::leaves_something`].

#![expect(clippy::expect_used, reason = "the harness fails the test")]

mod actor;
mod answer;
mod case;
mod customer;
mod external_services;
mod inside;
mod operator;
pub mod process;
mod receiver;
mod shop;
mod telegram;
mod waiting;
mod webengage;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use runtime::aws::Shared;
use simulators::aws::Aws;
use simulators::clock::Clock;
use simulators::nowpayments::NowPayments;
use simulators::stripe::Stripe;
use simulators::telegram::{ChatKind, Telegram};
use simulators::webengage::WebEngage;

use crate::externals::SimulatedProviders;
use crate::functions::{FUNCTIONS, Function, Functions};
use crate::resources::{EVENTS, HOOKS, INVITES, MESSAGES, PAYMENTS};
use crate::stack::{Data, Options, Stack};
use crate::supervision::Supervision;
use crate::timeline::Timeline;

pub use actor::BotApiActor;
pub use answer::ApiAnswer;
use answer::Wire;
pub use case::Case;
pub use customer::Customer;
pub use external_services::ExternalServices;
pub use operator::Operator;
pub use receiver::{ReceivedCall, Receiver, Reply};
pub use shop::Shop;
pub use telegram::{TelegramActor, dated};
pub use waiting::until;
pub use webengage::{JOINED, LINK_CREATED, WebEngageActor};

/// A minute.
pub const MINUTE: Duration = Duration::from_secs(60);
/// An hour.
pub const HOUR: Duration = Duration::from_secs(3600);
/// How long, by the real clock, a test waits for the local stack before it fails.
const TIMEOUT: Duration = Duration::from_secs(180);

/// A running local stack in simulation.
pub struct TestStack {
    /// The local stack.
    pub local: Stack,
    /// Telegram.
    pub telegram: TelegramActor,
    /// WebEngage.
    pub webengage: WebEngageActor,
    /// The one clock of all of them.
    pub clock: Clock,
    /// The bot.
    pub bot_id: i64,
    /// The chat.
    pub chat_id: i64,
    wire: Wire,
    clients: OnceLock<Shared>,
    must_be_clean: bool,
}

/// Beginning and end.
impl TestStack {
    /// A local stack in memory.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A local stack in memory, with these variables.
    pub async fn with(env: &[(&str, &str)]) -> Self {
        Self::with_data(Data::Ephemeral, env).await
    }

    /// A local stack in memory whose chat is a group, which may become a supergroup, with these variables.
    pub async fn with_group(env: &[(&str, &str)]) -> Self {
        let options = options(any_port(), Data::Ephemeral, env, &Clock::new());
        let chat = ChatKind::Group;
        Self::started(Options { chat, ..options }).await
    }

    /// A local stack whose data lies in a folder.
    pub async fn in_data_dir(folder: PathBuf) -> Self {
        Self::with_data(Data::Folder(folder), &[]).await
    }

    /// A local stack in memory that runs these functions, with these variables.
    pub async fn with_functions(functions: &'static [Function], env: &[(&str, &str)]) -> Self {
        let options = options(any_port(), Data::Ephemeral, env, &Clock::new());
        Self::started(Options {
            functions,
            ..options
        })
        .await
    }

    async fn with_data(data: Data, env: &[(&str, &str)]) -> Self {
        Self::started(options(any_port(), data, env, &Clock::new())).await
    }

    async fn started(options: Options) -> Self {
        let clock = options.clock.clone();
        let stack = Stack::start(options).await.expect("the local stack starts");
        let telegram = stack.externals.telegram.clone();
        let telegram = telegram.expect("Telegram is simulated");
        let webengage = stack.externals.webengage.clone();
        let webengage = webengage.expect("WebEngage is simulated");
        let place = (telegram.bot_id, telegram.chat_id);
        Self::of(stack, telegram.server, webengage, clock, place)
    }

    fn of(
        local: Stack,
        telegram: Telegram,
        webengage: WebEngage,
        clock: Clock,
        (bot_id, chat_id): (i64, i64),
    ) -> Self {
        let wire = Wire::new(&local.url);
        let secret = local.env.get("TELEGRAM_WEBHOOK_SECRET");
        let telegram = TelegramActor {
            server: telegram,
            wire: wire.clone(),
            webhook_secret: secret.cloned().unwrap_or_default(),
            clock: clock.clone(),
            bot_id,
            chat_id,
        };
        Self {
            local,
            telegram,
            webengage: WebEngageActor(webengage),
            clock,
            bot_id,
            chat_id,
            wire,
            clients: OnceLock::new(),
            must_be_clean: true,
        }
    }

    /// Says that this test leaves messages behind on purpose.
    pub fn leaves_something(&mut self) {
        self.must_be_clean = false;
    }
}

/// Actors.
impl TestStack {
    /// Stripe, as its buyers and its dashboard see it. Payments are to be on: `PAYMENTS_MODE` `test`.
    ///
    /// # Panics
    /// If they are not.
    #[must_use]
    pub fn stripe(&self) -> &Stripe {
        &self.providers().stripe
    }

    /// NOWPayments, likewise.
    ///
    /// # Panics
    /// If payments are not on.
    #[must_use]
    pub fn nowpayments(&self) -> &NowPayments {
        &self.providers().nowpayments
    }

    fn providers(&self) -> &SimulatedProviders {
        let providers = self.local.externals.providers.as_ref();
        providers.expect("payments are on, and simulated")
    }

    /// A shop, with the first of the shops' keys.
    #[must_use]
    pub fn shop(&self) -> Shop {
        Shop::new(self.wire.clone(), self.local.api_key())
    }

    /// The operator.
    #[must_use]
    pub fn operator(&self) -> Operator {
        Operator::new(self.wire.clone(), self.local.admin_key(), self.chat_id)
    }

    /// An actor that is made now, with its key.
    ///
    /// # Panics
    /// If it is not made.
    pub async fn actor(&self, name: &str, role: &str) -> BotApiActor {
        let body = serde_json::json!({"name": name, "role": role});
        self.actor_as(&body).await
    }

    /// An actor that is made now as the body of the call says.
    ///
    /// # Panics
    /// If it is not made.
    pub async fn actor_as(&self, body: &serde_json::Value) -> BotApiActor {
        let made = self.operator().post("actors", body).await.done();
        let key = made["key"].as_str().expect("a key");
        // Until then webhook may believe that nobody reads.
        self.clock.advance(Duration::from_secs(5));
        self.actor_with(key)
    }

    /// Whoever has this key.
    #[must_use]
    pub fn actor_with(&self, key: &str) -> BotApiActor {
        BotApiActor::new(self.wire.clone(), key)
    }

    /// The person with this id of Telegram's.
    #[must_use]
    pub fn customer(&self, id: i64) -> Customer {
        Customer::new(self.telegram.server.clone(), self.chat_id, id)
    }

    /// One purchase, waited for until its link is there; the request's id and the link.
    ///
    /// # Panics
    /// If there is no link in the end.
    pub async fn admitted(&self, user_id: &str, transaction_id: &str) -> (String, String) {
        let shop = self.shop();
        let id = shop.bought(user_id, transaction_id).await;
        self.run_until_idle().await;
        let link = shop.link(&id).await;
        (id, link)
    }

    /// Any `POST` by anybody.
    pub async fn post(
        &self,
        path: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> ApiAnswer {
        self.wire.post(path, body, headers).await
    }

    /// Any `GET` by anybody.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> ApiAnswer {
        self.wire.get(path, headers).await
    }
}

/// The stack itself.
impl TestStack {
    /// The embedded AWS.
    #[must_use]
    pub fn aws(&self) -> &Aws {
        &self.local.aws
    }

    /// The functions, for calls past the wire of the API.
    #[must_use]
    pub fn functions(&self) -> &Arc<Functions> {
        &self.local.functions
    }

    /// The environment of the functions.
    #[must_use]
    pub fn env(&self) -> &HashMap<String, String> {
        &self.local.env
    }

    /// Stops the schedules, so that what runs by the clock runs only when a test says so.
    pub fn pause_schedule(&self) {
        for schedule in self.local.schedules.values() {
            schedule.pause();
        }
    }

    /// Stops the sweeper alone, so that it runs only when a test says so.
    pub fn pause_sweeper(&self) {
        self.local.schedules["sweeper"].pause();
    }

    /// Kills the messenger in the middle of what it does; answers how many invocations that were.
    #[must_use]
    pub fn kill_messenger(&self) -> usize {
        self.local.mappings["messenger"].kill()
    }

    /// Kills `hooks` in the middle of what it does; answers how many invocations that were.
    #[must_use]
    pub fn kill_hooks(&self) -> usize {
        self.local.mappings["hooks"].kill()
    }

    /// Kills the worker in the middle of what it does; answers how many invocations that were.
    #[must_use]
    pub fn kill_worker(&self) -> usize {
        self.local.mappings["worker"].kill()
    }
}

/// A loopback address with a port that is free.
#[must_use]
pub fn any_port() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

fn options(listen: SocketAddr, data: Data, env: &[(&str, &str)], clock: &Clock) -> Options {
    Options {
        functions: &FUNCTIONS,
        chat: ChatKind::Supergroup,
        listen,
        aws_listen: any_port(),
        data,
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        clock: clock.clone(),
        timeline: Timeline::default(),
        supervision: Supervision::Off,
    }
}

impl Drop for TestStack {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.must_be_clean {
            return;
        }
        for queue in [
            INVITES.queue,
            EVENTS.queue,
            MESSAGES.queue,
            HOOKS.queue,
            PAYMENTS.queue,
            INVITES.dead_letters,
            EVENTS.dead_letters,
            MESSAGES.dead_letters,
            HOOKS.dead_letters,
            PAYMENTS.dead_letters,
        ] {
            assert_eq!(self.depth(queue), 0, "the test leaves messages in {queue}");
        }
        assert_eq!(
            self.telegram.violation_count(),
            0,
            "Telegram was called while it had asked to wait"
        );
    }
}
