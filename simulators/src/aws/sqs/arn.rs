//! The ARNs of queues.

use crate::aws::{ACCOUNT, REGION};

/// The ARN of a queue by its name.
pub(super) fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// The name within the ARN of a queue, in whatever region and account.
pub(super) fn name_in_arn(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let is_queue =
        parts.next() == Some("arn") && parts.next().is_some() && parts.next() == Some("sqs");
    let name = parts.nth(2)?;
    (is_queue && !name.is_empty()).then_some(name)
}
