//! One execution environment: the process, and the calls on it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::process;
use super::runtime_api::{FunctionFault, FunctionOutcome, Invocation, Progress, RuntimeApi};
use crate::clock::Clock;

/// Lambda gives a function this long to ask for its first event.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// How long a dead process's pipes are drained for its last lines.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// The environment could not be set up; no process runs.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No loopback port could be opened for the runtime API.
    #[error("cannot open a port for the runtime API")]
    Listen(#[source] io::Error),
    /// The binary could not be started.
    #[error("cannot start {binary}")]
    Start {
        /// The binary as it was given.
        binary: String,
        /// What the system said.
        source: io::Error,
    },
}

/// The function did not get as far as asking for an event.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The process ended first: it refused to start, or crashed. Its last lines are in [`Function::logs`].
    #[error("the function ended before it was ready ({0})")]
    Exited(ExitStatus),
    /// The function reported the error itself.
    #[error("the function reported that it cannot start")]
    Reported(#[source] FunctionFault),
    /// Lambda's ten seconds for init went by; the process was killed.
    #[error("the function was not ready within {}s", INIT_LIMIT.as_secs())]
    TimedOut,
}

/// An invocation that brought no response.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The event was never handed over.
    #[error("the function did not start")]
    Init(#[from] InitError),
    /// The handler answered with an error; the environment can go on.
    #[error("the function failed")]
    Function(#[source] FunctionFault),
    /// The process ended, before this event or with it in hand. What the event did is unknown.
    #[error("the function crashed ({0})")]
    Crashed(ExitStatus),
    /// The function's time-out went by; the process was killed. What the event did is unknown.
    #[error("the function timed out after {0:?}")]
    TimedOut(Duration),
}

/// One running function. Dropping it kills the process.
#[derive(Debug)]
pub struct Function {
    pid: u32,
    timeout: Duration,
    queue: tokio::sync::Mutex<mpsc::Sender<Invocation>>,
    progress: watch::Receiver<Progress>,
    logs: Logs,
    kill: mpsc::Sender<()>,
    _tasks: JoinSet<()>,
}

type Logs = Arc<Mutex<Vec<String>>>;

impl Function {
    /// Starts `binary` with Lambda's reserved variables and `env`, and nothing of this process's own environment.
    /// `env` wins over the reserved variables, except for the address of the runtime API. `timeout` is the
    /// function's, per event. Returns once the process runs; [`ready`](Self::ready) says when it can work.
    pub async fn spawn<K, V>(
        binary: impl AsRef<Path>,
        env: impl IntoIterator<Item = (K, V)>,
        timeout: Duration,
    ) -> Result<Self, SpawnError>
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let binary = binary.as_ref();
        let name = function_name(binary);
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(SpawnError::Listen)?;
        let address = listener.local_addr().map_err(SpawnError::Listen)?;

        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(reserved_env(&name, binary))
            .envs(env)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);

        let (queue, queued) = mpsc::channel(1);
        let (report, progress) = watch::channel(Progress::default());
        let (kill, killed) = mpsc::channel(1);
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
        let api = RuntimeApi::new(arn, queued, report.clone());
        let mut child = command.spawn().map_err(|source| SpawnError::Start {
            binary: binary.display().to_string(),
            source,
        })?;
        // `id` is only absent once the child was awaited, which nothing has done yet.
        let pid = child.id().unwrap_or_default();

        let logs = Logs::default();
        let readers = [
            child
                .stdout
                .take()
                .map(|out| tokio::spawn(collect_lines(out, Arc::clone(&logs)))),
            child
                .stderr
                .take()
                .map(|err| tokio::spawn(collect_lines(err, Arc::clone(&logs)))),
        ];
        let mut tasks = JoinSet::new();
        // Without this the kernel may hold back a small write for tens of milliseconds, which would be measured.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        tasks.spawn(async move {
            let _ = axum::serve(listener, api.router()).await;
        });
        tasks.spawn(watch_process(
            child,
            killed,
            readers.into_iter().flatten().collect(),
            report,
        ));

        Ok(Self {
            pid,
            timeout,
            queue: tokio::sync::Mutex::new(queue),
            progress,
            logs,
            kill,
            _tasks: tasks,
        })
    }

    /// Waits until the function first asks for an event. Returns the time from spawn to then, the same however often
    /// it is asked and even if the process has ended since.
    pub async fn ready(&self) -> Result<Duration, InitError> {
        let mut progress = self.progress.clone();
        let settled = |now: &Progress| {
            now.ready_after.is_some() || now.init_fault.is_some() || now.exit.is_some()
        };
        let waited = tokio::time::timeout(INIT_LIMIT, progress.wait_for(settled)).await;
        // A copy at once: the lock of the original may not be held over what is waited for below.
        let now = match waited.map(|now| now.map(|now| now.clone())) {
            Ok(Ok(now)) => now,
            // A closed channel means that the runtime is shutting down, and this task with it.
            Ok(Err(_)) | Err(_) => {
                self.kill().await;
                return Err(InitError::TimedOut);
            }
        };
        match now {
            Progress {
                ready_after: Some(after),
                ..
            } => Ok(after),
            Progress {
                init_fault: Some(fault),
                ..
            } => Err(InitError::Reported(fault)),
            Progress {
                exit: Some(status), ..
            } => Err(InitError::Exited(status)),
            Progress { .. } => Err(InitError::TimedOut),
        }
    }

    /// Hands one event to the function and waits for its answer. Calls from several tasks take turns, since an
    /// environment works on one event at a time; the time-out counts from the event's turn.
    ///
    /// After [`InvokeError::Crashed`] and [`InvokeError::TimedOut`] the environment is over.
    pub async fn invoke(&self, payload: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        self.ready().await?;
        let queue = self.queue.lock().await;
        let (answer, answered) = oneshot::channel::<FunctionOutcome>();
        let timeout_ms = i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX);
        let invocation = Invocation {
            request_id: crate::random::uuid().to_string(),
            deadline_ms: Clock::new().now_ms().saturating_add(timeout_ms),
            payload,
            answer,
        };
        // A queue that no one reads any more is noticed below, as an exit.
        let _ = queue.send(invocation).await;
        let mut progress = self.progress.clone();
        let outcome = tokio::time::timeout(self.timeout, async {
            tokio::select! {
                // An answer counts even if the process ended right behind it.
                biased;
                Ok(outcome) = answered => outcome.map_err(InvokeError::Function),
                status = exit_status(&mut progress) => Err(InvokeError::Crashed(status)),
            }
        });
        match outcome.await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.kill().await;
                Err(InvokeError::TimedOut(self.timeout))
            }
        }
    }

    /// The process's id, also after its end.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Kills the process as a power cut would (SIGKILL) and waits until it is gone. Killing a dead one does nothing.
    pub async fn kill(&self) -> ExitStatus {
        // A full channel holds a kill already; a closed one means that the process has ended.
        let _ = self.kill.try_send(());
        self.exited().await
    }

    /// Waits until the process ends by itself or is killed. All its log lines are in [`logs`](Self::logs) by then.
    pub async fn exited(&self) -> ExitStatus {
        exit_status(&mut self.progress.clone()).await
    }

    /// The most memory that the process has held so far, in KiB. An error once the process has ended.
    pub fn peak_rss_kb(&self) -> io::Result<u64> {
        process::peak_rss_kb(self.pid)
    }

    /// Processor time used so far, user and system, in milliseconds, counted by the kernel in steps of ten: measure
    /// over many invocations. An error once the process has ended.
    pub fn cpu_ms(&self) -> io::Result<u64> {
        process::cpu_ms(self.pid)
    }

    /// What the function has written so far, standard output and error in one list as CloudWatch has them, a line each.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn exit_status(progress: &mut watch::Receiver<Progress>) -> ExitStatus {
    let exit = match progress.wait_for(|now| now.exit.is_some()).await {
        Ok(now) => now.exit,
        Err(_) => None,
    };
    match exit {
        Some(status) => status,
        // The watching task is gone, so the runtime is shutting down: there is nothing left to wait for.
        None => std::future::pending().await,
    }
}

/// Waits for the process's end, or brings it about, and reports it when its last lines are in.
async fn watch_process(
    mut child: Child,
    mut killed: mpsc::Receiver<()>,
    readers: Vec<JoinHandle<()>>,
    report: watch::Sender<Progress>,
) {
    let status = tokio::select! {
        biased;
        status = child.wait() => status,
        _ = killed.recv() => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    // A process that the function left behind may hold the pipes open: don't wait for it for ever.
    let drain = async {
        for reader in readers {
            let _ = reader.await;
        }
    };
    let _ = tokio::time::timeout(DRAIN_LIMIT, drain).await;
    match status {
        Ok(status) => report.send_modify(|progress| progress.exit = Some(status)),
        Err(error) => tracing::error!(%error, "lost sight of a function's process"),
    }
}

async fn collect_lines(pipe: impl AsyncRead + Unpin, logs: Logs) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while let Ok(1..) = pipe.read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line)
            .trim_end_matches(['\r', '\n'])
            .to_owned();
        logs.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
        line.clear();
    }
}

/// `cargo lambda` calls every binary `bootstrap` and its folder by the function's name.
fn function_name(binary: &Path) -> String {
    let folder = || binary.parent().and_then(Path::file_name);
    let name = match binary.file_stem() {
        Some(stem) if stem == "bootstrap" => folder().unwrap_or(stem),
        Some(stem) => stem,
        None => OsStr::new("function"),
    };
    name.to_string_lossy().into_owned()
}

/// The variables that Lambda sets itself, with credentials that only a simulated AWS accepts.
fn reserved_env(name: &str, binary: &Path) -> Vec<(&'static str, OsString)> {
    let task_root = binary.parent().unwrap_or(Path::new("/var/task"));
    vec![
        ("_HANDLER", "bootstrap".into()),
        ("AWS_ACCESS_KEY_ID", "ASIAEMULATED00000000".into()),
        ("AWS_DEFAULT_REGION", "us-east-1".into()),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".into()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.into()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".into()),
        (
            "AWS_LAMBDA_LOG_GROUP_NAME",
            format!("/aws/lambda/{name}").into(),
        ),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO".into()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "emulated".into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_SECRET_ACCESS_KEY", "emulated".into()),
        ("AWS_SESSION_TOKEN", "emulated".into()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".into()),
        ("LAMBDA_TASK_ROOT", task_root.into()),
        ("LANG", "en_US.UTF-8".into()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".into()),
        ("TZ", ":UTC".into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_function_is_called_after_its_folder() {
        assert_eq!(
            function_name(Path::new("target/lambda/worker/bootstrap")),
            "worker"
        );
        assert_eq!(function_name(Path::new("target/release/worker")), "worker");
        assert_eq!(function_name(Path::new("stub.sh")), "stub");
    }
}
