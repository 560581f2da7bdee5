//! `events` on Lambda.

use std::convert::Infallible;

use common::lambda;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &lambda::app(events::App::from_env).await?;
    run(service_fn(move |event: LambdaEvent<_>| async move {
        Ok::<_, Infallible>(events::handle(app, event.payload).await)
    }))
    .await
}
