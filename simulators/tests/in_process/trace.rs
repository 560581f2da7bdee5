//! One seed, one story: everything that a busy hour leaves behind is the same in a second run.

use std::time::{Duration, Instant};

use simulators::clock::Clock;
use simulators::telegram::{Limit, User};

use crate::world::*;

/// A busy hour of all three, on a runtime of its own; everything that they noted.
fn an_hour(seed: u64) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    fastrand::seed(seed);
    runtime.block_on(async {
        let clock = Clock::simulated(START_MS);
        let (aws, telegram) = (aws(&clock), telegram(&clock));
        let marketing = webengage(&clock);
        add_admin(&telegram, OTHER_TOKEN);
        aws.wire().record_calls(true);
        telegram.set_limit(Some(Limit::per_minute(20, 3)));
        telegram.sleep_through(Duration::from_secs(8));
        telegram.set_latency(Duration::from_millis(30)..=Duration::from_millis(2_500));
        let answers = (0..30).map(|number| match number % 3 {
            0 => Respond::MemberStatus(500),
            1 => Respond::Reset,
            _ => Respond::Hang,
        });
        let (deliver, deliveries) = webhook(&clock, answers.collect());
        telegram.deliver_to(deliver);
        set_webhook(&telegram).await;
        let url = queue(&aws, "Orders").await;
        let mut tasks = tokio::task::JoinSet::new();
        for id in 0..40 {
            let (aws, telegram, marketing) = (aws.clone(), telegram.clone(), marketing.clone());
            let (clock, url) = (clock.clone(), url.clone());
            tasks.spawn(async move {
                let pause_ms = fastrand::i64(0..600_000);
                clock.sleep_until(START_MS + pause_ms).await;
                let token = if id % 2 == 0 { TOKEN } else { OTHER_TOKEN };
                let created = create(&telegram, token).await.unwrap();
                if created.status() == 200 {
                    let link = link(&created);
                    send(&aws, &url, &link, id % 5).await.unwrap();
                    telegram.tap(&link, User::new(i64::from(id)));
                }
                tell_marketing(&marketing, id).await.unwrap();
            });
        }
        for _ in 0..3 {
            let (aws, url, clock) = (aws.clone(), url.clone(), clock.clone());
            tasks.spawn(async move {
                while clock.now_ms() < START_MS + 3_600_000 {
                    poll(&aws, &url).await.unwrap();
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        format!(
            "{:#?}",
            (
                telegram.calls(),
                telegram.deliveries(),
                telegram.links(),
                deliveries.lock().unwrap(),
                aws.wire().calls(),
                marketing.attempts(),
                clock.now_ms(),
            )
        )
    })
}

#[test]
fn one_seed_gives_one_story() {
    let since = Instant::now();
    let (first, second, other) = (an_hour(7), an_hour(7), an_hour(8));
    assert!(first.contains("https://t.me/+") && first.contains("Read timeout expired"));
    let difference = first.lines().zip(second.lines()).find(|(a, b)| a != b);
    assert_eq!(difference, None);
    assert_eq!(first.len(), second.len());
    assert!(first != other, "another seed, another story");
    assert!(since.elapsed() < Duration::from_secs(60));
}
