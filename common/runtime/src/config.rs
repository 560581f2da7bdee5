//! The environment, read once per start. All that is missing or wrong is reported together, by name.

mod settings;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use crate::redaction;
use crate::transport::Transport;
use domain::link_pool::{TARGET_MAX, Targets};
use domain::purchase::Chats;

pub use settings::Lifetimes;

/// Why a function refuses to start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Names that are required and not set, and values that can't be used.
    #[error("the environment is incomplete: {}", .0.join("; "))]
    Incomplete(Vec<String>),
    /// The secret that `SECRETS_ARN` names can't be read.
    #[error("the secret that SECRETS_ARN names can't be read: {0}")]
    Secret(String),
}

/// The environment of one function.
#[derive(Default)]
pub struct Env {
    values: HashMap<String, String>,
    problems: Vec<String>,
    transport: Option<Transport>,
}

impl Env {
    /// The same environment, in a simulation: all calls go by `transport` instead of the network.
    #[must_use]
    pub fn on(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// What carries calls in the place of the network, if anything.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        self.transport.clone()
    }

    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_iter(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// Sets `name` to `value`, unless it is set to something already.
    pub fn fill_in(&mut self, name: String, value: String) {
        redaction::learn(&name, &value);
        if self.optional(&name).is_none() {
            self.values.insert(name, value);
        }
    }

    /// The value of `name`, if it is set to more than white space.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        self.values
            .get(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// The value of `name`; if it is not set, that is a problem to report and the answer is empty.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problem(format!("{name} is missing"));
            String::new()
        })
    }

    /// The chats of `TELEGRAM_CHAT_ID`, or of `TELEGRAM_CHANNEL_ID`, its older name.
    pub fn chats(&mut self) -> Chats {
        let list = self
            .optional("TELEGRAM_CHAT_ID")
            .or_else(|| self.optional("TELEGRAM_CHANNEL_ID"));
        let list = list.unwrap_or_else(|| self.required("TELEGRAM_CHAT_ID"));
        Chats::parse(&list).unwrap_or_else(|| {
            if !list.is_empty() {
                self.problem(
                    "TELEGRAM_CHAT_ID must be chat ids such as -1001234567890, or new=old ids, separated by commas"
                        .to_owned(),
                );
            }
            Chats::none()
        })
    }

    /// The secret called `name`; if it is not set, that is a problem to report.
    pub fn secret(&mut self, name: &str) -> SecretString {
        self.required(name).into()
    }

    /// The number called `name`, or `default` if it is not set; out of `range` is a problem to report.
    pub fn number<N: FromStr + PartialOrd + std::fmt::Display>(
        &mut self,
        name: &str,
        default: N,
        range: RangeInclusive<N>,
    ) -> N {
        let Some(text) = self.optional(name) else {
            return default;
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.problem(format!(
                    "{name} must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                ));
                default
            }
        }
    }

    /// The URL called `name`, or `default` if it is not set, without a slash at its end.
    pub fn base_url(&mut self, name: &str, default: &str) -> String {
        let url = self.optional(name).unwrap_or_else(|| default.to_owned());
        if !url.starts_with("https://") && !url.starts_with("http://") {
            self.problem(format!(
                "{name} must be a URL that begins with https:// or http://"
            ));
        }
        url.trim_end_matches('/').to_owned()
    }

    /// `RETENTION_DAYS`: how long records are kept. A message may live for 14 days and as a dead letter for 14 more; a
    /// payment forgotten before its message would be a new one.
    pub fn retention(&mut self) -> Duration {
        Duration::from_secs(self.number("RETENTION_DAYS", 90, 28..=3650) * 24 * 3600)
    }

    /// `INVITE_TTL_SEC`: how long a link works that a buyer was given, at least.
    pub fn invite_ttl(&mut self) -> Duration {
        Duration::from_secs(self.number("INVITE_TTL_SEC", 172_800, 60..=31_536_000))
    }

    /// What a table is called: the value of `variable`, if it is set (a restored table), otherwise `TABLE_PREFIX` and the
    /// table's own name.
    pub fn table(&mut self, name: &str, variable: &str) -> String {
        let Some(other) = self.optional(variable) else {
            let prefix = self.optional("TABLE_PREFIX").unwrap_or_default();
            return format!("{prefix}{name}");
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !(3..=255).contains(&other.len()) || !other.chars().all(is_name) {
            self.problem(format!("{variable} is not a name that a table can have"));
        }
        other
    }

    /// `LINK_POOL_TARGET`: how many links made ahead the chats of `chats` are to have; unset, none.
    pub fn link_pool_targets(&mut self, chats: &Chats) -> Targets {
        let Some(text) = self.optional("LINK_POOL_TARGET") else {
            return Targets::default();
        };
        Targets::parse(&text, chats).unwrap_or_else(|| {
            self.problem(format!(
                "LINK_POOL_TARGET must be a number of links up to {TARGET_MAX}, or chatId=number pairs separated by commas, of chats that TELEGRAM_CHAT_ID names"
            ));
            Targets::default()
        })
    }

    /// `LINK_POOL_TTL_SEC`: how long a link works that is made ahead. `targets`, the invite's and the record's times must
    /// leave room for it, else that is a problem to report.
    pub fn link_pool_ttl(&mut self, targets: &Targets) -> Duration {
        let ttl =
            Duration::from_secs(self.number("LINK_POOL_TTL_SEC", 2_592_000, 3600..=31_536_000));
        if !targets.is_empty() && ttl <= self.invite_ttl() {
            self.problem(
                "LINK_POOL_TTL_SEC must be longer than INVITE_TTL_SEC: no pooled link could ever be sold".to_owned(),
            );
        }
        if !targets.is_empty() && ttl > self.retention() {
            self.problem(
                "LINK_POOL_TTL_SEC is longer than RETENTION_DAYS: the record of a link would be gone before the link"
                    .to_owned(),
            );
        }
        ttl
    }

    /// `BASE_BACKOFF_SEC`: the base of the exponential backoff.
    pub fn base_backoff(&mut self) -> Duration {
        Duration::from_secs(self.number("BASE_BACKOFF_SEC", 5, 1..=3600))
    }

    /// Adds a problem to report, once.
    pub fn problem(&mut self, sentence: String) {
        if !self.problems.contains(&sentence) {
            self.problems.push(sentence);
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All problems at once, if there are any. No value is quoted: it may be a secret.
    pub fn check(&mut self) -> Result<(), ConfigError> {
        let problems = std::mem::take(&mut self.problems);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Incomplete(problems))
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let values: HashMap<String, String> = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        for (name, value) in &values {
            redaction::learn(name, value);
        }
        Self {
            values,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_reported_together_and_no_value_is_quoted() {
        let mut env = Env::from_iter([("A", "  "), ("N", "s3cret"), ("M", "7")]);
        env.required("A");
        env.required("B");
        assert_eq!(env.number("N", 5_u32, 1..=9), 5);
        assert_eq!(env.number("M", 5_u32, 1..=9), 7);
        let report = env.check().unwrap_err().to_string();
        assert_eq!(
            report,
            "the environment is incomplete: A is missing; B is missing; N must be a whole number from 1 to 9"
        );
    }
}
