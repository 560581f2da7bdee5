//! The answer that CloudFormation waits for: an hour if it does not come.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>

use std::time::Duration;

use runtime::http::put_presigned;
use runtime::transport::CallError;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::Outcome;

/// The largest answer that CloudFormation takes, in bytes.
const ANSWER_MAX_BYTES: usize = 4096;
/// Longest wait for S3 to take the answer.
const PUT_TIMEOUT: Duration = Duration::from_secs(5);
/// The pauses between tries to give the answer.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// What the resource is known by, as long as it is there.
const PHYSICAL_RESOURCE_ID: &str = "admit-one-setup";

/// The answer was not taken. CloudFormation goes on to wait, and Lambda calls again for it.
#[derive(Debug, thiserror::Error)]
#[error("CloudFormation's answer was not taken: {0}")]
pub struct Unanswered(String);

/// The answer to the call of `event`, in which all ids are repeated as they came.
pub(crate) fn body(event: &Value, outcome: &Outcome) -> Vec<u8> {
    let mut says = outcome.says.clone();
    loop {
        let body = with_words(event, outcome, &says).to_string().into_bytes();
        if body.len() <= ANSWER_MAX_BYTES || says.is_empty() {
            return body;
        }
        let kept = says.chars().count() * 3 / 4;
        says = match kept {
            0 => String::new(),
            _ => says.chars().take(kept).chain(['…']).collect(),
        };
        if kept <= 1 {
            says.clear();
        }
    }
}

fn with_words(event: &Value, outcome: &Outcome, says: &str) -> Value {
    let id = event["PhysicalResourceId"].as_str();
    json!({
        "Status": outcome.status,
        "Reason": says,
        "PhysicalResourceId": id.filter(|id| !id.is_empty()).unwrap_or(PHYSICAL_RESOURCE_ID),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Result": says},
    })
}

/// Gives the answer, again until it is taken or `deadline` is near.
///
/// # Errors
/// [`Unanswered`], without the URL: who has it can answer.
pub(crate) async fn give(url: &str, body: &[u8], deadline: Instant) -> Result<(), Unanswered> {
    let mut last = Unanswered("there was no time left".to_owned());
    for pause in PAUSES.into_iter().map(Some).chain([None]) {
        let put = put_presigned(url, body.to_vec(), PUT_TIMEOUT);
        last = match timeout_at(deadline, put).await {
            Ok(Ok(200..=299)) => return Ok(()),
            Ok(Ok(status)) => Unanswered(format!("HTTP {status}")),
            Ok(Err(CallError::NotSent(source) | CallError::NoAnswer(source))) => {
                Unanswered(runtime::telemetry::chain(source.as_ref()))
            }
            Ok(Err(CallError::TooLarge { status })) => Unanswered(format!("HTTP {status}")),
            Err(_) => return Err(last),
        };
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    #[test]
    fn an_answer_fits_however_much_there_is_to_say_and_however_long_the_ids_are() {
        let event = json!({
            "StackId": "s".repeat(1000), "RequestId": "r", "LogicalResourceId": "l", "PhysicalResourceId": "p".repeat(1000),
        });
        for word in ["a", "\"", "\u{1}", "ö", "“"] {
            for count in [0, 1, 1000, 100_000] {
                let outcome = Outcome {
                    status: Status::Failed,
                    says: word.repeat(count),
                    checks: Vec::new(),
                };
                let body = body(&event, &outcome);
                assert!(
                    body.len() <= ANSWER_MAX_BYTES,
                    "{word} {count}: {}",
                    body.len()
                );
                let answer: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(answer["StackId"], event["StackId"]);
                let says = answer["Reason"].as_str().unwrap();
                assert_eq!(says.is_empty(), count == 0, "{word} {count}");
                assert_eq!(
                    says.ends_with('…'),
                    count > 1000 || says.chars().count() < count
                );
            }
        }
    }
}
