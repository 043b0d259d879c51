//! The `server` verb: reads the configuration and hands it to the node.

use std::process::ExitCode;

/// Runs the server until it is told to stop. `args` is what follows `server`, as typed.
pub fn run(_args: &[String]) -> ExitCode {
    eprintln!("The server is not built yet.");
    ExitCode::from(1)
}
