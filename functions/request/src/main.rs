//! `request` on Lambda.

use std::convert::Infallible;

use common::gateway::{Answer, Call};
use common::lambda::Function;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let function = &Function::start(request::App::from_env).await?;
    run(service_fn(move |event: LambdaEvent<Call>| async move {
        let trace = event.context.xray_trace_id.as_deref();
        let call = http::Request::from(event.payload);
        let handle = async |app: &request::App| request::handle(app, call.clone()).await;
        let answer = function.answer(trace, handle, |answer| answer.status() == 401);
        Ok::<_, Infallible>(Answer::from(answer.await))
    }))
    .await
}
