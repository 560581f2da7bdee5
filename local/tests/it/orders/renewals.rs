//! Subscriptions: they renew, also when nobody tells of it.

use local::harness::HOUR;
use simulators::stripe::{BuyerAction, EventFault, EventRule};

use super::{balances, order, placed, requests, selling, settled};

#[tokio::test]
async fn a_subscription_renews_and_its_seat_goes_on() {
    let stack = selling(&[("CHAT_DELIVERY", "claim")]).await;
    let placed = placed(&stack, "sub", "alice").await;
    stack
        .stripe()
        .act(&placed.session, &BuyerAction::Pay)
        .unwrap();
    settled(&stack).await;
    let first = order(&stack, &placed.id).await;
    assert_eq!(first["state"], "PAID", "{first}");
    let until = first["entitlement"]["end"].as_str().unwrap().to_owned();
    for _ in 0..32 {
        stack.clock.advance(HOUR * 24);
        settled(&stack).await;
    }
    let renewed = order(&stack, &placed.id).await;
    assert!(
        renewed["entitlement"]["end"].as_str().unwrap() > &*until,
        "{renewed}"
    );
    assert_eq!(requests(&stack).await, 1);
    assert_eq!(balances(&stack).await["provider:stripe"], 4000);
}

#[tokio::test]
async fn a_renewal_that_no_event_tells_of_is_found() {
    let stack = selling(&[("CHAT_DELIVERY", "claim")]).await;
    let placed = placed(&stack, "sub", "alice").await;
    let stripe = stack.stripe();
    stripe.act(&placed.session, &BuyerAction::Pay).unwrap();
    settled(&stack).await;
    let first = order(&stack, &placed.id).await;
    let until = first["entitlement"]["end"].as_str().unwrap().to_owned();
    stripe.fail_delivery(&EventRule {
        event_type: None,
        times: None,
        fault: EventFault::Lose,
    });
    for _ in 0..32 {
        stack.clock.advance(HOUR * 24);
        settled(&stack).await;
    }
    let renewed = order(&stack, &placed.id).await;
    assert!(
        renewed["entitlement"]["end"].as_str().unwrap() > &*until,
        "{renewed}"
    );
    assert_eq!(balances(&stack).await["provider:stripe"], 4000);
    assert_eq!(requests(&stack).await, 1);
}
