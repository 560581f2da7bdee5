//! Finished invites and tasks, written by the store as the functions would have written them.

use std::time::Duration;

use anyhow::Context as _;
use domain::event::Event;
use domain::id::{ChatId, InviteLink, RequestId};
use domain::invite::Settled;
use domain::purchase::{Chats, Identity, Purchase};
use domain::task::{Mint, Task, Work};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use store::{Invites, LinkRecord, Links, Minted, Owner, Tasks};
use telegram::Bots;

use super::fixture::{CHATS, Fixture};
use local::env::env_of;

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
pub(crate) fn payment(fixture: &Fixture, name: &str) -> anyhow::Result<(RequestId, Purchase)> {
    let chats = Chats::parse(fixture.value("TELEGRAM_CHAT_ID")).context("no chats")?;
    let body = json!({"userId": format!("user-{name}"), "transactionId": format!("order-{name}")});
    let fields = body.as_object().context("no fields")?;
    let purchase = Purchase::parse(fields, None, &chats)
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
    fixture: &Fixture,
    prefix: &str,
    count: usize,
) -> anyhow::Result<Vec<Seeded>> {
    let mut env = env_of(&fixture.env);
    let invites = &Invites::from_env(fixture.shared.dynamodb(), &mut env);
    let links = &Links::from_env(fixture.shared.dynamodb(), &mut env);
    stream::iter(0..count)
        .map(|number| async move {
            invite(fixture, invites, links, &format!("{prefix}-{number}")).await
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

async fn invite(
    fixture: &Fixture,
    invites: &Invites,
    links: &Links,
    name: &str,
) -> anyhow::Result<Seeded> {
    let now = runtime::clock::Clock::real().now();
    let expires = now.plus(RETENTION);
    let (id, purchase) = payment(fixture, name)?;
    let link = InviteLink::new(format!("https://t.me/+{}", id.link_name()));
    let mint = mint(id, &purchase);
    let bots = Bots::from_env(&mut env_of(&fixture.env), &runtime::clock::Clock::real());
    let bot = bots.iter().next().context("a bot")?.bot();
    let record = LinkRecord {
        invite_link: link.clone(),
        owner: Some(Owner {
            request_id: id,
            user_id: mint.user_id.clone(),
            transaction_id: mint.transaction_id.clone(),
        }),
        slot: None,
        chat: purchase.chat,
        canonical_chat: purchase.canonical_chat(),
        bot: Some(bot),
    };
    links.put(&record, now, expires).await?;
    let minted = Minted {
        mint: &mint,
        chat: purchase.chat,
        canonical_chat: purchase.canonical_chat(),
        created_at: now,
        expires_at: expires,
        attempts: 1,
    };
    let settled = invites.settle(&minted, &link, expires, now).await?;
    anyhow::ensure!(
        settled == Settled::HandedOut(None),
        "the invite {name} was lost"
    );
    let event = Event::link_created(id, &mint.user_id, &mint.transaction_id, &link, now);
    Ok(Seeded { id, link, event })
}

/// The chat that the task of this number is for: each in turn.
pub(crate) fn chat_of(fixture: &Fixture, number: u64) -> anyhow::Result<ChatId> {
    Ok(ChatId(fixture.first_chat + i64::try_from(number)? % CHATS))
}

/// Puts `count` tasks as `request` would have put them, numbered from 1.
///
/// # Errors
/// What the table did not do.
pub(crate) async fn tasks(fixture: &Fixture, prefix: &str, count: usize) -> anyhow::Result<()> {
    let tasks = &Tasks::from_env(fixture.shared.dynamodb(), &mut env_of(&fixture.env));
    stream::iter(1..=count)
        .map(|number| async move {
            let (id, purchase) = payment(fixture, &format!("{prefix}-{number}"))?;
            let chat = chat_of(fixture, u64::try_from(number)?)?;
            let now = runtime::clock::Clock::real().now();
            let task = Task::new(chat, Work::Mint(mint(id, &purchase)), now);
            Ok::<_, anyhow::Error>(tasks.put(&task).await?)
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

fn mint(id: RequestId, purchase: &Purchase) -> Mint {
    Mint {
        request_id: id,
        user_id: purchase.user_id.clone(),
        transaction_id: purchase.transaction_id.clone(),
        link_version: 0,
    }
}
