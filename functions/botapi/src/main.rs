//! `botapi` on Lambda, behind a Function URL whose answers are streamed.

use lambda_runtime::Error;
use runtime::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::stream_answers(
        env!("CARGO_CRATE_NAME"),
        botapi::App::from_env,
        botapi::handle,
    )
    .await
}
