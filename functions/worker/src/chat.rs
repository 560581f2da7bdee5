//! The jobs of one chat in one invocation: who gets a slot runs at its slot, the others go back to the queue.

use std::time::Duration;

use common::domain::id::{BotId, ChatId};
use common::domain::job::Job;
use common::domain::pace::{Candidate, Pace, Place, Successes, Turn, take};
use common::domain::time::Timestamp;
use common::store::{self, StoreError, Stored};
use common::telemetry::chain;
use common::{aws, telegram, trace};
use futures_util::future::{join_all, try_join_all};
use tokio::time::Instant;
use tracing::error;

use crate::line::Line;
use crate::{App, End, Served, Task, WorkError, mint, revoke, stock};

/// How long an invocation may wait for slots in all; waiting in the queue costs nothing.
const PATIENCE: Duration = Duration::from_millis(1200);
/// A slot that was waited for longer than this is looked at again: another worker may have met a limit meanwhile.
const UNSEEN: Duration = Duration::from_millis(250);
/// How long before its slot a mint starts: what it does before it calls Telegram must not make the calls uneven, which a
/// strict limit would refuse.
const LEAD: Duration = Duration::from_millis(30);
/// What a job may take after its slot has come: Telegram's answer, and our own writes.
const JOB_TIME: Duration =
    Duration::from_secs(telegram::CALL_TIMEOUT.as_secs() + 4 * aws::CALL_TIMEOUT.as_secs());
/// How often a chat is followed that has moved. Two chats that point at each other would be followed for ever.
const MOVES_MAX: u32 = 3;
/// How often a worker that lost slots to others decides anew. Each loss means that another one came through.
const TRIES: u32 = 50;

/// What the lines say to all tasks at once.
enum Plan {
    Turns(Vec<Turn>),
    Moved(ChatId),
}

/// Serves all tasks of a chat; each is answered once.
pub(crate) async fn serve(
    app: &App,
    mut chat: ChatId,
    mut tasks: Vec<Task>,
    deadline: Instant,
) -> Vec<Served> {
    let mut served = Vec::with_capacity(tasks.len());
    let (mut moves, began) = (0, app.clock.now());
    // Each round ends all tasks but those whose line was paused or moved in it: two rounds, rarely more.
    while !tasks.is_empty() {
        let round = async {
            let now = app.clock.now();
            let bots = app.bots.iter();
            let lines = try_join_all(bots.map(|bot| Line::of(app, bot, chat, now))).await?;
            let all = in_order(&lines, &mut tasks);
            let patience = PATIENCE.saturating_sub(now.since(began));
            let plan = match plan(app, &lines, &all, patience).await {
                Ok(plan) => plan,
                // Not drained: they are handed back.
                Err(fault) => {
                    tasks.extend(all.into_iter().map(|(task, _)| task));
                    return Err(fault);
                }
            };
            Ok::<_, StoreError>((lines, all, plan))
        };
        match round.await {
            Ok((_, all, Plan::Moved(_))) if moves == MOVES_MAX => {
                error!(chat.id = %chat, fault = "migrated", "a chat moved in a circle; delete its records in the Pace table");
                served.extend(all.into_iter().map(|(task, _)| task.ends(End::HandBack)));
            }
            Ok((_, all, Plan::Moved(to))) => {
                moves += 1;
                chat = to;
                for (mut task, _) in all {
                    task.job = task.job.moved_to(chat);
                    tasks.push(task);
                }
            }
            Ok((lines, all, Plan::Turns(turns))) => {
                let runs = all
                    .into_iter()
                    .zip(turns)
                    .map(|((task, _), turn)| run(app, &lines, task, turn, deadline));
                for run in join_all(runs).await {
                    match run {
                        Ok(end) => served.push(end),
                        Err(task) => tasks.push(task),
                    }
                }
            }
            Err(fault) => {
                error!(chat.id = %chat, fault = "unavailable", "the pace of a chat can't be told: {}", chain(&fault));
                served.extend(tasks.drain(..).map(|task| task.ends(End::HandBack)));
            }
        }
    }
    served
}

/// The tasks in the order in which those that come together are served, with the places that they show.
fn in_order(lines: &[Line<'_>], tasks: &mut Vec<Task>) -> Vec<(Task, Place)> {
    let mut all: Vec<(Task, Place)> = tasks
        .drain(..)
        .map(|task| {
            let place = match &task.job {
                Job::Mint(_) => task.place,
                Job::Revoke(revoke) => Place::Yielding {
                    line: Some(line_of(lines, revoke.bot_id)),
                },
                Job::Stock(_) => Place::Yielding { line: None },
            };
            (task, place)
        })
        .collect();
    // A used link is to be revoked before one more is made for the stock.
    all.sort_by_key(|(task, place)| (matches!(task.job, Job::Stock(_)), *place));
    all
}

/// The line of a bot, by its position: the first one, if the bot is not named or not ours any more.
pub(crate) fn line_of(lines: &[Line<'_>], bot: Option<BotId>) -> usize {
    bot.and_then(|bot| lines.iter().position(|line| line.bot.bot() == bot))
        .unwrap_or_default()
}

/// Takes turns for all tasks, from whichever bot is free first. A line that another worker changed meanwhile is read
/// anew, for the tasks that it was to serve.
async fn plan(
    app: &App,
    lines: &[Line<'_>],
    tasks: &[(Task, Place)],
    patience: Duration,
) -> Result<Plan, StoreError> {
    let mut known = try_join_all(lines.iter().map(|line| state(app, line))).await?;
    if let Some(to) = known.iter().find_map(|state| state.migrated_to) {
        return Ok(Plan::Moved(to));
    }
    let chat = lines.first().map_or(ChatId(0), |line| line.chat);
    let mut successes: Vec<Successes> = lines
        .iter()
        .map(|line| app.take_successes(line.slots))
        .collect();
    let mut turns: Vec<Option<Turn>> = vec![None; tasks.len()];
    for _ in 0..TRIES {
        let now = app.clock.now();
        let mut paces: Vec<Pace> = known.iter().map(|state| state.line.pace.clone()).collect();
        for (pace, successes) in paces.iter_mut().zip(&successes) {
            pace.succeeded(*successes);
        }
        let mut candidates: Vec<Candidate<'_>> = paces
            .iter_mut()
            .zip(&known)
            .map(|(pace, state)| Candidate {
                pace,
                not_before: state.not_before,
            })
            .collect();
        let open: Vec<usize> = (0..tasks.len())
            .filter(|task| turns[*task].is_none())
            .collect();
        let places: Vec<Place> = open.iter().map(|task| tasks[*task].1).collect();
        let given = take(&mut candidates, chat, &places, now, patience);
        for (task, turn) in open.iter().zip(given) {
            turns[*task] = Some(turn);
        }
        let mut lost = false;
        for (position, pace) in paces.into_iter().enumerate() {
            let state = &mut known[position];
            if pace == state.line.pace {
                continue;
            }
            match app.paces.store(&state.line, pace, now).await? {
                Stored::Done(line) => {
                    state.line = line;
                    successes[position] = Successes::default();
                }
                Stored::Newer(newer) => {
                    lost = true;
                    if newer.key == lines[position].pair() {
                        state.not_before = newer.pace.stopped_until(now);
                    }
                    state.line = newer;
                    // What was to be had of this line, tickets too, is decided anew.
                    for task in &open {
                        let of_this_line = match turns[*task] {
                            Some(Turn::Slot { line, .. }) => line == position,
                            Some(Turn::Later { .. }) => true,
                            None => false,
                        };
                        if of_this_line {
                            turns[*task] = None;
                        }
                    }
                }
            }
        }
        if !lost {
            return Ok(Plan::Turns(turns.into_iter().flatten().collect()));
        }
    }
    Err(StoreError::Contended {
        table: "Pace".to_owned(),
    })
}

/// A line and what else is known of its bot in this chat.
struct State {
    line: store::Line,
    not_before: Timestamp,
    migrated_to: Option<ChatId>,
}

async fn state(app: &App, line: &Line<'_>) -> Result<State, StoreError> {
    let now = app.clock.now();
    let slots = app.paces.read(line.slots).await?;
    if line.slots == line.pair() {
        return Ok(State {
            not_before: slots.pace.stopped_until(now),
            migrated_to: slots.pace.migrated_to,
            line: slots,
        });
    }
    let pair = app.paces.read(line.pair()).await?;
    Ok(State {
        line: slots,
        not_before: pair.pace.paused_until.max(pair.pace.stopped_until(now)),
        migrated_to: pair.pace.migrated_to,
    })
}

/// Runs a task at its slot; hands it back as the error if it is to ask for another turn.
async fn run(
    app: &App,
    lines: &[Line<'_>],
    task: Task,
    turn: Turn,
    deadline: Instant,
) -> Result<Served, Task> {
    let (line, slot, paced) = match turn {
        Turn::Later { at, place } => return Ok(task.put_back_until(at, place)),
        Turn::Slot { line, at, paced } => (&lines[line], at, paced),
    };
    // From here on it has had its turn.
    let task = Task {
        place: Place::Front,
        ..task
    };
    let waited = slot.since(app.clock.now());
    let lead = match task.job {
        Job::Mint(_) => LEAD,
        Job::Revoke(_) | Job::Stock(_) => Duration::ZERO,
    };
    if !line
        .holds_for(app.clock.sleep_until(slot.minus(lead)))
        .await
    {
        return Err(task);
    }
    if waited > UNSEEN {
        match state(app, line).await {
            Ok(state) => {
                let opens = state.not_before.max(state.line.pace.paused_until);
                if opens > slot || state.migrated_to.is_some() {
                    line.change();
                    return Err(task);
                }
            }
            Err(fault) => {
                error!(chat.id = %line.chat, fault = "unavailable", "the pace of a chat can't be told: {}", chain(&fault));
                return Ok(task.ends(End::HandBack));
            }
        }
    }
    if deadline.saturating_duration_since(Instant::now()) < JOB_TIME {
        // Handed back, not put back: under a time-out that is too short for any job it would come back for ever.
        error!(
            invite.id = task.job.request_id().map(display),
            fault = "timeout",
            "no time is left for a job in this invocation"
        );
        return Ok(task.ends(End::HandBack));
    }
    let id = task.job.request_id();
    let work = async {
        match &task.job {
            Job::Mint(mint) => mint::run(app, line, mint.clone(), slot, paced).await,
            Job::Revoke(revoke) => {
                revoke::run(app, line, revoke.clone(), task.attempt, paced).await
            }
            Job::Stock(restock) => {
                stock::run(app, line, restock.clone(), task.attempt, paced).await
            }
        }
    };
    let end = trace::within(task.trace.as_deref(), work).await;
    let end = end.unwrap_or_else(|fault: WorkError| {
        error!(
            invite.id = id.map(display),
            fault = "unavailable",
            "a job is handed back to the queue: {}",
            chain(&fault)
        );
        End::HandBack
    });
    match end {
        End::Again => Err(task),
        end => Ok(task.ends(end)),
    }
}
