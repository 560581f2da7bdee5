//! The dead letters: what failed five times, and sending it back.

use futures_util::future::try_join_all;
use runtime::response::Rejection;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::queue::{DeadLetter, MoveTask, QueueName, Redriven, Sample};
use tracing::info;

use crate::{App, unavailable};

/// The body of `redrive`.
#[derive(Deserialize)]
pub(crate) struct Redrive {
    queue: String,
}

/// What lies in both queues.
pub(crate) async fn list(app: &App) -> Result<Value, Rejection> {
    let samples = try_join_all(QueueName::ALL.map(|queue| app.dead_letters.sample(queue))).await;
    let samples = samples.map_err(unavailable)?;
    let queues = QueueName::ALL.into_iter().zip(samples);
    let queues: Map<String, Value> = queues
        .map(|(queue, sample)| (queue.as_str().to_owned(), view(&sample)))
        .collect();
    Ok(json!({"queues": queues}))
}

/// Sends the dead letters of a queue back to where they came from.
pub(crate) async fn redrive(app: &App, who: &str, asked: Redrive) -> Result<Value, Rejection> {
    let queue = QueueName::parse(&asked.queue).ok_or(Rejection::InvalidParameter)?;
    let redriven = app.dead_letters.redrive(queue).await.map_err(unavailable)?;
    info!(
        operator.name = who,
        outcome = "redrive",
        queue = queue.as_str(),
        "an operator sends dead letters back"
    );
    Ok(match redriven {
        Redriven::Started => json!({"queue": queue.as_str(), "result": "started"}),
        Redriven::Running(task) => {
            json!({"queue": queue.as_str(), "result": "running", "task": task_view(&task)})
        }
    })
}

fn view(sample: &Sample) -> Value {
    let messages: Vec<Value> = sample.messages.iter().map(message_view).collect();
    let tasks: Vec<Value> = sample.tasks.iter().map(task_view).collect();
    json!({"count": sample.count, "messages": messages, "tasks": tasks})
}

fn message_view(letter: &DeadLetter) -> Value {
    let mut view =
        json!({"messageId": letter.message_id, "kind": letter.kind, "bytes": letter.bytes});
    let optional = [
        ("sentAt", letter.sent_at.map(|at| json!(at))),
        ("requestId", letter.request_id.map(|id| json!(id))),
        ("chatId", letter.chat.map(|id| json!(id))),
        ("eventName", letter.event_name.map(|name| json!(name))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            view[name] = value;
        }
    }
    view
}

fn task_view(task: &MoveTask) -> Value {
    let mut view =
        json!({"status": task.status, "moved": task.moved, "startedAt": task.started_at});
    if let Some(to_move) = task.to_move {
        view["toMove"] = to_move.into();
    }
    if let Some(failure) = &task.failure {
        view["failure"] = failure.clone().into();
    }
    view
}
