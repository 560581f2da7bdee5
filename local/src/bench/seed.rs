//! Finished invites, written by the store as the worker would have written them.

use std::time::Duration;

use anyhow::Context as _;
use common::domain::event::Event;
use common::domain::id::{InviteLink, RequestId};
use common::domain::invite::{Claim, Invite, Settled};
use common::domain::job::Mint;
use common::domain::purchase::{Chats, Identity, Purchase};
use common::domain::time::Timestamp;
use common::store::{Invites, LinkRecord, Links, Owner};
use common::telegram::Bots;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use super::stand::Stand;
use crate::functions::env_of;

/// How long the records are kept; any time will do.
const RETENTION: Duration = Duration::from_secs(24 * 3600);
/// How many are written at once.
const AT_ONCE: usize = 32;

/// An invite whose link is handed out and not used.
pub(crate) struct Seeded {
    /// The request.
    pub(crate) id: RequestId,
    /// The link.
    pub(crate) link: InviteLink,
    /// Its event, not delivered yet.
    pub(crate) event: Event,
}

/// A payment and its identity, as `request` understands them.
pub(crate) fn payment(stand: &Stand, name: &str) -> anyhow::Result<(RequestId, Purchase)> {
    let chats = Chats::parse(stand.value("TELEGRAM_CHAT_ID")).context("no chats")?;
    let body = json!({"userId": format!("user-{name}"), "transactionId": format!("order-{name}")});
    let purchase = Purchase::parse(body.to_string().as_bytes(), None, &chats)
        .map_err(|_| anyhow::anyhow!("a payment is refused"))?;
    match purchase.identity() {
        Identity::Payment(id) => Ok((id, purchase)),
        Identity::Window(_) => anyhow::bail!("a payment without transaction"),
    }
}

/// Writes `count` invites whose names begin with `prefix`.
///
/// # Errors
/// What the tables did not do.
pub(crate) async fn invites(
    stand: &Stand,
    prefix: &str,
    count: usize,
) -> anyhow::Result<Vec<Seeded>> {
    let mut env = env_of(&stand.env);
    let invites = &Invites::from_env(stand.shared.dynamodb(), &mut env);
    let links = &Links::from_env(stand.shared.dynamodb(), &mut env);
    stream::iter(0..count)
        .map(|number| async move { invite(stand, invites, links, &format!("{prefix}-{number}")).await })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

async fn invite(
    stand: &Stand,
    invites: &Invites,
    links: &Links,
    name: &str,
) -> anyhow::Result<Seeded> {
    let now = common::clock::Clock::real().now();
    let expires = now.plus(RETENTION);
    let (id, purchase) = payment(stand, name)?;
    let link = InviteLink::new(format!("https://t.me/+{}", id.link_name()));
    let mint = mint(id, &purchase, now);
    let claim = invites.claim(&mint, name, now, expires).await?;
    let Claim::Ours(invite) = claim else {
        anyhow::bail!("the invite {name} is there already");
    };
    let bots = Bots::from_env(&mut env_of(&stand.env));
    let bot = bots.iter().next().context("a bot")?.bot();
    let record = LinkRecord {
        invite_link: link.clone(),
        owner: Some(Owner {
            request_id: id,
            user_id: mint.user_id,
            transaction_id: mint.transaction_id,
        }),
        unit: None,
        chat: purchase.chat,
        bot: Some(bot),
    };
    links.put(&record, now, expires).await?;
    let settled = invites
        .settle(id, name, purchase.chat, &link, expires, now)
        .await?;
    anyhow::ensure!(settled == Settled::HandedOut, "the invite {name} was lost");
    let done = Invite {
        invite_link: Some(link.clone()),
        ..*invite
    };
    let event = done
        .unsent_link_event()
        .context("an invite without event")?;
    Ok(Seeded { id, link, event })
}

/// The job that `request` would have queued.
pub(crate) fn mint(id: RequestId, purchase: &Purchase, now: Timestamp) -> Mint {
    Mint {
        request_id: id,
        user_id: purchase.user_id.clone(),
        transaction_id: purchase.transaction_id.clone(),
        chat_id: purchase.chat,
        created_at: now,
        not_before: None,
    }
}
