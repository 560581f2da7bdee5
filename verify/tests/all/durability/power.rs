//! A power cut: a disk that keeps what was flushed to it and nothing else, under the real binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use futures_util::future::join_all;
use local::harness::process::Process;
use local::harness::until;
use serde_json::json;
use tempfile::TempDir;

const BUYERS: usize = 8;
/// How many payments are answered before the cut.
const ENOUGH: usize = 60;

/// The disk: a library to preload, the folder as the process sees it, and what would be left of that.
struct Disk {
    library: PathBuf,
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/durability/disk.c");
        // Whoever built SQLite has a compiler.
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(&library)
            .arg(source)
            .status();
        assert!(built.unwrap().success(), "disk.c compiles");
        for part in ["data", "kept"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        Self { library, folder }
    }

    fn part(&self, name: &str) -> String {
        let path = self.folder.path().canonicalize().unwrap().join(name);
        path.to_str().unwrap().to_owned()
    }

    async fn start(&self, flags: &[&str]) -> Process {
        let (data, kept) = (self.part("data"), self.part("kept"));
        let env = [
            ("LD_PRELOAD", self.library.to_str().unwrap()),
            ("DISK_DATA", &data),
            ("DISK_KEPT", &kept),
        ];
        Process::start(&[&["--data-dir", &data], flags].concat(), &env).await
    }

    /// The folder as it is after the power came back: the names that were flushed, each with the content that was.
    fn after_the_cut(&self) -> String {
        let (kept, left) = (self.part("kept"), self.part("left"));
        fs::create_dir(&left).unwrap();
        let names = fs::read_to_string(Path::new(&kept).join("names")).unwrap_or_default();
        for (inode, name) in names.lines().filter_map(|line| line.split_once(' ')) {
            if name == "." || name == ".." {
                continue;
            }
            let content = fs::read(Path::new(&kept).join(inode)).unwrap_or_default();
            fs::write(Path::new(&left).join(name), content).unwrap();
        }
        left
    }
}

/// Buys until enough is answered, and cuts the power in the middle of the rest; what was answered 200, by payment.
async fn sell(process: &mut Process) -> BTreeMap<String, String> {
    let accepted = Mutex::<BTreeMap<String, String>>::default();
    {
        let process = &*process;
        let buyers = (0..BUYERS).map(async |buyer| {
            for n in 0.. {
                let payment = format!("T-{buyer}-{n}");
                let body = json!({"userId": format!("u{buyer}"), "transactionId": payment});
                let (status, answer) = process.buy(&body).await.unwrap();
                assert_eq!(status, 200, "{answer}");
                let id = answer["requestId"].as_str().unwrap().to_owned();
                accepted.lock().unwrap().insert(payment, id);
            }
        });
        let enough = until("payments", async || {
            (accepted.lock().unwrap().len() >= ENOUGH).then_some(())
        });
        tokio::select! {
            _ = join_all(buyers) => {}
            () = enough => {}
        }
    }
    process.kill().await;
    accepted.into_inner().unwrap()
}

/// How many of these are not there any more.
async fn lost(process: &Process, accepted: &BTreeMap<String, String>) -> usize {
    let statuses = join_all(accepted.values().map(|id| process.status(id))).await;
    statuses
        .iter()
        .filter(|status| status["code"] == "not_found")
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_takes_nothing_that_was_answered_200() {
    let disk = Disk::new();
    let mut process = disk.start(&[]).await;
    let accepted = sell(&mut process).await;
    assert!(accepted.len() >= ENOUGH);
    let left = disk.after_the_cut();
    let process = Process::start(&["--data-dir", &left], &[]).await;
    assert_eq!(lost(&process, &accepted).await, 0);
    // Nor is the work: what was in the workers' hands is shown again after its time.
    let key = ("x-api-key", process.env["API_KEYS"].as_str());
    let turned = process
        .call(
            reqwest::Method::POST,
            "/local/actions/advance-clock",
            key,
            json!({"seconds": 400}).to_string(),
        )
        .await;
    assert_eq!(turned.unwrap().0, 200);
    until("all links", async || {
        let statuses = join_all(accepted.values().map(|id| process.status(id))).await;
        let is_done = statuses.iter().all(|status| status["status"] == "DONE");
        is_done.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_flushes_a_power_cut_takes_payments_as_the_flag_says() {
    let disk = Disk::new();
    let mut process = disk.start(&["--fsync", "never"]).await;
    let accepted = sell(&mut process).await;
    let left = disk.after_the_cut();
    let process = Process::start(&["--data-dir", &left], &[]).await;
    // Were it none, this disk would show nothing.
    assert!(lost(&process, &accepted).await > 0);
}
