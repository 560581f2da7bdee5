//! A start that can't come to good is refused at once, by name, and no door is ever left open by what is not set.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Output;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use local::harness::{ExternalServices, TestStack, any_port};
use local::stack::{Data, Options, Stack};
use local::supervision::Supervision;
use local::timeline::Timeline;
use serde_json::{Value, json};
use simulators::clock::Clock;
use simulators::lambda::{Function, InitError};
use tokio::process::Command;

/// All of them, and the names that each can't do without, beside those that Lambda itself sets.
const FUNCTIONS: [(&str, &[&str]); 16] = [
    (
        "request",
        &[
            "API_KEYS",
            "EVENT_QUEUE_URL",
            "HOOK_QUEUE_URL",
            "INVITE_QUEUE_URL",
            "MESSAGE_QUEUE_URL",
            "TELEGRAM_CHAT_ID",
        ],
    ),
    ("status", &["API_KEYS"]),
    (
        "worker",
        &[
            "EVENT_QUEUE_URL",
            "HOOK_QUEUE_URL",
            "INVITE_QUEUE_URL",
            "MESSAGE_QUEUE_URL",
            "TELEGRAM_BOT_TOKEN",
            "TELEGRAM_CHAT_ID",
        ],
    ),
    (
        "messenger",
        &[
            "HOOK_QUEUE_URL",
            "MESSAGE_QUEUE_URL",
            "TELEGRAM_BOT_TOKEN",
            "TELEGRAM_CHAT_ID",
        ],
    ),
    ("hooks", &["HOOK_QUEUE_URL", "MESSAGE_QUEUE_URL"]),
    (
        "webhook",
        &[
            "EVENT_QUEUE_URL",
            "HOOK_QUEUE_URL",
            "INVITE_QUEUE_URL",
            "MESSAGE_QUEUE_URL",
            "PAYMENT_QUEUE_URL",
            "TELEGRAM_CHAT_ID",
            "TELEGRAM_WEBHOOK_SECRET",
        ],
    ),
    (
        "events",
        &[
            "EVENT_QUEUE_URL",
            "WEBENGAGE_API_KEY",
            "WEBENGAGE_LICENSE_CODE",
        ],
    ),
    (
        "admin",
        &[
            "ADMIN_KEYS",
            "EVENT_DEAD_LETTER_QUEUE_URL",
            "EVENT_QUEUE_URL",
            "HOOK_QUEUE_URL",
            "INVITE_DEAD_LETTER_QUEUE_URL",
            "INVITE_QUEUE_URL",
            "MESSAGE_QUEUE_URL",
            "PAYMENT_QUEUE_URL",
            "TELEGRAM_BOT_TOKEN",
            "TELEGRAM_CHAT_ID",
        ],
    ),
    ("pay", &["TELEGRAM_CHAT_ID"]),
    (
        "shop",
        &["API_KEYS", "PAYMENT_QUEUE_URL", "TELEGRAM_BOT_TOKEN"],
    ),
    ("botapi", &["TELEGRAM_BOT_TOKEN"]),
    ("payments", &["PAYMENT_QUEUE_URL"]),
    (
        "settlement",
        &[
            "EVENT_QUEUE_URL",
            "HOOK_QUEUE_URL",
            "INVITE_QUEUE_URL",
            "MESSAGE_QUEUE_URL",
            "TELEGRAM_BOT_TOKEN",
            "TELEGRAM_CHAT_ID",
        ],
    ),
    ("sweeper", &["EVENT_QUEUE_URL", "PAYMENT_QUEUE_URL"]),
    (
        "jobs",
        &[
            "EXPORTS_URL",
            "HOOK_QUEUE_URL",
            "INVITE_QUEUE_URL",
            "MESSAGE_QUEUE_URL",
            "TELEGRAM_CHAT_ID",
            "TELEGRAM_WEBHOOK_SECRET",
        ],
    ),
    (
        "monitor",
        &[
            "EVENT_DEAD_LETTER_QUEUE_URL",
            "EVENT_QUEUE_URL",
            "INVITE_DEAD_LETTER_QUEUE_URL",
            "INVITE_QUEUE_URL",
            "TELEGRAM_BOT_TOKEN",
            "TELEGRAM_CHAT_ID",
            "WEBHOOK_URL",
        ],
    ),
];
const SECRET_ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:admit-one-AbCdEf";

/// The binary of a function, or of the local stack (`local`), built if it is not up to date: cargo builds the binaries of
/// the package under test alone.
pub(crate) fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let stack = PathBuf::from(env!("CARGO_BIN_EXE_local"));
        let folder = stack.parent().unwrap().to_owned();
        let mut build = std::process::Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet", "--bins"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        match folder.file_name().and_then(|profile| profile.to_str()) {
            None | Some("debug") => {}
            Some(profile) => {
                build.args(["--profile", profile]);
            }
        }
        // What cargo tells a test about itself would make build scripts run again.
        for (name, _) in std::env::vars_os() {
            let is_about_the_test = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
                .iter()
                .any(|start| name.to_string_lossy().starts_with(start));
            if is_about_the_test {
                build.env_remove(name);
            }
        }
        assert!(build.status().unwrap().success(), "the functions build");
        folder
    });
    folder.join(name)
}

/// Starts a function as Lambda would.
pub(crate) async fn spawn(name: &str, env: &[(&str, &str)]) -> Function {
    let function = Function::spawn(binary(name), env.iter().copied(), Duration::from_secs(60));
    function.await.unwrap()
}

/// Starts a function that must refuse, and gives its one line about it, which is JSON.
async fn refusal(name: &str, env: &[(&str, &str)]) -> String {
    let function = spawn(name, env).await;
    let refused = function.ready().await.expect_err("it refuses to start");
    let InitError::Exited(status) = refused else {
        panic!("{name} has not ended: {refused}");
    };
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    let logs = function.logs();
    let lines: Vec<Value> = logs
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let [line] = lines.as_slice() else {
        panic!("{name} says more or less than one thing: {logs:#?}");
    };
    assert_eq!(
        (&line["level"], &line["fault"]),
        (&json!("ERROR"), &json!("configuration"))
    );
    assert!(!logs.concat().contains("s3cret"), "{logs:#?}");
    line["message"].as_str().unwrap().to_owned()
}

/// The names that a refusal calls missing, in order.
fn missing(sentence: &str) -> Vec<&str> {
    let list = sentence.rsplit_once(": ").unwrap().1;
    let mut names: Vec<_> = list
        .split("; ")
        .filter_map(|problem| problem.strip_suffix(" is missing"))
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_function_without_its_environment_refuses_within_a_second_and_names_all_that_is_missing()
{
    let named: BTreeSet<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    let registered = local::functions::FUNCTIONS.iter();
    let registered: BTreeSet<&str> = registered.map(|function| function.name).collect();
    // `setup` starts whatever it lacks, and answers what that is.
    assert_eq!(
        named,
        registered
            .into_iter()
            .filter(|name| *name != "setup")
            .collect()
    );
    for (name, required) in FUNCTIONS {
        let sentence = refusal(name, &[]).await;
        assert!(
            sentence.starts_with("refusing to start: the environment is incomplete: "),
            "{sentence}"
        );
        assert_eq!(missing(&sentence), required, "{name}");
        // White space is nothing.
        let blank: Vec<_> = required.iter().map(|name| (*name, " \t")).collect();
        assert_eq!(missing(&refusal(name, &blank).await), required, "{name}");
        // Also with a start that the machine's other work slowed down now and then.
        let mut quickest = Duration::MAX;
        for _ in 0..5 {
            let started = Instant::now();
            spawn(name, &[]).await.exited().await;
            quickest = quickest.min(started.elapsed());
        }
        assert!(quickest < Duration::from_secs(1), "{name}: {quickest:?}");
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_used_is_named_and_never_quoted() {
    let spoiled = [
        ("TELEGRAM_CHAT_ID", "s3cret"),
        ("TELEGRAM_BOT_TOKEN", "s3cret"),
        ("API_KEYS", " , ,"),
        ("WEBENGAGE_LICENSE_CODE", "s3cret/../x"),
        ("MAX_ATTEMPTS", "s3cret"),
        ("BASE_BACKOFF_SEC", "-1"),
        ("SAFE_RPS_SLEEP_MS", "33"),
        ("INVITE_TTL_SEC", "1.5"),
        ("RETENTION_DAYS", "s3cret"),
        ("DUPLICATE_WINDOW_SEC", "0"),
        ("LINK_POOL_TARGET", "s3cret"),
        ("LINK_POOL_TTL_SEC", "3599"),
    ];
    let reads = [
        (
            "request",
            &[0, 2, 7, 8, 9, 10][..],
            "EVENT_QUEUE_URL HOOK_QUEUE_URL INVITE_QUEUE_URL MESSAGE_QUEUE_URL",
        ),
        ("status", &[2], ""),
        (
            "worker",
            &[0, 1, 4, 5, 6, 7, 8, 10, 11],
            "EVENT_QUEUE_URL HOOK_QUEUE_URL INVITE_QUEUE_URL MESSAGE_QUEUE_URL",
        ),
        (
            "webhook",
            &[0],
            "EVENT_QUEUE_URL HOOK_QUEUE_URL INVITE_QUEUE_URL MESSAGE_QUEUE_URL PAYMENT_QUEUE_URL TELEGRAM_WEBHOOK_SECRET",
        ),
        ("events", &[3, 5], "EVENT_QUEUE_URL WEBENGAGE_API_KEY"),
    ];
    for (name, spoils, also_missing) in reads {
        let sentence = refusal(name, &spoiled).await;
        for (position, (variable, _)) in spoiled.iter().enumerate() {
            assert_eq!(
                sentence.contains(variable),
                spoils.contains(&position),
                "{name} on {variable}: {sentence}"
            );
        }
        assert_eq!(missing(&sentence).join(" "), also_missing, "{name}");
    }
}

/// The environment of a local stack's functions, without these names.
pub(crate) fn env_without<'a>(stack: &'a TestStack, names: &[&str]) -> Vec<(&'a str, &'a str)> {
    let all = stack.env().iter();
    all.map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, value)| !names.contains(name) && !value.is_empty())
        .collect()
}

/// A purchase as API Gateway passes it on, with this key.
pub(crate) fn purchase(key: &str) -> Vec<u8> {
    let sample = include_str!("../../../events/request-new.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["headers"]["x-api-key"] = json!(key);
    event.to_string().into_bytes()
}

pub(crate) async fn status_of(function: &Function, event: Vec<u8>) -> Value {
    let answer = function.invoke(event).await.unwrap();
    serde_json::from_slice::<Value>(&answer).unwrap()["statusCode"].clone()
}

#[tokio::test]
async fn secrets_that_the_environment_lacks_come_from_the_json_secret_and_those_that_it_has_win() {
    let stack = TestStack::start().await;
    let secret =
        json!({"API_KEYS": "key-of-the-secret", "TELEGRAM_CHAT_ID": "-42", "NOTE": "unused"});
    stack.aws().put_secret(SECRET_ARN, &secret.to_string());
    let mut env = env_without(&stack, &["API_KEYS", "SECRETS_ARN"]);
    env.push(("SECRETS_ARN", SECRET_ARN));
    let function = spawn("request", &env).await;
    assert_eq!(
        status_of(&function, purchase("key-of-the-secret")).await,
        200
    );
    assert_eq!(status_of(&function, purchase("another-key")).await, 401);
    assert_eq!(
        status_of(&function, purchase(stack.local.api_key())).await,
        401
    );
    env.push(("API_KEYS", "key-of-the-environment"));
    let function = spawn("request", &env).await;
    assert_eq!(
        status_of(&function, purchase("key-of-the-environment")).await,
        200
    );
    assert_eq!(
        status_of(&function, purchase("key-of-the-secret")).await,
        401
    );
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_or_is_none_refuses_the_start_and_names_secrets_arn() {
    let stack = TestStack::start().await;
    let mut env = env_without(&stack, &["API_KEYS", "SECRETS_ARN"]);
    env.push(("SECRETS_ARN", SECRET_ARN));
    let unreadable = refusal("status", &env).await;
    assert!(unreadable.contains("SECRETS_ARN"), "{unreadable}");
    for text in [
        "s3cret",
        "\"s3cret\"",
        "[\"s3cret\"]",
        r#"{"API_KEYS": "s3cret""#,
        r#"{"API_KEYS": ["s3cret"]}"#,
        r#"{"API_KEYS": 7, "s3cret": null}"#,
        "",
    ] {
        stack.aws().put_secret(SECRET_ARN, text);
        let sentence = refusal("status", &env).await;
        assert!(sentence.contains("SECRETS_ARN"), "{text}: {sentence}");
    }
    stack.aws().put_secret(SECRET_ARN, "{}");
    assert_eq!(missing(&refusal("status", &env).await), ["API_KEYS"]);
    stack.aws().put_secret(SECRET_ARN, r#"{"API_KEYS": " , "}"#);
    let empty = refusal("status", &env).await;
    assert!(
        empty.contains("API_KEYS holds nothing but commas"),
        "{empty}"
    );
}

async fn start(env: &[(&str, &str)]) -> anyhow::Result<Stack> {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Stack::start(Options {
        functions: &local::functions::FUNCTIONS,
        chat: simulators::telegram::ChatKind::Supergroup,
        listen: any_port(),
        aws_listen: any_port(),
        data: Data::Ephemeral,
        env: env.collect(),
        clock: Clock::new(),
        timeline: Timeline::default(),
        supervision: Supervision::Off,
    })
    .await
}

#[tokio::test]
async fn a_local_stack_whose_secrets_are_blank_makes_some_up_or_refuses_but_opens_no_door() {
    let refused = start(&[("API_KEYS", " , ")]).await.err().unwrap();
    let sentence = format!("{refused:#}");
    assert!(
        sentence.contains("API_KEYS holds nothing but commas"),
        "{sentence}"
    );
    let stack = TestStack::with(&[("API_KEYS", " "), ("TELEGRAM_WEBHOOK_SECRET", " ")]).await;
    for name in ["API_KEYS", "TELEGRAM_WEBHOOK_SECRET"] {
        assert!(stack.env()[name].len() >= 32, "{name} is made up");
    }
    for (path, header) in [
        ("/v1/invite/request", "x-api-key"),
        ("/v1/telegram/webhook", "x-telegram-bot-api-secret-token"),
    ] {
        let calls: [&[(&str, &str)]; 3] = [&[], &[(header, "")], &[(header, ",")]];
        for headers in calls {
            let answer = stack.post(path, r#"{"userId": "u1"}"#, headers).await;
            assert_eq!(answer.status, 401, "{path} {headers:?}");
        }
    }
}

/// Runs the local stack's binary, which must end by itself.
async fn run(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary("local"));
    command.env_clear().envs(env.iter().copied());
    let ended = command.args(arguments).kill_on_drop(true).output();
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    let output = ended.expect("it ends within 10 s").unwrap();
    assert!(output.status.code().is_some_and(|code| code != 0));
    assert!(output.stdout.is_empty(), "no greeting before it serves");
    output
}

const PORT_0: [&str; 4] = ["--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"];

#[tokio::test]
async fn the_local_stack_names_a_flag_that_it_does_not_know() {
    for arguments in [
        &["--bogus"][..],
        &["--listen", "nowhere"],
        &["--data-dir"],
        &["stray"],
    ] {
        let stderr = String::from_utf8(run(arguments, &[]).await.stderr).unwrap();
        let first = stderr.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("error: ") && first.contains(arguments[0]),
            "{stderr}"
        );
    }
}

#[tokio::test]
async fn the_local_stack_says_in_one_sentence_why_it_does_not_start() {
    let taken = std::net::TcpListener::bind(any_port()).unwrap();
    let taken = taken
        .local_addr()
        .map(|address| (taken, address.to_string()));
    let (_held, taken) = taken.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let inside_a_file = file.path().join("data");
    let spoiled_keys = tempfile::tempdir().unwrap();
    std::fs::write(spoiled_keys.path().join("keys.json"), "{").unwrap();
    let externals = ExternalServices::start("987654321:AAF-s3cret-bot-token", "s3cret-key").await;
    let mut bad_number = externals.env();
    bad_number.push(("MAX_ATTEMPTS", "s3cret"));
    let in_memory = [&PORT_0[..], &["--ephemeral"]].concat();
    let at = |listen, aws| vec!["--ephemeral", "--listen", listen, "--aws-listen", aws];
    let in_data_dir = |folder| [&PORT_0[..], &["--data-dir", folder]].concat();
    let cases = [
        (at(&taken, "127.0.0.1:0"), vec![], taken.as_str()),
        (at("127.0.0.1:0", &taken), vec![], taken.as_str()),
        (
            in_data_dir(inside_a_file.to_str().unwrap()),
            vec![],
            inside_a_file.to_str().unwrap(),
        ),
        (
            in_data_dir(spoiled_keys.path().to_str().unwrap()),
            vec![],
            "keys.json",
        ),
        (in_memory.clone(), vec![("API_KEYS", " , ")], "API_KEYS"),
        (in_memory, bad_number, "MAX_ATTEMPTS"),
    ];
    let mut wrong = Vec::new();
    for (arguments, env, words) in cases {
        let stderr = String::from_utf8(run(&arguments, &env).await.stderr).unwrap();
        assert!(!stderr.contains("s3cret"), "{stderr}");
        if !stderr.contains(words) || stderr.trim_end().lines().count() != 1 {
            wrong.push(format!("about {words}:\n{stderr}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
