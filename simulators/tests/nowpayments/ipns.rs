//! Notifications: their signatures, their repeats, and what happens to them on the way.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::nowpayments::{IpnFate, IpnForm, IpnRule, PayinStatus};

use crate::shop::{Respond, SECRET, Shop, amount, signed};

/// A payment that is paid at once; the statuses that were told.
async fn pay(shop: &Shop) -> u64 {
    let id = shop.payment("trx", json!({})).await;
    shop.now.deposit(id, "trx", amount("60"));
    id
}

fn statuses(shop: &Shop) -> Vec<String> {
    shop.told().into_iter().map(|(_, status)| status).collect()
}

#[tokio::test(start_paused = true)]
async fn without_a_secret_or_an_address_none_is_sent() {
    let shop = Shop::new();
    shop.now.set_ipn_secret(None);
    pay(&shop).await;
    shop.settle().await;
    shop.now.set_ipn_secret(Some(SECRET));
    shop.payment("trx", json!({"ipn_callback_url": null})).await;
    shop.settle().await;
    assert!(shop.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_form_signs_its_own_text() {
    for (form, is_flat) in [
        (IpnForm::Recursive, false),
        (IpnForm::RecursiveListsKept, false),
        (IpnForm::ReplacerList, true),
    ] {
        let shop = Shop::new();
        shop.now.set_ipn_form(form);
        let id = pay(&shop).await;
        shop.settle().await;
        shop.now.deposit(id, "trx", amount("5"));
        shop.settle().await;
        shop.now.resend_ipn(id);
        shop.settle().await;
        let notice = shop.notices().pop().unwrap();
        // `serde_json` sorts keys here, and keeps the text of all numbers but of one.
        let text = notice.text.replace("0.09853637216235617", "0.5");
        let mut body: Value = serde_json::from_str(&text).unwrap();
        assert!(
            notice.text.starts_with("{\"payment_id\":"),
            "{}",
            notice.text
        );
        let child = body["payment_extra_ids"][0].clone();
        assert!(child.is_u64());
        if is_flat {
            body["fee"] = json!({});
        }
        if form == IpnForm::Recursive {
            body["payment_extra_ids"] = json!({"0": child});
        }
        let text = body
            .to_string()
            .replace("\"depositFee\":0.5", "\"depositFee\":0.09853637216235617");
        assert_eq!(notice.signature, signed(SECRET, &text), "{form:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_or_takes_more_than_three_seconds_comes_thrice_again_a_minute_apart() {
    let shop = Shop::new();
    shop.answer([
        Respond::Status(500),
        Respond::Hang,
        Respond::Reset,
        Respond::Status(302),
    ]);
    shop.payment("trx", json!({})).await;
    shop.settle().await;
    let at: Vec<i64> = shop.told().iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 60, 123, 183]);
    let answers: Vec<_> = shop
        .now
        .ipns()
        .iter()
        .map(|ipn| (ipn.attempt, ipn.answer))
        .collect();
    assert_eq!(
        answers,
        [(1, Some(500)), (2, None), (3, None), (4, Some(302))]
    );
    let bodies: Vec<String> = shop
        .notices()
        .into_iter()
        .map(|notice| notice.text)
        .collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));

    let shop = Shop::new();
    shop.now.set_ipn_retries(1, Duration::from_secs(5));
    shop.answer([Respond::Status(503), Respond::Status(204)]);
    shop.payment("trx", json!({})).await;
    shop.settle().await;
    assert_eq!(shop.told().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_failed_holds_up_none_after_it() {
    let shop = Shop::new();
    shop.answer([Respond::Status(500)]);
    pay(&shop).await;
    shop.settle().await;
    assert_eq!(
        statuses(&shop),
        [
            "waiting",
            "confirming",
            "confirmed",
            "sending",
            "finished",
            "waiting"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn each_may_be_lost_repeated_late_kept_back_or_signed_by_another() {
    let shop = Shop::new();
    for (rule, expected) in [
        (
            IpnRule::of(IpnFate::Lost).on("finished"),
            vec!["waiting", "confirming", "confirmed", "sending"],
        ),
        (IpnRule::of(IpnFate::Lost), vec![]),
        (
            IpnRule::of(IpnFate::Lost).skip(1).times(3),
            vec!["waiting", "finished"],
        ),
        (
            IpnRule::of(IpnFate::Repeated(3)).on("finished"),
            vec![
                "waiting",
                "confirming",
                "confirmed",
                "sending",
                "finished",
                "finished",
                "finished",
            ],
        ),
        (
            IpnRule::of(IpnFate::Late(Duration::from_secs(60))).on("waiting"),
            vec!["confirming", "confirmed", "sending", "finished", "waiting"],
        ),
        (
            IpnRule::of(IpnFate::Held).on("sending"),
            vec!["waiting", "confirming", "confirmed", "finished"],
        ),
    ] {
        let before = shop.told().len();
        shop.now.treat_ipns(rule.clone());
        pay(&shop).await;
        shop.settle().await;
        assert_eq!(statuses(&shop)[before..], expected, "{rule:?}");
        shop.now.clear_ipn_rules();
    }
    shop.now.treat_ipns(IpnRule::of(IpnFate::SignedWrongly));
    shop.payment("trx", json!({})).await;
    shop.settle().await;
    let notice = shop.notices().pop().unwrap();
    shop.now.clear_ipn_rules();
    shop.now
        .resend_ipn(notice.body["payment_id"].as_u64().unwrap());
    shop.settle().await;
    let genuine = shop.notices().pop().unwrap();
    assert_eq!(genuine.text, notice.text);
    assert_ne!(genuine.signature, notice.signature);
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_back_comes_in_its_order_or_the_last_first() {
    let order = ["waiting", "confirming", "confirmed", "sending", "finished"];
    for is_reversed in [false, true] {
        let shop = Shop::new();
        shop.now.treat_ipns(IpnRule::of(IpnFate::Held));
        pay(&shop).await;
        shop.settle().await;
        assert!(shop.told().is_empty());
        let mut expected = order.to_vec();
        if is_reversed {
            shop.now.release_ipns_reversed();
            expected.reverse();
        } else {
            shop.now.release_ipns();
        }
        shop.settle().await;
        assert_eq!(statuses(&shop), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_set_by_hand_is_told_and_ends_what_was_about_to_happen() {
    let shop = Shop::new();
    let id = pay(&shop).await;
    shop.sleep(2).await;
    shop.now.set_status(id, PayinStatus::Failed);
    shop.settle().await;
    shop.sleep(60).await;
    assert_eq!(shop.look(id).await["payment_status"], "failed");
    shop.now.set_status(id, PayinStatus::Refunded);
    shop.settle().await;
    assert_eq!(statuses(&shop).last().map(String::as_str), Some("refunded"));
}
