//! The bot in a seed: who claims, who asks at the door, who writes, who answers, and which programs read along. What each
//! does is drawn with the payments; what must hold of it in the end is in `checks`.

mod actors;
mod checks;
mod desk;
mod people;

use super::super::world::World;
use super::bot_plan::BotPlan;
use super::trace::Trace;
use actors::ActorPrograms;
pub(super) use checks::BotChecker;
use desk::Desk;
pub(super) use people::People;

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
