//! A case: which flow is run, and what happens on the way. Its name replays it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;

use super::flow::Flow;
use crate::wire::CallOutcome;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Its caller dies just before it.
    Before,
    /// Its caller dies just after its effect.
    After,
    /// The connection breaks before it has left.
    CutBefore,
    /// The connection breaks after its effect.
    CutAfter,
    /// It is made twice.
    Twice,
    /// Its caller is frozen before it, for longer than a lease.
    FrozenBefore,
    /// Its caller is frozen after its effect, for longer than a lease.
    FrozenAfter,
}

/// Longer than a lease lasts.
const FROZEN: Duration = Duration::from_secs(40);

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Before,
        Self::After,
        Self::CutBefore,
        Self::CutAfter,
        Self::Twice,
        Self::FrozenBefore,
        Self::FrozenAfter,
    ];
    /// Those that the caller does not survive.
    pub const DEATHS: [Self; 2] = [Self::Before, Self::After];

    const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::CutBefore => "cut-before",
            Self::CutAfter => "cut-after",
            Self::Twice => "twice",
            Self::FrozenBefore => "frozen-before",
            Self::FrozenAfter => "frozen-after",
        }
    }

    pub(super) const fn outcome(self) -> CallOutcome {
        match self {
            Self::Before => CallOutcome::DieBefore,
            Self::After => CallOutcome::DieAfter,
            Self::CutBefore => CallOutcome::CutBefore,
            Self::CutAfter => CallOutcome::CutAfter,
            Self::Twice => CallOutcome::Twice,
            Self::FrozenBefore => CallOutcome::FreezeBefore(FROZEN),
            Self::FrozenAfter => CallOutcome::FreezeAfter(FROZEN),
        }
    }

    /// Whether the caller does not survive it.
    #[must_use]
    pub const fn is_death(self) -> bool {
        matches!(self, Self::Before | Self::After)
    }
}

/// A fault to the call of this number, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InjectedFault {
    /// The call's number among those that the flow covers.
    pub at: usize,
    /// What happens to it.
    pub fault: FaultKind,
}

impl fmt::Display for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at, self.fault.name())
    }
}

impl FromStr for InjectedFault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (at, fault) = text.split_once('-').context("a fault is `7-after`")?;
        let known = FaultKind::ALL
            .into_iter()
            .find(|known| known.name() == fault);
        Ok(Self {
            at: at.parse().context("the number of a call")?,
            fault: known.with_context(|| format!("there is no fault `{fault}`"))?,
        })
    }
}

/// What happens on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Nothing.
    Nothing,
    /// Injected faults, in order.
    Injected(Vec<InjectedFault>),
    /// Of the same calls every other one is made twice. (If all were, a conditional write that does not know itself would
    /// be refused for ever.)
    CallsTwice {
        /// Whether the first one is.
        first: bool,
    },
    /// Every request, message and update comes this often.
    Delivered(u32),
}

/// One case of the matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What is run.
    pub flow: Flow,
    /// What happens on the way.
    pub what: What,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.flow.name())?;
        match &self.what {
            What::Nothing => f.write_str("undisturbed"),
            What::CallsTwice { first: true } => f.write_str("odd-calls-twice"),
            What::CallsTwice { first: false } => f.write_str("even-calls-twice"),
            What::Delivered(times) => write!(f, "delivered-{times}"),
            What::Injected(injected) => {
                let names: Vec<String> = injected.iter().map(ToString::to_string).collect();
                f.write_str(&names.join("+"))
            }
        }
    }
}

impl FromStr for Case {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (flow, what) = text.split_once('/').context("a case is `mint/7-after`")?;
        let flow = flow.parse()?;
        let what = match (what, what.strip_prefix("delivered-")) {
            ("undisturbed", _) => What::Nothing,
            ("odd-calls-twice", _) => What::CallsTwice { first: true },
            ("even-calls-twice", _) => What::CallsTwice { first: false },
            (_, Some(times)) => What::Delivered(times.parse().context("how often")?),
            (injected, None) => What::Injected(
                injected
                    .split('+')
                    .map(str::parse)
                    .collect::<Result<_, _>>()?,
            ),
        };
        Ok(Self { flow, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_found_by_its_name() {
        for name in [
            "mint/undisturbed",
            "join/3-before+9-cut-after",
            "request/odd-calls-twice",
            "events/delivered-5",
        ] {
            assert_eq!(name.parse::<Case>().unwrap().to_string(), name);
        }
        assert!("mint/7-sideways".parse::<Case>().is_err());
        assert!("mint".parse::<Case>().is_err());
    }
}
