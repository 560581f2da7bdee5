//! Whether a product may be sold as it is: each rule, and what to do about what it finds.

use std::collections::BTreeSet;
use std::fmt;

use super::super::money::{AmountTable, PaymentProvider};
use super::super::purchase::Chats;
use super::{
    Coupon, CouponOff, Currency, MinorAmount, Product, STARS_PERIOD_DAYS, Tier, TierLength,
};

const TITLE_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 1000;
const PICTURE_MAX: usize = 500;
const OWNER_MAX: usize = 64;
const CHATS_MAX: usize = 20;
const TIERS_MAX: usize = 20;
const PRICES_MAX: usize = 30;
const VOLUMES_MAX: usize = 10;
const COUPONS_MAX: usize = 50;
const COUNT_MAX: u32 = 1_000_000;
const TRIAL_DAYS_MAX: u32 = 365;
const ALL_BPS: u32 = 10_000;
/// Stripe renews after three years at the latest.
pub(crate) const RECURRING_MONTHS_MAX: u32 = 36;
const RECURRING_DAYS_MAX: u32 = 1095;
const MONTHS_MAX: u32 = 1200;
const DAYS_MAX: u32 = 36_500;
/// The largest price of a subscription in Stars (Bot API, `createInvoiceLink`).
const STARS_RECURRING_MAX: i128 = 10_000;

/// A field, what is wrong with it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductProblem {
    /// The path to the field, such as `tiers[0].prices.usd`.
    pub field: String,
    /// The rest of the sentence.
    pub what: String,
}

impl ProductProblem {
    pub(super) fn new(field: impl ToString, what: impl ToString) -> Self {
        Self {
            field: field.to_string(),
            what: what.to_string(),
        }
    }
}

impl fmt::Display for ProductProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.what)
    }
}

/// What products must fit.
pub struct ProductRules<'a> {
    /// The chats that places are sold in.
    pub chats: &'a Chats,
    /// The providers that take payments here.
    pub providers: &'a BTreeSet<PaymentProvider>,
}

impl ProductRules<'_> {
    /// All that is wrong with a product.
    pub(super) fn problems_of(&self, product: &Product) -> Vec<ProductProblem> {
        let mut found = Found::default();
        self.head(product, &mut found);
        for (at, tier) in product.tiers.iter().enumerate() {
            self.tier(product, tier, &format!("tiers[{at}]"), &mut found);
        }
        discounts(product, &mut found);
        for (at, one) in product.coupons.iter().enumerate() {
            self.coupon(one, &format!("coupons[{at}]"), &mut found);
        }
        found.0
    }

    fn head(&self, product: &Product, found: &mut Found) {
        found.text("title", &product.title, 1, TITLE_MAX);
        found.text("description", &product.description, 0, DESCRIPTION_MAX);
        if let Some(picture) = &product.picture {
            let is_url = picture.starts_with("https://") && picture.len() <= PICTURE_MAX;
            let is_clean = picture.bytes().all(|byte| byte.is_ascii_graphic());
            found.unless(is_url && is_clean, "picture", || {
                format!(
                    "must be an address of up to {PICTURE_MAX} characters that begins with https://"
                )
            });
        }
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_owner =
            (1..=OWNER_MAX).contains(&product.owner.len()) && product.owner.bytes().all(is_letter);
        found.unless(is_owner, "owner", || {
            format!("must be 1 to {OWNER_MAX} letters, digits and . _ -: it is part of the names of accounts")
        });
        found.number("feeBps", product.fee_bps, 0, ALL_BPS);
        found.count("chats", product.chats.len(), 1, CHATS_MAX);
        found.distinct("chats", &product.chats);
        for (at, chat) in product.chats.iter().enumerate() {
            found.unless(self.chats.contains(*chat), &format!("chats[{at}]"), || {
                "is none of the chats of TELEGRAM_CHAT_ID: add it there first, or take another"
                    .to_owned()
            });
        }
        found.count("tiers", product.tiers.len(), 1, TIERS_MAX);
        let ids: Vec<_> = product.tiers.iter().map(|tier| &tier.id).collect();
        found.distinct("tiers", &ids);
        found.unless(
            !product
                .convert_from
                .as_ref()
                .is_some_and(Currency::is_stars),
            "convertFrom",
            || "Stars are not converted: name a currency".to_owned(),
        );
    }

    fn tier(&self, product: &Product, tier: &Tier, path: &str, found: &mut Found) {
        let field = |name: &str| format!("{path}.{name}");
        found.text(&field("title"), &tier.title, 1, TITLE_MAX);
        length(tier, &field("length"), found);
        if let Some(days) = tier.trial_days {
            found.number(&field("trialDays"), days, 1, TRIAL_DAYS_MAX);
            found.unless(tier.recurring, &field("trialDays"), || {
                "needs a tier that recurs: set recurring, or leave it out".to_owned()
            });
        }
        if let Some(seats) = tier.seats {
            found.number(&field("seats"), seats, 1, COUNT_MAX);
        }
        if let Some((from, until)) = tier.sold_from.zip(tier.sold_until) {
            found.unless(from < until, &field("soldUntil"), || {
                "must be later than soldFrom".to_owned()
            });
        }
        found.count(&field("prices"), tier.prices.len(), 0, PRICES_MAX);
        let has_price = !tier.prices.is_empty() || tier.stars_price.is_some();
        found.unless(has_price, &field("prices"), || {
            "has no price: write one, or a starsPrice".to_owned()
        });
        for (currency, price) in &tier.prices {
            self.price(
                tier,
                currency,
                *price,
                &format!("{path}.prices.{currency}"),
                found,
            );
        }
        if let Some(base) = product
            .convert_from
            .as_ref()
            .filter(|base| !base.is_stars())
        {
            let has_base = tier.prices.is_empty() || tier.prices.contains_key(base);
            found.unless(has_base, &field("prices"), || {
                format!("has none in {base}, from which others are converted: write it, or leave convertFrom out")
            });
        }
        if let Some(price) = tier.stars_price {
            stars(tier, price, &field("starsPrice"), found);
        }
    }

    /// A price must be one that each provider which is on can charge.
    fn price(
        &self,
        tier: &Tier,
        currency: &Currency,
        price: MinorAmount,
        path: &str,
        found: &mut Found,
    ) {
        if currency.is_stars() {
            return found.problem(path, "write the price in Stars as starsPrice");
        }
        let (price, table) = (price.get(), AmountTable::Stripe);
        let Some(unit) = table.unit(currency.as_str()) else {
            return found.problem(path, "is not a currency that Stripe knows");
        };
        found.unless(price > 0 || !tier.recurring, path, || {
            "a tier that recurs costs something: raise it, or leave recurring out".to_owned()
        });
        found.unless(price % unit.step == 0, path, || {
            format!(
                "must be a multiple of {}: Stripe charges no other amounts in {currency}",
                unit.step
            )
        });
        for provider in self.providers {
            let table = provider.amounts();
            let Some(charged) = table.unit(currency.as_str()) else {
                continue;
            };
            let name = provider.as_str();
            // Counted by Stripe; a price that is too small for Stripe is no fault where coins alone are taken.
            let (least, most) = (charged.least, table.most(currency.as_str()));
            let shift = 10_i128.pow(charged.exponent.abs_diff(unit.exponent));
            let counted = match charged.exponent >= unit.exponent {
                true => price.saturating_mul(shift),
                false => price / shift,
            };
            found.unless(counted == 0 || counted >= least, path, || {
                format!("is less than the least charge of {name}, {} {currency}: raise it, or leave the currency out", charged.format(least))
            });
            found.unless(counted <= most, path, || {
                format!(
                    "is more than the largest charge of {name}, {} {currency}: lower it",
                    charged.format(most)
                )
            });
        }
    }

    fn coupon(&self, coupon: &Coupon, path: &str, found: &mut Found) {
        let field = |name: &str| format!("{path}.{name}");
        match &coupon.off {
            CouponOff::Bps(bps) => found.number(&field("off.bps"), *bps, 1, ALL_BPS),
            CouponOff::Amounts(amounts) => {
                found.count(&field("off.amounts"), amounts.len(), 1, PRICES_MAX);
                for (currency, amount) in amounts {
                    found.unless(
                        amount.get() > 0,
                        &format!("{path}.off.amounts.{currency}"),
                        || "must be more than 0".to_owned(),
                    );
                }
            }
        }
        if let Some(uses) = coupon.uses {
            found.number(&field("uses"), uses, 1, COUNT_MAX);
        }
        if let Some((from, until)) = coupon.from.zip(coupon.until) {
            found.unless(from < until, &field("until"), || {
                "must be later than from".to_owned()
            });
        }
    }
}

fn length(tier: &Tier, path: &str, found: &mut Found) {
    let (days, months) = match tier.recurring {
        true => (RECURRING_DAYS_MAX, RECURRING_MONTHS_MAX),
        false => (DAYS_MAX, MONTHS_MAX),
    };
    match tier.length {
        TierLength::Days(length) => found.number(&format!("{path}.days"), length, 1, days),
        TierLength::Months(length) => found.number(&format!("{path}.months"), length, 1, months),
        TierLength::ForEver => found.unless(!tier.recurring, path, || {
            "what lasts for ever is paid once: leave recurring out, or name days or months"
                .to_owned()
        }),
    }
}

fn stars(tier: &Tier, price: MinorAmount, path: &str, found: &mut Found) {
    let most = match tier.recurring {
        true => STARS_RECURRING_MAX,
        false => AmountTable::Stars.most(Currency::stars().as_str()),
    };
    found.unless((1..=most).contains(&price.get()), path, || {
        format!("must be from 1 to {most} Stars")
    });
    let fits = !tier.recurring || tier.length == TierLength::Days(STARS_PERIOD_DAYS);
    found.unless(fits, path, || {
        format!("Telegram renews every {STARS_PERIOD_DAYS} days alone: make the length {STARS_PERIOD_DAYS} days, or leave starsPrice out")
    });
}

fn discounts(product: &Product, found: &mut Found) {
    found.count("volume", product.volume.len(), 0, VOLUMES_MAX);
    let months: Vec<_> = product.volume.iter().map(|one| one.months).collect();
    found.distinct("volume", &months);
    for (at, one) in product.volume.iter().enumerate() {
        let field = |name: &str| format!("volume[{at}].{name}");
        found.number(&field("months"), one.months, 2, RECURRING_MONTHS_MAX);
        found.number(&field("offBps"), one.off_bps, 1, ALL_BPS);
    }
    found.number("referralOffBps", product.referral_off_bps, 0, ALL_BPS);
    found.number("mostOffBps", product.most_off_bps, 0, ALL_BPS);
    found.count("coupons", product.coupons.len(), 0, COUPONS_MAX);
    let codes: Vec<_> = product.coupons.iter().map(|coupon| &coupon.code).collect();
    found.distinct("coupons", &codes);
}

/// What was found so far.
#[derive(Default)]
struct Found(Vec<ProductProblem>);

impl Found {
    fn problem(&mut self, field: &str, what: impl ToString) {
        self.0.push(ProductProblem::new(field, what));
    }

    fn unless(&mut self, is_right: bool, field: &str, what: impl FnOnce() -> String) {
        if !is_right {
            self.problem(field, what());
        }
    }

    fn number(&mut self, field: &str, number: u32, least: u32, most: u32) {
        self.unless((least..=most).contains(&number), field, || {
            format!("must be from {least} to {most}")
        });
    }

    fn count(&mut self, field: &str, count: usize, least: usize, most: usize) {
        self.unless((least..=most).contains(&count), field, || {
            format!("must have {least} to {most} entries")
        });
    }

    fn text(&mut self, field: &str, text: &str, least: usize, most: usize) {
        let is_said = least == 0 || !text.trim().is_empty();
        let is_plain = !text.chars().any(|c| c.is_control() && c != '\n');
        let fits = (least..=most).contains(&text.chars().count());
        self.unless(fits && is_said && is_plain, field, || {
            format!(
                "must be {least} to {most} characters, not blank, and without control characters"
            )
        });
    }

    fn distinct<T: Ord>(&mut self, field: &str, all: &[T]) {
        let different: BTreeSet<&T> = all.iter().collect();
        self.unless(different.len() == all.len(), field, || {
            "has the same entry twice".to_owned()
        });
    }
}
