//! What a bot shows of itself.

use std::collections::HashMap;

use serde_json::Value;

/// The settings that a bot made by methods.
#[derive(Debug, Default)]
pub(crate) struct BotProfile {
    /// By scope and language.
    pub(crate) commands: HashMap<(String, String), Vec<Value>>,
    /// By language; empty is the one for all others.
    pub(crate) descriptions: HashMap<String, String>,
    pub(crate) short_descriptions: HashMap<String, String>,
    /// By person; none is the one for all others.
    pub(crate) menu_buttons: HashMap<Option<i64>, Value>,
}

impl BotProfile {
    /// The text of a language, else the one for all.
    pub(crate) fn text(texts: &HashMap<String, String>, language: &str) -> String {
        let own = texts.get(language).filter(|text| !text.is_empty());
        own.or_else(|| texts.get("")).cloned().unwrap_or_default()
    }
}
