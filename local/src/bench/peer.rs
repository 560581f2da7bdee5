//! `request` beside the same route in Node, under the same emulator, against the same AWS, in turns.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::json;
use tokio::process::Command;

use super::environment::{Run, Start, Subject};
use super::figures::median;
use super::report::{Report, Section};
use super::stand::Stand;
use super::{Effort, binary, payload};

const PACKAGE: &str = include_str!("../../bench-peer/package.json");
const LOCK: &str = include_str!("../../bench-peer/package-lock.json");
const PEER: &str = include_str!("../../bench-peer/peer.mjs");
/// Calls of each before its time is counted: V8 compiles what it has seen run often.
const WARM_UP: usize = 1000;
/// How many times as much processor time the peer must use.
const AT_LEAST_TIMES: f64 = 8.0;

/// Compares, or says in a section of its own why it can't.
///
/// # Errors
/// A missing binary of ours, or a call that did not succeed.
pub(crate) async fn measure(
    report: &mut Report,
    folder: &Path,
    effort: Effort,
) -> anyhow::Result<()> {
    let ours = binary::find(folder, "request")?;
    let mut section = Section {
        name: "peer",
        title: "`request` and the same route in Node with the AWS SDK for JavaScript, in turns"
            .to_owned(),
        columns: vec![
            "program",
            "CPU ms per request",
            "warm p50 ms",
            "ready ms",
            "first answer ms",
            "peak RSS MB",
        ],
        ..Section::default()
    };
    let (node, peer) = match install(folder).await {
        Ok(installed) => installed,
        Err(reason) => {
            section.notes = vec![format!("Skipped: {reason:#}.")];
            report.add(section);
            return Ok(());
        }
    };
    let stand = &Stand::start().await?;
    let mut ours = subject(stand, ours, "ours");
    let mut peer = subject(stand, peer, "peer");
    let our_start = ours.starts(stand, effort.starts).await?;
    let peer_start = peer.starts(stand, effort.starts.div_ceil(3)).await?;
    let our_process = ours.spawn(stand).await?;
    let peer_process = peer.spawn(stand).await?;
    ours.run(&our_process, WARM_UP).await?;
    peer.run(&peer_process, WARM_UP).await?;
    let (mut our_runs, mut peer_runs) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        our_runs.push(ours.run(&our_process, effort.calls).await?);
        peer_runs.push(peer.run(&peer_process, effort.calls).await?);
    }
    let rss_mb = |kb: u64| kb as f64 * 1024.0 / 1e6;
    let our_rss = rss_mb(our_process.peak_rss_kb()?);
    let peer_rss = rss_mb(peer_process.peak_rss_kb()?);
    let mut ratios: Vec<f64> = our_runs
        .iter()
        .zip(&peer_runs)
        .map(|(ours, peer)| peer.cpu_ms / ours.cpu_ms)
        .collect();
    let ratio = median(&mut ratios);
    section.rows = vec![
        row("request", &our_runs, &our_start, our_rss),
        row(&format!("Node {node}"), &peer_runs, &peer_start, peer_rss),
    ];
    section.notes = vec![
        format!("CPU ratio {ratio:.1} (median of {} rounds of {} calls each, after {WARM_UP}); each round: {}.", effort.rounds, effort.calls,
            ratios.iter().map(|ratio| format!("{ratio:.1}")).collect::<Vec<_>>().join(", ")),
        "New payments. The peer makes two calls (PutItem, SendMessage); `request` makes a third, the GetItem that keeps repeats from being queued.".to_owned(),
    ];
    section.figures = json!({"cpuRatio": ratio, "ratios": ratios, "node": node,
        "ours": figures(&our_runs, &our_start, our_rss), "peer": figures(&peer_runs, &peer_start, peer_rss)});
    report.add(section);
    report.target(
        "request: CPU as a share of the Node peer's",
        1.0 / ratio,
        1.0 / AT_LEAST_TIMES,
        "",
    );
    Ok(())
}

fn subject<'a>(stand: &'a Stand, binary: PathBuf, prefix: &'static str) -> Subject<'a> {
    let mut number = 0_u64;
    Subject {
        binary,
        events: Box::new(move || {
            number += 1;
            payload::request_event(stand, &format!("{prefix}-{number}"))
        }),
        answer: r#"\"status\":\"queued\",\"requestId\""#,
    }
}

fn middle(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    median(&mut runs.iter().map(figure).collect::<Vec<_>>())
}

fn row(name: &str, runs: &[Run], start: &Start, rss_mb: f64) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.3}", middle(runs, |run| run.cpu_ms)),
        format!("{:.2}", middle(runs, |run| run.p50_ms)),
        format!("{:.1}", start.ready_ms),
        format!("{:.1}", start.first_ms),
        format!("{rss_mb:.1}"),
    ]
}

fn figures(runs: &[Run], start: &Start, rss_mb: f64) -> serde_json::Value {
    json!({"cpuMsPerRequest": middle(runs, |run| run.cpu_ms), "p50Ms": middle(runs, |run| run.p50_ms),
        "readyMs": start.ready_ms, "firstAnswerMs": start.first_ms, "peakRssMb": rss_mb})
}

/// Installs the peer with its pinned packages beside the build; answers Node's version and the program.
async fn install(folder: &Path) -> anyhow::Result<(String, PathBuf)> {
    let node = output("node", &["--version"], folder)
        .await
        .context("there is no Node to compare with")?;
    let home = folder.parent().unwrap_or(folder).join("bench-peer");
    let installed = home.join("node_modules/.package-lock.json").exists()
        && std::fs::read_to_string(home.join("package-lock.json")).is_ok_and(|lock| lock == LOCK);
    std::fs::create_dir_all(&home)?;
    for (name, content) in [
        ("package.json", PACKAGE),
        ("package-lock.json", LOCK),
        ("peer.mjs", PEER),
    ] {
        std::fs::write(home.join(name), content)?;
    }
    let program = home.join("peer.mjs");
    let mut permissions = std::fs::metadata(&program)?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&program, permissions)?;
    if !installed {
        output(
            "npm",
            &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            &home,
        )
        .await
        .context("npm can't install the peer's packages")?;
    }
    Ok((node, program))
}

async fn output(program: &str, arguments: &[&str], folder: &Path) -> anyhow::Result<String> {
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
