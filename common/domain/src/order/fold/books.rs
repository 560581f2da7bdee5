//! The books of an order: what lies at the provider, and whose it is.

use super::super::super::exact::{ALL_BPS, Overflow, add, negate, share, subtract, sum};
use super::super::fact::{Asset, FactBody, Facts};
use super::super::ledger::{Balances, LedgerAccount};
use super::super::terms::OrderTerms;
use super::tally::{PaidCharge, Tally};

/// The balances of an order's accounts. Each currency sums to zero.
pub(super) fn books(
    terms: &OrderTerms,
    facts: &Facts,
    tally: &Tally<'_>,
) -> Result<Balances, Overflow> {
    let mut books = Books {
        terms,
        balances: Balances::default(),
    };
    for one in &tally.paid {
        if one.is_held {
            books.held(one)?;
        } else {
            books.counted(one)?;
        }
    }
    for fact in facts.iter() {
        if let FactBody::Fee { charge, fee } = &fact.body
            && tally.paid(charge).is_some()
        {
            books.balances.transfer(
                LedgerAccount::Owner(terms.owner.clone()),
                books.provider(),
                &fee.currency,
                fee.amount,
            )?;
        }
    }
    books.shares(tally)?;
    Ok(books.balances)
}

struct Books<'a> {
    terms: &'a OrderTerms,
    balances: Balances,
}

impl Books<'_> {
    fn provider(&self) -> LedgerAccount {
        LedgerAccount::Provider(self.terms.provider.clone())
    }

    /// What a charge that counts did at the provider. Its other side is [`shares`](Self::shares).
    fn counted(&mut self, one: &PaidCharge<'_>) -> Result<(), Overflow> {
        self.moved(&one.came(), one.value)?;
        for refund in &one.refunds {
            let amount = negate(refund.amount, "refunds")?;
            let outcome = match &refund.outcome {
                Some(outcome) => Asset {
                    currency: outcome.currency.clone(),
                    amount: negate(outcome.amount, "refunds")?,
                },
                None => self.asset(amount),
            };
            self.moved(&outcome, amount)?;
        }
        for dispute in &one.disputes {
            let amount = negate(dispute.amount, "disputes")?;
            self.moved(&self.asset(amount), amount)?;
        }
        Ok(())
    }

    fn asset(&self, amount: i128) -> Asset {
        Asset {
            currency: self.terms.currency.clone(),
            amount,
        }
    }

    /// Something came to the provider, or left it, and counts for `value` of the order's currency. What is not the same
    /// goes through the exchange.
    fn moved(&mut self, asset: &Asset, value: i128) -> Result<(), Overflow> {
        let exchange = LedgerAccount::Exchange(self.terms.provider.clone());
        let provider = self.provider();
        if *asset == self.asset(value) {
            return self.balances.book(provider, &asset.currency, value);
        }
        self.balances
            .transfer(provider, exchange.clone(), &asset.currency, asset.amount)?;
        self.balances.book(exchange, &self.terms.currency, value)
    }

    /// A held charge lies at the provider in what it came in, and goes back in that.
    fn held(&mut self, one: &PaidCharge<'_>) -> Result<(), Overflow> {
        let mut hold = |asset: &Asset| {
            let provider = LedgerAccount::Provider(self.terms.provider.clone());
            let (held, currency) = (LedgerAccount::Held, &asset.currency);
            self.balances
                .transfer(provider, held, currency, asset.amount)
        };
        hold(&one.came())?;
        let disputes = one.disputes.iter().map(|dispute| Asset {
            currency: one.charge.currency.clone(),
            amount: dispute.amount,
        });
        for out in one.returned()?.into_iter().chain(disputes) {
            hold(&Asset {
                amount: negate(out.amount, "refunds")?,
                ..out
            })?;
        }
        Ok(())
    }

    /// Whose the order's money is.
    fn shares(&mut self, tally: &Tally<'_>) -> Result<(), Overflow> {
        let tax = tax(self.terms, tally)?;
        let base = subtract(tally.earned, tax, "earned")?.max(0);
        let fee = share(base, self.terms.fee_bps, ALL_BPS, "fee")?;
        let commission = commission(self.terms, tally, base)?;
        let rounding = tally.rounding;
        let held = subtract(tally.excess, rounding, "held")?;
        let others = sum([tax, fee, commission], "owner")?;
        let owner = subtract(tally.earned, others, "owner")?;
        let affiliate = self.terms.affiliate.clone();
        let affiliate = affiliate.map(|id| (LedgerAccount::Affiliate(id), commission));
        let shares = [
            (LedgerAccount::Owner(self.terms.owner.clone()), owner),
            (LedgerAccount::PlatformFee, fee),
            (LedgerAccount::Tax, tax),
            (LedgerAccount::Rounding, rounding),
            (LedgerAccount::Held, held),
        ];
        for (account, amount) in shares.into_iter().chain(affiliate) {
            let credit = negate(amount, "ledger")?;
            self.balances.book(account, &self.terms.currency, credit)?;
        }
        Ok(())
    }
}

/// The tax in what is earned: of each charge as much as is left of it.
fn tax(terms: &OrderTerms, tally: &Tally<'_>) -> Result<i128, Overflow> {
    if !tally.is_covered || tally.earned <= 0 {
        return Ok(0);
    }
    let mut left = 0;
    for one in tally.counted() {
        left = add(left, tax_left(one)?, "tax")?;
    }
    if terms.recurring {
        return Ok(left);
    }
    share(left, tally.earned, tally.net, "tax")
}

fn tax_left(one: &PaidCharge<'_>) -> Result<i128, Overflow> {
    let tax = one.charge.tax.unwrap_or(0);
    share(tax, one.net.max(0), one.value, "tax")
}

/// What the affiliate gets. The first sale is the first that cost something.
fn commission(terms: &OrderTerms, tally: &Tally<'_>, base: i128) -> Result<i128, Overflow> {
    let bears = |one: &PaidCharge<'_>| {
        terms
            .commission_until
            .is_none_or(|until| one.charge.at <= until)
    };
    if terms.affiliate.is_none() || !tally.is_covered {
        return Ok(0);
    }
    if !terms.recurring {
        let is_due = tally.completing()?.is_some_and(bears);
        let base = if is_due { base } else { 0 };
        return share(base, terms.commission_bps, ALL_BPS, "commission");
    }
    let mut sales = tally.counted().filter(|one| one.value > 0);
    let of = |one: &PaidCharge<'_>| {
        if bears(one) {
            subtract(one.net, tax_left(one)?, "earned")
        } else {
            Ok(0)
        }
    };
    let first = sales.next().map_or(Ok(0), of)?.max(0);
    let mut renewals = 0;
    for one in sales {
        renewals = add(renewals, of(one)?, "earned")?;
    }
    let first = share(first, terms.commission_bps, ALL_BPS, "commission")?;
    let renewals = share(
        renewals.max(0),
        terms.renewal_commission_bps,
        ALL_BPS,
        "commission",
    )?;
    add(first, renewals, "commission")
}
