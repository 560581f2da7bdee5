//! Tags of a queue. They mean nothing here and are kept faithfully.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::attributes::Queue;
use super::error::SqsError;
use super::params::Params;
use super::{Answered, Sqs};

const MAX_TAGS: usize = 50;

/// Reads tags and adds them to `tags`.
pub(super) fn add(
    tags: &mut BTreeMap<String, String>,
    given: &[(&str, &str)],
) -> Result<(), SqsError> {
    for (key, value) in given {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(SqsError::invalid(
                "Tag keys must be 1 to 128 characters long, and tag values at most 256.",
            ));
        }
        tags.insert((*key).to_owned(), (*value).to_owned());
    }
    if tags.len() > MAX_TAGS {
        return Err(SqsError::invalid(format!(
            "Too many tags added for queue: at most {MAX_TAGS} are allowed."
        )));
    }
    Ok(())
}

impl Sqs {
    pub(super) fn tag_queue(&self, params: &Params) -> Answered {
        if params.map("Tags")?.is_none() {
            return Err(SqsError::missing("Tags"));
        }
        let given = params.text_map("Tags")?;
        self.change_tags(params, |queue| add(&mut queue.tags, &given))
    }

    pub(super) fn untag_queue(&self, params: &Params) -> Answered {
        let keys = params.texts("TagKeys")?;
        if keys.is_empty() {
            return Err(SqsError::missing("TagKeys"));
        }
        self.change_tags(params, |queue| {
            queue.tags.retain(|key, _| !keys.contains(&key.as_str()));
            Ok(())
        })
    }

    pub(super) fn list_queue_tags(&self, params: &Params) -> Answered {
        let queue = self.store().queue(params.queue_name()?)?;
        Ok(if queue.tags.is_empty() {
            json!({})
        } else {
            json!({"Tags": queue.tags})
        })
    }

    fn change_tags(
        &self,
        params: &Params,
        change: impl FnOnce(&mut Queue) -> Result<(), SqsError>,
    ) -> Answered {
        let mut store = self.store();
        let mut queue = (*store.queue(params.queue_name()?)?).clone();
        change(&mut queue)?;
        store.change(queue)?;
        Ok(Value::Null)
    }
}
