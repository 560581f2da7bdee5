//! What a refusal tells of the topic, or the copy, that a message is about.

use domain::message::{Content, Message, SendFault};
use store::StoreError;
use tracing::warn;

use super::{CallPurpose, NextCall};
use crate::App;

/// A topic that surely was not made is wanted again: the next word does not wait for Telegram's message of it.
pub(crate) async fn not_made(
    app: &App,
    call: &NextCall,
    fault: SendFault,
) -> Result<(), StoreError> {
    match call.purpose {
        CallPurpose::Create(owner, _, since) if fault != SendFault::Unknown => {
            app.topics.give_back(owner, since).await
        }
        _ => Ok(()),
    }
}

/// Notes what a refusal tells of the topic, or the copy, of a message; answers whether the message is to be tried again for
/// that, and at once.
pub(crate) async fn refused(
    app: &App,
    message: &Message,
    call: &NextCall,
    fault: SendFault,
) -> Result<bool, StoreError> {
    let owner = match &message.content {
        Content::InTopic { owner, .. } => Some(*owner),
        _ => None,
    };
    match (fault, owner, call.thread) {
        (SendFault::ThreadGone, Some(owner), Some(thread)) => {
            warn!(chat.id = %message.chat, topic.id = thread, outcome = "topic_gone", "a topic is gone, the next word makes another one");
            app.topics.forget(owner, (message.chat, thread)).await?;
            Ok(true)
        }
        (SendFault::TopicClosed, Some(owner), Some(thread)) => {
            app.topics.close(owner, (message.chat, thread)).await?;
            Ok(true)
        }
        // It is open.
        (SendFault::NotModified, Some(_), _) => match call.purpose {
            CallPurpose::Reopen(owner, thread) => {
                let topic = (message.chat, thread);
                app.topics.open(owner, topic, None, app.clock.now()).await?;
                Ok(true)
            }
            _ => Ok(false),
        },
        (SendFault::EditTargetGone, ..) => {
            let content = match &message.content {
                Content::InTopic { post, .. } => post.as_ref(),
                content => content,
            };
            if let Content::Edit { from, message, .. } = content {
                app.relay_map.lose(*from, *message).await?;
                return Ok(true);
            }
            Ok(false)
        }
        // It is gone already, and no edit brings it again.
        (SendFault::NotModified, ..) => {
            if let Content::Delete { from, message, .. } = &message.content {
                app.relay_map.take_back(*from, *message).await?;
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}
