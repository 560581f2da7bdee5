//! `shop` on Lambda.

use lambda_runtime::Error;
use runtime::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::answer_calls(env!("CARGO_CRATE_NAME"), shop::App::from_env, shop::handle).await
}
