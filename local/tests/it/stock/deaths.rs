//! Whoever dies, before or after whichever call: no link is handed to two, none is lost, and every fact is told once.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use bytes::Bytes;
use http::Request;
use local::harness::TestBundle;
use serde_json::json;
use simulators::aws::{FaultRule, Phase, Service, WireCall, WireFault};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{MINUTE, all_is_well, empty, fill, link_in, shelf, stocked};

/// Runs `work` and kills it at its call number `at` of those that are `mine`: before its effect, or after it. Answers
/// which call that was, if it came so far.
async fn dies_at<F>(
    bundle: &TestBundle,
    (at, phase): (u64, Phase),
    mine: impl Fn(&WireCall) -> bool + Send + Sync + 'static,
    work: F,
) -> Option<&'static str>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (seen, died) = (AtomicU64::new(0), Arc::<OnceLock<&'static str>>::default());
    let victim: Arc<OnceLock<AbortHandle>> = Arc::default();
    let (aws, dead, handle) = (bundle.aws().clone(), Arc::clone(&died), Arc::clone(&victim));
    bundle.aws().wire().on_call(Arc::new(move |when, call| {
        if when != phase || !mine(call) || seen.fetch_add(1, Ordering::SeqCst) != at {
            return;
        }
        let _ = dead.set(call.operation);
        handle.wait().abort();
        if phase == Phase::Before {
            // This very call, which would go on without its caller.
            let rule = FaultRule::new(WireFault::ResetBefore).on(call.service, call.operation);
            aws.wire().fail(rule);
        }
    }));
    let work = tokio::spawn(work);
    let _ = victim.set(work.abort_handle());
    let _ = work.await;
    bundle.aws().wire().clear_hook();
    bundle.aws().wire().clear_faults();
    died.get().copied()
}

/// All calls but those of the pollers.
fn any(call: &WireCall) -> bool {
    !["ReceiveMessage", "DeleteMessageBatch"].contains(&call.operation)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_dies_at_any_call_leaves_nothing_behind() {
    for phase in [Phase::Before, Phase::After] {
        // Read, look, promise, take. How often it looks is chance.
        for operation in ["GetItem", "Query", "SendMessage", "TransactWriteItems"] {
            let bundle = stocked(2).await;
            let functions = Arc::clone(bundle.functions());
            let call = Request::post("/v1/invite/request")
                .header("x-api-key", bundle.bundle.api_key())
                .body(Bytes::from(
                    json!({"userId": "u1", "transactionId": "T1"}).to_string(),
                ))
                .unwrap();
            let of = move |call: &WireCall| call.operation == operation;
            let died = dies_at(&bundle, (0, phase), of, async move {
                functions.request(call).await;
            })
            .await;
            // What was promised and not taken is found out while the buyer has not come again yet.
            bundle.settle().await;
            let answer = bundle.buy("u1", "T1").await;
            assert!(
                link_in(&answer.body).is_some(),
                "{phase:?} {operation}: {}",
                answer.body
            );
            bundle.settle().await;
            let id = answer.request_id();
            all_is_well(&bundle, std::slice::from_ref(&id), 0).await;
            assert_eq!(shelf(&bundle).await.len(), 1, "{phase:?} {operation}");
            assert!(died.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taking_whose_caller_never_comes_again_is_told_all_the_same() {
    let bundle = stocked(2).await;
    let functions = Arc::clone(bundle.functions());
    let call = Request::post("/v1/invite/request")
        .header("x-api-key", bundle.bundle.api_key())
        .body(Bytes::from(
            json!({"userId": "u1", "transactionId": "T1"}).to_string(),
        ))
        .unwrap();
    let taken = |call: &WireCall| call.operation == "TransactWriteItems";
    let died = dies_at(&bundle, (0, Phase::After), taken, async move {
        functions.request(call).await;
    });
    assert!(died.await.is_some());
    bundle.settle().await;
    assert_eq!(bundle.webengage.ingested_count(), 1);
}

fn of_stock(call: &WireCall) -> bool {
    match call.service {
        // The worker's own writes name no version.
        Service::DynamoDb => {
            call.table_or_queue.as_deref() == Some("Stock")
                && (call.operation == "DeleteItem"
                    || call
                        .request
                        .pointer("/ExpressionAttributeValues/:version")
                        .is_some())
        }
        _ => call.operation == "SendMessageBatch",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_dies_at_any_call_is_made_good() {
    for phase in [Phase::Before, Phase::After] {
        for at in 0.. {
            let bundle = empty("12").await;
            let functions = Arc::clone(bundle.functions());
            let died = dies_at(&bundle, (at, phase), of_stock, async move {
                functions.restock().await;
            })
            .await;
            bundle.settle().await;
            // What was ordered twice is made once more than wanted at most, and revoked.
            for _ in 0..3 {
                bundle.turn(MINUTE);
                bundle.functions().restock().await;
                bundle.settle().await;
            }
            assert_eq!(shelf(&bundle).await.len(), 12, "{phase:?} {at}");
            all_is_well(&bundle, &[], 0).await;
            if died.is_none() {
                // Keep others out, two batches, the note.
                assert_eq!(at, 4);
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throwing_away_that_dies_at_any_call_costs_one_revocation_at_most() {
    for phase in [Phase::Before, Phase::After] {
        for at in 0..3 {
            let bundle = stocked(2).await;
            bundle.turn(Duration::from_secs(28 * 86_400 + 60));
            let functions = Arc::clone(bundle.functions());
            let died = dies_at(&bundle, (at, phase), of_stock, async move {
                functions.restock().await;
            });
            assert!(died.await.is_some(), "{phase:?} {at}");
            bundle.turn(MINUTE);
            fill_anew(&bundle).await;
            // A link that was taken off its shelf and not revoked: nobody has it, and it expires.
            all_is_well(&bundle, &[], 2).await;
        }
    }
}

async fn fill_anew(bundle: &TestBundle) {
    for _ in 0..5 {
        bundle.functions().restock().await;
        bundle.settle().await;
        bundle.turn(MINUTE);
    }
    fill(bundle, 2).await;
    let now = bundle.clock.now_ms() / 1000;
    for unit in shelf(bundle).await.values() {
        assert!(unit.link_expires_at.seconds() - now > 28 * 86_400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_at_any_call_of_a_unit_makes_it_again_and_keeps_one() {
    for phase in [Phase::Before, Phase::After] {
        for at in 0.. {
            let bundle = empty("1").await;
            let job = json!({"kind": "stock", "chatId": bundle.chat_id, "shelf": bundle.chat_id, "unit": 1, "ttlSec": 2_592_000});
            let batch: SqsEvent = serde_json::from_value(
                json!({"Records": [{"messageId": "m1", "body": job.to_string()}]}),
            )
            .unwrap();
            let functions = Arc::clone(bundle.functions());
            let died = dies_at(&bundle, (at, phase), any, async move {
                let deadline = Instant::now() + Duration::from_secs(60);
                functions.work(batch, deadline).await;
            })
            .await;
            // SQS shows the message again.
            bundle.send_job(&job).await;
            bundle.settle().await;
            assert_eq!(shelf(&bundle).await.len(), 1, "{phase:?} {at}");
            all_is_well(&bundle, &[], 1).await;
            if died.is_none() {
                // The pace twice and its write, the ledger, the lookup, the shelf, the note.
                assert!((5..=9).contains(&at), "{at} calls");
                break;
            }
        }
    }
}
