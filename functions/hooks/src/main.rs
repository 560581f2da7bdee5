//! `hooks` on Lambda.

use std::convert::Infallible;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use runtime::lambda::{self, Function, Invocation};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let function = &Function::start(env!("CARGO_CRATE_NAME"), hooks::App::from_env).await?;
    run(service_fn(
        move |event: LambdaEvent<Invocation>| async move {
            let deadline = lambda::deadline(event.context.deadline);
            let trace = event.context.xray_trace_id.as_deref();
            let handle = async |app: &hooks::App| hooks::handle(app, event.payload, deadline).await;
            Ok::<_, Infallible>(function.invoke(trace, handle).await)
        },
    ))
    .await
}
