//! The entries of a batch: how many, by which ids, and the answer that names what failed.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::error::SqsError;
use super::params::Params;

const MAX_ENTRIES: usize = 10;

/// The entries with their ids, once the batch as a whole is right.
pub(super) fn entries(params: &Params, kind: &str) -> Result<Vec<(String, Params)>, SqsError> {
    let entries = params.entries("Entries")?;
    if entries.is_empty() {
        return Err(SqsError::empty_batch(kind));
    }
    if entries.len() > MAX_ENTRIES {
        return Err(SqsError::too_many_entries(entries.len()));
    }
    let mut seen = HashSet::new();
    let mut named = Vec::with_capacity(entries.len());
    for entry in entries {
        let id = entry.required("Id")?.to_owned();
        if id.len() > 80
            || !id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            return Err(SqsError::entry_id());
        }
        if !seen.insert(id.clone()) {
            return Err(SqsError::entry_id_repeated(&id));
        }
        named.push((id, entry));
    }
    Ok(named)
}

/// What became of the entries, in the order of the batch.
#[derive(Default)]
pub(super) struct Results {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl Results {
    pub(super) fn add(&mut self, id: &str, result: Result<Value, SqsError>) {
        match result {
            Ok(Value::Object(mut answer)) => {
                answer.insert("Id".to_owned(), id.into());
                self.successful.push(answer.into());
            }
            Ok(_) => self.successful.push(json!({"Id": id})),
            Err(error) => self.failed.push(error.into_entry(id)),
        }
    }

    pub(super) fn into_answer(self) -> Value {
        let mut answer = json!({"Successful": self.successful});
        if !self.failed.is_empty() {
            answer["Failed"] = self.failed.into();
        }
        answer
    }
}
