//! What operators see and do, and the sweeper that mends what stopped on its way: the real functions at the wire.

mod dead_letters;
mod finds_requests;
mod ledger;
mod lists_and_retries_all;
pub(crate) mod orders;
mod pauses_and_resumes;
mod payees;
mod payouts;
mod reissues;
mod retries_and_resends;
mod sweeper;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::TestStack;
use simulators::telegram::{Fault, Refusal};

/// A local stack whose sweeper runs only when the test says so.
async fn quiet(env: &[(&str, &str)]) -> TestStack {
    let stack = TestStack::with(env).await;
    stack.pause_sweeper();
    stack
}

/// How often a refusal must come before it is believed.
const REFUSALS: u32 = 5;

/// Telegram refuses a link for good.
fn refuse_for_good(stack: &TestStack) {
    let refusal = Refusal::new(400, "Bad Request: USER_ODD_INVALID");
    stack.telegram.fail_mints(REFUSALS, Fault::Refuse(refusal));
}

/// A request that was given up.
async fn failed(stack: &TestStack, user: &str, transaction: &str) -> String {
    let shop = stack.shop();
    refuse_for_good(stack);
    let id = shop.bought(user, transaction).await;
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["status"], "FAILED");
    id
}

/// All messages of a queue are lost.
async fn lose(stack: &TestStack, queue: &str) {
    let url = stack.aws().queue_url(queue);
    stack
        .sqs()
        .purge_queue()
        .queue_url(url)
        .send()
        .await
        .unwrap();
    assert_eq!(stack.depth(queue), 0);
}

/// How many requests the index of pending events holds.
async fn pending(stack: &TestStack) -> usize {
    let mut pending = 0;
    for shard in 0..16 {
        let page = stack
            .dynamodb()
            .query()
            .table_name("InviteRequests")
            .index_name("Pending")
            .key_condition_expression("pendingShard = :shard")
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
            .send()
            .await
            .unwrap();
        pending += page.items().len();
    }
    pending
}
