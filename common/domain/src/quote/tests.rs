use serde_json::json;

use super::super::money::PaymentProvider::{self, NowPayments, Stars, Stripe};
use super::super::product::{CouponCode, TierId};
use super::QuoteRejectionKind::*;
use super::*;

const MAX_AGE: Duration = Duration::from_secs(432_000);

fn product() -> Product {
    let product = json!({
        "productId": "room", "title": "Room", "chats": [-1001], "owner": "o1", "feeBps": 300, "convertFrom": "usd",
        "tiers": [
            {"id": "month", "title": "One month", "length": {"months": 1}, "recurring": true, "prices": {"usd": 3000, "eur": 2800}},
            {"id": "once", "title": "One month", "length": {"months": 1}, "prices": {"usd": 2999}, "starsPrice": 2000},
            {"id": "trial", "title": "One month", "length": {"months": 1}, "recurring": true, "trialDays": 7, "prices": {"usd": 3000}},
            {"id": "stars", "title": "30 days", "length": {"days": 30}, "recurring": true, "starsPrice": 1500},
            {"id": "life", "title": "For ever", "length": "forEver", "prices": {"usd": 49900}},
            {"id": "large", "title": "For ever", "length": {"months": 1}, "prices": {"usd": 99_999_999}},
            {"id": "late", "title": "Later", "length": {"days": 30}, "prices": {"usd": 1000}, "soldFrom": "2026-12-01T00:00:00.000Z"}
        ],
        "volume": [{"months": 3, "offBps": 1000}],
        "referralOffBps": 500,
        "coupons": [
            {"code": "QUARTER", "off": {"bps": 2500}},
            {"code": "ALWAYS", "off": {"bps": 2500}, "periods": "all"},
            {"code": "FREE", "off": {"bps": 10_000}},
            {"code": "FREE-EVER", "off": {"bps": 10_000}, "periods": "all"},
            {"code": "FIVE", "off": {"amounts": {"usd": 500}}},
            {"code": "OVER", "off": {"bps": 100}, "until": "2026-11-01T00:00:00.000Z"}
        ]
    });
    serde_json::from_value(product).unwrap()
}

fn now() -> Timestamp {
    "2026-11-27T12:00:00.000Z".parse().unwrap()
}

struct Wish {
    tier: &'static str,
    provider: PaymentProvider,
    currency: &'static str,
    months: Option<u32>,
    coupon: Option<&'static str>,
    is_referred: bool,
    unused: i128,
    with_trial: bool,
    rate: Option<ReferenceRate>,
}

fn of(tier: &'static str) -> Wish {
    Wish {
        tier,
        provider: Stripe,
        currency: "usd",
        months: None,
        coupon: None,
        is_referred: false,
        unused: 0,
        with_trial: true,
        rate: None,
    }
}

fn ask(wish: &Wish) -> Result<QuotedPrice, QuoteRejectionKind> {
    let product = product();
    let tier: TierId = wish.tier.parse().unwrap();
    let coupon: Option<CouponCode> = wish.coupon.map(|code| code.parse().unwrap());
    let request = QuoteRequest {
        product: &product,
        tier: product.tier(&tier).unwrap(),
        provider: wish.provider,
        currency: &wish.currency.parse().unwrap(),
        months: wish.months,
        coupon: coupon.as_ref(),
        is_referred: wish.is_referred,
        unused: wish.unused,
        with_trial: wish.with_trial,
    };
    let price = request
        .source()
        .and_then(|source| request.price(&source, wish.rate.as_ref(), MAX_AGE, now()));
    price.map_err(|rejection| rejection.kind)
}

/// What is due now and later, and the lines.
fn told(price: &QuotedPrice) -> (i128, Option<i128>, Vec<(QuoteLineKind, i64)>) {
    let lines: Vec<_> = price
        .lines
        .iter()
        .map(|line| (line.kind, line.amount))
        .collect();
    let sum: i64 = lines.iter().map(|(_, amount)| amount).sum();
    assert_eq!(i128::from(sum), price.due_now.get(), "the lines sum up");
    (
        price.due_now.get(),
        price.recurring.map(MinorAmount::get),
        lines,
    )
}

#[test]
fn a_price_is_told_line_by_line_and_in_words() {
    use QuoteLineKind::{Base, Coupon, Referral, Trial, Unused, Volume};
    for (wish, due, recurring, lines, words) in [
        (of("life"), 49_900, None, vec![(Base, 49_900)], "499.00 USD"),
        (
            of("month"),
            3000,
            Some(3000),
            vec![(Base, 3000)],
            "30.00 USD every month",
        ),
        (
            Wish {
                months: Some(3),
                ..of("month")
            },
            8100,
            Some(8100),
            vec![(Base, 9000), (Volume, -900)],
            "81.00 USD every 3 months",
        ),
        (
            Wish {
                months: Some(1),
                ..of("month")
            },
            3000,
            Some(3000),
            vec![(Base, 3000)],
            "30.00 USD every month",
        ),
        (
            Wish {
                coupon: Some("QUARTER"),
                ..of("month")
            },
            2250,
            Some(3000),
            vec![(Base, 3000), (Coupon, -750)],
            "22.50 USD now, then 30.00 USD every month",
        ),
        (
            Wish {
                coupon: Some("ALWAYS"),
                ..of("month")
            },
            2250,
            Some(2250),
            vec![(Base, 3000), (Coupon, -750)],
            "22.50 USD every month",
        ),
        (
            Wish {
                coupon: Some("FREE"),
                ..of("month")
            },
            0,
            Some(3000),
            vec![(Base, 3000), (Coupon, -3000)],
            "0.00 USD now, then 30.00 USD every month",
        ),
        (
            Wish {
                coupon: Some("FIVE"),
                is_referred: true,
                unused: 321,
                months: Some(3),
                ..of("once")
            },
            // 8997 - 900 (899.7) - 500 - 380 (379.865) - 321
            6896,
            None,
            vec![
                (Base, 8997),
                (Volume, -900),
                (Coupon, -500),
                (Referral, -380),
                (Unused, -321),
            ],
            "68.96 USD",
        ),
        // Coins are paid once, whatever the tier.
        (
            Wish {
                provider: NowPayments,
                coupon: Some("QUARTER"),
                ..of("month")
            },
            2250,
            None,
            vec![(Base, 3000), (Coupon, -750)],
            "22.50 USD",
        ),
        (
            of("trial"),
            0,
            Some(3000),
            vec![(Base, 3000), (Trial, -3000)],
            "free for 7 days, then 30.00 USD every month",
        ),
        (
            Wish {
                coupon: Some("ALWAYS"),
                ..of("trial")
            },
            0,
            Some(2250),
            vec![(Base, 3000), (Coupon, -750), (Trial, -2250)],
            "free for 7 days, then 22.50 USD every month",
        ),
        (
            Wish {
                with_trial: false,
                ..of("trial")
            },
            3000,
            Some(3000),
            vec![(Base, 3000)],
            "30.00 USD every month",
        ),
        (
            Wish {
                provider: Stars,
                currency: "XTR",
                ..of("stars")
            },
            1500,
            Some(1500),
            vec![(Base, 1500)],
            "1500 Stars every 30 days",
        ),
        (
            Wish {
                provider: Stars,
                currency: "XTR",
                months: Some(3),
                ..of("once")
            },
            5400,
            None,
            vec![(Base, 6000), (Volume, -600)],
            "5400 Stars",
        ),
    ] {
        let price = ask(&wish).unwrap();
        assert_eq!(told(&price), (due, recurring, lines), "{words}");
        assert_eq!(price.display, words);
    }
}

fn ecb(from: &str, to: &str, age: Duration) -> Option<ReferenceRate> {
    Some(ReferenceRate {
        rate: ExchangeRate {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        },
        source: "ECB".to_owned(),
        as_of: now().minus(age),
    })
}

#[test]
fn a_price_in_another_currency_says_by_which_rate() {
    let krona = Wish {
        currency: "isk",
        rate: ecb("1.0876", "149.5", MAX_AGE),
        coupon: Some("FIVE"),
        ..of("life")
    };
    let price = ask(&krona).unwrap();
    // (49900 - 500) x 149.5 / 1.0876 = 6790456.05
    assert_eq!(price.due_now.get(), 6_790_500);
    assert_eq!(price.display, "67905 ISK");
    told(&price);
    let conversion = price
        .lines
        .iter()
        .find(|line| line.kind == QuoteLineKind::Conversion);
    let quoted = conversion.and_then(|line| line.rate.clone()).unwrap();
    assert_eq!(quoted.rate, "137.4586244943");
    assert_eq!(
        (quoted.from.as_str(), quoted.source.as_str()),
        ("usd", "ECB")
    );
    let in_json = serde_json::to_value(&price).unwrap();
    assert_eq!(in_json["lines"][2]["kind"], "conversion");
    assert_eq!(in_json["lines"][2]["asOf"], "2026-11-22T12:00:00.000Z");
    assert_eq!(
        serde_json::from_value::<QuotedPrice>(in_json).unwrap(),
        price
    );

    let late = Wish {
        rate: ecb("1.0876", "149.5", MAX_AGE + Duration::from_millis(1)),
        ..krona
    };
    assert_eq!(ask(&late), Err(RateUnavailable));
    assert_eq!(ask(&Wish { rate: None, ..late }), Err(RateUnavailable));
    // A price that is written needs none.
    assert_eq!(
        ask(&Wish {
            currency: "eur",
            ..of("month")
        })
        .unwrap()
        .due_now
        .get(),
        2800
    );
}

#[test]
fn what_can_not_be_sold_is_refused_with_the_reason() {
    let in_stars = |tier| Wish {
        provider: Stars,
        currency: "XTR",
        ..of(tier)
    };
    for (name, wish, kind) in [
        ("not yet", of("late"), NotForSale),
        (
            "no month",
            Wish {
                months: Some(0),
                ..of("month")
            },
            InvalidMonths,
        ),
        (
            "too many months",
            Wish {
                months: Some(37),
                ..of("month")
            },
            InvalidMonths,
        ),
        (
            "months of what does not end",
            Wish {
                months: Some(3),
                ..of("life")
            },
            InvalidMonths,
        ),
        (
            "no such coupon",
            Wish {
                coupon: Some("NONE"),
                ..of("month")
            },
            CouponNotValid,
        ),
        (
            "coupon too late",
            Wish {
                coupon: Some("OVER"),
                ..of("month")
            },
            CouponNotValid,
        ),
        (
            "first of a trial",
            Wish {
                coupon: Some("QUARTER"),
                ..of("trial")
            },
            CouponNotValid,
        ),
        (
            "no amount in it",
            Wish {
                coupon: Some("FIVE"),
                ..in_stars("once")
            },
            CouponNotValid,
        ),
        (
            "amount of another",
            Wish {
                coupon: Some("FIVE"),
                currency: "eur",
                ..of("month")
            },
            CouponNotValid,
        ),
        (
            "nothing renews",
            Wish {
                coupon: Some("FREE-EVER"),
                ..of("month")
            },
            NotPossibleWithProvider,
        ),
        (
            "two prices in Stars",
            Wish {
                coupon: Some("QUARTER"),
                ..in_stars("stars")
            },
            NotPossibleWithProvider,
        ),
        (
            "Stars by card",
            Wish {
                currency: "XTR",
                ..of("once")
            },
            NotPossibleWithProvider,
        ),
        (
            "dollars in Stars",
            Wish {
                provider: Stars,
                ..of("once")
            },
            NotPossibleWithProvider,
        ),
        (
            "too large",
            Wish {
                months: Some(2),
                ..of("large")
            },
            NotPossibleWithProvider,
        ),
        ("no Stars", in_stars("month"), CurrencyNotOffered),
        ("only Stars", of("stars"), CurrencyNotOffered),
        (
            "not converted",
            Wish {
                currency: "eur",
                ..of("life")
            },
            RateUnavailable,
        ),
    ] {
        assert_eq!(ask(&wish).err(), Some(kind), "{name}");
    }
}

#[test]
fn a_quote_holds_until_it_ends_and_keeps_what_was_sold() {
    let product = product();
    let tier = product.tier(&"month".parse().unwrap()).unwrap();
    let price = ask(&Wish {
        coupon: Some("QUARTER"),
        ..of("month")
    })
    .unwrap();
    let offer = Offer::of(&product, 4, tier, Some(3));
    let id: QuoteId = "ac51f4db-4bc1-4c75-b824-613c155f6d40".parse().unwrap();
    let quote = Quote::new(id, offer, price, now(), Duration::from_secs(900));
    assert!(quote.holds_at(now().plus(Duration::from_millis(899_999))));
    assert!(!quote.holds_at(now().plus(Duration::from_secs(900))));
    // From 27 November to 27 February.
    assert_eq!(quote.offer.seconds(now()), Some(92 * 24 * 3600));
    let text = serde_json::to_string(&quote).unwrap();
    assert_eq!(serde_json::from_str::<Quote>(&text).unwrap(), quote);
}
