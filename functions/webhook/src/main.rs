//! `webhook` on Lambda.

use std::convert::Infallible;

use common::lambda;
use lambda_http::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &lambda::app(webhook::App::from_env).await?;
    run(service_fn(move |event| async move {
        Ok::<_, Infallible>(lambda::response(
            webhook::handle(app, lambda::request(event)).await,
        ))
    }))
    .await
}
