//! What breaks on the way: each failure says whether the call may have been done.

use domain::report::PaymentFault;
use simulators::stripe::{StripeFault, StripeFaultRule, StripeLimits};
use stripe::{RefundRequest, StripeError, session_key};

use super::shop::{KEY, ORDER, OTHER, Shop, client};

const SESSIONS: &str = "/v1/checkout/sessions";

async fn failed(shop: &Shop, fault: StripeFault, key: &str) -> StripeError {
    shop.simulated
        .fail(StripeFaultRule::on("POST", SESSIONS, fault).times(1));
    let form = shop.request(ORDER, None).form();
    let error = shop.stripe.create_session(&form, key).await.unwrap_err();
    let words = format!("{error} {error:?}");
    assert!(
        !words.contains(KEY) && !words.contains("shop.example"),
        "{words}"
    );
    error
}

#[tokio::test]
async fn after_an_unknown_outcome_the_same_bytes_under_the_same_key_give_the_one_session() {
    let shop = Shop::new().await;
    let form = shop.request(ORDER, None).form();
    for (attempt, fault) in [
        (1, StripeFault::ResetAfter),
        (2, StripeFault::Garbage),
        (3, StripeFault::ResetBefore),
    ] {
        let key = session_key(ORDER, attempt);
        let error = failed(&shop, fault, &key).await;
        assert_eq!(error.fault(), PaymentFault::Unknown, "{error:?}");
        let session = shop.stripe.create_session(&form, &key).await.unwrap();
        let again = shop.stripe.create_session(&form, &key).await.unwrap();
        assert_eq!(session, again);
    }
    let calls = shop.simulated.calls();
    let replayed = calls.iter().filter(|call| call.was_replayed).count();
    assert_eq!(replayed, 5);
}

#[tokio::test]
async fn a_kept_failure_stays_under_its_key_and_another_attempt_gets_through() {
    let shop = Shop::new().await;
    let form = shop.request(ORDER, None).form();
    let key = session_key(ORDER, 1);
    let error = failed(&shop, StripeFault::Internal, &key).await;
    assert_eq!(error.fault(), PaymentFault::Failed);
    let kept = shop.stripe.create_session(&form, &key).await.unwrap_err();
    assert_eq!(kept.fault(), PaymentFault::Failed);
    shop.stripe
        .create_session(&form, &session_key(ORDER, 2))
        .await
        .unwrap();
    // A proxy's page was not the API: nothing is kept.
    let key = session_key(ORDER, 3);
    let error = failed(&shop, StripeFault::BadGateway, &key).await;
    assert_eq!(error.fault(), PaymentFault::Unknown);
    shop.stripe.create_session(&form, &key).await.unwrap();
}

#[tokio::test]
async fn limits_and_objects_in_use_are_waited_for() {
    let shop = Shop::new().await;
    for fault in [StripeFault::RateLimited, StripeFault::LockTimeout] {
        let error = failed(&shop, fault, "k").await;
        assert!(matches!(error.fault(), PaymentFault::Wait(_)), "{error:?}");
    }
    shop.simulated.set_limits(Some(StripeLimits::PUBLISHED));
    let mut waits = 0;
    for _ in 0..40 {
        if let Err(error) = shop.stripe.account().await {
            assert!(matches!(error.fault(), PaymentFault::Wait(_)), "{error:?}");
            waits += 1;
        }
    }
    assert!(waits > 0);
}

#[tokio::test]
async fn refusals_have_their_code_and_no_word_of_the_buyers() {
    let shop = Shop::new().await;
    let mut request = shop.request(ORDER, None);
    request.amount = 1;
    let error = shop
        .stripe
        .create_session(&request.form(), "1")
        .await
        .unwrap_err();
    assert_eq!(
        (error.fault(), error.code()),
        (PaymentFault::Refused, Some("amount_too_small"))
    );
    request = shop.request(ORDER, None);
    request.success_url = "no url of anna@example.org";
    let error = shop
        .stripe
        .create_session(&request.form(), "2")
        .await
        .unwrap_err();
    assert_eq!(error.fault(), PaymentFault::Refused);
    assert!(!format!("{error} {error:?}").contains("anna"));
    // The key with other bytes is refused, never carried out.
    shop.stripe
        .create_session(&shop.request(ORDER, None).form(), "3")
        .await
        .unwrap();
    let error = shop
        .stripe
        .create_session(&shop.request(OTHER, None).form(), "3")
        .await;
    assert_eq!(error.unwrap_err().fault(), PaymentFault::Refused);
}

#[tokio::test]
async fn a_key_that_is_wrong_or_lacks_a_right_says_so() {
    let mut shop = Shop::new().await;
    let session = shop.paid_once().await;
    let intent = shop.of_session(&session.id, "payment_intent");
    shop.simulated
        .add_restricted_key("rk_test_few", &["payment_intent_read"]);
    let few = client(&shop.simulated.url(), "rk_test_few");
    let refund = RefundRequest {
        id: "auto#1",
        order: ORDER,
        charge: &intent,
        amount: None,
    };
    let error = few.create_refund(refund).await.unwrap_err();
    assert_eq!(error.fault(), PaymentFault::Key);
    assert!(error.to_string().contains("rak_refund_write"), "{error}");
    shop.simulated.revoke_key(KEY);
    let error = shop.stripe.create_refund(refund).await.unwrap_err();
    assert_eq!(error.fault(), PaymentFault::Key);
    assert!(!error.to_string().contains(KEY));
}

#[tokio::test]
async fn a_stripe_that_is_gone_was_not_called() {
    let shop = Shop::new().await;
    let form = shop.request(ORDER, None).form();
    shop.simulated.stop().await;
    let gone = shop.stripe.create_session(&form, "1").await.unwrap_err();
    assert_eq!(gone.fault(), PaymentFault::NotSent, "{gone:?}");
    // Neither is it by a key that no header can carry.
    let broken = client(&shop.simulated.url(), "sk_test_\n");
    let error = broken.account().await.unwrap_err();
    assert_eq!(error.fault(), PaymentFault::NotSent);
    assert!(!error.fault().may_be_done());
}
