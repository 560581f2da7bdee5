//! Somebody adds the bot to a chat that no setting names.

use std::time::Duration;

use domain::id::{BotId, ChatId, TelegramUserId};
use domain::lease::Paused;
use domain::limiter::Pause;
use domain::time::Timestamp;
use local::harness::{ExternalServices, TestStack, any_port, until};
use local::resources::MESSAGES_TICK_TIMEOUT;
use local::stack::Data;
use simulators::telegram::{
    ChatKind, Conversation, Fault, FaultRule, MemberStatus, OWNER_ID, Rights, User,
};
use store::RateLimits;

use super::{CLAIMED, OWNER, last, said};

const FOREIGN: i64 = -1_009_999_999_999;
const TEN_MINUTES: Duration = Duration::from_secs(600);

async fn added(env: &[(&str, &str)]) -> TestStack {
    let env: Vec<_> = [CLAIMED].into_iter().chain(env.iter().copied()).collect();
    let stack = TestStack::with(&env).await;
    let kind = ChatKind::Supergroup;
    stack.telegram.add_chat(FOREIGN, "Elsewhere", kind);
    stack
}

fn is_in(stack: &TestStack) -> bool {
    let status = stack.telegram.status(FOREIGN, stack.bot_id);
    !matches!(status, MemberStatus::Left | MemberStatus::Kicked { .. })
}

/// Until the tick has looked at what was due.
async fn later(stack: &TestStack) {
    stack.run_until_idle().await;
    stack.clock.advance(TEN_MINUTES);
    let seen = async || stack.reminders().await.is_empty().then_some(());
    until("the reminder is looked at", seen).await;
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_chat_to_which_somebody_without_a_role_added_the_bot_is_left_after_ten_minutes() {
    let stack = added(&[]).await;
    stack.telegram.demote_bot(stack.bot_id, FOREIGN);
    stack.run_until_idle().await;
    assert_eq!(stack.reminders().await.len(), 1);
    stack.clock.advance(Duration::from_secs(540));
    stack.run_until_idle().await;
    assert!(is_in(&stack));
    later(&stack).await;
    assert!(!is_in(&stack));
    assert_eq!(stack.telegram.count("leaveChat"), 1);
}

#[tokio::test]
async fn no_chat_is_left_while_telegram_has_the_bot_wait() {
    let stack = added(&[]).await;
    stack.telegram.demote_bot(stack.bot_id, FOREIGN);
    stack.run_until_idle().await;
    let (bot, now) = (
        BotId(u64::try_from(stack.bot_id).unwrap()),
        Timestamp::from_ms(stack.clock.now_ms()),
    );
    let limits = RateLimits::of_messages(stack.dynamodb(), &mut stack.config());
    let wait = Pause::new(TEN_MINUTES * 3, now);
    limits.pause(bot, Paused::Bot(bot), wait).await.unwrap();
    stack.clock.advance(TEN_MINUTES * 2);
    let deadline = tokio::time::Instant::now() + MESSAGES_TICK_TIMEOUT;
    stack.functions().get("messenger").tick(deadline).await;
    assert_eq!(stack.telegram.count("leaveChat"), 0);
    assert_eq!(stack.reminders().await.len(), 1);
    stack.clock.advance(TEN_MINUTES);
    later(&stack).await;
    assert_eq!(stack.telegram.count("leaveChat"), 1);
}

#[tokio::test]
async fn a_wait_that_telegram_asks_for_while_chats_are_left_is_kept_and_holds_up_nobody_else() {
    let stack = added(&[]).await;
    let second = FOREIGN - 1;
    stack
        .telegram
        .add_chat(second, "Elsewhere, too", ChatKind::Supergroup);
    for chat in [FOREIGN, second] {
        stack.telegram.demote_bot(stack.bot_id, chat);
        stack.run_until_idle().await;
    }
    stack.pause_schedule();
    assert_eq!(stack.reminders().await.len(), 2);
    stack.clock.advance(TEN_MINUTES);
    let limit = Fault::TooManyRequests { retry_after: 90 };
    stack
        .telegram
        .fail(FaultRule::on("leaveChat", limit).times(1));
    let tick = async || {
        let deadline = tokio::time::Instant::now() + MESSAGES_TICK_TIMEOUT;
        stack.functions().get("messenger").tick(deadline).await;
    };
    for calls in [1, 1, 3] {
        tick().await;
        assert_eq!(stack.telegram.count("leaveChat"), calls);
        let limits = RateLimits::of_messages(stack.dynamodb(), &mut stack.config());
        let bot = BotId(u64::try_from(stack.bot_id).unwrap());
        let lease = limits.get(bot).await.unwrap();
        assert!(lease.pauses.is_empty(), "{lease:?}");
        let waiting: Vec<&ChatId> = lease.chat_pauses.keys().collect();
        assert_eq!(waiting, [&ChatId(FOREIGN)]);
        stack.clock.advance(Duration::from_secs(60));
    }
    assert!(!is_in(&stack));
    assert!(stack.reminders().await.is_empty());
}

#[tokio::test]
async fn in_a_group_of_strangers_the_bot_says_nothing_and_remembers_nothing() {
    let stack = added(&[]).await;
    stack.telegram.demote_bot(stack.bot_id, FOREIGN);
    stack.telegram.add_by_admin(FOREIGN, User::new(9));
    let place = Conversation::chat(FOREIGN);
    for text in ["/help", "/access"] {
        stack.telegram.says(place, &User::new(9), text);
    }
    stack.run_until_idle().await;
    let bot = stack.bot_id;
    let mut said = stack.telegram.messages(place);
    said.retain(|message| message.from_id == Some(bot));
    assert!(said.is_empty(), "{said:?}");
    let bot = BotId(u64::try_from(bot).unwrap());
    let listed = stack.messages().groups(bot).await.unwrap();
    assert!(listed.is_empty(), "{listed:?}");
    let known = stack.people().get(TelegramUserId(9)).await.unwrap();
    assert!(known.is_none());
}

#[tokio::test]
async fn a_chat_is_not_left_in_which_the_bot_was_before_or_which_is_one_of_ours() {
    // It was in the chat before it heard of anything.
    let stack = added(&[]).await;
    let (bot, now) = (stack.bot_id, stack.clock.now_ms() / 1000);
    let own = serde_json::json!({"id": bot, "is_bot": true, "first_name": "B"});
    let update = serde_json::json!({"update_id": 900_001, "my_chat_member": {
        "chat": {"id": FOREIGN, "type": "supergroup", "title": "Elsewhere"}, "date": now,
        "from": {"id": 9, "is_bot": false, "first_name": "A"},
        "old_chat_member": {"status": "member", "user": own},
        "new_chat_member": {"status": "administrator", "user": own},
    }});
    stack.telegram.sent(&update).await;
    stack.run_until_idle().await;
    assert!(stack.reminders().await.is_empty());
    // Who added it has a role.
    let stack = added(&[("BOT_OWNERS", "1")]).await;
    let appointed = said(&stack, OWNER, &format!("/role {OWNER_ID} operator")).await;
    assert!(appointed.contains("operator"), "{appointed}");
    stack.telegram.demote_bot(stack.bot_id, FOREIGN);
    later(&stack).await;
    assert!(is_in(&stack));
}

#[tokio::test]
async fn a_group_of_ours_that_became_a_supergroup_is_not_left() {
    let (old, new) = (-4_242, -1_004_242_424_242);
    let externals =
        ExternalServices::start("123456789:AAExternal_token_of_nobody_00000000", "key").await;
    let (telegram, bot) = (&externals.telegram, externals.bot_id);
    telegram.add_chat(old, "Gold", ChatKind::Group);
    telegram.make_admin(bot, old, Rights::all());
    let chats = format!("{},{old}", externals.chat_id);
    let delivery = format!("{}=claim", externals.chat_id);
    let env = [
        ("TELEGRAM_CHAT_ID", chats.as_str()),
        ("CHAT_DELIVERY", delivery.as_str()),
    ];
    let stack = externals.stack(any_port(), Data::Ephemeral, &env).await;
    let stack = stack.unwrap();
    stack.run_until_idle().await;
    let (bot, now) = (stack.bot_id, stack.clock.now_ms() / 1000);
    let own = serde_json::json!({"id": bot, "is_bot": true, "first_name": "B"});
    let update = serde_json::json!({"update_id": 900_001, "my_chat_member": {
        "chat": {"id": new, "type": "supergroup", "title": "Gold"}, "date": now,
        "from": {"id": 9, "is_bot": false, "first_name": "A"},
        "old_chat_member": {"status": "left", "user": own},
        "new_chat_member": {"status": "administrator", "user": own},
    }});
    // It is told of that before the group says what it has become.
    stack.telegram.sent(&update).await;
    assert_eq!(stack.reminders().await.len(), 1);
    stack.telegram.migrate_chat(old, new);
    later(&stack).await;
    assert_eq!(stack.telegram.count("leaveChat"), 0);
}

#[tokio::test]
async fn an_owner_who_adds_the_bot_is_told_the_id_of_the_chat_and_it_stays() {
    let owner = OWNER_ID.to_string();
    let stack = added(&[("BOT_OWNERS", &owner)]).await;
    said(&stack, OWNER_ID, "/start").await;
    stack.telegram.demote_bot(stack.bot_id, FOREIGN);
    stack.run_until_idle().await;
    let told = last(&stack, OWNER_ID).text;
    assert!(told.contains(&FOREIGN.to_string()), "{told}");
    assert!(told.contains("administrator"), "{told}");
    later(&stack).await;
    assert!(is_in(&stack));
    assert_eq!(stack.telegram.count("leaveChat"), 0);
}

/// The bot's place in the chat changes by somebody's act.
async fn acts(stack: &TestStack, number: i64, by: i64, before: &str, after: &str) {
    let own = serde_json::json!({"id": stack.bot_id, "is_bot": true, "first_name": "B"});
    let update = serde_json::json!({"update_id": number, "my_chat_member": {
        "chat": {"id": FOREIGN, "type": "supergroup", "title": "Elsewhere"},
        "date": stack.clock.now_ms() / 1000,
        "from": {"id": by, "is_bot": false, "first_name": "A"},
        "old_chat_member": {"status": before, "user": own},
        "new_chat_member": {"status": after, "user": own},
    }});
    stack.telegram.sent(&update).await;
    stack.run_until_idle().await;
}

#[tokio::test]
async fn an_act_of_an_owner_after_a_stranger_added_the_bot_calls_the_leaving_off_and_one_before_does_not()
 {
    const STRANGER: i64 = 9;
    struct Case {
        acts: &'static [(i64, &'static str, &'static str)],
        stays: bool,
    }
    for Case { acts: done, stays } in [
        // Promotes it.
        Case {
            acts: &[
                (STRANGER, "left", "member"),
                (OWNER, "member", "administrator"),
            ],
            stays: true,
        },
        // Removes and adds it.
        Case {
            acts: &[
                (STRANGER, "left", "member"),
                (OWNER, "member", "left"),
                (OWNER, "left", "member"),
            ],
            stays: true,
        },
        // Takes it out, and a stranger brings it back.
        Case {
            acts: &[
                (OWNER, "left", "member"),
                (OWNER, "member", "left"),
                (STRANGER, "left", "member"),
            ],
            stays: false,
        },
        // Of a stranger it is no act that counts.
        Case {
            acts: &[
                (STRANGER, "left", "member"),
                (STRANGER, "member", "administrator"),
            ],
            stays: false,
        },
    ] {
        let stack = added(&[("BOT_OWNERS", "1")]).await;
        stack.telegram.demote_bot(stack.bot_id, FOREIGN);
        stack.run_until_idle().await;
        // What the simulator's own administrator did is not what is looked at.
        later(&stack).await;
        stack.telegram.demote_bot(stack.bot_id, FOREIGN);
        for (number, (by, before, after)) in (900_001..).zip(done) {
            acts(&stack, number, *by, before, after).await;
            stack.clock.advance(Duration::from_secs(60));
        }
        let left = stack.telegram.count("leaveChat");
        later(&stack).await;
        let further = stack.telegram.count("leaveChat") - left;
        assert_eq!(further == 0, stays, "{done:?}");
    }
}
