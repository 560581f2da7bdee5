//! The services outside: Telegram and WebEngage, each real if its credentials are given and simulated if not.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use bytes::Bytes;
use simulators::clock::Clock;
use simulators::nowpayments::NowPayments;
use simulators::stripe::Stripe;
use simulators::telegram::{ChatKind, Rights, Telegram};
use simulators::webengage::WebEngage;

/// The simulated bot. Its token opens nothing.
const BOT_TOKEN: &str = "123456789:simulated-bot-of-the-stack-0000000";
/// The simulated chat.
const CHAT_ID: i64 = -1_001_234_567_890;
/// The id of the simulated chat if it is a group: those of supergroups lie below.
const GROUP_ID: i64 = -4_242_424_242;
/// The simulated WebEngage account.
const LICENSE: &str = "simulated";

/// What is simulated of the outside.
#[derive(Clone, Default)]
pub(crate) struct Externals {
    /// Simulated Telegram, unless there is a bot token.
    pub(crate) telegram: Option<SimulatedTelegram>,
    /// Simulated WebEngage, unless there is an API key.
    pub(crate) webengage: Option<WebEngage>,
    /// Simulated Stripe and NOWPayments, if payments are on and there is no key of either.
    pub(crate) providers: Option<SimulatedProviders>,
}

/// Simulated providers of payments, whose events come to the local stack.
#[derive(Clone)]
pub(crate) struct SimulatedProviders {
    /// Stripe.
    pub(crate) stripe: Stripe,
    /// NOWPayments.
    pub(crate) nowpayments: NowPayments,
}

/// Simulated Telegram with one bot that is administrator of one chat.
#[derive(Clone)]
pub(crate) struct SimulatedTelegram {
    pub(crate) server: Telegram,
    pub(crate) bot_id: i64,
    pub(crate) chat_id: i64,
}

impl Externals {
    /// Starts what is to be simulated, and points the environment of the functions to it.
    pub(crate) async fn start(
        env: &mut HashMap<String, String>,
        clock: &Clock,
        chat: ChatKind,
        url: &str,
    ) -> anyhow::Result<Self> {
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let set = |env: &HashMap<String, String>, name| {
            env.get(name)
                .is_some_and(|value: &String| !value.trim().is_empty())
        };
        let mut externals = Self::default();
        if !set(env, "TELEGRAM_BOT_TOKEN") {
            let server = Telegram::start(any_port, clock.clone()).await?;
            let bot_id = server.add_bot(BOT_TOKEN);
            let chat_id = match chat {
                ChatKind::Group => GROUP_ID,
                _ => CHAT_ID,
            };
            server.add_chat(chat_id, "Premium Club", chat);
            server.make_admin(bot_id, chat_id, Rights::all());
            if let Some(desk) = env.get("OPERATOR_CHAT_ID").and_then(|id| id.parse().ok()) {
                server.add_chat(desk, "Operators", ChatKind::Supergroup);
                server.make_forum(desk);
                server.make_admin(bot_id, desk, Rights::all());
            }
            env.insert("TELEGRAM_BOT_TOKEN".to_owned(), BOT_TOKEN.to_owned());
            env.insert("TELEGRAM_CHAT_ID".to_owned(), chat_id.to_string());
            env.insert("TELEGRAM_API_BASE".to_owned(), server.url());
            externals.telegram = Some(SimulatedTelegram {
                server,
                bot_id,
                chat_id,
            });
        }
        if !set(env, "WEBENGAGE_API_KEY") {
            let key = uuid::Uuid::new_v4().simple().to_string();
            let server = WebEngage::start(any_port, clock.clone(), LICENSE, &key).await?;
            env.insert("WEBENGAGE_LICENSE_CODE".to_owned(), LICENSE.to_owned());
            env.insert("WEBENGAGE_API_KEY".to_owned(), key);
            env.insert("WEBENGAGE_API_BASE".to_owned(), server.url());
            externals.webengage = Some(server);
        }
        let keys = ["STRIPE_SECRET_KEY", "NOWPAYMENTS_API_KEY"];
        let is_test = env.get("PAYMENTS_MODE").is_some_and(|mode| mode == "test");
        if is_test && !keys.iter().any(|key| set(env, key)) {
            externals.providers = Some(SimulatedProviders::start(env, clock, url).await?);
        }
        Ok(externals)
    }
}

impl SimulatedProviders {
    /// Starts both, and has them report to the stack at `url`.
    async fn start(
        env: &mut HashMap<String, String>,
        clock: &Clock,
        url: &str,
    ) -> anyhow::Result<Self> {
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let stripe = Stripe::start(any_port, clock.clone()).await?;
        let key = format!("sk_test_{}", uuid::Uuid::new_v4().simple());
        stripe.add_key(&key);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("url", &format!("{url}/v1/payments/stripe"));
        form.append_pair("api_version", domain::stripe::API_VERSION);
        for kind in domain::stripe::EVENT_TYPES {
            form.append_pair("enabled_events[]", kind);
        }
        let made = http::Request::post("/v1/webhook_endpoints")
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.finish()))?;
        let made = stripe
            .call(made)
            .await
            .map_err(|_| anyhow::anyhow!("the simulated Stripe has stopped"))?;
        let made: serde_json::Value = serde_json::from_slice(made.body())?;
        let secret = made["secret"].as_str();
        let secret = secret
            .with_context(|| format!("making the endpoint at the simulated Stripe: {made}"))?;
        let (coins_key, ipn_secret) = ("simulated-nowpayments-key", "simulated-ipn-secret");
        let login = ("shop@example.com", "simulated-password");
        let nowpayments = NowPayments::start(any_port, clock.clone(), coins_key, login).await?;
        nowpayments.set_ipn_secret(Some(ipn_secret));
        let settings = [
            ("STRIPE_SECRET_KEY", key.as_str()),
            ("STRIPE_WEBHOOK_SECRET", secret),
            ("STRIPE_API_BASE", &stripe.url()),
            ("NOWPAYMENTS_API_KEY", coins_key),
            ("NOWPAYMENTS_IPN_SECRET", ipn_secret),
            ("NOWPAYMENTS_EMAIL", login.0),
            ("NOWPAYMENTS_PASSWORD", login.1),
            ("NOWPAYMENTS_API_BASE", &format!("{}/v1", nowpayments.url())),
        ];
        for (name, value) in settings {
            env.insert(name.to_owned(), value.to_owned());
        }
        Ok(Self {
            stripe,
            nowpayments,
        })
    }
}
