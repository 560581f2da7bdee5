//! One call: which service and operation, whether it may, what the faults make of it, and what is recorded.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use super::AwsState;
use super::call::{Service, WireCall};
use super::capacity::Units;
use super::faults::WireFault;
use super::group_commit::NotDurable;
use super::response::{AMZ_JSON_1_1, AwsResponse};
use super::wire::Phase;
use super::{dynamodb, secrets, sqs};

/// What becomes of a call.
pub(crate) enum DispatchOutcome {
    AwsResponse(AwsResponse),
    /// The connection is reset instead of an answer.
    Reset,
}

/// The service and the operation that `X-Amz-Target` names, if this server has them.
pub(crate) fn target(headers: &HeaderMap) -> Option<(Service, &'static str)> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    let (prefix, operation) = target.split_once('.')?;
    match prefix {
        "DynamoDB_20120810" => Some((Service::DynamoDb, dynamodb::operation(operation)?)),
        "AmazonSQS" => Some((Service::Sqs, sqs::operation(operation)?)),
        "secretsmanager" => Some((Service::SecretsManager, secrets::operation(operation)?)),
        _ => None,
    }
}

/// The refusal of a call that carries no signature, or only a part of one. The signature itself is not verified.
pub(crate) fn unauthenticated(
    service: Service,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Option<AwsResponse> {
    let refusal = dynoxide::auth_material::validate(dynoxide::auth_material::AuthMaterial {
        authorization: headers
            .get("authorization")
            .and_then(|value| value.to_str().ok()),
        query: query.unwrap_or_default(),
        has_date_header: headers.contains_key("x-amz-date") || headers.contains_key("date"),
    })?;
    let mut answer = AwsResponse::new(http::StatusCode::BAD_REQUEST, refusal);
    if service == Service::SecretsManager {
        answer.content_type = AMZ_JSON_1_1;
    }
    Some(answer)
}

/// Runs one call, through the faults and past the recorder.
pub(crate) async fn call(
    state: &Arc<AwsState>,
    service: Service,
    operation: &'static str,
    body: &Bytes,
) -> DispatchOutcome {
    state.wire.count_call(service, operation);
    if !state.wire.is_watched() {
        return DispatchOutcome::AwsResponse(
            perform(state, service, operation, body, None).await.0,
        );
    }

    let request: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let mut call = WireCall {
        seq: state.wire.next_seq(),
        service,
        operation,
        table_or_queue: table_or_queue(&request),
        request,
        status: 0,
        read_units: 0.0,
        write_units: 0.0,
        at_ms: state.clock.now_ms(),
    };
    state.wire.tell(Phase::Before, &call);
    let mut lose_the_answer = false;
    match state.wire.fault_for(&call) {
        None => {}
        Some(WireFault::Throttle) => return settled(state, call, throttled(service)),
        Some(WireFault::TransactionConflict) => {
            return settled(state, call, dynamodb::in_transaction());
        }
        Some(WireFault::InternalError) => return settled(state, call, failed(service)),
        Some(WireFault::ResetBefore) => {
            state.wire.record(call);
            return DispatchOutcome::Reset;
        }
        Some(WireFault::ResetAfter) => lose_the_answer = true,
        Some(WireFault::Delay(by)) => {
            let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            state
                .clock
                .sleep_until(state.clock.now_ms().saturating_add(by_ms))
                .await;
        }
        Some(WireFault::Hang) => {
            state.wire.record(call);
            std::future::pending::<()>().await;
            return DispatchOutcome::Reset;
        }
    }
    let recorded = state.wire.is_recording().then_some(&call.request);
    let (answer, units) = perform(state, service, operation, body, recorded).await;
    call.read_units = units.read;
    call.write_units = units.write;
    match settled(state, call, answer) {
        DispatchOutcome::AwsResponse(_) if lose_the_answer => DispatchOutcome::Reset,
        outcome => outcome,
    }
}

fn settled(state: &AwsState, mut call: WireCall, answer: AwsResponse) -> DispatchOutcome {
    call.status = answer.status.as_u16();
    state.wire.tell(Phase::After, &call);
    state.wire.record(call);
    DispatchOutcome::AwsResponse(answer)
}

/// The call itself. `recorded` is the parsed request if its units are wanted.
async fn perform(
    state: &Arc<AwsState>,
    service: Service,
    operation: &'static str,
    body: &Bytes,
    recorded: Option<&Value>,
) -> (AwsResponse, Units) {
    match service {
        Service::DynamoDb => {
            let (answer, commit, units) = match recorded {
                Some(request) if request.is_object() => {
                    state.dynamodb.call_measured(operation, request)
                }
                _ => {
                    let (answer, commit) = state.dynamodb.call(operation, body);
                    (answer, commit, Units::default())
                }
            };
            match state.dynamodb.durable(commit).await {
                Ok(()) => (answer, units),
                Err(NotDurable) => (dynamodb::failed(), units),
            }
        }
        Service::Sqs => (
            sqs::call(&state.sqs, operation, body).await,
            Units::default(),
        ),
        Service::SecretsManager => (state.secrets.call(body), Units::default()),
    }
}

fn throttled(service: Service) -> AwsResponse {
    match service {
        Service::DynamoDb => dynamodb::throttled(),
        Service::Sqs => sqs::SqsError::throttled().into_answer(),
        Service::SecretsManager => secrets::throttled(),
    }
}

fn failed(service: Service) -> AwsResponse {
    match service {
        Service::DynamoDb => dynamodb::failed(),
        Service::Sqs => sqs::SqsError::internal().into_answer(),
        Service::SecretsManager => secrets::failed(),
    }
}

/// The table, queue or secret that a request names; the first table of a request that names several.
fn table_or_queue(request: &Value) -> Option<String> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let tail =
        |value: &str, separator: char| value.rsplit(separator).next().unwrap_or(value).to_owned();
    if let Some(table) = text("TableName") {
        return Some(table.to_owned());
    }
    if let Some(url) = text("QueueUrl") {
        return Some(tail(url, '/'));
    }
    if let Some(name) = text("QueueName").or_else(|| text("SecretId")) {
        return Some(name.to_owned());
    }
    if let Some(arn) = text("SourceArn") {
        return Some(tail(arn, ':'));
    }
    if let Some(items) = request.get("RequestItems").and_then(Value::as_object) {
        return items.keys().next().cloned();
    }
    let first = request
        .get("TransactItems")?
        .get(0)?
        .as_object()?
        .values()
        .next()?;
    first
        .get("TableName")
        .and_then(Value::as_str)
        .map(str::to_owned)
}
