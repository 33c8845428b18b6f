//! Workloads in Rust: see `tests/workloads/README.md` for the protocol and what each must look like.
//!
//! The standard library, an async runtime for one scenario, and no `unsafe`: this is how an ordinary Rust
//! service leaks.

mod async_worker;
mod client_leak;
mod close_wait;
mod peer;
mod protocol;
mod sockets;
mod worker;

use std::env;
use std::process::ExitCode;

use protocol::{Arguments, Failure};

fn main() -> ExitCode {
    let mut arguments = Arguments::new(env::args().skip(1));
    let scenario = arguments.next().unwrap_or_default();
    let result = match scenario.as_str() {
        "close_wait" => close_wait::run(arguments),
        "worker" => worker::run(arguments),
        "async_worker" => async_worker::run(arguments),
        "client_leak" => client_leak::run(arguments),
        "peer" => peer::serve(),
        _ => Err(Failure::Usage(
            "close_wait | worker | async_worker | client_leak [options]",
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(usage)) => {
            eprintln!("usage: workload {usage}");
            ExitCode::from(2)
        }
        Err(Failure::Run(what)) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}
