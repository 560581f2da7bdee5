//! What makes claim links: their keys, and the name of the front bot.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::claim::{ChatDeliveries, Claim, ClaimKeys, ClaimToken};
use domain::id::{InviteLink, OrderId};
use domain::time::Timestamp;
use runtime::aws;
use runtime::config::Env;
use runtime::response::Rejection;
use runtime::settings;
use runtime::telemetry::chain;
use tracing::{error, warn};

use crate::{BotInfos, FrontBot, StoreError};

/// How long it is believed that there is no front bot.
const MISSED_KEPT: Duration = Duration::from_secs(60);

/// What makes claim links.
pub struct ClaimLinks {
    keys: ClaimKeys,
    bots: BotInfos,
    link_base: String,
    /// When no front bot was found, where a sale goes on without.
    missed_at: Mutex<Option<Timestamp>>,
}

impl ClaimLinks {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, deliveries: &ChatDeliveries, aws: &aws::Shared) -> Self {
        Self {
            keys: settings::claim_keys(env, deliveries),
            bots: BotInfos::from_env(aws.dynamodb(), env),
            link_base: settings::telegram_link_base(env),
            missed_at: Mutex::default(),
        }
    }

    /// The front bot, as it was a minute ago at most; nothing before `setup` has written it.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read and is not known.
    pub async fn front(&self, now: Timestamp) -> Result<Option<FrontBot>, StoreError> {
        self.bots.front_lately(now).await
    }

    /// The front bot where all goes on without one: that it is not known is believed for a minute, too.
    async fn front_if_known(&self, now: Timestamp) -> Option<FrontBot> {
        let missed_at = *self
            .missed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if missed_at.is_some_and(|at| now.since(at) < MISSED_KEPT) {
            return None;
        }
        let front = self.front(now).await.unwrap_or_else(|fault| {
            warn!(
                fault = "unavailable",
                "the name of the front bot can't be read, so that links are told without their claim links for a minute: {}",
                chain(&fault)
            );
            None
        });
        if front.is_none() {
            *self
                .missed_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
        front
    }

    /// The claim link that stands beside an invite link; nothing without a key, which is found without a read, or before
    /// `setup` has written the front bot.
    pub async fn beside(&self, claim: Option<Claim>, now: Timestamp) -> Option<InviteLink> {
        let token = self.keys.sign(claim?)?;
        let front = self.front_if_known(now).await?;
        Some(token.link(&self.link_base, &front.username))
    }

    /// The claim link of a claim.
    ///
    /// # Errors
    /// [`Rejection::Unavailable`] if the front bot is not known; it is logged why.
    pub async fn link(&self, claim: Claim, now: Timestamp) -> Result<InviteLink, Rejection> {
        self.of_token(self.keys.sign(claim), now).await
    }

    /// The claim link of an order.
    ///
    /// # Errors
    /// As [`ClaimLinks::link`].
    pub async fn link_of_order(
        &self,
        order: OrderId,
        now: Timestamp,
    ) -> Result<InviteLink, Rejection> {
        self.of_token(self.keys.sign_order(order), now).await
    }

    async fn of_token(
        &self,
        token: Option<ClaimToken>,
        now: Timestamp,
    ) -> Result<InviteLink, Rejection> {
        let front = self.front(now).await.map_err(|fault| {
            error!(
                fault = "unavailable",
                "the name of the front bot can't be read: {}",
                chain(&fault)
            );
            Rejection::Unavailable
        })?;
        let made = front.zip(token);
        let Some((front, token)) = made else {
            error!(
                fault = "configuration",
                "no claim link can be made, since setup has not yet written the name of the front bot: run it again"
            );
            return Err(Rejection::Unavailable);
        };
        Ok(token.link(&self.link_base, &front.username))
    }
}
