//! SDK clients, built by hand as the functions build theirs, for a server of the test's own.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::Path;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use simulators::aws::{Aws, Storage};
use simulators::clock::Clock;

pub(crate) struct AwsWorld {
    pub(crate) aws: Aws,
    pub(crate) clock: Clock,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
}

impl AwsWorld {
    pub(crate) async fn start() -> Self {
        Self::with(Storage::Memory, Clock::new()).await
    }

    pub(crate) async fn in_folder(folder: &Path) -> Self {
        Self::in_folder_at(folder, Clock::new()).await
    }

    /// With the clock of an earlier world, which may be turned already.
    pub(crate) async fn in_folder_at(folder: &Path, clock: Clock) -> Self {
        Self::with(Storage::Folder(folder.to_owned()), clock).await
    }

    async fn with(storage: Storage, clock: Clock) -> Self {
        let aws = Aws::start(([127, 0, 0, 1], 0).into(), storage, clock.clone())
            .await
            .unwrap();
        let (sqs, dynamodb) = (sqs_client(&aws.url()), dynamodb_client(&aws.url()));
        Self {
            aws,
            clock,
            sqs,
            dynamodb,
        }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A queue with default settings; its URL.
    pub(crate) async fn queue(&self, name: &str) -> String {
        self.queue_with(name, &[]).await
    }

    pub(crate) async fn queue_with(&self, name: &str, settings: &[(&str, &str)]) -> String {
        let mut call = self.sqs.create_queue().queue_name(name);
        for (setting, value) in settings {
            call = call.attributes((*setting).into(), *value);
        }
        call.send().await.unwrap().queue_url.unwrap()
    }

    /// A queue whose poison goes to `dead` after `receives`; both URLs.
    pub(crate) async fn queue_and_dead(
        &self,
        name: &str,
        dead: &str,
        receives: u32,
    ) -> (String, String) {
        let dead_url = self.queue(dead).await;
        let policy = format!(
            r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{dead}","maxReceiveCount":{receives}}}"#
        );
        (
            self.queue_with(name, &[("RedrivePolicy", &policy)]).await,
            dead_url,
        )
    }

    pub(crate) async fn send(&self, url: &str, body: &str) -> String {
        self.sqs
            .send_message()
            .queue_url(url)
            .message_body(body)
            .send()
            .await
            .unwrap()
            .message_id
            .unwrap()
    }

    /// Up to ten messages, with all their attributes.
    pub(crate) async fn receive(&self, url: &str) -> Vec<aws_sdk_sqs::types::Message> {
        let call = self
            .sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10);
        let call = call
            .message_system_attribute_names("All".into())
            .message_attribute_names("All");
        call.send().await.unwrap().messages.unwrap_or_default()
    }

    pub(crate) async fn bodies(&self, url: &str) -> Vec<String> {
        self.receive(url)
            .await
            .into_iter()
            .map(|message| message.body.unwrap())
            .collect()
    }
}

pub(crate) fn sqs_client(url: &str) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_sqs::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::from_keys("local", "local", None))
        .endpoint_url(url)
        .http_client(http_client())
        .retry_config(aws_sdk_sqs::config::retry::RetryConfig::disabled());
    aws_sdk_sqs::Client::from_conf(config.build())
}

pub(crate) fn dynamodb_client(url: &str) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::from_keys("local", "local", None))
        .endpoint_url(url)
        .http_client(http_client())
        .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

fn http_client() -> aws_sdk_sqs::config::SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// The stable code of an SDK error.
pub(crate) fn code<E, R>(result: Result<R, aws_sdk_sqs::error::SdkError<E>>) -> String
where
    E: aws_sdk_sqs::error::ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    let error = result.expect_err("a refusal");
    let service = error
        .as_service_error()
        .unwrap_or_else(|| panic!("no service error: {error:?}"));
    service.code().unwrap_or_default().to_owned()
}

/// One answer, raw.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) query_error: Option<String>,
    pub(crate) body: serde_json::Value,
}

impl Raw {
    pub(crate) fn kind(&self) -> &str {
        self.body["__type"].as_str().unwrap_or_default()
    }
}

/// Posts `body` as it is, signed or not.
pub(crate) async fn post(
    url: &str,
    target: Option<&str>,
    signed: bool,
    body: impl Into<Vec<u8>>,
) -> Raw {
    let address = url
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let path = url
        .trim_start_matches("http://")
        .find('/')
        .map_or("/", |at| &url["http://".len() + at..]);
    let body = body.into();
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    if let Some(target) = target {
        head += &format!("X-Amz-Target: {target}\r\n");
    }
    if signed {
        head += "X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 \
                 Credential=local/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0\r\n";
    }
    let request = [head.as_bytes(), b"\r\n", &body].concat();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    // A server that refuses a large body answers before it has read it all.
    let _ = stream.write_all(&request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let query_error = head
        .lines()
        .find_map(|line| line.strip_prefix("x-amzn-query-error: ").map(str::to_owned));
    Raw {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        query_error,
        body: serde_json::from_str(body).unwrap_or_else(|_| body.into()),
    }
}
