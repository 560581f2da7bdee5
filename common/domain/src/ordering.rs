//! From an offer and its price to the order that is made of them, for a shop or for a person in the bot.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::id::OrderId;
use super::money::PaymentProvider;
use super::order::record::{
    Checkout, NewOrder, Order, OrderBuyer, PaymentsMode, Reservation, SoldTier,
};
use super::order::terms::OrderTerms;
use super::quote::{Offer, QuotedPrice};
use super::time::Timestamp;

/// For how long an order can be paid: less than the day for which a provider keeps a page, so that a repeat of the request is
/// still one that it takes.
const PAY_WITHIN: Duration = Duration::from_secs(23 * 3600);
/// The same of a tier with few seats: a page at Stripe is open for half an hour at least, so that a request may be made again for
/// half an hour.
const PAY_WITHIN_FEW: Duration = Duration::from_secs(60 * 60);

/// What the pools of trials begin with: each is of one buyer and one product.
pub const TRIAL: &str = "trial#";

/// What the deployment says of all orders.
#[derive(Clone, Copy, Debug)]
pub struct OrderRules {
    /// Whether money is real.
    pub mode: PaymentsMode,
    /// How much of a price in coins may be missing, in basis points.
    pub underpaid_bps: i128,
    /// How much more than the price in coins is rounding, in basis points.
    pub overpaid_bps: i128,
}

/// What is ordered.
#[derive(Clone, Copy, Debug)]
pub struct Placing<'a> {
    /// What is sold.
    pub offer: &'a Offer,
    /// For how much.
    pub price: &'a QuotedPrice,
    /// To whom.
    pub buyer: &'a OrderBuyer,
    /// Whether somebody else is to have it, whom its buyer gives the claim link.
    pub is_gift: bool,
}

impl Placing<'_> {
    /// The order, before anybody is asked for a page to pay on. `id` is random.
    #[must_use]
    pub fn order(&self, id: OrderId, rules: OrderRules, now: Timestamp) -> Order {
        let (offer, price) = (self.offer, self.price);
        let tolerance = |bps: i128| match price.provider {
            PaymentProvider::NowPayments => bps,
            PaymentProvider::Stripe | PaymentProvider::Stars => 0,
        };
        let within = match offer.tier.seats {
            Some(_) => PAY_WITHIN_FEW,
            None => PAY_WITHIN,
        };
        let new = NewOrder {
            id,
            mode: rules.mode,
            sold: SoldTier {
                product_id: offer.product_id.to_string(),
                tier_id: offer.tier.id.to_string(),
                title: format!("{}, {}", offer.product_title, offer.tier.title),
                level: offer.tier.level,
                chats: offer.chats.clone(),
                coupon: price.coupon.as_ref().map(|coupon| coupon.code.to_string()),
                reservations: self.reservations(),
            },
            buyer: self.buyer.clone(),
            terms: OrderTerms {
                provider: price.provider.as_str().to_owned(),
                recurring: price.recurring.is_some(),
                currency: price.currency.to_string(),
                due: price.due_now.get(),
                price: price.recurring.map(|price| price.get()),
                seconds: offer.seconds(now),
                underpaid_bps: tolerance(rules.underpaid_bps),
                overpaid_bps: tolerance(rules.overpaid_bps),
                fee_bps: i128::from(offer.fee_bps),
                commission_bps: 0,
                renewal_commission_bps: 0,
                commission_until: None,
                owner: offer.owner.clone(),
                affiliate: None,
                auto_refund: price.provider != PaymentProvider::NowPayments,
                gift: self.is_gift,
            },
            pay_until: now.plus(within),
            checkout: Checkout::Free,
        };
        Order::new(new, now)
    }

    /// What is limited of what is sold: the seats of the tier, the uses of the coupon, and of a coupon that a person uses once
    /// the use of this buyer.
    fn reservations(&self) -> Vec<Reservation> {
        let (offer, price) = (self.offer, self.price);
        let (product, tier) = (&offer.product_id, &offer.tier.id);
        let seats = offer.tier.seats.map(|limit| Reservation {
            pool: format!("seats#{product}#{tier}"),
            limit: Some(limit),
            is_firm: true,
        });
        let of_coupon = |what: String, limit| Reservation {
            pool: format!("coupon#{product}#{what}"),
            limit: Some(limit),
            is_firm: false,
        };
        let coupon = price.coupon.as_ref();
        let uses = coupon.and_then(|coupon| Some(of_coupon(coupon.code.to_string(), coupon.uses?)));
        let once = coupon.filter(|coupon| coupon.once_per_person);
        let once = once.and_then(|coupon| {
            let buyer = self.buyer.key()?;
            Some(of_coupon(format!("{}#{}", coupon.code, digest(&buyer)), 1))
        });
        let trial = price.trial_days.and_then(|_| {
            let buyer = self.buyer.key()?;
            Some(Reservation {
                pool: format!("{TRIAL}{product}#{}", digest(&buyer)),
                limit: Some(1),
                is_firm: false,
            })
        });
        let of_buyer = once.into_iter().chain(trial);
        seats.into_iter().chain(uses).chain(of_buyer).collect()
    }
}

/// A name for a buyer in a table of limits. Trying all ids finds it, so it hides nobody; it only bounds the length.
fn digest(buyer: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(buyer).into();
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
