//! Somebody who talks with the bot: what is known, and the role that they have.

use domain::command::Role;
use domain::id::TelegramUserId;
use runtime::response::Rejection;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use crate::{App, unavailable};

/// The body of `role`.
#[derive(Deserialize)]
pub(crate) struct Appointment {
    role: String,
}

/// What is known of a person.
pub(crate) async fn show(app: &App, id: TelegramUserId) -> Result<Value, Rejection> {
    let person = app.people.get(id).await.map_err(unavailable)?;
    let person = person.ok_or(Rejection::NotFound)?;
    Ok(json!({
        "telegramUserId": id.0,
        "name": person.name,
        "username": person.username,
        "language": person.language,
        "role": person.role,
        "reachable": person.reachable.as_str(),
        "optedOut": person.opted_out,
        "blocked": person.blocked,
        "createdAt": person.created_at,
        "lastSeenAt": person.last_seen_at,
    }))
}

/// Gives a person the role of operator or admin, or takes it by `public`. Owners are named by `BOT_OWNERS` alone.
pub(crate) async fn appoint(
    app: &App,
    who: &str,
    id: TelegramUserId,
    asked: Appointment,
) -> Result<Value, Rejection> {
    let role = match Role::of_word(&asked.role) {
        Some(role @ (Role::Operator | Role::Admin)) => Some(role),
        Some(Role::Public) => None,
        _ => return Err(Rejection::InvalidParameter),
    };
    let now = app.clock.now();
    app.people
        .appoint(id, role, now)
        .await
        .map_err(unavailable)?;
    let role = role.unwrap_or(Role::Public).as_str();
    info!(operator.name = who, outcome = "appointed", telegram.user = %id, role, "an operator gives or takes a role");
    Ok(json!({"telegramUserId": id.0, "role": role}))
}
