//! The local stack's own binary as a process of its own, to be killed.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a tool of tests")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::until;

type Lines = Arc<Mutex<Vec<String>>>;

/// A running local stack; dropped, it is killed.
pub struct Process {
    child: Child,
    /// The environment that it prints for its functions.
    pub env: HashMap<String, String>,
    /// Where its API is.
    pub url: String,
    lines: Lines,
    http: reqwest::Client,
}

/// Waits until a line holds these words.
async fn said(lines: &Lines, words: &str) {
    until(words, async || {
        let lines = lines.lock().unwrap();
        lines.iter().any(|line| line.contains(words)).then_some(())
    })
    .await;
}

impl Process {
    /// Starts it on free ports and waits until it serves.
    ///
    /// # Panics
    /// If it does not serve within a minute.
    pub async fn start(arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let (child, lines) = Self::spawn(arguments, env);
        Self::serving(child, lines).await
    }

    /// Starts it, does something once it has said these words, and waits until it serves.
    ///
    /// # Panics
    /// If it does not say them, or does not serve after that, within a minute.
    pub async fn start_and_meanwhile<T>(
        arguments: &[&str],
        words: &str,
        meanwhile: impl AsyncFnOnce() -> T,
    ) -> (Self, T) {
        let (child, lines) = Self::spawn(arguments, &[]);
        said(&lines, words).await;
        let done = meanwhile().await;
        (Self::serving(child, lines).await, done)
    }

    fn spawn(arguments: &[&str], env: &[(&str, &str)]) -> (Child, Lines) {
        let mut child = Command::new(program())
            .args(["--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"])
            .arg("--print-env")
            .args(arguments)
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = Lines::default();
        collect(child.stdout.take().unwrap(), Arc::clone(&lines));
        collect(child.stderr.take().unwrap(), Arc::clone(&lines));
        (child, lines)
    }

    async fn serving(child: Child, lines: Lines) -> Self {
        // The last line of the environment.
        let last = "export AWS_ENDPOINT_URL=";
        let printed = until("the local stack's environment", async || {
            let lines = lines.lock().unwrap();
            let is_whole = lines.iter().any(|line| line.starts_with(last));
            is_whole.then(|| lines.clone())
        })
        .await;
        let env: HashMap<_, _> = printed
            .iter()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        let ready = printed.iter().find(|line| is_ready_line(line)).unwrap();
        let url = ready.split("http=").nth(1).unwrap();
        let url = url.split(' ').next().unwrap().to_owned();
        let http = runtime::http::client(std::time::Duration::from_secs(10)).unwrap();
        Self {
            child,
            env,
            url,
            lines,
            http,
        }
    }

    /// Its id.
    ///
    /// # Panics
    /// If it is gone.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// What it has written so far, but for what `--print-env` is for.
    ///
    /// # Panics
    /// Never: the lines are not locked while anything panics.
    #[must_use]
    pub fn written(&self) -> Vec<String> {
        let mut lines = self.lines.lock().unwrap().clone();
        lines.retain(|line| !is_ready_line(line) && !line.starts_with("export "));
        lines
    }

    /// Waits until a line holds these words.
    ///
    /// # Panics
    /// If none does within a minute.
    pub async fn says(&self, words: &str) {
        said(&self.lines, words).await;
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    ///
    /// # Panics
    /// If it was gone.
    pub async fn kill(&mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        let ended = tokio::time::timeout(std::time::Duration::from_secs(30), self.child.wait());
        ended.await.expect("it ends").unwrap()
    }

    /// A call with one header; nothing if it was not answered.
    pub async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        header: (&str, &str),
        body: String,
    ) -> Option<(u16, Value)> {
        let call = self.http.request(method, format!("{}{path}", self.url));
        let answer = call.header(header.0, header.1).body(body).send().await;
        let answer = answer.ok()?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// One purchase with a shop's key; nothing if it was not answered.
    pub async fn buy(&self, body: &Value) -> Option<(u16, Value)> {
        let key = ("x-api-key", self.env["API_KEYS"].as_str());
        let path = "/v1/invite/request";
        self.call(reqwest::Method::POST, path, key, body.to_string())
            .await
    }

    /// Where a request stands.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn status(&self, request_id: &str) -> Value {
        let key = ("x-api-key", self.env["API_KEYS"].as_str());
        let path = format!("/v1/invite/{request_id}");
        let answer = self
            .call(reqwest::Method::GET, &path, key, String::new())
            .await;
        answer.unwrap().1
    }
}

/// The program: it lies beside this one, or beside the folder of the test that this one is.
fn program() -> PathBuf {
    let this = std::env::current_exe().expect("a path of this program");
    let name = format!("local{}", std::env::consts::EXE_SUFFIX);
    let beside = this.ancestors().skip(1).take(2);
    beside
        .map(|folder| folder.join(&name))
        .find(|program| program.exists())
        .expect("the program `local` beside this one; `cargo build -p local`, in the same profile, makes it")
}

fn is_ready_line(line: &str) -> bool {
    line.starts_with("ADMIT_ONE_READY ")
}

fn collect(pipe: impl AsyncRead + Send + Unpin + 'static, lines: Lines) {
    tokio::spawn(async move {
        let mut from = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = from.next_line().await {
            lines.lock().unwrap().push(line);
        }
    });
}
