//! `request` on Lambda.

use std::convert::Infallible;

use common::gateway::{Answer, Call};
use common::lambda;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &lambda::app(request::App::from_env).await?;
    run(service_fn(move |event: LambdaEvent<Call>| async move {
        let answer = request::handle(app, event.payload.into()).await;
        Ok::<_, Infallible>(Answer::from(answer))
    }))
    .await
}
