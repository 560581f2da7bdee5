//! A message of the invite queue: its body. And the name of a task, which the lease of a chat keeps as text.
//!
//! Both survive their own text, and a bell carries nothing but its chat.

#![no_main]

use domain::task::TaskKey;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use store::queue::Bell;

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<TaskKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    let Ok(bell) = serde_json::from_str::<Bell>(text) else {
        return;
    };
    let Bell::Work { chat_id } = bell;
    let written = serde_json::to_value(bell).expect("a bell is JSON");
    assert_eq!(written, json!({"kind": "work", "chatId": chat_id}));
    let again: Bell = serde_json::from_value(written).expect("its own JSON is a bell");
    assert_eq!(again, bell);
});
