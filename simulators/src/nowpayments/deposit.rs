//! How payments come into being, are paid, and go on.

use super::account::WrongAssets;
use super::coin::Coin;
use super::decimal::Decimal;
use super::ipn::Ipns;
use super::payin::{Invoice, Order, Payin, PayinStatus};
use super::refusal::Refusal;
use super::world::{Due, World};
use crate::random;

/// How long an estimate holds.
const ESTIMATE_MS: i64 = 20 * 60_000;
/// How long a payment waits for its coins, and one of a fixed rate.
const EXPIRES_MS: i64 = 7 * 24 * 3_600_000;
const FIXED_RATE_MS: i64 = 20 * 60_000;

/// What a deposit became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deposited {
    /// There is no such payment, or no such coin.
    Nowhere,
    /// It is the payment's own.
    Own,
    /// A payment of its own came into being, with this id.
    Child(u64),
    /// It waits for a person.
    ByHand,
}

impl World {
    pub(super) fn create_invoice(&mut self, invoice: Invoice) -> &Invoice {
        self.forget();
        let id = invoice.id;
        self.invoices.entry(id).or_insert(invoice)
    }

    /// A payment of an order in a coin, of an invoice or of none. Tells that it waits.
    pub(super) fn create_payin(
        &mut self,
        (order, coin, invoice): (Order, &'static Coin, Option<u64>),
        api_key: &str,
        ipns: &mut Ipns,
        now_ms: i64,
    ) -> Result<Payin, Refusal> {
        let pay_amount = self.in_coin(order.price, &order.currency, coin);
        let pay_amount = pay_amount.ok_or_else(|| {
            Refusal::bad_request(format!("Currency {} was not found", order.currency))
        })?;
        if pay_amount < coin.least() {
            let message = format!("Amount is less than minimal: {}", coin.least());
            return Err(Refusal::new(400, "AMOUNT_MINIMAL_ERROR", message));
        }
        let id = self.new_id();
        let (purchase_id, token_id) = (self.new_id(), self.new_id());
        let lives_ms = if order.is_fixed_rate {
            FIXED_RATE_MS
        } else {
            EXPIRES_MS
        };
        let payin = Payin {
            id,
            parent: None,
            children: Vec::new(),
            invoice,
            api_key: api_key.to_owned(),
            token_id,
            status: PayinStatus::Waiting,
            order,
            coin,
            address: coin.new_address(),
            memo: coin
                .has_memo
                .then(|| fastrand::u64(100_000_000..1_000_000_000)),
            pay_amount,
            paid: Decimal::ZERO,
            purchase_id,
            outcome: self.outcome(pay_amount, coin),
            outcome_coin: self.settings.outcome_coin.unwrap_or(coin),
            payin_hash: None,
            created_ms: now_ms,
            updated_ms: now_ms,
            estimate_until_ms: now_ms + ESTIMATE_MS,
            expires_ms: now_ms + lives_ms,
        };
        self.payins.insert(id, payin.clone());
        self.at(payin.expires_ms, Due::Expiry(id));
        self.forget();
        self.tell_payin(id, ipns, now_ms);
        Ok(payin)
    }

    /// What is left of an amount after the service's half percent, in the coin that it is turned into.
    fn outcome(&self, amount: Decimal, coin: &'static Coin) -> Decimal {
        let into = self.settings.outcome_coin.unwrap_or(coin);
        let share = Decimal::parse("0.995").unwrap_or_default();
        self.in_coin(amount.times(share), coin.code, into)
            .unwrap_or_default()
    }

    /// Somebody sends so much of a coin to the address of a payment.
    pub(super) fn deposit(
        &mut self,
        id: u64,
        coin: &'static Coin,
        amount: Decimal,
        ipns: &mut Ipns,
        now_ms: i64,
    ) -> Deposited {
        let outcome = self.outcome(amount, coin);
        let outcome_coin = self.settings.outcome_coin.unwrap_or(coin);
        let Some(payin) = self.payins.get_mut(&id) else {
            return Deposited::Nowhere;
        };
        let is_wrong = coin.code != payin.coin.code;
        let is_untouched = payin.paid.is_zero()
            && matches!(payin.status, PayinStatus::Waiting | PayinStatus::Expired);
        if is_wrong && self.settings.wrong_assets == WrongAssets::ByHand {
            self.set_payin(id, PayinStatus::WrongAssetConfirmed, ipns, now_ms);
            return Deposited::ByHand;
        }
        let is_in_place = is_wrong && self.settings.wrong_assets == WrongAssets::InPlace;
        if is_untouched && (!is_wrong || is_in_place) {
            if is_in_place {
                (payin.coin, payin.pay_amount) = (coin, amount);
            }
            (payin.paid, payin.outcome, payin.outcome_coin) = (amount, outcome, outcome_coin);
            payin.payin_hash = Some(random::uuid().simple().to_string());
            let end = if amount < payin.pay_amount {
                PayinStatus::PartiallyPaid
            } else {
                PayinStatus::Finished
            };
            self.arrives(id, end, now_ms);
            return Deposited::Own;
        }
        let child = self.child(id, coin, amount, now_ms);
        let end = if is_wrong {
            PayinStatus::Finished
        } else {
            self.settings.repeated_status
        };
        self.arrives(child, end, now_ms);
        Deposited::Child(child)
    }

    /// A payment of its own for a deposit to the address of another, at the price of now.
    fn child(&mut self, id: u64, coin: &'static Coin, amount: Decimal, now_ms: i64) -> u64 {
        let child_id = self.new_id();
        let purchase_id = self.new_id();
        let outcome = self.outcome(amount, coin);
        let worth = self.rate(coin.code).unwrap_or_default().times(amount);
        let Some(parent) = self.payins.get_mut(&id) else {
            return child_id;
        };
        parent.children.push(child_id);
        let mut child = parent.clone();
        let per_usd = super::coin::fiat(&child.order.currency);
        child.order.price = worth.over(per_usd.unwrap_or_default()).rounded(2);
        if !self.settings.repeated_tell_order {
            (child.order.order_id, child.order.description, child.invoice) = (None, None, None);
        }
        child = Payin {
            id: child_id,
            parent: Some(id),
            children: Vec::new(),
            status: PayinStatus::Waiting,
            coin,
            pay_amount: amount,
            paid: amount,
            purchase_id,
            outcome,
            outcome_coin: self.settings.outcome_coin.unwrap_or(coin),
            payin_hash: Some(random::uuid().simple().to_string()),
            created_ms: now_ms,
            updated_ms: now_ms,
            ..child
        };
        self.payins.insert(child_id, child);
        self.forget();
        child_id
    }

    /// Coins were seen: from here on the payment goes on by itself.
    fn arrives(&mut self, id: u64, end: PayinStatus, now_ms: i64) {
        let steps = [
            PayinStatus::Confirming,
            PayinStatus::Confirmed,
            PayinStatus::Sending,
            end,
        ];
        self.leave_alone(id);
        self.steps(now_ms, steps.map(|status| Due::Payin(id, status)));
    }

    /// A payment that nobody paid expires.
    pub(super) fn expire(&mut self, id: u64, ipns: &mut Ipns, now_ms: i64) {
        let is_waiting = |payin: &Payin| payin.status == PayinStatus::Waiting;
        if self.payins.get(&id).is_some_and(is_waiting) {
            self.set_payin(id, PayinStatus::Expired, ipns, now_ms);
        }
    }

    /// The payment has this status now, and tells so.
    pub(super) fn set_payin(&mut self, id: u64, status: PayinStatus, ipns: &mut Ipns, now_ms: i64) {
        let Some(payin) = self.payins.get_mut(&id) else {
            return;
        };
        let was_moving = payin.status.is_moving();
        (payin.status, payin.updated_ms) = (status, now_ms);
        let is_settled = matches!(status, PayinStatus::Finished | PayinStatus::PartiallyPaid);
        let (coin, outcome) = (payin.outcome_coin.code, payin.outcome);
        if is_settled && was_moving {
            let balance = self.balances.entry(coin).or_default();
            balance.amount = balance.amount.plus(outcome);
        }
        self.tell_payin(id, ipns, now_ms);
    }

    /// Sends the notification of a payment as it is.
    pub(super) fn tell_payin(&self, id: u64, ipns: &mut Ipns, now_ms: i64) {
        let Some(payin) = self.payins.get(&id) else {
            return;
        };
        if let Some(url) = &payin.order.callback {
            let body = self.shaped(payin.notice());
            ipns.notify(id, payin.status.as_str(), url, &body, now_ms);
        }
    }

    /// A new estimate for a payment whose old one is over; the same one before.
    pub(super) fn estimate_again(&mut self, id: u64, now_ms: i64) {
        let Some(payin) = self.payins.get(&id) else {
            return;
        };
        let order = &payin.order;
        let is_over = now_ms >= payin.estimate_until_ms
            && payin.status == PayinStatus::Waiting
            && !order.is_fixed_rate;
        let amount = self.in_coin(order.price, &order.currency, payin.coin);
        if let (true, Some(amount), Some(payin)) = (is_over, amount, self.payins.get_mut(&id)) {
            payin.pay_amount = amount;
            payin.estimate_until_ms = now_ms + ESTIMATE_MS;
            payin.updated_ms = now_ms;
        }
    }
}
