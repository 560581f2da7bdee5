//! One program under the runtime emulator, called with events of one kind, and its figures.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use simulators::lambda::Function;

use super::figures::{median, ms, percentile};
use super::fixture::Fixture;

/// Longest call; the template's is 10 to 60 seconds.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Warm calls of each of the many starts.
const CALLS_PER_START: usize = 20;

/// Makes the event of each next call.
pub(crate) type Events<'a> = Box<dyn FnMut() -> anyhow::Result<Vec<u8>> + Send + 'a>;

/// A program and what it is called with.
pub(crate) struct Subject<'a> {
    /// The program.
    pub(crate) binary: PathBuf,
    /// Its events; each is used once.
    pub(crate) events: Events<'a>,
    /// What every answer must contain, so that nothing but success is measured.
    pub(crate) answer: &'static str,
}

/// Medians of many starts.
pub(crate) struct Start {
    pub(crate) ready_ms: f64,
    pub(crate) first_ms: f64,
    pub(crate) warm_ms: f64,
}

/// Figures of one run of many calls.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Calls of AWS for each.
    pub(crate) aws_calls: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) log_bytes: f64,
}

impl Subject<'_> {
    /// Starts the program.
    pub(crate) async fn spawn(&self, fixture: &Fixture) -> anyhow::Result<Function> {
        // The emulator passes nothing on of this process's environment; `node` may lie anywhere.
        let path = std::env::vars_os().find(|(name, _)| name == "PATH");
        let env = fixture
            .env
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let function = Function::spawn(&self.binary, env.chain(path), TIMEOUT).await?;
        Ok(function)
    }

    /// One call, timed; an answer other than success is an error.
    pub(crate) async fn call(&mut self, function: &Function) -> anyhow::Result<Duration> {
        let event = (self.events)()?;
        let began = Instant::now();
        let answer = function.invoke(event).await.with_context(|| {
            format!(
                "calling {}: {:?}",
                self.binary.display(),
                function.logs().last()
            )
        })?;
        let took = began.elapsed();
        let answer = String::from_utf8_lossy(&answer);
        anyhow::ensure!(
            answer.contains(self.answer),
            "{} answered {answer}: {:?}",
            self.binary.display(),
            function.logs().last()
        );
        Ok(took)
    }

    /// Starts the program `starts` times, one after the other.
    pub(crate) async fn starts(
        &mut self,
        fixture: &Fixture,
        starts: usize,
    ) -> anyhow::Result<Start> {
        let (mut ready, mut first, mut warm) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..starts {
            let function = self.spawn(fixture).await?;
            let ready_after = function
                .ready()
                .await
                .with_context(|| format!("{:?}", function.logs()))?;
            ready.push(ms(ready_after));
            first.push(ms(self.call(&function).await?));
            for _ in 0..CALLS_PER_START {
                warm.push(ms(self.call(&function).await?));
            }
            function.kill().await;
        }
        Ok(Start {
            ready_ms: median(&mut ready),
            first_ms: median(&mut first),
            warm_ms: median(&mut warm),
        })
    }

    /// Makes `calls` calls to a running program.
    pub(crate) async fn run(
        &mut self,
        fixture: &Fixture,
        function: &Function,
        calls: usize,
    ) -> anyhow::Result<Run> {
        let logged = |function: &Function| {
            function
                .logs()
                .iter()
                .map(|line| line.len() + 1)
                .sum::<usize>()
        };
        let (cpu_before, logged_before) = (function.cpu_ms()?, logged(function));
        let aws_before = fixture.aws_calls();
        let mut took = Vec::with_capacity(calls);
        for _ in 0..calls {
            took.push(ms(self.call(function).await?));
        }
        let cpu_ms = function.cpu_ms()? - cpu_before;
        let calls = calls.max(1) as f64;
        Ok(Run {
            aws_calls: (fixture.aws_calls() - aws_before) as f64 / calls,
            cpu_ms: cpu_ms as f64 / calls,
            wall_ms: took.iter().sum::<f64>() / calls,
            p50_ms: percentile(&mut took, 0.5),
            p99_ms: percentile(&mut took, 0.99),
            log_bytes: (logged(function) - logged_before) as f64 / calls,
        })
    }
}
