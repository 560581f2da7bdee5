//! Who watches this machine: the checks of its start, `monitor` each minute, and the alarms that follow from it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::settings;
use setup::check::{self, Check, CheckStatus};
use setup::registration::Bot;
use simulators::aws::Aws;
use tracing::error;
use webengage::WebEngage;

use crate::alarms::{Alarms, Minute};
use crate::env::env_of;
use crate::keys::Keys;
use crate::schedule::Run;
use crate::timeline::Timeline;

/// Whether `monitor` runs by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// As it should be.
    On,
    /// Nobody asks anything by itself, for tests that count calls.
    Off,
}

/// What was found, for the page.
#[derive(Default)]
pub(crate) struct Watch {
    /// What rings.
    pub(crate) alarms: Alarms,
    checks: Mutex<Vec<Check>>,
}

impl Watch {
    /// What the checks of the start have found; nothing before their end.
    pub(crate) fn checks(&self) -> Vec<Check> {
        self.lock().clone()
    }

    pub(crate) fn found(&self, checks: Vec<Check>) {
        *self.lock() = checks;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Check>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run of `monitor`, after which the alarms are looked at.
pub(crate) fn with_alarms(
    monitor: Run,
    watch: Arc<Watch>,
    timeline: Timeline,
    clock: Clock,
    aws: Aws,
) -> Run {
    Arc::new(move || {
        let (monitor, watch) = (Arc::clone(&monitor), Arc::clone(&watch));
        let (timeline, clock, aws) = (timeline.clone(), clock.clone(), aws.clone());
        async move {
            let seen = monitor().await;
            let measured = serde_json::from_value(seen.clone()).unwrap_or_else(|problem| {
                error!(
                    fault = "unavailable",
                    "what `monitor` answered can't be read, so the alarms see nothing of this minute: {problem}"
                );
                monitor::Seen::default()
            });
            let minute = Minute {
                seen: measured,
                counted: timeline.take_counted(),
            };
            watch.alarms.look_at(minute, clock.now());
            if aws.has_failed() {
                error!(
                    fault = "unavailable",
                    "the disk did not take what was written, so nothing is accepted: check the disk, then start again"
                );
            }
            seen
        }
        .boxed()
    })
}

/// What this machine is, as far as the environment that the functions get does not say it.
pub(crate) struct Machine {
    /// The environment that it was started with.
    pub(crate) given: HashMap<String, String>,
    pub(crate) telegram_is_simulated: bool,
    pub(crate) webengage_is_simulated: bool,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) is_synced: bool,
}

impl Machine {
    /// What can be said without asking anybody.
    pub(crate) fn without_asking(&self) -> Vec<Check> {
        let mut checks = vec![
            simulated(
                "Telegram",
                self.telegram_is_simulated,
                "TELEGRAM_BOT_TOKEN",
                self.telegram_is_simulated != self.webengage_is_simulated,
            ),
            simulated(
                "WebEngage",
                self.webengage_is_simulated,
                "WEBENGAGE_API_KEY",
                self.telegram_is_simulated != self.webengage_is_simulated,
            ),
            self.keys(),
        ];
        checks.extend(match (&self.folder, self.is_synced) {
            (None, _) => Some(Check::ok("data", "in memory only: gone when this ends")),
            (Some(folder), true) => Some(Check::ok(
                "data",
                format!("in {}, on the disk before each answer", folder.display()),
            )),
            (Some(folder), false) => Some(Check::warning(
                "data",
                format!(
                    "in {}, with --fsync never: a power cut may take the payments answered last",
                    folder.display()
                ),
            )),
        });
        checks.extend(ignored(&self.given));
        for name in ["SECRETS_ARN", "AWS_ENDPOINT_URL"] {
            if is_set(&self.given, name) {
                checks.push(Check::warning(
                    name,
                    "ignored: this machine has its own tables and queues, and takes secrets from the environment",
                ));
            }
        }
        checks
    }

    /// Where the keys of shops and operators are.
    fn keys(&self) -> Check {
        let is_given = |name: &str| is_set(&self.given, name);
        let place = match &self.folder {
            Some(folder) => format!("in {}", Keys::file(folder).display()),
            None => "made up for this run (--print-env shows them)".to_owned(),
        };
        let of = |name: &str| match is_given(name) {
            true => format!("in {name}, as given"),
            false => place.clone(),
        };
        let says = match (is_given("API_KEYS"), is_given("ADMIN_KEYS")) {
            (false, false) => format!("the shop's and the operator's are {place}"),
            _ => format!(
                "the shop's are {}; the operator's are {}",
                of("API_KEYS"),
                of("ADMIN_KEYS")
            ),
        };
        Check::ok("keys", says)
    }
}

fn simulated(what: &str, is_simulated: bool, name: &str, is_half: bool) -> Check {
    match (is_simulated, is_half) {
        (false, _) => Check::ok(what, "the real one"),
        (true, false) => Check::ok(
            what,
            format!("simulated on this machine; {name} makes it real"),
        ),
        (true, true) => Check::warning(
            what,
            format!("SIMULATED, though the rest is real: set {name}, or nothing reaches anybody"),
        ),
    }
}

/// Settings that change nothing as things stand.
pub(crate) fn ignored(given: &HashMap<String, String>) -> Vec<Check> {
    let needs = [
        ("TELEGRAM_CHAT_ID", "TELEGRAM_BOT_TOKEN"),
        ("TELEGRAM_CHANNEL_ID", "TELEGRAM_BOT_TOKEN"),
        ("TELEGRAM_API_BASE", "TELEGRAM_BOT_TOKEN"),
        ("PUBLIC_URL", "TELEGRAM_BOT_TOKEN"),
        ("WEBENGAGE_LICENSE_CODE", "WEBENGAGE_API_KEY"),
        ("WEBENGAGE_API_BASE", "WEBENGAGE_API_KEY"),
    ];
    let mut checks: Vec<Check> = needs
        .into_iter()
        .filter(|(name, needed)| is_set(given, name) && !is_set(given, needed))
        .map(|(name, needed)| {
            Check::warning(
                name,
                format!("ignored: it takes effect together with {needed}"),
            )
        })
        .collect();
    if given
        .get("RUST_LOG")
        .is_some_and(|levels| !levels.trim().is_empty() && log_levels(levels).is_none())
    {
        checks.push(Check::warning(
            "RUST_LOG",
            "ignored: it should be a level, or a list such as info,worker=debug",
        ));
    }
    checks
}

/// The levels that `RUST_LOG` asks for: one for all, or by function.
#[must_use]
pub fn log_levels(levels: &str) -> Option<tracing_subscriber::filter::Targets> {
    levels.trim().parse().ok()
}

/// Whether a variable is set to more than white space.
pub(crate) fn is_set(env: &HashMap<String, String>, name: &str) -> bool {
    env.get(name).is_some_and(|value| !value.trim().is_empty())
}

/// All checks of the start, with the environment that the functions have.
pub(crate) async fn examine(
    machine: &Machine,
    env: &HashMap<String, String>,
    clock: &Clock,
) -> Vec<Check> {
    let mut checks = machine.without_asking();
    let mut read: Env = env_of(env);
    let bots = Bot::all_from_env(&mut read, clock);
    let chats = settings::chats(&mut read);
    checks.extend(check::bots(&bots, &chats).await);
    match read.optional("WEBHOOK_URL") {
        Some(url) if url != monitor::POLLING => {
            checks.extend(check::webhooks(&bots, Some(&url), clock.now()).await);
        }
        _ => checks.push(Check::ok(
            "updates",
            "Telegram is asked for joins (long polling), since PUBLIC_URL is not set",
        )),
    }
    // A simulated one knows its own key.
    if !machine.webengage_is_simulated {
        let account = WebEngage::from_env(&mut read);
        if read.check().is_ok() {
            checks.push(check::webengage(&account).await);
        }
    }
    checks
}

/// A check as one line for a log.
#[must_use]
pub fn line(check: &Check) -> String {
    let word = match check.status {
        CheckStatus::Ok => "ok",
        CheckStatus::Warning => "warning",
        CheckStatus::Failed => "FAILED",
    };
    format!("{word}: {}: {}", check.what, check.says)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn names(checks: &[Check]) -> Vec<&str> {
        checks.iter().map(|check| check.what.as_str()).collect()
    }

    #[test]
    fn settings_that_change_nothing_are_named() {
        let alone = env(&[
            ("TELEGRAM_CHAT_ID", "-100"),
            ("PUBLIC_URL", "https://shop.example"),
            ("WEBENGAGE_LICENSE_CODE", "in~1"),
            ("RUST_LOG", "worker=shouting"),
        ]);
        assert_eq!(
            names(&ignored(&alone)),
            [
                "TELEGRAM_CHAT_ID",
                "PUBLIC_URL",
                "WEBENGAGE_LICENSE_CODE",
                "RUST_LOG"
            ]
        );
        let together = env(&[
            ("TELEGRAM_CHAT_ID", "-100"),
            ("TELEGRAM_BOT_TOKEN", "1:x"),
            ("PUBLIC_URL", " "),
            ("RUST_LOG", "info,worker=debug"),
        ]);
        assert_eq!(ignored(&together), Vec::new());
    }

    #[test]
    fn what_is_simulated_and_where_the_keys_are_is_said() {
        let machine = Machine {
            given: env(&[("API_KEYS", "k")]),
            telegram_is_simulated: false,
            webengage_is_simulated: true,
            folder: Some("/data".into()),
            is_synced: true,
        };
        let lines: Vec<String> = machine.without_asking().iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "ok: Telegram: the real one",
                "warning: WebEngage: SIMULATED, though the rest is real: set WEBENGAGE_API_KEY, or nothing reaches anybody",
                "ok: keys: the shop's are in API_KEYS, as given; the operator's are in /data/keys.json",
                "ok: data: in /data, on the disk before each answer",
            ]
        );
    }
}
