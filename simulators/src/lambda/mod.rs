//! Lambda on one machine: runs a function's release binary under the Lambda runtime API, unmodified.
//!
//! One [`Function`] is one execution environment: its own process, its own runtime API on a free loopback port, one
//! event at a time. It owns start, invocation, time-out, kill and what can be measured from outside (time to ready,
//! peak memory, processor time, log lines). It never restarts a process: an environment that crashed or timed out is
//! over, as on Lambda, and the caller spawns the next one.
//!
//! ```no_run
//! # use std::time::Duration;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use simulators::lambda::Function;
//! let env = [("API_KEYS", "demo-shop-key-0123456789abcdef")];
//! let status = Function::spawn("target/lambda/status/bootstrap", env, Duration::from_secs(10)).await?;
//! let cold_start = status.ready().await?;
//! let answer = status.invoke(br#"{"version": "2.0"}"#.to_vec()).await?;
//! # let _ = (cold_start, answer); Ok(())
//! # }
//! ```

mod function;
mod process;
mod runtime_api;

pub use function::{Function, InitError, InvokeError, SpawnError};
pub use process::cpu_ms;
pub use runtime_api::FunctionFault;
