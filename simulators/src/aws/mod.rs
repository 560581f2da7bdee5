//! The AWS wire on one port: DynamoDB, SQS and the little of Secrets Manager that a function asks at its start.
//!
//! Unmodified SDK clients, the AWS command line and boto3 talk to it by `AWS_ENDPOINT_URL`. Calls are told apart by
//! `X-Amz-Target`, as AWS tells them apart; any SigV4 signature is accepted and none is verified, so the server must only
//! ever listen where its callers are trusted. It listens on the given address and on nothing else.
//!
//! What was accepted is on the disk, and flushed, before it is answered, in [`Storage::Folder`]: neither the end of the
//! process (`kill -9`) nor a power cut loses anything. Callers that wait together share one flush (`group_commit`).
//! In [`Storage::Unsynced`] nothing is flushed: a power cut may take the last moments with it, never the consistency of
//! what is left.
//!
//! [`Aws::in_process`] is the same without a socket: [`Aws::call`] carries each request and answers it on the caller's
//! own task.

mod call;
mod capacity;
mod changes;
mod dispatch;
mod dynamodb;
mod expiry;
mod faults;
mod group_commit;
mod response;
mod secrets;
mod server;
pub mod sqs;
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::server::until;
use crate::socket::Reset;

pub use call::{Service, WireCall};
pub use changes::Changes;
pub use faults::{FaultHits, FaultRule, WireFault};
pub use wire::{Hook, Phase, Wire};

use dynamodb::DynamoDb;
use secrets::Secrets;
use sqs::Sqs;

/// The region that all ARNs name.
pub const REGION: &str = "us-east-1";
/// The account that all ARNs and queue URLs name.
pub const ACCOUNT: &str = "000000000000";

/// The URL of a server that listens nowhere.
const IN_PROCESS: &str = "http://aws.invalid";

/// Where tables and queues live.
#[derive(Clone, Debug)]
pub enum Storage {
    /// In memory: gone with the server.
    Memory,
    /// `dynamodb.sqlite` and `sqs.sqlite` inside this folder, which is made if it is missing.
    Folder(PathBuf),
    /// As [`Storage::Folder`], but nothing waits for the disk: faster, and a power cut may take what was answered last.
    Unsynced(PathBuf),
}

impl Storage {
    /// The folder, if there is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Storage::Memory => None,
            Storage::Folder(folder) | Storage::Unsynced(folder) => Some(folder),
        }
    }
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The folder could not be made.
    #[error("the data folder {folder} could not be made")]
    Folder {
        /// The folder asked for.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The address could not be listened on.
    #[error("the AWS wire could not listen on {listen}")]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The tables could not be opened.
    #[error("the tables could not be opened")]
    Tables(#[source] dynoxide::DynoxideError),
    /// The queues could not be opened.
    #[error("the queues could not be opened")]
    Queues(#[source] rusqlite::Error),
    /// The log of the tables or queues could not be opened, or not be flushed to the disk.
    #[error("what is stored could not be flushed to the disk")]
    Log(#[source] std::io::Error),
    /// What is past its time to live could not be found.
    #[error("what is past its time to live could not be found")]
    Expiry(#[source] rusqlite::Error),
}

/// What every call reaches: the three services, the clock and the recorder.
pub(crate) struct AwsState {
    pub(crate) dynamodb: DynamoDb,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) secrets: Secrets,
    pub(crate) wire: Wire,
    pub(crate) clock: Clock,
}

impl AwsState {
    fn open(storage: &Storage, clock: Clock, url: &str) -> Result<Self, AwsError> {
        Ok(Self {
            dynamodb: DynamoDb::open(storage, &clock)?,
            sqs: Arc::new(Sqs::open(storage, clock.clone(), url.to_owned())?),
            secrets: Secrets::default(),
            wire: Wire::default(),
            clock,
        })
    }
}

struct Running {
    url: String,
    stopping: watch::Sender<bool>,
    state: Arc<AwsState>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

/// A running server. Clones share it; it stops when the last one is dropped, or by [`Aws::stop`].
#[derive(Clone)]
pub struct Aws {
    running: Arc<Running>,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws")
            .field("url", &self.running.url)
            .finish_non_exhaustive()
    }
}

impl Aws {
    /// Starts the server on `listen` (port 0 picks a free one) and serves until it is stopped. It answers from the
    /// moment this returns. Must be called within a tokio runtime, and lives no longer than that.
    ///
    /// # Errors
    /// When the address is taken, or the data can't be opened.
    pub async fn start(
        listen: SocketAddr,
        storage: Storage,
        clock: Clock,
    ) -> Result<Aws, AwsError> {
        make_folder(&storage)?;
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .map_err(|source| AwsError::Listen { listen, source })?;
        let mut address = listener
            .local_addr()
            .map_err(|source| AwsError::Listen { listen, source })?;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        let url = format!("http://{address}");
        let state = Arc::new(AwsState::open(&storage, clock, &url)?);
        let mut tasks = sqs::resume_move_tasks(&state.sqs);
        tasks.push(tokio::spawn(server::serve(listener, Arc::clone(&state))));
        tasks.push(tokio::spawn(dynamodb::expire_forever(Arc::clone(&state))));
        Ok(Self::running(url, state, tasks))
    }

    /// A server that listens nowhere: [`Aws::call`] is the only way to it. Must be made within a tokio runtime. Nothing
    /// runs in the background but move tasks; items past their time to live stay, as AWS lets them stay for days, until
    /// [`Aws::expire_items`].
    ///
    /// Use it with [`Storage::Memory`] for virtual time: in a folder, the tables' own times are the real clock's, and
    /// calls wait for the disk.
    ///
    /// # Errors
    /// When the data can't be opened.
    pub fn in_process(storage: Storage, clock: Clock) -> Result<Aws, AwsError> {
        make_folder(&storage)?;
        let state = Arc::new(AwsState::open(&storage, clock, IN_PROCESS)?);
        let tasks = sqs::resume_move_tasks(&state.sqs);
        Ok(Self::running(IN_PROCESS.to_owned(), state, tasks))
    }

    fn running(url: String, state: Arc<AwsState>, tasks: Vec<JoinHandle<()>>) -> Self {
        Self {
            running: Arc::new(Running {
                url,
                stopping: watch::Sender::new(false),
                state,
                tasks: Mutex::new(tasks),
            }),
        }
    }

    /// Does what the server does for one HTTP request: the same limits, faults, hooks and records. It is answered on the
    /// task that asks; dropped before its answer, it ends where it waits, like a request whose client has left.
    ///
    /// # Errors
    /// [`Reset`] if a fault cut the connection, or the server was stopped.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Reset> {
        let running = &self.running;
        tokio::select! {
            biased;
            () = until(running.stopping.subscribe()) => Err(Reset),
            answered = server::answer(request.map(Full::new), &running.state) => answered,
        }
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL`, and the base of queue URLs (`{url}/000000000000/{name}`). In
    /// process, `http://aws.invalid`.
    #[must_use]
    pub fn url(&self) -> String {
        self.running.url.clone()
    }

    /// The URL of a queue by its name, whether it exists or not.
    #[must_use]
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.running.url)
    }

    /// Sets what `GetSecretValue` answers for this ARN or name. Kept in memory only, in every [`Storage`].
    pub fn put_secret(&self, arn_or_name: &str, json: &str) {
        self.running
            .state
            .secrets
            .put(arn_or_name, json, self.running.state.clock.now_ms());
    }

    /// The recorder and the faults.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        &self.running.state.wire
    }

    /// A queue's messages, counted without a call on the wire. `None` if there is no such queue.
    #[must_use]
    pub fn queue_depth(&self, name: &str) -> Option<sqs::Depth> {
        self.running.state.sqs.depth(name)
    }

    /// Waits, without a call on the wire, until a message of the queue can be received: for pollers that would otherwise
    /// ask again and again through idle days.
    pub async fn until_due(&self, queue: &str) {
        self.running.state.sqs.until_due(queue).await;
    }

    /// Deletes what is past its time to live now, instead of within the next minutes. Returns how many items went.
    ///
    /// # Errors
    /// When the tables can't be read or written.
    pub fn expire_items(&self) -> Result<usize, AwsError> {
        self.running.state.dynamodb.expire()
    }

    /// Watches which items of a table are written from now on, by its partition key, a string.
    #[must_use]
    pub fn watch(&self, table: &str, key: &str) -> Changes {
        self.running.state.dynamodb.watchers.add(table, key)
    }

    /// What a reading operation of DynamoDB answers, without a call on the wire: nothing is recorded, and no fault met.
    ///
    /// # Errors
    /// When the tables can't be read, or refuse the request.
    pub fn inspect(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        self.running.state.dynamodb.inspect(operation, request)
    }

    /// Whether the disk did not take what was written: from then on, what must be on it is refused until a new start.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.running.state.dynamodb.has_failed() || self.running.state.sqs.has_failed()
    }

    /// How often tables and queues were flushed to the disk.
    #[must_use]
    pub fn flushes(&self) -> u64 {
        self.running.state.dynamodb.flushes() + self.running.state.sqs.flushes()
    }

    /// Stops listening and closes every connection. Calls under way are cut off; what they had stored stays.
    pub async fn stop(&self) {
        self.running.stopping.send_replace(true);
        let tasks = std::mem::take(
            &mut *self
                .running
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            let _ = task.await;
        }
    }
}

fn make_folder(storage: &Storage) -> Result<(), AwsError> {
    let Some(folder) = storage.folder() else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|source| AwsError::Folder {
        folder: folder.to_owned(),
        source,
    })
}
