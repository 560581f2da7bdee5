//! Who waits long at the door is told so.

use std::time::Duration;

use local::harness::TestStack;
use simulators::telegram::{Fault, FaultRule, Tap};

use super::{CLAIMED, bought};

#[tokio::test]
async fn who_waits_long_at_the_door_is_told_their_place_once() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let people = 1..=6;
    for person in people.clone() {
        let (_, link) = bought(&stack, &format!("u{person}")).await;
        stack.customer(person).claim_by(&link);
    }
    stack.run_until_idle().await;
    // Telegram has the bot wait for two minutes before anybody is let in.
    let busy = Fault::TooManyRequests { retry_after: 120 };
    let rule = FaultRule::on("approveChatJoinRequest", busy);
    stack.telegram.fail(rule.times(1));
    for person in people.clone() {
        let door = stack.customer(person).ways_in(stack.bot_id).remove(0);
        assert_eq!(stack.customer(person).tap(&door), Tap::Requested);
        stack.run_for(Duration::from_secs(1)).await;
    }
    let told = |person: i64| {
        let all = stack.customer(person).messages_of(stack.bot_id);
        let all = all.into_iter().map(|message| message.text);
        let all = all.filter(|text| text.contains("place in the queue"));
        all.collect::<Vec<String>>()
    };
    stack.run_for(Duration::from_secs(10)).await;
    assert!(people.clone().all(|person| told(person).is_empty()));
    stack.run_for(Duration::from_secs(90)).await;
    let mut places: Vec<u32> = Vec::new();
    for person in people.clone() {
        assert!(!stack.customer(person).is_in());
        let [text] = &told(person)[..] else {
            panic!("{person}: {:?}", told(person));
        };
        assert!(text.contains("you need not do anything"), "{text}");
        let place = text.split("queue: ").nth(1).unwrap();
        places.push(place.split('.').next().unwrap().parse().unwrap());
    }
    assert_eq!(places, [1, 2, 3, 4, 5, 6]);
    stack.run_for(Duration::from_secs(60)).await;
    stack.run_until_idle().await;
    for person in people {
        assert!(stack.customer(person).is_in(), "{person}");
        assert_eq!(told(person).len(), 1);
    }
}

#[tokio::test]
async fn nobody_is_told_a_place_who_is_let_in_at_once() {
    let stack = TestStack::with(&[CLAIMED]).await;
    for person in 1..=3 {
        let (_, link) = bought(&stack, &format!("u{person}")).await;
        stack.customer(person).claim_by(&link);
        stack.run_until_idle().await;
        let door = stack.customer(person).ways_in(stack.bot_id).remove(0);
        assert_eq!(stack.customer(person).tap(&door), Tap::Requested);
    }
    stack.run_for(Duration::from_secs(90)).await;
    for person in 1..=3 {
        assert!(stack.customer(person).is_in());
        let all = stack.customer(person).messages_of(stack.bot_id);
        assert!(all.iter().all(|message| !message.text.contains("queue")));
    }
}
