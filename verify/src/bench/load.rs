//! A load of HTTP calls over kept connections, from this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use http::Method;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::figures::{ms, percentile};
use super::report::Section;

/// Longest call.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the body of call number n; nothing when there are no more. Of a look it is the end of its URL.
pub(crate) type Bodies = Arc<dyn Fn(u64) -> Option<String> + Send + Sync>;
/// Makes the value of the header that opens the door for a body.
pub(crate) type Signs = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// One kind of call.
#[derive(Clone)]
pub(crate) struct LoadTarget {
    /// Where it goes.
    pub(crate) url: String,
    /// The header that opens the door.
    pub(crate) key: (&'static str, Signs),
    /// How it is made.
    pub(crate) method: Method,
    /// The bodies.
    pub(crate) bodies: Bodies,
    /// What every answer must contain, so that nothing but success is measured.
    pub(crate) answer: &'static str,
}

/// What a load came to.
pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) answers: usize,
}

/// How many callers there are.
const CALLERS: [usize; 3] = [1, 16, 64];
/// How long is called before it is measured.
const WARM_UP: Duration = Duration::from_millis(200);

/// Measures one kind of call at each number of callers, each for `length`, into a row and its figures. `target` makes the calls of a
/// prefix that its bodies have to themselves.
///
/// # Errors
/// The first call that did not succeed.
pub(crate) async fn measure(
    (section, figures): (&mut Section, &mut Map<String, Value>),
    kind: &str,
    length: Duration,
    target: impl AsyncFn(&str, Duration) -> anyhow::Result<LoadTarget>,
) -> anyhow::Result<()> {
    for callers in CALLERS {
        run(
            &target(&format!("warm-{callers}"), WARM_UP).await?,
            callers,
            WARM_UP,
        )
        .await?;
        let load = run(
            &target(&format!("load-{callers}"), length).await?,
            callers,
            length,
        )
        .await?;
        section.rows.push(vec![
            kind.to_owned(),
            callers.to_string(),
            format!("{:.0}", load.per_second),
            format!("{:.2}", load.p50_ms),
            format!("{:.2}", load.p99_ms),
        ]);
        figures.insert(
            format!("{kind}, {callers}"),
            json!({"perSecond": load.per_second, "p50Ms": load.p50_ms, "p99Ms": load.p99_ms, "answers": load.answers}),
        );
    }
    Ok(())
}

/// Calls from `callers` callers at once, each sending its next call when the last one is answered, until `length` is
/// over or the bodies run out.
///
/// # Errors
/// The first call that did not succeed.
pub(crate) async fn run(
    target: &LoadTarget,
    callers: usize,
    length: Duration,
) -> anyhow::Result<Load> {
    let http = runtime::http::client(TIMEOUT).map_err(anyhow::Error::msg)?;
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (http, next, target) = (http.clone(), Arc::clone(&next), target.clone());
        tasks.spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < length {
                let Some(body) = (target.bodies)(next.fetch_add(1, Ordering::Relaxed)) else {
                    break;
                };
                took.push(ms(call(&http, &target, body).await?));
            }
            anyhow::Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(caller) = tasks.join_next().await {
        took.extend(caller??);
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Load {
        per_second: took.len() as f64 / seconds,
        p50_ms: percentile(&mut took, 0.5),
        p99_ms: percentile(&mut took, 0.99),
        answers: took.len(),
    })
}

async fn call(
    http: &reqwest::Client,
    target: &LoadTarget,
    body: String,
) -> anyhow::Result<Duration> {
    let (name, sign) = &target.key;
    let key = sign(&body);
    let call = match target.method {
        Method::GET => http.get(format!("{}{body}", target.url)),
        _ => http.post(&target.url).body(body),
    };
    let call = call.header(*name, key);
    let began = Instant::now();
    let answer = call.send().await.context("a call was not answered")?;
    let status = answer.status();
    let text = answer.text().await?;
    let took = began.elapsed();
    anyhow::ensure!(
        status.is_success() && text.contains(target.answer),
        "a call was answered {status} {text}"
    );
    Ok(took)
}
