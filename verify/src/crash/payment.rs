//! What a shop reports.

use serde_json::{Value, json};

/// A payment as a shop reports it.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) body: Value,
    pub(super) key: Option<&'static str>,
}

impl Payment {
    /// Payment number `n` of a shop that tells more than it is asked for.
    pub(super) fn number(n: u32) -> Self {
        let body = json!({"userId": format!("u{n}"), "transactionId": format!("T{n}"),
            "email": format!("buyer{n}@example.invalid")});
        Self { body, key: None }
    }

    pub(super) fn without_transaction() -> Self {
        let body = json!({"userId": "u1"});
        Self { body, key: None }
    }

    pub(super) fn by_key() -> Self {
        let key = Some("K1");
        Self {
            key,
            ..Self::without_transaction()
        }
    }
}
