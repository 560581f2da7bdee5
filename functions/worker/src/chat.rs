//! The jobs of one chat in one invocation: who gets a slot runs at its slot, the others go back to the queue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::domain::id::ChatId;
use common::domain::job::Job;
use common::domain::pace::{Ticket, Turn};
use common::store::{PaceKey, StoreError};
use common::telemetry::chain;
use common::{aws, telegram};
use futures_util::future::join_all;
use tracing::error;

use crate::line::Line;
use crate::{App, End, Served, Task, WorkError, mint, revoke};

/// How far off a slot may be to be waited for here; waiting in the queue costs nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a job may take after its slot has come: Telegram's answer, and our own writes.
const JOB_TIME: Duration =
    Duration::from_secs(telegram::CALL_TIMEOUT.as_secs() + 4 * aws::CALL_TIMEOUT.as_secs());
/// How often a chat is followed that has moved. Two chats that point at each other would be followed for ever.
const MOVES_MAX: u32 = 3;

/// The ticket that a job shows.
fn ticket(job: &Job) -> Ticket {
    match job {
        Job::Mint(mint) if mint.not_before.is_some() => Ticket::Returned,
        Job::Mint(_) => Ticket::New,
        Job::Revoke(_) => Ticket::Revocation,
    }
}

/// What the line says to all tasks at once.
enum Plan {
    Turns(Vec<Turn>),
    Moved(ChatId),
}

/// Serves all tasks of a chat; each is answered once.
pub(crate) async fn serve(
    app: &App,
    chat: ChatId,
    mut tasks: Vec<Task>,
    deadline: Instant,
) -> Vec<Served> {
    let mut line = Line {
        key: PaceKey {
            bot: app.telegram.bot(),
            chat,
        },
        changed: AtomicBool::new(false),
    };
    let mut served = Vec::with_capacity(tasks.len());
    let mut moves = 0;
    // Each round ends all tasks but those whose chat was paused or moved in it: two rounds, rarely three.
    while !tasks.is_empty() {
        tasks.sort_by_key(|task| ticket(&task.job));
        match plan(app, &line, &tasks).await {
            Ok(Plan::Moved(_)) if moves == MOVES_MAX => {
                error!(chat.id = %chat, fault = "migrated", "a chat moved in a circle; delete its records in the Pace table");
                served.extend(tasks.drain(..).map(|task| task.ends(End::HandBack)));
            }
            Ok(Plan::Moved(chat)) => {
                moves += 1;
                line.key.chat = chat;
                for task in &mut tasks {
                    task.job = task.job.clone().moved_to(chat);
                }
            }
            Ok(Plan::Turns(turns)) => {
                line.changed.store(false, Ordering::Relaxed);
                let runs = tasks
                    .into_iter()
                    .zip(turns)
                    .map(|(task, turn)| run(app, &line, task, turn, deadline));
                let mut again = Vec::new();
                for run in join_all(runs).await {
                    match run {
                        Ok(end) => served.push(end),
                        Err(task) => again.push(task),
                    }
                }
                tasks = again;
            }
            Err(fault) => {
                error!(chat.id = %chat, fault = "unavailable", "the pace of a chat can't be told: {}", chain(&fault));
                served.extend(tasks.drain(..).map(|task| task.ends(End::HandBack)));
            }
        }
    }
    served
}

async fn plan(app: &App, line: &Line, tasks: &[Task]) -> Result<Plan, StoreError> {
    let tickets: Vec<Ticket> = tasks.iter().map(|task| ticket(&task.job)).collect();
    let successes = app.take_successes(line.key);
    let now = app.clock.now();
    let plan = app
        .paces
        .change(line.key, now, |pace| match pace.migrated_to {
            Some(chat) => Plan::Moved(chat),
            None => {
                pace.succeeded(successes);
                Plan::Turns(pace.take(&tickets, now, PATIENCE))
            }
        });
    plan.await
}

/// Runs a task at its slot; hands it back as the error if the line changed before its slot came.
async fn run(
    app: &App,
    line: &Line,
    task: Task,
    turn: Turn,
    deadline: Instant,
) -> Result<Served, Task> {
    let slot = match turn {
        Turn::Later(at) => return Ok(task.put_back_until(at)),
        Turn::Slot(slot) => slot,
    };
    app.clock.sleep_until(slot).await;
    if line.changed.load(Ordering::Relaxed) {
        return Err(task);
    }
    if deadline.saturating_duration_since(Instant::now()) < JOB_TIME {
        // Handed back, not put back: under a time-out that is too short for any job it would come back for ever.
        error!(invite.id = %task.job.request_id(), fault = "timeout", "no time is left for a job in this invocation");
        return Ok(task.ends(End::HandBack));
    }
    let Task {
        message_ids,
        job,
        attempt,
    } = task;
    let id = job.request_id();
    let end = match job {
        Job::Mint(mint) => mint::run(app, line, mint).await,
        Job::Revoke(revoke) => revoke::run(app, line, revoke, attempt).await,
    };
    let end = end.unwrap_or_else(|fault: WorkError| {
        error!(invite.id = %id, fault = "unavailable", "a job is handed back to the queue: {}", chain(&fault));
        End::HandBack
    });
    Ok(Served { message_ids, end })
}
