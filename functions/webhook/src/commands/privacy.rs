//! `/privacy`: what is kept, and where the seller's own policy is.

use domain::message::Class;
use domain::texts::{Address, Text};

use crate::Failure;
use crate::conversation::Conversation;

pub(super) async fn run(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let days = u32::try_from(conversation.app.people.ttl_days()).unwrap_or(u32::MAX);
    let mut html = Text::Privacy { days }.html(conversation.language);
    if let Some(url) = &conversation.app.privacy_url {
        html.push_str("\n\n");
        html.push_str(&Text::PrivacyPolicy { page: Address(url) }.html(conversation.language));
    }
    conversation.say(Class::Reply, html, Vec::new()).await
}
