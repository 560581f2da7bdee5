//! How payouts come into being, are verified by a code, and go on.

use super::decimal::Decimal;
use super::ipn::Ipns;
use super::payout::{Batch, Wish, Withdrawal, WithdrawalStatus};
use super::refusal::Refusal;
use super::world::{Due, World};
use crate::random;

/// How long a batch waits for its code.
const UNVERIFIED_MS: i64 = 3_600_000;
/// How many codes may be tried.
const MOST_TRIES: u32 = 10;

impl World {
    /// A batch of withdrawals, none of them yet on its way; what it takes is pending from now on.
    pub(super) fn create_batch(
        &mut self,
        wishes: Vec<Wish>,
        ipns: &mut Ipns,
        now_ms: i64,
    ) -> Result<u64, Refusal> {
        for wish in &wishes {
            let code = wish.coin.code;
            let same = wishes.iter().filter(|other| other.coin.code == code);
            let wanted = same.fold(Decimal::ZERO, |sum, other| sum.plus(other.amount));
            let there = self.balances.get(code).copied().unwrap_or_default().amount;
            if there < wanted {
                let message = format!("Insufficient balance: {code} {there}");
                return Err(Refusal::bad_payout(message));
            }
        }
        let batch = self.new_id();
        let mut withdrawals = Vec::new();
        for wish in wishes {
            let id = self.new_id();
            let balance = self.balances.entry(wish.coin.code).or_default();
            balance.amount = balance.amount.minus(wish.amount).unwrap_or_default();
            balance.pending = balance.pending.plus(wish.amount);
            self.withdrawals.insert(
                id,
                Withdrawal {
                    id,
                    batch,
                    wish,
                    status: WithdrawalStatus::Creating,
                    hash: None,
                    error: None,
                    created_ms: now_ms,
                    requested_ms: None,
                    updated_ms: None,
                },
            );
            withdrawals.push(id);
        }
        for id in &withdrawals {
            self.tell_withdrawal(*id, ipns, now_ms);
        }
        let created = Batch {
            withdrawals,
            tries: 0,
            is_verified: false,
        };
        self.batches.insert(batch, created);
        self.at(now_ms + UNVERIFIED_MS, Due::Rejection(batch));
        self.forget();
        Ok(batch)
    }

    /// Verifies a batch, whose withdrawals go on by themselves from here on.
    pub(super) fn verify(&mut self, id: u64, is_right: bool, now_ms: i64) -> Result<(), Refusal> {
        let refused = |message: &str| Refusal::new(400, "BAD_VERIFICATION_REQUEST", message);
        let batch = self
            .batches
            .get_mut(&id)
            .ok_or_else(|| Refusal::not_found("payout"))?;
        let withdrawals = batch.withdrawals.clone();
        let status = |id| self.withdrawals.get(id).map(|withdrawal| withdrawal.status);
        let is_open = withdrawals
            .iter()
            .any(|id| status(id) == Some(WithdrawalStatus::Creating));
        if batch.is_verified || !is_open {
            return Err(refused("the payout can't be verified any more"));
        }
        if batch.tries >= MOST_TRIES {
            return Err(refused("no attempts left"));
        }
        batch.tries += 1;
        if !is_right {
            return Err(refused("invalid verification code"));
        }
        batch.is_verified = true;
        for id in withdrawals {
            let is_failing = self.settings.failing_withdrawals > 0;
            self.settings.failing_withdrawals -= u32::from(is_failing);
            let end = if is_failing {
                WithdrawalStatus::Failed
            } else {
                WithdrawalStatus::Finished
            };
            let steps = [
                WithdrawalStatus::Waiting,
                WithdrawalStatus::Processing,
                WithdrawalStatus::Sending,
                end,
            ];
            self.steps(now_ms, steps.map(|status| Due::Withdrawal(id, status)));
        }
        Ok(())
    }

    /// A batch that nobody verified is rejected.
    pub(super) fn reject(&mut self, id: u64, ipns: &mut Ipns, now_ms: i64) {
        let Some(batch) = self.batches.get(&id).filter(|batch| !batch.is_verified) else {
            return;
        };
        for id in batch.withdrawals.clone() {
            self.set_withdrawal(id, WithdrawalStatus::Rejected, ipns, now_ms);
        }
    }

    /// The withdrawal has this status now, and tells so. What ends without success gives its money back; one that failed
    /// and goes out after all takes it again.
    pub(super) fn set_withdrawal(
        &mut self,
        id: u64,
        status: WithdrawalStatus,
        ipns: &mut Ipns,
        now_ms: i64,
    ) {
        let Some(withdrawal) = self.withdrawals.get_mut(&id) else {
            return;
        };
        let before = withdrawal.status;
        withdrawal.status = status;
        withdrawal.updated_ms = Some(now_ms);
        let balance = self.balances.entry(withdrawal.wish.coin.code).or_default();
        let amount = withdrawal.wish.amount;
        let is_returned = |status| {
            matches!(
                status,
                WithdrawalStatus::Failed | WithdrawalStatus::Rejected | WithdrawalStatus::Cancelled
            )
        };
        match (is_returned(before), is_returned(status)) {
            (false, true) => {
                balance.pending = balance.pending.minus(amount).unwrap_or_default();
                balance.amount = balance.amount.plus(amount);
            }
            (true, false) => {
                balance.amount = balance.amount.minus(amount).unwrap_or_default();
                balance.pending = balance.pending.plus(amount);
            }
            (false, false) | (true, true) => {}
        }
        match status {
            WithdrawalStatus::Processing => withdrawal.requested_ms = Some(now_ms),
            WithdrawalStatus::Finished => {
                balance.pending = balance.pending.minus(amount).unwrap_or_default();
                withdrawal.error = None;
                withdrawal.hash = Some(random::uuid().simple().to_string());
            }
            WithdrawalStatus::Failed => withdrawal.error = Some("Withdrawal failed"),
            WithdrawalStatus::Creating
            | WithdrawalStatus::Waiting
            | WithdrawalStatus::Sending
            | WithdrawalStatus::Rejected
            | WithdrawalStatus::Cancelled => {}
        }
        self.tell_withdrawal(id, ipns, now_ms);
    }

    fn tell_withdrawal(&self, id: u64, ipns: &mut Ipns, now_ms: i64) {
        let Some(withdrawal) = self.withdrawals.get(&id) else {
            return;
        };
        if let Some(url) = &withdrawal.wish.callback {
            let body = withdrawal.notice();
            ipns.notify(id, withdrawal.status.as_str(), url, &body, now_ms);
        }
    }
}
