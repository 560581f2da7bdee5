//! What tests and the page do and break: deposits, statuses, notifications, payouts and faults, all while the server runs.

use std::time::Duration;

use super::NowPayments;
use super::account::WrongAssets;
use super::coin::Coin;
use super::decimal::Decimal;
use super::deposit::Deposited;
use super::fault::TroubleRule;
use super::ipn::{IpnAttempt, IpnRule};
use super::js::IpnForm;
use super::payin::PayinStatus;
use super::payout::WithdrawalStatus;
use super::shared::ApiCall;
use super::world::{Due, World};
use crate::transport::{Deliver, WebhookTransport};

/// A payment as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPayin {
    /// Its id.
    pub id: u64,
    /// The payment whose address it came to.
    pub parent: Option<u64>,
    /// The invoice that it was made from.
    pub invoice: Option<u64>,
    /// Its status.
    pub status: PayinStatus,
    /// The coin that it is paid in.
    pub coin: &'static str,
    /// What is to be paid.
    pub pay_amount: Decimal,
    /// What came.
    pub paid: Decimal,
}

/// The account.
impl NowPayments {
    /// Accepts this key too.
    pub fn add_api_key(&self, api_key: &str) {
        let api_key = api_key.to_owned();
        self.shared
            .change(|state, _| state.account.api_keys.push(api_key));
    }

    /// Accepts a key no longer.
    pub fn drop_api_key(&self, api_key: &str) {
        self.shared
            .change(|state, _| state.account.api_keys.retain(|known| known != api_key));
    }

    /// The coins that are switched on in the account's settings, all at first. It is what the list says; invoices ignore it.
    pub fn select_coins(&self, codes: &[&str]) {
        let coins = codes.iter().map(|code| (*code).to_owned()).collect();
        self.shared
            .change(|state, _| state.account.coins = Some(coins));
    }

    /// Signs notifications with this secret from now on; without one, as at first, none is sent.
    pub fn set_ipn_secret(&self, secret: Option<&str>) {
        let secret = secret.map(str::to_owned);
        self.shared.change(|state, _| state.ipns.secret = secret);
    }

    /// Which text of a notification is signed from now on.
    pub fn set_ipn_form(&self, form: IpnForm) {
        self.shared.change(|state, _| state.ipns.form = form);
    }

    /// How often a notification that failed is sent again, and how long apart. At first three times, a minute apart.
    pub fn set_ipn_retries(&self, times: u32, interval: Duration) {
        self.shared
            .change(|state, _| state.ipns.retries = (times, interval));
    }

    /// Sends the numbers of payments as texts, in notifications and answers, or as numbers again.
    pub fn set_numbers_as_text(&self, is_so: bool) {
        self.shared
            .change(|state, _| state.world.settings.has_numbers_as_text = is_so);
    }

    /// How long each step of a payment or a payout takes; a second at first. Zero lets all happen at once.
    pub fn set_pace(&self, pace: Duration) {
        self.shared
            .change(|state, _| state.world.settings.pace = pace);
    }

    /// What becomes of coins of another kind than were asked for.
    pub fn set_wrong_assets(&self, how: WrongAssets) {
        self.shared
            .change(|state, _| state.world.settings.wrong_assets = how);
    }

    /// How repeated deposits end, `finished` at first, and whether they tell the order and the invoice of their parent.
    pub fn set_repeated_deposits(&self, end: PayinStatus, tell_order: bool) {
        self.shared.change(|state, _| {
            let settings = &mut state.world.settings;
            (settings.repeated_status, settings.repeated_tell_order) = (end, tell_order);
        });
    }

    /// The coin that deposits are turned into; none leaves each in its own. False if there is no such coin.
    pub fn set_outcome_coin(&self, code: Option<&str>) -> bool {
        let coin = code.and_then(Coin::find);
        self.shared
            .change(|state, _| state.world.settings.outcome_coin = coin);
        coin.is_some() == code.is_some()
    }

    /// What one of a coin is worth in USD from now on. False if there is no such coin.
    pub fn set_rate(&self, code: &str, usd: Decimal) -> bool {
        let coin = Coin::find(code).filter(|_| !usd.is_zero());
        self.shared
            .change(|state, _| coin.map(|coin| state.world.set_rate(coin, usd)).is_some())
    }

    /// What is in custody of a coin. False if there is no such coin.
    pub fn set_balance(&self, code: &str, amount: Decimal) -> bool {
        let coin = Coin::find(code);
        self.shared.change(|state, _| {
            coin.map(|coin| state.world.balances.entry(coin.code).or_default().amount = amount)
                .is_some()
        })
    }

    /// What is in custody of a coin now, without what is on its way.
    #[must_use]
    pub fn balance(&self, code: &str) -> Decimal {
        let state = self.shared.lock();
        state
            .world
            .balances
            .get(code)
            .copied()
            .unwrap_or_default()
            .amount
    }

    /// Whether the caller's address is on the list of those that may ask for payouts; it is at first.
    pub fn set_caller_listed(&self, is_listed: bool) {
        self.shared
            .change(|state, _| state.account.is_caller_listed = is_listed);
    }

    /// Pays out to this address too; at first to none.
    pub fn list_payout_address(&self, address: &str) {
        self.shared.change(|state, _| {
            let listed = state.account.payout_addresses.get_or_insert_default();
            listed.insert(address.to_owned());
        });
    }

    /// Pays out to every address.
    pub fn pay_out_to_all(&self) {
        self.shared
            .change(|state, _| state.account.payout_addresses = None);
    }

    /// The code that verifies payouts from now on; `123456` at first.
    pub fn set_verification_code(&self, code: &str) {
        code.clone_into(&mut self.shared.lock().account.code);
    }

    /// How many calls a minute are admitted; none is no limit.
    pub fn set_limit(&self, per_minute: Option<u32>) {
        self.shared
            .change(|state, _| state.account.limit_per_minute = per_minute);
    }
}

/// Payments.
impl NowPayments {
    /// Somebody sends so much of a coin to the address of a payment.
    pub fn deposit(&self, payment_id: u64, code: &str, amount: Decimal) -> Deposited {
        let Some(coin) = Coin::find(code) else {
            return Deposited::Nowhere;
        };
        self.shared.change(|state, now_ms| {
            state
                .world
                .deposit(payment_id, coin, amount, &mut state.ipns, now_ms)
        })
    }

    /// The payment has this status from now on, whatever was about to happen to it; it tells so.
    pub fn set_status(&self, payment_id: u64, status: PayinStatus) {
        self.shared.change(|state, now_ms| {
            state.world.leave_alone(payment_id);
            state
                .world
                .set_payin(payment_id, status, &mut state.ipns, now_ms);
        });
    }

    /// All payments, the oldest first.
    #[must_use]
    pub fn payins(&self) -> Vec<SeenPayin> {
        let state = self.shared.lock();
        let payins = state.world.payins.values();
        payins
            .map(|payin| SeenPayin {
                id: payin.id,
                parent: payin.parent,
                invoice: payin.invoice,
                status: payin.status,
                coin: payin.coin.code,
                pay_amount: payin.pay_amount,
                paid: payin.paid,
            })
            .collect()
    }

    /// The ids of all invoices with this order's id, the oldest first.
    #[must_use]
    pub fn invoices_of(&self, order_id: &str) -> Vec<u64> {
        let state = self.shared.lock();
        let invoices = state.world.invoices.values();
        let of_order =
            invoices.filter(|invoice| invoice.order.order_id.as_deref() == Some(order_id));
        of_order.map(|invoice| invoice.id).collect()
    }
}

/// Notifications.
impl NowPayments {
    /// Delivers notifications through this function from now on, whatever the host of their address. A delivery that takes
    /// longer than three seconds is dropped, so what must go on without its client is the function's to spawn.
    pub fn deliver_to(&self, deliver: Deliver) {
        *self.shared.transport() = WebhookTransport::Function(deliver);
    }

    /// Adds a rule of what becomes of notifications after those that there are.
    pub fn treat_ipns(&self, rule: IpnRule) {
        self.shared.change(|state, _| state.ipns.rules.push(rule));
    }

    /// Drops these rules.
    pub fn clear_ipn_rules(&self) {
        self.shared.change(|state, _| state.ipns.rules.clear());
    }

    /// Sends what was kept back, in its order.
    pub fn release_ipns(&self) {
        self.shared
            .change(|state, now_ms| state.ipns.release(false, now_ms));
    }

    /// Sends what was kept back, the last first.
    pub fn release_ipns_reversed(&self) {
        self.shared
            .change(|state, now_ms| state.ipns.release(true, now_ms));
    }

    /// Sends the notification of a payment as it is now, as the dashboard does when asked.
    pub fn resend_ipn(&self, payment_id: u64) {
        self.shared.change(|state, now_ms| {
            state.world.tell_payin(payment_id, &mut state.ipns, now_ms);
        });
    }

    /// The newest attempts to deliver one, oldest first.
    #[must_use]
    pub fn ipns(&self) -> Vec<IpnAttempt> {
        self.shared.lock().ipns.attempts.iter().cloned().collect()
    }

    /// Waits until nothing happens by itself any more but expiries, and no notification is on its way.
    pub async fn settled(&self) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let is_settled = {
                let state = self.shared.lock();
                state.ipns.count() == 0 && state.world.is_at_rest()
            };
            if is_settled {
                return;
            }
            changed.await;
        }
    }
}

/// Payouts.
impl NowPayments {
    /// So many of the next withdrawals fail at their end.
    pub fn fail_withdrawals(&self, withdrawals: u32) {
        self.shared
            .change(|state, _| state.world.settings.failing_withdrawals = withdrawals);
    }

    /// The withdrawal has this status from now on, whatever was about to happen to it; it tells so. One that failed may go
    /// out after all.
    pub fn set_withdrawal(&self, withdrawal_id: u64, status: WithdrawalStatus) {
        self.shared.change(|state, now_ms| {
            state.world.leave_alone(withdrawal_id);
            state
                .world
                .set_withdrawal(withdrawal_id, status, &mut state.ipns, now_ms);
        });
    }

    /// All withdrawals with their batch and status, the oldest first.
    #[must_use]
    pub fn withdrawals(&self) -> Vec<(u64, u64, WithdrawalStatus)> {
        let state = self.shared.lock();
        let withdrawals = state.world.withdrawals.values();
        withdrawals
            .map(|one| (one.id, one.batch, one.status))
            .collect()
    }
}

/// Calls and faults.
impl NowPayments {
    /// Adds a rule after those that there are.
    pub fn fail(&self, rule: TroubleRule) {
        self.shared.change(|state, _| state.troubles.push(rule));
    }

    /// Drops all rules.
    pub fn recover(&self) {
        self.shared.change(|state, _| state.troubles.clear());
    }

    /// The newest calls, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<ApiCall> {
        self.shared.lock().calls.iter().cloned().collect()
    }

    /// How many calls ever came.
    #[must_use]
    pub fn call_count(&self) -> u64 {
        self.shared.lock().call_count
    }
}

impl World {
    /// Whether nothing is under way; that what nobody paid or verified ends one day is not.
    fn is_at_rest(&self) -> bool {
        self.dues_are(|due| matches!(due, Due::Expiry(_) | Due::Rejection(_)))
    }
}
