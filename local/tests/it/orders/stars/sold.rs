//! What follows a sale in Stars: few seats, refunds, renewals, the end of a subscription, trouble at Telegram.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use local::harness::{HOUR, MINUTE, TestStack};
use serde_json::json;
use simulators::aws::{self, Phase, WireFault};
use simulators::telegram::{Checkout, Fault, FaultRule, User};

use super::{ANN, paid, pays, placed, refused, selling, state};
use crate::orders::{balances, count, order, requests, seat};

#[tokio::test]
async fn of_one_seat_one_is_sold_and_who_has_it_is_not_charged_again() {
    let stack = selling(&[]).await;
    let (_, link) = placed(&stack, "seat", ANN).await;
    let wish = json!({"productId": "club", "tierId": "seat", "provider": "stars"});
    let quote = stack.shop().quote(&wish).await.done()["quoteId"].clone();
    let body = json!({"quoteId": quote, "telegramUserId": 8});
    let none = stack.shop().checkout(&body, "K8").await;
    assert_eq!(none.refusal(), (409, "sold_out"));
    paid(&stack, &link, ANN).await;
    // For ever: nothing that they could pay for would add to it.
    let (id, link) = placed(&stack, "month", ANN).await;
    let why = refused(&stack, &link, ANN).await;
    assert!(why.contains("already"), "{why}");
    assert_eq!(state(&stack, &id).await, "OPEN");
}

#[tokio::test]
async fn a_refund_by_an_operator_goes_back_in_stars_and_ends_the_seat() {
    let stack = selling(&[]).await;
    let (id, link) = placed(&stack, "month", ANN).await;
    let charge = paid(&stack, &link, ANN).await;
    let path = format!("orders/{id}/refunds");
    let wish = json!({"refundId": "r1"});
    stack.operator().post(&path, &wish).await.done();
    stack.run_until_idle().await;
    assert_eq!(
        stack.telegram.is_refunded(stack.bot_id, &charge),
        Some(true)
    );
    assert_eq!(state(&stack, &id).await, "REFUNDED");
    assert_eq!(seat(&stack, ANN).await["right"], "ENDED");
    assert_eq!(balances(&stack).await, json!({}));
    // What is told of it says nothing new.
    let refunds = |order: &serde_json::Value| {
        let facts = order["facts"].as_array().unwrap().clone();
        let of_kind = |fact: &&serde_json::Value| fact["kind"] == "refund";
        facts.iter().filter(of_kind).count()
    };
    assert_eq!(refunds(&order(&stack, &id).await), 1);
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_is_made_once() {
    let stack = selling(&[]).await;
    let (id, link) = placed(&stack, "month", ANN).await;
    paid(&stack, &link, ANN).await;
    let lost = FaultRule::on("refundStarPayment", Fault::ResetAfter);
    stack.telegram.fail(lost.times(1));
    let path = format!("orders/{id}/refunds");
    let wish = json!({"refundId": "r1"});
    stack.operator().post(&path, &wish).await.done();
    for _ in 0..3 {
        stack.clock.advance(HOUR);
        stack.run_until_idle().await;
    }
    let refunded = order(&stack, &id).await;
    assert_eq!(
        (&refunded["state"], &refunded["cases"], &refunded["pending"]),
        (&json!("REFUNDED"), &json!([]), &json!([]))
    );
    let out = stack.telegram.star_transactions(stack.bot_id);
    let out = out.iter().filter(|one| one["receiver"].is_object());
    assert_eq!(out.count(), 1);
}

#[tokio::test]
async fn what_was_paid_in_stars_is_paid_out_after_three_weeks() {
    let stack = selling(&[]).await;
    let operator = stack.operator();
    let account = json!({"address": "UQ_wallet", "threshold": 1});
    operator.put("payees/owner:o1/XTR", &account).await.done();
    let (_, link) = placed(&stack, "month", ANN).await;
    paid(&stack, &link, ANN).await;
    let asking = json!({"payee": "owner:o1", "currency": "XTR"});
    stack.advance_when_idle(20 * 24 * HOUR).await;
    stack.run_until_idle().await;
    let early = operator.post("payouts", &asking).await;
    assert_eq!(early.refusal(), (409, "payout_refused"));
    stack.advance_when_idle(25 * HOUR).await;
    stack.run_until_idle().await;
    let payout = operator.post("payouts", &asking).await.done();
    assert_eq!(payout["payout"]["total"], 450);
}

async fn subscribed(stack: &TestStack) -> (String, String) {
    let (id, link) = placed(stack, "sub", ANN).await;
    let charge = paid(stack, &link, ANN).await;
    (id, charge)
}

#[tokio::test]
async fn a_renewal_prolongs_the_seat_and_is_booked() {
    let stack = selling(&[]).await;
    let (id, first) = subscribed(&stack).await;
    let until = order(&stack, &id).await["entitlement"]["end"].clone();
    let days = |days: u32| HOUR * 24 * days;
    stack.clock.advance(days(30) - HOUR);
    let second = stack.telegram.renews_stars(stack.bot_id, &first).unwrap();
    stack.run_until_idle().await;
    let renewed = order(&stack, &id).await;
    let end = |end: &serde_json::Value| end.as_str().unwrap().to_owned();
    assert!(
        end(&renewed["entitlement"]["end"]) > end(&until),
        "{renewed}"
    );
    assert_ne!(first, second);
    assert_eq!(requests(&stack).await, 1);
    assert_eq!(balances(&stack).await["provider:stars"], 800);
    // One that nobody was told of is found by the next look at the list, of whichever order.
    stack.telegram.loses_payments(stack.bot_id, true);
    stack.clock.advance(days(29));
    stack.telegram.renews_stars(stack.bot_id, &first).unwrap();
    placed(&stack, "month", 8).await;
    let found = async || {
        stack.clock.advance(HOUR);
        stack.run_until_idle().await;
        (balances(&stack).await["provider:stars"] == 1200).then_some(())
    };
    local::harness::until("it is booked", found).await;
}

#[tokio::test]
async fn a_subscription_whose_money_goes_back_renews_no_more() {
    let stack = selling(&[]).await;
    let (id, charge) = subscribed(&stack).await;
    let path = format!("orders/{id}/refunds");
    let wish = json!({"refundId": "r1"});
    stack.operator().post(&path, &wish).await.done();
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.renews(stack.bot_id, &charge), Some(false));
    assert_eq!(stack.telegram.renews_stars(stack.bot_id, &charge), None);
    let ended = order(&stack, &id).await;
    assert_eq!(ended["state"], "REFUNDED");
    assert_eq!(seat(&stack, ANN).await["right"], "ENDED");
}

#[tokio::test]
async fn a_subscription_that_an_operator_cancels_lasts_as_long_as_it_is_paid() {
    let stack = selling(&[]).await;
    let (id, charge) = subscribed(&stack).await;
    let path = format!("orders/{id}/cancel");
    stack.operator().post(&path, &json!({})).await.done();
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.renews(stack.bot_id, &charge), Some(false));
    assert_eq!(state(&stack, &id).await, "PAID");
    assert_eq!(seat(&stack, ANN).await["right"], "ENTITLED");
}

#[tokio::test]
async fn an_invoice_whose_answer_is_lost_is_made_anew_and_the_order_is_paid_once() {
    let stack = selling(&[]).await;
    let lost = FaultRule::on("createInvoiceLink", Fault::ResetAfter);
    stack.telegram.fail(lost.times(1));
    let wish = json!({"productId": "club", "tierId": "month", "provider": "stars"});
    let quote = stack.shop().quote(&wish).await.done()["quoteId"].clone();
    let body = json!({"quoteId": quote, "telegramUserId": ANN});
    let away = stack.shop().checkout(&body, "K1").await;
    assert_eq!(away.refusal(), (503, "provider_unavailable"));
    let made = stack.shop().checkout(&body, "K1").await.done();
    let id = made["orderId"].as_str().unwrap();
    paid(&stack, made["payUrl"].as_str().unwrap(), ANN).await;
    assert_eq!(state(&stack, id).await, "PAID");
    assert_eq!(count(&stack, "Ledger").await, 1);
}

/// Payments during which one call of ours at a table or queue is lost, or its answer: each call once, each in both ways.
#[tokio::test]
async fn whichever_call_is_lost_a_payment_is_settled_once() {
    let stack = selling(&[]).await;
    let mut paid_for = 0;
    for (number, phase) in (0..26).flat_map(|at| [(at, Phase::Before), (at, Phase::After)]) {
        let person = 100 + i64::from(number) * 2 + i64::from(phase == Phase::After);
        let (id, link) = placed(&stack, "month", person).await;
        let seen = AtomicU32::new(0);
        let aws = stack.aws().clone();
        stack.aws().wire().on_call(Arc::new(move |when, call| {
            let is_poll = ["ReceiveMessage", "DeleteMessageBatch"].contains(&call.operation);
            if when != Phase::Before || is_poll || seen.fetch_add(1, Ordering::SeqCst) != number {
                return;
            }
            let fault = match phase {
                Phase::Before => WireFault::ResetBefore,
                Phase::After => WireFault::ResetAfter,
            };
            let rule = aws::FaultRule::new(fault).on(call.service, call.operation);
            aws.wire().fail(rule.times(1));
        }));
        let became = pays(&stack, &link, person).await;
        stack.aws().wire().clear_hook();
        stack.aws().wire().clear_faults();
        for _ in 0..3 {
            stack.clock.advance(MINUTE);
            stack.run_until_idle().await;
        }
        let standing = order(&stack, &id).await;
        match became {
            Checkout::Paid(charge) => {
                paid_for += 1;
                assert_eq!(standing["state"], "PAID", "{number} {phase:?}: {standing}");
                assert_eq!(standing["pending"], json!([]), "{number} {phase:?}");
                assert_eq!(standing["facts"][0]["key"], json!(charge));
                assert_eq!(seat(&stack, person).await["right"], "ENTITLED");
            }
            // Not consented to in time: nothing was taken.
            other => assert_eq!(standing["state"], "OPEN", "{number} {phase:?}: {other:?}"),
        }
    }
    assert!(paid_for > 40, "{paid_for}");
    let rows = (
        count(&stack, "Ledger").await,
        count(&stack, "Payables").await,
        requests(&stack).await,
    );
    assert_eq!(rows, (paid_for, paid_for, paid_for));
}

#[tokio::test]
async fn an_invoice_that_is_open_on_two_devices_begins_one_subscription() {
    let stack = selling(&[]).await;
    let (id, link) = placed(&stack, "sub", ANN).await;
    let queries = [(); 2].map(|()| stack.telegram.pays_invoice(&link, &User::new(ANN)).unwrap());
    stack.run_until_idle().await;
    let taken = queries.map(|query| match stack.telegram.checkout(&query).unwrap() {
        Checkout::Paid(_) => true,
        Checkout::Refused(why) => {
            let words = ["being paid", "can't be paid any more"];
            assert!(words.iter().any(|words| why.contains(words)), "{why}");
            false
        }
        Checkout::Waiting => panic!("nobody answered"),
    });
    assert_ne!(taken[0], taken[1]);
    assert_eq!(state(&stack, &id).await, "PAID");
    assert_eq!(balances(&stack).await["provider:stars"], 400);
}

#[tokio::test]
async fn no_second_payment_is_taken_while_the_first_may_be_on_its_way() {
    let stack = selling(&[]).await;
    let (id, link) = placed(&stack, "sub", ANN).await;
    stack.telegram.loses_payments(stack.bot_id, true);
    paid(&stack, &link, ANN).await;
    let why = refused(&stack, &link, ANN).await;
    assert!(why.contains("being paid"), "{why}");
    assert_eq!(state(&stack, &id).await, "OPEN");
    for _ in 0..5 {
        stack.clock.advance(MINUTE);
        stack.run_until_idle().await;
    }
    assert_eq!(state(&stack, &id).await, "PAID");
    assert_eq!(balances(&stack).await["provider:stars"], 400);
}

#[tokio::test]
async fn a_renewal_that_no_update_told_of_is_looked_for_and_one_that_never_came_can_be_bought_anew()
{
    let stack = selling(&[]).await;
    let (_, charge) = subscribed(&stack).await;
    stack.telegram.loses_payments(stack.bot_id, true);
    stack.clock.advance(HOUR * 24 * 30);
    stack.telegram.renews_stars(stack.bot_id, &charge).unwrap();
    for _ in 0..25 {
        stack.clock.advance(HOUR);
        stack.run_until_idle().await;
    }
    assert_eq!(balances(&stack).await["provider:stars"], 800);
    // The second period is over, and nothing came for three days.
    let wish =
        json!({"productId": "club", "tierId": "sub", "provider": "stars", "telegramUserId": ANN});
    let again = stack.shop().checkout(&wish, "K-early").await;
    assert_eq!(again.refusal(), (409, "already_owned"));
    stack.clock.advance(HOUR * 24 * 33);
    stack.run_until_idle().await;
    let again = stack.shop().checkout(&wish, "K-late").await.done();
    assert_eq!(again["status"], "OPEN");
    stack.run_until_idle().await;
}
