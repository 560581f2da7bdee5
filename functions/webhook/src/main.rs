//! `webhook` on Lambda.

use lambda_runtime::Error;
use runtime::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::answer_calls_and_ticks(
        env!("CARGO_CRATE_NAME"),
        webhook::App::from_env,
        webhook::handle,
        webhook::replay,
    )
    .await
}
