use std::collections::BTreeMap;

use super::super::tests::{Draw, fact, stories};
use super::*;

const START: Timestamp = Timestamp::from_ms(1_763_640_000_000);
const HOLD: PayoutHold = PayoutHold(Duration::from_secs(7 * 24 * 3600));

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn order(terms: OrderTerms) -> Order {
    let new = NewOrder {
        id: OrderId::from_random([7; 16]),
        mode: PaymentsMode::Test,
        sold: SoldTier {
            product_id: "p".to_owned(),
            tier_id: "t".to_owned(),
            title: "P".to_owned(),
            level: 1,
            chats: vec![ChatId(-1), ChatId(-2)],
            coupon: None,
        },
        buyer: OrderBuyer::default(),
        terms,
        pay_until: START.plus(minutes(35)),
        checkout: Checkout::Free,
    };
    Order::new(new, START)
}

fn sold(more: &str) -> Order {
    let terms = r#""provider": "stripe", "currency": "usd", "due": 3000, "owner": "o1", "feeBps": 300, "autoRefund": true, "seconds": 2592000"#;
    order(serde_json::from_str(&format!("{{{terms}{more}}}")).unwrap())
}

fn paid(key: &str) -> OrderFact {
    fact(&format!(
        r#"{{"kind": "charge", "key": "{key}", "status": "paid", "amount": 3000, "currency": "usd", "at": 1763640000}}"#
    ))
}

fn learnt(order: &Order, facts: &[OrderFact]) -> Order {
    order
        .learn(facts.iter().cloned(), START.plus(minutes(1)), HOLD)
        .unwrap()
        .unwrap()
}

fn ids(order: &Order) -> Vec<String> {
    let pending = order.pending.iter();
    pending
        .map(|effect| effect.id(order.id).replace(&order.id.to_string(), "o"))
        .collect()
}

fn refund(status: &str) -> OrderFact {
    fact(&format!(
        r#"{{"kind": "refund", "key": "re_1", "charge": "pi_1", "status": "{status}", "amount": 3000}}"#
    ))
}

#[test]
fn what_was_paid_is_booked_granted_and_told_once() {
    let open = sold("").done(&[Effect::Page], START);
    assert_eq!(
        (open.due_at, ids(&open)),
        (Some(START.plus(minutes(3))), vec![])
    );
    let paid_once = learnt(&open, &[paid("pi_1")]);
    let wanted = [
        "o#2",
        "seat",
        "invite#-1",
        "invite#-2",
        "message#paid",
        "page",
    ];
    assert_eq!(ids(&paid_once), wanted);
    let entitlement = paid_once.entitlement.unwrap();
    assert_eq!(
        (entitlement.start, entitlement.seconds),
        (START, Some(2_592_000))
    );
    let Effect::Transaction {
        payables, entries, ..
    } = &paid_once.pending[0]
    else {
        panic!("no transaction first");
    };
    assert_eq!((payables.len(), payables[0].amount), (1, 2910));
    assert_eq!(payables[0].payee, "owner:o1");
    assert_eq!(entries.iter().map(|entry| entry.amount).sum::<i128>(), 0);
    // The same again says nothing new; once all is done nothing is due any more.
    assert_eq!(paid_once.learn([paid("pi_1")], START, HOLD), Ok(None));
    let done = paid_once.done(&paid_once.pending.clone(), START);
    assert_eq!((done.due_at, ids(&done)), (None, vec![]));
}

#[test]
fn a_second_payment_is_returned_by_one_call_and_no_refund_is_asked_for_twice() {
    let once = learnt(&sold(""), &[paid("pi_1")]);
    let twice = learnt(&once.done(&once.pending.clone(), START), &[paid("pi_2")]);
    assert_eq!(ids(&twice), ["o#3", "refund#auto#pi_2", "page"]);
    let back = r#"{"kind": "refund", "key": "re_2", "charge": "pi_2", "status": "pending", "amount": 3000}"#;
    let returned = learnt(&twice.done(&twice.pending.clone(), START), &[fact(back)]);
    assert_eq!(ids(&returned), ["o#4", "page"]);
    assert_eq!(returned.state, OrderState::Paid);
}

#[test]
fn a_refund_ends_the_seat_and_one_that_failed_gives_it_back() {
    let open = learnt(&sold(""), &[paid("pi_1")]);
    let gone = learnt(&open, &[refund("done")]);
    assert_eq!(gone.state, OrderState::Refunded);
    assert_eq!(
        gone.entitlement.unwrap().cut_at,
        Some(START.plus(minutes(1)))
    );
    let kept = learnt(&gone, &[refund("failed")]);
    assert_eq!(kept.state, OrderState::Paid);
    assert_eq!(kept.entitlement.unwrap().cut_at, None);
    assert_eq!(kept.entitlement.unwrap().version, kept.version);
    assert_eq!(kept.case_since, Some(START.plus(minutes(1))));
}

#[test]
fn a_dispute_suspends_since_it_was_seen_and_gives_back_when_it_is_won() {
    let dispute = |status: &str, seq: u64| {
        fact(&format!(
            r#"{{"kind": "dispute", "key": "dp_1", "charge": "pi_1", "status": "{status}", "amount": 3000, "seq": {seq}}}"#
        ))
    };
    let open = learnt(&sold(""), &[paid("pi_1"), dispute("open", 1)]);
    let since = open.entitlement.unwrap().suspended_at;
    assert_eq!(since, Some(START.plus(minutes(1))));
    let won = learnt(&open, &[dispute("won", 2)]);
    assert_eq!(won.entitlement.unwrap().suspended_at, None);
    let lost = learnt(&won, &[dispute("lost", 3)]);
    assert!(lost.entitlement.unwrap().cut_at.is_some());
}

#[test]
fn whatever_order_facts_are_learnt_in_the_order_ends_the_same_and_its_books_balance() {
    let mut draw = Draw::new(3);
    for story in stories() {
        let whole = order(story.terms.clone()).learn(story.facts.clone(), START, HOLD);
        let Some(whole) = whole.unwrap() else {
            continue;
        };
        for _ in 0..20 {
            let mut facts = story.facts.clone();
            facts.extend(story.facts.iter().take(2).cloned());
            draw.shuffle(&mut facts);
            let mut order = order(story.terms.clone());
            let mut booked: BTreeMap<(String, String), i128> = BTreeMap::new();
            let mut issued = std::collections::BTreeSet::new();
            for fact in facts {
                let Some(next) = order.learn([fact], START, HOLD).unwrap() else {
                    continue;
                };
                let json = serde_json::to_string(&next).unwrap();
                assert_eq!(serde_json::from_str::<Order>(&json).unwrap(), next);
                for effect in &next.pending {
                    match effect {
                        Effect::Transaction { entries, .. } => {
                            for entry in entries {
                                let place = (entry.account.clone(), entry.currency.clone());
                                *booked.entry(place).or_default() += entry.amount;
                            }
                        }
                        Effect::Page | Effect::Seat => {}
                        once => assert!(issued.insert(once.id(next.id)), "{once:?} twice"),
                    }
                }
                order = next.done(&next.pending.clone(), START);
            }
            let name = &story.name;
            assert_eq!(order.facts, whole.facts, "{name}");
            assert_eq!(
                (order.state, order.seat, &order.cases),
                (whole.state, whole.seat, &whole.cases),
                "{name}"
            );
            assert_eq!(order.booked, whole.booked, "{name}");
            let of_order = order.booked.iter();
            let wanted: BTreeMap<(String, String), i128> = of_order
                .map(|(account, currency, amount)| {
                    ((account.to_string(), currency.to_owned()), amount)
                })
                .collect();
            booked.retain(|_, amount| *amount != 0);
            assert_eq!(booked, wanted, "{name}");
        }
    }
}

#[test]
fn an_open_order_is_looked_up_ever_more_rarely_until_its_time_is_over() {
    let mut order = Order {
        pay_until: START.plus(minutes(200)),
        ..sold("")
    }
    .done(&[Effect::Page], START);
    let mut looks = Vec::new();
    let mut now = START;
    for _ in 0..6 {
        now = order.due_at.unwrap();
        looks.push(now.since(START).as_secs() / 60);
        order = order.looked(now);
    }
    assert_eq!(looks, [3, 10, 60, 120, 180, 200]);
    let closed = learnt(&order, &[Order::expired()]).done(&[Effect::Page], now);
    assert_eq!((closed.state, closed.due_at), (OrderState::Expired, None));
}

#[test]
fn what_can_not_be_done_is_tried_ever_more_rarely() {
    let mut order = learnt(&sold(""), &[paid("pi_1")]);
    let (mut waits, mut now) = (Vec::new(), START);
    for _ in 0..8 {
        order = order.done(&[], now);
        let due = order.due_at.unwrap();
        waits.push(due.since(now).as_secs() / 60);
        now = due;
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn an_order_bears_a_thousand_facts_and_no_more() {
    let note = |number: usize| fact(&format!(r#"{{"kind": "note", "key": "n{number}"}}"#));
    let full = sold("").learn((0..FACTS_MAX).map(note), START, HOLD);
    let full = full.unwrap().unwrap();
    let more = full.learn([note(FACTS_MAX)], START, HOLD);
    assert_eq!(more, Err(LearnFault::TooManyFacts));
}
