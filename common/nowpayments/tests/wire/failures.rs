//! What breaks on the way.

use domain::report::PaymentFault;
use nowpayments::NowPaymentsError;
use simulators::nowpayments::{Trouble, TroubleRule};

use super::merchant::{KEY, Merchant, client};

#[tokio::test]
async fn each_failure_says_whether_the_call_may_have_been_done() {
    let shop = Merchant::new().await;
    let body = shop.request().body().unwrap();
    for (trouble, fault) in [
        (
            Trouble::RateLimited { retry_after: None },
            PaymentFault::Wait(None),
        ),
        (
            Trouble::RateLimited {
                retry_after: Some(7),
            },
            PaymentFault::Wait(Some(std::time::Duration::from_secs(7))),
        ),
        (Trouble::Internal, PaymentFault::Failed),
        (Trouble::BadGateway, PaymentFault::Unknown),
        (Trouble::BadGatewayAfterEffect, PaymentFault::Unknown),
        (Trouble::Garbage, PaymentFault::Unknown),
        (Trouble::ResetBefore, PaymentFault::Unknown),
        (Trouble::ResetAfter, PaymentFault::Unknown),
        (Trouble::Firewall, PaymentFault::NotSent),
    ] {
        shop.simulated
            .trouble(TroubleRule::always(trouble.clone()).times(1));
        let error = shop.client.create_invoice(&body).await.unwrap_err();
        assert_eq!(error.fault(), fault, "{trouble:?} {error:?}");
        let words = format!("{error} {error:?}");
        assert!(
            !words.contains(KEY) && !words.contains("shop.example"),
            "{words}"
        );
    }
    shop.client.create_invoice(&body).await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_or_login_is_for_a_person() {
    let shop = Merchant::new().await;
    let body = shop.request().body().unwrap();
    let url = shop.simulated.url();
    let stranger = client(&url, "KEY-stranger", None);
    let error = stranger.create_invoice(&body).await.unwrap_err();
    assert_eq!(error.fault(), PaymentFault::Key);
    assert!(!format!("{error} {error:?}").contains("stranger"));
    let error = client(&url, KEY, None).payments_of("1").await.unwrap_err();
    assert!(matches!(error, NowPaymentsError::NoLogin));
    let error = client(&url, KEY, Some("wrong"))
        .payments_of("1")
        .await
        .unwrap_err();
    assert_eq!(error.fault(), PaymentFault::Key);
    let bad = body.replace("30.00", "\"30.00\"");
    let error = shop.client.create_invoice(&bad).await.unwrap_err();
    assert_eq!(error.fault(), PaymentFault::Refused);
    shop.simulated.stop().await;
    let gone = shop.client.status().await.unwrap_err();
    assert_eq!(gone.fault(), PaymentFault::NotSent);
}
