//! Whoever dies, before or after whichever call: no link is handed to two, none is lost, and every event is delivered once.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use domain::id::ChatId;
use domain::link_pool::SlotId;
use domain::task::{Task, Work};
use domain::time::Timestamp;
use http::Request;
use local::harness::TestStack;
use serde_json::json;
use simulators::aws::{FaultRule, Phase, Service, WireCall, WireFault};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{MINUTE, all_is_well, empty, fill, link_in, pool, pooled, tick};

/// Runs `work` and kills it at its call number `at` of those that are `mine`: before its effect, or after it. Answers
/// which call that was, if it came so far.
async fn dies_at<F>(
    stack: &TestStack,
    (at, phase): (u64, Phase),
    mine: impl Fn(&WireCall) -> bool + Send + Sync + 'static,
    work: F,
) -> Option<&'static str>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (seen, died) = (AtomicU64::new(0), Arc::<OnceLock<&'static str>>::default());
    let victim: Arc<OnceLock<AbortHandle>> = Arc::default();
    let (aws, dead, handle) = (stack.aws().clone(), Arc::clone(&died), Arc::clone(&victim));
    stack.aws().wire().on_call(Arc::new(move |when, call| {
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
    stack.aws().wire().clear_hook();
    stack.aws().wire().clear_faults();
    died.get().copied()
}

/// All calls but those of the pollers.
fn any(call: &WireCall) -> bool {
    !["ReceiveMessage", "DeleteMessageBatch"].contains(&call.operation)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_dies_at_any_call_leaves_nothing_behind() {
    for phase in [Phase::Before, Phase::After] {
        // Read, look, take, queue the event, ask for the slot. How often it looks is chance.
        for operation in [
            "GetItem",
            "Query",
            "TransactWriteItems",
            "SendMessage",
            "PutItem",
        ] {
            let stack = pooled(2).await;
            let functions = Arc::clone(stack.functions());
            let call = Request::post("/v1/invite/request")
                .header("x-api-key", stack.local.api_key())
                .body(Bytes::from(
                    json!({"userId": "u1", "transactionId": "T1"}).to_string(),
                ))
                .unwrap();
            let of = move |call: &WireCall| call.operation == operation;
            let died = dies_at(&stack, (0, phase), of, async move {
                functions.get("request").call(call).await;
            })
            .await;
            stack.run_until_idle().await;
            let answer = stack.shop().buy("u1", "T1").await;
            assert!(
                link_in(&answer.body).is_some(),
                "{phase:?} {operation}: {}",
                answer.body
            );
            // An event whose message was lost is pending.
            stack.clock.advance(MINUTE * 61);
            stack.functions().sweep().await;
            stack.run_until_idle().await;
            let id = answer.request_id();
            all_is_well(&stack, std::slice::from_ref(&id), 0).await;
            assert_eq!(pool(&stack).await.len(), 1, "{phase:?} {operation}");
            assert!(died.is_some());
            // The slot is asked for by the audit, if not by the request.
            fill(&stack, 2).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taking_whose_caller_never_comes_again_is_delivered_all_the_same() {
    let stack = pooled(2).await;
    let functions = Arc::clone(stack.functions());
    let call = Request::post("/v1/invite/request")
        .header("x-api-key", stack.local.api_key())
        .body(Bytes::from(
            json!({"userId": "u1", "transactionId": "T1"}).to_string(),
        ))
        .unwrap();
    let taken = |call: &WireCall| call.operation == "TransactWriteItems";
    let died = dies_at(&stack, (0, Phase::After), taken, async move {
        functions.get("request").call(call).await;
    });
    assert!(died.await.is_some());
    stack.clock.advance(MINUTE * 61);
    stack.functions().sweep().await;
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.ingested_count(), 1);
}

fn of_audit(call: &WireCall) -> bool {
    let table = call.table_or_queue.as_deref();
    call.service == Service::DynamoDb
        && matches!(
            (table, call.operation),
            (Some("LinkPool"), "DeleteItem") | (Some("ChatTasks"), "PutItem")
        )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_that_dies_at_any_call_is_made_good_by_the_next() {
    for phase in [Phase::Before, Phase::After] {
        for at in [0, 3, 11, 12] {
            let stack = empty("12").await;
            let functions = Arc::clone(stack.functions());
            let died = dies_at(&stack, (at, phase), of_audit, async move {
                functions.tick().await;
            })
            .await;
            assert_eq!(died.is_some(), at < 12, "one task a slot");
            stack.clock.advance(MINUTE);
            fill(&stack, 12).await;
            all_is_well(&stack, &[], 0).await;
            assert_eq!(stack.telegram.link_count(), 12, "{phase:?} {at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eviction_that_dies_at_any_call_costs_one_revocation_at_most() {
    for phase in [Phase::Before, Phase::After] {
        for at in 0..3 {
            let stack = pooled(2).await;
            stack.clock.advance(Duration::from_secs(28 * 86_400 + 60));
            let functions = Arc::clone(stack.functions());
            let died = dies_at(&stack, (at, phase), of_audit, async move {
                functions.tick().await;
            });
            assert!(died.await.is_some(), "{phase:?} {at}");
            stack.clock.advance(MINUTE);
            for _ in 0..3 {
                tick(&stack).await;
            }
            fill(&stack, 2).await;
            let now = stack.clock.now_ms() / 1000;
            for link in pool(&stack).await.values() {
                assert!(link.link_expires_at.seconds() - now > 28 * 86_400);
            }
            // A link that was evicted and not revoked: nobody has it, and it expires.
            all_is_well(&stack, &[], 2).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatcher_that_dies_at_any_call_of_a_fill_makes_it_again_and_keeps_one() {
    for phase in [Phase::Before, Phase::After] {
        for at in 0.. {
            let stack = empty("1").await;
            let slot = SlotId {
                pool: ChatId(stack.chat_id),
                number: 0,
            };
            let now = Timestamp::from_ms(stack.clock.now_ms());
            stack
                .put(&Task::new(slot.pool, Work::Fill(slot), now))
                .await;
            let (functions, bells) = (Arc::clone(stack.functions()), stack.bells(1));
            let died = dies_at(&stack, (at, phase), any, async move {
                let deadline = Instant::now() + Duration::from_secs(90);
                functions.work(bells, deadline).await;
            })
            .await;
            // The lease of the dead lapses; the tick goes on.
            stack.clock.advance(MINUTE);
            fill(&stack, 1).await;
            all_is_well(&stack, &[], 1).await;
            if died.is_none() {
                // Take, six lanes, the slot, the lookup, the pool, the task, release.
                assert!((10..=14).contains(&at), "{at} calls");
                break;
            }
        }
    }
}
