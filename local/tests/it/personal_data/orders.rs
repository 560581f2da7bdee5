//! Orders of a person who asks what is known of them, or is erased.

use domain::id::{OrderId, TelegramUserId};
use domain::order::record::{Checkout, OrderBuyer};

use super::*;
use crate::operator::orders::{opened, ordered, user};

const EMAIL: &str = "alice@example.com";

fn buyer(user_id: Option<&str>, person: i64) -> OrderBuyer {
    OrderBuyer {
        user_id: user_id.map(str::to_owned),
        telegram_user_id: Some(TelegramUserId(person)),
    }
}

async fn shown(stack: &TestStack, id: OrderId) -> Value {
    let shown = stack.operator().get(&format!("orders/{id}")).await.done();
    shown["order"].clone()
}

/// The item of an order, as it is stored.
async fn stored(stack: &TestStack, id: OrderId) -> String {
    let call = stack.dynamodb().get_item().table_name("Orders");
    let call = call.key("orderId", AttributeValue::S(id.to_string()));
    let call = call.key("item", AttributeValue::S("order".to_owned()));
    format!("{:?}", call.send().await.unwrap().item.unwrap())
}

#[tokio::test]
async fn an_order_is_shown_to_its_buyer_and_stays_without_them() {
    let stack = TestStack::with(&[CLAIMED]).await;
    lives(&stack).await;
    let open = Checkout::Creating {
        request: format!("customer_email={EMAIL}"),
        attempt: 0,
        off: None,
    };
    let mine = [
        ordered(&stack, buyer(None, ALICE), opened(), Vec::new())
            .await
            .id,
        ordered(&stack, buyer(Some(USER), ALICE), open, Vec::new())
            .await
            .id,
    ];
    // Her shop's user buys for somebody else, and somebody else buys.
    let others = [
        ordered(&stack, buyer(Some(USER), BOB), opened(), Vec::new())
            .await
            .id,
        ordered(&stack, user("bob-of-the-shop"), opened(), Vec::new())
            .await
            .id,
    ];
    stack.run_until_idle().await;
    let asked = stack
        .operator()
        .post(&format!("people/{ALICE}/export"), &json!({}))
        .await;
    work_off(&stack).await;
    let job = asked.body["jobId"].as_str().unwrap();
    let job = stack.operator().get(&format!("jobs/{job}")).await.done();
    let (_, lines) = fetched(job["job"]["links"][0].as_str().unwrap()).await;
    let file = json!(lines).to_string();
    for id in mine {
        assert!(file.contains(&id.to_string()), "{file}");
    }
    for id in others {
        assert!(!file.contains(&id.to_string()), "{file}");
    }
    // What the owner agreed with others is not hers.
    assert!(!file.contains("feeBps"), "{file}");

    let job = asked_to_erase(&stack).await;
    work_off(&stack).await;
    assert_eq!(stage_of(&stack, &job).await, "DONE");
    for id in mine {
        let text = stored(&stack, id).await;
        for gone in [USER, EMAIL, &ALICE.to_string()] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        let order = shown(&stack, id).await;
        let user = order["buyer"]["userId"].as_str().unwrap();
        assert!(user.starts_with("p_"), "{order}");
        assert_eq!(order["due"], 3000);
    }
    assert_eq!(
        shown(&stack, others[0]).await["buyer"]["telegramUserId"],
        BOB
    );
    assert_eq!(
        shown(&stack, others[1]).await["buyer"]["userId"],
        "bob-of-the-shop"
    );
}
