//! How the service behaves: up, or one of the ways in which it is not.

use std::time::Duration;

/// What happens to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As documented.
    Up,
    /// 503 with an HTML body.
    Down,
    /// 200 with a firewall's HTML page, nothing ingested.
    Page,
    /// 403 with a firewall's HTML page, nothing ingested.
    Forbidden,
    /// 202 with a firewall's challenge, nothing ingested.
    Challenge,
    /// 200 with a JSON body whose status is `error`, nothing ingested.
    ErrorWithin200,
    /// 500 with a JSON body, nothing ingested.
    InternalError,
    /// 500 with a JSON body, but the event was ingested.
    InternalErrorAfterIngesting,
    /// 429, with or without `Retry-After`.
    RateLimited {
        /// Seconds for the header.
        retry_after: Option<u32>,
    },
    /// 401, as with a key that was withdrawn.
    Unauthorized,
    /// 404, as in the wrong data centre.
    NotFound,
    /// 400, as with a body that breaks a rule.
    BadRequest,
    /// No answer this long, then as documented, even if the client left.
    Hang(Duration),
    /// No answer until the server stops.
    HangForever,
    /// The connection is reset before anything was ingested.
    ResetBefore,
    /// The event is ingested, then the connection is reset.
    ResetAfter,
}

/// A rule that takes some events out of the present mode.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What happens to them.
    pub mode: Mode,
    /// Only events of this name.
    pub event_name: Option<String>,
    /// How many events that match pass first.
    pub skip: u32,
    /// How many are caught then; absent: all.
    pub times: Option<u32>,
}

impl Failure {
    /// Catches every event from now on.
    #[must_use]
    pub fn of(mode: Mode) -> Self {
        Self {
            mode,
            event_name: None,
            skip: 0,
            times: None,
        }
    }

    /// Catches only events of this name.
    #[must_use]
    pub fn event(mut self, name: &str) -> Self {
        self.event_name = Some(name.to_owned());
        self
    }

    /// Lets `events` pass first.
    #[must_use]
    pub fn skip(mut self, events: u32) -> Self {
        self.skip = events;
        self
    }

    /// Catches only `events`.
    #[must_use]
    pub fn times(mut self, events: u32) -> Self {
        self.times = Some(events);
        self
    }
}

/// The mode of the next event: of the first rule that catches it, else the present one.
pub(super) fn next(rules: &mut Vec<Failure>, present: &Mode, event_name: &str) -> Mode {
    let mut mode = None;
    for rule in rules.iter_mut() {
        if rule
            .event_name
            .as_ref()
            .is_some_and(|wanted| wanted != event_name)
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
        mode = Some(rule.mode.clone());
        break;
    }
    rules.retain(|rule| rule.times != Some(0));
    mode.unwrap_or_else(|| present.clone())
}
