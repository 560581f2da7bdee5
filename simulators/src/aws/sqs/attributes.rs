//! A queue's settings: their names, defaults and ranges, and what follows from them.

use std::collections::BTreeMap;

use super::arn::arn;
use super::error::SqsError;
use super::redrive_policy::{self, RedrivePolicy};

/// 1 MiB: the largest message, and the largest batch.
pub(super) const MAX_MESSAGE_BYTES: usize = 1_048_576;

/// The settings with a number: name, default, least, most.
const NUMBERS: [(&str, i64, i64, i64); 5] = [
    ("VisibilityTimeout", 30, 0, 43_200),
    ("MaximumMessageSize", 1_048_576, 1_024, 1_048_576),
    ("MessageRetentionPeriod", 345_600, 60, 1_209_600),
    ("DelaySeconds", 0, 0, 900),
    ("ReceiveMessageWaitTimeSeconds", 0, 0, 20),
];

/// Attributes that are told and can't be set.
pub(super) const READ_ONLY: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// Attributes that are kept and told, and change nothing here: nothing is encrypted and every caller may do everything.
const INERT: [&str; 4] = [
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "SqsManagedSseEnabled",
];

/// Whether `GetQueueAttributes` knows the name.
pub(super) fn is_known(name: &str) -> bool {
    READ_ONLY.contains(&name) || is_settable(name)
}

fn is_settable(name: &str) -> bool {
    NUMBERS.iter().any(|(number, ..)| *number == name)
        || INERT.contains(&name)
        || matches!(name, "RedrivePolicy" | "RedriveAllowPolicy")
}

/// The settings of one queue: those that were set, by name, as they are told again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(super) fn from_json(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Sets one attribute, or refuses its name or value. Empty policies are removed.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), SqsError> {
        if name == "FifoQueue" || name == "ContentBasedDeduplication" {
            return Err(SqsError::unsupported(
                "FIFO queues are not supported by this server.",
            ));
        }
        if !is_settable(name) {
            return Err(SqsError::unknown_attribute(name));
        }
        if let Some((_, _, least, most)) = NUMBERS.iter().find(|(number, ..)| *number == name) {
            let number: i64 = value
                .trim()
                .parse()
                .map_err(|_| SqsError::attribute_value(name))?;
            if !(*least..=*most).contains(&number) {
                return Err(SqsError::attribute_value(name));
            }
            self.0.insert(name.to_owned(), number.to_string());
            return Ok(());
        }
        if value.is_empty() {
            self.0.remove(name);
            return Ok(());
        }
        let kept = match name {
            "RedrivePolicy" => RedrivePolicy::parse(value)?.to_json(),
            "RedriveAllowPolicy" => redrive_policy::parse_allow(value)?,
            "SqsManagedSseEnabled" if !matches!(value, "true" | "false") => {
                return Err(SqsError::attribute_value(name));
            }
            "KmsDataKeyReusePeriodSeconds"
                if !value
                    .parse()
                    .is_ok_and(|seconds: u32| (60..=86_400).contains(&seconds)) =>
            {
                return Err(SqsError::attribute_value(name));
            }
            _ => value.to_owned(),
        };
        self.0.insert(name.to_owned(), kept);
        Ok(())
    }

    /// What is told of an attribute: what was set, or its default. `None` if it is unset and has none.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned().or_else(|| {
            if name == "SqsManagedSseEnabled" {
                let by_key = self.0.contains_key("KmsMasterKeyId");
                return Some((!by_key).to_string());
            }
            NUMBERS
                .iter()
                .find(|(number, ..)| *number == name)
                .map(|(_, default, ..)| default.to_string())
        })
    }

    /// All that is told by name, the read-only ones aside.
    pub(super) fn listed(&self) -> BTreeMap<String, String> {
        let mut listed = self.0.clone();
        for name in NUMBERS
            .iter()
            .map(|(name, ..)| *name)
            .chain(["SqsManagedSseEnabled"])
        {
            if let Some(value) = self.get(name) {
                listed.insert(name.to_owned(), value);
            }
        }
        listed
    }

    fn number(&self, name: &str) -> i64 {
        self.get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or_default()
    }
}

/// One queue, as it is configured.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) created_ms: i64,
    pub(super) modified_ms: i64,
    pub(super) settings: Settings,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) visibility_seconds: i64,
    pub(super) delay_seconds: i64,
    pub(super) wait_seconds: i64,
    pub(super) retention_ms: i64,
    pub(super) max_bytes: usize,
    pub(super) redrive: Option<RedrivePolicy>,
}

impl Queue {
    pub(super) fn new(id: i64, name: &str, created_ms: i64, settings: Settings) -> Self {
        let mut queue = Self {
            id,
            name: name.to_owned(),
            created_ms,
            modified_ms: created_ms,
            settings: Settings::default(),
            tags: BTreeMap::new(),
            visibility_seconds: 0,
            delay_seconds: 0,
            wait_seconds: 0,
            retention_ms: 0,
            max_bytes: MAX_MESSAGE_BYTES,
            redrive: None,
        };
        queue.configure(settings);
        queue
    }

    pub(super) fn configure(&mut self, settings: Settings) {
        self.visibility_seconds = settings.number("VisibilityTimeout");
        self.delay_seconds = settings.number("DelaySeconds");
        self.wait_seconds = settings.number("ReceiveMessageWaitTimeSeconds");
        self.retention_ms = settings.number("MessageRetentionPeriod") * 1000;
        self.max_bytes =
            usize::try_from(settings.number("MaximumMessageSize")).unwrap_or(MAX_MESSAGE_BYTES);
        self.redrive = settings
            .get("RedrivePolicy")
            .and_then(|policy| RedrivePolicy::parse(&policy).ok());
        self.settings = settings;
    }

    pub(super) fn arn(&self) -> String {
        arn(&self.name)
    }
}
