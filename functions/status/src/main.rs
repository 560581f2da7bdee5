//! `status` on Lambda.

use common::lambda;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::answer_calls(status::App::from_env, status::handle).await
}
