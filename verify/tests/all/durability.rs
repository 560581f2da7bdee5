//! Nothing that was accepted is lost, wherever the process is cut off.

#[cfg(target_os = "linux")]
mod power;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use local::harness::process::Process;
use serde_json::json;
use verify::durability;

const ROUNDS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_under_load_it_loses_nothing_that_it_accepted() {
    let found = durability::run(ROUNDS).await.unwrap();
    assert!(found.accepted >= 20, "only {} accepted", found.accepted);
    assert_eq!(found.broken, Vec::<String>::new());
}

fn keys_file(folder: &Path) -> (Vec<u8>, u32) {
    let file = folder.join("keys.json");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    (std::fs::read(file).unwrap(), mode & 0o777)
}

#[tokio::test]
async fn a_restart_keeps_the_keys_which_only_their_owner_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", folder.path().to_str().unwrap()];
    let mut process = Process::start(&arguments, &[]).await;
    let names = ["API_KEYS", "TELEGRAM_WEBHOOK_SECRET"];
    let first = names.map(|name| process.env[name].clone());
    let (file, mode) = keys_file(folder.path());
    assert_eq!(mode, 0o600);
    let body = json!({"userId": "u1", "transactionId": "T1"});
    let (_, bought) = process.buy(&body).await.unwrap();
    process.kill().await;
    let mut process = Process::start(&arguments, &[]).await;
    assert_eq!(names.map(|name| process.env[name].clone()), first);
    assert_eq!(keys_file(folder.path()), (file, 0o600));
    let (status, again) = process.buy(&body).await.unwrap();
    assert_eq!((status, &again["duplicate"]), (200, &json!(true)));
    assert_eq!(again["requestId"], bought["requestId"]);
    process.kill().await;
    // Keys that are given are used, and those of the folder kept for another time.
    let given = Process::start(&arguments, &[("API_KEYS", "given-key")]).await;
    assert_eq!(given.env["API_KEYS"], "given-key");
    assert_eq!(given.buy(&body).await.unwrap().0, 200);
}
