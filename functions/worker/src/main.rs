//! `worker` on Lambda.

use std::convert::Infallible;
use std::time::Instant;

use common::clock::Clock;
use common::domain::time::Timestamp;
use common::lambda;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &lambda::app(worker::App::from_env).await?;
    run(service_fn(move |event: LambdaEvent<_>| async move {
        let ends = Timestamp::from_ms(i64::try_from(event.context.deadline).unwrap_or(i64::MAX));
        let deadline = Instant::now() + ends.since(Clock::real().now());
        Ok::<_, Infallible>(worker::handle(app, event.payload, deadline).await)
    }))
    .await
}
