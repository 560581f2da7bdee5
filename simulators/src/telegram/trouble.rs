//! The hand of a test or of the demo: raw updates, limits and faults, all while the server runs.

use serde_json::Value;

use super::Telegram;
use super::fault::FaultRule;
use super::limit::Limit;

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

    /// Limits the invite-link methods of each pair of bot and chat. Flood waits end.
    pub fn set_limit(&self, limit: Option<Limit>) {
        self.shared.change(|state, _| {
            state.limits.chat = limit;
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

    /// Says this `retry_after` instead of the seconds to the next token, and keeps refusing that long.
    pub fn set_retry_after(&self, seconds: Option<u32>) {
        self.shared
            .change(|state, _| state.limits.fixed_retry_after = seconds);
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
