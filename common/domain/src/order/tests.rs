//! What the tests of this module share.

use serde_json::Value;

use super::fact::{Facts, OrderFact};
use super::fold::{OrderStanding, fold};
use super::terms::OrderTerms;

/// Orders with their facts and what they add up to, as an independent implementation of the rules has it.
pub(super) const STORIES: &str = include_str!("../../data/fold-stories.jsonl");

/// One line of them.
pub(super) struct FoldStory {
    pub(super) name: String,
    pub(super) terms: OrderTerms,
    pub(super) facts: Vec<OrderFact>,
    pub(super) result: Value,
}

pub(super) fn stories() -> Vec<FoldStory> {
    let story = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        FoldStory {
            name: line["name"].as_str().unwrap().to_owned(),
            terms: serde_json::from_str(&line["order"].to_string()).unwrap(),
            facts: serde_json::from_str(&line["facts"].to_string()).unwrap(),
            result: line["result"].clone(),
        }
    };
    STORIES.lines().map(story).collect()
}

pub(super) fn folded(terms: &OrderTerms, facts: &[OrderFact]) -> OrderStanding {
    let facts: Facts = facts.iter().cloned().collect();
    fold(terms, &facts).unwrap()
}

pub(super) fn fact(json: &str) -> OrderFact {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// Draws numbers that are the same in each run.
pub(super) struct Draw(u64);

impl Draw {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub(super) fn shuffle<T>(&mut self, all: &mut [T]) {
        for index in (1..all.len()).rev() {
            let other = self.below(index + 1);
            all.swap(index, other);
        }
    }

    /// A fact whose parts are drawn from so few that facts meet, repeat and contradict each other.
    pub(super) fn fact(&mut self) -> OrderFact {
        let charge = self.one_of(&["pi_1", "pi_2", "pi_3"]);
        let amount = self.one_of(&[0, 999, 1000, 2000, 3000, 4000]);
        let at = self.one_of(&[1000, 2000, 700_000, 2_600_000]);
        let seq = self.below(4);
        let outcome = self.one_of(&[
            "",
            "",
            r#", "outcome": {"currency": "trx", "amount": 5500}"#,
            r#", "outcome": {"currency": "usd", "amount": 2990}"#,
        ]);
        let key = self.below(3);
        fact(&match self.below(14) {
            0..=3 => {
                let status = self.one_of(&["pending", "void", "paid", "paid", "paid"]);
                let more = self.one_of(&[
                    "",
                    "",
                    r#", "tax": 500"#,
                    r#", "end": 2593000"#,
                    r#", "end": 5185000, "seen": "cs_1""#,
                    r#", "flag": "wrong_asset""#,
                    r#", "flag": "late_deposit""#,
                ]);
                format!(
                    r#"{{"kind": "charge", "key": "{charge}", "status": "{status}", "amount": {amount}, "currency": "usd", "at": {at}{outcome}{more}}}"#
                )
            }
            4 | 5 => {
                let status = self.one_of(&["pending", "done", "failed"]);
                format!(
                    r#"{{"kind": "refund", "key": "re_{key}", "charge": "{charge}", "status": "{status}", "amount": {amount}{outcome}}}"#
                )
            }
            6 | 7 => {
                let status = self.one_of(&["inquiry", "closed", "open", "lost", "won"]);
                format!(
                    r#"{{"kind": "dispute", "key": "dp_{key}", "charge": "{charge}", "status": "{status}", "amount": {amount}, "seq": {seq}}}"#
                )
            }
            8 => {
                let status = self.one_of(&["active", "failing", "ending", "ended"]);
                format!(
                    r#"{{"kind": "subscription", "key": "sub_{key}", "status": "{status}", "seq": {seq}}}"#
                )
            }
            9 => format!(r#"{{"kind": "warning", "key": "issfr_{key}", "charge": "{charge}"}}"#),
            10 => {
                let currency = self.one_of(&["usd", "eur"]);
                let fee = self.one_of(&[117, 1500, -1500]);
                format!(
                    r#"{{"kind": "fee", "key": "txn_{key}", "charge": "{charge}", "amount": {fee}, "currency": "{currency}"}}"#
                )
            }
            11 => {
                let case = self.one_of(&[
                    "underpaid#2000",
                    "underpaid#999",
                    "wrong_asset#pi_1",
                    "late_deposit#pi_2",
                    "partial_refund#2000",
                    "overpaid#1000",
                ]);
                let action = self.one_of(&["accept", "accept", "keep", "end"]);
                let value = self.one_of(&["", r#", "value": 3000"#, r#", "value": 500"#]);
                format!(r#"{{"kind": "decision", "key": "{case}", "action": "{action}"{value}}}"#)
            }
            12 => format!(r#"{{"kind": "replaced", "key": "ord_{key}", "at": {at}}}"#),
            _ => self
                .one_of(&[
                    r#"{"kind": "closed", "key": "expired"}"#,
                    r#"{"kind": "closed", "key": "cancelled"}"#,
                    r#"{"kind": "refused", "key": "sold_out"}"#,
                    r#"{"kind": "started", "key": "claim", "at": 500000}"#,
                    r#"{"kind": "note", "key": "already_owned"}"#,
                ])
                .to_owned(),
        })
    }

    pub(super) fn facts(&mut self) -> Vec<OrderFact> {
        let count = self.below(9);
        (0..count).map(|_| self.fact()).collect()
    }
}
