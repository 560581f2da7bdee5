use std::collections::BTreeMap;

use super::super::super::id::{ChatId, TelegramUserId};
use super::super::consent::AboutToPay;
use super::super::fact::DecisionAction;
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
            reservations: Vec::new(),
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
        "owners#sale",
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

fn decision(case: &str, action: DecisionAction, value: Option<i128>) -> Decision {
    Decision {
        case: case.to_owned(),
        action,
        value,
        note: "she wrote to us".to_owned(),
        by: "carol".to_owned(),
    }
}

#[test]
fn a_case_is_decided_once_and_only_while_it_is_open() {
    let partly =
        r#"{"kind": "refund", "key": "re_1", "charge": "pi_1", "status": "done", "amount": 1000}"#;
    let order = learnt(&learnt(&sold(""), &[paid("pi_1")]), &[fact(partly)]);
    let case = "partial_refund#2000";
    assert_eq!(order.cases, BTreeSet::from([case.to_owned()]));
    let at = START.plus(minutes(2));
    let refused = |order: &Order, decision| order.decide(decision, at, HOLD).unwrap_err();
    for wrong in ["partial_refund#1999", "overpaid#2000", ""] {
        let decision = decision(wrong, DecisionAction::End, None);
        assert_eq!(
            refused(&order, decision),
            DecisionRefused::NotOpen,
            "{wrong}"
        );
    }
    // No charge is to be valued here.
    let worth = decision(case, DecisionAction::Accept, Some(7));
    assert_eq!(refused(&order, worth), DecisionRefused::Value);

    let end = decision(case, DecisionAction::End, None);
    let decided = order.decide(end.clone(), at, HOLD).unwrap();
    assert_eq!(
        (decided.seat, decided.version),
        (OrderSeat::Ended, order.version + 1)
    );
    assert!(decided.cases.is_empty() && decided.case_since.is_none());
    assert!(ids(&decided).contains(&"seat".to_owned()));
    // Who and why stays with it, also as it is kept.
    let kept: Order = serde_json::from_str(&serde_json::to_string(&decided).unwrap()).unwrap();
    let mut facts = kept.facts.iter();
    let known = facts.find(|fact| matches!(fact.body, FactBody::Decision { .. }));
    let known = known.unwrap();
    assert_eq!(
        (&known.further["by"], &known.further["note"]),
        (&"carol".into(), &"she wrote to us".into())
    );

    let keep = decision(case, DecisionAction::Keep, None);
    for second in [keep, end] {
        assert_eq!(refused(&decided, second), DecisionRefused::NotOpen);
    }
}

#[test]
fn money_of_another_coin_is_accepted_for_what_a_person_says_that_it_is_worth() {
    let flagged = r#"{"kind": "charge", "key": "55", "status": "paid", "amount": 0, "currency": "usd", "at": 1763640000, "flag": "wrong_asset", "outcome": {"currency": "btc", "amount": 900}}"#;
    let order = learnt(&sold(""), &[fact(flagged)]);
    let case = "wrong_asset#55";
    assert!(order.cases.contains(case), "{:?}", order.cases);
    let at = START.plus(minutes(2));
    let without = decision(case, DecisionAction::Accept, None);
    assert_eq!(order.decide(without, at, HOLD), Err(DecisionRefused::Value));
    let accepted = order.decide(decision(case, DecisionAction::Accept, Some(3000)), at, HOLD);
    assert_eq!(accepted.unwrap().state, OrderState::Paid);
    let kept = order
        .decide(decision(case, DecisionAction::Keep, None), at, HOLD)
        .unwrap();
    assert_ne!(kept.state, OrderState::Paid);
    assert!(kept.cases.is_empty());
}

#[test]
fn an_order_without_its_buyer_keeps_its_money_and_no_address() {
    let mut order = learnt(&sold(""), &[paid("pi_1")]);
    order.buyer = OrderBuyer {
        user_id: Some("alice".to_owned()),
        telegram_user_id: Some(TelegramUserId(7)),
    };
    order.checkout = Checkout::Creating {
        request: "customer_email=alice@example.com".to_owned(),
        attempt: 2,
        off: None,
    };
    let erased = order.without_buyer("p_1");
    assert_eq!(erased.buyer.key().as_deref(), Some("user#p_1"));
    let text = serde_json::to_string(&erased).unwrap();
    assert!(!text.contains("alice"), "{text}");
    assert_eq!(
        (&erased.facts, &erased.booked),
        (&order.facts, &order.booked)
    );
}

#[test]
fn an_order_that_is_closed_rests_and_one_whose_provider_is_away_is_tried_again_later() {
    let open = sold("").done(&[Effect::Page], START);
    let end = open.pay_until;
    // Its provider did not answer at the end: not at once again.
    assert_eq!(open.looked(end).due_at, Some(end.plus(minutes(10))));
    let part = fact(
        r#"{"kind": "charge", "key": "pi_1", "status": "paid", "amount": 1000, "currency": "usd", "at": 1763640000}"#,
    );
    let short = learnt(&open, &[part, Order::expired()]);
    let short = short.done(&short.pending.clone(), end);
    assert_eq!((short.state, short.due_at), (OrderState::Underpaid, None));
    assert_eq!(short.looked(end).due_at, None);
}

#[test]
fn a_refund_that_is_not_wanted_now_is_asked_for_again_when_it_is() {
    let twice = learnt(&sold(""), &[paid("pi_1"), paid("pi_2")]);
    let refund = twice
        .pending
        .iter()
        .find(|effect| matches!(effect, Effect::Refund { .. }));
    let refund = refund.unwrap().clone();
    let dropped = twice.not_wanted(&refund);
    assert!(!dropped.pending.contains(&refund));
    let note = fact(r#"{"kind": "note", "key": "n"}"#);
    assert!(
        learnt(&dropped, std::slice::from_ref(&note))
            .pending
            .contains(&refund)
    );
    let done = twice.done(std::slice::from_ref(&refund), START);
    assert!(!learnt(&done, &[note]).pending.contains(&refund));
}

#[test]
fn a_seat_whose_time_is_over_is_for_sale_again_and_a_coupon_stays_used() {
    let mut open = sold("");
    let pool = |pool: &str, is_firm| Reservation {
        pool: pool.to_owned(),
        limit: Some(1),
        is_firm,
    };
    open.sold.reservations = vec![pool("seats#p#t", true), pool("coupon#p#C", false)];
    let paid_once = learnt(&open, &[paid("pi_1")]);
    let done = paid_once.done(&paid_once.pending.clone(), START);
    let end = START.plus(Duration::from_secs(2_592_000));
    assert_eq!(done.due_at, Some(end));
    let over = done.looked(end);
    assert_eq!(ids(&over), ["release"]);
    let pools: Vec<&str> = over.released().map(|of| of.pool.as_str()).collect();
    assert_eq!(pools, ["seats#p#t"]);
    assert!(!over.lacks_reservations(end));
    let rest = over.done(&[Effect::Release], end);
    assert_eq!(rest.due_at, None);
    // Of what nobody paid all is given back.
    let expired = learnt(&open, &[Order::expired()]);
    assert_eq!(expired.released().count(), 2);
}

#[test]
fn who_lost_the_seat_of_a_subscription_by_a_decision_is_not_charged_for_it_again() {
    let subscription = sold(r#", "recurring": true"#);
    let partly =
        r#"{"kind": "refund", "key": "re_1", "charge": "pi_1", "status": "done", "amount": 1000}"#;
    let active = r#"{"kind": "subscription", "key": "sub_1", "status": "active", "seq": 1}"#;
    let known = [paid("pi_1"), fact(active), fact(partly)];
    let order = learnt(&subscription, &known);
    let case = order.cases.first().unwrap().clone();
    let at = START.plus(minutes(2));
    let decided = |action| {
        let decided = order.decide(decision(&case, action, None), at, HOLD);
        decided.unwrap().pending.contains(&Effect::EndRenewals)
    };
    assert!(decided(DecisionAction::End) && !decided(DecisionAction::Keep));
}

#[test]
fn what_came_too_little_and_went_back_holds_nothing_that_others_could_buy() {
    let mut open = sold("");
    open.sold.reservations = vec![Reservation {
        pool: "seats#p#t".to_owned(),
        limit: Some(1),
        is_firm: true,
    }];
    let part = fact(
        r#"{"kind": "charge", "key": "pi_1", "status": "paid", "amount": 1000, "currency": "usd", "at": 1763640000}"#,
    );
    let back =
        r#"{"kind": "refund", "key": "re_1", "charge": "pi_1", "status": "done", "amount": 1000}"#;
    let held = learnt(&open, &[part, Order::expired()]);
    assert_eq!(held.state, OrderState::Underpaid);
    assert!(!held.pending.contains(&Effect::Release));
    let returned = learnt(&held, &[fact(back)]);
    assert_eq!(returned.state, OrderState::Refunded);
    assert!(returned.pending.contains(&Effect::Release));
    assert_eq!(returned.released().count(), 1);
}

#[test]
fn a_payment_that_was_consented_to_is_looked_for_before_another_one_is_taken() {
    let now = START.plus(minutes(15));
    let by = |query| AboutToPay {
        query,
        person: TelegramUserId(7),
        currency: "XTR",
        amount: 500,
    };
    let open = Order {
        pay_until: START.plus(minutes(200)),
        looks: 3,
        ..sold("")
    };
    let open = open.done(&[Effect::Page], now);
    assert_eq!(open.due_at, Some(now.plus(minutes(60))));
    let consented = open.consented(by("q1"), now).unwrap();
    assert_eq!(consented.due_at, Some(now.plus(minutes(2))));
    assert_eq!(consented.consented(by("q1"), now), None);
}

#[test]
fn what_was_paid_in_stars_is_held_as_long_as_telegram_holds_them() {
    const DAYS: i64 = 24 * 3600 * 1000;
    let at = Timestamp::from_ms(0);
    let hold = |days: u64| PayoutHold(Duration::from_secs(days * 24 * 3600));
    for (provider, days, expected) in [
        ("stripe", 7, 7),
        ("nowpayments", 0, 0),
        ("stars", 7, 21),
        ("stars", 0, 21),
        ("stars", 30, 30),
    ] {
        let end = hold(days).end(provider, at);
        assert_eq!(end.ms(), expected * DAYS, "{provider} {days}");
    }
}
