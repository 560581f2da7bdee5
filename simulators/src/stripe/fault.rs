//! Faults by rule: which request, after how many, how often, and what happens to it.

use std::time::Duration;

use super::refusal::StripeRefusal;

/// What happens to a request that a rule catches.
#[derive(Clone, Debug, PartialEq)]
pub enum StripeFault {
    /// 500 without effect. It is kept under the idempotency key, as Stripe keeps it.
    Internal,
    /// 500, but the effect happened; kept too.
    InternalAfterEffect,
    /// 502 with an HTML body, without effect: the request did not reach the API, so nothing is kept.
    BadGateway,
    /// 429 without effect, not kept.
    RateLimited,
    /// 429 with code `lock_timeout`: the object is in use. Not kept.
    LockTimeout,
    /// No effect and no answer for this long, then both.
    HangThenSucceed(Duration),
    /// The effect happens at once, the answer comes this much later.
    AnswerLate(Duration),
    /// No effect and no answer, until the server stops or the client leaves. The key stays in use.
    HangForever,
    /// The connection is reset before the effect.
    ResetBefore,
    /// The effect happens, then the connection is reset; the answer is kept.
    ResetAfter,
    /// The effect happens; the answer is 200 with a body that is no JSON.
    Garbage,
    /// This refusal, without effect; kept.
    Refuse(StripeRefusal),
}

/// One rule. Rules are asked in the order in which they were made; the first that applies decides.
#[derive(Clone, Debug)]
pub struct StripeFaultRule {
    method: Option<&'static str>,
    path: Option<String>,
    skip: u32,
    times: Option<u32>,
    fault: StripeFault,
}

impl StripeFaultRule {
    /// Catches every request of `method` to a path that begins with `path`, from now on.
    #[must_use]
    pub fn on(method: &'static str, path: &str, fault: StripeFault) -> Self {
        Self {
            method: Some(method),
            path: Some(path.to_owned()),
            ..Self::always(fault)
        }
    }

    /// Catches every request from now on.
    #[must_use]
    pub fn always(fault: StripeFault) -> Self {
        Self {
            method: None,
            path: None,
            skip: 0,
            times: None,
            fault,
        }
    }

    /// Lets `requests` pass first.
    #[must_use]
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Catches only `requests`.
    #[must_use]
    pub fn times(mut self, requests: u32) -> Self {
        self.times = Some(requests);
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.is_none_or(|wanted| wanted == method)
            && self
                .path
                .as_ref()
                .is_none_or(|wanted| path.starts_with(wanted.as_str()))
    }
}

#[derive(Debug, Default)]
pub(super) struct StripeFaults(pub(super) Vec<StripeFaultRule>);

impl StripeFaults {
    /// The fault of this request, if a rule catches it.
    pub(super) fn catch(&mut self, method: &str, path: &str) -> Option<StripeFault> {
        let mut caught = None;
        for rule in &mut self.0 {
            if !rule.matches(method, path) {
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
        let rule = StripeFaultRule::on("POST", "/v1/refunds", StripeFault::Internal);
        let mut faults = StripeFaults(vec![rule.skip(1).times(1)]);
        let mut is_caught = |method, path| faults.catch(method, path).is_some();
        assert!(!is_caught("POST", "/v1/refunds"));
        assert!(!is_caught("GET", "/v1/refunds"));
        assert!(!is_caught("POST", "/v1/checkout/sessions"));
        assert!(is_caught("POST", "/v1/refunds"));
        assert!(!is_caught("POST", "/v1/refunds"));
    }
}
