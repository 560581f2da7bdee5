//! `stock` on Lambda.

use std::convert::Infallible;

use common::lambda;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::de::IgnoredAny;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &lambda::app(stock::App::from_env).await?;
    // What the schedule sends tells nothing but that it is time.
    run(service_fn(move |_: LambdaEvent<IgnoredAny>| async move {
        Ok::<_, Infallible>(stock::handle(app).await)
    }))
    .await
}
