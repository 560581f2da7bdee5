//! Settings of one function that `setup` reads as well, so that a value that would stop a function stops the deployment.

use std::time::Duration;

use super::Env;

/// How long a link works that a buyer was given, and how long what is known of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// `INVITE_TTL_SEC`.
    pub invite: Duration,
    /// `RETENTION_DAYS`, not shorter.
    pub retention: Duration,
}

impl Env {
    /// `INVITE_TTL_SEC` and `RETENTION_DAYS`, which must fit each other.
    pub fn lifetimes(&mut self) -> Lifetimes {
        let (invite, retention) = (self.invite_ttl(), self.retention());
        if invite > retention {
            self.problem(
                "INVITE_TTL_SEC is longer than RETENTION_DAYS: a link would outlive the record of who bought it"
                    .to_owned(),
            );
        }
        Lifetimes { invite, retention }
    }

    /// `MAX_ATTEMPTS`: tries at Telegram before a request is FAILED.
    pub fn max_attempts(&mut self) -> u32 {
        self.number("MAX_ATTEMPTS", 50, 1..=1000)
    }

    /// `SAFE_RPS_SLEEP_MS`: the interval between two calls for one bot and chat that a rate limiter starts with.
    pub fn starting_interval(&mut self) -> Duration {
        Duration::from_millis(self.number("SAFE_RPS_SLEEP_MS", 220, 34..=60_000))
    }

    /// `DUPLICATE_WINDOW_SEC`: how long unnamed payments of one user are one request.
    pub fn duplicate_window(&mut self) -> Duration {
        Duration::from_secs(self.number("DUPLICATE_WINDOW_SEC", 600, 1..=86_400))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_not_outlive_its_record() {
        let days = |days: u64| (days * 24 * 3600).to_string();
        for (ttl, is_right) in [(days(28), true), (days(29), false)] {
            let mut env =
                Env::from_iter([("INVITE_TTL_SEC", ttl.as_str()), ("RETENTION_DAYS", "28")]);
            env.lifetimes();
            assert_eq!(env.check().is_ok(), is_right, "{ttl}");
        }
    }
}
