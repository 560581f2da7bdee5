//! What an actor is shown of what Telegram answers: nothing that others wrote, which a reply or a pinned message would bring
//! along, and no link that lets anybody in.

use serde_json::Value;

/// Fields of a message or a chat that no actor sees.
const LEFT_OUT: [&str; 5] = [
    "reply_to_message",
    "external_reply",
    "quote",
    "pinned_message",
    "invite_link",
];

/// A result without them: a message, several, a chat, or something that has none of them.
pub(crate) fn shown(mut result: Value) -> Value {
    let all = match &mut result {
        Value::Array(all) => all.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for fields in all.iter_mut().filter_map(Value::as_object_mut) {
        fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    }
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_wrote_and_links_are_left_out() {
        let seen = json!({"message_id": 3, "chat": {"id": 7}, "text": "hi"});
        let mut given = seen.clone();
        for name in LEFT_OUT {
            given[name] = json!({"text": "a secret"});
        }
        assert_eq!(shown(given.clone()), seen);
        assert_eq!(shown(json!([given, seen])), json!([seen, seen]));
        for plain in [
            json!(true),
            json!({"message_id": 3}),
            json!([{"message_id": 3}]),
        ] {
            assert_eq!(shown(plain.clone()), plain);
        }
    }
}
