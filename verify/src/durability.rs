//! Nothing that was accepted is lost, wherever the process is cut off: the real binary, killed again and again under
//! load, while Telegram and WebEngage live on outside of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::future::join_all;
use serde::Serialize;
use serde_json::json;

use local::harness::process::Process;
use local::harness::{ExternalServices, any_port, until};
use local::stack::Data;

const TOKEN: &str = "987654321:AAF-outside-bot-token-0123456789abcd";
const BUYERS: u64 = 8;
/// Purchases of one buyer in one round.
const PURCHASES: u64 = 5;
/// Calls that a death may catch under way.
const UNDER_WAY: usize = 2 * 10;

/// What the rounds came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Durability {
    /// How often the process was killed.
    pub rounds: u64,
    /// Payments that were answered 200.
    pub accepted: usize,
    /// What is missing or twice, each in a sentence; empty if all is well.
    pub broken: Vec<String>,
    /// Links that were made by a process that died, and seen by nobody.
    pub unseen: usize,
    /// How long it took.
    pub seconds: f64,
}

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
        if accepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&transaction)
        {
            continue;
        }
        let body = json!({"userId": format!("u{buyer}"), "transactionId": transaction});
        let Some((status, answer)) = process.buy(&body).await else {
            return;
        };
        // A kill in the middle may show as a 503 as well.
        if status == 200 {
            let id = answer["requestId"].as_str().unwrap_or_default().to_owned();
            accepted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(transaction, id);
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Kills the local stack `rounds` times in the middle of its work, starts it again on the same folder, and looks what is left
/// of what was accepted.
///
/// # Errors
/// If there is no folder, or the local stack does not start.
pub async fn run(rounds: u64) -> anyhow::Result<Durability> {
    let began = Instant::now();
    let externals = ExternalServices::start(TOKEN, "outside-webengage-key").await;
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_str().unwrap_or_default();
    let mut env = externals.env();
    env.extend([("SAFE_RPS_SLEEP_MS", "34"), ("BASE_BACKOFF_SEC", "1")]);
    let accepted = Accepted::default();
    let mut keys = Vec::new();
    for round in 0..rounds {
        let mut process = Process::start(&["--data-dir", path], &env).await;
        keys.push(process.env["API_KEYS"].clone());
        // The end comes in the middle of the shops' calls, of the worker's, or of the deliveries.
        let count = AtomicU64::new(0);
        let seen = || match round % 3 {
            0 => count.load(Ordering::SeqCst),
            1 => externals.telegram.count("createChatInviteLink"),
            _ => externals.webengage.attempt_count(),
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
    let accepted = accepted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut broken = Vec::new();
    if keys.iter().any(|key| *key != keys[0]) {
        broken.push("the keys changed with a restart".to_owned());
    }

    // The same folder in this process, where the clock can be turned over what the killed ones had in hand.
    let env = [("SAFE_RPS_SLEEP_MS", "34")];
    let data = Data::Folder(folder.path().to_owned());
    let stack = externals.stack(any_port(), data, &env).await?;
    stack.run_until_idle().await;
    let events = externals.webengage.ingested();
    let mut links = BTreeSet::new();
    for (transaction, id) in &accepted {
        let status = stack.shop().status(id).await;
        if status["status"] != "DONE" || status["linkEventFired"] != true {
            broken.push(format!("{transaction} was accepted and is {status}"));
            continue;
        }
        let delivered: Vec<_> = events
            .iter()
            .filter(|event| event.body["eventData"]["transactionId"] == transaction.as_str())
            .collect();
        if delivered.len() != 1
            || delivered[0].body["eventData"]["inviteLink"] != status["inviteLink"]
        {
            broken.push(format!("{transaction} is told {} times", delivered.len()));
        }
        let user = status["userId"].as_str().unwrap_or_default();
        let again = stack.shop().buy(user, transaction).await;
        if again.body["requestId"] != id.as_str()
            || again.body["inviteLink"] != status["inviteLink"]
        {
            broken.push(format!("{transaction} repeated is {}", again.body));
        }
        links.insert(status["inviteLink"].as_str().unwrap_or_default().to_owned());
    }
    if links.len() != accepted.len() {
        broken.push("two payments have one link".to_owned());
    }
    // Links that were made and not handed out, which nobody was told of: at most those in hand at each death.
    let names: BTreeSet<String> = accepted.values().map(|id| id.replace('-', "")).collect();
    let made = externals.telegram.links();
    let of_accepted = made
        .iter()
        .filter(|link| names.contains(link.name.as_deref().unwrap_or_default()))
        .count();
    let unseen = of_accepted.saturating_sub(links.len());
    if unseen > UNDER_WAY * usize::try_from(rounds)? {
        broken.push(format!("{unseen} links were made for nobody"));
    }
    Ok(Durability {
        rounds,
        accepted: accepted.len(),
        broken,
        unseen,
        seconds: began.elapsed().as_secs_f64(),
    })
}
