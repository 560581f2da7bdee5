//! Sums and shares of integers that never wrap.

/// A number that does not fit its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is too large")]
pub struct Overflow {
    /// What the number is of.
    pub field: &'static str,
}

pub(crate) fn add(one: i128, other: i128, field: &'static str) -> Result<i128, Overflow> {
    one.checked_add(other).ok_or(Overflow { field })
}

pub(crate) fn subtract(from: i128, what: i128, field: &'static str) -> Result<i128, Overflow> {
    from.checked_sub(what).ok_or(Overflow { field })
}

pub(crate) fn negate(one: i128, field: &'static str) -> Result<i128, Overflow> {
    one.checked_neg().ok_or(Overflow { field })
}

pub(crate) fn sum(
    all: impl IntoIterator<Item = i128>,
    field: &'static str,
) -> Result<i128, Overflow> {
    all.into_iter()
        .try_fold(0, |total, one| add(total, one, field))
}

pub(crate) fn later(at: i64, seconds: i64, field: &'static str) -> Result<i64, Overflow> {
    at.checked_add(seconds).ok_or(Overflow { field })
}

/// The whole of a hundred percent in basis points.
pub(crate) const ALL_BPS: i128 = 10_000;

/// `amount` x `part` / `whole`, rounded half up. None of them is negative; of a whole of 0 there are no shares.
pub(crate) fn share(
    amount: i128,
    part: i128,
    whole: i128,
    field: &'static str,
) -> Result<i128, Overflow> {
    let (floor, rest) = divided(amount, part, whole, field)?;
    let is_half = rest >= subtract(whole, rest, field)? && rest > 0;
    add(floor, i128::from(is_half), field)
}

/// `amount` x `part` / `whole`, rounded down, under the same conditions.
pub(crate) fn share_down(
    amount: i128,
    part: i128,
    whole: i128,
    field: &'static str,
) -> Result<i128, Overflow> {
    divided(amount, part, whole, field).map(|(floor, _)| floor)
}

fn divided(
    amount: i128,
    part: i128,
    whole: i128,
    field: &'static str,
) -> Result<(i128, i128), Overflow> {
    let product = amount.checked_mul(part).ok_or(Overflow { field })?;
    let floor = product.checked_div(whole).unwrap_or(0);
    Ok((floor, product.checked_rem(whole).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_half_up_or_down() {
        for (amount, bps, half_up, down) in [
            (0, 300, 0, 0),
            (3000, 300, 90, 90),
            (1250, 300, 38, 37),
            (1249, 300, 37, 37),
            (135, 300, 4, 4),
            (50, 100, 1, 0),
            (49, 100, 0, 0),
            (7, 10_000, 7, 7),
        ] {
            assert_eq!(
                share(amount, bps, ALL_BPS, "fee"),
                Ok(half_up),
                "{amount} x {bps}"
            );
            assert_eq!(
                share_down(amount, bps, ALL_BPS, "fee"),
                Ok(down),
                "{amount} x {bps}"
            );
        }
        assert_eq!(share(5, 5, 0, "tax"), Ok(0));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let overflow = |field| Err(Overflow { field });
        assert_eq!(add(i128::MAX, 1, "gross"), overflow("gross"));
        assert_eq!(subtract(i128::MIN, 1, "net"), overflow("net"));
        assert_eq!(negate(i128::MIN, "ledger"), overflow("ledger"));
        assert_eq!(sum([i128::MAX, 1], "gross"), overflow("gross"));
        assert_eq!(share(i128::MAX, 2, 3, "tax"), overflow("tax"));
        let late = later(i64::MAX, 1, "until").unwrap_err();
        assert_eq!(late.to_string(), "`until` is too large");
    }
}
