//! For which time an order pays.

use super::super::super::exact::{Overflow, later, sum};
use super::super::fact::{DecisionAction, FactBody, Facts};
use super::super::terms::OrderTerms;
use super::OrderGrant;
use super::tally::Tally;

/// How long after its payment a gift begins at the latest.
const GIFT_WAITS_SECONDS: i64 = 30 * 24 * 3600;

/// The grants, the earliest first.
pub(super) fn grants(
    terms: &OrderTerms,
    facts: &Facts,
    tally: &Tally<'_>,
) -> Result<Vec<OrderGrant>, Overflow> {
    let is_ended = facts.iter().any(|fact| {
        let FactBody::Decision { action, .. } = fact.body else {
            return false;
        };
        action == DecisionAction::End
    });
    if !tally.is_covered || tally.is_lost || is_ended {
        return Ok(Vec::new());
    }
    let cut = earliest(facts, |body| match body {
        FactBody::Replaced { at } => Some(*at),
        _ => None,
    });
    if terms.recurring {
        let charges = tally.counted().filter(|one| !one.is_refunded());
        let grant = charges.map(|one| OrderGrant {
            at: one.charge.at,
            cut,
            end: one.charge.end,
            key: one.key.to_owned(),
            seconds: terms.seconds,
        });
        return Ok(grant.collect());
    }
    if tally.gross > 0 && is_given_back(tally)? {
        return Ok(Vec::new());
    }
    let Some(completing) = tally.completing()? else {
        return Ok(Vec::new());
    };
    let paid_at = completing.charge.at;
    let at = if terms.gift {
        let claimed_at = earliest(facts, |body| match body {
            FactBody::Started { at } => Some(*at),
            _ => None,
        });
        let latest = later(paid_at, GIFT_WAITS_SECONDS, "at")?;
        claimed_at.map_or(latest, |at| at.min(latest))
    } else {
        paid_at
    };
    Ok(vec![OrderGrant {
        at,
        cut,
        end: None,
        key: "once".to_owned(),
        seconds: terms.seconds,
    }])
}

/// Whether refunds took all that came. What a dispute holds back meanwhile is not given back.
fn is_given_back(tally: &Tally<'_>) -> Result<bool, Overflow> {
    let refunded = sum(tally.counted().map(|one| one.refunded), "refunds")?;
    Ok(refunded >= tally.gross)
}

/// When the last grant is over; absent if there is none, or one never ends. A length begins where the grants before it end.
pub(super) fn until(grants: &[OrderGrant]) -> Result<Option<i64>, Overflow> {
    let mut until = None;
    let mut is_endless = false;
    for grant in grants {
        let begin = until.map_or(grant.at, |until: i64| until.max(grant.at));
        match (grant.end, grant.seconds) {
            (Some(end), _) => until = Some(until.map_or(end, |until| until.max(end))),
            (None, Some(seconds)) => until = Some(later(begin, seconds, "until")?),
            (None, None) => is_endless = true,
        }
    }
    let cut = grants.iter().find_map(|grant| grant.cut);
    if is_endless {
        return Ok(cut);
    }
    Ok(until.map(|until| cut.map_or(until, |cut| cut.min(until))))
}

fn earliest(facts: &Facts, at: impl Fn(&FactBody) -> Option<i64>) -> Option<i64> {
    facts.iter().filter_map(|fact| at(&fact.body)).min()
}
