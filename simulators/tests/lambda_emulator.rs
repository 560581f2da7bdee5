//! The Lambda emulator against a function in miniature (`lambda_stub.sh`), each test with its own process.
#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    reason = "what a helper of a test can't do fails the test"
)]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use simulators::clock::Clock;
use simulators::lambda::{Function, InitError, InvokeError, SpawnError};

const STUB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lambda_stub.sh");
const LONG: Duration = Duration::from_secs(30);

async fn stub(env: &[(&str, &str)], timeout: Duration) -> Function {
    Function::spawn(STUB, env.iter().copied(), timeout)
        .await
        .expect("the stub is executable")
}

async fn text(function: &Function, event: &str) -> String {
    let answer = function
        .invoke(event.as_bytes().to_vec())
        .await
        .expect("the stub answers");
    String::from_utf8(answer).expect("the stub answers in text")
}

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn one_environment_answers_event_after_event() {
    let function = stub(&[], LONG).await;
    let ready_after = function.ready().await.unwrap();
    assert!(ready_after > Duration::ZERO && ready_after < LONG);

    assert_eq!(text(&function, "hello").await, "hello");
    assert_eq!(text(&function, "again").await, "again");
    assert_eq!(
        function.ready().await.unwrap(),
        ready_after,
        "time to ready is measured once"
    );
    assert_eq!(function.logs(), ["started"], "one start served both");
}

#[tokio::test]
async fn concurrent_calls_take_turns_and_each_gets_its_own_answer() {
    let function = stub(&[], LONG).await;
    let (a, b, c) = tokio::join!(
        text(&function, "a"),
        text(&function, "b"),
        text(&function, "c")
    );
    assert_eq!([a, b, c], ["a", "b", "c"]);
}

#[tokio::test]
async fn an_event_carries_lambdas_headers_and_a_deadline() {
    let function = stub(&[], Duration::from_secs(7)).await;
    function.ready().await.unwrap();
    let before = Clock::new().now_ms();
    let headers = text(&function, "headers").await;
    let after = Clock::new().now_ms();

    let value = |name: &str| {
        let found = headers
            .split(';')
            .find_map(|line| line.strip_prefix(&format!("lambda-runtime-{name}: ")));
        found
            .unwrap_or_else(|| panic!("no {name} in {headers}"))
            .to_owned()
    };
    let deadline: i64 = value("deadline-ms").parse().unwrap();
    assert!(
        (before + 7000..=after + 7000).contains(&deadline),
        "{before} {deadline} {after}"
    );
    assert_eq!(value("aws-request-id").len(), 36);
    assert_eq!(
        value("invoked-function-arn"),
        "arn:aws:lambda:us-east-1:000000000000:function:lambda_stub"
    );
    assert!(value("trace-id").starts_with("root=1-"));
}

#[tokio::test]
async fn the_process_sees_its_own_environment_and_nothing_of_ours() {
    let env = [
        ("API_KEYS", "demo"),
        ("AWS_REGION", "ap-south-1"),
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"),
    ];
    let function = stub(&env, LONG).await;
    assert_eq!(text(&function, "env API_KEYS").await, "demo");
    assert_eq!(
        text(&function, "env AWS_REGION").await,
        "ap-south-1",
        "the caller's value wins"
    );
    assert_eq!(
        text(&function, "env AWS_LAMBDA_FUNCTION_NAME").await,
        "lambda_stub"
    );
    assert_eq!(
        text(&function, "env AWS_LAMBDA_FUNCTION_MEMORY_SIZE").await,
        "256"
    );
    assert_eq!(text(&function, "env CARGO_MANIFEST_DIR").await, "unset");
}

#[tokio::test]
async fn a_handler_that_fails_leaves_the_environment_usable() {
    let function = stub(&[], LONG).await;
    let failed = function.invoke(b"fail".to_vec()).await.unwrap_err();
    let InvokeError::Function(fault) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(fault.error_type, "Stub.Failed");
    assert_eq!(fault.error_message, "as told");
    assert_eq!(text(&function, "still here").await, "still here");
}

#[tokio::test]
async fn a_crash_names_the_exit_status_and_ends_the_environment() {
    let function = stub(&[], LONG).await;
    for event in ["crash", "anything"] {
        let crashed = function.invoke(event.into()).await.unwrap_err();
        let InvokeError::Crashed(status) = crashed else {
            panic!("{crashed:?}")
        };
        assert_eq!(status.code(), Some(7));
    }
    assert_eq!(function.logs(), ["started", "about to crash"]);
    assert!(
        function.peak_rss_kb().is_err(),
        "a dead process has no figures"
    );
}

#[tokio::test]
async fn a_time_out_kills_the_process() {
    let function = stub(&[], Duration::from_millis(300)).await;
    let timed_out = function.invoke(b"hang".to_vec()).await.unwrap_err();
    assert!(
        matches!(timed_out, InvokeError::TimedOut(after) if after.as_millis() == 300),
        "{timed_out:?}"
    );
    assert_eq!(function.exited().await.signal(), Some(9));
    assert!(!is_alive(function.pid()));
}

#[tokio::test]
async fn kill_is_a_power_cut_in_the_middle_of_an_event() {
    let function = stub(&[], LONG).await;
    function.ready().await.unwrap();
    let (invoked, status) = tokio::join!(function.invoke(b"hang".to_vec()), function.kill());
    assert_eq!(status.signal(), Some(9));
    assert!(
        matches!(invoked, Err(InvokeError::Crashed(same)) if same == status),
        "{invoked:?}"
    );
    assert_eq!(
        function.kill().await,
        status,
        "killing the dead does nothing"
    );
}

#[tokio::test]
async fn a_refusal_to_start_shows_status_and_reason() {
    let function = stub(&[("STUB_START", "refuse")], LONG).await;
    let refused = function.ready().await.unwrap_err();
    assert!(
        matches!(refused, InitError::Exited(status) if status.code() == Some(3)),
        "{refused:?}"
    );
    assert_eq!(function.logs(), ["not started: API_KEYS is not set"]);
    let invoked = function.invoke(b"hello".to_vec()).await.unwrap_err();
    assert!(
        matches!(invoked, InvokeError::Init(InitError::Exited(_))),
        "{invoked:?}"
    );
}

#[tokio::test]
async fn a_reported_init_error_is_passed_on() {
    let function = stub(&[("STUB_START", "init-error")], LONG).await;
    let reported = function.ready().await.unwrap_err();
    let InitError::Reported(fault) = reported else {
        panic!("{reported:?}")
    };
    assert_eq!(fault.to_string(), "Stub.Init: cannot start");
}

#[tokio::test]
async fn an_answer_under_a_foreign_request_id_is_refused() {
    let function = stub(&[], LONG).await;
    assert_eq!(text(&function, "answer-another").await, "400");
}

#[tokio::test]
async fn memory_and_processor_time_are_measured() {
    let function = stub(&[], LONG).await;
    function.ready().await.unwrap();
    let before = function.cpu_ms().unwrap();
    assert_eq!(text(&function, "burn").await, "burnt");
    assert!(function.cpu_ms().unwrap() > before);
    assert!(
        function.peak_rss_kb().unwrap() > 500,
        "bash needs more than half a megabyte"
    );
}

#[tokio::test]
async fn dropping_a_function_ends_its_process() {
    let function = stub(&[("STUB_START", "never")], LONG).await;
    let pid = function.pid();
    assert!(is_alive(pid));
    drop(function);
    tokio::time::timeout(LONG, async {
        while is_alive(pid) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the process is gone");
}

#[tokio::test]
async fn a_binary_that_does_not_exist_is_named() {
    let missing = Function::spawn("no/such/binary", [("A", "b")], LONG)
        .await
        .unwrap_err();
    assert!(matches!(&missing, SpawnError::Start { binary, .. } if binary == "no/such/binary"));
    assert_eq!(missing.to_string(), "cannot start no/such/binary");
}
