//! Nothing that was accepted is lost, wherever the process is cut off: the real binary, killed again and again under
//! load, while Telegram and WebEngage live on outside of it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use local::bundle::Data;
use local::harness::{Outside, any_port, until};
use serde_json::json;
use simulators::telegram::Tap;

use crate::process::Process;

const TOKEN: &str = "987654321:AAF-outside-bot-token-0123456789abcd";
const ROUNDS: u64 = 8;
const BUYERS: u64 = 8;
/// Purchases of one buyer in one round.
const PURCHASES: u64 = 5;

/// What each payment that was answered 200 was told.
type Accepted = Arc<Mutex<BTreeMap<String, String>>>;

/// Buys until the process is gone. A payment that was not answered is tried again in the next round, as shops do.
async fn buy_all(
    process: &Process,
    buyer: u64,
    round: u64,
    accepted: &Accepted,
    count: &AtomicU64,
) {
    for purchase in 0..(round + 1) * PURCHASES {
        let transaction = format!("T-{buyer}-{purchase}");
        if accepted.lock().unwrap().contains_key(&transaction) {
            continue;
        }
        let body = json!({"userId": format!("u{buyer}"), "transactionId": transaction});
        let Some((status, answer)) = process.buy(&body).await else {
            return;
        };
        // A kill in the middle may show as a 503 as well.
        if status == 200 {
            let id = answer["requestId"].as_str().unwrap().to_owned();
            accepted.lock().unwrap().insert(transaction, id);
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_under_load_it_loses_nothing_that_it_accepted() {
    let outside = Outside::start(TOKEN, "outside-webengage-key").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut env = outside.env();
    env.extend([("SAFE_RPS_SLEEP_MS", "34"), ("BASE_BACKOFF_SEC", "1")]);
    let accepted = Accepted::default();
    let mut keys = Vec::new();
    for round in 0..ROUNDS {
        let mut process = Process::start(&["--data-dir", path], &env).await;
        keys.push(process.env["API_KEYS"].clone());
        // The end comes in the middle of the shops' calls, of the worker's, or of the deliveries.
        let count = AtomicU64::new(0);
        let seen = || match round % 3 {
            0 => count.load(Ordering::SeqCst),
            1 => outside.telegram.count("createChatInviteLink"),
            _ => outside.webengage.attempt_count(),
        };
        let fatal = seen() + fastrand::u64(1..15);
        let shopping = async {
            let buyers = (0..BUYERS).map(|n| buy_all(&process, n, round, &accepted, &count));
            join_all(buyers).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = shopping => {}
            () = until("the moment to die", async || (seen() >= fatal).then_some(())) => {}
        }
        process.kill().await;
    }
    let accepted = accepted.lock().unwrap().clone();
    assert!(accepted.len() >= 20, "only {} accepted", accepted.len());
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");

    // The same folder in this process, where the clock can be turned over what the killed ones had in hand.
    let env = [("SAFE_RPS_SLEEP_MS", "34")];
    let data = Data::Folder(folder.path().to_owned());
    let bundle = outside.bundle(any_port(), data, &env).await.unwrap();
    assert_eq!(bundle.bundle.api_key(), keys[0]);
    bundle.settle().await;
    let events = outside.webengage.ingested();
    let mut links = Vec::new();
    for (transaction, id) in &accepted {
        let status = bundle.status(id).await;
        assert_eq!(
            (&status["status"], &status["linkEventFired"]),
            (&json!("DONE"), &json!(true)),
            "{transaction}: {status}"
        );
        let link = status["inviteLink"].as_str().unwrap();
        let told: Vec<_> = events
            .iter()
            .filter(|event| event.body["eventData"]["transactionId"] == transaction.as_str())
            .collect();
        assert_eq!(told.len(), 1, "{transaction} is told {} times", told.len());
        assert_eq!(told[0].body["eventData"]["inviteLink"], link);
        let again = bundle
            .buy(status["userId"].as_str().unwrap(), transaction)
            .await;
        assert_eq!(
            (again.request_id(), &again.body["inviteLink"]),
            (id.clone(), &json!(link))
        );
        links.push(link.to_owned());
    }
    links.sort_unstable();
    links.dedup();
    assert_eq!(links.len(), accepted.len(), "each has a link of its own");
    // Links that were made and not handed out, which nobody was told of: at most those in hand at each death.
    let made = outside.telegram.links();
    let of_accepted = made.iter().filter(|link| {
        let name = link.name.as_deref().unwrap_or_default();
        accepted.values().any(|id| id.replace('-', "") == name)
    });
    let orphans = of_accepted.count() - links.len();
    assert!(
        orphans <= 2 * 10 * usize::try_from(ROUNDS).unwrap(),
        "{orphans}"
    );
    assert_eq!(bundle.tap(&links[0], 77), Tap::Joined);
    until("the join's event", async || {
        (outside.webengage.ingested().len() > events.len()).then_some(())
    })
    .await;
    bundle.settle().await;
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
