//! One machine as a service: how it starts, says how it is, and ends.

use std::time::{Duration, Instant};

use local::alarms;
use local::harness::process::Process;
use local::harness::{ExternalServices, TestStack, any_port, until};
use local::stack::Data;
use serde_json::{Value, json};
use setup::check::CheckStatus;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{self, Fault, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TOKEN: &str = "987654321:AAF-outside-bot-token-0123456789abcd";

fn signal(process: &Process, name: &str) {
    let sent = std::process::Command::new("kill")
        .args(["-s", name, &process.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[tokio::test]
async fn healthz_needs_no_key_and_says_whether_the_stores_answer() {
    let stack = TestStack::start().await;
    let healthy = stack.get("/healthz", &[]).await;
    assert_eq!((healthy.status, healthy.body), (200, json!({"ok": true})));
    for (service, operation) in [
        (Service::DynamoDb, "GetItem"),
        (Service::Sqs, "GetQueueAttributes"),
    ] {
        let rule = FaultRule::new(WireFault::InternalError).on(service, operation);
        stack.aws().wire().fail(rule.always());
        let ill = until("an ill answer", async || {
            let answer = stack.get("/healthz", &[]).await;
            (answer.status != 200).then_some(answer)
        })
        .await;
        assert_eq!(ill.refusal(), (503, "unavailable"), "{operation}");
        stack.aws().wire().clear_faults();
        until("health", async || {
            (stack.get("/healthz", &[]).await.status == 200).then_some(())
        })
        .await;
    }
    // Whoever asks how often: the stores are asked once a second.
    let before = stack.aws().wire().count(Service::Sqs, "GetQueueAttributes");
    let began = Instant::now();
    for _ in 0..50 {
        stack.get("/healthz", &[]).await;
    }
    let asked = stack.aws().wire().count(Service::Sqs, "GetQueueAttributes") - before;
    assert!(asked <= 2 + began.elapsed().as_secs(), "{asked}");
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way_takes_nothing_more_and_is_quick() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", folder.path().to_str().unwrap()];
    let mut process = Process::start(&arguments, &[]).await;
    let address = process.url.strip_prefix("http://").unwrap().to_owned();
    let body = json!({"userId": "u1", "transactionId": "T1"}).to_string();
    // A request whose body is still coming, and a connection that is idle.
    let mut under_way = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /v1/invite/request HTTP/1.1\r\nhost: h\r\nx-api-key: {}\r\ncontent-length: {}\r\n\r\n",
        process.env["API_KEYS"],
        body.len()
    );
    under_way.write_all(head.as_bytes()).await.unwrap();
    under_way.write_all(&body.as_bytes()[..5]).await.unwrap();
    let mut idle = TcpStream::connect(&address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 16];
    idle.read_exact(&mut some).await.unwrap();
    signal(&process, "TERM");
    let began = Instant::now();
    until("a port that takes nobody", async || {
        TcpStream::connect(&address).await.is_err().then_some(())
    })
    .await;
    under_way.write_all(&body.as_bytes()[5..]).await.unwrap();
    let mut answer = String::new();
    under_way.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    let ended = process.ended().await;
    assert!(ended.success(), "{ended}");
    assert!(began.elapsed() < Duration::from_secs(10));
    let process = Process::start(&arguments, &[]).await;
    let (_, again) = process
        .buy(&json!({"userId": "u1", "transactionId": "T1"}))
        .await
        .unwrap();
    assert_eq!(again["duplicate"], true);
}

#[tokio::test]
async fn a_stop_amid_a_backlog_begins_no_call_and_ends_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", folder.path().to_str().unwrap()];
    let mut process = Process::start(&arguments, &[]).await;
    let buy = |n: usize| json!({"userId": format!("u{n}"), "transactionId": format!("T{n}")});
    let mut ids = Vec::new();
    for n in 0..60 {
        let (status, body) = process.buy(&buy(n)).await.unwrap();
        assert_eq!(status, 200);
        ids.push(body["requestId"].as_str().unwrap().to_owned());
    }
    signal(&process, "TERM");
    let began = Instant::now();
    let ended = process.ended().await;
    assert!(ended.success(), "{ended}");
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        process.written(),
        Vec::<String>::new(),
        "nothing was cut off"
    );
    let process = Process::start(&arguments, &[]).await;
    until("the rest", async || {
        let waiting = process.status(ids.last()?).await["status"] != "DONE";
        (!waiting).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_key_that_was_given_is_not_printed() {
    let made_up = TestStack::start().await;
    let words = local::banner::words(&made_up.local);
    assert!(words.contains(made_up.local.api_key()));
    let given = "a-shops-own-key-0123456789";
    let stack = TestStack::with(&[("API_KEYS", given)]).await;
    let words = local::banner::words(&stack.local);
    assert!(!words.contains(given), "{words}");
    assert!(words.contains("-H \"x-api-key: $API_KEY\""), "{words}");
}

#[tokio::test]
async fn the_printed_commands_sell_where_payments_are_simulated() {
    let stack = TestStack::with(&[("PAYMENTS_MODE", "test")]).await;
    let words = local::banner::words(&stack.local);
    let bodies: Vec<serde_json::Value> = words
        .lines()
        .filter_map(|line| line.split("-d '").nth(1)?.strip_suffix('\''))
        .map(|body| serde_json::from_str(body).unwrap())
        .collect();
    let [_, product, order] = &bodies[..] else {
        panic!("{words}");
    };
    assert!(words.contains("PUT") && words.contains("/v1/admin/products/club"));
    stack.operator().put_product("club", product).await.done();
    let made = stack.shop().checkout(order, "K1").await.done();
    let page = made["payUrl"].as_str().unwrap();
    assert!(page.starts_with("http://127.0.0.1:"), "{page}");
    let own = TestStack::with(&[
        ("PAYMENTS_MODE", "test"),
        ("ADMIN_KEYS", "me:an-own-key-0123456789"),
    ])
    .await;
    let words = local::banner::words(&own.local);
    assert!(!words.contains("an-own-key"), "{words}");
}

#[tokio::test]
async fn a_folder_in_use_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", folder.path().to_str().unwrap()];
    let mut first = Process::start(&arguments, &[]).await;
    let keys = first.env["API_KEYS"].clone();
    let stop = async || {
        signal(&first, "TERM");
        first.ended().await
    };
    let words = "waiting for it to end";
    let (second, ended) = Process::start_and_meanwhile(&arguments, words, stop).await;
    assert!(ended.success());
    assert_eq!(second.env["API_KEYS"], keys);
}

#[tokio::test]
async fn a_wrong_chat_and_ignored_settings_are_told_at_the_start() {
    let externals = ExternalServices::start(TOKEN, "outside-webengage-key").await;
    let mut env = externals.env();
    env.retain(|(name, _)| *name != "TELEGRAM_CHAT_ID" && *name != "WEBENGAGE_API_KEY");
    env.push(("TELEGRAM_CHAT_ID", "-1009999999999"));
    let process = Process::start(&["--ephemeral"], &env).await;
    for words in [
        "chat not found: add the bot to the chat as an administrator, and check TELEGRAM_CHAT_ID",
        "WebEngage: SIMULATED, though the rest is real",
        "WEBENGAGE_LICENSE_CODE: ignored: it takes effect together with WEBENGAGE_API_KEY",
    ] {
        process.says(words).await;
    }
    assert!(!process.written().concat().contains("AAF-outside"));
    // A list of levels is taken as it is meant.
    let process = Process::start(&["--ephemeral"], &[("RUST_LOG", "warn,local=info")]).await;
    process
        .says("keys: the shop's and the operator's are made up for this run")
        .await;
}

#[tokio::test]
async fn a_public_chat_is_warned_of() {
    let stack = TestStack::start().await;
    let checks = stack.local.examine().await;
    assert!(
        checks.iter().all(|check| check.status == CheckStatus::Ok),
        "{checks:#?}"
    );
    stack.telegram.set_chat_username(stack.chat_id, "club");
    let checks = stack.local.examine().await;
    let wrong: Vec<_> = checks
        .iter()
        .filter(|check| check.status != CheckStatus::Ok)
        .collect();
    let [warning] = wrong.as_slice() else {
        panic!("{wrong:#?}");
    };
    assert_eq!(warning.status, CheckStatus::Warning);
    assert!(warning.says.contains("public as @club"), "{warning:?}");
}

#[tokio::test]
async fn a_webhook_that_telegram_refuses_for_now_is_tried_again() {
    let externals = ExternalServices::start(TOKEN, "outside-webengage-key").await;
    let refused = Refusal::bad_request("bad webhook: Failed to resolve host");
    let rule = telegram::FaultRule::on("setWebhook", Fault::Refuse(refused));
    externals.telegram.fail(rule.times(1));
    let env = [("PUBLIC_URL", "https://shop.example")];
    let stack = externals
        .stack(any_port(), Data::Ephemeral, &env)
        .await
        .unwrap();
    assert_eq!(stack.shop().buy("u1", "T1").await.status, 200);
    until("the webhook", async || {
        (externals.telegram.count("setWebhook") >= 2).then_some(())
    })
    .await;
    stack.run_until_idle().await;
}

#[tokio::test]
async fn the_pages_state_is_all_of_it_once_and_then_what_changed() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let key = [("x-api-key", stack.local.api_key())];
    let state = async |query: &str| -> Value {
        let answer = stack.get(&format!("/local/state?{query}"), &key).await;
        assert_eq!(answer.status, 200);
        answer.body
    };
    for n in 0..3 {
        stack.admitted(&format!("u{n}"), &format!("T{n}")).await;
    }
    stack.run_until_idle().await;
    let all = state("").await;
    assert_eq!(all["whole"], true);
    assert_eq!(all["invites"].as_array().unwrap().len(), 3);
    assert_eq!(all["totals"]["done"], 3);
    let cursor = all["cursor"].as_str().unwrap().to_owned();
    // What changes while it waits ends the wait, and nothing else is told.
    let since = format!("since={cursor}");
    let waiting = state(&since);
    let buying = shop.bought("late", "T-late");
    let (news, id) = tokio::join!(waiting, buying);
    assert_eq!(news["whole"], false);
    let delivered = news["invites"].as_array().unwrap();
    assert_eq!(delivered.len(), 1, "{news}");
    assert_eq!(delivered[0]["requestId"], id.as_str());
    assert_eq!(news["totals"]["requests"], 4);
    stack.run_until_idle().await;
    // Another process's cursor is not believed.
    assert_eq!(state("since=1.9.9.9").await["whole"], true);
    // One that is not told of yet is told at once, whatever else is new.
    let now = state("").await["cursor"].as_str().unwrap().to_owned();
    let opened = state(&format!("since={now}&invite={id}&fresh=1")).await;
    assert_eq!(opened["invite"]["userId"], "late");
    assert_eq!(opened["invites"], json!([]));
}

#[test]
fn the_alarms_of_this_machine_are_among_those_of_the_template_and_have_a_chapter() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap();
    let (template, book) = (read("template.yaml"), read("docs/OPERATIONS.md"));
    assert!(alarms::names().count() >= 8);
    for name in alarms::names() {
        assert!(template.contains(&format!("\n  {name}:\n")), "{name}");
        assert!(book.contains(&format!("### `{name}`\n")), "{name}");
    }
    // The default of the longest wait is said in one place and used in another.
    let wait = template.split("UnservedAlarmMinutes:").nth(1).unwrap();
    let default = wait.split("Default: ").nth(1).unwrap();
    let default = default.split('\n').next().unwrap().trim();
    assert_eq!(default, alarms::UNSERVED_MINUTES.to_string());
}
