//! The services outside: Telegram and WebEngage, each real if its credentials are given and simulated if not.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use simulators::clock::Clock;
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
        Ok(externals)
    }
}
