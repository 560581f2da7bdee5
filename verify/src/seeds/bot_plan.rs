//! The bot of a seed as it is drawn: its actors, and what people do with it.

use std::time::Duration;

use fastrand::Rng;

use super::super::world;
use super::draw::{chance, draw_duration};
use super::payment::{ClaimPlan, Mover, Payment, Voided};

/// The operators' chat.
pub(super) const DESK: i64 = -1_003_000_000_000;
/// The key that claim links are signed with.
const CLAIM_KEY: &str = "verify-claim-key-0123456789abcdef-01";

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
