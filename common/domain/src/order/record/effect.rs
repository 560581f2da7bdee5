//! What has to be done because of what is known of an order.

use serde::{Deserialize, Serialize};

use super::super::super::id::{ChatId, OrderId};
use super::super::super::time::Timestamp;
use super::super::ledger::LedgerEntry;

/// An effect. Each may be done again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// A transaction of the ledger, with what becomes due to payees.
    Transaction {
        /// The version of the order that it leads to; with the order it is the id of the transaction.
        version: u64,
        /// When it was decided: its day in the ledger.
        at: Timestamp,
        /// Its entries, which sum to zero in each currency.
        entries: Vec<BookedEntry>,
        /// What payees are due by it; negative if it is taken back.
        payables: Vec<Payable>,
    },
    /// What the public page reads.
    Page,
    /// The seat of whoever has claimed the order's requests.
    Seat,
    /// A request for a way into a chat.
    Invite {
        /// The chat, by its canonical id.
        chat: ChatId,
    },
    /// A message to the buyer.
    Message {
        /// Which.
        message: OrderMessage,
    },
    /// News for the owners of the deployment.
    TellOwners {
        /// Which.
        news: OwnerNews,
        /// Since when.
        at: Timestamp,
    },
    /// What the buyer of a subscription has to see to: a renewal is not paid.
    Notice {
        /// The invoice.
        invoice: String,
        /// Which try it was: each is told once.
        attempt: u64,
        /// The provider's page on which it can be paid.
        page: String,
        /// Whether the bank wants to hear from the buyer; else the payment failed.
        needs_action: bool,
        /// Since when.
        at: Timestamp,
    },
    /// A refund of a whole charge, by call.
    Refund {
        /// The charge's key.
        charge: String,
        /// All that is left of it, in minor units.
        amount: i128,
    },
    /// A refund by call that an operator asked for; the order's `refunds` say of what.
    Return {
        /// The operator's id of it.
        id: String,
    },
    /// The end of the subscription at the provider.
    Cancel,
    /// The end of the subscription's renewals at the provider: what was paid is kept until it is over.
    EndRenewals,
    /// The return of what it held that is limited.
    Release,
    /// A look at what else its buyer has: who bought the same twice is asked about it.
    Compare,
    /// What is limited, taken once more after the order was written that holds it.
    Reserve,
}

/// A message to the buyer of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OrderMessage {
    /// It waits for its money.
    ToPay,
    /// The money came.
    Paid,
    /// Some of it is missing.
    Underpaid,
    /// It was returned.
    Refunded,
}

impl OrderMessage {
    /// The word in the message's id.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToPay => "toPay",
            Self::Paid => "paid",
            Self::Underpaid => "underpaid",
            Self::Refunded => "refunded",
        }
    }
}

/// What owners hear of an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OwnerNews {
    /// It was sold.
    Sale,
    /// It waits for a decision: the id of the case.
    Case(String),
}

/// An entry of a transaction, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedEntry {
    /// The account.
    pub account: String,
    /// The currency or coin.
    pub currency: String,
    /// How much, in minor units; debit is positive.
    pub amount: i128,
}

impl From<LedgerEntry> for BookedEntry {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            account: entry.account.to_string(),
            currency: entry.currency,
            amount: entry.amount,
        }
    }
}

/// What a payee is due by a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payable {
    /// The account of the payee.
    pub payee: String,
    /// The currency.
    pub currency: String,
    /// How much, in minor units; negative if it is taken back.
    pub amount: i128,
    /// From when on it may be paid out.
    pub available_at: Timestamp,
}

impl Effect {
    /// Whether it shows the order as it is by then, so that each change of the order asks for it anew. Others are done once, by
    /// their id.
    #[must_use]
    pub const fn shows_state(&self) -> bool {
        matches!(
            self,
            Self::Page | Self::Seat | Self::Release | Self::Reserve
        )
    }

    /// What it is known by, in the order and at its receiver.
    #[must_use]
    pub fn id(&self, order: OrderId) -> String {
        match self {
            Self::Transaction { version, .. } => format!("{order}#{version}"),
            Self::Page => "page".to_owned(),
            Self::Seat => "seat".to_owned(),
            Self::Invite { chat } => format!("invite#{chat}"),
            Self::Message { message } => format!("message#{}", message.as_str()),
            Self::TellOwners { news, .. } => match news {
                OwnerNews::Sale => "owners#sale".to_owned(),
                OwnerNews::Case(case) => format!("owners#{case}"),
            },
            Self::Notice {
                invoice,
                attempt,
                needs_action,
                ..
            } => {
                let what = if *needs_action { "action" } else { "failed" };
                format!("message#{what}#{invoice}#{attempt}")
            }
            Self::Refund { charge, .. } => format!("refund#auto#{charge}"),
            Self::Return { id } => format!("refund#{id}"),
            Self::Cancel => "cancel".to_owned(),
            Self::EndRenewals => "end-renewals".to_owned(),
            Self::Compare => "compare".to_owned(),
            Self::Release => "release".to_owned(),
            Self::Reserve => "reserve".to_owned(),
        }
    }
}
