//! What a person decides of an order, where no rule does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::super::time::Timestamp;
use super::super::fact::{DecisionAction, FactBody, OrderFact};
use super::{Effect, LearnFault, Order, PayoutHold};

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The id of the case.
    pub case: String,
    /// What was decided.
    pub action: DecisionAction,
    /// What a flagged charge is worth, in minor units of the order's currency.
    pub value: Option<i128>,
    /// Why, for people.
    pub note: String,
    /// The operator.
    pub by: String,
}

/// Why a decision is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionRefused {
    /// The order has no such case, or not any more.
    #[error("the case is not open")]
    NotOpen,
    /// Money that does not count by itself was accepted without a value, or something else with one.
    #[error("a value is missing, or is not asked for")]
    Value,
    /// The order can't take it in.
    #[error(transparent)]
    Learn(#[from] LearnFault),
}

impl Order {
    /// The order once a person decided a case that is open. The first decision of a case is the one that counts.
    ///
    /// # Errors
    /// [`DecisionRefused`]; then nothing is to be written.
    pub fn decide(
        &self,
        decision: Decision,
        now: Timestamp,
        hold: PayoutHold,
    ) -> Result<Self, DecisionRefused> {
        let Decision {
            case,
            action,
            value,
            note,
            by,
        } = decision;
        if !self.cases.contains(&case) {
            return Err(DecisionRefused::NotOpen);
        }
        // Accepted without a value, money would lie with us and nobody would be asked about it any more.
        let is_worth_asked = action == DecisionAction::Accept && self.is_of_flagged_charge(&case);
        if is_worth_asked != value.is_some() {
            return Err(DecisionRefused::Value);
        }
        let fact = OrderFact {
            key: case,
            body: FactBody::Decision { action, value },
            further: BTreeMap::from([
                ("note".to_owned(), Value::from(note)),
                ("by".to_owned(), Value::from(by)),
                ("decidedAt".to_owned(), Value::from(now.to_string())),
            ]),
        };
        let learnt = self.learn([fact], now, hold)?;
        let mut next = learnt.ok_or(DecisionRefused::NotOpen)?;
        // Who has no seat any more is not charged for it again.
        if action == DecisionAction::End && next.terms.recurring && next.renews() {
            next.pend(Effect::EndRenewals);
        }
        Ok(next)
    }

    fn is_of_flagged_charge(&self, case: &str) -> bool {
        self.facts.iter().any(|fact| match &fact.body {
            FactBody::Charge(charge) => charge
                .flag
                .is_some_and(|flag| format!("{}#{}", flag.as_str(), fact.key) == case),
            _ => false,
        })
    }
}
