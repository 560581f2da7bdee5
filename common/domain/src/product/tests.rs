use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::money::PaymentProvider;
use super::super::purchase::Chats;
use super::*;

fn whole() -> Value {
    json!({
        "title": "The trading room",
        "description": "Signals, every day.",
        "picture": "https://example.com/room.png",
        "chats": [-1001, -1002],
        "owner": "o1",
        "feeBps": 250,
        "convertFrom": "usd",
        "tiers": [
            {
                "id": "month", "level": 1, "title": "One month", "length": {"months": 1}, "recurring": true, "trialDays": 7,
                "prices": {"usd": 1900, "isk": "270000"}, "seats": 100,
                "soldFrom": "2026-11-01T00:00:00.000Z", "soldUntil": "2027-11-01T00:00:00.000Z"
            },
            {"id": "stars", "title": "30 days", "length": {"days": 30}, "recurring": true, "starsPrice": 1500},
            {"id": "life", "title": "For ever", "length": "forEver", "prices": {"usd": 49900}}
        ],
        "volume": [{"months": 3, "offBps": 500}, {"months": 12, "offBps": 2000}],
        "referralOffBps": 1000,
        "mostOffBps": 5000,
        "coupons": [
            {"code": "SPRING", "off": {"bps": 2000}, "periods": "all", "until": "2027-01-01T00:00:00.000Z", "uses": 50, "oncePerPerson": true},
            {"code": "TEN-OFF", "off": {"amounts": {"usd": 1000, "XTR": 100}}}
        ]
    })
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => panic!("no object"),
    }
}

fn read(value: Value) -> Result<ProductDraft, ProductProblem> {
    ProductDraft::read(&"room".parse().unwrap(), fields(value), 300)
}

fn problems(value: Value) -> Vec<String> {
    let chats = Chats::parse("-1001,-1002").unwrap();
    let all = [
        PaymentProvider::Stripe,
        PaymentProvider::NowPayments,
        PaymentProvider::Stars,
    ];
    let rules = ProductRules {
        chats: &chats,
        providers: &BTreeSet::from(all),
    };
    match read(value) {
        Err(problem) => vec![problem.to_string()],
        Ok(draft) => match draft.check(&rules) {
            Ok(_) => Vec::new(),
            Err(found) => found.iter().map(ToString::to_string).collect(),
        },
    }
}

/// The whole product, but for what is at `pointer`.
fn with(pointer: &str, value: Value) -> Value {
    let mut product = whole();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    product.pointer_mut(parent).unwrap()[name] = value;
    product
}

#[test]
fn a_product_is_read_as_it_was_written_and_written_as_it_was_read() {
    assert_eq!(problems(whole()), Vec::<String>::new());
    let draft = read(whole()).unwrap();
    assert_eq!(draft.replaces, None);
    let product = draft.product;
    assert_eq!(product.fee_bps, 250);
    let month = product.tier(&"month".parse().unwrap()).unwrap();
    let isk: Currency = "isk".parse().unwrap();
    assert_eq!(month.prices[&isk].get(), 270_000);
    let written = serde_json::to_value(&product).unwrap();
    assert_eq!(written["tiers"][0]["prices"]["isk"], 270_000);
    assert_eq!(
        serde_json::from_value::<Product>(written.clone()).unwrap(),
        product
    );
    // What an answer has beside it may be sent back with it.
    let mut answered = written;
    answered["version"] = 7.into();
    answered["updatedAt"] = "2026-11-27T00:00:00.000Z".into();
    let draft = read(answered).unwrap();
    assert_eq!((draft.replaces, draft.product), (Some(7), product));
}

#[test]
fn what_is_not_said_has_the_value_that_changes_nothing() {
    let product = read(json!({
        "title": "Room", "chats": [-1001], "owner": "o1", "feeBps": null,
        "tiers": [{"id": "life", "title": "For ever", "length": "forEver", "prices": {"usd": 100}}]
    }));
    let product = product.unwrap().product;
    assert_eq!((product.fee_bps, product.most_off_bps), (300, 10_000));
    assert_eq!((product.referral_off_bps, product.tiers[0].level), (0, 0));
}

#[test]
fn a_field_that_can_not_be_read_is_named() {
    for (pointer, value, words) in [
        ("/title", json!(7), "title: invalid type"),
        (
            "/tiers/0/id",
            json!("Month"),
            "tiers[0].id: must be 1 to 40 of",
        ),
        ("/tiers/0/id", json!(""), "tiers[0].id: must be 1 to 40 of"),
        ("/tiers/0/length", json!({"weeks": 1}), "tiers[0].length"),
        (
            "/tiers/0/length",
            json!({"months": -1}),
            "tiers[0].length.months",
        ),
        (
            "/tiers/0/prices/usd",
            json!(19.5),
            "tiers[0].prices.usd: invalid type",
        ),
        (
            "/tiers/0/prices/usd",
            json!("19.50"),
            "a whole number of minor units",
        ),
        (
            "/tiers/0/prices/usd",
            json!("+19"),
            "a whole number of minor units",
        ),
        (
            "/tiers/0/prices/usd",
            json!(-1),
            "a whole number of minor units",
        ),
        (
            "/tiers/0/prices/usd",
            json!(""),
            "a whole number of minor units",
        ),
        (
            "/tiers/0/prices/usd",
            json!(1_000_000_000_000_i64),
            "a whole number of minor units",
        ),
        (
            "/tiers/0/prices/USD",
            json!(1),
            "must be a currency of ISO 4217 in lower case",
        ),
        (
            "/tiers/0/soldFrom",
            json!("tomorrow"),
            "tiers[0].soldFrom: not an RFC 3339 instant",
        ),
        (
            "/coupons/0/code",
            json!("spring"),
            "coupons[0].code: must be 3 to 32 of",
        ),
        ("/coupons/0/periods", json!("some"), "coupons[0].periods"),
        ("/coupons/0/off", json!({"percent": 20}), "coupons[0].off"),
        (
            "/coupons/0/onceperperson",
            json!(true),
            "coupons[0].onceperperson: is not known",
        ),
        ("/tiers/1/price", json!({}), "tiers[1].price: is not known"),
        ("/prices", json!({}), "prices: is not known"),
        ("/version", json!("x"), "version: must be the number"),
        (
            "/productId",
            json!("other"),
            "productId: is another than that of the path",
        ),
    ] {
        let found = problems(with(pointer, value));
        assert_eq!(found.len(), 1, "{pointer}: {found:?}");
        assert!(found[0].contains(words), "{pointer}: {found:?}");
    }
    let mut product = whole();
    product.as_object_mut().unwrap().remove("owner");
    assert_eq!(problems(product), ["product: missing field `owner`"]);
}

#[test]
fn each_rule_refuses_what_breaks_it_and_says_what_to_do() {
    for (pointer, value, expected) in [
        ("/title", json!(" "), "title: must be 1 to 100 characters"),
        (
            "/title",
            json!("a\u{7}"),
            "title: must be 1 to 100 characters",
        ),
        (
            "/description",
            json!("a".repeat(1001)),
            "description: must be 0 to 1000",
        ),
        (
            "/picture",
            json!("http://example.com"),
            "picture: must be an address",
        ),
        ("/owner", json!("o#1"), "owner: must be 1 to 64 letters"),
        ("/feeBps", json!(10_001), "feeBps: must be from 0 to 10000"),
        ("/chats", json!([]), "chats: must have 1 to 20"),
        (
            "/chats",
            json!([-1001, -1001]),
            "chats: has the same entry twice",
        ),
        (
            "/chats",
            json!([-1001, -9]),
            "chats[1]: is none of the chats of TELEGRAM_CHAT_ID: add it",
        ),
        (
            "/tiers/1/id",
            json!("month"),
            "tiers: has the same entry twice",
        ),
        (
            "/convertFrom",
            json!("XTR"),
            "convertFrom: Stars are not converted",
        ),
        (
            "/tiers/0/length",
            json!({"months": 37}),
            "tiers[0].length.months: must be from 1 to 36",
        ),
        (
            "/tiers/0/length",
            json!({"days": 0}),
            "tiers[0].length.days: must be from 1 to 1095",
        ),
        (
            "/tiers/0/length",
            json!("forEver"),
            "tiers[0].length: what lasts for ever is paid once",
        ),
        (
            "/tiers/0/trialDays",
            json!(0),
            "tiers[0].trialDays: must be from 1 to 365",
        ),
        (
            "/tiers/2/trialDays",
            json!(7),
            "tiers[2].trialDays: needs a tier that recurs",
        ),
        ("/tiers/0/seats", json!(0), "tiers[0].seats: must be from 1"),
        (
            "/tiers/0/soldUntil",
            json!("2026-11-01T00:00:00Z"),
            "tiers[0].soldUntil: must be later",
        ),
        (
            "/tiers/2/prices",
            json!({}),
            "tiers[2].prices: has no price: write one",
        ),
        (
            "/tiers/0/prices",
            json!({"eur": 1800}),
            "tiers[0].prices: has none in usd, from which",
        ),
        (
            "/tiers/0/prices/XTR",
            json!(10),
            "tiers[0].prices.XTR: write the price in Stars as starsPrice",
        ),
        (
            "/tiers/0/prices/usd",
            json!(0),
            "tiers[0].prices.usd: a tier that recurs costs something",
        ),
        (
            "/tiers/0/prices/usd",
            json!(49),
            "tiers[0].prices.usd: is less than the least charge of stripe, 0.50 usd: raise it",
        ),
        (
            "/tiers/0/prices/usd",
            json!(100_000_000),
            "tiers[0].prices.usd: is more than the largest charge of stripe",
        ),
        (
            "/tiers/0/prices/isk",
            json!(270_050),
            "tiers[0].prices.isk: must be a multiple of 100",
        ),
        (
            "/tiers/0/prices/kwd",
            json!(9_213),
            "tiers[0].prices.kwd: must be a multiple of 10",
        ),
        (
            "/tiers/1/starsPrice",
            json!(10_001),
            "tiers[1].starsPrice: must be from 1 to 10000",
        ),
        (
            "/tiers/2/starsPrice",
            json!(0),
            "tiers[2].starsPrice: must be from 1 to 100000",
        ),
        (
            "/tiers/0/starsPrice",
            json!(100),
            "tiers[0].starsPrice: Telegram renews every 30 days alone",
        ),
        (
            "/volume/1/months",
            json!(3),
            "volume: has the same entry twice",
        ),
        (
            "/volume/0/months",
            json!(1),
            "volume[0].months: must be from 2 to 36",
        ),
        (
            "/volume/0/offBps",
            json!(0),
            "volume[0].offBps: must be from 1 to 10000",
        ),
        (
            "/referralOffBps",
            json!(20_000),
            "referralOffBps: must be from 0 to 10000",
        ),
        (
            "/mostOffBps",
            json!(20_000),
            "mostOffBps: must be from 0 to 10000",
        ),
        (
            "/coupons/1/code",
            json!("SPRING"),
            "coupons: has the same entry twice",
        ),
        (
            "/coupons/0/off",
            json!({"bps": 0}),
            "coupons[0].off.bps: must be from 1 to 10000",
        ),
        (
            "/coupons/0/off",
            json!({"amounts": {}}),
            "coupons[0].off.amounts: must have 1 to 30",
        ),
        (
            "/coupons/0/off",
            json!({"amounts": {"usd": 0}}),
            "coupons[0].off.amounts.usd: must be more than 0",
        ),
        (
            "/coupons/0/uses",
            json!(0),
            "coupons[0].uses: must be from 1",
        ),
        (
            "/coupons/0/from",
            json!("2027-01-01T00:00:00.000Z"),
            "coupons[0].until: must be later",
        ),
    ] {
        let found = problems(with(pointer, value));
        assert_eq!(found.len(), 1, "{pointer}: {found:?}");
        assert!(found[0].starts_with(expected), "{pointer}: {found:?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let mut product = with("/owner", json!(""));
    product["tiers"][0]["prices"]["usd"] = 1.into();
    product["coupons"][0]["uses"] = 0.into();
    assert_eq!(problems(product).len(), 3);
}

#[test]
fn a_price_need_not_suit_a_provider_that_is_off() {
    let chats = Chats::parse("-1001,-1002").unwrap();
    let coins = BTreeSet::from([PaymentProvider::NowPayments]);
    let rules = ProductRules {
        chats: &chats,
        providers: &coins,
    };
    let draft = read(with("/tiers/0/prices/usd", json!(49))).unwrap();
    assert!(draft.check(&rules).is_ok());
}

#[test]
fn months_are_as_long_as_the_calendar_says() {
    let at: Timestamp = "2026-01-31T10:00:00.000Z".parse().unwrap();
    let days = |days: i64| Some(days * 24 * 3600);
    assert_eq!(TierLength::Days(30).seconds(at), days(30));
    assert_eq!(TierLength::Months(1).seconds(at), days(28));
    assert_eq!(TierLength::Months(12).seconds(at), days(365));
    assert_eq!(TierLength::ForEver.seconds(at), None);
}

#[test]
fn a_code_is_typed_in_any_letter_case() {
    assert_eq!(
        CouponCode::typed(" spring-7 ").unwrap().as_str(),
        "SPRING-7"
    );
    assert!(CouponCode::typed("a b").is_err());
    assert_eq!(Currency::named(" USD ").unwrap().as_str(), "usd");
    assert!(Currency::named("xtr").unwrap().is_stars());
    for odd in ["", "us", "usdt", "u$d", "éur"] {
        assert!(Currency::named(odd).is_err(), "{odd}");
    }
}

#[test]
fn the_longest_time_that_is_reached_has_its_discount() {
    let product = read(whole()).unwrap().product;
    for (months, off) in [(1, 0), (2, 0), (3, 500), (11, 500), (12, 2000), (36, 2000)] {
        assert_eq!(product.volume_off_bps(months), off, "{months}");
    }
}
