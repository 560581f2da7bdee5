use num_rational::BigRational;

use super::super::AmountTable;
use super::*;

fn usd() -> MinorUnit {
    AmountTable::Stripe.unit("usd").unwrap()
}

fn stripe(currency: &str) -> MinorUnit {
    AmountTable::Stripe.unit(currency).unwrap()
}

fn of(base: i128) -> PriceParts {
    PriceParts {
        base,
        volume_bps: 0,
        coupon: None,
        referral_bps: 0,
        most_off_bps: 10_000,
        unused: 0,
        rate: None,
    }
}

fn rate(from: &str, to: &str) -> Option<ExchangeRate> {
    Some(ExchangeRate {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    })
}

#[test]
fn a_price_line_by_line() {
    let percent = |bps| Some(CouponValue::Percent(bps));
    let amount = |amount| Some(CouponValue::Amount(amount));
    let full = PriceParts {
        volume_bps: 1000,
        coupon: percent(2500),
        referral_bps: 500,
        unused: 321,
        ..of(2999)
    };
    for (parts, charged, lines) in [
        // base, volume, coupon, referral, unused, rounding, due
        (of(3000), usd(), [3000, 0, 0, 0, 0, 0, 3000]),
        // 2999 -> 2699.1 -> 2024.325 -> 1923.10875 -> 1602.10875
        (full, usd(), [2999, -300, -675, -101, -321, 0, 1602]),
        (
            PriceParts {
                coupon: amount(500),
                ..of(3000)
            },
            usd(),
            [3000, 0, -500, 0, 0, 0, 2500],
        ),
        // What may be taken off in all is reached by the coupon; what is unused is no discount.
        (
            PriceParts {
                most_off_bps: 3000,
                ..full
            },
            usd(),
            [2999, -300, -600, 0, -321, 0, 1778],
        ),
        (
            PriceParts {
                most_off_bps: 0,
                coupon: amount(500),
                ..of(3000)
            },
            usd(),
            [3000, 0, 0, 0, 0, 0, 3000],
        ),
        // Nothing left, by whatever way, is 0; something is at least the least charge.
        (
            PriceParts {
                coupon: percent(10_000),
                ..of(3000)
            },
            usd(),
            [3000, 0, -3000, 0, 0, 0, 0],
        ),
        (
            PriceParts {
                coupon: percent(20_000),
                ..of(3000)
            },
            usd(),
            [3000, 0, -3000, 0, 0, 0, 0],
        ),
        (
            PriceParts {
                unused: 9000,
                ..of(3000)
            },
            usd(),
            [3000, 0, 0, 0, -3000, 0, 0],
        ),
        (
            PriceParts {
                coupon: percent(9990),
                ..of(3000)
            },
            usd(),
            [3000, 0, -2997, 0, 0, 47, 50],
        ),
        (
            PriceParts {
                coupon: percent(9999),
                ..of(3000)
            },
            usd(),
            [3000, 0, -3000, 0, 0, 50, 50],
        ),
        // To currencies with other decimals and steps.
        (
            PriceParts {
                rate: rate("1.0876", "1"),
                ..of(3000)
            },
            stripe("eur"),
            [2758, 0, 0, 0, 0, 0, 2758],
        ),
        (
            PriceParts {
                rate: rate("1", "151.5"),
                ..of(3000)
            },
            stripe("jpy"),
            [4545, 0, 0, 0, 0, 0, 4545],
        ),
        (
            PriceParts {
                rate: rate("1", "137.49"),
                ..of(999)
            },
            stripe("isk"),
            [137_353, 0, 0, 0, 0, 47, 137_400],
        ),
        (
            PriceParts {
                rate: rate("1", "0.3071"),
                ..of(3000)
            },
            stripe("kwd"),
            [9213, 0, 0, 0, 0, -3, 9210],
        ),
        (
            PriceParts {
                rate: rate("1", "0.305"),
                ..of(3000)
            },
            stripe("kwd"),
            [9150, 0, 0, 0, 0, 0, 9150],
        ),
        (
            PriceParts {
                rate: rate("2", "1"),
                ..of(101)
            },
            stripe("eur"),
            [51, 0, 0, 0, 0, 0, 51],
        ),
    ] {
        let found = price(&parts, usd(), charged).unwrap();
        let [base, volume, coupon, referral, unused, rounding, due] = lines;
        let expected = PriceLines {
            base,
            volume,
            coupon,
            referral,
            unused,
            rounding,
            due,
        };
        assert_eq!(found, expected, "{parts:?}");
    }
}

#[test]
fn what_has_no_price_is_refused() {
    let refused = |parts: PriceParts| price(&parts, usd(), usd()).unwrap_err().to_string();
    assert_eq!(refused(of(-1)), "`base` is negative");
    assert_eq!(
        refused(PriceParts {
            unused: -1,
            ..of(1)
        }),
        "`unused` is negative"
    );
    let coupon = Some(CouponValue::Amount(-1));
    assert_eq!(
        refused(PriceParts { coupon, ..of(1) }),
        "`coupon` is negative"
    );
    for rate in [rate("0", "1"), rate("1", "-1")] {
        assert_eq!(
            refused(PriceParts { rate, ..of(1) }),
            "a rate is more than 0"
        );
    }
    let rate = rate(
        "0.0000000000000000000000000007",
        "79228162514264337593543950335",
    );
    assert_eq!(
        refused(PriceParts { rate, ..of(3000) }),
        "`price` is too large"
    );
}

#[test]
fn the_unused_part_is_rounded_down() {
    for (charge, left, seconds, expected) in [
        (3000, 1_296_000, 2_592_000, 1500),
        (3000, 1, 2_592_000, 0),
        (3000, 2_591_999, 2_592_000, 2999),
        (3000, 9, 5, 3000),
        (3000, 0, 0, 0),
    ] {
        assert_eq!(unused(charge, left, seconds), Ok(expected));
    }
}

/// The same in fractions without bounds.
fn exactly(parts: &PriceParts, charged: MinorUnit) -> BigRational {
    let whole = |number: i128| BigRational::from_integer(number.into());
    let ten = |exponent: u32| whole(10_i128.pow(exponent));
    let decimal = |decimal: Decimal| whole(decimal.mantissa()) / ten(decimal.scale());
    let bps = |bps: u32| whole(10_000 - i128::from(bps.min(10_000))) / whole(10_000);
    let none = whole(0);
    let least = whole(parts.base) * bps(parts.most_off_bps);
    let mut left = (whole(parts.base) * bps(parts.volume_bps)).max(least.clone());
    left = match parts.coupon {
        Some(CouponValue::Percent(off)) => left * bps(off),
        Some(CouponValue::Amount(off)) => (left - whole(off)).max(none.clone()),
        None => left,
    }
    .max(least.clone());
    left = (left * bps(parts.referral_bps)).max(least);
    left = (left - whole(parts.unused)).max(none);
    if let Some(rate) = parts.rate {
        left = left * decimal(rate.to) / decimal(rate.from);
    }
    left * ten(charged.exponent) / ten(usd().exponent)
}

#[test]
fn prices_equal_unbounded_fractions_and_their_lines_sum_up() {
    let mut seed = 1_u64;
    let mut below = |end: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % end
    };
    let units = ["usd", "jpy", "isk", "kwd", "huf", "eur", "clp"].map(stripe);
    for _ in 0..4_000 {
        let small = |number: u64| i128::from(number);
        let bps = |number: u64| u32::try_from(number).unwrap();
        let parts = PriceParts {
            base: small(below(10_000_000)),
            volume_bps: bps(below(4) * 777),
            coupon: match below(3) {
                0 => None,
                1 => Some(CouponValue::Percent(bps(below(10_100)))),
                _ => Some(CouponValue::Amount(small(below(100_000)))),
            },
            referral_bps: bps(below(2) * 505),
            most_off_bps: bps(10_000 - below(2) * below(10_000)),
            unused: small(below(3) * below(50_000)),
            rate: (below(3) > 0).then(|| ExchangeRate {
                from: Decimal::new(i64::try_from(1 + below(1 << 30)).unwrap(), 6),
                to: Decimal::new(i64::try_from(1 + below(1 << 30)).unwrap(), bps(below(8))),
            }),
        };
        let charged = units[usize::try_from(below(7)).unwrap()];
        let lines = price(&parts, usd(), charged).unwrap();
        let exact = exactly(&parts, charged);
        let step = BigRational::from_integer(charged.step.into());
        let half = BigRational::new(1.into(), 2.into());
        let rounded = ((exact.clone() / &step + half).floor() * step).to_integer();
        let zero = exact == BigRational::from_integer(0.into());
        let expected = if zero {
            0.into()
        } else {
            rounded.max(charged.least.into())
        };
        assert_eq!(
            BigRational::from_integer(lines.due.into()).to_integer(),
            expected,
            "{parts:?}"
        );
        let all = lines.base + lines.volume + lines.coupon + lines.referral + lines.unused;
        assert_eq!(all + lines.rounding, lines.due, "{parts:?}");
        for discount in [lines.volume, lines.coupon, lines.referral, lines.unused] {
            assert!(discount <= 0, "{lines:?}");
        }
    }
}
