//! The two policies of dead-letter queues: where a queue's poison goes, and who may name a queue for it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::arn::{arn, name_in_arn};
use super::error::SqsError;

/// `RedrivePolicy`: after so many receives without a deletion, to that queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RedrivePolicy {
    target_arn: String,
    pub(super) max_receive_count: i64,
}

impl RedrivePolicy {
    pub(super) fn parse(text: &str) -> Result<Self, SqsError> {
        let refused = |reason: &str| SqsError::invalid_value(text, "RedrivePolicy", reason);
        let policy: Value = serde_json::from_str(text)
            .map_err(|_| refused("Redrive policy is not a valid JSON map."))?;
        let policy = policy
            .as_object()
            .ok_or_else(|| refused("Redrive policy is not a valid JSON map."))?;
        let target_arn = policy
            .get("deadLetterTargetArn")
            .and_then(Value::as_str)
            .ok_or_else(|| {
                refused("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
            })?;
        let count = policy.get("maxReceiveCount").ok_or_else(|| {
            refused("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
        })?;
        let count = count.as_i64().or_else(|| count.as_str()?.parse().ok());
        let max_receive_count = count
            .filter(|count| (1..=1000).contains(count))
            .ok_or_else(|| {
                refused("Invalid value for maxReceiveCount: must be an integer from 1 to 1000.")
            })?;
        if policy
            .keys()
            .any(|key| key != "deadLetterTargetArn" && key != "maxReceiveCount")
        {
            return Err(refused(
                "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
            ));
        }
        if name_in_arn(target_arn).is_none() {
            return Err(refused("Invalid value for deadLetterTargetArn."));
        }
        Ok(Self {
            target_arn: target_arn.to_owned(),
            max_receive_count,
        })
    }

    pub(super) fn to_json(&self) -> String {
        json!({"deadLetterTargetArn": self.target_arn, "maxReceiveCount": self.max_receive_count})
            .to_string()
    }

    /// The name of the dead-letter queue.
    pub(super) fn target(&self) -> &str {
        name_in_arn(&self.target_arn).unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AllowPolicy {
    redrive_permission: String,
    #[serde(default)]
    source_queue_arns: Vec<String>,
}

/// Reads a `RedriveAllowPolicy` and gives it as it is told again.
pub(super) fn parse_allow(text: &str) -> Result<String, SqsError> {
    let refused = || SqsError::attribute_value("RedriveAllowPolicy");
    let policy: AllowPolicy = serde_json::from_str(text).map_err(|_| refused())?;
    match (
        policy.redrive_permission.as_str(),
        policy.source_queue_arns.as_slice(),
    ) {
        ("allowAll" | "denyAll", []) => {
            Ok(json!({"redrivePermission": policy.redrive_permission}).to_string())
        }
        ("byQueue", sources @ [_, ..])
            if sources.len() <= 10 && sources.iter().all(|arn| name_in_arn(arn).is_some()) =>
        {
            Ok(json!({"redrivePermission": "byQueue", "sourceQueueArns": sources}).to_string())
        }
        _ => Err(refused()),
    }
}

/// Whether `source` may name a queue of this `RedriveAllowPolicy` as its dead-letter queue.
pub(super) fn allows(policy: Option<String>, source: &str) -> bool {
    let Some(policy) = policy else {
        return true;
    };
    let Ok(policy) = serde_json::from_str::<AllowPolicy>(&policy) else {
        return true;
    };
    match policy.redrive_permission.as_str() {
        "denyAll" => false,
        "byQueue" => {
            let source = arn(source);
            policy
                .source_queue_arns
                .iter()
                .any(|allowed| name_in_arn(allowed) == name_in_arn(&source))
        }
        _ => true,
    }
}
