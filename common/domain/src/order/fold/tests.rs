use std::collections::BTreeMap;

use serde_json::Value;

use super::super::fact::OrderFact;
use super::super::ledger::difference;
use super::super::tests::{Draw, FoldStory, fact, folded, stories};
use super::*;

mod corners;

/// Each order of `count` things.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        let mut longer = Vec::new();
        for shorter in all {
            for place in 0..=next {
                let mut one: Vec<usize> = shorter.clone();
                one.insert(place, next);
                longer.push(one);
            }
        }
        all = longer;
    }
    all
}

/// Up to 6 facts in every order, more of them in 300.
fn arrivals(facts: &[OrderFact]) -> Vec<Vec<OrderFact>> {
    let arranged = |order: Vec<usize>| -> Vec<OrderFact> {
        order.into_iter().map(|at| facts[at].clone()).collect()
    };
    if facts.len() <= 6 {
        return permutations(facts.len())
            .into_iter()
            .map(arranged)
            .collect();
    }
    let mut draw = Draw::new(7);
    let drawn = (0..300).map(|_| {
        let mut order = facts.to_vec();
        draw.shuffle(&mut order);
        order
    });
    drawn.collect()
}

fn subsets(facts: &[OrderFact]) -> impl Iterator<Item = Vec<OrderFact>> {
    (0..1_u32 << facts.len()).map(move |chosen| {
        let is_chosen = |at: &usize| chosen >> at & 1 == 1;
        let places = (0..facts.len()).filter(is_chosen);
        places.map(|at| facts[at].clone()).collect()
    })
}

fn json(standing: &OrderStanding) -> Value {
    serde_json::to_value(standing).unwrap()
}

/// What holds of every standing, whatever the facts.
fn check(standing: &OrderStanding, what: &str) {
    let sums = standing.ledger.sums().unwrap();
    let off: BTreeMap<_, _> = sums.into_iter().filter(|(_, sum)| *sum != 0).collect();
    assert!(off.is_empty(), "{what}: {off:?} in {standing:#?}");
    let has_grants = !standing.grants.is_empty();
    match standing.seat {
        OrderSeat::Active => assert!(has_grants, "{what}"),
        OrderSeat::None => assert!(!has_grants, "{what}"),
        OrderSeat::Suspended | OrderSeat::Ended => {}
    }
    match standing.state {
        OrderState::Paid | OrderState::PartlyRefunded => {
            assert_ne!(standing.seat, OrderSeat::None, "{what}");
        }
        OrderState::Lost => assert_eq!(standing.seat, OrderSeat::Ended, "{what}"),
        OrderState::Disputed => assert_eq!(standing.seat, OrderSeat::Suspended, "{what}"),
        // Too much may have gone out of one period, and nothing of another.
        OrderState::Refunded => {}
        _ => assert_eq!(standing.seat, OrderSeat::None, "{what}"),
    }
}

#[test]
fn every_story_folds_to_what_it_says() {
    let stories = stories();
    assert_eq!(stories.len(), 33);
    for FoldStory {
        name,
        terms,
        facts,
        result,
    } in stories
    {
        let standing = folded(&terms, &facts);
        assert_eq!(json(&standing), result, "{name}");
        check(&standing, &name);
    }
}

#[test]
fn neither_order_nor_repeats_matter() {
    for story in stories() {
        for mut facts in arrivals(&story.facts) {
            let again = facts.clone();
            facts.extend(again);
            assert_eq!(
                json(&folded(&story.terms, &facts)),
                story.result,
                "{}: {facts:#?}",
                story.name
            );
        }
    }
}

#[test]
fn every_part_of_a_story_is_whole() {
    for story in stories() {
        for facts in subsets(&story.facts) {
            check(&folded(&story.terms, &facts), &story.name);
        }
    }
}

/// Books each change by its difference, one fact after the other, and answers what is booked in the end.
fn booked(terms: &OrderTerms, facts: &[OrderFact]) -> Balances {
    let mut known = Facts::default();
    let mut booked = Balances::default();
    for fact in facts {
        known.add(fact.clone());
        let wanted = fold(terms, &known).unwrap().ledger;
        let mut sums = BTreeMap::new();
        for entry in difference(&booked, &wanted).unwrap() {
            assert_ne!(entry.amount, 0);
            *sums.entry(entry.currency.clone()).or_insert(0) += entry.amount;
            booked
                .book(entry.account, &entry.currency, entry.amount)
                .unwrap();
        }
        assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
    }
    booked
}

#[test]
fn what_is_booked_by_differences_ends_equal() {
    for story in stories() {
        for facts in arrivals(&story.facts) {
            let found = serde_json::to_value(booked(&story.terms, &facts)).unwrap();
            assert_eq!(found, story.result["ledger"], "{}: {facts:#?}", story.name);
        }
    }
}

#[test]
fn drawn_facts_add_up_too() {
    let orders: Vec<OrderTerms> = stories().into_iter().map(|story| story.terms).collect();
    for seed in 0..4_000 {
        let mut draw = Draw::new(seed);
        let mut terms = orders[draw.below(orders.len())].clone();
        if draw.below(2) == 0 {
            terms.affiliate = Some("a7".to_owned());
            terms.commission_bps = 2500;
            terms.renewal_commission_bps = 333;
            terms.commission_until = draw.one_of(&[None, Some(1999)]);
        }
        let mut facts = draw.facts();
        let standing = folded(&terms, &facts);
        check(&standing, &format!("seed {seed}: {facts:#?}"));
        let before = facts.clone();
        draw.shuffle(&mut facts);
        facts.extend(before);
        assert_eq!(folded(&terms, &facts), standing, "seed {seed}");
        assert_eq!(booked(&terms, &facts), standing.ledger, "seed {seed}");
    }
}

#[test]
fn numbers_that_do_not_fit_are_named() {
    let terms = stories().remove(0).terms;
    let most = i128::MAX;
    let paid = |key: &str, amount: i128, more: &str| {
        fact(&format!(
            r#"{{"kind": "charge", "key": "{key}", "status": "paid", "amount": {amount}, "currency": "usd", "at": 1000{more}}}"#
        ))
    };
    let refund = |key: &str| {
        fact(&format!(
            r#"{{"kind": "refund", "key": "{key}", "charge": "a", "status": "done", "amount": {most}}}"#
        ))
    };
    let dispute = fact(&format!(
        r#"{{"kind": "dispute", "key": "d", "charge": "a", "status": "open", "amount": {most}, "seq": 1}}"#
    ));
    let fee = fact(&format!(
        r#"{{"kind": "fee", "key": "f", "charge": "a", "currency": "usd", "amount": {most}}}"#
    ));
    for (field, change, facts) in [
        ("gross", None, vec![paid("a", most, ""), paid("b", 1, "")]),
        (
            "refunds",
            None,
            vec![paid("a", 1, ""), refund("r"), refund("s")],
        ),
        ("out", None, vec![paid("a", 1, ""), refund("r"), dispute]),
        (
            "ledger",
            None,
            vec![paid("a", 1, ""), fee.clone(), {
                let mut other = fee;
                other.key = "g".to_owned();
                other
            }],
        ),
        (
            "tax",
            None,
            vec![paid("a", 3000, &format!(r#", "tax": {most}"#))],
        ),
        ("fee", Some(most), vec![paid("a", most, "")]),
    ] {
        let terms = OrderTerms {
            due: change.unwrap_or(terms.due),
            ..terms.clone()
        };
        let facts: Facts = facts.into_iter().collect();
        let found = fold(&terms, &facts).map(|standing| standing.state);
        assert_eq!(found, Err(Overflow { field }));
    }
    let late = fact(&format!(
        r#"{{"kind": "charge", "key": "a", "status": "paid", "amount": 3000, "currency": "usd", "at": {}}}"#,
        i64::MAX
    ));
    let found = fold(&terms, &[late].into_iter().collect());
    assert_eq!(
        found.map(|standing| standing.state),
        Err(Overflow { field: "until" })
    );
}
