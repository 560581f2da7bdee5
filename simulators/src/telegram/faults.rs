//! What tests and the page break: raw updates, limits and faults, all while the server runs.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::Telegram;
use super::fault_rule::FaultRule;
use super::limit::{Limit, MessageLimits};
use super::server::millis;
use crate::transport::{Deliver, WebhookTransport};

impl Telegram {
    /// Queues any update, delivered like a genuine one; without an `update_id` it gets the next. Gives the id, or
    /// none if the bot is unknown or its `allowed_updates` don't ask for that kind.
    pub fn send_update(&self, bot_id: i64, update: Value) -> Option<i64> {
        self.shared.change(|state, now_ms| {
            state
                .world
                .bots
                .get_mut(&bot_id)?
                .inbox
                .put(update, now_ms, now_ms)
        })
    }

    /// Delivers updates through this function from now on, whatever the host of the webhook's URL. The rules stay: tries,
    /// lanes, connections, the secret's header, a minute for the answer. A delivery that takes longer is dropped, so what
    /// must go on without its client is the function's to spawn.
    pub fn deliver_to(&self, deliver: Deliver) {
        *self.shared.transport() = WebhookTransport::Function(deliver);
    }

    /// Limits the invite-link methods of each pair of bot and chat. Flood waits end.
    pub fn set_limit(&self, limit: Option<Limit>) {
        self.shared.change(|state, _| {
            state.limits.pair = limit;
            state.limits.pairs.clear();
            state.limits.end_waits();
        });
    }

    /// Limits one pair; none is no limit for it, whatever the general one is.
    pub fn set_limit_for(&self, bot_id: i64, chat_id: i64, limit: Option<Limit>) {
        self.shared.change(|state, _| {
            state.limits.pairs.insert((bot_id, chat_id), limit);
            state.limits.end_waits();
        });
    }

    /// Limits the invite-link methods of each chat, whichever bots call them, beside the limits of the pairs.
    pub fn set_chat_limit(&self, limit: Option<Limit>) {
        self.shared.change(|state, _| {
            state.limits.chat = limit;
            state.limits.chats.clear();
            state.limits.end_waits();
        });
    }

    /// Limits one chat for all bots; none is no limit for it, whatever the general one is.
    pub fn set_chat_limit_for(&self, chat_id: i64, limit: Option<Limit>) {
        self.shared.change(|state, _| {
            state.limits.chats.insert(chat_id, limit);
            state.limits.end_waits();
        });
    }

    /// Limits all methods of each bot together.
    pub fn set_bot_limit(&self, limit: Option<Limit>) {
        self.shared.change(|state, _| {
            state.limits.bot = limit;
            state.limits.end_waits();
        });
    }

    /// Gives a method (by its documented name) a bucket of its own per bot and chat, apart from the pair's; none
    /// leaves it without a limit.
    pub fn set_method_limit(&self, method: &str, limit: Option<Limit>) {
        self.shared.change(|state, _| {
            state.limits.methods.insert(method.to_owned(), limit);
            state.limits.end_waits();
        });
    }

    /// Limits messages: by [`MessageLimits::published`], or in another way; the default is not at all.
    pub fn set_message_limits(&self, limits: MessageLimits) {
        self.shared.change(|state, _| {
            state.limits.messages = limits;
            state.limits.end_waits();
        });
    }

    /// Says this `retry_after` instead of the seconds to the next token, and keeps refusing that long.
    pub fn set_retry_after(&self, seconds: Option<u32>) {
        self.shared
            .change(|state, _| state.limits.fixed_retry_after = seconds);
    }

    /// Sleeps through flood waits by itself, as the real server does for bots up to 8 seconds: a call whose waits take at
    /// most this long in all is answered late instead of 429. Zero, the default, tells every wait.
    pub fn sleep_through(&self, most: Duration) {
        self.shared
            .change(|state, _| state.limits.max_sleep_ms = millis(most));
    }

    /// Lets every call take this long by the clock: half of it before the call comes, half after it was carried out. Each
    /// call draws its own time from the range, in whole milliseconds. Zero, the default, is none.
    pub fn set_latency(&self, latency: RangeInclusive<Duration>) {
        let (least, most) = (millis(*latency.start()), millis(*latency.end()));
        self.shared
            .change(|state, _| state.latency_ms = (least, most.max(least)));
    }

    /// Adds a rule after those that there are.
    pub fn fail(&self, rule: FaultRule) {
        self.shared.change(|state, _| state.faults.0.push(rule));
    }

    /// Drops all rules, and the waits that injected 429s asked for.
    pub fn clear_faults(&self) {
        self.shared.change(|state, _| {
            state.faults.0.clear();
            state.limits.forget_announced();
        });
    }

    /// Refuses plain HTTP webhooks even to loopback addresses, as Telegram does.
    pub fn only_https_webhooks(&self, only: bool) {
        self.shared.change(|state, _| state.only_https = only);
    }
}
