//! What goes wrong by rule: which call, after how many, how often, and what happens to it.

use std::time::Duration;

/// What happens to a call that a rule catches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// 429, without effect; with `Retry-After` or without.
    RateLimited {
        /// Seconds for the header.
        retry_after: Option<u32>,
    },
    /// 500 with a JSON body, without effect.
    Internal,
    /// 502 with an HTML body, without effect.
    BadGateway,
    /// 502 with an HTML body, but the effect happened.
    BadGatewayAfterEffect,
    /// 403 with a firewall's HTML page, without effect.
    Firewall,
    /// No answer this long, then as documented, even if the client left.
    Hang(Duration),
    /// The effect happens at once, the answer comes this much later.
    AnswerLate(Duration),
    /// No effect and no answer until the server stops.
    HangForever,
    /// The connection is reset before the effect.
    ResetBefore,
    /// The effect happens, then the connection is reset.
    ResetAfter,
    /// The effect happens; the answer is 200 with a body that is no JSON.
    Garbage,
    /// This refusal, without effect.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The `code` of the body.
        code: String,
        /// Its `message`.
        message: String,
    },
}

/// One rule. Rules are asked in the order in which they were made; the first that applies decides.
#[derive(Clone, Debug)]
pub struct TroubleRule {
    /// The endpoint as `calls` shows it, `POST /payout/{id}/verify` for example; absent: every one.
    pub endpoint: Option<String>,
    /// How many calls that match pass first.
    pub skip: u32,
    /// How many calls after those are caught; absent: all, until the rules are cleared.
    pub times: Option<u32>,
    /// What happens to them.
    pub trouble: Trouble,
}

impl TroubleRule {
    /// Catches every call of the endpoint from now on.
    #[must_use]
    pub fn on(endpoint: &str, trouble: Trouble) -> Self {
        Self {
            endpoint: Some(endpoint.to_owned()),
            ..Self::always(trouble)
        }
    }

    /// Catches every call from now on.
    #[must_use]
    pub fn always(trouble: Trouble) -> Self {
        Self {
            endpoint: None,
            skip: 0,
            times: None,
            trouble,
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
}

/// What happens to the next call of the endpoint, if a rule catches it.
pub(super) fn catch(rules: &mut Vec<TroubleRule>, endpoint: &str) -> Option<Trouble> {
    let mut caught = None;
    for rule in rules.iter_mut() {
        if rule
            .endpoint
            .as_ref()
            .is_some_and(|wanted| wanted != endpoint)
        {
            continue;
        }
        if rule.skip > 0 {
            rule.skip -= 1;
            continue;
        }
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
        }
        caught = Some(rule.trouble.clone());
        break;
    }
    rules.retain(|rule| rule.times != Some(0));
    caught
}
