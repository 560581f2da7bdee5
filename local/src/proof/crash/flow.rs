//! What is played: each thing that the product does, alone.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use serde_json::json;
use simulators::aws::{FaultRule as AwsRule, Service, WireFault};
use simulators::telegram::{Fault, FaultRule, Rights};
use simulators::webengage::Mode;

use super::stage::{Payment, Stage};
use crate::proof::invariants::Allowed;
use crate::proof::wire::Call;
use crate::proof::world::Plan;
use crate::resources::{EVENTS, INVITES};

/// The group that a chat becomes.
const NEW_CHAT: i64 = -1_002_000_000_000;
/// The method whose faults are played.
const MINT: &str = "createChatInviteLink";

/// A flow of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained by its script")]
pub enum Flow {
    Request,
    RequestInWindow,
    RequestByKey,
    Copies,
    TwoUsers,
    Mint,
    MintLimited,
    MintTimedOut,
    MintNotSingleUse,
    GivenUp,
    Crowd,
    Poison,
    TwoBots,
    Moved,
    ChatBroken,
    Careful,
    Revoke,
    Join,
    EarlyJoin,
    Events,
    Outage,
    PoolTaken,
    PoolFilled,
    PoolTooOld,
    Reissued,
    Restored,
    Tick,
    Sweeper,
}

impl Flow {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::Request,
        Self::RequestInWindow,
        Self::RequestByKey,
        Self::Copies,
        Self::TwoUsers,
        Self::Mint,
        Self::MintLimited,
        Self::MintTimedOut,
        Self::MintNotSingleUse,
        Self::GivenUp,
        Self::Crowd,
        Self::Poison,
        Self::TwoBots,
        Self::Moved,
        Self::ChatBroken,
        Self::Careful,
        Self::Revoke,
        Self::Join,
        Self::EarlyJoin,
        Self::Events,
        Self::Outage,
        Self::PoolTaken,
        Self::PoolFilled,
        Self::PoolTooOld,
        Self::Reissued,
        Self::Restored,
        Self::Tick,
        Self::Sweeper,
    ];

    /// Its name in a case's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::RequestInWindow => "request-in-window",
            Self::RequestByKey => "request-by-key",
            Self::Copies => "copies",
            Self::TwoUsers => "two-users",
            Self::Mint => "mint",
            Self::MintLimited => "mint-limited",
            Self::MintTimedOut => "mint-timed-out",
            Self::MintNotSingleUse => "mint-not-single-use",
            Self::GivenUp => "given-up",
            Self::Crowd => "crowd",
            Self::Poison => "poison",
            Self::TwoBots => "two-bots",
            Self::Moved => "moved",
            Self::ChatBroken => "chat-broken",
            Self::Careful => "careful",
            Self::Revoke => "revoke",
            Self::Join => "join",
            Self::EarlyJoin => "early-join",
            Self::Events => "events",
            Self::Outage => "outage",
            Self::PoolTaken => "pool-taken",
            Self::PoolFilled => "pool-filled",
            Self::PoolTooOld => "pool-too-old",
            Self::Reissued => "reissued",
            Self::Restored => "restored",
            Self::Tick => "tick",
            Self::Sweeper => "sweeper",
        }
    }

    /// Whether a second death on the way back from the first is played too.
    #[must_use]
    pub const fn is_struck_twice(self) -> bool {
        matches!(
            self,
            Self::Mint | Self::Join | Self::PoolTaken | Self::Reissued
        )
    }

    /// Whether a call is one of its points.
    pub(super) fn covers(self, call: &Call) -> bool {
        let callers: &[&str] = match self {
            Self::Request | Self::RequestInWindow | Self::RequestByKey => &["request"],
            Self::Copies | Self::TwoUsers => &["request", "worker"],
            Self::Mint
            | Self::MintLimited
            | Self::MintTimedOut
            | Self::MintNotSingleUse
            | Self::GivenUp
            | Self::Crowd
            | Self::Poison
            | Self::Moved
            | Self::ChatBroken
            | Self::Careful
            | Self::Revoke => &["worker"],
            Self::TwoBots => &["worker", "webhook"],
            Self::Join | Self::EarlyJoin => &["webhook", "worker", "events"],
            Self::Events | Self::Outage => &["events"],
            Self::PoolTaken => &["request", "events", "worker"],
            Self::PoolFilled | Self::PoolTooOld | Self::Tick => &["worker"],
            Self::Reissued => &["admin", "worker"],
            Self::Restored => &["webhook", "worker"],
            Self::Sweeper => &["sweeper"],
        };
        callers.contains(&call.caller)
    }

    pub(in crate::proof) fn plan(self) -> Plan {
        let env: &[(&str, &str)] = match self {
            Self::GivenUp => &[("MAX_ATTEMPTS", "2")],
            Self::PoolTaken | Self::PoolFilled => &[("LINK_POOL_TARGET", "2")],
            Self::PoolTooOld => &[
                ("LINK_POOL_TARGET", "2"),
                ("INVITE_TTL_SEC", "86400"),
                ("LINK_POOL_TTL_SEC", "86700"),
            ],
            _ => &[],
        };
        let env = env.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Plan {
            bots: if self == Self::TwoBots { 2 } else { 1 },
            env: env.collect(),
            ..Plan::default()
        }
    }

    pub(super) fn allowed(self) -> Allowed {
        Allowed {
            failed: self == Self::GivenUp,
            dead_letters: if self == Self::Poison { [1, 1] } else { [0, 0] },
            ..Allowed::default()
        }
    }

    /// What the shops report in it.
    pub(in crate::proof) fn payments(self) -> Vec<Payment> {
        match self {
            Self::RequestInWindow => vec![Payment::without_transaction()],
            Self::RequestByKey => vec![Payment::by_key()],
            Self::Copies => vec![Payment::number(1); 3],
            Self::TwoUsers => {
                let (one, mut other) = (Payment::number(1), Payment::number(2));
                other.body["transactionId"] = one.body["transactionId"].clone();
                vec![one, other]
            }
            Self::Crowd => (1..=5).map(Payment::number).collect(),
            Self::TwoBots => (1..=3).map(Payment::number).collect(),
            _ => vec![Payment::number(1)],
        }
    }
}

impl FromStr for Flow {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.with_context(|| format!("there is no flow `{name}`"))
    }
}

impl Stage {
    /// Plays a flow until all is quiet.
    pub(super) async fn play(&self, flow: Flow) -> anyhow::Result<()> {
        let (world, payments) = (&self.world, flow.payments());
        let chat = world.chats[0];
        let fail = |fault| world.telegram.fail(FaultRule::on(MINT, fault).times(1));
        match flow {
            Flow::Request
            | Flow::RequestInWindow
            | Flow::RequestByKey
            | Flow::Mint
            | Flow::Copies
            | Flow::TwoUsers
            | Flow::Crowd => {}
            Flow::MintLimited => fail(Fault::TooManyRequests { retry_after: 3 }),
            Flow::MintTimedOut => fail(Fault::AnswerLate(Duration::from_secs(25))),
            Flow::MintNotSingleUse => fail(Fault::WrongMemberLimit(None)),
            Flow::GivenUp => world.telegram.fail(FaultRule::on(MINT, Fault::Internal)),
            Flow::Poison => {
                for queue in [INVITES.queue, EVENTS.queue] {
                    world.send(queue, &json!({"kind": "nonsense"})).await?;
                }
            }
            Flow::Moved => world.telegram.migrate_chat(chat, NEW_CHAT),
            Flow::ChatBroken => world.telegram.demote_bot(world.bots[0], chat),
            // As if two holders had died: then one task at a time is named before it is begun.
            Flow::Careful => world.set_lease("deaths", 2).await?,
            Flow::Revoke | Flow::Join => {
                self.sell(&payments[0]).await?;
                self.settle().await?;
                let link = self.link_of(&payments[0]).await?;
                self.points.open();
                self.join(&link, 1000)?;
                return self.quiet().await;
            }
            Flow::EarlyJoin | Flow::Outage => return self.play_through_an_outage(flow).await,
            Flow::Events | Flow::TwoBots => {}
            Flow::PoolTaken | Flow::PoolFilled | Flow::PoolTooOld => {
                return self.play_pool(flow).await;
            }
            Flow::Reissued | Flow::Restored => return self.play_reissue(flow).await,
            Flow::Tick => return self.play_tick(&payments[0]).await,
            Flow::Sweeper => return self.play_sweeper(&payments[0]).await,
        }
        self.points.open();
        if flow == Flow::Crowd {
            // One after the other, so that they have an order.
            for payment in &payments {
                self.sell(payment).await?;
                world.wait(Duration::from_millis(50)).await;
            }
        }
        for told in join_all(payments.iter().map(|payment| self.sell(payment))).await {
            told?;
        }
        if flow == Flow::Poison {
            // It is shown for 45 minutes; the calls of the ticks meanwhile are like those of any other flow.
            world.wait(Duration::from_secs(30)).await;
            self.points.close();
        }
        if flow == Flow::ChatBroken {
            world.wait(Duration::from_secs(100)).await;
            world
                .telegram
                .make_admin(world.bots[0], chat, Rights::all());
        }
        self.settle().await?;
        if matches!(flow, Flow::Events | Flow::TwoBots) {
            for (payment, person) in payments.iter().zip(1000..) {
                self.join(&self.link_of(payment).await?, person)?;
            }
        }
        self.quiet().await
    }

    /// Waits until nothing moves; from then on no call is a point.
    pub(super) async fn quiet(&self) -> anyhow::Result<()> {
        self.settle().await?;
        self.points.close();
        Ok(())
    }

    /// WebEngage is down while the customer joins.
    async fn play_through_an_outage(&self, flow: Flow) -> anyhow::Result<()> {
        let payment = &flow.payments()[0];
        self.world.webengage.set_mode(Mode::Down);
        if flow == Flow::Outage {
            self.points.open();
        }
        self.sell(payment).await?;
        let link = self.link_of(payment).await?;
        self.points.open();
        self.join(&link, 1000)?;
        self.world.wait(Duration::from_secs(10)).await;
        self.world.webengage.set_mode(Mode::Up);
        self.quiet().await
    }

    /// Links of the pool: made, sold and made again, or too old to be sold.
    async fn play_pool(&self, flow: Flow) -> anyhow::Result<()> {
        if flow == Flow::PoolFilled {
            self.points.open();
        }
        self.settle().await?;
        if flow == Flow::PoolTooOld {
            self.world.wait(Duration::from_secs(290)).await;
            self.points.open();
            self.world.wait(Duration::from_secs(80)).await;
            self.settle().await?;
        }
        self.points.open();
        self.sell(&flow.payments()[0]).await?;
        self.quiet().await
    }

    /// An operator has a link replaced; in one of the flows somebody joins by the old one before it is revoked.
    async fn play_reissue(&self, flow: Flow) -> anyhow::Result<()> {
        let payment = &flow.payments()[0];
        self.sell(payment).await?;
        self.settle().await?;
        let link = self.link_of(payment).await?;
        if flow == Flow::Restored {
            let wait = Fault::TooManyRequests { retry_after: 5 };
            let rule = FaultRule::on("revokeChatInviteLink", wait);
            self.world.telegram.fail(rule.times(1));
        } else {
            self.points.open();
        }
        self.reissue().await?;
        if flow == Flow::Restored {
            self.world.wait(Duration::from_secs(2)).await;
            self.points.open();
            self.join(&link, 1000)?;
        }
        self.quiet().await
    }

    /// No bell could be sent: the tick finds the task.
    async fn play_tick(&self, payment: &Payment) -> anyhow::Result<()> {
        let wire = self.world.aws.wire();
        wire.fail(without(INVITES.queue));
        self.sell(payment).await?;
        self.world.wait(Duration::from_secs(5)).await;
        wire.clear_faults();
        self.points.open();
        self.quiet().await
    }

    /// No event could be queued: the sweeper finds it pending an hour later.
    async fn play_sweeper(&self, payment: &Payment) -> anyhow::Result<()> {
        let wire = self.world.aws.wire();
        wire.fail(without(EVENTS.queue));
        self.sell(payment).await?;
        self.world.wait(Duration::from_secs(3575)).await;
        wire.clear_faults();
        self.points.open();
        self.quiet().await
    }
}

/// SQS takes no message for this queue.
fn without(queue: &str) -> AwsRule {
    let rule = AwsRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    rule.named(queue).always()
}
