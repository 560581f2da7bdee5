//! Secrets Manager, as much of it as `GetSecretValue` of the current version.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::response::{AMZ_JSON_1_1, AwsResponse};
use super::{ACCOUNT, REGION};

struct Secret {
    text: String,
    version: Uuid,
    created_ms: i64,
}

/// The secrets, by the ARN or name under which they were put.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<BTreeMap<String, Secret>>);

/// The operation by its name on the wire.
pub(crate) fn operation(name: &str) -> Option<&'static str> {
    (name == "GetSecretValue").then_some("GetSecretValue")
}

impl Secrets {
    pub(crate) fn put(&self, id: &str, text: &str, created_ms: i64) {
        let secret = Secret {
            text: text.to_owned(),
            version: crate::random::uuid(),
            created_ms,
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned(), secret);
    }

    pub(crate) fn call(&self, body: &[u8]) -> AwsResponse {
        let Ok(Value::Object(request)) = serde_json::from_slice::<Value>(body) else {
            let mut answer = AwsResponse::unreadable();
            answer.content_type = AMZ_JSON_1_1;
            return answer;
        };
        let Some(id) = request
            .get("SecretId")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
        else {
            return refused(
                StatusCode::BAD_REQUEST,
                "ValidationException",
                "1 validation error detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null",
            );
        };
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((canonical_id, secret)) = secrets
            .get_key_value(id)
            .or_else(|| secrets.iter().find(|(key, _)| name(key) == name(id)))
        else {
            return refused(
                StatusCode::BAD_REQUEST,
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            );
        };
        let stage = request
            .get("VersionStage")
            .and_then(Value::as_str)
            .unwrap_or("AWSCURRENT");
        let version = request.get("VersionId").and_then(Value::as_str);
        if stage != "AWSCURRENT"
            || version.is_some_and(|version| version != secret.version.to_string())
        {
            return refused(
                StatusCode::BAD_REQUEST,
                "ResourceNotFoundException",
                &format!(
                    "Secrets Manager can't find the specified secret value for staging label: {stage}"
                ),
            );
        }
        let arn = if canonical_id.starts_with("arn:") {
            canonical_id.clone()
        } else {
            format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{canonical_id}-AdmitO")
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a date fits a double for the next 285,000 years"
        )]
        let created = secret.created_ms as f64 / 1000.0;
        let mut answer = AwsResponse::json(
            StatusCode::OK,
            &json!({
                "ARN": arn,
                "CreatedDate": created,
                "Name": name(canonical_id),
                "SecretString": secret.text,
                "VersionId": secret.version.to_string(),
                "VersionStages": ["AWSCURRENT"],
            }),
        );
        answer.content_type = AMZ_JSON_1_1;
        answer
    }
}

/// The name within an ARN, without the six characters that Secrets Manager adds; a name stays as it is.
fn name(id: &str) -> &str {
    let Some((_, tail)) = id.split_once(":secret:") else {
        return id;
    };
    match tail.rsplit_once('-') {
        Some((name, suffix)) if suffix.len() == 6 => name,
        _ => tail,
    }
}

/// Asked too fast.
pub(crate) fn throttled() -> AwsResponse {
    refused(
        StatusCode::BAD_REQUEST,
        "ThrottlingException",
        "Rate exceeded",
    )
}

/// The service failed.
pub(crate) fn failed() -> AwsResponse {
    refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalServiceError",
        "An error occurred on the server side.",
    )
}

fn refused(status: StatusCode, code: &str, message: &str) -> AwsResponse {
    let mut answer = AwsResponse::json(status, &json!({"__type": code, "Message": message}));
    answer.content_type = AMZ_JSON_1_1;
    answer
}
