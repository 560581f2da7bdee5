//! The samples of `events/`, each sent by `cargo lambda invoke` to a function that `cargo lambda watch` runs against a
//! local stack of its own; the answers are those of `events/expected.json`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::routing::put;
use bytes::Bytes;
use local::env::env_of;
use local::functions::FUNCTIONS;
use local::stack::{Data, Options, Stack};
use local::supervision::Supervision;
use local::timeline::Timeline;
use runtime::aws::Shared;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use simulators::clock::Clock;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

/// What the samples are written for.
const VALUES: [(&str, &str); 5] = [
    ("API_KEYS", "demo-shop-key-0123456789abcdef"),
    ("ADMIN_KEYS", "operator:demo-admin-key-0123456789abcdef"),
    ("TELEGRAM_WEBHOOK_SECRET", "demo-webhook-secret-0123456789"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_demo0123456789"),
    ("TELEGRAM_CHAT_ID", "-1001234567890"),
];
/// The function whose answers are streamed.
const STREAMED: &str = "botapi";
/// Longest call: the first one of a function may wait for its build.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);
/// How long `cargo lambda watch` may take to listen.
const WATCH_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a bell may take to have its task done: the chat's lease may be held by the local stack's own worker.
const DONE_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// What to replay.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder of the samples.
    #[arg(long, default_value = "events")]
    events: PathBuf,
    /// Where the output of `cargo lambda watch` goes.
    #[arg(long, default_value = "target/ci-logs/watch.log")]
    log: PathBuf,
}

/// A sample, and what is to come of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SampleCase {
    file: String,
    function: String,
    /// Of an answer of HTTP.
    status_code: Option<u16>,
    /// Fields of its body.
    #[serde(default)]
    body: Map<String, Value>,
    /// Fields of an answer that is none of HTTP.
    answer: Option<Map<String, Value>>,
    /// The messages that a batch hands back.
    batch_item_failures: Option<BTreeSet<String>>,
    /// The request that is DONE then.
    done: Option<String>,
}

/// Replays all samples. Interrupted, it ends what it started.
///
/// # Errors
/// Each sample that was answered otherwise, by name.
pub async fn command(arguments: Arguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = replay_all(arguments) => done,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("interrupted"),
    }
}

async fn replay_all(arguments: Arguments) -> anyhow::Result<()> {
    let read = |name: &str| {
        let path = arguments.events.join(name);
        std::fs::read(&path).with_context(|| path.display().to_string())
    };
    let cases: Vec<SampleCase> = serde_json::from_slice(&read("expected.json")?)?;
    let mut wrong = Vec::new();
    let stack = start_stack().await?;
    seed(&stack, &read("seed.json")?).await?;
    let mut watched = CargoLambdaWatch::start(&stack, &arguments.log).await?;
    let cloudformation = CloudFormation::start().await?;
    for case in &cases {
        let event: Value = serde_json::from_slice(&read(&case.file)?)?;
        if let Err(problem) = replay(case, event, &watched, &cloudformation, &stack).await {
            wrong.push(format!("{} -> {}: {problem:#}", case.file, case.function));
        }
    }
    watched.stop().await;
    stack.stop().await;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} samples replayed, all answered as expected",
        cases.len()
    )?;
    Ok(())
}

async fn start_stack() -> anyhow::Result<Stack> {
    let env = VALUES.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Stack::start(Options {
        listen: local::harness::any_port(),
        aws_listen: local::harness::any_port(),
        data: Data::Ephemeral,
        env: env.into(),
        clock: Clock::new(),
        timeline: Timeline::default(),
        supervision: Supervision::Off,
        functions: &FUNCTIONS,
        chat: simulators::telegram::ChatKind::Supergroup,
    })
    .await
}

/// Writes the records that the samples refer to: a file of `aws dynamodb batch-write-item`.
async fn seed(stack: &Stack, records: &[u8]) -> anyhow::Result<()> {
    let records: BTreeMap<String, Vec<Value>> = serde_json::from_slice(records)?;
    let dynamodb = Shared::from_env(&mut env_of(&stack.env)).dynamodb();
    for (table, writes) in records {
        for write in writes {
            let item = write["PutRequest"]["Item"].as_object();
            let item = item.context("a write that puts no item")?;
            let put = dynamodb.put_item().table_name(&table);
            let put = put.set_item(Some(attributes(item)?));
            put.send().await.context("the seed was not written")?;
        }
    }
    Ok(())
}

/// An item in DynamoDB's JSON.
fn attributes(item: &Map<String, Value>) -> anyhow::Result<HashMap<String, AttributeValue>> {
    let attribute = |(name, value): (&String, &Value)| {
        let (kind, value) = value
            .as_object()
            .and_then(|value| value.iter().next())
            .context("an attribute without a type")?;
        let text = || value.as_str().unwrap_or_default().to_owned();
        let value = match kind.as_str() {
            "S" => AttributeValue::S(text()),
            "N" => AttributeValue::N(text()),
            "BOOL" => AttributeValue::Bool(value == true),
            "M" => AttributeValue::M(attributes(value.as_object().context("a map")?)?),
            other => bail!("{name} has the type {other}, which the samples do not use"),
        };
        Ok((name.clone(), value))
    };
    item.iter().map(attribute).collect()
}

/// `cargo lambda watch`, with all that it started.
struct CargoLambdaWatch {
    child: Child,
    /// The process group, by its number.
    group: u32,
    port: String,
}

impl Drop for CargoLambdaWatch {
    fn drop(&mut self) {
        self.signal("-KILL");
    }
}

impl CargoLambdaWatch {
    async fn start(stack: &Stack, log: &Path) -> anyhow::Result<Self> {
        let folder = log.parent().context("a log without a folder")?;
        std::fs::create_dir_all(folder)?;
        let env_file = folder.join("functions.env");
        let lines = stack
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"));
        std::fs::write(&env_file, lines.collect::<String>())?;
        let free = std::net::TcpListener::bind(local::harness::any_port())?;
        let address = free.local_addr()?;
        drop(free);
        let port = address.port().to_string();
        let output = std::fs::File::create(log)?;
        let child = Command::new("cargo")
            .args(["lambda", "watch", "--ignore-changes"])
            .args(["--invoke-address", "127.0.0.1", "--invoke-port", &port])
            .arg("--env-file")
            .arg(&env_file)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cargo lambda")?;
        let group = child.id().context("cargo lambda watch ended")?;
        let mut watch = Self { child, group, port };
        let give_up = Instant::now() + WATCH_TIMEOUT;
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if let Some(status) = watch.child.try_wait()? {
                bail!("cargo lambda watch ended ({status}): {}", log.display());
            }
            ensure!(
                Instant::now() < give_up,
                "cargo lambda watch does not listen"
            );
            sleep(POLL_INTERVAL).await;
        }
        Ok(watch)
    }

    /// Ends it in order; what is left of its process group ends when it is dropped.
    async fn stop(&mut self) {
        self.signal("-INT");
        let _ = timeout(Duration::from_secs(5), self.child.wait()).await;
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.group);
        let _ = std::process::Command::new("kill")
            .args([signal, "--", &group])
            .stderr(Stdio::null())
            .status();
    }

    async fn invoke(&self, function: &str, event: &Path) -> anyhow::Result<Value> {
        let call = Command::new("cargo")
            .args(["lambda", "invoke", "--invoke-address", "127.0.0.1"])
            .args(["--invoke-port", &self.port, function, "--data-file"])
            .arg(event)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(CALL_TIMEOUT, call).await.context("no answer")??;
        ensure!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stderr).trim(),
            String::from_utf8_lossy(&output.stdout).trim()
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Calls a function by its URL, as the event says: `cargo lambda invoke` can't read an answer that is streamed.
    async fn call(&self, function: &str, event: &Value) -> anyhow::Result<Value> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let url = format!(
            "http://127.0.0.1:{}/lambda-url/{function}{}",
            self.port,
            text(&event["rawPath"])
        );
        let method = text(&event["requestContext"]["http"]["method"]);
        let call = runtime::http::client(CALL_TIMEOUT)
            .map_err(anyhow::Error::msg)?
            .request(method.parse()?, url)
            .body(text(&event["body"]))
            .send();
        let answer = timeout(CALL_TIMEOUT, call).await.context("no answer")??;
        let status = answer.status().as_u16();
        Ok(json!({"statusCode": status, "body": answer.text().await?}))
    }
}

/// Stands where CloudFormation would, for the answer of a custom resource.
struct CloudFormation {
    url: String,
    status: Arc<Mutex<Option<Value>>>,
    _served: tokio::task::JoinSet<()>,
}

impl CloudFormation {
    async fn start() -> anyhow::Result<Self> {
        let status = Arc::<Mutex<Option<Value>>>::default();
        let heard = Arc::clone(&status);
        let take = async move |body: Bytes| {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(body["Status"].clone());
        };
        let listener = tokio::net::TcpListener::bind(local::harness::any_port()).await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let mut served = tokio::task::JoinSet::new();
        served.spawn(async move {
            let _ = axum::serve(listener, Router::new().route("/", put(take))).await;
        });
        Ok(Self {
            url,
            status,
            _served: served,
        })
    }

    fn take(&self) -> Option<Value> {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.take()
    }
}

/// Invokes the function of a case, and compares.
async fn replay(
    case: &SampleCase,
    mut event: Value,
    watch: &CargoLambdaWatch,
    cloudformation: &CloudFormation,
    stack: &Stack,
) -> anyhow::Result<()> {
    let is_of_cloudformation = event.get("ResponseURL").is_some();
    if is_of_cloudformation {
        event["ResponseURL"] = json!(cloudformation.url);
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("event.json");
    std::fs::write(&file, event.to_string())?;
    let answer = match case.function.as_str() {
        STREAMED => watch.call(STREAMED, &event).await?,
        function => watch.invoke(function, &file).await?,
    };
    if is_of_cloudformation {
        let heard = cloudformation.take();
        ensure!(
            heard.as_ref() == answer.get("Status"),
            "CloudFormation was answered {heard:?}, the caller {}",
            answer["Status"]
        );
    }
    compare(case, &answer)?;
    match &case.done {
        Some(id) => until_done(stack, id).await,
        None => Ok(()),
    }
}

/// Fails on an answer that is not as expected. More fields than expected are right.
fn compare(case: &SampleCase, answer: &Value) -> anyhow::Result<()> {
    let has = |of: &Value, fields: &Map<String, Value>| {
        fields
            .iter()
            .all(|(name, value)| of.get(name) == Some(value))
    };
    if let Some(fields) = &case.answer {
        ensure!(has(answer, fields), "{answer}, expected {fields:?}");
        return Ok(());
    }
    if let Some(expected) = &case.batch_item_failures {
        let failures = answer["batchItemFailures"].as_array();
        let failed: BTreeSet<String> = failures
            .into_iter()
            .flatten()
            .filter_map(|failure| failure["itemIdentifier"].as_str())
            .map(str::to_owned)
            .collect();
        ensure!(
            failed == *expected,
            "failed {failed:?}, expected {expected:?}"
        );
        return Ok(());
    }
    let body = answer["body"].as_str().unwrap_or("null");
    // A page is no JSON; its status tells what it is.
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    ensure!(
        answer["statusCode"].as_u64() == case.status_code.map(u64::from) && has(&body, &case.body),
        "{} {body}, expected {:?} {:?}",
        answer["statusCode"],
        case.status_code,
        case.body
    );
    Ok(())
}

/// An answer of a batch tells only that nothing is handed back; the record tells the rest.
async fn until_done(stack: &Stack, id: &str) -> anyhow::Result<()> {
    let ask = json!({"TableName": "InviteRequests", "Key": {"requestId": {"S": id}}, "ConsistentRead": true});
    let give_up = Instant::now() + DONE_TIMEOUT;
    loop {
        let record = stack.aws.inspect("GetItem", &ask);
        let record = record.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let status = record["Item"]["status"]["S"].clone();
        if status == "DONE" {
            return Ok(());
        }
        ensure!(
            Instant::now() < give_up,
            "request {id} is {status}, expected DONE"
        );
        sleep(POLL_INTERVAL).await;
    }
}
