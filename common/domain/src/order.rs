//! An order for a place in chats: what is known of it, and what follows from that.
//!
//! What is known is a set of [facts](fact::Facts) that merge in any order, each as often as it likes. What follows, from the
//! state to the entries of the ledger, is one pure function of the [terms](terms::OrderTerms) and the facts: the
//! [`fold`](fold::fold). It knows no clock and remembers nothing, so a report that comes late, twice or reversed corrects
//! everything by itself.
//!
//! Amounts are integers of minor units, `i128`. Sums are checked: one that does not fit is an
//! [error](super::exact::Overflow) that names its field. The rules in words: `docs/design/orders.md`.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::float_arithmetic
    )
)]

pub mod consent;
pub mod day;
pub mod fact;
pub mod fold;
mod json;
pub mod ledger;
pub mod payment_status;
pub mod record;
pub mod terms;

#[cfg(test)]
mod tests;
