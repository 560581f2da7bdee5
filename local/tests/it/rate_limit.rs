//! A rate limit never fails a request, never spends its attempts, and is obeyed by everybody.

use std::time::Duration;

use futures_util::future::join_all;
use local::harness::{Case, ExternalServices, MINUTE, TestStack, any_port};
use local::stack::Data;
use simulators::telegram::{ChatKind, Fault, FaultRule, Limit, Rights};

#[tokio::test]
async fn a_429_is_waited_out_by_all_of_the_chat_however_long_it_is() {
    for (name, retry_after) in [("3 seconds", 3), ("40 seconds", 40), ("2000 seconds", 2000)] {
        let _case = Case::named(name);
        let stack = TestStack::start().await;
        let (shop, telegram) = (stack.shop(), &stack.telegram);
        telegram.fail_mints(1, Fault::TooManyRequests { retry_after });
        let first = shop.bought("u1", "T1").await;
        stack.run_until(|| telegram.too_many_requests() > 0).await;
        let refused_at = stack.clock.now_ms();
        shop.stands(&first, "QUEUED", 0).await;
        // Another buyer of the same chat must wait as well.
        let other = shop.bought("u2", "T2").await;
        stack.run_until_idle().await;
        for id in [&first, &other] {
            shop.stands(id, "DONE", 1).await;
        }
        let calls = telegram.calls().into_iter();
        let made = calls.filter(|call| call.status == 200 && call.method == "createChatInviteLink");
        let made: Vec<i64> = made.map(|call| call.at_ms).collect();
        assert_eq!(made.len(), 2);
        // The clock stood still between the refusal and the first look at it, but for the milliseconds of the look.
        let waited = made[0] - refused_at;
        assert!(
            waited >= i64::from(retry_after) * 1000 - 200,
            "waited {waited} ms"
        );
    }
}

#[tokio::test]
async fn a_429_without_json_is_a_rate_limit_too() {
    let stack = TestStack::start().await;
    stack.telegram.fail_mints(2, Fault::TooManyRequestsHtml);
    let (id, _) = stack.admitted("u1", "T1").await;
    stack.shop().stands(&id, "DONE", 1).await;
}

#[tokio::test]
async fn a_hundred_buyers_at_five_links_a_second_all_get_in_and_nothing_is_dropped() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.telegram.limit(Limit {
        calls: 5,
        per: Duration::from_secs(1),
        burst: 20,
    });
    let buyers = (0..100).map(async |n| shop.bought(&format!("u{n}"), &format!("T{n}")).await);
    let ids = join_all(buyers).await;
    stack.run_until_idle().await;
    for id in &ids {
        shop.stands(id, "DONE", 1).await;
    }
    assert_eq!(stack.telegram.link_count(), 100);
    assert_eq!(stack.telegram.violation_count(), 0);
}

#[tokio::test]
async fn one_chats_pause_does_not_hold_another_chat() {
    let externals =
        ExternalServices::start("123456789:AAExternal_token_of_nobody_00000000", "key").await;
    let (busy, elsewhere) = (externals.chat_id, externals.chat_id - 1);
    let telegram = &externals.telegram;
    telegram.add_chat(elsewhere, "Elsewhere", ChatKind::Supergroup);
    telegram.make_admin(externals.bot_id, elsewhere, Rights::all());
    let chats = format!("{busy},{elsewhere}");
    let env = [("TELEGRAM_CHAT_ID", chats.as_str())];
    let stack = externals.stack(any_port(), Data::Ephemeral, &env).await;
    let stack = stack.unwrap();
    let shop = stack.shop();
    let limited = Fault::TooManyRequests { retry_after: 300 };
    let rule = FaultRule::on("createChatInviteLink", limited);
    telegram.fail(rule.chat(busy).times(1));
    let id = shop.bought("u1", "T1").await;
    stack.run_until(|| telegram.too_many_requests() > 0).await;
    // The limiter is that of one bot and one chat: a link of another chat of the bot is made at once.
    let before = stack.clock.now_ms();
    stack.shop().in_chat(elsewhere).bought("u2", "T2").await;
    stack.run_until(|| telegram.link_count() > 0).await;
    let took = stack.clock.now_ms() - before;
    assert!(u128::from(took.unsigned_abs()) < MINUTE.as_millis());
    stack.run_until_idle().await;
    shop.link(&id).await;
}
