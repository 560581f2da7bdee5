//! Queries that wait for a bot's answer. Each has its time; a later answer is refused.

use std::collections::{HashMap, VecDeque};

use super::purchase::Purchase;
use super::refusal::Refusal;

/// How many queries are kept, the newest.
const REMEMBERED_QUERIES: usize = 10_000;
/// Telegram publishes no figure for buttons; people report refusals from about this age on.
const CALLBACK_MS: i64 = 15_000;
/// For join requests and payments.
const DECISION_MS: i64 = 10_000;

/// What a bot answered to a pressed button.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallbackAnswer {
    /// The text that the person is shown; absent or empty is none.
    pub text: Option<String>,
    /// Whether it is shown as an alert instead of a notification.
    pub is_alert: bool,
    /// The link that is opened.
    pub url: Option<String>,
}

/// What a bot was asked.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// A button was pressed; the first answer, once there is one.
    Button(Option<CallbackAnswer>),
    /// The processor of a chat's join requests is asked about one.
    ToJoin { chat_id: i64, user_id: i64 },
    /// Somebody is about to pay.
    ToPay(Purchase),
}

impl Asked {
    fn life_ms(&self) -> i64 {
        match self {
            Self::Button(_) => CALLBACK_MS,
            Self::ToJoin { .. } | Self::ToPay(_) => DECISION_MS,
        }
    }
}

#[derive(Debug)]
struct OpenQuery {
    bot_id: i64,
    at_ms: i64,
    asked: Asked,
}

/// All queries that are kept, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    open: HashMap<String, OpenQuery>,
    order: VecDeque<String>,
}

impl Queries {
    /// Keeps a query, and gives its id.
    pub(crate) fn put(&mut self, bot_id: i64, asked: Asked, now_ms: i64) -> String {
        let id = fastrand::u64(1 << 60..1 << 63).to_string();
        let query = OpenQuery {
            bot_id,
            at_ms: now_ms,
            asked,
        };
        self.open.insert(id.clone(), query);
        self.order.push_back(id.clone());
        if self.order.len() > REMEMBERED_QUERIES
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
        id
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Asked> {
        self.open.get(id).map(|query| &query.asked)
    }

    /// Forgets a query that is answered once and for all.
    pub(crate) fn forget(&mut self, id: &str) {
        self.open.remove(id);
    }

    /// A query that the bot may still answer.
    pub(crate) fn answerable(
        &mut self,
        bot_id: i64,
        id: &str,
        now_ms: i64,
    ) -> Result<&mut Asked, Refusal> {
        let query = self.open.get_mut(id).filter(|query| {
            query.bot_id == bot_id && now_ms <= query.at_ms + query.asked.life_ms()
        });
        query.map(|query| &mut query.asked).ok_or_else(too_old)
    }
}

pub(crate) fn too_old() -> Refusal {
    Refusal::bad_request("query is too old and response timeout expired or query ID is invalid")
}
