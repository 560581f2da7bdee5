//! `setup` on Lambda.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use runtime::config::Env;
use runtime::{lambda, telemetry};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_CRATE_NAME"), &Env::of_process());
    run(service_fn(async |event: LambdaEvent<Value>| {
        let deadline = lambda::deadline(event.context.deadline);
        let name = &event.context.env_config.function_name;
        // Read at each call: between two of them somebody fills in the secret. And whatever is wrong with it must be
        // answered, so that nothing of it can refuse the start.
        let outcome = setup::handle(Env::of_process(), &event.payload, name, deadline).await;
        outcome.map_err(|unanswered| unanswered.to_string())
    }))
    .await
}
