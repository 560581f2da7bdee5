//! The merchant's account: its keys, its login, its settings, and who may ask for payouts.

use std::collections::BTreeSet;

use crate::random;

/// How long a token of the login lives, in milliseconds.
const TOKEN_LIVES_MS: i64 = 5 * 60_000;
/// How many tokens are remembered.
const MOST_TOKENS: usize = 1_000;
const MINUTE_MS: i64 = 60_000;

/// How an account deals with coins of another kind than were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WrongAssets {
    /// A person must: the payment says `wrong_asset_confirmed`, and nothing is credited.
    #[default]
    ByHand,
    /// A payment of its own in that coin, `finished`, with the first one as its parent.
    AsChild,
    /// The payment itself becomes `finished`, with that coin and that amount.
    InPlace,
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) api_keys: Vec<String>,
    pub(super) email: String,
    pub(super) password: String,
    /// The code that verifies a payout.
    pub(super) code: String,
    tokens: Vec<(String, i64)>,
    /// Whether the caller's address is on the list for payouts.
    pub(super) is_caller_listed: bool,
    /// Addresses that payouts may go to; absent: all.
    pub(super) payout_addresses: Option<BTreeSet<String>>,
    /// The coins that are switched on for payments; absent: all.
    pub(super) coins: Option<BTreeSet<String>>,
    /// Calls a minute.
    pub(super) limit_per_minute: Option<u32>,
    minute: (i64, u32),
}

impl Account {
    pub(super) fn new(api_key: &str, email: &str, password: &str) -> Self {
        Self {
            api_keys: vec![api_key.to_owned()],
            email: email.to_owned(),
            password: password.to_owned(),
            code: "123456".to_owned(),
            tokens: Vec::new(),
            is_caller_listed: true,
            payout_addresses: Some(BTreeSet::new()),
            coins: None,
            limit_per_minute: None,
            minute: (0, 0),
        }
    }

    /// A new token, if the login is right.
    pub(super) fn log_in(&mut self, email: &str, password: &str, now_ms: i64) -> Option<String> {
        if email != self.email || password != self.password {
            return None;
        }
        let token = format!("eyJ.{}", random::uuid().simple());
        if self.tokens.len() >= MOST_TOKENS {
            self.tokens.remove(0);
        }
        self.tokens.push((token.clone(), now_ms + TOKEN_LIVES_MS));
        Some(token)
    }

    pub(super) fn knows_token(&self, token: &str, now_ms: i64) -> bool {
        let mut tokens = self.tokens.iter();
        tokens.any(|(known, ends_ms)| known == token && now_ms < *ends_ms)
    }

    /// Counts a call of this minute; false if it is one too many.
    pub(super) fn admits(&mut self, now_ms: i64) -> bool {
        let minute = now_ms / MINUTE_MS;
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        self.minute.1 = self.minute.1.saturating_add(1);
        self.limit_per_minute
            .is_none_or(|limit| self.minute.1 <= limit)
    }

    pub(super) fn takes(&self, coin: &str) -> bool {
        let coins = self.coins.as_ref();
        coins.is_none_or(|coins| coins.contains(coin))
    }

    pub(super) fn pays_out_to(&self, address: &str) -> bool {
        let listed = self.payout_addresses.as_ref();
        listed.is_none_or(|listed| listed.contains(address))
    }
}
