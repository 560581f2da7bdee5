//! `webhook` beside bots on aiogram and grammY: the same deliveries over HTTP, the same tables, the same Telegram, in turns.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use runtime::auth::WEBHOOK_SECRET_HEADER;
use serde_json::json;
use simulators::lambda::cpu_ms;
use simulators::telegram::User;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::figures::median;
use super::fixture::Fixture;
use super::node_baseline::{install, output};
use super::report::{BenchReport, Section};
use super::{Effort, payload};

const PACKAGE: &str = include_str!("../../bot-baselines/package.json");
const LOCK: &str = include_str!("../../bot-baselines/package-lock.json");
const GRAMMY: &str = include_str!("../../bot-baselines/grammy_bot.mjs");
const REQUIREMENTS: &str = include_str!("../../bot-baselines/requirements.txt");
const AIOGRAM: &str = include_str!("../../bot-baselines/aiogram_bot.py");
/// What the baselines answer, about as long as our own answer.
const HELP: &str = "What I understand:\n/start – the beginning\n/access – where you may be\n/help – this list\n/support – whom to ask\n/language – another language\n/terms – the terms\n/privacy – what is kept\n/stop – no news any more";
/// How many deliveries are under way at once.
const AT_ONCE: usize = 8;
/// Longest start, and longest call.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest until what was asked for is answered: 30 messages a second leave.
const ANSWERS_MAX: Duration = Duration::from_secs(120);
/// Turns that are not counted: V8 compiles what it has seen run often.
const WARM_UPS: usize = 1;
const TURNS: usize = 3;

/// A server that is compared.
struct ComparedServer<'a> {
    fixture: &'a Fixture,
    name: &'static str,
    process: Child,
    url: String,
    /// Whether its answers are sent by its own process, so that they are waited for.
    sends: bool,
    turns: Vec<Turn>,
}

/// One turn of a server.
#[derive(Clone, Copy)]
struct Turn {
    per_cpu_second: f64,
    aws_calls: f64,
    telegram_calls: f64,
}

/// Compares, or says in a section of its own why it can't.
///
/// # Errors
/// A server that does not do its work.
pub(crate) async fn measure(
    report: &mut BenchReport,
    folder: &Path,
    effort: Effort,
) -> anyhow::Result<()> {
    let updates = u64::try_from(effort.calls)? / 2;
    let mut section = Section {
        name: "libraries",
        title: "`/help` by webhook, beside bots on aiogram and grammY, in turns".to_owned(),
        columns: vec![
            "server",
            "updates per CPU second",
            "lowest",
            "highest",
            "ours, times as many",
            "AWS calls",
            "Telegram calls",
        ],
        ..Section::default()
    };
    let home = folder.parent().unwrap_or(folder).join("bot-baselines");
    let installed = async {
        let files = [("grammy_bot.mjs", GRAMMY), ("aiogram_bot.py", AIOGRAM)];
        let node = install(&home, PACKAGE, LOCK, &files).await?;
        anyhow::Ok((node, install_python(&home).await?))
    };
    let (node, python) = match installed.await {
        Ok(installed) => installed,
        Err(reason) => {
            section.notes = vec![format!("Skipped: {reason:#}.")];
            report.add(section);
            return Ok(());
        }
    };
    // What the one leaves in its tables the other would send.
    let (alone, fixture) = (&Fixture::that_talks().await?, &Fixture::that_talks().await?);
    let (grammy, aiogram) = (home.join("grammy_bot.mjs"), home.join("aiogram_bot.py"));
    let ours = std::env::current_exe()?;
    let mut servers = [
        ComparedServer::start(alone, "webhook", &ours, &["serve"]).await?,
        ComparedServer::start(
            fixture,
            "webhook and messenger",
            &ours,
            &["serve", "--messenger"],
        )
        .await?,
        ComparedServer::start(
            fixture,
            "grammY",
            Path::new("node"),
            &[&grammy.to_string_lossy()],
        )
        .await?,
        ComparedServer::start(fixture, "aiogram", &python, &[&aiogram.to_string_lossy()]).await?,
    ];
    for turn in 0..WARM_UPS + TURNS {
        for server in &mut servers {
            let measured = server.turn(updates).await?;
            if turn < WARM_UPS {
                server.meets_again().await?;
            } else {
                server.turns.push(measured);
            }
        }
    }
    let [webhook, whole, ..] = &servers;
    for server in &servers {
        let rates = |server: &ComparedServer<'_>| -> Vec<f64> {
            server
                .turns
                .iter()
                .map(|turn| turn.per_cpu_second)
                .collect()
        };
        // Turn by turn, each beside its neighbour in time.
        let times = |ours: &ComparedServer<'_>| -> String {
            let mut all: Vec<f64> = rates(ours)
                .iter()
                .zip(rates(server))
                .map(|(ours, theirs)| ours / theirs)
                .collect();
            let middle = median(&mut all);
            format!("{middle:.1} ({:.1} to {:.1})", all[0], all[all.len() - 1])
        };
        let mut all = rates(server);
        let middle = median(&mut all);
        let is_ours = server.name.starts_with("webhook");
        let ratio = match is_ours {
            true => String::new(),
            false => format!("{}; with messenger {}", times(webhook), times(whole)),
        };
        let last = server.turns.last().context("no turn")?;
        section.rows.push(vec![
            server.name.to_owned(),
            format!("{middle:.0}"),
            format!("{:.0}", all[0]),
            format!("{:.0}", all[all.len() - 1]),
            ratio,
            format!("{:.2}", last.aws_calls),
            format!("{:.2}", last.telegram_calls),
        ]);
        section.figures[server.name] = json!({"perCpuSecond": middle, "turns": all, "awsCalls": last.aws_calls, "telegramCalls": last.telegram_calls});
    }
    section.notes = notes(updates, &node);
    report.add(section);
    Ok(())
}

fn notes(updates: u64, node: &str) -> Vec<String> {
    vec![
        format!(
            "{TURNS} turns of {updates} updates each after a turn that does not count, {AT_ONCE} at once; medians, and in parentheses the lowest and the highest \
             ratio of a turn. CPU: user and system of the server's process alone, by the kernel's ticks; DynamoDB, SQS and Telegram are simulated in another process."
        ),
        "All: get the same body by HTTP with keep-alive, of another person each time; compare the secret header; decode; put the update into the table Updates on \
         the condition that it is new (one that comes again was seen to be answered 200 and not answered to the person a second time); route `/help`; write a line of log; answer 200.".to_owned(),
        "webhook: also gives the update back if it dies over it (a lease, then DONE), writes who wrote and counts their commands, and has the answer in the table \
         of messages and a bell in the queue before it answers 200. It does not call Telegram. With messenger: the same process also polls the queue, reads the \
         lanes, takes the lease, calls sendMessage within Telegram's limits, and settles the message; its time counts until the last answer is sent.".to_owned(),
        format!(
            "grammY (1.46.0, Node {node}, AWS SDK for JavaScript) and aiogram (3.31.0, CPython, aiohttp, aiobotocore): one conditional PutItem, then sendMessage \
             before the 200. They do not keep the answer, so an update whose handling dies after the PutItem is lost; they keep to no limit, count nothing and know nobody."
        ),
    ]
}

impl<'a> ComparedServer<'a> {
    async fn start(
        fixture: &'a Fixture,
        name: &'static str,
        program: &Path,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let port = TcpListener::bind(local::harness::any_port())?
            .local_addr()?
            .port();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(&fixture.env)
            .env("AWS_DEFAULT_REGION", fixture.value("AWS_REGION"))
            .env("HELP", HELP)
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if name.starts_with("webhook") {
            command.args(["--port", &port.to_string()]);
        }
        let mut process = command
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let mut address: SocketAddr = local::harness::any_port();
        address.set_port(port);
        let began = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            let ended = process.try_wait()?;
            anyhow::ensure!(ended.is_none(), "{name} ended: {ended:?}");
            anyhow::ensure!(began.elapsed() < TIMEOUT, "{name} does not listen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Self {
            fixture,
            name,
            process,
            url: format!("http://{address}/v1/telegram/webhook"),
            sends: name != "webhook",
            turns: Vec::new(),
        })
    }

    /// So many people ask for help, and are answered.
    async fn turn(&self, updates: u64) -> anyhow::Result<Turn> {
        let fixture = self.fixture;
        let telegram = &fixture.outside.telegram;
        let first = fixture.people(updates);
        let people = first..first + updates;
        for person in people.clone() {
            let user = User::new(i64::try_from(payload::id_of(person))?);
            telegram.unblocks(fixture.outside.bot_id, &user);
        }
        fixture.outside.run_until_idle().await;
        let pid = self.process.id().context("it has ended")?;
        let (cpu, aws, sent) = (cpu_ms(pid)?, fixture.aws_calls(), sent(fixture));
        self.deliver(people).await?;
        let began = Instant::now();
        while self.sends && sent_since(fixture, sent) < updates {
            anyhow::ensure!(
                began.elapsed() < ANSWERS_MAX,
                "{}: {} of {updates} answers",
                self.name,
                sent_since(fixture, sent)
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let used = (cpu_ms(pid)? - cpu) as f64 / 1000.0;
        let each = |calls: u64| calls as f64 / updates as f64;
        Ok(Turn {
            per_cpu_second: updates as f64 / used.max(0.001),
            aws_calls: each(fixture.aws_calls() - aws),
            telegram_calls: each(sent_since(fixture, sent)),
        })
    }

    /// Telegram sends an update again that was handled: nobody is answered a second time.
    async fn meets_again(&self) -> anyhow::Result<()> {
        let fixture = self.fixture;
        let before = sent(fixture);
        let last = fixture.people(0) - 1;
        self.deliver(last..last + 1).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let again = sent_since(fixture, before);
        anyhow::ensure!(again == 0, "{}: answered {again} times more", self.name);
        Ok(())
    }

    /// Sends the updates of these people, some at once; each must be answered 200.
    async fn deliver(&self, people: std::ops::Range<u64>) -> anyhow::Result<()> {
        let fixture = self.fixture;
        let http = runtime::http::client(TIMEOUT).map_err(anyhow::Error::msg)?;
        let secret = fixture.value("TELEGRAM_WEBHOOK_SECRET").to_owned();
        let bodies = people.map(|person| payload::written(person, person, "/help"));
        let bodies = bodies.collect::<anyhow::Result<Vec<String>>>()?;
        let mut callers = JoinSet::new();
        for some in 0..AT_ONCE {
            let own = bodies.iter().skip(some).step_by(AT_ONCE).cloned();
            let own: Vec<String> = own.collect();
            let (http, url, secret, name) =
                (http.clone(), self.url.clone(), secret.clone(), self.name);
            callers.spawn(async move {
                for body in own {
                    let call = http
                        .post(&url)
                        .header(WEBHOOK_SECRET_HEADER, &secret)
                        .header("content-type", "application/json")
                        .body(body);
                    let answer = call.send().await?;
                    let status = answer.status();
                    let text = answer.text().await?;
                    anyhow::ensure!(status.as_u16() == 200, "{name} answered {status} {text}");
                }
                Ok(())
            });
        }
        while let Some(caller) = callers.join_next().await {
            caller??;
        }
        Ok(())
    }
}

fn sent(fixture: &Fixture) -> u64 {
    fixture.outside.telegram.count("sendMessage")
}

fn sent_since(fixture: &Fixture, before: u64) -> u64 {
    sent(fixture) - before
}

/// Installs aiogram with its pinned packages in `home`; answers the interpreter.
async fn install_python(home: &Path) -> anyhow::Result<PathBuf> {
    let (list, venv) = (home.join("requirements.txt"), home.join("venv"));
    let python = venv.join("bin/python");
    let is_installed = python.exists()
        && std::fs::read_to_string(&list).is_ok_and(|installed| installed == REQUIREMENTS);
    if !is_installed {
        output("python3", &["-m", "venv", &venv.to_string_lossy()], home)
            .await
            .context("there is no Python to compare with")?;
        let wanted = home.join("requirements.in");
        std::fs::write(&wanted, REQUIREMENTS)?;
        let arguments = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "-r",
            &wanted.to_string_lossy(),
        ];
        output(&python.to_string_lossy(), &arguments, home)
            .await
            .context("pip can't install the packages")?;
        std::fs::rename(wanted, list)?;
    }
    Ok(python)
}
