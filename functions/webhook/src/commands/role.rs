//! `/role <id> <role>`: nobody gives or takes what is not below their own role.

use domain::command::Role;
use domain::texts::{Name, Text};
use tracing::info;

use super::subject::person_id;
use crate::Failure;
use crate::conversation::Conversation;

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let mut words = arguments.split_whitespace();
    let person = words.next().and_then(person_id);
    let role = words.next().and_then(Role::of_word);
    let (Some(person), Some(role)) = (person, role) else {
        return conversation.answer(Text::RoleHowTo).await;
    };
    let app = conversation.app;
    let known = app.people.get(person).await?.and_then(|known| known.role);
    let is_owner = app.owners.contains(&person);
    let is_below = |role: Role| role < conversation.role;
    if is_owner || !is_below(role) || !known.is_none_or(is_below) {
        return conversation.answer(Text::RoleTooHigh).await;
    }
    let given = (role > Role::Member).then_some(role);
    app.people.appoint(person, given, app.clock.now()).await?;
    info!(outcome = "appointed", by = %conversation.person(), person = %person, role = role.as_str(), "a role was given or taken");
    let id = person.to_string();
    let text = Text::RoleGiven {
        person: Name(&id),
        role: given.unwrap_or(Role::Public),
    };
    conversation.answer(text).await
}
