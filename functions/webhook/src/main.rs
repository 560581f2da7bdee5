//! `webhook` on Lambda.

use common::lambda;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::answer_calls(webhook::App::from_env, webhook::handle).await
}
