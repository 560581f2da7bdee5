//! `request` and `payments` beside the same routes in Node, under the same emulator, against the same AWS, in turns.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::{Value, json};
use simulators::lambda::Function;
use tokio::process::Command;

use super::environment::{Run, Start, Subject};
use super::figures::median;
use super::fixture::Fixture;
use super::report::{BenchReport, Section};
use super::{Effort, binary, payload};

const PACKAGE: &str = include_str!("../../node-baseline/package.json");
const LOCK: &str = include_str!("../../node-baseline/package-lock.json");
const PROGRAMS: [(&str, &str); 3] = [
    ("lambda.mjs", include_str!("../../node-baseline/lambda.mjs")),
    (
        "baseline.mjs",
        include_str!("../../node-baseline/baseline.mjs"),
    ),
    (
        "payments.mjs",
        include_str!("../../node-baseline/payments.mjs"),
    ),
];
/// Calls of each before its time is counted: V8 compiles what it has seen run often.
const WARM_UP: usize = 1000;
/// How many times as much processor time the Node baseline must use.
const AT_LEAST_TIMES: f64 = 8.0;

/// A function, and the program in Node that it is compared with.
struct Compared {
    function: &'static str,
    program: &'static str,
    /// The key of the figures, and what they are about.
    section: (&'static str, &'static str),
    events: fn(&Fixture, &str) -> anyhow::Result<Vec<u8>>,
    answer: &'static str,
    /// What both do.
    note: &'static str,
}

const COMPARED: [Compared; 2] = [
    Compared {
        function: "request",
        program: "baseline.mjs",
        section: (
            "baseline",
            "`request` and the same route in Node with the AWS SDK for JavaScript, in turns",
        ),
        events: payload::request_event,
        answer: r#"\"status\":\"queued\",\"requestId\""#,
        note: "New payments. Both make the same calls in the same order: GetItem, PutItem of the task, then PutItem of the record and, at most \
               once a second, SendMessage.",
    },
    Compared {
        function: "payments",
        program: "payments.mjs",
        section: (
            "paymentsBaseline",
            "`payments` and the same route in Node with Stripe's own package, in turns",
        ),
        events: payload::payment_event,
        answer: r#"\"result\":\"kept\""#,
        note: "New events of Stripe, signed. Both check the signature over the raw body and read the event, then make the same calls in the same \
               order: a conditional PutItem and SendMessage.",
    },
];

/// Compares, or says in a section of its own why it can't.
///
/// # Errors
/// A missing binary of ours, or a call that did not succeed.
pub(crate) async fn measure(
    report: &mut BenchReport,
    folder: &Path,
    effort: Effort,
) -> anyhow::Result<()> {
    for compared in &COMPARED {
        compare(report, folder, effort, compared).await?;
    }
    Ok(())
}

async fn compare(
    report: &mut BenchReport,
    folder: &Path,
    effort: Effort,
    compared: &Compared,
) -> anyhow::Result<()> {
    let function = compared.function;
    let ours = binary::find(folder, function)?;
    let mut section = Section {
        name: compared.section.0,
        title: compared.section.1.to_owned(),
        columns: vec![
            "program",
            "AWS calls",
            "CPU ms per request",
            "CPU ms, start and first 1000",
            "warm p50 ms",
            "warm p99 ms",
            "ready ms",
            "first answer ms",
            "peak RSS MB",
        ],
        ..Section::default()
    };
    let (node, home) = match install_baseline(folder).await {
        Ok(installed) => installed,
        Err(reason) => {
            section.notes = vec![format!("Skipped: {reason:#}.")];
            report.add(section);
            return Ok(());
        }
    };
    let fixture = &Fixture::that_sells().await?;
    let baseline = home.join(compared.program);
    let mut ours = Side::start(fixture, compared, function, ours, effort.starts).await?;
    let starts = effort.starts.div_ceil(3);
    let mut baseline = Side::start(fixture, compared, "Node", baseline, starts).await?;
    for _ in 0..effort.rounds {
        ours.round(fixture, effort.calls).await?;
        baseline.round(fixture, effort.calls).await?;
    }
    let mut ratios: Vec<f64> = ours
        .runs
        .iter()
        .zip(&baseline.runs)
        .map(|(ours, baseline)| baseline.cpu_ms / ours.cpu_ms)
        .collect();
    let ratio = median(&mut ratios);
    let rounds: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.1}")).collect();
    section.rows = vec![ours.row()?, baseline.row()?];
    section.notes = vec![
        format!(
            "Node {node} uses {ratio:.1} times the CPU (median of {} rounds of {} calls each, after {WARM_UP}; the rounds: {}).",
            effort.rounds,
            effort.calls,
            rounds.join(", ")
        ),
        compared.note.to_owned(),
    ];
    section.figures = json!({"cpuRatio": ratio, "ratios": ratios, "nodeVersion": node,
        "ours": ours.figures()?, "baseline": baseline.figures()?});
    report.add(section);
    let at_most = 1.0 / AT_LEAST_TIMES;
    report.target(
        format!("{function}: CPU as a share of the Node baseline's"),
        1.0 / ratio,
        at_most,
        "",
    );
    Ok(())
}

/// One of the two programs.
struct Side<'a> {
    name: &'static str,
    subject: Subject<'a>,
    process: Function,
    start: Start,
    /// Processor time of the process's start and its first calls.
    youth_cpu_ms: u64,
    runs: Vec<Run>,
}

impl<'a> Side<'a> {
    /// Starts the program `starts` times, and once more to stay, warmed up.
    async fn start(
        fixture: &'a Fixture,
        compared: &Compared,
        name: &'static str,
        binary: PathBuf,
        starts: usize,
    ) -> anyhow::Result<Self> {
        let (mut number, event) = (0_u64, compared.events);
        let mut subject = Subject {
            binary,
            events: Box::new(move || {
                number += 1;
                event(fixture, &format!("{name}-{number}"))
            }),
            answer: compared.answer,
        };
        let start = subject.starts(fixture, starts).await?;
        let process = subject.spawn(fixture).await?;
        subject.run(fixture, &process, WARM_UP).await?;
        let youth_cpu_ms = process.cpu_ms()?;
        Ok(Self {
            name,
            subject,
            process,
            start,
            youth_cpu_ms,
            runs: Vec::new(),
        })
    }

    async fn round(&mut self, fixture: &Fixture, calls: usize) -> anyhow::Result<()> {
        let run = self.subject.run(fixture, &self.process, calls).await?;
        self.runs.push(run);
        Ok(())
    }

    fn middle(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median(&mut self.runs.iter().map(figure).collect::<Vec<_>>())
    }

    fn rss_mb(&self) -> anyhow::Result<f64> {
        Ok(self.process.peak_rss_kb()? as f64 * 1024.0 / 1e6)
    }

    fn row(&self) -> anyhow::Result<Vec<String>> {
        Ok(vec![
            self.name.to_owned(),
            format!("{:.2}", self.middle(|run| run.aws_calls)),
            format!("{:.3}", self.middle(|run| run.cpu_ms)),
            self.youth_cpu_ms.to_string(),
            format!("{:.2}", self.middle(|run| run.p50_ms)),
            format!("{:.2}", self.middle(|run| run.p99_ms)),
            format!("{:.1}", self.start.ready_ms),
            format!("{:.1}", self.start.first_ms),
            format!("{:.1}", self.rss_mb()?),
        ])
    }

    fn figures(&self) -> anyhow::Result<Value> {
        Ok(
            json!({"awsCalls": self.middle(|run| run.aws_calls), "cpuMsPerRequest": self.middle(|run| run.cpu_ms), "youthCpuMs": self.youth_cpu_ms,
            "p50Ms": self.middle(|run| run.p50_ms), "p99Ms": self.middle(|run| run.p99_ms), "readyMs": self.start.ready_ms, "firstAnswerMs": self.start.first_ms, "peakRssMb": self.rss_mb()?}),
        )
    }
}

/// Installs a program in Node with its pinned packages in `home`; answers Node's version.
pub(super) async fn install(
    home: &Path,
    package: &str,
    lock: &str,
    programs: &[(&str, &str)],
) -> anyhow::Result<String> {
    std::fs::create_dir_all(home)?;
    let node = output("node", &["--version"], home)
        .await
        .context("there is no Node to compare with")?;
    let installed = home.join("node_modules/.package-lock.json").exists()
        && std::fs::read_to_string(home.join("package-lock.json")).is_ok_and(|old| old == lock);
    let packages = [("package.json", package), ("package-lock.json", lock)];
    for (name, content) in packages.iter().chain(programs) {
        std::fs::write(home.join(name), content)?;
    }
    if !installed {
        output(
            "npm",
            &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            home,
        )
        .await
        .context("npm can't install the packages")?;
    }
    Ok(node)
}

/// Installs the baselines beside the build; answers Node's version and the folder.
async fn install_baseline(folder: &Path) -> anyhow::Result<(String, PathBuf)> {
    let home = folder.parent().unwrap_or(folder).join("node-baseline");
    let node = install(&home, PACKAGE, LOCK, &PROGRAMS).await?;
    for (program, _) in PROGRAMS {
        let program = home.join(program);
        let mut permissions = std::fs::metadata(&program)?.permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        std::fs::set_permissions(&program, permissions)?;
    }
    Ok((node, home))
}

/// What a program writes that must end well.
pub(super) async fn output(
    program: &str,
    arguments: &[&str],
    folder: &Path,
) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("running {program}"))?;
    anyhow::ensure!(
        output.status.success(),
        "{program} ended with {}",
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
