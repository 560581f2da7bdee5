//! `worker` on Lambda.

use std::convert::Infallible;

use common::lambda;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &lambda::app(worker::App::from_env).await?;
    run(service_fn(move |event: LambdaEvent<_>| async move {
        let deadline = lambda::deadline(event.context.deadline);
        Ok::<_, Infallible>(worker::handle(app, event.payload, deadline).await)
    }))
    .await
}
