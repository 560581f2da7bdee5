//! The AWS clients, built by hand: on Lambda the region and the credentials are in the environment, and the default
//! chain of `aws-config` would cost start-up time and size to find them there.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Region, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use crate::config::Env;
use crate::http::IDLE_TIMEOUT;

/// Longest wait for a connection to AWS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for one answer of AWS; the SDK then tries again, three times in all.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
// A try that was lost on a connection that had died without a word costs no second one: by the end of it every other idle
// connection of that age has left the pool, so the next try has a fresh one, or one that has just been of use.
const _: () = assert!(IDLE_TIMEOUT.as_millis() < ATTEMPT_TIMEOUT.as_millis());
/// Longest wait for a call with all its tries: what a function does must end before its own time does.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Has a write repeated whose item was part of a transaction at this very moment. DynamoDB refused it without an effect
/// (`TransactionConflictException`), which the SDK's own classifiers take for final.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html>
#[derive(Debug)]
struct ConflictClassifier;

impl ClassifyRetry for ConflictClassifier {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        #[derive(serde::Deserialize)]
        struct AwsRefusal {
            #[serde(rename = "__type")]
            kind: String,
        }
        let body = context.response().and_then(|answer| answer.body().bytes());
        let refusal = body.and_then(|body| serde_json::from_slice::<AwsRefusal>(body).ok());
        match refusal {
            Some(refusal) if refusal.kind.ends_with("#TransactionConflictException") => {
                RetryAction::transient_error()
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "transaction conflict"
    }
}

/// What the clients of all services share.
pub struct Shared {
    region: Region,
    credentials: Credentials,
    endpoint_url: Option<String>,
    http: SharedHttpClient,
    /// Who shares one budget of retries. It is the process's, but in a simulation, where one process is many.
    retries: Option<RetryPartition>,
}

/// A service's client from the shared parts: each SDK crate has its own `Config` type, of the same shape.
macro_rules! client {
    ($shared:expr, $sdk:ident) => {{
        let config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region($shared.region.clone())
            .credentials_provider($shared.credentials.clone())
            .http_client($shared.http.clone())
            .retry_config(RetryConfig::standard())
            .retry_classifier(ConflictClassifier)
            // The time-outs below bound each call; this would measure by another clock than theirs.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(CALL_TIMEOUT)
                    .build(),
            );
        let mut config = match &$shared.endpoint_url {
            Some(url) => config.endpoint_url(url),
            None => config,
        };
        if let Some(retries) = &$shared.retries {
            config = config.retry_partition(retries.clone());
        }
        $sdk::Client::from_conf(config.build())
    }};
}

impl Shared {
    /// Reads `AWS_REGION`, the credentials and `AWS_ENDPOINT_URL`, as Lambda sets them.
    pub fn from_env(env: &mut Env) -> Self {
        let key_id = env.required("AWS_ACCESS_KEY_ID");
        let secret_key = env.required("AWS_SECRET_ACCESS_KEY");
        Self {
            region: Region::new(env.required("AWS_REGION")),
            credentials: Credentials::new(
                key_id,
                secret_key,
                env.optional("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
            endpoint_url: env.optional("AWS_ENDPOINT_URL"),
            retries: (env.transport().is_some())
                .then(|| RetryPartition::custom("simulated").build()),
            http: match env.transport() {
                Some(transport) => simulated::client(transport),
                None => aws_smithy_http_client::Builder::new()
                    .pool_idle_timeout(IDLE_TIMEOUT)
                    .tls_provider(Provider::Rustls(CryptoMode::Ring))
                    .build_https(),
            },
        }
    }

    /// A DynamoDB client.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        client!(self, aws_sdk_dynamodb)
    }

    /// An SQS client.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        client!(self, aws_sdk_sqs)
    }

    /// The text of a secret in Secrets Manager; the error is a sentence without the secret in it.
    pub(crate) async fn secret(&self, arn: &str) -> Result<String, String> {
        let client = client!(self, aws_sdk_secretsmanager);
        let answer = client.get_secret_value().secret_id(arn).send().await;
        let answer = answer.map_err(|error| crate::telemetry::chain(&error))?;
        answer
            .secret_string
            .ok_or_else(|| "it is binary".to_owned())
    }
}

/// Tells how full a queue is.
#[derive(Clone)]
pub struct QueueDepth {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl QueueDepth {
    /// The gauge of the queue of this URL.
    #[must_use]
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }

    /// How many messages the queue holds, about: those in somebody's hands and those that are delayed, too.
    ///
    /// # Errors
    /// A sentence, if SQS does not tell.
    pub async fn depth(&self) -> Result<u64, String> {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let parts = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        ];
        let call = self.client.get_queue_attributes().queue_url(&self.url);
        let call = call.set_attribute_names(Some(parts.to_vec()));
        let answer = call.send().await;
        let answered = answer.map_err(|error| crate::telemetry::chain(&error))?;
        let answered = answered.attributes.unwrap_or_default();
        let number = |part| answered.get(part)?.parse::<u64>().ok();
        let numbers: Option<Vec<u64>> = parts.iter().map(number).collect();
        let numbers = numbers.ok_or_else(|| "SQS told no number of messages".to_owned())?;
        Ok(numbers.into_iter().sum())
    }
}

/// The SDK's HTTP client over a [`Transport`](crate::http::Transport).
mod simulated {
    use aws_sdk_dynamodb::config::{HttpClient, RuntimeComponents, SharedHttpClient};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::Response;
    use aws_smithy_types::body::SdkBody;
    use bytes::Bytes;

    use crate::transport::{CallError, Transport};

    #[derive(Clone, Debug)]
    struct Client(Transport);

    pub(super) fn client(transport: Transport) -> SharedHttpClient {
        SharedHttpClient::new(Client(transport))
    }

    impl HttpClient for Client {
        fn http_connector(
            &self,
            _: &HttpConnectorSettings,
            _: &RuntimeComponents,
        ) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    impl HttpConnector for Client {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let transport = self.0.clone();
            HttpConnectorFuture::new(async move {
                let request = request
                    .try_into_http1x()
                    .map_err(|error| ConnectorError::user(error.into()))?;
                // Bodies of calls without streams are in memory.
                let request =
                    request.map(|body| Bytes::copy_from_slice(body.bytes().unwrap_or_default()));
                let answer = transport.call(request).await.map_err(|error| match error {
                    CallError::NotSent(source) | CallError::NoAnswer(source) => {
                        ConnectorError::io(source)
                    }
                    CallError::TooLarge { .. } => {
                        ConnectorError::other("the answer is too large".into(), None)
                    }
                })?;
                Response::try_from(answer.map(SdkBody::from))
                    .map_err(|error| ConnectorError::other(error.into(), None))
            })
        }
    }
}
