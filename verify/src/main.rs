//! `cargo run --release -p verify`: what shows that the invariants hold, and what the functions cost.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

/// Verify Admit One: crashes, simulated worlds, rate limits, a sale, `kill -9`, and what all costs.
#[derive(Parser)]
#[command(name = "verify", version)]
enum Command {
    /// Measure the functions: speed, memory, size, and what a million invites cost.
    Bench(verify::bench::Arguments),
    /// Run simulated worlds in which everything goes wrong, drawn from seeds, and check the invariants.
    Simulate(verify::seeds::Arguments),
    /// Let every caller die at every call, and check the invariants.
    Crash(verify::crash::Arguments),
    /// Replay every sample of `events/` by `cargo lambda invoke`, and compare the answers.
    Replay(verify::replay::Arguments),
    /// Read entitlements from the standard input, a case a line, and write what they add up to.
    Seat,
    /// Read orders with their facts from the standard input, one a line, and write what they add up to.
    Fold,
    /// Serve `webhook` behind HTTP, for `bench --only libraries`.
    #[command(hide = true)]
    Serve(verify::bench::server::ServerArguments),
    /// Run all of it, measure, and write docs/REPORT.md.
    Report(verify::report::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let verified = match Command::parse() {
        Command::Bench(arguments) => verify::bench::run(arguments).await,
        Command::Simulate(arguments) => verify::seeds::command(&arguments),
        Command::Crash(arguments) => verify::crash::command(&arguments),
        Command::Replay(arguments) => verify::replay::command(arguments).await,
        Command::Seat => verify::seat::command(),
        Command::Fold => verify::fold::command(),
        Command::Serve(arguments) => verify::bench::server::run(arguments).await,
        Command::Report(arguments) => verify::report::command(arguments).await,
    };
    match verified {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr().lock(), "verify: {error:#}");
            ExitCode::FAILURE
        }
    }
}
