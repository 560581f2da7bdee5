//! Queues themselves: making, finding, configuring, emptying and deleting them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::attributes::{self, Queue, Settings};
use super::error::SqsError;
use super::page::page;
use super::params::Params;
use super::{Answered, Sqs, dead_letter, tags};

impl Sqs {
    pub(super) fn create_queue(&self, params: &Params) -> Answered {
        let name = params.required("QueueName")?;
        check_name(name)?;
        let mut settings = Settings::default();
        for (attribute, value) in params.text_map("Attributes")? {
            settings.set(attribute, value)?;
        }
        let mut queue_tags = BTreeMap::new();
        // The member is spelled in lower case here, and nowhere else.
        tags::add(&mut queue_tags, &params.text_map("tags")?)?;

        let mut store = self.store();
        if let Ok(existing) = store.queue(name) {
            let given = params.text_map("Attributes")?.into_iter();
            for (attribute, _) in given {
                if settings.get(attribute) != existing.settings.get(attribute) {
                    return Err(SqsError::queue_name_exists(attribute));
                }
            }
        } else {
            dead_letter::check_target(&store, name, &Queue::new(0, name, 0, settings.clone()))?;
            store.create(name, settings, queue_tags, self.clock.now_ms())?;
        }
        drop(store);
        Ok(json!({"QueueUrl": self.queue_url(name)}))
    }

    pub(super) fn get_queue_url(&self, params: &Params) -> Answered {
        let queue = self.store().queue(params.required("QueueName")?)?;
        Ok(json!({"QueueUrl": self.queue_url(&queue.name)}))
    }

    pub(super) fn list_queues(&self, params: &Params) -> Answered {
        let prefix = params.text("QueueNamePrefix")?.unwrap_or_default();
        let store = self.store();
        let names = store.queues().map(|queue| queue.name.as_str());
        let urls = names
            .filter(|name| name.starts_with(prefix))
            .map(|name| self.queue_url(name))
            .collect();
        drop(store);
        let (page, next) = page(urls, params)?;
        let mut answer = json!({});
        if !page.is_empty() {
            answer["QueueUrls"] = page.into();
        }
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    }

    pub(super) fn delete_queue(&self, params: &Params) -> Answered {
        let mut store = self.store();
        let queue = store.queue(params.queue_name()?)?;
        store.delete(&queue)?;
        Ok(Value::Null)
    }

    pub(super) fn purge_queue(&self, params: &Params) -> Answered {
        let mut store = self.store();
        let queue = store.queue(params.queue_name()?)?;
        store.purge(&queue, self.clock.now_ms())?;
        Ok(Value::Null)
    }

    pub(super) fn get_queue_attributes(&self, params: &Params) -> Answered {
        let mut store = self.store();
        let queue = store.queue(params.queue_name()?)?;
        let names = params.texts("AttributeNames")?;
        if let Some(unknown) = names
            .iter()
            .find(|name| **name != "All" && !attributes::is_known(name))
        {
            return Err(SqsError::unknown_attribute(unknown));
        }
        if names.is_empty() {
            return Ok(json!({}));
        }
        let wants = |name: &str| {
            names
                .iter()
                .any(|wanted| *wanted == name || *wanted == "All")
        };
        let mut listed = queue.settings.listed();
        listed.insert("QueueArn".to_owned(), queue.arn());
        listed.insert(
            "CreatedTimestamp".to_owned(),
            (queue.created_ms / 1000).to_string(),
        );
        listed.insert(
            "LastModifiedTimestamp".to_owned(),
            (queue.modified_ms / 1000).to_string(),
        );
        if attributes::READ_ONLY
            .iter()
            .any(|name| name.starts_with("Approximate") && wants(name))
        {
            let depth = store.depth(&queue, self.clock.now_ms())?;
            listed.insert(
                "ApproximateNumberOfMessages".to_owned(),
                depth.visible.to_string(),
            );
            listed.insert(
                "ApproximateNumberOfMessagesNotVisible".to_owned(),
                depth.in_flight.to_string(),
            );
            listed.insert(
                "ApproximateNumberOfMessagesDelayed".to_owned(),
                depth.delayed.to_string(),
            );
        }
        drop(store);
        listed.retain(|name, _| wants(name));
        Ok(if listed.is_empty() {
            json!({})
        } else {
            json!({"Attributes": listed})
        })
    }

    pub(super) fn set_queue_attributes(&self, params: &Params) -> Answered {
        if params.map("Attributes")?.is_none() {
            return Err(SqsError::missing("Attributes"));
        }
        let mut store = self.store();
        let mut queue = (*store.queue(params.queue_name()?)?).clone();
        let mut settings = queue.settings.clone();
        let given = params.text_map("Attributes")?;
        for (attribute, value) in &given {
            settings.set(attribute, value)?;
        }
        queue.configure(settings);
        queue.modified_ms = self.clock.now_ms();
        if given
            .iter()
            .any(|(attribute, _)| *attribute == "RedrivePolicy")
        {
            dead_letter::check_target(&store, &queue.name, &queue)?;
        }
        let name = queue.name.clone();
        store.change(queue)?;
        store.wake(&name);
        Ok(Value::Null)
    }
}

fn check_name(name: &str) -> Result<(), SqsError> {
    if name.ends_with(".fifo") {
        return Err(SqsError::unsupported(
            "FIFO queues are not supported by this server.",
        ));
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.len() > 80 || !name.bytes().all(is_allowed) {
        return Err(SqsError::invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    Ok(())
}
