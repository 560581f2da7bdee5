use super::super::tests::{Draw, fact, stories};
use super::*;

fn all(facts: &[&OrderFact]) -> Facts {
    facts.iter().map(|fact| (*fact).clone()).collect()
}

#[test]
fn the_join_is_commutative_associative_and_repeatable() {
    for seed in 0..10_000 {
        let mut draw = Draw::new(seed);
        let (a, b, c) = (draw.fact(), draw.fact(), draw.fact());
        assert_eq!(all(&[&a, &b]), all(&[&b, &a]), "{a:?} {b:?}");
        assert_eq!(all(&[&a, &a]), all(&[&a]), "{a:?}");
        let mut left = all(&[&a, &b]);
        left.merge(all(&[&c]));
        let mut right = all(&[&a]);
        right.merge(all(&[&b, &c]));
        assert_eq!(left, right, "{a:?} {b:?} {c:?}");
        left.merge(right.clone());
        assert_eq!(left, right, "{a:?} {b:?} {c:?}");
    }
}

#[test]
fn of_two_reports_of_one_thing_one_says_what_is() {
    let charge =
        |rest: &str| format!(r#"{{"kind": "charge", "key": "a", "currency": "usd", {rest}}}"#);
    let dispute = |status: &str, seq: u64| {
        format!(
            r#"{{"kind": "dispute", "key": "d", "charge": "a", "amount": 1, "status": "{status}", "seq": {seq}}}"#
        )
    };
    let refund = |status: &str, amount: i128| {
        format!(
            r#"{{"kind": "refund", "key": "r", "charge": "a", "amount": {amount}, "status": "{status}"}}"#
        )
    };
    let replaced = |at: i64| format!(r#"{{"kind": "replaced", "key": "ord_2", "at": {at}}}"#);
    for (one, other, joined) in [
        // The status decides, then the amount; the times are those of all reports with the status.
        (
            charge(r#""status": "pending", "amount": 9, "at": 5, "end": 80"#),
            charge(r#""status": "void", "amount": 1, "at": 7"#),
            charge(r#""status": "void", "amount": 1, "at": 7"#),
        ),
        (
            charge(r#""status": "paid", "amount": 1, "at": 9, "end": 70"#),
            charge(r#""status": "void", "amount": 9, "at": 7, "end": 90"#),
            charge(r#""status": "paid", "amount": 1, "at": 9, "end": 70"#),
        ),
        (
            charge(r#""status": "paid", "amount": 1, "at": 7, "end": 90"#),
            charge(r#""status": "paid", "amount": 2, "at": 9, "end": 80"#),
            charge(r#""status": "paid", "amount": 2, "at": 7, "end": 90"#),
        ),
        // What else differs is compared as text, field by field: `"key"` comes after `"flag"`, `}` after `,`.
        (
            charge(r#""status": "paid", "amount": 1, "at": 9, "flag": "late_deposit""#),
            charge(r#""status": "paid", "amount": 1, "at": 9"#),
            charge(r#""status": "paid", "amount": 1, "at": 9"#),
        ),
        (
            charge(r#""status": "paid", "amount": 1, "at": 9, "tax": 5"#),
            charge(r#""status": "paid", "amount": 1, "at": 9"#),
            charge(r#""status": "paid", "amount": 1, "at": 9"#),
        ),
        (
            charge(r#""status": "paid", "amount": 1, "at": 8, "seen": "a", "tax": 5"#),
            charge(r#""status": "paid", "amount": 1, "at": 9, "seen": "b", "tax": 4"#),
            charge(r#""status": "paid", "amount": 1, "at": 8, "seen": "b", "tax": 4"#),
        ),
        (refund("done", 5), refund("failed", 1), refund("failed", 1)),
        (refund("pending", 9), refund("done", 5), refund("done", 5)),
        (refund("done", 5), refund("done", 9), refund("done", 9)),
        (dispute("lost", 3), dispute("won", 5), dispute("won", 5)),
        (dispute("lost", 5), dispute("won", 3), dispute("lost", 5)),
        (replaced(7), replaced(-3), replaced(-3)),
    ] {
        let (one, other, joined) = (fact(&one), fact(&other), fact(&joined));
        for facts in [[&one, &other], [&other, &one]] {
            let found = all(&facts);
            assert_eq!(found.iter().collect::<Vec<_>>(), [&joined]);
        }
    }
}

#[test]
fn facts_are_read_and_written_alike() {
    let of_stories = stories().into_iter().flat_map(|story| story.facts);
    let drawn = (0..2000).map(|seed| Draw::new(seed).fact());
    for one in of_stories.chain(drawn) {
        let written = serde_json::to_string(&one).unwrap();
        assert_eq!(fact(&written), one, "{written}");
    }
    let many = r#"{"amount":170141183460469231731687303715884105727,"at":5,"currency":"wei","key":"a","kind":"charge","seen":{"a":1},"status":"paid"}"#;
    assert_eq!(serde_json::to_string(&fact(many)).unwrap(), many);
}

#[test]
fn bad_facts_are_refused_with_the_field() {
    for (json, words) in [
        (r#"{"key": "a"}"#, "`kind`: is missing"),
        (
            r#"{"kind": "gift", "key": "a"}"#,
            "`kind`: unknown word \"gift\"",
        ),
        (r#"{"kind": "note"}"#, "`key`: is missing"),
        (
            r#"{"kind": "note", "key": 5}"#,
            "`key`: invalid type: integer",
        ),
        (
            r#"{"kind": "closed", "key": "tired"}"#,
            "closed \"tired\": `key`: unknown word",
        ),
        (
            r#"{"kind": "replaced", "key": "o"}"#,
            "replaced \"o\": `at`: is missing",
        ),
        (
            r#"{"kind": "refund", "key": "r", "charge": "a", "status": "done", "amount": -1}"#,
            "refund \"r\": `amount`: is negative",
        ),
        (
            r#"{"kind": "refund", "key": "r", "charge": "a", "status": "paid", "amount": 1}"#,
            "refund \"r\": `status`: unknown word \"paid\"",
        ),
        (
            r#"{"kind": "charge", "key": "a", "status": "paid", "amount": 1.5, "currency": "usd", "at": 1}"#,
            "charge \"a\": `amount`: is not an integer of up to 128 bits",
        ),
        (
            r#"{"kind": "charge", "key": "a", "status": "paid", "amount": 999999999999999999999999999999999999999999, "currency": "usd", "at": 1}"#,
            "charge \"a\": `amount`: is not an integer of up to 128 bits",
        ),
        (
            r#"{"kind": "charge", "key": "a", "status": "paid", "amount": 1, "currency": "usd", "at": 1, "outcome": {"amount": 5}}"#,
            "charge \"a\": `outcome`: `currency`: is missing",
        ),
        (
            r#"{"kind": "dispute", "key": "d", "charge": "a", "status": "open", "amount": 1, "seq": -1}"#,
            "dispute \"d\": `seq`:",
        ),
    ] {
        let found = serde_json::from_str::<OrderFact>(json)
            .unwrap_err()
            .to_string();
        assert!(found.contains(words), "{found}");
    }
}
