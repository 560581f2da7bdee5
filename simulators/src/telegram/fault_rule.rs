//! Faults by rule: which call, after how many, how often, and what happens to it.

use std::time::Duration;

use super::refusal::Refusal;

/// What happens to a call that a rule catches.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// 429 with this `retry_after`, without effect. The wait is not enforced, but calls during it are violations.
    TooManyRequests {
        /// Seconds.
        retry_after: u32,
    },
    /// 429 with an HTML body and no `Retry-After`, as a proxy before the API sends it; without effect.
    TooManyRequestsHtml,
    /// 500 with a JSON body; without effect.
    Internal,
    /// 502 with an HTML body; without effect.
    BadGateway,
    /// 502 with an HTML body, but the effect happened.
    BadGatewayAfterEffect,
    /// Telegram sleeps through a short flood wait by itself, then carries the call out, even if the client left.
    HangThenSucceed(Duration),
    /// The effect happens at once, the answer comes this much later.
    AnswerLate(Duration),
    /// No effect and no answer, until the server stops or the client leaves.
    HangForever,
    /// The connection is reset before the effect.
    ResetBefore,
    /// The effect happens, then the connection is reset.
    ResetAfter,
    /// The effect happens; the answer is 200 with a body that is no JSON.
    Garbage,
    /// This refusal, without effect: any code and description of the Bot API.
    Refuse(Refusal),
    /// The effect happens, but the link in the answer has this `member_limit` (absent: none).
    WrongMemberLimit(Option<i64>),
}

/// One rule. Rules are asked in the order in which they were made; the first that applies decides.
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// The method, in any case; absent: every method.
    pub method: Option<String>,
    /// Only calls of this bot.
    pub bot_id: Option<i64>,
    /// Only calls about this chat.
    pub chat_id: Option<i64>,
    /// How many calls that match pass first.
    pub skip: u32,
    /// How many calls after those are caught; absent: all, until the faults are cleared.
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: Fault,
}

impl FaultRule {
    /// Catches every call of `method` from now on.
    #[must_use]
    pub fn on(method: &str, fault: Fault) -> Self {
        Self {
            method: Some(method.to_owned()),
            ..Self::always(fault)
        }
    }

    /// Catches every call from now on.
    #[must_use]
    pub fn always(fault: Fault) -> Self {
        Self {
            method: None,
            bot_id: None,
            chat_id: None,
            skip: 0,
            times: None,
            fault,
        }
    }

    /// Lets `calls` pass first.
    #[must_use]
    pub fn skip(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    /// Catches only `calls`.
    #[must_use]
    pub fn times(mut self, calls: u32) -> Self {
        self.times = Some(calls);
        self
    }

    /// Catches only calls about `chat_id`.
    #[must_use]
    pub fn chat(mut self, chat_id: i64) -> Self {
        self.chat_id = Some(chat_id);
        self
    }

    fn matches(&self, method: &str, bot_id: i64, chat_id: Option<i64>) -> bool {
        self.method
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.bot_id.is_none_or(|wanted| wanted == bot_id)
            && (self.chat_id.is_none() || self.chat_id == chat_id)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<FaultRule>);

impl Faults {
    /// The fault of this call, if a rule catches it.
    pub(crate) fn catch(
        &mut self,
        method: &str,
        bot_id: i64,
        chat_id: Option<i64>,
    ) -> Option<Fault> {
        let mut caught = None;
        for rule in &mut self.0 {
            if !rule.matches(method, bot_id, chat_id) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(times) = &mut rule.times {
                *times = times.saturating_sub(1);
            }
            caught = Some(rule.fault.clone());
            break;
        }
        self.0.retain(|rule| rule.times != Some(0));
        caught
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_then_catches_then_ends() {
        let mut faults = Faults(vec![
            FaultRule::on("getMe", Fault::Internal).skip(1).times(2),
        ]);
        let mut call = |method| faults.catch(method, 1, None).is_some();
        assert!(!call("getMe"));
        assert!(!call("getChat"));
        assert!(call("getMe"));
        assert!(call("getMe"));
        assert!(!call("getMe"));
    }
}
