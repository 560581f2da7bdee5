//! The environment, read once per start. All that is missing or wrong is reported together, by name.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use secrecy::SecretString;

use crate::redaction;
use crate::transport::Transport;

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
