//! `jobs` on Lambda.

use std::convert::Infallible;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use runtime::lambda::{self, Function};
use serde::de::IgnoredAny;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let function = &Function::start(env!("CARGO_CRATE_NAME"), jobs::App::from_env).await?;
    // What the schedule sends tells nothing but that it is time.
    run(service_fn(
        move |event: LambdaEvent<IgnoredAny>| async move {
            let trace = event.context.xray_trace_id.as_deref();
            let deadline = lambda::deadline(event.context.deadline);
            let handle = async |app: &jobs::App| jobs::handle(app, deadline).await;
            Ok::<_, Infallible>(function.invoke(trace, handle).await)
        },
    ))
    .await
}
