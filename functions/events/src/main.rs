//! `events` on Lambda.

use std::convert::Infallible;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use runtime::lambda::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let function = &Function::start(env!("CARGO_CRATE_NAME"), events::App::from_env).await?;
    run(service_fn(move |event: LambdaEvent<_>| async move {
        let trace = event.context.xray_trace_id.as_deref();
        let handle = async |app: &events::App| events::handle(app, event.payload).await;
        Ok::<_, Infallible>(function.invoke(trace, handle).await)
    }))
    .await
}
