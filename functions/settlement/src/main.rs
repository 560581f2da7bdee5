//! `settlement` on Lambda.

use std::convert::Infallible;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use runtime::lambda::{self, Function};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let function = &Function::start(env!("CARGO_CRATE_NAME"), settlement::App::from_env).await?;
    run(service_fn(move |event: LambdaEvent<SqsEvent>| async move {
        let deadline = lambda::deadline(event.context.deadline);
        let trace = event.context.xray_trace_id.as_deref();
        let handle = async |app: &settlement::App| {
            settlement::answer_bells(app, event.payload, deadline).await
        };
        Ok::<_, Infallible>(function.invoke(trace, handle).await)
    }))
    .await
}
