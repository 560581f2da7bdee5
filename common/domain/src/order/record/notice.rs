//! Renewals that are not paid.

use super::super::super::report::PaymentNotice;
use super::super::super::time::Timestamp;
use super::{Effect, Order};

impl Order {
    /// The order once its buyer is to hear of a renewal that is not paid; nothing if they heard of this try, or there is no page
    /// on which they could do anything about it.
    #[must_use]
    pub fn noticed(&self, notice: &PaymentNotice, now: Timestamp) -> Option<Self> {
        let page = notice.page.clone()?;
        let mut next = self.clone();
        next.issue(Effect::Notice {
            invoice: notice.invoice.clone(),
            attempt: notice.attempt,
            page,
            needs_action: notice.needs_action,
            at: now,
        });
        if next.issued == self.issued {
            return None;
        }
        next.due_at = next.next_due(now);
        Some(next)
    }
}
