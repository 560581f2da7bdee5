//! The bot in a seed: who claims, who asks at the door, who writes, who answers, and which programs read along. What each
//! does is drawn with the payments; what must hold of it in the end is in `checks`.

mod actors;
mod checks;
mod desk;
mod people;

use std::time::Duration;

use fastrand::Rng;

use super::super::world;
use super::super::world::World;
use super::plan::{Payment, chance, draw_duration};
use super::trace::Trace;
use actors::ActorPrograms;
pub(super) use checks::BotChecker;
use desk::Desk;
pub(super) use people::People;

/// The operators' chat.
const DESK: i64 = -1_003_000_000_000;
/// The key that claim links are signed with.
const CLAIM_KEY: &str = "verify-claim-key-0123456789abcdef-01";

/// Who has a seat moved to another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mover {
    Shop,
    Operator,
    /// By the button of the bot.
    Holder,
}

/// When a shop voids a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voided {
    BeforeClaim,
    AfterClaim,
}

/// What is done with a claim link.
#[derive(Clone, Debug)]
pub(crate) struct ClaimPlan {
    /// How long after the link came it is tapped; never, if there is none.
    pub(crate) taps_after: Option<Duration>,
    /// How often its buyer taps it at once.
    pub(crate) taps: usize,
    /// Somebody else has the link and taps it at the same time.
    pub(crate) has_rival: bool,
    /// The buyer asks at the door before the claim.
    pub(crate) asks_first: bool,
    /// A stranger comes with both links when the seat is somebody's.
    pub(crate) has_stranger: bool,
    /// The buyer blocks the bot at once, for so long.
    pub(crate) blocks_for: Option<Duration>,
    /// How long after coming in the holder leaves, to come back.
    pub(crate) leaves_after: Option<Duration>,
    pub(crate) moved_by: Option<Mover>,
    pub(crate) voided: Option<Voided>,
}

/// How an actor gets its updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It asks at most so often.
    Polls(Duration),
    /// They are sent.
    Webhook,
}

/// An actor.
#[derive(Clone, Debug)]
pub(crate) struct ActorPlan {
    pub(crate) name: &'static str,
    pub(crate) role: &'static str,
    pub(crate) reading: Reading,
}

/// What there is of the bot.
#[derive(Clone, Debug)]
pub(crate) struct BotPlan {
    pub(crate) actors: Vec<ActorPlan>,
    /// Whether Telegram limits messages as it publishes it.
    pub(crate) limits_messages: bool,
    /// One word in so many is answered by an operator.
    pub(crate) answers_one_in: u64,
}

impl BotPlan {
    /// Draws the bot of three worlds in four, and what people do with it.
    pub(crate) fn draw(
        rng: &mut Rng,
        world: &mut world::Plan,
        payments: &mut [Payment],
    ) -> Option<Self> {
        if chance(rng, 25) {
            return None;
        }
        let is_claimed: Vec<bool> = (0..world.chats).map(|_| chance(rng, 60)).collect();
        let kinds: Vec<String> = (world::chat_ids(world.chats).iter().zip(&is_claimed))
            .map(|(chat, is_claimed)| {
                format!("{chat}={}", if *is_claimed { "claim" } else { "link" })
            })
            .collect();
        let hold = draw_duration(rng, 60..=900).as_secs();
        world.bot_schedules = true;
        world.env.extend([
            ("CHAT_DELIVERY", kinds.join(",")),
            ("CLAIM_KEY", CLAIM_KEY.to_owned()),
            ("JOIN_REQUEST_HOLD_SEC", hold.to_string()),
            ("OPERATOR_CHAT_ID", DESK.to_string()),
        ]);
        for payment in payments {
            let is_claimed = is_claimed[payment.chat];
            if is_claimed || chance(rng, 40) {
                payment.claim = Some(draw_claim(rng, payment.taps_after, is_claimed));
            }
            let blocks = payment.claim.as_ref();
            let blocks = blocks.is_some_and(|claim| claim.blocks_for.is_some());
            // Whoever writes to a bot has unblocked it.
            if !blocks && chance(rng, 30) {
                let count = rng.usize(1..=4);
                payment.words = (0..count).map(|_| draw_duration(rng, 1..=3600)).collect();
            }
        }
        Some(Self {
            actors: draw_actors(rng),
            limits_messages: chance(rng, 70),
            answers_one_in: rng.u64(1..=3),
        })
    }
}

/// Who else works with the bot: operators, and actors.
pub(crate) struct BotStage<'a> {
    desk: Desk<'a>,
    actors: ActorPrograms<'a>,
}

impl<'a> BotStage<'a> {
    /// Makes them ready, before anything goes wrong.
    pub(crate) async fn open(
        world: &'a World,
        trace: &'a Trace,
        plan: &'a BotPlan,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            desk: Desk::open(world, trace, plan),
            actors: ActorPrograms::start(world, trace, plan).await?,
        })
    }

    /// What they do, for ever.
    pub(crate) async fn work<T>(stage: Option<&Self>) -> anyhow::Result<T> {
        if let Some(stage) = stage {
            tokio::try_join!(stage.desk.work(), stage.actors.poll())?;
        }
        std::future::pending().await
    }

    /// Whether nobody has anything new to look at.
    pub(crate) fn is_idle(&self) -> bool {
        self.desk.is_idle()
    }
}

fn draw_claim(rng: &mut Rng, taps_after: Option<Duration>, is_claimed: bool) -> ClaimPlan {
    let voided = match rng.u32(0..100) {
        0..6 => Some(Voided::BeforeClaim),
        6..12 => Some(Voided::AfterClaim),
        _ => None,
    };
    // In a chat that is not claimed a seat does not move, and what is void there is shown without the bot.
    let voided = voided.filter(|_| is_claimed);
    let has_rival = chance(rng, 30);
    let movers = [Mover::Shop, Mover::Operator, Mover::Holder];
    let moved_by = (is_claimed && voided.is_none() && chance(rng, 30))
        .then(|| movers[rng.usize(0..movers.len())]);
    ClaimPlan {
        taps_after,
        taps: rng.usize(1..=2),
        has_rival,
        asks_first: is_claimed && voided.is_none() && chance(rng, 20),
        has_stranger: chance(rng, 25),
        blocks_for: (!has_rival && chance(rng, 12)).then(|| draw_duration(rng, 10..=7200)),
        leaves_after: (is_claimed && chance(rng, 15)).then(|| draw_duration(rng, 1..=3600)),
        moved_by,
        voided,
    }
}

fn draw_actors(rng: &mut Rng) -> Vec<ActorPlan> {
    let mut role = || ["operator", "backend"][rng.usize(0..2)];
    let (polling, sent) = (role(), role());
    let every = draw_duration(rng, 5..=90);
    let mut actors = vec![
        ActorPlan {
            name: "poller",
            role: polling,
            reading: Reading::Polls(every),
        },
        ActorPlan {
            name: "receiver",
            role: sent,
            reading: Reading::Webhook,
        },
    ];
    match rng.u32(0..3) {
        0 => actors.truncate(1),
        1 => drop(actors.remove(0)),
        _ => {}
    }
    actors
}
