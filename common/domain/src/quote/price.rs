//! From a tier and a wish to a price.

use std::time::Duration;

use super::super::money::pricing::{CouponValue, ExchangeRate, PriceLines, PriceParts, price};
use super::super::money::{AmountTable, MinorUnit, PaymentProvider};
use super::super::product::{
    Coupon, CouponCode, CouponPeriods, Currency, MinorAmount, Product, RECURRING_MONTHS_MAX, Tier,
    TierLength,
};
use super::super::time::Timestamp;
use super::QuoteRejectionKind::{
    CouponNotValid, CurrencyNotOffered, InvalidMonths, NotForSale, NotPossibleWithProvider,
    RateUnavailable,
};
use super::{QuoteLine, QuoteLineKind, QuoteRejection, QuotedPrice, QuotedRate, ReferenceRate};

/// How many decimals of a rate are shown.
const RATE_DECIMALS: u32 = 10;

/// What a buyer wishes to pay for, and how.
#[derive(Clone, Debug)]
pub struct QuoteRequest<'a> {
    /// The product.
    pub product: &'a Product,
    /// The tier of it.
    pub tier: &'a Tier,
    /// Who is to take the payment; it is on.
    pub provider: PaymentProvider,
    /// The currency; with Stars it is `XTR`.
    pub currency: &'a Currency,
    /// For how many months at once, if not for the length of the tier.
    pub months: Option<u32>,
    /// A coupon.
    pub coupon: Option<&'a CouponCode>,
    /// Whether somebody brought the buyer.
    pub is_referred: bool,
    /// What an order that is replaced did not use, in minor units of the price's currency.
    pub unused: i128,
    /// Whether a trial is wanted, if the tier has one.
    pub with_trial: bool,
}

/// The price that a quote begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceSource {
    /// Its currency.
    pub currency: Currency,
    /// The amount for one length of the tier, in minor units as they are counted for that currency.
    pub amount: MinorAmount,
}

impl QuoteRequest<'_> {
    /// The price that the quote begins with. If its currency is not the one that is wished for, the quote needs the rate
    /// from the one to the other.
    ///
    /// # Errors
    /// [`QuoteRejection`] if there is none.
    pub fn source(&self) -> Result<PriceSource, QuoteRejection> {
        if self.currency.is_stars() != (self.provider == PaymentProvider::Stars) {
            let why = "XTR goes with the provider stars, and other currencies with another one: change the currency or the provider.";
            return Err(QuoteRejection::new(NotPossibleWithProvider, why));
        }
        let own = match self.provider {
            PaymentProvider::Stars => self.tier.stars_price,
            PaymentProvider::Stripe | PaymentProvider::NowPayments => {
                self.tier.prices.get(self.currency).copied()
            }
        };
        let named = own.map(|amount| (self.currency, amount));
        let converted = || {
            let from = self.product.convert_from.as_ref()?;
            let can_be_converted = self.provider != PaymentProvider::Stars;
            let amount = self.tier.prices.get(from).filter(|_| can_be_converted)?;
            Some((from, *amount))
        };
        let Some((currency, amount)) = named.or_else(converted) else {
            let mut offered: Vec<&str> = self.tier.prices.keys().map(Currency::as_str).collect();
            offered.extend(self.tier.stars_price.map(|_| "XTR"));
            let why = format!(
                "The tier has no price in {}: it is offered in {}.",
                self.currency,
                offered.join(", ")
            );
            return Err(QuoteRejection::new(CurrencyNotOffered, why));
        };
        Ok(PriceSource {
            currency: currency.clone(),
            amount,
        })
    }

    /// The price, as of `now`. `rate` is the one from the currency of [`source`](Self::source), which is needed if that is not the
    /// currency that is wished for; it is not older than `rate_max_age`.
    ///
    /// # Errors
    /// [`QuoteRejection`] if there is none.
    pub fn price(
        &self,
        source: &PriceSource,
        rate: Option<&ReferenceRate>,
        rate_max_age: Duration,
        now: Timestamp,
    ) -> Result<QuotedPrice, QuoteRejection> {
        if !self.tier.is_sold_at(now) {
            return Err(NotForSale.into());
        }
        let periods = self.periods()?;
        let renews = self.tier.recurring && self.provider != PaymentProvider::NowPayments;
        let trial_days = self.tier.trial_days.filter(|_| {
            self.with_trial && self.unused == 0 && self.provider == PaymentProvider::Stripe
        });
        let coupon = self.coupon(source, trial_days, now)?;
        let quoted_rate = match source.currency == *self.currency {
            true => None,
            false => Some(self.quoted_rate(source, rate, rate_max_age, now)?),
        };
        let (priced, charged) = self.units(source)?;
        let volume_bps = match periods {
            1 => 0,
            _ => self.product.volume_off_bps(self.months.unwrap_or(0)),
        };
        let always = PriceParts {
            base: source.amount.get().saturating_mul(periods),
            volume_bps,
            coupon: coupon.and_then(|(coupon, value)| {
                (coupon.periods == CouponPeriods::All).then_some(value)
            }),
            referral_bps: 0,
            most_off_bps: self.product.most_off_bps,
            unused: 0,
            rate: quoted_rate.as_ref().map(|(rate, _)| *rate),
        };
        let first = PriceParts {
            coupon: coupon.map(|(_, value)| value),
            referral_bps: match self.is_referred {
                true => self.product.referral_off_bps,
                false => 0,
            },
            unused: self.unused,
            ..always
        };
        let priced_as = |parts: &PriceParts| {
            price(parts, priced, charged).map_err(|fault| self.not_possible(format!("{fault}.")))
        };
        let first = priced_as(match trial_days {
            Some(_) => &always,
            None => &first,
        })?;
        let recurring = match renews {
            true => Some(self.chargeable(priced_as(&always)?.due)?),
            false => None,
        };
        let due_now = match trial_days {
            Some(_) => MinorAmount::default(),
            None => self.chargeable(first.due)?,
        };
        self.check_renewal(recurring, due_now)?;
        let mut lines = lines_of(&first, quoted_rate.map(|(_, quoted)| quoted));
        if trial_days.is_some() {
            lines.push(line(QuoteLineKind::Trial, -first.due));
        }
        Ok(QuotedPrice {
            provider: self.provider,
            currency: self.currency.clone(),
            due_now,
            recurring,
            trial_days,
            display: self.display(charged, due_now, recurring, trial_days),
            lines,
            coupon: coupon.map(|(coupon, _)| coupon.clone()),
        })
    }

    /// How many lengths of the tier are bought at once.
    fn periods(&self) -> Result<i128, QuoteRejection> {
        let Some(months) = self.months else {
            return Ok(1);
        };
        let fits = match self.tier.length {
            TierLength::Months(length) if (1..=RECURRING_MONTHS_MAX).contains(&months) => {
                months.checked_div(length).filter(|_| months % length == 0)
            }
            TierLength::Months(_) | TierLength::Days(_) | TierLength::ForEver => None,
        };
        let periods = fits.map(i128::from);
        periods.ok_or_else(|| {
            let why = match self.tier.length {
                TierLength::Months(length) => format!(
                    "months must be a multiple of {length}, the length of the tier, and at most {RECURRING_MONTHS_MAX}."
                ),
                TierLength::Days(_) | TierLength::ForEver => {
                    "The length of the tier is not one of months: leave months out.".to_owned()
                }
            };
            QuoteRejection::new(InvalidMonths, why)
        })
    }

    /// The coupon that was named, and what it takes off the price in its own currency.
    fn coupon(
        &self,
        source: &PriceSource,
        trial_days: Option<u32>,
        now: Timestamp,
    ) -> Result<Option<(&Coupon, CouponValue)>, QuoteRejection> {
        let Some(code) = self.coupon else {
            return Ok(None);
        };
        let refused = |why: &str| QuoteRejection::new(CouponNotValid, why);
        let coupon = self.product.coupon(code).filter(|one| one.is_taken_at(now));
        let coupon = coupon.ok_or_else(|| {
            refused("There is no such coupon of this product, or it is not its time: leave it out.")
        })?;
        if trial_days.is_some() && coupon.periods == CouponPeriods::First {
            return Err(refused(
                "The coupon is for what is paid first, and that is free in the trial: ask with trial false, or leave the coupon out.",
            ));
        }
        let value = coupon.value_in(&source.currency);
        let value = value.ok_or_else(|| {
            refused("The coupon takes nothing off in this currency: ask in another one, or leave it out.")
        })?;
        Ok(Some((coupon, value)))
    }

    fn quoted_rate(
        &self,
        source: &PriceSource,
        rate: Option<&ReferenceRate>,
        max_age: Duration,
        now: Timestamp,
    ) -> Result<(ExchangeRate, QuotedRate), QuoteRejection> {
        let fresh = rate.filter(|rate| now.since(rate.as_of) <= max_age);
        let rate = fresh.ok_or(RateUnavailable)?;
        let shown = rate.rate.to.checked_div(rate.rate.from);
        let shown = shown.ok_or(RateUnavailable)?;
        let quoted = QuotedRate {
            from: source.currency.clone(),
            rate: shown.round_dp(RATE_DECIMALS).normalize().to_string(),
            source: rate.source.clone(),
            as_of: rate.as_of,
        };
        Ok((rate.rate, quoted))
    }

    /// How the price and the charge are counted.
    fn units(&self, source: &PriceSource) -> Result<(MinorUnit, MinorUnit), QuoteRejection> {
        // Prices are written as Stripe counts them, whoever takes the payment.
        let table = match source.currency.is_stars() {
            true => AmountTable::Stars,
            false => AmountTable::Stripe,
        };
        let priced = table.unit(source.currency.as_str());
        let charged = self.provider.amounts().unit(self.currency.as_str());
        let why = || self.not_possible(format!("It does not take {}.", self.currency));
        priced.zip(charged).ok_or_else(why)
    }

    fn not_possible(&self, why: String) -> QuoteRejection {
        let provider = self.provider.as_str();
        let why =
            format!("{provider} can't sell this: {why} Take another provider, or another tier.");
        QuoteRejection::new(NotPossibleWithProvider, why)
    }

    /// An amount that is no more than the provider charges at once.
    fn chargeable(&self, due: i128) -> Result<MinorAmount, QuoteRejection> {
        let most = self.provider.amounts().most(self.currency.as_str());
        let amount = MinorAmount::of(due).filter(|_| due <= most);
        amount
            .ok_or_else(|| self.not_possible("The price is larger than its largest charge.".into()))
    }

    fn check_renewal(
        &self,
        recurring: Option<MinorAmount>,
        due_now: MinorAmount,
    ) -> Result<(), QuoteRejection> {
        let Some(recurring) = recurring else {
            return Ok(());
        };
        if recurring.get() == 0 {
            let why = "With this coupon no renewal costs anything, and so nothing would renew.";
            return Err(self.not_possible(why.to_owned()));
        }
        let is_one_price = recurring == due_now;
        match self.provider == PaymentProvider::Stars && !is_one_price {
            true => Err(self.not_possible(
                "A subscription to Stars has one price, and what is paid first would be less."
                    .to_owned(),
            )),
            false => Ok(()),
        }
    }

    fn display(
        &self,
        unit: MinorUnit,
        due_now: MinorAmount,
        recurring: Option<MinorAmount>,
        trial_days: Option<u32>,
    ) -> String {
        let money = |amount: MinorAmount| shown(unit, amount, self.currency);
        let Some(recurring) = recurring else {
            return money(due_now);
        };
        let length = self.months.map_or(self.tier.length, TierLength::Months);
        let every = match length {
            TierLength::Days(1) => "every day".to_owned(),
            TierLength::Days(days) => format!("every {days} days"),
            TierLength::Months(1) => "every month".to_owned(),
            TierLength::Months(months) => format!("every {months} months"),
            TierLength::ForEver => String::new(),
        };
        let renewal = format!("{} {every}", money(recurring));
        match trial_days {
            Some(1) => format!("free for 1 day, then {renewal}"),
            Some(days) => format!("free for {days} days, then {renewal}"),
            None if due_now == recurring => renewal,
            None => format!("{} now, then {renewal}", money(due_now)),
        }
    }
}

/// An amount with its currency, as people write it: no decimals where there can be none.
fn shown(unit: MinorUnit, amount: MinorAmount, currency: &Currency) -> String {
    if currency.is_stars() {
        return format!("{amount} Stars");
    }
    let text = unit.format(amount.get());
    let is_whole = 10_i128.checked_pow(unit.exponent) == Some(unit.step);
    let text = match text.split_once('.') {
        Some((whole, _)) if is_whole => whole,
        _ => &text,
    };
    format!("{text} {}", currency.as_str().to_uppercase())
}

fn line(kind: QuoteLineKind, amount: i128) -> QuoteLine {
    QuoteLine {
        kind,
        // What is charged was found to fit, and no discount is larger than the price.
        amount: i64::try_from(amount).unwrap_or(i64::MAX),
        rate: None,
    }
}

/// The lines that say something.
fn lines_of(lines: &PriceLines, rate: Option<QuotedRate>) -> Vec<QuoteLine> {
    let mut all = vec![line(QuoteLineKind::Base, lines.base)];
    let discounts = [
        (QuoteLineKind::Volume, lines.volume),
        (QuoteLineKind::Coupon, lines.coupon),
        (QuoteLineKind::Referral, lines.referral),
        (QuoteLineKind::Unused, lines.unused),
    ];
    let said = |(_, amount): &(QuoteLineKind, i128)| *amount != 0;
    let discounts = discounts.into_iter().filter(said);
    all.extend(discounts.map(|(kind, amount)| line(kind, amount)));
    all.extend(rate.map(|rate| QuoteLine {
        kind: QuoteLineKind::Conversion,
        amount: 0,
        rate: Some(rate),
    }));
    if lines.rounding != 0 {
        all.push(line(QuoteLineKind::Rounding, lines.rounding));
    }
    all
}
