//! The text of the secret that `SECRETS_ARN` names.
//!
//! It fills in what is missing and replaces nothing, and a secret that can't be read is not quoted.

#![no_main]

use std::sync::LazyLock;

use fuzz::FuzzWorld;
use libfuzzer_sys::fuzz_target;
use runtime::config::Env;
use serde_json::{Value, json};

static WORLD: LazyLock<FuzzWorld> = LazyLock::new(FuzzWorld::default);

fuzz_target!(|text: &str| {
    let answer = json!({"ARN": "arn:aws:secretsmanager:us-east-1:0:secret:s", "Name": "s", "SecretString": text});
    WORLD.answer_all(200, "", answer.to_string().as_bytes());
    let mut env: Env = WORLD.env();
    env.fill_in(
        "SECRETS_ARN".to_owned(),
        "arn:aws:secretsmanager:us-east-1:0:secret:s".to_owned(),
    );
    match WORLD.run(runtime::secrets::fill_in(env)) {
        Ok(env) => {
            assert_eq!(
                env.optional("API_KEYS").as_deref(),
                Some(fuzz::API_KEY),
                "a set name was replaced"
            );
            let Ok(Value::Object(given)) = serde_json::from_str(text) else {
                panic!("no JSON object was taken")
            };
            assert!(given.values().all(Value::is_string));
        }
        Err(error) => {
            let sentence = error.to_string();
            let fixed =
                "the secret that SECRETS_ARN names can't be read: it is no JSON object of strings";
            assert_eq!(sentence, fixed, "the secret may be quoted");
        }
    }
});
