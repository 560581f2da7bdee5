//! Once a minute: does what was asked for one person, an export or an erasure, each from where its record stands.
//!
//! ```text
//! query the index of open jobs, and begin at another one in each minute
//! read the record, do its stage, write that it is done      die anywhere: the next run does the stage again
//! ```
//!
//! Every stage may be done twice and by two runs at once; what may not is in `export`, `leave` and `erase`.

mod erase;
mod export;
mod leave;

use std::time::Duration;

use domain::id::{ChatId, TelegramUserId};
use domain::job::{JOB_LATE, JobId, JobKind, JobStage};
use domain::message::{Class, Content, Message, MessageId};
use domain::purchase::Chats;
use domain::texts::Language;
use domain::time::Timestamp;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::settings;
use runtime::telemetry::chain;
use serde::Serialize;
use store::queue::{Bells, MessageBell};
use store::{
    Announcements, BotInfos, Erasures, FrontBot, Invites, JobRecord, JobState, Jobs, Messages,
    People, Personal, Seats, StoreError, Tasks,
};
use tokio::time::Instant;
use tracing::{error, info};

/// How many open jobs one run knows of.
const OPEN_MAX: i32 = 1000;
/// How far the next run begins behind this one, so that those which wait for something hold up nobody for long.
const RUNS_APART: usize = 25;
/// How many stages of a job one run does.
const STAGES_MAX: u32 = 5;
/// How long before its deadline a run begins nothing more.
const RESERVE: Duration = Duration::from_secs(20);

/// What the handler needs.
pub struct App {
    jobs: Jobs,
    personal: Personal,
    erasures: Erasures,
    people: People,
    bots: BotInfos,
    messages: Messages,
    bells: Bells<MessageBell>,
    seats: Seats,
    invites: Invites,
    tasks: Tasks,
    chat_bells: Bells,
    announcements: Announcements,
    chats: Chats,
    default_language: Language,
    exports_url: String,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let chats = settings::chats(env);
        let kept = (settings::retention(env), settings::claim_retention(env));
        let desk = settings::operator_chat(env, &chats);
        Self {
            jobs: Jobs::from_env(aws.dynamodb(), env),
            personal: Personal::from_env(aws.dynamodb(), env, &chats, desk, kept),
            erasures: Erasures::from_env(aws.dynamodb(), env),
            people: People::from_env(aws.dynamodb(), env),
            bots: BotInfos::from_env(aws.dynamodb(), env),
            messages: Messages::from_env(aws.dynamodb(), env),
            bells: Bells::from_env(aws.sqs(), env, &clock),
            seats: Seats::from_env(aws.dynamodb(), env),
            invites: Invites::from_env(aws.dynamodb(), env),
            tasks: Tasks::from_env(aws.dynamodb(), env),
            chat_bells: Bells::from_env(aws.sqs(), env, &clock),
            announcements: Announcements::from_env(&aws, env, &clock),
            chats,
            default_language: settings::default_language(env),
            exports_url: settings::exports_url(env),
            clock,
        }
    }

    /// The bot by which people are told something; none where nobody talks with one.
    async fn front(&self) -> Result<Option<FrontBot>, StoreError> {
        self.bots.front_lately(self.clock.now()).await
    }
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Jobs that ended.
    pub ended: u64,
    /// Jobs that go on in a later run.
    pub open: u64,
    /// Jobs of the run that failed; the next one goes on with them.
    pub failed: u64,
}

/// Does what is asked. What it did is durable; what it could not do is logged and left to the next run. It begins nothing
/// more shortly before `deadline`.
pub async fn handle(app: &App, deadline: Instant) -> Done {
    let mut done = Done::default();
    let open = match app.jobs.listed(JobState::Open, OPEN_MAX).await {
        Ok(open) => begun_at(open, app.clock.now()),
        Err(fault) => {
            error!(
                fault = "unavailable",
                "the open jobs can't be listed: {}",
                chain(&fault)
            );
            done.failed = 1;
            return done;
        }
    };
    for id in open {
        if deadline.saturating_duration_since(Instant::now()) < RESERVE {
            break;
        }
        match work_off(app, &id).await {
            Ok(true) => done.ended += 1,
            Ok(false) => done.open += 1,
            Err(fault) => {
                error!(job.id = %id, fault = "unavailable", "a job can't go on, the next run tries again: {}", chain(&fault));
                done.failed += 1;
            }
        }
    }
    info!(
        outcome = "worked_off",
        ended = done.ended,
        open = done.open,
        failed = done.failed,
        "the jobs were seen to"
    );
    done
}

/// The jobs in the order of the run of this minute: all of them in few runs, however long each one waits.
fn begun_at(mut open: Vec<JobId>, now: Timestamp) -> Vec<JobId> {
    let minute = usize::try_from(now.seconds() / 60).unwrap_or_default();
    if let Some(first) = minute.wrapping_mul(RUNS_APART).checked_rem(open.len()) {
        open.rotate_left(first);
    }
    open
}

/// Does the stages of one job, as far as they can be done now; answers whether it is done.
async fn work_off(app: &App, id: &JobId) -> Result<bool, StoreError> {
    // As many stages as there are; one that is done twice by two runs ends the loop for both.
    for _ in 0..STAGES_MAX {
        let Some(job) = app.jobs.get(id).await? else {
            return Ok(true);
        };
        let Some(person) = job.person.filter(|_| job.stage != JobStage::Done) else {
            return Ok(true);
        };
        let goes_on = match job.kind {
            JobKind::Export => export::go_on(app, &job, person).await?,
            JobKind::Erase => erase::go_on(app, &job, person).await?,
        };
        if !goes_on {
            tell_if_late(app, &job);
            return Ok(false);
        }
    }
    Ok(false)
}

/// Has a person told something, if they talk with a bot; what can't be sent until `not_after` is dropped. Durable on return.
async fn tell(
    app: &App,
    person: TelegramUserId,
    id: MessageId,
    html: String,
    not_after: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let Some(front) = app.front().await? else {
        return Ok(false);
    };
    let message = Message {
        id,
        bot: front.bot,
        // A private chat has the id of its person.
        chat: ChatId(person.0),
        thread: None,
        class: Class::Transactional,
        content: Content::Text {
            html,
            buttons: Vec::new(),
            protect: true,
            silent: false,
        },
        not_before: None,
        not_after,
    };
    app.messages.put(&message, app.clock.now()).await?;
    app.bells.ring(front.bot).await;
    Ok(true)
}

fn tell_if_late(app: &App, job: &JobRecord) {
    if app.clock.now().since(job.created_at) <= JOB_LATE {
        return;
    }
    let stage = job.stage.as_str();
    match job.stage {
        JobStage::Leaving => {
            error!(job.id = %job.id, fault = "late", stage, "an erasure waits for hours, since its person is not out of a chat yet; see what `worker` says of it, give the bot the right to ban and retry what was given up");
        }
        _ => {
            error!(job.id = %job.id, fault = "late", stage, "a job is not done for hours; see what its log lines say");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_job_is_the_first_to_be_looked_at_within_few_minutes() {
        for count in [1, 99, 100, 700, 1000] {
            let open: Vec<JobId> = (0..count)
                .map(|n| JobId::drawn(JobKind::Erase, n))
                .collect();
            let mut looked = std::collections::BTreeSet::new();
            for minute in 0..45 {
                let now = Timestamp::from_ms((1_800_000_000 + minute * 60) * 1000);
                let order = begun_at(open.clone(), now);
                assert_eq!(order.len(), open.len());
                looked.extend(order.into_iter().take(RUNS_APART));
            }
            assert_eq!(looked.len(), open.len(), "{count}");
        }
        assert!(begun_at(Vec::new(), Timestamp::from_ms(0)).is_empty());
    }
}
